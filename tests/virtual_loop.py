"""An event loop whose time passes at once where nobody has anything to do, and a clock that goes by it. No tests here."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from clockwork import VirtualClock

Came = TypeVar("Came")


class _Waiting(selectors.DefaultSelector):
    """Does not wait for files: the time that the loop would have waited goes by in ``waited_s``."""

    waited_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; where nothing is, so much time has gone by."""
        ready = super().select(0)
        if not ready:
            assert timeout is not None, "everybody waits for something that nobody does"
            self.waited_s += max(timeout, 0.0)
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in which ten seconds of a deadline cost microseconds, and end neither early nor late."""

    def __init__(self) -> None:
        self._waiting = _Waiting()
        super().__init__(self._waiting)

    def time(self) -> float:
        """Seconds since the loop was made, as far as anybody waited."""
        return self._waiting.waited_s


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


def run_virtually(what: Coroutine[Any, Any, Came]) -> Came:
    """What comes of it, in a loop whose time passes at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(what)
