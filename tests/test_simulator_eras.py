"""The simulated gateway's personalities: who is answered what on which firmware, and how logins and commits go there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from scheduler.gateway import calls
from scheduler.gateway.habits import habits_of, version_of
from scheduler.model.firmware import SIMULATED
from scheduler.model.reading import Grid
from scheduler.simulator.api import application
from scheduler.simulator.device import Setting, SimulatedGateway
from scheduler.simulator.endpoints import endpoints_of
from scheduler.simulator.personality import PERSONALITIES, personality
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.sessions import Role

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)  # 20:00 in Los Angeles: no sun, much load
SERIAL = "T123456789"
ERAS = ("1.15", "1.21", "1.43.3", "1.45.2", "1.50.1", "21.39", "23.28")
OLD, NEW = ERAS[:4], ERAS[4:]
INSTALLER = {"username": "installer", "password": f"S{SERIAL}"}
CUSTOMER = {"username": "customer", "password": SERIAL[-5:], "email": "me@example.com"}

BODIES: dict[str, Any] = {
    "POST login/Basic": CUSTOMER,
    "POST operation": {"real_mode": "backup", "mode": "backup", "backup_reserve_percent": 50},
    "POST sitemaster/stop": {"force": True},
    "POST v2/islanding/mode": {"island_mode": "backup"},
}

# Three columns: a stranger; a customer; a customer while the battery is stopped. In each, one status per personality in
# the order of ERAS, "5x200 2x403" being 200 on the first five and 403 on the last two.
TABLE = """
POST auth/toggle/login                         | 5x404 2x417       | 5x404 2x417       | 5x404 2x417
POST auth/toggle/start                         | 5x404 2x202       | 5x404 2x202       | 5x404 2x202
GET auth/toggle/supported                      | 5x404 2x200       | 5x404 2x200       | 5x404 2x200
GET autoconfig/status                          | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET config                                     | 7x403             | 7x200             | 7x200
GET config/completed                           | 1x202 6x403       | 2x202 5x200       | 2x202 5x200
GET customer                                   | 7x403             | 7x200             | 7x200
GET customer/registration                      | 5x200 2x403       | 7x200             | 7x200
GET generators                                 | 7x403             | 7x200             | 7x200
GET generators/disconnect_types                | 7x403             | 7x200             | 7x200
GET installer                                  | 7x403             | 7x200             | 7x200
GET installer/companies                        | 7x403             | 7x200             | 7x200
POST login/Basic                               | 7x200             | 7x200             | 7x200
GET logout                                     | 7x204             | 7x204             | 7x204
GET meters                                     | 7x403             | 7x200             | 7x200
GET meters/SERIALsynchrometerX/ct_config       | 5x404 2x403       | 5x404 2x500       | 5x404 2x500
GET meters/SERIALsynchrometerX/cts             | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET meters/SERIALsynchrometerY/ct_config       | 5x404 2x403       | 5x404 2x500       | 5x404 2x500
GET meters/SERIALsynchrometerY/cts             | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET meters/aggregates                          | 5x200 2x403       | 7x200             | 7x502
GET meters/readings                            | 7x403             | 7x200             | 7x200
GET meters/site                                | 5x200 2x403       | 7x200             | 7x502
GET meters/solar                               | 5x200 2x403       | 7x200             | 7x502
GET meters/status                              | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET networks                                   | 7x403             | 7x200             | 7x200
GET networks/client_protocols                  | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET networks/wifi_security_types               | 7x403             | 7x200             | 7x200
GET operation                                  | 7x403             | 7x200             | 7x200
POST operation                                 | 7x403             | 7x403             | 7x403
GET powerwalls                                 | 5x200 2x403       | 7x200             | 7x200
GET powerwalls/phase_usages                    | 5x404 2x403       | 5x404 2x500       | 5x404 2x500
GET powerwalls/status                          | 7x403             | 5x409 2x200       | 7x200
GET site_info                                  | 5x200 2x403       | 7x200             | 7x200
GET site_info/grid_codes                       | 5x403 2x404       | 5x200 2x404       | 5x200 2x404
GET site_info/grid_regions                     | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET site_info/site_name                        | 5x200 2x403       | 7x200             | 7x200
GET sitemaster                                 | 5x200 2x403       | 7x200             | 7x200
GET sitemaster/run                             | 1x202 6x403       | 7x202             | 7x202
GET sitemaster/stop                            | 1x204 4x403 2x405 | 5x204 2x405       | 5x204 2x405
POST sitemaster/stop                           | 5x405 2x403       | 5x405 2x204       | 5x405 2x204
GET solars                                     | 7x403             | 7x200             | 7x200
GET solars/brands                              | 7x403             | 7x200             | 7x200
GET solars/brands/Example Solar                | 7x403             | 7x200             | 7x200
GET solars/brands/Sunny Sample                 | 7x403             | 7x200             | 7x200
GET status                                     | 7x200             | 7x200             | 7x200
GET synchrometer/ct_voltage_references         | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET synchrometer/ct_voltage_references/options | 5x404 2x403       | 5x404 2x400       | 5x404 2x200
GET system/networks                            | 5x403 2x404       | 5x200 2x404       | 5x200 2x404
GET system/networks/conn_tests                 | 5x405 2x403       | 5x405 2x200       | 5x405 2x200
POST system/networks/conn_tests                | 5x403 2x405       | 5x200 2x405       | 5x200 2x405
GET system/networks/ping_test                  | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
GET system/testing                             | 7x403             | 7x200             | 7x200
GET system/update                              | 7x403             | 7x403             | 7x403
POST system/update                             | 7x403             | 7x403             | 7x403
GET system/update/status                       | 2x200 5x403       | 7x200             | 7x200
GET system_status                              | 5x404 2x403       | 5x404 2x200       | 5x404 2x502
GET system_status/grid_faults                  | 5x200 2x403       | 7x200             | 7x502
GET system_status/grid_status                  | 5x200 2x403       | 7x200             | 7x502
GET system_status/soe                          | 5x200 2x403       | 7x200             | 7x502
GET troubleshooting/problems                   | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
POST v2/islanding/mode                         | 5x404 2x403       | 5x404 2x200       | 5x404 2x200
"""

INSTALLERS_TOO = {"POST operation": 200, "GET system/update": 200, "POST system/update": 202}
"""What an installer may beyond that."""

COLUMNS: dict[str, tuple[Role | None, bool]] = {
    "stranger": (None, True),
    "customer": (Role.CUSTOMER, True),
    "stopped": (Role.CUSTOMER, False),
}


def expected(column: int, era: str) -> dict[str, int]:
    """The statuses that the table holds for one kind of person on one firmware."""
    found = {}
    for line in TABLE.strip().splitlines():
        name, *cells = (cell.strip() for cell in line.split("|"))
        runs = [run.split("x") for run in cells[column].split()]
        found[name] = [int(status) for times, status in runs for _ in range(int(times))][ERAS.index(era)]
    return found


def gateway(era: str, *, running: bool = True) -> SimulatedGateway:
    """A gateway of that firmware, half charged and, unless asked otherwise, discharging."""
    setting = Setting(mode="self_consumption", reserve_raw_percent=24.0)
    device = SimulatedGateway(now=lambda: START, personality=personality(era), setting=setting)
    if not running:
        device.stop(under_load=True)
    return device


def client_of(device: SimulatedGateway) -> httpx.AsyncClient:
    """A client that talks to it."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(application(device)), base_url="https://powerwall")


