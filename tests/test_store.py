"""Memory on disk: whole or not at all, for its owner only, and told when it fails."""

from __future__ import annotations

import errno
import json
import os
import pwd
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED
from scheduler.gateway.budget import LoginBudget
from scheduler.model.errors import StoreError, Throttled
from scheduler.store import durable, journal
from scheduler.store.journal import Journal, switches
from scheduler.store.lock import VISIT, Held, Lock, holder
from scheduler.store.logins import LoginLedger
from scheduler.store.marker import Marker
from scheduler.store.memory import Memory
from scheduler.store.note import NoteFile

AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def fails(*_: Any, **__: Any) -> Any:
    """What a worn-out card says."""
    raise OSError(errno.EIO, os.strerror(errno.EIO))


def mode(path: Path) -> int:
    """The permission bits."""
    return stat.S_IMODE(path.stat().st_mode)


# Files that survive a power cut whole.


def test_a_write_is_read_back_and_is_private(tmp_path: Path) -> None:
    """The directory is made, and nobody else may read the file, whatever the umask says."""
    path = tmp_path / "state" / "marker.json"
    before = os.umask(0)
    try:
        durable.write(path, b"old")
        durable.write(path, b"new")
    finally:
        os.umask(before)

    assert durable.read(path) == b"new"
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)
    assert list(path.parent.iterdir()) == [path]


def test_the_steps_of_a_durable_write_are_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Content to the disk, then the rename, then the directory to the disk: any other order can tear the file."""
    story: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noted_fsync(descriptor: int) -> None:
        story.append("directory" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "content")
        fsync(descriptor)

    def noted_replace(path: Path, target: Path) -> Path:
        story.append(f"rename to {target.name} with {path.read_text()}")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "replace", noted_replace)

    durable.write(tmp_path / "marker.json", b"new")

    assert story == ["content", "rename to marker.json with new", "directory"]


@pytest.mark.parametrize(
    ("owner", "step", "left"),
    [
        (os, "open", b"old"),
        (os, "fdopen", b"old"),
        (os, "fsync", b"old"),
        (Path, "replace", b"old"),
        (durable, "_sync_directory", b"new"),
    ],
)
def test_a_step_that_fails_leaves_old_or_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, step: str, left: bytes
) -> None:
    """Wherever the write breaks, the file is whole, no scrap stays behind, and the sentence names file and cause."""
    path = tmp_path / "marker.json"
    durable.write(path, b"old")
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, fails)
        with pytest.raises(StoreError, match=r"marker\.json could not be written: Input/output error"):
            durable.write(path, b"new")

    assert path.read_bytes() == left
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("durably", [True, False])
def test_a_full_disk_tears_nothing(tmp_path: Path, durably: bool) -> None:  # noqa: FBT001 - a table
    """A write that does not fit leaves the old file and no scrap; the kernel itself says no here."""
    path = tmp_path / "status.json"
    durable.write(path, b"old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(StoreError, match="File too large"):
            durable.write(path, b"new" * 100_000, durable=durably)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_two_writers_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another writer comes before the first one's rename: both succeed, and the file is whole."""
    path = tmp_path / "logins.json"
    replace, others = Path.replace, [b"theirs"]

    def meanwhile(fresh: Path, target: Path) -> Path:
        if others:
            durable.write(path, others.pop())
        return replace(fresh, target)

    monkeypatch.setattr(Path, "replace", meanwhile)

    durable.write(path, b"ours")

    assert path.read_bytes() == b"ours"
    assert list(tmp_path.iterdir()) == [path]


def scrap(folder: Path, name: str, *, age_s: float) -> Path:
    """The beginnings of a write that was not finished, so many seconds ago."""
    path = folder / name
    path.write_bytes(b"x" * 1000)
    then_s = path.stat().st_mtime - age_s
    os.utime(path, (then_s, then_s))
    return path


