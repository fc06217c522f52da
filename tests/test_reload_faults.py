"""Whatever becomes of the configuration file under a running daemon: the last good plan goes on, and the next good one is taken up."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from processes import ROOT

from scheduler.app import daemon as parts
from scheduler.app.daemon import Daemon
from scheduler.config.load import load
from scheduler.daemon import reload
from scheduler.daemon.clock import SystemClock
from scheduler.daemon.reload import LOOK_S, content_of, contents, digest, watch
from scheduler.model.events import Event

SHIPPED = (ROOT / "config" / "tou.yaml").read_text().replace("type: local ", "type: simulated ")
PATIENCE_S = 20.0


def good(number: int) -> str:
    """A configuration with a reserve of its own."""
    return SHIPPED.replace("reserve: 100", f"reserve: {number}")


def sha(text: str | bytes) -> str:
    """The generation of this content."""
    return hashlib.sha256(text.encode() if isinstance(text, str) else text).hexdigest()


class Served:
    """A daemon in this process on a simulated gateway, what it told, and its status file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "tou.yaml"
        self.file.write_text(good(70))
        self.told: list[Event] = []
        self._status = folder / "state" / "status.json"
        configuration = load(self.file, environ={}, secret_directories=[])
        self.daemon = Daemon(configuration, folder / "state", [self.told.append], SystemClock())

    @property
    def generation(self) -> dict[str, Any]:
        """Digest and problem, as the status shows them."""
        try:
            shown: dict[str, Any] = json.loads(self._status.read_bytes())["configuration"]
        except FileNotFoundError:
            return {}
        return shown

    def count(self, name: str) -> int:
        """How many events of this name were told."""
        return sum(event.name == name for event in self.told)

    async def sees(self, what: Callable[[], bool]) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(PATIENCE_S):
            while not what():
                await asyncio.sleep(0.005)


@pytest.fixture(name="serving")
def _serving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], Any]:
    monkeypatch.setattr(parts, "watch", partial(watch, look_s=0.01))
    monkeypatch.setattr(parts, "RELOAD_REST_S", 0.0)
    monkeypatch.setattr("scheduler.control.loop.REST_S", 0.01)

    @asynccontextmanager
    async def serving() -> AsyncIterator[Served]:
        served = Served(tmp_path)
        running = asyncio.create_task(served.daemon.run())
        try:
            await served.sees(lambda: served.generation.get("digest") == sha(good(70)))
            yield served
        finally:
            served.daemon.stop.set()
            await running

    return serving


def clear(path: Path) -> None:
    """Have nothing there."""
    with suppress(FileNotFoundError):
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def cut(length: int) -> Callable[[Path], object]:
    """An editor, or a full disk, has written only so much of it."""
    return lambda path: path.write_text(good(71)[:length])


def huge(path: Path) -> None:
    """One gigabyte."""
    path.touch()
    os.truncate(path, 1 << 30)


REFUSED: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    **{f"cut at {length}": cut(length) for length in (1, 100, 1100, 1900)},
    "Latin-1": lambda path: path.write_bytes(good(71).encode() + "# Größe\n".encode("latin-1")),
    "zeros": lambda path: path.write_bytes(bytes(4096)),
    "aliases": lambda path: path.write_text("a: &a [x]\nb: [*a, *a]\n"),
    "depth": lambda path: path.write_text("[" * 100_000),
    "a key twice": lambda path: path.write_text(good(71) + "\nversion: 1\n"),
    "a tag": lambda path: path.write_text("a: !!python/object/apply:os.system [true]\n"),
    "1 GB": huge,
    "gone": lambda _: None,
    "a folder": lambda path: path.mkdir(),
    "a pipe": os.mkfifo,
    "a name for nothing": lambda path: path.symlink_to("nowhere"),
    "a name for itself": lambda path: path.symlink_to(path),
    "a device": lambda path: path.symlink_to("/dev/zero"),
}


