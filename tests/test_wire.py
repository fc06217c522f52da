"""The wire: bodies of real gateways, hostile ones, and the percent scale."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.gateway import wire
from scheduler.model.errors import Transient
from scheduler.model.reading import Grid, Identity, Power, UpdateStatus
from scheduler.model.setpoint import Setpoint

MEASURED = [(0, 5), (5, 9.75), (10, 14.5), (20, 24), (35, 38.25), (60, 62), (100, 100)]

# The README's table of tested values: what the app shows, what the local API says.
README = [(5, 10), (16, 20), (16, 20.6), (20, 24), (21, 24.6), (100, 100)]

OPERATION = b'{"real_mode":"self_consumption","backup_reserve_percent":24}'


def body(**fields: Any) -> bytes:
    """A JSON body with these fields."""
    return json.dumps(fields).encode()


@pytest.mark.parametrize(("shown", "raw"), MEASURED)
def test_measured_pairs_hold_exactly(shown: float, raw: float) -> None:
    """The pairs that were measured on real gateways come out exactly, both ways."""
    assert wire.to_raw(shown) == raw
    assert wire.to_shown(raw) == shown


@pytest.mark.parametrize(("app", "api"), README)
def test_the_readmes_table_fits_with_the_apps_rounding(app: int, api: float) -> None:
    """Each row of the README's table fits: the app rounds to whole percents."""
    assert abs(wire.to_shown(api) - app) <= 0.5


def test_one_row_of_the_readmes_table_does_not_fit() -> None:
    """The row 30 % -> 33 % is off by half a percent: exact is 33.5. Its author set whole numbers, and 33 shows as 29."""
    assert wire.to_raw(30) == 33.5
    assert round(wire.to_shown(33)) == 29


@given(st.floats(min_value=0, max_value=100))
def test_a_thousand_round_trips_do_not_drift(shown: float) -> None:
    """Reading what was written and writing it again changes nothing, however often."""
    settled = wire.to_shown(wire.to_raw(shown))
    again = settled
    for _ in range(1000):
        again = wire.to_shown(wire.to_raw(again))

    assert abs(settled - shown) < 1e-6
    assert again == settled


@pytest.mark.parametrize(
    ("answer", "setpoint", "keys"),
    [
        (
            b'{"mode":"self_consumption","backup_reserve_percent":24.6}',
            Setpoint(mode="self_consumption", reserve_percent=20.631579),
            ("mode",),
        ),
        (
            b'{"real_mode":"backup","backup_reserve_percent":100,"freq_shift_load_shed_soe":75}',
            Setpoint(mode="backup", reserve_percent=100),
            ("real_mode",),
        ),
        (
            b'{"mode":"x","real_mode":"site_control","backup_reserve_percent":62}',
            Setpoint(mode="site_control", reserve_percent=60),
            ("real_mode", "mode"),
        ),
        (
            b'{"mode":"backup","backup_reserve_percent":3}',
            Setpoint(mode="backup", reserve_percent=0),
            ("mode",),
        ),
    ],
)
def test_operation_is_read_from_old_and_new_firmware(
    answer: bytes, setpoint: Setpoint, keys: tuple[str, ...]
) -> None:
    """The setpoint is read in shown percent, and the spelling of the mode is remembered."""
    operation = wire.operation(answer)

    assert operation.setpoint == setpoint
    assert operation.mode_keys == keys


def test_float_dust_of_a_gateway_is_no_difference() -> None:
    """The 5.000019999999999 of a 21.39.1 gateway meets a reserve of 0."""
    read = wire.operation(b'{"real_mode":"backup","backup_reserve_percent":5.000019999999999}').setpoint

    assert Setpoint(reserve_percent=0).is_met_by(read)


NEW = wire.operation(OPERATION)
OLD = wire.operation(b'{"mode":"backup","backup_reserve_percent":24.6}')
ODD = wire.operation(b'{"real_mode":"site_control","backup_reserve_percent":24}')


@pytest.mark.parametrize(
    ("change", "known", "expected"),
    [
        pytest.param(
            Setpoint(mode="backup", reserve_percent=100),
            None,
            {"real_mode": "backup", "mode": "backup", "backup_reserve_percent": 100},
            id="nothing read yet: both spellings",
        ),
        pytest.param(
            Setpoint(mode="backup", reserve_percent=5),
            NEW,
            {"real_mode": "backup", "backup_reserve_percent": 9.75},
            id="as new firmware speaks",
        ),
        pytest.param(
            Setpoint(mode="autonomous", reserve_percent=5),
            OLD,
            {"mode": "autonomous", "backup_reserve_percent": 9.75},
            id="as old firmware speaks",
        ),
        pytest.param(
            Setpoint(reserve_percent=60),
            NEW,
            {"real_mode": "self_consumption", "backup_reserve_percent": 62},
            id="the mode left alone is said again",
        ),
        pytest.param(
            Setpoint(mode="self_consumption"),
            OLD,
            {"mode": "self_consumption", "backup_reserve_percent": 24.6},
            id="the reserve left alone is said again as it was said",
        ),
        pytest.param(
            Setpoint(reserve_percent=60),
            ODD,
            {"backup_reserve_percent": 62},
            id="a mode that nobody may ask for is not said again",
        ),
        pytest.param(
            Setpoint(mode="backup"), None, {"real_mode": "backup", "mode": "backup"}, id="mode alone"
        ),
    ],
)
def test_what_is_written(change: Setpoint, known: wire.Operation | None, expected: dict[str, Any]) -> None:
    """A write asks for the change in raw percent, in the gateway's own spelling, and repeats what is left alone."""
    assert wire.operation_body(change, known) == expected


