"""`tou-scheduler validate`: what it prints, and how it ends."""

import json
import re
from pathlib import Path

import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from scheduler.cli import VERBS
from scheduler.cli.validate import validate

HERE = Path(__file__).parent
BAD = HERE / "bad_configs"


def run(*arguments: str, directory: Path = HERE.parent, environ: dict[str, str] | None = None) -> Result:
    """The verb on its own, run in a directory."""
    app = typer.Typer()
    app.command()(validate)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(directory)
        return CliRunner().invoke(app, list(arguments), env=environ)


@pytest.mark.parametrize("arguments", [(), ("config/tou.yaml",), ("--config", "config/tou.yaml")])
def test_good_file_gets_one_line(arguments: tuple[str, ...]) -> None:
    """The shipped file is fine, by whichever way it is named."""
    result = run(*arguments)
    summary = "config/tou.yaml: ok, 3 rules, 3 periods, prices: SCE example of 2018-04-01 (the utility's rate sheet)"
    assert (result.exit_code, result.stdout, result.stderr) == (0, summary + "\n", "")


def test_bad_file_gets_its_problems_on_stderr() -> None:
    """Problems are talk and go to stderr; the summary is on stdout; the exit code says configuration."""
    result = run("mode_unknown.yaml", directory=BAD, environ={"COLUMNS": "100"})
    assert result.exit_code == 2
    assert result.stdout == "mode_unknown.yaml: not usable, 1 error\n"
    assert result.stderr == (BAD / "mode_unknown.expected").read_text(encoding="utf-8")


def test_warnings_alone_are_fine() -> None:
    """A file with warnings can be used, and they are told."""
    result = run("warns_beaten.yaml", directory=BAD, environ={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert result.stdout == "warns_beaten.yaml: ok, 4 rules, 3 periods, 2 warnings\n"
    assert result.stderr == (BAD / "warns_beaten.expected").read_text(encoding="utf-8")


def test_json_is_for_programs() -> None:
    """With --json, everything is one document on stdout."""
    result = run("--json", "--config", "mode_unknown.yaml", directory=BAD)
    assert (result.exit_code, result.stderr) == (2, "")
    assert json.loads(result.stdout) == {
        "schema": "tou-scheduler/validate",
        "version": 1,
        "file": "mode_unknown.yaml",
        "ok": False,
        "problems": [
            {
                "severity": "error",
                "message": "unknown mode 'self_consumtion'",
                "file": "mode_unknown.yaml",
                "line": 12,
                "column": 17,
                "hint": "did you mean 'self_consumption'?",
            }
        ],
    }


def test_json_of_a_good_file_is_ok() -> None:
    """Warnings do not make a file bad, for programs either."""
    good = json.loads(run("--json").stdout)
    assert (good["ok"], good["problems"]) == (True, [])
    warned = json.loads(run("--json", "warns_beaten.yaml", directory=BAD).stdout)
    assert warned["ok"]
    assert [problem["severity"] for problem in warned["problems"]] == ["warning", "warning"]


def test_verbs_that_texts_name_exist() -> None:
    """Whatever `tou-scheduler VERB` a message, a hint or a comment names can be run."""
    files = [*(HERE.parent / "scheduler").rglob("*.py"), *(HERE.parent / "config").iterdir()]
    named = {
        verb
        for path in files
        for verb in re.findall(r"`tou-scheduler ([a-z]+)", path.read_text(encoding="utf-8"))
    }
    assert {"trust", "validate"} <= named <= set(VERBS)


def test_missing_file_is_a_sentence(tmp_path: Path) -> None:
    """Where there is no file, nothing breaks: it is said."""
    result = run("nowhere.yaml", directory=tmp_path)
    assert result.exit_code == 2
    assert result.stderr.startswith("error: nowhere.yaml: there is no such file\n")
