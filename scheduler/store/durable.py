"""Small files that survive a power cut whole: the old content or the new one, never a torn one.

Write, fsync, rename, fsync of the directory; measured alternatives without one of these leave torn states.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from scheduler.model.errors import StoreError


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Replace the file's content in one step, readable by its owner only; ``durable`` waits for the disk.

    Raises StoreError if it cannot; the file then has its old content or, if only the last step failed, the new one.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(path)
        if durable:
            _sync_directory(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StoreError(f"{path} could not be written: {error.strerror or error}") from error


def create(path: Path, content: bytes) -> None:
    """Make a file that is not there yet, readable by its owner only: with all of its content or not at all.

    Raises StoreError if there is one of that name already, or if it cannot be written. Its folder must be there.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
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
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def read(path: Path) -> bytes | None:
    """The file's content, None if there is no such file. Raises StoreError if it is there and cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"{path} could not be read: {error.strerror or error}") from error


def remove(path: Path) -> None:
    """Have no such file. Raises StoreError if it is there and cannot be removed."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} could not be removed: {error.strerror or error}") from error


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
