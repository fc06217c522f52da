"""What `plan` and `explain` say while a person's hold stands above the rules that they show."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import DRY_SITE, Done, run

STATE = ("--state-dir", "state")
SAID = "a person holds reserve 40 % until "


@pytest.fixture
def dry(tmp_path: Path) -> Path:
    """A folder with a file whose gateway is simulated and whose plan never changes."""
    (tmp_path / "tou.yaml").write_text(DRY_SITE)
    return tmp_path


def ask(folder: Path, verb: str, *words: str) -> Done:
    """Run a verb that reads the file, which must go well."""
    done = run(verb, *words, "--config", "tou.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("verb", ["plan", "explain"])
def test_a_hold_is_said_beside_what_the_rules_say(dry: Path, verb: str) -> None:
    """In a line for people, as a key for programs, until it is resumed; what is printed of the rules stays the same."""
    before = ask(dry, verb, *STATE)
    assert json.loads(ask(dry, verb, "--json", *STATE).stdout)["hold"] is None
    assert before.stderr == ""
    run("hold", "--reserve", "40", "--until", "1d", "--config", "tou.yaml", *STATE, cwd=dry)

    during = ask(dry, verb, *STATE)

    assert SAID in during.stderr
    assert "`tou-scheduler resume` ends it" in during.stderr
    assert "what the rules of the file say" in during.stderr
    assert len(during.stderr.splitlines()) == 1
    assert during.stdout.splitlines()[1:] == before.stdout.splitlines()[1:]
    for_programs = ask(dry, verb, "--json", *STATE)
    assert for_programs.stderr == ""
    hold = json.loads(for_programs.stdout)["hold"]
    assert (hold["mode"], hold["reserve_percent"]) == (None, 40)
    assert hold["until"][-6:] in {"-07:00", "-08:00"}, "in the zone of the site, as all of the document"
    run("resume", *STATE, cwd=dry)
    assert ask(dry, verb, *STATE).stderr == ""


def test_a_hold_has_no_say_in_what_lies_outside_of_it(dry: Path) -> None:
    """A plan of another year and an instant after its end are not held: nothing is said there."""
    run("hold", "--reserve", "40", "--until", "2h", "--config", "tou.yaml", *STATE, cwd=dry)

    for words in (("plan", "--from", "2031-01-01"), ("explain", "--at", "2031-01-01T12:00")):
        assert ask(dry, *words, *STATE).stderr == ""
        assert json.loads(ask(dry, *words, "--json", *STATE).stdout)["hold"] is None
    assert SAID in ask(dry, "plan", *STATE).stderr


def test_a_hold_of_the_simulated_gateway_is_none_of_the_houses(dry: Path) -> None:
    """What is held in a dry run is kept apart, and a file for the real gateway says nothing of it."""
    run("hold", "--reserve", "40", "--until", "1d", "--config", "tou.yaml", *STATE, cwd=dry)
    (dry / "tou.yaml").write_text(
        DRY_SITE.replace("type: simulated", "type: local, host: 192.168.1.9").replace(
            ', firmware: "1.45.2"', ""
        )
    )

    assert ask(dry, "plan", *STATE).stderr == ""


@pytest.mark.parametrize("verb", ["plan", "explain"])
def test_p4_a_plan_is_shown_whatever_lies_in_the_memory(dry: Path, verb: str) -> None:
    """No memory, a torn file and no hold in it: the plan is shown all the same; what cannot be read is said, and left there."""
    before = ask(dry, verb, *STATE)
    assert (before.stderr, (dry / "state").exists()) == ("", False)
    file = dry / "state" / "simulated" / "hold.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")
    assert ask(dry, verb, *STATE).stderr == ""
    file.unlink()
    file.mkdir()
    assert "cannot be seen" in ask(dry, verb, *STATE).stderr
    assert [it.name for it in file.parent.iterdir()] == ["hold.json"]

    (dry / "file").touch()
    done = ask(dry, verb, "--state-dir", "file", "--json")

    assert done.stderr.startswith("note: whether a person holds something else cannot be seen: ")
    assert json.loads(done.stdout)["hold"] is None


@pytest.mark.parametrize("verb", ["plan", "explain"])
def test_a_service_that_may_not_be_entered_hides_a_hold_and_no_plan(
    dry: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever is not root may still read the plan of a file, and learns why nothing is said of a hold."""
    service = dry / "service"
    service.mkdir()
    monkeypatch.setattr("scheduler.cli.common._STATE_OF_SERVICE", service)
    monkeypatch.setattr("os.access", lambda path, _: path != service)

    done = ask(dry, verb)

    assert "may not be entered; run this with sudo" in done.stderr
    assert done.stdout
    assert run("status", cwd=dry).returncode == 2