async def ask(device: SimulatedGateway, name: str, role: Role | None) -> httpx.Response:
    """The answer to one call of the table, by somebody with a token of that role."""
    method, path = name.replace("SERIAL", f"J{SERIAL}").split(" ", 1)
    headers = {"Authorization": f"Bearer {device.sessions.open(role, START)}"} if role else {}
    async with client_of(device) as client:
        return await client.request(method, f"/api/{path}", json=BODIES.get(name), headers=headers)


def test_the_file_and_the_simulator_know_the_same_firmware() -> None:
    """What a configuration may name is what can be simulated, and the default is the README's."""
    assert tuple(PERSONALITIES) == SIMULATED
    assert sorted(SIMULATED) == sorted(ERAS)
    assert SIMULATED[0] == "1.45.2"


@pytest.mark.parametrize("era", ERAS)
@pytest.mark.parametrize("column", COLUMNS)
async def test_everybody_is_answered_as_documented(era: str, column: str) -> None:
    """Each call answers with the status of the table, and what is not empty is JSON."""
    role, running = COLUMNS[column]
    table = expected(list(COLUMNS).index(column), era)
    answers = {name: await ask(gateway(era, running=running), name, role) for name in table}
    assert {name: answer.status_code for name, answer in answers.items()} == table
    errors = {
        name: answer for name, answer in answers.items() if answer.content and answer.status_code >= 400
    }
    assert {answer.json()["code"] - answer.status_code for answer in errors.values()} == {0}
    assert {frozenset(answer.json()) for answer in errors.values()} == {
        frozenset({"code", "error", "message"})
    }
    assert {answer.headers["cache-control"] for answer in errors.values()} == {"no-cache, no-store"}
    told = [answer for answer in answers.values() if answer.status_code == 200]
    assert all(isinstance(answer.json(), dict | list) for answer in told)


