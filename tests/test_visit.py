"""A person's visit to the gateway: it leaves the battery as it found it, or as the person said, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import typer
from bench import Bench, bench
from commands import DRY_SITE, INSTALLER, run
from processes import PASSWORD, eventually, site, started

from scheduler.app import patience
from scheduler.app.inspect import Look, look
from scheduler.app.service import Outcome, Service, set_service
from scheduler.app.visit import Doubt, Interrupted, Visit, visit
from scheduler.cli.common import fail_called_off
from scheduler.config.configuration import Configuration
from scheduler.config.load import load
from scheduler.control.calloff import CalledOff
from scheduler.control.diary import Diary
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.gateway import calls
from scheduler.model.errors import BadCredentials, NotCapable, Throttled, Transient
from scheduler.store.lock import VISIT, Held, Lock


@pytest.fixture
def dry(tmp_path: Path) -> Configuration:
    """A configuration whose gateway is simulated, and lives as long as the visit."""
    file = tmp_path / "tou.yaml"
    file.write_text(DRY_SITE)
    return load(file)


def guest_of(house: Bench, *, alone: bool = True, login: bool = True) -> Visit:
    """A visitor of the bench's gateway."""
    diary, told = Diary(house.moments, "bench"), house.events.append
    return Visit(house.gateway, house.session, house.marks, alone=alone, login=login, diary=diary, tell=told)


def service_of(house: Bench) -> Service:
    """Who puts the bench's battery in and out of service."""
    return Service(guest_of(house), house.clock)


def unexpected(doubt: Doubt) -> None:
    """For visits after which nobody doubts that the battery runs."""
    raise AssertionError(str(doubt))


def marker(directory: Path) -> list[str]:
    """What is owed to the simulated battery, by the file."""
    entries = json.loads((directory / "simulated" / "marker.json").read_text())
    return [entry if isinstance(entry, str) else entry["mark"] for entry in entries]


async def test_a_login_that_stopped_the_battery_is_undone_when_the_visitor_leaves(
    dry: Configuration, tmp_path: Path
) -> None:
    """Whatever the work did after its login, the battery runs and nothing is owed afterwards."""
    seen: list[bool] = []

    async def work(guest: Visit) -> None:
        await guest.act(guest.gateway.read)
        seen.append(await guest.gateway.is_running())
        seen.append(MAY_HAVE_STOPPED in guest.marks)

    await visit(dry, tmp_path, work, stop=asyncio.Event(), doubt=unexpected)

    assert seen == [False, True]
    assert marker(tmp_path) == []


async def test_a_visit_that_is_called_off_puts_the_battery_back_first(
    dry: Configuration, tmp_path: Path
) -> None:
    """CalledOff is raised once the battery runs again, and says that nothing is left."""
    stop = asyncio.Event()

    async def work(guest: Visit) -> None:
        await guest.act(guest.gateway.read)
        stop.set()
        await asyncio.Event().wait()

    with pytest.raises(CalledOff) as caught:
        await visit(dry, tmp_path, work, stop=stop, doubt=unexpected)

    assert caught.value.left is None
    assert marker(tmp_path) == []


async def test_an_error_of_the_work_is_told_and_the_battery_runs_all_the_same(
    dry: Configuration, tmp_path: Path
) -> None:
    """The visitor's own failure is what the visit comes to, after the battery has been seen to."""

    async def work(guest: Visit) -> None:
        await guest.act(guest.gateway.read)
        raise Transient("the work failed")

    with pytest.raises(Transient, match="the work failed"):
        await visit(dry, tmp_path, work, stop=asyncio.Event(), doubt=unexpected)

    assert marker(tmp_path) == []