def test_the_scraps_of_dead_writers_are_removed(tmp_path: Path) -> None:
    """A crash in the middle of a write leaves its beginnings: the next process removes them, and those of no one alive."""
    path = tmp_path / "marker.json"
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    for name in (".marker.json.new", f".marker.json.{dead.pid}.1.new", f".marker.json.{os.getpid()}.1.new"):
        scrap(tmp_path, name, age_s=3600)
    kept = {
        path,
        scrap(tmp_path, f".marker.json.{os.getppid()}.1.new", age_s=3600),
        scrap(tmp_path, f".marker.json.{dead.pid}.2.new", age_s=5),
        scrap(tmp_path, f".other.json.{dead.pid}.2.new", age_s=3600),
    }

    durable.write(path, b"new")

    assert path.read_bytes() == b"new"
    assert set(tmp_path.iterdir()) == kept


def test_scraps_that_cannot_be_removed_are_in_nobodys_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of such a name keeps neither the first write nor the removal of the other scraps, nor does a folder that cannot be listed."""
    path, names = tmp_path / "marker.json", (".marker.json.new", f".marker.json.{os.getpid()}.1.new")
    for name in names:
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1, 1))
    scrap(tmp_path, f".marker.json.{os.getpid()}.2.new", age_s=3600)

    durable.write(path, b"new")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "iterdir", fails)
        durable.write(tmp_path / "logins.json", b"[]")

    assert path.read_bytes() == b"new"
    assert {it.name for it in tmp_path.iterdir()} == {"marker.json", "logins.json", *names}


def test_a_scrap_of_the_same_name_is_in_nobodys_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container every daemon is process 1: a young scrap may have the very name that comes next."""
    path = tmp_path / "marker.json"
    monkeypatch.setattr(durable, "_numbers", count(1))
    theirs = scrap(tmp_path, f".marker.json.{os.getpid()}.1.new", age_s=0)

    durable.write(path, b"new")

    assert path.read_bytes() == b"new"
    assert theirs.read_bytes() == b"x" * 1000


# Root in a directory of somebody else's.


