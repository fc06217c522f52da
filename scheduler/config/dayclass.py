"""All days that the tariff can tell apart, each once: which period has which minute of such a day.

Wall-clock minutes of civil days, for the checks of a file. What happens on a real date, where clocks may
change, is the plan's business.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache

from scheduler.plan.calendar import MINUTES_PER_DAY, DateSpan, DayFilter, Hours, WeekDays, YearSpan
from scheduler.plan.tariff import Period

NOBODY = -1
EVERY_MONTHDAY = (1 << 366) - 1
EVERY_KIND = (1 << 14) - 1

_LEAP_YEAR = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
_MONDAY = date(2024, 1, 1)


class Painted:
    """A day's minutes with their periods. ``owner[minute]`` is an index into the periods, or NOBODY."""

    def __init__(self, owner: list[int], names: Sequence[str]) -> None:
        self.owner = owner
        self._names = names
        self._masks: dict[str, int] | None = None

    def minutes_of(self, names: frozenset[str]) -> int:
        """The minutes that periods of these names have, as bits."""
        if self._masks is None:
            self._masks = {}
            for start, end, index in runs(self.owner):
                name = self._names[index] if index != NOBODY else ""
                self._masks[name] = self._masks.get(name, 0) | bits(start, end)
        mask = 0
        for name in names:
            mask |= self._masks.get(name, 0)
        return mask

    def name_at(self, minute: int) -> str | None:
        """The name of the period that has this minute."""
        index = self.owner[minute]
        return self._names[index] if index != NOBODY else None


@dataclass(frozen=True, slots=True, kw_only=True)
class DayClass:
    """Days that the tariff does not tell apart.

    ``monthdays`` are bits for the days of a leap year on which such a day can fall. ``before`` is how the day
    before looks (exactly, but for hours that reach into it from two days earlier and last until its end).
    """

    monthdays: int
    weekday: int
    holiday: bool
    holiday_before: bool
    season: int
    today: Painted
    before: Painted

    def example(self) -> date:
        """The first such date from 2026 on, holidays aside."""
        for year in range(2026, 2066):
            for day in _LEAP_YEAR:
                if self.monthdays >> _LEAP_YEAR.index(day) & 1 and (day.month, day.day) != (2, 29):
                    real = day.replace(year=year)
                    if real.weekday() == self.weekday:
                        return real
        return date(2028, 2, 29)  # the only monthday left out above


def day_classes(periods: Sequence[Period], *, holidays: bool) -> tuple[DayClass, ...]:
    """Every kind of day under these periods; with ``holidays`` also those that are one, or follow one."""
    names = [period.name for period in periods]
    in_season = _bits_by_monthday([monthdays(period.on.seasons) for period in periods])
    of_kind = [
        sum(1 << n for n, period in enumerate(periods) if kinds(period.on.days) >> kind & 1)
        for kind in range(14)
    ]

    @cache
    def painted(before: int, today: int) -> Painted:
        owner = [NOBODY] * MINUTES_PER_DAY
        for index in range(len(periods) - 1, -1, -1):  # first match wins, so the first is painted last
            for hours in periods[index].hours:
                if today >> index & 1:
                    end = min(hours.end_minute, MINUTES_PER_DAY)
                    owner[hours.start_minute : end] = [index] * (end - hours.start_minute)
                if before >> index & 1 and hours.end_minute > MINUTES_PER_DAY:
                    owner[: hours.end_minute - MINUTES_PER_DAY] = [index] * (
                        hours.end_minute - MINUTES_PER_DAY
                    )
        return Painted(owner, names)

    turns: dict[tuple[int, int], int] = {}
    for n, today in enumerate(in_season):
        turn = (in_season[n - 1], today)
        turns[turn] = turns.get(turn, 0) | 1 << n

    def day_class(turn: tuple[int, int], weekday: int, *, holiday: bool, holiday_before: bool) -> DayClass:
        before = turn[0] & of_kind[_kind(weekday - 1, holiday=holiday_before)]
        return DayClass(
            monthdays=turns[turn],
            weekday=weekday,
            holiday=holiday,
            holiday_before=holiday_before,
            season=turn[1],
            today=painted(before, turn[1] & of_kind[_kind(weekday, holiday=holiday)]),
            before=painted(before, before),
        )

    flags = (False, True) if holidays else (False,)
    return tuple(
        day_class(turn, weekday, holiday=holiday, holiday_before=holiday_before)
        for turn in turns
        for holiday in flags
        for holiday_before in flags
        for weekday in range(7)
    )


