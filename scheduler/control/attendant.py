"""One cycle at the gateway: look as far as it is due, decide, carry out, and note what came of it.

The only place that acts on a decision. What to decide is `decide`'s, how to switch `switch`'s, when to cycle `loop`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from scheduler.control.agenda import Agenda, Policy
from scheduler.control.decide import Decision, GiveUp, Hold, Switch, View, Yield, decide
from scheduler.control.effect import Effect, judge
from scheduler.control.errands import Errands
from scheduler.control.pacing import STEADY
from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED, Clock, Gateway, Marks, Tell
from scheduler.control.session import Session, standstill
from scheduler.control.state import State
from scheduler.control.switch import Order, Procedure
from scheduler.model.errors import GatewayError, Refused, Standstill
from scheduler.model.events import (
    Drifted,
    EffectJudged,
    Event,
    FirmwareChanged,
    FoundStopped,
    GatewayBack,
    GatewayLost,
    PersonNeeded,
    Switched,
)
from scheduler.model.evidence import Verdict
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
        self.state = State(started=clock.now())
        self._take(gateway)

    def _take(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._session = Session(gateway, self._clock, self._marks, self._tell)
        self._errands = Errands(gateway, self._session, self._clock, self._tell)

    async def renew(self, gateway: Gateway | None) -> None:
        """Another configuration is in force: forget what was latched, and take another gateway if one is given."""
        if gateway is not None:
            await self._gateway.close()
            self._take(gateway)
        self.state.pacing = STEADY
        self.state.verify_s = self._clock.monotonic()

    async def release(self) -> None:
        """Leave the battery running."""
        await self._session.release()

    @property
    def due_s(self) -> float:
        """When something wants attention next, by the monotonic clock; infinite if only the plan can say."""
        state = self.state
        wanted = [state.verify_s, state.effect_s, self._errands.look_s]
        soonest_s = min(due_s for due_s in wanted if due_s is not None)
        return max(soonest_s, state.pacing.resume_s)

    async def attend(self, agenda: Agenda) -> None:
        """Do what is due now. Failures of the gateway end in ``state``, never in an exception."""
        if self._clock.monotonic() < self.state.pacing.resume_s:
            return
        try:
            await self._do(agenda)
        except GatewayError as failure:
            self._failed(failure)
        # Any call may have logged in, and so stopped the battery.
        error = await self._session.release()
        if error is not None:
            self._failed(error)

    async def _do(self, agenda: Agenda) -> None:
        await self._session.ensure_running()  # before anything else: a stop that we owe
        looking = self._clock.monotonic() >= self.state.verify_s
        segment = await self._aim(agenda, looking=looking)
        known = self.state.record is not None or self.state.stands_still
        actual = await self._look(agenda.policy) if looking and known else None
        await self._carry_out(self._decide(agenda, actual), agenda.policy, segment)
        await self._judge_effect(agenda.policy)
        await self._errands.attend(agenda.fine, self._read_live)
        self._note_identity()

    async def _aim(self, agenda: Agenda, *, looking: bool) -> Segment:
        """Find out what is desired now; a boundary, or another answer to an ``if``, makes a new target."""
        state, now = self.state, self._clock.now()
        segment = agenda.coarse.at(now)
        crossed = state.seen is None or segment.start > state.seen
        if segment.conditional and (crossed or looking or state.live is None):
            state.held = segment.holding(await self._read_live(), state.held)
        spoken = segment.spoken(state.live, state.held)
        if crossed or spoken.setpoint != state.desired:
            rules = tuple(claim.name for claim, _ in spoken.claims)
            state.aim(spoken.setpoint, segment.start if crossed else now, rules)
        state.seen = now
        return segment

    async def _read_live(self) -> Live:
        self.state.live = await self._session.call(self._gateway.live)
        return self.state.live

    async def _look(self, policy: Policy) -> Setpoint:
        """Read the gateway: firmware, whether it stands still, and what is set."""
        self._gateway.exchanges()  # a look is nobody's evidence
        await self._session.identify()
        self._note_identity()
        running = await self._session.call(self._gateway.is_running)
        if not running and MAY_HAVE_STOPPED not in self._marks:
            raise standstill()
        actual = await self._session.call(self._gateway.read)
        self.state.found(actual, self._clock.now())
        self.state.verify_s = self._clock.monotonic() + policy.verify_s
        self._recovered()
        return actual

    def _decide(self, agenda: Agenda, actual: Setpoint | None) -> Decision:
        latch = self.state.pacing.latch
        spoken = agenda.fine.at(self._clock.now()).spoken(self.state.live, self.state.held)
        policies = [claim.on_drift for claim, _ in spoken.claims if claim.on_drift is not None]
        return decide(
            View(
                desired=self.state.desired,
                actual=actual,
                verdict=self.state.verdict,
                owed=UNCOMMITTED in self._marks,
                refusal=None if latch is None else str(latch),
                on_drift=policies[0] if policies else agenda.policy.on_drift,
            )
        )

    async def _carry_out(self, decision: Decision, policy: Policy, segment: Segment) -> None:
        match decision:
            case Switch():
                await self._switch(policy, segment)
            case Yield(found, on_drift):
                self._yield(found, on_drift)
            case Hold() | GiveUp():
                pass

    async def _switch(self, policy: Policy, segment: Segment) -> None:
        state = self.state
        order = Order(
            desired=state.desired,
            boundary=state.boundary or segment.start,
            until=segment.end,
            rules=state.rules,
        )
        came = await Procedure(
            order, gateway=self._gateway, session=self._session, clock=self._clock, marks=self._marks
        ).run()
        news = came.record.verdict is not state.verdict
        state.record = came.record
        state.found(came.record.after, came.record.at)
        if news:  # a repeat that ends like the one before is not told again
            self._tell(Switched(at=came.record.at, record=came.record))
        if came.error is not None:
            raise came.error
        now_s = self._clock.monotonic()
        state.verify_s = now_s + policy.verify_s
        state.effect_s = now_s + self._gateway.pace.effect_grace_s if came.record.verdict.good else None
        self._recovered()

    def _yield(self, found: Setpoint, on_drift: DriftPolicy) -> None:
        state = self.state
        if state.record is None or state.verdict is Verdict.DRIFTED:
            return  # said once
        now = self._clock.now()
        self._tell(Drifted(at=now, expected=state.desired, found=found, policy=on_drift))
        state.record = replace(
            state.record,
            verdict=Verdict.DRIFTED,
            at=now,
            after=found,
            steps=(),
            message=f"somebody changed it to {found}; that stands until the next boundary",
        )
        state.effect_s = None
        self._tell(Switched(at=now, record=state.record))

    async def _judge_effect(self, policy: Policy) -> None:
        state = self.state
        now_s = self._clock.monotonic()
        if state.effect_s is None or now_s < state.effect_s or state.record is None:
            return
        power = await self._session.call(self._gateway.power)
        judgement = judge(state.desired, power, await self._read_live())
        state.effect_s = None
        match judgement.effect:
            case Effect.UNCLEAR:  # look again later; the verdict stays
                state.effect_s = now_s + policy.verify_s
                return
            case Effect.SEEN if state.verdict is Verdict.ALREADY:
                return
            case Effect.SEEN:
                verdict = Verdict.EFFECTIVE
            case _:
                verdict = Verdict.NOT_EFFECTIVE
        state.record = replace(
            state.record, verdict=verdict, message=f"{state.record.message}; {judgement.reason}"
        )
        self._tell(EffectJudged(at=self._clock.now(), record=state.record))

    def _note_identity(self) -> None:
        """Notice another firmware, or a restart: what this gateway can do must be found out anew."""
        before, after = self.state.identity, self._session.identity
        self.state.identity = after
        if before is None or after is None or before == after:
            return
        if before.firmware != after.firmware:
            message = f"the gateway went from firmware {before.firmware} to {after.firmware}"
        else:
            message = f"the gateway was restarted (firmware {after.firmware})"
        self._tell(
            FirmwareChanged(
                at=self._clock.now(), before=before.firmware, after=after.firmware, message=message
            )
        )
        self.state.record = None
        if self.state.pacing.latch is not None:
            self.state.pacing = STEADY

    def _failed(self, error: GatewayError) -> None:
        """Pause as the error asks for, and say it once."""
        state = self.state
        known, state.trouble = state.trouble, str(error)
        state.stands_still = isinstance(error, Standstill)
        state.pacing = state.pacing.after(error, self._clock.monotonic(), self._jitter())
        state.verify_s = self._clock.monotonic()  # look before anything else when the pause is over
        if known is None:
            self._tell(_trouble(error, self._clock.now()))

    def _recovered(self) -> None:
        state = self.state
        state.stands_still = False
        state.pacing = state.pacing.recovered()
        if state.pacing.latch is not None:
            state.trouble = str(state.pacing.latch)  # reading works, what was refused still is
        elif state.trouble is not None:
            state.trouble = None
            self._tell(GatewayBack(at=self._clock.now(), message="the gateway answers as it should again"))


def _trouble(error: GatewayError, now: datetime) -> Event:
    match error:
        case Standstill():
            return FoundStopped(at=now, message=str(error))
        case Refused():
            return PersonNeeded(at=now, message=str(error))
        case _:
            return GatewayLost(at=now, message=str(error))
