"""When the daemon last completed a cycle, for whoever looks from outside: a few bytes in a folder that lives in memory.

Never on a disk: it is written with each cycle. By the monotonic clock, which all processes of a machine share and no
setting of the time moves.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Mapping
from pathlib import Path

NAME = "tou-scheduler.heartbeat"

OF_SERVICE = Path("/run/tou-scheduler")
"""Where systemd keeps it for the service."""


def place(environ: Mapping[str, str]) -> Path | None:
    """Where a daemon keeps it: in $RUNTIME_DIRECTORY, which systemd and the image set; None without."""
    first = environ.get("RUNTIME_DIRECTORY", "").partition(":")[0]
    return Path(first) / NAME if first else None


def found(environ: Mapping[str, str]) -> Path:
    """Where that of a daemon is looked for: the same, or else where the service's is."""
    return place(environ) or OF_SERVICE / NAME


class Heartbeat:
    """The file of it; without a ``path`` nothing is written. A failure to write is one of the looker's doubts, not ours."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._beats = False

    def beat(self, monotonic_s: float) -> None:
        """A cycle was completed at this instant of the monotonic clock, in seconds."""
        if self._path is not None:
            self._beats = True
            with contextlib.suppress(OSError):
                self._path.write_text(f"{os.getpid()} {monotonic_s:.3f}")

    def stop(self) -> None:
        """The daemon ends in order. One that never completed a cycle leaves the file alone: it is another daemon's."""
        if self._path is not None and self._beats:
            with contextlib.suppress(OSError):
                self._path.unlink(missing_ok=True)


def age_s(path: Path, *, process: int, monotonic_s: float) -> float | None:
    """How many seconds ago this process completed a cycle; None if that is not told, or told of another process."""
    try:
        number, beat = path.read_text().split()
        age = monotonic_s - float(beat)
    except (OSError, ValueError):
        return None
    return age if number == str(process) and math.isfinite(age) and age >= 0 else None
