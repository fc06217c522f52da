"""A person's visit to the gateway: it leaves the battery as it found it, or as the person said, whatever happens on the way."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import httpx
import pytest
from bench import Bench, bench
from commands import INSTALLER, run
from processes import PASSWORD, eventually, site, started

from scheduler.app.inspect import Look, look
from scheduler.app.service import Service
from scheduler.app.visit import Visit, visit
from scheduler.config.configuration import Configuration
from scheduler.config.load import load
from scheduler.control.calloff import CalledOff
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.gateway import calls
from scheduler.model.errors import BadCredentials, NotCapable, Transient
from scheduler.store.lock import Lock

FLAT = """
version: 1
site: {name: Home, timezone: America/Los_Angeles}
gateway: {type: simulated, username: installer, firmware: "1.45.2"}
tariff:
  name: Flat
  currency: USD
  periods:
    - {name: all_day, hours: "00:00-24:00", import: 0.2, export: 0.1}
rules:
  - {name: Always, during: [all_day], set: {mode: backup, reserve: 100}}
default: {mode: self_consumption, reserve: 20}
"""


@pytest.fixture
def dry(tmp_path: Path) -> Configuration:
    """A configuration whose gateway is simulated, and lives as long as the visit."""
    file = tmp_path / "tou.yaml"
    file.write_text(FLAT)
    return load(file)


def guest_of(house: Bench, *, alone: bool = True, login: bool = True) -> Visit:
    """A visitor of the bench's gateway."""
    return Visit(house.gateway, house.session, house.marks, alone=alone, login=login)


def service_of(house: Bench) -> Service:
    """Who puts the bench's battery in and out of service."""
    return Service(guest_of(house), house.clock)


def marker(directory: Path) -> list[str]:
    """What is owed to the simulated battery, by the file."""
    marks: list[str] = json.loads((directory / "simulated" / "marker.json").read_text())
    return marks


async def test_a_login_that_stopped_the_battery_is_undone_when_the_visitor_leaves(
    dry: Configuration, tmp_path: Path
) -> None:
    """Whatever the work did after its login, the battery runs and nothing is owed afterwards."""
    seen: list[bool] = []

    async def work(guest: Visit) -> None:
        await guest.act(guest.gateway.read)
        seen.append(await guest.gateway.is_running())
        seen.append(MAY_HAVE_STOPPED in guest.marks)

    await visit(dry, tmp_path, work, stop=asyncio.Event())

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
        await visit(dry, tmp_path, work, stop=stop)

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
        await visit(dry, tmp_path, work, stop=asyncio.Event())

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
        assert await visit(dry, tmp_path, work, stop=asyncio.Event())


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

    await visit(dry, tmp_path, work, stop=asyncio.Event(), login=False)

    assert names == ["get_sitemaster"]
    assert marker(tmp_path) == [MAY_HAVE_STOPPED]


async def test_a_look_makes_one_login_for_all_calls(dry: Configuration, tmp_path: Path) -> None:
    """All that only tells is asked on one session; the login's stop is told, and over."""
    seen = await look(dry, tmp_path, calls.readable(), stop=asyncio.Event())

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

    assert code != 0
    assert "called off" in (tmp_path / f"{words[0]}.err").read_text()
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
    assert json.loads(marks.read_text()) == [MAY_HAVE_STOPPED]