@pytest.mark.parametrize("era", ERAS)
async def test_an_installer_may_write_and_update(era: str) -> None:
    """What the installer is answered differs from the customer's in the three calls that are the installer's only."""
    table = expected(1, era) | INSTALLERS_TOO
    told = {name: (await ask(gateway(era), name, Role.INSTALLER)).status_code for name in table}
    assert told == table


@pytest.mark.parametrize("era", ERAS)
def test_the_table_forgets_no_endpoint(era: str) -> None:
    """All that a gateway answers is in the table above, and so is every call that the client knows."""
    names = {
        line.split("|")[0].strip().replace("SERIAL", f"J{SERIAL}") for line in TABLE.strip().splitlines()
    }
    assert {name.replace(" /api/", " ") for name in endpoints_of(gateway(era))} <= names
    known = {f"{call.method} {call.name.partition('?')[0]}" for call in calls.CALLS}
    assert {name.replace(calls.NAME, "Example Solar") for name in known} <= names


@pytest.mark.parametrize("era", ERAS)
async def test_the_calls_that_the_client_expects_are_those_of_the_gateway(era: str) -> None:
    """The client's table says of each call whether this firmware has it and wants a login for it, as the gateway does."""
    device = gateway(era)
    version = version_of(device.firmware)
    assert version is not None
    stranger = expected(0, era)
    for call in calls.CALLS:
        name = f"{call.method} {call.name.partition('?')[0]}".replace(calls.NAME, "Example Solar")
        has_it = stranger[name] not in {404, 405}
        assert call.is_on(version) is has_it, name
        # What acts may want more than a login.
        if has_it and not call.acts:
            assert call.wants_login(version) is (stranger[name] == 403), name


@pytest.mark.parametrize("era", ["21.39", "23.28"])
async def test_a_busy_gateway_is_not_stopped_by_post(era: str) -> None:
    """While somebody configures, POST sitemaster/stop is answered with 503, and the battery runs on."""
    device = gateway(era)
    apply_scenario(device, "is busy")
    answer = await ask(device, "POST sitemaster/stop", Role.CUSTOMER)
    assert (answer.status_code, answer.json()["error"]) == (503, "current config mode is busy")
    assert device.obeyed.running


@pytest.mark.parametrize("era", ERAS)
async def test_the_habits_that_the_client_expects_are_those_of_the_gateway(era: str) -> None:
    """The client's table of habits and the simulator's personality, made apart from each other, agree."""
    device = gateway(era)
    habits, mine = habits_of(device.firmware), device.personality
    stranger = (await ask(device, "GET meters/aggregates", None)).status_code
    assert habits.login_stops == mine.installer_login_stops
    assert habits.takes_installer is not mine.installer_needs_switch
    assert habits.reads_want_login == (stranger == 403)
    assert habits.commits_late == mine.one_step_late
    assert habits.stops_by_post == (mine.stop_method == "POST")
    assert mine.next_firmware > mine.firmware
    assert habits_of(mine.next_firmware) == habits


@pytest.mark.parametrize("era", OLD)
async def test_an_old_installer_login_stops_the_battery(era: str) -> None:
    """Up to 1.49 the installer gets a token without e-mail address and time, and the battery stands still."""
    device = gateway(era)
    async with client_of(device) as client:
        says = (await client.post("/api/login/Basic", json=INSTALLER | {"email": "me@example.com"})).json()
    assert set(says) == {"email", "firstname", "lastname", "roles", "token", "provider"}
    assert (says["roles"], says["email"]) == (["Provider_Engineer"], None)
    assert not device.obeyed.running


