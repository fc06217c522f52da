"""An edited file is noticed by its content, and taken up only when it is whole."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from scheduler.daemon import reload
from scheduler.daemon.reload import Contents, contents, digest, watch

LOOK_S = 0.001


class Watched:
    """A watch whose looks the test can count on: `looks` waits until that many more are over."""

    def __init__(self) -> None:
        self.calls = 0
        self._looked = 0

    def changed(self) -> None:
        """The file has a new content."""
        self.calls += 1

    def note(self) -> None:
        """One look."""
        self._looked += 1

    async def looks(self, number: int) -> None:
        """Wait until the file was looked at this many times more, and what followed was done."""
        until = self._looked + number
        while self._looked < until:
            await asyncio.sleep(LOOK_S)
        await asyncio.sleep(0)


Watching = Callable[..., AbstractAsyncContextManager[Watched]]
WatchingAll = Callable[[Callable[[], list[Path]]], AbstractAsyncContextManager[Watched]]


def write(file: Path, text: str) -> None:
    """Save the file in place."""
    file.write_text(text)


def remove(file: Path) -> None:
    """Delete the file."""
    file.unlink()


def stamp(file: Path) -> tuple[int, int]:
    """What others go by: time and size."""
    stat = file.stat()
    return stat.st_mtime_ns, stat.st_size


@pytest.fixture(name="watching_all")
def _watching_all(monkeypatch: pytest.MonkeyPatch) -> Callable[..., AbstractAsyncContextManager[Watched]]:
    @asynccontextmanager
    async def watching(
        files: Callable[[], list[Path]], tried: Callable[[], Contents] | None = None
    ) -> AsyncIterator[Watched]:
        watched = Watched()
        look = digest

        def noted(file: Path) -> str | None:
            watched.note()
            return look(file)

        monkeypatch.setattr(reload, "digest", noted)
        task = asyncio.create_task(watch(files, watched.changed, tried=tried, look_s=LOOK_S))
        try:
            await watched.looks(1)
            yield watched
        finally:
            task.cancel()
            await asyncio.wait([task])

    return watching


@pytest.fixture(name="watching")
def _watching(watching_all: Callable[..., AbstractAsyncContextManager[Watched]]) -> Watching:
    return lambda path, tried=None: watching_all(lambda: [path], tried)


@pytest.fixture(name="file")
def _file(tmp_path: Path) -> Path:
    path = tmp_path / "tou.yaml"
    path.write_text("one")
    return path


async def test_an_edit_is_noticed_once(file: Path, watching: Watching) -> None:
    """Writing into the file is one change, however often it is looked at afterwards."""
    async with watching(file) as watched:
        await watched.looks(5)
        assert watched.calls == 0

        write(file, "two")
        await watched.looks(8)

    assert watched.calls == 1


async def test_renaming_over_the_file_is_noticed(file: Path, watching: Watching) -> None:
    """Editors write another file and rename it over the old one: the path counts, not the inode."""
    async with watching(file) as watched:
        fresh = file.with_suffix(".new")
        fresh.write_text("two")
        fresh.replace(file)
        await watched.looks(5)

    assert watched.calls == 1


async def test_a_swapped_symlink_is_noticed(file: Path, watching: Watching, tmp_path: Path) -> None:
    """Container platforms swap a symbolic link to a whole directory."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "tou.yaml").write_text(name)
    (tmp_path / "now").symlink_to("a")
    async with watching(tmp_path / "now" / "tou.yaml") as watched:
        (tmp_path / "next").symlink_to("b")
        (tmp_path / "next").rename(tmp_path / "now")
        await watched.looks(5)

    assert watched.calls == 1


async def test_the_same_time_and_size_hide_nothing(file: Path, watching: Watching) -> None:
    """A restored backup or a coarse file system can leave time and size as they were."""
    async with watching(file) as watched:
        before = stamp(file)
        write(file, "two")
        os.utime(file, ns=(before[0], before[0]))
        assert stamp(file) == before
        await watched.looks(5)

    assert watched.calls == 1


async def test_the_same_content_with_another_time_is_no_edit(file: Path, watching: Watching) -> None:
    """Saving without a change, or touching the file, changes nothing."""
    async with watching(file) as watched:
        write(file, "one")
        os.utime(file, (1, 1))
        await watched.looks(5)

    assert watched.calls == 0


