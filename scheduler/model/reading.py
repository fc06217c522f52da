"""What a gateway says of itself, already in our words: shown percent, watts, UTC.

No JSON and no raw percent here; `gateway/wire.py` turns bytes into these.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Grid(StrEnum):
    """Whether the house hangs on the grid."""

    CONNECTED = "connected"
    ISLANDED = "islanded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Which software runs on the gateway and since when; a change of either means that it was restarted or updated."""

    firmware: str
    start_time: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """State of charge in shown percent, and the state of the grid: what a rule's ``if`` looks at."""

    charge_percent: float
    grid: Grid


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert of the grid, under the gateway's own word (`PINV_a006_vfCheckUnderFrequency`), fault or warning."""

    name: str
    is_fault: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Watts by the signs of /api/meters/aggregates: battery > 0 discharges, site > 0 imports."""

    battery_w: float
    site_w: float
    load_w: float
    solar_w: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateStatus:
    """Where the gateway's updater stands.

    ``state`` and ``status`` are the gateway's own words (README, GET /api/system/update/status). ``last_status_ms`` is the
    instant of its last news by its own clock, in Unix milliseconds; None where it does not say, as before firmware 20.
    """

    state: str
    status: tuple[str, ...]
    last_status_ms: int | None = None

    @property
    def working(self) -> bool:
        """Whether the gateway is still at it: keep polling."""
        return self.state in {"/clear_update_status", "/download", "/update_downloaded"}

    @property
    def staged(self) -> bool:
        """Whether an update lies ready to be installed."""
        return self.state == "/update_staged" and "nonactionable" not in self.status

    @property
    def failed(self) -> bool:
        """Whether the check went wrong; `nonactionable` means nothing to install, whatever the state's name."""
        return "error" in self.status or (
            self.state == "/update_failed" and "nonactionable" not in self.status
        )
