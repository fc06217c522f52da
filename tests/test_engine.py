"""Alarms by the real APScheduler in a real event loop: they wake, and they are the same for every clock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from bench import readme_schedule, utc

from scheduler.control.agenda import Policy, agenda
from scheduler.daemon.clock import FastClock, SystemClock
from scheduler.daemon.engine import Engine

SOON = timedelta(milliseconds=20)
LATER = timedelta(hours=1)


class Alarms:
    """An engine with what it rang."""

    def __init__(self, alarm_time: Callable[[datetime], datetime]) -> None:
        self.rang = asyncio.Event()
        self.times = 0
        self.engine = Engine(self._wake, alarm_time)

    def _wake(self) -> None:
        self.times += 1
        self.rang.set()


@pytest.fixture(name="alarms")
async def _alarms() -> AsyncIterator[Alarms]:
    alarms = Alarms(SystemClock().alarm_time)
    alarms.engine.start()
    yield alarms
    alarms.engine.stop()


def now() -> datetime:
    """The machine's wall clock."""
    return SystemClock().now()


async def test_an_alarm_wakes(alarms: Alarms) -> None:
    """At its instant an alarm rings once, and is armed no more; what rings has seen its instant."""
    at = now() + SOON
    alarms.engine.arm({"soon": at})

    await asyncio.wait_for(alarms.rang.wait(), 10)

    assert now() >= at
    assert alarms.times == 1
    assert alarms.engine.armed == {}


@pytest.mark.parametrize("late_s", [0.5, 2, 3600, 30 * 86400])
async def test_a_late_alarm_still_wakes(alarms: Alarms, late_s: float) -> None:
    """APScheduler drops a job that is more than a second late unless told otherwise: ours rings at once."""
    alarms.engine.arm({"late": now() - timedelta(seconds=late_s)})

    await asyncio.wait_for(alarms.rang.wait(), 10)

    assert alarms.times == 1


async def test_an_alarm_that_becomes_late_while_the_loop_is_busy_still_wakes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The wall clock jumps two hours past an armed alarm before its timer fires: it rings all the same."""
    alarms = Alarms(SystemClock().alarm_time)
    alarms.engine.start()
    alarms.engine.arm({"soon": now() + SOON})
    jumped = now() + timedelta(hours=2)

    class Jumped(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return jumped.astimezone(tz)

    for module in ("apscheduler.schedulers.base", "apscheduler.executors.base"):
        monkeypatch.setattr(f"{module}.datetime", Jumped)

    await asyncio.wait_for(alarms.rang.wait(), 10)
    alarms.engine.stop()

    assert alarms.times == 1


async def test_arming_is_by_set_difference(alarms: Alarms) -> None:
    """What is no longer wanted goes, what is new comes, what stays is not touched."""
    at = now() + LATER
    alarms.engine.arm({"a": at, "b": at})
    alarms.engine.arm({"b": at + LATER, "c": at})

    assert alarms.engine.armed == {"b": at, "c": at}

    alarms.engine.arm({})
    assert alarms.engine.armed == {}


async def test_arming_from_an_alarm_works(alarms: Alarms) -> None:
    """The loop arms anew while the alarm that woke it has just rung: nothing is lost and nothing rings twice."""
    at = now()
    alarms.engine.arm({"first": at, "second": at + LATER})
    await asyncio.wait_for(alarms.rang.wait(), 10)
    alarms.rang.clear()

    alarms.engine.arm({"second": at + LATER, "third": now() + SOON})
    await asyncio.wait_for(alarms.rang.wait(), 10)

    assert alarms.times == 2
    assert set(alarms.engine.armed) == {"second"}


async def test_alarms_are_kept_in_utc(alarms: Alarms) -> None:
    """In local times a wait across a change of the clocks would be an hour wrong."""
    alarms.engine.arm({"a": datetime.fromisoformat("2090-11-01T01:30:00-07:00")})

    (instant,) = alarms.engine.armed.values()
    assert instant.tzinfo is not None
    assert instant.utcoffset() == timedelta(0)
    assert instant == datetime(2090, 11, 1, 8, 30, tzinfo=UTC)


async def test_the_fast_clock_arms_the_alarms_of_the_real_one() -> None:
    """For one plan both clocks arm the same names; the fast one's ring in the same order, that many times sooner."""
    speed = 1000.0
    start = utc("2026-07-01T07:00")
    policy = Policy(schedule=readme_schedule(), on_drift="yield", verify_s=300, digest="")
    wanted = agenda(policy, start).alarms(start)
    real, fast = Alarms(SystemClock().alarm_time), Alarms(FastClock(start, speed).alarm_time)
    for alarms in (real, fast):
        alarms.engine.arm(wanted)

    assert real.engine.armed == wanted
    assert len(wanted) > 20
    assert set(fast.engine.armed) == set(wanted)
    names = sorted(wanted, key=lambda name: wanted[name])
    for one, other in pairwise(names):
        apart = fast.engine.armed[other] - fast.engine.armed[one]
        assert apart / timedelta(seconds=1) == pytest.approx(
            (wanted[other] - wanted[one]) / timedelta(seconds=1) / speed, abs=1e-5
        )


