"""A session with the gateway that never leaves the battery stopped.

On firmware up to 1.49 an installer's login stops the battery (README of the gateway, POST /api/login/Basic). So the mark
is written before such a login, and whoever used the session calls `ensure_running` afterwards. No setpoint here.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import TypeVar

from scheduler.control.bar import Bar
from scheduler.control.doubt import STOPS_S, Doubt
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks, Tell
from scheduler.control.retries import Retries
from scheduler.model.errors import (
    GatewayError,
    IdentityChanged,
    NotCapable,
    NotLetIn,
    NotOffered,
    Refused,
    SessionExpired,
    Standstill,
    Throttled,
    Transient,
    Unsteady,
    Unwilling,
)
from scheduler.model.events import Restarted
from scheduler.model.reading import Identity

START_TIMEOUT_S = 30.0
"""How long the site controller may take to run again; a 21.x gateway took 2 s."""

START_AGAIN_S = 10.0
"""A battery that does not run so long after it was told to is told again: one word of ours may have been forgotten."""

RELEASE_S = 9.0
"""How long putting the battery back into service may take at the end of a procedure, in seconds of the machine's own time."""

CUT_OFF = "the login was cut off, and the gateway may yet obey it"
"""What is told of a mark that is left where everything else is in order."""

Answer = TypeVar("Answer")


