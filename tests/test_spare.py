"""A state directory that takes no write, and a process that is killed: the mark of a login that stopped the battery lives on in memory."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench import bench, local
from commands import run
from days import Run, obeyed
from dying import Steps, lives
from processes import PASSWORD, eventually, site, started

from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED
from scheduler.model.events import Event, MemoryFailed
from scheduler.store import durable, heartbeat, spare
from scheduler.store.memory import RETRY, Memory

AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)
LOGGED_IN = "after POST /api/login/Basic"
NOTED = json.dumps([{"mark": MAY_HAVE_STOPPED, "at": AT.isoformat()}]).encode()


@contextmanager
def taking_nothing(folder: Path) -> Iterator[None]:
    """Below this folder no file can be made or removed, as on a card that is full or has become read-only; elsewhere all is well."""
    opened, unlinked, error = os.open, Path.unlink, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def no_new(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if flags & os.O_CREAT and Path(path).is_relative_to(folder):
            raise error
        return opened(path, flags, *rest, **more)

    def no_less(path: Path, *, missing_ok: bool = False) -> None:
        if path.is_relative_to(folder):
            raise error
        unlinked(path, missing_ok=missing_ok)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "open", no_new)
        patch.setattr(Path, "unlink", no_less)
        yield


class Home:
    """A state directory, a folder that lives in memory, what was told, and a clock that is set by hand."""

    def __init__(self, folder: Path) -> None:
        self.state, self.shelter = folder / "state", folder / "run"
        self.state.mkdir()
        self.shelter.mkdir()
        self.at = AT
        self.told: list[Event] = []

    def process(self, *, simulated: bool = False, state: Path | None = None) -> Memory:
        """The memory of the next process."""
        return Memory(
            state or self.state,
            [self.told.append],
            lambda: self.at,
            simulated=simulated,
            shelter=self.shelter,
        )

    def dies_with_a_mark(self) -> Path:
        """A process on a full disk noted that the battery may stand still, and is gone; where the copy lies."""
        with taking_nothing(self.state):
            self.process().marker.note(MAY_HAVE_STOPPED)
        self.told.clear()
        (copy,) = self.copies
        return copy

    @property
    def copies(self) -> list[Path]:
        """What lies in the folder that lives in memory."""
        return list(self.shelter.iterdir())

    @property
    def words(self) -> list[str]:
        """What was told of memory that fails."""
        return [event.message for event in self.told if isinstance(event, MemoryFailed)]


@pytest.fixture(name="home")
def _home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# A battery that stands still by our doing.


@pytest.mark.parametrize("sheltered", [True, False], ids=["a folder in memory", "none"])
async def test_p5_i3_a_kill_after_a_login_on_a_full_disk_leaves_no_battery_stopped(
    home: Home, *, sheltered: bool
) -> None:
    """The real client's login stops the battery, the mark cannot be written, the process dies: the next one starts the battery.

    Without a folder that outlasts the process nobody knows of it, and the battery is left to whoever stopped it.
    """
    b = bench(local("22:10"))

    def deadly(_: int, step: str) -> bool:
        return step == LOGGED_IN and steps.taken.count(LOGGED_IN) == 1

    def begin() -> Run:
        memory = Memory(home.state, [], b.clock.now, shelter=home.shelter if sheltered else None)
        b.marks = memory.marker  # type: ignore[assignment]  # the real one
        return Run(b)

    steps = Steps(b, deadly)
    with taking_nothing(home.state):
        until = local("22:10") + timedelta(minutes=10)
        killed = await lives(begin, steps, until=until, pause_s=1, dead_for_s=2)
        left = home.copies

    assert len(killed) == 1
    assert obeyed(b)[2] is sheltered
    assert ("found_stopped" in [event.name for event in b.events]) is not sheltered
    assert left == [], "the mark was cleared once the battery ran, and its copy with it"


@pytest.mark.parametrize("verb", ["once", "doctor", "run"])
def test_p5_l3_each_program_that_owns_the_battery_knows_of_the_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """What a process before it left in $RUNTIME_DIRECTORY is owed by the next one, a person's visit or the daemon, and kept on the disk where that takes it."""
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(tmp_path / "run"))
    (tmp_path / "run").mkdir()
    (tmp_path / "state").mkdir()
    with taking_nothing(tmp_path / "state"):
        memory = Memory(tmp_path / "state", [], lambda: AT, shelter=spare.folder(os.environ))
        memory.marker.note(MAY_HAVE_STOPPED)
    before = list((tmp_path / "run").iterdir())

    with site(tmp_path) as home:
        if verb == "run":
            with started(verb, "--state-dir", "state", cwd=home.folder):
                eventually(lambda: not list((tmp_path / "run").glob("*.marker")))
        else:
            run(verb, "--state-dir", "state", cwd=home.folder, TOU_GATEWAY__PASSWORD=PASSWORD)

    assert [it.suffix for it in before] == [".marker"]
    assert list((tmp_path / "run").glob("*.marker")) == []
    # On a disk that takes it the mark stands for as long as that login may yet stop the battery.
    assert MAY_HAVE_STOPPED in Memory(tmp_path / "state", [], lambda: AT).marker


