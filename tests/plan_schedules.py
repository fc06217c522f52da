"""Schedules as the loader would give them, for the tests of the plan: the shipped file's, and real
tariffs.
"""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

from scheduler.model.setpoint import Mode, Setpoint
from scheduler.plan.calendar import EVERY_DAY, DayFilter, Hours, WeekDays, YearSpan
from scheduler.plan.holidays import HolidayRule
from scheduler.plan.rules import MomentRule, Relative, Schedule, When, Window
from scheduler.plan.tariff import Period, Tariff

MINUTE = timedelta(minutes=1)
WEEKDAYS = DayFilter(days=WeekDays(weekdays=True))
WEEKENDS = DayFilter(days=WeekDays(weekends=True))
WINTER, SUMMER = YearSpan((11, 1), (4, 30)), YearSpan((5, 1), (10, 31))


def hours(text: str) -> Hours:
    """Hours as the file writes them: ``22:00-08:00``."""
    (a, b), (c, d) = (map(int, side.split(":")) for side in text.split("-"))
    start, end = a * 60 + b, c * 60 + d
    return Hours(start, end if end > start else end + 24 * 60)


def during(*names: str) -> When:
    """The selector that most rules have."""
    return When(during=frozenset(names))


def period(name: str, spans: str, on: DayFilter = EVERY_DAY, price: float | None = None) -> Period:
    """A period with hours like ``05:00-09:00 17:00-21:00``; its line is 1."""
    return Period(name=name, line=1, hours=tuple(map(hours, spans.split())), on=on, import_price=price)


def on(days: DayFilter, season: YearSpan) -> DayFilter:
    """Days of a season."""
    return DayFilter(days=days.days, seasons=(season,))


def schedule(zone: str, tariff: Tariff, *rules: Window | MomentRule) -> Schedule:
    """A schedule with the shipped default."""
    return Schedule(
        zone=ZoneInfo(zone),
        tariff=tariff,
        rules=rules,
        default=Setpoint(mode=Mode.SELF_CONSUMPTION, reserve_percent=20),
        default_line=99,
    )


SHIPPED_RULES = (
    Window(
        name="Run the house from the battery",
        line=34,
        why="Energy is dear while people are up",
        setpoint=Setpoint(mode=Mode.SELF_CONSUMPTION, reserve_percent=5),
        when=during("off_peak", "on_peak"),
        early=5 * MINUTE,
        late=5 * MINUTE,
    ),
    Window(
        name="Refill at night",
        line=41,
        setpoint=Setpoint(mode=Mode.BACKUP, reserve_percent=100),
        when=during("super_off_peak"),
    ),
    MomentRule(
        name="Firmware before the day begins",
        line=45,
        at=Relative(offset=-45 * MINUTE, period="super_off_peak", edge="ends"),
        do="check_firmware",
        install=True,
        done_by=Relative(offset=-5 * MINUTE, period="super_off_peak", edge="ends"),
    ),
)
SHIPPED_TARIFF = Tariff(
    name="SCE example",
    currency="USD",
    holidays=HolidayRule(country="US", subdivision="CA", names=("Independence Day",), sunday="monday"),
    periods=(
        Period(
            name="on_peak",
            line=26,
            hours=(hours("14:00-20:00"),),
            on=WEEKDAYS,
            import_price=0.45,
            export_price=0.04,
        ),
        Period(name="off_peak", line=27, hours=(hours("08:00-22:00"),), import_price=0.28, export_price=0.04),
        Period(
            name="super_off_peak",
            line=28,
            hours=(hours("22:00-08:00"),),
            import_price=0.13,
            export_price=0.04,
        ),
    ),
)
SHIPPED = schedule("America/Los_Angeles", SHIPPED_TARIFF, *SHIPPED_RULES)

ONTARIO_HOLIDAYS = HolidayRule(
    country="CA", subdivision="ON", names=("Canada Day", "Boxing Day"), saturday="monday", sunday="monday"
)
ULO = Tariff(
    holidays=ONTARIO_HOLIDAYS,
    periods=(
        period("night", "23:00-07:00", price=0.028),
        period("peak", "16:00-21:00", WEEKDAYS, price=0.284),
        period("mid", "07:00-16:00 21:00-23:00", WEEKDAYS, price=0.122),
        period("off", "07:00-23:00", WEEKENDS, price=0.076),
    ),
)
ONTARIO_TOU = Tariff(
    holidays=ONTARIO_HOLIDAYS,
    periods=(
        period("peak", "07:00-11:00 17:00-19:00", on(WEEKDAYS, WINTER), 0.158),
        period("mid", "11:00-17:00", on(WEEKDAYS, WINTER), 0.122),
        period("peak", "11:00-17:00", on(WEEKDAYS, SUMMER), 0.158),
        period("mid", "07:00-11:00 17:00-19:00", on(WEEKDAYS, SUMMER), 0.122),
        period("off", "00:00-24:00", price=0.076),
    ),
)
SRP = Tariff(
    periods=(
        period("peak", "05:00-09:00 17:00-21:00", on(WEEKDAYS, WINTER), 0.0951),
        period(
            "peak",
            "14:00-20:00",
            DayFilter(days=WEEKDAYS.days, seasons=(SUMMER,), dates=(YearSpan((7, 1), (8, 31)),)),
            0.2409,
        ),
        period("peak", "14:00-20:00", on(WEEKDAYS, SUMMER), 0.2094),
        period("off", "00:00-24:00", price=0.07),
    )
)
OCTOPUS_GO = Tariff(
    periods=(period("cheap", "00:30-05:30", price=0.085), period("day", "00:00-24:00", price=0.25))
)
PORTUGAL = Tariff(
    periods=(
        period("dear", "07:00-24:00", WEEKDAYS, 0.1795),
        period("dear", "09:30-13:00 18:30-22:00", DayFilter(days=WeekDays(named=frozenset({5}))), 0.1795),
        period("cheap", "00:00-24:00", price=0.0895),
    )
)
