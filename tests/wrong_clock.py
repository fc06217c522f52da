"""A machine whose clock somebody sets, beside a gateway whose own goes right, in virtual time. No tests here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from email.utils import format_datetime

import httpx
from bench import Bench, bench, local
from clockwork import VirtualClock
from days import Run
from virtual_loop import LoopClock

from scheduler.gateway.line import Https
from scheduler.model.clock import Kept
from scheduler.plan.rules import Schedule

WRITE = "POST /api/operation"
INSTALL = "POST /api/system/update"
ZERO = timedelta(0)
NOBODY_KEEPS_IT = Kept(synchronised=False)
NOBODY_KNOWS = Kept(synchronised=None)


class Wall(VirtualClock):
    """The machine's clock: as long as the true one, ``step`` away from it. ``looks`` are the instants at which it was asked."""

    def __init__(self, true: VirtualClock, step: timedelta = ZERO) -> None:
        super().__init__(true.now())
        self.true = true
        self.step = step
        self.looks: list[float] = []

    def now(self) -> datetime:
        """The wall clock."""
        return self.true.now() + self.step

    def monotonic(self) -> float:
        """Seconds since the boot, whatever the wall clock shows."""
        return self.true.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Let this much time go by."""
        await self.true.sleep(seconds)

    def kept(self) -> Kept:
        """What the system says; it is asked in each look at the plan, and only then."""
        self.looks.append(self.monotonic())
        return self.says

    def most_looks_in_a_second(self) -> int:
        """How often the plan was looked at in the busiest second."""
        return max(sum(at <= look < at + 0.999 for look in self.looks) for at in self.looks)


class Dated(httpx.AsyncBaseTransport):
    """Puts the gateway's own time into each of its answers."""

    def __init__(self, b: Bench, ahead: timedelta = ZERO) -> None:
        self._inner, self._clock, self._ahead = b.wire, b.clock, ahead

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        response = await self._inner.handle_async_request(request)
        response.headers["date"] = format_datetime(self._clock.now() + self._ahead, usegmt=True)
        return response


def let_date(b: Bench, ahead: timedelta) -> None:
    """Have the bench's gateway say what time it is with each answer, so far ahead of the true one."""
    connection = b.gateway._connection  # noqa: SLF001 - a bench's gateway has no other way in
    connection._line = Https(connection._endpoint, connect_s=5.0, transport=Dated(b, ahead))  # noqa: SLF001 - see above


class Machine:
    """A loop on a bench, by a clock that may be set while it runs."""

    def __init__(self, b: Bench, wall: Wall, run: Run) -> None:
        self.bench = b
        self.wall = wall
        self.run = run

    async def go(self, seconds: float) -> None:
        """Let so much true time go by; outside of a virtual loop as much more as the pause that is under way then lasts."""
        if isinstance(self.wall.true, LoopClock):
            await self.wall.sleep(seconds)
            return
        until_s = self.wall.monotonic() + seconds
        while self.wall.monotonic() < until_s:
            await asyncio.sleep(0)

    async def go_until(self, at: datetime) -> None:
        """Let it become so late, truly."""
        await self.go((at - self.wall.true.now()).total_seconds())

    def set_clock(self, step: timedelta, says: Kept | None = None) -> None:
        """Set the machine's clock so far from the true one; the system then says this of it, or what it said before."""
        self.wall.step = step
        self.wall.says = says or self.wall.says

    @property
    def writes(self) -> int:
        """How often a setpoint was written, or an install told."""
        return sum(call in {WRITE, INSTALL} for call in self.bench.story)

    def obeys(self) -> tuple[str, bool]:
        """The mode that the battery goes by, and whether it is in service."""
        self.bench.device.now()
        return self.bench.device.obeyed.mode, self.bench.device.obeyed.running


@asynccontextmanager
async def machine(
    start: str,
    *sentences: str,
    step: timedelta = ZERO,
    says: Kept | None = None,
    dated: timedelta | None = None,
    schedule: Schedule | None = None,
    on: Bench | None = None,
    trust_after_s: float | None = None,
) -> AsyncIterator[Machine]:
    """The daemon from its start on, at this true time, for as long as the block lasts.

    ``says`` is what the system says of the clock, which is ``step`` away from the true one; ``dated`` has the gateway tell
    its own time, which is so far ahead of the true one.
    """
    b = on or bench(local(start))
    for sentence in sentences:
        b.scenario(sentence)
    wall = Wall(b.clock, step)
    wall.says = says or Kept()
    if dated is not None:
        let_date(b, dated)
        b.gateway._now = wall.now  # noqa: SLF001 - else it would compare its own time with the true one
    machine_clock, b.clock = b.clock, wall
    run = Run(b, schedule, trust_after_s=trust_after_s)
    b.clock = machine_clock
    stop = asyncio.Event()
    running = asyncio.create_task(run.loop.run(stop))
    try:
        yield Machine(b, wall, run)
    finally:
        stop.set()
        await running
