"""The shapes of the simulated gateway's answers: those of a real 21.39.1, and what is known to differ elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from shapes_of import SHAPES, shape

from scheduler.simulator.api import application
from scheduler.simulator.device import Setting, SimulatedGateway
from scheduler.simulator.endpoints import endpoints_of
from scheduler.simulator.faults import GridFault
from scheduler.simulator.personality import personality
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.sessions import Role

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)
ERAS = ("1.15", "1.21", "1.43.3", "1.45.2", "1.50.1", "21.39", "23.28")
SERIAL = "T123456789"

NAMED_BY_VALUE = {"meters.readings": "", "site_info.grid_regions": "grid_code_settings"}
"""Where keys are values: at the top of the answer (""), or under this key of it."""

Kind = str | frozenset[Any] | tuple[str, frozenset[Any]]


def kind_of(value: Any, *, by_value: str | None = None) -> Kind:
    """What a JSON value is: its type, and for objects and lists the same of what they hold. Numbers are numbers."""
    if isinstance(value, dict):
        if by_value == "":
            return ("object by value", frozenset(kind_of(item) for item in value.values()))
        return (
            "object",
            frozenset((k, kind_of(v, by_value="" if by_value == k else None)) for k, v in value.items()),
        )
    if isinstance(value, list):
        return ("list", frozenset(kind_of(item) for item in value))
    if isinstance(value, bool) or value is None:
        return str(type(value).__name__)
    return "number" if isinstance(value, int | float) else "text"


def differences(ours: Kind, theirs: Kind, at: str = "") -> Iterator[str]:
    """Where two kinds differ. A list of ours may hold fewer kinds of things than theirs, but no others."""
    if isinstance(ours, str) or isinstance(theirs, str) or ours[0] != theirs[0]:
        if ours != theirs:
            yield f"{at}: {ours} is not {theirs}"
        return
    mine, real = ours[1], theirs[1]
    if ours[0] == "object":
        ours_by, theirs_by = dict(mine), dict(real)
        yield from (f"{at}.{key} is only in one" for key in sorted(ours_by.keys() ^ theirs_by.keys()))
        for key in sorted(ours_by.keys() & theirs_by.keys()):
            yield from differences(ours_by[key], theirs_by[key], f"{at}.{key}")
        return
    if bool(mine) != bool(real):
        yield f"{at} is empty in one"
    for item in mine:
        if not any(not list(differences(item, other)) for other in real):
            yield f"{at}[]: nothing real is like {item}"


def gateway(era: str, *, running: bool = True) -> SimulatedGateway:
    """A gateway of that firmware."""
    device = SimulatedGateway(now=lambda: START, personality=personality(era))
    if not running:
        device.stop(under_load=True)
    return device


async def told(device: SimulatedGateway, path: str) -> httpx.Response:
    """What a customer is told."""
    headers = {"Authorization": f"Bearer {device.sessions.open(Role.CUSTOMER, START)}"}
    transport = httpx.ASGITransport(application(device))
    async with httpx.AsyncClient(transport=transport, base_url="https://powerwall") as client:
        return await client.get(f"/api/{path}", headers=headers)


def path_of(name: str) -> str:
    """The path that an answer of the dump came from; its file has dots for slashes."""
    return name.replace(".", "/").replace("METER_SERIAL", f"J{SERIAL}")


DUMPED = sorted(
    f"{folder}/{path.name.removesuffix('.json')}"
    for folder in ("running", "stopped")
    for path in (SHAPES / "21.39" / folder).glob("*.json")
)


@pytest.mark.parametrize("name", DUMPED)
async def test_each_answer_of_21_39_has_the_real_shape(name: str) -> None:
    """Same keys and types, all the way down, as a real gateway of that firmware has, running and stopped."""
    folder, _, file = name.partition("/")
    answer = await told(gateway("21.39", running=folder == "running"), path_of(file))
    assert answer.status_code == 200
    by_value = NAMED_BY_VALUE.get(file)
    ours = kind_of(answer.json(), by_value=by_value)
    theirs = kind_of(json.loads(shape(f"21.39/{name}")), by_value=by_value)
    assert list(differences(ours, theirs)) == []


RUNS = "run sitemanager flag enabled, sitemanager process is running"
ERRORS: dict[str, tuple[bool, int, str]] = {
    "powerwalls/phase_usages": (
        True,
        500,
        '{"code":500,"error":"no phase information","message":"Failed getting phase detection information"}',
    ),
    f"meters/J{SERIAL}synchrometerX/ct_config": (
        False,
        500,
        (
            '{"code":500,"error":"meter type must be Neurio (synchrometerX)",'
            '"message":"Unable to get Amp configuration"}'
        ),
    ),
    "synchrometer/ct_voltage_references/options": (
        True,
        400,
        (
            f'{{"code":400,"error":"{RUNS}","message":"Failed to read Synchrometer Y CT available pairings.'
            ' Please try again or reboot Gateway"}'
        ),
    ),
    "system_status": (False, 502, ""),
    "meters/aggregates": (False, 502, ""),
}
"""Errors of the dump: whether it ran then, the status, and the body byte for byte."""


@pytest.mark.parametrize("path", ERRORS)
async def test_each_error_of_21_39_is_the_real_one(path: str) -> None:
    """Status, body and headers are those of a real gateway; without a body it names no type."""
    running, status, body = ERRORS[path]
    answer = await told(gateway("21.39", running=running), path)
    assert (answer.status_code, answer.text) == (status, body)
    types = {"content-type": "application/json", "x-content-type-options": "nosniff"} if body else {}
    length = {"content-length": str(len(body))}
    assert dict(answer.headers) == {"cache-control": "no-cache, no-store"} | types | length


def test_the_dump_is_whole() -> None:
    """More than thirty answers of a running gateway and as many of a stopped one are compared."""
    assert min(sum(name.startswith(folder) for name in DUMPED) for folder in ("running", "stopped")) > 30


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": 1, "b": 2}),
        ({"a": [True]}, {"a": [1]}),
        ({"a": []}, {"a": [1]}),
        ({"a": {"b": None}}, {"a": {"b": 0}}),
    ],
)
def test_the_comparison_sees_what_differs(ours: Any, theirs: Any) -> None:
    """Another type, a missing key, an empty list and a null are all told apart."""
    assert list(differences(kind_of(ours), kind_of(theirs))) != []
    assert list(differences(kind_of(ours), kind_of(ours))) == []


GRID_CODE = {
    "grid_code",
    "grid_voltage_setting",
    "grid_freq_setting",
    "grid_phase_setting",
    "country",
    "state",
    "region",
    "utility",
    "retailer",
    "distributor",
}
SITE = {
    "site_name",
    "timezone",
    "max_site_meter_power_kW",
    "min_site_meter_power_kW",
    "nominal_system_energy_kWh",
    "nominal_system_power_kW",
}
STATUS = {"start_time", "up_time_seconds", "is_new", "version", "git_hash"}
STATUS_1_50 = STATUS | {"commission_count", "device_type", "sync_type"}
STATUS_21 = STATUS_1_50 | {"din", "leader", "followers", "cellular_disabled"}
SITEMASTER = {"running", "uptime", "connected_to_tesla"}
SITEMASTER_1_50 = {"status", "running", "connected_to_tesla", "power_supply_mode"}
OPERATION = {
    "backup_reserve_percent",
    "real_mode",
    "freq_shift_load_shed_soe",
    "freq_shift_load_shed_delta_f",
}
UPDATE = {"state", "info", "current_time"}
UPDATE_21 = UPDATE | {
    "last_status_time",
    "version",
    "offline_updating",
    "offline_update_error",
    "estimated_bytes_per_second",
}
ADDRESS = {"city", "state", "zip", "country", "emailed_registration"}
AGREED = {"registered", "privacy_notice", "limited_warranty"}
ALL_BUT = {
    "status": [STATUS] * 4
    + [STATUS_1_50, STATUS_21, STATUS_21 - {"leader", "followers"} | {"teg_type", "can_reboot"}],
    "sitemaster": [SITEMASTER] * 4 + [SITEMASTER_1_50] + [SITEMASTER_1_50 | {"can_reboot"}] * 2,
    "operation": [{"mode", "backup_reserve_percent"}] + [OPERATION] * 6,
    "system/update/status": [UPDATE] * 5 + [UPDATE_21] * 2,
    "customer": [ADDRESS | AGREED] * 5 + [AGREED | {"marketing", "grid_services"}, {"registered"}],
}
"""The keys of the answers that grew, by firmware in the order of ERAS."""


@pytest.mark.parametrize("path", ALL_BUT)
@pytest.mark.parametrize("era", ERAS)
async def test_answers_grew_with_the_firmware(era: str, path: str) -> None:
    """Each firmware has the keys that are known of it, no more and no less."""
    assert set((await told(gateway(era), path)).json()) == ALL_BUT[path][ERAS.index(era)]


VERSIONS = {
    "1.15": "1.15.0\n",
    "1.21": "1.21.0",
    "1.43.3": "1.43.3",
    "1.45.2": "1.45.2",
    "1.50.1": "1.50.1 c58c2df3",
    "21.39": "21.39.1 7759c368",
    "23.28": "23.28.2 27626f98",
}


@pytest.mark.parametrize("era", ERAS)
async def test_each_firmware_spells_its_version_in_its_way(era: str) -> None:
    """1.15 ends it with a line feed, and from 1.50 on the start of the git hash stands behind it, after an update too."""
    device = gateway(era)
    old = (await told(device, "status")).json()
    device.firmware = device.personality.next_firmware
    new = (await told(device, "status")).json()
    assert old["version"] == VERSIONS[era]
    assert new["git_hash"] != old["git_hash"]
    for says in (old, new):
        assert len(says["git_hash"]) == 40
        assert says["git_hash"].startswith(says["version"].strip().partition(" ")[2])


@pytest.mark.parametrize("era", ERAS)
async def test_the_grid_code_lies_flat_up_to_1_46(era: str) -> None:
    """Later it is an object of its own; 23.28 leaves out the measured frequency and tells the panel's current."""
    says = (await told(gateway(era), "site_info")).json()
    flat = ERAS.index(era) < 4
    inner = says if flat else says["grid_code"]
    assert inner.keys() == GRID_CODE | (SITE if flat else set())
    assert isinstance(inner["grid_code"], str)
    assert ("panel_max_current" in says) == (era == "23.28")
    assert ("measured_frequency" in says) == (era in {"1.50.1", "21.39"})


