"""One cycle at the gateway: look as far as it is due, decide, carry out, and note what came of it.

What to decide is `decide`'s, what is done about it `act`'s, what the meters say `proof`'s, when to cycle `loop`'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from datetime import datetime, timedelta

from scheduler.control.act import Act
from scheduler.control.agenda import Agenda, Policy
from scheduler.control.diary import Diary
from scheduler.control.errands import Errands
from scheduler.control.failures import Failures
from scheduler.control.held import Held
from scheduler.control.lack import Lack
from scheduler.control.ownership import Ownership
from scheduler.control.pacing import LONGEST_PAUSE_S, STEADY
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks, Note, Tell
from scheduler.control.proof import Proof
from scheduler.control.repair import Repair
from scheduler.control.restart import Restarts
from scheduler.control.session import CUT_OFF, Session, standstill
from scheduler.control.state import State
from scheduler.control.trust import Trust
from scheduler.control.watch import GridWatch
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    NotCapable,
    NotOffered,
    SessionExpired,
    Standstill,
    Throttled,
    Transient,
)
from scheduler.model.evidence import Verdict
from scheduler.model.reading import Live, Power
from scheduler.model.setpoint import Setpoint


class Attendant:
    """Owns the gateway on behalf of the loop."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        clock: Clock,
        trust: Trust,
        marks: Marks,
        note: Note,
        tell: Tell,
        jitter: Callable[[], float],
        longest_install_s: Callable[[], float | None],
        device: str,
    ) -> None:
        self._clock = clock
        self._trust = trust
        self._marks = marks
        self._note = note
        self._tell = tell
        self._jitter = jitter
        self._longest_install_s = longest_install_s
        self.state = State(started=clock.now(), boundary=clock.now())
        self._take(gateway, device)

    def _take(self, gateway: Gateway, device: str) -> None:
        clock, marks, tell = self._clock, self._marks, self._tell
        self._diary = diary = Diary(self._note, device)
        self.state.pacing, self.state.identity, self.state.record = STEADY, None, None
        self._gateway = gateway
        self._session = session = Session(gateway, clock, marks, tell)
        self._errands = Errands(
            gateway,
            session,
            clock,
            marks=marks,
            tell=tell,
            diary=diary,
            trusted=lambda: self._trust.belief.trusted,
        )
        self._restarts = Restarts(gateway, session, clock, tell, diary)
        self._repair = Repair(gateway, session, clock, marks)
        self._proof = Proof(gateway, session, clock, marks, tell)
        self._lack = Lack(self.state, gateway, session, clock)
        self._grid = GridWatch(gateway, clock, tell)
        self._failures = Failures(self.state, gateway, clock, marks=marks, tell=tell, jitter=self._jitter)
        self._held = Held(diary, tell)
        self._ownership = Ownership(self.state, diary, clock)
        self._act = Act(
            self.state,
            gateway,
            session,
            clock,
            marks=marks,
            tell=tell,
            proof=self._proof,
            lack=self._lack,
            ownership=self._ownership,
            stepped=self._trust.stepped,
        )

    async def renew(self, gateway: Gateway | None, device: str) -> None:
        """Another configuration is in force: forget what was latched, and take another gateway if one is given.

        ``device`` names it: the same one by another way in, with another password say, is still at what it was at.
        """
        self.state.pacing = self.state.pacing.unlatched()
        self._session.forgive()
        if gateway is not None:
            await self._gateway.close()
            if device != self._diary.device:
                self.state.leave()
            self._take(gateway, device)
        self.state.verify_s = self._clock.monotonic()

    def recall(self) -> None:
        """Begin with this gateway as at a start: what is kept of it could not be read until now."""
        self._take(self._gateway, self._diary.device)

    async def release(self) -> GatewayError | None:
        """Leave the battery running, but for an install, which our next start sees to; what kept it from that is returned."""
        gone = self._errands.leave(self._clock.now())
        error = None if gone else await self._session.leave()
        cut_off = gone is None and MAY_HAVE_STOPPED in self._marks and not self._gateway.has_session
        return Transient(CUT_OFF) if cut_off and not error else error

    @property
    def due_s(self) -> float:
        """When something wants attention next, by the monotonic clock."""
        state, errand_s = self.state, self._errands.look_s
        if errand_s is not None and state.installing_since is not None:
            return errand_s
        doubt_s = self._session.doubt.ends_s
        wanted = [state.verify_s, self._proof.due_s, self._restarts.due_s, errand_s, doubt_s]
        return max(min(due_s for due_s in wanted if due_s is not None), state.pacing.resume_s)

    @property
    def ready_s(self) -> float:
        """From when on a tick begins a switch, or doubts a refusal, by the monotonic clock; infinite if none does."""
        return self.state.ready_s(self._clock.monotonic(), has_session=self._gateway.has_session)

    def stepped(self, by: timedelta) -> None:
        """The wall clock was set ``by`` so much: look at the gateway, and tell the age of what is known by the new time."""
        self.state.stepped(by)
        self.state.verify_s = self._clock.monotonic()

    async def attend(self, agenda: Agenda, now: datetime) -> None:
        """Do what is due ``now``. Failures of the gateway end in ``state``, never in an exception."""
        self.state.clock = self._trust.belief
        if self._trust.belief.trusted:  # else nobody knows whether its time has come, or is over
            self._held.follow(agenda, now)
        self.state.follow(agenda, now)
        self._errands.settle(agenda.fine, self.state)
        self.state.installing_since = self._errands.installing_since(now)
        if self.state.installing_since is None or await self._is_back(agenda, now):
            await self._attend(agenda, now)
            self._errands.settle(agenda.fine, self.state)
        self.state.installing_since = self._errands.installing_since(now)

    async def _is_back(self, agenda: Agenda, now: datetime) -> bool:
        """Whether a gateway that installs is there again. That it is gone is no failure, and makes no pause grow."""
        if self._gateway.silence_s > 0:
            return False
        try:
            back = await self._errands.await_return(self.state.standing(agenda, now, self._longest_install_s))
        except GatewayError as failure:
            self._failures.note(failure)
            return False
        if back:
            self._note_identity()
            self.state.verify_s = self._clock.monotonic()
        return back

    async def _attend(self, agenda: Agenda, now: datetime) -> None:
        if self.state.record is None and self.state.pacing.latch is not None:
            self._act.refuse(self.state.pacing.latch, agenda.coarse.at(now))
        pause_s = self._failures.pause_s()
        if pause_s > LONGEST_PAUSE_S:
            await self._repair.attend()
        if pause_s > 0 or not await self._try(agenda, now) or self._errands.installing_since(now) is not None:
            return  # what a gateway was told is done in peace
        # Any call may have logged in, and so stopped the battery.
        if (error := await self._session.release()) is not None:
            self._failures.note(error)

    async def _try(self, agenda: Agenda, now: datetime) -> bool:
        """Do what is due; whether the battery is of concern after it."""
        logins = self._session.logins
        try:
            await self._do(agenda, now)
        except Throttled as failure:
            self._failures.note(failure)
            await self._repair.attend()  # and nothing else is asked now
            return False
        except BadCredentials as failure:
            self._failures.note(failure)  # another login would only be refused once more
            return False
        except GatewayError as failure:
            self._failures.note(failure)
            if isinstance(failure, NotCapable | Standstill):  # it answers, and may have been gone before
                with contextlib.suppress(GatewayError):
                    await self._restarts.settle(agenda)
            # What is refused to a session that lives is not asked for twice.
            return not isinstance(failure, SessionExpired) or self._session.logins > logins
        self._failures.over()
        return True

    async def _do(self, agenda: Agenda, now: datetime) -> None:
        state = self.state
        try:
            await self._session.ensure_running()  # before anything else: a stop that we owe
        except NotCapable as error:  # then it cannot be switched either
            self._lack.note(error)
            raise
        if not self._trust.belief.trusted:
            await self._show(agenda)
            return
        await self._lack.doubt()
        looking = self._clock.monotonic() >= state.verify_s
        segment = agenda.coarse.at(now)
        live: Live | None = None
        if segment.conditional and (looking or state.record is None):
            live = await self._read_live()
            state.held = segment.holding(live, state.held)
            self.state.follow(agenda, now)
        self._ownership.follow(agenda, now)
        # A new target is not looked at first: its switch reads the gateway anyway.
        looking = (looking and state.record is not None) or self._ownership.recalls()
        actual = await self._look(agenda.policy) if looking else None
        record = state.record
        await self._act.carry_out(self._act.decide(agenda, now, actual), agenda.policy, segment)
        self._note_identity()
        self._ownership.note()
        power: Power | None = None
        if actual is not None:
            power = await self._restarts.look()
            live = await self._grid.look(live)
        elif state.record is not None and state.record is not record and state.record.verdict.good:
            self._restarts.well(None)
        await self._restarts.settle(agenda)
        state.record = await self._proof.attend(
            state.record, every_s=agenda.policy.verify_s, power=power, live=live
        )
        await self._errands.attend(
            agenda.fine, self.state.standing(agenda, now, self._longest_install_s), self._read_live
        )
        self._note_identity()
        if self._errands.installing_since(now) is not None:
            self._restarts.well(None)  # it was looked at just before

    async def _show(self, agenda: Agenda) -> None:
        """Look, and write nothing: nobody knows what should be true now."""
        if self._clock.monotonic() >= self.state.verify_s:
            await self._look(agenda.policy)
            await self._restarts.look()
        await self._restarts.settle(agenda)
        self.state.record = await self._proof.attend(self.state.record, every_s=agenda.policy.verify_s)

    async def _read_live(self) -> Live:
        self.state.live = await self._session.observe(self._gateway.live)
        return self.state.live

    async def _look(self, policy: Policy) -> Setpoint:
        """Read the gateway: firmware, whether it stands still, and what is set."""
        self._gateway.exchanges()  # a look is nobody's evidence
        with contextlib.suppress(NotCapable):
            await self._session.observe(self._session.identify)
            self._trust.compare(self._gateway.clock_ahead_s)
        self._note_identity()
        if await self._session.stands_still():
            raise standstill()
        try:
            actual = await self._session.call(self._gateway.read)
        except NotOffered as error:
            self._lack.note(error)
            raise
        self.state.found(actual, self._clock.now())
        self.state.verify_s = self._clock.monotonic() + policy.verify_s
        return actual

    def _note_identity(self) -> None:
        """Notice another firmware, or a restart: what this gateway can do must be found out anew."""
        before, after = self.state.identity, self._session.identity
        if after is None:
            return
        self.state.identity = after
        told_at = self._errands.told_at
        changed = before != after and self._restarts.learn(after, installing_since=told_at)
        self._errands.answered(changed=changed)
        if not changed or before is None:
            return
        if before.firmware != after.firmware or self.state.verdict is not Verdict.DRIFTED:
            self.state.record = None  # a restart does not undo what a person set
        self.state.pacing = self.state.pacing.unlatched()
