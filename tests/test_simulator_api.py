"""The simulated gateway's HTTP, firmware 1.45.2: what real clients find."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from scheduler.simulator.api import application
from scheduler.simulator.device import Setting, SimulatedGateway
from scheduler.simulator.endpoints import endpoints_of
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.personality import personality
from scheduler.simulator.scenario import apply_scenario

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)  # 20:00 in Los Angeles: no sun, much load
INSTALLER = {
    "username": "installer",
    "password": "ST123456789",
    "email": "me@example.com",
    "force_sm_off": False,
}
CUSTOMER = {"username": "customer", "password": "56789", "email": "me@example.com", "force_sm_off": False}
NO_ACCESS = "User does not have adequate access rights"


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        """The instant that the hands show."""
        return self.time

    def move(self, **span: float) -> None:
        """Let time pass."""
        self.time += timedelta(**span)


@pytest.fixture
def clock() -> Hands:
    """The clock of the gateway under test."""
    return Hands()


@pytest.fixture
def device(clock: Hands) -> SimulatedGateway:
    """A gateway in self_consumption, half charged."""
    setting = Setting(mode="self_consumption", reserve_raw_percent=24.0)
    return SimulatedGateway(now=clock.now, charge_raw_percent=50, setting=setting)


@pytest.fixture
async def client(device: SimulatedGateway) -> AsyncIterator[httpx.AsyncClient]:
    """A client that talks to it."""
    transport = httpx.ASGITransport(application(device))
    async with httpx.AsyncClient(transport=transport, base_url="https://powerwall") as client:
        yield client


async def login(client: httpx.AsyncClient, body: dict[str, Any] = INSTALLER) -> dict[str, str]:
    """Log in and give the header that proves it; the cookie is dropped."""
    answer = await client.post("/api/login/Basic", json=body)
    assert answer.status_code == 200
    client.cookies.clear()
    return {"Authorization": f"Bearer {answer.json()['token']}"}


async def test_a_login_as_installer_has_the_documented_shape(client: httpx.AsyncClient) -> None:
    """Role, names, a token of 88 characters, and two cookies that say the same."""
    answer = await client.post("/api/login/Basic", json=INSTALLER | {"username": ""})
    says = answer.json()
    assert says["roles"] == ["Provider_Engineer"]
    assert (says["email"], says["firstname"], says["lastname"], says["provider"]) == (
        None,
        "Tesla",
        "Energy",
        "Basic",
    )
    assert len(says["token"]) == 88
    assert says["token"].endswith("==")
    cookies = dict(c.partition(";")[0].split("=", 1) for c in answer.headers.get_list("set-cookie"))
    assert cookies["AuthCookie"] == says["token"]
    assert json.loads(base64.b64decode(cookies["UserRecord"])) == says


async def test_a_login_as_installer_stops_the_battery_and_run_starts_it(
    client: httpx.AsyncClient, device: SimulatedGateway
) -> None:
    """After the login no watt flows until GET /api/sitemaster/run, which answers 202."""
    token = await login(client)
    assert (await client.get("/api/sitemaster")).json() == {
        "running": False,
        "uptime": "log:",
        "connected_to_tesla": False,
    }
    assert device.power().battery_w == 0
    assert (await client.get("/api/sitemaster/run", headers=token)).status_code == 202
    assert (await client.get("/api/sitemaster")).json()["running"] is True
    assert device.power().battery_w > 0


async def test_a_login_as_customer_stops_nothing(client: httpx.AsyncClient, device: SimulatedGateway) -> None:
    """The owner may log in at any time."""
    answer = await client.post("/api/login/Basic", json=CUSTOMER)
    assert answer.json()["roles"] == ["Home_Owner"]
    assert device.obeyed.running


async def test_a_login_may_be_a_form(client: httpx.AsyncClient) -> None:
    """Clients that send the fields form-encoded are let in, too."""
    assert (await client.post("/api/login/Basic", data=CUSTOMER)).status_code == 200


async def test_json_under_any_content_type_is_read(client: httpx.AsyncClient) -> None:
    """What curl -d sends without a header is understood."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    answer = await client.post("/api/login/Basic", content=json.dumps(CUSTOMER), headers=kind)
    assert answer.status_code == 200


