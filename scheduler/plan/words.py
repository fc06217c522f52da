"""Selectors and conditions in the words of the file, and why one does not hold at an instant.

Words only: whether a selector holds is answered by `almanac`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime

from scheduler.model.timeline import Claim, Condition, Moment, Spoken
from scheduler.plan.almanac import Almanac
from scheduler.plan.calendar import ALL_DAY, MINUTES_PER_DAY, DateSpan, DayFilter, Hours, WeekDays, YearSpan
from scheduler.plan.rules import When
from scheduler.plan.wallclock import WallClock

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


def fields(names: Iterable[str]) -> str:
    """Fields of a setpoint, joined as in a sentence."""
    return " and ".join(FIELD_WORDS[name] for name in names)


def named(claim: Claim) -> str:
    """A rule, and where it says so."""
    return f"{claim.name} ({claim.origin or f'line {claim.line}'})"


def givers(spoken: Spoken) -> str:
    """The rules that give a setpoint; which field each of them gives, if they are several."""
    if len(spoken.claims) == 1:
        return named(spoken.claims[0][0])
    return "; ".join(f"{named(claim)}: {fields(gave)}" for claim, gave in spoken.claims)


def case_text(condition: Condition, spoken: Spoken) -> str:
    """What an ``if`` makes of a setpoint."""
    return f"if {condition}: {spoken.setpoint}"


def deed(moment: Moment, clock: WallClock) -> str:
    """What is to be done at a moment, and until when; with the day, where that is another one."""
    parts = [
        moment.do,
        "install" if moment.install else "",
        "" if moment.condition is None else f"if {moment.condition}",
    ]
    if moment.done_by is not None:
        same_day = clock.day(moment.done_by) == clock.day(moment.at)
        parts.append(f"done by {(time_text if same_day else instant_text)(moment.done_by, clock)}")
    return ", ".join(part for part in parts if part)


def time_text(instant: datetime, clock: WallClock) -> str:
    """The local time; on a day when the clocks change with its name, since an hour may come twice."""
    shown = instant.astimezone(clock.zone)
    return f"{shown:%H:%M %Z}" if clock.shift(shown.date()) else f"{shown:%H:%M}"


def instant_text(instant: datetime, clock: WallClock) -> str:
    """The local day and time."""
    return f"{day_name(clock.day(instant))} {time_text(instant, clock)}"


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
