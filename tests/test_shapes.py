"""Answers of every firmware line that is known: what is read of each, and what is refused by its field."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from shapes_of import SHAPES, shape, shapes

from scheduler.gateway import wire
from scheduler.gateway.body import parse
from scheduler.model.errors import Transient
from scheduler.model.reading import Grid, Identity, Power, UpdateStatus
from scheduler.model.setpoint import Setpoint

SAMPLES = Path(__file__).parents[2] / "shared" / "samples" / "21.39.1"
"""A published dump of a whole gateway. It is not ours to give away, so most people do not have it."""

TOKEN = "Fict-_" * 14 + "io=="
CHARGE = b'{"percentage":62}'
GRID = b'{"grid_status":"SystemGridConnected"}'


def charge(body: bytes) -> float:
    """What is read of an answer of system_status/soe."""
    return round(wire.live(body, GRID).charge_percent, 2)


def grid(body: bytes) -> Grid:
    """What is read of an answer of system_status/grid_status."""
    return wire.live(CHARGE, body).grid


def operation(body: bytes) -> tuple[Setpoint, tuple[str, ...]]:
    """What is read of an answer of operation, and how it spells its mode."""
    read = wire.operation(body)
    return read.setpoint, read.mode_keys


Parser = Callable[[bytes], object]

PARSERS: dict[str, tuple[Parser, tuple[str, ...]]] = {
    "status": (wire.identity, ("version",)),
    "config.completed": (wire.identity, ("version",)),
    "sitemaster": (wire.running, ("running",)),
    "operation": (operation, ("real_mode", "mode", "backup_reserve_percent")),
    "system_status.soe": (charge, ("percentage",)),
    "system_status.grid_status": (grid, ("grid_status",)),
    "meters.aggregates": (wire.power, ("site", "battery", "load")),
    "system.update.status": (wire.update_status, ("state",)),
    "login.Basic": (lambda body: (wire.token(body), wire.roles(body)), ("token",)),
}
"""By the name of an answer: what reads it, and the fields that it must have, where it has them."""


def said(reserve_percent: float, mode: str, key: str = "real_mode") -> tuple[Setpoint, tuple[str, ...]]:
    """A setpoint as it should be read."""
    return Setpoint(mode=mode, reserve_percent=reserve_percent), (key,)


def watts(battery: float, site: float, load: float, solar: float) -> Power:
    """Four powers as they should be read."""
    return Power(battery_w=battery, site_w=site, load_w=load, solar_w=solar)


NOTHING_TO_DO = ("nonactionable",)

READ: dict[str, object] = {
    "1.15/login.Basic": (TOKEN, ("Provider_Engineer",)),
    "1.15/meters.aggregates": watts(-2350, -21.449996948242188, 1546.2712597712405, 3906.1700439453125),
    "1.15/operation": said(20.631579, "self_consumption", "mode"),
    "1.15/sitemaster": True,
    "1.15/sitemaster.stopped": False,
    "1.15/status": Identity(firmware="1.15.0", start_time="2018-05-01 09:00:00 +0800"),
    "1.15/system.update.status": UpdateStatus(state="/update_failed", status=NOTHING_TO_DO),
    "1.15/system_status.grid_status": Grid.CONNECTED,
    "1.15/system_status.grid_status.to_grid": Grid.ISLANDED,
    "1.15/system_status.soe": 67.54,
    "1.21/login.Basic": (TOKEN, ("Home_Owner",)),
    "1.21/meters.aggregates": watts(120.5, 0, 120.5, 0),
    "1.21/operation": said(100, "backup"),
    "1.21/sitemaster": True,
    "1.21/status": Identity(firmware="1.21.0", start_time="2018-11-01 23:38:46 +0800"),
    "1.21/system.update.status": UpdateStatus(state="/download", status=()),
    "1.21/system_status.grid_status": Grid.ISLANDED,
    "1.21/system_status.soe": 100.0,
    "1.45/login.Basic": (TOKEN, ("Provider_Engineer",)),
    "1.45/meters.aggregates": watts(-10.5, 537, 1200, 673.5),
    "1.45/operation": said(20, "self_consumption"),
    "1.45/sitemaster": True,
    "1.45/status": Identity(firmware="1.45.2", start_time="2020-03-23 23:38:46 +0800"),
    "1.45/system.update.status": UpdateStatus(state="/update_staged", status=()),
    "1.45/system_status.grid_status": Grid.CONNECTED,
    "1.45/system_status.soe": 60.0,
    "1.50/login.Basic": (TOKEN, ("Home_Owner",)),
    "1.50/meters.aggregates": watts(800, 0, 800, 0),
    "1.50/operation": said(60, "autonomous"),
    "1.50/sitemaster": True,
    "1.50/status": Identity(firmware="1.50.1 c58c2df3", start_time="2020-10-20 08:00:00 +0800"),
    "1.50/system.update.status": UpdateStatus(state="/clear_update_status", status=("ignoring",)),
    "1.50/system_status.grid_status": Grid.ISLANDED,
    "1.50/system_status.soe": 50.29,
    "21.39/running/config.completed": Identity(
        firmware="21.39.1 7759c368", start_time="2022-03-04 16:38:39 +0800"
    ),
    "21.39/running/meters.aggregates": watts(13, 554, 578.07, -5),
    "21.39/running/operation": said(26.315789, "self_consumption"),
    "21.39/running/sitemaster": True,
    "21.39/running/status": Identity(firmware="21.39.1 7759c368", start_time="2022-03-04 16:38:39 +0800"),
    "21.39/running/system.update.status": UpdateStatus(
        state="/update_unknown", status=NOTHING_TO_DO, last_status_ms=1639373921048
    ),
    "21.39/running/system_status.grid_status": Grid.CONNECTED,
    "21.39/running/system_status.soe": 27.41,
    "21.39/stopped/config.completed": Identity(
        firmware="21.39.1 7759c368", start_time="2022-03-04 16:38:39 +0800"
    ),
    "21.39/stopped/operation": said(0.000021, "self_consumption"),
    "21.39/stopped/sitemaster": False,
    "21.39/stopped/status": Identity(firmware="21.39.1 7759c368", start_time="2022-03-04 16:38:39 +0800"),
    "21.39/stopped/system.update.status": UpdateStatus(
        state="/update_unknown", status=NOTHING_TO_DO, last_status_ms=1639373921048
    ),
    "23.28/login.Basic": (TOKEN, ("Home_Owner",)),
    "23.28/meters.aggregates": watts(10, 537, 540.25, -2),
    "23.28/operation": said(80, "self_consumption"),
    "23.28/sitemaster": True,
    "23.28/status": Identity(firmware="23.28.2 27626f98", start_time="2023-12-01 16:38:39 +0800"),
    "23.28/system.update.status": UpdateStatus(
        state="/update_succeeded", status=NOTHING_TO_DO, last_status_ms=1702753309227
    ),
    "23.28/system_status.grid_status": Grid.CONNECTED,
    "23.28/system_status.soe": 25.27,
}

WRONG: list[object] = [None, True, "7", 7, [], ["x"], {}, {"x": 1}]
"""A value of each JSON type; what a field's own type is, is left out."""


