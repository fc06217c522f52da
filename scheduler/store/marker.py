"""What we may owe the gateway, as a file: written before the deed, cleared when it is undone.

Nothing else is kept here: this file decides whether a battery is started again after a crash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from scheduler.model.errors import StoreError
from scheduler.model.instant import instant
from scheduler.store import aside, durable
from scheduler.store.spare import Spare

_Marks = dict[str, datetime | None]


class Marker:
    """A durable set of words, each with the instant at which it was noted last.

    What cannot be read or written is kept in memory, ``failed`` is told why, and `retry`, or the next word noted or cleared,
    tries again. Words that could not be read at the start count from when they are, and ``late`` is told of it. Words that the
    file does not take lie in ``spare`` until it does, for the next process: both count then, and that is told as well.
    """

    def __init__(
        self,
        path: Path,
        failed: Callable[[StoreError], None],
        now: Callable[[], datetime],
        late: Callable[[], None] = lambda: None,
        spare: Spare | None = None,
    ) -> None:
        self._path = path
        self._failed = failed
        self._now = now
        self._late = late
        self._spare = spare or Spare(None, path.parent, path.name)
        self._marks: _Marks = {}
        self._cleared: set[str] = set()
        self._on_disk: _Marks | None = None  # None: not known
        self._unread = False
        self._read()
        self._read_spare()

    def note(self, mark: str) -> None:
        """Note it, durably before this returns; in the place of a file that still cannot be read, too."""
        self._cleared.discard(mark)
        self._marks = self._marks | {mark: self._now()}
        self._keep(over_unread=True)

    def clear(self, mark: str) -> None:
        """Forget it; what a file that cannot be read says of it counts no more."""
        self._cleared.add(mark)
        self._marks = {noted: at for noted, at in self._marks.items() if noted != mark}
        self._keep()

    def retry(self) -> None:
        """Read what could not be read, and write what the file does not hold yet."""
        self._keep()

    @property
    def kept(self) -> bool:
        """Whether the file holds what is noted."""
        return self._on_disk == self._marks

    @property
    def unread(self) -> bool:
        """Whether the file may hold words that could not be read yet."""
        return self._unread

    def noted_at(self, mark: str) -> datetime | None:
        """When it was noted last, by the wall clock; None if it is not, or if a file of an older program does not say."""
        return self._marks.get(mark)

    def __contains__(self, mark: object) -> bool:
        return mark in self._marks

    def _read(self) -> None:
        """Have the words of the file, too; what was noted and cleared since it should have been read is newer."""
        try:
            self._on_disk = aside.read(self._path, _parsed, empty=_Marks())
        except StoreError as error:
            # Unreadable is not empty, but which words it held cannot be known; the person is told, and a damaged file kept.
            self._unread = not isinstance(error, aside.PutAside)
            self._failed(error)
            return
        found = {mark: at for mark, at in self._on_disk.items() if mark not in self._cleared}
        self._marks = found | self._marks
        if self._unread:
            self._unread = False
            self._late()

    def _read_spare(self) -> None:
        """Have the words, too, that a process before this one noted and could not write: nothing later is in the file."""
        try:
            content = self._spare.read()
            found = _Marks() if content is None else _parsed(content)
        except StoreError as error:
            self._failed(error)
            return
        except aside.DAMAGED:
            self._failed(StoreError(f"{self._spare.place} is damaged and counts as empty"))
            return
        known, self._marks = self._marks, self._marks | found
        if self._marks != known:  # to be written as soon as that is possible
            words = f"an earlier process could not write {self._path}; what it noted is read from {self._spare.place}"
            self._failed(StoreError(words))

    def _keep(self, *, over_unread: bool = False) -> None:
        """Have the file hold what is noted, or else the copy in memory."""
        if self._unread:
            self._read()
        if self._wrote(over_unread=over_unread) or not self._marks:
            self._spare.forget()
        else:
            self._spare.keep(_content(self._marks))

    def _wrote(self, *, over_unread: bool) -> bool:
        """Whether the file holds it now. One that cannot be read is left alone, unless what it says may be lost."""
        marks = self._marks
        if marks == self._on_disk or (self._unread and not over_unread):
            return marks == self._on_disk
        try:
            durable.write(self._path, _content(marks))
        except StoreError as error:
            self._on_disk = None
            self._failed(error)
            return False
        # Words may be lost with what was never read: until the next attempt `kept` does not say that all is well.
        self._on_disk = None if self._unread else marks
        self._unread = False
        return True


def _content(marks: _Marks) -> bytes:
    entries = [
        {"mark": mark, "at": None if at is None else at.isoformat()} for mark, at in sorted(marks.items())
    ]
    return json.dumps(entries).encode()


def _parsed(content: bytes) -> _Marks:
    entries = json.loads(content)
    return dict(map(_entry, entries if isinstance(entries, list) else [None]))


def _entry(entry: Any) -> tuple[str, datetime | None]:
    """A mark and its instant; older programs wrote the word alone."""
    if isinstance(entry, str):
        return entry, None
    mark, at = entry["mark"], entry["at"]
    if not isinstance(mark, str):
        raise TypeError
    return mark, None if at is None else instant(at)