async def test_system_status_of_23_28_says_four_things_more() -> None:
    """The rest is that of 21.39; the battery block is the same."""
    old, new = [(await told(gateway(era), "system_status")).json() for era in ("21.39", "23.28")]
    assert new.keys() - old.keys() == {
        "instantaneous_max_apparent_power",
        "hardware_capability_charge_power",
        "hardware_capability_discharge_power",
        "available_charger_blocks",
    }
    assert (len(old), len(old["battery_blocks"][0])) == (33, 22)
    assert old["battery_blocks"][0].keys() == new["battery_blocks"][0].keys()


async def test_the_system_status_tells_what_flows() -> None:
    """Energy, power and serial number of the battery are those that the other answers tell."""
    device = gateway("21.39")
    status = (await told(device, "system_status")).json()
    soe = (await told(device, "system_status/soe")).json()["percentage"]
    meters = (await told(device, "meters/aggregates")).json()
    block = status["battery_blocks"][0]
    batteries = (await told(device, "powerwalls")).json()["powerwalls"]
    assert 100 * status["nominal_energy_remaining"] / status["nominal_full_pack_energy"] == pytest.approx(
        soe, 0.01
    )
    assert block["p_out"] == pytest.approx(meters["battery"]["instant_power"], abs=1)
    assert [b["PackageSerialNumber"] for b in batteries] == [block["PackageSerialNumber"]]
    assert status["can_reboot"] == "Power flow is too high"


