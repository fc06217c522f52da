"""A switch that is called off leaves the battery running, or says that it could not."""

from __future__ import annotations

import asyncio
from typing import Never

import httpx
import pytest
from bench import Bench, bench

from scheduler.control import calloff
from scheduler.control.calloff import CalledOff, ended, unless_called_off
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.control.switch import Came
from scheduler.model.events import LeftStopped
from scheduler.model.setpoint import Setpoint


async def called_off(b: Bench, *, logged_in: bool = True) -> CalledOff:
    """What comes of a switch that is called off when it has logged in, or while it does."""
    stop = asyncio.Event()

    async def switch() -> Came:
        if logged_in:
            await b.session.call(b.gateway.read)
        else:
            b.marks.note(MAY_HAVE_STOPPED)
        stop.set()
        return await never()

    with pytest.raises(CalledOff) as raised:
        await unless_called_off(
            switch(), stop, gateway=b.gateway, clock=b.clock, marks=b.marks, tell=b.events.append
        )
    return raised.value


async def never() -> Never:
    """Nothing, for ever."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


async def test_a_switch_that_ends_is_not_called_off() -> None:
    """Without a signal the evidence is that of the switch itself."""
    b = bench()
    wanted = Setpoint(mode="backup", reserve_percent=100)

    came = await unless_called_off(
        b.procedure(wanted).run(),
        asyncio.Event(),
        gateway=b.gateway,
        clock=b.clock,
        marks=b.marks,
        tell=b.events.append,
    )

    assert came.record.after is not None
    assert wanted.is_met_by(came.record.after)


async def test_the_battery_that_our_login_stopped_is_started() -> None:
    """Called off with the battery stopped by us, it is put back into service before anything ends."""
    b = bench()

    ended = await called_off(b)

    assert ended.left is None
    assert "the battery runs" in str(ended)
    assert b.device.obeyed.running
    assert b.marks == set()


async def test_a_battery_that_cannot_be_started_is_told() -> None:
    """With the gateway gone, the person hears what to do, and the mark stays for whoever comes next."""
    b = bench()

    def lose(call: str) -> None:
        if call == "GET /api/operation":
            b.wire.breaks["GET /api/sitemaster"] = httpx.ConnectError("nobody answers")

    b.wire.then = lose

    ended = await called_off(b)

    assert ended.left is not None
    assert "may stand still" in str(ended)
    assert "the gateway's own page" in str(ended)
    assert [type(event) for event in b.events] == [LeftStopped]
    assert b.marks == {MAY_HAVE_STOPPED}


async def test_a_login_that_was_cut_off_is_not_taken_for_none() -> None:
    """The gateway may obey a login that we no longer wait for: that the battery runs now proves nothing."""
    b = bench()

    ended = await called_off(b, logged_in=False)

    assert "login was cut off" in str(ended)
    assert b.marks == {MAY_HAVE_STOPPED}


async def test_a_mark_that_is_old_is_no_login_that_was_cut_off() -> None:
    """Called off before any login, with a battery that has run for a minute after the last one: nothing is in doubt."""
    b = bench()
    b.marks.note(MAY_HAVE_STOPPED)
    await b.clock.sleep(61)
    stop = asyncio.Event()
    stop.set()

    with pytest.raises(CalledOff) as raised:
        await unless_called_off(
            never(), stop, gateway=b.gateway, clock=b.clock, marks=b.marks, tell=b.events.append
        )

    assert raised.value.left is None
    assert b.marks == set()


async def test_the_end_does_not_wait_for_a_gateway_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A person who said stop gets an end, and the truth about the battery."""
    monkeypatch.setattr(calloff, "RELEASE_S", 0.01)
    b = bench()
    monkeypatch.setattr(b.gateway, "is_running", never)

    ended = await called_off(b, logged_in=False)

    assert "could not be put back into service within 0.01 s" in str(ended)
    assert b.marks == {MAY_HAVE_STOPPED}


async def test_work_ends_with_whoever_waits_for_it() -> None:
    """Whoever is cancelled while work goes on leaves none of it behind: a switch must not run on alone."""
    begun, cut = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await never()
        finally:
            cut.set()

    waiting = asyncio.create_task(ended(work(), asyncio.Event()))
    await begun.wait()

    waiting.cancel()
    await asyncio.wait({waiting})

    assert waiting.cancelled()
    assert cut.is_set()
