"""`run`: the daemon."""

from __future__ import annotations

import asyncio
import os
import signal
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    StateOption,
    config_path,
    fail,
    fail_for,
    load_or_fail,
    say,
    state_dir,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from datetime import tzinfo
    from pathlib import Path

    from scheduler.config.configuration import Configuration
    from scheduler.daemon.clock import SystemClock
    from scheduler.daemon.reload import Contents
    from scheduler.model.errors import GatewayError
    from scheduler.model.events import Event


StayOption = Annotated[
    bool,
    typer.Option(
        "--stay",
        help="As a service: with a broken or missing file stay up, say so, run the last good plan, and take up the mended file.",
    ),
]
ExampleOption = Annotated[
    bool,
    typer.Option(
        "--write-example", help="Where there is no configuration file, write the example there first."
    ),
]


def run(
    *,
    config: ConfigOption = None,
    state: StateOption = None,
    stay: StayOption = False,
    write_example: ExampleOption = False,
) -> None:
    """Run the schedule until told to stop. SIGHUP takes up an edited file, and so does saving it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until it can be obeyed, it must not end us
    from scheduler.model.errors import SchedulerError
    from scheduler.store import lock

    directory = state_dir(state)
    try:  # before all that takes long to load: who is one too many is told at once
        lock.look(directory / "lock")
    except SchedulerError as error:
        fail_for(error)
    from scheduler.daemon import process
    from scheduler.observe.logs import configure

    configure()
    path = config_path(config)
    if write_example:
        _write_example(path)
    # Before the lock, for all problems of a file at once: it is a person's, and reading it changes nothing that is kept.
    configuration = None if stay else load_or_fail(path, warn=False)
    try:
        left = process.run(_serve(path, configuration, directory))
    except SchedulerError as error:
        fail_for(error)
    if left is not None:
        fail(
            f"the battery may stand still: {left}; start it in the gateway's own page, or start this daemon again",
            Exit.UNREACHABLE,
        )


async def _serve(path: Path, configuration: Configuration | None, directory: Path) -> GatewayError | None:
    """Run this configuration, or without one stay up whatever the file at ``path`` is worth."""
    from scheduler.app.daemon import Daemon
    from scheduler.app.pulse import Pulse
    from scheduler.app.stay import Standby
    from scheduler.daemon.clock import SystemClock
    from scheduler.observe.logs import listener

    clock, stop = SystemClock(), asyncio.Event()
    made: list[Daemon] = []

    def zone() -> tzinfo:
        return made[-1].zone() if made else UTC

    tell = listener(zone)

    def make(
        configuration: Configuration, problem: str | None = None, seen: Contents | None = None
    ) -> Daemon:
        daemon = Daemon(
            configuration,
            directory,
            [tell],
            clock,
            oddities=partial(_oddities, clock),
            stop=stop,
            pulse=pulse,
            problem=problem,
            seen=seen,
        )
        made[:] = [daemon]
        return daemon

    with Pulse(clock, tell) as pulse:
        served: Daemon | Standby
        if configuration is None:
            served = Standby(path, directory, make, stop=stop, pulse=pulse, clock=clock, listeners=[tell])
        else:
            served = make(configuration)
        loop = asyncio.get_running_loop()
        for name in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(name, stop.set)
        loop.add_signal_handler(signal.SIGHUP, served.reload)
        return await _told(served.run(), tell, clock)


async def _told(
    work: Coroutine[Any, Any, GatewayError | None], tell: Callable[[Event], None], clock: SystemClock
) -> GatewayError | None:
    """Do it; a bug of ours is a line of the log, and an exit code upon which the process is started anew."""
    from scheduler.daemon.deadman import HUNG
    from scheduler.daemon.process import where
    from scheduler.model.ends import Failed
    from scheduler.model.errors import SchedulerError

    try:
        return await work
    except SchedulerError:
        raise
    except Exception as error:  # noqa: BLE001 - nobody foresaw what it is
        tell(Failed(at=clock.now(), message=f"a bug of ours: {where(error)}; this process ends itself"))
        raise typer.Exit(HUNG) from None


def _write_example(path: Path) -> None:
    """Have the example where there is no file yet; what keeps us from it is said, and the missing file is told after it."""
    from scheduler.app.shipped import shipped
    from scheduler.model.errors import SchedulerError
    from scheduler.store import durable

    if os.path.exists(path):  # noqa: PTH110 - pathlib's own raises, before Python 3.12, where a folder may not be entered
        return
    try:
        durable.create(path, shipped("tou.yaml"))
    except SchedulerError as error:
        say(f"error: no example could be written: {error}")
    else:
        say(f"an example was written to {path}: put your tariff and your gateway's address into it")


def _oddities(clock: SystemClock, configuration: Configuration) -> list[Event]:
    """What a person should know of a configuration, as events: a daemon's warnings belong in its log."""
    from scheduler.model.events import PlanWarning, ZoneDiffers

    now = clock.now()
    oddities: list[Event] = [PlanWarning(at=now, message=str(warning)) for warning in configuration.warnings]
    zone = configuration.schedule.zone
    if not clock.agrees_with(zone):
        message = (
            f"the machine shows another local time than {zone}; the plan goes by {zone}, as the file says"
        )
        oddities.append(ZoneDiffers(at=now, message=message))
    return oddities
