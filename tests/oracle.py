"""A second opinion on the plan, minute by minute and deliberately stupid; shares no code with the compiler.

The clock of the zone is written down for every UTC minute. A wall-clock time is the first minute at which
that list shows it or a later one. Everything else is painted minute by minute.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import accumulate, compress
from zoneinfo import ZoneInfo

from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition
from scheduler.plan.calendar import DateSpan, DayFilter, Hours, YearSpan
from scheduler.plan.holidays import HolidayRule
from scheduler.plan.rules import ClockTime, MomentRule, Relative, Schedule, When, Window

MINUTE = timedelta(minutes=1)
PAD_DAYS = 3
DAY_MINUTES = 24 * 60

HOLIDAYS: dict[tuple[str, str], dict[str, set[date]]] = {
    ("none", "none"): {
        "Independence Day": {date(2026, 7, 4), date(2027, 7, 4)},
        "New Year's Day": {date(2027, 1, 1), date(2028, 1, 1)},
    },
    ("none", "monday"): {
        "Independence Day": {date(2026, 7, 4), date(2027, 7, 4), date(2027, 7, 5)},
        "New Year's Day": {date(2027, 1, 1), date(2028, 1, 1)},
    },
    ("friday", "monday"): {
        "Independence Day": {date(2026, 7, 4), date(2026, 7, 3), date(2027, 7, 4), date(2027, 7, 5)},
        "New Year's Day": {date(2027, 1, 1), date(2028, 1, 1), date(2027, 12, 31)},
    },
    ("monday", "monday"): {
        "Independence Day": {date(2026, 7, 4), date(2026, 7, 6), date(2027, 7, 4), date(2027, 7, 5)},
        "New Year's Day": {date(2027, 1, 1), date(2028, 1, 1), date(2028, 1, 3)},
    },
}
"""Read off a calendar: by what happens on a Saturday and on a Sunday, for the years that the tests visit."""


@lru_cache(maxsize=64)
def clock_face(zone: ZoneInfo, start: datetime, minutes: int) -> tuple[list[datetime], list[datetime]]:
    """What the clock shows at each UTC minute, and the latest time that it has shown until then."""
    shown = [(start + i * MINUTE).astimezone(zone).replace(tzinfo=None, fold=0) for i in range(minutes)]
    return shown, list(accumulate(shown, max))


class Oracle:
    """Answers for the UTC minutes from ``start``, a whole minute, on; ``minutes`` of them."""

    def __init__(
        self, schedule: Schedule, start: datetime, minutes: int, *, pad_days: int = PAD_DAYS
    ) -> None:
        self.schedule = schedule
        self.origin = start.astimezone(UTC) - timedelta(days=pad_days)
        self.length = minutes + 2 * pad_days * DAY_MINUTES
        self.shown, self.latest = clock_face(schedule.zone, self.origin, self.length)
        covered = [self.selected(When(hours=p.hours, on=p.on)) for p in schedule.tariff.periods]
        names = [p.name for p in schedule.tariff.periods]
        self.periods = [next(compress(names, row), None) for row in self.rows(covered)]
        self.windows = [rule for rule in schedule.rules if isinstance(rule, Window)]
        self.holding = self.rows([self.window(rule) for rule in self.windows])

    def minute(self, instant: datetime) -> int:
        """The number of an instant's minute."""
        return (instant - self.origin) // MINUTE

    def instant(self, minute: int) -> datetime:
        """The instant at which this minute begins."""
        return self.origin + minute * MINUTE

    def period(self, minute: int) -> str | None:
        """The name of the tariff period at this minute."""
        return self.periods[minute]

    def rows(self, masks: list[bytes]) -> list[tuple[int, ...]]:
        """For each minute, which of the masks have it."""
        return list(zip(*masks, strict=True)) if masks else [()] * self.length

    def setpoint(self, minute: int, true: frozenset[Condition]) -> Setpoint:
        """The setpoint at this minute when just these conditions are true."""
        holding = compress(self.windows, self.holding[minute])
        given = [rule.setpoint for rule in holding if rule.condition is None or rule.condition in true]
        given.append(self.schedule.default)
        return Setpoint(
            mode=next((s.mode for s in given if s.mode is not None), None),
            reserve_percent=next((s.reserve_percent for s in given if s.reserve_percent is not None), None),
        )

    def moments(
        self, rule: MomentRule, start: datetime, end: datetime
    ) -> list[tuple[datetime, datetime | None]]:
        """When the rule does its thing between two instants, and by when it must be done."""
        selected = self.selected(rule.when)
        if rule.when.during is not None:
            selected = bytes(m and self.periods[i] in rule.when.during for i, m in enumerate(selected))
        found = []
        for at in self.named(rule.at):
            instant = self.origin + at * MINUTE
            if not start <= instant < end or not selected[at]:
                continue
            done = (
                [d for d in self.named(rule.done_by) if at < d <= at + 2 * DAY_MINUTES]
                if rule.done_by
                else []
            )
            found.append((instant, self.origin + done[0] * MINUTE if done else None))
        return found

    def named(self, at: ClockTime | Relative) -> list[int]:
        """The minutes that an ``at`` names."""
        if isinstance(at, ClockTime):
            return sorted({self.first_showing(day, at.minute) for day in self.days()})
        here = [name == at.period for name in self.periods]
        turns = [
            i for i in range(1, self.length) if here[i] != here[i - 1] and here[i] == (at.edge == "starts")
        ]
        return [i + at.offset // MINUTE for i in turns]

    def window(self, rule: Window) -> bytes:
        """The minutes at which a window rule holds."""
        base = self.selected(rule.when)
        if rule.when.during is not None:
            base = bytes(m and self.periods[i] in rule.when.during for i, m in enumerate(base))
        early, late = rule.early // MINUTE, rule.late // MINUTE
        if early == late == 0:
            return base
        return bytes(1 in base[max(0, i - late) : i + early + 1] for i in range(self.length))

    def selected(self, when: When) -> bytes:
        """The minutes at which hours and days hold, ``during`` left aside."""
        painted = bytearray(self.length)
        for day in self.days():
            if self.admits(when.on, day):
                for hours in when.hours or (Hours(0, DAY_MINUTES),):
                    first = self.first_showing(day, hours.start_minute)
                    end = self.first_showing(day, hours.end_minute)
                    painted[first:end] = b"\1" * max(0, end - first)
        return bytes(painted)

    def days(self) -> list[date]:
        """All dates whose hours could matter, skipped ones too."""
        first = self.shown[0].date() - timedelta(days=1)
        last = self.shown[-1].date()
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]

    def first_showing(self, day: date, minute: int) -> int:
        """The first minute at which the clock shows this time or a later one."""
        return bisect_left(self.latest, datetime.combine(day, datetime.min.time()) + minute * MINUTE)

    def admits(self, on: DayFilter, day: date) -> bool:
        """Whether a day selector agrees to a day, by sets of words."""
        kinds: set[str | int] = {day.weekday()}
        if is_holiday(self.schedule.tariff.holidays, day):
            kinds |= {"holidays", "weekends"}
        else:
            kinds.add("weekends" if day.isoweekday() in {6, 7} else "weekdays")
        if on.days is not None:
            wanted: set[str | int] = set(on.days.named)
            wanted |= {kind for kind in ("weekdays", "weekends", "holidays") if getattr(on.days, kind)}
            if not kinds & wanted:
                return False
        return all(
            spans is None or any(lies_in(span, day) for span in spans) for spans in (on.seasons, on.dates)
        )


def is_holiday(rule: HolidayRule | None, day: date) -> bool:
    """Whether a day is one of the tariff's holidays, by the table above."""
    if rule is None or rule.names is None:
        return False
    table = HOLIDAYS[rule.saturday, rule.sunday]
    return any(day in table[name] for name in rule.names)


@lru_cache(maxsize=4096)
def lies_in(span: YearSpan | DateSpan, day: date) -> bool:
    """Whether a span has this day; found by walking along the calendar."""
    if isinstance(span, DateSpan):
        return day in {span.first + timedelta(days=n) for n in range((span.last - span.first).days + 1)}
    leap_year = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    calendar = [(d.month, d.day) for d in leap_year] * 2
    walked = calendar[calendar.index(span.first) :]
    return (day.month, day.day) in walked[: walked.index(span.last) + 1]
