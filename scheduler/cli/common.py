"""What the verbs share: exit codes, common options, where files lie, how configuration problems are shown.

No verb and no policy about the battery lives here.
"""

from __future__ import annotations

import io
import json
import os
import sys
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from scheduler.app.visit import Doubt, Interrupted
    from scheduler.config.configuration import Configuration
    from scheduler.model.errors import GatewayError, SchedulerError


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
        help="The configuration file; else config/tou.yaml here, else /etc/tou-scheduler/tou.yaml; for root the other way round.",
    ),
]
StateOption = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        envvar="STATE_DIRECTORY",
        help="Where journal, marker and status are kept; else the service's /var/lib/tou-scheduler, if there is one; "
        "else the user's state directory.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]

_CONFIG_HERE = Path("config/tou.yaml")
_CONFIG_SYSTEM = Path("/etc/tou-scheduler/tou.yaml")
_STATE_OF_SERVICE = Path("/var/lib/tou-scheduler")


def config_path(given: Path | None) -> Path:
    """The configuration file to read: the one given, else the one here, else the system's.

    Root has the system's first: its state directory is the service's, too, and a clone that root stands in is none of it.
    """
    if given is not None:
        return given
    if _is_there(_CONFIG_SYSTEM) and (os.geteuid() == 0 or not _is_there(_CONFIG_HERE)):
        return _CONFIG_SYSTEM
    return _CONFIG_HERE


def _is_there(path: Path) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - Path's raises where one may not look, such as in another user's folder


def state_dir(given: Path | None) -> Path:
    """The directory for state: the one given (systemd gives it, too), else the service's if there is one, else the user's.

    Whoever looked elsewhere would not see that a daemon owns the battery.
    """
    from scheduler.model.errors import StoreError

    try:
        return state_dir_if_any(given)
    except StoreError as error:
        fail(str(error), Exit.USAGE)


def state_dir_if_any(given: Path | None) -> Path:
    """The same for who can do without one: StoreError, in a sentence, where it may not be entered or there is none."""
    from scheduler.model.errors import StoreError

    if given is not None:
        return given
    # With DynamicUser= it is a link into a folder that only root may enter: where it leads cannot be seen then.
    if os.path.lexists(_STATE_OF_SERVICE):
        if not os.access(_STATE_OF_SERVICE, os.R_OK | os.X_OK):
            raise StoreError(
                f"the service's memory, {_STATE_OF_SERVICE}, may not be entered; run this with sudo, or name another "
                "folder with --state-dir if it is not about that service"
            )
        return _STATE_OF_SERVICE
    return _users_state_dir()


def users_state_dir() -> Path:
    """The user's own directory for state, service or not."""
    from scheduler.model.errors import StoreError

    try:
        return _users_state_dir()
    except StoreError as error:
        fail(str(error), Exit.USAGE)


def _users_state_dir() -> Path:
    from scheduler.model.errors import StoreError

    try:
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    except RuntimeError as error:  # a user without a home
        raise StoreError("there is no home to keep anything in; name a folder with --state-dir") from error
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
        hint = "; run this with sudo if that is the service's, or name another folder with --state-dir"
        fail(f"{error}{hint if isinstance(error.__cause__, PermissionError) else ''}", Exit.USAGE)
    fail(str(error), Exit.USAGE if isinstance(error, SimulatorError) else Exit.UNREACHABLE)


def say_doubt(doubt: Doubt) -> None:
    """Say, beside a result, what nobody can know about the battery, and how to be sure."""
    from scheduler.app.doubt import MayRestart

    after = "after that " if isinstance(doubt, MayRestart) else ""
    say(f"{doubt}; {after}`tou-scheduler sitemaster run` makes sure")


def fail_called_off(error: Interrupted) -> NoReturn:
    """End a visit that only looked, and that a person ended before it was over; say what came of the battery."""
    if error.left is not None:
        fail_left(error.left)
    if error.restarted:
        fail("called off; the login stopped the battery for a moment, and it runs again", Exit.NO)
    changed = "a login was made, and nothing was changed" if error.logins else "nothing was changed"
    fail(f"called off; {changed}", Exit.NO)


def fail_left(left: GatewayError) -> NoReturn:
    """End because the battery may stand still after a login of ours."""
    fail(
        f"called off; the battery may stand still: {left}; `tou-scheduler sitemaster run` starts it",
        Exit.UNREACHABLE,
    )


def print_json(document: Any) -> None:
    """Print one JSON document on stdout, with escapes for what its encoding has not."""
    text = json.dumps(document, indent=2, ensure_ascii=False)
    print(text if can_say(text) else json.dumps(document, indent=2))


def can_say(text: str) -> bool:
    """Whether stdout can show these characters: a terminal or a pipe may be set to an encoding that lacks them."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except UnicodeError:
        return False
    return True


def say_all() -> None:
    """From now on print what stdout's encoding lacks as escapes, and never end in a traceback for a letter."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
