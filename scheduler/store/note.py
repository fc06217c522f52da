"""A small JSON object in a file, for what must outlast a restart. What its entries mean is known to whoever writes them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from scheduler.model.errors import StoreError
from scheduler.store import durable


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
        """The object; empty if there is no such file, or what is in it is damaged."""
        if self._unsaved is not None:
            return dict(self._unsaved)
        try:
            return _read(self._path)
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


def _read(path: Path) -> dict[str, Any]:
    content = durable.read(path)
    if content is None:
        return {}
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise StoreError(f"{path} is damaged and counts as empty") from error
    if not isinstance(value, dict):
        raise StoreError(f"{path} is damaged and counts as empty")
    return value