async def test_the_fast_clock_shows_the_instant_when_its_alarm_rings() -> None:
    """Woken by an alarm, the loop must already find itself after the boundary, or it would sleep past it."""
    start = utc("2026-07-01T07:00")
    clock = FastClock(start, speed=3600)
    alarms = Alarms(clock.alarm_time)
    alarms.engine.start()
    boundary = start + timedelta(minutes=5)
    alarms.engine.arm({"boundary": boundary})

    await asyncio.wait_for(alarms.rang.wait(), 10)
    alarms.engine.stop()

    assert clock.now() >= boundary


def test_a_slow_start_does_not_let_the_fast_clocks_alarms_ring_early(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever time goes by between reading the machine's two clocks, no alarm rings before its instant is shown."""
    passed_s = 0.0

    def monotonic() -> float:
        nonlocal passed_s
        passed_s += 0.5  # each look at a clock takes half a second
        return passed_s

    class Wall(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return utc("2026-11-20T12:00").astimezone(tz) + timedelta(seconds=monotonic())

    monkeypatch.setattr("time.monotonic", monotonic)
    monkeypatch.setattr("scheduler.daemon.clock.datetime", Wall)
    start = utc("2026-07-01T07:00")
    clock = FastClock(start, speed=60)
    instant = start + timedelta(hours=1)

    while Wall.now(UTC) < clock.alarm_time(instant):
        pass

    passed_s -= 0.5  # this look takes no time
    assert clock.now() >= instant


async def test_the_fast_clock_is_one_clock() -> None:
    """Its wall time and its steady seconds tell the same, and sleeping lets its own seconds pass."""
    start = utc("2026-07-01T07:00")
    clock = FastClock(start, speed=3600)
    before_s = clock.monotonic()

    await clock.sleep(60)

    after_s = clock.monotonic()
    assert after_s - before_s >= 60
    assert start + timedelta(seconds=after_s) <= clock.now()


async def test_the_system_clock_is_aware_and_steady() -> None:
    """The wall clock is told in UTC; the steady one does not go back over a sleep."""
    clock = SystemClock()
    before_s = clock.monotonic()

    await clock.sleep(0.01)

    assert clock.now().utcoffset() == timedelta(0)
    assert clock.monotonic() - before_s >= 0.009


async def test_stop_leaves_nothing_running(caplog: pytest.LogCaptureFixture) -> None:
    """Stopped twice, or before it was started, it rings no more, leaves no task and complains of nothing."""
    before = asyncio.all_tasks()
    never = Alarms(SystemClock().alarm_time)
    never.engine.stop()
    alarms = Alarms(SystemClock().alarm_time)
    alarms.engine.start()
    alarms.engine.arm({"soon": now() + SOON, "later": now() + LATER})

    with caplog.at_level(logging.WARNING):
        alarms.engine.stop()
        alarms.engine.stop()
        await asyncio.sleep(0.1)

    assert alarms.times == 0
    assert alarms.engine.armed == {}
    assert asyncio.all_tasks() == before
    assert caplog.records == []
