"""`doctor`: what each step finds, on each firmware and for each trouble, over real TLS; and that it never writes."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import io
import json
import os
import re
import socket
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench import LOS_ANGELES
from doctor_bench import PASSWORDS, STEPS, TEXT, Bench, bench, configured, examined, signs
from processes import ROOT, command, started
from tls_peer import always, make_certificate, response
from tls_peer import serving as peer

from scheduler.app.approach import Approach, judge_clock
from scheduler.app.doctor import examine
from scheduler.app.findings import Finding, Outcome, Report
from scheduler.app.plug import endpoint_of
from scheduler.cli.doctor import document, shown
from scheduler.config.configuration import Secret
from scheduler.control.calloff import CalledOff
from scheduler.control.firmware import Check, Phase
from scheduler.daemon.clock import SystemClock
from scheduler.gateway.reach import greet
from scheduler.model.firmware import SIMULATED
from scheduler.model.reading import Identity
from scheduler.model.timeline import Moment
from scheduler.simulator.certificate import kept_certificate
from scheduler.simulator.mischief import Reach
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.usecases import UseCases
from scheduler.store.lock import Lock

OUTCOMES = {
    "1.15": ("+++++++++++", "++++++++x++"),
    "1.21": ("+++++++++++", "++++++++x++"),
    "1.43.3": ("+++++++++++", "++++++++x++"),
    "1.45.2": ("+++++++++++", "++++++++x++"),
    "1.50.1": ("+++++x-+x+-", "++++++++x++"),
    "21.39": ("+++++x-+x--", "++++++++x++"),
    "23.28": ("+++++x-+x--", "++++++++x++"),
}
"""Firmware to the outcomes in the order of STEPS, as installer and as customer."""

ALLOWED = {
    ("1.45.2", "installer"): "reading and switching",
    ("1.43.3", "installer"): "each write is said twice",
    ("1.45.2", "customer"): "an installer may switch, but a customer may not",
    ("1.50.1", "installer"): "most of it without a login",
    ("21.39", "customer"): "reading, with the customer's login",
}

WRITES = {
    "POST /api/operation",
    "GET /api/config/completed",
    "GET /api/sitemaster/stop",
    "POST /api/sitemaster/stop",
}


@pytest.mark.parametrize("firmware", SIMULATED)
@pytest.mark.parametrize("username", ["installer", "customer"])
async def test_each_firmware_gets_its_findings(tmp_path: Path, firmware: str, username: str) -> None:
    """Each step ends as the table says, nothing is written, the battery runs at the end, and no secret is shown."""
    async with bench(tmp_path, firmware, username) as it:
        before = it.device.shown, it.device.obeyed
        found = await it.examine()
        after = it.device.shown, it.device.obeyed

    assert signs(found) == OUTCOMES[firmware][username == "customer"]
    assert not WRITES & it.device.requests.keys()
    assert it.device.requests["POST /api/login/Basic"] == 1
    assert before == after
    assert it.device.obeyed.running
    assert found["firmware"].says.startswith(firmware)
    told = json.dumps(document(list(found.values())))
    assert [secret for secret in (it.device.serial, *PASSWORDS.values()) if secret in told] == []


@pytest.mark.parametrize(("firmware", "username"), ALLOWED)
async def test_what_is_allowed_is_said_in_words(tmp_path: Path, firmware: str, username: str) -> None:
    """What this firmware lets this user do is said plainly, and where it may not switch, what else can be done."""
    async with bench(tmp_path, firmware, username) as it:
        allowed = (await it.examine())["allowed"]

    assert ALLOWED[firmware, username] in allowed.says
    assert (allowed.remedy is None) == (allowed.outcome is Outcome.PASSED)


async def test_a_login_that_stops_the_battery_is_undone_and_said(tmp_path: Path) -> None:
    """On old firmware the installer's login stops the battery for a moment; it runs again, and the line says so."""
    async with bench(tmp_path) as it:
        found = await it.examine()

    assert [obeyed.running for _, obeyed in it.device.history] == [True, False, True]
    assert "stopped the battery for a moment, and it runs again" in found["login"].says
    assert (tmp_path / "state" / "marker.json").read_text() == "[]"


async def test_a_battery_that_cannot_be_started_again_is_a_failure(tmp_path: Path) -> None:
    """If the gateway forgets to start the battery after our login, that fails with what a person can do."""
    async with bench(tmp_path) as it:
        it.device.mischief.runs_to_forget = 99
        with pytest.MonkeyPatch.context() as quick:
            quick.setattr("scheduler.control.session.START_TIMEOUT_S", 0.0)
            found = await it.examine()

    assert found["login"].outcome is Outcome.FAILED
    assert "stand still" in found["login"].says
    assert found["role"].says == "Provider_Engineer (the installer)"
    assert found["allowed"].outcome is Outcome.PASSED
    assert "our login stopped it" in found["sitemaster"].says
    assert "sitemaster run" in str(found["sitemaster"].remedy)
    assert "sitemaster run" in str(found["leaving"].remedy)


