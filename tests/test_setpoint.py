"""Setpoints: which fields are asked for, what would have to be written, and when two are equal."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.setpoint import NOTHING, RESERVE_TOLERANCE_PERCENT, Mode, Setpoint

modes = st.none() | st.sampled_from([*map(str, Mode), "site_control"])
reserves = st.none() | st.integers(0, 100) | st.floats(0, 100)
setpoints = st.builds(Setpoint, mode=modes, reserve_percent=reserves)
whole = st.builds(
    Setpoint,
    mode=modes.filter(lambda m: m is not None),
    reserve_percent=reserves.filter(lambda r: r is not None),
)


@given(setpoints, setpoints, setpoints)
def test_or_else_is_associative(one: Setpoint, two: Setpoint, three: Setpoint) -> None:
    """Precedence does not depend on how the rules are grouped."""
    assert one.or_else(two).or_else(three) == one.or_else(two.or_else(three))


@given(setpoints)
def test_nothing_changes_nothing(setpoint: Setpoint) -> None:
    """A rule that asks for nothing neither overrules nor adds anything."""
    assert setpoint.or_else(NOTHING) == NOTHING.or_else(setpoint) == setpoint


@given(setpoints, setpoints)
def test_or_else_keeps_what_is_given(upper: Setpoint, lower: Setpoint) -> None:
    """Field by field the upper one has the say, and the lower one only where the upper is silent."""
    both = upper.or_else(lower).given()

    assert both == lower.given() | upper.given()


@given(setpoints, whole)
def test_writing_what_lies_beyond_meets_the_setpoint(desired: Setpoint, actual: Setpoint) -> None:
    """The difference, put on top of what is there, is what was asked for: no field is forgotten."""
    assert desired.is_met_by(desired.beyond(actual).or_else(actual))


@given(setpoints, whole)
def test_only_what_differs_lies_beyond(desired: Setpoint, actual: Setpoint) -> None:
    """A field that is not asked for, or is there already, is never written."""
    change = desired.beyond(actual).given()

    assert change.items() <= desired.given().items()
    assert all(change[name] != getattr(actual, name) for name in change)
    assert desired.is_met_by(actual) == (not change)


@given(setpoints)
def test_a_setpoint_is_met_by_itself_and_nothing_by_anything(setpoint: Setpoint) -> None:
    """What is there already needs no write, and neither does what nobody asked for."""
    assert setpoint.is_met_by(setpoint)
    assert NOTHING.is_met_by(setpoint)


@pytest.mark.parametrize(
    ("wanted", "found", "met"),
    [
        (5, 5.0, True),
        (5, 5.000019999999999, True),
        (5, 4.95, True),
        (100, 99.95, True),
        (5, 5.2, False),
        (5, 4.8, False),
        (20, 21, False),
        (0, 0.0, True),
        (0, None, False),
    ],
)
def test_float_dust_is_no_difference(wanted: float, found: float | None, met: bool) -> None:  # noqa: FBT001 - a table
    """A gateway that answers 5.00002 for 5 has 5, and one that answers 5.2 has not."""
    assert Setpoint(reserve_percent=wanted).is_met_by(Setpoint(reserve_percent=found)) is met


def test_the_tolerance_is_finer_than_any_reserve_a_rule_can_ask_for() -> None:
    """Two whole percentages are never taken for one another."""
    assert RESERVE_TOLERANCE_PERCENT < 0.5


def test_a_mode_that_no_rule_can_ask_for_is_a_difference() -> None:
    """A gateway in site_control is brought back to what the plan says."""
    actual = Setpoint(mode="site_control", reserve_percent=5)

    assert Setpoint(mode="backup", reserve_percent=5).beyond(actual) == Setpoint(mode="backup")


def test_a_reserve_of_nothing_is_asked_for() -> None:
    """Zero percent is a wish, not the absence of one."""
    assert Setpoint(reserve_percent=0).given() == {"reserve_percent": 0}
    assert Setpoint(reserve_percent=0).or_else(Setpoint(reserve_percent=20)).reserve_percent == 0


@pytest.mark.parametrize(
    ("setpoint", "words"),
    [
        (Setpoint(mode=Mode.BACKUP, reserve_percent=100), "backup, reserve 100 %"),
        (
            Setpoint(mode="self_consumption", reserve_percent=5.000019999999999),
            "self_consumption, reserve 5 %",
        ),
        (Setpoint(reserve_percent=7.5), "reserve 7.5 %"),
        (Setpoint(mode="autonomous"), "autonomous"),
        (NOTHING, "nothing asked"),
    ],
)
def test_a_setpoint_in_words(setpoint: Setpoint, words: str) -> None:
    """A person reads whole numbers where a gateway sends dust."""
    assert str(setpoint) == words


@pytest.mark.parametrize(
    ("setpoint", "asked", "measured"),
    [
        (Setpoint(mode=Mode.BACKUP, reserve_percent=100), "100", "100.0"),
        (Setpoint(mode="backup", reserve_percent=100.0), "100", "100.0"),
        (Setpoint(mode="backup", reserve_percent=5.000019999999999), "5", "5.0"),
        (Setpoint(mode="backup", reserve_percent=7.5), "7.5", "7.5"),
        (Setpoint(mode="backup", reserve_percent=0), "0", "0.0"),
        (Setpoint(mode="backup"), "null", "null"),
    ],
)
def test_a_setpoint_as_a_document(setpoint: Setpoint, asked: str, measured: str) -> None:
    """Other programs get what was asked as the file has it, what was measured as a float, and never dust."""
    for document, reserve in ((setpoint.document(), asked), (setpoint.document(measured=True), measured)):
        assert json.dumps(document) == f'{{"mode": "backup", "reserve_percent": {reserve}}}'
        assert type(document["mode"]) is str, "an enum would leak into other formats"


def test_nothing_asked_as_a_document() -> None:
    """Null means left alone."""
    assert NOTHING.document() == {"mode": None, "reserve_percent": None}
