"""A second copy of what a state directory did not take, in a folder that lives in memory and outlasts the process.

It is there only while the file itself could not be written: a process that is killed meanwhile leaves it to the next one.
A boot takes it away. Never more than a help: one that is damaged, somebody else's, or cannot be written, ends nothing.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scheduler.model.errors import StoreError
from scheduler.store import durable, heartbeat


def folder(environ: Mapping[str, str]) -> Path | None:
    """Where such copies lie: in $RUNTIME_DIRECTORY, which systemd and the image set.

    Without it in the service's, for root who acts by hand beside it, or else in the one that a person has while logged in,
    $XDG_RUNTIME_DIR. None without any of them: then a process that is killed leaves no copy.
    """
    named = heartbeat.place(environ)
    if named is not None:
        return named.parent
    own = environ.get("XDG_RUNTIME_DIR")
    places = (heartbeat.OF_SERVICE, *([Path(own)] if own else []))
    return next((it for it in places if it.is_absolute() and os.access(it, os.W_OK | os.X_OK)), None)


class Spare:
    """The copy of one file of a state directory; without a ``folder`` there is none.

    It goes by what the file system calls the directory, not by its path: two daemons whose containers call theirs the same
    never read each other's, and one directory is the same by each of its names.
    """

    def __init__(self, folder: Path | None, directory: Path, name: str) -> None:
        self._folder = folder
        self._directory = directory
        self._name = name
        self._there = False

    def read(self) -> bytes | None:
        """What is kept; None if nothing is. StoreError if it cannot be read, or is not of ours to read."""
        path = self._path
        if path is None:
            return None
        try:
            content = durable.read(path, follow=False, ours=True)
        except StoreError:
            self._there = True
            raise
        self._there = content is not None
        return content

    def keep(self, content: bytes) -> None:
        """Keep this, if it can be. That the file itself could not be written was told already."""
        path = self._path
        if path is not None:
            self._there = True
            with suppress(StoreError):
                durable.write(path, content, durable=False)

    def forget(self) -> None:
        """Have none, if it can be removed."""
        path = self._path
        if path is not None and self._there:
            with suppress(OSError):
                path.unlink(missing_ok=True)
                self._there = False

    @property
    def place(self) -> str:
        """Where it lies, for a person."""
        return str(self._path)

    @property
    def _path(self) -> Path | None:
        if self._folder is None:
            return None
        try:
            found = self._directory.stat()
        except OSError:
            return None
        return self._folder / f"tou-scheduler.{found.st_dev:x}-{found.st_ino:x}.{self._name}"