async def test_a_battery_that_starts_when_the_walk_is_over_is_told(tmp_path: Path) -> None:
    """What the lines above called stopped by us runs in the end, and the last line says so."""
    async with bench(tmp_path) as it:
        it.device.mischief.runs_to_forget = 1
        with pytest.MonkeyPatch.context() as quick:
            quick.setattr("scheduler.control.session.START_TIMEOUT_S", 0.0)
            found = await it.examine()
        assert it.device.obeyed.running

    assert found["sitemaster"].outcome is Outcome.FAILED
    assert (found["leaving"].outcome, found["leaving"].remedy) == (Outcome.PASSED, None)
    assert "in service again" in found["leaving"].says


async def test_a_login_that_was_cut_off_is_told_at_the_end(tmp_path: Path) -> None:
    """The login had no answer and may yet be obeyed: the last line says so, and what makes sure."""
    async with bench(tmp_path) as it:
        apply_scenario(it.device, "resets to /api/login/Basic")
        found = await it.examine()

    assert "may yet obey it" in found["leaving"].says
    assert "sitemaster run" in str(found["leaving"].remedy)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_login_that_opens_nothing_is_a_failure(tmp_path: Path, status: int) -> None:
    """Where the login was accepted and the operation mode is refused all the same, that is trouble and no dash."""
    async with bench(tmp_path) as it:
        apply_scenario(it.device, f"answers {status} to /api/operation")
        found = await it.examine()

    assert signs(found) == "++++++++++x"
    assert str(status) in found["operation"].says
    assert found["operation"].remedy


async def test_the_gateway_that_does_not_start_its_wizard_gets_a_remedy(tmp_path: Path) -> None:
    """It is not tried again here, and the line does not say so; it names the setting that insists."""
    async with bench(tmp_path) as it:
        # It charges, whatever the sun does at this hour.
        it.device.obey(mode="backup", reserve_raw_percent=100.0)
        apply_scenario(it.device, "refuses the wizard")
        login = (await it.examine())["login"]

    assert login.outcome is Outcome.FAILED
    assert "tried again" not in login.says
    assert "gateway.force_sm_off: true" in str(login.remedy)


@pytest.mark.parametrize(
    ("username", "default"),
    [("installer", "S and the gateway's serial number"), ("customer", "last five characters")],
)
async def test_what_a_password_is_by_default_is_told(tmp_path: Path, username: str, default: str) -> None:
    """Who has the wrong one learns what it is unless somebody set another, for the user that logs in."""
    async with bench(tmp_path, username=username) as it:
        found = await it.examine(password=Secret("nonsense9"))

    assert default in str(found["login"].remedy)


async def test_a_battery_that_somebody_stopped_gets_no_login_that_stops(tmp_path: Path) -> None:
    """Stopped by somebody else: no installer's login, the reason, and the battery stays as it is."""
    async with bench(tmp_path) as it:
        it.device.stop()
        found = await it.examine()

    assert signs(found) == "+++++--++x-"
    assert "not by us" in found["login"].says
    assert "somebody may be working on it" in found["sitemaster"].says
    assert it.device.requests["POST /api/login/Basic"] == 0
    assert not it.device.obeyed.running


async def test_a_customer_may_look_at_a_stopped_battery(tmp_path: Path) -> None:
    """A login that stops nothing is made, stopped battery or not, and the battery is left as it is."""
    async with bench(tmp_path, "23.28", "customer") as it:
        it.device.stop()
        found = await it.examine()

    assert signs(found) == "++++++++xx+"
    assert not it.device.obeyed.running


async def test_beside_a_daemon_no_login_stops_the_battery(tmp_path: Path) -> None:
    """Where a daemon owns the battery, an installer's login on old firmware is not made, and the reason is said."""
    async with bench(tmp_path) as it:
        with Lock(tmp_path / "state" / "lock"):
            found = await it.examine()
            it.device.stop()
            stopped = await it.examine()

    assert signs(found) == "+++++--+++-"
    assert "a daemon owns the battery" in found["login"].says
    assert it.device.requests["POST /api/login/Basic"] == 0
    assert "the daemon's login may have stopped it" in stopped["sitemaster"].says