async def test_a_wrong_password_is_refused_in_the_real_words(client: httpx.AsyncClient) -> None:
    """The body is byte for byte the one that was reported, with the headers of an error."""
    answer = await client.post("/api/login/Basic", json=INSTALLER | {"password": "wrong"})
    assert answer.status_code == 401
    assert answer.content == b'{"code":401,"error":"bad credentials","message":"Login Error"}'
    assert answer.headers["cache-control"] == "no-cache, no-store"
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_ten_bad_logins_lock_the_door_for_ten_minutes(client: httpx.AsyncClient, clock: Hands) -> None:
    """After them even the right password gets 429, until ten minutes have passed."""
    for _ in range(10):
        assert (await client.post("/api/login/Basic", json=CUSTOMER | {"password": "no"})).status_code == 401
    assert (await client.post("/api/login/Basic", json=CUSTOMER)).status_code == 429
    clock.move(minutes=10)
    assert (await client.post("/api/login/Basic", json=CUSTOMER)).status_code == 200


async def test_the_lock_lasts_ten_minutes_and_not_less(client: httpx.AsyncClient, clock: Hands) -> None:
    """A second before its end the right password is still answered with 429, in the words that were reported."""
    for _ in range(10):
        await client.post("/api/login/Basic", json=CUSTOMER | {"password": "no"})
    clock.move(minutes=9, seconds=59)
    answer = await client.post("/api/login/Basic", json=CUSTOMER)
    assert (answer.status_code, answer.json()["message"]) == (429, "API Limit Reached")
    clock.move(seconds=1)
    assert (await client.post("/api/login/Basic", json=CUSTOMER)).status_code == 200


async def test_bad_logins_are_forgiven_with_time(client: httpx.AsyncClient, clock: Hands) -> None:
    """Nine, ten minutes without one, and nine more lock nothing; one more soon after does."""
    wrong = CUSTOMER | {"password": "no"}
    for _ in range(9):
        await client.post("/api/login/Basic", json=wrong)
    clock.move(minutes=10)
    said = [(await client.post("/api/login/Basic", json=wrong)).status_code for _ in range(9)]
    assert said == [401] * 9
    assert (await client.post("/api/login/Basic", json=CUSTOMER)).status_code == 200
    await client.post("/api/login/Basic", json=wrong)
    assert (await client.post("/api/login/Basic", json=CUSTOMER)).status_code == 429


@pytest.mark.parametrize("field", ["username", "password", "email"])
async def test_half_a_character_is_no_text(client: httpx.AsyncClient, field: str) -> None:
    """A lone surrogate, which JSON can write and no text can hold, is refused like any body that cannot be read."""
    said = json.dumps(CUSTOMER | {field: "\ud800"})
    answer = await client.post("/api/login/Basic", content=said)
    assert (answer.status_code, answer.json()["code"]) == (400, 400)


async def test_cookie_and_header_both_prove_a_login(client: httpx.AsyncClient) -> None:
    """Either is enough for what needs a token."""
    token = (await client.post("/api/login/Basic", json=CUSTOMER)).json()["token"]
    client.cookies.clear()
    by_cookie = await client.get("/api/operation", headers={"Cookie": f"AuthCookie={token}"})
    by_header = await client.get("/api/operation", headers={"Authorization": f"Bearer {token}"})
    assert (by_cookie.status_code, by_header.status_code) == (200, 200)


OPEN = [
    "customer/registration",
    "meters/aggregates",
    "meters/site",
    "meters/solar",
    "powerwalls",
    "site_info",
    "site_info/site_name",
    "sitemaster",
    "status",
    "system_status/grid_faults",
    "system_status/grid_status",
    "system_status/soe",
]
SHUT = [
    "config",
    "config/completed",
    "customer",
    "generators",
    "generators/disconnect_types",
    "installer",
    "installer/companies",
    "meters",
    "meters/readings",
    "networks",
    "networks/wifi_security_types",
    "operation",
    "powerwalls/status",
    "site_info/grid_codes",
    "sitemaster/run",
    "sitemaster/stop",
    "solars",
    "solars/brands",
    "solars/brands/Example Solar",
    "solars/brands/Sunny Sample",
    "system/networks",
    "system/testing",
    "system/update",
    "system/update/status",
]


