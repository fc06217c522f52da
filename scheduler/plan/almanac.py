"""The tariff and the selectors of a schedule, laid out over a stretch of time as intervals of instants.

The compiler and `explain` read the same almanac, so they cannot differ. Who has the say is decided in
`compile`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heappop, heappush
from itertools import groupby, pairwise

from scheduler.plan.calendar import ALL_DAY, EVERY_DAY, DayFilter, Hours
from scheduler.plan.holidays import names_by_day
from scheduler.plan.intervals import Intervals, intersection, union, widened
from scheduler.plan.rules import ClockTime, Relative, Schedule, When, Window
from scheduler.plan.tariff import Period
from scheduler.plan.wallclock import WallClock

_DAY = timedelta(days=1)
_DAYS_BEFORE = 1
"""Hours are at most a day long, so those of the day before are the earliest that reach into this one."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """``[start, end)`` in which one period holds; None where the tariff names none."""

    start: datetime
    end: datetime
    period: Period | None

    @property
    def name(self) -> str | None:
        """The name of its period."""
        return None if self.period is None else self.period.name


class Almanac:
    """What holds when between two UTC instants, for one schedule. Computed when asked for."""

    def __init__(self, schedule: Schedule, start: datetime, end: datetime) -> None:
        """Lay out ``[start, end)``; the caller adds what windows, offsets and deadlines reach beyond its
        plan.
        """
        self.start = start
        self.end = end
        self.clock = WallClock(schedule.zone)
        self._tariff = schedule.tariff
        first = self.clock.day(start) - _DAYS_BEFORE * _DAY
        self.days = tuple(first + n * _DAY for n in range((self.clock.day(end) - first).days + 2))
        self._days_of: dict[DayFilter, tuple[date, ...]] = {}
        self._during: dict[frozenset[str], Intervals] = {}
        self.stretches = tuple(self._stretches())

    def holiday(self, day: date) -> str | None:
        """What this day is called if the tariff has it as a holiday."""
        if self._tariff.holidays is None:
            return None
        return names_by_day(self._tariff.holidays, day.year).get(day)

    def admits(self, on: DayFilter, day: date) -> bool:
        """Whether a day selector agrees to this day."""
        return on.contains(day, holiday=on.bent_by_holidays and self.holiday(day) is not None)

    def selected(self, when: When) -> Intervals:
        """Where all selectors of a rule hold."""
        intervals = self._hours_on_days(when.hours or (ALL_DAY,), when.on)
        return intervals if when.during is None else intersection(intervals, self._in_periods(when.during))

    def window(self, window: Window) -> Intervals:
        """Where a window rule holds, begun early and ended late."""
        return widened(self.selected(window.when), window.early, window.late)

    def stretch_at(self, instant: datetime) -> Stretch:
        """The stretch of the tariff in which ``instant`` lies."""
        return self.stretches[bisect_right(self.stretches, instant, key=lambda stretch: stretch.start) - 1]

    def started_on(self, hours: tuple[Hours, ...], instant: datetime) -> tuple[date, ...]:
        """The days on which hours began that hold at ``instant``, whatever the day selectors say of them."""
        at = self.clock.instant
        return tuple(
            day
            for day in self.days
            if any(at(day, h.start_minute) <= instant < at(day, h.end_minute) for h in hours)
        )

    def instants(self, at: ClockTime | Relative) -> list[datetime]:
        """The instants that ``at`` names, in order."""
        if isinstance(at, ClockTime):
            return sorted({self.clock.instant(day, at.minute) for day in self.days})
        return [edge + at.offset for edge in self._edges(at)]

    def _edges(self, at: Relative) -> Iterator[datetime]:
        """Where stretches of a period name start or end; where the almanac itself does is no such edge."""
        for name, group in groupby(self.stretches, key=lambda stretch: stretch.name):
            stretches = list(group)
            edge = stretches[0].start if at.edge == "starts" else stretches[-1].end
            if name == at.period and edge not in {self.start, self.end}:
                yield edge

    def _in_periods(self, names: frozenset[str]) -> Intervals:
        if names not in self._during:
            self._during[names] = union((s.start, s.end) for s in self.stretches if s.name in names)
        return self._during[names]

    def _hours_on_days(self, hours: tuple[Hours, ...], on: DayFilter) -> Intervals:
        if hours == (ALL_DAY,) and on == EVERY_DAY:
            return ((self.start, self.end),)
        if on not in self._days_of:
            self._days_of[on] = tuple(day for day in self.days if self.admits(on, day))
        instant = self.clock.instant
        return union(
            (instant(day, h.start_minute), instant(day, h.end_minute))
            for day in self._days_of[on]
            for h in hours
        )

    def _stretches(self) -> Iterator[Stretch]:
        """The tariff without gap or overlap: at each instant the first period of the file that has it."""
        periods = self._tariff.periods
        pieces = [
            (max(start, self.start), min(end, self.end), rank)
            for rank, period in enumerate(periods)
            for start, end in self._hours_on_days(period.hours, period.on)
            if start < self.end and end > self.start
        ]
        pieces.sort()
        cuts = sorted({self.start, self.end, *(p[0] for p in pieces), *(p[1] for p in pieces)})
        holding: list[tuple[int, datetime]] = []
        following = 0
        current = Stretch(self.start, self.start, None)
        for start, end in pairwise(cuts):
            while following < len(pieces) and pieces[following][0] <= start:
                heappush(holding, (pieces[following][2], pieces[following][1]))
                following += 1
            while holding and holding[0][1] <= start:
                heappop(holding)
            period = periods[holding[0][0]] if holding else None
            if period is current.period:
                current = Stretch(current.start, end, period)
            else:
                if current.start < current.end:
                    yield current
                current = Stretch(start, end, period)
        yield current
