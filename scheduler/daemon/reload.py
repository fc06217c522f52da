"""Notices that the configuration file was edited, by its content. What is done about it is the app's business.

Times of files lie (bind mounts, restored backups, editors that rename), so the bytes decide. A content counts once it
has been read twice the same: an editor may be in the middle of writing.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

LOOK_S = 2.0
"""Pause between two looks at the file: an edit is taken up within two of them."""

MOST_BYTES = 1 << 20
"""A larger file is refused anyway; one byte more tells."""


def digest(path: Path) -> str | None:
    """SHA-256 of the file's content, as the loader names it; None while it cannot be read."""
    try:
        if not path.is_file():
            return None
        with path.open("rb") as file:
            return hashlib.sha256(file.read(MOST_BYTES + 1)).hexdigest()
    except OSError:
        return None


async def watch(
    path: Path, changed: Callable[[], None], *, in_force: str | None = None, look_s: float = LOOK_S
) -> None:
    """Call ``changed`` each time the file has a new content that stays the same for two looks. Runs until cancelled.

    ``in_force`` is the digest of the content that was loaded, so that an edit made before the first look counts; without
    it the first look does. A file that went away is a new content, too: the person is told.
    """
    last = digest(path)
    settled = last if in_force is None else in_force
    while True:
        await asyncio.sleep(look_s)
        seen = digest(path)
        if seen == last and seen != settled:
            settled = seen
            changed()
        last = seen