async def test_beside_a_daemon_no_login_that_could_stop_its_battery_is_made(
    dry: Configuration, tmp_path: Path
) -> None:
    """While another process holds the lock, the installer of old firmware reads what is open and nothing else."""

    async def work(guest: Visit) -> bool:
        await guest.session.identify()
        with pytest.raises(NotCapable, match="stop the daemon first"):
            await guest.ask(calls.OPERATION)
        with pytest.raises(NotCapable, match="stop the daemon first"):
            await guest.act(guest.gateway.start)
        assert not guest.gateway.has_session
        return await guest.observe(guest.gateway.is_running)

    with Lock(tmp_path / "lock"):
        assert await visit(dry, tmp_path, work, stop=asyncio.Event(), doubt=unexpected)


async def test_without_a_login_none_is_made_even_for_a_battery_that_is_owed_one(
    dry: Configuration, tmp_path: Path
) -> None:
    """A mark of an earlier crash is left to whoever may log in."""
    (tmp_path / "simulated").mkdir()
    (tmp_path / "simulated" / "marker.json").write_text(json.dumps([MAY_HAVE_STOPPED]))
    names: list[str] = []

    async def work(guest: Visit) -> None:
        await guest.observe(guest.gateway.is_running)
        with pytest.raises(NotCapable, match="no login is made"):
            await guest.act(guest.gateway.start)
        names.extend(step.step for step in guest.gateway.exchanges())

    await visit(dry, tmp_path, work, stop=asyncio.Event(), login=False, doubt=unexpected)

    assert names == ["get_sitemaster"]
    assert marker(tmp_path) == [MAY_HAVE_STOPPED]


async def test_a_look_makes_one_login_for_all_calls(dry: Configuration, tmp_path: Path) -> None:
    """All that only tells is asked on one session; the login's stop is told, and over."""
    seen = await look(dry, tmp_path, calls.readable(), stop=asyncio.Event(), doubt=unexpected)

    answered = {answer.call.name: answer for answer in seen.answers}
    assert isinstance(seen, Look)
    assert (seen.restarted, seen.trouble) == (True, None)
    assert answered["operation"].value["real_mode"] == "self_consumption"
    assert marker(tmp_path) == []


async def test_a_stop_that_a_person_asked_for_is_not_noted_and_not_undone() -> None:
    """On firmware whose login stops the battery the mark stands until the stop reads back, and then is gone."""
    house = bench()

    assert await service_of(house).take_out()
    left = await house.session.release()

    assert (left, house.device.obeyed.running) == (None, False)
    assert MAY_HAVE_STOPPED not in house.marks
    told = house.story
    assert told.index("note may_have_stopped") < told.index("POST /api/login/Basic")
    assert told.index("GET /api/sitemaster/stop") < told.index("clear may_have_stopped")


async def test_a_stop_that_was_not_finished_is_undone() -> None:
    """The login stopped the battery and the stop's answer is lost: nobody was told of a stop, so the battery runs."""
    house = bench()
    house.wire.breaks["GET /api/sitemaster/stop"] = httpx.ReadTimeout("no answer")

    with pytest.raises(Transient):
        await service_of(house).take_out()
    left = await house.session.release()

    assert (left, house.device.obeyed.running) == (None, True)


async def test_a_stop_that_was_not_proved_is_undone() -> None:
    """The gateway took the stop and then nobody could look: the login's mark still stands, so the battery runs again."""
    house = bench()

    def go_silent(call: str) -> None:
        if call == "GET /api/sitemaster/stop":
            house.wire.breaks["GET /api/sitemaster"] = httpx.ReadTimeout("no answer")

    house.wire.then = go_silent

    with pytest.raises(Transient):
        await service_of(house).take_out()
    assert MAY_HAVE_STOPPED in house.marks
    house.wire.breaks.clear()
    left = await house.session.release()

    assert (left, house.device.obeyed.running) == (None, True)


async def test_a_battery_that_somebody_stopped_is_put_into_service_when_a_person_says_so() -> None:
    """The login is made although somebody else stopped it: the person says that it is to run."""
    house = bench()
    house.device.stop(under_load=True)

    assert await service_of(house).put_in()

    assert house.device.obeyed.running
    assert MAY_HAVE_STOPPED not in house.marks