@pytest.mark.parametrize("path", OPEN)
async def test_what_is_open_needs_no_token(client: httpx.AsyncClient, path: str) -> None:
    """Anybody in the house may ask these."""
    assert (await client.get(f"/api/{path}")).status_code == 200


@pytest.mark.parametrize("path", SHUT)
async def test_what_is_shut_needs_a_token(client: httpx.AsyncClient, path: str) -> None:
    """Without one, or with one that nobody gave out, the answer is 403 in the real words."""
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = await client.get(f"/api/{path}", headers=headers)
        assert answer.json() == {"code": 403, "error": "Unable to GET to resource", "message": NO_ACCESS}
        assert answer.status_code == 403


async def test_every_endpoint_is_open_or_shut(device: SimulatedGateway) -> None:
    """The two lists above forget no GET of the gateway."""
    gets = {name.removeprefix("GET /api/") for name in endpoints_of(device) if name.startswith("GET ")}
    assert gets == {*OPEN, *SHUT, "logout"}


async def test_a_write_shows_at_once_and_acts_after_the_commit(
    client: httpx.AsyncClient, device: SimulatedGateway
) -> None:
    """POST changes what is shown; the battery obeys GET /api/config/completed, which answers with the status."""
    token = await login(client)
    await client.get("/api/sitemaster/run", headers=token)
    body = {"real_mode": "backup", "backup_reserve_percent": 100}
    answer = await client.post("/api/operation", json=body, headers=token)
    assert (answer.status_code, answer.json()) == (200, body)
    assert answer.headers["content-type"].startswith("text/plain")
    shown = (await client.get("/api/operation", headers=token)).json()
    assert (shown["real_mode"], shown["backup_reserve_percent"]) == ("backup", 100)
    assert device.obeyed.mode == "self_consumption"
    assert (await client.get("/api/meters/aggregates")).json()["battery"]["instant_power"] > 0
    commit = await client.get("/api/config/completed", headers=token)
    assert (commit.status_code, commit.json()["version"]) == (200, "1.45.2")
    assert (device.obeyed.mode, device.obeyed.reserve_raw_percent) == ("backup", 100)
    assert (await client.get("/api/meters/aggregates")).json()["battery"]["instant_power"] == -3300


async def test_the_history_tells_what_the_battery_did(
    client: httpx.AsyncClient, device: SimulatedGateway, clock: Hands
) -> None:
    """Each change of what is obeyed is kept with its instant: stopped, switched, started."""
    clock.move(minutes=1)
    token = await login(client)
    await client.post("/api/operation", json={"real_mode": "backup"}, headers=token)
    clock.move(seconds=5)
    await client.get("/api/config/completed", headers=token)
    await client.get("/api/sitemaster/run", headers=token)
    told = [(at - START, what.mode, what.reserve_raw_percent, what.running) for at, what in device.history]
    assert told == [
        (timedelta(0), "self_consumption", 24, True),
        (timedelta(seconds=60), "self_consumption", 24, False),
        (timedelta(seconds=65), "backup", 24, False),
        (timedelta(seconds=65), "backup", 24, True),
    ]


async def test_requests_are_counted_by_endpoint(client: httpx.AsyncClient, device: SimulatedGateway) -> None:
    """Tests and the demo can say how often the gateway was asked for what."""
    token = await login(client)
    await client.get("/api/operation", headers=token)
    await client.get("/api/operation", headers=token)
    assert device.requests == {"POST /api/login/Basic": 1, "GET /api/operation": 2}


