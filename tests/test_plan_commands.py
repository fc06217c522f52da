"""`plan` and `explain` from a file to the screen."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from typer.testing import CliRunner, Result

from scheduler.cli import build
from scheduler.daemon.clock import SystemClock

FILE = """\
version: 1
site: {name: Home, timezone: America/Los_Angeles}
gateway: {type: simulated}
tariff:
  currency: USD
  periods:
    - {name: off_peak, hours: "08:00-22:00", import: 0.28}
    - {name: night, hours: "22:00-08:00", import: 0.13}
rules:
  - name: Day [bold]
    during: off_peak
    early: 5m
    set: {mode: self_consumption, reserve: 5}
  - name: Firmware
    at: 45m before night ends
    do: check_firmware
default: {mode: backup, reserve: 100}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A configuration."""
    path = tmp_path / "tou.yaml"
    path.write_text(FILE)
    return path


def run(*words: str | Path) -> Result:
    """Run a command line."""
    return CliRunner().invoke(build(), [str(word) for word in words])


def test_a_day_for_people(file: Path) -> None:
    """The plan of a day is a table with times, prices, setpoints, rules with lines, and the moments in
    between.
    """
    done = run("plan", "--config", file, "--from", "2026-07-01", "--days", "1")
    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        "Wednesday 2026-07-01",
        "time         period    import  export  setpoint                       rule",
        "00:00-07:55  night     0.13            backup, reserve 100 %          default (line 17)",
        "07:15                                  check_firmware                 Firmware (line 14)",
        "07:55-08:00  night     0.13            self_consumption, reserve 5 %  Day [bold] (line 10)",
        "08:00-22:00  off_peak  0.28            self_consumption, reserve 5 %  Day [bold] (line 10)",
        "22:00-24:00  night     0.13            backup, reserve 100 %          default (line 17)",
    ]


def test_a_check_of_the_path_is_in_the_plan(file: Path) -> None:
    """Table, JSON and explanation show a check of the path as they show every moment, under its own word."""
    moment = "  - {name: Path, at: 1h before off_peak starts, do: check_path, done_by: 07:30, if: {grid: connected}}\n"
    file.write_text(FILE.replace("default:", f"{moment}default:"))
    words = ("--config", file, "--from", "2026-07-01", "--days", "1")

    table = run("plan", *words).stdout
    document = json.loads(run("plan", *words, "--json").stdout)
    explained = run("explain", "--config", file, "--at", "2026-07-01T06:00").stdout

    assert "07:00 check_path, if grid connected, done by 07:30 Path (line 17)" in " ".join(table.split())
    assert document["moments"][0] == {
        "at": "2026-07-01T07:00:00-07:00",
        "do": "check_path",
        "rule": "Path",
        "line": 17,
    }
    assert "Wednesday 2026-07-01 07:00: check_path, if grid connected, done by 07:30" in explained


def test_a_day_on_a_terminal(file: Path) -> None:
    """On a terminal the table has colours, and a rule's name is shown as it is, brackets and all."""
    program = [sys.executable, "-c", "from scheduler.cli import main; main()"]
    words = [*program, "plan", "--config", str(file), "--from", "2026-11-01", "--days", "1"]
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": "120", "TERM": "xterm-256color"}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(words, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        # Linux ends the reading of a terminal that was closed with an error, not with an empty read.
        with contextlib.suppress(OSError):
            while piece := os.read(ours, 65536):
                shown += piece
    os.close(ours)
    assert process.returncode == 0
    assert "\x1b[" in shown.decode()
    assert "Day [bold] (line 10)" in shown.decode()
    assert "The clocks are put back by 1 h." in shown.decode()


def test_a_day_when_the_clocks_change_for_people(file: Path) -> None:
    """A day when the clocks change says so, and its times name which of the two they are."""
    done = run("plan", "--config", file, "--from", "2026-11-01", "--days", "1", "--merge")
    assert done.stdout.splitlines()[:3] == [
        "Sunday 2026-11-01",
        "The clocks are put back by 1 h.",
        "time                    setpoint                       rule",
    ]
    assert "00:00 PDT to 07:55 PST  backup, reserve 100 %" in done.stdout