@pytest.mark.parametrize("era", ["1.45.2", "21.39"])
async def test_a_fault_of_the_grid_is_told_in_the_documented_shape(era: str) -> None:
    """Milliseconds, the alert's name, and its details once more as JSON in a text."""
    device = gateway(era)
    assert (await told(device, "system_status/grid_faults")).json() == []
    device.grid_faults.append(GridFault(at=START, is_fault=True, frequency_hz=57.5))
    (fault,) = (await told(device, "system_status/grid_faults")).json()
    assert set(fault) == {
        "timestamp",
        "alert_name",
        "alert_is_fault",
        "decoded_alert",
        "alert_raw",
        "git_hash",
        "site_uid",
        "ecu_type",
        "ecu_package_part_number",
        "ecu_package_serial_number",
    }
    assert fault["timestamp"] == int(START.timestamp() * 1000)
    assert (fault["alert_name"], fault["alert_is_fault"]) == ("PINV_a006_vfCheckUnderFrequency", True)
    decoded = {entry["name"]: entry["value"] for entry in json.loads(fault["decoded_alert"])}
    assert decoded["PINV_alertID"] == "PINV_a006_vfCheckUnderFrequency"
    assert decoded["PINV_alertType"] == "Fault"
    assert decoded["PINV_a006_frequency"] == 57.5
    assert len(decoded) == 3


