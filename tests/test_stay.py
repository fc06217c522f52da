"""The daemon as a service, `run --stay`: whatever is wrong with its files it stays up, says so, and takes up mended ones."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import ROOT, Site, command, eventually, site, started

STAY = ("run", "--stay", "--state-dir", "state")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Site]:
    """A site whose gateway is simulated."""
    with site(tmp_path) as it:
        yield it


@contextmanager
def staying(home: Site, *words: str) -> Iterator[Any]:
    """The daemon as a service, and at its end the proof that it stayed up until then and ended in order."""
    (home.folder / "state" / "status.json").unlink(missing_ok=True)  # the one of the daemon before
    with started(*STAY, *words, cwd=home.folder) as daemon:
        yield daemon
        assert daemon.poll() is None
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(timeout=15) == 0


def told(home: Site) -> str:
    """What a health check is told."""
    return home.run("status", "--probe", "--state-dir", "state").stdout


def verdicts(home: Site) -> list[str]:
    """Those of the switches in the log so far."""
    return [line["verdict"] for line in home.log if line["event"] == "switch"]


def test_a_broken_file_is_named_and_its_mending_taken_up(home: Site) -> None:
    """Without any earlier plan a broken file is waited for, named with its line; mended, it is switched by."""
    home.edit("mode: backup", "mode: bakcup")
    with staying(home):
        eventually(lambda: "no plan is in force" in home.known)
        said = told(home)
        home.edit("mode: bakcup", "mode: backup")
        eventually(lambda: verdicts(home) and home.known.startswith("fine"))
        events = [line["event"] for line in home.log]

    assert said.startswith("NOT FINE: no plan is in force: config/tou.yaml:42:17: unknown mode 'bakcup'")
    assert events.count("no_plan") == events.count("started") == 1
    assert verdicts(home) == ["verified"]


def test_without_a_file_it_waits_for_one(tmp_path: Path) -> None:
    """A file that is not there yet is taken up when it comes."""
    with started(*STAY, "--config", "tou.yaml", cwd=tmp_path) as daemon:
        home = Site(tmp_path)
        eventually(lambda: "there is no such file" in home.known)
        text = (ROOT / "config" / "tou.yaml").read_text().replace("type: local ", "type: simulated ")
        (tmp_path / "tou.yaml").write_text(text)
        eventually(lambda: home.known.startswith("fine"))

        assert told(home).startswith("fine")
        assert daemon.poll() is None


def test_the_example_is_written_where_there_is_no_file(tmp_path: Path) -> None:
    """The first start of a container writes the shipped example, says what to do next, and stays up for it to be done."""
    words = ("--write-example", "--config", "config/tou.yaml")
    (tmp_path / "config").mkdir()
    with started(*STAY, *words, cwd=tmp_path) as daemon:
        eventually((tmp_path / "state" / "status.json").exists)
        status = command("status", "--probe", "--state-dir", "state", cwd=tmp_path)
        running = daemon.poll() is None
    said = (tmp_path / "run.err").read_text()

    assert running
    assert (tmp_path / "config" / "tou.yaml").read_bytes() == (ROOT / "config" / "tou.yaml").read_bytes()
    assert "an example was written to config/tou.yaml: put your tariff" in said
    assert "tou-scheduler trust" in status.stdout


def test_a_file_that_is_there_is_no_place_for_the_example(tmp_path: Path) -> None:
    """Whatever lies there already, an empty file too, is left as it is; without --stay its problems end the start."""
    (tmp_path / "tou.yaml").write_text("")

    result = command("run", "--write-example", "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path)

    assert result.returncode == 2
    assert (tmp_path / "tou.yaml").read_text() == ""


def test_an_example_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Where the folder cannot be written to, the start says so, and names the file that it misses."""
    result = command(
        "run", "--write-example", "--config", "no/such/tou.yaml", "--state-dir", "s", cwd=tmp_path
    )

    assert result.returncode == 2
    assert "no example could be written" in result.stderr
    assert "there is no such file" in result.stderr