def parser_of(name: str) -> tuple[Parser, tuple[str, ...]] | None:
    """What reads an answer of this name, if anything does."""
    answer = Path(name).name
    for known in sorted(PARSERS, key=len, reverse=True):
        if answer == known or answer.startswith(known + "."):
            return PARSERS[known]
    return None


def required(name: str) -> list[str]:
    """The fields of an answer that it cannot do without."""
    found = parser_of(name)
    assert found is not None
    return [field for field in found[1] if field in json.loads(shape(name))]


def read(name: str, body: bytes | None = None) -> object:
    """What is read of an answer of this name."""
    found = parser_of(name)
    assert found is not None
    return found[0](shape(name) if body is None else body)


def test_every_known_answer_is_strict_json() -> None:
    """The strict reading takes every answer that a gateway is known to give, and reads it like any JSON parser."""
    assert len(shapes()) > 100
    for name in shapes():
        assert parse(shape(name)) == json.loads(shape(name)), name


def test_the_table_leaves_no_answer_out() -> None:
    """Every answer that a typed parser reads has its row in the table, or is one of the broken ones."""
    typed = {name for name in shapes() if parser_of(name) and not name.startswith("broken/")}

    assert typed == set(READ)


@pytest.mark.parametrize("name", READ)
def test_a_known_answer_is_read(name: str) -> None:
    """Each firmware's answer is read as the values that it means."""
    assert read(name) == READ[name]


@pytest.mark.parametrize("name", READ)
def test_fields_that_nobody_knows_do_no_harm(name: str) -> None:
    """A later firmware may say more: what is not known is passed over in silence, whatever it is."""
    fields = json.loads(shape(name))
    more = {f"new_{number}": value for number, value in enumerate(WRONG)}

    assert read(name, json.dumps(more | fields | {"zzz": more}).encode()) == READ[name]


@pytest.mark.parametrize(("name", "field"), [(name, field) for name in READ for field in required(name)])
def test_a_missing_or_bent_field_is_named(name: str, field: str) -> None:
    """An answer without a field, or with another type of value in it, is Transient, and the text names the field."""
    fields = json.loads(shape(name))
    own = type(fields[field])
    bent = [value for value in WRONG if not (type(value) is own or (own is float and type(value) is int))]
    answers = [{key: value for key, value in fields.items() if key != field}]
    answers += [fields | {field: value} for value in bent]

    for answer in answers:
        with pytest.raises(Transient, match=field):
            read(name, json.dumps(answer).encode())


