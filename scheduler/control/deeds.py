"""Which moments were done: by their names, in the diary, for as long as any of them can still come due; and when one is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from scheduler.control.diary import DONE, Diary, Section
from scheduler.model.instant import instant_of
from scheduler.model.timeline import Moment

REMEMBERED = timedelta(days=3)
"""So long it is known that a moment was done; none is due for longer."""

LONGEST = timedelta(minutes=30)
"""A moment without ``done_by`` is over after this long, done or not."""


class Deeds:
    """The section `DONE`: the instant at which each moment ended, by its name for memory."""

    def __init__(self, diary: Diary) -> None:
        self._diary = diary

    def __contains__(self, deed: object) -> bool:
        return deed in self._diary.section(DONE)

    def with_this(self, moment: Moment, now: datetime) -> Section:
        """The section once this moment ended ``now``; what ended too long ago, or by another time, is left out."""
        known = self._diary.section(DONE)
        done = {deed: at for deed, at in known.items() if _is_near(at, now)}
        return done | {moment.deed: now.isoformat()}

    def forget_after(self, now: datetime) -> None:
        """What ended after ``now`` was done by a wrong clock: its time is yet to come."""
        known = self._diary.section(DONE)
        ended = {deed: instant_of(at) for deed, at in known.items()}
        self._diary.put(
            DONE, {deed: known[deed] for deed, at in ended.items() if at is not None and at <= now}
        )


def deadline(moment: Moment) -> datetime:
    """When a moment is over, done or not."""
    return moment.done_by or moment.at + LONGEST


def _is_near(at: object, now: datetime) -> bool:
    ended = instant_of(at)
    return ended is not None and abs(now - ended) <= REMEMBERED
