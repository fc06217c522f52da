"""All the invariants of a rehearsal, each told only of what it is about, and what broke."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from scheduler.app.rehearsal.facts import Exchange, Facts
from scheduler.app.rehearsal.invariant import Broken, Invariant
from scheduler.app.rehearsal.told_invariants import IN_WORDS
from scheduler.app.rehearsal.wire_invariants import ON_THE_WIRE
from scheduler.model.events import Event
from scheduler.model.status import Status

_Hearing = tuple[tuple[Invariant, Callable[[Any], Iterable[str]]], ...]


class Jury:
    """What breaks is kept in ``broken``, in order."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self.broken: list[Broken] = []
        self._judges = [kind(facts) for kind in ON_THE_WIRE + IN_WORDS]
        self._told, self._shown = self._hearing("told"), self._hearing("shown")
        self._sent: dict[str, _Hearing] = {}
        self._over: dict[str, _Hearing] = {}

    def sent(self, exchange: Exchange) -> None:
        """A request goes out."""
        name = exchange.name
        if name not in self._sent:
            self._sent[name] = self._hearing("sent", name)
        self._hear(self._sent[name], exchange)

    def over(self, exchange: Exchange) -> None:
        """A request is over."""
        name = exchange.name
        if name not in self._over:
            self._over[name] = self._hearing("over", name)
        self._hear(self._over[name], exchange)

    def told(self, event: Event) -> None:
        """The program tells something."""
        self._hear(self._told, event)

    def shown(self, status: Status) -> None:
        """A cycle is completed."""
        self._hear(self._shown, status)

    def charge(self, identifier: str, sentence: str, seen: str, at_s: float | None = None) -> None:
        """Something broke that is judged elsewhere."""
        at_s = self._facts.now_s if at_s is None else at_s
        self.broken.append(Broken(identifier, sentence, at_s, seen))

    def _hear(self, hearing: _Hearing, what: Any) -> None:
        for judge, hear in hearing:
            for seen in hear(what):
                self.charge(judge.identifier, judge.sentence, seen)

    def _hearing(self, method: str, name: str = "") -> _Hearing:
        """Those that have a method of their own, with it, and are about a request of this name, if it has one."""
        plain = getattr(Invariant, method)
        return tuple(
            (judge, getattr(judge, method))
            for judge in self._judges
            if getattr(type(judge), method) is not plain
            and (not name or not judge.about or name in judge.about)
        )
