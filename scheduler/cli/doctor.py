"""`doctor`: walk from the gateway's name to its operation mode, and say at each step what to do if it fails."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    StateOption,
    can_say,
    config_path,
    fail_called_off,
    fail_for,
    load_or_fail,
    print_json,
    state_dir,
)

if TYPE_CHECKING:
    from scheduler.app.findings import Finding

_SIGNS = {"passed": ("✓", "+", typer.colors.GREEN), "failed": ("✗", "x", typer.colors.RED)}
_NO_SIGN = ("–", "-", typer.colors.BRIGHT_BLACK)  # noqa: RUF001 - a dash, and meant as one
_COLUMNS = 100
_INDENT = " " * 26


def doctor(*, config: ConfigOption = None, state: StateOption = None, json: JsonOption = False) -> None:
    """Check the way to the gateway, step by step, and say what to do about each one that fails. Writes nothing."""
    from scheduler.app.doctor import examine
    from scheduler.app.visit import Interrupted
    from scheduler.daemon.process import run_until_told
    from scheduler.model.errors import SchedulerError
    from scheduler.observe.logs import configure

    configuration = load_or_fail(config_path(config))
    directory = state_dir(state)
    configure()

    def show(finding: Finding) -> None:
        print(shown(finding), flush=True)

    try:
        findings = run_until_told(
            lambda stop: examine(configuration, directory, tell=(lambda _: None) if json else show, stop=stop)
        )
    except Interrupted as error:
        fail_called_off(error)
    except SchedulerError as error:
        fail_for(error)
    if json:
        print_json(document(findings))
    raise typer.Exit(Exit.NO if _failures(findings) else Exit.FINE)


def document(findings: list[Finding]) -> dict[str, Any]:
    """The findings for other programs."""
    return {
        "schema": "tou-scheduler/doctor",
        "version": 1,
        "findings": [finding.document() for finding in findings],
        "verdict": "trouble" if _failures(findings) else "fine",
    }


def shown(finding: Finding) -> str:
    """One finding for a person: sign, step, time, a sentence, and what to do if it failed. Colour only on a terminal."""
    terminal = sys.stdout.isatty()
    fancy, plain, colour = _SIGNS.get(finding.outcome, _NO_SIGN)
    sign = fancy if can_say(fancy) else plain
    took = "" if finding.ms is None else f"{finding.ms} ms"
    columns = max(shutil.get_terminal_size((_COLUMNS, 24)).columns if terminal else _COLUMNS, 60)
    lines = textwrap.wrap(
        f"{finding.step:<12} {took:>9}  {finding.says}",
        columns,
        initial_indent="  ",
        subsequent_indent=_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
    if finding.remedy is not None:
        lines += textwrap.wrap(
            f"do: {finding.remedy}",
            columns,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT + "    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    if terminal and not os.environ.get("NO_COLOR"):
        sign = typer.style(sign, fg=colour)
    return "\n".join([sign + lines[0][1:], *lines[1:]])


def _failures(findings: list[Finding]) -> int:
    return sum(finding.outcome == "failed" for finding in findings)
