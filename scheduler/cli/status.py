"""`status`: one screen on what the daemon knows; its exit code is for monitors."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from scheduler.cli.common import Exit, JsonOption, StateOption, print_json, state_dir

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from scheduler.model.hold import Hold

ProbeOption = Annotated[
    bool, typer.Option("--probe", help="One sentence only, for a health check; the exit code is the same.")
]


def status(*, state: StateOption = None, json: JsonOption = False, probe: ProbeOption = False) -> None:
    """Show what the daemon knows. Exits 0 if all is well and 1 if not; works while the daemon runs."""
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.errors import StoreError
    from scheduler.observe.status import judge, parse, text, waiting
    from scheduler.store import durable, heartbeat
    from scheduler.store.lock import holder

    directory = state_dir(state)
    clock = SystemClock()
    now = clock.now()
    pid = holder(directory / "lock")
    document = None
    try:
        content = durable.read(directory / "status.json")
        document = None if content is None else parse(content, now)
        silent_s = heartbeat.age_s(
            heartbeat.found(os.environ), process=pid or 0, monotonic_s=clock.monotonic()
        )
        fine, reason = judge(document, running=pid is not None, now=now, silent_s=silent_s)
    except (StoreError, ValueError) as error:
        fine, reason = False, f"the status in {directory} cannot be read: {error}"
    held = None if probe or pid is not None else _stored(directory, now)
    if json:
        print_json(
            {
                **(document or {"schema": "tou-scheduler/status", "version": 1}),
                **({"hold": held and held.document()} if pid is None else {}),
                "running": pid is not None,
                "pid": pid,
                "fine": fine,
                "reason": reason,
            }
        )
    else:
        print(f"{'fine' if fine else 'NOT FINE'}: {reason}")
        if document is not None and pid is None:  # commands may have changed since what its daemon knew
            document["hold"] = None
        rows = [] if document is None or probe else text(document)
        for label, words in rows if held is None else [*rows, waiting(held)]:
            print(f"  {label:<9} {words}")
        if not probe:
            print(f"  {'memory':<9} {directory}")
    raise typer.Exit(Exit.FINE if fine else Exit.NO)


def _stored(directory: Path, now: datetime) -> Hold | None:
    """A hold that is in force though no daemon runs, whatever kind of gateway it is for."""
    from scheduler.store.holds import NAME, seen
    from scheduler.store.memory import SIMULATED

    found = (seen(folder / NAME) for folder in (directory, directory / SIMULATED))
    return next((hold for hold in found if hold is not None and hold.in_force(now)), None)