async def test_c1_c3_c4_whatever_the_file_becomes_the_last_good_plan_goes_on(
    serving: Callable[[], Any],
) -> None:
    """Each broken file is named in status and log, changes nothing, and is forgotten with the next good one; nothing is waited for."""
    async with serving() as served:
        for number, spoil in enumerate(REFUSED.values(), 72):
            in_force = served.generation["digest"]
            refused = served.count("plan_rejected")
            clear(served.file)
            spoil(served.file)
            await served.sees(
                lambda refused=refused: (
                    served.count("plan_rejected") > refused and served.generation["problem"] is not None
                )
            )
            assert served.generation["digest"] == in_force
            assert "tou.yaml" in served.generation["problem"]

            clear(served.file)
            served.file.write_text(good(number % 30))
            await served.sees(
                lambda number=number: served.generation == {"digest": sha(good(number % 30)), "problem": None}
            )

    assert not [task for task in asyncio.all_tasks() if task.get_name() == "reload"]


async def test_c1_the_line_that_is_wrong_is_named(serving: Callable[[], Any]) -> None:
    """Status and log say file, line and column of the first problem."""
    async with serving() as served:
        line = next(number for number, it in enumerate(good(71).splitlines(), 1) if it.startswith("rules:"))
        served.file.write_text(good(71).replace("\nrules:", "\nruls:"))
        await served.sees(lambda: served.count("plan_rejected") == 1 and served.generation["problem"])
        (told,) = (event for event in served.told if event.name == "plan_rejected")

        assert f"tou.yaml:{line}:1: unknown key" in served.generation["problem"]
        assert f"tou.yaml:{line}:1: unknown key" in told.message  # type: ignore[attr-defined]  # that of this event


def rename(file: Path, content: bytes) -> None:
    """As vim and sed save: another file takes its place."""
    fresh = file.with_suffix(".swp")
    fresh.write_bytes(content)
    fresh.replace(file)


def swap(file: Path, content: bytes) -> None:
    """As Kubernetes does: the file is a link through a link to a folder, which is swapped."""
    folder = file.parent
    version = folder / f"..{sha(content)[:8]}"
    version.mkdir()
    (version / "tou.yaml").write_bytes(content)
    (folder / "..data_tmp").symlink_to(version.name)
    (folder / "..data_tmp").replace(folder / "..data")
    if not file.is_symlink():
        clear(file)
        file.symlink_to("..data/tou.yaml")


def in_place(file: Path, content: bytes) -> None:
    """As nano saves, and with a time of the past, as a restored backup has."""
    file.write_bytes(content)
    os.utime(file, (1, 1))


def same_time_and_size(file: Path, content: bytes) -> None:
    """Whoever goes by time and size sees no edit."""
    before = file.stat()
    assert len(content) == before.st_size
    file.write_bytes(content)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


