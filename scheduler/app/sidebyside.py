"""The same day twice, with the moments of the file and without them: which day it is, and what is compared.

How a day is lived is `showday`, what became of the gateway in it is `witness`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any

from scheduler.app.witness import Lived
from scheduler.model.instant import local
from scheduler.model.timeline import Segment
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import Schedule, Window
from scheduler.plan.wallclock import first_instant

BEGINS = time(5, 30)
AFTER = timedelta(hours=2, minutes=30)
"""How long the day goes on after its dearest hours: long enough for the switch of the evening."""

TROUBLES = (
    "an install lasts for 15m",
    "stages an update at 06:00",
    "installs what is staged at 17:00",
)
"""What users reported (powerwall2's own reason for a check in the morning): the gateway upgrades itself in the peak."""

MINUTE = timedelta(minutes=1)


class Incomparable(Exception):
    """This file or this day leaves nothing to compare; the text is a sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """The day that is lived twice: ``[begins, ends)`` in UTC, its ``segments`` with their prices, and the ``dear`` ones.

    ``period`` names those that cost most, and ``price`` is what a kWh costs in them; ``cheapest`` is what one costs in the
    cheapest hour of the 24 from ``begins`` on, and so what it takes to put it into the battery again.
    """

    begins: datetime
    ends: datetime
    segments: tuple[Segment, ...]
    dear: tuple[Segment, ...]
    period: str
    price: float
    cheapest: float

    @property
    def hours(self) -> float:
        """How long it is, in hours."""
        return (self.ends - self.begins) / timedelta(hours=1)


def frame(schedule: Schedule, day: date) -> Frame:
    """The day to compare: from 05:30 until the dearest hours that follow are over and some time has passed.

    Incomparable if the tariff has no price for an hour of it, or one price for all, or if no moment falls into it.
    """
    begins = first_instant(schedule.zone, datetime.combine(day, BEGINS))
    plan = compile_plan(schedule, begins, begins + timedelta(days=1))
    prices = []
    for segment in plan.segments:
        if segment.import_price is None:
            since = segment.start.astimezone(schedule.zone)
            raise Incomparable(
                f"the tariff says no import price from {since:%Y-%m-%d %H:%M} on; give each period its `import`"
            )
        prices.append(segment.import_price)
    price, cheapest = max(prices), min(prices)
    if price == cheapest:
        raise Incomparable(f"every hour of {day} costs the same; name a --date on which they differ")
    dear = tuple(segment for segment in plan.segments if segment.import_price == price)
    ends = min(dear[-1].end + AFTER, plan.end)
    if not plan.moments_between(begins, ends):
        raise Incomparable(
            f"no moment of the file falls into {day}, so there is none to take out; "
            "name another --date, or give the file a rule with `do: check_firmware`"
        )
    return Frame(
        begins=begins,
        ends=ends,
        segments=plan.segments_between(begins, ends),
        dear=dear,
        period=" and ".join(dict.fromkeys(segment.period or "no period" for segment in dear)),
        price=price,
        cheapest=cheapest,
    )


def without_moments(schedule: Schedule) -> Schedule:
    """The same schedule, in which nothing is done but to switch."""
    return replace(schedule, rules=tuple(rule for rule in schedule.rules if isinstance(rule, Window)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Both days, lived: the one with the moments of the file and the one without them."""

    schedule: Schedule
    frame: Frame
    troubles: Sequence[str]
    with_moments: Lived
    without_moments: Lived

    @property
    def kept_clear(self) -> bool:
        """Whether with the moments the battery stood still for less than a minute of the dearest hours."""
        return self.with_moments.still_dear < MINUTE

    @property
    def saved(self) -> float:
        """How much less the day with the moments cost, in the tariff's currency; negative if it cost more.

        What a day leaves in the battery counts for it, else the day that leaves less would seem the cheaper one.
        """
        return self._net(self.without_moments) - self._net(self.with_moments)

    def document(self) -> dict[str, Any]:
        """Both days for other programs: times are local with offset, durations in minutes."""
        return {
            "schema": "tou-scheduler/comparison",
            "version": 1,
            "begins": local(self.frame.begins, self.schedule.zone),
            "ends": local(self.frame.ends, self.schedule.zone),
            "scenarios": list(self.troubles),
            "currency": self.schedule.tariff.currency,
            "dearest_period": {"name": self.frame.period, "import_price": self.frame.price},
            "cheapest_import_price": self.frame.cheapest,
            "with_moments": self._day(self.with_moments),
            "without_moments": self._day(self.without_moments),
            "saved": round(self.saved, 4),
            "kept_clear": self.kept_clear,
        }

    def rows(self) -> list[tuple[str, str, str]]:
        """Both days for people: what, with the moments, without them."""
        currency = self.schedule.tariff.currency
        days = self.with_moments, self.without_moments
        price, cheapest = (f"{of:g} {currency}".rstrip() for of in (self.frame.price, self.frame.cheapest))

        def amount(money: float) -> str:
            return f"{money:.2f} {currency}".rstrip()

        def row(what: str, cells: list[str]) -> tuple[str, str, str]:
            return what, cells[0], cells[1]

        return [
            row("the battery stood still", [f"{day.still / MINUTE:.1f} min" for day in days]),
            row(
                f"of that in {self.frame.period}, at {price} a kWh",
                [f"{day.still_dear / MINUTE:.1f} min" for day in days],
            ),
            row("new firmware was installed", [self._installed(day) for day in days]),
            row("firmware at the end", [day.firmware for day in days]),
            row("from the grid", [f"{day.bill.imported_kwh:.2f} kWh" for day in days]),
            row("to the grid", [f"{day.bill.exported_kwh:.2f} kWh" for day in days]),
            row("what that cost", [amount(day.bill.money) for day in days]),
            row("left in the battery", [f"{day.left_kwh:.2f} kWh" for day in days]),
            row(f"its worth, at {cheapest} a kWh", [amount(self._worth(day)) for day in days]),
            row("what the day cost, less that", [amount(self._net(day)) for day in days]),
        ]

    def _worth(self, lived: Lived) -> float:
        """What the charge at the end of a day is worth: the next night buys it at the cheapest price."""
        return lived.left_kwh * self.frame.cheapest

    def _net(self, lived: Lived) -> float:
        return lived.bill.money - self._worth(lived)

    def _day(self, lived: Lived) -> dict[str, Any]:
        return {
            "still_minutes": round(lived.still / MINUTE, 2),
            "still_dearest_minutes": round(lived.still_dear / MINUTE, 2),
            "installed": [
                {
                    "from": local(one.gone_at, self.schedule.zone),
                    "until": local(one.back_at, self.schedule.zone),
                    "before": one.before,
                    "after": one.after,
                }
                for one in lived.upgrades
            ],
            "firmware": lived.firmware,
            "imported_kwh": round(lived.bill.imported_kwh, 3),
            "exported_kwh": round(lived.bill.exported_kwh, 3),
            "money": round(lived.bill.money, 4),
            "left_kwh": round(lived.left_kwh, 3),
            "left_worth": round(self._worth(lived), 4),
            "left_raw_percent": round(lived.left_raw_percent, 2),
        }

    def _installed(self, lived: Lived) -> str:
        zone = self.schedule.zone
        spans = (
            f"{one.gone_at.astimezone(zone):%H:%M} to {one.back_at.astimezone(zone):%H:%M}"
            for one in lived.upgrades
        )
        return ", ".join(spans) or "no"
