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

_Marks = dict[str, datetime | None]


class Marker:
    """A durable set of words, each with the instant at which it was noted last.

    What cannot be written is kept in memory, ``failed`` is told why, and `retry`, or the next word noted or cleared, tries again.
    """

    def __init__(self, path: Path, failed: Callable[[StoreError], None], now: Callable[[], datetime]) -> None:
        self._path = path
        self._failed = failed
        self._now = now
        self._marks: _Marks = {}
        self._on_disk: _Marks | None = None  # None: not known
        try:
            self._marks = self._on_disk = aside.read(path, _parsed, empty=_Marks())
        except StoreError as error:
            # Unreadable is not empty, but which words it held cannot be known; the person is told, and a damaged file kept.
            failed(error)

    def note(self, mark: str) -> None:
        """Note it, durably before this returns."""
        self._keep(self._marks | {mark: self._now()})

    def clear(self, mark: str) -> None:
        """Forget it."""
        self._keep({noted: at for noted, at in self._marks.items() if noted != mark})

    def retry(self) -> None:
        """Write what the file does not hold yet."""
        self._keep(self._marks)

    @property
    def kept(self) -> bool:
        """Whether the file holds what is noted."""
        return self._on_disk == self._marks

    def noted_at(self, mark: str) -> datetime | None:
        """When it was noted last, by the wall clock; None if it is not, or if a file of an older program does not say."""
        return self._marks.get(mark)

    def __contains__(self, mark: object) -> bool:
        return mark in self._marks

    def _keep(self, marks: _Marks) -> None:
        self._marks = marks
        if marks == self._on_disk:
            return
        entries = [
            {"mark": mark, "at": None if at is None else at.isoformat()} for mark, at in sorted(marks.items())
        ]
        try:
            durable.write(self._path, json.dumps(entries).encode())
        except StoreError as error:
            self._on_disk = None
            self._failed(error)
        else:
            self._on_disk = marks


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
