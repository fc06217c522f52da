"""The faults of a gateway, G1 to G6: sessions, passwords, roles, calls that are not there, and calls that come too often.

After every test all that was put out is searched for secrets (`canary.py`). Each fault is a test through the real client;
those of a switch, of bodies, of the wire and of who answers (the last two over real TLS) are in files of their own.

| fault | what | tests |
|---|---|---|
| G1 | the session expired | `test_g1_*` here |
| G2 | the password is wrong | `test_g2_*` here |
| G3 | the role may not, or a switch must be toggled | `test_g3_*` here |
| G4 | no such call, a redirect, a page instead of JSON | `test_g4_*` here, `test_g4_a_redirect_*` in `test_gateway_faults_wire.py` |
| G5 | 429 | `test_g5_*` here |
| G6 | 500, 502, 503; a battery that stands still | `test_g6_*` here |
| G7 | slow, cut, swallowed, reset connections | `test_g7_*` in `test_gateway_faults_wire.py` |
| G8 | a byte a second | `test_g8_*` in `test_gateway_faults_wire.py` |
| G9 | nonsense in bodies, and too much of it | `test_g9_*` in `test_gateway_faults_bodies.py` |
| G10 | accepted is not applied | `test_g10_*` in `test_gateway_faults_switch.py` |
| G11 | the meters contradict | `test_g11_*` in `test_gateway_faults_switch.py` |
| G12 | somebody uses the app | `test_g12_*` in `test_gateway_faults_switch.py` |
| G13 | a reboot or an upgrade over a boundary | `test_g13_*` in `test_gateway_faults_switch.py` |
| G14 | a name that leads nowhere or elsewhere | `test_g14_*` in `test_gateway_faults_identity.py` |
| G15 | another certificate, old TLS | `test_g15_*` in `test_gateway_faults_identity.py` |
| G16 | another gateway behind the same certificate | `test_g16_*` in `test_gateway_faults_switch.py` |
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench import LOS_ANGELES, local
from canary import SERIAL, WRONG, Canary, watching
from days import obeyed
from faults import (
    CHARGE,
    COMMIT,
    LOGIN,
    METERS,
    READ,
    RUN,
    SITEMASTER,
    STATUS,
    UPDATE,
    WRITE,
    gaps_s,
    stage,
)
from starlette.responses import Response

from scheduler.model.events import FoundStopped, GatewayBack, GatewayLost, PersonNeeded, Restarted
from scheduler.model.evidence import Verdict
from scheduler.observe.status import judge

HOUR = timedelta(hours=1)
PAGE = b"<!DOCTYPE html><html><body>Powerwall</body></html>"


@pytest.fixture(autouse=True)
def canary(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Canary]:
    """Search all that each test put out for secrets."""
    with watching(tmp_path, capfd, caplog, monkeypatch) as it:
        yield it


@pytest.mark.parametrize(
    ("firmware", "username"), [("1.45.2", "installer"), ("1.21", "installer"), ("21.39", "customer")]
)
async def test_g1_an_expired_session_costs_exactly_one_login(
    canary: Canary, firmware: str, username: str
) -> None:
    """The token grows too old between two looks: one login by the gateway's own count, and nobody is told of a loss."""
    it = stage(canary, local("12:00"), firmware=firmware, username=username)
    run = it.run()
    await run.until(local("12:12"))
    before = it.device.requests[LOGIN]
    it.bench.scenario("token expires")

    await run.until(local("12:40"))

    assert (before, it.device.requests[LOGIN]) == (1, 2)
    assert run.told(GatewayLost) == []
    assert it.count(READ, since=local("12:30")) > 0
    assert obeyed(it.bench)[2]


async def test_g1_a_session_that_expires_at_a_boundary_delays_nothing(canary: Canary) -> None:
    """The token is too old just when the switch is due: one login, and the battery goes by the new setpoint at once."""
    it = stage(canary, local("22:00"))
    it.bench.scenario("token expires at 22:04")
    run = it.run()

    await run.until(local("22:10"))

    switched = next(at for at, setting in it.device.history if setting.mode == "backup")
    assert switched - local("22:05") <= timedelta(seconds=15)
    assert it.device.requests[LOGIN] == 2
    assert run.records[-1].verdict.good


