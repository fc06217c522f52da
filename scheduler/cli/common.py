"""What the verbs share: exit codes, common options, where files lie, how configuration problems are shown.

No verb and no policy about the battery lives here.
"""

from __future__ import annotations

import json
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from scheduler.config.configuration import Configuration
    from scheduler.model.errors import SchedulerError


class Exit(IntEnum):
    """Exit codes, the same for every verb (README, *Commands*)."""

    FINE = 0
    NO = 1
    USAGE = 2
    UNREACHABLE = 3
    UNVERIFIED = 4
    REFUSED = 5


ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        envvar="TOU_CONFIG",
        help="The configuration file; else config/tou.yaml here, else /etc/tou-scheduler/tou.yaml.",
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="STATE_DIRECTORY",
        help="Where journal, marker and status are kept; else the user's state directory.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]

_CONFIG_HERE = Path("config/tou.yaml")
_CONFIG_SYSTEM = Path("/etc/tou-scheduler/tou.yaml")


def config_path(given: Path | None) -> Path:
    """The configuration file to read: the one given, else the one here, else the system's."""
    if given is not None:
        return given
    return _CONFIG_HERE if _CONFIG_HERE.exists() or not _CONFIG_SYSTEM.exists() else _CONFIG_SYSTEM


def state_dir(given: Path | None) -> Path:
    """The directory for state: the one given (systemd gives it, too), else the user's."""
    if given is not None:
        return given
    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError:  # a user without a home
        fail("there is no home to keep anything in; name a folder with --state-dir", Exit.USAGE)
    return Path(base) / "tou-scheduler"


def load_or_fail(path: Path, *, warn: bool = True) -> Configuration:
    """The configuration; its problems end the program with exit code 2, its warnings are said if ``warn``."""
    from scheduler.config.load import load
    from scheduler.config.problems import ConfigurationError, render

    try:
        configuration = load(path)
    except ConfigurationError as error:
        say(render(error.problems))
        raise typer.Exit(Exit.USAGE) from None
    if warn and configuration.warnings:
        say(render(configuration.warnings))
    return configuration


def say(message: str) -> None:
    """Talk to the person, on stderr: stdout is for data."""
    print(message, file=sys.stderr)


def fail(message: str, code: Exit) -> NoReturn:
    """Say why, and end with this exit code."""
    say(f"error: {message}")
    raise typer.Exit(code)


def fail_for(error: SchedulerError) -> NoReturn:
    """Say what went wrong, and end with the exit code for whoever acts."""
    from scheduler.model.errors import Refused, StoreError
    from scheduler.simulator.errors import SimulatorError
    from scheduler.store.lock import Held

    if isinstance(error, Refused):
        fail(str(error), Exit.REFUSED)
    if isinstance(error, StoreError) and not isinstance(error, Held):
        fail(f"{error}; name another folder with --state-dir", Exit.USAGE)
    fail(str(error), Exit.USAGE if isinstance(error, SimulatorError) else Exit.UNREACHABLE)


def print_json(document: Any) -> None:
    """Print one JSON document on stdout."""
    print(json.dumps(document, indent=2, ensure_ascii=False))
