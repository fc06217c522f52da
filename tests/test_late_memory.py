"""What could not be read at a start and can be read later counts from then on, as if it had been read at once; a disk that only takes nothing hides nothing."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench import bench, local
from days import Run, obeyed
from processes import ROOT

from scheduler.app.daemon import Daemon
from scheduler.config.load import load
from scheduler.control.diary import DEVICE, DONE, HELD, OWNED, WAITING, Diary, joined
from scheduler.control.doubt import LATE_STOP_S
from scheduler.control.loop import Loop
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.daemon.clock import FastClock
from scheduler.model.errors import BadCredentials, StoreError
from scheduler.model.events import Event
from scheduler.model.hold import Hold
from scheduler.model.setpoint import Setpoint
from scheduler.store import durable
from scheduler.store.marker import Marker
from scheduler.store.note import NoteFile

LOGIN = "POST /api/login/Basic"
REFUSED = 401, b'{"code":401,"error":"bad credentials","message":"Login Error"}'


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


@pytest.mark.parametrize("unread", [False, True])
async def test_p5_i3_a_refused_login_leaves_the_mark_only_where_an_earlier_one_may_be_unread(
    *, unread: bool
) -> None:
    """It stopped nothing; but a login before it, whose mark could not be read yet, may have."""
    b = bench()
    b.marks.kept, b.marks.unread = False, unread
    b.wire.answers[LOGIN] = REFUSED

    with pytest.raises(BadCredentials):
        await b.session.call(b.gateway.read)

    assert (MAY_HAVE_STOPPED in b.marks) is unread


async def test_p5_l3_a_stop_by_a_person_stands_where_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After refused logins whose marks no disk took, a battery that somebody works on is not started under his hands."""

    def full(path: Path, *_: object, **__: object) -> None:
        raise StoreError(f"{path}: No space left on device")

    b = bench(local("12:00"))
    monkeypatch.setattr(durable, "write", full)
    b.marks = Marker(tmp_path / "marker.json", lambda _: None, b.clock.now)  # type: ignore[assignment]  # the real one
    b.wire.answers[LOGIN] = REFUSED
    run = Run(b)
    await run.until(local("13:00"))
    refused = b.story.count(LOGIN)

    b.device.stop()
    b.wire.answers.clear()
    b.note.save({})
    run.loop.adopt(run.policy, None, "")
    await run.until(local("13:20"))

    assert refused == 3
    assert not obeyed(b)[2]
    assert "restarted" not in [event.name for event in b.events]
    assert b.events[-1].name == "found_stopped"


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
    """A disk that does not give some files back until it is mended."""

    def __init__(self, patch: pytest.MonkeyPatch, *names: str) -> None:
        self.mended = False
        read = durable.read

        def reads(path: Path, *, follow: bool = True) -> bytes | None:
            if path.name in names and not self.mended:
                raise StoreError(f"{path} could not be read: Input/output error")
            return read(path, follow=follow)

        patch.setattr(durable, "read", reads)


async def test_p5_a_change_by_a_person_stands_when_the_moments_are_read_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was proven before is older than what was found changed while it could not be read: nobody fights the person."""
    b, late = bench(local("07:00")), list[str]()

    def moments() -> NoteFile:
        return NoteFile(tmp_path / "moments.json", lambda _: None, lambda: late.append("late"), join=joined)

    b.moments = moments()
    await Run(b).until(local("07:10"))
    disk = Broken(monkeypatch, "moments.json")
    b.moments = moments()
    run = Run(b)
    await run.until(local("09:00"))
    ours = obeyed(b)
    b.scenario("somebody uses the app")
    await run.until(local("09:20"))
    theirs = obeyed(b)

    disk.mended = True
    b.moments.retry()
    run.loop.recall()
    await run.until(local("09:40"))

    assert late == ["late"]
    assert ours != theirs == obeyed(b)
    assert [event.name for event in b.events].count("drift") == 1
    assert run.reports[-1].drifted
    assert b.moments.kept


def test_p5_sections_of_moments_that_are_read_late_are_those_of_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was noted or ended meanwhile counts, the rest as it was found; of what was done nothing is forgotten."""
    path = tmp_path / "moments.json"
    found = {DEVICE: "here", DONE: {"a": "1", "b": "1"}, HELD: {"a": 1}, WAITING: {"a": 1}, OWNED: {"a": 1}}
    path.write_text(json.dumps(found))
    disk = Broken(monkeypatch, path.name)
    note = NoteFile(path, lambda _: None, join=joined)
    diary = Diary(note, "here")
    for name, section in {HELD: {"b": 2}, DONE: {"b": "2", "c": "2"}, OWNED: {"b": 2}}.items():
        diary.put(name, section)
    diary.put(HELD, {})

    disk.mended = True
    note.retry()

    known = Diary(note, "here")
    assert json.loads(path.read_text()) == note.load()
    assert [known.section(name) for name in (HELD, WAITING, OWNED)] == [{}, {"a": 1}, {"b": 2}]
    assert known.section(DONE) == {"a": "1", "b": "2", "c": "2"}
    known.put(OWNED, {})
    assert json.loads(path.read_text()).keys() == {DEVICE, DONE, WAITING}


@pytest.mark.parametrize(("device", "kept"), [("here", True), (None, True), ("there", False)])
def test_p5_moments_of_another_gateway_are_not_read_late(*, device: str | None, kept: bool) -> None:
    """What was found counts beside what was saved meanwhile only where both are of one gateway, named or from before names."""
    found: dict[str, object] = {WAITING: {"a": 1}} | ({} if device is None else {DEVICE: device})

    assert (WAITING in joined(found, {DEVICE: "here", OWNED: {"b": 2}})) is kept


async def told_in_time(told: list[Event], name: str) -> None:
    """Wait until an event of this name was told."""
    async with asyncio.timeout(20):
        while name not in [event.name for event in told]:
            await asyncio.sleep(0.01)


async def test_p5_l3_a_daemon_sees_to_a_mark_that_its_start_could_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that its memory fails, goes on, and starts the battery that it left stopped once the file can be read.

    What it noted of moments meanwhile it joins with those that it could not read either.
    """
    clock = FastClock(datetime(2026, 7, 1, 19, tzinfo=UTC), 60)
    (tmp_path / "state").mkdir()
    noted = [{"mark": MAY_HAVE_STOPPED, "at": (clock.now() - timedelta(minutes=5)).isoformat()}]
    (tmp_path / "state" / "marker.json").write_text(json.dumps(noted))
    (tmp_path / "tou.yaml").write_text((ROOT / "config" / "tou.yaml").read_text())
    (tmp_path / "state" / "moments.json").write_text("{}")
    hold = Hold(since=clock.now(), until=clock.now() + timedelta(hours=9), setpoint=Setpoint(mode="backup"))
    (tmp_path / "state" / "hold.json").write_text(json.dumps(hold.document()))
    disk = Broken(monkeypatch, "marker.json", "moments.json")
    told, recall, recalled, joins = list[Event](), Loop.recall, list[int](), list[dict[str, Any]]()

    def noted_join(found: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
        joins.append(saved)
        return joined(found, saved)

    monkeypatch.setattr("scheduler.app.daemon.joined", noted_join)

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
    assert len(joins) == 1
    assert HELD in joins[0]