def _kind(weekday: int, *, holiday: bool) -> int:
    """The number of a kind of day, from 0 to 13; the day before Monday is a Sunday."""
    return weekday % 7 * 2 + holiday


def _bits_by_monthday(masks: list[int]) -> list[int]:
    """For each day of a leap year, which of the masks have it."""
    together: dict[int, int] = {}
    for n, mask in enumerate(masks):
        together[mask] = together.get(mask, 0) | 1 << n
    return [sum(members for mask, members in together.items() if mask >> day & 1) for day in range(366)]


@lru_cache(maxsize=1024)
def monthdays(spans: tuple[YearSpan, ...] | None) -> int:
    """The days of a leap year within any of the spans, as bits; all of them for None."""
    if spans is None:
        return EVERY_MONTHDAY
    return sum(1 << n for n, day in enumerate(_LEAP_YEAR) if any(span.contains(day) for span in spans))


@lru_cache(maxsize=1024)
def kinds(days: WeekDays | None) -> int:
    """The kinds of day that a selector takes, as bits: weekday * 2, plus 1 for a holiday."""
    if days is None:
        return EVERY_KIND
    every = ((weekday, holiday) for weekday in range(7) for holiday in (False, True))
    return sum(
        1 << weekday * 2 + holiday
        for weekday, holiday in every
        if days.contains(_MONDAY + timedelta(days=weekday), holiday=holiday)
    )


@lru_cache(maxsize=4096)
def choices(on: DayFilter) -> tuple[tuple[int, int], ...]:
    """The days that a filter takes, as pairs of monthdays and kinds, any of which is enough."""
    season, days = monthdays(on.seasons), kinds(on.days)
    if on.dates is None:
        return ((season, days),)
    found = []
    for span in on.dates:
        span_monthdays, span_kinds = _span(span)
        if span_monthdays & season and span_kinds & days:
            found.append((span_monthdays & season, span_kinds & days))
    return tuple(found)


def _span(span: YearSpan | DateSpan) -> tuple[int, int]:
    if isinstance(span, YearSpan):
        return monthdays((span,)), EVERY_KIND
    ends = YearSpan((span.first.month, span.first.day), (span.last.month, span.last.day))
    length = (span.last - span.first).days + 1
    weekdays = {(span.first.weekday() + n) % 7 for n in range(min(7, length))}
    return (
        monthdays((ends,)) if length < 365 else EVERY_MONTHDAY,  # noqa: PLR2004 - a year
        sum(0b11 << weekday * 2 for weekday in weekdays),
    )


def bits(start: int, end: int) -> int:
    """The minutes ``[start, end)`` as bits."""
    return (1 << end) - (1 << start) if end > start else 0


def own_minutes(hours: tuple[Hours, ...]) -> int:
    """The minutes of these hours on the day on which they start, as bits."""
    mask = 0
    for one in hours:
        mask |= bits(one.start_minute, min(one.end_minute, MINUTES_PER_DAY))
    return mask


def spilt_minutes(hours: tuple[Hours, ...]) -> int:
    """The minutes of these hours on the day after, as bits."""
    mask = 0
    for one in hours:
        mask |= bits(0, one.end_minute - MINUTES_PER_DAY)
    return mask


def runs(owner: list[int]) -> Iterator[tuple[int, int, int]]:
    """Stretches ``[start, end)`` of minutes that have one owner."""
    start = 0
    for minute in range(1, len(owner) + 1):
        if minute == len(owner) or owner[minute] != owner[start]:
            yield start, minute, owner[start]
            start = minute
