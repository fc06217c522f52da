"""Notices that a file was edited, by its content: the configuration, and what it is loaded with. What is done about it is
the app's business.

Times of files lie (bind mounts, restored backups, editors that rename), so the bytes decide. A content counts once it
has been read twice the same: an editor may be in the middle of writing.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import stat
from collections.abc import Callable, Iterable
from pathlib import Path

LOOK_S = 2.0
"""Pause between two looks at the files: an edit is taken up within two of them."""

MOST_BYTES = 1 << 20
"""A larger file is refused anyway; one byte more tells."""

Contents = dict[Path, str | None]
"""The digest of each file, as `digest` gives it."""


def digest(path: Path) -> str | None:
    """SHA-256 of the file's content, as the loader names it; None while it cannot be read."""
    content = _read(path)
    return None if content is None else hashlib.sha256(content).hexdigest()


def content_of(path: Path, wanted: str) -> bytes | None:
    """The file's content, if its digest still is the one that is wanted; else None."""
    content = _read(path)
    return content if content is not None and hashlib.sha256(content).hexdigest() == wanted else None


def _read(path: Path) -> bytes | None:
    """As much of the file as tells one that is too large; None of what is no plain file. Nothing waits for a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_BYTES + 1)
    except OSError:
        return None
    finally:
        os.close(descriptor)


def contents(files: Iterable[Path]) -> Contents:
    """What each of these files holds now."""
    return {path: digest(path) for path in files}


async def watch(
    files: Callable[[], Iterable[Path]],
    changed: Callable[[], None],
    *,
    tried: Callable[[], Contents] | None = None,
    look_s: float = LOOK_S,
) -> None:
    """Call ``changed`` each time the files have new contents that stay the same for two looks. Runs until cancelled.

    ``files`` is asked at each look, and other files than before are a change, too: they may have been edited since they
    were loaded. ``tried`` are the contents that were loaded last, or refused, and is asked at each look as well: somebody
    may have had them loaded meanwhile, and then it is an edit to put back what was there before. Without it the first look
    counts as loaded. A file that went away is a new content: the person is told.
    """
    last = contents(files())
    settled = known = last if tried is None else tried()
    while True:
        await asyncio.sleep(look_s)
        seen = contents(files())
        if tried is not None and (now := tried()) != known:
            settled = known = now
        if seen == last and seen != settled:
            settled = seen
            changed()
        last = seen
