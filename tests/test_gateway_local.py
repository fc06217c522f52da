"""The local gateway: its calls, its session and latch, and what it never sends or shows."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import count

import httpx
import pytest
from fake_gateway import CALLS, EMAIL, NOW, PASSWORD, TOKEN, Fake, Ledger, gateway_of, write

from scheduler.gateway.credentials import Credentials
from scheduler.gateway.http import DEADLINE_S
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    NotCapable,
    NotOffered,
    SessionExpired,
    Throttled,
    Transient,
    Unsteady,
    Unwilling,
)
from scheduler.model.evidence import Step
from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint


async def test_three_refused_passwords_end_all_requests() -> None:
    """After three refusals of the password in a row nothing more is sent, whatever is asked."""
    fake = Fake()
    ticks = count()
    gateway = gateway_of(fake, now=lambda: NOW + timedelta(minutes=10 * next(ticks)))
    fake.says("POST", "/api/login/Basic", 401)
    for _ in range(3):
        with pytest.raises(BadCredentials):
            await gateway.login()
    sent = len(fake.requests)

    for call in (LocalGateway.login, LocalGateway.identify, LocalGateway.read, write):
        with pytest.raises(BadCredentials, match="3 times"):
            await call(gateway)
    await gateway.close()

    assert sent == 3
    assert len(fake.requests) == 3


async def test_a_good_login_forgives_the_bad_ones() -> None:
    """Only refusals in a row count."""
    fake = Fake()
    ticks = count()
    gateway = gateway_of(fake, now=lambda: NOW + timedelta(minutes=10 * next(ticks)))
    for _ in range(2):
        fake.says("POST", "/api/login/Basic", 401)
        for _ in range(2):
            with pytest.raises(BadCredentials):
                await gateway.login()
        fake.odd.clear()
        await gateway.login()
    await gateway.close()

    assert gateway.has_session


async def test_without_a_password_nothing_is_sent() -> None:
    """A missing password is said before anything is sent or spent."""
    fake = Fake()
    gateway = gateway_of(fake, password=None)

    with pytest.raises(BadCredentials, match="TOU_GATEWAY__PASSWORD"):
        await gateway.login()
    await gateway.close()

    assert fake.requests == []


async def test_the_login_budget_is_kept() -> None:
    """The fourth login within five minutes is not sent."""
    fake = Fake()
    gateway = gateway_of(fake)
    for _ in range(3):
        await gateway.login()

    with pytest.raises(Throttled) as caught:
        await gateway.login()
    await gateway.close()

    assert caught.value.silence_s == 300
    assert len(fake.requests) == 3


async def test_what_a_login_says() -> None:
    """A login sends user, password, e-mail and no wish to stop the battery, and no token."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.login()
    await gateway.close()

    for request in fake.requests:
        assert json.loads(request.content) == {
            "username": "installer",
            "password": PASSWORD,
            "email": EMAIL,
            "force_sm_off": False,
        }
        assert "cookie" not in request.headers


@pytest.mark.parametrize(
    ("username", "version", "may_stop"),
    [
        ("installer", None, True),
        ("installer", "1.15.0\n", True),
        ("installer", "1.45.2", True),
        ("installer", "1.49.9", True),
        ("installer", "1.50.0", False),
        ("installer", "1.50.1 c58c2df3", False),
        ("installer", "21.39.1 7759c368", False),
        ("installer", "unheard of", True),
        ("installer", "2", False),
        ("customer", None, False),
        ("customer", "1.45.2", False),
    ],
)
async def test_which_login_may_stop_the_battery(
    username: str, version: str | None, *, may_stop: bool
) -> None:
    """The installer's login may stop it up to firmware 1.49 or while the firmware is unknown, the customer's never."""
    fake = Fake()
    gateway = gateway_of(fake, username=username)
    if version is not None:
        fake.says("GET", "/api/status", 200, json.dumps({"version": version}).encode())
        await gateway.identify()
    await gateway.close()

    assert gateway.login_may_stop is may_stop


