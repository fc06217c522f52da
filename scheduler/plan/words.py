"""Selectors and conditions in the words of the file, and why one does not hold at an instant.

Words only: whether a selector holds is answered by `almanac`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from scheduler.model.reading import Live
from scheduler.model.timeline import Condition, Moment, Segment
from scheduler.plan.almanac import Almanac
from scheduler.plan.calendar import ALL_DAY, MINUTES_PER_DAY, DateSpan, DayFilter, Hours, WeekDays, YearSpan
from scheduler.plan.rules import When

FIELD_WORDS = {"mode": "mode", "reserve_percent": "reserve"}
"""What the file calls the fields of a setpoint."""

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def why_not(almanac: Almanac, when: When, instant: datetime) -> str:
    """Which selector of a rule that does not hold at ``instant`` is in the way, and what is so instead."""
    if when.during is not None:
        period = almanac.stretch_at(instant).name
        if period not in when.during:
            it_is = "no period covers this time" if period is None else f"the period is {period}"
            return f"during {', '.join(sorted(when.during))}: {it_is}"
    started = almanac.started_on(when.hours or (ALL_DAY,), instant)
    if when.hours is not None and not started:
        shown = instant.astimezone(almanac.clock.zone)
        return f"hours {', '.join(map(_hours, when.hours))}: it is {shown:%H:%M}"
    # Every instant lies in some calendar day, so without hours there is always one that was judged.
    return _why_not_on(almanac, when.on, started[-1], today=almanac.clock.day(instant))


def _why_not_on(almanac: Almanac, on: DayFilter, day: date, *, today: date) -> str:
    name = f"{day}" if day == today else f"{day}, when these hours began,"
    if on.seasons is not None and not any(season.contains(day) for season in on.seasons):
        return f"season {_spans(on.seasons)}: {name} is not in it"
    if on.days is not None and not almanac.admits(DayFilter(days=on.days), day):
        holiday = almanac.holiday(day)
        kind = f"a {_WEEKDAYS[day.weekday()]}" + (f" and a holiday ({holiday})" if holiday else "")
        return f"days {_days(on.days)}: {name} is {kind}"
    return f"dates {_spans(on.dates or ())}: {name} is not one of them"


def condition_unmet(condition: Condition, live: Live) -> str:
    """Why an ``if`` is not true of what the gateway says."""
    return f"if {condition}: the charge is {live.charge_percent:.3g} % and the grid {live.grid}"


def fields(names: Iterable[str]) -> str:
    """Fields of a setpoint, joined as in a sentence."""
    return " and ".join(FIELD_WORDS[name] for name in names)


def asked(segment: Segment) -> str:
    """What a segment asks for, and what else where an ``if`` is false.

    Fields that hang on different conditions have too many combinations for a line: `explain` tells the one
    that is.
    """
    spoken = segment.spoken()
    otherwise = segment.otherwise()
    if otherwise is None:
        return str(spoken.setpoint)
    conditions = dict.fromkeys(
        str(claim.condition) for claim, _ in spoken.claims if claim.condition is not None
    )
    rest = asked(otherwise) if len(conditions) == 1 else "it depends"
    return f"{spoken.setpoint} if {' and '.join(conditions)}, otherwise {rest}"


def deed(moment: Moment, zone: ZoneInfo) -> str:
    """What is to be done at a moment, and until when."""
    parts = [
        moment.do,
        "install" if moment.install else "",
        "" if moment.condition is None else f"if {moment.condition}",
    ]
    if moment.done_by is not None:
        parts.append(f"done by {moment.done_by.astimezone(zone):%H:%M}")
    return ", ".join(part for part in parts if part)


def day_name(day: date) -> str:
    """A date as people write it, in English whatever the machine speaks: ``Saturday 2026-07-04``."""
    return f"{_WEEKDAYS[day.weekday()]} {day}"


def _hours(hours: Hours) -> str:
    end = hours.end_minute if hours.end_minute == MINUTES_PER_DAY else hours.end_minute % MINUTES_PER_DAY
    return f"{_clock_time(hours.start_minute)}-{_clock_time(end)}"


def _clock_time(minute: int) -> str:
    return "{:02}:{:02}".format(*divmod(minute, 60))


def _days(days: WeekDays) -> str:
    kinds = [kind for kind in ("weekdays", "weekends", "holidays") if getattr(days, kind)]
    return ", ".join((*kinds, *(_WEEKDAYS[number] for number in sorted(days.named))))


def _spans(spans: Iterable[YearSpan | DateSpan]) -> str:
    return ", ".join(_span(span) for span in spans)


def _span(span: YearSpan | DateSpan) -> str:
    if isinstance(span, DateSpan):
        first, last = str(span.first), str(span.last)
    else:
        first, last = (f"{_MONTHS[month - 1]} {day}" for month, day in (span.first, span.last))
    return first if first == last else f"{first} to {last}"
