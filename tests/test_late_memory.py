"""What could not be read at a start and can be read later counts from then on, as if it had been read at once."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench import bench, local
from days import Run
from processes import ROOT

from scheduler.app.daemon import Daemon
from scheduler.config.load import load
from scheduler.control.diary import DEVICE, DONE, Diary
from scheduler.control.loop import Loop
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.control.session import LATE_STOP_S
from scheduler.daemon.clock import FastClock
from scheduler.model.errors import StoreError
from scheduler.model.events import Event
from scheduler.store import durable


async def test_p5_l3_a_mark_that_is_read_late_starts_the_battery() -> None:
    """A stop of ours counts as somebody else's only until the mark can be read; then the battery runs within two ticks."""
    b = bench(local("12:00"))
    b.device.stop()
    run = Run(b)
    await run.until(local("12:05"))
    stood_still = not b.device.obeyed.running

    b.marks.note(MAY_HAVE_STOPPED)
    run.loop.recall()
    await run.until(local("12:05:30"))

    assert stood_still
    assert b.device.obeyed.running
    assert [event.name for event in b.events].count("restarted") == 1


async def test_p5_i3_a_login_of_which_a_mark_speaks_late_may_still_stop_the_battery() -> None:
    """That the battery runs proves nothing until the login that was noted can stop it no more: the mark stays so long."""
    b = bench(local("12:00"))
    run = Run(b)
    await run.until(local("12:00:30"))
    b.marks.note(MAY_HAVE_STOPPED)
    noted = b.clock.now()
    run.loop.recall()

    await run.until(noted + timedelta(seconds=LATE_STOP_S - 30))
    early = MAY_HAVE_STOPPED in b.marks
    await run.until(noted + timedelta(seconds=LATE_STOP_S + 30))

    assert early
    assert MAY_HAVE_STOPPED not in b.marks


async def test_p5_moments_that_are_read_late_are_not_written_over() -> None:
    """What a diary knew of earlier moments stands in the file after the next thing that is noted in it."""
    b = bench(local("12:00"))
    run = Run(b)
    await run.until(local("12:01"))
    b.moments.save({DEVICE: "", DONE: {"a moment": local("11:00").isoformat()}})
    run.loop.recall()

    await run.until(local("12:10"))

    kept = Diary(b.moments, "")
    assert kept.section(DONE) == {"a moment": local("11:00").isoformat()}
    assert kept.section("identity")["firmware"] == b.device.personality.firmware


class Broken:
    """A disk that does not give one file back until it is mended."""

    def __init__(self, patch: pytest.MonkeyPatch, name: str) -> None:
        self.mended = False
        read = durable.read

        def reads(path: Path, *, follow: bool = True) -> bytes | None:
            if path.name == name and not self.mended:
                raise StoreError(f"{path} could not be read: Input/output error")
            return read(path, follow=follow)

        patch.setattr(durable, "read", reads)


async def told_in_time(told: list[Event], name: str) -> None:
    """Wait until an event of this name was told."""
    async with asyncio.timeout(20):
        while name not in [event.name for event in told]:
            await asyncio.sleep(0.01)


async def test_p5_l3_a_daemon_sees_to_a_mark_that_its_start_could_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that its memory fails, goes on, and starts the battery that it left stopped once the file can be read."""
    clock = FastClock(datetime(2026, 7, 1, 19, tzinfo=UTC), 60)
    (tmp_path / "state").mkdir()
    noted = [{"mark": MAY_HAVE_STOPPED, "at": (clock.now() - timedelta(minutes=5)).isoformat()}]
    (tmp_path / "state" / "marker.json").write_text(json.dumps(noted))
    (tmp_path / "tou.yaml").write_text((ROOT / "config" / "tou.yaml").read_text())
    disk, told, recall, recalled = Broken(monkeypatch, "marker.json"), list[Event](), Loop.recall, list[int]()

    def noted_recall(loop: Loop) -> None:
        recalled.append(len(told))
        recall(loop)

    monkeypatch.setattr(Loop, "recall", noted_recall)
    configuration = load(tmp_path / "tou.yaml", environ={}, secret_directories=[])
    daemon = Daemon(configuration, tmp_path / "state", [told.append], clock)
    running = asyncio.create_task(daemon.run(prepare=lambda device: device.stop()))

    await told_in_time(told, "found_stopped")
    before = [event.name for event in told]
    assert recalled == []
    disk.mended = True
    await told_in_time(told, "restarted")
    daemon.stop.set()
    await running

    assert "memory_failed" in before
    assert "restarted" not in before
    names = [event.name for event in told]
    assert names.index("memory_back") < names.index("restarted")
    assert recalled == [names.index("memory_back") + 1]
