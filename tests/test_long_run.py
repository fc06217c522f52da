"""What a daemon that lives for months costs its machine: memory, open files, logins, and what it writes to its card."""

from __future__ import annotations

import gc
import os
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from bench import local
from lived import Lived, lived

from scheduler.gateway.budget import ALLOWANCES, REPAIRS
from scheduler.store import durable

LOGIN = "POST /api/login/Basic"
GROWTH_BYTES = 5_000_000
QUIET_DAY_BYTES = 320_000
"""314,572 of them, 276,694 in the status file, which is written anew every five minutes; the README says so, too."""

QUIET_DAY_SYNCS = 30


def forget(it: Lived) -> None:
    """Let go of what the test and the gateway keep of the past: the product's own is what is measured."""
    it.log.seek(0)
    it.log.truncate()
    it.bench.story.clear()
    del it.bench.device.history[:-3]


def open_files() -> int:
    """How many files this process has open."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def kept_bytes(it: Lived) -> int:
    """What is allocated and still held."""
    forget(it)
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def growth_bytes(it: Lived, *, settle: timedelta, life: timedelta) -> int:
    """By how much memory grows over a life, from when it has settled."""
    it.watched = lambda _: forget(it)
    tracemalloc.start()
    try:
        await it.until(it.bench.clock.now() + settle)
        before = kept_bytes(it)
        await it.until(it.bench.clock.now() + life)
        return kept_bytes(it) - before
    finally:
        tracemalloc.stop()


async def test_i16_memory_does_not_grow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hours of looking at the gateway leave nothing behind in memory beyond what the first switch did."""
    monkeypatch.setattr("scheduler.control.loop.TICK_S", 300.0)
    with lived(tmp_path, local("06:00"), keeps_events=False) as it:
        grown = await growth_bytes(it, settle=timedelta(hours=3), life=timedelta(hours=5))

    assert grown < GROWTH_BYTES / 30


@pytest.mark.slow
async def test_i16_p10_a_month_of_life_with_restarts_and_outages_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty days, an outage each day and a new process every fifth: memory grows by less than 5 MB, open files not at all."""
    monkeypatch.setattr("scheduler.control.loop.TICK_S", 300.0)
    with lived(tmp_path, local("06:00"), keeps_events=False) as it:
        files: list[int] = []
        kept: list[int] = []
        it.watched = lambda _: forget(it)
        tracemalloc.start()
        try:
            for day in range(30):
                it.bench.scenario("offline for 40 minutes")
                await it.until(it.bench.clock.now() + timedelta(days=1))
                if day % 5 == 4:
                    it.die()
                    it.begin()
                kept.append(kept_bytes(it))
                files.append(open_files())
        finally:
            tracemalloc.stop()

    assert kept[-1] - kept[5] < GROWTH_BYTES
    assert files[-1] <= files[0]


async def test_p10_open_files_are_constant_over_processes(tmp_path: Path) -> None:
    """Twenty processes in one folder, each with a look at the gateway and a death without order, leave no file open."""
    with lived(tmp_path, local("12:00")) as it:
        await it.loop.cycle()
        before = open_files()
        for _ in range(20):
            it.die()
            it.begin()
            await it.loop.cycle()
            await it.bench.clock.sleep(30)

        assert open_files() == before


def busiest(times: list[datetime], window: timedelta) -> int:
    """The most instants within any such time."""
    return max((sum(at <= it < at + window for it in times) for at in times), default=0)


async def check_a_crash_loop(
    folder: Path, dies: str, password: str | None, *, pause_s: float, processes: int
) -> None:
    """Let processes die one after another, after a cycle or in their login; the login budget holds over all of them."""
    logins: list[datetime] = []
    with lived(folder, local("12:00"), password=password, keeps_events=False) as it:

        def then(call: str) -> None:
            if call == LOGIN:
                logins.append(it.bench.clock.now())
                if dies == "in the login":
                    raise Dead

        it.bench.wire.then = then
        for _ in range(processes):
            with suppress(Dead):
                await it.loop.cycle()
            it.die()
            await it.bench.clock.sleep(pause_s)
            it.begin()
            forget(it)

    assert logins
    for allowance in ALLOWANCES:
        assert busiest(logins, allowance.window) <= allowance.count + REPAIRS


@pytest.mark.parametrize(
    ("dies", "password"), [("after a cycle", None), ("in the login", None), ("after a cycle", "wrong")]
)
async def test_p11_i8_a_crash_loop_keeps_the_login_budget(
    tmp_path: Path, dies: str, password: str | None
) -> None:
    """Processes that die once a minute for an hour log in no more often, together, than one that lives."""
    await check_a_crash_loop(tmp_path, dies, password, pause_s=60, processes=60)


@pytest.mark.slow
@pytest.mark.parametrize("dies", ["after a cycle", "in the login"])
async def test_p11_i8_a_quick_crash_loop_keeps_the_login_budget(tmp_path: Path, dies: str) -> None:
    """So do those that die every five seconds."""
    await check_a_crash_loop(tmp_path, dies, None, pause_s=5, processes=720)


class Dead(BaseException):
    """The process is gone: none of its handlers runs."""


# The card.


def written_bytes() -> int:
    """What this process has handed to the kernel to write, ever (proc(5), wchar)."""
    fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
    return int(fields["wchar"])


@pytest.fixture(name="syncs")
def _syncs(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    syncs: list[None] = []
    sync: Callable[[int], None] = os.fsync

    def noted(descriptor: int) -> None:
        syncs.append(None)
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return syncs


@pytest.mark.skipif(not Path("/proc/self/io").exists(), reason="this kernel counts no bytes")
async def test_p5_a_quiet_day_is_kind_to_the_card(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    syncs: list[None],
    record_property: Callable[[str, object], None],
) -> None:
    """A day of two switches and a look every five minutes writes some 315 KB, and waits for the disk thirty times."""
    monkeypatch.setattr("scheduler.control.loop.TICK_S", 60.0)
    with lived(tmp_path, local("06:00"), keeps_events=False) as it:
        await it.until(local("12:00"))
        before, syncs[:] = written_bytes(), []
        await it.until(local("2026-07-02T12:00"))
        written = written_bytes() - before

    record_property("bytes that a quiet day writes", written)
    record_property("times that it waits for the disk", len(syncs))
    assert 0.95 * QUIET_DAY_BYTES < written < QUIET_DAY_BYTES, "else the README's figure is another one"
    assert 0 < len(syncs) <= QUIET_DAY_SYNCS


async def test_p5_without_news_nothing_is_written_but_the_status_and_that_not_with_each_cycle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In hours without a switch the only file that is written is the status, when the gateway was read anew: every five minutes."""
    names: list[str] = []
    write = durable.write

    def noted(path: Path, content: bytes, *, durable: bool = True) -> None:
        names.append(path.name)
        write(path, content, durable=durable)

    with lived(tmp_path, local("12:00")) as it:
        await it.until(local("12:30"))
        told = len(it.told)
        monkeypatch.setattr(durable, "write", noted)
        await it.until(local("13:30"))

        assert len(it.told) == told
    assert set(names) == {"status.json"}
    assert 11 <= len(names) <= 13
