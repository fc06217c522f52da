"""What a year of the plan says of the rules: which never speak, and which moments lie badly.

The compiler itself is asked, so that no second reckoning can differ from it. The year is the tariff's, never
that of a clock; dates that rules name are looked at, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from scheduler.config.lines import KeyPath
from scheduler.config.problems import quoted
from scheduler.config.report import Report
from scheduler.control.install import BUDGET, CLEAR_OF_PEAK, dear_from
from scheduler.model.timeline import Condition, Moment, Timeline
from scheduler.plan.calendar import ALL_DAY, DateSpan
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import MomentRule, Schedule, Window
from scheduler.plan.tariff import Period

MOST_HOURS = 120
"""With more ranges of hours than this, in periods and rules, the look ahead would hold up the daemon's start: then
only moments are looked at, or nothing."""

MOST_EXPLAINED = 10
"""Of so many silent rules it is found out who silences them."""

MOST_VISITS = 60
"""How many stretches around the dates of rules are looked at; rules that these do not reach are not judged."""

YEARS = range(2000, 2100)
"""Where the calendar of a tariff is worth looking at."""

LATEST_DEADLINE = timedelta(hours=12)
INSTALL_TIME = BUDGET
"""What an installation is given at least: none is begun that may not be over by ``done_by``. The check before it comes on top."""

INSTALLS = "check_firmware"
"""The only deed for which the gateway may be gone; a check of the path takes seconds and may lie anywhere."""

TAKES = timedelta(minutes=30)
"""How long the gateway may be busy with a moment that has no ``done_by``."""

_DAY = timedelta(days=1)

Rules = Mapping[int, Window | MomentRule]


def check_outlook(schedule: Schedule, rules: Rules, year: int, report: Report) -> None:
    """Put what is odd about these rules, by their index in the file, into the report.

    ``year`` is the first of the thirteen months that are looked at.
    """
    periods = schedule.tariff.periods
    if _ranges(rules.values()) + _ranges(periods) > MOST_HOURS:
        rules = {index: rule for index, rule in rules.items() if isinstance(rule, MomentRule)}
    if not rules or _ranges(rules.values()) + _ranges(periods) > MOST_HOURS:
        return
    year = min(max(year, YEARS[0]), YEARS[-1])
    # Two rules may stand in one line of the file: here an index takes the place of the line.
    numbered = tuple(replace(rule, line=index) for index, rule in rules.items())
    schedule = replace(schedule, rules=numbered, default_line=-1)
    plans = [_plan(schedule, date(year, 1, 1), date(year + 1, 2, 1))]
    silent = _silent(numbered, plans)
    visits = list(islice((visit for rule in silent for visit in _visits(rule, year)), MOST_VISITS + 1))
    plans += [_plan(schedule, first, last) for first, last in visits]
    if len(visits) <= MOST_VISITS:
        _tell_silent(schedule, _silent(numbered, plans), plans, report)
    told: set[int] = set()
    with_deadline = {r.line for r in numbered if isinstance(r, MomentRule) and r.done_by is not None}
    for plan in plans:
        _check_moments(plan, schedule.zone, with_deadline, told, report)


def _ranges(ranged: Iterable[Window | MomentRule | Period]) -> int:
    return sum(
        len((one.hours if isinstance(one, Period) else one.when.hours) or (ALL_DAY,)) for one in ranged
    )


def _plan(schedule: Schedule, first: date, last: date) -> Timeline:
    start, end = (datetime.combine(day, time.min, schedule.zone) for day in (first, last))
    return compile_plan(schedule, start, end)


def _silent(rules: Sequence[Window | MomentRule], plans: Sequence[Timeline]) -> list[Window | MomentRule]:
    heard = {claim.line for plan in plans for segment in plan.segments for claim in segment.claims}
    heard.update(moment.line for plan in plans for moment in plan.moments)
    return [rule for rule in rules if rule.line not in heard]


def _visits(rule: Window | MomentRule, year: int) -> Iterator[tuple[date, date]]:
    """Stretches around the dates of a rule that the year may have missed: another year, or a rare weekday."""
    for span in rule.when.on.dates or ():
        if isinstance(span, DateSpan):
            if span.first.year in YEARS:
                yield span.first - _DAY, min(span.last, span.first + 400 * _DAY) + 2 * _DAY
        else:
            month, day = span.first
            for other in range(year, year + 12):  # in which a date has been every day of the week
                first = date(other, month, 1) + (day - 1) * _DAY
                yield first - _DAY, first + 9 * _DAY


def _tell_silent(
    schedule: Schedule, silent: list[Window | MomentRule], plans: Sequence[Timeline], report: Report
) -> None:
    windows = [rule for rule in silent if isinstance(rule, Window)][:MOST_EXPLAINED]
    conditions = {rule.line: (None, rule.condition) for rule in windows}
    # Each under a condition of its own: no rule silences another, and all that hold are among the claims.
    apart = tuple(
        replace(rule, condition=Condition(charge_below_percent=1000.0 + rule.line)) for rule in windows
    )
    alone = replace(schedule, rules=apart)
    beaten: dict[int, dict[int, str]] = {}
    for plan in plans if windows else ():
        for stretch in compile_plan(alone, plan.start, plan.end).segments:
            for claim in stretch.claims[:-1]:  # the last is the file's default
                for segment in plan.segments_between(stretch.start, stretch.end):
                    winners = beaten.setdefault(claim.line, {})
                    winners.update(
                        (c.line, c.name)
                        for c in segment.claims
                        if c.line in range(claim.line)
                        and c.condition in conditions[claim.line]
                        and c.setpoint.given().keys() & claim.setpoint.given()
                    )
    for rule in silent:
        if beaten.get(rule.line):
            hint = _beaten_by(beaten[rule.line], report)
        elif isinstance(rule, MomentRule):
            hint = "its selectors never hold at that moment, or there is no such moment"
        elif rule in windows:
            hint = "its selectors never hold together"
        else:
            hint = "its selectors never hold together, or earlier rules give all that it asks for"
        report.warn(("rules", rule.line), f"rule {quoted(rule.name)} never speaks", hint)


def _beaten_by(winners: Mapping[int, str], report: Report) -> str:
    named = " and ".join(
        f"{quoted(winners[index])} in line {report.line(('rules', index))}" for index in sorted(winners)[:3]
    )
    verbs = ("comes", "gives") if len(winners) == 1 else ("come", "give")
    return f"{named} {verbs[0]} first and {verbs[1]} all that it asks for"


def _check_moments(
    plan: Timeline, zone: ZoneInfo, with_deadline: set[int], told: set[int], report: Report
) -> None:
    """At most one problem a rule: the first moment that has one stands for all."""
    if not plan.moments:
        return
    dearest, coarse = _dearest(plan, zone), plan.merged()
    for moment in plan.moments:
        if moment.line in told:
            continue
        path: KeyPath = ("rules", moment.line)
        if moment.line in with_deadline and (late := _late(moment, zone)):
            hint = "it is the first such time after the moment: name one that follows soon"
            report.error((*path, "done_by"), late, hint)
        elif moment.install and moment.done_by and moment.done_by - moment.at <= INSTALL_TIME:
            minutes = (moment.done_by - moment.at) // timedelta(minutes=1)
            message = f"nothing can be installed in the {minutes} minutes from {_shown(moment.at, zone)} on"
            hint = (
                f"an install is given {INSTALL_TIME // timedelta(minutes=1)} minutes, and the check before it takes "
                "some as well: leave time for both until 'done_by'"
            )
            report.warn((*path, "done_by"), message, hint)
        elif moment.install and (cut := _cut_short(moment, coarse, zone)):
            hint = "nothing is installed that may not be over by then: choose a time with more room after it"
            report.warn((*path, "at"), cut, hint)
        elif moment.do == INSTALLS and (dear := _falls_into(moment, plan, dearest, zone)):
            hint = "the gateway is gone for minutes while it installs: choose a cheaper hour"
            report.warn((*path, "at"), dear, hint)
        elif moment.install and (near := _near_the_dear(moment, plan, zone)):
            hint = (
                f"an install must be over {CLEAR_OF_PEAK // timedelta(minutes=1)} minutes before, and is given "
                f"{INSTALL_TIME // timedelta(minutes=1)} minutes: choose an earlier time"
            )
            report.warn((*path, "at"), near, hint)
        else:
            continue
        told.add(moment.line)


def _late(moment: Moment, zone: ZoneInfo) -> str | None:
    at = _shown(moment.at, zone)
    if moment.done_by is None:
        return f"after the moment at {at}, 'done_by' does not come within two days"
    if moment.done_by - moment.at > LATEST_DEADLINE:
        return f"for the moment at {at}, 'done_by' means {_shown(moment.done_by, zone)}, over 12 hours later"
    return None


def _cut_short(moment: Moment, coarse: Timeline, zone: ZoneInfo) -> str | None:
    left = coarse.at(moment.at).end - moment.at
    if left > INSTALL_TIME or coarse.at(moment.at).end == coarse.end:
        return None
    minutes = left // timedelta(minutes=1)
    return f"another setpoint is due {minutes} minutes after the moment at {_shown(moment.at, zone)}"


def _near_the_dear(moment: Moment, plan: Timeline, zone: ZoneInfo) -> str | None:
    dear = dear_from(plan, moment.at, moment.at)
    if dear is None or dear - CLEAR_OF_PEAK - moment.at > INSTALL_TIME:
        return None
    minutes = max(dear - moment.at, timedelta()) // timedelta(minutes=1)
    return f"the dearest hours begin {minutes} minutes after the moment at {_shown(moment.at, zone)}"


def _dearest(plan: Timeline, zone: ZoneInfo) -> dict[tuple[int, int], float]:
    """By year and month, the highest import price; none where all hours cost the same."""
    prices: dict[tuple[int, int], set[float]] = {}
    for segment in plan.segments:
        if segment.import_price is not None:
            prices.setdefault(_month(segment.start, zone), set()).add(segment.import_price)
    return {month: max(found) for month, found in prices.items() if len(found) > 1}


def _falls_into(
    moment: Moment, plan: Timeline, dearest: Mapping[tuple[int, int], float], zone: ZoneInfo
) -> str | None:
    price = dearest.get(_month(moment.at, zone))
    for segment in plan.segments_between(moment.at, moment.done_by or moment.at + TAKES):
        if price is not None and segment.import_price == price:
            reaches = "falls" if segment.start <= moment.at else "may last"
            period = quoted(segment.period or "")
            day = moment.at.astimezone(zone).date()
            return f"this moment {reaches} into {period}, the dearest period, for example on {day}"
    return None


def _month(instant: datetime, zone: ZoneInfo) -> tuple[int, int]:
    shown = instant.astimezone(zone)
    return shown.year, shown.month


def _shown(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%Y-%m-%d %H:%M}"
