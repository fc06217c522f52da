"""Where log lines leave the process: a stream whose reader may be slow, gone, or out of disk. Nobody waits for it.

A line that cannot be written at once is lost, and with the next one that can, it is said how many were. The daemon would
otherwise stand still with its log, and the battery with it. The stream itself is left as it is: made non-blocking it would
be so for everybody who shares it, a terminal for instance.
"""

from __future__ import annotations

import logging
import os
import select
from collections.abc import Callable
from typing import TextIO

PIECE_BYTES = 4096
"""So much a pipe takes at once when it is said to take anything (PIPE_BUF, pipe(7))."""


class Outlet(logging.Handler):
    """Writes each record as a line to ``stream``, as far as that takes it without waiting.

    ``say`` is called with how many lines were lost, as soon as one can be written again, and logs it.
    """

    def __init__(self, stream: TextIO, say: Callable[[int], None]) -> None:
        super().__init__()
        self._say = say
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._lost = 0
        self._torn = False

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, or count it as lost."""
        lost, self._lost = self._lost, 0
        if lost and self._ready():
            self._say(lost)  # which comes back to here
            lost = lost if self._lost else 0
        self._lost = lost
        try:
            written = self._write(f"{self.format(record)}\n")
        except Exception:  # noqa: BLE001 - as every handler does: a line is no reason to end
            self.handleError(record)
        else:
            self._lost += not written

    def _write(self, line: str) -> bool:
        """Whether all of it was written. Of a long line the beginning may have been; the next one then begins anew."""
        if self._descriptor is None:
            self._stream.write(line)
            self._stream.flush()
            return True
        rest = (b"\n" if self._torn else b"") + line.encode(errors="backslashreplace")
        try:
            while rest and self._ready():
                taken = os.write(self._descriptor, rest[:PIECE_BYTES])
                rest = rest[taken:]
                self._torn = bool(rest)
        except OSError:  # nobody reads it any more, or the disk is full
            return False
        return not rest

    def _ready(self) -> bool:
        if self._descriptor is None:
            return True
        waiting = select.poll()
        waiting.register(self._descriptor, select.POLLOUT)
        return bool(waiting.poll(0))


def _descriptor(stream: TextIO) -> int | None:
    """The number of the file behind it; None if it is in memory."""
    try:
        return stream.fileno()
    except (OSError, ValueError):
        return None
