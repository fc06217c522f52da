"""Wall-clock times of a zone become instants here, once. No other module compares wall clocks.

A time that does not exist, because the clocks skip it, moves to the first instant after the gap. A time that
comes twice means its first occurrence. Which days and hours are meant is not known here; see `calendar`.
"""

from __future__ import annotations

from bisect import bisect_left
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler.plan.calendar import MINUTES_PER_DAY


class WallClock:
    """The wall clock of one zone, with a memory: a plan asks for the same few times again and again."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._known: dict[tuple[date, int], datetime] = {}

    def instant(self, day: date, minute: int) -> datetime:
        """The UTC instant of this many minutes after midnight of ``day``; 1440 and more mean the days after.

        Minutes are those that the clock shows, not elapsed ones.
        """
        key = (day, minute)
        if key not in self._known:
            days, rest = divmod(minute, MINUTES_PER_DAY)
            shown = datetime.combine(day + timedelta(days=days), time(*divmod(rest, 60)))
            self._known[key] = first_instant(self.zone, shown)
        return self._known[key]

    def day(self, instant: datetime) -> date:
        """The date that the clock shows at ``instant``."""
        return instant.astimezone(self.zone).date()

    def shift(self, day: date) -> timedelta:
        """By how much the clocks are put forward on ``day``; negative where they are put back, mostly
        zero.
        """
        first, last = self.instant(day, 0), self.instant(day, MINUTES_PER_DAY)
        return (_shows(self.zone, last) - last.replace(tzinfo=None)) - (
            _shows(self.zone, first) - first.replace(tzinfo=None)
        )


def first_instant(zone: ZoneInfo, shown: datetime) -> datetime:
    """The UTC instant at which the clock first shows this time, or the end of the gap that skips it.

    ``shown`` is a naive datetime. Both answers are one law: the first instant at which the clock shows
    ``shown`` or later.
    """
    # PEP 495: in a gap, fold 0 reckons with the offset before it, which lands after it; fold 1 the other way.
    after = shown.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _shows(zone, after) == shown:
        return after
    before = shown.replace(tzinfo=zone, fold=1).astimezone(UTC)
    gap_s = range(int((after - before).total_seconds()))
    skipped_s = bisect_left(gap_s, shown, key=lambda s: _shows(zone, before + timedelta(seconds=s)))
    return before + timedelta(seconds=skipped_s)


def occurrences(zone: ZoneInfo, shown: datetime) -> tuple[datetime, ...]:
    """The UTC instants at which the clock shows this naive time: none in a gap, two in a repeated hour."""
    instants = {shown.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return tuple(sorted(instant for instant in instants if _shows(zone, instant) == shown))


def _shows(zone: ZoneInfo, instant: datetime) -> datetime:
    return instant.astimezone(zone).replace(tzinfo=None, fold=0)
