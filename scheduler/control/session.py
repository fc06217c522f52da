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
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks, Tell
from scheduler.model.errors import (
    GatewayError,
    NotCapable,
    NotLetIn,
    NotOffered,
    Refused,
    SessionExpired,
    Standstill,
    Throttled,
    Transient,
    Unsteady,
)
from scheduler.model.events import Restarted
from scheduler.model.reading import Identity

START_TIMEOUT_S = 30.0
"""How long the site controller may take to run again; a 21.x gateway took 2 s."""

START_AGAIN_S = 10.0
"""A battery that does not run so long after it was told to is told again: one word of ours may have been forgotten."""

LATE_STOP_S = 60.0
"""How long after a login without an answer the battery may still be stopped by it. Ours: nobody measured it."""

CREDIBLE_S = 86400.0
"""A mark that seems older may have been noted by a clock that was wrong: nobody knows when."""

YOUNG_S = 600.0
"""So long after a restart a gateway may refuse a login, or a call, without a reason and mean nothing by it. Ours."""

RELEASE_S = 9.0
"""How long putting the battery back into service may take at the end of a procedure, in seconds of the machine's own time."""

CUT_OFF = "the login was cut off, and the gateway may yet obey it"
"""What is told of a mark that is left where everything else is in order."""

Answer = TypeVar("Answer")


class Session:
    """Calls that need a login, with at most one login each, and the duty to start what a login stopped.

    ``logins`` counts those that were tried; ``runs`` is whether the battery was in service when a mark had us look
    last, None if that could not be found out since the gateway started.
    """

    def __init__(
        self, gateway: Gateway, clock: Clock, marks: Marks, tell: Tell, *, answered: bool = False
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._marks = marks
        self._tell = tell
        # The login of which a mark speaks that is found was never answered, unless it is said to be ``answered``.
        unsure = MAY_HAVE_STOPPED in marks and not answered
        self._unsure_until_s = clock.monotonic() + self._unsure_s() if unsure else 0.0
        self._young_until_s = 0.0
        self.logins = 0
        self._bar = Bar()
        self.identity: Identity | None = None
        self._answered_s: float | None = None
        self.runs: bool | None = None

    def _unsure_s(self) -> float:
        """How long yet the battery may be stopped by the login that was noted: all of it if nobody knows, as of times to come."""
        noted_at = self._marks.noted_at(MAY_HAVE_STOPPED)
        age_s = 0.0 if noted_at is None else (self._clock.now() - noted_at).total_seconds()
        return LATE_STOP_S - (age_s if 0 <= age_s <= CREDIBLE_S else 0.0)

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
                self._young_until_s = self._clock.monotonic() + YOUNG_S
        return self.identity

    def brace(self, seconds: float) -> None:
        """The gateway restarts within so many seconds, by our doing, and perhaps more than once.

        Until then that the battery runs proves nothing, and neither does a login that is refused without a reason.
        """
        until_s = self._clock.monotonic() + seconds
        self._unsure_until_s = max(self._unsure_until_s, until_s)
        self._young_until_s = max(self._young_until_s, until_s)

    def calm(self) -> None:
        """It does not restart by our doing after all: that the battery runs proves something again, and so does a refusal."""
        self._unsure_until_s = self._young_until_s = 0.0

    def forgive(self) -> None:
        """Let a login be tried again that was refused for good."""
        self._bar.lift()

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
            if self._clock.monotonic() < self._young_until_s and self._gateway.login_may_stop:
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
        stopped = repair and MAY_HAVE_STOPPED in self._marks
        self._bar.hold(self._clock.monotonic(), stopped=stopped)
        self.logins += 1
        try:
            if self._gateway.login_may_stop:
                await self._login_that_stops(repair=repair)
            else:
                await self._gateway.login(repair=repair)
        except NotOffered:
            raise
        except NotCapable as error:
            now_s = self._clock.monotonic()
            if isinstance(error, NotLetIn) and now_s < self._young_until_s:
                raise Unsteady(f"{error.args[0]}; it has just been restarted") from None
            self._bar.put(error, now_s)
            raise
        self._bar.lift()

    async def _login_that_stops(self, *, repair: bool) -> None:
        await self._refuse_standstill()
        owed = MAY_HAVE_STOPPED in self._marks or self._marks.unread  # what could not be read may be owed
        self._marks.note(MAY_HAVE_STOPPED)
        # A login whose answer is lost may stop the battery a little later: until then, running proves nothing.
        unsure_until_s = self._unsure_until_s
        self._unsure_until_s = self._clock.monotonic() + LATE_STOP_S
        try:
            await self._gateway.login(repair=repair)
        except (Refused, Throttled, Unsteady):
            self._unsure_until_s = unsure_until_s
            if not owed:  # a login that was answered with a no has stopped nothing
                self._marks.clear(MAY_HAVE_STOPPED)
            raise
        self._unsure_until_s = unsure_until_s

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
        if MAY_HAVE_STOPPED not in self._marks:
            return
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
        if self._clock.monotonic() >= self._unsure_until_s:
            self._marks.clear(MAY_HAVE_STOPPED)

    async def _running(self) -> bool:
        """Whether the battery runs, without a login where the firmware allows: a login could stop it."""
        try:
            return await self._asked(self._gateway.is_running)
        except SessionExpired:
            if self._gateway.has_session:
                raise
            return await self.call(self._gateway.is_running)

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


def standstill() -> Standstill:
    """The error for a battery that somebody else stopped."""
    return Standstill(
        "the battery is stopped, and not by us: somebody may be working on it",
        remedy="when the work is done, start it in the gateway's own page, or, while no daemon runs, start it with "
        "`tou-scheduler sitemaster run`; switching then goes on by itself",
    )