async def test_a_write_speaks_as_the_gateway_does() -> None:
    """What is written is spelled like what was read, in raw percent, and whole."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.read()
    await gateway.write(Setpoint(reserve_percent=100))
    fake.says("GET", "/api/operation", 200, b'{"mode":"backup","backup_reserve_percent":24.6}')
    await gateway.read()
    await gateway.write(Setpoint(mode="self_consumption"))
    await gateway.close()

    assert [json.loads(r.content) for r in fake.requests if r.method == "POST"] == [
        {"real_mode": "self_consumption", "backup_reserve_percent": 100},
        {"mode": "self_consumption", "backup_reserve_percent": 24.6},
    ]


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_a_commit_is_accepted_as_old_and_new_firmware_do(status: int) -> None:
    """Both 200 with a body and 202 without one mean that a commit or a start was accepted."""
    fake = Fake()
    gateway = gateway_of(fake)
    fake.says("GET", "/api/config/completed", status)
    fake.says("GET", "/api/sitemaster/run", status)
    await gateway.commit()
    await gateway.start()
    await gateway.close()

    assert [step.status for step in gateway.exchanges()] == [status, status]


async def test_a_round_of_all_calls() -> None:
    """Every call asks for its documented address, shows the token, and leaves a step under its stable name."""
    fake = Fake()
    gateway = gateway_of(fake)
    assert (await gateway.identify()).firmware == "1.45.2 abc"
    await gateway.login()
    assert await gateway.read() == Setpoint(mode="self_consumption", reserve_percent=20)
    await write(gateway)
    await gateway.commit()
    assert await gateway.is_running()
    await gateway.start()
    live = await gateway.live()
    assert (live.charge_percent, live.grid) == (60, Grid.CONNECTED)
    assert await gateway.grid_faults() == ()
    assert (await gateway.power()).battery_w == 1
    await gateway.check_for_update()
    assert not (await gateway.update_status()).failed
    steps = gateway.exchanges()
    await gateway.close()

    assert fake.lines == [
        "GET /api/status",
        "POST /api/login/Basic",
        "GET /api/operation",
        "POST /api/operation",
        "GET /api/config/completed",
        "GET /api/sitemaster",
        "GET /api/sitemaster/run",
        "GET /api/system_status/soe",
        "GET /api/system_status/grid_status",
        "GET /api/system_status/grid_faults",
        "GET /api/meters/aggregates",
        "GET /api/system/update?force=true",
        "GET /api/system/update/status",
    ]
    assert [step.step for step in steps] == ["get_status", "login", *CALLS]
    assert all(step.status == 200 and step.ms >= 0 for step in steps)
    assert all(r.headers["cookie"] == f"AuthCookie={TOKEN}" for r in fake.requests[2:])
    assert gateway.exchanges() == ()


async def test_an_exchange_without_an_answer_is_a_step_too() -> None:
    """A call that got no answer leaves a step without a status."""

    def dead(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("", request=request)

    gateway = LocalGateway(
        Endpoint(host="powerwall", server_name=None, fingerprint=b"\1" * 32),
        Credentials(username="customer", password=PASSWORD),
        ledger=Ledger(),
        now=lambda: NOW,
        transport=httpx.MockTransport(dead),
    )
    with pytest.raises(Transient, match="cannot be reached"):
        await gateway.identify()
    (step,) = gateway.exchanges()
    await gateway.close()

    assert step == Step(step="get_status", status=None, ms=step.ms)


async def test_steps_are_bounded() -> None:
    """Steps that nobody asks for do not pile up: the last 200 are kept."""
    gateway = gateway_of(Fake())
    await gateway.identify()
    for _ in range(250):
        await gateway.read()
    steps = gateway.exchanges()
    await gateway.close()

    assert [step.step for step in steps] == ["get_operation"] * 200


@pytest.mark.parametrize("status", [200, 401, 403, 404, 429, 500, 502])
async def test_nothing_secret_is_ever_shown(status: int) -> None:
    """No error, step or repr holds the password, the token or the e-mail, even where the gateway repeats them."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    echo = json.dumps({"error": f"{PASSWORD} {TOKEN} {EMAIL}", "version": 1}).encode()
    for method, path, _ in CALLS.values():
        fake.says(method, path, status, echo)
    fake.says("POST", "/api/login/Basic", status, echo)
    shown = [repr(gateway), repr(Credentials(username="installer", password=PASSWORD, email=EMAIL))]
    shown += [repr(vars(gateway))]
    for call in (*(call for _, _, call in CALLS.values()), LocalGateway.login):
        try:
            await call(gateway)
        except GatewayError as error:
            shown += [str(error), repr(error), repr(error.__cause__)]
    shown += [repr(gateway.exchanges())]
    await gateway.close()

    for secret in (PASSWORD, TOKEN, EMAIL, PASSWORD[-5:]):
        assert secret not in "".join(shown)