async def test_fields_left_out_are_left_alone(client: httpx.AsyncClient) -> None:
    """A write of the mode keeps the reserve, and the other way round."""
    token = await login(client)
    await client.post("/api/operation", json={"real_mode": "backup"}, headers=token)
    body = {"backup_reserve_percent": 33.5, "max_pv_export_power_kW": None}
    answer = await client.post("/api/operation", json=body, headers=token)
    assert answer.json() == {"real_mode": "backup", "backup_reserve_percent": 33.5}


@pytest.mark.parametrize(
    "body",
    [
        {"mode": "backup"},
        {"mode": "backup", "backup_reserve_percent": 50},
        {"real_mode": "autonomous"},
        {"real_mode": "backup_mode", "mode": "backup"},
    ],
)
async def test_other_modes_and_the_old_key_alone_are_refused(
    client: httpx.AsyncClient, body: dict[str, Any]
) -> None:
    """Since 1.21 the mode is `real_mode`, and autonomous is not taken; nothing changes."""
    token = await login(client)
    answer = await client.post("/api/operation", json=body, headers=token)
    assert answer.status_code == 500
    assert answer.json() == {
        "code": 500,
        "error": "RealMode must be either self_consumption or backup",
        "message": "Unable to set operational mode",
    }
    shown = (await client.get("/api/operation", headers=token)).json()
    assert (shown["real_mode"], shown["backup_reserve_percent"]) == ("self_consumption", 24)


async def test_a_client_that_sends_both_keys_is_understood(client: httpx.AsyncClient) -> None:
    """Clients for old and new firmware send `mode` and `real_mode`."""
    token = await login(client)
    answer = await client.post(
        "/api/operation", json={"mode": "backup", "real_mode": "backup"}, headers=token
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(("asked", "kept"), [(0, 5), (-20, 5), (4.99, 5), (250, 100), (24.6, 24.6)])
async def test_a_reserve_out_of_range_is_taken_as_the_nearest(
    client: httpx.AsyncClient, asked: float, kept: float
) -> None:
    """Raw 5 to 100 percent are possible, others are clamped without a word."""
    token = await login(client)
    body = {"real_mode": "self_consumption", "backup_reserve_percent": asked}
    answer = await client.post("/api/operation", json=body, headers=token)
    assert (answer.status_code, answer.json()["backup_reserve_percent"]) == (200, kept)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b"[" * 60000,
        b'{"real_mode": 3}',
        b'{"backup_reserve_percent": true}',
        b'{"backup_reserve_percent": "24"}',
        b'{"backup_reserve_percent": NaN}',
        b'"\xff"',
    ],
)
async def test_nonsense_is_refused_and_changes_nothing(
    client: httpx.AsyncClient, device: SimulatedGateway, body: bytes
) -> None:
    """A body that cannot be read is answered with 400."""
    token = await login(client)
    answer = await client.post("/api/operation", content=body, headers=token)
    assert (answer.status_code, answer.json()["code"]) == (400, 400)
    assert device.shown.mode == "self_consumption"


async def test_a_body_that_is_too_long_is_refused(client: httpx.AsyncClient) -> None:
    """64 KiB are read, not more."""
    answer = await client.post("/api/login/Basic", content=b" " * (64 * 1024 + 1))
    assert answer.status_code == 413


async def test_a_customer_may_look_but_not_write(client: httpx.AsyncClient, device: SimulatedGateway) -> None:
    """The owner reads the operation; writing it and updating take the installer."""
    token = await login(client, CUSTOMER)
    assert (await client.get("/api/operation", headers=token)).status_code == 200
    answer = await client.post("/api/operation", json={"real_mode": "backup"}, headers=token)
    assert answer.json() == {"code": 403, "error": "Unable to POST to resource", "message": NO_ACCESS}
    assert (await client.get("/api/system/update?force=true", headers=token)).status_code == 403
    assert (await client.get("/api/system/update/status", headers=token)).status_code == 200
    assert device.shown.mode == "self_consumption"


SILENT = ["meters/aggregates", "meters/site", "meters/solar"] + [
    f"system_status/{name}" for name in ("grid_faults", "grid_status", "soe")
]


