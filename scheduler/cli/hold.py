"""`hold`: a person's setpoint above the rules, with an end always."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    StateOption,
    config_path,
    fail,
    fail_for,
    load_or_fail,
    print_json,
    say,
    state_dir,
)

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from scheduler.model.hold import Hold


def hold(
    *,
    mode: Annotated[
        str | None, typer.Option(metavar="MODE", help="self_consumption, backup or autonomous.")
    ] = None,
    reserve: Annotated[
        float | None, typer.Option(metavar="PERCENT", help="The reserve, as the app shows it.")
    ] = None,
    until: Annotated[
        str | None,
        typer.Option(
            metavar="WHEN",
            help="A time on the site's clock (18:30 for the next one, '2026-07-01 18:30') or for how long (2h, 1d); "
            "at most 7 days. Else until the plan's next boundary.",
        ),
    ] = None,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Hold a mode, a reserve or both until a time; what is left out follows the rules. `resume` ends it.

    Exits 0 once the daemon has proven it, and 4 if it is stored and not proven yet, as where no daemon runs.
    """
    from scheduler.app import holds
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.errors import SchedulerError

    configuration = load_or_fail(config_path(config), warn=False)
    directory, clock = state_dir(state), SystemClock()
    try:
        setpoint = holds.asked(mode, reserve, configuration)
        wanted = holds.made(setpoint, until, configuration, clock.now())
        holds.keep(wanted, configuration, directory)
    except holds.Senseless as error:
        fail(str(error), Exit.USAGE)
    except SchedulerError as error:
        fail_for(error)
    zone = configuration.schedule.zone
    if not json:
        say(f"held: {wanted.setpoint} until {wanted.until.astimezone(zone):%a %d %b %H:%M %Z}")
    tell(directory, wanted, zone=zone, json=json)


def tell(directory: Path, wanted: Hold | None, *, zone: tzinfo | None, json: bool) -> None:
    """Wait for what the daemon makes of the hold, or of there being none any more; print it, and end with its exit code."""
    import asyncio

    from scheduler.app import holds
    from scheduler.cli.once import code_of
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.evidence import Verdict

    def waiting() -> None:
        if not json:
            say("waiting for the daemon's verdict")

    found: dict[str, Any] | None = asyncio.run(
        holds.answer(directory, wanted, SystemClock(), waiting=waiting)
    )
    verdict = None if found is None else found["verdict"]
    if found is None:
        next_one = "starts by the rules" if wanted is None else "takes the hold up while it lasts"
        message = f"no daemon runs with this state directory; the next one {next_one}"
        code = Exit.FINE if wanted is None else Exit.UNVERIFIED
    elif verdict is None:
        message = f"not proven yet: {found['trouble'] or 'the daemon is at it'}; `tou-scheduler status` tells"
        code = Exit.UNVERIFIED
    else:
        message, code = found["verdict_message"], code_of(Verdict(verdict))
    if json:
        print_json(
            {
                "schema": "tou-scheduler/hold",
                "version": 1,
                "hold": None if wanted is None else wanted.document(zone),
                "running": found is not None,
                "verdict": verdict,
                "message": message,
            }
        )
    else:
        print(message if verdict is None else f"{verdict}: {message}")
    raise typer.Exit(code)