def test_the_pace_is_a_local_ones() -> None:
    """A local gateway settles within seconds, and any one call within ten."""
    pace = gateway_of(Fake()).pace

    assert (pace.settle_s, pace.poll_s, pace.effect_grace_s) == (5, 1, 120)
    assert DEADLINE_S == 10


async def test_a_403_on_a_write_with_a_dead_token_costs_a_login() -> None:
    """Where reads are open, a token dies unnoticed until a write: the update status, which wants a login, tells."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.read()
    fake.says("POST", "/api/operation", 403)
    fake.says("GET", "/api/system/update/status", 403)

    with pytest.raises(SessionExpired):
        await write(gateway)
    assert not gateway.has_session


async def test_a_403_on_a_write_that_outlasts_a_login_is_the_role() -> None:
    """After the login the same write is refused again: that is no session's fault, and no second login is spent."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.read()
    fake.says("POST", "/api/operation", 403)
    fake.says("GET", "/api/system/update/status", 403)
    with pytest.raises(SessionExpired):
        await write(gateway)
    await gateway.login()

    with pytest.raises(NotCapable):
        await write(gateway)
    assert gateway.has_session


async def test_a_refusal_that_a_login_mended_is_forgotten() -> None:
    """A read refused once and answered after a login: when that token dies in its turn, one login is tried again."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.read()
    fake.says("GET", "/api/operation", 401)
    with pytest.raises(SessionExpired):
        await gateway.read()
    fake.odd.clear()
    await gateway.login()
    await gateway.read()
    fake.says("GET", "/api/operation", 403)

    with pytest.raises(SessionExpired):
        await gateway.read()


async def test_the_limit_of_the_export_is_said_with_every_write_if_it_is_given() -> None:
    """In kW, under the gateway's own word; without it the field is left out."""
    fake = Fake()
    for limit_kw in (4.6, 0.0, None):
        gateway = gateway_of(fake, max_pv_export_power_kw=limit_kw)
        await gateway.read()
        await gateway.write(Setpoint(reserve_percent=100))
        await gateway.close()

    said = [json.loads(r.content) for r in fake.requests if r.method == "POST"]
    assert [body.get("max_pv_export_power_kW", "left out") for body in said] == [4.6, 0, "left out"]


async def test_a_403_never_costs_a_login_on_a_write_that_a_live_session_may_not_do() -> None:
    """The token still opens the update status, so it is the role: no login, however often the write is tried."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.read()
    fake.says("POST", "/api/operation", 403)
    for _ in range(3):
        with pytest.raises(NotCapable):
            await write(gateway)
    await gateway.close()

    assert fake.lines.count("POST /api/login/Basic") == 1


@pytest.mark.parametrize("place", ["http://powerwall/api/operation", "https://elsewhere/api/login/Basic"])
async def test_a_redirect_is_never_followed(place: str) -> None:
    """Neither to another host nor to plain http: the password and the token go to the known gateway only."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    for method, path, call in (("POST", "/api/login/Basic", LocalGateway.login), CALLS["post_operation"]):
        fake.says(method, path, 307, location=place)
        with pytest.raises(NotOffered, match="we do not follow"):
            await call(gateway)
    await gateway.close()

    assert {(r.url.scheme, r.url.host) for r in fake.requests} == {("https", "powerwall")}
    assert len(fake.requests) == 3