# The copy.


def test_p5_a_mark_that_the_disk_took_has_no_copy(home: Home) -> None:
    """As long as the state directory works nothing is written elsewhere."""
    marker = home.process().marker
    marker.note(MAY_HAVE_STOPPED)
    marker.note(UNCOMMITTED)
    marker.clear(UNCOMMITTED)

    assert home.copies == []


def test_p5_the_copy_is_read_joined_and_told(home: Home) -> None:
    """The next process has what the file says and what the copy does, each with its instant; that it is so is said."""
    home.process().marker.note(UNCOMMITTED)
    home.at += timedelta(minutes=5)
    with taking_nothing(home.state):
        home.process().marker.note(MAY_HAVE_STOPPED)
        (copy,) = home.copies
        home.told.clear()
        marker = home.process().marker

        assert (marker.noted_at(UNCOMMITTED), marker.noted_at(MAY_HAVE_STOPPED)) == (AT, home.at)
        assert not marker.kept
    assert home.words == [
        f"an earlier process could not write {home.state / 'marker.json'}; what it noted is read from {copy}"
    ]
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_p5_the_copy_goes_when_the_disk_takes_the_mark(home: Home) -> None:
    """As soon as there is room the mark is on the disk, the copy is gone, and all is said to be well."""
    home.dies_with_a_mark()
    memory = home.process()

    memory.mend()

    assert home.copies == []
    assert [event.name for event in home.told] == ["memory_failed", "memory_back"]
    assert MAY_HAVE_STOPPED in Memory(home.state, [], lambda: AT).marker


def test_p5_the_copy_follows_what_is_cleared_where_the_disk_stays_full(home: Home) -> None:
    """Of two marks one is cleared, then the other: the copy holds what is owed still, and is gone with the last of it."""
    home.dies_with_a_mark()
    with taking_nothing(home.state):
        marker = home.process().marker
        marker.note(UNCOMMITTED)
        marker.clear(MAY_HAVE_STOPPED)
        next_marker = home.process().marker
        assert UNCOMMITTED in next_marker
        assert MAY_HAVE_STOPPED not in next_marker
        next_marker.clear(UNCOMMITTED)

    assert home.copies == []


def test_p5_a_mark_that_is_cleared_after_the_disk_recovered_does_not_come_back(home: Home) -> None:
    """Noted by a process on a full disk, cleared by the next one on a disk that works: a third finds nothing."""
    home.dies_with_a_mark()
    home.process().marker.clear(MAY_HAVE_STOPPED)

    assert home.copies == []
    assert MAY_HAVE_STOPPED not in home.process().marker


def test_p5_what_only_looks_leaves_the_copy_alone(home: Home) -> None:
    """A visit beside a daemon opens the same memory: the daemon's copy stays as it is until the daemon needs it no more."""
    copy = home.dies_with_a_mark()
    before = copy.read_bytes()

    home.process()

    assert copy.read_bytes() == before
    assert list(home.state.iterdir()) == []


def test_p5_a_marker_that_cannot_be_read_has_a_copy_of_what_it_does_not_take(home: Home) -> None:
    """Neither read nor written: what is noted counts for the next process, and what was cleared does not come back from the copy."""
    (home.state / "marker.json").mkdir()
    with taking_nothing(home.state), pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "rename", _fails)
        home.process().marker.note(MAY_HAVE_STOPPED)
        found = home.process().marker
        assert MAY_HAVE_STOPPED in found
        found.clear(MAY_HAVE_STOPPED)
        assert MAY_HAVE_STOPPED not in home.process().marker

    assert home.copies == []


def _fails(*_: object) -> Path:
    raise OSError(errno.EROFS, os.strerror(errno.EROFS))


