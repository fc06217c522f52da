"""Notices that a file was edited, by its content: the configuration, and what it is loaded with. What is done about it is
the app's business.

Times of files lie (bind mounts, restored backups, editors that rename), so the bytes decide. A content counts once it
has been read twice the same: an editor may be in the middle of writing.
"""

from __future__ import annotations

import asyncio
import hashlib
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
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.sha256(file.read(MOST_BYTES + 1)).hexdigest()
    except OSError:
        return None


def content_of(path: Path, wanted: str) -> bytes | None:
    """The file's content, if its digest still is the one that is wanted; else None."""
    try:
        content = path.read_bytes() if path.is_file() else b""
    except OSError:
        return None
    return content if hashlib.sha256(content).hexdigest() == wanted else None


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
