"""`run`: the daemon."""

from __future__ import annotations

import asyncio
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    StateOption,
    config_path,
    fail,
    fail_for,
    load_or_fail,
    state_dir,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from scheduler.config.configuration import Configuration
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.errors import GatewayError
    from scheduler.model.events import Event


def run(*, config: ConfigOption = None, state: StateOption = None) -> None:
    """Run the schedule until told to stop. SIGHUP takes up an edited file, and so does saving it."""
    _spare_extras()
    from scheduler.daemon import process
    from scheduler.model.errors import SchedulerError
    from scheduler.observe.logs import configure

    configure()
    configuration = load_or_fail(config_path(config), warn=False)
    try:
        left = process.run(_serve(configuration, state_dir(state)))
    except SchedulerError as error:
        fail_for(error)
    if left is not None:
        fail(
            f"the battery may stand still: {left}; start it in the gateway's own page, or start this daemon again",
            Exit.UNREACHABLE,
        )


def _spare_extras() -> None:
    """Say that `rich`, `h2` and the command line of httpx are not there: structlog and httpx load what they find.

    The daemon draws nothing on a terminal and speaks HTTP/1.1; it would pay 8 MB and 0.1 s for it. None in this place is
    Python's own word for a module that must not be found, and both libraries then do without.
    """
    for extra in ("rich", "h2", "httpx._main"):
        sys.modules.setdefault(extra, None)  # type: ignore[arg-type]


async def _serve(configuration: Configuration, directory: Path) -> GatewayError | None:
    from scheduler.app import Daemon
    from scheduler.daemon.clock import SystemClock
    from scheduler.observe.logs import listener

    clock = SystemClock()
    listeners: list[Callable[[Event], None]] = []
    daemon = Daemon(configuration, directory, listeners, clock, oddities=partial(_oddities, clock))
    listeners.append(listener(daemon.zone))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, daemon.stop.set)
    loop.add_signal_handler(signal.SIGHUP, daemon.reload)
    return await daemon.run()


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
