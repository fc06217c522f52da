"""What is damaged, or none of ours, is put aside: nothing of ours trips over it again, and a person can still look at it."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import TypeVar

from scheduler.model.errors import StoreError
from scheduler.store import durable

KEPT = 3
"""So many are kept of each file; the one that was put aside first goes first."""

_NAME = r"\.corrupt\.\d{8}T\d{6}Z(?:\.\d+)?"

DAMAGED = (ValueError, LookupError, TypeError, AttributeError, RecursionError)
"""What whoever reads a content raises where it is damaged."""

Value = TypeVar("Value")


class PutAside(StoreError):
    """What lay there is put aside: from then on there is no such file."""


def read(path: Path, parse: Callable[[bytes], Value], *, empty: Value) -> Value:
    """What ``parse`` makes of the file; ``empty`` if there is none.

    Raises StoreError if it cannot be read now: it is as it was, and a later call may read it. What cannot be a file of ours,
    or is damaged so that ``parse`` raises, is put aside first; the error is PutAside then, if it could be moved.
    """
    try:
        content = durable.read(path, follow=False)
        return empty if content is None else parse(content)
    except durable.Unfit as error:
        found = str(error)
    except DAMAGED:
        found = f"{path} is damaged"
    raise put_aside(path, f"{found} and counts as empty")


def put_aside(path: Path, found: str) -> StoreError:
    """Rename the file, with what belongs to it, to one that ends in ``.corrupt`` and the instant it was written last.

    The error that says what was ``found`` and what became of it: PutAside, or another one where it stays in its place, as on
    a file system that is read-only.
    """
    try:
        written = datetime.fromtimestamp(path.lstat().st_mtime, UTC)
        name = _free(path, f"{path.name}.corrupt.{written:%Y%m%dT%H%M%SZ}")
        path.rename(name)
    except FileNotFoundError:
        return PutAside(f"{found}; somebody has moved it away meanwhile")
    except (OSError, ValueError, OverflowError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        return StoreError(f"{found}; it cannot be moved away: {reason or error}")
    for companion, aside in zip(companions(path), companions(name), strict=True):
        with contextlib.suppress(OSError):
            companion.rename(aside)
    _forget_oldest(path)
    return PutAside(f"{found}; it is kept as {name.name}")


def companions(path: Path) -> tuple[Path, ...]:
    """What SQLite keeps beside a file: it belongs to it, and goes with it."""
    return tuple(path.with_name(f"{path.name}{ending}") for ending in ("-wal", "-shm"))


def _free(path: Path, name: str) -> Path:
    names = (path.with_name(name if number == 1 else f"{name}.{number}") for number in count(1))
    return next(free for free in names if not os.path.lexists(free))


def _forget_oldest(path: Path) -> None:
    """Remove what is beyond `KEPT`. By the instant of the renaming, which the file system has: names may lie, clocks do."""
    name = re.compile(re.escape(path.name) + _NAME)
    with contextlib.suppress(OSError):
        found = [it for it in path.parent.iterdir() if name.fullmatch(it.name)]
        found.sort(key=lambda it: it.lstat().st_ctime_ns)
        for old in found[:-KEPT]:
            for file in (old, *companions(old)):
                with contextlib.suppress(OSError):  # a folder that holds something is not ours to empty
                    file.rmdir() if file.is_dir() and not file.is_symlink() else file.unlink()