@pytest.mark.parametrize(("firmware", "username"), [("1.45.2", "installer"), ("21.39", "customer")])
async def test_g2_a_wrong_password_is_sent_three_times_and_then_nothing_is(
    canary: Canary, firmware: str, username: str
) -> None:
    """Three logins, then not one request for a day and over a restart, and the status says who must act; then one login."""
    it = stage(canary, local("06:30"), firmware=firmware, username=username, password=WRONG)
    run = it.run()
    await run.until(local("09:00"))
    assert it.device.requests[LOGIN] == 3
    silent_since = it.times()[-1]
    last_login = it.times(LOGIN)[-1]

    it.bench.restart()
    again = it.run()
    await again.until(last_login + timedelta(hours=23, minutes=59))

    assert [at for at in it.times() if at > silent_since] == []
    document = again.reports[-1].document(LOS_ANGELES)
    well, why = judge(document, running=True, now=again.reports[-1].at)
    assert not well
    assert "correct gateway.username or the password" in why
    assert len(run.told(PersonNeeded)) == 2, "once for each process"

    await again.until(last_login + timedelta(hours=25))
    assert it.device.requests[LOGIN] == 4


async def test_g2_another_password_is_tried_at_once(canary: Canary) -> None:
    """With the right password and a restart, the house is switched within a minute of it."""
    given = [WRONG]
    it = stage(canary, local("06:30"), password=lambda: given[0])
    await it.run().until(local("09:00"))
    given[0] = f"S{SERIAL}"

    it.bench.restart()
    run = it.run()
    await run.until(local("09:01"))

    assert it.device.requests[LOGIN] == 4
    assert run.records[-1].verdict is Verdict.VERIFIED
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)


@pytest.mark.parametrize("firmware", ["1.15", "1.45.2", "23.28"])
async def test_g3_a_role_that_may_not_write_is_never_answered_with_a_login(
    canary: Canary, firmware: str
) -> None:
    """A customer over three boundaries: one login, at most one write an hour, and the remedy in the status.

    Up to 1.24 nothing tells a dead token from a low role: for the write and for the firmware check one login each finds out.
    """
    it = stage(canary, local("06:30"), firmware=firmware, username="customer")
    run = it.run()

    await run.until(local("22:30"))

    assert it.device.requests[LOGIN] == (3 if firmware == "1.15" else 1)
    assert it.count(WRITE) <= 1 + 16 + 1
    assert len(run.told(PersonNeeded)) == 1
    assert "use the installer's login where the firmware is older than 1.50" in (
        run.reports[-1].trouble or ""
    )
    assert {record.verdict for record in run.records} == {Verdict.REFUSED}
    assert it.device.shown.reserve_raw_percent == 24


@pytest.mark.parametrize("firmware", ["1.50.1", "21.39", "23.28"])
async def test_g3_a_login_that_wants_a_switch_toggled_is_tried_once(canary: Canary, firmware: str) -> None:
    """An installer since 1.50.1 over three boundaries: one login, the remedy said once and shown to the end, the battery untouched."""
    it = stage(canary, local("06:30"), firmware=firmware)
    run = it.run()

    await run.until(local("22:30"))

    assert it.device.requests[LOGIN] == 1
    assert len(run.told(PersonNeeded)) == 1
    assert "toggles a switch on the Powerwall" in (run.reports[-1].trouble or "")
    assert it.count(WRITE) == 0
    assert all(setting.running for _, setting in it.device.history)


async def test_g3_a_write_that_is_forbidden_later_costs_no_login_either(canary: Canary) -> None:
    """The installer may write in the morning and not at night, as after a change behind our back: no second login."""
    it = stage(canary, local("06:30"))
    it.bench.scenario("answers 403 for 12h at 20:00")
    run = it.run()

    await run.until(local("23:30"))

    assert it.device.requests[LOGIN] == 1
    assert run.records[-1].verdict is Verdict.REFUSED
    assert len(run.told(PersonNeeded)) == 1


