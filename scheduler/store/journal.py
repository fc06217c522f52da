"""The journal: evidence of switches and what else was worth noting, in SQLite. The only door to sqlite3.

Bounded, and memory only: losing it costs history, never safety. Write-ahead logging, written only when something
changed, because a Raspberry Pi lives on an SD card.
"""

from __future__ import annotations

import json
import os
import sqlite3
import stat
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from scheduler.model.errors import StoreError
from scheduler.store import durable

KEPT = 5000
"""Rows kept of each kind: more than a year of ten switches a day."""

BUSY_MS = 200
"""How long a statement waits for another program that writes, in milliseconds: the whole daemon waits with it."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS switch (number INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, document TEXT NOT NULL);
PRAGMA user_version = 1;
"""


class Journal:
    """An append-only book of JSON documents of two kinds: switches and events."""

    def __init__(self, path: Path) -> None:
        """Open or make the file; raises StoreError if it cannot be used."""
        self._path = path
        try:
            durable.make_directory(path.parent)
            _make(path)
            self._connection = _opened(path)
        except (sqlite3.Error, OSError) as error:
            raise StoreError(
                f"{path} cannot be used as a journal: {error}; move it away, and the next start makes a new one"
            ) from error

    def add_switch(self, document: dict[str, Any]) -> int:
        """Append a switch; its number, for `change_switch`."""
        return self._add("switch", document)

    def change_switch(self, number: int, document: dict[str, Any]) -> None:
        """Replace a switch whose verdict was raised or lowered later."""
        self._do("UPDATE switch SET document = ? WHERE number = ?", (json.dumps(document), number))

    def add_event(self, document: dict[str, Any]) -> None:
        """Append an event."""
        self._add("event", document)

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def _add(self, table: str, document: dict[str, Any]) -> int:
        number = self._do(f"INSERT INTO {table} (document) VALUES (?)", (json.dumps(document),))  # noqa: S608 - ours
        self._do(f"DELETE FROM {table} WHERE number <= ?", (number - KEPT,))  # noqa: S608 - a word of ours
        return number

    def _do(self, statement: str, values: tuple[Any, ...]) -> int:
        try:
            return self._connection.execute(statement, values).lastrowid or 0
        except sqlite3.Error as error:
            raise StoreError(f"{self._path} could not be written: {error}") from error


def _make(path: Path) -> None:
    """Have the file, empty if it is new. SQLite itself gives the files that it puts beside it the same owner."""
    _follow_nothing(path)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            durable.hand_over(descriptor, path.parent)
        finally:
            os.close(descriptor)


def _follow_nothing(path: Path) -> None:
    """StoreError if the journal, or what SQLite keeps beside it, is a name for another file: root would read or write that.

    SQLite follows links, and the folder is the daemon's, whose user may have been made to put one there.
    """
    for file in (path, path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
        try:
            kind = file.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(kind):
            raise StoreError(
                f"{file} is no plain file but a link, a folder or the like, and cannot be used as a journal; move it away, "
                "and the next start makes a new one"
            )


def _opened(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.executescript(_SCHEMA)
        # Only from here on: opening may wait as long as SQLite likes, because nothing runs beside it yet.
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def switches(path: Path, *, last: int | None = None) -> list[dict[str, Any]]:
    """The newest ``last`` switches, oldest first; none if there is no journal. Raises StoreError if it is damaged.

    Reads beside a running daemon and changes nothing.
    """
    return _newest(path, "SELECT document FROM switch ORDER BY number DESC LIMIT ?", last)


def events(path: Path, *, last: int | None = None) -> list[dict[str, Any]]:
    """The newest ``last`` events, as `switches` gives those."""
    return _newest(path, "SELECT document FROM event ORDER BY number DESC LIMIT ?", last)


def _newest(path: Path, query: str, last: int | None) -> list[dict[str, Any]]:
    try:
        _follow_nothing(path)
        if not path.exists():
            return []
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            rows = connection.execute(query, (KEPT if last is None else last,)).fetchall()
        return [json.loads(text) for (text,) in reversed(rows)]
    except (sqlite3.Error, OSError, ValueError) as error:
        raise StoreError(f"{path} could not be read: {error}") from error
