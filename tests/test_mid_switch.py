"""Signals in the middle of a switch: a stop leaves the battery running, and a reload interrupts nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from bench import BY_NIGHT, Bench, bench, local
from days import Run, obeyed

from scheduler.control.loop import FINISH_S, STOP_RELEASE_S
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.model.evidence import Verdict

LOGIN = "POST /api/login/Basic"
WRITE = "POST /api/operation"


DELAYS = range(1, 15)
"""Each request of the switch of a process that has just started, from its first one to its proof by the meters."""


async def switching(b: Bench, at_request: int, act: Callable[[Run], None]) -> Run:
    """Begin the evening's switch by a process that has just started, and do this at its so many'th request."""
    run = Run(b)
    count = 0

    def then(_: str) -> None:
        nonlocal count
        count += 1
        if count == at_request:
            act(run)

    b.wire.then = then
    return run


@pytest.mark.parametrize("at_request", DELAYS)
async def test_p6_a_stop_in_a_switch_leaves_the_battery_running(at_request: int) -> None:
    """At each request of a switch whose login stops the battery: it ends, the battery runs, and no mark is left."""
    b = bench(local("22:10"))
    stop = asyncio.Event()
    run = await switching(b, at_request, lambda _: stop.set())

    left = await run.loop.run(stop)

    assert left is None
    assert obeyed(b)[2], "the battery runs"
    assert MAY_HAVE_STOPPED not in b.marks
    assert FINISH_S + STOP_RELEASE_S <= 10, "seconds, by the loop's own bounds"


@pytest.mark.parametrize("at_request", DELAYS)
async def test_p6_a_stop_while_a_request_hangs_leaves_the_battery_running(
    monkeypatch: pytest.MonkeyPatch, at_request: int
) -> None:
    """What is under way and does not end is cut off, at each request: the battery runs, and what may still stop it is not forgotten."""
    monkeypatch.setattr("scheduler.control.loop.FINISH_S", 0.01)
    b = bench(local("22:10"))
    stop = asyncio.Event()

    hung: list[str] = []

    def hang(_: Run) -> None:
        hung.append(b.story[-1])
        b.wire.hangs.add(b.story[-1])
        stop.set()

    run = await switching(b, at_request, hang)
    switch = b.wire.then

    def then(call: str) -> None:
        b.wire.hangs.clear()
        switch(call)

    b.wire.then = then
    left = await run.loop.run(stop)

    login = hung == [LOGIN]
    assert obeyed(b)[2], "the battery runs"
    # A login that was cut off may yet be obeyed: that is said, and the next start looks whether it was.
    assert (left is not None) is login
    assert (MAY_HAVE_STOPPED in b.marks) is login


@pytest.mark.parametrize("at_request", DELAYS)
async def test_p6_a_reload_in_a_switch_interrupts_nothing(at_request: int) -> None:
    """At each request: the switch under way ends as it would have, with one write, and the new plan counts after it."""
    b = bench(local("22:10"))
    run = await switching(
        b, at_request, lambda run: run.loop.adopt(replace(run.policy, digest="another"), None, "")
    )

    await run.until(local("22:14"))

    assert obeyed(b) == (BY_NIGHT.mode, 100.0, True)
    assert b.story.count(WRITE) == 1
    assert [record.verdict.good for record in run.records] == [True]
    assert run.reports[-1].plan_digest == "another"


async def test_p6_the_places_are_those_of_a_whole_switch() -> None:
    """Each of its requests is disturbed, those of the proof, too, and nothing is asked between them and the next look."""
    b = bench(local("22:10"))
    asked: list[str] = []
    b.wire.then = asked.append
    run = Run(b)
    await run.until(local("22:14"))

    assert [record.verdict for record in run.records] == [Verdict.VERIFIED]
    assert [call for call in asked if call in {LOGIN, WRITE}] == [LOGIN, WRITE]
    assert len(asked) == len(DELAYS)
