"""A process that is killed between any two of its steps: what it sends, and what it writes durably. No tests here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
from bench import Bench
from days import Run

Deadly = Callable[[int, str], bool]
"""Whether the process of the moment ends at this step, by its number over restarts, from 1 on, and its name."""


class Killed(BaseException):
    """The process is dead: no handler of errors runs in it that would do anything yet."""


class Steps:
    """The steps that processes on a bench took, over restarts; at the ``deadly`` ones the process of the moment ends.

    A request has one step before it is sent, ``delay_s`` before it arrives, and one after it was answered; a durable write
    has one before it and one after it. A dead process does nothing any more, whatever its handlers try, until `begin`.
    """

    def __init__(self, b: Bench, deadly: Deadly, *, delay_s: float = 0.0) -> None:
        self.taken: list[str] = []
        self._deadly = deadly
        self._delay_s = delay_s
        self._dead = False
        self._bench = b
        self._send = b.wire.handle_async_request
        b.wire.handle_async_request = self._request  # type: ignore[method-assign]  # the same in steps
        self._sleep = b.clock.sleep
        b.clock.sleep = self._wait  # type: ignore[method-assign]  # the same, but for the dead
        for place, verb in (
            (b.marks, "note"),
            (b.marks, "clear"),
            (b.moments, "save"),
            (b.ledger, "save"),
            (b.note, "save"),
        ):
            setattr(place, verb, self._in_steps(getattr(place, verb), f"{type(place).__name__} {verb}"))

    def begin(self) -> None:
        """Let a new process take steps."""
        self._dead = False

    def _take(self, step: str) -> None:
        if not self._dead:
            self.taken.append(step)
            self._dead = self._deadly(len(self.taken), step)
        if self._dead:
            raise Killed(step)

    async def _request(self, request: httpx.Request) -> httpx.Response:
        call = f"{request.method} {request.url.path}"
        self._take(f"before {call}")
        await self._sleep(self._delay_s)
        response = await self._send(request)
        self._take(f"after {call}")
        return response

    async def stay_dead(self, seconds: float) -> None:
        """Let time pass before the next process begins."""
        await self._sleep(seconds)

    async def _wait(self, seconds: float) -> None:
        if self._dead:
            raise Killed("asleep")
        await self._sleep(seconds)

    def _in_steps(self, write: Callable[..., None], name: str) -> Callable[..., None]:
        def written(*what: Any) -> None:
            self._take(f"before {name}")
            write(*what)
            self._take(f"after {name}")

        return written


async def lives(
    begin: Callable[[], Run], steps: Steps, *, until: datetime, pause_s: float, dead_for_s: float
) -> list[datetime]:
    """Cycle every ``pause_s`` until the clock shows ``until``; the instants at which processes were killed.

    ``begin`` makes the loop of a process, and again ``dead_for_s`` after it was killed. Nobody ends a killed process in
    order: what is released at such an end is not released here.
    """
    killed: list[datetime] = []
    run = begin()
    clock = run.bench.clock
    while clock.now() < until:
        try:
            await run.loop.cycle()
        except Killed:
            killed.append(clock.now())
            await steps.stay_dead(dead_for_s)
            run.bench.restart()
            steps.begin()
            run = begin()
        else:
            await clock.sleep(pause_s)
    return killed
