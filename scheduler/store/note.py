"""A small JSON object in a file, for what must outlast a restart. What its entries mean is known to whoever writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scheduler.model.errors import StoreError
from scheduler.store import aside, durable


class NoteFile:
    """One JSON object in a file, read anew each time: other processes write to it, too, and the last one wins.

    ``failed`` is told when the file cannot be read or written; what this process saved it then still knows.
    """

    def __init__(self, path: Path, failed: Callable[[StoreError], None]) -> None:
        self._path = path
        self._failed = failed
        self._unsaved: dict[str, Any] | None = None

    @property
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

    @property
    def kept(self) -> bool:
        """Whether what was saved last is in the file."""
        return self._unsaved is None

    def load(self) -> dict[str, Any]:
        """The object; empty if there is no such file, or what is in it is damaged, which is put aside."""
        if self._unsaved is not None:
            return dict(self._unsaved)
        try:
            return aside.read(self._path, _object, empty={})
        except StoreError as error:
            self._failed(error)
            return {}

    def save(self, content: dict[str, Any]) -> None:
        """Keep exactly this, durably before this returns."""
        self._unsaved = None
        try:
            durable.write(self._path, json.dumps(content).encode())
        except StoreError as error:
            self._unsaved = dict(content)
            self._failed(error)

    def retry(self) -> None:
        """Try again what failed: to write what was not written, or to read."""
        if self._unsaved is None:
            self.load()
        else:
            self.save(self._unsaved)


def _object(content: bytes) -> dict[str, Any]:
    value = json.loads(content)
    if not isinstance(value, dict):
        raise TypeError
    return value
