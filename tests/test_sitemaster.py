"""`sitemaster` as the command: it shows, runs and stops, asks before it stops, and proves what it says."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import CUSTOMER, INSTALLER, Done, run
from processes import COMMAND, Site, environment, site


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
    """From firmware 20 on a stop is a POST, the customer may do it, and the login stops nothing."""
    with site(tmp_path, firmware="21.39") as it:
        stopped = sitemaster(it, "stop", "--yes", **CUSTOMER)
        shown = sitemaster(it, **CUSTOMER)
        started = sitemaster(it, "run", **CUSTOMER)

    assert (stopped.returncode, stopped.stdout) == (0, "the battery is now out of service\n"), stopped.stderr
    assert shown.returncode == 1
    assert (started.returncode, started.stdout) == (0, "the battery is now in service\n"), started.stderr
