"""The record of one switch: what was asked, what was there, what was done, what is true now, and a verdict.

Also its public form (`tou-scheduler/switch`, version 1), which other programs read. How a verdict is reached lives in
`control/switch.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Any

from scheduler.model.instant import local
from scheduler.model.setpoint import Setpoint


class Verdict(StrEnum):
    """How far a switch is proven. The values are part of the public record."""

    ALREADY = "already"
    VERIFIED = "verified"
    EFFECTIVE = "effective"
    NOT_APPLIED = "not_applied"
    NOT_EFFECTIVE = "not_effective"
    REFUSED = "refused"
    UNREACHABLE = "unreachable"
    SUPERSEDED = "superseded"
    DRIFTED = "drifted"

    @property
    def good(self) -> bool:
        """Whether the gateway reads back what was asked, and nothing speaks against it."""
        return self in {Verdict.ALREADY, Verdict.VERIFIED, Verdict.EFFECTIVE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One exchange with the gateway: its name, the HTTP status (None: no answer came), and how long it took."""

    step: str
    status: int | None
    ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRecord:
    """The evidence of one switch. ``boundary`` is the instant since when ``desired`` should be true.

    ``took_ms`` is the whole switch in milliseconds of the machine's steady clock, waits included.
    """

    verdict: Verdict
    at: datetime
    boundary: datetime
    rules: tuple[str, ...]
    desired: Setpoint
    before: Setpoint | None
    after: Setpoint | None
    attempts: int
    firmware: str | None
    steps: tuple[Step, ...]
    message: str
    took_ms: int = 0

    def document(self, zone: tzinfo) -> dict[str, Any]:
        """The public form, with times in ``zone``."""
        return {
            "schema": "tou-scheduler/switch",
            "version": 1,
            "verdict": self.verdict.value,
            "at": local(self.at, zone),
            "boundary": local(self.boundary, zone),
            "rules": list(self.rules),
            "desired": self.desired.document(),
            "before": None if self.before is None else self.before.document(measured=True),
            "after": None if self.after is None else self.after.document(measured=True),
            "attempts": self.attempts,
            "firmware": self.firmware,
            "steps": [{"step": s.step, "status": s.status, "ms": s.ms} for s in self.steps],
            "message": self.message,
        }
