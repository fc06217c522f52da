"""`sitemaster` as the command: it shows, runs and stops, asks before it stops, and proves what it says."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from commands import CUSTOMER, DRY_SITE, INSTALLER, Done, run
from processes import COMMAND, Site, environment, site

from scheduler.app.service import Service
from scheduler.control.ports import MAY_HAVE_STOPPED


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with firmware 1.45.2 and the installer's login, which stops the battery."""
    with site(tmp_path_factory.mktemp("house")) as it:
        yield it


def sitemaster(house: Site, *words: str, state: str = "mine", **more: str) -> Done:
    """The command with the installer's login unless told otherwise, and a state directory."""
    return run("sitemaster", *words, "--state-dir", state, cwd=house.folder, **{**INSTALLER, **more})


def typed(house: Site, text: str) -> tuple[int, str]:
    """`sitemaster stop` with this text typed at a terminal: exit code, and all that was said."""
    ours, theirs = pty.openpty()
    try:
        os.write(ours, text.encode())
        done = subprocess.run(
            [COMMAND, "sitemaster", "stop", "--state-dir", "typed"],
            cwd=house.folder,
            env=environment(),
            stdin=theirs,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, done.stdout + done.stderr


def test_stop_show_and_run_do_as_they_say(house: Site) -> None:
    """A stop stays a stop after the visit, is nobody's to undo, and is undone by run; showing makes no login."""
    running = sitemaster(house, "--json")
    stopped = sitemaster(house, "stop", "--yes", "--json")
    marks = json.loads((house.folder / "mine" / "marker.json").read_text())
    shown = sitemaster(house)
    once = run("once", "--state-dir", "mine", cwd=house.folder, **INSTALLER)
    again = sitemaster(house, "stop", "--yes")
    started = sitemaster(house, "run")
    repeated = sitemaster(house, "run", "--json")

    assert (running.returncode, json.loads(running.stdout)["running"]) == (0, True)
    assert (stopped.returncode, stopped.stderr) == (0, "")
    assert json.loads(stopped.stdout) == {
        "schema": "tou-scheduler/sitemaster",
        "version": 1,
        "action": "stop",
        "before": True,
        "running": False,
        "verified": True,
    }
    assert marks == []
    assert (shown.returncode, shown.stdout) == (1, "the battery is out of service\n")
    assert once.returncode == 5
    assert "not by us" in once.stdout
    assert "tou-scheduler sitemaster run" in once.stdout
    assert again.stdout == "the battery is already out of service\n"
    assert (started.returncode, started.stdout) == (0, "the battery is now in service\n")
    assert json.loads((house.folder / "mine" / "marker.json").read_text()) == []
    assert json.loads(repeated.stdout)["before"] is True


def test_a_stop_must_be_typed(house: Site) -> None:
    """It says what a stop means; anything but the word, and no terminal at all, leaves the battery in service."""
    code, said = typed(house, "yes\n")
    blind = sitemaster(house, "stop")

    assert code == 1
    assert "the house lives on the grid alone" in said
    assert "not stopped" in said
    assert blind.returncode == 2
    assert "--yes" in blind.stderr
    assert sitemaster(house).stdout == "the battery is in service\n"

    code, said = typed(house, "stop\n")

    assert (code, "the battery is now out of service" in said) == (0, True)
    assert sitemaster(house, "run").returncode == 0


def test_beside_a_daemon_whose_battery_a_login_would_stop_nothing_is_done(house: Site) -> None:
    """On firmware up to 1.49 the installer's login stops the battery, so the daemon is to be stopped first."""
    with house.daemon():
        shown = sitemaster(house, state="state")
        stopped = sitemaster(house, "stop", "--yes", state="state")

    assert shown.returncode == 0
    assert stopped.returncode == 5
    assert "stop the daemon first" in stopped.stderr
    assert sitemaster(house).stdout == "the battery is in service\n"


def test_a_wrong_password_changes_nothing(house: Site) -> None:
    """A login that is refused has stopped nothing: no mark is left, and the exit code says that a person must act."""
    done = sitemaster(house, "stop", "--yes", state="wrong", TOU_GATEWAY__PASSWORD="nonsense9")

    assert done.returncode == 5
    assert "password" in done.stderr
    assert json.loads((house.folder / "wrong" / "marker.json").read_text()) == []
    assert sitemaster(house).returncode == 0


def test_a_gateway_that_is_away_is_a_sentence(house: Site) -> None:
    """Nobody answers: exit code 3, and no traceback."""
    done = sitemaster(house, TOU_GATEWAY__HOST="127.0.0.1:9")

    assert done.returncode == 3
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_where_everybody_may_stop_it_the_verb_of_the_firmware_is_used(tmp_path: Path) -> None:
    """From firmware 20 on a stop is a POST, the customer may do it, and the login stops nothing.

    Even a look wants a login here, and one that is to end in a start may go beyond the budget.
    """
    with site(tmp_path, firmware="21.39") as it:
        stopped = sitemaster(it, "stop", "--yes", **CUSTOMER)
        shown = sitemaster(it, **CUSTOMER)
        remembered(it, "spent", logins=3)
        started = sitemaster(it, "run", state="spent", **CUSTOMER)

    assert (stopped.returncode, stopped.stdout) == (0, "the battery is now out of service\n"), stopped.stderr
    assert shown.returncode == 1
    assert (started.returncode, started.stdout) == (0, "the battery is now in service\n"), started.stderr


def remembered(house: Site, state: str, *, logins: int = 0, cut_off_s: float | None = None) -> None:
    """A state directory with so many logins of just now, and a login that was cut off so long ago."""
    now = datetime.now(UTC)  # noqa: TID251 - the command goes by the machine's clock
    folder = house.folder / state
    folder.mkdir(exist_ok=True)
    (folder / "logins.json").write_text(json.dumps([now.isoformat()] * logins))
    if cut_off_s is not None:
        at = (now - timedelta(seconds=cut_off_s)).isoformat()
        (folder / "marker.json").write_text(json.dumps([{"mark": MAY_HAVE_STOPPED, "at": at}]))


def test_a_used_up_budget_keeps_nobody_from_putting_the_battery_back(house: Site) -> None:
    """A login to run is a repair, and has two beyond the budget; a stop has none beyond, and both say why they wait."""
    remembered(house, "spent", logins=3)
    refused = sitemaster(house, "stop", "--yes", state="spent")
    sitemaster(house, "stop", "--yes", state="first")
    started = sitemaster(house, "run", state="spent")
    remembered(house, "spent", logins=5)
    sitemaster(house, "stop", "--yes", state="other")
    late = sitemaster(house, "run", state="spent")
    sitemaster(house, "run", state="third")

    assert refused.returncode == 3
    assert "has logged in 3 times in 5 minutes and waits" in refused.stderr
    assert (started.returncode, started.stdout) == (0, "the battery is now in service\n"), started.stderr
    assert late.returncode == 3
    assert "has logged in 5 times in 5 minutes" in late.stderr
    assert sitemaster(house).stdout == "the battery is in service\n"


def test_a_login_that_was_cut_off_is_a_doubt_beside_the_answer(house: Site) -> None:
    """What is asked is answered all the same; after a minute running proves enough, and a run makes sure at once."""
    marker = house.folder / "cut" / "marker.json"
    remembered(house, "cut", cut_off_s=5)
    unsure = sitemaster(house, state="cut")
    noted = marker.read_text()
    sure = sitemaster(house, "run", state="cut")
    after_run = marker.read_text()
    remembered(house, "cut", cut_off_s=61)
    later = sitemaster(house, state="cut")

    assert (unsure.returncode, unsure.stdout) == (0, "the battery is in service\n")
    assert "may yet obey it; `tou-scheduler sitemaster run` makes sure" in unsure.stderr
    assert MAY_HAVE_STOPPED in noted
    assert (sure.returncode, sure.stderr, after_run) == (0, "", "[]")
    assert (later.returncode, later.stderr, marker.read_text()) == (0, "", "[]")


@pytest.mark.parametrize("verb", [("once",), ("sitemaster", "run")], ids=" ".join)
def test_i3_a_stop_that_comes_after_the_answer_is_undone_before_the_command_ends(
    tmp_path: Path, verb: tuple[str, ...]
) -> None:
    """Where logging in stops the battery two seconds late, it runs once the command is over, and nothing is noted to be owed."""
    with site(tmp_path, "stops slowly") as it:
        if verb != ("once",):
            sitemaster(it, "stop", "--yes")
        done = run(*verb, "--state-dir", "mine", cwd=it.folder, **INSTALLER)
        marks = (it.folder / "mine" / "marker.json").read_text()
        after = sitemaster(it)

    assert (done.returncode, done.stderr) == (0, "")
    assert marks == "[]"
    assert (after.returncode, after.stdout, after.stderr) == (0, "the battery is in service\n", "")


def test_a_switch_by_hand_leaves_nothing_that_would_undo_a_persons_stop(tmp_path: Path) -> None:
    """After `once` has logged in, and a person has stopped the battery, another `once` finds it stopped and leaves it so."""
    with site(tmp_path) as it:
        first = run("once", "--state-dir", "mine", cwd=it.folder, **INSTALLER)
        sitemaster(it, "stop", "--yes", state="theirs")
        second = run("once", "--state-dir", "mine", cwd=it.folder, **INSTALLER)
        after = sitemaster(it)

    assert first.returncode == 0
    assert second.returncode == 5
    assert "not by us" in second.stdout
    assert (after.returncode, after.stdout) == (1, "the battery is out of service\n")


def test_what_did_not_come_to_what_was_asked_is_the_other(
    house: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A battery that ran before, and does not by the last look: it says that it is out of service, and exits 4."""

    async def never(_service: Service, *, running: bool) -> bool:
        return not running

    monkeypatch.setattr(Service, "_reads_back", never)
    remembered(house, "doubted", cut_off_s=5)
    done = sitemaster(house, "run", "--json", state="doubted")
    said = json.loads(done.stdout)

    assert (said["before"], said["running"], said["verified"]) == (True, False, False)
    assert done.returncode == 4


@pytest.mark.parametrize("action", ["show", "run"])
def test_a_yes_where_nothing_is_asked_is_refused(house: Site, action: str) -> None:
    """Only a stop asks: an option that would do nothing is a slip, and nothing is done."""
    done = sitemaster(house, action, "--yes")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: --yes is for stop: {action} asks nothing\n"


@pytest.mark.parametrize("action", [["run"], ["stop", "--yes"]], ids=["run", "stop"])
def test_a_simulated_gateway_of_the_file_has_nothing_to_run_or_stop(
    tmp_path: Path, action: list[str]
) -> None:
    """It ends with the command, so the words that act are refused with a sentence; nothing is kept."""
    (tmp_path / "tou.yaml").write_text(DRY_SITE)

    done = run("sitemaster", *action, "--config", "tou.yaml", "--state-dir", "s", cwd=tmp_path)

    assert done.returncode == 2
    assert "is simulated and ends with the command" in done.stderr
    assert not (tmp_path / "s").exists()
