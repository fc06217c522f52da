"""What the daemon knows at the end of a cycle: one value that status page, command and monitors show.

"Actual" is the last reading with its time, never an intention. The public form is `tou-scheduler/status`, version 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from scheduler.model.clock import UNSEEN
from scheduler.model.evidence import SwitchRecord
from scheduler.model.hold import Hold
from scheduler.model.instant import local
from scheduler.model.setpoint import NOTHING, Setpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The state of affairs at ``at``. ``trouble`` is a sentence if something is wrong now, else None.

    ``memory_problem`` says what cannot be kept on the disk now; switching goes on without it.
    ``clock`` says why the machine's clock is trusted, or that it is not.
    """

    at: datetime
    started: datetime
    period: str | None
    desired: Setpoint
    rules: tuple[str, ...]
    actual: Setpoint | None
    read_at: datetime | None
    record: SwitchRecord | None
    next_boundary: datetime | None
    next_desired: Setpoint | None
    next_moment: datetime | None
    firmware: str | None
    drifted: bool
    trouble: str | None
    plan_digest: str
    plan_problem: str | None
    installing_since: datetime | None = None
    hold: Hold | None = None
    memory_problem: str | None = None
    clock: str = UNSEEN.words

    def document(self, zone: tzinfo) -> dict[str, Any]:
        """The public form, with times in ``zone``."""
        return {
            "schema": "tou-scheduler/status",
            "version": 1,
            "at": local(self.at, zone),
            "started": local(self.started, zone),
            "timezone": str(zone),
            "period": self.period,
            "desired": self.desired.document(),
            "rules": list(self.rules),
            "actual": None if self.actual is None else self.actual.document(measured=True),
            "read_at": local(self.read_at, zone),
            "verdict": None if self.record is None else self.record.verdict.value,
            "verdict_message": None if self.record is None else self.record.message,
            "next_boundary": local(self.next_boundary, zone),
            "next_desired": None if self.next_desired is None else self.next_desired.document(),
            "next_moment": local(self.next_moment, zone),
            "firmware": self.firmware,
            "installing_since": local(self.installing_since, zone),
            "drifted": self.drifted,
            "hold": None if self.hold is None else self.hold.document(zone),
            "trouble": self.trouble,
            "clock": self.clock,
            "configuration": {"digest": self.plan_digest, "problem": self.plan_problem},
            "memory": {"problem": self.memory_problem},
        }


def unknown(at: datetime, started: datetime) -> Status:
    """The state of affairs of which nothing is known yet but since when somebody looks."""
    return Status(
        at=at,
        started=started,
        period=None,
        desired=NOTHING,
        rules=(),
        actual=None,
        read_at=None,
        record=None,
        next_boundary=None,
        next_desired=None,
        next_moment=None,
        firmware=None,
        drifted=False,
        trouble=None,
        plan_digest="",
        plan_problem=None,
    )
