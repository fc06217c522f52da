"""Writes evidence and events into the journal, and says once when that fails.

A listener only. Where the journal lies and how it is kept is `store`'s; it is known here by shape.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import tzinfo
from typing import Any, Protocol

from scheduler.model.errors import StoreError
from scheduler.model.events import EffectJudged, Event, MemoryFailed, Switched
from scheduler.observe.logs import line

WAITING = 500
"""So many events wait for a journal that does not take them; of more the oldest go. A month of trouble has fewer."""


class Book(Protocol):
    """What the recorder needs of a journal."""

    def add_switch(self, document: dict[str, Any]) -> int:
        """Append a switch; its number."""

    def change_switch(self, number: int, document: dict[str, Any]) -> None:
        """Replace a switch."""

    def add_event(self, document: dict[str, Any]) -> None:
        """Append an event."""


class Recorder:
    """A listener that keeps what happened, with times in ``zone``, which a reload may change.

    What the journal does not take waits in memory, `WAITING` events at most, and goes first the next time; ``failed`` is told.
    """

    def __init__(self, book: Book, zone: Callable[[], tzinfo], failed: Callable[[StoreError], None]) -> None:
        self._book = book
        self._zone = zone
        self._failed = failed
        self._last: int | None = None
        self._waiting: deque[Event] = deque()

    def tell(self, event: Event) -> None:
        """Keep the event; memory that fails is no reason to fail ourselves."""
        if isinstance(event, MemoryFailed):
            return
        self._waiting.append(event)
        if len(self._waiting) > WAITING and isinstance(self._waiting.popleft(), Switched):
            self._last = None  # its effect must not be put down to the one before
        self.retry()

    def retry(self) -> None:
        """Keep what waits, in its order, as far as the journal takes it."""
        try:
            while self._waiting:
                self._keep(self._waiting[0])
                self._waiting.popleft()
        except StoreError as error:
            self._failed(error)

    def _keep(self, event: Event) -> None:
        match event:
            case Switched(record=record):
                self._last = self._book.add_switch(record.document(self._zone()))
            case EffectJudged(record=record) if self._last is not None:
                self._book.change_switch(self._last, record.document(self._zone()))
            case _:
                self._book.add_event({"event": event.name, **line(event, self._zone())})
