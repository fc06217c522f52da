"""What no other fast test would notice if it broke: found by planting bugs, see `mutants.py`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from bench import BY_DAY, BY_NIGHT, bench, local
from days import Run
from virtual_loop import LoopClock, run_virtually

from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.daemon.clock import SystemClock
from scheduler.gateway import wire
from scheduler.model.errors import Transient
from scheduler.model.evidence import Verdict


@pytest.fixture
def far_zone(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose own zone is half a day from UTC."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_t5_the_machines_own_zone_moves_no_instant(far_zone: None) -> None:
    """Whatever zone the machine is set to, the clock says UTC: the site's zone is in the file."""
    said = SystemClock().now()

    assert said.tzinfo is UTC
    assert abs(said.timestamp() - datetime.now(UTC).timestamp()) < 60  # noqa: TID251 - the second opinion


async def test_i19_what_is_shown_as_actual_was_read_and_is_not_the_intent() -> None:
    """While the gateway takes each write and ignores it, the status shows what it reads, not what was asked for."""
    b = bench(local("07:50"))
    b.scenario("ignores writes")
    run = Run(b)

    await run.until(local("07:57"))

    shown = run.reports[-1]
    assert shown.desired == BY_DAY
    assert shown.actual is not None
    assert not BY_DAY.is_met_by(shown.actual)


@pytest.mark.parametrize("watts", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_g9_no_number_of_the_gateway_is_other_than_finite(watts: str) -> None:
    """What Python takes for a number and no standard does is refused before any value is made of it."""
    meters = ", ".join(f'"{name}": {{"instant_power": {watts}}}' for name in ("battery", "site", "load"))

    with pytest.raises(Transient, match="number"):
        wire.power(f"{{{meters}}}".encode())


def test_i14_whoever_wakes_the_loop_it_looks_twice_a_second_at_most() -> None:
    """Twenty wakes a second for half a minute, as from a signal that somebody sends in a loop, are two looks a second."""

    async def half_a_minute() -> int:
        b = bench(clock=LoopClock(local("12:00")))
        run = Run(b)
        stop = asyncio.Event()
        running = asyncio.create_task(run.loop.run(stop))
        for _ in range(600):
            run.loop.wake()
            await asyncio.sleep(0.05)
        stop.set()
        await running
        return len(run.reports)

    assert 10 <= run_virtually(half_a_minute()) <= 61


@pytest.mark.parametrize("broken", ["POST /api/operation", "GET /api/config/completed"])
async def test_i3_a_switch_that_fails_has_put_the_battery_back_when_it_ends(broken: str) -> None:
    """Its login stopped the battery, and nobody else is there to start it: `once` ends with the switch."""
    b = bench()
    b.wire.breaks[broken] = httpx.ReadTimeout("")

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.UNREACHABLE
    assert "POST /api/login/Basic" in b.story
    assert b.device.obeyed.running
    assert await b.session.leave() is None
    assert MAY_HAVE_STOPPED not in b.marks
