"""The public JSON of the plan: its keys are a promise to other programs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from typing import Any

from plan_schedules import MINUTE, SHIPPED, SHIPPED_RULES, schedule

from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition
from scheduler.plan.compile import compile_plan
from scheduler.plan.document import DEEPEST, plan_document
from scheduler.plan.rules import Schedule, Window
from scheduler.plan.tariff import Tariff


def document(of: Schedule = SHIPPED, *, hours: int = 24, merge: bool = False) -> dict[str, Any]:
    """The JSON of 2026-07-01, read back from its text."""
    start = datetime(2026, 7, 1, tzinfo=of.zone)
    plan = plan_document(compile_plan(of, start, start + hours * 60 * MINUTE), of.zone, merge=merge)
    read_back: dict[str, Any] = json.loads(json.dumps(plan))
    assert list(read_back) == list(plan)
    return read_back


def test_the_document_of_the_design() -> None:
    """Keys, their order and their values are those that are documented."""
    plan = document(hours=8)
    assert json.dumps({**plan, "segments": plan["segments"][:1]}) == json.dumps(
        {
            "schema": "tou-scheduler/plan",
            "version": 1,
            "timezone": "America/Los_Angeles",
            "segments": [
                {
                    "start": "2026-07-01T00:00:00-07:00",
                    "end": "2026-07-01T07:55:00-07:00",
                    "period": "super_off_peak",
                    "mode": "backup",
                    "reserve_percent": 100,
                    "import_price": 0.13,
                    "export_price": 0.04,
                    "rules": [{"name": "Refill at night", "line": 41, "fields": ["mode", "reserve"]}],
                }
            ],
            "moments": [
                {
                    "at": "2026-07-01T07:15:00-07:00",
                    "do": "check_firmware",
                    "rule": "Firmware before the day begins",
                    "line": 45,
                }
            ],
        }
    )


def test_a_segment_is_cut_where_period_or_price_change() -> None:
    """Without `merge` each segment has one period and one price, so both are exact."""
    found = [(s["start"][11:16], s["period"], s["import_price"]) for s in document()["segments"]]
    assert found == [
        ("00:00", "super_off_peak", 0.13),
        ("07:55", "super_off_peak", 0.13),
        ("08:00", "off_peak", 0.28),
        ("14:00", "on_peak", 0.45),
        ("20:00", "off_peak", 0.28),
        ("22:00", "super_off_peak", 0.13),
        ("22:05", "super_off_peak", 0.13),
    ]


def test_merged_segments_say_only_what_holds_throughout() -> None:
    """With `merge` segments are cut only where the setpoint changes; a period or price that varies inside is null."""
    segments = document(merge=True)["segments"]
    assert [(s["start"][11:16], s["period"], s["import_price"], s["export_price"]) for s in segments] == [
        ("00:00", "super_off_peak", 0.13, 0.04),
        ("07:55", None, None, 0.04),
        ("22:05", "super_off_peak", 0.13, 0.04),
    ]


def test_conditions_are_told_with_what_holds_otherwise() -> None:
    """A segment with an `if` carries the setpoint when it is false, nested where that depends on another."""
    rules = (
        Window(
            name="low",
            line=1,
            setpoint=Setpoint(mode="backup"),
            condition=Condition(charge_below_percent=30, grid=Grid.CONNECTED),
        ),
        Window(
            name="full",
            line=2,
            setpoint=Setpoint(mode="autonomous", reserve_percent=7.5),
            condition=Condition(charge_above_percent=90),
        ),
    )
    (segment,) = document(schedule("America/Los_Angeles", Tariff(periods=()), *rules))["segments"]
    assert (segment["mode"], segment["reserve_percent"], segment["period"]) == ("backup", 7.5, None)
    assert segment["rules"] == [
        {"name": "low", "line": 1, "fields": ["mode"]},
        {"name": "full", "line": 2, "fields": ["reserve"]},
    ]
    assert segment["otherwise"] == {
        "mode": "autonomous",
        "reserve_percent": 7.5,
        "otherwise": {"mode": "self_consumption", "reserve_percent": 20},
    }


def test_a_thousand_conditions_are_told_to_a_bounded_depth() -> None:
    """However many conditions compete, the document can be written and read, and ends with the ordinary setpoint."""
    rules = [
        Window(
            name=f"rule {n}",
            line=n,
            setpoint=Setpoint(reserve_percent=50),
            condition=Condition(charge_below_percent=n / 20),
        )
        for n in range(1, 1101)
    ]
    (at, *_) = document(replace(SHIPPED, rules=(*rules, *SHIPPED_RULES)), hours=1)["segments"]
    chain = []
    while "otherwise" in at:
        at = at["otherwise"]
        chain.append((at["mode"], at["reserve_percent"]))
    assert chain == [("backup", 50)] * (DEEPEST - 1) + [("backup", 100)]


def test_a_condition_without_a_say_is_not_told() -> None:
    """A rule with `if` behind one that always gives the same fields leaves no `otherwise`."""
    mute = replace(SHIPPED_RULES[0], when=SHIPPED_RULES[1].when, condition=Condition(charge_below_percent=30))
    of = replace(SHIPPED, rules=(*SHIPPED_RULES, mute))
    assert document(of) == document()


def test_the_default_is_told_by_its_name_and_line() -> None:
    """Where no rule speaks the file's default does, and a field that nobody gives is null."""
    of = replace(SHIPPED, rules=(), default=Setpoint(mode="backup"), default_line=52)
    segment = document(of)["segments"][0]
    assert (segment["mode"], segment["reserve_percent"]) == ("backup", None)
    assert segment["rules"] == [{"name": "default", "line": 52, "fields": ["mode"]}]


def test_times_carry_the_offset_that_holds_then() -> None:
    """On a day when the clocks change, each local time has its own offset."""
    start = datetime(2026, 11, 1, tzinfo=SHIPPED.zone)
    timeline = compile_plan(SHIPPED, start, start.replace(hour=12))
    first = plan_document(timeline, SHIPPED.zone)["segments"][0]
    assert (first["start"], first["end"]) == ("2026-11-01T00:00:00-07:00", "2026-11-01T07:55:00-08:00")


def test_a_whole_reserve_is_an_integer() -> None:
    """A reserve that the file gives as 80.0 is 80 for programs, too; 7.5 stays what it is."""
    for reserve, written in ((80.0, "80"), (7.5, "7.5")):
        of = replace(SHIPPED, rules=(), default=Setpoint(reserve_percent=reserve))
        assert json.dumps(document(of)["segments"][0]["reserve_percent"]) == written
