"""`service status` and `service logs`: what systemd knows of the daemon."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import Exit, JsonOption, fail, print_json, say

if TYPE_CHECKING:
    from scheduler.app.manager import State
    from scheduler.app.places import Places

RootOption = Annotated[
    Path | None,
    typer.Option(
        "--root", hidden=True, help="Put everything below this folder: for trying it without being root."
    ),
]
_SYSTEM = Path("/")


def places_below(root: Path | None) -> Places:
    """Where the parts of the service lie: on this system, or below another folder."""
    from scheduler.app.places import Places

    return Places(root=root.absolute() if root is not None else _SYSTEM)


def status(*, json: JsonOption = False, root: RootOption = None) -> None:
    """Show what systemd says of the service, and what the daemon does.

    Exits 0 if it runs and all is well, and 1 if not, or if that may be seen with sudo only.
    """
    from scheduler.app.command import CommandFailed
    from scheduler.app.manager import look

    places = places_below(root)
    try:
        state = look()
    except CommandFailed as error:
        fail(str(error), Exit.NO)
    if json:
        daemon = _daemon_document(places) if state.is_known else None
        fine = _is_fine(state, daemon=daemon is not None and daemon["fine"])
        print_json(
            {
                "schema": "tou-scheduler/service",
                "version": 1,
                "installed": state.is_known,
                "active": state.is_active,
                "starts_at_boot": state.starts_at_boot,
                "trouble": state.trouble,
                "properties": dict(state.properties),
                "daemon": daemon,
                "fine": fine,
            }
        )
        raise typer.Exit(Exit.FINE if fine else Exit.NO)
    if not state.is_known:
        fail("there is no service here; `sudo tou-scheduler service install` sets it up", Exit.NO)
    for label, words in _told(state):
        print(f"{label:<9} {words}")
    fine = _is_fine(state, daemon=_show_daemon(places))
    raise typer.Exit(Exit.FINE if fine else Exit.NO)


def logs(context: typer.Context) -> None:
    """Show the service's journal. What follows goes to journalctl: -f follows, -n 50 shows the last 50 lines."""
    from scheduler.app.command import CommandFailed, program
    from scheduler.app.places import UNIT

    try:
        journalctl = program("journalctl")
    except CommandFailed as error:
        fail(str(error), Exit.NO)
    os.execv(journalctl, [journalctl, f"--unit={UNIT}", *context.args])  # noqa: S606 - no shell is wanted


def _told(state: State) -> list[tuple[str, str]]:
    """What systemd says, label by label."""
    it = state.properties
    told = [
        (
            "service",
            f"{it.get('ActiveState')} ({it.get('SubState')}) since {it.get('StateChangeTimestamp') or 'boot'}",
        ),
        (
            "at boot",
            "started" if state.starts_at_boot else "not started: sudo systemctl enable tou-scheduler",
        ),
    ]
    if it.get("NRestarts", "0") != "0":
        told.append(("restarts", f"{it['NRestarts']}, by systemd since somebody last started it"))
    if it.get("StatusText"):
        told.append(("says", it["StatusText"]))
    if state.trouble is not None:
        told.append(("trouble", state.trouble))
    if state.is_outdated:
        told.append(("note", "the unit was edited: sudo systemctl daemon-reload"))
    return told


def _is_fine(state: State, *, daemon: bool) -> bool:
    """Whether all is well: systemd knows of no trouble, and the ``daemon`` says so of itself."""
    return daemon and state.is_active and state.trouble is None


def _show_daemon(places: Places) -> bool:
    """Print what the daemon itself says, as `status` does; whether it says that all is well."""
    from scheduler.cli.status import found, show

    memory = places.memory[0]
    if not os.path.lexists(memory):
        print("it has no memory: it was not started yet")
        return False
    if not _may_enter(memory):
        say("what the daemon itself says may be seen with sudo only")
        return False
    seen = found(memory)
    show(seen, memory)
    return seen.fine


def _daemon_document(places: Places) -> dict[str, Any] | None:
    """What the daemon itself says, as `status --json` prints it; None if it may not be seen, or if it was not started yet."""
    from scheduler.cli.status import found

    memory = places.memory[0]
    return found(memory).document if _may_enter(memory) else None


def _may_enter(memory: Path) -> bool:
    return os.access(memory, os.R_OK | os.X_OK)
