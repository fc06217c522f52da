"""The only place where the machine's clocks are read. No decision depends on anything else.

`SystemClock` is the machine's time; `FastClock` is a time of its own that runs faster, for the demo.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from scheduler.control.ports import Clock
from scheduler.daemon import timesync
from scheduler.model.clock import Kept

READINGS = 5
"""So often both clocks are read in order to have read them at one instant: the process may be paused in between."""

AT_ONCE_S = 0.1


def manager_s() -> float:
    """Seconds of the clock by which systemd is told instants (sd_notify(3), CLOCK_MONOTONIC)."""
    return time.monotonic()


class AlarmClock(Clock, Protocol):
    """A clock whose instants can be told in the machine's time, for alarms."""

    def alarm_time(self, instant: datetime) -> datetime:
        """When an alarm for ``instant`` must ring by the machine's wall clock."""


class SystemClock:
    """The machine's time."""

    def now(self) -> datetime:
        """The wall clock, as an aware UTC datetime."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since the machine was booted, those in which it slept included: no setting of the time moves them."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def origin(self) -> datetime:
        """What the wall clock showed at the boot, by what it shows now: the two clocks are read at one instant."""
        before_s, now = self.monotonic(), self.now()
        for _ in range(READINGS):
            if self.monotonic() - before_s < AT_ONCE_S:
                break
            before_s, now = self.monotonic(), self.now()
        return now - timedelta(seconds=before_s)

    def kept(self) -> Kept:
        """What the system says of this clock."""
        return timesync.kept(self.now())

    async def sleep(self, seconds: float) -> None:
        """Wait this many seconds."""
        await asyncio.sleep(seconds)

    def alarm_time(self, instant: datetime) -> datetime:
        """When an alarm for ``instant`` must ring by the machine's wall clock: then."""
        return instant

    def agrees_with(self, zone: tzinfo) -> bool:
        """Whether the machine's own time zone shows the same time now as ``zone``."""
        now = self.now()
        return now.astimezone().utcoffset() == now.astimezone(zone).utcoffset()


class FastClock:
    """A clock that starts at ``start`` and runs ``speed`` times as fast as the machine's steady clock."""

    def __init__(self, start: datetime, speed: float) -> None:
        self._start = start
        self._speed = speed
        # In this order an alarm rings a little after this clock shows its instant, never before.
        self._origin_s = time.monotonic()
        self._origin = datetime.now(UTC)

    def now(self) -> datetime:
        """The time on this clock, as an aware UTC datetime."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds of this clock since it was started."""
        return (time.monotonic() - self._origin_s) * self._speed

    def origin(self) -> datetime:
        """What it showed at its start: nobody sets it."""
        return self._start

    def kept(self) -> Kept:
        """It is right by itself: nothing else goes by it."""
        return Kept()

    async def sleep(self, seconds: float) -> None:
        """Wait this many seconds of this clock, which are fewer of the machine's."""
        await asyncio.sleep(seconds / self._speed)

    def alarm_time(self, instant: datetime) -> datetime:
        """When this clock will show ``instant``, by the machine's wall clock."""
        return self._origin + (instant - self._start) / self._speed
