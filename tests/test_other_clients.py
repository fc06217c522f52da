"""Somebody else's clients, unchanged, on the simulated gateway: they must read it as they read a real one.

`tesla_powerwall` is the client of Home Assistant, `pypowerwall` that of the Powerwall dashboard. What a client cannot do is
listed here with its reason: it would not be able to do it on a real gateway of that firmware either, but for what a real one
tells in protobuf (`NO_VITALS`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pypowerwall
import pytest
import tesla_powerwall
from pypowerwall.local.exceptions import LoginError
from tesla_powerwall import DeviceType, GridState, GridStatus, IslandMode, OperationMode, Roles

from scheduler.gateway.habits import version_of
from scheduler.model.reading import Grid
from scheduler.simulator.device import Setting, SimulatedGateway
from scheduler.simulator.endpoints import endpoints_of
from scheduler.simulator.personality import personality
from scheduler.simulator.server import serving

START = datetime(2026, 7, 1, 15, 0, tzinfo=UTC)  # 08:00 in Los Angeles: some sun, some load
SERIAL = "T123456789"
PASSWORD = SERIAL[-5:]
DIN = f"1232100-00-E--{SERIAL}"
ERAS = ("1.15", "1.21", "1.43.3", "1.45.2", "1.50.1", "21.39", "23.28")
NEW = ("21.39", "23.28")

Expectation = Callable[[Any, SimulatedGateway], bool]

UP = timedelta(hours=49, minutes=2, seconds=3)


class Gateway:
    """A gateway on a real port, two days after its start, that charges its battery from sun and grid."""

    def __init__(self, era: str) -> None:
        self.time = START - UP
        setting = Setting(mode="self_consumption", reserve_raw_percent=24.0)
        self.device = SimulatedGateway(
            now=lambda: self.time, personality=personality(era), setting=setting, charge_raw_percent=100
        )
        self.time = START
        self.device.use_app(Setting(mode="backup", reserve_raw_percent=24.0))
        self.address = ""

    @asynccontextmanager
    async def on_a_port(self, folder: Path) -> AsyncIterator[Gateway]:
        """Serve it, with a certificate that nobody signed."""
        async with serving(self.device, directory=folder) as served:
            self.address = f"{served.host}:{served.port}"
            yield self


def balanced(site: float, solar: float, battery: float, load: float) -> bool:
    """Whether watts add up, and something flows."""
    return abs(site + solar + battery - load) < 0.01 and load > 100


def batteries_agree(found: Any, device: SimulatedGateway) -> bool:
    """Whether the one battery is the device's."""
    (battery,) = found
    return (
        battery.serial_number == f"{SERIAL}-1"
        and battery.grid_state is GridState.COMPLIANT
        and 0 < battery.energy_remaining <= battery.capacity
        and battery.p_out == round(device.power().battery_w)
        and not battery.wobble_detected
    )


def status_agrees(status: Any, device: SimulatedGateway) -> bool:
    """Whether versions and times are the device's."""
    return (
        status.version == device.firmware
        and status.start_time == START - UP
        and status.up_time_seconds == UP
        and status.device_type is DeviceType.GW2
        and len(status.git_hash) == 40
    )


def site_agrees(site: Any, device: SimulatedGateway) -> bool:
    """Whether it is the site of this gateway."""
    return (site.timezone, site.nominal_system_energy) == (device.zone.key, 13.5)


READS: dict[str, Expectation] = {
    "get_backup_reserve_percentage": lambda said, _: said == 24,
    "get_batteries": batteries_agree,
    "get_capacity": lambda said, _: 13_000 < said < 15_000,
    "get_charge": lambda said, device: 0 <= said <= 100 and said == device.charge_raw_percent(),
    "get_device_type": lambda said, _: said is DeviceType.GW2,
    "get_energy": lambda said, device: said == round(device.house.charge_wh),
    "get_gateway_din": lambda said, _: said == DIN,
    "get_grid_status": lambda said, _: said is GridStatus.CONNECTED,
    "get_instantaneous_max_charge_power": lambda said, _: said > 0,
    "get_instantaneous_max_discharge_power": lambda said, _: said > 0,
    "get_meter_site": lambda said, d: said.readings.instant_power == d.power().site_w,
    "get_meter_solar": lambda said, d: said.readings.instant_power == d.power().solar_w,
    "get_meters": lambda said, _: balanced(
        *(
            said.get_meter(m).instant_power
            for m in map(tesla_powerwall.MeterType, ("site", "solar", "battery", "load"))
        )
    ),
    "get_operation_mode": lambda said, _: said is OperationMode.BACKUP,
    "get_serial_numbers": lambda said, _: said == [f"{SERIAL}-1"],
    "get_site_info": site_agrees,
    "get_sitemaster": lambda said, _: said.is_running and said.is_connected_to_tesla,
    "get_solars": lambda said, _: [solar.power_rating_watts for solar in said] == [3000],
    "get_status": status_agrees,
    "get_version": lambda said, device: said == device.firmware.partition(" ")[0],
    "get_vin": lambda said, _: said == DIN,
    "is_grid_services_active": lambda said, _: said is False,
}
"""All that `tesla_powerwall.Powerwall` reads from a gateway, and what must come of it."""

