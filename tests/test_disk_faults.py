"""The disk is full, read-only, worn out, or holds what is none of ours: switching goes on, nothing is lost that was there, and it is said."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import pwd
import resource
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any, Self

import pytest

from scheduler.control.diary import joined
from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED
from scheduler.model.errors import StoreError
from scheduler.model.events import Event, GatewayBack
from scheduler.model.hold import Hold
from scheduler.model.setpoint import Setpoint
from scheduler.observe.record import Recorder
from scheduler.store import aside, durable, journal
from scheduler.store.history import History
from scheduler.store.journal import Journal, events, switches
from scheduler.store.marker import Marker
from scheduler.store.memory import RETRY, Memory

AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


class Home:
    """A state directory, the memory of a process in it, what was told, and a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.at = AT
        self.told: list[Event] = []
        self.memory = self.again()

    def again(self) -> Memory:
        """The memory of the next process."""
        return Memory(self.folder, [self.told.append], lambda: self.at, join=joined)

    def mend(self) -> None:
        """Let enough time go by for another attempt, and make it."""
        self.at += RETRY
        self.memory.mend()

    @property
    def names(self) -> list[str]:
        """The names of what was told."""
        return [event.name for event in self.told]


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def save_logins(memory: Memory) -> None:
    """Note a login; the budget hears of a failure and goes on."""
    with contextlib.suppress(StoreError):
        memory.logins.save([AT])


# Each small file: how it is written, and how the next process finds what was written.
FILES: dict[str, tuple[Callable[[Memory], None], Callable[[Memory], bool]]] = {
    "marker.json": (lambda it: it.marker.note(MAY_HAVE_STOPPED), lambda it: MAY_HAVE_STOPPED in it.marker),
    "logins.json": (save_logins, lambda it: AT in it.logins.load()),
    "gateway.json": (lambda it: it.note.save({"a": 1}), lambda it: it.note.load() == {"a": 1}),
    "moments.json": (lambda it: it.moments.save({"a": 1}), lambda it: it.moments.load() == {"a": 1}),
    "configuration.yaml": (
        lambda it: it.keep_configuration(b"version: 1"),
        lambda it: it.kept_configuration() == b"version: 1",
    ),
}
STATUS = "status.json"
OLD = {
    "marker.json": json.dumps([{"mark": UNCOMMITTED, "at": AT.isoformat()}]).encode(),
    "logins.json": json.dumps([(AT - timedelta(hours=1)).isoformat()]).encode(),
    "gateway.json": b'{"old": 1}',
    "moments.json": b'{"old": 1}',
    "configuration.yaml": b"version: 0",
    STATUS: b'{"old": 1}',
}


class Failing:
    """A file that was opened, and fails at what comes next."""

    def __init__(self, file: Any, error: OSError) -> None:
        self._file = file
        self._error = error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()


