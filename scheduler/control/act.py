"""Has it decided what to do about the setpoint, and does it: switches, lets a change stand, writes the evidence of it.

The policy is `decide`'s, how a switch goes `switch`'s, and when there is something to decide `attendant`'s.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from scheduler.control.agenda import Agenda, Policy
from scheduler.control.decide import Decision, Enforce, GiveUp, Hold, Switch, View, Yield, decide, strictest
from scheduler.control.lack import Lack
from scheduler.control.ports import UNCOMMITTED, Clock, Gateway, Marks, Tell
from scheduler.control.proof import Proof
from scheduler.control.session import Session
from scheduler.control.state import State
from scheduler.control.switch import Order, Procedure, never_tried
from scheduler.model.errors import NotCapable
from scheduler.model.events import Drifted, Switched
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import DriftPolicy, Segment


class Act:
    """What is done at one gateway about the target in ``state``."""

    def __init__(
        self,
        state: State,
        gateway: Gateway,
        session: Session,
        clock: Clock,
        *,
        marks: Marks,
        tell: Tell,
        proof: Proof,
        lack: Lack,
    ) -> None:
        self._state = state
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self._proof = proof
        self._lack = lack

    def refuse(self, latch: NotCapable, segment: Segment) -> None:
        """A new target that cannot be brought about: the evidence says so, and the gateway is not asked."""
        state = self._state
        firmware = None if state.identity is None else state.identity.firmware
        order, now = self._order(segment), self._clock.now()
        state.record = never_tried(order, latch, at=now, before=state.actual, firmware=firmware)
        self._tell_record(state.record)

    def _order(self, segment: Segment) -> Order:
        state = self._state
        return Order(
            desired=state.desired,
            boundary=state.boundary,
            until=segment.end,
            rules=state.rules,
            wary=state.trouble is not None,
        )

    def decide(self, agenda: Agenda, now: datetime, actual: Setpoint | None) -> Decision:
        """What is to be done, where ``actual`` was read in this cycle, or nothing was."""
        latch = self._state.pacing.latch
        spoken = agenda.fine.at(now).spoken(self._state.live, self._state.held)
        changed = self._state.desired.beyond(actual).given() if actual is not None else {}
        policies = [claim.on_drift for claim, gave in spoken.claims if changed.keys() & gave]
        return decide(
            View(
                desired=self._state.desired,
                actual=actual,
                verdict=self._state.verdict,
                owed=UNCOMMITTED in self._marks,
                refusal=None if latch is None else str(latch),
                on_drift=strictest([policy or agenda.policy.on_drift for policy in policies]),
            )
        )

    async def carry_out(self, decision: Decision, policy: Policy, segment: Segment) -> None:
        """Do as was decided; the errors that ended a switch pass through, once its record is written."""
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
        state = self._state
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
        record = self._state.record
        if record is None or (record.verdict is Verdict.DRIFTED and record.after == found):
            return  # said once
        self._tell_drift(found, on_drift)
        self._state.record = replace(
            record,
            verdict=Verdict.DRIFTED,
            at=self._clock.now(),
            after=found,
            attempts=0,
            steps=(),
            message=f"somebody changed it to {found}; that stands until the next boundary",
        )
        if on_drift == "notify":
            self._state.alert = self._state.record.message
        self._proof.expect(self._state.record)
        self._tell_record(self._state.record)

    def _tell_drift(self, found: Setpoint, on_drift: DriftPolicy) -> None:
        self._tell(Drifted(at=self._clock.now(), expected=self._state.desired, found=found, policy=on_drift))

    def _tell_record(self, record: SwitchRecord) -> None:
        self._tell(Switched(at=record.at, record=record))
