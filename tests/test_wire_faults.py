"""What the gateway says of the grid's alerts, of itself, and of the export limit, read without trusting it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.gateway import wire
from scheduler.model.errors import Transient
from scheduler.model.reading import Alert
from scheduler.model.setpoint import Setpoint

README = (
    b'[{"timestamp":1569976192352,"alert_name":"PINV_a006_vfCheckUnderFrequency","alert_is_fault":false,'
    b'"decoded_alert":"[{\\"name\\":\\"PINV_alertID\\",\\"value\\":\\"TG118123456789\\"}]",'
    b'"alert_raw":432406325129904128,"git_hash":"14f7c1769ec307","site_uid":"x","ecu_type":"TEPINV",'
    b'"ecu_package_part_number":"x","ecu_package_serial_number":"TG118123456789"}]'
)


def test_the_readmes_alert_is_read_without_its_serial_numbers() -> None:
    """Name and kind are taken; the fields that can hold serial numbers are not."""
    (alert,) = wire.grid_faults(README)

    assert alert == Alert(name="PINV_a006_vfCheckUnderFrequency", is_fault=False)
    assert "TG118" not in repr(alert)


@pytest.mark.parametrize("answer", [b"[]", b"null"])
def test_no_alerts_are_none(answer: bytes) -> None:
    """An empty list is what a gateway on a quiet grid says; null is what Go says of an empty one."""
    assert wire.grid_faults(answer) == ()


def test_an_alert_said_twice_is_one_and_a_fault_if_either_is() -> None:
    """Several batteries report the same alert; the list that is kept is bounded."""
    said = [{"alert_name": "a_1"}, {"alert_name": "a_1", "alert_is_fault": True}]
    many = [{"alert_name": f"a_{n}"} for n in range(2000)]

    assert wire.grid_faults(json.dumps(said).encode()) == (Alert(name="a_1", is_fault=True),)
    assert len(wire.grid_faults(json.dumps(many).encode())) == 50


@pytest.mark.parametrize("name", [None, 3, "", "two words", "x" * 81, "\u001b[2J", "1a", "tg-118", "a\n"])
def test_a_name_that_is_no_plain_word_is_left_out_and_the_others_are_heard(name: object) -> None:
    """Names go into logs: only words as gateways use them do; one odd alert silences no fault beside it."""
    fault = {"alert_name": "a_1", "alert_is_fault": True}

    assert wire.grid_faults(json.dumps([{"alert_name": name}, fault, {}]).encode()) == (
        Alert(name="a_1", is_fault=True),
    )


@pytest.mark.parametrize("meter", ["battery", "site", "load", "solar"])
@pytest.mark.parametrize("watts", [1e300, -1e300, 10_000_001, -10_000_001])
def test_watts_that_nothing_has_are_refused_by_name(meter: str, watts: float) -> None:
    """Beyond ten megawatts it is no reading: the sentence names the field and not the number."""
    meters = {name: {"instant_power": 10e6} for name in ("battery", "site", "load", "solar")}
    assert wire.power(json.dumps(meters).encode()).site_w == 10e6
    meters[meter] = {"instant_power": watts}

    with pytest.raises(Transient, match=rf"no believable watts under {meter}\.instant_power$"):
        wire.power(json.dumps(meters).encode())


@given(
    st.binary(max_size=100)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode())
)
def test_no_answer_about_alerts_is_a_crash(answer: bytes) -> None:
    """Any bytes at all are alerts or are Transient."""
    try:
        alerts: tuple[object, ...] = wire.grid_faults(answer)
    except Transient:
        alerts = ()

    assert all(isinstance(alert, Alert) for alert in alerts)


@pytest.mark.parametrize(
    ("said", "din"),
    [
        ({"din": "1232100-00-E--TG118123456789"}, "1232100-00-E--TG118123456789"),
        ({}, None),
        ({"din": None}, None),
        ({"din": ""}, None),
        ({"din": 5}, None),
        ({"din": "x" * 201}, None),
    ],
)
def test_a_serial_number_is_read_where_it_is_one(said: dict[str, Any], din: str | None) -> None:
    """Old firmware says none, and what is no text proves nothing."""
    assert wire.din(json.dumps({"version": "21.39.1"} | said).encode()) == din


@pytest.mark.parametrize(("said", "limit_kw"), [(4.6, 4.6), (0, 0), (None, None), ("5", None), (True, None)])
def test_the_export_limit_is_read_and_never_in_the_way(said: object, limit_kw: float | None) -> None:
    """It may be null; whatever stands there, mode and reserve are read all the same."""
    answer = {"real_mode": "backup", "backup_reserve_percent": 24, "max_pv_export_power_kW": said}
    read = wire.operation(json.dumps(answer).encode())

    assert read.max_pv_export_power_kw == limit_kw
    assert read.setpoint == Setpoint(mode="backup", reserve_percent=20)


@pytest.mark.parametrize("limit_kw", [None, 0.0, 4.6])
def test_the_export_limit_is_written_only_if_it_is_given(limit_kw: float | None) -> None:
    """Zero is a limit; none at all leaves the field out."""
    body = wire.operation_body(Setpoint(mode="backup"), None, max_pv_export_power_kw=limit_kw)

    assert body.get("max_pv_export_power_kW") == limit_kw
    assert ("max_pv_export_power_kW" in body) is (limit_kw is not None)