async def test_deletion_and_return_are_noticed(file: Path, watching: Watching) -> None:
    """A file that goes away is told, and so is its return, even with the old content."""
    async with watching(file) as watched:
        remove(file)
        await watched.looks(5)
        assert watched.calls == 1

        write(file, "one")
        await watched.looks(5)

    assert watched.calls == 2


@pytest.mark.parametrize(
    ("story", "contents", "taken_up_at"),
    [
        ("nothing happens", "aaaaaa", []),
        ("an edit", "aabbbb", [3]),
        ("a file that grows while it is written", "abcdefff", [6]),
        ("an edit taken back at once", "abaabaa", []),
        ("an edit, and back again later", "abbaaa", [2, 4]),
        ("an editor that removes and writes anew", "aa-aaa", []),
        ("an editor that removes and writes another", "aa-bbb", [4]),
        ("a file that is gone", "aa----", [3]),
        ("a file that is gone for a while", "a---aaa", [2, 5]),
    ],
)
async def test_a_content_counts_once_it_was_read_twice(
    monkeypatch: pytest.MonkeyPatch, story: str, contents: str, taken_up_at: list[int]
) -> None:
    """Each letter is what one look finds, ``-`` no file; a new content counts at the second look that finds it."""
    looked = 0
    when: list[int] = []
    over = asyncio.Event()

    def look(_: Path) -> str | None:
        nonlocal looked
        looked += 1
        if looked > len(contents):
            over.set()
        found = contents[:looked][-1]
        return None if found == "-" else found

    def changed() -> None:
        when.append(looked - 1)

    monkeypatch.setattr(reload, "digest", look)
    task = asyncio.create_task(watch(lambda: [Path("tou.yaml")], changed, look_s=0))
    await over.wait()
    task.cancel()

    assert when == taken_up_at, story


async def test_an_edit_between_loading_and_the_first_look_counts(file: Path, watching: Watching) -> None:
    """The watch compares with what was loaded, not with what it happens to find first."""
    loaded = contents([file])
    write(file, "two")

    async with watching(file, tried=lambda: loaded) as watched:
        await watched.looks(5)

    assert watched.calls == 1


async def test_an_edit_that_is_taken_back_counts_when_the_edit_was_loaded(
    file: Path, watching: Watching
) -> None:
    """Contents that somebody had loaded between two looks are what the next look compares with."""
    loaded = contents([file])
    async with watching(file, tried=lambda: loaded) as watched:
        write(file, "two")
        loaded = contents([file])
        write(file, "one")
        await watched.looks(10)
        assert watched.calls == 1

        loaded = contents([file])
        await watched.looks(10)

    assert watched.calls == 1


def test_the_digest_is_that_of_the_bytes(file: Path) -> None:
    """It names the content as any other tool would."""
    assert digest(file) == hashlib.sha256(b"one").hexdigest()


def test_what_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    """A directory, a pipe (which would block) and nothing at all are all no file."""
    os.mkfifo(tmp_path / "pipe")

    assert [digest(tmp_path / name) for name in ("", "pipe", "nothing")] == [None, None, None]


async def test_a_file_that_comes_into_being_is_noticed(tmp_path: Path, watching_all: WatchingAll) -> None:
    """The certificate and the password belong to it, and may be written after the daemon started."""
    files = [tmp_path / "tou.yaml", tmp_path / "powerwall.pem"]
    write(files[0], "one")
    async with watching_all(lambda: files) as watched:
        write(files[1], "a certificate")
        await watched.looks(10)
        assert watched.calls == 1

        write(files[1], "another certificate")
        await watched.looks(10)

    assert watched.calls == 2


async def test_other_files_than_before_count_as_a_change(tmp_path: Path, watching_all: WatchingAll) -> None:
    """A configuration that names another certificate has it watched, and an edit of it since loading is not missed."""
    old, new = tmp_path / "old.pem", tmp_path / "new.pem"
    write(old, "old")
    write(new, "new")
    files = [old]
    async with watching_all(lambda: files) as watched:
        files[:] = [new]
        await watched.looks(5)
        assert watched.calls == 1

        write(old, "nobody's business now")
        await watched.looks(5)

    assert watched.calls == 1