ABSENT: dict[str, tuple[int, dict[str, str], bytes]] = {
    **{str(status): (status, {}, b"") for status in (404, 405, 409, 410)},
    **{
        f"{status} {to}": (status, {"location": f"{to}://192.0.2.1/api/operation"}, b"")
        for status in (301, 302, 307)
        for to in ("https", "http")
    },
}
"""What a gateway says whose calls are not there, or not there any more."""


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (READ, "404"),
        (WRITE, "405"),
        (COMMIT, "409"),
        (SITEMASTER, "410"),
        (METERS, "301 https"),
        (UPDATE, "302 http"),
        (STATUS, "307 https"),
        (CHARGE, "404"),
        (READ, "301 http"),
        (SITEMASTER, "405"),
    ],
)
async def test_g4_a_call_that_is_not_there_is_never_answered_with_a_login(
    canary: Canary, call: str, said: str
) -> None:
    """Whatever call it is and whatever is said of it: one login over a boundary, and no storm of requests."""
    it = stage(canary, local("07:20"))
    status, headers, body = ABSENT[said]
    it.answers(status, call, headers=headers, body=body)
    run = it.run()

    await run.until(local("08:40"))

    assert it.device.requests[LOGIN] == 1
    assert len(it.asked) <= 800
    assert run.told(GatewayLost) == []
    assert obeyed(it.bench)[2]


@pytest.mark.parametrize("said", ["404", "405", "409", "410", "302 http", "307 https"])
async def test_g4_a_write_that_is_not_there_is_latched_until_the_firmware_is_another(
    canary: Canary, said: str
) -> None:
    """Given up after a while as a person's business, at most one try an hour then, and tried anew on the next firmware."""
    it = stage(canary, local("08:30"))
    status, headers, body = ABSENT[said]
    it.answers(status, WRITE, headers=headers, body=body)
    run = it.run()
    await run.until(local("09:30"))
    patient = it.count(WRITE)
    await run.until(local("12:30"))
    assert it.device.requests[LOGIN] == 1
    assert 10 <= patient <= 20
    assert 1 <= it.count(WRITE) - patient <= 4
    assert len(run.told(PersonNeeded)) == 1

    it.heal()
    it.bench.scenario("upgrades itself")
    await run.until(local("12:40"))

    assert run.records[-1].verdict is Verdict.VERIFIED
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)


@pytest.mark.parametrize("call", [READ, STATUS, SITEMASTER, METERS, UPDATE])
async def test_g4_a_page_in_the_place_of_json_is_no_matter_of_the_session(canary: Canary, call: str) -> None:
    """200 with HTML, as from a gateway whose API moved: no login more, and all is well once it is JSON again."""
    it = stage(canary, local("12:00"))
    run = it.run()
    await run.until(local("12:02"))
    it.answers(200, call, body=PAGE, headers={"content-type": "text/html"}, lasting=HOUR)

    await run.until(local("13:10"))

    assert it.device.requests[LOGIN] == 1
    assert len(run.told(GatewayLost)) == len(run.told(GatewayBack)) <= 1
    assert run.reports[-1].trouble is None


RETRY_AFTER: dict[str | None, float] = {
    None: 300,
    "0": 300,
    "7": 300,
    "-5": 300,
    "600": 600,
    "1e9": 300,
    "99999999999999999999": 3600,
    "Wed, 21 Oct 2099 07:28:00 GMT": 300,
    "soon": 300,
    "": 300,
}
"""What a gateway may say of how long to wait, and how long we do, in seconds: 300 to 3600."""


