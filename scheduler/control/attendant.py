"""One cycle at the gateway: look as far as it is due, decide, carry out, and note what came of it.

The only place that acts on a decision. What to decide is `decide`'s, how to switch `switch`'s, what the meters say
`proof`'s, when to cycle `loop`'s.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from scheduler.control.agenda import Agenda, Policy
from scheduler.control.decide import Decision, Enforce, GiveUp, Hold, Switch, View, Yield, decide, strictest
from scheduler.control.errands import Errands
from scheduler.control.lack import Lack
from scheduler.control.pacing import LONGEST_PAUSE_S, STEADY
from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED, Clock, Gateway, Marks, Tell
from scheduler.control.proof import Proof
from scheduler.control.repair import Repair
from scheduler.control.session import Session, standstill
from scheduler.control.state import State
from scheduler.control.switch import Order, Procedure, never_tried
from scheduler.control.trouble import trouble_of
from scheduler.control.watch import GridWatch
from scheduler.model.errors import GatewayError, IdentityChanged, NotCapable, NotOffered, Throttled, Transient
from scheduler.model.events import Drifted, FirmwareChanged, GatewayBack, Switched
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.reading import Live
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import DriftPolicy, Segment


class Attendant:
    """Owns the gateway on behalf of the loop."""

    def __init__(
        self, gateway: Gateway, *, clock: Clock, marks: Marks, tell: Tell, jitter: Callable[[], float]
    ) -> None:
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self._jitter = jitter
        self.state = State(started=clock.now(), boundary=clock.now())
        self._take(gateway)

    def _take(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._session = Session(gateway, self._clock, self._marks, self._tell)
        self._errands = Errands(gateway, self._session, self._clock, self._tell)
        self._repair = Repair(gateway, self._session, self._clock, self._marks)
        self._proof = Proof(gateway, self._session, self._clock, self._tell)
        self._lack = Lack(self.state, gateway, self._session, self._clock)
        self._grid = GridWatch(gateway, self._clock, self._tell)

    async def renew(self, gateway: Gateway | None) -> None:
        """Another configuration is in force: forget what was latched, and take another gateway if one is given."""
        self.state.pacing = self.state.pacing.unlatched()
        self._session.forgive()
        if gateway is not None:
            await self._gateway.close()
            self._take(gateway)
            self.state.pacing, self.state.identity, self.state.record = STEADY, None, None
        self.state.verify_s = self._clock.monotonic()

    async def release(self) -> GatewayError | None:
        """Leave the battery running; what kept it from that is returned."""
        error = await self._session.release()
        if error is None and MAY_HAVE_STOPPED in self._marks and not self._gateway.has_session:
            return Transient("a login was cut off, and the gateway may yet obey it")
        return error

    @property
    def due_s(self) -> float:
        """When something wants attention next, by the monotonic clock."""
        wanted = [self.state.verify_s, self._proof.due_s, self._errands.look_s]
        return max(min(due_s for due_s in wanted if due_s is not None), self.state.pacing.resume_s)

    async def attend(self, agenda: Agenda, now: datetime) -> None:
        """Do what is due ``now``. Failures of the gateway end in ``state``, never in an exception."""
        self._aim(agenda, now)
        if self.state.record is None and self.state.pacing.latch is not None:
            self._refuse(self.state.pacing.latch, agenda.coarse.at(now))
        pause_s = self._pause_s()
        if pause_s > LONGEST_PAUSE_S:
            await self._repair.attend()
        if pause_s > 0:
            return
        try:
            await self._do(agenda, now)
        except Throttled as failure:
            self._failed(failure)
            await self._repair.attend()  # and nothing else is asked now
            return
        except GatewayError as failure:
            self._failed(failure)
        else:
            self._recovered()
        # Any call may have logged in, and so stopped the battery.
        error = await self._session.release()
        if error is not None:
            self._failed(error)

    def _pause_s(self) -> float:
        """How long nothing is to be asked: our own pause, or a silence that whatever process of ours was asked for."""
        left_s = self.state.pacing.resume_s - self._clock.monotonic()
        silence_s = self._gateway.silence_s if left_s <= 0 else 0.0
        if silence_s > 0:
            self._failed(Throttled("the gateway wants fewer requests (429)", silence_s=silence_s))
        return max(left_s, silence_s)

    def _refuse(self, latch: NotCapable, segment: Segment) -> None:
        """A new target that cannot be brought about: the evidence says so, and the gateway is not asked."""
        state = self.state
        firmware = None if state.identity is None else state.identity.firmware
        order, now = self._order(segment), self._clock.now()
        state.record = never_tried(order, latch, at=now, before=state.actual, firmware=firmware)
        self._tell_record(state.record)

    def _order(self, segment: Segment) -> Order:
        state = self.state
        return Order(
            desired=state.desired,
            boundary=state.boundary,
            until=segment.end,
            rules=state.rules,
            wary=state.trouble is not None,
        )

    async def _do(self, agenda: Agenda, now: datetime) -> None:
        state = self.state
        await self._session.ensure_running()  # before anything else: a stop that we owe
        await self._lack.doubt()
        looking = self._clock.monotonic() >= state.verify_s
        segment = agenda.coarse.at(now)
        live: Live | None = None
        if segment.conditional and (looking or state.record is None):
            live = await self._read_live()
            state.held = segment.holding(live, state.held)
            self._aim(agenda, now)
        # A new target is not looked at first: its switch reads the gateway anyway.
        actual = await self._look(agenda.policy) if looking and state.record is not None else None
        await self._carry_out(self._decide(agenda, now, actual), agenda.policy, segment)
        if actual is not None:
            await self._grid.look(live)
        state.record = await self._proof.attend(state.record, every_s=agenda.policy.verify_s)
        await self._errands.attend(agenda.fine, self._read_live)
        self._note_identity()

    def _aim(self, agenda: Agenda, now: datetime) -> None:
        """Find out what is desired now; a boundary, or another answer to an ``if``, makes a new target."""
        state = self.state
        segment = agenda.coarse.at(now)
        spoken = segment.spoken(state.live, state.held)
        if state.seen is None or segment.start > state.seen:
            state.held &= agenda.conditions_before(segment)
            state.aim(spoken.setpoint, agenda.boundary(now) or now)
            state.pacing = state.pacing.at_boundary()
        elif spoken.setpoint != state.desired:
            state.aim(spoken.setpoint, state.boundary if state.record is None else now)
        state.rules = tuple(claim.name for claim, _ in spoken.claims)
        state.seen = now

    async def _read_live(self) -> Live:
        self.state.live = await self._session.observe(self._gateway.live)
        return self.state.live

    async def _look(self, policy: Policy) -> Setpoint:
        """Read the gateway: firmware, whether it stands still, and what is set."""
        self._gateway.exchanges()  # a look is nobody's evidence
        with contextlib.suppress(NotCapable):
            await self._session.observe(self._session.identify)
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

    def _decide(self, agenda: Agenda, now: datetime, actual: Setpoint | None) -> Decision:
        latch = self.state.pacing.latch
        spoken = agenda.fine.at(now).spoken(self.state.live, self.state.held)
        changed = self.state.desired.beyond(actual).given() if actual is not None else {}
        policies = [claim.on_drift for claim, gave in spoken.claims if changed.keys() & gave]
        return decide(
            View(
                desired=self.state.desired,
                actual=actual,
                verdict=self.state.verdict,
                owed=UNCOMMITTED in self._marks,
                refusal=None if latch is None else str(latch),
                on_drift=strictest([policy or agenda.policy.on_drift for policy in policies]),
            )
        )

    async def _carry_out(self, decision: Decision, policy: Policy, segment: Segment) -> None:
        match decision:
            case Switch():
                await self._switch(policy, segment)
            case Enforce(found):
                self._tell_drift(found, "enforce")
                await self._switch(policy, segment)
            case Yield(found, on_drift):
                self._yield(found, on_drift)
            case Hold() | GiveUp():
                pass

    async def _switch(self, policy: Policy, segment: Segment) -> None:
        state = self.state
        came = await Procedure(
            self._order(segment),
            gateway=self._gateway,
            session=self._session,
            clock=self._clock,
            marks=self._marks,
        ).run()
        before, state.record, state.alert = state.verdict, came.record, None
        state.found(came.record.after, came.record.at)
        self._proof.expect(came.record)
        if came.record.verdict is not before or (came.record.verdict.good and came.record.attempts):
            self._tell_record(came.record)  # a repeat that fails like the one before is not told again
        self._lack.learn(came)
        if came.error is not None:
            raise came.error
        state.verify_s = self._clock.monotonic() + policy.verify_s

    def _yield(self, found: Setpoint, on_drift: DriftPolicy) -> None:
        record = self.state.record
        if record is None or (record.verdict is Verdict.DRIFTED and record.after == found):
            return  # said once
        self._tell_drift(found, on_drift)
        self.state.record = replace(
            record,
            verdict=Verdict.DRIFTED,
            at=self._clock.now(),
            after=found,
            attempts=0,
            steps=(),
            message=f"somebody changed it to {found}; that stands until the next boundary",
        )
        if on_drift == "notify":
            self.state.alert = self.state.record.message
        self._proof.expect(self.state.record)
        self._tell_record(self.state.record)

    def _tell_drift(self, found: Setpoint, on_drift: DriftPolicy) -> None:
        self._tell(Drifted(at=self._clock.now(), expected=self.state.desired, found=found, policy=on_drift))

    def _tell_record(self, record: SwitchRecord) -> None:
        self._tell(Switched(at=record.at, record=record))

    def _note_identity(self) -> None:
        """Notice another firmware, or a restart: what this gateway can do must be found out anew."""
        before, after = self.state.identity, self._session.identity
        if after is None or before == after:
            return
        self.state.identity = after
        if before is None:
            return
        message = (
            f"the gateway was restarted (firmware {after.firmware})"
            if before.firmware == after.firmware
            else f"the gateway went from firmware {before.firmware} to {after.firmware}"
        )
        now = self._clock.now()
        self._tell(FirmwareChanged(at=now, before=before.firmware, after=after.firmware, message=message))
        if before.firmware != after.firmware or self.state.verdict is not Verdict.DRIFTED:
            self.state.record = None  # a restart does not undo what a person set
        self.state.pacing = self.state.pacing.unlatched()

    def _failed(self, error: GatewayError) -> None:
        """Pause as the error asks for, and say it once, and again when somebody else must act than before."""
        state = self.state
        now_s = self._clock.monotonic()
        # What a role may not do hides the failures of calls, but not that another gateway answers.
        other = isinstance(error, IdentityChanged)
        before, state.trouble = state.trouble, trouble_of((None if other else state.pacing.latch) or error)
        state.pacing = state.pacing.after(error, now_s, self._jitter())
        if MAY_HAVE_STOPPED in self._marks and not isinstance(error, Throttled):
            state.pacing = state.pacing.hurried(now_s + LONGEST_PAUSE_S)
        state.verify_s = now_s  # look before anything else when the pause is over
        if before is None or before.kind is not state.trouble.kind or (other and before != state.trouble):
            self._tell(state.trouble.event(self._clock.now()))

    def _recovered(self) -> None:
        """Note that a whole cycle went well; what was refused for good still is."""
        state = self.state
        before = state.trouble
        state.pacing = state.pacing.recovered()
        state.trouble = None if state.pacing.latch is None else trouble_of(state.pacing.latch)
        if before is not None and state.trouble is None:
            self._tell(GatewayBack(at=self._clock.now(), message="the gateway answers as it should again"))
