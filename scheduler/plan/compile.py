"""From the schedule to the plan: who has the say at each instant, and what is to be done when.

Precedence is decided here, field by field in the order of the file. Where selectors hold is the business of
`almanac`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from operator import itemgetter

from scheduler.model.timeline import DEFAULT, Claim, Condition, Moment, Segment, Timeline
from scheduler.plan.almanac import Almanac
from scheduler.plan.intervals import Interval, containing
from scheduler.plan.rules import ZERO, MomentRule, Relative, Schedule, Window

DONE_WITHIN = timedelta(hours=48)
"""A ``done_by`` further away than this belongs to another moment."""

_MARGIN = timedelta(days=1)
"""Beyond what rules reach, so that the edge of the almanac is never taken for the edge of a period."""


def compile_plan(schedule: Schedule, start: datetime, end: datetime) -> Timeline:
    """The plan for ``[start, end)``, two aware datetimes; its instants are UTC.

    ValueError if there is no time between the two, LookupError if the tariff's holidays are of no known
    place.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if start >= end:
        raise ValueError(f"a plan from {start} to {end} has no length")
    almanac = almanac_for(schedule, start, end)
    return Timeline(tuple(_segments(schedule, almanac, start, end)), _moments(schedule, almanac, start, end))


def almanac_for(schedule: Schedule, start: datetime, end: datetime) -> Almanac:
    """The almanac that reaches as far beyond the two UTC instants as any rule of the schedule can see."""
    reach = max((_reach(rule) for rule in schedule.rules), default=ZERO) + _MARGIN
    return Almanac(schedule, start - reach, end + reach)


def _reach(rule: Window | MomentRule) -> timedelta:
    if isinstance(rule, Window):
        return max(rule.early, rule.late)
    offsets = [abs(at.offset) for at in (rule.at, rule.done_by) if isinstance(at, Relative)]
    return max(offsets, default=ZERO) + (DONE_WITHIN if rule.done_by is not None else ZERO)


def claim_of(window: Window) -> Claim:
    """What a window rule says where it holds."""
    return Claim(
        name=window.name,
        line=window.line,
        setpoint=window.setpoint,
        condition=window.condition,
        on_drift=window.on_drift,
    )


def default_claim(schedule: Schedule) -> Claim:
    """What the file says where no rule does."""
    return Claim(
        name=DEFAULT,
        line=schedule.default_line,
        setpoint=schedule.default,
        origin=schedule.default_origin,
    )


class _Hearing:
    """The rules that hold at an instant that only moves on, and which of them can have a say.

    A claim has none once earlier ones without a condition, or with the same one, have given all its fields.
    For each condition and field a heap knows the first of those; an entry whose time is over is dropped when
    it comes to the top.
    """

    def __init__(self, claims: tuple[Claim, ...]) -> None:
        """``claims`` in order of precedence; the last one, the default, always holds."""
        self._claims = claims
        self._holding: dict[tuple[Condition | None, str], list[tuple[int, datetime]]] = {}

    def open(self, rank: int, end: datetime) -> None:
        """Let the claim of this rank speak until ``end``."""
        claim = self._claims[rank]
        for name in claim.setpoint.given():
            heappush(self._holding.setdefault((claim.condition, name), []), (rank, end))

    def ranks(self, now: datetime) -> tuple[int, ...]:
        """The ranks of the claims that can have a say, in order."""
        first: dict[tuple[Condition | None, str], int] = {}
        for key, heap in self._holding.items():
            while heap and heap[0][1] <= now:
                heappop(heap)
            if heap:
                first[key] = heap[0][0]
        default = len(self._claims) - 1
        heard = {rank for (_, name), rank in first.items() if rank <= first.get((None, name), default)}
        return tuple(sorted(heard | {default}))


def _segments(schedule: Schedule, almanac: Almanac, start: datetime, end: datetime) -> Iterator[Segment]:
    windows = [rule for rule in schedule.rules if isinstance(rule, Window)]
    claims = (*map(claim_of, windows), default_claim(schedule))
    openings = [
        (opened, closed, rank)
        for rank, window in enumerate(windows)
        for opened, closed in _clipped(almanac.window(window), start, end)
    ]
    openings.sort(key=itemgetter(0))
    stretches = [s for s in almanac.stretches if s.start < end and s.end > start]
    cuts = {start, *(max(s.start, start) for s in stretches)}
    cuts.update(opening[0] for opening in openings)
    cuts.update(opening[1] for opening in openings if opening[1] < end)
    hearing = _Hearing(claims)
    following = at_stretch = 0
    began, said = start, None
    for cut in sorted(cuts):
        while following < len(openings) and openings[following][0] <= cut:
            hearing.open(openings[following][2], openings[following][1])
            following += 1
        while stretches[at_stretch].end <= cut:
            at_stretch += 1
        period = stretches[at_stretch].period
        priced = (period.name, period.import_price, period.export_price) if period else (None, None, None)
        saying = (hearing.ranks(cut), priced)
        if said is not None and saying != said:
            yield _segment(began, cut, claims, *said)
            began = cut
        said = saying
    if said is not None:
        yield _segment(began, end, claims, *said)


def _segment(
    start: datetime,
    end: datetime,
    claims: tuple[Claim, ...],
    ranks: tuple[int, ...],
    priced: tuple[str | None, float | None, float | None],
) -> Segment:
    return Segment(
        start=start,
        end=end,
        period=priced[0],
        import_price=priced[1],
        export_price=priced[2],
        claims=tuple(claims[rank] for rank in ranks),
    )


def _clipped(intervals: Iterable[Interval], start: datetime, end: datetime) -> Iterator[Interval]:
    for opened, closed in intervals:
        if opened < end and closed > start:
            yield max(opened, start), min(closed, end)


def _moments(schedule: Schedule, almanac: Almanac, start: datetime, end: datetime) -> tuple[Moment, ...]:
    moments = [
        moment
        for rule in schedule.rules
        if isinstance(rule, MomentRule)
        for moment in _moments_of(rule, almanac, start, end)
    ]
    # Python's sort is stable: moments of one instant stay in the order of the file.
    return tuple(sorted(moments, key=lambda moment: moment.at))


def _moments_of(rule: MomentRule, almanac: Almanac, start: datetime, end: datetime) -> Iterator[Moment]:
    selected = almanac.selected(rule.when)
    deadlines = almanac.instants(rule.done_by) if rule.done_by is not None else []
    for at in almanac.instants(rule.at):
        if not start <= at < end or containing(selected, at) is None:
            continue
        following = deadlines[bisect_right(deadlines, at) :][:1]
        yield Moment(
            at=at,
            do=rule.do,
            rule=rule.name,
            line=rule.line,
            install=rule.install,
            done_by=following[0] if following and following[0] - at <= DONE_WITHIN else None,
            condition=rule.condition,
        )
