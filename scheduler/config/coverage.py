"""Whether the tariff's periods cover every minute of every kind of day, and whether each is ever reached.

Exact over all days that the tariff can tell apart, on the wall clock; sets of days, minutes and periods are bits
of an integer. What happens on a real date, where clocks may change, is the plan's business.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from scheduler.config.problems import quoted
from scheduler.config.report import Report
from scheduler.config.words import WEEKDAYS
from scheduler.plan.calendar import MINUTES_PER_DAY, SATURDAY, YearSpan
from scheduler.plan.tariff import Period

_MOST_TOLD = 3
_LEAP_YEAR = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
_MONDAY = date(2024, 1, 1)
_WHOLE_DAY = (1 << MINUTES_PER_DAY) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Day:
    """Days that the tariff does not tell apart; ``monthdays`` are those of a leap year where one can fall.

    ``today`` and ``before`` are the periods that count on such a day and on the day before it.
    """

    monthdays: int
    weekday: int
    holiday: bool
    holiday_before: bool
    today: int
    before: int

    def example(self) -> date:
        """The first such date from 2026 on, holidays aside."""
        for year in range(2026, 2066):
            for n, day in enumerate(_LEAP_YEAR):
                if self.monthdays >> n & 1 and (day.month, day.day) != (2, 29):
                    real = day.replace(year=year)
                    if real.weekday() == self.weekday:
                        return real
        return date(2028, 2, 29)  # the only monthday left out above


def check_coverage(periods: Sequence[Period], report: Report, *, holidays: bool) -> None:
    """An error for minutes that no period covers, a warning for a period that never applies.

    With ``holidays`` there are days that are one, or follow one.
    """
    gaps: dict[int, list[_Day]] = {}
    reached = 0
    painted = _painter(periods)
    for day in _days(periods, holidays=holidays):
        free, taken = painted(day.today, day.before)
        reached |= taken
        if free:
            gaps.setdefault(free, []).append(day)
    if gaps:
        told = [_gap(free, days) for free, days in list(gaps.items())[:_MOST_TOLD]]
        more = f"; and {len(gaps) - _MOST_TOLD} more gaps" if len(gaps) > _MOST_TOLD else ""
        report.error(
            ("tariff", "periods"),
            f"no period covers {'; nor '.join(told)}{more}",
            "add a last period without hours, days and season: it takes what the others leave",
            at_key=True,
        )
    for index, period in enumerate(periods):
        if not reached >> index & 1:
            message = f"period {quoted(period.name)} never applies"
            hint = "earlier periods take all of its time, or there is no such day"
            report.warn(("tariff", "periods", index), message, hint)


def _days(periods: Sequence[Period], *, holidays: bool) -> Iterator[_Day]:
    """Every kind of day under these periods."""
    in_season = _in_season(periods)
    turns: dict[tuple[int, int], int] = {}
    for n, today in enumerate(in_season):
        turn = (in_season[n - 1], today)
        turns[turn] = turns.get(turn, 0) | 1 << n

    @cache
    def of_kind(weekday: int, holiday: bool) -> int:  # noqa: FBT001 - a key of the cache
        day = _MONDAY + timedelta(days=weekday % 7)
        return _bits(p.on.days is None or p.on.days.contains(day, holiday=holiday) for p in periods)

    flags = (False, True) if holidays else (False,)
    for turn, monthdays in turns.items():
        for holiday in flags:
            for holiday_before in flags:
                for weekday in range(7):
                    yield _Day(
                        monthdays=monthdays,
                        weekday=weekday,
                        holiday=holiday,
                        holiday_before=holiday_before,
                        today=turn[1] & of_kind(weekday, holiday),
                        before=turn[0] & of_kind(weekday - 1, holiday_before),
                    )


def _in_season(periods: Sequence[Period]) -> list[int]:
    """For each day of a leap year, the periods whose season it is."""
    whole_year = (YearSpan((1, 1), (12, 31)),)
    monthdays = {
        seasons: _bits(any(span.contains(day) for span in seasons) for day in _LEAP_YEAR)
        for seasons in {period.on.seasons or whole_year for period in periods}
    }
    masks = [monthdays[period.on.seasons or whole_year] for period in periods]
    return [_bits(mask >> n & 1 for mask in masks) for n in range(len(_LEAP_YEAR))]


def _painter(periods: Sequence[Period]) -> Callable[[int, int], tuple[int, int]]:
    """A function of today's and yesterday's periods: which minutes they leave free, and which have a part."""
    own, spilt = [0] * len(periods), [0] * len(periods)
    for index, period in enumerate(periods):
        for hours in period.hours:
            minutes = (1 << hours.end_minute) - (1 << hours.start_minute)
            own[index] |= minutes & _WHOLE_DAY
            spilt[index] |= minutes >> MINUTES_PER_DAY

    @cache
    def painted(today: int, before: int) -> tuple[int, int]:
        free, taken = _WHOLE_DAY, 0
        for index in range(len(periods)):
            minutes = own[index] * (today >> index & 1) | spilt[index] * (before >> index & 1)
            if minutes & free:
                taken |= 1 << index
                free &= ~minutes
        return free, taken

    return painted


def _bits(flags: Iterable[object]) -> int:
    return sum(1 << n for n, flag in enumerate(flags) if flag)


def _gap(free: int, days: list[_Day]) -> str:
    ranges = [f"{_clock(start)} to {_clock(end)}" for start, end in _ranges(free)]
    times = " and ".join(ranges[:_MOST_TOLD]) + (" and more" if len(ranges) > _MOST_TOLD else "")
    plain = [day for day in days if not day.holiday and not day.holiday_before]
    example = min(plain or days, key=_Day.example)
    if plain:
        return f"{times} on {_weekdays({day.weekday for day in plain})}, for example on {example.example()}"
    kind = "a holiday" if example.holiday else "the day after a holiday"
    return f"{times} on {kind}, when that is a {WEEKDAYS[example.weekday].capitalize()}"


def _ranges(minutes: int) -> Iterator[tuple[int, int]]:
    """Stretches ``[start, end)`` of minutes that are set."""
    while minutes:
        start = (minutes & -minutes).bit_length() - 1
        filled = minutes + (1 << start)  # carries past the last minute of the stretch
        end = (filled & -filled).bit_length() - 1
        yield start, end
        minutes &= -1 << end


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"


def _weekdays(weekdays: set[int]) -> str:
    groups = {7: "any day", 5: "weekdays", 2: "weekends"}
    if len(weekdays) in groups and weekdays in ({*range(7)}, {*range(SATURDAY)}, {SATURDAY, SATURDAY + 1}):
        return groups[len(weekdays)]
    return ", ".join(WEEKDAYS[weekday].capitalize() for weekday in sorted(weekdays))
