"""Every command in the README is run, in the README's order, in one shell, as a new user would type it."""

from __future__ import annotations

import ast
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT, command, environment
from readme import README, blocks, commands, sections

SECTIONS_ELSEWHERE = {
    "Install on a Pi": ("test_boot.py", "test_a_new_users_walk_ends_with_a_verified_switch"),
    "Run in Docker": ("test_image.py", "test_the_way_from_empty_folders_to_a_switch"),
}
"""Sections whose commands want root and a machine or an image of their own; the file and the test that runs their lines."""

BLOCKS = [block for title in sections() if title not in SECTIONS_ELSEWHERE for block in blocks(title)]

ELSEWHERE = {
    '.venv/bin/tou-scheduler demo --scenario "ignores writes" || echo "the demo says so, and exits with $?"': (
        "test_the_demo_says_when_the_gateway_is_broken_and_does_not_exit_0"
    ),
    ".venv/bin/tou-scheduler demo --compare": "test_the_moment_keeps_the_install_out_of_the_peak",
}
"""Commands that another test runs, because they take long; and its name."""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def test_every_make_verb_of_the_readme_exists() -> None:
    """`make` knows each verb that the README names."""
    verbs = set(re.findall(r"(?:`|^|&& )(?:sudo )?make ([a-z-]+)", README, re.MULTILINE))

    assert {"demo", "check", "test", "bench", "lock"} <= verbs
    for verb in sorted(verbs):
        result = subprocess.run(
            ["make", "--dry-run", verb], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, result.stderr


def test_commands_run_elsewhere_are_really_run_there() -> None:
    """What this file leaves to another test is in the README, and that test exists; one of a section reads its lines there."""
    tests = "".join(file.read_text() for file in (ROOT / "tests").glob("test_*.py"))
    for line, test in ELSEWHERE.items():
        assert line in README
        assert f"def {test}(" in tests
    for title, (file, test) in SECTIONS_ELSEWHERE.items():
        its = next(
            it
            for it in ast.parse((ROOT / "tests" / file).read_text()).body
            if isinstance(it, ast.FunctionDef) and it.name == test
        )
        assert commands(title)
        assert f"commands('{title}')" in ast.unparse(its)


@pytest.mark.skipif(shutil.which("curl") is None, reason="the README's session uses curl")
def test_the_commands_of_the_readme_work_in_their_order(tmp_path: Path) -> None:
    """From the simulator to curl and `explain`: each command of the README succeeds, in one shell."""
    shutil.copytree(ROOT / "config", tmp_path / "config", ignore=shutil.ignore_patterns("*.pem"))
    (tmp_path / ".venv").symlink_to(sys.prefix)
    lines = [line for block in BLOCKS for line in block.splitlines() if not line.startswith("make ")]
    script = "\n".join(line for line in lines if line not in ELSEWHERE).replace("8443", str(free_port()))
    script = f"set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{script}\n"

    result = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment(HOME=str(tmp_path), PATH=os.environ["PATH"], STATE_DIRECTORY=str(tmp_path / "state")),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )

    assert result.returncode == 0, result.stdout + result.stderr
    verdicts = re.findall(r'^(verified|already): |"verdict": "(\w+)"', result.stdout, re.MULTILINE)
    assert verdicts == [("verified", ""), ("", "already")]
    assert re.search(r'\{"real_mode":"\w+","backup_reserve_percent":', result.stdout)


def test_the_readme_shows_every_command() -> None:
    """The table of commands and the command line name the same verbs."""
    table = README[README.index("## Commands") : README.index("`--config FILE` names")]
    shown = set(re.findall(r"`([a-z]+)`(?=[^|]*\| )", table))
    known = subprocess.run(
        [str(Path(sys.executable).with_name("tou-scheduler")), "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    verbs = set(re.findall(r"^  ([a-z]+)  ", known[known.index("Commands:") :], re.MULTILINE))

    assert verbs == shown


def test_the_rule_that_the_readme_shows_can_be_used(tmp_path: Path) -> None:
    """A rule shown for copying, put into the shipped file, is a valid file whose plan has that moment."""
    (rule,) = re.findall(r"```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    shipped = (ROOT / "config" / "tou.yaml").read_text()
    file = tmp_path / "tou.yaml"
    file.write_text(shipped.replace("\ndefault:", f"\n{rule}\ndefault:", 1))

    done = command("plan", "--from", "2026-07-01", "--days", "1", "--config", str(file), cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert re.search(r"13:00 +check_path.*Rehearse before the peak", done.stdout), done.stdout