@pytest.mark.parametrize(
    ("word", "grid"),
    [
        ("SystemGridConnected", Grid.CONNECTED),
        ("SystemIslandedReady", Grid.ISLANDED),
        ("SystemIslandedActive", Grid.ISLANDED),
        ("SystemTransitionToGrid", Grid.ISLANDED),
        ("SystemTransitionToIsland", Grid.ISLANDED),
        ("SystemMicroGridFaulted", Grid.ISLANDED),
        ("SystemWaitForUser", Grid.ISLANDED),
    ],
)
def test_only_a_grid_in_sync_is_connected(word: str, grid: Grid) -> None:
    """Every word but SystemGridConnected means that the house runs on its own."""
    live = wire.live(b'{"percentage":52.78}', body(grid_status=word, grid_services_active=False))

    assert live.grid is grid
    assert live.charge_percent == pytest.approx(50.29, abs=0.01)


@pytest.mark.parametrize(("raw", "shown"), [(0, 0.0), (4.9, 0.0), (100.000000001, 100.0)])
def test_charge_stays_within_what_the_app_shows(raw: float, shown: float) -> None:
    """A battery below raw 5 % shows as empty, and dust above full as full."""
    live = wire.live(body(percentage=raw), body(grid_status="SystemGridConnected"))

    assert live.charge_percent == shown


def test_meters_are_read_with_and_without_solar() -> None:
    """The four powers are read in watts, and a house without a solar meter makes none."""
    meters: dict[str, Any] = {
        "site": {"instant_power": 537, "frequency": 0},
        "battery": {"instant_power": -10.5},
        "load": {"instant_power": 1200},
    }
    without = Power(battery_w=-10.5, site_w=537, load_w=1200, solar_w=0)

    assert wire.power(body(**meters)) == without
    assert wire.power(body(**meters, solar=None)) == without
    assert wire.power(body(**meters, solar={"instant_power": 7})).solar_w == 7


def test_identity_is_stripped() -> None:
    """The line feed that ends the version of firmware 1.15 is not part of it."""
    answer = body(start_time="2018-04-01 09:00:00 +0800", version="1.15.0\n", git_hash="x")

    assert wire.identity(answer) == Identity(firmware="1.15.0", start_time="2018-04-01 09:00:00 +0800")


@pytest.mark.parametrize(
    ("answer", "running"),
    [
        (b'{"running":true,"uptime":"802459s,","connected_to_tesla":true}', True),
        (b'{"running":false,"uptime":"log:","connected_to_tesla":false}', False),
        (b'{"status":"StatusUp","running":true,"can_reboot":"Yes"}\n', True),
    ],
)
def test_oddities_of_the_sitemaster_are_taken(answer: bytes, *, running: bool) -> None:
    """The odd uptimes of real gateways do not matter."""
    assert wire.running(answer) is running


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (
            b'{"state":"/update_failed","info":{"status":["nonactionable"]},"current_time":1422697552910}',
            UpdateStatus(state="/update_failed", status=("nonactionable",)),
        ),
        (
            b'{"state":"/download","info":{"bytes":1}}',
            UpdateStatus(state="/download", status=()),
        ),
        (b'{"state":"/update_staged","info":null}', UpdateStatus(state="/update_staged", status=())),
    ],
)
def test_update_status_is_read(answer: bytes, status: UpdateStatus) -> None:
    """State and words are the gateway's own, and `info` may lack words."""
    assert wire.update_status(answer) == status


