"""Every clock change of the time zone database from 2024 to 2037, and the shapes of rule that are tried around them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition
from scheduler.plan.calendar import DayFilter, Hours, WeekDays
from scheduler.plan.rules import ClockTime, MomentRule, Schedule, When, Window
from scheduler.plan.tariff import Period, Tariff

MINUTE = timedelta(minutes=1)
WEEK = timedelta(days=7)
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2038, 1, 1, tzinfo=UTC)

SHAPES = (
    When(hours=(Hours(0, 1440),)),
    When(hours=(Hours(0, 30),)),
    When(hours=(Hours(23 * 60, 31 * 60),)),
    When(hours=(Hours(150, 180),)),
    When(hours=(Hours(90, 105), Hours(135, 150))),
    When(hours=(Hours(16 * 60, 21 * 60),), on=DayFilter(days=WeekDays(weekdays=True))),
    When(on=DayFilter(days=WeekDays(weekends=True))),
    When(during=frozenset({"cheap"})),
)
"""All day, around midnight, across it, in the hour that is skipped or comes twice, on some days, and by the tariff."""

OF_SHAPE = tuple(Condition(charge_below_percent=1 + number) for number in range(len(SHAPES)))
"""One ``if`` for each shape, so that one plan can be asked about each of them alone."""


@dataclass(frozen=True, slots=True)
class ClockChange:
    """``zone`` goes over from one offset to another at ``at``, the first UTC minute of the new one."""

    zone: str
    at: datetime
    before: timedelta
    after: timedelta

    @property
    def kind(self) -> tuple[str, timedelta, timedelta]:
        """The time that the clock shows a minute before, and both offsets."""
        return f"{(self.at - MINUTE).astimezone(ZoneInfo(self.zone)):%H:%M}", self.before, self.after


def offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    """How far the zone's clock is ahead of UTC then."""
    found = instant.astimezone(zone).utcoffset()
    assert found is not None
    return found


@cache
def clock_changes() -> tuple[ClockChange, ...]:
    """All of them, zone by zone; found by looking once a week: no zone changes its clocks twice in one."""
    return tuple(change for name in sorted(available_timezones()) for change in changes_of(name))


def changes_of(name: str) -> Iterator[ClockChange]:
    """Those of one zone, in order."""
    zone = ZoneInfo(name)
    day, last = FIRST, offset(FIRST, zone)
    while day < LAST:
        low, day = day, day + WEEK
        now = offset(day, zone)
        if now == last:
            continue
        high = day
        while high - low > MINUTE:
            middle = low + (high - low) // 2 // MINUTE * MINUTE
            low, high = (middle, high) if offset(middle, zone) == last else (low, middle)
        yield ClockChange(name, high, last, now)
        last = now


@cache
def one_of_each_kind() -> tuple[ClockChange, ...]:
    """One clock change of each kind: by the time at which it happens and the offsets around it."""
    kinds: dict[tuple[str, timedelta, timedelta], ClockChange] = {}
    for change in clock_changes():
        kinds.setdefault(change.kind, change)
    return tuple(kinds.values())


def all_shapes(zone: str, *, early: timedelta = MINUTE) -> Schedule:
    """A schedule with each shape of rule under an ``if`` of its own, and a moment in the hour that clocks skip."""
    windows = [
        Window(
            name=f"shape {number}",
            line=10 + number,
            setpoint=Setpoint(mode="backup"),
            when=shape,
            early=early,
            condition=OF_SHAPE[number],
        )
        for number, shape in enumerate(SHAPES)
    ]
    return Schedule(
        zone=ZoneInfo(zone),
        tariff=Tariff(
            periods=(
                Period(name="cheap", line=1, hours=(Hours(22 * 60, 25 * 60 + 30), Hours(120, 150))),
                Period(name="dear", line=2),
            )
        ),
        rules=(*windows, MomentRule(name="at", line=4, at=ClockTime(150), do="check_firmware")),
        default=Setpoint(mode="autonomous"),
        default_line=5,
    )
