"""Stretches of time as sorted tuples of half-open ``(start, end)`` that neither overlap nor touch.

Arithmetic on instants only; what the stretches mean is not known here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from datetime import datetime, timedelta
from operator import itemgetter

Interval = tuple[datetime, datetime]
Intervals = tuple[Interval, ...]


def union(pieces: Iterable[Interval]) -> Intervals:
    """All that lies in any of the pieces; pieces that touch become one, empty ones vanish."""
    joined: list[Interval] = []
    for start, end in sorted(pieces, key=itemgetter(0)):
        if start >= end:
            continue
        if joined and start <= joined[-1][1]:
            if end > joined[-1][1]:
                joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return tuple(joined)


def intersection(left: Intervals, right: Intervals) -> Intervals:
    """All that lies in both."""
    both: list[Interval] = []
    i = j = 0
    while i < len(left) and j < len(right):
        start, end = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if start < end:
            both.append((start, end))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(both)


def widened(intervals: Intervals, early: timedelta, late: timedelta) -> Intervals:
    """Each interval begun ``early`` and ended ``late``, neither of which may be negative."""
    if not early and not late:
        return intervals
    return union((start - early, end + late) for start, end in intervals)


def containing(intervals: Intervals, instant: datetime) -> Interval | None:
    """The interval in which ``instant`` lies, None if there is none."""
    at = bisect_right(intervals, instant, key=itemgetter(0)) - 1
    return intervals[at] if at >= 0 and instant < intervals[at][1] else None