def test_a_start_with_a_broken_file_runs_the_last_good_plan(home: Site) -> None:
    """After a restart a broken file changes nothing: the plan that was in force goes on, and the line is named until it is mended."""
    with staying(home):
        eventually(lambda: home.known.startswith("fine"))
    home.edit("mode: backup", "mode: bakcup")
    home.edit("late: 5m", "late: 6m")
    home.run("sitemaster", "run")
    with staying(home):
        eventually(lambda: "an older plan goes on" in home.known)
        said = told(home)
        first = eventually(lambda: verdicts(home)[0:1])
        home.edit("mode: bakcup", "mode: backup")
        eventually(lambda: home.known.startswith("fine"))
        events = [line["event"] for line in home.log]

    assert "config/tou.yaml:42:17: unknown mode 'bakcup'" in said
    assert first[0] in {"already", "verified"}
    assert events.count("plan_rejected") == 1
    assert "no_plan" not in events
    assert "plan" in events


def test_the_last_good_plan_is_kept_whole_and_for_its_owner_only(home: Site) -> None:
    """What is kept is the file as it was in force, but for e-mail addresses, readable by nobody else, and written only when it is another one."""
    kept = home.folder / "state" / "configuration.yaml"
    with staying(home):
        eventually(lambda: home.known.startswith("fine"))
        first = kept.stat()
        content = kept.read_bytes()
        home.edit("late: 5m", "late: 6m")
        eventually(lambda: kept.read_bytes() != content)
        second = kept.read_bytes()
    with staying(home):
        eventually(lambda: home.known.startswith("fine"))
        third = kept.stat()

    assert first.st_mode & 0o777 == 0o600
    assert second == home.configuration.read_bytes().replace(b"me@example.com", b"hidden@example.com")
    assert third.st_mtime_ns > first.st_mtime_ns
    with staying(home):
        eventually(lambda: home.known.startswith("fine"))
    assert kept.stat().st_mtime_ns == third.st_mtime_ns


def test_a_kept_plan_that_is_damaged_counts_as_none(home: Site) -> None:
    """Where the kept plan is no plan, the file's own problem is told, and mending it is all that is needed."""
    (home.folder / "state").mkdir()
    (home.folder / "state" / "configuration.yaml").write_bytes(b"\xff\xfe: [")
    home.edit("mode: backup", "mode: bakcup")
    with staying(home):
        eventually(lambda: "no plan is in force" in home.known)
        said = told(home)
        home.edit("mode: bakcup", "mode: backup")
        eventually(lambda: home.known.startswith("fine"))

    assert "unknown mode 'bakcup'" in said


def test_a_certificate_that_is_not_trusted_yet_is_waited_for(home: Site) -> None:
    """The daemon says how to trust the gateway, and switches by itself once that was done."""
    certificate = home.folder / "config" / "powerwall.pem"
    certificate.unlink()
    with staying(home):
        eventually(lambda: "tou-scheduler trust" in home.known)
        trusted = home.run("trust", "--yes")
        eventually(lambda: home.known.startswith("fine"))

    assert trusted.returncode == 0
    assert verdicts(home) == ["verified"]


def test_who_waits_for_a_file_owns_the_state_directory(home: Site) -> None:
    """A second daemon of the same directory ends with exit code 3 and names the first, which has no plan yet."""
    home.edit("mode: backup", "mode: bakcup")
    with staying(home) as first:
        eventually(lambda: "no plan is in force" in home.known)
        second = home.run(*STAY)

    assert second.returncode == 3
    assert f"process {first.pid} already runs" in second.stderr


def test_without_stay_a_broken_file_ends_the_start(home: Site) -> None:
    """A person at a terminal sees all problems at once, and exit code 2, also where an earlier plan is known."""
    with staying(home):
        eventually(lambda: home.known.startswith("fine"))
    home.edit("mode: backup", "mode: bakcup")

    result = home.run("run", "--state-dir", "state")

    assert result.returncode == 2
    assert "unknown mode 'bakcup'" in result.stderr


def test_the_status_of_a_daemon_without_a_plan_can_be_read(home: Site) -> None:
    """Its document has the schema of every other one, says that it runs and is not fine, and has the problem."""
    home.edit("mode: backup", "mode: bakcup")
    with staying(home):
        eventually(lambda: "no plan is in force" in home.known)
        document = json.loads(home.run("status", "--json", "--state-dir", "state").stdout)

    assert (document["schema"], document["version"]) == ("tou-scheduler/status", 1)
    assert (document["running"], document["fine"], document["actual"]) == (True, False, None)
    assert "unknown mode 'bakcup'" in document["configuration"]["problem"]
