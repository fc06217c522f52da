"""`history`: the evidence records of past switches."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from scheduler.cli.common import Exit, JsonOption, StateOption, fail, print_json, state_dir
from scheduler.cli.once import words


def history(
    *,
    state: StateOption = None,
    last: Annotated[int, typer.Option(min=1, max=5000, help="How many, the newest.")] = 20,
    json: JsonOption = False,
) -> None:
    """Show the latest switches, oldest first; works while the daemon runs."""
    from scheduler.model.errors import StoreError
    from scheduler.store.journal import switches
    from scheduler.store.memory import SIMULATED

    try:
        directory = state_dir(state)
        records = switches(directory / "journal.sqlite", last=last)
        rehearsed = not records and bool(switches(directory / SIMULATED / "journal.sqlite", last=1))
    except StoreError as error:
        fail(str(error), Exit.NO)
    if json:
        print_json(records)
        return
    for record in records:
        at = datetime.fromisoformat(record["at"])
        print(
            f"{at:%Y-%m-%d %H:%M:%S}  {record['verdict']:<13} {words(record['desired'])}  {record['message']}"
        )
    if not records:
        print(f"no switch has been recorded in {directory} yet")
    if rehearsed:
        print(f"those of a simulated gateway are shown with --state-dir {directory / SIMULATED}")
