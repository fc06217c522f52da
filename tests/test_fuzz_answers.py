"""Made-up answers: whatever a gateway says, it ends in a value of ours or in an error of ours, soon, and is not repeated."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Callable, Iterator
from enum import Enum

import pytest
from effort import BRIEF, LONG, soon
from hostile import CANARY, MONSTERS, bodies, texts
from hypothesis import given
from hypothesis import strategies as st
from shapes_of import shape

from scheduler.gateway import body, calls, habits, wire
from scheduler.model.errors import Transient

GRID = shape("23.28/system_status.grid_status")
CHARGE = shape("23.28/system_status.soe")

Parser = Callable[[bytes], object]

PARSERS: dict[str, tuple[Parser, tuple[str, ...]]] = {
    "any JSON": (body.parse, ()),
    "any object": (body.parse_object, ()),
    "status": (wire.identity, ("status.json", "status", "config.completed")),
    "din": (wire.din, ("status",)),
    "sitemaster": (wire.running, ("sitemaster",)),
    "operation": (wire.operation, ("operation",)),
    "charge": (lambda said: wire.live(said, GRID), ("system_status.soe",)),
    "grid": (lambda said: wire.live(CHARGE, said), ("system_status.grid_status",)),
    "faults": (wire.grid_faults, ("system_status.grid_faults",)),
    "power": (wire.power, ("meters.aggregates",)),
    "update": (wire.update_status, ("system.update.status",)),
    "token": (wire.token, ("login",)),
    "roles": (wire.roles, ("login",)),
}
"""Everything that reads a body, and the answers that it is made for."""


def check_answer(name: str, said: bytes) -> None:
    """A parser gives a sane value, or Transient with a sentence that repeats nothing of the body, and soon."""
    try:
        with soon():
            value = PARSERS[name][0](said)
    except Transient as error:
        check_sentence(str(error))
        return
    if name.startswith("any "):
        # Whatever is handed on as it is can be written down again as JSON, so it has no NaN and is not too deep.
        assert json.loads(json.dumps(value, allow_nan=False)) == value
        return
    for leaf in leaves(value):
        assert leaf is None or isinstance(leaf, bool | int | Enum | float | str)
        if isinstance(leaf, float):
            assert math.isfinite(leaf)
        if isinstance(leaf, str) and not isinstance(leaf, Enum):
            assert leaf.isprintable()
            assert len(leaf) <= 4096


def check_sentence(said: str) -> None:
    """An error's text is a short line that repeats nothing of the body."""
    assert said.startswith("the gateway's answer")
    assert CANARY not in said
    assert len(said) < 100
    assert said.isascii()
    assert said.isprintable()


def leaves(value: object) -> Iterator[object]:
    """What a typed value is made of in the end."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, tuple):
        for member in value:
            yield from leaves(member)
    else:
        yield value


def check_name(said: str) -> None:
    """A name leads to no call, or to one that only reads, below /api/ and on one line."""
    call = calls.find(said)
    if call is not None:
        assert not call.acts
        assert call.method == "GET"
        assert call.path.startswith("/api/")
        assert call.path.isascii()
        assert call.path.isprintable()
        assert " " not in call.path
        assert call in calls.CALLS or call.path.startswith("/api/solars/brands/")


def check_firmware(said: str) -> None:
    """A version that nobody can tell is treated like an old one, which is the careful way, and never an error."""
    version = habits.version_of(said)
    how = habits.habits_of(said)
    assert version is None or all(isinstance(part, int) for part in version)
    assert how.login_stops is (version is None or version < habits.FIRST_WITHOUT_INSTALLER)


@pytest.mark.parametrize("name", PARSERS)
def test_no_body_gets_past_a_parser(name: str) -> None:
    """Bodies made of real ones by cutting, swapping and putting in nonsense are read sanely or are Transient."""

    @BRIEF
    @given(bodies(*PARSERS[name][1]))
    def fuzz(said: bytes) -> None:
        check_answer(name, said)

    fuzz()


@pytest.mark.slow
@pytest.mark.parametrize("name", PARSERS)
def test_no_body_gets_past_a_parser_in_a_long_search(name: str) -> None:
    """The same with 20,000 bodies for each parser."""

    @LONG
    @given(bodies(*PARSERS[name][1]))
    def fuzz(said: bytes) -> None:
        check_answer(name, said)

    fuzz()


@pytest.mark.parametrize("monster", MONSTERS)
def test_no_body_keeps_a_parser_busy(monster: str) -> None:
    """A body of the largest size, built to be slow to read, is done with in a second by each parser."""
    for name in PARSERS:
        check_answer(name, MONSTERS[monster])


@pytest.mark.parametrize("brand", [".", "..", "%2e%2e", "\ud800"])
def test_dots_and_half_characters_are_no_name(brand: str) -> None:
    """What would lead to another address, or cannot stand in one, is no name of a maker."""
    assert calls.find(f"solars/brands/{brand}") is None


@BRIEF
@given(texts() | st.tuples(st.sampled_from(["", "/", "/api/", "solars/brands/"]), texts()).map("".join))
def test_no_name_of_a_call_is_an_error(said: str) -> None:
    """What somebody types as the name of a call leads to a reading call or to none."""
    check_name(said)


@BRIEF
@given(texts() | st.from_regex(r"\A *[0-9٣²]{1,5}(\.[0-9+_ -]{0,5}){0,3}"))
def test_no_version_is_an_error(said: str) -> None:
    """Whatever a gateway calls its firmware, its habits can be told."""
    check_firmware(said)