def installs(
    folder: Path,
    *,
    over: timedelta = timedelta(minutes=20),
    phase: Phase = Phase.INSTALL,
    before: Identity | None = None,
) -> tuple[str, str]:
    """Note an install of what ran ``before``, begun five minutes ago and to be ``over`` then; both as times of day at the site."""
    now = SystemClock().now()
    since, until = now - timedelta(minutes=5), now + over
    moment = Moment(at=since, do="check_firmware", rule="Before the day", line=45, install=True)
    check = Check(moment=moment, deadline=until, phase=phase, since=since, until=until, before=before)
    told = {"since": since.isoformat(), "until": until.isoformat(), "open": True}
    (folder / "state").mkdir(exist_ok=True)
    (folder / "state" / "moments.json").write_text(json.dumps({"current": check.document(), "told": told}))
    from_clock, to_clock = (f"{instant.astimezone(LOS_ANGELES):%H:%M}" for instant in (since, until))
    return from_clock, to_clock


async def identity_of(it: Bench) -> Identity:
    """What the gateway says of itself now."""
    return (await greet(endpoint_of(it.configuration.gateway))).identity


async def walked(it: Bench) -> list[Finding]:
    """All that is found, in its order; the system vouches for its clock."""
    stop, state = asyncio.Event(), it.folder / "state"
    return await examine(it.configuration, state, tell=lambda _: None, stop=stop, vouched=lambda: True)


@pytest.mark.parametrize("away", ["offline", "no port"])
async def test_a_gateway_that_installs_is_to_be_left_alone(tmp_path: Path, away: str) -> None:
    """Beside a daemon whose gateway installs, that is said; no step says to restart it, or to look again at once."""
    async with bench(tmp_path) as it:
        since, until = installs(tmp_path)
        if away == "offline":
            it.device.go_offline(timedelta(hours=1))
        else:
            there = replace(it.configuration.gateway, port=free_port())
            it.configuration = replace(it.configuration, gateway=there)
        with Lock(tmp_path / "state" / "lock"):
            found = await walked(it)

    told = found.pop(STEPS.index("login"))
    assert (told.step, told.outcome) == ("install", Outcome.NOT_TRIED)
    left_alone = f"leave it alone until {until} at the latest"
    assert told.says == f"the gateway installs its firmware since {since}; {left_alone}"
    assert [finding.step for finding in found] == list(STEPS)
    remedies = [finding.remedy for finding in found if finding.outcome is Outcome.FAILED]
    assert remedies
    assert set(remedies) == {f"the gateway installs its firmware; {left_alone}, then run this again"}


@pytest.mark.parametrize("known", [True, False], ids=["same", "not known"])
async def test_no_login_is_made_while_the_gateway_installs(tmp_path: Path, known: bool) -> None:  # noqa: FBT001 - a table
    """A daemon that was killed in an install leaves its note behind: nobody logs in, and nobody starts the battery by hand."""
    async with bench(tmp_path) as it:
        _, until = installs(tmp_path, before=await identity_of(it) if known else None)
        (tmp_path / "state" / "marker.json").write_text(json.dumps(["may_have_stopped"]))
        it.device.stop()
        found = {finding.step: finding for finding in await walked(it)}

    assert found["install"].outcome is Outcome.NOT_TRIED
    assert signs(found) == "+++++--++x-"
    assert "no login is made meanwhile" in found["login"].says
    assert found["sitemaster"].says == "the battery is out of service, as it is in an install"
    assert found["sitemaster"].remedy == (
        f"the gateway installs its firmware; leave it alone until {until} at the latest, then run this again"
    )
    assert it.device.requests["POST /api/login/Basic"] == 0
    assert not it.device.obeyed.running


BEFORE = Identity(firmware="1.43.3", start_time="2026-06-30 10:00:00 +0000 UTC")


async def test_a_gateway_that_is_back_is_met_as_ever(tmp_path: Path) -> None:
    """Killed in the install, and another version answers: the login is made, and the battery that the install left is started."""
    async with bench(tmp_path) as it:
        since, until = installs(tmp_path, before=BEFORE)
        (tmp_path / "state" / "marker.json").write_text(json.dumps(["may_have_stopped"]))
        it.device.stop()
        found = {finding.step: finding for finding in await walked(it)}
        assert it.device.obeyed.running

    assert signs(found) == "+++++++++++"
    assert (found["install"].outcome, found["install"].says) == (
        Outcome.PASSED,
        f"the gateway was told to install its firmware at {since}; the gateway is back since then as 1.45.2",
    )
    assert "that or the install stopped the battery" in found["login"].says
    assert found["leaving"].outcome is Outcome.PASSED
    assert f"told to install its firmware at {since}, and may restart once more until {until}" in (
        found["leaving"].says
    )
    (owed,) = json.loads((tmp_path / "state" / "marker.json").read_text())
    assert owed["mark"] == "may_have_stopped"