async def test_while_stopped_meters_are_silent_and_settings_are_not(client: httpx.AsyncClient) -> None:
    """502 without a byte for what the site controller knows, the usual answer for the rest."""
    token = await login(client)
    for path in SILENT:
        answer = await client.get(f"/api/{path}")
        assert (answer.status_code, answer.content) == (502, b""), path
        assert answer.headers["cache-control"] == "no-cache, no-store"
    acting = {"sitemaster/run", "sitemaster/stop", "config/completed", "system/update"}
    for path in ({*OPEN, *SHUT} - {*SILENT}) - acting:
        assert (await client.get(f"/api/{path}", headers=token)).status_code == 200, path


async def test_the_battery_can_be_stopped_by_hand(
    client: httpx.AsyncClient, device: SimulatedGateway
) -> None:
    """GET /api/sitemaster/stop answers 204; by POST it is not to be had in this firmware."""
    token = await login(client, CUSTOMER)
    assert (await client.post("/api/sitemaster/stop", headers=token)).status_code == 405
    assert device.obeyed.running
    assert (await client.get("/api/sitemaster/stop", headers=token)).status_code == 204
    assert not device.obeyed.running


async def test_powerwalls_status_is_for_stopped_systems(client: httpx.AsyncClient) -> None:
    """While running it is answered with 409, in the gateway's own grammar."""
    token = await login(client, CUSTOMER)
    answer = await client.get("/api/powerwalls/status", headers=token)
    assert (answer.status_code, answer.json()["error"]) == (409, "Sitemaster is current running")


async def test_after_a_logout_the_token_is_dead(client: httpx.AsyncClient) -> None:
    """204, and from then on 403; logging out again or with nothing is fine, too."""
    token = await login(client)
    assert (await client.get("/api/logout", headers=token)).status_code == 204
    assert (await client.get("/api/operation", headers=token)).status_code == 403
    assert (await client.get("/api/logout")).status_code == 204


async def test_a_token_lasts_a_day(client: httpx.AsyncClient, clock: Hands) -> None:
    """After 24 hours it is known no more, and answered as reported; open endpoints do not look at it."""
    token = await login(client)
    clock.move(hours=23, minutes=59)
    assert (await client.get("/api/operation", headers=token)).status_code == 200
    clock.move(minutes=1)
    answer = await client.get("/api/operation", headers=token)
    assert answer.json() == {"code": 403, "error": "Unable to GET to resource", "message": NO_ACCESS}
    assert (await client.get("/api/status", headers=token)).status_code == 200


async def test_a_token_that_is_made_to_expire_is_told(
    client: httpx.AsyncClient, clock: Hands, device: SimulatedGateway
) -> None:
    """It is answered with 401, unless it had grown old by itself before; and again with 403 once nobody knows it."""
    old = await login(client)
    clock.move(hours=24)
    token = await login(client)
    apply_scenario(device, "token expires")
    answer = await client.get("/api/operation", headers=token)
    assert answer.json() == {"code": 401, "error": "bad credentials", "message": "Token Expired"}
    assert (await client.get("/api/operation", headers=old)).status_code == 403
    apply_scenario(device, "token is forgotten")
    assert (await client.get("/api/operation", headers=token)).status_code == 403


async def test_of_two_tokens_one_has_to_be_good(client: httpx.AsyncClient, device: SimulatedGateway) -> None:
    """Beside a good cookie a header that nobody knows, or that expired, does no harm, nor the other way round."""
    dead = (await login(client, CUSTOMER))["Authorization"].removeprefix("Bearer ")
    apply_scenario(device, "token expires")
    good = (await login(client, CUSTOMER))["Authorization"].removeprefix("Bearer ")
    for bad in ("nonsense", dead):
        for bearer, cookie in ((bad, good), (good, bad)):
            headers = {"Authorization": f"Bearer {bearer}", "Cookie": f"AuthCookie={cookie}"}
            assert (await client.get("/api/operation", headers=headers)).status_code == 200
    headers = {"Authorization": "Bearer nonsense", "Cookie": f"AuthCookie={dead}"}
    assert (await client.get("/api/operation", headers=headers)).status_code == 401


