"""What a battery that stood still would have given the house, and what that cost. Pure.

An upper bound: the stretch begins when the battery was last seen well, not when it stopped, and how much was left in it is
not asked.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from scheduler.model.timeline import Timeline

WH_PER_KWH = 1000.0
S_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """What was not given, in watt hours, and what that came to at the import prices, in the tariff's currency.

    ``wh`` is None where nobody saw the watts; ``cost`` is None then too, and where a price is not known.
    """

    wh: float | None
    cost: float | None


@dataclass(frozen=True, slots=True)
class _Part:
    """A stretch in which the battery would have given the same watts all along; None if nobody saw how many."""

    start: datetime
    end: datetime
    watts: float | None


def loss(
    timeline: Timeline,
    since: datetime,
    until: datetime,
    *,
    before_w: float | None,
    after_w: float | None,
    boundary: datetime | None,
) -> Loss:
    """The loss of ``[since, until)``, by the watts that the battery gave before and after; charging counts as zero.

    Before ``boundary`` it would have given what it gave before, from there on what it gave after; without a boundary the
    mean of the two, or the one that is known. All of the stretch must lie in ``timeline`` and have prices for a cost; a price
    below zero counts as zero, since nobody loses by what he is paid for.
    """
    parts = [part for part in _parts(since, until, before_w, after_w, boundary) if part.start < part.end]
    wh, cost = 0.0, 0.0
    priced: float | None = cost
    for part in parts:
        if part.watts is None:
            return Loss(wh=None, cost=None)
        wh += _wh(part.watts, part.start, part.end)
        dear = _cost(timeline, part, part.watts)
        priced = None if dear is None or priced is None else priced + dear
    return Loss(wh=wh, cost=priced)


def _parts(
    since: datetime,
    until: datetime,
    before_w: float | None,
    after_w: float | None,
    boundary: datetime | None,
) -> Iterator[_Part]:
    before, after = (None if watts is None else max(watts, 0.0) for watts in (before_w, after_w))
    if boundary is None:
        known = [watts for watts in (before, after) if watts is not None]
        yield _Part(since, until, sum(known) / len(known) if known else None)
    else:
        yield _Part(since, min(until, boundary), before)
        yield _Part(max(since, boundary), until, after)


def _cost(timeline: Timeline, part: _Part, watts: float) -> float | None:
    if part.start < timeline.start or part.end > timeline.end:
        return None
    cost = 0.0
    for segment in timeline.segments_between(part.start, part.end):
        if segment.import_price is None:
            return None
        wh = _wh(watts, max(segment.start, part.start), min(segment.end, part.end))
        cost += wh / WH_PER_KWH * max(segment.import_price, 0.0)
    return cost


def _wh(watts: float, start: datetime, end: datetime) -> float:
    return watts * (end - start).total_seconds() / S_PER_HOUR
