"""What a day costs, by what the battery really went by: kWh through the house's meter at the prices of their time.

Pure: the house's flows follow from what was obeyed, so a house that is led through a gateway's history meets its day
anew. Where the prices come from is not known here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from scheduler.model.timeline import Segment
from scheduler.simulator.house import House, Obeyed
from scheduler.simulator.record import stretches


@dataclass(frozen=True, slots=True, kw_only=True)
class Bill:
    """Energy from and to the grid, in kWh, and the money that it came to, in the tariff's currency.

    ``money`` is what was paid less what was earned; below zero the grid paid the house.
    """

    imported_kwh: float
    exported_kwh: float
    money: float


def bill(
    house: House, history: Sequence[tuple[datetime, Obeyed]], segments: Sequence[Segment], until: datetime
) -> Bill:
    """The bill from the house's own instant until ``until``, both within ``segments``, which follow each other.

    The house is led through ``history`` and stands at ``until`` afterwards. A segment without an export price earns
    nothing; ValueError if one has no import price.
    """
    imported_kwh = exported_kwh = money = 0.0
    for segment in segments:
        if segment.import_price is None:
            raise ValueError(f"the tariff says no import price from {segment.start} on")
        before = house.site.imported_wh, house.site.exported_wh
        start, end = max(segment.start, house.at), min(segment.end, until)
        for _, to, obeyed in stretches(history, start, end) if start < end else ():
            house.advance(to, obeyed)
        taken_kwh = (house.site.imported_wh - before[0]) / 1000
        given_kwh = (house.site.exported_wh - before[1]) / 1000
        imported_kwh += taken_kwh
        exported_kwh += given_kwh
        money += taken_kwh * segment.import_price - given_kwh * (segment.export_price or 0.0)
    return Bill(imported_kwh=imported_kwh, exported_kwh=exported_kwh, money=money)