@pytest.mark.parametrize("step", CALLS)
async def test_i3_a_session_that_is_refused_at_once_is_used_for_a_while(step: str) -> None:
    """Refused from the first moment, under one session after the other: each is used on, twice as long as the one before."""
    fake = Fake()
    now = NOW
    gateway = gateway_of(fake, now=lambda: now)
    for method, path, _ in CALLS.values():
        fake.says(method, path, 401)
    *_, call = CALLS[step]
    for wait_s in (60, 120, 240, 480, 480):
        await gateway.login()
        for _ in range(2):
            with pytest.raises(Unsteady, match="does not know the session that it gave"):
                await call(gateway)
            assert gateway.has_session
            now += timedelta(seconds=wait_s / 2)
        with pytest.raises(SessionExpired):
            await call(gateway)
        assert not gateway.has_session
    await gateway.close()


async def test_i3_a_session_that_the_gateway_learns_of_late_costs_no_second_login() -> None:
    """A gateway that knows its own token only after half a minute: the one login of before serves the call."""
    fake = Fake()
    now = NOW
    gateway = gateway_of(fake, now=lambda: now)
    fake.says("GET", "/api/operation", 401)
    fake.says("GET", "/api/system/update/status", 401)
    await gateway.login()
    with pytest.raises(Unsteady):
        await gateway.read()
    now += timedelta(seconds=30)
    fake.odd.clear()

    await gateway.read()
    await gateway.close()

    assert fake.lines.count("POST /api/login/Basic") == 1


async def test_i3_a_new_session_that_one_call_refuses_is_known_to_live() -> None:
    """One call says 401 to it for good, the update status takes it: no word of a session that is not known, and no other login."""
    fake = Fake()
    now = NOW
    gateway = gateway_of(fake, now=lambda: now)
    await gateway.login()
    fake.says("GET", "/api/system_status/grid_faults", 401)
    for _ in range(12):
        with pytest.raises(SessionExpired):
            await gateway.grid_faults()
        now += timedelta(minutes=1)

    await gateway.read()
    await gateway.close()

    assert fake.lines.count("POST /api/login/Basic") == 1


async def test_i3_what_everybody_may_read_proves_no_session() -> None:
    """Firmware that shows the battery to strangers: that it does so with a dead token too keeps nobody from believing a 401."""
    fake = Fake()
    gateway = await old_gateway(fake, "1.15.0")
    fake.says("GET", "/api/operation", 401)
    fake.says("GET", "/api/sitemaster/run", 401)
    with pytest.raises(SessionExpired):
        await gateway.start()
    await gateway.login()
    for _ in range(3):
        await gateway.is_running()
        with pytest.raises(Unsteady):
            await gateway.start()
    await gateway.close()

    assert fake.lines.count("POST /api/login/Basic") == 2


async def test_a_session_that_another_call_proves_is_kept_through_401s() -> None:
    """One call says 401 again and again while another takes the token: a login is worth a try at first and then seldom."""
    fake = Fake()
    gateway = gateway_of(fake, now=(NOW + timedelta(minutes=31 * n) for n in count()).__next__)
    fake.says("GET", "/api/operation", 401)
    for _ in range(150):
        if not gateway.has_session:
            await gateway.login()
        with pytest.raises(SessionExpired):
            await gateway.read()
    await gateway.close()

    assert fake.lines.count("POST /api/login/Basic") == 3


