"""What the battery went by, read from the gateway's own record: `SimulatedGateway.history`.

A record is a list of instants, each with what was obeyed from then on; the last entry lasts. Everything here is pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from scheduler.simulator.house import Obeyed

History = Sequence[tuple[datetime, Obeyed]]


def stretches(
    history: History, start: datetime, end: datetime
) -> Iterator[tuple[datetime, datetime, Obeyed]]:
    """From when until when what was obeyed, within ``[start, end)`` and in order; none is empty.

    What was before the first entry is not known, and left out.
    """
    ends = [at for at, _ in history[1:]] + [end]
    # Not strict: a record without entries has no last one that would last.
    for (at, obeyed), until in zip(history, ends, strict=False):
        stretch = max(at, start), min(until, end)
        if stretch[0] < stretch[1]:
            yield *stretch, obeyed


def stopped_between(history: History, start: datetime, end: datetime) -> timedelta:
    """For how long the battery was out of service within ``[start, end)``."""
    return sum(
        (until - at for at, until, obeyed in stretches(history, start, end) if not obeyed.running),
        timedelta(),
    )