def test_a_meter_without_its_power_is_named() -> None:
    """A meter that has no number for its power is not taken for one at rest."""
    for meter in ("site", "battery", "load", "solar"):
        fields = json.loads(shape("21.39/running/meters.aggregates"))
        del fields[meter]["instant_power"]
        with pytest.raises(Transient, match="instant_power"):
            wire.power(json.dumps(fields).encode())


def test_an_operation_without_its_reserve_is_named() -> None:
    """The answer without a reserve that was seen now and then is refused, and the text names the reserve."""
    with pytest.raises(Transient, match="backup_reserve_percent"):
        wire.operation(shape("broken/operation.no_reserve"))


@pytest.mark.parametrize(
    "word", ["SystemGridFaulted", "systemgridconnected", "SystemGridConnected2", "unknown"]
)
def test_a_word_for_the_grid_that_nobody_knows_is_an_error(word: str) -> None:
    """A new word is neither taken for the grid nor for an island; the text names the field and not the word."""
    body = shape("23.28/system_status.grid_status").replace(b"SystemGridConnected", word.encode())

    with pytest.raises(Transient, match="unknown word under grid_status") as caught:
        grid(body)
    assert word not in str(caught.value).replace("unknown word", "")


def test_a_new_state_of_the_updater_is_handed_on() -> None:
    """What state a new firmware may call its update, it is the gateway's own word and no error."""
    body = shape("23.28/system.update.status").replace(b"/update_succeeded", b"/update_paused")

    assert wire.update_status(body).state == "/update_paused"


def test_roles_that_are_none_do_not_keep_a_login_from_being_one() -> None:
    """A token counts; roles that are missing, no list, or no plain words are left out."""
    fields = json.loads(shape("23.28/login.Basic"))
    for roles, expected in (
        (None, ()),
        ("Home_Owner", ()),
        ([7, "Home_Owner", "\u001b[2J", ""], ("Home_Owner",)),
    ):
        body = json.dumps(fields | {"roles": roles}).encode()

        assert wire.token(body) == TOKEN
        assert wire.roles(body) == expected


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published dump of a real gateway is not at hand")
def test_every_answer_of_a_real_gateway_is_taken() -> None:
    """All JSON of a real 21.39.1 gateway is read, and what we use of it is of the type that it should be."""
    files = sorted(SAMPLES.rglob("*.json"))

    assert len(files) > 50
    for path in files:
        body = path.read_bytes()
        assert parse(body) is not None, path.name
        if found := parser_of(path.stem):
            assert type(found[0](body)) is type(read(f"21.39/{path.parent.name}/{path.stem}")), path.name


@pytest.mark.skipif(not SAMPLES.is_dir(), reason="the published dump of a real gateway is not at hand")
def test_our_copies_are_of_the_real_shape() -> None:
    """Each answer of the real gateway has a small copy with all of its keys, and no type that it has not, in each place."""
    for path in sorted(SAMPLES.rglob("*.json")):
        ours = parse((SHAPES / "21.39" / path.parent.name / path.name).read_bytes())

        assert outline(ours) <= outline(parse(path.read_bytes())), path.name
        assert keys(ours) == keys(parse(path.read_bytes())), path.name


def outline(value: Any, where: str = "") -> set[str]:
    """Every place in a JSON value with the type that it has there; the members of a list share one place."""
    if isinstance(value, dict):
        return {where + " object"}.union(*(outline(v, f"{where}/{_plain(k)}") for k, v in value.items()))
    if isinstance(value, list):
        return {where + " list"}.union(*(outline(member, where + "[]") for member in value))
    kind = "number" if type(value) in {int, float} else type(value).__name__
    return {f"{where} {kind}"}


def keys(value: Any, where: str = "") -> set[str]:
    """Every name in a JSON value with the place where it stands, all the way down; members of a list share one place."""
    if isinstance(value, list):
        return set[str]().union(*(keys(member, where + "[]") for member in value))
    if not isinstance(value, dict):
        return set()
    # Two keys may be plainly the same, such as grid codes.
    inner = [(f"{where}/{_plain(key)}", member) for key, member in value.items()]
    return {place for place, _ in inner}.union(*(keys(member, place) for place, member in inner))


def _plain(key: str) -> str:
    """A key without a serial number, and one name for all grid codes."""
    if key[0].isdigit():
        return "a grid code"
    return key.replace("<<METER_SERIAL>>", "").replace("OBB1000000001", "")
