"""The journal of a daemon that lives for years: opened as soon as it can be, and another one begun where it is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from scheduler.model.errors import StoreError
from scheduler.store import aside
from scheduler.store.journal import BUSY_MS, START_MS, Damaged, Journal

Value = TypeVar("Value")


class History:
    """A journal at ``path``. Each call raises StoreError if the disk does not take what it is given; a later one may work.

    One that is damaged, or none of ours, is put aside, ``failed`` is told, and the call goes to a new one.
    """

    def __init__(self, path: Path, failed: Callable[[StoreError], None]) -> None:
        self._path = path
        self._failed = failed
        self._journal: Journal | None = None
        self._wait_ms = START_MS  # only the first time: from then on the daemon would stand still with it

    def open(self) -> None:
        """Open it, if it is not open."""
        self._use(lambda _: None)

    def add_switch(self, document: dict[str, Any]) -> int:
        """Append a switch; its number, for `change_switch`."""
        return self._use(lambda journal: journal.add_switch(document))

    def change_switch(self, number: int, document: dict[str, Any]) -> None:
        """Replace a switch whose verdict was raised or lowered later."""
        self._use(lambda journal: journal.change_switch(number, document))

    def add_event(self, document: dict[str, Any]) -> None:
        """Append an event."""
        self._use(lambda journal: journal.add_event(document))

    def close(self) -> None:
        """Let go of the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _use(self, work: Callable[[Journal], Value]) -> Value:
        try:
            return work(self._opened())
        except Damaged as error:
            self.close()
            self._failed(aside.put_aside(self._path, error.found))
            return work(self._opened())

    def _opened(self) -> Journal:
        if self._journal is None:
            wait_ms, self._wait_ms = self._wait_ms, BUSY_MS
            self._journal = Journal(self._path, wait_ms=wait_ms)
        return self._journal
