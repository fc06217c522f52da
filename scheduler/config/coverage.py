"""Whether the tariff's periods cover every minute of every kind of day, and whether each is ever reached."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler.config.dayclass import NOBODY, DayClass, runs
from scheduler.config.problems import quoted
from scheduler.config.report import Report
from scheduler.config.words import WEEKDAYS
from scheduler.plan.calendar import SATURDAY
from scheduler.plan.tariff import Period

_MOST_TOLD = 3


def check_coverage(periods: Sequence[Period], classes: Sequence[DayClass], report: Report) -> None:
    """An error for minutes that no period covers, a warning for a period that never applies."""
    gaps: dict[tuple[tuple[int, int], ...], list[DayClass]] = {}
    reached: set[int] = set()
    for painted in {id(day.today): day.today for day in classes}.values():
        reached.update(painted.owner)
    if NOBODY in reached:
        for day in classes:
            if gap := tuple((start, end) for start, end, index in runs(day.today.owner) if index == NOBODY):
                gaps.setdefault(gap, []).append(day)
        told = [_gap(gap, days) for gap, days in gaps.items()]
        more = f"; and {len(told) - _MOST_TOLD} more gaps" if len(told) > _MOST_TOLD else ""
        report.error(
            ("tariff", "periods"),
            f"no period covers {'; nor '.join(told[:_MOST_TOLD])}{more}",
            "add a last period without hours, days and season: it takes what the others leave",
            at_key=True,
        )
    for index, period in enumerate(periods):
        if index not in reached:
            message = f"period {quoted(period.name)} never applies"
            hint = "earlier periods take all of its time, or there is no such day"
            report.warn(("tariff", "periods", index), message, hint)


def clock(minute: int) -> str:
    """A minute of the day as HH:MM; the last one ends at 24:00."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _gap(gap: Iterable[tuple[int, int]], days: list[DayClass]) -> str:
    ranges = [f"{clock(start)} to {clock(end)}" for start, end in gap]
    times = " and ".join(ranges[:_MOST_TOLD]) + (" and more" if len(ranges) > _MOST_TOLD else "")
    plain = [day for day in days if not day.holiday and not day.holiday_before]
    example = min(plain or days, key=DayClass.example)
    if plain:
        return f"{times} on {_weekdays({day.weekday for day in plain})}, for example on {example.example()}"
    kind = "a holiday" if example.holiday else "the day after a holiday"
    return f"{times} on {kind}, when that is a {WEEKDAYS[example.weekday].capitalize()}"


def _weekdays(weekdays: set[int]) -> str:
    groups = {7: "any day", 5: "weekdays", 2: "weekends"}
    if len(weekdays) in groups and weekdays in ({*range(7)}, {*range(SATURDAY)}, {SATURDAY, SATURDAY + 1}):
        return groups[len(weekdays)]
    return ", ".join(WEEKDAYS[weekday].capitalize() for weekday in sorted(weekdays))