@pytest.mark.parametrize("era", NEW)
async def test_a_new_installer_login_wants_somebody_at_the_switch(era: str) -> None:
    """From 1.50.1 on the right password is refused in the real words, byte for byte, and nothing stops."""
    device = gateway(era)
    async with client_of(device) as client:
        answer = await client.post("/api/login/Basic", json=INSTALLER)
        wrong = await client.post("/api/login/Basic", json=INSTALLER | {"password": "wrong"})
    assert answer.status_code == 401
    assert answer.content == (
        b'{"code":401,"error":"roles [Provider_Engineer] require physical access","message":"Login Error"}'
    )
    assert wrong.json()["error"] == "bad credentials"
    assert device.obeyed.running


@pytest.mark.parametrize("era", ["21.39", "23.28"])
async def test_a_new_customer_login_tells_when_and_who(era: str) -> None:
    """Since 20.49 the answer holds the e-mail address as it was sent, if any, and the time with its offset."""
    async with client_of(gateway(era)) as client:
        says = (await client.post("/api/login/Basic", json=CUSTOMER)).json()
        nobody = CUSTOMER | {"email": None}
        assert (await client.post("/api/login/Basic", json=nobody)).json()["email"] == ""
    assert (says["roles"], says["email"]) == (["Home_Owner"], "me@example.com")
    assert datetime.fromisoformat(says["loginTime"]) == START


async def test_firmware_1_15_takes_any_username_and_has_its_own_words() -> None:
    """It goes by the password alone, and says "Invalid Credentials" in 66 bytes."""
    device = gateway("1.15")
    async with client_of(device) as client:
        taken = await client.post("/api/login/Basic", json=INSTALLER | {"username": "whoever"})
        refused = await client.post("/api/login/Basic", json=INSTALLER | {"password": "wrong"})
    assert taken.json()["roles"] == ["Provider_Engineer"]
    assert refused.status_code == 401
    assert refused.content == b'{"code":401,"error":"Invalid Credentials","message":"Login Error"}'
    assert len(refused.content) == 66


@pytest.mark.parametrize("era", ERAS[1:])
@pytest.mark.parametrize("username", ["customer", "whoever", "engineer", "kiosk", "admin"])
async def test_later_firmware_wants_the_password_of_the_user(era: str, username: str) -> None:
    """The installer's password lets in nobody else, and users of whom no password is known are let in with none."""
    async with client_of(gateway(era)) as client:
        answer = await client.post("/api/login/Basic", json=INSTALLER | {"username": username})
    assert (answer.status_code, answer.json()["error"]) == (401, "bad credentials")


MODES = ("self_consumption", "backup", "autonomous", "scheduler", None)
TAKEN = {"1.15": ("mode", MODES[:3])}


@pytest.mark.parametrize("era", OLD)
@pytest.mark.parametrize("key", ["mode", "real_mode"])
@pytest.mark.parametrize("mode", MODES)
async def test_a_write_goes_by_the_key_and_the_modes_of_its_firmware(
    era: str, key: str, mode: str | None
) -> None:
    """1.15 takes `mode`, autonomous too; later ones take `real_mode`, self_consumption or backup only, or say 500."""
    right, modes = TAKEN.get(era, ("real_mode", MODES[:2]))
    device = gateway(era)
    headers = {"Authorization": f"Bearer {device.sessions.open(Role.INSTALLER, START)}"}
    async with client_of(device) as client:
        body = {key: mode, "backup_reserve_percent": 24.6}
        answer = await client.post("/api/operation", json=body, headers=headers)
        shown = (await client.get("/api/operation", headers=headers)).json()
    if key == right and mode in modes:
        assert (answer.status_code, answer.json()) == (200, body)
        assert (shown[key], shown["backup_reserve_percent"]) == (mode, 24.6)
    else:
        word = "Mode" if right == "mode" else "RealMode"
        assert (answer.status_code, answer.json()["message"]) == (500, "Unable to set operational mode")
        assert answer.json()["error"] == f"{word} must be either self_consumption or backup"
        assert (shown[right], shown["backup_reserve_percent"]) == ("self_consumption", 24)