@pytest.fixture(name="foreign")
def _foreign(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("only root can write into a directory of somebody else's")
    directory = tmp_path / "state"
    directory.mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    return directory


def owners(directory: Path) -> dict[str, tuple[int, int]]:
    """User and group of each file and folder, by name."""
    return {path.name: (path.lstat().st_uid, path.lstat().st_gid) for path in directory.rglob("*")}


@pytest.mark.parametrize("simulated", [False, True])
def test_what_root_leaves_belongs_to_the_directorys_owner(foreign: Path, simulated: bool) -> None:  # noqa: FBT001 - a table
    """A command run with sudo leaves nothing that the daemon could not read or write afterwards."""
    memory = Memory(foreign, [], lambda: AT, simulated=simulated)
    nobody = pwd.getpwnam("nobody")
    with Lock(foreign / "lock"):
        memory.marker.note(MAY_HAVE_STOPPED)
        memory.logins.save([AT])
        memory.note.save({"salt": "00"})
        memory.write_status(b"{}")
        book = memory.open_journal()
        assert book is not None
        with closing(book):
            book.add_switch({"number": 1})
            found = owners(foreign)

    assert {"lock", "marker.json", "logins.json", "gateway.json", "status.json"} < found.keys()
    assert {"journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"} < found.keys()
    assert set(found.values()) == {(nobody.pw_uid, nobody.pw_gid)}


def test_a_file_of_the_owners_stays_theirs_when_root_replaces_it(foreign: Path) -> None:
    """The daemon's own marker is still the daemon's after a command of root's has written it."""
    durable.write(foreign / "marker.json", b"[]")
    durable.write(foreign / "marker.json", b"[1]")

    assert owners(foreign) == {"marker.json": (foreign.stat().st_uid, foreign.stat().st_gid)}


def test_root_follows_no_trap(foreign: Path, tmp_path: Path) -> None:
    """A lock that is a name for another file is refused: the file is not written to, and not given away."""
    treasure = tmp_path / "treasure"
    treasure.write_text("root's")
    (foreign / "lock").symlink_to(treasure)

    with pytest.raises(StoreError, match="could not be opened"), Lock(foreign / "lock"):
        pass

    assert treasure.read_text() == "root's"
    assert treasure.stat().st_uid == 0


def test_a_bundle_belongs_to_whoever_made_it(foreign: Path) -> None:
    """It holds what only they were to see, wherever they put it."""
    durable.create(foreign / "bundle.json", b"{}")

    assert owners(foreign) == {"bundle.json": (0, 0)}


# Memory that is not there.


def test_nothing_and_unreadable_are_not_the_same(tmp_path: Path) -> None:
    """No file is an empty memory; a file that cannot be read is a failure that is told."""
    assert durable.read(tmp_path / "nothing") is None
    with pytest.raises(StoreError, match="could not be read"):
        durable.read(tmp_path)


# What we may owe the gateway.


def noon() -> datetime:
    """A clock that stands."""
    return AT


def unexpected(error: StoreError) -> None:
    """For memory that must not fail."""
    raise AssertionError(str(error))


def marks(marker: Marker) -> set[str]:
    """Which of the known marks are noted."""
    return {mark for mark in (MAY_HAVE_STOPPED, UNCOMMITTED) if mark in marker}


def test_marks_survive_a_restart(tmp_path: Path) -> None:
    """What was noted is there after a crash, and what was cleared is not."""
    path = tmp_path / "marker.json"
    first = Marker(path, unexpected, noon)
    first.note(MAY_HAVE_STOPPED)
    first.note(UNCOMMITTED)
    first.clear(UNCOMMITTED)

    assert marks(Marker(path, unexpected, noon)) == {MAY_HAVE_STOPPED}


def test_a_mark_keeps_the_instant_at_which_it_was_noted_last(tmp_path: Path) -> None:
    """Whoever finds it after a crash knows how old it is; one that was cleared has no instant any more."""
    path, times = tmp_path / "marker.json", iter([AT, AT + timedelta(minutes=1), AT])
    first = Marker(path, unexpected, lambda: next(times))
    first.note(MAY_HAVE_STOPPED)
    first.note(MAY_HAVE_STOPPED)
    first.note(UNCOMMITTED)

    found = Marker(path, unexpected, noon)
    found.clear(UNCOMMITTED)

    assert found.noted_at(MAY_HAVE_STOPPED) == AT + timedelta(minutes=1)
    assert found.noted_at(UNCOMMITTED) is None


def test_the_marks_of_an_older_program_still_count(tmp_path: Path) -> None:
    """A file of bare words is read as before, each noted at an instant that nobody knows."""
    path = tmp_path / "marker.json"
    path.write_text(json.dumps([MAY_HAVE_STOPPED]))

    found = Marker(path, unexpected, noon)

    assert marks(found) == {MAY_HAVE_STOPPED}
    assert found.noted_at(MAY_HAVE_STOPPED) is None


def test_a_mark_is_on_the_disk_before_note_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Noted means durable: the disk was waited for."""
    waited: list[bool] = []
    write = durable.write

    def noted(path: Path, content: bytes, *, durable: bool = True) -> None:
        waited.append(durable)
        write(path, content, durable=durable)

    monkeypatch.setattr(durable, "write", noted)

    Marker(tmp_path / "marker.json", unexpected, noon).note(MAY_HAVE_STOPPED)

    assert waited == [True]


def test_marks_that_stand_are_not_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A day of switches costs the card no write for what is noted, or cleared, already."""
    marker = Marker(tmp_path / "marker.json", unexpected, noon)
    marker.note(UNCOMMITTED)
    monkeypatch.setattr(durable, "write", fails)

    marker.note(UNCOMMITTED)
    marker.clear(MAY_HAVE_STOPPED)

    assert marks(marker) == {UNCOMMITTED}


def test_a_mark_that_cannot_be_written_is_kept_and_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a broken disk the mark still counts in this process, and it is written once the disk works again."""
    told: list[StoreError] = []
    path = tmp_path / "marker.json"
    marker = Marker(path, told.append, noon)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        marker.note(MAY_HAVE_STOPPED)
    assert marks(marker) == {MAY_HAVE_STOPPED}
    assert len(told) == 1
    assert not path.exists()

    marker.note(MAY_HAVE_STOPPED)

    assert marks(Marker(path, unexpected, noon)) == {MAY_HAVE_STOPPED}


def test_a_mark_that_could_not_be_cleared_on_disk_is_cleared_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mark that stayed on a broken disk would, after a restart, start a battery that somebody else stopped."""
    told: list[StoreError] = []
    path = tmp_path / "marker.json"
    marker = Marker(path, told.append, noon)
    marker.note(MAY_HAVE_STOPPED)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        marker.clear(MAY_HAVE_STOPPED)
    assert marks(marker) == set()

    marker.clear(MAY_HAVE_STOPPED)

    assert marks(Marker(path, unexpected, noon)) == set()


def test_a_mark_is_cleared_although_noting_it_had_failed_at_the_last_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file already had the mark when the directory could not be synced: clearing it must write again."""
    told: list[StoreError] = []
    path = tmp_path / "marker.json"
    marker = Marker(path, told.append, noon)
    with monkeypatch.context() as patch:
        patch.setattr(durable, "_sync_directory", fails)
        marker.note(UNCOMMITTED)
    assert len(told) == 1

    marker.clear(UNCOMMITTED)

    assert marks(Marker(path, unexpected, noon)) == set()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[",
        b'"may_have_stopped"',
        b'{"may_have_stopped": 1}',
        b"[1]",
        b'[{"mark": "may_have_stopped"}]',
        b'[{"mark": 1, "at": null}]',
        b'[{"mark": "may_have_stopped", "at": "noon"}]',
        b'[{"mark": "may_have_stopped", "at": "2026-07-01T12:00:00"}]',
        b"null",
        b"\0" * 40,
    ],
)
def test_a_damaged_marker_is_told_and_mended(tmp_path: Path, content: bytes) -> None:
    """A torn file counts as empty, which is said; the next mark makes it whole again."""
    path = tmp_path / "marker.json"
    path.write_bytes(content)
    told: list[StoreError] = []

    marker = Marker(path, told.append, noon)

    (aside,) = tmp_path.glob("marker.json.corrupt.*")
    assert [str(error) for error in told] == [
        f"{path} is damaged and counts as empty; it is kept as {aside.name}"
    ]
    assert aside.read_bytes() == content
    assert marks(marker) == set()
    marker.note(UNCOMMITTED)
    assert marks(Marker(path, unexpected, noon)) == {UNCOMMITTED}


# When we logged in.


def test_the_login_ledger_survives_a_restart(tmp_path: Path) -> None:
    """A crash loop must not log in without limit: the instants are there for the next process."""
    path = tmp_path / "logins.json"
    instants = [AT, AT + timedelta(minutes=1)]

    LoginLedger(path, unexpected).save(instants)

    assert LoginLedger(path, unexpected).load() == instants
    assert mode(path) == 0o600


def test_the_ledger_cannot_be_changed_from_outside(tmp_path: Path) -> None:
    """Who takes the list and changes it has changed their own copy."""
    ledger = LoginLedger(tmp_path / "logins.json", unexpected)
    ledger.save([AT])

    ledger.load().clear()

    assert ledger.load() == [AT]


@pytest.mark.parametrize(
    "content", [b"", b"[", b"\xff", b"3", b"[3]", b'["soon"]', b'["2026-07-01T12:00:00"]', b'{"a": 1}']
)
def test_a_damaged_ledger_counts_as_empty(tmp_path: Path, content: bytes) -> None:
    """Nonsense is told and is no reason not to run; an instant without an offset is nonsense, too."""
    path, failures = tmp_path / "logins.json", list[StoreError]()
    path.write_bytes(content)

    assert LoginLedger(path, failures.append).load() == []
    assert ["is damaged" in str(error) for error in failures] == [True]


def test_a_ledger_that_cannot_be_written_still_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken disk is told, to a person and to the budget; what was to be noted is known as long as this process lives."""
    failures = list[StoreError]()
    ledger = LoginLedger(tmp_path / "logins.json", failures.append)
    monkeypatch.setattr(os, "fsync", fails)

    with pytest.raises(StoreError, match=r"logins\.json could not be written"):
        ledger.save([AT])

    assert ledger.load() == [AT]
    assert len(failures) == 1


def test_the_ledger_sees_what_others_noted(tmp_path: Path) -> None:
    """Another command logs in beside the daemon: its login counts here as soon as the budget is asked again."""
    path = tmp_path / "logins.json"
    ours, theirs = LoginLedger(path, unexpected), LoginLedger(path, unexpected)
    ours.save([AT])

    theirs.save([*theirs.load(), AT + timedelta(seconds=1)])

    assert ours.load() == [AT, AT + timedelta(seconds=1)]


def test_two_processes_share_one_budget(tmp_path: Path) -> None:
    """Three logins in five minutes, whoever of the two makes them."""
    path = tmp_path / "logins.json"
    budgets = [LoginBudget(LoginLedger(path, unexpected)) for _ in range(2)]
    for n in range(3):
        budgets[n % 2].spend(AT + timedelta(seconds=n))

    for budget in budgets:
        with pytest.raises(Throttled):
            budget.spend(AT + timedelta(seconds=9))


def test_a_refund_takes_back_no_other_login(tmp_path: Path) -> None:
    """While the gateway was too busy for ours, another command logged in: that login stays counted."""
    path = tmp_path / "logins.json"
    ours, theirs = (LoginBudget(LoginLedger(path, unexpected)) for _ in range(2))
    ours.spend(AT)
    theirs.spend(AT + timedelta(seconds=1))

    ours.refund()

    assert LoginLedger(path, unexpected).load() == [AT + timedelta(seconds=1)]


def test_a_ledger_behind_its_disk_keeps_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the disk did not take from us and what it took from others both count."""
    path = tmp_path / "logins.json"
    LoginLedger(path, unexpected).save([AT])
    ours = LoginLedger(path, lambda _: None)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        with pytest.raises(StoreError):
            ours.save([AT + timedelta(seconds=1)])
    LoginLedger(path, unexpected).save([AT, AT + timedelta(seconds=2)])

    assert ours.load() == [AT, AT + timedelta(seconds=1), AT + timedelta(seconds=2)]


# What is known of the gateway.


def test_a_note_survives_a_restart_and_is_read_anew(tmp_path: Path) -> None:
    """What one process keeps the other reads at its next look; nobody else on the machine reads it."""
    path = tmp_path / "gateway.json"
    here, there = NoteFile(path, unexpected), NoteFile(path, unexpected)
    assert here.load() == {}

    there.save({"salt": "00"})

    assert here.load() == {"salt": "00"}
    assert here.place == str(path)
    assert mode(path) == 0o600


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"3", b"[]", b"null", b"[" * 100_000])
def test_a_damaged_note_counts_as_none(tmp_path: Path, content: bytes) -> None:
    """Nonsense is told and is no reason not to run."""
    path, failures = tmp_path / "gateway.json", list[StoreError]()
    path.write_bytes(content)

    assert NoteFile(path, failures.append).load() == {}
    assert ["is damaged" in str(error) for error in failures] == [True]


def test_a_note_that_cannot_be_written_is_still_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken disk is told; what was to be kept is known as long as this process lives, and written when it can be."""
    path, failures = tmp_path / "gateway.json", list[StoreError]()
    note = NoteFile(path, failures.append)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", fails)
        note.save({"a": 1})
    assert note.load() == {"a": 1}
    assert len(failures) == 1

    note.save({"b": 2})

    assert NoteFile(path, unexpected).load() == {"b": 2}


# One program a state directory.

_HOLDER = """
import sys
from pathlib import Path
from scheduler.store.lock import Lock

with Lock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its input ends or it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_holder_is_refused_by_name(tmp_path: Path) -> None:
    """Who comes second learns at once which process owns the gateway; `status` learns it, too."""
    path = tmp_path / "state" / "lock"
    with hold(path) as first:
        with pytest.raises(Held, match=f"process {first.pid} already runs") as refused, Lock(path):
            pass
        assert refused.value.holder == holder(path) == first.pid

    assert holder(path) is None
    with Lock(path):
        assert holder(path) == os.getpid()


def test_the_lock_is_let_go_when_its_holder_dies(tmp_path: Path) -> None:
    """A killed daemon leaves its number and what it was in the file, but no lock."""
    path = tmp_path / "lock"
    with hold(path) as first:
        first.send_signal(signal.SIGKILL)
        first.wait()

    assert path.read_text() == f"{first.pid} daemon"
    assert holder(path) is None
    with Lock(path):
        assert holder(path) == os.getpid()


def test_a_second_lock_in_the_same_process_is_refused(tmp_path: Path) -> None:
    """The lock is the file's, not the process's."""
    path = tmp_path / "lock"
    with Lock(path), pytest.raises(Held), Lock(path):
        pass

    assert holder(path) is None


def test_looking_who_holds_it_makes_no_file(tmp_path: Path) -> None:
    """`status` in an empty directory leaves it empty."""
    assert holder(tmp_path / "lock") is None
    assert list(tmp_path.iterdir()) == []


def test_a_look_keeps_nobody_from_starting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that starts while a monitor asks who holds the lock gets it: to ask is not to take."""
    path = tmp_path / "lock"
    path.touch()
    close, started = os.close, list[int | None]()

    def start_meanwhile(descriptor: int) -> None:
        if not started:
            started.append(None)
            with Lock(path):
                started.append(holder(path))
        close(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "close", start_meanwhile)
        assert holder(path) is None

    assert started == [None, os.getpid()]


def test_a_full_disk_keeps_the_name_but_not_the_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon starts although its number cannot be written, and the next one is refused all the same."""
    path = tmp_path / "lock"
    with monkeypatch.context() as patch:
        patch.setattr(os, "ftruncate", fails)
        patch.setattr(os, "pwrite", fails)
        with Lock(path):
            assert holder(path) == 0
            with pytest.raises(Held, match="another process already runs") as refused, Lock(path):
                pass
            assert refused.value.holder is None


@pytest.mark.parametrize(
    ("signed", "holder_and_work"), [(b"77 visit", (77, "visit")), (b"77", (77, "")), (b"\xff", (None, ""))]
)
def test_who_is_refused_learns_what_the_holder_does(
    tmp_path: Path, signed: bytes, holder_and_work: tuple[int | None, str]
) -> None:
    """A lock of an earlier version names a process only; nonsense names nobody."""
    path = tmp_path / "lock"
    with Lock(path, VISIT):
        assert path.read_text() == f"{os.getpid()} visit"
        path.write_bytes(signed)
        with pytest.raises(Held) as refused, Lock(path):
            pass

    assert (refused.value.holder, refused.value.work) == holder_and_work


def test_a_directory_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    """A state directory that is a file is a sentence, not a traceback."""
    (tmp_path / "state").write_text("")

    with pytest.raises(StoreError, match="could not be opened"), Lock(tmp_path / "state" / "lock"):
        pass


def test_a_file_system_without_locks_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some network file systems cannot lock: that is said, too."""
    monkeypatch.setattr("fcntl.fcntl", fails)

    with pytest.raises(StoreError, match="cannot be locked"), Lock(tmp_path / "lock"):
        pass


# The journal.


@pytest.fixture(name="book")
def _book(tmp_path: Path) -> Any:
    with closing(Journal(tmp_path / "journal.sqlite")) as book:
        yield book


def numbers(path: Path, **given: Any) -> list[int]:
    """The switches in a journal, by the number that the tests gave them."""
    return [document["number"] for document in switches(path, **given)]


def test_switches_come_back_in_order(book: Journal, tmp_path: Path) -> None:
    """Oldest first, all of them or the newest, read while the journal is open for writing."""
    path = tmp_path / "journal.sqlite"
    for number in range(5):
        book.add_switch({"number": number, "message": "Größe"})

    assert numbers(path) == [0, 1, 2, 3, 4]
    assert numbers(path, last=2) == [3, 4]
    assert switches(path, last=1) == [{"number": 4, "message": "Größe"}]


def test_a_verdict_that_is_raised_replaces_its_switch(book: Journal, tmp_path: Path) -> None:
    """The switch that was judged later changes, its neighbours do not."""
    added = [book.add_switch({"number": number}) for number in range(3)]

    book.change_switch(added[1], {"number": 11})

    assert numbers(tmp_path / "journal.sqlite") == [0, 11, 2]


def test_the_journal_is_bounded(book: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest rows of each kind stay; many events push out no switch."""
    monkeypatch.setattr(journal, "KEPT", 3)
    path = tmp_path / "journal.sqlite"
    for number in range(10):
        book.add_switch({"number": number})
    for number in range(20):
        book.add_event({"number": number})

    assert numbers(path) == [7, 8, 9]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone() == (3,)


def test_the_journal_goes_on_after_a_restart(tmp_path: Path) -> None:
    """A second process appends to what the first wrote, even if that was cut off without a close."""
    path = tmp_path / "journal.sqlite"
    script = (
        "import os, sys; from pathlib import Path; from scheduler.store.journal import Journal; "
        "Journal(Path(sys.argv[1])).add_switch({'number': 0}); os._exit(9)"
    )
    subprocess.run([sys.executable, "-c", script, str(path)], check=False)

    with closing(Journal(path)) as book:
        book.add_switch({"number": 1})

    assert numbers(path) == [0, 1]


def test_no_journal_is_no_history(tmp_path: Path) -> None:
    """Before the first start there is nothing to show, and looking makes no file."""
    assert switches(tmp_path / "journal.sqlite") == []
    assert list(tmp_path.iterdir()) == []


def test_a_path_with_marks_of_an_address_is_a_path(tmp_path: Path) -> None:
    """SQLite opens files for reading by an address, in which ?, # and % mean something: not in ours."""
    path = tmp_path / "a b#c?d%20" / "journal.sqlite"
    with closing(Journal(path)) as book:
        book.add_switch({"number": 1})

    assert numbers(path) == [1]
    assert [entry.name for entry in tmp_path.iterdir()] == ["a b#c?d%20"]


def spoil_header(path: Path) -> None:
    """The first page is overwritten."""
    path.write_bytes(b"\xde\xad" * 4096)


def spoil_row(path: Path) -> None:
    """A row is no JSON."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE switch SET document = '{'")


def spoil_table(path: Path) -> None:
    """Another program's file."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE switch")


@pytest.mark.parametrize("spoil", [spoil_header, spoil_row, spoil_table])
def test_a_damaged_journal_is_told_when_read(tmp_path: Path, spoil: Callable[[Path], None]) -> None:
    """`history` says which file cannot be read."""
    path = tmp_path / "journal.sqlite"
    with closing(Journal(path)) as book:
        book.add_switch({"number": 1})
    spoil(path)

    with pytest.raises(StoreError, match=r"journal\.sqlite could not be read"):
        switches(path)


def test_a_damaged_journal_is_told_when_opened(tmp_path: Path) -> None:
    """The daemon says that it cannot keep history, and what to do about it."""
    path = tmp_path / "journal.sqlite"
    spoil_header(path)

    with pytest.raises(StoreError, match="move it away"):
        Journal(path)


@pytest.mark.parametrize("name", ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"])
@pytest.mark.parametrize("kind", ["link", "broken link", "pipe"])
def test_a_journal_that_is_a_name_for_another_file_is_refused(tmp_path: Path, name: str, kind: str) -> None:
    """Root opens what lies in the daemon's folder: a link there must not lead it to a file of root's own, and no pipe hold it."""
    folder = tmp_path / "state"
    path, other = folder / "journal.sqlite", tmp_path / "other"
    Journal(path).close()
    before = path.read_bytes()
    file = folder / name
    file.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(file)
    else:
        file.symlink_to(other)
    if kind == "link":
        other.write_bytes(before)

    for use in (Journal, switches):
        with pytest.raises(StoreError, match=r"is no plain file but a link.*move it away") as refused:
            use(path)
        assert str(refused.value).startswith(f"{file} is ")

    assert (other.read_bytes() if other.exists() else None) == (before if kind == "link" else None)


def test_a_journal_that_goes_bad_is_told(book: Journal, tmp_path: Path) -> None:
    """A row that cannot be written is a StoreError like every other failure of our memory."""
    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        connection.execute("DROP TABLE switch")

    with pytest.raises(StoreError, match=r"journal\.sqlite could not be written"):
        book.add_switch({"number": 1})


def test_a_journal_that_another_program_locks_holds_nobody_up(book: Journal, tmp_path: Path) -> None:
    """The daemon waits with its journal: it gives up long before a person's tool lets go of the file."""
    given_up = Event()

    def let_go(connection: sqlite3.Connection) -> None:
        given_up.wait(timeout=3)
        connection.rollback()

    path = tmp_path / "journal.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as foreign:
        foreign.execute("BEGIN IMMEDIATE")
        thread = Thread(target=let_go, args=[foreign])
        thread.start()
        try:
            with pytest.raises(StoreError, match="locked"):
                book.add_switch({"number": 1})
        finally:
            given_up.set()
            thread.join()

    book.add_switch({"number": 2})
    assert numbers(path) == [2]


def test_rows_are_plain_json(book: Journal, tmp_path: Path) -> None:
    """Anybody can read the journal with SQLite alone."""
    book.add_event({"event": "drift", "found": "autonomous"})

    with closing(sqlite3.connect(tmp_path / "journal.sqlite")) as connection:
        ((text,),) = connection.execute("SELECT document FROM event").fetchall()
    assert json.loads(text) == {"event": "drift", "found": "autonomous"}


# All of it together.


def test_each_way_in_which_memory_fails_is_told_once(tmp_path: Path) -> None:
    """What is in the way of one file hinders nothing else, and a person is not told of it each second."""
    for name in ("status.json", "journal.sqlite", "logins.json", "marker.json"):
        (tmp_path / name / "something").mkdir(parents=True)
    told: list[Any] = []
    memory = Memory(tmp_path, [told.append], lambda: AT)

    for _ in range(2):
        memory.forget_status()
        memory.write_status(b"{}")
        memory.marker.note(MAY_HAVE_STOPPED)
        memory.open_journal().close()
        assert memory.logins.load() == []

    assert [(event.name, event.at) for event in told] == [("memory_failed", AT)] * len(told)
    messages = [event.message for event in told]
    assert len(messages) == len(set(messages))
    for name in ("status.json", "journal.sqlite", "logins.json", "marker.json"):
        assert any(name in message for message in messages)
    assert MAY_HAVE_STOPPED in memory.marker


def test_what_an_earlier_daemon_knew_is_forgotten(tmp_path: Path) -> None:
    """The status of a daemon that ended is no news of the one that starts; without one there is nothing to forget."""
    memory = Memory(tmp_path, [], lambda: AT)
    memory.write_status(b"{}")

    memory.forget_status()
    memory.forget_status()

    assert not (tmp_path / "status.json").exists()
