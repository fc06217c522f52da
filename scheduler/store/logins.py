"""When we logged in lately, as a file, so that the login budget survives restarts and crash loops.

How many logins are too many is not known here; see `gateway/budget.py`.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from scheduler.model.errors import StoreError
from scheduler.store import durable


class LoginLedger:
    """A list of instants in a file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: list[datetime] | None = None

    def load(self) -> list[datetime]:
        """The instants noted; what cannot be read counts as none, since forgetting them costs at most a lock-out."""
        if self._known is None:
            try:
                content = durable.read(self._path)
                self._known = [] if content is None else [_instant(text) for text in json.loads(content)]
            except (StoreError, ValueError, TypeError):
                self._known = []
        return list(self._known)

    def save(self, instants: list[datetime]) -> None:
        """Note these instants instead; kept in memory where the disk does not take them."""
        self._known = list(instants)
        try:
            durable.write(self._path, json.dumps([instant.isoformat() for instant in instants]).encode())
        except StoreError:
            return


def _instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if instant.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return instant
