"""Moments: things to do at an instant, each done once, one step a cycle so that no switch waits for them.

What a firmware check is lives in `control/firmware.py`; here is only when one is begun, and that it ends.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta

from scheduler.control.firmware import Check, Outcome, advance
from scheduler.control.ports import Clock, Gateway, Tell
from scheduler.control.session import Session
from scheduler.model.errors import SessionExpired, Throttled, Transient
from scheduler.model.events import MomentEnded, MomentStarted
from scheduler.model.reading import Live
from scheduler.model.timeline import Moment, Timeline

RETRY_S = 60.0
"""Pause after a failure; a switch is not kept waiting for it."""

LONGEST = timedelta(minutes=30)
"""A moment without ``done_by`` is over after this long, done or not."""


class Errands:
    """The moments that are due, under way or done."""

    def __init__(self, gateway: Gateway, session: Session, clock: Clock, tell: Tell) -> None:
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._tell = tell
        self._began = clock.now()
        self._done: set[str] = set()
        self._check: Check | None = None

    @property
    def look_s(self) -> float | None:
        """When the moment under way wants to be attended next, by the monotonic clock; None if there is none."""
        return None if self._check is None else self._check.look_s

    async def attend(self, timeline: Timeline, live: Callable[[], Awaitable[Live]]) -> None:
        """One step of the moment under way, after beginning one that is due. ``live`` reads what its ``if`` needs."""
        now = self._clock.now()
        if self._check is None:
            await self._begin(timeline, now, live)
        if self._check is None or self._clock.monotonic() < self._check.look_s:
            return
        now_s = self._clock.monotonic()
        try:
            self._check = await advance(
                self._check, gateway=self._gateway, session=self._session, now=now, now_s=now_s
            )
        except Throttled:
            raise
        except (
            Transient,
            SessionExpired,
        ):  # not the switches' trouble: whether the gateway is there, a look tells
            self._check = replace(self._check, look_s=now_s + RETRY_S)
        if self._check.outcome is not None:
            self._end(self._check.moment, self._check.outcome, self._check.message)

    async def _begin(self, timeline: Timeline, now: datetime, live: Callable[[], Awaitable[Live]]) -> None:
        due = [m for m in timeline.moments if m.at <= now and m.key not in self._done]
        for moment in due:
            deadline = moment.done_by or moment.at + LONGEST
            if now >= deadline:
                if moment.at >= self._began:  # what was due before we started is nobody's news
                    self._end(moment, Outcome.MISSED, "its time went by before it could be begun")
                self._done.add(moment.key)
            elif moment.condition is not None and not moment.condition.holds(await live()):
                self._end(moment, Outcome.PASSED_OVER, f"it is only for {moment.condition}")
            else:
                self._check = Check(moment=moment, deadline=deadline)
                self._tell(MomentStarted(at=now, do=moment.do, rule=moment.rule, due=moment.at))
                return

    def _end(self, moment: Moment, outcome: Outcome, message: str) -> None:
        self._check = None
        self._done.add(moment.key)
        self._tell(
            MomentEnded(
                at=self._clock.now(),
                do=moment.do,
                rule=moment.rule,
                due=moment.at,
                outcome=outcome.value,
                message=message,
            )
        )
