"""One program a state directory: the lock that says who owns the gateway.

The kernel lets go of it when the holder dies, however it dies. It is a lock of the open file description (fcntl(2),
F_OFD_SETLK): unlike one of flock(2) it can be asked about without being taken, so that a look never keeps a daemon
from starting; unlike one of POSIX it is the open file's and not the process's.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import struct
from pathlib import Path
from types import TracebackType
from typing import Self

from scheduler.model.errors import StoreError

_FLOCK = struct.Struct("@hhqqi")
"""struct flock of fcntl(2), with offsets of 64 bits: type, whence, start, length, process."""

_WHOLE = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
"""An exclusive lock on the whole file."""


class Held(StoreError):
    """Somebody else holds the lock; ``holder`` is its process number, if it could be read."""

    def __init__(self, path: Path, holder: int | None) -> None:
        who = f"process {holder}" if holder is not None else "another process"
        super().__init__(f"{who} already runs with the state directory {path.parent}")
        self.holder = holder


class Lock:
    """An exclusive lock on a file, held from ``with`` to its end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def __enter__(self) -> Self:
        """Take it, or raise Held at once."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path} could not be opened: {error.strerror or error}") from error
        try:
            fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE)
        except BlockingIOError:
            os.close(descriptor)
            raise Held(self._path, _holder(self._path)) from None
        except OSError as error:
            os.close(descriptor)
            raise StoreError(f"{self._path} cannot be locked: {error.strerror or error}") from error
        self._descriptor = descriptor
        self._sign(str(os.getpid()))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            self._sign("")
            os.close(self._descriptor)
            self._descriptor = None

    def _sign(self, holder: str) -> None:
        """Write who holds it. On a full disk nobody learns the name; the lock holds all the same."""
        if self._descriptor is not None:
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, 0)
                os.pwrite(self._descriptor, holder.encode(), 0)


def holder(path: Path) -> int | None:
    """The process number of whoever holds the lock now, 0 if it cannot be read; None if nobody does. Changes nothing."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        kind, *_ = _FLOCK.unpack(fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE))
    except OSError:
        return None  # no locks on this file system: then no daemon can have started here
    finally:
        os.close(descriptor)
    return None if kind == fcntl.F_UNLCK else _holder(path) or 0


def _holder(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
