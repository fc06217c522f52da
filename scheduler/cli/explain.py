"""`explain`: why this setpoint at this instant, rule by rule."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

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
    say,
)
from scheduler.cli.held import held
from scheduler.cli.plan import YEARS
from scheduler.model.reading import Grid
from scheduler.plan import account
from scheduler.plan.explain import Known
from scheduler.plan.explain import explain as explain_instant
from scheduler.plan.wallclock import first_instant, occurrences


def explain(
    *,
    at: Annotated[
        str,
        typer.Option(
            metavar="TIME",
            help="Local time of the site, or with an offset: 2026-07-04T17:05, 17:05 for today, or now.",
        ),
    ] = "now",
    charge: Annotated[
        float | None,
        typer.Option(
            min=0, max=100, metavar="PERCENT", help="Settle each `if` on the charge, as the app shows it."
        ),
    ] = None,
    grid: Annotated[Grid | None, typer.Option(help="Settle each `if` on the grid.")] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Explain the setpoint at an instant: which rule gives it, and why the others do not; and that a hold stands above them."""
    configuration = load_or_fail(config_path(config), warn=False)
    schedule = configuration.schedule
    known = Known(charge_percent=charge, grid=grid)
    instant = _instant(at, schedule.zone)
    explanation = explain_instant(schedule, instant, known)
    hold = held(state, configuration, instant, instant + timedelta(microseconds=1), json=json)
    if json:
        print_json(account.document(explanation) | {"hold": hold})
    else:
        print(account.text(explanation))


def _now() -> datetime:
    from scheduler.daemon.clock import SystemClock

    return SystemClock().now().replace(microsecond=0)


def _instant(text: str, zone: ZoneInfo) -> datetime:
    if text == "now":
        return _now()
    try:
        given = _today_at(text, zone) if text[2:3] == ":" else datetime.fromisoformat(text)
    except ValueError:
        fail(f"--at: '{text}' is not a time; write it like 2026-07-04T17:05, 17:05 or now", Exit.USAGE)
    if given.year not in YEARS:
        fail(f"--at: the year must be {YEARS[0]} to {YEARS[-1]}", Exit.USAGE)
    return given.astimezone(UTC) if given.tzinfo is not None else _local(given, zone)


def _today_at(text: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(_now().astimezone(zone), time.fromisoformat(text))


def _local(shown: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a local time; says so where the clocks skip it or show it twice."""
    instants = occurrences(zone, shown)
    if len(instants) == 1:
        return instants[0]
    instant = first_instant(zone, shown)
    if instants:
        first, second = (found.astimezone(zone).isoformat(timespec="minutes") for found in instants)
        say(f"note: {shown:%H:%M} comes twice that day; this is {first}, the other {second}")
    else:
        moved = instant.astimezone(zone).isoformat(timespec="minutes")
        say(f"note: {shown:%H:%M} does not exist that day, the clocks skip it; this is {moved}")
    return instant