async def old_gateway(fake: Fake, version: str) -> LocalGateway:
    """A session with old firmware that has been good for an answer."""
    gateway = gateway_of(fake)
    fake.says("GET", "/api/status", 200, json.dumps({"version": version}).encode())
    await gateway.identify()
    await gateway.login()
    await gateway.read()
    fake.says("POST", "/api/operation", 403)
    return gateway


@pytest.mark.parametrize("version", ["1.15.0\n", "1.20.1", "1.24.9"])
async def test_up_to_1_24_a_403_on_a_write_is_a_dead_token_once(version: str) -> None:
    """There the update status is open to all and proves nothing: one login tells, and the second 403 is the role."""
    fake = Fake()
    gateway = await old_gateway(fake, version)

    with pytest.raises(SessionExpired):
        await write(gateway)
    assert not gateway.has_session
    for _ in range(2):
        await gateway.login()
        await gateway.read()
        with pytest.raises(NotCapable):
            await write(gateway)
    await gateway.close()

    assert "GET /api/system/update/status" not in fake.lines


async def test_since_1_25_an_open_update_status_proves_the_session() -> None:
    """There it wants a login, so that a 403 on a write beside it is the role at once."""
    fake = Fake()
    gateway = await old_gateway(fake, "1.25.0")

    with pytest.raises(NotCapable):
        await write(gateway)
    await gateway.close()

    assert gateway.has_session


async def test_an_installer_is_not_told_to_be_one() -> None:
    """The remedy for a 403 on a write speaks to the login that was made."""
    remedies = []
    for username in ("installer", "customer"):
        fake = Fake()
        gateway = gateway_of(fake, username=username)
        await gateway.login()
        fake.says("POST", "/api/operation", 403)
        with pytest.raises(NotCapable) as caught:
            await write(gateway)
        remedies.append(caught.value.remedy)
        await gateway.close()

    assert "use the installer's login" not in remedies[0]
    assert "tried again within the hour" in remedies[0]
    assert "use the installer's login" in remedies[1]


@pytest.mark.parametrize(
    ("status", "asked"), [(404, 2), (405, 2), (400, 1), (409, 1), (410, 1), (301, 1), (417, 1)]
)
async def test_a_stop_takes_the_other_verb_only_where_this_one_is_not_known(status: int, asked: int) -> None:
    """404 and 405 speak of the call; what stands against it once must not be asked for in another way."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    for method in ("GET", "POST"):
        fake.says(method, "/api/sitemaster/stop", status)

    with pytest.raises(NotOffered):
        await gateway.stop()
    await gateway.close()

    assert len([line for line in fake.lines if "sitemaster/stop" in line]) == asked


WIZARD = b'{"code":500,"error":"Cannot Start Wizard","message":"Unable to stop sitemaster"}'


async def test_who_lets_nobody_in_while_power_flows_gives_no_login_back() -> None:
    """The budget is spent by logins that were looked at, and each says how many there were in a row."""
    fake = Fake()
    gateway = gateway_of(fake)
    fake.says("POST", "/api/login/Basic", 500, WIZARD)
    for times in (1, 2, 3):
        with pytest.raises(Unwilling) as caught:
            await gateway.login()
        assert caught.value.times == times
    with pytest.raises(Throttled):
        await gateway.login()
    await gateway.close()

    assert fake.lines.count("POST /api/login/Basic") == 3


async def test_a_login_that_is_let_in_ends_the_row() -> None:
    """Refused twice, let in, refused again: that is the first of another row."""
    fake = Fake()
    gateway = gateway_of(fake, now=(NOW + timedelta(minutes=31 * n) for n in count()).__next__)
    said = []
    for status in (500, 500, 200, 500):
        fake.odd.clear()
        if status != 200:
            fake.says("POST", "/api/login/Basic", status, WIZARD)
        try:
            await gateway.login()
        except Unwilling as error:
            said.append(error.times)
    await gateway.close()

    assert said == [1, 2, 1]
