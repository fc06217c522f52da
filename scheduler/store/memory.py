"""All that is kept in one state directory, and the listeners who are told what happens and when memory fails.

Made by whoever holds the directory's lock: what it reads at the start must not change under it. What the listeners do
with an event is theirs.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from scheduler.model.errors import StoreError
from scheduler.model.events import Event, MemoryFailed
from scheduler.model.standing import MemoryBack
from scheduler.store import aside, durable, holds
from scheduler.store.history import History
from scheduler.store.holds import HoldFile
from scheduler.store.journal import events
from scheduler.store.logins import LoginLedger
from scheduler.store.marker import Marker
from scheduler.store.note import Join, NoteFile, found_counts
from scheduler.store.spare import Spare

Listener = Callable[[Event], None]

SIMULATED = "simulated"
"""The folder of what a simulated gateway leaves."""

RETRY = timedelta(seconds=10)
"""Pause between two attempts to read or write what could not be."""


class Memory:
    """Marker, logins, notes on the gateway and on moments, a person's hold, journal and status of one directory. A failure of any of them is told, once for each way.

    ``join`` makes one of moments that are read late and those of meanwhile; unless it is given, what was read late counts.

    What a ``simulated`` gateway leaves is kept apart in a folder of its own: its logins are none of the real one's
    budget, its marks no reason to start a real battery, and its switches no history of the house.

    ``shelter`` is the folder that lives in memory, for marks that the disk does not take.
    """

    def __init__(
        self,
        directory: Path,
        listeners: list[Listener],
        now: Callable[[], datetime],
        *,
        simulated: bool = False,
        join: Join = found_counts,
        shelter: Path | None = None,
    ) -> None:
        self._listeners = list(listeners)
        self._now = now
        self._failures: set[str] = set()
        self._problem: str | None = None
        self._tried: datetime | None = None
        self._unwritten: dict[Path, bytes] = {}
        self._retries: list[Callable[[], None]] = []
        self._late = False
        self._status_file = directory / "status.json"
        self.simulated = directory / SIMULATED
        kept = self.simulated if simulated else directory
        self._journal_file = kept / "journal.sqlite"
        self._configuration_file = directory / "configuration.yaml"
        self.logins = LoginLedger(kept / "logins.json", self.failed)
        self.note = NoteFile(kept / "gateway.json", self.failed)
        self.moments = NoteFile(kept / "moments.json", self.failed, self._came_late, join=join)
        self.holds = HoldFile(kept / holds.NAME, self.failed)
        spare = Spare(shelter, directory, f"{SIMULATED}.marker" if simulated else "marker")
        self.marker = Marker(kept / "marker.json", self.failed, now, self._came_late, spare)
        for part in (self.marker, self.logins, self.note, self.moments, self.holds):
            self.retry_too(part.retry)

    def open_journal(self) -> History:
        """The journal, for its opener to close; one that cannot be used yet is told, and tried again with each thing to keep."""
        history = History(self._journal_file, self.failed)
        try:
            history.open()
        except StoreError as error:
            self.failed(error)
        return history

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
        """Say that memory fails, once for each way in which it does, until it works again."""
        self._problem = str(error)
        if str(error) not in self._failures:
            self._failures.add(str(error))
            self.tell(MemoryFailed(at=self._now(), message=str(error)))

    @property
    def problem(self) -> str | None:
        """What fails of it now; None while all of it works."""
        return self._problem

    def retry_too(self, retry: Callable[[], None]) -> None:
        """Call this with each `mend` that has something to do; it reports to `failed` what it could not do."""
        self._retries.append(retry)

    def mend(self) -> None:
        """While something fails, try it again, each `RETRY` at most; once all of it works, say so."""
        now = self._now()
        if self._problem is None or (self._tried is not None and abs(now - self._tried) < RETRY):
            return
        self._tried = now
        self._problem = None
        for retry in self._retries:
            retry()
        for path in list(self._unwritten):
            self._write(path, self._unwritten[path])
        if self._problem is None:
            self._failures.clear()
            self.tell(
                MemoryBack(at=now, message="all that is to be remembered can be read and written again")
            )

    def read_late(self) -> bool:
        """Whether, since this was asked last, marks or moments were read that could not be when they were first wanted."""
        late, self._late = self._late, False
        return late

    def _came_late(self) -> None:
        self._late = True

    def keep_configuration(self, content: bytes) -> None:
        """Keep the file that is in force, for a start at which it is broken; written only if it is another one."""
        if content != self.kept_configuration():
            self._write(self._configuration_file, content)

    def kept_configuration(self) -> bytes | None:
        """The last file that was in force; None if none was, or if it cannot be read, which is told."""
        try:
            return aside.read(self._configuration_file, bytes, empty=None)
        except StoreError as error:
            self.failed(error)
            return None

    def write_status(self, content: bytes) -> None:
        """Replace the status file. Not waited for on the disk: after a power cut it would be old anyway."""
        self._write(self._status_file, content)

    def _write(self, path: Path, content: bytes) -> None:
        self._unwritten.pop(path, None)
        try:
            durable.write(path, content, durable=path != self._status_file)
        except StoreError as error:
            self._unwritten[path] = content
            self.failed(error)

    def forget_status(self) -> None:
        """Remove the status file: what an earlier daemon knew is no news of this one."""
        try:
            durable.remove(self._status_file)
        except StoreError as error:
            self.failed(error)
