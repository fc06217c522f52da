"""`sitemaster`: whether the battery is in service; put it into service, or take it out, by hand."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    StateOption,
    config_path,
    fail,
    fail_called_off,
    fail_for,
    fail_left,
    load_or_fail,
    print_json,
    say,
    say_doubt,
    state_dir,
)

if TYPE_CHECKING:
    from scheduler.app.service import Outcome
    from scheduler.app.visit import Interrupted

MEANS = (
    "Out of service, the battery neither charges nor discharges: the house lives on the grid alone, and is dark if the "
    "grid fails. Nobody starts it again: a daemon finds it stopped, says so, and waits. To have it back: "
    "tou-scheduler sitemaster run"
)


class Action(StrEnum):
    """What to do."""

    SHOW = "show"
    RUN = "run"
    STOP = "stop"


_WANTED = {Action.SHOW: None, Action.RUN: True, Action.STOP: False}


def sitemaster(
    action: Annotated[
        Action, typer.Argument(help="Look, put into service, or take out of service.")
    ] = Action.SHOW,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Stop without asking.")] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Show whether the battery is in service, put it into service, or take it out. Exits 1 if it is out when only shown."""
    from scheduler.app.service import set_service
    from scheduler.app.visit import Interrupted
    from scheduler.daemon.process import run_until_told
    from scheduler.model.errors import SchedulerError
    from scheduler.observe.logs import configure

    if yes and action is not Action.STOP:
        fail(f"--yes is for stop: {action} asks nothing", Exit.USAGE)
    configuration = load_or_fail(config_path(config))
    configure()
    if action is not Action.SHOW and configuration.gateway.type == "simulated":
        fail(
            "the gateway of this configuration is simulated and ends with the command, so there is nothing to run or stop; "
            "`tou-scheduler simulator` is one that stays",
            Exit.USAGE,
        )
    directory = state_dir(state)
    if action is Action.STOP and not yes:
        _ask()
    try:
        outcome = run_until_told(
            lambda stop: set_service(
                configuration, directory, wanted=_WANTED[action], stop=stop, doubt=say_doubt
            )
        )
    except Interrupted as error:
        _fail_called_off(action, error)
    except SchedulerError as error:
        fail_for(error)
    _tell(action, outcome, as_json=json)
    raise typer.Exit(_code(action, outcome))


def _fail_called_off(action: Action, error: Interrupted) -> NoReturn:
    if action is Action.SHOW:
        fail_called_off(error)
    if error.left is not None:
        fail_left(error.left)
    if error.restarted:
        what = "the login stopped the battery for a moment, and it was started again; "
    else:
        what = "a login was made; " if error.logins else ""
    fail(f"called off; {what}`tou-scheduler sitemaster` shows where the battery stands", Exit.UNVERIFIED)


def _ask() -> None:
    say(MEANS)
    if not sys.stdin.isatty():
        fail("there is no terminal to ask at; use --yes to stop it without being asked", Exit.USAGE)
    if (
        typer.prompt("Type stop to take it out of service", default="", show_default=False, err=True)
        != "stop"
    ):
        fail("not stopped", Exit.NO)


def _tell(action: Action, outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "schema": "tou-scheduler/sitemaster",
                "version": 1,
                "action": action.value,
                "before": outcome.before,
                "running": outcome.after,
                "verified": outcome.as_asked,
            }
        )
    elif not outcome.as_asked:
        say("error: the gateway took it, but did not come to it within 30 s")
    else:
        changed = "now" if outcome.before is not outcome.after else "" if action is Action.SHOW else "already"
        where = "in service" if outcome.after else "out of service"
        print(" ".join(word for word in ("the battery is", changed, where) if word))


def _code(action: Action, outcome: Outcome) -> Exit:
    if not outcome.as_asked:
        return Exit.UNVERIFIED
    return Exit.NO if action is Action.SHOW and not outcome.after else Exit.FINE