async def test_a_battery_that_an_install_left_stopped_has_a_remedy(tmp_path: Path) -> None:
    """Where doctor is not let in, it says what the daemon or a person can do, and not to leave the gateway alone."""
    async with bench(tmp_path) as it:
        installs(tmp_path, before=BEFORE)
        (tmp_path / "state" / "marker.json").write_text(json.dumps(["may_have_stopped"]))
        it.device.stop()
        there = replace(it.configuration.gateway, password=None)
        it.configuration = replace(it.configuration, gateway=there)
        found = {finding.step: finding for finding in await walked(it)}

    assert found["sitemaster"].says == (
        "the battery is out of service: the install stopped it, and it has not started again yet"
    )
    assert found["sitemaster"].remedy == (
        "the gateway is back since then as 1.45.2; start the daemon, or run `tou-scheduler sitemaster run`"
    )
    assert it.device.requests["POST /api/login/Basic"] == 0


async def test_another_certificate_is_told_in_an_install_too(tmp_path: Path) -> None:
    """What an install does not excuse keeps its own remedy."""
    async with bench(tmp_path) as it:
        installs(tmp_path)
        (tmp_path / "other.pem").write_bytes(make_certificate().pem)
        there = replace(it.configuration.gateway, certificate=tmp_path / "other.pem")
        it.configuration = replace(it.configuration, gateway=there)
        found = {finding.step: finding for finding in await walked(it)}

    assert "trust --replace" in str(found["certificate"].remedy)


@pytest.mark.parametrize(
    ("over", "phase"), [(-1, Phase.INSTALL), (20, Phase.POLL), (20, Phase.RETURN)], ids=str
)
async def test_an_install_that_is_over_excuses_nothing(tmp_path: Path, over: int, phase: Phase) -> None:
    """Once its time is over, or at another phase of the moment, the walk is the same as ever."""
    async with bench(tmp_path) as it:
        installs(tmp_path, over=timedelta(minutes=over), phase=phase)
        found = await it.examine()

    assert signs(found) == "+++++++++++"
    assert "install" not in found


async def test_beside_a_daemon_a_harmless_login_is_made(tmp_path: Path) -> None:
    """Where no login stops the battery, a daemon is no reason not to look."""
    async with bench(tmp_path, "23.28", "customer") as it:
        with Lock(tmp_path / "state" / "lock"):
            found = await it.examine()

    assert signs(found) == "++++++++x++"


async def test_the_file_in_force_is_compared_with_what_the_gateway_has(tmp_path: Path) -> None:
    """The last line says what the gateway has, in the app's percent, and what the plan asks for now."""
    async with bench(tmp_path) as it:
        found = await it.examine()

    assert found["operation"].says == (
        "the gateway has self_consumption, reserve 20 %; the plan asks for backup, reserve 100 % now"
    )


async def test_a_simulated_gateway_is_met_like_a_real_one(tmp_path: Path) -> None:
    """With type simulated all steps are taken against a gateway in this process, and the memory stays untouched."""
    it = configured(tmp_path, type="simulated", firmware="1.21")
    for _ in range(4):  # one more than the login budget of a real gateway
        found = await examined(it, tmp_path / "state")

        assert signs(found) == OUTCOMES["1.21"][0]
    assert not (tmp_path / "state").exists()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextlib.asynccontextmanager
