"""What nobody can know of a battery that runs: whether a login, or a restart by our doing, stops it yet. In words."""

from __future__ import annotations

from datetime import timedelta

from scheduler.app.installing import time_of_day
from scheduler.config.configuration import Configuration
from scheduler.control.ports import Clock
from scheduler.control.told import Told
from scheduler.model.errors import Transient


class Doubt(Transient):
    """The battery runs, but a login without an answer may yet stop it: nobody can know."""


class MayRestart(Doubt):
    """The battery runs, but the gateway was told to install, and may stop it by a restart ``within_s`` seconds from now."""

    def __init__(self, message: str, *, within_s: float) -> None:
        super().__init__(message)
        self.within_s = within_s


def restart_to_come(configuration: Configuration, told: Told, clock: Clock) -> MayRestart | None:
    """Until when the gateway may restart because it was told to install; None if it may not."""
    left_s, since = told.left_s, told.since
    if since is None or left_s <= 0:
        return None
    until = clock.now() + timedelta(seconds=left_s)
    return MayRestart(
        f"the gateway was told to install its firmware at {time_of_day(configuration, since)}, "
        f"and may restart once more until {time_of_day(configuration, until)}",
        within_s=left_s,
    )
