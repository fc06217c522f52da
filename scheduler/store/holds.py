"""A person's hold in a file of its own: commands write it, the daemon only reads it. What a hold is, is `model/hold.py`'s."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from scheduler.model.errors import StoreError
from scheduler.model.hold import Hold, hold_of
from scheduler.store import aside, durable

NAME = "hold.json"


class HoldFile:
    """The hold that a person asked for last, with its end, which may be over. ``failed`` is told when the file cannot be read."""

    def __init__(self, path: Path, failed: Callable[[StoreError], None]) -> None:
        self.path = path
        self._failed = failed
        self._last: Hold | None = None

    def load(self) -> Hold | None:
        """The hold; None if there is none, or if what is in the file is none, which is put aside.

        While the file cannot be read the last one that was read counts: a disk that fails is no word of a person.
        """
        try:
            self._last = aside.read(self.path, _hold, empty=None)
        except StoreError as error:
            self._failed(error)
        return self._last

    def retry(self) -> None:
        """Try again to read it, so that `failed` is told whether that still fails."""
        self.load()

    def save(self, hold: Hold | None) -> None:
        """Keep this one in the place of any other, or none, durably before this returns. StoreError if it cannot be.

        None is kept by there being no file: a hold can be ended on a card that is full.
        """
        if hold is None:
            durable.remove(self.path)
        else:
            durable.write(self.path, json.dumps(hold.document()).encode())
        self._last = hold


def seen(path: Path, unread: Callable[[StoreError], None] = lambda _: None) -> Hold | None:
    """The hold in this file for whoever only looks: nothing is put aside, and what is none holds nothing.

    So does what cannot be read, which ``unread`` is told.
    """
    try:
        content = durable.read(path, follow=False)
        return None if content is None else _hold(content)
    except (ValueError, RecursionError):
        return None
    except StoreError as error:
        unread(error)
        return None


def _hold(content: bytes) -> Hold | None:
    document = json.loads(content)
    hold = hold_of(document)
    if hold is None and document != {}:
        raise ValueError
    return hold
