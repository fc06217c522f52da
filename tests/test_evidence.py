"""The public documents that other programs read: keys, their order and the types of their values."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler.model.evidence import Step, SwitchRecord, Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.model.status import Status

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
AT = datetime(2026, 7, 2, 5, 0, 1, 250_000, tzinfo=UTC)

RECORD = SwitchRecord(
    verdict=Verdict.VERIFIED,
    at=AT,
    boundary=datetime(2026, 7, 2, 5, 5, tzinfo=UTC),
    rules=("Refill at night",),
    desired=Setpoint(mode="backup", reserve_percent=100),
    before=Setpoint(mode="self_consumption", reserve_percent=5.000019999999999),
    after=Setpoint(mode="backup", reserve_percent=100.0),
    attempts=1,
    firmware="1.45.2",
    steps=(
        Step(step="post_operation", status=200, ms=21),
        Step(step="config_completed", status=None, ms=10000),
    ),
    message="the gateway reads back backup, reserve 100 %",
    took_ms=94,
)

STATUS = Status(
    at=AT,
    started=AT - timedelta(hours=3),
    period="super_off_peak",
    desired=RECORD.desired,
    rules=RECORD.rules,
    actual=RECORD.after,
    read_at=AT,
    record=RECORD,
    next_boundary=AT + timedelta(hours=9),
    next_desired=Setpoint(mode="self_consumption", reserve_percent=5),
    next_moment=None,
    firmware="1.45.2",
    drifted=False,
    trouble=None,
    plan_digest="0f" * 32,
    plan_problem=None,
)


def test_the_record_of_a_switch_as_other_programs_read_it() -> None:
    """Keys, their order and every value of `tou-scheduler/switch`, version 1."""
    document = RECORD.document(LOS_ANGELES)

    assert json.dumps(document) == json.dumps(
        {
            "schema": "tou-scheduler/switch",
            "version": 1,
            "verdict": "verified",
            "at": "2026-07-01T22:00:01-07:00",
            "boundary": "2026-07-01T22:05:00-07:00",
            "rules": ["Refill at night"],
            "desired": {"mode": "backup", "reserve_percent": 100},
            "before": {"mode": "self_consumption", "reserve_percent": 5.0},
            "after": {"mode": "backup", "reserve_percent": 100.0},
            "attempts": 1,
            "firmware": "1.45.2",
            "steps": [
                {"step": "post_operation", "status": 200, "ms": 21},
                {"step": "config_completed", "status": None, "ms": 10000},
            ],
            "message": "the gateway reads back backup, reserve 100 %",
        }
    )


def test_what_was_never_read_is_null() -> None:
    """A gateway that did not answer leaves nulls, never a guess or an intention."""
    record = replace(
        RECORD, verdict=Verdict.UNREACHABLE, before=None, after=None, firmware=None, steps=(), attempts=0
    )

    document = record.document(LOS_ANGELES)

    assert [document[key] for key in ("before", "after", "firmware", "steps", "attempts")] == [
        None,
        None,
        None,
        [],
        0,
    ]


def test_a_field_left_alone_is_null() -> None:
    """A rule that asks for a reserve only shows that it asked for no mode."""
    record = replace(RECORD, desired=Setpoint(reserve_percent=20))

    assert record.document(LOS_ANGELES)["desired"] == {"mode": None, "reserve_percent": 20}


def test_verdicts_are_words_that_do_not_change() -> None:
    """The words of a verdict are in other people's filters: exactly these, and three of them are good."""
    assert {verdict.value for verdict in Verdict} == {
        "already",
        "verified",
        "effective",
        "not_applied",
        "not_effective",
        "refused",
        "unreachable",
        "superseded",
        "drifted",
    }
    assert {verdict.value for verdict in Verdict if verdict.good} == {"already", "verified", "effective"}


def test_the_status_as_other_programs_read_it() -> None:
    """Keys, their order and every value of `tou-scheduler/status`, version 1."""
    document = STATUS.document(LOS_ANGELES)

    assert json.dumps(document) == json.dumps(
        {
            "schema": "tou-scheduler/status",
            "version": 1,
            "at": "2026-07-01T22:00:01-07:00",
            "started": "2026-07-01T19:00:01-07:00",
            "timezone": "America/Los_Angeles",
            "period": "super_off_peak",
            "desired": {"mode": "backup", "reserve_percent": 100},
            "rules": ["Refill at night"],
            "actual": {"mode": "backup", "reserve_percent": 100.0},
            "read_at": "2026-07-01T22:00:01-07:00",
            "verdict": "verified",
            "verdict_message": "the gateway reads back backup, reserve 100 %",
            "next_boundary": "2026-07-02T07:00:01-07:00",
            "next_desired": {"mode": "self_consumption", "reserve_percent": 5},
            "next_moment": None,
            "firmware": "1.45.2",
            "installing_since": None,
            "drifted": False,
            "hold": None,
            "trouble": None,
            "clock": "not looked at",
            "configuration": {"digest": "0f" * 32, "problem": None},
            "memory": {"problem": None},
        }
    )


def test_an_install_under_way_is_told_with_its_beginning() -> None:
    """While the gateway installs its firmware, the status says since when, in the site's own time."""
    installing = replace(STATUS, installing_since=AT)

    assert installing.document(LOS_ANGELES)["installing_since"] == "2026-07-01T22:00:01-07:00"


def test_a_status_before_the_first_reading_shows_no_intention_as_a_fact() -> None:
    """Until the gateway was read, what it has and what was proven are null, although the desire is known."""
    early = replace(
        STATUS, actual=None, read_at=None, record=None, firmware=None, next_boundary=None, next_desired=None
    )

    document = early.document(LOS_ANGELES)

    assert document["desired"]["mode"] == "backup"
    for key in (
        "actual",
        "read_at",
        "verdict",
        "verdict_message",
        "firmware",
        "next_boundary",
        "next_desired",
    ):
        assert document[key] is None


@pytest.mark.parametrize(
    ("instant", "local"),
    [
        (datetime(2026, 11, 1, 8, 30, tzinfo=UTC), "2026-11-01T01:30:00-07:00"),
        (datetime(2026, 11, 1, 9, 30, tzinfo=UTC), "2026-11-01T01:30:00-08:00"),
    ],
)
def test_the_repeated_hour_can_be_told_apart(instant: datetime, local: str) -> None:
    """In the night that repeats an hour the offset says which of the two it was."""
    assert replace(RECORD, at=instant).document(LOS_ANGELES)["at"] == local
