"""What happens when in a rehearsal: what a script or a plan lets happen, and the alarms that the program armed."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Callable, Mapping
from datetime import datetime

from scheduler.app.rehearsal.virtual import RehearsalClock, grained


class Hours:
    """Things that happen at an instant of the rehearsal, in seconds since it began; it ends at ``ends_s``."""

    def __init__(self, clock: RehearsalClock, ends_s: float) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._due: list[float] = []
        self.ends_s = ends_s

    def at(self, at_s: float, act: Callable[[], None], *, rings: bool = False) -> None:
        """Let something happen; ``rings``: an alarm wakes the program at the same instant, so that no rest need end before it."""
        at_s = grained(at_s)
        if not rings:
            heapq.heappush(self._due, at_s)
        self._loop.call_at(at_s, act)

    def next_s(self, since_s: float) -> float:
        """When the next thing happens after ``since_s``, or happened since."""
        known_s = min(since_s, self._loop.time())  # by a clock that was put back, "then" may be to come
        while self._due and self._due[0] <= known_s:
            heapq.heappop(self._due)
        return self._due[0] if self._due else self.ends_s

    def true_s(self, wall: datetime) -> float:
        """When this machine's clock shows this, right or wrong."""
        return grained((wall - self._clock.origin()).total_seconds())


class Alarms:
    """The alarms of the program, by this machine's clock; unless they are all ``dropped``."""

    def __init__(self, clock: RehearsalClock, hours: Hours, *, dropped: bool) -> None:
        self._clock = clock
        self._hours = hours
        self._dropped = dropped
        self._instants: list[datetime] = []
        self._handle: asyncio.TimerHandle | None = None
        self.wake: Callable[[], None] = lambda: None

    def arm(self, alarms: Mapping[str, datetime]) -> None:
        """Ring at exactly these instants."""
        self._instants = sorted(set(alarms.values()), reverse=True)
        self.aim()

    def aim(self) -> None:
        """Ring at the next of them, by the clock as it is now."""
        self.disarm()
        now = self._clock.now()
        while self._instants and self._instants[-1] <= now:
            self._instants.pop()
        if self._instants and not self._dropped:
            loop = asyncio.get_running_loop()
            self._handle = loop.call_at(self._hours.true_s(self._instants[-1]), self._ring)

    @property
    def next_s(self) -> float:
        """When one rings next; infinite if none does."""
        return math.inf if self._handle is None else self._handle.when()

    def disarm(self) -> None:
        """Ring no more until `aim`."""
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _ring(self) -> None:
        self.wake()
        self.aim()