async def test_the_login_that_only_looks_before_a_run_is_a_repair_too() -> None:
    """Where even reading wants a login, a used up budget keeps nobody from putting the battery back; else it does."""
    house = bench(firmware="21.39", username="customer")
    for _ in range(3):
        await house.gateway.login()
    house.restart()

    with pytest.raises(Throttled):
        await service_of(house).is_running()
    assert await service_of(house).is_running(repair=True)


async def test_nobody_stops_a_battery_that_could_not_be_started_again() -> None:
    """With a session at hand a stop needs no login, and the way back does: it is refused, with the time to wait."""
    house = bench(username="customer", firmware="21.39")
    for _ in range(4):
        await house.gateway.login(repair=True)

    assert await service_of(house).take_out()
    assert await service_of(house).put_in()
    await house.gateway.login(repair=True)
    with pytest.raises(Throttled, match="could not be started again for 300 s") as caught:
        await service_of(house).take_out()

    assert caught.value.silence_s == 300
    house.restart()
    with pytest.raises(Throttled, match="could not be started again for 300 s"):
        await service_of(house).take_out()
    assert house.device.obeyed.running


async def test_the_login_of_the_stop_itself_counts() -> None:
    """Four logins leave one: with a session the stop is undone by it, and without one the stop would need it."""
    house = bench(username="customer", firmware="21.39")
    for _ in range(4):
        await house.gateway.login(repair=True)
    house.restart()

    with pytest.raises(Throttled, match="could not be started again for 300 s"):
        await service_of(house).take_out()

    assert house.device.obeyed.running


async def test_nobody_stops_a_battery_while_the_gateway_wants_silence() -> None:
    """After a 429 no login is made for a while, and so nothing could be undone."""
    house = bench(username="customer", firmware="21.39")
    await house.gateway.login()
    house.wire.first_answers["GET /api/operation"] = [(429, b"")]
    with pytest.raises(Throttled):
        await house.gateway.read()

    with pytest.raises(Throttled, match="could not be started again"):
        await service_of(house).take_out()

    assert house.device.obeyed.running


async def test_a_run_makes_sure_of_a_battery_that_a_login_may_yet_stop(
    dry: Configuration, tmp_path: Path
) -> None:
    """It runs, and an older program noted without an instant that it may not: a run starts it all the same."""
    (tmp_path / "simulated").mkdir()
    (tmp_path / "simulated" / "marker.json").write_text(json.dumps([MAY_HAVE_STOPPED]))
    doubts: list[Doubt] = []

    async def asked(*, wanted: bool | None) -> Outcome:
        return await set_service(dry, tmp_path, wanted=wanted, stop=asyncio.Event(), doubt=doubts.append)

    shown = await asked(wanted=None)
    owed = marker(tmp_path)
    made_sure = await asked(wanted=True)

    assert [str(doubt) for doubt in doubts] == ["the login was cut off, and the gateway may yet obey it"]
    assert shown == made_sure == Outcome(before=True, after=True, as_asked=True)
    assert (owed, marker(tmp_path)) == ([MAY_HAVE_STOPPED], [])


@pytest.mark.parametrize(
    ("age_s", "proved_s"), [(0, 60), (20, 40), (59, 1), (60, 0), (3600, 0), (-3600, 60)], ids=str
)
async def test_running_proves_something_a_minute_after_the_login(age_s: int, proved_s: int) -> None:
    """By the instant of the mark, whichever process finds it; one of a clock that ran ahead counts as of now."""
    house = bench()
    house.clock.step = timedelta(seconds=-age_s)
    house.marks.note(MAY_HAVE_STOPPED)
    house.clock.step = timedelta(0)
    house.restart()

    seen: list[int] = []
    for _ in range(61):
        await house.session.ensure_running()
        seen.append(MAY_HAVE_STOPPED in house.marks)
        await house.clock.sleep(1)

    assert sum(seen) == proved_s