async def test_c2_i13_each_way_of_saving_is_taken_up_and_the_generation_is_its_content(
    serving: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it is saved, the generation in force is the digest of what lies there; none is shown that was not loaded whole."""
    loaded = [sha(good(70))]

    def noted(path: Path) -> Any:
        fresh = load(path, environ={}, secret_directories=[])
        loaded.append(fresh.digest)
        return fresh

    monkeypatch.setattr(parts, "read", noted)
    shown: list[str] = []
    async with serving() as served:
        edits: list[tuple[Callable[[Path, bytes], None], bytes]] = [
            (rename, good(60).encode()),
            (in_place, good(61).encode()),
            (same_time_and_size, good(62).encode()),
            (rename, b"\xef\xbb\xbf" + good(63).encode()),
            (rename, good(64).replace("\n", "\r\n").encode()),
            (swap, good(65).encode()),
            (swap, good(66).encode()),
        ]
        for save, content in edits:
            save(served.file, content)
            await served.sees(lambda content=content: served.generation["digest"] == sha(content))
            assert served.generation["problem"] is None
            shown.append(served.generation["digest"])

    assert shown == [sha(content) for _, content in edits]
    assert [it for it in loaded if it in shown] == shown


@pytest.fixture(name="bound")
def _bound(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    for folder in (outside, inside):
        folder.mkdir()
    done = subprocess.run(["mount", "--bind", outside, inside], capture_output=True, check=False)
    if done.returncode != 0:
        pytest.skip("nothing can be mounted here")
    yield outside, inside
    subprocess.run(["umount", inside], check=True)


async def test_c2_a_folder_that_is_bound_elsewhere_is_watched(bound: tuple[Path, Path]) -> None:
    """In a container the folder is a mount: an edit outside, by renaming, is seen inside."""
    outside, inside = bound
    (outside / "tou.yaml").write_text("one")
    seen = asyncio.Event()
    loaded = contents([inside / "tou.yaml"])
    watching = asyncio.create_task(
        watch(lambda: [inside / "tou.yaml"], seen.set, tried=lambda: loaded, look_s=0.001)
    )
    rename(outside / "tou.yaml", b"two")
    async with asyncio.timeout(PATIENCE_S):
        await seen.wait()
    watching.cancel()

    assert digest(inside / "tou.yaml") == sha("two")


@pytest.mark.parametrize("seed", range(20))
async def test_l4_an_edit_is_taken_up_within_ten_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Whenever it is saved, in one go or piece by piece, it counts at most ten seconds after its last byte, and never before it."""
    chance = random.Random(seed)
    file = tmp_path / "tou.yaml"
    file.write_text("old")
    pieces = chance.randrange(1, 6)
    begins = chance.uniform(1, 20)
    times = [begins + sum(chance.uniform(0.05, 1.9) for _ in range(number)) for number in range(pieces)]
    times.sort()
    writes = [(at_s, "x" * (number + 1)) for number, at_s in enumerate(times)]
    now_s, taken_up = 0.0, list[tuple[float, str]]()

    async def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds
        while writes and writes[0][0] <= now_s:
            file.write_text(writes.pop(0)[1])
        if now_s > 60:
            raise asyncio.CancelledError

    monkeypatch.setattr(reload.asyncio, "sleep", sleep)
    with suppress(asyncio.CancelledError):
        await watch(lambda: [file], lambda: taken_up.append((now_s, file.read_text())))

    assert taken_up[-1][1] == "x" * pieces
    assert times[-1] < taken_up[-1][0] <= times[-1] + 10
    assert LOOK_S >= 0.5, "two looks are as far apart as an editor needs"


def test_c3_a_file_that_becomes_a_gigabyte_is_not_read(tmp_path: Path) -> None:
    """Neither looking at it nor keeping it takes a gigabyte of memory; it only counts as another content."""
    path = tmp_path / "tou.yaml"
    path.write_text("one")
    before = digest(path)
    huge(path)

    assert digest(path) not in {None, before}
    assert content_of(path, sha(b"one")) is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_c3_a_file_that_may_not_be_read_has_no_digest(tmp_path: Path) -> None:
    """It counts as gone, and what is wrong with it is said by whoever loads it."""
    path = tmp_path / "tou.yaml"
    path.write_text("one")
    path.chmod(0)

    assert digest(path) is None


async def test_p6_a_storm_of_signals_is_one_reload_and_one_more(
    serving: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many come, no backlog is worked off: what is under way ends, one more reads what is there by then, and that is in force."""
    loads: list[str] = []

    def noted(path: Path) -> Any:
        loads.append(sha(path.read_bytes()))
        return load(path, environ={}, secret_directories=[])

    async with serving() as served:
        monkeypatch.setattr(parts, "read", noted)
        monkeypatch.setattr(parts, "RELOAD_REST_S", 0.2)
        served.daemon.reload()
        while not loads:
            await asyncio.sleep(0)
        served.file.write_text(good(80))
        for _ in range(500):
            served.daemon.reload()
            await asyncio.sleep(0)
        await served.sees(lambda: served.generation["digest"] == sha(good(80)))
        waiting = sum(task.get_name() == "reload" for task in asyncio.all_tasks())

    assert len(loads) <= 3, "the one under way, the one that waited, and at most that of the watch"
    assert waiting == 1
