"""What became of a simulated gateway in a day, by its own record and the physics of its house, never by our journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.model.timeline import Segment
from scheduler.simulator.bill import Bill, bill
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.house import House
from scheduler.simulator.record import stopped_between, stretches


@dataclass(frozen=True, slots=True, kw_only=True)
class Lived:
    """A day of a gateway: how long its battery was out of service, also within the dearest hours, and what the day cost.

    ``installed`` is from when until when it was gone for new firmware, None if it has none; ``left_raw_percent`` is the
    charge at the end.
    """

    still: timedelta
    still_dear: timedelta
    installed: tuple[datetime, datetime] | None
    firmware: str
    bill: Bill
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
        within = [(max(segment.start, begins), min(segment.end, until)) for segment in dear]
        return Lived(
            still=stopped_between(device.history, begins, until),
            still_dear=sum(
                (stopped_between(device.history, start, end) for start, end in within if start < end),
                timedelta(),
            ),
            installed=self._installed(until),
            firmware=device.firmware,
            bill=billed,
            left_raw_percent=house.charge_raw_percent,
        )

    def _installed(self, until: datetime) -> tuple[datetime, datetime] | None:
        """The stop that the last start of the gateway ended, if other firmware answers since."""
        if self._device.firmware == self._firmware:
            return None
        back, since = self._device.start_time, None
        for start, end, obeyed in stretches(self._device.history, self._begins, until):
            if obeyed.running:
                since = None
                continue
            since = since or start  # what is set in between does not end a stop
            if since < back <= end:
                return since, back
        return None
