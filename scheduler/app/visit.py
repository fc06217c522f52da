"""A person's visit to the gateway, beside a running daemon or without one: for the commands that only look, or act by hand.

Leaves the battery as it found it: a login that stops it is undone before the visit ends, and beside a daemon, which owns
the battery, none that could stop it is made; nor any while the gateway installs its firmware. What is asked, and what is
shown of it, is the visitor's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from scheduler.app.doubt import Doubt, MayRestart, restart_to_come
from scheduler.app.installing import Install, Installing, install_of
from scheduler.app.once import keep_record, memory_of
from scheduler.app.plug import connect, device_of
from scheduler.config.configuration import Configuration
from scheduler.control.calloff import CalledOff, ended
from scheduler.control.diary import Diary
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Marks, Tell
from scheduler.control.session import CUT_OFF, RELEASE_S, Session
from scheduler.control.told import Told
from scheduler.daemon.clock import SystemClock
from scheduler.gateway.calls import Call
from scheduler.gateway.local import LocalGateway
from scheduler.model.errors import (
    GatewayError,
    NotCapable,
    Refused,
    SessionExpired,
    Throttled,
    Transient,
    Unsteady,
)
from scheduler.model.events import Event, Restarted
from scheduler.store.lock import VISIT, Held, Lock
from scheduler.store.memory import Memory

__all__ = ["Doubt", "Interrupted", "Visit", "visit"]

Result = TypeVar("Result")


class Visit:
    """The gateway as a visitor meets it. ``alone``: no daemon owns the battery meanwhile.

    ``marks`` is what we may owe the battery; without ``login`` no login is made whatever it costs. ``install`` is the one
    that the gateway may be at: none is made either until it is over. ``diary`` and ``tell`` keep what is found out, for a
    visitor who is ``alone``. ``cut_off``: a login was not answered, and the gateway may yet obey it. ``to_come`` tells of a restart that may yet stop the battery by our doing.
    """

    def __init__(
        self,
        gateway: LocalGateway,
        session: Session,
        marks: Marks,
        *,
        alone: bool,
        login: bool = True,
        install: Install | None = None,
        to_come: MayRestart | None = None,
        diary: Diary,
        tell: Tell,
    ) -> None:
        self.gateway = gateway
        self.session = session
        self.marks = marks
        self.alone = alone
        self.install = install
        self.to_come = to_come
        self.diary = diary
        self.tell = tell
        self.cut_off = False
        self._login = login

    @property
    def may_login(self) -> bool:
        """Whether a login is wanted and would disturb nobody."""
        undisturbed = self.alone or not self.gateway.login_may_stop
        return self._login and self.install is None and undisturbed

    async def look_for_return(self) -> None:
        """See whether a gateway that was told to install is back, and logins may be made; Installing if it does not answer."""
        if self.install is not None and not await self.install.lasts(self.session.identify):
            self.install = None

    def refuse_install(self) -> None:
        """Installing where the gateway is at an install: for what is not to be tried then, with a login or without."""
        if self.install is not None:
            raise Installing(self.install)

    def forgo_login(self) -> None:
        """Make no login from now on: the one that was tried did not let us in."""
        self._login = False

    async def ask(self, call: Call) -> Any:
        """The JSON value that a reading call answers, after a login where that is needed; the gateway's errors."""
        return await self.observe(partial(self.gateway.inspect, call))

    async def observe(self, ask: Callable[[], Awaitable[Result]], *, repair: bool = False) -> Result:
        """``ask`` without a login where that is possible; NotCapable or Installing if it needs one that may not be made.

        ``repair``: it is asked to start the battery, so a login may go a little beyond the budget; in `act`, too.
        """
        if self.may_login:
            with self._watched():
                return await self.session.observe(ask, repair=repair)
        try:
            return await ask()
        except SessionExpired as error:
            raise self._barred(str(error)) from error

    async def act(self, ask: Callable[[], Awaitable[Result]], *, repair: bool = False) -> Result:
        """``ask`` after a login, for what only somebody who is logged in may do; NotCapable or Installing if that may not be made.

        A login that stops the battery stays noted until the visitor, or whoever ends the visit, has seen to it.
        """
        if not self.may_login:
            raise self._barred("this wants a login")
        with self._watched():
            return await self.session.call(ask, repair=repair)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Know of a login that was tried here and not answered, whatever ended it."""
        logins = self.session.logins
        try:
            yield
        except (Refused, SessionExpired, Throttled, Unsteady):
            raise  # the gateway said no, or was not asked at all
        except BaseException:
            self.cut_off = self.cut_off or (self.session.logins > logins and not self.gateway.has_session)
            raise

    def _barred(self, message: str) -> NotCapable | Installing:
        if self.install is not None:
            return Installing(self.install)
        if not self._login:
            remedy = "no login is made for it"
        else:
            remedy = "a daemon owns the battery and a login of ours would stop it: stop the daemon first"
        return NotCapable(message, remedy=remedy)


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
    certificate, StoreError if the state directory cannot be used, Installing if the gateway is away for an install.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        alone = True
        try:
            stack.enter_context(Lock(directory / "lock", VISIT))
        except Held:
            alone = False
        memory = memory_of(configuration, directory, [], clock.now)
        if alone:
            keep_record(memory, stack, lambda: configuration.schedule.zone)
        events: list[Event] = []
        memory.listen(events.append)
        gateway = await connect(configuration, memory, clock, stack)
        guest = _guest(configuration, memory, gateway, clock, alone=alone, login=login)
        try:
            visiting = await ended(_received(guest, work), stop)
        finally:
            left = await _leave(guest)
        if isinstance(left, MayRestart):
            doubt(left)
            left = None
        if visiting.cancelled():
            restarted = any(isinstance(event, Restarted) for event in events)
            raise Interrupted(left, logins=guest.session.logins, restarted=restarted)
        if isinstance(left, Doubt):
            doubt(left)
        elif left is not None:
            raise left
        return visiting.result()


def _guest(
    configuration: Configuration,
    memory: Memory,
    gateway: LocalGateway,
    clock: Clock,
    *,
    alone: bool,
    login: bool,
) -> Visit:
    """The gateway as it is met with what that memory knows of it."""
    owns = alone and login
    marks: Marks = memory.marker if owns else NoMarks()
    session = Session(gateway, clock, marks, memory.tell)
    diary = Diary(memory.moments, device_of(configuration))
    to_come = restart_to_come(configuration, Told(diary, clock), clock)
    if owns and to_come is not None:
        session.doubt.brace(to_come.within_s)
    return Visit(
        gateway,
        session,
        marks,
        alone=alone,
        login=login,
        install=install_of(configuration, diary, clock.now()) if login else None,
        to_come=to_come,
        diary=diary,
        tell=memory.tell,
    )


async def _received(guest: Visit, work: Callable[[Visit], Awaitable[Result]]) -> Result:
    """What ``work`` comes to, once it is known whether logins may be made."""
    await guest.look_for_return()
    return await work(guest)


async def _leave(guest: Visit) -> GatewayError | None:
    """Put the battery back into service and log out; what kept the battery from it, or None. Nothing at an install."""
    if guest.install is not None:
        return None
    gateway, session = guest.gateway, guest.session
    try:
        async with asyncio.timeout(RELEASE_S):
            left = await session.leave()
            answered = gateway.has_session
            if answered:
                with suppress(GatewayError):
                    await gateway.logout()
    except TimeoutError:
        return Transient(f"it could not be put back into service within {RELEASE_S:g} s")
    if left is not None or MAY_HAVE_STOPPED not in guest.marks:
        return left
    if not answered and (guest.cut_off or guest.to_come is None):
        return Doubt(CUT_OFF)
    return guest.to_come


class NoMarks:
    """The marks of a visitor who makes no login that stops the battery: what is owed is the daemon's, and stays so."""

    kept = True
    unread = False

    def note(self, mark: str) -> None:
        """Forget it."""

    def clear(self, mark: str) -> None:
        """Nothing to forget."""

    def noted_at(self, mark: str) -> datetime | None:
        """Never."""

    def __contains__(self, mark: object) -> bool:
        return False
