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


class Page:
    """The note as it is at one instant: named entries, each a JSON object, and the checks that go by its salt.

    Salt and entries are kept in one write, so that no note ever holds a check under a salt that is not its own. Without a
    usable salt it counts as empty: what was checked under an unknown one can be compared with nothing.
    """

    def __init__(self, note: Note, fresh_salt: str) -> None:
        content = note.load()
        self._note = note
        self._content: dict[str, Any] = content if _is_salt(content.get("salt")) else {"salt": fresh_salt}

    @property
    def salt(self) -> str:
        """The salt of its checks, by which it is known again."""
        return str(self._content["salt"])

    def entry(self, name: str) -> Mapping[str, Any]:
        """The entry of this name; empty if there is none, or something else in its place."""
        entry = self._content.get(name)
        return entry if isinstance(entry, dict) else {}

    def check(self, name: str, *secret: str) -> int:
        """8 bits of a keyed hash of a secret's parts, for the entry of this name: a whole number from 0 to 255."""
        salt = bytes.fromhex(self.salt)
        return blake2s(json.dumps([name, *secret]).encode(), key=salt, digest_size=1).digest()[0]

    def put(self, name: str, entry: Mapping[str, Any]) -> None:
        """Keep this entry instead; the others stay as they are on this page."""
        self._content[name] = dict(entry)
        self._note.save(dict(self._content))


class Notebook:
    """A note that other processes write to as well: each use of it begins with a new `page`."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._fresh_salt = secrets.token_hex(_SALT_BYTES)

    @property
    def place(self) -> str:
        """Where it lies, for a person who wants to remove it."""
        return self._note.place

    def page(self) -> Page:
        """What is kept now."""
        return Page(self._note, self._fresh_salt)


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


def _is_salt(value: object) -> bool:
    try:
        return isinstance(value, str) and len(bytes.fromhex(value)) == _SALT_BYTES
    except ValueError:
        return False