@pytest.mark.parametrize(
    ("call", "said", "silence_s"),
    [*((LOGIN, *row) for row in RETRY_AFTER.items()), (READ, "600", 600), (METERS, "1200", 1200)],
)
async def test_g5_after_a_429_there_is_silence(
    canary: Canary, call: str, said: str | None, silence_s: float
) -> None:
    """Not one request of any kind for as long as it says, within bounds; then the house is looked after again."""
    it = stage(canary, local("12:00"))
    run = it.run()
    if call != LOGIN:
        await run.until(local("12:02"))
    told: list[datetime] = []

    def answer(_method: str, now: datetime) -> Response:
        told.append(now)
        return Response(status_code=429, headers={} if said is None else {"retry-after": said})

    it.trouble(call, left=1, answer=answer)
    await run.until(local("13:30"))

    following = next(at for at in it.times() if at > told[0])
    assert silence_s <= (following - told[0]).total_seconds() <= silence_s + 15, "a tick lasts 15 s"
    assert run.reports[-1].trouble is None
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)


async def test_g5_the_silence_ends_with_one_probe(canary: Canary) -> None:
    """429 to every login for an hour: each time one login asks whether it is over, never two within five minutes."""
    it = stage(canary, local("12:00"))
    it.answers(429, LOGIN, lasting=HOUR)
    run = it.run()

    await run.until(local("13:10"))

    logins = it.times(LOGIN)
    assert min(gaps_s(logins)) >= 300
    assert 8 <= len(logins) <= 14
    assert len(run.told(GatewayLost)) == len(run.told(GatewayBack)) == 1
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)


async def test_g5_a_retry_after_that_counts_down_is_kept_to(canary: Canary) -> None:
    """The simulated gateway says when it is over: not one request before that."""
    it = stage(canary, local("12:00"))
    it.bench.scenario("answers 429 with retry-after for 40m")

    await it.run().until(local("12:45"))

    assert it.count(LOGIN) == 2
    assert [at for at in it.times() if local("12:00") + timedelta(seconds=5) < at < local("12:40")] == []
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_g6_failures_of_the_gateway_are_backed_off_from(canary: Canary, status: int) -> None:
    """Everything fails for an hour: pauses from 5 s to a minute, few requests, one line, and well again within two minutes."""
    it = stage(canary, local("12:00"))
    it.answers(status, lasting=HOUR)
    run = it.run()

    await run.until(local("13:02"))

    # The loop's ticks come on top of a pause.
    pauses = [gap for gap in gaps_s(it.bursts()) if gap > 0]
    assert all(5 <= pause <= 60 + 15 for pause in pauses[:-3])
    assert pauses[:3] == sorted(pauses[:3])
    assert max(pauses) >= 30
    assert len([at for at in it.times() if at < local("13:00")]) <= 600
    assert len(run.told(GatewayLost)) == len(run.told(GatewayBack)) == 1
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)


async def test_g6_a_stop_of_our_own_is_undone(canary: Canary) -> None:
    """Our login stopped the battery, the process died, and the gateway fails for five minutes: then it is started first."""
    it = stage(canary, local("12:00"))
    await it.bench.session.call(it.bench.gateway.read)
    assert not obeyed(it.bench)[2]
    it.bench.restart()
    it.answers(502, lasting=timedelta(minutes=5))
    run = it.run()

    await run.until(local("12:07"))

    back = datetime.fromtimestamp(local("12:05").timestamp(), UTC)
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)
    assert len(run.told(Restarted)) == 1
    assert it.device.requests[RUN] == 1
    running = next(at for at, setting in it.device.history if at >= back and setting.running)
    assert running - back <= timedelta(seconds=75)
    assert it.times(WRITE)[0] >= running


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_g6_a_stop_of_somebody_else_is_left_alone(canary: Canary, status: int) -> None:
    """Somebody works on the battery, and calls fail beside it: never started by us, no login, told once, for two hours."""
    it = stage(canary, local("12:00"))
    run = it.run()
    await run.until(local("12:10"))
    logins, runs = it.device.requests[LOGIN], it.device.requests[RUN]
    it.bench.scenario("somebody stops it")
    it.answers(status, METERS, CHARGE)

    await run.until(local("14:10"))

    assert (it.device.requests[LOGIN], it.device.requests[RUN]) == (logins, runs)
    assert not obeyed(it.bench)[2]
    assert len(run.told(FoundStopped)) == 1
    assert run.told(PersonNeeded) == []