LOGS_IN: dict[str, Expectation] = {"login": lambda said, _: said.roles == [Roles.HOME_OWNER]}
"""How it gets in, which is no reading but can fail like one."""

NOT_READS = {"get_api", "is_authenticated"}
"""These two ask nobody."""

NO_SYSTEM_STATUS = "GET /api/system_status is not known of firmware before 20"
OLD_STATUS = "it wants the device type, which status has from 1.50 on"
OLD_SITEMASTER = "it wants the status of the site controller, which sitemaster has from 1.50 on"
NO_DIN = "the batteries tell the gateway's number since 20"
LINE_FEED = "the line feed of 1.15 stays in it"
OLD_MODE = "it wants real_mode, which 1.15 calls mode"

NO_LOGIN_TIME = "it wants the time of the login, which a login is told from 20.49 on"

CANNOT_BEFORE_20 = {
    "login": NO_LOGIN_TIME,
    "get_batteries": NO_SYSTEM_STATUS,
    "get_capacity": NO_SYSTEM_STATUS,
    "get_energy": NO_SYSTEM_STATUS,
    "get_instantaneous_max_charge_power": NO_SYSTEM_STATUS,
    "get_instantaneous_max_discharge_power": NO_SYSTEM_STATUS,
    "get_gateway_din": NO_DIN,
}
CANNOT_BEFORE_1_50 = CANNOT_BEFORE_20 | {
    "get_device_type": OLD_STATUS,
    "get_status": OLD_STATUS,
    "get_sitemaster": OLD_SITEMASTER,
}
CANNOT: dict[str, dict[str, str]] = {
    "1.15": CANNOT_BEFORE_1_50 | {"get_operation_mode": OLD_MODE, "get_version": LINE_FEED},
    "1.21": CANNOT_BEFORE_1_50,
    "1.43.3": CANNOT_BEFORE_1_50,
    "1.45.2": CANNOT_BEFORE_1_50,
    "1.50.1": CANNOT_BEFORE_20,
    "21.39": {},
    "23.28": {},
}
"""What `tesla_powerwall` cannot read, or not rightly, and why. It claims no firmware that old; newer ones it does."""


def public(kind: type, *prefixes: str) -> set[str]:
    """The names of a class's public methods with one of these prefixes."""
    return {name for name, _ in inspect.getmembers(kind, inspect.isfunction) if name.startswith(prefixes)}


@asynccontextmanager
async def home_assistant_on(gateway: Gateway) -> AsyncIterator[tesla_powerwall.Powerwall]:
    """The client of Home Assistant, which trusts every certificate unless told not to."""
    async with tesla_powerwall.Powerwall(gateway.address) as client:
        yield client
    # Its connections end behind its back.
    await asyncio.sleep(0)


async def outcome(client: object, name: str, *said: str) -> Any:
    """What a method returns, or the error that it raises."""
    try:
        return await getattr(client, name)(*said)
    except Exception as problem:  # noqa: BLE001 - any error means that it cannot read this
        return problem


def test_all_that_the_client_of_home_assistant_reads_is_looked_at() -> None:
    """A release that reads more makes this test fail."""
    assert public(tesla_powerwall.Powerwall, "get_", "is_") == {*READS, *NOT_READS}


