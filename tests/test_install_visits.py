"""What the commands do at a gateway that a daemon, killed since, told to install: away, not yet gone, back, and back too soon."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from bench import LOS_ANGELES
from commands import DRY_SITE, INSTALLER, Done, run
from processes import Site, site

from scheduler.app.doubt import Doubt, MayRestart
from scheduler.app.service import Service
from scheduler.app.visit import Interrupted, Visit, visit
from scheduler.config.load import load
from scheduler.control.firmware import Check, Phase
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.daemon.clock import SystemClock
from scheduler.model.reading import Identity
from scheduler.model.timeline import Moment

BEFORE = Identity(firmware="1.43.3", start_time="2026-06-30 10:00:00 +0000 UTC")
COMMANDS = {
    "once": ("once",),
    "once --json": ("once", "--json"),
    "sitemaster run": ("sitemaster", "run"),
    "sitemaster stop": ("sitemaster", "stop", "--yes"),
    "inspect": ("inspect", "operation"),
    "inspect --all": ("inspect", "--all"),
    "firmware --check": ("firmware", "--check"),
}


class Told:
    """A state directory that a daemon left, killed five minutes after it had told the gateway to install."""

    def __init__(self, directory: Path, *, before: Identity, phase: Phase = Phase.INSTALL) -> None:
        now = SystemClock().now()
        since, until = now - timedelta(minutes=5), now + timedelta(minutes=20)
        self.since, self.until = (f"{instant.astimezone(LOS_ANGELES):%H:%M}" for instant in (since, until))
        moment = Moment(at=since, do="check_firmware", rule="Before the day", line=45, install=True)
        check = Check(
            moment=moment, deadline=until, phase=phase, since=since, until=until, before=before, accepted=True
        )
        told = {"since": since.isoformat(), "until": until.isoformat(), "open": True}
        mark = {"mark": MAY_HAVE_STOPPED, "at": since.isoformat()}
        directory.mkdir(parents=True)
        (directory / "moments.json").write_text(json.dumps({"current": check.document(), "told": told}))
        (directory / "marker.json").write_text(json.dumps([mark]))
        self.directory = directory

    @property
    def left_alone(self) -> str:
        """What is said while it installs."""
        return f"the gateway installs its firmware since {self.since}; leave it alone until {self.until} at the latest"

    @property
    def restarts(self) -> str:
        """What is said once it is back."""
        return (
            f"the gateway was told to install its firmware at {self.since}, and may restart once more until "
            f"{self.until}"
        )

    @property
    def marks(self) -> list[str]:
        """What is owed to the battery."""
        return [entry["mark"] for entry in json.loads((self.directory / "marker.json").read_text())]

    @property
    def logins(self) -> int:
        """How many logins were tried from here."""
        ledger = self.directory / "logins.json"
        return len(json.loads(ledger.read_text())) if ledger.exists() else 0


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose gateway runs 1.45.2: its installer's login stops the battery."""
    with site(tmp_path_factory.mktemp("house"), "stages an update") as it:
        yield it


@pytest.fixture(scope="module")
def present(house: Site) -> Identity:
    """What the gateway says of itself."""
    done = run("inspect", "status", "--no-login", "--state-dir", "looks", cwd=house.folder, **INSTALLER)
    body = json.loads(done.stdout)
    return Identity(firmware=body["version"], start_time=body["start_time"])


def at(house: Site, told: Told, *words: str, **more: str) -> Done:
    """A command with the installer's login and that state directory."""
    return run(*words, "--state-dir", str(told.directory), cwd=house.folder, **INSTALLER, **more)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_gateway_that_is_not_gone_yet_gets_no_login(
    house: Site, present: Identity, tmp_path: Path, command: str
) -> None:
    """The same version answers as when it was told to install: no login, the sentence, and the exit code of what will pass."""
    told = Told(tmp_path / "state", before=present)

    done = at(house, told, *COMMANDS[command])

    code = {"inspect --all": 0, "firmware --check": 1}.get(command, 3)
    assert (done.returncode, told.logins, told.marks) == (code, 0, [MAY_HAVE_STOPPED]), done.stderr
    assert told.left_alone in (done.stdout if command == "inspect --all" else done.stderr)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_gateway_that_is_away_for_its_install_is_to_be_left_alone(
    house: Site, tmp_path: Path, command: str
) -> None:
    """Nobody answers: the sentence says why, and nothing is said of a gateway that would be gone."""
    told = Told(tmp_path / "state", before=BEFORE)

    done = at(house, told, *COMMANDS[command], TOU_GATEWAY__HOST="127.0.0.1:1")

    assert (done.returncode, told.marks) == (1 if command == "firmware --check" else 3, [MAY_HAVE_STOPPED])
    assert done.stderr.splitlines()[-1] == f"error: {told.left_alone}"