def test_conditions_for_people(file: Path) -> None:
    """The ordinary setpoint is always shown with its rule; below it, what each `if` makes of it, and by whom."""
    rules = """\
  - {name: Island, if: {grid: islanded}, set: {reserve: 0}}
  - {name: Low, if: {charge_below: 30}, set: {mode: backup, reserve: 80}}
"""
    file.write_text(FILE.replace("rules:\n", f"rules:\n{rules}"))
    done = run("plan", "--config", file, "--from", "2026-07-01", "--days", "1", "--merge")
    assert done.exit_code == 0, done.stderr
    day, low = "Day [bold] (line 12)", "Low (line 11)"
    assert [re.split("  +", line) for line in done.stdout.splitlines()[6:9]] == [
        ["07:55-22:00", "self_consumption, reserve 5 %", day],
        ["", "if grid islanded: self_consumption, reserve 0 %", f"Island (line 10): reserve; {day}: mode"],
        ["", "if charge below 30 %: backup, reserve 80 %", low],
    ]


def test_what_is_known_settles_an_if(file: Path) -> None:
    """`--charge` and `--grid` tell `explain` what the gateway would say; without them both cases are told."""
    rule = "  - {name: Low, if: {charge_below: 30, grid: connected}, set: {reserve: 80}}\n"
    file.write_text(FILE.replace("rules:\n", f"rules:\n{rule}"))
    words = ("explain", "--config", file, "--at", "2026-07-04T12:00")
    open_case = run(*words, "--charge", "20").stdout.splitlines()
    assert open_case[1].startswith(
        "setpoint     if charge below 30 % and grid connected: self_consumption, reserve 80"
    )
    assert open_case[2].startswith("             otherwise: self_consumption, reserve 5 %, by Day [bold]")
    settled = run(*words, "--charge", "20", "--grid", "connected").stdout.splitlines()
    assert settled[1] == "setpoint     self_consumption, reserve 80 %"
    islanded = run(*words, "--grid", "islanded").stdout.splitlines()
    assert islanded[1] == "setpoint     self_consumption, reserve 5 %"


def test_the_days_asked_for(file: Path) -> None:
    """The plan runs from local midnight to local midnight, whatever the clocks do in between."""
    done = run("plan", "--config", file, "--from", "2026-10-31", "--days", "3", "--json")
    document = json.loads(done.stdout)
    assert document["segments"][0]["start"] == "2026-10-31T00:00:00-07:00"
    assert document["segments"][-1]["end"] == "2026-11-03T00:00:00-08:00"
    assert [m["at"][:16] for m in document["moments"]] == [
        f"2026-{day}T07:15" for day in ("10-31", "11-01", "11-02")
    ]


def test_without_a_date_the_plan_begins_today(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Today is the site's: late in the evening in California it is already tomorrow in UTC."""
    late = datetime(2026, 7, 1, 22, 30, tzinfo=ZoneInfo("America/Los_Angeles"))
    monkeypatch.setattr(SystemClock, "now", lambda _: late)
    document = json.loads(run("plan", "--config", file, "--json").stdout)
    assert document["segments"][0]["start"] == "2026-07-01T00:00:00-07:00"
    assert document["segments"][-1]["end"] == "2026-07-03T00:00:00-07:00"
    for words in ((), ("--at", "now")):
        assert run("explain", "--config", file, *words).stdout.startswith("Wednesday 2026-07-01 22:30 ")
    assert run("explain", "--config", file, "--at", "17:05").stdout.startswith("Wednesday 2026-07-01 17:05 ")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["plan", "--from", "tomorrow"], "'tomorrow' is not a date; write it like 2026-07-01"),
        (["plan", "--from", "9999-12-31"], "the year must be 1970 to 2199"),
        (["plan", "--days", "0"], "'--days'"),
        (["plan", "--days", "3661"], "3660"),
        (["explain", "--at", "noon"], "'noon' is not a time; write it like 2026-07-04T17:05, 17:05 or now"),
        (["explain", "--at", "25:00"], "'25:00' is not a time"),
        (["explain", "--charge", "101"], "'--charge'"),
        (["explain", "--grid", "gone"], "'--grid'"),
        (["explain", "--at", "0001-01-01T00:00"], "the year must be 1970 to 2199"),
    ],
)
def test_bad_words_are_told_in_a_sentence(file: Path, words: list[str], sentence: str) -> None:
    """A date, a time or a number that cannot be ends with exit code 2 and says what to write."""
    done = run(*words, "--config", file)
    assert done.exit_code == 2
    assert sentence in " ".join(done.stderr.split())
    assert done.stdout == ""


