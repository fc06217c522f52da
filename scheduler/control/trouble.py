"""What is wrong with the gateway now: a sentence, and who must act, so that each kind is told once. A value, no policy."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler.control.pacing import INSIST_AFTER
from scheduler.model.errors import GatewayError, Refused, Standstill, Unwilling
from scheduler.model.events import FoundStopped, GatewayLost, PersonNeeded

Kind = type[FoundStopped | GatewayLost | PersonNeeded]


@dataclass(frozen=True, slots=True)
class Trouble:
    """``kind`` is the event that tells of it. ``remedy`` is what a person is asked to do, empty if nothing is."""

    kind: Kind
    sentence: str
    remedy: str = ""

    def event(self, at: datetime) -> FoundStopped | GatewayLost | PersonNeeded:
        """The event to tell."""
        return self.kind(at=at, message=self.sentence)


def trouble_of(error: GatewayError) -> Trouble:
    """The trouble that an error is."""
    match error:
        case Standstill():
            return Trouble(FoundStopped, str(error))
        case Refused():
            return Trouble(PersonNeeded, str(error), error.remedy)
        case Unwilling() if error.times >= INSIST_AFTER:
            return Trouble(PersonNeeded, str(error), str(error))
        case _:
            return Trouble(GatewayLost, str(error))