@pytest.mark.parametrize("era", ERAS)
async def test_the_client_of_home_assistant_reads_what_it_can(era: str, tmp_path: Path) -> None:
    """Logged in as customer it reads everything and rightly, except exactly what is listed."""
    async with Gateway(era).on_a_port(tmp_path) as gateway, home_assistant_on(gateway) as client:
        said: dict[str, Any] = {"login": await outcome(client, "login", PASSWORD)}
        # Where that fails, its lower half logs in all the same.
        says = await client.get_api().login("customer", "me@example.com", PASSWORD)
        assert says["roles"] == ["Home_Owner"]
        said |= {name: await outcome(client, name) for name in READS}
    if "login" in CANNOT[era]:
        assert isinstance(said["login"], KeyError)
        assert said["login"].args == ("loginTime",)
    failed = {
        name
        for name, value in said.items()
        if isinstance(value, Exception) or not (READS | LOGS_IN)[name](value, gateway.device)
    }
    assert failed == set(CANNOT[era]), {name: said[name] for name in failed}


@pytest.mark.parametrize("era", NEW)
async def test_the_client_of_home_assistant_logs_in_and_out(era: str, tmp_path: Path) -> None:
    """Its login is understood, a wrong password is told apart, and after the logout it is a stranger."""
    async with Gateway(era).on_a_port(tmp_path) as gateway, home_assistant_on(gateway) as client:
        with pytest.raises(tesla_powerwall.AccessDeniedError, match="bad credentials: Login Error"):
            await client.login("wrong")
        with pytest.raises(tesla_powerwall.AccessDeniedError, match="require physical access"):
            await client.login_as("installer", f"S{SERIAL}", "me@example.com")
        login = await client.login(PASSWORD, "me@example.com")
        assert login.roles == [Roles.HOME_OWNER]
        assert datetime.fromisoformat(login.login_time) == START
        assert client.is_authenticated()
        assert await client.get_charge() > 0
        await client.logout()
        with pytest.raises(tesla_powerwall.AccessDeniedError, match="Unable to GET to resource"):
            await client.get_charge()


@pytest.mark.parametrize("era", NEW)
async def test_the_client_of_home_assistant_islands_the_house_and_starts_it(era: str, tmp_path: Path) -> None:
    """Off the grid and back on it, with the mode echoed; `run` starts what was stopped."""
    async with Gateway(era).on_a_port(tmp_path) as gateway, home_assistant_on(gateway) as client:
        await client.login(PASSWORD)
        assert await client.set_island_mode(IslandMode.OFFGRID) is IslandMode.OFFGRID
        assert gateway.device.obeyed.grid is Grid.ISLANDED
        assert await client.get_grid_status() is GridStatus.ISLANDED
        assert await client.set_island_mode(IslandMode.ONGRID) is IslandMode.ONGRID
        assert gateway.device.obeyed.grid is Grid.CONNECTED
        gateway.device.stop(under_load=True)
        with pytest.raises(tesla_powerwall.ApiError, match="502"):
            await client.get_charge()
        await client.run()
        assert gateway.device.obeyed.running


ENDPOINTS: dict[str, type] = {
    "get_config": dict,
    "get_customer_registration": dict,
    "get_installer": dict,
    "get_meters": list,
    "get_meters_aggregates": dict,
    "get_meters_site": list,
    "get_meters_solar": list,
    "get_networks": list,
    "get_operation": dict,
    "get_powerwalls": dict,
    "get_site_info": dict,
    "get_sitemaster": dict,
    "get_solar_brands": list,
    "get_solars": list,
    "get_status": dict,
    "get_system_status": dict,
    "get_system_status_grid_status": dict,
    "get_system_status_soe": dict,
    "get_system_update_status": dict,
}
"""The calls of `tesla_powerwall.API` that read, and the type of what they give."""

ENDPOINTS_THAT_FAIL = {
    "get_logs": "404: a path that only this client knows",
    "get_phase_usage": "500: nothing is known of the phases, as on a real 21.39.1",
    "get_site_info_grid_codes": "404: grid_regions took its place",
    "get_sitemaster_stop": "405: since 20 the battery is stopped by POST",
}
ENDPOINTS_THAT_ACT = {"get_sitemaster_run"}