def test_what_wants_no_login_is_read_all_the_same(house: Site, present: Identity, tmp_path: Path) -> None:
    """To look at a gateway that is about to go disturbs nothing: what is open to everybody is shown."""
    told = Told(tmp_path / "state", before=present)

    shown, status = at(house, told, "sitemaster"), at(house, told, "inspect", "status")

    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "the battery is in service\n", "")
    assert (status.returncode, json.loads(status.stdout)["version"]) == (0, "1.45.2")
    assert (told.logins, told.marks) == (0, [MAY_HAVE_STOPPED])


@pytest.mark.parametrize("command", [it for it in COMMANDS if it != "inspect --all"])
def test_a_gateway_that_is_back_is_met_as_ever(house: Site, tmp_path: Path, command: str) -> None:
    """Another version answers than was told to install: the login is made, and nobody is told to leave it alone."""
    told = Told(tmp_path / "state", before=BEFORE)

    done = at(house, told, *COMMANDS[command])
    running = at(house, told, "sitemaster")

    assert done.returncode == 0, done.stderr
    assert "leave it alone" not in done.stderr
    assert "cut off" not in done.stderr
    assert told.logins == (0 if command == "sitemaster run" else 1)
    stopped = command == "sitemaster stop"
    assert running.stdout == f"the battery is {'out of' if stopped else 'in'} service\n"
    assert told.marks == ([] if stopped else [MAY_HAVE_STOPPED])  # a stop by hand is not undone
    if stopped:
        assert at(house, told, "sitemaster", "run").returncode == 0


@pytest.mark.parametrize("phase", [Phase.INSTALL, Phase.RETURN])
def test_a_restart_to_come_is_told_as_that(house: Site, tmp_path: Path, phase: Phase) -> None:
    """The battery runs and the mark of the install stands: it may restart, and no login was cut off. Exit code 0."""
    told = Told(tmp_path / "state", before=BEFORE, phase=phase)

    for words in (("sitemaster",), ("sitemaster", "run"), ("inspect", "status")):
        done = at(house, told, *words)

        assert done.returncode == 0
        assert done.stderr.startswith(told.restarts)
        assert (told.logins, told.marks) == (0, [MAY_HAVE_STOPPED])


def test_a_login_that_was_not_even_sent_was_not_cut_off(house: Site, tmp_path: Path) -> None:
    """Our own budget forbids it: the restart to come is told, and no login that the gateway may yet obey."""
    told = Told(tmp_path / "state", before=BEFORE)
    now = SystemClock().now()
    logins = [(now - timedelta(seconds=seconds)).isoformat() for seconds in (30, 20, 10)]
    (told.directory / "logins.json").write_text(json.dumps(logins))

    done = at(house, told, "inspect", "operation")

    assert done.returncode == 1
    assert "has logged in 3 times" in done.stderr
    assert done.stderr.startswith(told.restarts)
    assert told.marks == [MAY_HAVE_STOPPED]


def test_a_login_that_was_cut_off_after_an_install_is_told_as_that(tmp_path: Path) -> None:
    """The login's own doubt is the nearer one: the gateway may obey it at once."""
    told = Told(tmp_path / "state", before=BEFORE)
    with site(tmp_path, "resets to /api/login/Basic") as house:
        done = at(house, told, "inspect", "operation")

    assert done.stderr.startswith("the login was cut off, and the gateway may yet obey it")
    assert told.marks == [MAY_HAVE_STOPPED]


def dry(folder: Path) -> Path:
    """The file of a gateway that is simulated in this process."""
    (folder / "tou.yaml").write_text(DRY_SITE)
    return folder / "tou.yaml"


async def test_a_visit_that_is_called_off_tells_a_restart_to_come_beside_it(tmp_path: Path) -> None:
    """It is no battery that may stand still: nothing is left, and the doubt is told as it is of a visit that ends by itself."""
    told = Told(tmp_path / "state" / "simulated", before=BEFORE)
    stop, doubts = asyncio.Event(), list[Doubt]()

    async def work(_: Visit) -> None:
        stop.set()
        await asyncio.Event().wait()

    with pytest.raises(Interrupted) as caught:
        await visit(load(dry(tmp_path)), tmp_path / "state", work, stop=stop, doubt=doubts.append)

    assert (caught.value.left, caught.value.logins) == (None, 0)
    assert [str(doubt) for doubt in doubts] == [told.restarts]
    assert isinstance(doubts[0], MayRestart)


async def test_a_battery_put_into_service_stays_owed_until_no_restart_is_to_come(tmp_path: Path) -> None:
    """Somebody stopped it after the restart and it is started by hand: the next restart may stop it, so the mark stands."""
    told = Told(tmp_path / "state" / "simulated", before=BEFORE)
    doubts = list[Doubt]()

    async def stopped(guest: Visit) -> None:
        await guest.act(guest.gateway.stop)
        guest.marks.clear(MAY_HAVE_STOPPED)
        assert not await guest.gateway.is_running()
        assert await Service(guest, SystemClock()).put_in()

    await visit(load(dry(tmp_path)), tmp_path / "state", stopped, stop=asyncio.Event(), doubt=doubts.append)

    assert told.marks == [MAY_HAVE_STOPPED]
    assert [str(doubt) for doubt in doubts] == [told.restarts]
