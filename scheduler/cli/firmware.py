"""`firmware`: which version the gateway runs, what waits, what is under way, what happened; and ask for an update now."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

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
    load_or_fail,
    print_json,
    say,
    say_doubt,
    state_dir,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.app.firmware import Known
    from scheduler.config.configuration import Configuration

_NOTHING = ("firmware", "not known yet")
_PHASES = {
    "path": "seeing whether a switch would come through",
    "ask": "asking the gateway to look for an update",
    "poll": "waiting for what the gateway finds",
    "install": "installing",
    "return": "seeing to the battery after the install",
}


def firmware(
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Have the gateway look for an update now; installs nothing.")
    ] = False,
    last: Annotated[int, typer.Option(min=1, max=5000, help="How many events, the newest.")] = 20,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Show the gateway's firmware, what waits to be installed, and past upgrades and checks; works while the daemon runs.

    With --check, exits 0 if the gateway told whether an update waits, as far as this login may know, and 1 if it could
    not find out or is installing; what is known without asking is shown in any case. What it told is kept for the next time.
    """
    from scheduler.app.firmware import recall
    from scheduler.model.errors import StoreError

    configuration = load_or_fail(config_path(config), warn=check)
    directory = state_dir(state)
    try:
        known = recall(
            configuration,
            directory,
            last=last,
            damaged=lambda error: say(str(error)),
        )
    except StoreError as error:
        fail_for(error)

    def show(document: dict[str, Any]) -> None:
        if json:
            print_json(document)
        else:
            _print(document, directory, asked=check)

    if check:
        _check(configuration, directory, known, show)
    else:
        show(known.document(configuration.schedule.zone))


def _check(
    configuration: Configuration, directory: Path, known: Known, show: Callable[[dict[str, Any]], None]
) -> NoReturn:
    """Ask the gateway, unless it is at an install; show what is known then, whatever comes of it, and end the program."""
    from scheduler.app.firmware import check
    from scheduler.app.installing import Installing
    from scheduler.app.visit import Interrupted
    from scheduler.daemon.clock import SystemClock
    from scheduler.daemon.process import run_until_told
    from scheduler.model.errors import SchedulerError
    from scheduler.observe.logs import configure

    zone = configuration.schedule.zone
    configure()
    say("asking the gateway; to look for an update can take it some minutes")
    try:
        checked = run_until_told(lambda stop: check(configuration, directory, stop=stop, doubt=say_doubt))
    except Interrupted as error:
        show(known.document(zone))
        fail_called_off(error)
    except SchedulerError as error:
        show(known.document(zone))
        if isinstance(error, Installing):
            fail(str(error), Exit.NO)
        fail_for(error)
    document = known.after(checked, SystemClock().now()).document(zone)
    show(document | {"check": {"outcome": checked.outcome.value, "message": checked.message}})
    if not checked.kept:
        why = "a daemon owns it" if known.running else "it cannot be written"
        say(f"that is not kept in {directory}: {why}")
    raise typer.Exit(Exit.FINE if checked.answered else Exit.NO)


def _print(document: dict[str, Any], directory: Path, *, asked: bool) -> None:
    shown = rows(document)
    if shown == [_NOTHING] and not document["events"]:
        hint = "" if asked else "; --check asks the gateway"
        print(f"nothing is known of the gateway's firmware in {directory} yet{hint}")
        return
    for label, words in shown:
        print(f"{label:<9} {words}")
    print()
    for event in document["events"]:
        print(event_line(event))
    if not document["events"]:
        print(f"no upgrade and no check has been recorded in {directory} yet")


def rows(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The screen above the history as pairs of label and words."""
    shown = [("firmware", document["firmware"]) if document["firmware"] else _NOTHING]
    if document["known_since"]:
        shown.append(("seen", f"first at {_clock(document['known_since'])}"))
    if document["started"]:
        shown.append(("started", f"{document['started']}, by the gateway's own clock"))
    if document["waiting"]:
        waiting = document["waiting"]
        shown.append(("waiting", f"as of {_clock(waiting['at'])}: {waiting['message']}"))
        shown.append(("next", _next_install(document["next_install"])))
    if document["under_way"]:
        shown.append(("under way", _under_way(document["under_way"])))
    if "check" in document:
        shown.append(("asked now", document["check"]["message"]))
    return shown


def _next_install(moment: dict[str, Any] | None) -> str:
    if moment is None:
        return "no rule of the file installs it; a check_firmware with install: true would"
    condition = "" if moment["if"] is None else f" if {moment['if']}, and"
    over = f" by {_clock(moment['done_by'])}" if moment["done_by"] else " in time"
    return (
        f"at {_clock(moment['at'])} {moment['rule']} (line {moment['line']}) installs it,{condition} "
        f"if that can be over{over}"
    )


def _under_way(errand: dict[str, Any]) -> str:
    doing = _PHASES[errand["phase"]]
    if errand["phase"] == "install" and errand["since"]:
        doing = f"installing since {_clock(errand['since'])}"
    stopped = "" if errand["running"] else "; no daemon runs, and the next one goes on from there"
    return (
        f"{errand['do']} of {_clock(errand['at'])}, {errand['rule']} (line {errand['line']}): {doing}, "
        f"to be over by {_clock(errand['ends'])}{stopped}"
    )


def event_line(event: dict[str, Any]) -> str:
    """One event of the history: when, what, and the sentence that was told then."""
    what = str(event.get("event"))
    if what == "moment_ended":
        what = f"{event.get('do')}: {event.get('outcome')}"
    elif what == "path":
        what = "path open" if event.get("is_open") else "path shut"
    at = str(event.get("at"))[:19].replace("T", " ")
    return f"{at}  {what:<30}  {event.get('message', '')}"


def _clock(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%Y-%m-%d %H:%M}"
