"""The tariff: named periods with prices, first match wins.

Prices are per kWh in the tariff's currency. What the battery should do in a period is not here; see `rules`.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.plan.calendar import ALL_DAY, EVERY_DAY, DayFilter, Hours
from scheduler.plan.holidays import HolidayRule


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """A named stretch of the tariff. Several periods may share a name (one a season, say)."""

    name: str
    line: int
    hours: tuple[Hours, ...] = (ALL_DAY,)
    on: DayFilter = EVERY_DAY
    import_price: float | None = None
    export_price: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """Periods in order of precedence; together they cover every minute (checked when the file is loaded)."""

    periods: tuple[Period, ...]
    holidays: HolidayRule | None = None
    name: str = ""
    currency: str = ""
