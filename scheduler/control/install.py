"""Whether an install may begin now: only if it will be over in time, and never near the dear hours. Pure.

An install takes the gateway away for minutes, and the battery stands still meanwhile. How one is done is `upkeep`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Segment, Timeline
from scheduler.plan.wallclock import WallClock
from scheduler.plan.words import instant_text

BUDGET = timedelta(minutes=25)
"""What an install is given at least: the README of the gateway tells of 15 minutes, and of 40 from check to discharge."""

ROOM = 1.5
"""The longest install that was seen on this gateway, and a half."""

LEARNABLE_S = 2 * 3600.0
"""A longer absence says nothing of an install."""

CLEAR_OF_PEAK = timedelta(minutes=15)
"""So long before the dearest hours an install must be over."""

AHEAD = timedelta(hours=24)
"""How far an opportunity is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the loop knows when a moment is attended.

    ``fine`` has every price; ``segments`` are those of the coming day in which the setpoint stays the same, the present one
    first. ``proven``: the last switch read back. ``longest_s`` tells the longest install that was seen on this gateway, in
    seconds, None if none was. ``trusted``: the clock is believed. ``refusal`` is what this gateway is known not to do, in words; ``zone`` that of the site.
    ``held``: a person holds the setpoint.
    """

    fine: Timeline
    segments: tuple[Segment, ...]
    desired: Setpoint
    proven: bool
    zone: ZoneInfo
    longest_s: Callable[[], float | None] = lambda: None
    refusal: str | None = None
    trusted: bool = True
    held: bool = False

    @property
    def budget(self) -> timedelta:
        """How long an install is given: `BUDGET`, or more where a longer one was seen on this gateway."""
        return max(BUDGET, timedelta(seconds=self.longest_s() or 0.0) * ROOM)


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Why an install may not begin. ``lasting``: waiting does not help within this moment."""

    reason: str
    lasting: bool


def longest_install_s(history: Iterable[Mapping[str, Any]]) -> float | None:
    """The longest install that we asked for among the events of a journal, in seconds; None if there was none.

    One of more than `LEARNABLE_S` is none: somebody pulled a plug. What the gateway did by itself nobody timed.
    """
    took = (event.get("took_s") for event in history if event.get("by_us") is True)
    return max((t for t in took if isinstance(t, int | float) and t <= LEARNABLE_S), default=None)


def must_be_over(now: datetime, deadline: datetime, standing: Standing) -> tuple[datetime, str]:
    """By when an install that begins ``now`` must be over, and what comes then."""
    ends = [(deadline, "it must be over"), (standing.segments[0].end, "another setpoint is due")]
    dear = dear_from(standing.fine, now, now)
    if dear is not None:
        ends.append((dear - CLEAR_OF_PEAK, "the dearest hours are near"))
    return min(ends, key=lambda end: end[0])


def dear_from(fine: Timeline, now: datetime, begin: datetime) -> datetime | None:
    """Since when the dearest hours last at ``begin``, or when they begin then; None where all hours cost the same.

    The hours of the coming day count, by their price: a tariff has other prices in another season.
    """
    coming = fine.segments_between(now, now + AHEAD)
    prices = {segment.import_price for segment in coming if segment.import_price is not None}
    if len(prices) < 2:  # noqa: PLR2004 - one price for all hours
        return None
    dearest = max(prices)
    dear = (segment for segment in coming if segment.import_price == dearest and segment.end > begin)
    return next((segment.start for segment in dear), None)


def obstacle(now: datetime, deadline: datetime, standing: Standing) -> Obstacle | None:
    """Why an install may not begin ``now`` by what the plan says; None if it may."""
    takes = standing.budget
    over, then = must_be_over(now, deadline, standing)
    left = over - now
    if left < takes:
        minutes = max(left // timedelta(minutes=1), 0)
        return Obstacle(
            f"{then} in {minutes} minutes, and an install is given {takes / timedelta(minutes=1):.0f}",
            lasting=True,
        )
    if not standing.trusted:
        return Obstacle("the machine's clock is not trusted", lasting=False)
    if standing.refusal is not None:
        return Obstacle(standing.refusal, lasting=True)
    if standing.held:  # a storm may be why, and an install takes the battery away for minutes
        return Obstacle("a person holds the setpoint, and may need the battery now", lasting=False)
    if not standing.proven:
        return Obstacle("the battery is not proven to have the setpoint that the plan wants", lasting=False)
    return None


def obstacle_there(standing: Standing, actual: Setpoint, grid: Grid) -> Obstacle | None:
    """Why an install may not begin by what the gateway says itself; None if it may."""
    if not standing.desired.is_met_by(actual):
        return Obstacle(f"the gateway has {actual}, and the plan wants {standing.desired}", lasting=False)
    if grid is not Grid.CONNECTED:
        return Obstacle(
            "the house runs without the grid, and an install would leave it in the dark", lasting=False
        )
    return None


def opportunity(now: datetime, standing: Standing) -> str:
    """When in the coming day an install could begin that lies wholly in the cheapest hours, in words, or that there is no such time."""
    takes = standing.budget
    best: tuple[float, datetime, datetime] | None = None
    for segment in standing.segments:
        for piece in standing.fine.segments_between(max(segment.start, now), min(segment.end, now + AHEAD)):
            begin = max(piece.start, segment.start, now)
            dear = dear_from(standing.fine, now, begin)
            ends = [segment.end, *([] if dear is None else [dear - CLEAR_OF_PEAK])]
            last = min(*ends, piece.end) - takes
            price = piece.import_price or 0.0
            if last > begin and (best is None or price < best[0]):
                best = (price, begin, last)
    if best is None:
        return "the coming day has no time for it"
    clock = WallClock(standing.zone)
    return f"it could begin from {instant_text(best[1], clock)} to {instant_text(best[2], clock)}"
