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
from scheduler.store.aside import companions

KEPT = 5000
"""Rows kept of each kind: more than a year of ten switches a day."""

MOST_BYTES = 32 << 20
"""Size of the file from which on the oldest rows go, however few they are: a row may be long."""

TRIMMED = 200
"""Rows of each kind that go at once then; the room they leave is used again, and nothing is written for it."""

LOG_BYTES = 4 << 20
"""What the write-ahead log keeps of its size once its content is in the file."""

BUSY_MS = 200
"""How long a statement waits for another program that writes, in milliseconds: the whole daemon waits with it."""

START_MS = 5000
"""How long opening waits: nothing runs beside it yet."""

_SCHEMA = """
BEGIN;
CREATE TABLE IF NOT EXISTS switch (number INTEGER PRIMARY KEY, document TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS event (number INTEGER PRIMARY KEY, document TEXT NOT NULL);
PRAGMA user_version = 1;
COMMIT;
"""
_VERSION = 1
_OF_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
"""SQLite's codes for a file that will not become any better; an error of ours is a table or a column that is not there."""


class Damaged(StoreError):
    """The file is no journal of ours, or is one no longer, as ``found`` says: another one must take its place."""

    def __init__(self, found: str) -> None:
        super().__init__(f"{found}; move it away, and the next start makes a new one")
        self.found = found


class Journal:
    """An append-only book of JSON documents of two kinds: switches and events."""

    def __init__(self, path: Path, *, wait_ms: int = START_MS) -> None:
        """Open or make the file; raises StoreError if it cannot be used, Damaged if it never can.

        ``wait_ms`` is how long that waits for another program that writes, in milliseconds.
        """
        self._path = path
        try:
            durable.make_directory(path.parent)
            _make(path)
            self._connection = _opened(path, wait_ms)
        except (sqlite3.Error, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise _kind(error)(f"{path} cannot be used as a journal: {reason or error}") from error

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
        if self._used_bytes() > MOST_BYTES:
            self._trim()
        return number

    def _used_bytes(self) -> int:
        """Bytes of the file that hold something."""
        size, pages, free = (
            self._told(f"PRAGMA {it}") for it in ("page_size", "page_count", "freelist_count")
        )
        return size * (pages - free)

    def _trim(self) -> None:
        """Let the oldest rows go; the newest of each kind stays, however long it is."""
        for table in ("event", "switch"):
            oldest = f"(SELECT min(number) FROM {table}) + {TRIMMED}"  # noqa: S608 - words of ours
            newest = f"(SELECT max(number) FROM {table})"  # noqa: S608 - words of ours
            self._do(f"DELETE FROM {table} WHERE number < {oldest} AND number < {newest}", ())  # noqa: S608 - ours

    def _told(self, pragma: str) -> int:
        try:
            return int(self._connection.execute(pragma).fetchone()[0])
        except sqlite3.Error as error:
            raise _kind(error)(f"{self._path} could not be read: {error}") from error

    def _do(self, statement: str, values: tuple[Any, ...]) -> int:
        try:
            return self._connection.execute(statement, values).lastrowid or 0
        except sqlite3.Error as error:
            raise _kind(error)(f"{self._path} could not be written: {error}") from error


def _kind(error: Exception) -> type[StoreError]:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of it tells the finer kinds apart
    return Damaged if code in _OF_DAMAGE or isinstance(error, sqlite3.NotSupportedError) else StoreError


def _make(path: Path) -> None:
    """Have the file, empty if it is new. SQLite itself gives the files that it puts beside it the same owner."""
    _follow_nothing(path)
    with suppress(FileExistsError):
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        try:
            durable.hand_over(descriptor, path.parent)
        finally:
            os.close(descriptor)
    # Not by opening it: to close a file once more lets go of the locks that SQLite may hold on it in this process.
    read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    if not os.access(path, os.R_OK | os.W_OK, effective_ids=True) and not read_only:
        raise Damaged(f"{path} belongs to somebody else and cannot be used as a journal")


def _follow_nothing(path: Path) -> None:
    """StoreError if the journal, or what SQLite keeps beside it, is a name for another file: root would read or write that.

    SQLite follows links, and the folder is the daemon's, whose user may have been made to put one there.
    """
    for file in (path, *companions(path)):
        try:
            kind = file.lstat().st_mode
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(kind):
            raise Damaged(
                f"{file} is no plain file but a link, a folder or the like, and cannot be used as a journal"
            )


def _opened(path: Path, wait_ms: int) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None, timeout=wait_ms / 1000)
    try:
        # In one piece: another process may be making it, its tables and its version.
        connection.execute("BEGIN")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'table'").fetchone()
        connection.execute("COMMIT")
        if version not in {0, _VERSION} or (version == 0 and tables):
            raise sqlite3.NotSupportedError("another program, or another version of this one, has made it")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}")
        if version == 0:
            connection.executescript(_SCHEMA)
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
