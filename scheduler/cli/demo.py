"""`demo`: a whole day against the simulated gateway, on one clock that runs faster."""

from __future__ import annotations

import asyncio
import os
import tempfile
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    config_path,
    fail,
    load_or_fail,
    print_json,
    say,
)
from scheduler.cli.plan import YEARS
from scheduler.cli.sidebyside import DAY as DAY_TO_COMPARE
from scheduler.cli.sidebyside import compare_days

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.app.showday import Row, ShowDay
    from scheduler.config.configuration import Configuration

_BEGINS = time(6, 30)
_DAY = date(2026, 7, 1)
_HOURS = 24.0

ScenarioOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario", help='What goes wrong with the gateway, such as "ignores writes"; repeatable.'
    ),
]
DateOption = Annotated[
    datetime | None,
    typer.Option(
        formats=["%Y-%m-%d"],
        help=f"The day to show ({_DAY}; with --compare {DAY_TO_COMPARE}, after whose sunset the dear hours go on).",
    ),
]
HoursOption = Annotated[
    float | None, typer.Option(min=0.5, max=168, help=f"How much of it to show, from 06:30 on ({_HOURS:g}).")
]
SpeedOption = Annotated[float, typer.Option(min=60, max=3600, help="How many times faster the clock runs.")]
CompareOption = Annotated[
    bool,
    typer.Option(
        "--compare",
        help="Live the day twice, with the file's moments and without them, and show both side by side. Unless "
        "--scenario says otherwise the gateway stages an update at 06:00 and would install it itself at 17:00.",
    ),
]


def demo(
    *,
    config: ConfigOption = None,
    date: DateOption = None,
    hours: HoursOption = None,
    speed: SpeedOption = 2400,
    scenario: ScenarioOption = None,
    compare: CompareOption = False,
    json: JsonOption = False,
) -> None:
    """Show a whole day: the real daemon, the real plan and HTTPS, against a simulated gateway and house.

    Where there is no configuration file yet it is a day of the example that comes with the program.
    """
    from scheduler.app.showday import refuse_unknown
    from scheduler.simulator.errors import SimulatorError

    if compare and hours is not None:
        fail("--hours is not for --compare: both days last until the dearest hours are over", Exit.USAGE)
    if date is not None and date.year not in YEARS:
        fail(f"--date: the year must be {YEARS[0]} to {YEARS[-1]}", Exit.USAGE)
    day = None if date is None else date.date()
    configuration = load_or_fail(file_to_show(config))
    try:
        refuse_unknown(scenario or [], datetime.combine(day or _DAY, _BEGINS, UTC))
        if compare:
            code = compare_days(configuration, day or DAY_TO_COMPARE, speed, scenario, as_json=json)
        else:
            code = _show(configuration, day or _DAY, hours or _HOURS, speed, scenario or [], as_json=json)
    except SimulatorError as error:
        fail(str(error), Exit.USAGE)
    raise typer.Exit(code)


def file_to_show(given: Path | None) -> Path:
    """The file to show: the one that every verb takes, or the shipped example where there is none."""
    from scheduler.app.shipped import NotShipped, shipped_path

    path = config_path(given)
    # $TOU_CONFIG says where the file will be some day (the image sets it); only --config says which one to show.
    if path.exists() or given not in {None, Path(os.environ.get("TOU_CONFIG", ""))}:
        return path
    try:
        return shipped_path("tou.yaml")
    except NotShipped as error:
        fail(str(error), Exit.USAGE)


def _show(
    configuration: Configuration,
    day: date,
    hours: float,
    speed: float,
    scenarios: list[str],
    *,
    as_json: bool,
) -> Exit:
    from scheduler.app.showday import ShowDay
    from scheduler.observe.logs import configure

    configure()
    zone = configuration.schedule.zone
    begins = datetime.combine(day, _BEGINS, zone).astimezone(UTC)
    out = say if as_json else print
    shown = ShowDay(configuration, begins, begins + timedelta(hours=hours), speed, scenarios, out=out)
    out(
        f"A day from {begins.astimezone(zone):%A %Y-%m-%d %H:%M %Z} with {configuration.path}.\n"
        f"Plan, loop, alarms, client and HTTPS are those of every day; the gateway and its house are simulated,\n"
        f"and all of them go by one clock that runs {speed:g} times faster: the day takes {shown.seconds:.0f} s.\n"
    )
    with tempfile.TemporaryDirectory(prefix="tou-scheduler-demo-") as directory:
        asyncio.run(shown.live(Path(directory)))
    rows = shown.rows()
    if as_json:
        print_json(shown.document(rows))
    return _conclude(shown, rows, configuration, out)


def _conclude(
    shown: ShowDay, rows: list[Row], configuration: Configuration, out: Callable[[str], None]
) -> Exit:
    """The day in a table; whether it went as planned, as an exit code."""
    zone = configuration.schedule.zone
    out("\nWhat was due, what came of it, and since when the battery obeys, by the gateway's own record:")
    for row in rows:
        out(f"  {row.due.astimezone(zone):%a %H:%M}  {row.outcome:<13} {row.words}")
    out(f"  The battery stood still for {shown.still().total_seconds():.0f} s of the day.")
    bad = [f"{row.due.astimezone(zone):%H:%M} {row.outcome}" for row in rows if not row.good]
    if bad:
        say(f"\nThe day did not go as planned: {', '.join(bad)}.")
        return Exit.UNVERIFIED
    out("\nThe day went as planned: every switch was read back from the gateway, and the battery obeyed.")
    return Exit.FINE
