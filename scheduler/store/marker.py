"""What we may owe the gateway, as a file: written before the deed, cleared when it is undone.

Nothing else is kept here: this file decides whether a battery is started again after a crash.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from scheduler.model.errors import StoreError
from scheduler.store import durable


class Marker:
    """A durable set of words.

    What cannot be written is kept in memory, ``failed`` is told why, and the next word noted or cleared tries again.
    """

    def __init__(self, path: Path, failed: Callable[[StoreError], None]) -> None:
        self._path = path
        self._failed = failed
        self._marks: set[str] = set()
        self._on_disk: set[str] | None = None  # None: not known
        try:
            self._marks = self._on_disk = _read(path)
        except StoreError as error:
            # Unreadable is not empty, but which words it held cannot be known; the person is told.
            failed(error)

    def note(self, mark: str) -> None:
        """Note it, durably before this returns."""
        self._keep(self._marks | {mark})

    def clear(self, mark: str) -> None:
        """Forget it."""
        self._keep(self._marks - {mark})

    def __contains__(self, mark: object) -> bool:
        return mark in self._marks

    def _keep(self, marks: set[str]) -> None:
        self._marks = marks
        if marks == self._on_disk:
            return
        try:
            durable.write(self._path, json.dumps(sorted(marks)).encode())
        except StoreError as error:
            self._on_disk = None
            self._failed(error)
        else:
            self._on_disk = marks


def _read(path: Path) -> set[str]:
    content = durable.read(path)
    if content is None:
        return set()
    try:
        marks = json.loads(content)
    except ValueError:
        marks = None
    if not isinstance(marks, list) or not all(isinstance(mark, str) for mark in marks):
        raise StoreError(f"{path} is damaged and counts as empty")
    return set(marks)
