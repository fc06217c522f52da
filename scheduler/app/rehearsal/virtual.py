"""Time that passes at once: an event loop in which nobody waits, and the clock of the port that goes by it.

Deadlines, pauses and the loop's own rests are all of one time. All instants of the loop are whole 1024ths of a second, so that
many short rests come to exactly the same instant as one long one.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import datetime, timedelta
from typing import Any, TypeVar, TypeVarTuple

from scheduler.model.clock import Kept

Came = TypeVar("Came")
Args = TypeVarTuple("Args")

GRAIN = 1024
"""Instants of virtual time are whole parts of a second, so many to one: exact in a float for many thousand years."""


class Stuck(Exception):
    """Everybody waits for something that nobody does."""


class _Patient(selectors.SelectSelector):
    """Looks at no files; the time that the loop would have waited for them has passed when it returns."""

    passed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Nothing is ever ready, and the time is over."""
        if timeout is None:
            raise Stuck("nobody waits for any time to pass, and nothing else can happen")
        self.passed_s += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop in which a year of sleep takes no time."""

    def __init__(self) -> None:
        self._patient = _Patient()
        super().__init__(self._patient)
        # What is due within this is due now. The system's nanosecond is lost in a float that counts half a year.
        self._clock_resolution = 0.5 / GRAIN

    def time(self) -> float:
        """Seconds since the loop was made, as far as anybody waited."""
        return self._patient.passed_s

    def call_at(
        self, when: float, callback: Callable[[*Args], object], *args: *Args, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """At that instant, or up to a grain later."""
        return super().call_at(grained(when), callback, *args, context=context)


def run_virtually(what: Coroutine[Any, Any, Came]) -> Came:
    """What comes of it, in a loop whose time passes at once."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(what)


def grained(seconds: float) -> float:
    """A length of time, up to the next whole grain."""
    return math.ceil(seconds * GRAIN) / GRAIN


class RehearsalClock:
    """The clock of the port, by the time of the loop that it is made in.

    ``step`` is by how much the wall clock is wrong, and ``seen_step`` was it when the program last asked whether it is kept
    right; the steady clock never is wrong. ``leap`` is asked at each sleep how long it is
    to be: a rest in which nothing can happen may be one of many like it.
    """

    def __init__(self, start: datetime) -> None:
        self.start = start
        self.step = self.seen_step = timedelta()
        self.said = Kept()
        self.leap: Callable[[float], float] = lambda seconds: seconds
        self._loop = asyncio.get_running_loop()
        self._told = 0.0, start

    def true(self) -> datetime:
        """The true time."""
        now_s = self._loop.time()
        if now_s != self._told[0]:
            self._told = now_s, self.start + timedelta(seconds=now_s)
        return self._told[1]

    def now(self) -> datetime:
        """What the wall clock of this machine shows, right or wrong."""
        return self.true() + self.step

    def monotonic(self) -> float:
        """Seconds since the rehearsal began."""
        return self._loop.time()

    def origin(self) -> datetime:
        """What the wall clock showed when the rehearsal began, by what it shows now."""
        return self.start + self.step

    def kept(self) -> Kept:
        """Whether somebody keeps the wall clock right: nobody does while it was not ``said``."""
        self.seen_step = self.step
        return self.said

    async def sleep(self, seconds: float) -> None:
        """Wait, while others go on."""
        await asyncio.sleep(grained(self.leap(grained(seconds))))
