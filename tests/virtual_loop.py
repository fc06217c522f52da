"""An event loop whose time passes at once where nobody has anything to do, and a clock that goes by it. No tests here."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

from clockwork import VirtualClock

from scheduler.app.rehearsal.virtual import run_virtually

__all__ = ["LoopClock", "run_virtually"]


class LoopClock(VirtualClock):
    """Both clocks of the port, by the time of the loop that it is made in: deadlines and pauses are of one time."""

    def __init__(self, start: datetime) -> None:
        super().__init__(start)
        self._loop = asyncio.get_running_loop()
        self._began_s = self._loop.time()

    def now(self) -> datetime:
        """The wall clock."""
        return self._start + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._loop.time() - self._began_s

    async def sleep(self, seconds: float) -> None:
        """Wait, while others go on."""
        await asyncio.sleep(seconds)
