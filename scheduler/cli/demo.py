"""`demo`: a whole day against the simulated gateway, on one clock that runs faster."""

from __future__ import annotations

import asyncio
import tempfile
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.common import ConfigOption, Exit, config_path, fail, load_or_fail, say

if TYPE_CHECKING:
    from scheduler.config.configuration import Configuration
    from scheduler.observe.narrate import Narrator
    from scheduler.simulator.device import SimulatedGateway

_DAY = timedelta(hours=24)
_BEGINS = time(6, 30)

ScenarioOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario", help='What goes wrong with the gateway, such as "ignores writes"; repeatable.'
    ),
]


def demo(
    *,
    config: ConfigOption = None,
    date: Annotated[
        datetime, typer.Option(formats=["%Y-%m-%d"], help="The day to show; it begins at 06:30.")
    ] = datetime(2026, 7, 1),  # noqa: DTZ001 - a calendar date; the zone is the site's
    speed: Annotated[
        float, typer.Option(min=60, max=3600, help="How many times faster the clock runs.")
    ] = 2000,
    scenario: ScenarioOption = None,
) -> None:
    """Show a whole day: the real daemon, the real plan and HTTPS, against a simulated gateway and house."""
    from scheduler.simulator.errors import SimulatorError

    configuration = load_or_fail(config_path(config))
    try:
        with tempfile.TemporaryDirectory(prefix="tou-scheduler-demo-") as directory:
            day = _Day(configuration, Path(directory), date, speed, scenario or [])
            asyncio.run(day.run())
            raise typer.Exit(day.conclude())
    except SimulatorError as error:
        fail(str(error), Exit.USAGE)


class _Day:
    """One demo day: the daemon, the house behind the gateway, and who tells about it."""

    def __init__(
        self,
        configuration: Configuration,
        directory: Path,
        date: datetime,
        speed: float,
        scenarios: list[str],
    ) -> None:
        self._configuration = configuration
        self._directory = directory
        self._zone = configuration.schedule.zone
        self._begins = datetime.combine(date, _BEGINS, self._zone).astimezone(UTC)
        self._speed = speed
        self._scenarios = scenarios
        self._device: SimulatedGateway | None = None
        self._narrator: Narrator | None = None

    async def run(self) -> None:
        """Live through the day."""
        from scheduler.app import Daemon
        from scheduler.daemon.clock import FastClock
        from scheduler.gateway.wire import to_raw
        from scheduler.observe.logs import configure
        from scheduler.observe.narrate import Narrator

        configure()
        print(
            f"A day from {self._begins.astimezone(self._zone):%A %Y-%m-%d %H:%M %Z} with {self._configuration.path}.\n"
            f"Plan, loop, alarms, client and HTTPS are those of every day; the gateway and its house are simulated,\n"
            f"and all of them go by one clock that runs {self._speed:g} times faster: the day takes "
            f"{_DAY.total_seconds() / self._speed:.0f} seconds.\n"
        )
        clock = FastClock(self._begins, self._speed)
        self._narrator = Narrator(self._zone, out=print, raw_percent=to_raw, battery=self._battery)
        daemon = Daemon(self._configuration, self._directory, [self._narrator.tell], clock)
        asyncio.get_running_loop().call_later(_DAY.total_seconds() / self._speed, daemon.stop.set)
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

    def conclude(self) -> Exit:
        """The day in a table, and whether it went as planned."""
        if self._narrator is None or self._device is None:
            return Exit.UNVERIFIED
        wanted = self._boundaries()
        print("\nWhat was planned, and what came of it:")
        bad = []
        for at in wanted:
            told = [t for t in self._narrator.switches if t.record.boundary == at]
            verdict = told[-1].record.verdict.value if told else "no switch"
            if not told or not told[-1].record.verdict.good:
                bad.append(f"{at.astimezone(self._zone):%H:%M} {verdict}")
            asked = self._narrator.percent(told[-1].record.desired) if told else ""
            print(f"  {at.astimezone(self._zone):%H:%M}  {verdict:<12} {asked}")
        for moment in self._narrator.moments:
            print(f"  {moment.due.astimezone(self._zone):%H:%M}  {moment.outcome:<12} {moment.do}")
            if moment.outcome in {"failed", "unfinished", "missed"}:
                bad.append(f"{moment.due.astimezone(self._zone):%H:%M} {moment.do} {moment.outcome}")
        if bad:
            say(f"\nThe day did not go as planned: {'; '.join(bad)}.")
            return Exit.UNVERIFIED
        print("\nThe day went as planned, and every switch was read back from the gateway.")
        return Exit.FINE

    def _boundaries(self) -> list[datetime]:
        """Every boundary of the day, the one before it began included."""
        from scheduler.app import policy_of
        from scheduler.control.agenda import agenda

        plan = agenda(policy_of(self._configuration), self._begins).coarse
        ends = self._begins + _DAY
        return [s.start for s in plan.segments if s.end > self._begins and s.start < ends]


def _does(battery_w: float) -> str:
    if abs(battery_w) < 1:
        return "rests"
    return f"gives {battery_w:.0f} W" if battery_w > 0 else f"takes {-battery_w:.0f} W"
