"""Which directory the commands take for their memory: the one given, else the service's, else the user's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from commands import DRY_SITE, run

from scheduler.cli import common
from scheduler.store.lock import Lock


@pytest.fixture(autouse=True)
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the service would keep its memory; there is none yet. The user has a folder of his own."""
    path = tmp_path / "service"
    monkeypatch.setattr(common, "_STATE_OF_SERVICE", path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    return path


def memory(*words: str, cwd: Path, **environ: str) -> str:
    """The directory that `status` names."""
    line = run("status", *words, cwd=cwd, **environ).stdout.splitlines()[-1]
    return line.split()[-1]


def test_without_a_service_the_users_own_directory_is_taken(tmp_path: Path) -> None:
    """Nobody runs a daemon as a service here, so each user has a memory."""
    assert memory(cwd=tmp_path) == str(tmp_path / "home" / "tou-scheduler")


def test_the_services_directory_is_taken_where_there_is_one(tmp_path: Path, service: Path) -> None:
    """Who names nothing asks about the service; what is named stands above it, by option or by systemd."""
    service.mkdir()

    assert memory(cwd=tmp_path) == str(service)
    assert memory("--state-dir", "mine", cwd=tmp_path) == "mine"
    assert memory(cwd=tmp_path, STATE_DIRECTORY="given") == "given"


@pytest.mark.parametrize(("user", "taken"), [(0, "system"), (1000, "here")])
def test_root_in_a_clone_means_the_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int, taken: str
) -> None:
    """`sudo tou-scheduler trust` in the clone is about the service's gateway; without a service it is about the clone's."""
    system = tmp_path / "system.yaml"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(common, "_CONFIG_SYSTEM", system)
    monkeypatch.setattr(os, "geteuid", lambda: user)
    here = Path("config/tou.yaml")
    here.parent.mkdir()
    here.touch()
    assert common.config_path(None) == here

    system.touch()

    assert common.config_path(None) == {"system": system, "here": here}[taken]
    assert common.config_path(Path("mine")) == Path("mine")


def test_a_folder_that_cannot_be_looked_into_has_no_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who stands in a folder that he may not enter gets the system's file and no traceback; a name that is too long fails alike."""
    system = tmp_path / "system.yaml"
    system.touch()
    monkeypatch.setattr(common, "_CONFIG_SYSTEM", system)
    monkeypatch.setattr(common, "_CONFIG_HERE", Path("x" * 300) / "tou.yaml")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)

    assert common.config_path(None) == system


def test_the_daemon_of_the_service_is_seen(tmp_path: Path, service: Path) -> None:
    """Its lock lies in the service's directory: `status` finds who holds it without being told where to look."""
    service.mkdir()
    with Lock(service / "lock"):
        document = json.loads(run("status", "--json", cwd=tmp_path).stdout)

    assert document["running"] is True


@pytest.mark.parametrize("verb", ["status", "history", "doctor", "inspect", "sitemaster", "once"])
def test_a_directory_that_others_may_not_enter_is_one_sentence(
    tmp_path: Path, service: Path, verb: str
) -> None:
    """With DynamicUser= it is a link into a folder of root's: every command says so, and asks nothing of the gateway."""
    service.symlink_to(tmp_path / "private" / "tou-scheduler")
    (tmp_path / "tou.yaml").write_text(DRY_SITE)
    words = {"status": (), "history": (), "inspect": ("status", "--config", "tou.yaml")}

    done = run(verb, *words.get(verb, ("--config", "tou.yaml")), cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "run this with sudo, or name another folder with --state-dir" in done.stderr
    assert len(done.stderr.splitlines()) == 1
