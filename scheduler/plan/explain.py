"""Why this setpoint at this instant: every rule with what became of it, the line that decided, and what comes
next.

Where rules hold is read from the almanac that the compiler reads, so an explanation cannot differ from the
plan. How it is told, as text and as JSON, lives in `account`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.model.reading import Grid, Live
from scheduler.model.timeline import Claim, Condition, Moment, Segment, Timeline
from scheduler.plan import words
from scheduler.plan.almanac import Almanac
from scheduler.plan.compile import almanac_for, claim_of, compile_plan, default_claim
from scheduler.plan.intervals import containing
from scheduler.plan.rules import Schedule, Window

HORIZON = timedelta(days=8)
"""How far back and ahead the last and the next change are looked for: a week's pattern and a day."""

_INSTANT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the gateway: charge in shown percent, state of the grid. None: that was not asked."""

    charge_percent: float | None = None
    grid: Grid | None = None

    def settles(self, condition: Condition) -> bool | None:
        """Whether an ``if`` is true, None where that hangs on what is not known.

        It is judged as when first looked at: one that held before goes on a little past its bound.
        """
        about_charge = replace(condition, grid=None)
        parts: list[bool | None] = []
        if condition.grid is not None:
            parts.append(None if self.grid is None else condition.grid == self.grid)
        if about_charge != Condition():
            charge = self.charge_percent
            live = None if charge is None else Live(charge_percent=charge, grid=Grid.CONNECTED)
            parts.append(None if live is None else about_charge.holds(live))
        return False if False in parts else None if None in parts else True

    def __str__(self) -> str:
        parts = []
        if self.charge_percent is not None:
            parts.append(f"the charge is {self.charge_percent:.3g} %")
        if self.grid is not None:
            parts.append(f"the grid is {self.grid}")
        return " and ".join(parts)


NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoke:
    """The rule gives these fields.

    ``condition`` is its ``if``, true where ``settled``, else open. ``unless``: rules that come first, in the
    order of the file, with those of the fields that each gives instead if its own open ``if`` is true.
    """

    fields: tuple[str, ...]
    condition: Condition | None = None
    settled: bool = True
    unless: tuple[tuple[Claim, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    """The rule holds, but whenever it does these claims, earlier in the file, give all its fields."""

    by: tuple[Claim, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PassedOver:
    """The rule does not hold; ``because`` names the selector or condition in the way."""

    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A window rule, or the default, and what became of it."""

    claim: Claim
    why: str
    outcome: Spoke | Beaten | PassedOver


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Everything that decides at the instant ``at``. Instants are UTC, prices per kWh in ``currency``.

    ``segment`` holds the claims that compete then: an ``if`` that is known to be true is taken off its claim,
    one that is known to be false takes the claim with it. ``since`` and ``upcoming`` are None where nothing
    changes within `HORIZON`; what is to come is told with every ``if`` open. ``moments`` holds the next one of
    each rule.
    """

    at: datetime
    zone: ZoneInfo
    segment: Segment
    period_line: int | None
    currency: str
    rules: tuple[Heard, ...]
    since: datetime | None
    upcoming: Segment | None
    moments: tuple[Moment, ...]


def explain(schedule: Schedule, instant: datetime, known: Known = NOTHING_KNOWN) -> Explanation:
    """Explain the setpoint at ``instant``, an aware datetime, given what is known of the gateway.

    LookupError if the tariff's holidays are of no known place.
    """
    at = instant.astimezone(UTC)
    timeline = compile_plan(schedule, at - HORIZON, at + HORIZON)
    segment = timeline.at(at)
    almanac = almanac_for(schedule, at, at + _INSTANT)
    period = almanac.stretch_at(at).period
    competing = (_settled(claim, known) for claim in segment.claims)
    asked = timeline.merged()
    now = asked.at(at)
    return Explanation(
        at=at,
        zone=schedule.zone,
        segment=replace(segment, claims=tuple(c for c in competing if c is not None)),
        period_line=None if period is None else period.line,
        currency=schedule.tariff.currency,
        rules=_hear(schedule, almanac, at, known),
        since=None if now.start == asked.start else now.start,
        upcoming=None if now.end == asked.end else asked.at(now.end),
        moments=_next_of_each(timeline, at),
    )


def _settled(claim: Claim, known: Known) -> Claim | None:
    """The claim as far as its ``if`` is still open; None if that is known to be false."""
    holds = claim.condition is None or known.settles(claim.condition)
    return None if holds is False else replace(claim, condition=None) if holds else claim


def _hear(schedule: Schedule, almanac: Almanac, at: datetime, known: Known) -> tuple[Heard, ...]:
    givers: dict[str, list[Claim]] = {}
    heard = []
    for window in (rule for rule in schedule.rules if isinstance(rule, Window)):
        claim = claim_of(window)
        outcome = (
            PassedOver(because=words.why_not(almanac, window.when, at))
            if containing(almanac.window(window), at) is None
            else _heard_out(claim, known, givers)
        )
        heard.append(Heard(claim=claim, why=window.why, outcome=outcome))
    default = default_claim(schedule)
    return (*heard, Heard(claim=default, why="", outcome=_heard_out(default, known, givers)))


def _heard_out(claim: Claim, known: Known, givers: dict[str, list[Claim]]) -> Spoke | Beaten | PassedOver:
    """What a claim whose selectors hold has to say, after those in ``givers``, to which it is added."""
    settled = _settled(claim, known)
    if settled is None:
        return PassedOver(because=f"if {claim.condition}: {known}")
    unless: dict[int, tuple[Claim, tuple[str, ...]]] = {}
    beaten: dict[str, Claim] = {}
    for name in settled.setpoint.given():
        earlier = givers.setdefault(name, [])
        always = next((giver for giver in earlier if giver.condition in {None, settled.condition}), None)
        if always is not None:
            beaten[name] = always
        else:
            for giver in earlier:
                unless[id(giver)] = (giver, (*unless.get(id(giver), (giver, ()))[1], name))
            earlier.append(settled)
    fields = tuple(name for name in settled.setpoint.given() if name not in beaten)
    if not fields:
        return Beaten(by=tuple({id(giver): giver for giver in beaten.values()}.values()))
    return Spoke(
        fields=fields,
        condition=claim.condition,
        settled=settled.condition is None,
        unless=tuple(sorted(unless.values(), key=lambda exception: exception[0].line)),
    )


def _next_of_each(timeline: Timeline, at: datetime) -> tuple[Moment, ...]:
    first: dict[tuple[str, int], Moment] = {}
    for moment in timeline.moments:
        if moment.at >= at:
            first.setdefault((moment.rule, moment.line), moment)
    return tuple(first.values())