async def test_whether_it_can_reboot_has_the_page_s_own_words() -> None:
    """Stopped it says nothing, islanded it says so, under power it says that, else yes; 23.28's status says yes or no."""
    device = gateway("23.28")
    heard = []
    for sentence in (None, "the grid fails", "the grid returns", "somebody stops it"):
        if sentence:
            apply_scenario(device, sentence)
        status = (await told(device, "status")).json()
        heard.append(((await told(device, "sitemaster")).json()["can_reboot"], status["can_reboot"]))
    full = SimulatedGateway(now=lambda: START, personality=personality("23.28"), charge_raw_percent=24)
    heard.append(
        (
            (await told(full, "sitemaster")).json()["can_reboot"],
            (await told(full, "status")).json()["can_reboot"],
        )
    )
    words = ["Power flow is too high", "Backup Mode", "Power flow is too high", "", "Yes"]
    assert heard == [(word, word == "Yes") for word in words]


@pytest.mark.parametrize("era", ERAS)
async def test_only_the_gateway_s_own_serial_number_is_told(era: str) -> None:
    """Whatever looks like a serial number follows from the one of the device: nothing of a real gateway is in here."""
    device = SimulatedGateway(now=lambda: START, personality=personality(era), serial="Q987654321")
    texts = [
        (await told(device, name.partition("/api/")[2])).text
        for name in endpoints_of(device)
        if name.startswith("GET")
    ]
    everything = "\n".join(texts)
    assert "Q987654321" in everything
    assert "T123456789" not in everything
    assert "<<" not in everything


async def test_a_stopped_gateway_tells_other_things_than_a_running_one() -> None:
    """Stopped, a 21.39.1 cuts and turns its meters' serial numbers, knows a sound grid, and lets nobody in by a switch."""
    seen = []
    for running in (True, False):
        device = gateway("21.39", running=running)
        meters = [meter["serial"] for meter in (await told(device, "meters")).json()]
        (battery,) = (await told(device, "powerwalls")).json()["powerwalls"]
        switch = (await told(device, "auth/toggle/supported")).json()["toggle_auth_supported"]
        seen.append((meters, battery["grid_state"], switch))
    assert seen == [
        ([f"J{SERIAL}synchrometerX", f"J{SERIAL}synchrometerY"], "Grid_Uncompliant", True),
        (["synchrometerY", "synchrometerX"], "Grid_Compliant", False),
    ]


async def test_the_battery_block_follows_the_grid_and_counts() -> None:
    """Off the grid it says so and makes the grid itself; what went in and out is what the battery's meter counted."""
    device = gateway("21.39")
    device.house.battery.imported_wh, device.house.battery.exported_wh = 120.0, 340.0
    (before,) = (await told(device, "system_status")).json()["battery_blocks"]
    apply_scenario(device, "the grid fails")
    (after,) = (await told(device, "system_status")).json()["battery_blocks"]
    told_of = ("off_grid", "vf_mode", "pinv_state", "pinv_grid_state")
    assert [before[key] for key in told_of] == [False, False, "PINV_GridFollowing", "Grid_Compliant"]
    assert [after[key] for key in told_of] == [True, True, "PINV_GridForming", "Grid_Uncompliant"]
    assert (before["energy_charged"], before["energy_discharged"]) == (120, 340)


@pytest.mark.parametrize("era", ERAS[:5])
async def test_old_firmware_keeps_to_the_shapes_of_the_readme(era: str) -> None:
    """The meter is another maker's, batteries are `acpw`, companies have no country, and who was not asked is null."""
    device = gateway(era)
    device.use_app(Setting(mode="backup", reserve_raw_percent=24.0))  # so that the grid gives something
    power = device.power()
    (meter,) = (await told(device, "meters")).json()
    assert (meter.keys(), meter["connected"]) == ({"serial", "short_id", "connected", "cts"}, True)
    reading = (await told(device, "meters/readings")).json()[meter["serial"]]["data"]["cts"]
    assert [ct["p_W"] for ct in reading] == [power.site_w / 2] * 2 + [power.solar_w / 2] * 2
    batteries = (await told(device, "powerwalls")).json()
    assert [battery["type"] for battery in batteries["powerwalls"]] == ["acpw"]
    updates = [check["name"] for check in batteries["sync"]["update_diagnostic"]["checks"]]
    assert updates == ["Synchronizer firmware", "Grid code"]
    companies = (await told(device, "installer/companies")).json()
    assert {frozenset(company) for company in companies} == {frozenset({"company", "customer_id"})}
    asked = (await told(device, "customer/registration")).json()
    assert (asked["grid_services"], asked["marketing"], asked["registered"]) == (None, None, True)


async def test_the_last_percent_that_loads_are_shed_at_is_that_of_the_firmware() -> None:
    """75 on the README's firmware and 21.39, 65 on 23.28."""
    shed = [(await told(gateway(era), "operation")).json()["freq_shift_load_shed_soe"] for era in ERAS[1:]]
    assert shed == [75] * 5 + [65]
