"""Hold and resume by the commands, as a person types them, beside a real daemon and without one; and one daemon a directory."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
import typer
from clockwork import VirtualClock
from commands import DRY_SITE, run
from processes import command, eventually, site, started

from scheduler.app import holds
from scheduler.app.daemon import Daemon
from scheduler.app.once import policy_of
from scheduler.app.patience import own
from scheduler.cli.common import fail_for
from scheduler.config.load import load
from scheduler.control.agenda import agenda
from scheduler.control.state import State
from scheduler.control.trust import DOUBTED
from scheduler.daemon.clock import SystemClock
from scheduler.daemon.reload import LOOK_S, watch
from scheduler.model.clock import Belief
from scheduler.model.errors import StoreError
from scheduler.model.events import Event
from scheduler.model.hold import Hold, HoldBegan
from scheduler.model.setpoint import Setpoint
from scheduler.store.heartbeat import Heartbeat
from scheduler.store.lock import Held, Lock

STATE = ("--state-dir", "state")
FILE = ("--config", "tou.yaml")
SHORT_S = 4.0
"""No pause within a switch that goes well is longer."""


@pytest.fixture
def dry(tmp_path: Path) -> Path:
    """A folder with a file whose gateway is simulated and whose plan never changes."""
    (tmp_path / "tou.yaml").write_text(DRY_SITE)
    return tmp_path


def test_without_a_daemon_a_hold_is_stored_and_said_to_be_unproven(dry: Path) -> None:
    """Exit 4, in words and as JSON: nothing is claimed that nobody has seen. `resume` takes it back."""
    done = run("hold", "--mode", "backup", "--until", "2h", *FILE, *STATE, cwd=dry)
    assert done.returncode == 4
    assert (
        done.stdout
        == "no daemon runs with this state directory; the next one takes the hold up while it lasts\n"
    )
    assert "held: backup until " in done.stderr

    done = run("hold", "--reserve", "40", "--until", "2h", "--json", *FILE, *STATE, cwd=dry)
    document = json.loads(done.stdout)
    assert (document["schema"], document["running"], document["verdict"]) == (
        "tou-scheduler/hold",
        False,
        None,
    )
    assert (document["hold"]["mode"], document["hold"]["reserve_percent"]) == (None, 40)
    lasts = datetime.fromisoformat(document["hold"]["until"]) - datetime.fromisoformat(
        document["hold"]["since"]
    )
    assert lasts == timedelta(hours=2)

    done = run("resume", *STATE, cwd=dry)
    assert (done.returncode, done.stderr) == (0, "ended: the hold of reserve 40 %\n")
    assert done.stdout == "no daemon runs with this state directory; the next one starts by the rules\n"
    assert run("resume", *STATE, cwd=dry).stderr == "nothing was held\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "say what to hold: --mode, --reserve, or both"),
        (["--mode", "bakup"], "did you mean 'backup'?"),
        (["--reserve", "90", "--until", "2h"], "use 80 or 100"),
        (["--reserve", "20", "--until", "yesterday"], "is not a time"),
        (["--reserve", "20"], "say how long with --until"),
        (["--reserve", "20", "--until", "200h"], "more than 7 days ahead"),
    ],
)
def test_what_can_be_no_hold_is_refused_with_what_to_write(dry: Path, words: list[str], said: str) -> None:
    """Exit 2 and one sentence; nothing is stored."""
    done = run("hold", *words, *FILE, *STATE, cwd=dry)

    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (dry / "state").exists()


def test_a_hold_that_cannot_be_stored_is_no_hold(dry: Path) -> None:
    """A state directory that is a file: exit 2 and a sentence, and no word of something being held."""
    (dry / "state").touch()

    done = run("hold", "--mode", "backup", "--until", "2h", *FILE, *STATE, cwd=dry)

    assert done.returncode == 2
    assert "held" not in done.stderr
    assert "could not be written" in done.stderr
    assert "sudo" not in done.stderr


def test_p5_only_a_missing_right_is_answered_with_sudo(capsys: pytest.CaptureFixture[str]) -> None:
    """A full disk is as full for root: the hint is for what root may do and others may not."""
    said = {}
    for number in (errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EROFS):
        error = StoreError("it could not be written")
        error.__cause__ = OSError(number, os.strerror(number))
        with pytest.raises(typer.Exit) as ended:
            fail_for(error)
        assert ended.value.exit_code == 2
        said[number] = "sudo" in capsys.readouterr().err

    assert said == {errno.EACCES: True, errno.EPERM: True, errno.ENOSPC: False, errno.EROFS: False}


def test_a_stored_hold_is_shown_without_a_daemon(dry: Path) -> None:
    """`once` obeys it, so `status` shows it, in words and as JSON, until it is resumed; a probe stays one sentence."""
    run("hold", "--reserve", "40", "--until", "1d", *FILE, *STATE, cwd=dry)

    shown = run("status", *STATE, cwd=dry).stdout
    assert "hold      reserve 40 % until " in shown
    assert "`tou-scheduler resume` ends it" in shown
    assert len(run("status", "--probe", *STATE, cwd=dry).stdout.splitlines()) == 1
    assert json.loads(run("status", "--json", *STATE, cwd=dry).stdout)["hold"]["reserve_percent"] == 40

    run("resume", *STATE, cwd=dry)
    assert "hold" not in run("status", *STATE, cwd=dry).stdout
    assert json.loads(run("status", "--json", *STATE, cwd=dry).stdout)["hold"] is None


def test_status_shows_no_hold_that_is_none_and_moves_nothing(dry: Path) -> None:
    """One that is over, and a damaged file: neither is shown, and a look changes nothing in the folder."""
    folder = dry / "state" / "simulated"
    folder.mkdir(parents=True)
    now = SystemClock().now()
    over = Hold(
        setpoint=Setpoint(mode="backup"), since=now - timedelta(hours=2), until=now - timedelta(minutes=1)
    )
    for content in (json.dumps(over.document()), "{torn"):
        (folder / "hold.json").write_text(content)

        assert "hold" not in run("status", *STATE, cwd=dry).stdout
        assert [(it.name, it.read_text()) for it in folder.iterdir()] == [("hold.json", content)]


def test_resume_needs_no_configuration_and_no_sound_file(dry: Path) -> None:
    """A hold whose file is damaged is ended, too, and the damaged file can be looked at."""
    (dry / "state").mkdir()
    (dry / "state" / "hold.json").write_bytes(b"{torn")
    (dry / "tou.yaml").unlink()

    assert run("resume", *STATE, cwd=dry).returncode == 0

    assert not (dry / "state" / "hold.json").exists()
    assert [it.read_bytes() for it in (dry / "state").glob("hold.json.corrupt*")] == [b"{torn"]


def test_once_brings_about_what_a_person_holds(dry: Path) -> None:
    """A hold is above the rules for everybody who switches; its evidence names it."""
    run("hold", "--mode", "self_consumption", "--reserve", "30", "--until", "2h", *FILE, *STATE, cwd=dry)

    document = json.loads(run("once", "--json", *FILE, *STATE, cwd=dry).stdout)

    assert document["rules"] == ["hold"]
    assert document["after"] == {"mode": "self_consumption", "reserve_percent": 30.0}


class Drowsy(SystemClock):
    """A clock on which nobody wakes from a long rest by himself; ``resting`` is set when somebody begins one."""

    def __init__(self) -> None:
        self.resting = asyncio.Event()

    async def sleep(self, seconds: float) -> None:
        """Short pauses end; a rest between cycles does not."""
        if seconds > SHORT_S:
            self.resting.set()
            await asyncio.Event().wait()
        await super().sleep(seconds)


async def test_a_hold_wakes_the_daemon(dry: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Written by another process, without a signal: the file itself is looked at, and no tick is waited for."""
    monkeypatch.setattr("scheduler.app.daemon.watch", partial(watch, look_s=0.01))
    told: list[Event] = []
    began = asyncio.Event()

    def tell(event: Event) -> None:
        told.append(event)
        if isinstance(event, HoldBegan):
            began.set()

    clock = Drowsy()
    configuration = load(dry / "tou.yaml", environ={}, secret_directories=[])
    daemon = Daemon(configuration, dry / "state", [tell], clock)
    running = asyncio.create_task(daemon.run())
    async with asyncio.timeout(20):
        await clock.resting.wait()
        held = holds.made(Setpoint(reserve_percent=40), "2h", configuration, clock.now())
        holds.keep(held, configuration, dry / "state")
        await began.wait()
    daemon.stop.set()
    await running

    assert LOOK_S * 2 <= 5
    assert [(e.held, e.until) for e in told if isinstance(e, HoldBegan)] == [(held.setpoint, held.until)]


