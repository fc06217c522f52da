"""The plan as values: segments that cover a stretch of time without gap or overlap, and moments.

Instants are aware UTC datetimes, intervals are half open. How segments come about lives in `plan/compile.py`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from operator import itemgetter
from typing import Literal, TypeVar

from scheduler.model.reading import Grid, Live
from scheduler.model.setpoint import Setpoint

Value = TypeVar("Value", str, float)

DriftPolicy = Literal["yield", "enforce", "notify"]


CHARGE_MARGIN_PERCENT = 3.0
"""How far past its bound the charge must be before an ``if`` that held no longer does, in shown percent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """A rule's ``if``: everything given must hold. Charge in shown percent, both bounds exclusive."""

    charge_below_percent: float | None = None
    charge_above_percent: float | None = None
    grid: Grid | None = None

    def holds(self, live: Live, *, held: bool = False) -> bool:
        """Whether the condition is true of what the gateway says now.

        One that ``held`` goes on until the charge is `CHARGE_MARGIN_PERCENT` past its bound: a rule that charges up to
        a bound and one that discharges below it would else take turns every few minutes.
        """
        margin = CHARGE_MARGIN_PERCENT if held else 0.0
        below, above = self.charge_below_percent, self.charge_above_percent
        return (
            (below is None or live.charge_percent < below + margin)
            and (above is None or live.charge_percent > above - margin)
            and (self.grid is None or live.grid == self.grid)
        )

    def __str__(self) -> str:
        parts = []
        if self.charge_below_percent is not None:
            parts.append(f"charge below {self.charge_below_percent:g} %")
        if self.charge_above_percent is not None:
            parts.append(f"charge above {self.charge_above_percent:g} %")
        if self.grid is not None:
            parts.append(f"grid {self.grid}")
        return " and ".join(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One rule's say in a segment: what it asks for, where it stands in the file, and when it counts.

    ``origin`` names what says so where that is not the file's line: an environment variable.
    """

    name: str
    line: int
    setpoint: Setpoint
    condition: Condition | None = None
    on_drift: DriftPolicy | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """What came of a segment's claims: the setpoint, and each rule that gave it with the fields it gave."""

    setpoint: Setpoint
    claims: tuple[tuple[Claim, tuple[str, ...]], ...]


DEFAULT = "default"
"""The name under which the file's ``default`` appears among the claims."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """``[start, end)`` in which the same claims compete and the same prices hold.

    ``claims`` are in order of precedence and end with the file's default. Prices are per kWh in the tariff's
    currency.
    """

    start: datetime
    end: datetime
    period: str | None
    import_price: float | None
    export_price: float | None
    claims: tuple[Claim, ...]

    def spoken(self, live: Live | None = None, held: frozenset[Condition] = frozenset()) -> Spoken:
        """The setpoint field by field: the first claim that gives a field and whose condition holds has the say.

        Without ``live`` every condition is taken as true. ``held`` are the conditions that held when last looked at.
        """
        if live is None:
            return speak(self.claims)
        holding = self.holding(live, held)
        return speak(tuple(c for c in self.claims if c.condition is None or c.condition in holding))

    def holding(self, live: Live, held: frozenset[Condition] = frozenset()) -> frozenset[Condition]:
        """The conditions of this segment that hold now, given those that held before."""
        conditions = {c.condition for c in self.claims if c.condition is not None}
        return frozenset(c for c in conditions if c.holds(live, held=c in held))

    def otherwise(self) -> Segment | None:
        """This segment with the first ``if`` that has a say in it taken as false; None if there is no such.

        All claims under that same condition fall silent together.
        """
        spoken = self.spoken()
        for claim, _ in spoken.claims:
            if claim.condition is not None:
                return replace(self, claims=tuple(c for c in self.claims if c.condition != claim.condition))
        return None

    def ordinary(self) -> Spoken:
        """What is asked for while every ``if`` is false."""
        return speak(tuple(claim for claim in self.claims if claim.condition is None))

    def cases(self) -> tuple[tuple[Condition, Spoken], ...]:
        """Each ``if`` that can have a say, in order of precedence, with what is asked for while it alone is true."""
        ranked: dict[Condition | None, list[tuple[int, Claim]]] = {}
        for rank, claim in enumerate(self.claims):
            ranked.setdefault(claim.condition, []).append((rank, claim))
        always = ranked.pop(None, [])
        cases = []
        for condition, under_it in ranked.items():
            spoken = speak(tuple(claim for _, claim in sorted(always + under_it, key=itemgetter(0))))
            if condition is not None and any(claim.condition is not None for claim, _ in spoken.claims):
                cases.append((condition, spoken))
        return tuple(cases)

    @property
    def conditional(self) -> bool:
        """Whether what the gateway says now can change the setpoint."""
        return self.otherwise() is not None


@lru_cache(maxsize=64)
def speak(claims: tuple[Claim, ...]) -> Spoken:
    """The setpoint that these claims give, in this order of precedence, and who gave which field."""
    setpoint = Setpoint()
    givers: list[tuple[Claim, tuple[str, ...]]] = []
    for claim in claims:
        before = setpoint.given()
        setpoint = setpoint.or_else(claim.setpoint)
        gave = tuple(name for name in setpoint.given() if name not in before)
        if gave:
            givers.append((claim, gave))
    return Spoken(setpoint=setpoint, claims=tuple(givers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """A thing to do at an instant, not a state. ``done_by`` is the latest instant by which it must be
    over.
    """

    at: datetime
    do: str
    rule: str
    line: int
    install: bool = False
    done_by: datetime | None = None
    condition: Condition | None = None

    @property
    def key(self) -> str:
        """Its name for alarms: instant + rule + line, since two rules may have one name."""
        return f"{self.at.isoformat()} {self.rule} (line {self.line})"

    @property
    def deed(self) -> str:
        """Its name for memory: instant, what is done, and rule. Not the line, which a comment above it moves."""
        return f"{self.at.isoformat()} {self.do} {self.rule}"


@dataclass(frozen=True, slots=True)
class Timeline:
    """Segments from ``start`` to ``end`` without gap or overlap, and the moments in between, in order."""

    segments: tuple[Segment, ...]
    moments: tuple[Moment, ...] = ()
    _starts: tuple[datetime, ...] = field(init=False, repr=False, compare=False)
    _due: tuple[datetime, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.segments:
            raise ValueError("a timeline has at least one segment")
        for left, right in zip(self.segments, self.segments[1:], strict=False):
            if left.end != right.start:
                raise ValueError(f"a gap or overlap in the timeline at {left.end}")
        object.__setattr__(self, "_starts", tuple(s.start for s in self.segments))
        object.__setattr__(self, "_due", tuple(moment.at for moment in self.moments))

    @property
    def start(self) -> datetime:
        """The first instant covered."""
        return self.segments[0].start

    @property
    def end(self) -> datetime:
        """The first instant no longer covered."""
        return self.segments[-1].end

    def at(self, instant: datetime) -> Segment:
        """The segment that holds at ``instant``; LookupError outside of ``[start, end)``."""
        if not self.start <= instant < self.end:
            raise LookupError(f"{instant} lies outside of the timeline {self.start} to {self.end}")
        return self.segments[bisect_right(self._starts, instant) - 1]

    def segments_between(self, start: datetime, end: datetime) -> tuple[Segment, ...]:
        """The segments that have a part in ``[start, end)``; they are whole, not cut to it."""
        first = max(bisect_right(self._starts, start) - 1, 0)
        return tuple(s for s in self.segments[first : bisect_left(self._starts, end)] if s.end > start)

    def moments_between(self, start: datetime, end: datetime) -> tuple[Moment, ...]:
        """The moments in ``[start, end)``, in order."""
        return self.moments[bisect_left(self._due, start) : bisect_left(self._due, end)]

    def merged(self) -> Timeline:
        """The same timeline cut only where what is asked for changes; a period or price that varies is None."""
        return Timeline(tuple(_merge(self.segments)), self.moments)


def _merge(segments: tuple[Segment, ...]) -> Iterator[Segment]:
    current = segments[0]
    claims, asked = current.claims, _asks(current)
    for segment in segments[1:]:
        same = segment.claims == claims  # as it mostly is, which is known sooner than what they come to
        asks = asked if same else _asks(segment)
        claims = segment.claims
        if asks == asked:
            current = replace(
                current,
                end=segment.end,
                period=_same(current.period, segment.period),
                import_price=_same(current.import_price, segment.import_price),
                export_price=_same(current.export_price, segment.export_price),
            )
        else:
            yield current
            current, asked = segment, asks
    yield current


def _same(one: Value | None, other: Value | None) -> Value | None:
    return one if one == other else None


def _asks(segment: Segment) -> object:
    """What a segment asks for, whoever says so: its setpoint, and under which conditions it would be
    another.
    """
    if not segment.conditional:
        return segment.spoken().setpoint
    return tuple((c.condition, c.setpoint) for c in segment.claims)
