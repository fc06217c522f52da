"""One program a state directory: the lock that says who owns the gateway.

The kernel lets go of it when the holder dies, however it dies. It is a lock of the open file description (fcntl(2),
F_OFD_SETLK): unlike one of flock(2) it can be asked about without being taken, so that a look never keeps a daemon
from starting; unlike one of POSIX it is the open file's and not the process's.

It needs a file that can be written. On a disk that has become read-only, as a card that wears out does, the lock is one of
flock(2) on the folder instead: a daemon that did not start there would not switch either.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from scheduler.model.errors import StoreError
from scheduler.store import durable

VISIT = "visit"
"""What a person's short look at the gateway calls itself in the lock: a daemon that starts waits for its end."""

_FLOCK = struct.Struct("@hhqqi")
"""struct flock of fcntl(2), with offsets of 64 bits: type, whence, start, length, process."""

_WHOLE = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
"""An exclusive lock on the whole file."""


class Held(StoreError):
    """Somebody else holds the lock; ``holder`` is its process number, and ``work`` what it does, if they could be read."""

    def __init__(self, path: Path, holder: int | None, work: str = "") -> None:
        who = f"process {holder}" if holder is not None else "another process"
        super().__init__(f"{who} already runs with the state directory {path.parent}")
        self.holder = holder
        self.work = work


class Lock:
    """An exclusive lock on a file, held from ``with`` to its end. ``work`` is what its holder does, in a word for others."""

    def __init__(self, path: Path, work: str = "daemon") -> None:
        self._path = path
        self._work = work
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take it, or raise Held at once."""
        try:
            durable.make_directory(self._path.parent)
            descriptor = _opened(self._path)
        except OSError as error:
            if error.errno == errno.EROFS and self._path.parent.is_dir():
                self._descriptor = self._read_only()
                return self
            raise StoreError(f"{self._path} could not be opened: {error.strerror or error}") from error
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE)
        except BlockingIOError:
            os.close(descriptor)
            raise Held(self._path, *_holder(self._path)) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{self._path} cannot be locked: {error.strerror or error}") from error
        if _held_read_only(self._path.parent):  # by one that began when nothing could be written here
            os.close(descriptor)
            raise Held(self._path, None)
        self._descriptor = descriptor
        self._sign(f"{os.getpid()} {self._work}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            self._sign("")
            os.close(self._descriptor)
            self._descriptor = None

    def _read_only(self) -> int:
        """The folder, locked, where the disk takes no file; Held if somebody holds either lock."""
        if holder(self._path) is not None:
            raise Held(self._path, *_holder(self._path))
        descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                raise Held(self._path, None) from None
            raise StoreError(f"{self._path.parent} cannot be locked: {error.strerror or error}") from error
        return descriptor

    def _sign(self, holder: str) -> None:
        """Write who holds it. On a full disk nobody learns the name; the lock holds all the same."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, holder.encode(), 0)


def holder(path: Path) -> int | None:
    """The process number of whoever holds the lock now, 0 if it cannot be read; None if nobody does. Changes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return 0 if _held_read_only(path.parent) else None
    try:
        kind, *_ = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE))
    except OSError:
        return None  # no locks on this file system: then no daemon can have started here
    finally:
        os.close(descriptor)
    if kind == fcntl.F_UNLCK:
        return 0 if _held_read_only(path.parent) else None
    return _holder(path)[0] or 0


def _held_read_only(directory: Path) -> bool:
    """Whether somebody holds the folder. To look is to share it for an instant, which keeps only those off who begin just then."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a file system that does not lock folders
        return False
    finally:
        os.close(descriptor)
    return False


def look(path: Path) -> None:
    """Held if another one than a visitor, who goes again, holds the lock now. Changes nothing, and is done in no time."""
    if holder(path) is not None:
        number, work = _holder(path)
        if work != VISIT:
            raise Held(path, number, work)


def _opened(path: Path) -> int:
    """A descriptor of the lock's file, which is made if there is none. A name for another file is not followed."""
    with contextlib.suppress(FileExistsError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        durable.hand_over(descriptor, path.parent)
        return descriptor
    return os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)


def _holder(path: Path) -> tuple[int | None, str]:
    """The process number in the file, None if it cannot be read, and the word for what that process does."""
    try:
        number, _, work = path.read_text().partition(" ")
        return int(number), work
    except (OSError, ValueError):
        return None, ""