async def test_t1_a_hold_by_a_clock_that_is_not_trusted_is_answered_at_once(
    dry: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon switches nothing by it: its doubt is the answer as soon as it goes by the hold, and a longer wait is told once."""
    monkeypatch.setattr(holds, "holder", lambda _: 1)
    clock = VirtualClock(SystemClock().now())
    since = clock.now().replace(microsecond=0)
    held = Hold(setpoint=Setpoint(mode="backup"), since=since, until=since + timedelta(hours=2))
    agreed = agenda(policy_of(load(dry / "tou.yaml", environ={}, secret_directories=[])), clock.now())
    state = State(started=clock.now(), boundary=clock.now())
    state.clock = Belief(DOUBTED, "nobody can tell", "have it synchronised")
    told: list[float] = []

    def write(hold: Hold | None) -> None:
        state.hold = hold
        document = state.status(agreed, clock.now()).document(UTC)
        (dry / "status.json").write_text(json.dumps(document))

    class Following(VirtualClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if self.passed_s > 4:
                write(held)

    write(None)
    following = Following(clock.now())
    found = await holds.answer(dry, held, following, waiting=lambda: told.append(following.passed_s))

    assert found is not None
    assert (found["verdict"], found["trouble"]) == (None, "nobody can tell; have it synchronised")
    assert following.passed_s < 5
    assert told == [pytest.approx(holds.SILENCE_S, abs=0.3)]


def test_p9_a_hold_and_its_end_beside_a_daemon_and_over_a_restart(tmp_path: Path) -> None:
    """By real commands: verified with exit 0, shown by `status`, still there after a restart, and resumed; a second daemon is refused."""
    with site(tmp_path) as home:
        with home.daemon() as process:
            done = home.run("hold", "--mode", "self_consumption", "--reserve", "55", "--until", "2h", *STATE)
            assert (done.returncode, done.stdout.partition(":")[0]) == (0, "verified"), (
                done.stdout + done.stderr
            )
            shown = home.run("status", *STATE).stdout
            assert "`tou-scheduler resume` ends it" in shown
            assert "self_consumption, reserve 55 % (hold)" in shown

            second = command("run", *STATE, cwd=home.folder)
            assert second.returncode == 3
            assert f"process {process.pid} already runs with the state directory" in second.stderr
            assert process.poll() is None
        with home.daemon():
            status = eventually(
                lambda: (it := home.json("status", *STATE)).get("verdict") == "already" and it
            )
            assert (status["rules"], status["hold"]["reserve_percent"]) == (["hold"], 55)
            assert "hold_began" not in [line["event"] for line in home.log]

            done = home.run("resume", "--json", *STATE)
            assert (done.returncode, json.loads(done.stdout)["verdict"]) == (0, "verified"), done.stdout
            assert home.json("status", *STATE)["hold"] is None
            assert [line["event"] for line in home.log].count("hold_ended") == 1


def test_p9_a_second_daemon_that_stays_up_for_broken_files_does_not_stay_up_beside_the_first(
    dry: Path,
) -> None:
    """`--stay` outlasts a broken file, and not another daemon: exit 3 with the holder's number, file or no file."""
    with started("run", *FILE, *STATE, cwd=dry) as process:
        eventually((dry / "state" / "status.json").exists)
        (dry / "broken.yaml").write_text("version: 1\n")
        for file in ("tou.yaml", "broken.yaml"):
            second = command("run", "--stay", "--config", file, *STATE, cwd=dry)
            assert second.returncode == 3, second.stderr
            assert f"process {process.pid} " in second.stderr
        assert process.poll() is None


def test_p9_a_refused_daemon_leaves_the_heart_of_the_first_one_beating(tmp_path: Path) -> None:
    """Whoever looks from outside goes by that file: a daemon that was not let in takes it away from nobody."""
    path = tmp_path / "heartbeat"
    first = Heartbeat(path)
    first.beat(1.0)

    Heartbeat(path).stop()

    assert path.exists()
    first.stop()
    assert not path.exists()


async def test_p9_another_daemon_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever starts beside a daemon is told at once: no pause lies between the look at the lock and the refusal."""

    async def never(_: float) -> None:
        pytest.fail("it waited")

    monkeypatch.setattr(asyncio, "sleep", never)
    with Lock(tmp_path / "lock"), pytest.raises(Held, match="process"):
        async with own(tmp_path / "lock", asyncio.Event()):
            pytest.fail("it was let in")