def test_p5_p9_each_state_directory_has_its_own_copy(home: Home, tmp_path: Path) -> None:
    """Two daemons with two directories, and a simulated gateway in one of them, never read each other's; a link to one is the same."""
    home.dies_with_a_mark()
    (tmp_path / "other").mkdir()
    (tmp_path / "link").symlink_to(home.state)

    assert MAY_HAVE_STOPPED not in home.process(state=tmp_path / "other").marker
    assert MAY_HAVE_STOPPED not in home.process(simulated=True).marker
    assert MAY_HAVE_STOPPED in home.process(state=tmp_path / "link").marker


def _foreign(copy: Path) -> None:
    """Somebody else's, in a folder that all may write to."""
    copy.parent.chmod(0o1777)
    os.chown(copy, 12345, 12345)


def _link(copy: Path) -> None:
    """A name for another file."""
    copy.rename(copy.parent.parent / "elsewhere")
    copy.symlink_to(copy.parent.parent / "elsewhere")


def _folder(copy: Path) -> None:
    copy.unlink()
    copy.mkdir()


def _pipe(copy: Path) -> None:
    copy.unlink()
    os.mkfifo(copy)


ODD: dict[str, Callable[[Path], object]] = {
    "empty": lambda it: it.write_bytes(b""),
    "torn": lambda it: it.write_bytes(NOTED[:20]),
    "of another kind": lambda it: it.write_bytes(b'{"mark": 1}'),
    "of an instant without a zone": lambda it: it.write_bytes(NOTED.replace(b"+00:00", b"")),
    "deep": lambda it: it.write_bytes(b"[" * 100_000),
    "large": lambda it: os.truncate(it, durable.MOST_BYTES + 1),
    "foreign": _foreign,
    "a link": _link,
    "a folder": _folder,
    "a pipe": _pipe,
}


@pytest.mark.parametrize("odd", ODD)
def test_p4_a_copy_that_is_none_of_ours_ends_nothing(home: Home, odd: str) -> None:
    """It counts as empty, which is said once; marks are noted and cleared as ever, and what a link leads to is not touched."""
    if odd == "foreign" and os.geteuid() != 0:
        pytest.skip("only root can make a file somebody else's")
    copy = home.dies_with_a_mark()
    ODD[odd](copy)
    memory = home.process()
    found = MAY_HAVE_STOPPED in memory.marker
    words = home.words
    with taking_nothing(home.state):
        memory.marker.note(MAY_HAVE_STOPPED)
        memory.marker.clear(MAY_HAVE_STOPPED)
    memory.marker.note(UNCOMMITTED)
    home.at += RETRY
    memory.mend()

    assert not found
    assert len(words) == 1
    assert str(copy) in words[0]
    assert memory.problem is None
    assert UNCOMMITTED in Memory(home.state, [], lambda: AT).marker
    assert odd != "a link" or (copy.parent.parent / "elsewhere").read_bytes() == NOTED


@pytest.mark.parametrize("missing", ["the folder", "room", "the state directory"])
def test_p5_without_a_place_for_the_copy_the_mark_counts_in_this_process(home: Home, missing: str) -> None:
    """No second place, or one that takes nothing either: that ends nothing."""
    if missing == "the folder":
        home.shelter.rmdir()
        home.shelter.write_text("none")
    if missing == "the state directory":
        home.state.rmdir()
    with taking_nothing(home.state), taking_nothing(home.shelter if missing == "room" else home.state):
        marker = home.process().marker
        marker.note(MAY_HAVE_STOPPED)
        noted = MAY_HAVE_STOPPED in marker
        marker.clear(MAY_HAVE_STOPPED)

    assert noted
    assert MAY_HAVE_STOPPED not in marker


def test_p5_where_the_copy_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the heartbeat does; by hand in the service's folder if that can be written, else in the one of who is logged in."""
    service, person = tmp_path / "service", tmp_path / "person"
    monkeypatch.setattr(heartbeat, "OF_SERVICE", service)
    named = {"RUNTIME_DIRECTORY": "/run/tou-scheduler:/run/other", "XDG_RUNTIME_DIR": str(person)}

    assert spare.folder(named) == Path("/run/tou-scheduler")
    assert spare.folder({"XDG_RUNTIME_DIR": str(person)}) is None
    person.mkdir()
    assert spare.folder({"XDG_RUNTIME_DIR": str(person)}) == person
    service.mkdir()
    assert spare.folder({"XDG_RUNTIME_DIR": str(person)}) == spare.folder({}) == service
