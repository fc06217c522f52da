"""Mornings in which things come in an order of their own: answers between two times, persons, and a killed daemon. No tests here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime

from bench import Bench, bench, local
from days import Run
from firmware_day import Day

from scheduler.model.events import FirmwareChanged
from scheduler.model.timeline import DriftPolicy
from scheduler.plan.rules import Schedule

Answer = tuple[int, bytes]

START = "GET /api/sitemaster/run"
"""How we start a battery."""

WRITE, READ, STATUS = "POST /api/operation", "GET /api/operation", "GET /api/status"

STAGED = "stages an update"
STAYS_STOPPED = "stays stopped after an upgrade"

TAKEN = (202, b"")
"""The answer of a gateway that takes an install."""

BAD_LOGIN = (401, b'{"code":401,"error":"bad credentials","message":"Login Error"}')
"""The answer to a login whose password is not known."""


def whose(day: Day) -> list[bool]:
    """Of each restart, whether it is told as our doing."""
    return [event.by_us for event in day.run.told(FirmwareChanged)]


def answers_between(b: Bench, start: str, end: str, answers: Mapping[str, Answer]) -> None:
    """From ``start`` until ``end`` the gateway answers these calls so, whenever it is there."""
    b.device.later(local(start), lambda: b.wire.answers.update(answers))

    def well_again() -> None:
        for call in answers:
            b.wire.answers.pop(call, None)

    b.device.later(local(end), well_again)


async def morning(
    *sentences: str,
    start: str = "07:10",
    end: str = "08:05",
    on: Bench | None = None,
    schedule: Schedule | None = None,
    on_drift: DriftPolicy = "yield",
    persons: Mapping[str, Callable[[Run], None]] | None = None,
    killed: tuple[str, str] | None = None,
) -> Day:
    """A morning in which this happens; ``persons`` do something to the daemon at times of the day.

    A daemon that is ``killed`` at the first time does nothing any more, and another one begins at the second. The reports are
    those of the last one.
    """
    b = on or bench(local(start))
    for sentence in sentences:
        b.scenario(sentence)
    run = Run(b, schedule, on_drift=on_drift)
    day = Day(b, run, local(start), local(end))
    b.wire.then = lambda call: day.reached[call].append(b.clock.now())
    for at, does in (persons or {}).items():
        _at(b, local(at), does, run)
    if killed is not None:
        await _kill(run, local(killed[0]))
        await b.clock.sleep((local(killed[1]) - b.clock.now()).total_seconds())
        day.run = run = Run(b, schedule, on_drift=on_drift)
    await run.until(day.end)
    b.device.now()
    return day


def _at(b: Bench, at: datetime, does: Callable[[Run], None], run: Run) -> None:
    b.device.later(at, lambda: does(run))


async def _kill(run: Run, at: datetime) -> None:
    """Cycle until then, and end without an end in order."""

    async def cycles() -> None:
        while True:
            await run.loop.cycle()
            await run.bench.clock.sleep(10)

    living = asyncio.create_task(cycles())
    while run.bench.clock.now() < at and not living.done():
        await asyncio.sleep(0)
    living.cancel()
    with suppress(asyncio.CancelledError):
        await living
    run.bench.restart()