async def test_a_logout_ends_every_token_that_it_shows(client: httpx.AsyncClient) -> None:
    """Both the header's and the cookie's are dead afterwards."""
    tokens = [(await login(client, CUSTOMER))["Authorization"] for _ in range(2)]
    cookie = tokens[1].replace("Bearer ", "AuthCookie=")
    await client.get("/api/logout", headers={"Authorization": tokens[0], "Cookie": cookie})
    said = [(await client.get("/api/operation", headers={"Authorization": t})).status_code for t in tokens]
    assert said == [403, 403]


@pytest.mark.parametrize("kind", ["Basic", "Token", ""])
async def test_only_a_bearer_is_a_token(client: httpx.AsyncClient, kind: str) -> None:
    """A good token under another kind of authorization proves nothing, and hides no cookie."""
    token = (await login(client, CUSTOMER))["Authorization"].removeprefix("Bearer ")
    other = {"Authorization": f"{kind} {token}".strip()}
    assert (await client.get("/api/operation", headers=other)).status_code == 403
    both = other | {"Cookie": f"AuthCookie={token}"}
    assert (await client.get("/api/operation", headers=both)).status_code == 200


async def test_unknown_paths_and_wrong_verbs_are_errors_in_json(client: httpx.AsyncClient) -> None:
    """404 and 405, with the body that all errors have."""
    unknown = await client.get("/api/devices/vitals")
    wrong = await client.delete("/api/operation")
    assert [(a.status_code, a.json()["code"]) for a in (unknown, wrong)] == [(404, 404), (405, 405)]


async def test_the_meters_balance_and_count(client: httpx.AsyncClient, clock: Hands) -> None:
    """Watts add up, and what the house used in an hour was counted where it came from."""
    clock.move(hours=1)
    meters = (await client.get("/api/meters/aggregates")).json()
    watts = {name: meter["instant_power"] for name, meter in meters.items()}
    assert watts["site"] + watts["solar"] + watts["battery"] == pytest.approx(watts["load"])
    assert meters["load"]["energy_imported"] == pytest.approx(meters["battery"]["energy_exported"])
    assert meters["load"]["energy_imported"] > 1000


async def test_status_tells_version_and_time(client: httpx.AsyncClient, clock: Hands) -> None:
    """Start in local time with its offset, up time in the gateway's own spelling."""
    clock.move(hours=49, minutes=2, seconds=3.25)
    says = (await client.get("/api/status")).json()
    assert says["version"] == "1.45.2"
    assert says["start_time"] == "2026-07-01 20:00:00 -0700"
    assert says["up_time_seconds"] == "49h2m3.25s"
    assert (await client.get("/api/sitemaster")).json()["uptime"] == "176523s,"


async def test_the_site_controllers_uptime_begins_with_its_start(
    client: httpx.AsyncClient, clock: Hands
) -> None:
    """Stopped and started again it counts from zero, while the gateway's own goes on."""
    clock.move(hours=1)
    token = await login(client)
    clock.move(minutes=1)
    await client.get("/api/sitemaster/run", headers=token)
    clock.move(seconds=7)
    assert (await client.get("/api/sitemaster")).json()["uptime"] == "7s,"
    assert (await client.get("/api/status")).json()["up_time_seconds"] == "1h1m7s"


async def test_the_test_of_the_connection_takes_its_time(client: httpx.AsyncClient, clock: Hands) -> None:
    """POST begins it and is told nothing until it is done, then the results once; after that it begins anew."""
    token = await login(client, CUSTOMER)
    told: list[Any] = []
    for seconds in (0, 29, 1, 60):
        clock.move(seconds=seconds)
        told.append((await client.post("/api/system/networks/conn_tests", headers=token)).json())
    nothing = {"results": None, "timestamp": "0001-01-01T00:00:00Z"}
    assert [told[0], told[1], told[3]] == [nothing] * 3
    assert told[2]["timestamp"] == "2026-07-01T20:00:30.000000-07:00"
    assert len(told[2]["results"]) == 4
    assert all(result == {"pass": True, "error": ""} for result in told[2]["results"].values())


