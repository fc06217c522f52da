"""When we logged in lately, as a file, so that the login budget survives restarts and crash loops.

How many logins are too many is not known here; see `gateway/budget.py`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from scheduler.model.errors import StoreError
from scheduler.store import durable


class LoginLedger:
    """A list of instants in a file. ``failed`` is told when the file cannot be read or written."""

    def __init__(self, path: Path, failed: Callable[[StoreError], None]) -> None:
        self._path = path
        self._failed = failed
        self._known: list[datetime] | None = None

    def load(self) -> list[datetime]:
        """The instants noted; what cannot be read counts as none, since forgetting them costs at most a lock-out."""
        if self._known is None:
            try:
                self._known = _read(self._path)
            except StoreError as error:
                self._known = []
                self._failed(error)
        return list(self._known)

    def save(self, instants: list[datetime]) -> None:
        """Note these instants instead; StoreError if the disk does not take them, which this object then still knows."""
        self._known = list(instants)
        try:
            durable.write(self._path, json.dumps([instant.isoformat() for instant in instants]).encode())
        except StoreError as error:
            self._failed(error)
            raise


def _read(path: Path) -> list[datetime]:
    content = durable.read(path)
    if content is None:
        return []
    try:
        return [_instant(text) for text in json.loads(content)]
    except (ValueError, TypeError) as error:
        raise StoreError(f"{path} is damaged and counts as empty") from error


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return instant
