"""All that is kept in one state directory, and the listeners who are told what happens and when memory fails.

Made by whoever holds the directory's lock: what it reads at the start must not change under it. What the listeners do
with an event is theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from scheduler.model.errors import StoreError
from scheduler.model.events import Event, MemoryFailed
from scheduler.store import durable
from scheduler.store.journal import Journal, events
from scheduler.store.logins import LoginLedger
from scheduler.store.marker import Marker
from scheduler.store.note import NoteFile

Listener = Callable[[Event], None]


class Memory:
    """Marker, logins, notes on the gateway and on moments, journal and status of one directory. A failure of any of them is told, once for each way.

    What a ``simulated`` gateway leaves is kept apart in a folder of its own: its logins are none of the real one's
    budget, its marks no reason to start a real battery, and its switches no history of the house.
    """

    def __init__(
        self,
        directory: Path,
        listeners: list[Listener],
        now: Callable[[], datetime],
        *,
        simulated: bool = False,
    ) -> None:
        self._listeners = list(listeners)
        self._now = now
        self._failures: set[str] = set()
        self._status_file = directory / "status.json"
        self.simulated = directory / "simulated"
        kept = self.simulated if simulated else directory
        self._journal_file = kept / "journal.sqlite"
        self._configuration_file = directory / "configuration.yaml"
        self.logins = LoginLedger(kept / "logins.json", self.failed)
        self.note = NoteFile(kept / "gateway.json", self.failed)
        self.moments = NoteFile(kept / "moments.json", self.failed)
        self.marker = Marker(kept / "marker.json", self.failed, now)

    def open_journal(self) -> Journal | None:
        """The journal, for its opener to close; one that cannot be used is told and done without."""
        try:
            return Journal(self._journal_file)
        except StoreError as error:
            self.failed(error)
            return None

    def events(self) -> list[dict[str, Any]]:
        """The events of the journal, oldest first; none if it cannot be read, which is told."""
        try:
            return events(self._journal_file)
        except StoreError as error:
            self.failed(error)
            return []

    def listen(self, listener: Listener) -> None:
        """Tell this one, too, from now on."""
        self._listeners.append(listener)

    def tell(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener(event)

    def failed(self, error: StoreError) -> None:
        """Say that memory fails, once for each way in which it does."""
        if str(error) not in self._failures:
            self._failures.add(str(error))
            self.tell(MemoryFailed(at=self._now(), message=str(error)))

    def keep_configuration(self, content: bytes) -> None:
        """Keep the file that is in force, for a start at which it is broken; written only if it is another one."""
        if content != self.kept_configuration():
            try:
                durable.write(self._configuration_file, content)
            except StoreError as error:
                self.failed(error)

    def kept_configuration(self) -> bytes | None:
        """The last file that was in force; None if none was, or if it cannot be read, which is told."""
        try:
            return durable.read(self._configuration_file)
        except StoreError as error:
            self.failed(error)
            return None

    def write_status(self, content: bytes) -> None:
        """Replace the status file. Not waited for on the disk: after a power cut it would be old anyway."""
        try:
            durable.write(self._status_file, content, durable=False)
        except StoreError as error:
            self.failed(error)

    def forget_status(self) -> None:
        """Remove the status file: what an earlier daemon knew is no news of this one."""
        try:
            durable.remove(self._status_file)
        except StoreError as error:
            self.failed(error)
