"""The one procedure that matters: bring the gateway to a setpoint and prove it.

1. Read the gateway. Equal to what is desired and nothing owed: nothing is written, verdict ``already``.
2. If a login is needed and can stop the battery: the mark *may have stopped* is written first.
3. Log in if there is no session (both in `control/session.py`).
4. Write every differing field.
5. Commit. From 4 until it was read in 7 the mark *uncommitted* is set: a write without its commit shows, but is not in
   force (README of the gateway, note 2 at /api/operation; powerwall2 issue 22).
6. Start the battery if our login stopped it, wait until it runs, clear the mark.
7. Read back until equal or the settle time is over. Not equal: again from 4, after 5, 15 and 45 s; then ``not_applied``.
8. After the grace time the meters are looked at, in `control/effect.py`: ``effective`` or ``not_effective``.

When to switch, and what to do after a failure, is not decided here; see `control/decide.py` and `control/pacing.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_result,
    stop_after_attempt,
    wait_chain,
    wait_fixed,
)

from scheduler.control.ports import UNCOMMITTED, Clock, Gateway, Marks
from scheduler.control.session import RELEASE_S, Session, standstill
from scheduler.control.trust import Steps
from scheduler.model.errors import GatewayError, Refused, SessionExpired, Transient
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.setpoint import Setpoint

PAUSES_S = (5.0, 15.0, 45.0)
"""Pauses before the second, third and fourth attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to bring about: a setpoint that should be true from ``boundary`` until ``until``, by these rules.

    ``wary``: something was wrong with the gateway, so that it is asked first whether somebody stopped the battery.
    """

    desired: Setpoint
    boundary: datetime
    until: datetime
    rules: tuple[str, ...]
    wary: bool = False


@dataclass(slots=True, kw_only=True)
class Came:
    """What a switch came to: the record, and the error that ended it, for the pacing of the next try.

    ``wrote``: a write of ours was taken, so that this gateway lets us write.
    """

    record: SwitchRecord
    error: GatewayError | None
    wrote: bool = False


class Procedure:
    """One switch, from "differs" to a verdict. Made anew for each.

    ``stepped`` tells how far the clock was set since the order was given; without it, since this was made. ``last``: nobody
    comes back to this gateway after it.
    """

    def __init__(
        self,
        order: Order,
        *,
        gateway: Gateway,
        session: Session,
        clock: Clock,
        marks: Marks,
        stepped: Callable[[], timedelta] | None = None,
        last: bool = False,
    ) -> None:
        self._order = order
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._marks = marks
        self._release = session.leave if last else session.release
        self._before: Setpoint | None = None
        self._after: Setpoint | None = None
        self._attempts = 0
        self._wrote = False
        self._stepped = stepped or Steps(clock).pending
        self._began_s = clock.monotonic()
        self._ends_s = 0.0

    async def run(self) -> Came:
        """Go through the steps and say what came of it. Raises nothing of `model/errors.py`."""
        self._gateway.exchanges()  # what was asked before belongs to nobody's evidence
        self._began_s = self._clock.monotonic()
        self._begin_attempt()
        try:
            return await self.end(await self._steps(), None)
        except GatewayError as error:
            return await self.end(verdict_of(error), error)

    async def end(self, verdict: Verdict, error: GatewayError | None) -> Came:
        """Leave the battery running, whatever happened, and write the record."""
        stopped = await self._release(within_s=RELEASE_S)
        if stopped is not None and verdict.good:
            verdict, error = Verdict.UNREACHABLE, stopped
        return Came(record=self._record(verdict, error), error=error, wrote=self._wrote)

    def _begin_attempt(self) -> None:
        self._ends_s = asyncio.get_running_loop().time() + self._gateway.pace.attempt_s

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        """Cut what is left to do in this attempt when its time is over. A login that is cut stays noted."""
        try:
            async with asyncio.timeout_at(self._ends_s):
                yield
        except TimeoutError:
            raise Transient(f"the attempt was not over after {self._gateway.pace.attempt_s:g} s") from None

    async def _steps(self) -> Verdict:
        async with self._in_time():
            if self._order.wary and await self._session.stands_still():
                raise standstill()
            self._before = self._after = await self._session.call(self._gateway.read)
            # Where marks are lost, that of a process before us may be, too: one commit too many does no harm.
            committed = self._marks.kept and UNCOMMITTED not in self._marks
            if self._order.desired.is_met_by(self._before) and committed:
                await self._session.ensure_running()
                return Verdict.ALREADY
        retrying = AsyncRetrying(
            sleep=self._pause,
            stop=self._stop,
            wait=wait_chain(*(wait_fixed(pause_s) for pause_s in PAUSES_S)),
            retry=retry_if_result(lambda equal: not equal),
            retry_error_callback=lambda _state: False,
        )
        if await retrying(self._attempt):
            return Verdict.VERIFIED
        return Verdict.SUPERSEDED if self._over else Verdict.NOT_APPLIED

    def _stop(self, state: RetryCallState) -> bool:
        return self._over or stop_after_attempt(1 + len(PAUSES_S))(state)

    async def _pause(self, seconds: float) -> None:
        """Wait before the next attempt, but not into the next segment."""
        left_s = (self._order.until - self._clock.now()).total_seconds()
        await self._clock.sleep(max(0.0, min(seconds, left_s)))

    @property
    def _over(self) -> bool:
        """Whether a newer boundary has taken over, or the clock was set: what is true now is another switch's business."""
        return self._clock.now() >= self._order.until or bool(self._stepped())

    async def _attempt(self) -> bool:
        """Steps 4 to 7, once; whether the gateway then reads as desired."""
        if self._over:
            return False
        if self._attempts:
            self._begin_attempt()
        self._attempts += 1
        async with self._in_time():
            if not await self._write():
                return False
            await self._session.ensure_running()
            settled = await self._settled()
            # Not before: a gateway that took the write late may show it later on without a commit of it.
            self._marks.clear(UNCOMMITTED)
            return settled

    async def _write(self) -> bool:
        """Steps 4 and 5; False where a login or a look took so long that it is another switch's business now."""
        change = self._order.desired.beyond(self._after or Setpoint())
        if change.given():
            owed = UNCOMMITTED in self._marks
            self._marks.note(UNCOMMITTED)
            try:
                written = await self._session.call(lambda: self._write_in_time(change))
            except Refused:
                if not owed:  # nothing was written, so nothing lacks its commit
                    self._marks.clear(UNCOMMITTED)
                raise
            if not written:
                if not owed:
                    self._marks.clear(UNCOMMITTED)
                return False
            self._wrote = True
        await self._session.call(self._gateway.commit)
        return True

    async def _write_in_time(self, change: Setpoint) -> bool:
        if self._over:
            return False
        await self._gateway.write(change)
        return True

    async def _settled(self) -> bool:
        deadline_s = self._clock.monotonic() + self._gateway.pace.settle_s
        while True:
            self._after = await self._session.call(self._gateway.read)
            if self._order.desired.is_met_by(self._after):
                return True
            if self._clock.monotonic() >= deadline_s:
                return False
            await self._clock.sleep(self._gateway.pace.poll_s)

    def _record(self, verdict: Verdict, error: GatewayError | None) -> SwitchRecord:
        identity = self._session.identity
        return SwitchRecord(
            verdict=verdict,
            at=self._clock.now(),
            boundary=self._order.boundary,
            rules=self._order.rules,
            desired=self._order.desired,
            before=self._before,
            after=self._after,
            attempts=self._attempts,
            firmware=identity.firmware if identity else None,
            steps=self._gateway.exchanges(),
            message=self._sentence(verdict, error),
            took_ms=round((self._clock.monotonic() - self._began_s) * 1000),
        )

    def _sentence(self, verdict: Verdict, error: GatewayError | None) -> str:
        desired, after = self._order.desired, self._after
        match verdict:
            case Verdict.ALREADY:
                return f"the gateway already has {desired}"
            case Verdict.VERIFIED:
                return f"the gateway reads back {desired}"
            case Verdict.NOT_APPLIED:
                return f"asked for {desired} {self._attempts} times, and the gateway still reads {after}"
            case Verdict.SUPERSEDED if self._stepped():
                return f"the gateway read {after} when the machine's clock was set; {desired} is not asked for by it again yet"
            case Verdict.SUPERSEDED:
                return f"the gateway read {after} when a newer boundary took over from {desired}"
            case _ if isinstance(error, SessionExpired):
                return "the gateway took the login and then refused the session"
            case _:
                return str(error)


def verdict_of(error: GatewayError) -> Verdict:
    """The verdict on a switch that ended with this error."""
    return Verdict.REFUSED if isinstance(error, Refused) else Verdict.UNREACHABLE


def never_tried(
    order: Order, error: Refused, *, at: datetime, before: Setpoint | None = None, firmware: str | None = None
) -> SwitchRecord:
    """The evidence of a switch that was not begun, because it is known that a person must act first."""
    return SwitchRecord(
        verdict=Verdict.REFUSED,
        at=at,
        boundary=order.boundary,
        rules=order.rules,
        desired=order.desired,
        before=before,
        after=None,
        attempts=0,
        firmware=firmware,
        steps=(),
        message=str(error),
    )