async def plain(answer: bytes) -> AsyncIterator[int]:
    """A port behind which nobody speaks TLS: whatever comes, this is the answer."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def test_an_unknown_name_ends_the_walk(tmp_path: Path) -> None:
    """A name that does not exist fails with both ways to mend it; what needs the gateway is not tried."""
    async with bench(tmp_path) as it:
        found = await it.examine(host="nobody.invalid")

    assert signs(found) == "x---+------"
    assert "gateway.host" in str(found["name"].remedy)
    assert "nobody.invalid` in /etc/hosts" in str(found["name"].remedy)
    assert found["login"].says
    assert found["login"].ms is None


async def test_a_name_is_looked_up(tmp_path: Path) -> None:
    """What a name resolves to is shown."""
    async with bench(tmp_path) as it:
        found = await it.examine(host="localhost")

    assert "127.0.0.1" in found["name"].says
    assert signs(found) == "+++++++++++"


async def test_a_refused_port_says_so(tmp_path: Path) -> None:
    """Nobody listens: the port is named, and where it is set."""
    async with bench(tmp_path) as it:
        found = await it.examine(port=free_port())

    assert signs(found) == "+x--+------"
    assert "refuses the connection" in found["tcp"].says
    assert "gateway.port" in str(found["tcp"].remedy)


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n"])
async def test_no_tls_behind_the_port_says_so(tmp_path: Path, answer: bytes) -> None:
    """What speaks something else is told apart from a handshake that was broken off."""
    async with bench(tmp_path) as it, plain(answer) as port:
        found = await it.examine(port=port)

    assert signs(found) == "++x-+------"
    assert "does not speak TLS" in found["tls"].says


async def test_a_refused_name_says_which_names_go(tmp_path: Path) -> None:
    """A gateway breaks off at another server name than its own: the remedy lists those."""
    async with bench(tmp_path) as it:
        found = await it.examine(server_name="gateway.example")

    assert signs(found) == "++x-+------"
    assert "when asked for the name gateway.example" in found["tls"].says
    assert "teg, powerwall, powerpack" in str(found["tls"].remedy)


async def test_no_certificate_file_is_sent_nothing(tmp_path: Path) -> None:
    """Before `trust` was run, TCP and TLS are tried all the same, and nothing but handshakes is sent."""
    made = make_certificate()
    async with peer(made, always(response())) as seen:
        it = configured(tmp_path, port=seen.port, password=Secret("secret"))
        found = await examined(it, tmp_path / "state")

    assert signs(found) == "+++x+------"
    assert "tou-scheduler trust" in str(found["certificate"].remedy)
    assert seen.bytes == 0


async def test_another_certificate_is_sent_nothing(tmp_path: Path) -> None:
    """Another certificate than the trusted one: not a byte of ours, and how to look at it and accept it."""
    (tmp_path / "powerwall.pem").write_bytes(make_certificate().pem)
    async with peer(make_certificate(), always(response())) as seen:
        it = configured(tmp_path, port=seen.port, password=Secret("secret"))
        found = await examined(it, tmp_path / "state")

    assert signs(found) == "+++x+------"
    assert "trust --replace" in str(found["certificate"].remedy)
    assert "nothing was sent" in found["certificate"].says
    assert (seen.bytes, seen.names) == (0, ["powerwall"])


async def test_another_gateway_behind_the_same_certificate_is_told(tmp_path: Path) -> None:
    """A gateway with another serial number than before gets no password, and is asked for nothing more."""
    async with bench(tmp_path, "23.28", "customer") as it:
        await it.examine()
        UseCases(it.device).is_another_gateway()
        before = dict(it.device.requests)
        found = await it.examine()
        asked = {name for name, count in it.device.requests.items() if count > before.get(name, 0)}

    assert signs(found) == "+++++x-+---"
    assert asked == {"GET /api/status"}
    assert found["login"].remedy


async def test_a_wrong_password_is_sent_once(tmp_path: Path) -> None:
    """A refused password is sent once only, and the remedy tells of the limit; what needs no login is still read."""
    async with bench(tmp_path) as it:
        found = await it.examine(password=Secret("wrong"))

    assert signs(found) == "+++++x-+-+-"
    assert it.device.requests["POST /api/login/Basic"] == 1
    assert "three refusals" in str(found["login"].remedy)
    assert "wrong" not in json.dumps(document(list(found.values())))
    assert it.device.obeyed.running


async def test_a_password_refused_three_times_is_sent_no_more(tmp_path: Path) -> None:
    """After three walks with a wrong password the fourth sends nothing with it and says so, in every line it leaves out."""
    async with bench(tmp_path) as it:
        for _ in range(3):
            await it.examine(password=Secret("wrong"))
        found = await it.examine(password=Secret("wrong"))

    assert signs(found) == "+++++x-+---"
    assert it.device.requests["POST /api/login/Basic"] == 3
    assert "nothing more is sent" in found["sitemaster"].says


async def test_no_password_says_where_it_goes(tmp_path: Path) -> None:
    """Without a password no login is tried, and all places for one are named."""
    async with bench(tmp_path) as it:
        found = await it.examine(password=None)

    assert signs(found) == "+++++x-+-+-"
    assert "TOU_GATEWAY__PASSWORD" in str(found["login"].remedy)
    assert "gateway_password" in str(found["login"].remedy)
    assert it.device.requests["POST /api/login/Basic"] == 0


async def test_a_lock_out_says_how_long_to_keep_quiet(tmp_path: Path) -> None:
    """Too many bad logins before ours: the remedy is silence, in minutes."""
    async with bench(tmp_path) as it:
        for _ in range(10):
            with contextlib.suppress(Exception):
                it.device.login("installer", "wrong", stop_under_load=False)
        found = await it.examine()

    assert signs(found) == "+++++x-+-+-"
    assert re.fullmatch(r"log in nowhere for \d+ min, then run this again", str(found["login"].remedy))


async def test_a_used_up_budget_is_no_login(tmp_path: Path) -> None:
    """The fourth walk within five minutes is one login too many: it is not sent, and the remedy says how long to wait."""
    async with bench(tmp_path) as it:
        for _ in range(3):
            await it.examine()
        found = await it.examine()

    assert found["login"].says.startswith(
        "this program, its daemon and its commands together, has logged in 3 times"
    )
    assert it.device.requests["POST /api/login/Basic"] == 3


@pytest.mark.parametrize("after", ["name", "clock", "login", "sitemaster"])
async def test_a_gateway_that_goes_away_is_no_traceback(tmp_path: Path, after: str) -> None:
    """Offline from any step on: the steps before it stay as they are, those after it fail or are not tried."""
    async with bench(tmp_path) as it:

        def cut(finding: Finding) -> None:
            if finding.step == after:
                it.device.go_offline(timedelta(hours=1))

        found = await it.examine(tell=cut)

    later = signs(found)[STEPS.index(after) + 1 :]
    assert signs(found)[: STEPS.index(after) + 1] == "+" * (STEPS.index(after) + 1)
    assert "x" in later
    assert found["operation"].outcome is not Outcome.PASSED
    assert all(finding.remedy for finding in found.values() if finding.outcome is Outcome.FAILED)


@pytest.mark.parametrize(
    "answer",
    [
        response(b"<html>"),
        response(b"{}"),
        response(b'{"version": 7}'),
        response(status="500 Oops"),
        response(status="301 Moved", headers="location: https://elsewhere.example/\r\n"),
        b"\x00\x01\x02",
    ],
    ids=["html", "empty", "number", "500", "redirect", "noise"],
)
async def test_nonsense_is_a_failure_and_gets_no_password(tmp_path: Path, answer: bytes) -> None:
    """A gateway that does not tell its firmware is asked for nothing more, and no password is sent to it."""
    made = make_certificate()
    (tmp_path / "powerwall.pem").write_bytes(made.pem)
    async with peer(made, always(answer)) as seen:
        it = configured(tmp_path, port=seen.port, password=Secret("secret"))
        found = await examined(it, tmp_path / "state")

    assert signs(found) == "+++++--x---"
    assert found["firmware"].remedy
    assert set(seen.lines) == {"GET /api/status"}


async def test_a_state_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    """Without a memory no login is made; what was found out before is still told."""
    (tmp_path / "state").write_text("a file where a folder belongs")
    async with bench(tmp_path) as it:
        found = await it.examine()

    assert signs(found) == "+++++x-+---"
    assert "--state-dir" in str(found["login"].remedy)
    assert "sudo" not in str(found["login"].remedy), "root could not make a folder of it either"
    assert it.device.requests["POST /api/login/Basic"] == 0


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "run this with sudo if"),
        (errno.EPERM, "run this with sudo if"),
        (errno.ENOSPC, "make room on that disk, or"),
        (errno.EROFS, "make that disk writable, or"),
        (errno.EIO, "see to that folder, or"),
    ],
)
async def test_p5_each_reason_why_nothing_can_be_kept_has_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    """The word of sudo is for a right that is missing: a full disk is as full for root."""

    def broken(_: Path) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("scheduler.store.lock._opened", broken)
    # Were it a folder, a disk that is read-only would be locked by it instead.
    (tmp_path / "state").write_text("a file where a folder belongs")
    monkeypatch.setattr("scheduler.store.durable.make_directory", lambda _: None)
    async with bench(tmp_path) as it:
        found = await it.examine()

    assert found["login"].outcome is Outcome.FAILED
    assert str(found["login"].remedy).startswith(said)


async def test_called_off_in_the_middle_leaves_the_battery_running(tmp_path: Path) -> None:
    """A signal while the login that stopped the battery waits for its answer: it runs when the program has ended."""
    stop = asyncio.Event()
    async with bench(tmp_path) as it:
        UseCases(it.device).applies_but_answers_late(Reach(path="/api/login/Basic", requests=1), seconds=1.0)
        login = it.device.login

        def cut(*words: str, **more: bool) -> object:
            stop.set()
            return login(*words, **more)

        it.device.login = cut  # type: ignore[method-assign,assignment]
        with pytest.raises(CalledOff):
            await examine(it.configuration, tmp_path / "state", tell=lambda _: None, stop=stop)
        assert [obeyed.running for _, obeyed in it.device.history][:2] == [True, False]
        assert it.device.obeyed.running


async def test_called_off_before_the_gateway_was_asked(tmp_path: Path) -> None:
    """A signal during the first steps ends the walk at once, with nothing sent."""
    stop = asyncio.Event()
    stop.set()
    async with bench(tmp_path) as it:
        with pytest.raises(CalledOff) as caught:
            await examine(it.configuration, tmp_path / "state", tell=lambda _: None, stop=stop)

    assert caught.value.left is None
    assert it.device.requests.total() == 0


@pytest.mark.parametrize(
    ("vouched", "off_s", "wait_s", "good"),
    [
        (True, None, None, True),
        (True, 7200.0, None, True),
        (False, 29.0, None, True),
        (False, -121.0, None, False),
        (False, 29.0, 600.0, True),
        (None, 120.0, None, True),
        (None, -120.0, None, True),
        (None, -121.0, None, False),
        (None, -121.0, 0.0, True),
        (False, None, None, False),
        (None, None, None, False),
    ],
)
def test_the_clock_is_believed_when_somebody_vouches_for_it(
    vouched: bool | None,  # noqa: FBT001 - a row of the table
    off_s: float | None,
    wait_s: float | None,
    good: bool,  # noqa: FBT001 - the same
) -> None:
    """Synchronised, or within two minutes of the gateway's clock, or as the file says; else the remedy."""
    said = judge_clock(vouched=vouched, off_s=off_s, wait_s=wait_s)

    assert (said.outcome is Outcome.PASSED) == good
    assert good or "timedatectl" in str(said.remedy)


