"""Small files that survive a power cut whole: the old content or the new one, never a torn one.

Write, fsync, rename, fsync of the directory; measured alternatives without one of these leave torn states. What root
writes belongs to whoever owns the directory: a command run with sudo must not shut the daemon out of its own memory.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
from itertools import count
from pathlib import Path

from scheduler.model.errors import StoreError

MOST_BYTES = 4 << 20
"""No file that is read here is nearly as large; what is larger is not read."""

STRAY_S = 60.0
"""No write takes so long. A process's number alone does not tell: containers that share a directory count their own."""

_numbers = count(1)
_swept: set[Path] = set()


class Unfit(StoreError):
    """What lies there cannot be a file of ours: a link, a folder, a pipe, far too large, or for others to read."""


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace the file's content in one step, readable by its owner only; ``durable`` waits for the disk.

    Raises StoreError if it cannot; the file then has its old content or, if only the last step failed, the new one.
    """
    fresh = None
    try:
        make_directory(path.parent)
        descriptor, fresh = _begin(path)
        with os.fdopen(descriptor, "wb") as file:
            _sweep(path, os.fstat(descriptor).st_mtime)
            hand_over(file.fileno(), path.parent)
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
        if durable:
            _sync_directory(path.parent)
    except OSError as error:
        _forget(fresh)
        raise StoreError(f"{path} could not be written: {error.strerror or error}") from error


def create(path: Path, content: bytes) -> None:
    """Make a file that is not there yet, readable by its owner only: with all of its content or not at all.

    Raises StoreError if there is one of that name already, or if it cannot be written. Its folder must be there.
    """
    fresh = None
    try:
        descriptor, fresh = _begin(path)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(fresh, path)  # unlike a rename, it takes no other file's place
        fresh.unlink()
        _sync_directory(path.parent)
    except FileExistsError as error:
        raise StoreError(f"{path} is there already, and nothing is written over it") from error
    except OSError as error:
        raise StoreError(f"{path} could not be written: {error.strerror or error}") from error
    finally:
        _forget(fresh)


def read(path: Path, *, follow: bool = True, ours: bool = False) -> bytes | None:
    """The file's content, None if there is no such file. Raises StoreError if it is there and cannot be read.

    The error is Unfit if that will stay so: nothing waits for a pipe, and of 1 GB nothing is read. Without ``follow`` a name
    for another file is unfit, too; and for ``ours`` one that neither we nor whoever owns its folder made.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags)
    except FileNotFoundError:
        return None
    except OSError as error:
        kind = Unfit if error.errno in {errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO} else StoreError
        raise kind(f"{path} could not be read: {error.strerror or error}") from error
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise Unfit(f"{path} could not be read: it is no plain file")
        if found.st_size > MOST_BYTES:
            raise Unfit(f"{path} could not be read: it is larger than {MOST_BYTES >> 20} MiB")
        if ours and found.st_uid not in {os.geteuid(), path.parent.stat().st_uid}:
            raise Unfit(f"{path} could not be read: it is somebody else's")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_BYTES)
    except OSError as error:
        raise StoreError(f"{path} could not be read: {error.strerror or error}") from error
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Have no such file, on the disk, too, which takes no room there. Raises StoreError if it cannot be removed."""
    try:
        path.unlink()
        _sync_directory(path.parent)
    except FileNotFoundError:
        return
    except OSError as error:
        raise StoreError(f"{path} could not be removed: {error.strerror or error}") from error


def make_directory(directory: Path) -> None:
    """Have this directory, for its owner only if it is new; made by root it belongs to whoever owns the one around it."""
    if directory.is_dir():
        return
    make_directory(directory.parent)
    # Somebody else made it meanwhile; a file there is an error of its user.
    with contextlib.suppress(FileExistsError):
        directory.mkdir(mode=0o700)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            hand_over(descriptor, directory.parent)
        finally:
            os.close(descriptor)


def hand_over(descriptor: int, directory: Path) -> None:
    """As root, give a file that was just made to the owner and the group of its directory; as anybody else, nothing.

    For new files only: one that was there already may be somebody's trap, a name for another file.
    """
    if os.geteuid() != 0:
        return
    place, ours = directory.stat(), os.fstat(descriptor)
    if (place.st_uid, place.st_gid) != (ours.st_uid, ours.st_gid):
        # A file system that knows no owners, or a root that is none.
        with contextlib.suppress(PermissionError):
            os.fchown(descriptor, place.st_uid, place.st_gid)


def _begin(path: Path) -> tuple[int, Path]:
    """A new file beside ``path`` under a name that no other writer has: its descriptor and its path."""
    while True:
        fresh = path.with_name(f".{path.name}.{os.getpid()}.{next(_numbers)}.new")
        with contextlib.suppress(FileExistsError):
            return os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), fresh


def _forget(fresh: Path | None) -> None:
    if fresh is not None:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _sweep(path: Path, now_s: float) -> None:
    """Once for each file in the life of a process: remove what writers that died have left beside it.

    ``now_s`` is by the clock of the file system, which the strays' own times are by, too.
    """
    if path in _swept:
        return
    _swept.add(path)
    name = re.compile(rf"\.{re.escape(path.name)}(?:\.(?P<writer>\d{{1,9}})\.\d+)?\.new")
    with contextlib.suppress(OSError):  # a folder that cannot be listed can still be written in
        for stray in list(path.parent.iterdir()):
            match = name.fullmatch(stray.name)
            if match and not _lives(match["writer"]):
                # Another process sweeps, too; and what has such a name may be a folder.
                with contextlib.suppress(OSError):
                    if now_s - stray.lstat().st_mtime > STRAY_S:
                        stray.unlink()


def _lives(writer: str | None) -> bool:
    """Whether another process has this number; our own may be that of an earlier container."""
    if writer is None or int(writer) == os.getpid():
        return False
    try:
        os.kill(int(writer), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