@pytest.mark.parametrize("era", NEW)
async def test_each_endpoint_of_the_client_of_home_assistant_answers(era: str, tmp_path: Path) -> None:
    """All that its lower half can ask is answered, except exactly what is listed."""
    known = {*ENDPOINTS, *ENDPOINTS_THAT_FAIL, *ENDPOINTS_THAT_ACT}
    assert public(tesla_powerwall.API, "get_") == known
    async with Gateway(era).on_a_port(tmp_path) as gateway, home_assistant_on(gateway) as client:
        await client.login(PASSWORD)
        said = {name: await outcome(client.get_api(), name) for name in (*ENDPOINTS, *ENDPOINTS_THAT_FAIL)}
    assert {name for name, value in said.items() if isinstance(value, Exception)} == set(ENDPOINTS_THAT_FAIL)
    assert {name: type(said[name]) for name in ENDPOINTS} == ENDPOINTS


def meter_agrees(which: str) -> Expectation:
    """Whether watts are those of the device."""
    return lambda said, device: said == pytest.approx(getattr(device.power(), f"{which}_w"))


DASHBOARD: dict[str, Expectation] = {
    "alerts": lambda said, _: said == ["SystemConnectedToGrid"],
    "battery": meter_agrees("battery"),
    "battery_blocks": lambda said, _: (
        list(said) == [f"{SERIAL}-1"] and said[f"{SERIAL}-1"]["pinv_grid_state"] == "Grid_Compliant"
    ),
    "din": lambda said, _: said == DIN,
    "get_mode": lambda said, _: said == "backup",
    "get_reserve": lambda said, _: said == pytest.approx(20),  # in the app's percent: raw 24
    "get_time_remaining": lambda said, _: 1 < said < 100,
    "grid": meter_agrees("site"),
    "grid_status": lambda said, _: said == "UP",
    "home": meter_agrees("load"),
    "is_connected": lambda said, _: said is True,
    "level": lambda said, device: 0 <= said <= 100 and said == device.charge_raw_percent(),
    "load": meter_agrees("load"),
    "poll": lambda said, device: said == {"site_name": "Home Energy Gateway", "timezone": device.zone.key},
    "power": lambda said, _: balanced(**said),
    "site": meter_agrees("site"),
    "site_name": lambda said, _: said == "Home Energy Gateway",
    "solar": meter_agrees("solar"),
    "status": lambda said, device: said["version"].strip() == device.firmware,
    "system_status": lambda said, device: said["nominal_energy_remaining"] == round(device.house.charge_wh),
    "uptime": lambda said, _: said == "49h2m3s",
    "version": lambda said, device: said == device.firmware,
}
"""All that `pypowerwall` reads from a gateway in the house, and what must come of it."""

VITALS_LATER = "devices/vitals came with about 21.13 (and went with 23.44)"
NO_VITALS = "a real one tells it in protobuf; ours does not, because its schema is not documented"
CLOUD = "only from the cloud, not from a gateway in the house"
V1R = "only over the signed protocol of newer gateways"
DASHBOARD_CANNOT = {
    **dict.fromkeys(("vitals", "strings", "temps"), NO_VITALS),
    "get_grid_charging": CLOUD,
    "get_grid_export": CLOUD,
    "get_tariff": CLOUD,
    "get_backup_events": V1R,
    "wifi_v1r_ready": V1R,
}
"""What comes out empty, and why."""

DASHBOARD_ACTS = {
    "cancel_max_backup",
    "connect",
    "dispatch_battery_power",
    "go_off_grid",
    "post",
    "reconnect_grid",
    "resume_battery_operation",
    "schedule_max_backup",
    "set_grid_charging",
    "set_grid_export",
    "set_mode",
    "set_operation",
    "set_reserve",
    "set_tariff",
}

NO_DIN_ON_STATUS = "status has no din before 20"
NO_SYSTEM_STATUS_OLD = dict.fromkeys(
    ("battery_blocks", "get_time_remaining", "system_status"), NO_SYSTEM_STATUS
)
DASHBOARD_CANNOT_BEFORE_20 = (
    DASHBOARD_CANNOT
    | dict.fromkeys(("vitals", "strings", "temps"), VITALS_LATER)
    | NO_SYSTEM_STATUS_OLD
    | {"din": NO_DIN_ON_STATUS}
)
DASHBOARD_CANNOT_ON: dict[str, dict[str, str]] = dict.fromkeys(ERAS, DASHBOARD_CANNOT_BEFORE_20) | {
    "1.15": DASHBOARD_CANNOT_BEFORE_20 | {"get_mode": OLD_MODE, "version": LINE_FEED},
    "21.39": DASHBOARD_CANNOT,
    "23.28": DASHBOARD_CANNOT,
}