class Session:
    """Calls that need a login, with at most one login each, and the duty to start what a login stopped.

    ``logins`` counts those that were tried; ``runs`` is whether the battery was in service when a mark had us look
    last, None if that could not be found out since the gateway started. ``doubt``: what proves nothing for now.
    """

    def __init__(
        self, gateway: Gateway, clock: Clock, marks: Marks, tell: Tell, *, answered: bool = False
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self.doubt = Doubt(clock, marks, answered=answered)
        self.logins = 0
        self._bar = Bar()
        self._retries = Retries()
        self.identity: Identity | None = None
        self._answered_s: float | None = None
        self.runs: bool | None = None

    @property
    def answered_at(self) -> datetime | None:
        """When ``identity`` was read last, by what the wall clock shows now; None if it never was."""
        if self._answered_s is None:
            return None
        return self._clock.now() - timedelta(seconds=self._clock.monotonic() - self._answered_s)

    async def identify(self) -> Identity:
        """Firmware and start time, remembered as ``identity``; another one may let us in again."""
        before, self.identity = self.identity, await self._gateway.identify()
        self._answered_s = self._clock.monotonic()
        if before != self.identity:
            self.runs = None
            self.forgive()
            if before is not None:
                self.doubt.restarted()
        return self.identity

    def forgive(self) -> None:
        """Let a login be tried again that was refused for good, or again and again."""
        self._bar.lift()
        self._retries.over()

    def bar(self, error: NotCapable) -> None:
        """Let no login be tried until `forgive`: what would be asked after it is not there."""
        self._bar.put(error, self._clock.monotonic())

    async def call(self, ask: Callable[[], Awaitable[Answer]], *, repair: bool = False) -> Answer:
        """``ask``, after a login if there is no session, and once more after one if the session has expired.

        ``repair``: it is to start the battery, so the login may go a little beyond the budget. SessionExpired where a login
        does not help: the call is refused, and the session is still there.
        """
        if not self._gateway.has_session:
            await self._login(repair=repair)
        try:
            return await self._asked(ask)
        except SessionExpired:
            if self._gateway.has_session:
                raise
            await self._login(repair=repair)
            return await self._asked(ask)

    async def _asked(self, ask: Callable[[], Awaitable[Answer]]) -> Answer:
        """``ask``, where a gateway that starts up means nothing by a refusal: Unsteady, on firmware that takes our login."""
        try:
            return await ask()
        except NotCapable as error:
            if self.doubt.young and self._gateway.login_may_stop:
                raise Unsteady(f"{error.args[0]}; it has just been restarted") from error
            raise

    async def observe(self, ask: Callable[[], Awaitable[Answer]], *, repair: bool = False) -> Answer:
        """``ask`` without a login where that is possible, and only of a battery that is not stopped by ours.

        Old firmware tells what flows to everybody, and answers 502 to it while the battery is stopped: Standstill, if
        that was somebody else.
        """
        await self.ensure_running()
        try:
            return await self._asked(ask)
        except SessionExpired:
            if self._gateway.has_session:
                raise
            await self._login(repair=repair)
        except Unsteady:
            if await self.stands_still():
                raise standstill() from None
            raise
        await self.ensure_running()
        return await self._asked(ask)

    async def _login(self, *, repair: bool = False) -> None:
        """Log in, with the mark noted before it where that can stop the battery.

        A login that this firmware or role does not have is tried once, and not again until the firmware is another.
        """
        if self._gateway.silence_s <= 0:  # else it is not to be asked, and will not be logged in to
            with contextlib.suppress(NotCapable, SessionExpired):  # then the worst is assumed of the login
                await self.identify()
        now_s = self._clock.monotonic()
        owed = MAY_HAVE_STOPPED in self._marks
        if owed:
            self._retries.hold(now_s)
        self._bar.hold(now_s, stopped=repair and owed)
        self.logins += 1
        try:
            if self._gateway.login_may_stop:
                await self._login_that_stops(repair=repair)
            else:
                await self._gateway.login(repair=repair)
        except GatewayError as error:
            raise self._login_failed(error, owed=owed) from None
        self._bar.lift()
        self._retries.over()

    def _login_failed(self, error: GatewayError, *, owed: bool) -> GatewayError:
        """What a login's failure means, and how soon another is worth a try."""
        now_s = self._clock.monotonic()
        if isinstance(error, NotLetIn) and self.doubt.young:
            error = Unsteady(f"{error.args[0]}; it has just been restarted")
        if isinstance(error, NotCapable) and not isinstance(error, NotOffered):
            self._bar.put(error, now_s)
        elif owed:
            self._retries.failed(error, now_s)
        return error

    async def _login_that_stops(self, *, repair: bool) -> None:
        await self._refuse_standstill()
        owed = MAY_HAVE_STOPPED in self._marks or self._marks.unread  # what could not be read may be owed
        self._marks.note(MAY_HAVE_STOPPED)
        before_s = self.doubt.login()
        try:
            await self._gateway.login(repair=repair)
        except (Refused, Throttled, Unwilling):
            self.doubt.refused(before_s)
            if not owed:  # a login that was answered with a no has stopped nothing
                self._marks.clear(MAY_HAVE_STOPPED)
            raise
        self.doubt.answered(before_s)

    async def _refuse_standstill(self) -> None:
        """Stop here if somebody else stopped the battery: after our login it could not be told apart any more."""
        if MAY_HAVE_STOPPED in self._marks:
            return
        try:
            running = await self._gateway.is_running()
        except (SessionExpired, NotCapable):
            return  # not to be read without a login on this firmware
        if not running:
            raise standstill()

    async def ensure_running(self) -> None:
        """Start the battery if a login of ours may have stopped it, wait until it runs, then clear the mark."""
        if MAY_HAVE_STOPPED not in self._marks or self.doubt.seen(self.logins):
            return
        settled = (
            not self.doubt.left_s
        )  # what was asked before that says nothing, however late it is answered
        try:
            running = await self._running()
        except NotCapable:
            await self.call(self._gateway.start)  # it does not say whether it runs: better once too often
            raise
        except (Throttled, SessionExpired):
            if self._gateway.has_session:  # else it takes a login, and there is silence, or none is of use
                with contextlib.suppress(GatewayError):  # that it was refused is what counts
                    await self._gateway.start()  # for the same reason
            raise
        self.runs = running
        if not running:
            await self.call(self._gateway.start, repair=True)
            await self._await_running()
            self.runs = True
            message = "the battery stood still by our doing, and runs again"
            self._tell(Restarted(at=self._clock.now(), message=message))
        self.doubt.runs(self.logins)
        if settled and not self.doubt.left_s:
            self._marks.clear(MAY_HAVE_STOPPED)

    async def _running(self) -> bool:
        """Whether the battery runs, without a login where the firmware allows: a login could stop it."""
        try:
            return await self._asked(self._gateway.is_running)
        except IdentityChanged:
            await self.identify()  # which alone tells that the gateway that is known is back
            return await self._asked(self._gateway.is_running)
        except SessionExpired:
            if self._gateway.has_session:
                raise
            return await self.call(self._gateway.is_running, repair=MAY_HAVE_STOPPED in self._marks)

    async def stands_still(self) -> bool:
        """Whether the battery is stopped, and not by us. Not known to be, for kinds that cannot tell."""
        if MAY_HAVE_STOPPED in self._marks:
            return False
        try:
            return not await self._running()
        except NotCapable:
            return False

    async def _await_running(self) -> None:
        began_s = told_s = self._clock.monotonic()
        logins = self.logins
        while not await self._running():
            now_s = self._clock.monotonic()
            if now_s > began_s + START_TIMEOUT_S:
                raise Unsteady("the battery was told to run again, but it still stands still")
            # A login that was needed to look has stopped it once more.
            if self.logins > logins or now_s >= told_s + START_AGAIN_S:
                await self.call(self._gateway.start, repair=True)
                logins, told_s = self.logins, now_s
            else:
                await self._clock.sleep(self._gateway.pace.poll_s)

    async def release(self, *, within_s: float | None = None) -> GatewayError | None:
        """`ensure_running` for the end of a procedure that already has an outcome: what goes wrong is returned.

        It is cut after ``within_s`` seconds, if given, and goes on at the next opportunity.
        """
        try:
            async with asyncio.timeout(within_s):
                await self.ensure_running()
        except TimeoutError:
            return Transient(f"the battery could not be put back into service within {within_s:g} s")
        except GatewayError as error:
            return error
        return None

    async def leave(self, *, within_s: float | None = None) -> GatewayError | None:
        """`release` for who does not come back: a stop that may come after the login's answer is waited for."""
        left = await self.release(within_s=within_s)
        if left is None and MAY_HAVE_STOPPED in self._marks and self.doubt.left_s <= STOPS_S:
            await self._clock.sleep(self.doubt.left_s)
            left = await self.release(within_s=within_s)
        return left


def standstill() -> Standstill:
    """The error for a battery that somebody else stopped."""
    return Standstill(
        "the battery is stopped, and not by us: somebody may be working on it",
        remedy="when the work is done, start it in the gateway's own page, or, while no daemon runs, start it with "
        "`tou-scheduler sitemaster run`; switching then goes on by itself",
    )
