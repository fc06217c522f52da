"""Tells a day as it happens, for the demo: a listener that speaks in sentences and keeps what it needs for the end.

What the day should have held is judged here from the events; what the gateway really did is asked of ``battery``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, tzinfo

from scheduler.model.events import Drifted, EffectJudged, Event, MomentEnded, MomentStarted, Switched
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.observe.logs import line


@dataclass(frozen=True, slots=True)
class Told:
    """One switch as it was told: its evidence, and what the battery did when it was last looked at."""

    record: SwitchRecord
    battery: str


class Narrator:
    """Tells events through ``out``. ``raw_percent`` turns shown percent into the gateway's own scale.

    ``brief``: a switch is told in one line, without its evidence.
    """

    def __init__(
        self,
        zone: tzinfo,
        *,
        out: Callable[[str], None],
        raw_percent: Callable[[float], float],
        battery: Callable[[], str],
        brief: bool = False,
    ) -> None:
        self._zone = zone
        self._out = out
        self._raw_percent = raw_percent
        self._battery = battery
        self._brief = brief
        self.switches: list[Told] = []
        self.moments: list[MomentEnded] = []

    def tell(self, event: Event) -> None:
        """Tell one event."""
        match event:
            case Switched(record=record) if record.verdict is Verdict.DRIFTED:
                self._say(record.at, f"drifted: {record.message}")
            case Switched(record=record):
                self.switches.append(Told(record, self._battery()))
                self._tell_switch(record)
            case EffectJudged(record=record):
                self.switches[-1] = Told(record, self._battery())
                self._say(event.at, f"{record.verdict.value}: {record.message}")
                if not self._brief:
                    self._out(f"         battery    {self.switches[-1].battery}")
            case MomentStarted():
                self._say(event.at, f"{event.do} ({event.rule}, due {self._clock(event.due)})")
            case MomentEnded():
                self.moments.append(event)
                self._say(event.at, f"{event.do}: {event.outcome}, {event.message}")
            case Drifted():
                self._say(event.at, f"somebody changed it from {event.expected} to {event.found}")
            case _:
                facts = line(event, self._zone)
                self._say(event.at, f"{event.name}: {facts['message']}")

    def _tell_switch(self, record: SwitchRecord) -> None:
        if self._brief:
            due = self._clock(record.boundary)
            self._say(record.at, f"switch due at {due}: {record.verdict.value}: {record.message}")
            return
        self._say(record.at, f"switch due at {self._clock(record.boundary)} ({', '.join(record.rules)})")
        self._out(f"         asked      {self.percent(record.desired)}")
        self._out(f"         read back  {self.percent(record.after)}")
        exchanges = " ".join(f"{step.step} {step.status or 'no answer'}" for step in record.steps)
        self._out(f"         exchanged  {exchanges}")
        self._out(f"         took       {self.took(record)}")
        self._out(f"         verdict    {record.verdict.value}: {record.message}")
        self._out(f"         battery    {self.switches[-1].battery}")

    def percent(self, setpoint: Setpoint | None) -> str:
        """A setpoint with its reserve on both scales."""
        if setpoint is None:
            return "nothing"
        reserve = setpoint.reserve_percent
        if reserve is None:
            return str(setpoint)
        return f"{setpoint} shown = {self._raw_percent(reserve):.4g} % raw"

    def took(self, record: SwitchRecord) -> str:
        """How long it took: the exchanges in real time, of which there are several."""
        return f"{sum(step.ms for step in record.steps)} ms for {len(record.steps)} exchanges, {record.attempts} attempt(s)"

    def _say(self, at: datetime, sentence: str) -> None:
        self._out(f"{self._clock(at)}  {sentence}")

    def _clock(self, at: datetime) -> str:
        return at.astimezone(self._zone).strftime("%H:%M:%S" if at.second else "%H:%M")
