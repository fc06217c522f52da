"""Moments: things to do at an instant, each done once, one step a cycle so that no switch waits for them.

What the steps are is `upkeep`'s. Here is when one is begun, that it ends, and that a run of ours that is killed is followed
by one that goes on where it was.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from math import ceil

from scheduler.control.deeds import REMEMBERED, Deeds, deadline
from scheduler.control.diary import CURRENT, DONE, Diary
from scheduler.control.firmware import POLL_S, Check, Outcome, Phase, resumed, waiting_after
from scheduler.control.install import Standing
from scheduler.control.ports import Clock, Gateway, Marks, Tell
from scheduler.control.result import result_of
from scheduler.control.session import Session
from scheduler.control.state import State
from scheduler.control.told import Told
from scheduler.control.trust import CORRECTION, Steps
from scheduler.control.upkeep import RETRY_S, Upkeep
from scheduler.model.errors import NotCapable, NotOffered, Refused, SessionExpired, Throttled, Transient
from scheduler.model.events import LeftInstalling, MomentEnded, MomentStarted, PathChecked
from scheduler.model.reading import Live
from scheduler.model.timeline import Moment, Timeline

LOOK = "look in Tesla's app, and start it there or in the gateway's own page if it stands still"


class Errands:
    """The moments that are due, under way or done. None is begun while the clock is not ``trusted``."""

    def __init__(
        self,
        gateway: Gateway,
        session: Session,
        clock: Clock,
        *,
        marks: Marks,
        tell: Tell,
        diary: Diary,
        trusted: Callable[[], bool] = lambda: True,
    ) -> None:
        self._trusted = trusted
        self._steps = Steps(clock)
        self._deeds = Deeds(diary)
        self._clock = clock
        self._tell = tell
        self._diary = diary
        self._told = Told(diary, clock)
        self._upkeep = Upkeep(
            gateway,
            session,
            clock,
            marks=marks,
            tell=tell,
            keep=self._keep,
            told=self._told,
            diary=diary,
        )
        self._session = session
        self._began = clock.now()
        self._check = self._noted(self._began)
        self._told.settle()
        if self._told.left_s > 0:
            session.doubt.brace(self._told.left_s)
        self._passed: set[str] = set()
        self._ask_s = 0.0

    def _noted(self, now: datetime) -> Check | None:
        """The moment that an earlier run of ours was at, if it can still be under way."""
        noted = resumed(self._diary.section(CURRENT))
        return noted if noted is not None and noted.is_of(now) else None

    def _catch_up(self) -> None:
        """The wall clock may have been set: what is under way is so for as long as before, and for as long yet."""
        by = self._steps.moved()
        if not by:
            return
        now = self._clock.now()
        self._began = min(self._began, now)
        self._told.carry(by)
        if self._check is None:
            self._check = self._noted(now)
        else:
            self._keep(self._check.carried(by))
        if by <= -CORRECTION:
            self._deeds.forget_after(now)
            self._passed.clear()

    @property
    def look_s(self) -> float | None:
        """When the moment under way wants to be attended next, by the monotonic clock; None if there is none."""
        check = self._check
        if check is None or check.phase is Phase.RETURN or not (self._trusted() or check.installs):
            return None
        return check.look_s

    @property
    def told_at(self) -> datetime | None:
        """When the gateway was told to install whatever it comes back with next; None if it was not."""
        self._catch_up()
        return self._told.since

    def installing_since(self, now: datetime) -> datetime | None:
        """Since when the gateway is expected to be gone for an install; None if it is expected to answer."""
        self._catch_up()
        check = self._check
        under_way = check is not None and check.phase is Phase.INSTALL and now < check.ends
        return check.since if check is not None and under_way else None

    def leave(self, now: datetime) -> bool | None:
        """Tell that we end while the gateway may restart by our doing; whether it is gone for it, None if it may not."""
        self._catch_up()
        left_s = self._told.left_s
        if left_s <= 0:
            return None
        gone = self.installing_since(now) is not None
        message = (
            f"the gateway was told to install its firmware, and may restart within {ceil(left_s / 60)} minutes: leave it "
            "alone; when the daemon is started again, it sees to it that the battery is in service"
        )
        self._tell(LeftInstalling(at=now, gone=gone, message=message))
        return gone

    def answered(self, *, changed: bool) -> None:
        """The gateway answers, as another one or as before."""
        if changed:
            self._told.came()
        elif self._session.answered_at is not None:
            self._told.same(self._session.answered_at)

    async def attend(
        self, timeline: Timeline, standing: Standing, live: Callable[[], Awaitable[Live]]
    ) -> None:
        """One step of the moment under way, after beginning one that is due. ``live`` reads what its ``if`` needs."""
        if self._check is None:
            await self._begin(timeline, live)
        check = self._check
        if check is None or check.phase is Phase.INSTALL or not self._is_due(check):
            return
        try:
            self._check = await self._upkeep.step(check, standing)
        except Throttled:
            raise
        except (Transient, SessionExpired) as error:
            # Not the switches' trouble: whether the gateway is there, a look tells. A phase that was noted is kept.
            under_way = self._check or check
            self._check = replace(
                under_way,
                look_s=self._clock.monotonic() + RETRY_S,
                message=str(error),
            )
        self._end_if_over()

    async def await_return(self, standing: Standing) -> bool:
        """Look for a gateway that installs, if that is due; whether it is back. Refused passes through."""
        check = self._check
        if check is None or not self._is_due(check):
            return False
        try:
            self._check = await self._upkeep.await_return(check, standing)
        except Throttled as error:
            self._check = replace(self._check or check, look_s=self._clock.monotonic() + error.silence_s)
        except (Transient, SessionExpired, NotOffered):
            away = replace(self._check or check, look_s=self._clock.monotonic() + POLL_S, gone=True)
            if away.gone != check.gone:
                self._keep(away)
            self._check = away
        except Refused:
            self._check = replace(self._check or check, look_s=self._clock.monotonic() + RETRY_S)
            raise
        came_back = self._check.phase is Phase.RETURN
        self._end_if_over()
        return came_back

    def settle(self, timeline: Timeline, state: State) -> None:
        """End the moment under way if its time is over, or what it was for is proven; begin one. Nothing is asked for it."""
        self._catch_up()
        now = self._clock.now()
        if not self._trusted():
            self._began = now  # what came due before anybody knew the time is nobody's news
            if self._check is None or not self._check.installs:
                return
        check = self._check or self._begun(timeline, now)
        if check is None:
            return
        if check.phase is Phase.INSTALL and now >= check.ends and state.identity not in {None, check.before}:
            check = replace(check, phase=Phase.RETURN)  # nobody waited for it, and it is back
            self._keep(check)
        found = result_of(check, state, now) or self._withdrawn(check, timeline)
        if found is not None:
            if check.moment.do == "check_path":
                self._tell(PathChecked(at=now, is_open=False, message=found[1]))
            outcome, message = found
            unseen = outcome is Outcome.INSTALLED_SHUT and self._session.runs is not True
            if unseen:
                message += f"; that the battery is in service was not seen: {LOOK}"
            never_began = check.phase is Phase.INSTALL and outcome is Outcome.UPDATE_WAITING
            if never_began:
                self._told.forget()
                self._session.doubt.calm()
            self._check = check.ended(outcome, message, alert=unseen or never_began)
            self._end_if_over()

    def _withdrawn(self, check: Check, timeline: Timeline) -> tuple[Outcome, str] | None:
        """A moment that the file no longer asks for ends, unless the gateway is at it already."""
        if check.phase in {Phase.INSTALL, Phase.RETURN}:
            return None
        at = check.moment.at
        ours = check.moment
        asked = timeline.moments_between(at, at + timedelta(microseconds=1))
        if not any(
            (it.deed, it.install, it.done_by) == (ours.deed, ours.install, ours.done_by) for it in asked
        ):
            return Outcome.PASSED_OVER, "the file no longer asks for it as it did when it was begun"
        return None

    def _is_due(self, check: Check) -> bool:
        return self._clock.monotonic() >= check.look_s

    async def _begin(self, timeline: Timeline, live: Callable[[], Awaitable[Live]]) -> None:
        """Begin a moment that has an ``if``, which is read now; the others are begun whether the gateway is there or not."""
        moment = self._due(timeline, self._clock.now())
        if moment is None or moment.condition is None:
            return
        if self._clock.monotonic() < self._ask_s:
            return
        try:
            seen = await live()
        except Throttled:
            raise
        except (Transient, SessionExpired, NotCapable):  # not the switches' trouble
            self._ask_s = self._clock.monotonic() + RETRY_S
            return
        if moment.condition.holds(seen):
            self._start(moment)
        else:
            self._end(moment, Outcome.PASSED_OVER, f"it is only for {moment.condition}")

    def _begun(self, timeline: Timeline, now: datetime) -> Check | None:
        moment = self._due(timeline, now)
        if moment is not None and moment.condition is None:
            self._start(moment)
        return self._check

    def _due(self, timeline: Timeline, now: datetime) -> Moment | None:
        """The first moment that is to be begun now; those whose time went by are ended."""
        for moment in timeline.moments_between(now - REMEMBERED, now + timedelta(microseconds=1)):
            if moment.deed in self._deeds or moment.deed in self._passed:
                continue
            if now < deadline(moment):
                return moment
            if moment.at >= self._began:  # what was due before we started is nobody's news
                unread = "" if moment.condition is None else f"; whether {moment.condition} could not be read"
                self._end(moment, Outcome.MISSED, f"its time went by before it could be begun{unread}")
            self._passed.add(moment.deed)
        return None

    def _start(self, moment: Moment) -> None:
        self._tell(MomentStarted(at=self._clock.now(), do=moment.do, rule=moment.rule, due=moment.at))
        self._keep(Check(moment=moment, deadline=deadline(moment), phase=Phase.PATH))

    def _keep(self, check: Check) -> None:
        """Where the moment stands, durably before this returns: the next run of ours goes on from here."""
        self._check = check
        self._diary.put(CURRENT, check.document())

    def _end_if_over(self) -> None:
        check = self._check
        if check is not None and check.outcome is not None:
            self._end(check.moment, check.outcome, check.message, alert=check.alert)

    def _end(self, moment: Moment, outcome: Outcome, message: str, *, alert: bool = False) -> None:
        now = self._clock.now()
        self._check = None
        self._tell(
            MomentEnded(
                at=now,
                do=moment.do,
                rule=moment.rule,
                due=moment.at,
                outcome=outcome.value,
                alert=alert,
                message=message,
            )
        )
        waiting = waiting_after(outcome, message, self._session.identity, now)
        self._diary.put_together({CURRENT: {}, DONE: self._deeds.with_this(moment, now)} | waiting)
