"""`plan`: what will happen and why, day by day, by the code that acts."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Annotated

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    StateOption,
    config_path,
    fail,
    load_or_fail,
    print_json,
)
from scheduler.cli.extras import allow_rich
from scheduler.cli.held import held
from scheduler.plan.agenda import Day, Entry, agenda
from scheduler.plan.compile import compile_plan
from scheduler.plan.document import plan_document
from scheduler.plan.wallclock import WallClock

YEARS = range(1970, 2200)
"""Time zone rules and lists of holidays say little about other years."""

_COLUMNS = ("time", "period", "import", "export", "setpoint", "rule")
_MERGED_COLUMNS = ("time", "setpoint", "rule")
_STYLES = {"stretch": None, "case": "dim", "moment": "cyan"}


def plan(
    *,
    config: ConfigOption = None,
    from_: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day; else today, at the site.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3660, help="How many days.")] = 2,
    state: StateOption = None,
    json: JsonOption = False,
    merge: Annotated[
        bool, typer.Option("--merge", help="Cut only where the setpoint changes; leaves out the prices.")
    ] = False,
) -> None:
    """Show what will happen, and which line of the file says so; and that a hold stands above it, if one does."""
    configuration = load_or_fail(config_path(config), warn=False)
    schedule = configuration.schedule
    clock = WallClock(schedule.zone)
    first = _day(from_) if from_ is not None else _today(clock)
    start, end = clock.instant(first, 0), clock.instant(first + timedelta(days=days), 0)
    if start == end:
        fail(f"{first} does not exist in {schedule.zone.key}: the calendar skips it", Exit.USAGE)
    timeline = compile_plan(schedule, start, end)
    hold = held(state, configuration, start, end, json=json)
    if json:
        print_json(plan_document(timeline, schedule.zone, merge=merge) | {"hold": hold})
    else:
        _show(agenda(timeline, schedule.zone, merge=merge), _MERGED_COLUMNS if merge else _COLUMNS)


def _day(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        fail(f"--from: '{text}' is not a date; write it like 2026-07-01", Exit.USAGE)
    if day.year not in YEARS:
        fail(f"--from: the year must be {YEARS[0]} to {YEARS[-1]}", Exit.USAGE)
    return day


def _today(clock: WallClock) -> date:
    from scheduler.daemon.clock import SystemClock

    return clock.day(SystemClock().now())


def _show(days: Iterable[Day], columns: tuple[str, ...]) -> None:
    if sys.stdout.isatty():
        _show_on_terminal(days, columns)
    else:
        for number, day in enumerate(days):
            print(("\n" if number else "") + "\n".join(_plain(day, columns)))


def _plain(day: Day, columns: tuple[str, ...]) -> list[str]:
    """A day in aligned columns, the same for every program that reads them."""
    rows = [columns, *(_cells(entry, columns) for entry in day.entries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(columns))]
    heading = [day.title, *([day.note] if day.note else [])]
    return heading + ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def _show_on_terminal(days: Iterable[Day], columns: tuple[str, ...]) -> None:
    allow_rich()
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    for day in days:
        console.print(Text(day.title, style="bold"))
        if day.note:
            console.print(Text(day.note, style="yellow"))
        table = Table(box=None, padding=(0, 2, 0, 0))
        for column in columns:
            table.add_column(column, no_wrap=column not in {"setpoint", "rule"})
        for entry in day.entries:
            # Text, not str: a rule may be called "[red]".
            table.add_row(*map(Text, _cells(entry, columns)), style=_STYLES[entry.kind])
        console.print(table)
        console.print()


def _cells(entry: Entry, columns: tuple[str, ...]) -> tuple[str, ...]:
    cells = {
        "time": entry.time,
        "period": entry.period,
        "import": entry.import_price,
        "export": entry.export_price,
        "setpoint": entry.what,
        "rule": entry.rules,
    }
    return tuple(cells[column] for column in columns)