HOSTILE = [
    pytest.param(b"", id="empty"),
    pytest.param(b"<html>Moved</html>", id="HTML"),
    pytest.param(b"\xff\xfe{}", id="not UTF-8"),
    pytest.param(OPERATION.decode().encode("utf-16"), id="UTF-16"),
    pytest.param(OPERATION[:-5], id="cut short"),
    pytest.param(OPERATION + b"{}", id="two documents"),
    pytest.param(b"[]", id="a list"),
    pytest.param(b"null", id="null"),
    pytest.param(OPERATION.replace(b"24", b"NaN"), id="NaN"),
    pytest.param(OPERATION.replace(b"24", b"-Infinity"), id="Infinity"),
    pytest.param(OPERATION.replace(b"24", b"1e999"), id="1e999"),
    pytest.param(OPERATION.replace(b"24", b"9" * 5000), id="5000 digits"),
    pytest.param(OPERATION.replace(b"24", b"9" * 400), id="400 digits"),
    pytest.param(OPERATION.replace(b"}", b',"backup_reserve_percent":5}'), id="duplicate key"),
    pytest.param(OPERATION.replace(b"24", b"true"), id="true for a number"),
    pytest.param(OPERATION.replace(b"24", b'"24"'), id="text for a number"),
    pytest.param(OPERATION.replace(b"24", b"-1"), id="below 0"),
    pytest.param(OPERATION.replace(b"24", b"101"), id="above 100"),
    pytest.param(OPERATION.replace(b'"self_consumption"', b"7"), id="number for a mode"),
    pytest.param(OPERATION.replace(b"self_consumption", b""), id="empty mode"),
    pytest.param(OPERATION.replace(b"self_consumption", b"\\u001b[2J"), id="escape sequence"),
    pytest.param(OPERATION.replace(b"self_consumption", b"\\ud800"), id="lone surrogate"),
    pytest.param(OPERATION.replace(b"self_consumption", b"x" * 201), id="endless mode"),
    pytest.param(b'{"backup_reserve_percent":24}', id="no mode"),
    pytest.param(b'{"mode":"backup"}', id="no reserve"),
    pytest.param(b'{"a":' * 33 + b"1" + b"}" * 33, id="33 levels"),
    pytest.param(b"[" * 100_000, id="100,000 levels"),
    pytest.param(b'{"a":' * 40_000, id="40,000 objects"),
]


@pytest.mark.parametrize("answer", HOSTILE)
def test_nonsense_is_transient(answer: bytes) -> None:
    """Whatever is not a sane answer is Transient, and nothing else escapes."""
    with pytest.raises(Transient, match="gateway's answer"):
        wire.operation(answer)


def test_brackets_within_text_are_no_depth() -> None:
    """Only nesting counts: brackets and quotes inside a text do not, and 32 levels are taken."""
    deep = b"[" * 31 + b"]" * 31
    answer = OPERATION[:-1] + b',"note":"' + b'[{\\"' * 50 + b'","deep":' + deep + b"}"

    assert wire.operation(answer).setpoint.mode == "self_consumption"


@pytest.mark.parametrize(
    ("parse", "field"),
    [
        (wire.identity, "version"),
        (wire.running, "running"),
        (wire.power, "battery"),
        (wire.update_status, "state"),
        (wire.operation, "mode"),
        (wire.token, "token"),
        (lambda answer: wire.live(answer, answer), "percentage"),
        (lambda answer: wire.live(b'{"percentage":50}', answer), "grid_status"),
    ],
)
def test_the_missing_field_is_named(parse: Callable[[bytes], object], field: str) -> None:
    """The error for an answer without its field names the field."""
    with pytest.raises(Transient, match=field):
        parse(b"{}")


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists).map(
        lambda value: json.dumps(
            {"state": value, "info": {"status": value}, "running": value, "token": value}
        ).encode()
    )
)
def test_no_body_is_a_crash(answer: bytes) -> None:
    """Any bytes at all are read or are Transient."""
    for parse in (wire.identity, wire.running, wire.power, wire.update_status, wire.operation, wire.token):
        assert outcome(parse, answer) is not None


def outcome(parse: Callable[[bytes], object], answer: bytes) -> object:
    """What a parser makes of an answer: a value, or the sentence of its error."""
    try:
        return parse(answer)
    except Transient as error:
        return str(error) or None


@pytest.mark.parametrize("token", ["", "a b", "x\r\nHost: elsewhere", "\u00e4", 7, None, "x" * 5000])
def test_a_token_must_fit_a_header(token: object) -> None:
    """A token that could break out of a header is no token, and is not repeated in the error."""
    with pytest.raises(Transient) as caught:
        wire.token(body(token=token))

    assert "elsewhere" not in str(caught.value)


def test_a_real_token_is_taken() -> None:
    """88 letters of base64 for addresses, ending in two equals signs, are a token."""
    token = "OgiG-_" * 14 + "ab=="

    assert wire.token(body(email="", roles=["Home_Owner"], token=token, provider="Basic")) == token


def test_numbers_that_are_sent_are_finite() -> None:
    """Every whole percent has a finite raw percent within the gateway's range, with at most two decimals."""
    for shown in range(101):
        raw = wire.to_raw(shown)

        assert math.isfinite(raw)
        assert 5 <= raw <= 100
        assert raw == round(raw, 2)
