"""How much the log may say: a fault that comes and goes all day must not fill a card, nor hide what else is in the log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta

SAME = 6
"""So often the same line is written within `WINDOW`."""

WINDOW = timedelta(hours=1)

BURST_BYTES = 64 << 10
"""So much is written at once; what is left of it grows again by `HOURLY_BYTES`. Together less than 200 KB in any day."""

HOURLY_BYTES = 4 << 10

FRAME_BYTES = 130
"""What a line has beside its facts: its name, its level, the time at which it was written."""


class Volume:
    """Which lines are written, by the instants of their events; a clock that is set back begins a new window."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._said: Counter[str] = Counter()
        self._room_bytes = float(BURST_BYTES)
        self._left_out = 0

    def admits(self, at: datetime, name: str, facts: Mapping[str, object]) -> bool:
        """Whether this line is written; one that is not is counted."""
        self._pass(at)
        words = f"{name} {[it for key, it in facts.items() if key not in {'at', 'took_ms'}]}"
        size_bytes = len(f"{facts}".encode()) + FRAME_BYTES
        if self._said[words] >= SAME or size_bytes > self._room_bytes:
            self._left_out += 1
            return False
        self._said[words] += 1
        self._room_bytes -= size_bytes
        return True

    def left_out(self) -> int:
        """How many lines were not written since this was last asked."""
        left_out, self._left_out = self._left_out, 0
        return left_out

    def _pass(self, at: datetime) -> None:
        if self._since is None:
            self._since = at
        passed = at - self._since
        if passed >= WINDOW or passed < timedelta(0):
            hours = max(1.0, passed / WINDOW) if passed > timedelta(0) else 1.0
            self._room_bytes = min(BURST_BYTES, self._room_bytes + HOURLY_BYTES * hours)
            self._since = at
            self._said.clear()
