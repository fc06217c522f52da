"""The last step of a switch: after the grace time, do the meters show that the battery obeys?

Judging is `effect`'s; here is when to look, how often, and what a verdict is raised or lowered to. Meters that cannot be read
raise no alarm: whether the gateway is there is found out elsewhere.
"""

from __future__ import annotations

from dataclasses import replace

from scheduler.control.effect import Effect, Judgement, judge
from scheduler.control.ports import UNCOMMITTED, Clock, Gateway, Marks, Tell
from scheduler.control.session import Session
from scheduler.model.errors import GatewayError, Throttled
from scheduler.model.events import EffectJudged
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.reading import Live, Power

DOUBTS = 2
"""So many looks in a row must contradict a setpoint: a kettle is quicker than an inverter."""

DOUBT_PAUSE_S = 60.0
"""Pause between them."""


class Proof:
    """The wait for the meters on the current switch. ``due_s`` is the next look, by the monotonic clock."""

    def __init__(self, gateway: Gateway, session: Session, clock: Clock, marks: Marks, tell: Tell) -> None:
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self._doubts = 0
        self.due_s: float | None = None

    def expect(self, record: SwitchRecord) -> None:
        """Wait for the meters on this switch; on one without a good verdict there is nothing to see."""
        self._doubts = 0
        grace_s = self._gateway.pace.effect_grace_s
        self.due_s = self._clock.monotonic() + grace_s if record.verdict.good else None

    async def attend(
        self,
        record: SwitchRecord | None,
        *,
        every_s: float,
        power: Power | None = None,
        live: Live | None = None,
    ) -> SwitchRecord | None:
        """The record, judged anew if a look was due; while the meters say nothing they are looked at ``every_s``.

        ``power`` and ``live`` are what was read in this cycle already, and need not be asked for again.
        """
        now_s = self._clock.monotonic()
        if self.due_s is None or now_s < self.due_s:
            return record
        if record is None:
            self.due_s = None
            return None
        self.due_s = now_s + every_s
        try:
            if power is None:
                power = await self._session.observe(self._gateway.power)
            if live is None:
                live = await self._session.observe(self._gateway.live)
        except Throttled:
            raise
        except GatewayError:
            return record
        return self._settle(record, judge(record.desired, power, live))

    def _settle(self, record: SwitchRecord, judgement: Judgement) -> SwitchRecord:
        self._doubts = self._doubts + 1 if judgement.effect is Effect.CONTRADICTED else 0
        if judgement.effect is Effect.UNCLEAR:
            return record
        if judgement.effect is Effect.SEEN:
            self.due_s = None
            verdict = Verdict.ALREADY if record.verdict is Verdict.ALREADY else Verdict.EFFECTIVE
        elif self._doubts < DOUBTS:
            self.due_s = self._clock.monotonic() + DOUBT_PAUSE_S
            return record
        else:
            verdict = Verdict.NOT_EFFECTIVE  # and looked at again: it may yet obey
            if record.verdict is Verdict.ALREADY:  # what shows may lack the commit of whoever wrote it
                self._marks.note(UNCOMMITTED)
        if verdict is record.verdict:
            return record
        judged = replace(
            record, verdict=verdict, message=f"the gateway reads {record.desired}; {judgement.reason}"
        )
        self._tell(EffectJudged(at=self._clock.now(), record=judged))
        return judged