@pytest.mark.parametrize("era", ERAS)
async def test_a_commit_answers_in_the_way_of_its_firmware(era: str) -> None:
    """Nothing on 1.15 and 1.21, the status under a wrong name on 1.43 to 1.50, the status with one more commission later."""
    device = gateway(era)
    before = (await ask(device, "GET status", None)).json()
    answer = await ask(device, "GET config/completed", Role.CUSTOMER)
    kind = answer.headers.get("content-type", "")
    if era in {"1.15", "1.21"}:
        assert (answer.status_code, answer.content) == (202, b"")
        return
    assert kind.startswith("application/json" if era in {"21.39", "23.28"} else "text/plain")
    counted = {"commission_count": 1} if "commission_count" in before else {}
    assert answer.json() == before | counted
    assert (await ask(device, "GET status", None)).json() == before | counted


@pytest.mark.parametrize("era", OLD)
async def test_only_1_43_3_acts_one_step_late(era: str) -> None:
    """A write and its commit act at once, but on 1.43.3 the battery wants the commit twice."""
    device = gateway(era)
    await ask(device, "POST operation", Role.INSTALLER)
    await ask(device, "GET config/completed", Role.INSTALLER)
    at_first = device.obeyed.mode
    await ask(device, "GET config/completed", Role.INSTALLER)
    assert at_first == ("self_consumption" if era == "1.43.3" else "backup")
    assert device.obeyed.mode == "backup"


@pytest.mark.parametrize("era", ["21.39", "23.28"])
async def test_a_new_gateway_is_stopped_by_post_and_may_mind(era: str) -> None:
    """Without force it says 500 if it is picky about power that flows; with it, it stops."""
    device = gateway(era)
    apply_scenario(device, "refuses the wizard")
    headers = {"Authorization": f"Bearer {device.sessions.open(Role.CUSTOMER, START)}"}
    async with client_of(device) as client:
        gently = await client.post("/api/sitemaster/stop", json={"force": False}, headers=headers)
        assert device.obeyed.running
        firmly = await client.post("/api/sitemaster/stop", json={"force": True}, headers=headers)
    said = {"code": 500, "error": "Cannot Start Wizard", "message": "Unable to stop sitemaster"}
    assert (gently.status_code, gently.json()) == (500, said)
    assert firmly.status_code == 204
    assert not device.obeyed.running


@pytest.mark.parametrize("era", ["21.39", "23.28"])
async def test_the_house_can_be_cut_off_the_grid(era: str) -> None:
    """The mode is echoed and the grid follows; a mode that nobody knows changes nothing."""
    device = gateway(era)
    headers = {"Authorization": f"Bearer {device.sessions.open(Role.CUSTOMER, START)}"}
    seen = []
    async with client_of(device) as client:
        for mode in ("intentional_reconnect_failsafe", "backup", "holiday"):
            answer = await client.post("/api/v2/islanding/mode", json={"island_mode": mode}, headers=headers)
            seen.append((answer.status_code, answer.json().get("island_mode"), device.obeyed.grid))
    assert seen == [
        (200, "intentional_reconnect_failsafe", Grid.ISLANDED),
        (200, "backup", Grid.CONNECTED),
        (400, None, Grid.CONNECTED),
    ]


RESTING = dict.fromkeys(ERAS, "/update_failed") | {"21.39": "/update_unknown", "23.28": "/update_succeeded"}


@pytest.mark.parametrize("era", ERAS)
async def test_the_updater_rests_where_its_firmware_rests_and_walks_on(era: str) -> None:
    """Before a look its state is the documented one with nothing to do; a look finds nothing, and says so."""
    device = gateway(era)
    resting = (await ask(device, "GET system/update/status", Role.CUSTOMER)).json()
    assert (resting["state"], resting["info"]) == (RESTING[era], {"status": ["nonactionable"]})
    assert resting.get("version", device.firmware) == device.firmware
    assert resting.get("last_status_time", resting["current_time"]) == resting["current_time"]
    device.updater.check(START, device.mischief)
    checking = (await ask(device, "GET system/update/status", Role.CUSTOMER)).json()
    assert (checking["state"], checking["info"]) == ("/clear_update_status", {"status": []})
    assert device.updater.state(START + timedelta(minutes=1)) == "/update_failed"
