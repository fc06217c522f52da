"""Why this setpoint at this instant: every rule with what became of it, the line that decided, and what comes
next.

Where rules hold is read from the almanac that the compiler reads, so an explanation cannot differ from the
plan. How it is told, as text and as JSON, lives in `account`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.model.reading import Live
from scheduler.model.setpoint import Setpoint
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
class Spoke:
    """The rule gave these fields. ``condition``: its ``if``, which is true or, without a reading, taken as
    true.
    """

    fields: tuple[str, ...]
    condition: Condition | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Beaten:
    """The rule holds, but these claims, earlier in the file, had already given all its fields."""

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

    ``since`` and ``upcoming`` are None where nothing changes within `HORIZON`; ``moments`` holds the next one
    of each rule. What is to come is told with every ``if`` taken as true, as in the plan.
    """

    at: datetime
    zone: ZoneInfo
    period: str | None
    period_line: int | None
    import_price: float | None
    export_price: float | None
    currency: str
    setpoint: Setpoint
    rules: tuple[Heard, ...]
    live: Live | None
    since: datetime | None
    upcoming: Segment | None
    moments: tuple[Moment, ...]


def explain(schedule: Schedule, instant: datetime, live: Live | None = None) -> Explanation:
    """Explain the setpoint at ``instant``, an aware datetime, given what the gateway says, if that is known.

    LookupError if the tariff's holidays are of no known place.
    """
    at = instant.astimezone(UTC)
    timeline = compile_plan(schedule, at - HORIZON, at + HORIZON)
    segment = timeline.at(at)
    almanac = almanac_for(schedule, at, at + _INSTANT)
    period = almanac.stretch_at(at).period
    asked = timeline.merged()
    now = asked.at(at)
    return Explanation(
        at=at,
        zone=schedule.zone,
        period=segment.period,
        period_line=None if period is None else period.line,
        import_price=segment.import_price,
        export_price=segment.export_price,
        currency=schedule.tariff.currency,
        setpoint=segment.spoken(live).setpoint,
        rules=_hear(schedule, almanac, at, live),
        live=live,
        since=None if now.start == asked.start else now.start,
        upcoming=None if now.end == asked.end else asked.at(now.end),
        moments=_next_of_each(timeline, at),
    )


def _hear(schedule: Schedule, almanac: Almanac, at: datetime, live: Live | None) -> tuple[Heard, ...]:
    givers: dict[str, Claim] = {}
    heard = []
    for window in (rule for rule in schedule.rules if isinstance(rule, Window)):
        claim = claim_of(window)
        because = _in_the_way(almanac, window, at, live)
        outcome = PassedOver(because=because) if because is not None else _heard_out(claim, givers)
        heard.append(Heard(claim=claim, why=window.why, outcome=outcome))
    default = default_claim(schedule)
    return (*heard, Heard(claim=default, why="", outcome=_heard_out(default, givers)))


def _in_the_way(almanac: Almanac, window: Window, at: datetime, live: Live | None) -> str | None:
    if containing(almanac.window(window), at) is None:
        return words.why_not(almanac, window.when, at)
    if window.condition is not None and live is not None and not window.condition.holds(live):
        return words.condition_unmet(window.condition, live)
    return None


def _heard_out(claim: Claim, givers: dict[str, Claim]) -> Spoke | Beaten:
    """What a claim that holds has to say, after those that ``givers`` remembers; it is added to them."""
    asked = claim.setpoint.given()
    fields = tuple(field for field in asked if field not in givers)
    if not fields:
        before = {id(givers[field]): givers[field] for field in asked}
        return Beaten(by=tuple(before.values()))
    givers.update(dict.fromkeys(fields, claim))
    return Spoke(fields=fields, condition=claim.condition)


def _next_of_each(timeline: Timeline, at: datetime) -> tuple[Moment, ...]:
    first: dict[tuple[str, int], Moment] = {}
    for moment in timeline.moments:
        if moment.at >= at:
            first.setdefault((moment.rule, moment.line), moment)
    return tuple(first.values())
