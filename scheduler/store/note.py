"""A small JSON object in a file, for what must outlast a restart. What its entries mean is known to whoever writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scheduler.model.errors import StoreError
from scheduler.store import aside, durable

Content = dict[str, Any]

Join = Callable[[Content, Content], Content]
"""What counts where one content was found in a file that could not be read before, and another was saved meanwhile."""


def found_counts(found: Content, saved: Content) -> Content:
    """What was found, unless that is nothing."""
    return found or saved


class NoteFile:
    """One JSON object in a file, read anew each time: other processes write to it, too, and the last one wins.

    ``failed`` is told when the file cannot be read or written; what this process read or saved last it then still knows.
    Over what it never could read it writes nothing: once that can be read ``late`` is told, and ``join`` makes one of what was
    found and what was saved meanwhile. Unless one is given, what was found counts, and what was saved is forgotten: it knew
    nothing of it.
    """

    def __init__(
        self,
        path: Path,
        failed: Callable[[StoreError], None],
        late: Callable[[], None] = lambda: None,
        *,
        join: Join = found_counts,
    ) -> None:
        self._path = path
        self._failed = failed
        self._late = late
        self._join = join
        self._known: Content | None = None  # as it was read or saved last
        self._unsaved: Content | None = None
        self._unread = False

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    @property
    def kept(self) -> bool:
        """Whether what was saved last is in the file, and nothing that could not be read is still in it."""
        return self._unsaved is None and not self._unread

    def load(self) -> Content:
        """The object; empty if there is none that this process knows, or ever could read. What is damaged is put aside."""
        if self._unsaved is None or self._unread:
            self._read()
        return dict((self._known if self._unsaved is None else self._unsaved) or {})

    def save(self, content: Content) -> None:
        """Keep exactly this, durably before this returns."""
        self._unsaved = dict(content)
        self._write()

    def retry(self) -> None:
        """Try again what failed: to read, and to write what was not written."""
        self.load()
        self._write()

    def _read(self) -> None:
        try:
            found = aside.read(self._path, _object, empty=Content())
        except aside.PutAside as error:
            self._unread = False
            self._unsaved = self._unsaved or self._known  # it is in no file any more
            self._failed(error)
        except StoreError as error:
            self._unread = self._known is None
            self._failed(error)
        else:
            self._known = found
            if self._unread:
                self._unread = False
                if self._unsaved is not None:
                    joined = self._join(found, self._unsaved)
                    self._unsaved = None if joined == found else joined
                self._late()

    def _write(self) -> None:
        if self._unsaved is None or self._unread:
            return
        try:
            durable.write(self._path, json.dumps(self._unsaved).encode())
        except StoreError as error:
            self._failed(error)
        else:
            self._known, self._unsaved = self._unsaved, None


def _object(content: bytes) -> Content:
    value = json.loads(content)
    if not isinstance(value, dict):
        raise TypeError
    return value
