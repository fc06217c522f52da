"""Alerts of the grid, as the simulated gateway keeps them; their JSON is `bodies.py`'s."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFault:
    """One alert: when, what it is called, and the frequency in hertz that was measured.

    The one by default is of the kind that the README of the gateway shows (GET /api/system_status/grid_faults).
    """

    at: datetime
    name: str = "PINV_a006_vfCheckUnderFrequency"
    is_fault: bool = False
    frequency_hz: float = 57.2