@pytest.mark.parametrize("vouched", [True, False, None])
def test_the_clock_is_not_judged_by_a_gateway_that_was_not_asked(*, vouched: bool | None) -> None:
    """Where the system does not vouch for it, and nothing was there to compare it with, that is no failure of the clock yet."""
    said = judge_clock(vouched=vouched, off_s=None, asked=False)

    assert said.outcome is (Outcome.PASSED if vouched else Outcome.NOT_TRIED)
    assert said.remedy is None


@pytest.mark.parametrize(
    ("off_s", "warning"),
    [(-10800.0, "everything is switched 3 h behind the gateway's time"), (60.0, None), (None, None)],
)
def test_t1_a_clock_that_the_file_trusts_is_warned_of(off_s: float | None, warning: str | None) -> None:
    """The owner opted out, so that is no failure; what the gateway contradicts is said with the difference."""
    said = judge_clock(vouched=False, off_s=off_s, wait_s=600.0)

    assert said.outcome is Outcome.PASSED
    assert ("warning" in said.says) is (warning is not None)
    assert (warning or "") in said.says


async def test_t1_a_year_that_cannot_be_fails_whoever_vouches_for_it(tmp_path: Path) -> None:
    """The system vouches, and the file trusts the clock: 1970 is wrong all the same, and the finding says what to do."""
    found: list[Finding] = []
    approach = Approach(
        configured(tmp_path, host="nobody.invalid").gateway,
        Report(found.append, username="installer"),
        now=lambda: datetime(1970, 1, 1, tzinfo=UTC),
        vouched=lambda: True,
        wait_s=0.0,
    )
    await approach.walk()

    clock = next(finding for finding in found if finding.step == "clock")
    assert (clock.outcome, "1970-01-01" in clock.says) == (Outcome.FAILED, True)
    assert "chronyc tracking" in str(clock.remedy)


