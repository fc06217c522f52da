"""A person's visit to the gateway, beside a running daemon or without one: for the commands that only look, or act by hand.

Leaves the battery as it found it: a login that stops it is undone before the visit ends, and beside a daemon, which owns
the battery, none that could stop it is made. What is asked, and what is shown of it, is the visitor's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from scheduler.app.once import keep_record
from scheduler.app.plug import connect
from scheduler.config.configuration import Configuration
from scheduler.control.calloff import RELEASE_S, CalledOff
from scheduler.control.ports import MAY_HAVE_STOPPED, Marks
from scheduler.control.session import Session
from scheduler.daemon.clock import SystemClock
from scheduler.gateway.calls import Call
from scheduler.gateway.local import LocalGateway
from scheduler.model.errors import GatewayError, NotCapable, SessionExpired, Transient
from scheduler.model.events import Event, Restarted
from scheduler.store.lock import VISIT, Held, Lock
from scheduler.store.memory import Memory

Result = TypeVar("Result")


class Visit:
    """The gateway as a visitor meets it. ``alone``: no daemon owns the battery meanwhile.

    ``marks`` is what we may owe the battery; without ``login`` no login is made whatever it costs.
    """

    def __init__(
        self, gateway: LocalGateway, session: Session, marks: Marks, *, alone: bool, login: bool = True
    ) -> None:
        self.gateway = gateway
        self.session = session
        self.marks = marks
        self.alone = alone
        self._login = login

    @property
    def may_login(self) -> bool:
        """Whether a login is wanted and would disturb nobody."""
        return self._login and (self.alone or not self.gateway.login_may_stop)

    def forgo_login(self) -> None:
        """Make no login from now on: the one that was tried did not let us in."""
        self._login = False

    async def ask(self, call: Call) -> Any:
        """The JSON value that a reading call answers, after a login where that is needed; the gateway's errors."""
        return await self.observe(partial(self.gateway.inspect, call))

    async def observe(self, ask: Callable[[], Awaitable[Result]], *, repair: bool = False) -> Result:
        """``ask`` without a login where that is possible; NotCapable if it needs one that may not be made.

        ``repair``: it is asked to start the battery, so a login may go a little beyond the budget; in `act`, too.
        """
        if self.may_login:
            return await self.session.observe(ask, repair=repair)
        try:
            return await ask()
        except SessionExpired as error:
            raise self._barred(str(error)) from error

    async def act(self, ask: Callable[[], Awaitable[Result]], *, repair: bool = False) -> Result:
        """``ask`` after a login, for what only somebody who is logged in may do; NotCapable if that may not be made.

        A login that stops the battery stays noted until the visitor, or whoever ends the visit, has seen to it.
        """
        if not self.may_login:
            raise self._barred("this wants a login")
        return await self.session.call(ask, repair=repair)

    def _barred(self, message: str) -> NotCapable:
        if not self._login:
            remedy = "no login is made for it"
        else:
            remedy = "a daemon owns the battery and a login of ours would stop it: stop the daemon first"
        return NotCapable(message, remedy=remedy)


class Doubt(Transient):
    """The battery runs, but a login without an answer may yet stop it: nobody can know."""


class Interrupted(CalledOff):
    """A person ended the visit.

    ``logins`` is how many were tried; ``restarted``: the battery was started again after one of them, or one before.
    """

    def __init__(self, left: GatewayError | None, *, logins: int, restarted: bool) -> None:
        super().__init__(left)
        self.logins = logins
        self.restarted = restarted


async def visit(
    configuration: Configuration,
    directory: Path,
    work: Callable[[Visit], Awaitable[Result]],
    *,
    stop: asyncio.Event,
    login: bool = True,
    doubt: Callable[[Doubt], None],
) -> Result:
    """What ``work`` comes to. ``stop`` set calls it off: Interrupted, once the battery has been seen to.

    Without ``login`` none is made, not even to start a battery that an earlier login of ours has left stopped. ``doubt``
    is told where the battery runs as far as can be seen, and nobody can be sure that it will. Refused without a trusted
    certificate, StoreError if the state directory cannot be used.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        alone = True
        try:
            stack.enter_context(Lock(directory / "lock", VISIT))
        except Held:
            alone = False
        simulated = configuration.gateway.type == "simulated"
        memory = Memory(directory, [], clock.now, simulated=simulated)
        if alone:
            keep_record(memory, stack, lambda: configuration.schedule.zone)
        events: list[Event] = []
        memory.listen(events.append)
        gateway = await connect(configuration, memory, clock, stack)
        marks: Marks = memory.marker if alone and login else NoMarks()
        session = Session(gateway, clock, marks, memory.tell)
        visiting = asyncio.ensure_future(work(Visit(gateway, session, marks, alone=alone, login=login)))
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({visiting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            visiting.cancel()  # of no effect on one that is done
            await asyncio.wait({visiting})
            left = await _leave(gateway, session, marks)
        if visiting.cancelled():
            restarted = any(isinstance(event, Restarted) for event in events)
            raise Interrupted(left, logins=session.logins, restarted=restarted)
        if isinstance(left, Doubt):
            doubt(left)
        elif left is not None:
            raise left
        return visiting.result()


async def _leave(gateway: LocalGateway, session: Session, marks: Marks) -> GatewayError | None:
    """Put the battery back into service and log out; what kept the battery from it, or None."""
    try:
        async with asyncio.timeout(RELEASE_S):
            left = await session.release()
            answered = gateway.has_session
            if answered:
                with suppress(GatewayError):
                    await gateway.logout()
    except TimeoutError:
        return Transient(f"it could not be put back into service within {RELEASE_S:g} s")
    if left is None and MAY_HAVE_STOPPED in marks and not answered:
        return Doubt("the login was cut off, and the gateway may yet obey it")
    return left


class NoMarks:
    """The marks of a visitor who makes no login that stops the battery: what is owed is the daemon's, and stays so."""

    kept = True

    def note(self, mark: str) -> None:
        """Forget it."""

    def clear(self, mark: str) -> None:
        """Nothing to forget."""

    def noted_at(self, mark: str) -> datetime | None:
        """Never."""

    def __contains__(self, mark: object) -> bool:
        return False
