"""What became of a simulated gateway in a day, by its own record and the physics of its house, never by our journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.model.timeline import Segment
from scheduler.simulator.bill import Bill, bill
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.house import House
from scheduler.simulator.record import stopped_between
from scheduler.simulator.restarts import Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """A day of a gateway: how long its battery was out of service, also within the dearest hours, and what the day cost.

    ``upgrades`` are the changes of its firmware that were over by the end of the day, in order, and ``firmware`` is what ran
    then; ``left_kwh`` and ``left_raw_percent`` are the charge then, of a battery that loses nothing on the way.
    """

    still: timedelta
    still_dear: timedelta
    upgrades: tuple[Upgrade, ...]
    firmware: str
    bill: Bill
    left_kwh: float
    left_raw_percent: float


class Witness:
    """Looks at a gateway as a day begins, so that it can be told at the end what came of it."""

    def __init__(self, device: SimulatedGateway) -> None:
        self._device = device
        self._begins = device.now()
        self._charge_wh = device.house.charge_wh
        self._firmware = device.firmware

    def account(self, segments: Sequence[Segment], dear: Sequence[Segment], until: datetime) -> Lived:
        """The day from the first look until ``until``, at the prices of ``segments``, which cover it.

        ``dear`` are those of them that cost most. ValueError if a segment has no import price.
        """
        device, begins = self._device, self._begins
        device.now()
        house = House(at=begins, zone=device.zone, charge_wh=self._charge_wh)
        billed = bill(house, device.history, segments, until)
        upgrades = tuple(one for one in device.restarts.upgrades if begins < one.back_at <= until)
        within = [(max(segment.start, begins), min(segment.end, until)) for segment in dear]
        return Lived(
            still=stopped_between(device.history, begins, until),
            still_dear=sum(
                (stopped_between(device.history, start, end) for start, end in within if start < end),
                timedelta(),
            ),
            upgrades=upgrades,
            firmware=upgrades[-1].after if upgrades else self._firmware,
            bill=billed,
            left_kwh=house.charge_wh / 1000,
            left_raw_percent=house.charge_raw_percent,
        )
