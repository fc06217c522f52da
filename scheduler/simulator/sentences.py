"""What a sentence is made of: what it makes happen, which parts it takes, and how it is written; `scenario.py` has them all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from scheduler.simulator.mischief import ENDLESS, Reach
from scheduler.simulator.usecases import UseCases

LONGEST = timedelta(days=366)


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What stands behind a sentence's first words; ``count`` and ``version`` stand among them, if they do."""

    by: timedelta | None = None
    reach: Reach = ENDLESS
    count: int = 1
    version: str | None = None

    @property
    def parts(self) -> set[str]:
        """Which parts are there, by their first words."""
        found = {
            "version": self.version,
            "by": self.by,
            "to": self.reach.path,
            "for": self.reach.lasting,
            "next": self.reach.requests,
        }
        return {part for part, value in found.items() if value is not None}

    def lasting(self, otherwise: timedelta) -> timedelta:
        """How long."""
        return otherwise if self.reach.lasting is None else self.reach.lasting

    def by_s(self, otherwise: float) -> float:
        """How late, in seconds."""
        return otherwise if self.by is None else self.by.total_seconds()


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a sentence makes happen by which use-case, which parts it takes, and which it cannot do without."""

    use_case: Callable[..., None]
    happen: Callable[[UseCases, Said], None]
    takes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()

    @property
    def meaning(self) -> str:
        """What happens, in words: the use-case's own."""
        return " ".join((self.use_case.__doc__ or "").split())

    @property
    def grammar(self) -> str:
        """What may or must follow, as a person reads it."""
        lasting = "for DURATION | for the next N requests" if "next" in self.takes else "for DURATION"
        spelled = {"version": "VERSION", "by": "by DURATION", "to": "to PATH", "for": lasting}
        parts = ((part, text) for part, text in spelled.items() if part in self.takes)
        return "".join(f" {text}" if part in self.needs else f" [{text}]" for part, text in parts)


FOR = frozenset({"for"})
REACH = frozenset({"to", "for", "next"})


def simply(happen: Callable[[UseCases], None]) -> Sentence:
    """One that takes nothing but a time of day."""
    return Sentence(happen, lambda usecases, _: happen(usecases))


def for_a_while(happen: Callable[[UseCases, timedelta | None], None]) -> Sentence:
    """One that may say for how long, and otherwise holds for good."""
    return Sentence(happen, lambda usecases, said: happen(usecases, said.reach.lasting), FOR)


def for_so_long(happen: Callable[[UseCases, timedelta], None]) -> Sentence:
    """One that must say how long."""
    return Sentence(happen, lambda usecases, said: happen(usecases, said.lasting(LONGEST)), FOR, FOR)


def reaching(happen: Callable[[UseCases, Reach], None]) -> Sentence:
    """One about answers, which may say which and how many of them."""
    return Sentence(happen, lambda usecases, said: happen(usecases, said.reach), REACH)
