"""Watches the grid while the loop looks anyway: connected or islanded, and its alerts, told when they change.

Nothing is decided by it and nothing is risked for it: no login, and what cannot be read is left for the next look.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from scheduler.control.ports import Clock, Gateway, Tell
from scheduler.model.errors import NotCapable, SessionExpired, Throttled, Transient
from scheduler.model.events import GridChanged, GridFault
from scheduler.model.reading import Alert, Grid, Live

Read = TypeVar("Read")


class GridWatch:
    """What is known of the grid of one gateway. The first state is told to nobody; an alert that is there at first is."""

    def __init__(self, gateway: Gateway, clock: Clock, tell: Tell) -> None:
        self._gateway = gateway
        self._clock = clock
        self._tell = tell
        self._grid: Grid | None = None
        self._alerts: dict[str, Alert] = {}

    async def look(self, live: Live | None) -> Live | None:
        """Read the grid and its alerts, and tell what is other than before: what was read of it. Throttled passes through.

        ``live`` is what was read a moment ago, None if it was not.
        """
        if live is None:
            live = await _tried(self._gateway.live())
        if live is not None:
            self._see(live)
        alerts = await _tried(self._gateway.grid_faults())
        if alerts is not None:
            self._hear(alerts)
        return live

    def _see(self, live: Live) -> None:
        before, self._grid = self._grid, live.grid
        if before is None or before is live.grid:
            return
        message = (
            "the grid is back"
            if live.grid is Grid.CONNECTED
            else f"the house runs without the grid, the battery at {live.charge_percent:.0f} %"
        )
        self._tell(GridChanged(at=self._clock.now(), before=before, after=live.grid, message=message))

    def _hear(self, alerts: tuple[Alert, ...]) -> None:
        before, self._alerts = self._alerts, {alert.name: alert for alert in alerts}
        for name, alert in (before | self._alerts).items():
            if (name in before) is (name in self._alerts):
                continue
            now = self._clock.now()
            if name in before:
                message = f"the gateway no longer reports {name}"
                self._tell(GridFault(at=now, alert=name, state="off", message=message))
            else:
                kind = "fault" if alert.is_fault else "warning"
                message = f"the gateway reports a {kind} of the grid: {name}"
                self._tell(GridFault(at=now, alert=name, state="on", message=message))


async def _tried(reading: Awaitable[Read]) -> Read | None:
    """What was read; None where that failed: the other reading is worth having all the same."""
    try:
        return await reading
    except Throttled:
        raise
    except (Transient, NotCapable, SessionExpired):
        return None  # whether the gateway is there is found out elsewhere; some kinds do not say
