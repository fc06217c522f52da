"""Which moment of the file would install an update that waits, and when. Whether it may then is `control/install`'s business."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo
from typing import Any

from scheduler.model.instant import local
from scheduler.model.timeline import Moment
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import Schedule

AHEAD = timedelta(days=366)
"""How far a moment is looked for; a year compiles within a blink."""


def next_install(schedule: Schedule, now: datetime) -> Moment | None:
    """The first moment with ``install: true`` after ``now``; None if the file has none within `AHEAD`."""
    moments = compile_plan(schedule, now, now + AHEAD).moments
    return next((moment for moment in moments if moment.install and moment.at > now), None)


def document(moment: Moment, zone: tzinfo) -> dict[str, Any]:
    """For other programs, with times in ``zone``: its keys are a promise."""
    return {
        "at": local(moment.at, zone),
        "rule": moment.rule,
        "line": moment.line,
        "if": None if moment.condition is None else str(moment.condition),
        "done_by": local(moment.done_by, zone),
    }
