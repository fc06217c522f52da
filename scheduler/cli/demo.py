"""`demo`: a whole day against the simulated gateway, on one clock that runs faster."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from scheduler.config.configuration import Configuration
    from scheduler.model.evidence import SwitchRecord
    from scheduler.model.timeline import Moment, Segment
    from scheduler.simulator.device import SimulatedGateway

_BEGINS = time(6, 30)
_BAD_MOMENTS = {"failed", "unfinished", "missed"}

ScenarioOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario", help='What goes wrong with the gateway, such as "ignores writes"; repeatable.'
    ),
]
DateOption = Annotated[
    datetime, typer.Option(formats=["%Y-%m-%d"], help="The day to show; it begins at 06:30.")
]
HoursOption = Annotated[float, typer.Option(min=0.5, max=168, help="How much of it to show.")]
SpeedOption = Annotated[float, typer.Option(min=60, max=3600, help="How many times faster the clock runs.")]


def demo(
    *,
    config: ConfigOption = None,
    date: DateOption = datetime(2026, 7, 1),  # noqa: DTZ001 - a calendar date; the zone is the site's
    hours: HoursOption = 24,
    speed: SpeedOption = 2400,
    scenario: ScenarioOption = None,
    json: JsonOption = False,
) -> None:
    """Show a whole day: the real daemon, the real plan and HTTPS, against a simulated gateway and house."""
    from scheduler.simulator.errors import SimulatorError

    configuration = load_or_fail(config_path(config))
    begins = datetime.combine(date, _BEGINS, configuration.schedule.zone).astimezone(UTC)
    day = _Day(configuration, begins, timedelta(hours=hours), speed, scenario or [], quiet=json)
    try:
        with tempfile.TemporaryDirectory(prefix="tou-scheduler-demo-") as directory:
            asyncio.run(day.run(Path(directory)))
    except SimulatorError as error:
        fail(str(error), Exit.USAGE)
    rows = day.rows()
    if json:
        print_json(day.document(rows))
    raise typer.Exit(day.conclude(rows))


@dataclass(frozen=True, slots=True)
class _Row:
    """What was due, what came of it, in a word and in more of them, and whether that is as planned."""

    due: datetime
    outcome: str
    words: str
    good: bool


class _Day:
    """One demo day: the daemon, the house behind the gateway, and who tells about it."""

    def __init__(
        self,
        configuration: Configuration,
        begins: datetime,
        lasting: timedelta,
        speed: float,
        scenarios: list[str],
        *,
        quiet: bool,
    ) -> None:
        from scheduler.gateway.wire import to_raw
        from scheduler.observe.narrate import Narrator

        # The gateway of the file is somebody's house; only its user and firmware matter here.
        self._configuration = replace(configuration, gateway=replace(configuration.gateway, type="simulated"))
        self._zone = configuration.schedule.zone
        self._begins = begins
        self._ends = begins + lasting
        self._speed = speed
        self._scenarios = scenarios
        self._out = say if quiet else print
        self._to_raw = to_raw
        self._device: SimulatedGateway | None = None
        self._narrator = Narrator(self._zone, out=self._out, raw_percent=to_raw, battery=self._battery)

    async def run(self, directory: Path) -> None:
        """Live through the day, with its memory in ``directory``."""
        from scheduler.app import Daemon
        from scheduler.daemon.clock import FastClock
        from scheduler.observe.logs import configure

        configure()
        seconds = (self._ends - self._begins).total_seconds() / self._speed
        self._out(
            f"A day from {self._begins.astimezone(self._zone):%A %Y-%m-%d %H:%M %Z} with {self._configuration.path}.\n"
            f"Plan, loop, alarms, client and HTTPS are those of every day; the gateway and its house are simulated,\n"
            f"and all of them go by one clock that runs {self._speed:g} times faster: the day takes {seconds:.0f} s.\n"
        )
        clock = FastClock(self._begins, self._speed)
        daemon = Daemon(self._configuration, directory, [self._narrator.tell], clock)
        asyncio.get_running_loop().call_later(seconds, daemon.stop.set)
        await daemon.run(prepare=self._prepare)

    def _prepare(self, device: SimulatedGateway) -> None:
        from scheduler.simulator.scenario import apply_scenario

        self._device = device
        for sentence in self._scenarios:
            apply_scenario(device, sentence)

    def _battery(self) -> str:
        if self._device is None:
            return "unknown"
        power, charge = self._device.power(), self._device.charge_raw_percent()
        return (
            f"{_does(power.battery_w)}; house {power.load_w:.0f} W, solar {power.solar_w:.0f} W, "
            f"grid {power.site_w:+.0f} W, charge {charge:.0f} % raw"
        )

    def rows(self) -> list[_Row]:
        """What came of each boundary and each moment that the plan has for the day."""
        from scheduler.app import policy_of
        from scheduler.control.agenda import agenda

        plan = agenda(policy_of(self._configuration), self._begins)
        rows = [self._of_segment(s) for s in plan.coarse.segments_between(self._begins, self._ends)]
        rows += [self._of_moment(m) for m in plan.fine.moments_between(self._begins, self._ends)]
        return sorted(rows, key=lambda row: row.due)

    def _of_segment(self, segment: Segment) -> _Row:
        told = [s.record for s in self._narrator.switches if segment.start <= s.record.boundary < segment.end]
        if not told:
            return _Row(segment.start, "no switch", "", good=False)
        since = self._obeyed_since(told[-1], segment)
        words = self._narrator.percent(told[-1].desired) + ", "
        words += "never obeyed" if since is None else f"obeyed since {since.astimezone(self._zone):%H:%M:%S}"
        good = told[-1].verdict.good and since is not None
        return _Row(segment.start, told[-1].verdict.value, words, good=good)

    def _of_moment(self, moment: Moment) -> _Row:
        ended = [m for m in self._narrator.moments if (m.due, m.rule) == (moment.at, moment.rule)]
        outcome = ended[-1].outcome if ended else "did not end"
        return _Row(moment.at, outcome, moment.do, good=bool(ended) and outcome not in _BAD_MOMENTS)

    def _obeyed_since(self, record: SwitchRecord, segment: Segment) -> datetime | None:
        """Since when in its segment the battery went by the setpoint: the gateway's own record, not ours."""
        from scheduler.model.setpoint import Setpoint

        wanted = record.desired
        if wanted.reserve_percent is not None:
            wanted = replace(wanted, reserve_percent=self._to_raw(wanted.reserve_percent))
        history = self._device.history if self._device else []
        ends = [at for at, _ in history[1:]] + [self._ends]
        for (at, obeyed), end in zip(history, ends, strict=True):
            found = Setpoint(mode=obeyed.mode, reserve_percent=obeyed.reserve_raw_percent)
            if at < segment.end and end > segment.start and obeyed.running and wanted.is_met_by(found):
                return max(at, segment.start)
        return None

    def document(self, rows: list[_Row]) -> dict[str, Any]:
        """The day for other programs: the evidence of each switch, and whether all came as planned."""
        return {
            "schema": "tou-scheduler/demo",
            "version": 1,
            "as_planned": all(row.good for row in rows),
            "switches": [told.record.document(self._zone) for told in self._narrator.switches],
            "moments": [
                {
                    "at": moment.due.astimezone(self._zone).isoformat(),
                    "do": moment.do,
                    "outcome": moment.outcome,
                }
                for moment in self._narrator.moments
            ],
        }

    def conclude(self, rows: list[_Row]) -> Exit:
        """The day in a table; whether it went as planned, as an exit code."""
        self._out(
            "\nWhat was due, what came of it, and since when the battery obeys, by the gateway's own record:"
        )
        for row in rows:
            self._out(f"  {row.due.astimezone(self._zone):%a %H:%M}  {row.outcome:<13} {row.words}")
        self._out(f"  The battery stood still for {self._still().total_seconds():.0f} s of the day.")
        bad = [f"{row.due.astimezone(self._zone):%H:%M} {row.outcome}" for row in rows if not row.good]
        if bad:
            say(f"\nThe day did not go as planned: {', '.join(bad)}.")
            return Exit.UNVERIFIED
        self._out(
            "\nThe day went as planned: every switch was read back from the gateway, and the battery obeyed."
        )
        return Exit.FINE

    def _still(self) -> timedelta:
        """How long the battery was out of service, by the gateway's own record."""
        history = self._device.history if self._device else []
        return sum(
            (end - at for (at, obeyed), (end, _) in pairwise(history) if not obeyed.running), timedelta()
        )


def _does(battery_w: float) -> str:
    if abs(battery_w) < 1:
        return "rests"
    return f"gives {battery_w:.0f} W" if battery_w > 0 else f"takes {-battery_w:.0f} W"
