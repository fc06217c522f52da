"""Tells when a person's hold begins and ends: once each, also over restarts. What it asks for is in the agenda already."""

from __future__ import annotations

from datetime import datetime

from scheduler.control.agenda import Agenda
from scheduler.control.diary import HELD, Diary
from scheduler.control.ports import Tell
from scheduler.model.hold import Hold, HoldBegan, HoldEnded, hold_of
from scheduler.plan.wallclock import WallClock
from scheduler.plan.words import instant_text


class Held:
    """The hold that was told last, kept in the diary for as long as it lasts."""

    def __init__(self, diary: Diary, tell: Tell) -> None:
        self._diary = diary
        self._tell = tell

    def follow(self, agenda: Agenda, now: datetime) -> None:
        """Tell that another hold is in force than before, or none any more."""
        before, hold = hold_of(self._diary.section(HELD)), agenda.hold
        if before == hold:
            return
        if before is not None:
            self._tell_end(before, hold, now)
        if hold is not None:
            until = instant_text(hold.until, WallClock(agenda.policy.schedule.zone))
            message = f"a person holds {hold.setpoint} until {until}; the rules speak again then"
            self._tell(
                HoldBegan(at=now, held=hold.setpoint, since=hold.since, until=hold.until, message=message)
            )
        self._diary.put(HELD, {} if hold is None else hold.document())

    def _tell_end(self, before: Hold, after: Hold | None, now: datetime) -> None:
        if after is not None:
            why = "another one takes its place"
        elif now >= before.until:
            why = "its time is over, and the rules speak again"
        elif not before.in_force(now):
            why = "the clock was put back to long before it began, and the rules speak again"
        else:
            why = "a person ended it, and the rules speak again"
        message = f"the hold of {before.setpoint} ends: {why}"
        self._tell(HoldEnded(at=now, held=before.setpoint, until=before.until, message=message))
