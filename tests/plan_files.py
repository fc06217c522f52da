"""Schedules written down as a configuration file: the way back from what the loader gives."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

from scheduler.model.timeline import Condition
from scheduler.plan.calendar import (
    ALL_DAY,
    MINUTES_PER_DAY,
    DateSpan,
    DayFilter,
    Hours,
    WeekDays,
    YearSpan,
)
from scheduler.plan.rules import ClockTime, MomentRule, Relative, Schedule, When, Window
from scheduler.plan.tariff import Period, Tariff

MINUTE = timedelta(minutes=1)
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
EVERY_PERIOD = ("dear", "fair", "cheap")


def expressible(schedule: Schedule) -> Schedule:
    """The schedule without what the file has no words for or refuses.

    These are a whole day that does not begin at midnight, hours that overlap, days of no kind, a period's dates,
    and a minute without a period. A deadline comes soon after its moment: others are refused.
    """
    periods = [
        replace(period, hours=_sayable(period.hours), on=replace(_sayable_days(period.on), dates=None))
        for period in schedule.tariff.periods
    ]
    periods += [Period(name=name, line=0) for name in EVERY_PERIOD]
    rules: list[Window | MomentRule] = []
    for rule in schedule.rules:
        hours = None if rule.when.hours is None else _sayable(rule.when.hours)
        when = replace(rule.when, hours=hours, on=_sayable_days(rule.when.on))
        if isinstance(rule, Window):
            rules.append(replace(rule, when=when))
        else:
            done_by = None if rule.done_by is None else _soon_after(rule.at)
            rules.append(replace(rule, when=when, done_by=done_by))
    return replace(schedule, tariff=replace(schedule.tariff, periods=tuple(periods)), rules=tuple(rules))


def without_lines(schedule: Schedule) -> Schedule:
    """The schedule with every line 0."""
    return replace(
        schedule,
        tariff=replace(
            schedule.tariff, periods=tuple(replace(period, line=0) for period in schedule.tariff.periods)
        ),
        rules=tuple(replace(rule, line=0) for rule in schedule.rules),
        default_line=0,
    )


def written(schedule: Schedule) -> str:
    """The file, in JSON, which is YAML too."""
    tariff = schedule.tariff
    filters = [period.on for period in tariff.periods] + [rule.when.on for rule in schedule.rules]
    seasons = {_season(span): span for on in filters for span in on.seasons or ()}
    document: dict[str, Any] = {
        "version": 1,
        "site": {"name": "Home", "timezone": schedule.zone.key},
        "gateway": {"type": "simulated", "username": "customer"},
        "tariff": _given(
            holidays=_holidays(tariff),
            seasons={
                name: {"from": _month_day(span.first), "to": _month_day(span.last)}
                for name, span in seasons.items()
            }
            or None,
            periods=[
                _given(
                    name=period.name,
                    hours=None if period.hours == (ALL_DAY,) else list(map(_hours, period.hours)),
                    **_days(period.on),
                    **{"import": period.import_price, "export": period.export_price},
                )
                for period in tariff.periods
            ],
        ),
        "rules": [_rule(rule) for rule in schedule.rules],
        "default": {"mode": schedule.default.mode, "reserve": schedule.default.reserve_percent},
    }
    return json.dumps(document, indent=1)


def _rule(rule: Window | MomentRule) -> dict[str, Any]:
    common = {"name": rule.name, **_when(rule.when), "if": _condition(rule.condition)}
    if isinstance(rule, MomentRule):
        done_by = None if rule.done_by is None else _at(rule.done_by)
        return _given(**common, at=_at(rule.at), do=rule.do, install=rule.install, done_by=done_by)
    return _given(
        **common,
        early=f"{rule.early // MINUTE}m",
        late=f"{rule.late // MINUTE}m",
        set=_given(mode=rule.setpoint.mode, reserve=rule.setpoint.reserve_percent),
    )


def _when(when: When) -> dict[str, Any]:
    return {
        "during": None if when.during is None else sorted(when.during),
        "hours": None if when.hours is None else list(map(_hours, when.hours)),
        **_days(when.on),
    }


def _days(on: DayFilter) -> dict[str, Any]:
    kinds = () if on.days is None else ("weekdays", "weekends", "holidays")
    return {
        "season": None if on.seasons is None else list(map(_season, on.seasons)),
        "days": None
        if on.days is None
        else [kind for kind in kinds if getattr(on.days, kind)]
        + [WEEKDAYS[n] for n in sorted(on.days.named)],
        "dates": None if on.dates is None else list(map(_dates, on.dates)),
    }


def _holidays(tariff: Tariff) -> dict[str, Any] | None:
    rule = tariff.holidays
    if rule is None:
        return None
    names = None if rule.names is None else list(rule.names)
    return _given(country=rule.country, names=names, saturday=rule.saturday, sunday=rule.sunday)


def _condition(condition: Condition | None) -> dict[str, Any] | None:
    if condition is None:
        return None
    return _given(
        charge_below=condition.charge_below_percent,
        charge_above=condition.charge_above_percent,
        grid=condition.grid,
    )


def _at(at: ClockTime | Relative) -> str:
    if isinstance(at, ClockTime):
        return _clock_time(at.minute)
    if not at.offset:
        return f"{at.period} {at.edge}"
    side = "before" if at.offset < timedelta(0) else "after"
    return f"{abs(at.offset) // MINUTE}m {side} {at.period} {at.edge}"


def _given(**fields: Any) -> dict[str, Any]:
    return {key: value for key, value in fields.items() if value is not None}


def _soon_after(at: ClockTime | Relative) -> ClockTime | Relative | None:
    """Longer than any gap of the clocks, and on the same day."""
    if isinstance(at, Relative):
        return replace(at, offset=at.offset + 180 * MINUTE)
    return ClockTime(at.minute + 180) if at.minute + 180 < MINUTES_PER_DAY else None


def _sayable(several: tuple[Hours, ...]) -> tuple[Hours, ...]:
    first, *others = (ALL_DAY if h.end_minute - h.start_minute == MINUTES_PER_DAY else h for h in several)
    return (first, *(h for h in others if not _minutes(first) & _minutes(h)))


def _minutes(hours: Hours) -> set[int]:
    return {minute % MINUTES_PER_DAY for minute in range(hours.start_minute, hours.end_minute)}


def _sayable_days(on: DayFilter) -> DayFilter:
    return replace(on, days=None) if on.days == WeekDays() else on


def _hours(hours: Hours) -> str:
    end = "24:00" if hours.end_minute == MINUTES_PER_DAY else _clock_time(hours.end_minute % MINUTES_PER_DAY)
    return f"{_clock_time(hours.start_minute)}-{end}"


def _clock_time(minute: int) -> str:
    return "{:02}:{:02}".format(*divmod(minute, 60))


def _season(span: YearSpan) -> str:
    return f"from {_month_day(span.first)}"


def _dates(span: YearSpan | DateSpan) -> str:
    if isinstance(span, DateSpan):
        return f"{span.first} to {span.last}"
    return f"{_month_day(span.first)} to {_month_day(span.last)}"


def _month_day(day: tuple[int, int]) -> str:
    return f"{MONTHS[day[0] - 1]} {day[1]}"