class Torn(Failing):
    """One that takes half of what is written to it."""

    def fileno(self) -> int:
        """The descriptor."""
        number: int = self._file.fileno()
        return number

    def write(self, content: bytes) -> None:
        """Half of it, and the error."""
        self._file.write(content[: len(content) // 2])
        self._file.flush()
        raise self._error


class Unreadable(Failing):
    """One that gives nothing back."""

    def read(self, _: int) -> bytes:
        """The error."""
        raise self._error


def break_step(patch: pytest.MonkeyPatch, step: str, number: int) -> None:
    """Let one step of every write, or of every read, fail with this error of the system."""
    error = OSError(number, os.strerror(number))

    def fails(*_: object, **__: object) -> Any:
        raise error

    opened, wrapped = os.open, os.fdopen

    def no_new(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        return fails() if flags & os.O_CREAT else opened(path, flags, *rest, **more)

    def no_old(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        ours = not flags & (os.O_CREAT | os.O_DIRECTORY)
        return fails() if ours and Path(path).exists() else opened(path, flags, *rest, **more)

    places: dict[str, tuple[Any, str, Any]] = {
        "create": (os, "open", no_new),
        "write": (
            os,
            "fdopen",
            lambda number, mode, **more: (
                Torn(wrapped(number, mode), error) if mode == "wb" else wrapped(number, mode, **more)
            ),
        ),
        "sync": (os, "fsync", fails),
        "rename": (Path, "replace", fails),
        "sync of the folder": (durable, "_sync_directory", fails),
        "open": (os, "open", no_old),
        "read": (
            os,
            "fdopen",
            lambda number, mode, **more: (
                Unreadable(wrapped(number, mode, **more), error)
                if mode == "rb"
                else wrapped(number, mode, **more)
            ),
        ),
    }
    patch.setattr(*places[step])


STEPS = ("create", "write", "sync", "rename", "sync of the folder")
ERRORS = (errno.ENOSPC, errno.EROFS, errno.EIO, errno.EDQUOT, errno.EACCES, errno.EMFILE)


@pytest.mark.parametrize("number", ERRORS, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("name", FILES)
def test_p5_a_write_that_fails_costs_nothing_and_is_made_good(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, step: str, number: int
) -> None:
    """Each file, step and error: the old content stays whole, ours counts from memory, it is told once, and written as soon as it can be."""
    path = home.folder / name
    path.write_bytes(OLD[name])
    home.memory = home.again()
    write, holds = FILES[name]
    with monkeypatch.context() as patch:
        break_step(patch, step, number)
        write(home.memory)
        home.mend()
        home.mend()
        left = path.read_bytes()
        in_force = name == "configuration.yaml" or holds(home.memory)

    assert in_force
    assert left == OLD[name] or step == "sync of the folder"
    assert home.names == ["memory_failed"]
    assert os.strerror(number) in (home.memory.problem or "")
    home.mend()
    assert home.memory.problem is None
    assert home.names == ["memory_failed", "memory_back"]
    assert holds(home.again())
    assert list(home.folder.iterdir()) == [path], "no scrap stays behind"


@pytest.mark.parametrize("step", ["create", "write", "rename"])
def test_p5_a_status_that_cannot_be_written_is_written_later(
    home: Home, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The status file is not waited for, and comes back with the disk."""
    path = home.folder / STATUS
    path.write_bytes(OLD[STATUS])
    with monkeypatch.context() as patch:
        break_step(patch, step, errno.ENOSPC)
        home.memory.write_status(b'{"new": 1}')
        assert path.read_bytes() == OLD[STATUS]
        assert "No space left" in (home.memory.problem or "")

    home.mend()

    assert path.read_bytes() == b'{"new": 1}'
    assert home.memory.problem is None


def test_l6_what_fails_is_tried_again_every_ten_seconds_and_not_with_each_cycle(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A card that is dying is spared, and one that works again is noticed within a minute."""
    tries: list[datetime] = []
    with monkeypatch.context() as patch:
        break_step(patch, "sync", errno.EIO)
        home.memory.marker.note(MAY_HAVE_STOPPED)
        home.memory.retry_too(lambda: tries.append(home.at))
        for _ in range(120):
            home.at += timedelta(seconds=1)
            home.memory.mend()
    assert len(tries) == 12

    home.mend()

    assert home.memory.problem is None
    for _ in range(10):
        home.mend()
    assert len(tries) == 13, "a memory that works is left alone"


# What cannot be read for a while.

READS = ("open", "read")
ERRORS_OF_READS = (errno.EIO, errno.EMFILE, errno.ENFILE, errno.ENOMEM)
HOLD = Hold(since=AT, until=AT + timedelta(hours=1), setpoint=Setpoint(mode="backup"))
WHOLE = OLD | {"hold.json": json.dumps(HOLD.document()).encode()}

# Each file that is read: what may be done that needs nothing of it, and how it is seen that it counts.
READ: dict[str, tuple[Callable[[Memory], object], Callable[[Memory], bool]]] = {
    "marker.json": (lambda it: it.marker.clear(MAY_HAVE_STOPPED), lambda it: UNCOMMITTED in it.marker),
    "logins.json": (lambda it: it.logins.load(), lambda it: AT - timedelta(hours=1) in it.logins.load()),
    "gateway.json": (lambda it: it.note.save({"a": 1}), lambda it: it.note.load() == {"old": 1}),
    "moments.json": (
        lambda it: it.moments.save({"a": 1}),
        lambda it: it.moments.load() == {"old": 1, "a": 1},
    ),
    "hold.json": (lambda it: it.holds.load(), lambda it: it.holds.load() == HOLD),
}

SEEN = {"logins.json": "logins", "gateway.json": "note", "moments.json": "moments", "hold.json": "holds"}


@pytest.mark.parametrize("number", ERRORS_OF_READS, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("step", READS)
@pytest.mark.parametrize("name", READ)
def test_p5_a_read_that_fails_at_the_start_costs_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, step: str, number: int
) -> None:
    """What was kept stays whole while it cannot be read, whatever goes on beside it, is told once, and counts as soon as it can be."""
    path = home.folder / name
    path.write_bytes(WHOLE[name])
    use, counts = READ[name]
    with monkeypatch.context() as patch:
        break_step(patch, step, number)
        home.memory = home.again()
        first = counts(home.memory)
        use(home.memory)
        home.mend()
        use(home.memory)
        home.mend()
    left = path.read_bytes()
    told = home.names

    home.mend()

    assert not first
    assert left == WHOLE[name]
    assert name == "moments.json" or path.read_bytes() == WHOLE[name]
    assert told == ["memory_failed"]
    assert home.memory.problem is None
    assert counts(home.memory)
    assert counts(home.again())
    assert list(home.folder.iterdir()) == [path]


@pytest.mark.parametrize("step", READS)
@pytest.mark.parametrize("name", SEEN)
def test_p5_a_read_that_fails_under_way_changes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str, step: str
) -> None:
    """What was read once goes on to count while it cannot be read, so that whoever adds to it loses nothing of it."""
    (home.folder / name).write_bytes(WHOLE[name])
    home.memory = home.again()
    known = getattr(home.memory, SEEN[name])
    first = known.load()
    assert first

    with monkeypatch.context() as patch:
        break_step(patch, step, errno.EIO)
        assert known.load() == first
        if name == "gateway.json":
            home.memory.note.save(home.memory.note.load() | {"a": 1})
    home.mend()

    assert home.names == ["memory_failed", "memory_back"]
    assert home.again().note.load() == ({"old": 1, "a": 1} if name == "gateway.json" else {})


@pytest.mark.parametrize("step", READS)
def test_p5_i3_a_mark_before_a_login_is_durable_where_nothing_can_be_read(
    home: Home, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """It takes the place of what cannot be read, and `kept` says no until then, as a mark of a write may be lost with it."""
    (home.folder / "marker.json").write_bytes(OLD["marker.json"])
    with monkeypatch.context() as patch:
        break_step(patch, step, errno.EIO)
        home.memory = home.again()
        home.memory.marker.note(MAY_HAVE_STOPPED)
        kept = home.memory.marker.kept

    assert not kept
    assert MAY_HAVE_STOPPED in home.again().marker
    home.mend()
    assert home.memory.marker.kept
    assert MAY_HAVE_STOPPED in home.again().marker


@pytest.mark.parametrize("first", ["note", "clear"])
def test_p5_marks_that_are_read_late_are_joined_with_those_of_meanwhile(
    home: Home, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """After one read that failed, the next word reads again before it writes: both count, but for what was cleared since."""
    earlier = [{"mark": mark, "at": AT.isoformat()} for mark in (MAY_HAVE_STOPPED, UNCOMMITTED)]
    (home.folder / "marker.json").write_text(json.dumps(earlier))
    with monkeypatch.context() as patch:
        break_step(patch, "open", errno.EIO)
        home.memory = home.again()
        assert home.memory.marker.unread
        if first == "clear":
            home.memory.marker.clear(UNCOMMITTED)
    home.at += timedelta(minutes=5)
    home.memory.marker.note(MAY_HAVE_STOPPED)

    for marker in (home.memory.marker, home.again().marker):
        assert marker.kept
        assert not marker.unread
        assert marker.noted_at(MAY_HAVE_STOPPED) == AT + timedelta(minutes=5)
        assert (UNCOMMITTED in marker) == (first == "note")
    assert [home.memory.read_late() for _ in range(2)] == [True, False]


def test_p5_only_what_is_read_late_is_told_as_late(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A start that could read everything is no news to anybody, nor is a read that fails under way; moments read late are."""
    path = home.folder / "moments.json"
    path.write_bytes(OLD["moments.json"])
    home.memory = home.again()
    home.memory.moments.load()
    with monkeypatch.context() as patch:
        break_step(patch, "read", errno.EIO)
        home.memory.moments.load()
        home.mend()
        late = home.again()
        late.moments.load()
        assert not late.moments.kept
    home.mend()
    assert not home.memory.read_late()

    assert late.moments.load() == {"old": 1}
    assert late.moments.kept
    assert late.read_late()


def test_p5_i8_logins_that_could_not_be_read_still_count(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A login noted after one read that failed takes no earlier one off the budget; where none can be read it is noted all the same."""
    earlier = AT - timedelta(hours=1)
    (home.folder / "logins.json").write_bytes(OLD["logins.json"])
    with monkeypatch.context() as patch:
        break_step(patch, "read", errno.EIO)
        once, never = home.again(), home.again()
        assert once.logins.load() == never.logins.load() == []
    save_logins(once)
    assert home.again().logins.load() == once.logins.load() == [earlier, AT]

    with monkeypatch.context() as patch:
        break_step(patch, "read", errno.EIO)
        save_logins(never)
    assert home.again().logins.load() == [AT]


def test_p4_a_note_that_is_spoilt_under_way_is_written_anew(home: Home) -> None:
    """What this process knew of it is in no file once the spoilt one is put aside: it goes on to count, and is written."""
    path = home.folder / "gateway.json"
    path.write_bytes(OLD["gateway.json"])
    assert home.memory.note.load() == {"old": 1}
    corrupt(path)

    assert home.memory.note.load() == {"old": 1}
    assert not home.memory.note.kept
    home.mend()

    assert home.again().note.load() == {"old": 1}


# What lies there and is none of ours.


def corrupt(path: Path) -> None:
    """Random bytes."""
    path.write_bytes(bytes(range(256)) * 16)


def empty(path: Path) -> None:
    """A file without a content, as a truncating write leaves it on a full disk."""
    path.write_bytes(b"")


def other_version(path: Path) -> None:
    """A form of a later program."""
    path.write_text(json.dumps("in another form"))


def huge(path: Path) -> None:
    """One gigabyte, of which the disk holds nothing."""
    path.touch()
    os.truncate(path, 1 << 30)


def link(path: Path) -> None:
    """A name for somebody else's file."""
    treasure = path.with_name("treasure")
    treasure.write_bytes(OLD[path.name])
    path.symlink_to(treasure)


def dangling(path: Path) -> None:
    """A name for nothing."""
    path.symlink_to("nowhere")


def round_about(path: Path) -> None:
    """A name for itself."""
    path.symlink_to(path)


def folder(path: Path) -> None:
    """A folder with something in it."""
    (path / "something").mkdir(parents=True)


def pipe(path: Path) -> None:
    """A pipe that nobody writes to: whoever opens it as a file waits for ever."""
    os.mkfifo(path)


KINDS = (corrupt, empty, other_version, huge, link, dangling, round_about, folder, pipe)
NO_NONSENSE = {"configuration.yaml": {corrupt, empty, other_version}}
"""Whatever is in a kept configuration is for the loader to judge."""


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("name", FILES)
def test_p4_what_is_none_of_ours_is_put_aside(home: Home, name: str, kind: Callable[[Path], None]) -> None:
    """It is kept, is told in a sentence that names both, counts as empty, and is in the way of nothing that comes after."""
    if kind in NO_NONSENSE.get(name, set()):
        pytest.skip("any bytes can be a configuration")
    path = home.folder / name
    kind(path)
    found = path.lstat()
    write, holds = FILES[name]

    home.memory = home.again()
    assert not holds(home.memory)
    write(home.memory)

    (kept,) = home.folder.glob(f"{name}.corrupt.*")
    assert (kept.lstat().st_ino, kept.lstat().st_size) == (found.st_ino, found.st_size)
    (failed,) = (event for event in home.told if event.name == "memory_failed")
    assert str(path) in failed.message  # type: ignore[attr-defined]  # that of this event
    assert kept.name in failed.message  # type: ignore[attr-defined]  # that of this event
    assert holds(home.again())
    assert stat.S_ISREG(path.lstat().st_mode)
    if kind is link:
        assert path.with_name("treasure").read_bytes() == OLD[name]
    home.mend()
    assert home.memory.problem is None


@contextlib.contextmanager
def somebody() -> Iterator[Path]:
    """A folder of this process's user, who is not root."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        if os.geteuid() != 0:
            yield place
            return
        nobody = pwd.getpwnam("nobody").pw_uid
        os.chown(place, nobody, -1)
        os.seteuid(nobody)
        try:
            yield place
        finally:
            os.seteuid(0)


@pytest.mark.parametrize("name", [*FILES, "journal.sqlite"])
def test_p4_a_file_of_somebody_elses_is_put_aside(name: str) -> None:
    """A file that we may not read, as a command run with sudo may have left it, keeps neither the daemon nor its memory from working."""
    with somebody() as place:
        path = place / name
        path.write_bytes(OLD.get(name, b"x"))
        path.chmod(0)
        home = Home(place)
        with closing(home.memory.open_journal()) as book:
            book.add_event({"number": 1})
        if name in FILES:
            write, holds = FILES[name]
            assert not holds(home.memory)
            write(home.memory)
            assert holds(home.again())
        kept = [it.name for it in place.glob(f"{name}.corrupt.*")]
        home.mend()

        assert len(kept) == 1
        assert home.names == ["memory_failed", "memory_back"]
        assert events(place / "journal.sqlite") == [{"number": 1}]


def test_p4_three_of_a_kind_are_kept(tmp_path: Path) -> None:
    """A disk that spoils a file again and again is not filled with what it spoilt; the newest stay, and other files' stay."""
    path, other = tmp_path / "marker.json", tmp_path / "logins.json"
    corrupt(other)
    aside.put_aside(other, "x")
    for number in range(6):
        path.write_bytes(b"x" * number)
        aside.put_aside(path, "x")

    sizes = sorted(it.stat().st_size for it in tmp_path.glob("marker.json.corrupt.*"))
    assert sizes == [3, 4, 5]
    assert len(list(tmp_path.glob("logins.json.corrupt.*"))) == 1


def fails_as_read_only(*_: object) -> None:
    """What a disk says that can no longer be written to."""
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_p4_where_nothing_can_be_moved_it_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a read-only disk the damaged file stays where it is, and the sentence says why."""
    path = home.folder / "gateway.json"
    corrupt(path)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails_as_read_only)
        assert home.memory.note.load() == {}
        home.mend()

    assert "it cannot be moved away: Read-only file system" in (home.memory.problem or "")
    assert path.exists()
    home.mend()
    home.mend()
    assert home.memory.problem is None


def test_p4_a_damaged_marker_that_cannot_be_moved_is_not_written_over(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a person may still want to look at is kept until it can be put aside, and only then another one begun."""
    path = home.folder / "marker.json"
    corrupt(path)
    found = path.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fails_as_read_only)
        home.memory = home.again()
        home.mend()
        home.mend()
        assert path.read_bytes() == found
        assert not home.memory.marker.kept

    for _ in range(2):
        home.mend()

    (kept,) = home.folder.glob("marker.json.corrupt.*")
    assert kept.read_bytes() == found
    assert home.memory.marker.kept
    assert home.memory.problem is None


def test_p4_the_logins_known_here_still_count_when_the_file_is_spoilt(home: Home) -> None:
    """A disk that spoils the ledger does not give the budget back to the process that spent it."""
    save_logins(home.memory)
    corrupt(home.folder / "logins.json")

    assert home.memory.logins.load() == [AT]
    assert home.memory.logins.load() == [AT]
    home.mend()
    assert home.again().logins.load() == [AT]


# The journal.


def spoil_inside(path: Path) -> None:
    """Its first page is as it was, the others are not."""
    content = path.read_bytes()
    path.write_bytes(content[:4096] + bytes(len(content) - 4096))


def of_another_program(path: Path) -> None:
    """A database of somebody else's, whose table has the name of ours."""
    path.unlink()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE event (what TEXT)")


def of_a_later_version(path: Path) -> None:
    """A journal that this program does not know how to write."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 2")


@pytest.mark.parametrize(
    "spoil", [corrupt, spoil_inside, of_another_program, of_a_later_version], ids=lambda it: it.__name__
)
def test_p4_a_journal_that_is_none_of_ours_is_put_aside(home: Home, spoil: Callable[[Path], None]) -> None:
    """History begins anew, the old file is kept as it was found, and that is said once."""
    path = home.folder / "journal.sqlite"
    with closing(home.memory.open_journal()) as book:
        book.add_switch({"number": 1})
    spoil(path)
    found = path.read_bytes()

    with closing(home.again().open_journal()) as book:
        book.add_switch({"number": 2})

    (kept,) = (
        it for it in home.folder.glob("journal.sqlite.corrupt.*") if it.name[-4:] not in {"-wal", "-shm"}
    )
    assert switches(path) == [{"number": 2}]
    assert kept.read_bytes() == found
    assert home.names == ["memory_failed"]


def test_p4_a_journal_that_goes_bad_under_way_is_followed_by_another(home: Home) -> None:
    """A daemon that lives for months does not go without history until its next start."""
    path = home.folder / "journal.sqlite"
    with closing(home.memory.open_journal()) as book:
        book.add_switch({"number": 1})
        with closing(sqlite3.connect(path)) as foreign:
            foreign.execute("DROP TABLE event")
        book.add_event({"number": 2})

        assert events(path) == [{"number": 2}]
    assert len([it for it in home.folder.glob("journal.sqlite.corrupt.*") if it.name[-1] == "Z"]) == 1


def test_p5_a_full_disk_delays_history_and_loses_none(home: Home) -> None:
    """The kernel refuses each byte of the journal for a while: what happened meanwhile is kept once it does not, in its order."""
    book = home.memory.open_journal()
    recorder = Recorder(book, lambda: UTC, home.memory.failed)
    home.memory.retry_too(recorder.retry)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(book):
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
        try:
            for number in range(5):
                recorder.tell(GatewayBack(at=AT, message=str(number)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert home.memory.problem is not None

        home.mend()

        assert [event["message"] for event in events(home.folder / "journal.sqlite")] == [*"01234"]
        assert home.names == ["memory_failed", "memory_back"]


def test_p4_a_journal_that_nobody_can_open_yet_is_opened_later(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A daemon that starts on a read-only disk has a history as soon as the disk can be written."""

    def read_only(_: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    with monkeypatch.context() as patch:
        patch.setattr(journal, "_make", read_only)
        book = home.memory.open_journal()
        with pytest.raises(StoreError, match="Read-only file system"):
            book.add_event({"number": 1})
    assert "Read-only file system" in (home.memory.problem or "")

    with closing(book):
        book.add_event({"number": 2})

    assert events(home.folder / "journal.sqlite") == [{"number": 2}]


def test_p4_a_journal_that_is_locked_holds_nobody_up_at_a_later_try(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever opens it again while the daemon runs waits for another program no longer than a statement does."""
    path = home.folder / "journal.sqlite"
    Journal(path).close()
    waits_s: list[float] = []
    connect = sqlite3.connect

    def noted(*what: Any, timeout: float, **more: Any) -> sqlite3.Connection:
        waits_s.append(timeout)
        return connect(*what, timeout=timeout, **more)

    book = History(path, home.memory.failed)
    book.open()
    book.close()
    with closing(sqlite3.connect(path, isolation_level=None)) as foreign:
        foreign.execute("PRAGMA locking_mode = EXCLUSIVE")
        foreign.execute("BEGIN EXCLUSIVE")
        with monkeypatch.context() as patch:
            patch.setattr(sqlite3, "connect", noted)
            with pytest.raises(StoreError, match="locked"):
                book.open()
        foreign.rollback()
    assert waits_s == [journal.BUSY_MS / 1000]

    with closing(book):
        book.add_event({"number": 1})


def test_i16_the_journal_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However long its rows are, the file does not outgrow its bound by more than a step; the newest of both kinds stay."""
    monkeypatch.setattr(journal, "MOST_BYTES", 1 << 20)
    monkeypatch.setattr(journal, "TRIMMED", 5)
    path = tmp_path / "journal.sqlite"
    sizes: list[int] = []
    with closing(Journal(path)) as book:
        book.add_switch({"number": 0})
        for number in range(150):
            book.add_event({"number": number, "message": "x" * 50_000})
            sizes.append(path.stat().st_size)
        kept = [event["number"] for event in events(path)]
        assert switches(path) == [{"number": 0}]

    assert max(sizes) <= (1 << 20) + 5 * 60_000
    assert kept == list(range(150 - len(kept), 150))
    assert len(kept) >= 10


def test_p10_a_disk_that_fails_costs_no_descriptor(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Failures at each step of each file, and whatever may lie in its place, leave as many files open as there were."""

    def count() -> int:
        return sum(1 for _ in Path("/proc/self/fd").iterdir())

    before = count()
    for step, name in product(STEPS, FILES):
        with monkeypatch.context() as patch:
            break_step(patch, step, errno.EIO)
            FILES[name][0](home.memory)
            home.mend()
    for kind in KINDS:
        path = home.folder / "gateway.json"
        path.unlink(missing_ok=True)
        kind(path)
        home.again().note.load()
    for _ in range(10):
        corrupt(home.folder / "journal.sqlite")
        home.memory.open_journal().close()

    assert count() == before


# Power is lost in the middle of a write.


def recorded(path: Path, content: bytes, patch: pytest.MonkeyPatch) -> list[str]:
    """The steps of a durable write that matter to a disk, in their order, as the product takes them."""
    steps: list[str] = []
    sync, replace, wrapped = os.fsync, Path.replace, os.fdopen

    def noted_sync(descriptor: int) -> None:
        sync(descriptor)
        steps.append("sync of the folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "sync")

    def noted_replace(fresh: Path, target: Path) -> Path:
        steps.append("rename")
        return replace(fresh, target)

    def noted_open(number: int, mode: str, **more: Any) -> Any:
        steps.append("write")
        return wrapped(number, mode, **more)

    patch.setattr(os, "fsync", noted_sync)
    patch.setattr(Path, "replace", noted_replace)
    patch.setattr(os, "fdopen", noted_open)
    durable.write(path, content)
    return steps


def after_a_crash(steps: list[str], old: bytes, new: bytes) -> list[tuple[int, bytes]]:
    """What the file may hold after a power cut behind each prefix of the steps, with the length of that prefix.

    Until it is synced, any beginning of the content may be on the disk; until the folder is, the rename may or may not be.
    A disk takes both in any order.
    """
    beginnings = [new[:length] for length in range(len(new) + 1)]
    states: list[tuple[int, bytes]] = []
    for length in range(len(steps) + 1):
        taken = steps[:length]
        contents = [new] if "sync" in taken else beginnings if "write" in taken else [b""]
        renamed = taken.index("rename") if "rename" in taken else None
        settled = renamed is not None and "sync of the folder" in taken[renamed:]
        if not settled:
            states.append((length, old))
        if renamed is not None:
            states += [(length, content) for content in contents]
    return states


def test_p3_a_power_cut_leaves_the_old_or_the_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all states that a disk may be in after a cut at any step, none is torn; once the write returned, only the new one is left."""
    with monkeypatch.context() as patch:
        steps = recorded(tmp_path / "marker.json", b"new content", patch)

    states = after_a_crash(steps, b"old", b"new content")

    assert steps == ["write", "sync", "rename", "sync of the folder"]
    assert {content for _, content in states} == {b"old", b"new content"}
    assert [content for length, content in states if length == len(steps)] == [b"new content"]


@pytest.mark.parametrize("left_out", ["sync", "sync of the folder"])
def test_p3_without_either_sync_the_enumeration_finds_what_is_lost(left_out: str) -> None:
    """The search can fail: without the first sync it finds torn files, without the second a write that returned and is gone."""
    steps = [step for step in ("write", "sync", "rename", "sync of the folder") if step != left_out]

    states = after_a_crash(steps, b"old", b"new content")

    torn = {content for _, content in states} - {b"old", b"new content"}
    lost = (len(steps), b"old") in states
    assert (len(torn), lost) == {"sync": (len(b"new content"), False), "sync of the folder": (0, True)}[
        left_out
    ]


@pytest.mark.parametrize("name", ["marker.json", "logins.json", "gateway.json"])
def test_i15_a_state_file_can_be_read_after_a_cut_at_any_step(
    home: Home, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Each state of the disk is read by the next process without a complaint, and says what was true before or after."""
    path = home.folder / name
    path.write_bytes(OLD[name])
    home.memory = home.again()
    with monkeypatch.context() as patch:
        steps: list[str] = []
        write = durable.write

        def noted(target: Path, content: bytes) -> None:
            patch.setattr(durable, "write", write)
            steps.extend(recorded(target, content, patch))

        patch.setattr(durable, "write", noted)
        FILES[name][0](home.memory)
    new = path.read_bytes()

    found = []
    for _, content in after_a_crash(steps, OLD[name], new):
        path.write_bytes(content)
        found.append(FILES[name][1](home.again()))

    assert set(found) == {False, True}
    assert home.told == []


def test_p3_a_lost_marker_starts_no_battery(tmp_path: Path) -> None:
    """A file that a cut took away altogether is an empty memory: nothing is claimed that was not noted."""
    told: list[StoreError] = []

    marker = Marker(tmp_path / "marker.json", told.append, lambda: AT)

    assert told == []
    assert MAY_HAVE_STOPPED not in marker


# Memory of the versions before.

EARLIER = {
    "marker.json": json.dumps([MAY_HAVE_STOPPED]),
    "logins.json": json.dumps([AT.isoformat()]),
    "gateway.json": json.dumps({"a": 1}),
    "moments.json": json.dumps({"a": 1}),
    "configuration.yaml": "version: 1",
}


def test_p12_the_memory_of_an_earlier_version_is_read(home: Home) -> None:
    """Each file in the form in which the first version wrote it, and its journal, count from the first start of this one."""
    for name, content in EARLIER.items():
        (home.folder / name).write_text(content)
    with closing(sqlite3.connect(home.folder / "journal.sqlite")) as connection, connection:
        connection.executescript(
            "PRAGMA journal_mode = WAL;"
            "CREATE TABLE switch (number INTEGER PRIMARY KEY, document TEXT NOT NULL);"
            "CREATE TABLE event (number INTEGER PRIMARY KEY, document TEXT NOT NULL);"
            "PRAGMA user_version = 1;"
            "INSERT INTO switch (document) VALUES ('{\"number\": 1}');"
        )

    memory = home.again()

    assert {name: holds(memory) for name, (_, holds) in FILES.items()} == dict.fromkeys(FILES, True)
    with closing(memory.open_journal()) as book:
        book.add_switch({"number": 2})
    assert switches(home.folder / "journal.sqlite") == [{"number": 1}, {"number": 2}]
    assert home.told == []
