"""`status`: one screen on what the daemon knows; its exit code is for monitors."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import Exit, JsonOption, StateOption, print_json, state_dir

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from scheduler.model.hold import Hold

ProbeOption = Annotated[
    bool, typer.Option("--probe", help="One sentence only, for a health check; the exit code is the same.")
]


@dataclass(frozen=True, slots=True)
class Seen:
    """What can be known of the daemon of a state directory: for other programs, for a monitor, and as rows of a screen."""

    document: dict[str, Any]
    fine: bool
    reason: str
    rows: list[tuple[str, str]]


def status(*, state: StateOption = None, json: JsonOption = False, probe: ProbeOption = False) -> None:
    """Show what the daemon knows. Exits 0 if all is well and 1 if not; works while the daemon runs."""
    directory = state_dir(state)
    seen = found(directory)
    if json:
        print_json(seen.document)
    else:
        show(seen, directory, probe=probe)
    raise typer.Exit(Exit.FINE if seen.fine else Exit.NO)


def show(seen: Seen, directory: Path, *, probe: bool = False) -> None:
    """Print it for a person; only the sentence if that ``probe`` is all that is wanted."""
    print(f"{'fine' if seen.fine else 'NOT FINE'}: {seen.reason}")
    for label, words in () if probe else (*seen.rows, ("memory", str(directory))):
        print(f"  {label:<9} {words}")


def found(directory: Path) -> Seen:
    """What the daemon of this state directory knows, and the hold that waits for it if none runs."""
    from scheduler.app.kept import status_in
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.errors import StoreError
    from scheduler.observe.status import judge, text, waiting
    from scheduler.store import heartbeat
    from scheduler.store.lock import holder

    clock = SystemClock()
    now = clock.now()
    pid = holder(directory / "lock")
    document = None
    try:
        document = status_in(directory, now)
        silent_s = heartbeat.age_s(
            heartbeat.found(os.environ), process=pid or 0, monotonic_s=clock.monotonic()
        )
        fine, reason = judge(document, running=pid is not None, now=now, silent_s=silent_s)
    except (StoreError, ValueError) as error:
        fine, reason = False, f"the status in {directory} cannot be read: {error}"
    held = _stored(directory, now) if pid is None else None
    # Commands may have changed the hold since what a daemon knew that has ended.
    rows = [] if document is None else text(document if pid is not None else document | {"hold": None})
    return Seen(
        {
            **(document or {"schema": "tou-scheduler/status", "version": 1}),
            **({"hold": held and held.document()} if pid is None else {}),
            "running": pid is not None,
            "pid": pid,
            "fine": fine,
            "reason": reason,
        },
        fine,
        reason,
        rows if held is None else [*rows, waiting(held)],
    )


def _stored(directory: Path, now: datetime) -> Hold | None:
    """A hold that is in force though no daemon runs, whatever kind of gateway it is for."""
    from scheduler.store.holds import NAME, seen
    from scheduler.store.memory import SIMULATED

    found = (seen(folder / NAME) for folder in (directory, directory / SIMULATED))
    return next((hold for hold in found if hold is not None and hold.in_force(now)), None)