async def test_an_unreachable_gateway_leaves_the_clock_open(tmp_path: Path) -> None:
    """Where the walk ends before the first answer and the system does not vouch, the clock has a dash."""
    findings = await examine(
        configured(tmp_path, host="nobody.invalid"),
        tmp_path / "state",
        tell=lambda _: None,
        stop=asyncio.Event(),
        vouched=lambda: None,
    )

    assert [finding.outcome for finding in findings if finding.step == "clock"] == [Outcome.NOT_TRIED]


async def test_the_gateways_own_clock_is_read(tmp_path: Path) -> None:
    """Where the system does not vouch for its clock, the gateway's answer is compared with it, and its date counts."""
    made = make_certificate()
    (tmp_path / "powerwall.pem").write_bytes(made.pem)
    late = response(b'{"version": "1.45.2"}', headers="date: Wed, 01 Jul 2020 07:00:00 GMT\r\n")
    found = []
    async with peer(made, always(late)) as seen:
        it = configured(tmp_path, port=seen.port)
        stop = asyncio.Event()
        found += await examine(it, tmp_path / "a", tell=lambda _: None, stop=stop, vouched=lambda: False)

    clock = next(finding for finding in found if finding.step == "clock")
    assert clock.outcome is Outcome.FAILED
    assert "ahead of the gateway's own" in clock.says


