"""When we logged in lately, as a file, so that the login budget survives restarts and crash loops.

Other commands log in beside the daemon and write to the same file, so it is read anew each time. Two processes that log in
within the same instant may each overwrite what the other wrote: a login too many, never a storm. How many logins are too
many is not known here; see `gateway/budget.py`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from scheduler.model.errors import StoreError
from scheduler.model.instant import instant
from scheduler.store import aside, durable


class LoginLedger:
    """A list of instants in a file. ``failed`` is told when the file cannot be read or written.

    What a disk did not take or does not give back, this object still knows.
    """

    def __init__(self, path: Path, failed: Callable[[StoreError], None]) -> None:
        self._path = path
        self._failed = failed
        self._known: list[datetime] = []
        self._behind = False
        self._unread = False

    def load(self) -> list[datetime]:
        """The instants noted until now, by whomever; a damaged file counts as none beyond those known here, and is put aside.

        Forgetting them costs at most a lock-out.
        """
        try:
            noted = aside.read(self._path, _instants, empty=list[datetime]())
        except StoreError as error:
            self._behind = True  # what is known here is in no file from now on
            self._unread = not isinstance(error, aside.PutAside)
            self._failed(error)
            return list(self._known)
        self._known = sorted({*noted, *self._known}) if self._behind else noted
        self._unread = False
        return list(self._known)

    def save(self, instants: list[datetime]) -> None:
        """Note these instants instead; StoreError if the disk does not take them, which this object then still knows.

        With those of a file that could not be read when it was to be, and can be now: they belong to the budget. One that
        still cannot be read is replaced, so that from now on none is forgotten.
        """
        self._known, self._behind = list(instants), True
        if self._unread:
            instants = self.load()
        try:
            durable.write(self._path, json.dumps([instant.isoformat() for instant in instants]).encode())
        except StoreError as error:
            self._failed(error)
            raise
        self._behind = self._unread = False

    def retry(self) -> None:
        """Try again what failed: to write what was not written, or to read, and nothing over what cannot be read."""
        known = self.load()
        if self._behind and not self._unread:
            with contextlib.suppress(StoreError):  # it was told
                self.save(known)


def _instants(content: bytes) -> list[datetime]:
    return [instant(text) for text in json.loads(content)]
