"""What an invariant is: a promise with an ID and a sentence, which hears what happens and says what it saw that breaks it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from scheduler.app.rehearsal.facts import Exchange, Facts
from scheduler.model.events import Event
from scheduler.model.status import Status


@dataclass(frozen=True, slots=True)
class Broken:
    """An invariant that broke: its ID, its sentence, when, in seconds of the rehearsal, and what was seen."""

    identifier: str
    sentence: str
    at_s: float
    seen: str


class Invariant:
    """One promise. ``about`` names the requests that it hears of; without names it hears of all."""

    identifier: ClassVar[str]
    sentence: ClassVar[str]
    about: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def sent(self, _exchange: Exchange) -> Iterable[str]:
        """What breaks it, as a request goes out."""
        return ()

    def over(self, _exchange: Exchange) -> Iterable[str]:
        """What breaks it, as a request is answered, or came to nothing."""
        return ()

    def told(self, _event: Event) -> Iterable[str]:
        """What breaks it, as the program tells something."""
        return ()

    def shown(self, _status: Status) -> Iterable[str]:
        """What breaks it, as a cycle is completed."""
        return ()
