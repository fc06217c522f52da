"""A second, quite different kind of gateway under the same loop: a cloud service, slow, on the app's own percent scale.

The kind itself is made up here; what is proven is that loop, switch and plan need not know which kind they drive.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime

import pytest
from bench import BY_DAY, BY_NIGHT, Marks, Moments, local, readme_schedule
from clockwork import VirtualClock

from scheduler.control.agenda import Policy
from scheduler.control.loop import Loop
from scheduler.model.errors import NotCapable, Throttled
from scheduler.model.events import Event, MomentEnded, Switched
from scheduler.model.evidence import Step, SwitchRecord, Verdict
from scheduler.model.reading import Alert, Grid, Identity, Live, Power, UpdateStatus
from scheduler.model.setpoint import Setpoint
from scheduler.model.status import Status


@dataclass(frozen=True)
class SlowPace:
    """A service whose own readings are minutes old."""

    settle_s: float = 120.0
    poll_s: float = 15.0
    effect_grace_s: float = 600.0
    attempt_s: float = 300.0


class Cloud:
    """Takes a setpoint in app percent, shows it 40 s later, has no commit, no login that stops, no firmware call."""

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._seen = Setpoint(mode="autonomous", reserve_percent=20)
        self._coming: tuple[float, Setpoint] | None = None
        self._steps: list[Step] = []
        self.throttle = 0
        self.writes: list[Setpoint] = []
        self.pace = SlowPace()
        self.has_session = True
        self.login_may_stop = False
        self.clock_ahead_s = None
        self.silence_s = 0.0

    def _settle(self) -> None:
        if self._coming is not None and self._clock.monotonic() >= self._coming[0]:
            self._seen, self._coming = self._coming[1], None

    async def identify(self) -> Identity:
        """The service tells the battery's firmware."""
        return Identity(firmware="26.18.1", start_time="")

    async def login(self) -> None:
        """Never needed: the session is another's business."""
        raise AssertionError("a session that lasts was logged in to")

    async def read(self) -> Setpoint:
        """What the service shows."""
        self._settle()
        self._steps.append(Step(step="site_info", status=200, ms=400))
        return self._seen

    async def write(self, change: Setpoint) -> None:
        """Taken at once, shown later."""
        self._settle()
        if self.throttle:
            self.throttle -= 1
            raise Throttled("too many requests", silence_s=600)
        self.writes.append(change)
        self._coming = (self._clock.monotonic() + 40, change.or_else(self._seen))
        self._steps.append(Step(step="operation", status=201, ms=900))

    async def commit(self) -> None:
        """There is none."""

    async def is_running(self) -> bool:
        """It cannot be stopped."""
        return True

    async def start(self) -> None:
        """Never needed."""
        raise AssertionError("a kind that cannot be stopped was started")

    async def live(self) -> Live:
        """Half full, on the grid."""
        return Live(charge_percent=50, grid=Grid.CONNECTED)

    async def grid_faults(self) -> tuple[Alert, ...]:
        """There is no such call."""
        raise NotCapable("this service does not tell alerts", remedy="nothing to do")

    async def power(self) -> Power:
        """What a battery that obeys would do."""
        battery_w = -3300.0 if self._seen.mode == "backup" else 800.0
        return Power(battery_w=battery_w, site_w=800 - battery_w, load_w=800, solar_w=0)

    async def check_for_update(self) -> None:
        """There is no such call."""
        raise NotCapable("this service has no firmware call", remedy="nothing to do")

    async def update_status(self) -> UpdateStatus:
        """There is no such call."""
        raise NotCapable("this service has no firmware call", remedy="nothing to do")

    async def install_update(self) -> None:
        """A cloud installs nothing."""
        raise NotCapable("no such call", remedy="use the app")

    def exchanges(self) -> tuple[Step, ...]:
        """The exchanges since last asked."""
        steps, self._steps = tuple(self._steps), []
        return steps

    async def close(self) -> None:
        """Nothing is open."""


class Day:
    """A day of the loop on the cloud kind."""

    def __init__(self, start: datetime) -> None:
        self.clock = VirtualClock(start)
        self.cloud = Cloud(self.clock)
        self.events: list[Event] = []
        self.reports: list[Status] = []

    async def until(self, at: datetime) -> None:
        """Run until the clock shows ``at``."""
        loop = Loop(
            Policy(schedule=readme_schedule(), on_drift="yield", verify_s=300, digest="d"),
            self.cloud,
            clock=self.clock,
            marks=Marks([]),
            note=Moments(),
            tell=self.events.append,
            arm=lambda _: None,
            report=self.reports.append,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(loop.run(stop))
        while self.clock.now() < at and not running.done():
            await asyncio.sleep(0)
        stop.set()
        await running

    @property
    def records(self) -> list[SwitchRecord]:
        """The evidence of the switches."""
        return [event.record for event in self.events if isinstance(event, Switched)]


async def test_the_loop_drives_another_kind_without_knowing_it() -> None:
    """A whole day: the boundaries are switched and verified by read-backs that take 40 s, with one write each.

    The second write is the rehearsal before the day, of what is set already.
    """
    day = Day(local("06:30"))

    await day.until(local("22:30"))

    assert [r.desired for r in day.records] == [BY_NIGHT, BY_DAY, BY_NIGHT]
    assert {r.verdict for r in day.records} == {Verdict.VERIFIED}
    assert day.cloud.writes == [BY_NIGHT, BY_NIGHT, BY_DAY, BY_NIGHT]


async def test_a_kind_without_a_firmware_call_says_so_at_the_moment() -> None:
    """The moment ends as not available, and switching is not touched by it."""
    day = Day(local("07:00"))

    await day.until(local("08:00"))

    ended = [event for event in day.events if isinstance(event, MomentEnded)]
    assert [event.outcome for event in ended] == ["not_available"]
    assert day.records[-1].verdict is Verdict.VERIFIED


@pytest.mark.parametrize("times", [1, 2])
async def test_silence_is_kept_as_long_as_a_kind_asks_for(times: int) -> None:
    """429 means silence: the next write comes after it, and the switch is made then."""
    day = Day(local("12:00"))
    day.cloud.throttle = times

    await day.until(local("12:00").replace(hour=13))

    assert [r.verdict for r in day.records] == [Verdict.UNREACHABLE, Verdict.VERIFIED]
    waited = day.records[-1].at - day.records[0].at
    assert waited.total_seconds() >= 600 * times


async def test_an_attempt_may_last_as_long_as_the_kind_is_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deadline of an attempt is the kind's own: what is short for a local gateway cuts no slow one off."""
    lasting: list[float] = []
    real = asyncio.timeout_at

    def timeout_at(when: float | None) -> asyncio.Timeout:
        lasting.append((when or 0) - asyncio.get_running_loop().time())
        return real(when)

    monkeypatch.setattr(asyncio, "timeout_at", timeout_at)
    day = Day(local("12:00"))

    await day.until(local("12:10"))

    assert lasting
    assert min(lasting) == pytest.approx(SlowPace().attempt_s, abs=60)
