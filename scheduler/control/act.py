"""Has it decided what to do about the setpoint, and does it: switches, lets a change stand, writes the evidence of it.

The policy is `decide`'s, how a switch goes `switch`'s, and when there is something to decide `attendant`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from scheduler.control.agenda import Agenda, Policy
from scheduler.control.decide import (
    Bide,
    Contend,
    Decision,
    Enforce,
    GiveUp,
    Hold,
    Switch,
    View,
    Yield,
    decide,
    strictest,
)
from scheduler.control.lack import Lack
from scheduler.control.ownership import Ownership
from scheduler.control.ports import UNCOMMITTED, Clock, Gateway, Marks, Tell
from scheduler.control.proof import Proof
from scheduler.control.session import Session
from scheduler.control.state import State
from scheduler.control.switch import Order, Procedure, never_tried
from scheduler.model.errors import NotCapable
from scheduler.model.events import Drifted, Switched
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.hold import ForeignWriter
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
        ownership: Ownership,
        stepped: Callable[[], timedelta],
    ) -> None:
        self._state = state
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self._proof = proof
        self._lack = lack
        self._ownership = ownership
        self._stepped = stepped

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
        if actual is not None:
            self._ownership.recall(actual, self._session.identity)
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
                set_back_ago_s=self._ownership.set_back_ago_s,
            )
        )

    async def carry_out(self, decision: Decision, policy: Policy, segment: Segment) -> None:
        """Do as was decided; the errors that ended a switch pass through, once its record is written."""
        match decision:
            case Switch():
                await self._switch(policy, segment)
            case Enforce(found):
                self._tell_drift(found, "enforce")
                self._ownership.set_back()
                await self._switch(policy, segment)
            case Yield(found, on_drift):
                self._tell_once(found, on_drift)
                self._leave(found, "that stands until the next boundary", alert=on_drift == "notify")
            case Bide(found, pause_s):
                at_s = self._clock.monotonic() + pause_s
                self._state.verify_s = min(self._state.verify_s, at_s)
                self._leave(found, "it was set back a moment ago, and is once more in a few minutes")
            case Contend(found, times):
                self._contend(found, times)
            case Hold() | GiveUp():
                pass

    async def _switch(self, policy: Policy, segment: Segment) -> None:
        state = self._state
        self._ownership.begin()
        came = await Procedure(
            self._order(segment),
            gateway=self._gateway,
            session=self._session,
            clock=self._clock,
            marks=self._marks,
            stepped=self._stepped,
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

    def _contend(self, found: Setpoint, times: int) -> None:
        """Whoever changes it so often is no person: told once for a target, whatever it is changed to after that."""
        state = self._state
        words = f"it was set back {times} times within an hour, and is left alone for a while"
        if not state.contended:
            state.contended = True
            message = (
                f"somebody changed it to {found} after it was set back {times} times within an hour: from now on that is done "
                f"{times} times an hour at most. Perhaps another program is at this gateway: stop one of the two"
            )
            self._tell(
                ForeignWriter(
                    at=self._clock.now(), expected=state.desired, found=found, times=times, message=message
                )
            )
        self._leave(found, words, alert=True)

    def _tell_once(self, found: Setpoint, on_drift: DriftPolicy) -> None:
        record = self._state.record
        if record is not None and (record.verdict is not Verdict.DRIFTED or record.after != found):
            self._tell_drift(found, on_drift)

    def _leave(self, found: Setpoint, words: str, *, alert: bool = False) -> None:
        """Let a change by somebody stand, with one record of it however often it is seen; ``words`` say for how long."""
        state = self._state
        record = state.record
        if record is None:
            return
        known = record.verdict is Verdict.DRIFTED and (record.after == found or state.contended)
        message = f"somebody changed it to {found}; {words}"
        state.record = replace(
            record,
            verdict=Verdict.DRIFTED,
            at=record.at if known else self._clock.now(),
            after=found,
            attempts=0,
            steps=(),
            message=message,
        )
        state.alert = message if alert else None
        self._proof.expect(state.record)
        if not known:
            self._tell_record(state.record)

    def _tell_drift(self, found: Setpoint, on_drift: DriftPolicy) -> None:
        self._tell(Drifted(at=self._clock.now(), expected=self._state.desired, found=found, policy=on_drift))

    def _tell_record(self, record: SwitchRecord) -> None:
        self._tell(Switched(at=record.at, record=record))
