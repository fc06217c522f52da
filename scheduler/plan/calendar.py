"""Which days and which hours: the selectors that tariff periods and rules share.

Civil dates and minutes of the day only. Zones and instants must not appear here; see `wallclock`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

MINUTES_PER_DAY = 24 * 60
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Hours:
    """``[start, end)`` in minutes after local midnight; ``end`` passes 1440 when the hours cross midnight.

    The part after midnight belongs to the day on which the hours started.
    """

    start_minute: int
    end_minute: int

    def __post_init__(self) -> None:
        if not 0 <= self.start_minute < MINUTES_PER_DAY:
            raise ValueError(f"hours start at minute {self.start_minute}, outside of the day")
        if not self.start_minute < self.end_minute <= self.start_minute + MINUTES_PER_DAY:
            raise ValueError(f"hours of {self.end_minute - self.start_minute} minutes")


ALL_DAY = Hours(0, MINUTES_PER_DAY)


@dataclass(frozen=True, slots=True)
class YearSpan:
    """Days of every year from (month, day) to (month, day), both included; may wrap the year's end."""

    first: tuple[int, int]
    last: tuple[int, int]

    def contains(self, day: date) -> bool:
        """Whether ``day`` lies in the span."""
        it = (day.month, day.day)
        if self.first <= self.last:
            return self.first <= it <= self.last
        return it >= self.first or it <= self.last


@dataclass(frozen=True, slots=True)
class DateSpan:
    """Days from one date to another, both included."""

    first: date
    last: date

    def contains(self, day: date) -> bool:
        """Whether ``day`` lies in the span."""
        return self.first <= day <= self.last


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekDays:
    """Kinds of day, any of which counts: named weekdays (Monday is 0), and the three kinds that holidays
    bend.

    A holiday counts as a holiday and as a weekend day, never as one of the ``weekdays``; a weekday asked for
    by its name is that weekday, holiday or not.
    """

    named: frozenset[int] = frozenset()
    weekdays: bool = False
    weekends: bool = False
    holidays: bool = False

    @property
    def bent_by_holidays(self) -> bool:
        """Whether it matters to these kinds that a day is a holiday."""
        return self.weekdays or self.weekends or self.holidays

    def contains(self, day: date, *, holiday: bool) -> bool:
        """Whether ``day``, which is or is not a holiday, is of one of these kinds."""
        weekend = holiday or day.weekday() >= SATURDAY
        return (
            (self.holidays and holiday)
            or (self.weekends and weekend)
            or (self.weekdays and not weekend)
            or day.weekday() in self.named
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DayFilter:
    """Which days; every part that is given must agree, None means any. Inside a part, any entry is enough."""

    seasons: tuple[YearSpan, ...] | None = None
    days: WeekDays | None = None
    dates: tuple[YearSpan | DateSpan, ...] | None = None

    def contains(self, day: date, *, holiday: bool) -> bool:
        """Whether all parts agree to ``day``, which is or is not a holiday."""
        return (
            (self.seasons is None or any(s.contains(day) for s in self.seasons))
            and (self.days is None or self.days.contains(day, holiday=holiday))
            and (self.dates is None or any(d.contains(day) for d in self.dates))
        )

    @property
    def bent_by_holidays(self) -> bool:
        """Whether it matters to this filter that a day is a holiday."""
        return self.days is not None and self.days.bent_by_holidays


EVERY_DAY = DayFilter()
