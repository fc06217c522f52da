"""What a rule asks for and what a gateway has: operation mode and reserve.

Percentages here are *shown* percent, the app's scale. The gateway's raw scale must not appear in this file.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

RESERVE_TOLERANCE_PERCENT = 0.1
"""Gateways answer with float dust (a 21.39.1 said 5.000019999999999 for 5): closer than this is equal."""


class Mode(StrEnum):
    """The operation modes a rule may ask for (README of the gateway, POST /api/operation)."""

    SELF_CONSUMPTION = "self_consumption"
    BACKUP = "backup"
    AUTONOMOUS = "autonomous"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setpoint:
    """A mode and a reserve; None means: left alone.

    ``mode`` is a plain string because a gateway may be in a mode that no rule can ask for (``site_control``).
    """

    mode: str | None = None
    reserve_percent: float | None = None

    def or_else(self, lower: Setpoint) -> Setpoint:
        """This setpoint, with the fields it leaves alone taken from ``lower``."""
        return Setpoint(**(lower.given() | self.given()))

    def given(self) -> dict[str, Any]:
        """The fields that are asked for, by name."""
        return {name: value for name in _FIELDS if (value := getattr(self, name)) is not None}

    def beyond(self, actual: Setpoint) -> Setpoint:
        """The part of this setpoint that ``actual`` does not have yet: what would have to be written."""
        return Setpoint(**{k: v for k, v in self.given().items() if not _equal(v, getattr(actual, k))})

    def is_met_by(self, actual: Setpoint) -> bool:
        """Whether nothing would have to be written to get from ``actual`` to this setpoint."""
        return not self.beyond(actual).given()

    def document(self, *, measured: bool = False) -> dict[str, Any]:
        """The public form. What was asked is a whole number where the file has one; what was measured is a float,
        rounded to hundredths of a percent, which hides a gateway's float dust.
        """
        reserve = self.reserve_percent
        if reserve is not None:
            reserve = round(float(reserve), 2)
            if not measured and reserve.is_integer():
                reserve = int(reserve)
        return {"mode": None if self.mode is None else str(self.mode), "reserve_percent": reserve}

    def __str__(self) -> str:
        parts = []
        if self.mode is not None:
            parts.append(str(self.mode))
        if self.reserve_percent is not None:
            parts.append(f"reserve {round(self.reserve_percent, 2):g} %")
        return ", ".join(parts) or "nothing asked"


_FIELDS = tuple(field.name for field in fields(Setpoint))

NOTHING = Setpoint()
"""Asks for nothing: the gateway is left alone."""


def _equal(wanted: object, actual: object) -> bool:
    if isinstance(wanted, int | float) and isinstance(actual, int | float):
        return abs(wanted - actual) < RESERVE_TOLERANCE_PERCENT
    return wanted == actual
