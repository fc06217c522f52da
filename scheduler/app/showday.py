"""A day for show: the real daemon, client and HTTPS against a simulated gateway, on one clock that runs faster.

What came of each boundary and moment is judged here, by the gateway's own record where it has one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.app.daemon import Daemon
from scheduler.app.once import policy_of
from scheduler.app.witness import Witness
from scheduler.control.agenda import agenda
from scheduler.daemon.clock import FastClock
from scheduler.gateway.wire import to_raw
from scheduler.model.clock import Kept
from scheduler.model.setpoint import Setpoint
from scheduler.observe.narrate import Narrator
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.record import stopped_between, stretches
from scheduler.simulator.scenario import apply_scenario

if TYPE_CHECKING:
    from scheduler.config.configuration import Configuration
    from scheduler.model.evidence import SwitchRecord
    from scheduler.model.timeline import Moment, Segment

_OUT_OF_TIME = {"did not end", "unfinished", "missed"}
_BAD_MOMENTS = {"failed", *_OUT_OF_TIME}


@dataclass(frozen=True, slots=True)
class Row:
    """What was due, what came of it, in a word and in more of them, and whether that is as planned."""

    due: datetime
    outcome: str
    words: str
    good: bool


def refuse_unknown(sentences: Sequence[str], at: datetime) -> None:
    """SimulatorError for the first scenario that is none: each is said to a gateway that nobody asks, as if ``at`` were now.

    So it is known before anything is shown.
    """
    device = SimulatedGateway(now=lambda: at)
    for sentence in sentences:
        apply_scenario(device, sentence)


class ReadyClock:
    """A clock that stands at ``start`` until all is ready, and then runs ``speed`` times as fast as the machine's.

    At such a speed the making of a certificate would else be most of an hour.
    """

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start
        self._speed = speed
        self._stands = True
        self._clock = FastClock(start, speed)

    def go(self) -> None:
        """From now on time passes."""
        self._clock = FastClock(self._start, self._speed)
        self._stands = False

    def now(self) -> datetime:
        """The time on this clock, as an aware UTC datetime."""
        return self._start if self._stands else self._clock.now()

    def monotonic(self) -> float:
        """Seconds of this clock since it goes."""
        return 0.0 if self._stands else self._clock.monotonic()

    def origin(self) -> datetime:
        """What it shows at its start: nobody sets it."""
        return self._start

    def kept(self) -> Kept:
        """It is right by itself: nothing else goes by it."""
        return Kept()

    async def sleep(self, seconds: float) -> None:
        """Wait this many seconds of this clock, which are fewer of the machine's."""
        await self._clock.sleep(seconds)

    def alarm_time(self, instant: datetime) -> datetime:
        """When this clock will show ``instant``, by the machine's wall clock."""
        return self._clock.alarm_time(instant)


class ShowDay:
    """One day, ``[begins, ends)``: the daemon, the house behind the gateway, and who tells about it through ``out``.

    ``scenarios`` are the sentences of what goes wrong; ``brief`` tells each switch in a line.
    """

    def __init__(
        self,
        configuration: Configuration,
        begins: datetime,
        ends: datetime,
        speed: float,
        scenarios: Sequence[str],
        *,
        out: Callable[[str], None],
        brief: bool = False,
    ) -> None:
        # The gateway of the file is somebody's house; only its user and firmware matter here.
        self._configuration = replace(configuration, gateway=replace(configuration.gateway, type="simulated"))
        self._zone = configuration.schedule.zone
        self._begins = begins
        self._ends = ends
        self._scenarios = scenarios
        self._device: SimulatedGateway | None = None
        self._clock = ReadyClock(begins, speed)
        self._narrator = Narrator(self._zone, out=out, raw_percent=to_raw, battery=self._battery, brief=brief)
        self.seconds = (ends - begins).total_seconds() / speed

    async def live(self, directory: Path) -> Witness:
        """Live through the day, with its memory in ``directory``; ``seconds`` of the machine's clock pass.

        The witness has seen the gateway before anything went wrong. SimulatorError if a scenario is none.
        """
        witnesses = []
        daemon = Daemon(self._configuration, directory, [self._narrator.tell], self._clock)

        def prepare(device: SimulatedGateway) -> None:
            self._device = device
            witnesses.append(Witness(device))
            for sentence in self._scenarios:
                apply_scenario(device, sentence)
            asyncio.get_running_loop().call_later(self.seconds, daemon.stop.set)
            self._clock.go()

        await daemon.run(prepare=prepare)
        return witnesses[0]

    def _battery(self) -> str:
        if self._device is None:
            return "unknown"
        power, charge = self._device.power(), self._device.charge_raw_percent()
        return (
            f"{_does(power.battery_w)}; house {power.load_w:.0f} W, solar {power.solar_w:.0f} W, "
            f"grid {power.site_w:+.0f} W, charge {charge:.0f} % raw"
        )

    def rows(self) -> list[Row]:
        """What came of each boundary and each moment that the plan has for the day."""
        plan = agenda(policy_of(self._configuration), self._begins)
        rows = [self._of_segment(s) for s in plan.coarse.segments_between(self._begins, self._ends)]
        rows += [self._of_moment(m) for m in plan.fine.moments_between(self._begins, self._ends)]
        return sorted(rows, key=lambda row: row.due)

    def out_of_time(self) -> bool:
        """Whether a moment of the day was not over by its time, or was not begun before it."""
        return any(row.outcome in _OUT_OF_TIME for row in self.rows())

    def still(self) -> timedelta:
        """How long the battery was out of service, by the gateway's own record."""
        if self._device is None:
            return timedelta()
        return stopped_between(self._device.history, self._begins, self._ends)

    def document(self, rows: list[Row]) -> dict[str, Any]:
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

    def _of_segment(self, segment: Segment) -> Row:
        told = [s.record for s in self._narrator.switches if segment.start <= s.record.boundary < segment.end]
        if not told:
            return Row(segment.start, "no switch", "", good=False)
        since = self._obeyed_since(told[-1], segment)
        words = self._narrator.percent(told[-1].desired) + ", "
        words += "never obeyed" if since is None else f"obeyed since {since.astimezone(self._zone):%H:%M:%S}"
        good = told[-1].verdict.good and since is not None
        return Row(segment.start, told[-1].verdict.value, words, good=good)

    def _of_moment(self, moment: Moment) -> Row:
        ended = [m for m in self._narrator.moments if (m.due, m.rule) == (moment.at, moment.rule)]
        if not ended:
            return Row(moment.at, "did not end", moment.do, good=False)
        good = not ended[-1].alert and ended[-1].outcome not in _BAD_MOMENTS
        return Row(moment.at, ended[-1].outcome, moment.do, good=good)

    def _obeyed_since(self, record: SwitchRecord, segment: Segment) -> datetime | None:
        """Since when in its segment the battery went by the setpoint: the gateway's own record, not ours."""
        wanted = record.desired
        if wanted.reserve_percent is not None:
            wanted = replace(wanted, reserve_percent=to_raw(wanted.reserve_percent))
        history = self._device.history if self._device else []
        within = max(segment.start, self._begins), min(segment.end, self._ends)
        for since, _, obeyed in stretches(history, *within):
            found = Setpoint(mode=obeyed.mode, reserve_percent=obeyed.reserve_raw_percent)
            if obeyed.running and wanted.is_met_by(found):
                return since
        return None


def _does(battery_w: float) -> str:
    if abs(battery_w) < 1:
        return "rests"
    return f"gives {battery_w:.0f} W" if battery_w > 0 else f"takes {-battery_w:.0f} W"
