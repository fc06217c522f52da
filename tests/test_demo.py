"""The demo as a new user sees it: a real process, the shipped file, a whole day."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from processes import ROOT, command
from typer.testing import CliRunner

from scheduler.cli import build
from scheduler.control.errands import Errands

CONFIG = ROOT / "config" / "tou.yaml"


def day(folder: Path, *words: str) -> tuple[int, str, str]:
    """Exit code, output and errors of a demo day with the shipped file."""
    result = command("demo", "--config", str(CONFIG), "--speed", "3600", *words, cwd=folder)
    return result.returncode, result.stdout, result.stderr


def test_the_demo_shows_the_day_of_the_readme_and_exits_0(tmp_path: Path) -> None:
    """The 07:15 moment and the 07:55 and 22:05 switches are shown with both scales, what was read back, and a verdict."""
    code, shown, errors = day(
        tmp_path, "--speed", "1800"
    )  # half as fast: a busy machine must keep up for all of it

    assert (code, errors) == (0, "")
    assert "check_firmware: up_to_date" in shown
    # Ten milliseconds of a busy machine are most of a minute there: a switch of 07:55 may come after eight.
    for due, hours, asked in (
        ("07:55", "0[78]", "self_consumption, reserve 5 % shown = 9.75 % raw"),
        ("22:05", "22", "backup, reserve 100 % shown = 100 % raw"),
    ):
        told = shown[shown.rindex(f"switch due at {due}") :]
        assert re.search(rf"asked +{re.escape(asked)}\n +read back +{re.escape(asked)}\n", told)
        assert re.search(r"took +\d+ ms for 4 exchanges, 1 attempt", told)
        assert re.search(r"verdict +verified: the gateway reads back", told)
        assert re.search(
            rf"^  \w+ {due}  (verified|effective) .*, obeyed since {hours}:", shown, re.MULTILINE
        )


def test_the_demo_says_when_the_gateway_is_broken_and_does_not_exit_0(tmp_path: Path) -> None:
    """With a gateway that ignores writes the same day ends with exit code 4 and names the boundaries that failed."""
    code, shown, errors = day(tmp_path, "--hours", "2", "--scenario", "ignores writes")

    assert code == 4
    assert "still reads self_consumption, reserve 20 %" in shown
    assert "The day did not go as planned" in errors
    assert "07:55 not_applied" in errors or "07:55 superseded" in errors
    assert "never obeyed" in shown


def test_a_gateway_that_shows_one_thing_and_does_another_is_found_out(tmp_path: Path) -> None:
    """One step late: it reads back what was asked and goes by the setting before; the meters and the day's table say so."""
    code, shown, errors = day(tmp_path, "--hours", "2", "--scenario", "applies the previous one", "--json")

    document = json.loads(shown)
    assert code == 4
    assert (document["schema"], document["as_planned"]) == ("tou-scheduler/demo", False)
    assert "never obeyed" in errors
    assert "not_effective" in [switch["verdict"] for switch in document["switches"]]


def test_an_unknown_scenario_is_a_usage_error(tmp_path: Path) -> None:
    """A sentence that nobody knows ends with exit code 2 and the list of those that are known, before anything is shown."""
    code, shown, errors = day(tmp_path, "--scenario", "ignores writes", "--scenario", "dances")

    assert (code, shown) == (2, "")
    assert "ignores writes" in errors


def test_a_moment_that_never_happens_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The day's table holds what was planned, not what was told: without the 07:15 moment the day is not as planned."""

    async def nothing(*_: object) -> None:
        """A loop that forgets its moments."""

    monkeypatch.setattr(Errands, "attend", nothing)
    monkeypatch.setattr(Errands, "settle", lambda *_: None)
    monkeypatch.chdir(tmp_path)

    result = CliRunner().invoke(build(), ["demo", "--config", str(CONFIG), "--hours", "2"])

    assert result.exit_code == 4
    assert re.search(r"Wed 07:15  did not end +check_firmware", result.stdout)
    assert "07:15 did not end" in result.stderr


def test_a_plan_without_a_boundary_is_a_good_day(tmp_path: Path) -> None:
    """One setpoint for ever: it is brought about once, with the instant of that as its boundary, and the day is good."""
    text = CONFIG.read_text()
    always = text[: text.index("rules:")] + "rules: []\ndefault: {mode: backup, reserve: 100}\n"
    (tmp_path / "always.yaml").write_text(always)

    result = command("demo", "--config", "always.yaml", "--hours", "1", "--json", cwd=tmp_path)

    assert result.returncode == 0, result.stderr
    (switch,) = json.loads(result.stdout)["switches"]
    # The day begins at 06:30, and a busy machine may take a second, which is most of an hour there, to get going.
    assert "2026-07-01T06:30" <= switch["boundary"] < "2026-07-01T07:30"