@pytest.mark.parametrize("verb", ["plan", "explain"])
def test_a_bad_file_is_told_with_its_line(file: Path, verb: str) -> None:
    """A configuration with a problem is not planned; the problem is shown with its place."""
    file.write_text(FILE.replace("self_consumption", "self_consumtion"))
    done = run(verb, "--config", file)
    assert done.exit_code == 2
    assert f"{file}:13:" in done.stderr
    assert done.stdout == ""


def test_an_instant_for_people(file: Path) -> None:
    """`explain` takes a local time of the site, or one with an offset, and tells of the same instant."""
    local = run("explain", "--config", file, "--at", "2026-07-04T17:05")
    offset = run("explain", "--config", file, "--at", "2026-07-05T00:05+00:00")
    assert local.exit_code == offset.exit_code == 0
    assert local.stdout == offset.stdout
    assert local.stdout.splitlines()[0] == "Saturday 2026-07-04 17:05 (America/Los_Angeles, UTC-07:00)"
    assert local.stderr == ""


@pytest.mark.parametrize(
    ("time", "note", "at"),
    [
        (
            "2026-03-08T02:30",
            "note: 02:30 does not exist that day, the clocks skip it; this is 2026-03-08T03:00-07:00",
            "2026-03-08T03:00:00-07:00",
        ),
        (
            "2026-11-01T01:30",
            "note: 01:30 comes twice that day; this is 2026-11-01T01:30-07:00, the other 2026-11-01T01:30-08:00",
            "2026-11-01T01:30:00-07:00",
        ),
    ],
)
def test_a_time_that_is_none_or_two(file: Path, time: str, note: str, at: str) -> None:
    """A local time that the clocks skip or show twice is said to be so, beside the data."""
    done = run("explain", "--config", file, "--at", time, "--json")
    assert done.stderr.strip() == note
    assert json.loads(done.stdout)["at"] == at


def test_a_day_that_never_came(file: Path) -> None:
    """A plan of a day that the calendar skipped says so; one around it leaves the day out."""
    file.write_text(FILE.replace("America/Los_Angeles", "Pacific/Apia"))
    alone = run("plan", "--config", file, "--from", "2011-12-30", "--days", "1")
    assert alone.exit_code == 2
    assert "2011-12-30 does not exist in Pacific/Apia" in alone.stderr
    around = run("plan", "--config", file, "--from", "2011-12-29", "--days", "3").stdout
    assert [line for line in around.splitlines() if "2011" in line] == [
        "Thursday 2011-12-29",
        "Saturday 2011-12-31",
    ]
    assert "The clocks are put forward by 24 h." in around


def test_what_the_environment_set_is_said_to_come_from_there(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A default that a variable overrides is told by the variable's name, not by a line that says something else."""
    monkeypatch.setenv("TOU_DEFAULT__RESERVE", "33")

    done = run("explain", "--config", file, "--at", "2026-07-01T23:00")

    assert done.exit_code == 0
    assert "backup, reserve 33 %" in done.stdout
    assert "default (TOU_DEFAULT__RESERVE)" in done.stdout
