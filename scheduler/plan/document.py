"""The plan as JSON (`tou-scheduler/plan`, version 1), which other programs read: its keys are a promise.

Local times with offset. How the plan looks to a person lives in `agenda`.
"""

from __future__ import annotations

from datetime import datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Claim, Condition, Moment, Segment, Timeline
from scheduler.plan.words import FIELD_WORDS

DEEPEST = 20
"""How deep ``otherwise`` is nested: many readers of JSON give up at a hundred levels or a few more."""


def plan_document(timeline: Timeline, zone: ZoneInfo, *, merge: bool = False) -> dict[str, Any]:
    """The public form of a plan.

    With ``merge`` it is cut only where what is asked for changes. A period or price that changes inside of such a
    segment is null; its rules are those that speak at its start.
    """
    segments = (timeline.merged() if merge else timeline).segments
    return {
        "schema": "tou-scheduler/plan",
        "version": 1,
        "timezone": zone.key,
        "segments": [_segment(segment, zone) for segment in segments],
        "moments": [moment_document(moment, zone) for moment in timeline.moments],
    }


def _segment(segment: Segment, zone: tzinfo) -> dict[str, Any]:
    spoken = segment.spoken()
    document: dict[str, Any] = {
        "start": local_text(segment.start, zone),
        "end": local_text(segment.end, zone),
        "period": segment.period,
        **spoken.setpoint.document(),
        "import_price": segment.import_price,
        "export_price": segment.export_price,
    }
    document["rules"] = [_rule(claim, fields) for claim, fields in spoken.claims]
    return document | otherwise_document(segment)


def otherwise_document(segment: Segment) -> dict[str, Any]:
    """Empty, or ``otherwise``: the setpoint when the first ``if`` that has a say is false; nested where
    another one then has.

    At most `DEEPEST` deep; the last one is then what holds while every ``if`` is false.
    """
    chain: list[Setpoint] = []
    at = segment.otherwise()
    while at is not None and len(chain) < DEEPEST - 1:
        chain.append(at.spoken().setpoint)
        at = at.otherwise()
    if at is not None:
        chain.append(segment.ordinary().setpoint)
    document: dict[str, Any] = {}
    for setpoint in reversed(chain):
        document = {"otherwise": setpoint.document() | document}
    return document


def _rule(claim: Claim, fields: tuple[str, ...]) -> dict[str, Any]:
    return {"name": claim.name, "line": claim.line, "fields": [FIELD_WORDS[field] for field in fields]}


def condition_document(condition: Condition) -> dict[str, Any]:
    """An ``if`` with the keys that it has in the file."""
    given = {
        "charge_below": condition.charge_below_percent,
        "charge_above": condition.charge_above_percent,
        "grid": condition.grid,
    }
    return {key: value for key, value in given.items() if value is not None}


def moment_document(moment: Moment, zone: tzinfo) -> dict[str, Any]:
    """A moment: when, what, and by which rule."""
    return {"at": local_text(moment.at, zone), "do": moment.do, "rule": moment.rule, "line": moment.line}


def local_text(instant: datetime, zone: tzinfo) -> str:
    """An instant as the zone's local time with its offset (ISO 8601)."""
    return instant.astimezone(zone).isoformat()