def test_the_command_prints_its_document_and_its_exit_code(tmp_path: Path) -> None:
    """The command exits 0 when nothing failed and 1 when something did; --json is the versioned document."""
    text = TEXT.replace("type: local", "type: simulated").replace("  host: 127.0.0.1\n", "")
    (tmp_path / "good.yaml").write_text(text)
    (tmp_path / "bad.yaml").write_text(text.replace("email:", 'firmware: "23.28"\n  email:'))
    (tmp_path / "broken.yaml").write_text("version: 1\n")
    good = command("doctor", "--config", "good.yaml", cwd=tmp_path)
    bad = command("doctor", "--config", "bad.yaml", "--json", cwd=tmp_path)
    broken = command("doctor", "--config", "broken.yaml", cwd=tmp_path)

    assert [result.returncode for result in (good, bad, broken)] == [0, 1, 2]
    assert [line.split()[1] for line in good.stdout.splitlines() if line[0] != " "] == list(STEPS)
    assert "\x1b" not in good.stdout
    found = json.loads(bad.stdout)
    assert (found["schema"], found["version"], found["verdict"]) == ("tou-scheduler/doctor", 1, "trouble")
    assert [finding["step"] for finding in found["findings"]] == list(STEPS)
    assert found["findings"][0].keys() == {"step", "outcome", "ms", "says", "remedy"}
    assert "error: " in broken.stderr


def test_a_signal_ends_the_command_at_once(tmp_path: Path) -> None:
    """SIGTERM while a handshake hangs: the command ends by itself, says so, and does not exit 0."""
    with socket.create_server(("127.0.0.1", 0)) as silent, contextlib.ExitStack() as held:
        silent.settimeout(60)
        text = TEXT.replace("host: 127.0.0.1", f"host: 127.0.0.1:{silent.getsockname()[1]}")
        (tmp_path / "tou.yaml").write_text(text)
        with started("doctor", "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path) as process:
            for _ in ("tcp", "tls"):
                held.enter_context(silent.accept()[0])
            process.terminate()
            code = process.wait(timeout=60)

    assert code == 1
    assert (tmp_path / "doctor.err").read_text() == "error: called off; nothing was changed\n"


class Terminal(io.TextIOWrapper):
    """A terminal that nobody sees."""

    def __init__(self, encoding: str) -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        """It says that it is one."""
        return True


@pytest.mark.parametrize(
    ("encoding", "no_color", "begins"),
    [("utf-8", "", "\x1b[31m✗\x1b[0m tcp"), ("utf-8", "1", "✗ tcp"), ("ascii", "1", "x tcp")],
)
def test_a_terminal_gets_colour_and_what_it_can_show(
    monkeypatch: pytest.MonkeyPatch, encoding: str, no_color: str, begins: str
) -> None:
    """On a terminal the sign is coloured unless NO_COLOR is set; where it cannot be shown a letter stands for it."""
    monkeypatch.setenv("NO_COLOR", no_color)
    finding = Finding(step="tcp", outcome=Outcome.FAILED, ms=3, says="it is shut", remedy="open it")
    monkeypatch.setattr("sys.stdout", Terminal(encoding))
    text = shown(finding)
    monkeypatch.undo()

    assert text.startswith(begins)
    assert text.endswith("do: open it")


README_TEXTS = {"1.45.2": "installer", "1.50.1": "installer", "23.28": "customer"}
"""What the README shows in full: firmware and user."""


def normal(text: str) -> str:
    """A text with its times, dates and free port taken out: numbers may differ from run to run."""
    text = re.sub(r" *\d+ ms", "  N ms", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}", "DATE", text)
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)


@pytest.mark.parametrize("firmware", README_TEXTS)
async def test_the_readme_shows_what_doctor_says(tmp_path: Path, firmware: str) -> None:
    """The README's texts are those of today, but for times, dates and ports."""
    username = README_TEXTS[firmware]
    async with bench(tmp_path, firmware, username) as it:
        lines = [shown(finding) for finding in (await it.examine()).values()]
    blocks = re.findall(
        r"^```text\n(✓ name.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )

    assert normal("\n".join(lines) + "\n") in [normal(block) for block in blocks]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize("server_name", ["powerwall", ""])
async def test_an_ipv6_address_is_walked_to(tmp_path: Path, server_name: str) -> None:
    """A gateway at a bare IPv6 address passes all steps, with a server name or without one."""
    async with bench(tmp_path, host="::1") as it:
        found = await it.examine(server_name=server_name)

    assert signs(found) == "+++++++++++"
    assert found["tcp"].says == f"[::1]:{it.served.port} takes connections"


async def test_a_certificate_replaced_meanwhile_stops_everything(tmp_path: Path) -> None:
    """The same address with a new key, as after a reset of the gateway, gets no further than the certificate."""
    async with bench(tmp_path) as it:
        before = it.configuration
        saved = tmp_path / "saved.pem"
        saved.write_bytes(before.gateway.certificate.read_bytes())
    for file in (tmp_path / "gateway").iterdir():
        file.unlink()
    kept_certificate(tmp_path / "gateway", it.device.now())
    async with bench(tmp_path) as it:
        found = await it.examine(certificate=saved)

    assert signs(found) == "+++x+------"
    assert it.device.requests.total() == 0
    assert replace(before.gateway, port=0) == replace(it.configuration.gateway, port=0)