async def test_charge_and_reserve_are_on_the_raw_scale(client: httpx.AsyncClient) -> None:
    """The wire speaks raw percent, as real gateways do."""
    token = await login(client, CUSTOMER)
    assert (await client.get("/api/system_status/soe")).json() == {"percentage": 50}
    assert (await client.get("/api/operation", headers=token)).json() == {
        "real_mode": "self_consumption",
        "backup_reserve_percent": 24,
        "freq_shift_load_shed_soe": 75,
        "freq_shift_load_shed_delta_f": -0.32,
    }


async def test_an_update_is_found_staged_and_installed(
    client: httpx.AsyncClient, device: SimulatedGateway, clock: Hands
) -> None:
    """A forced check walks to /update_staged, the install is accepted, and minutes later the version is new."""
    apply_scenario(device, "has an update")
    token = await login(client)
    await client.get("/api/system/update", headers=token)
    resting = (await client.get("/api/system/update/status", headers=token)).json()
    assert (resting["state"], resting["info"]) == ("/update_failed", {"status": ["nonactionable"]})
    assert resting["current_time"] == int(START.timestamp() * 1000)
    assert (await client.get("/api/system/update?force=true", headers=token)).status_code == 200
    clock.move(minutes=3)
    assert (await client.get("/api/system/update/status", headers=token)).json()["state"] == "/update_staged"
    assert (await client.post("/api/system/update", headers=token)).status_code == 202
    assert (await client.get("/api/status")).status_code == 503
    clock.move(minutes=2)
    status = (await client.get("/api/status")).json()
    assert (status["version"], status["start_time"]) == ("1.46.0", "2026-07-01 20:05:00 -0700")
    assert (await client.get("/api/sitemaster")).json()["running"] is True
    assert (await client.get("/api/system/update/status", headers=token)).status_code == 403
    says = (await client.get("/api/system/update/status", headers=await login(client, CUSTOMER))).json()
    assert (says["state"], says["info"]) == ("/update_succeeded", {"status": ["nonactionable"]})


async def test_while_busy_nothing_can_be_changed(client: httpx.AsyncClient, device: SimulatedGateway) -> None:
    """Logins, writes, commits and runs are answered with 503, and what only looks is answered."""
    token = await login(client)
    apply_scenario(device, "is busy")
    said = {"code": 503, "error": "current config mode is busy", "message": "current config mode is busy"}
    changing = [
        ("POST", "login/Basic"),
        ("POST", "operation"),
        ("GET", "config/completed"),
        ("GET", "sitemaster/run"),
        ("GET", "sitemaster/stop"),
    ]
    for method, path in changing:
        answer = await client.request(method, f"/api/{path}", headers=token)
        assert (answer.status_code, answer.json()) == (503, said), path
    assert (await client.get("/api/operation", headers=token)).status_code == 200
    assert not device.obeyed.running


async def test_the_grid_is_told(client: httpx.AsyncClient, device: SimulatedGateway) -> None:
    """Its status has the gateway's own names."""
    told = [(await client.get("/api/system_status/grid_status")).json()]
    apply_scenario(device, "the grid fails")
    told.append((await client.get("/api/system_status/grid_status")).json())
    assert told == [
        {"grid_status": "SystemGridConnected", "grid_services_active": False},
        {"grid_status": "SystemIslandedActive", "grid_services_active": False},
    ]


def test_an_unknown_firmware_is_named_with_the_known_ones() -> None:
    """Asking for a personality that does not exist says which do."""
    with pytest.raises(SimulatorError, match=r"'1\.2'; take one of: 1\.45\.2"):
        personality("1.2")


def test_no_secret_is_in_a_repr(device: SimulatedGateway) -> None:
    """Neither the serial number nor a token can get into a log by way of a repr."""
    token = device.sessions.open(device.sessions.check("customer", "56789", START), START)
    shown = repr(device) + repr(device.sessions)
    assert "T123456789" not in shown
    assert token not in shown