def dashboard(gateway: Gateway, folder: Path, **more: Any) -> pypowerwall.Powerwall:
    """The dashboard's client in its local mode. It checks no certificate; its session lies in ``folder``."""
    return pypowerwall.Powerwall(
        gateway.address,
        more.pop("password", PASSWORD),
        "me@example.com",
        "America/Los_Angeles",
        cachefile=str(folder / "session"),
        authpath=str(folder),
        failover=False,
        **more,
    )


def test_all_that_the_client_of_the_dashboard_reads_is_looked_at() -> None:
    """A release that reads more makes this test fail."""
    assert public(pypowerwall.Powerwall, *"abcdefghijklmnopqrstuvwxyz") == {
        *DASHBOARD,
        *DASHBOARD_CANNOT,
        *DASHBOARD_ACTS,
    }


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")  # it verifies none, and says so at each
@pytest.mark.parametrize("authmode", ["cookie", "token"])
@pytest.mark.parametrize("era", ERAS)
async def test_the_client_of_the_dashboard_reads_what_it_can(era: str, authmode: str, tmp_path: Path) -> None:
    """Logged in with a form, by cookie or by token, it reads everything and rightly, except exactly what is listed."""
    async with Gateway(era).on_a_port(tmp_path) as gateway:

        def read() -> dict[str, Any]:
            client = dashboard(gateway, tmp_path, authmode=authmode)
            said = {name: getattr(client, name)() for name in (*DASHBOARD, *DASHBOARD_CANNOT)}
            assert client.client is not None
            client.client.close_session()
            return said

        said = await asyncio.to_thread(read)
    assert gateway.device.requests["POST /api/login/Basic"] >= 1
    assert gateway.device.requests["GET /api/logout"] == 1
    failed = {
        name
        for name, value in said.items()
        if not value or not DASHBOARD.get(name, nothing)(value, gateway.device)
    }
    assert failed == set(DASHBOARD_CANNOT_ON[era]), {name: said[name] for name in failed}


@pytest.mark.parametrize("era", ERAS)
def test_what_a_real_gateway_would_tell_is_said_to_be_missing(era: str) -> None:
    """Only where real ones had devices/vitals, 21.13 to 23.43, the reason says that this is our lack and not theirs."""
    ours = {name for name, reason in DASHBOARD_CANNOT_ON[era].items() if reason == NO_VITALS}
    real = (21, 13) <= (version_of(Gateway(era).device.firmware) or (0, 0)) < (23, 44)
    assert ours == ({"vitals", "strings", "temps"} if real else set())
    assert "GET /api/devices/vitals" not in endpoints_of(Gateway(era).device)


def nothing(*_: object) -> bool:
    """Nothing is right where nothing can be read."""
    return False


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_the_client_of_the_dashboard_may_not_write(tmp_path: Path) -> None:
    """As customer its write is refused, and the setting stays."""
    async with Gateway("21.39").on_a_port(tmp_path) as gateway:
        refused = await asyncio.to_thread(
            lambda: dashboard(gateway, tmp_path).set_operation(50, "self_consumption")
        )
    assert refused is None
    assert gateway.device.requests["POST /api/operation"] >= 1
    assert gateway.device.shown == Setting(mode="backup", reserve_raw_percent=24.0)


@pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
async def test_the_client_of_the_dashboard_sees_a_wrong_password(tmp_path: Path) -> None:
    """Its first read logs in, and says that the password is wrong."""
    async with Gateway("21.39").on_a_port(tmp_path) as gateway:
        with pytest.raises(LoginError, match="Invalid Powerwall Login"):
            await asyncio.to_thread(lambda: dashboard(gateway, tmp_path, password="wrong").level())
    assert gateway.device.requests["POST /api/login/Basic"] == 1


async def test_a_client_that_checks_certificates_trusts_none_of_it(tmp_path: Path) -> None:
    """The certificate is signed by nobody, as a real one: told to verify, the client of Home Assistant refuses it."""
    async with Gateway("21.39").on_a_port(tmp_path) as gateway:
        client = tesla_powerwall.Powerwall(gateway.address, verify_ssl=True)
        with pytest.raises(tesla_powerwall.PowerwallUnreachableError, match="self-signed certificate"):
            await client.get_status()
        await client.close()
