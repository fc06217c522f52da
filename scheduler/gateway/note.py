"""What is remembered of a gateway over restarts, without giving a secret away: one note with a salt and checks of 8 bits.

The default passwords of gateways are short: five characters, the end of the serial number. Whoever found a whole hash of one,
however slow and however well salted, could try all of them. 8 bits notice another secret 255 times of 256 and leave a thief
every 256th guess. The salt stays the same as long as the note lives, because the same secret under a second salt would give
away 8 bits more. Where the note lies is the store's business.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Mapping
from hashlib import blake2s
from typing import Any, Protocol

_SALT_BYTES = 16


class Note(Protocol):
    """Where a small JSON object is kept."""

    @property
    def place(self) -> str:
        """Where it lies, for a person who wants to remove it."""

    def load(self) -> dict[str, Any]:
        """What is kept; empty if nothing is, or nothing that can be read."""

    def save(self, content: dict[str, Any], /) -> None:
        """Keep exactly this. A disk that does not take it is told elsewhere and ends nothing."""


class Notebook:
    """A note with named entries, each a JSON object, and the checks that go by its salt."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._fresh = secrets.token_hex(_SALT_BYTES)

    @property
    def place(self) -> str:
        """Where it lies, for a person who wants to remove it."""
        return self._note.place

    def entry(self, name: str) -> Mapping[str, Any]:
        """The entry as it is kept now; empty if there is none, or something else in its place."""
        entry = self._note.load().get(name)
        return entry if isinstance(entry, dict) else {}

    def put(self, name: str, entry: Mapping[str, Any]) -> None:
        """Keep this entry instead; the others stay as they are kept now."""
        self._note.save({**self._note.load(), name: dict(entry)})

    def drop(self, name: str) -> None:
        """Keep no such entry any more."""
        content = self._note.load()
        if content.pop(name, None) is not None:
            self._note.save(content)

    def check(self, name: str, *secret: str) -> int:
        """8 bits of a keyed hash of a secret's parts, for the entry of this name: a whole number from 0 to 255."""
        digest = blake2s(json.dumps([name, *secret]).encode(), key=bytes.fromhex(self._salt()), digest_size=1)
        return digest.digest()[0]

    def _salt(self) -> str:
        content = self._note.load()
        salt = content.get("salt")
        if isinstance(salt, str) and _is_salt(salt):
            return salt
        self._note.save({**content, "salt": self._fresh})
        return self._fresh


class NoNote:
    """Remembers nothing longer than it lives: for a gateway that ends with us, and where nobody gave a place."""

    place = "nowhere"

    def __init__(self) -> None:
        self._content: dict[str, Any] = {}

    def load(self) -> dict[str, Any]:
        """What was saved since this was made."""
        return dict(self._content)

    def save(self, content: dict[str, Any]) -> None:
        """Know this until the end."""
        self._content = dict(content)


def _is_salt(text: str) -> bool:
    try:
        return len(bytes.fromhex(text)) == _SALT_BYTES
    except ValueError:
        return False
