"""Work that a person may call off: it is cut, and where it is a switch the battery is put back into service before it ends.

For commands, which have no loop to do it. How the work itself goes is not known here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks, Tell
from scheduler.control.session import CUT_OFF, RELEASE_S, Session
from scheduler.control.switch import Came
from scheduler.model.errors import GatewayError, SchedulerError, Transient
from scheduler.model.events import LeftStopped

Result = TypeVar("Result")


class CalledOff(SchedulerError):
    """A person ended the switch before its verdict. ``left`` is what kept the battery from being put back, or None."""

    def __init__(self, left: GatewayError | None) -> None:
        outcome, remedy = (
            "the battery runs, but the switch may be half done",
            "run `tou-scheduler once` again",
        )
        if left is not None:
            outcome = f"the battery may stand still: {left}"
            remedy = f"start it with `tou-scheduler sitemaster run` or in the gateway's own page, or {remedy}"
        super().__init__(f"called off; {outcome}; {remedy}")
        self.left = left


async def ended(work: Awaitable[Result], stop: asyncio.Event) -> asyncio.Future[Result]:
    """``work``, done, or cancelled because ``stop`` was set first. Cancelled with whoever waits here, too."""
    working = asyncio.ensure_future(work)
    stopping = asyncio.create_task(stop.wait(), name="stop")
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        working.cancel()  # of no effect on one that is done
        await asyncio.wait({working, stopping})
    return working


async def unless_called_off(
    switch: Awaitable[Came],
    stop: asyncio.Event,
    *,
    gateway: Gateway,
    clock: Clock,
    marks: Marks,
    tell: Tell,
) -> Came:
    """What ``switch`` came to, or CalledOff within `RELEASE_S` seconds after ``stop`` is set."""
    switching = await ended(switch, stop)
    if not switching.cancelled():
        return switching.result()
    left = await _release(gateway, clock, marks, tell)
    if left is not None:
        tell(LeftStopped(at=clock.now(), message=f"the battery may stand still: {left}"))
    raise CalledOff(left)


async def _release(gateway: Gateway, clock: Clock, marks: Marks, tell: Tell) -> GatewayError | None:
    session = Session(gateway, clock, marks, tell, answered=gateway.has_session)
    left = await session.leave(within_s=RELEASE_S)
    if left is None and MAY_HAVE_STOPPED in marks and not gateway.has_session:
        return Transient(CUT_OFF)
    return left