CALLED_OFF = {
    "nothing": (Interrupted(None, logins=0, restarted=False), "called off; nothing was changed", 1),
    "a login": (
        Interrupted(None, logins=1, restarted=False),
        "called off; a login was made, and nothing was changed",
        1,
    ),
    "a stop": (
        Interrupted(None, logins=1, restarted=True),
        "called off; the login stopped the battery for a moment, and it runs again",
        1,
    ),
    "a standstill": (
        Interrupted(Transient("no answer"), logins=1, restarted=False),
        "called off; the battery may stand still: no answer; `tou-scheduler sitemaster run` starts it",
        3,
    ),
}
"""What had happened when a person ended a visit that looked, what is said, and the exit code."""


@pytest.mark.parametrize("happened", CALLED_OFF)
def test_what_a_visit_came_to_is_said_when_it_is_called_off(
    happened: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody hears that nothing was changed after a login that stopped the battery."""
    error, says, code = CALLED_OFF[happened]

    with pytest.raises(typer.Exit) as ended:
        fail_called_off(error)

    assert (capsys.readouterr().err, ended.value.exit_code) == (f"error: {says}\n", code)


async def test_a_visit_that_is_called_off_tells_its_logins(dry: Configuration, tmp_path: Path) -> None:
    """How many were tried, and whether the battery had to be started again after one."""
    told: list[tuple[int, bool]] = []
    for asks in ("status", "operation"):
        stop = asyncio.Event()

        async def work(guest: Visit, asks: str = asks, stop: asyncio.Event = stop) -> None:
            if asks == "operation":
                await guest.act(guest.gateway.read)
            stop.set()
            await asyncio.Event().wait()

        with pytest.raises(Interrupted) as caught:
            await visit(dry, tmp_path, work, stop=stop, doubt=unexpected)
        told.append((caught.value.logins, caught.value.restarted))

    assert told == [(0, False), (1, True)]


@pytest.mark.parametrize(("firmware", "claimed"), [("21.39", "1.45.2"), ("1.45.2", "21.39.1 7759c368")])
async def test_a_verb_that_the_gateway_does_not_take_is_followed_by_the_other(
    firmware: str, claimed: str
) -> None:
    """What is known of a firmware line may be wrong: after a 405 on one verb the stop is said with the other one."""
    house = bench(firmware=firmware, username="customer")
    house.wire.answers["GET /api/status"] = (200, json.dumps({"version": claimed}).encode())

    assert await service_of(house).take_out()

    stops = [call for call in house.story if call.endswith("/api/sitemaster/stop")]
    assert len(stops) == 2
    assert not house.device.obeyed.running


async def test_what_does_not_come_to_pass_is_not_called_done() -> None:
    """A gateway that forgets to start is asked for half a minute; the battery stays owed to it."""
    house = bench()
    house.device.stop(under_load=True)
    house.scenario("forgets to start")

    assert not await service_of(house).put_in()

    assert house.clock.passed_s >= 30
    assert MAY_HAVE_STOPPED in house.marks


async def test_a_password_that_is_refused_leaves_no_duty_to_start_the_battery() -> None:
    """Somebody stopped it and our login never was: whoever comes next must not start it."""
    house = bench(password="nonsense9")
    house.device.stop(under_load=True)

    with pytest.raises(BadCredentials):
        await service_of(house).put_in()

    assert MAY_HAVE_STOPPED not in house.marks
    assert not house.device.obeyed.running


async def test_a_daemon_that_starts_meanwhile_waits_for_the_end_of_a_visit(
    dry: Configuration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look at the wrong moment does not keep the house from being switched: the daemon starts once it is over."""
    monkeypatch.setattr(patience, "_POLL_S", 0.001)
    stop, order = asyncio.Event(), list[str]()

    async def start() -> None:
        async with patience.own(tmp_path / "lock", stop):
            order.append("daemon")

    async def work(_: Visit) -> asyncio.Task[None]:
        starting = asyncio.create_task(start())
        for _ in range(3):
            await asyncio.sleep(0.002)
        order.append("visit")
        return starting

    await (await visit(dry, tmp_path, work, stop=stop, doubt=unexpected))

    assert order == ["visit", "daemon"]


async def test_a_visit_that_does_not_end_is_not_waited_for_forever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After half a minute the daemon says who has the directory, as it says of another daemon at once."""
    monkeypatch.setattr(patience, "_POLL_S", 0.001)
    stop = asyncio.Event()
    with Lock(tmp_path / "lock"), pytest.raises(Held, match="already runs"):
        async with patience.own(tmp_path / "lock", stop):
            pytest.fail("two daemons own the directory")
    monkeypatch.setattr(patience, "PATIENCE_S", 0.005)

    with Lock(tmp_path / "lock", VISIT), pytest.raises(Held, match="already runs"):
        async with patience.own(tmp_path / "lock", stop):
            pytest.fail("the lock is the visit's")


def test_a_daemon_that_is_told_to_stop_while_it_waits_stops(tmp_path: Path) -> None:
    """SIGTERM during a visit is an end like any other: exit code 0, and nothing was begun."""
    with site(tmp_path) as house, Lock(house.folder / "state" / "lock", VISIT):
        with started("run", "--state-dir", "state", cwd=house.folder) as process:
            eventually(lambda: _catches_sigterm(process.pid) or process.poll() is not None)
            assert process.poll() is None
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=20)

        assert (code, (house.folder / "run.err").read_text()) == (0, "")
        assert [path.name for path in (house.folder / "state").iterdir()] == ["lock"]


def _catches_sigterm(pid: int) -> bool:
    """Whether the process has a handler for SIGTERM: before that it would just end."""
    (caught,) = re.findall(r"SigCgt:\s*([0-9a-f]+)", Path(f"/proc/{pid}/status").read_text())
    return bool(int(caught, 16) >> signal.SIGTERM - 1 & 1)


@pytest.mark.parametrize("words", [("inspect", "operation"), ("sitemaster", "stop", "--yes")])
def test_a_signal_during_the_login_puts_the_battery_back(tmp_path: Path, words: tuple[str, ...]) -> None:
    """SIGTERM while the login has acted and not answered: the battery runs, and the exit code is not 0."""
    late = "applies but answers late by 30s to /api/login/Basic for the next 1 requests"
    with site(tmp_path, late) as house:
        marks = tmp_path / "state" / "marker.json"
        with started(*words, "--state-dir", "state", cwd=tmp_path) as process:
            eventually(marks.exists)
            eventually(
                lambda: run("sitemaster", "--state-dir", "other", cwd=tmp_path, **INSTALLER).returncode == 1
            )
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=20)
        shown = run("sitemaster", "--state-dir", "other", cwd=house.folder, **INSTALLER)

    said = (tmp_path / f"{words[0]}.err").read_text()
    assert code != 0
    assert "called off; the login stopped the battery for a moment, and it" in said
    assert PASSWORD not in (tmp_path / f"{words[0]}.err").read_text()
    assert shown.stdout == "the battery is in service\n"


def test_a_login_that_was_cut_off_before_it_acted_stays_noted(tmp_path: Path) -> None:
    """The battery still runs, but the gateway may obey the login later: the mark stays, and the person is told."""
    late = "answers late by 30s to /api/login/Basic for the next 1 requests"
    with site(tmp_path, late):
        marks = tmp_path / "state" / "marker.json"
        with started("inspect", "operation", "--state-dir", "state", cwd=tmp_path) as process:
            eventually(marks.exists)
            process.send_signal(signal.SIGTERM)
            code = process.wait(timeout=20)

    assert code == 3
    assert "may yet obey it" in (tmp_path / "inspect.err").read_text()
    assert [entry["mark"] for entry in json.loads(marks.read_text())] == [MAY_HAVE_STOPPED]
