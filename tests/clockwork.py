"""A clock for tests that passes only while somebody sleeps on it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from scheduler.model.clock import Kept


class VirtualClock:
    """Both clocks of the port; a sleep lets its seconds go by at once."""

    def __init__(self, start: datetime) -> None:
        self._start = start.astimezone(UTC)
        self.passed_s = 0.0
        self.step = timedelta(0)
        self.says = Kept()

    def now(self) -> datetime:
        """The wall clock; set ``step`` to let it jump."""
        return self._start + timedelta(seconds=self.passed_s) + self.step

    def monotonic(self) -> float:
        """Seconds since the start."""
        return self.passed_s

    def origin(self) -> datetime:
        """What the wall clock showed at the start, by what it shows now."""
        return self.now() - timedelta(seconds=self.monotonic())

    def kept(self) -> Kept:
        """Somebody keeps it, unless ``says`` was set to something else."""
        return self.says

    async def sleep(self, seconds: float) -> None:
        """Let this much time go by."""
        self.passed_s += seconds
        await asyncio.sleep(0)
