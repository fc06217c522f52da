"""What should be at each instant of a rehearsal, by the plan in force and this machine's clock, and what is known to come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler.app.rehearsal.facts import Wish
from scheduler.app.rehearsal.hours import Hours
from scheduler.app.rehearsal.plans import Plans, wish_of
from scheduler.app.rehearsal.process import Disk
from scheduler.app.rehearsal.record import REFILLED_S, WINDOWS_S, Record
from scheduler.app.rehearsal.virtual import RehearsalClock
from scheduler.model.hold import Hold
from scheduler.simulator.device import SimulatedGateway

HOLD = "hold"
"""The name of the file in which a person's hold lies on the disk."""

PUT_BACK = timedelta(hours=3)
"""A hold goes on to count where the clock is put back by no more; it is promised so, and said here once more to be judged by."""

UNDER_WAY_S = 260.0
"""So long after its end a hold's setpoint may still be written: the longest switch may be under way."""


class Aim:
    """Tells the record what is wished from when on.

    ``can_switch``: this gateway lets us, else nothing can be expected of it. ``rings``: alarms wake the program at boundaries.
    """

    def __init__(
        self,
        plans: Plans,
        device: SimulatedGateway,
        record: Record,
        disk: Disk,
        *,
        clock: RehearsalClock,
        hours: Hours,
        can_switch: bool,
        rings: bool,
    ) -> None:
        self._plans = plans
        self._device = device
        self._record = record
        self._disk = disk
        self._clock = clock
        self._hours = hours
        self._can_switch = can_switch
        self._rings = rings
        self._held = record.facts.held
        self._next_s = 0.0

    def take(self) -> None:
        """Note what should be true from now on, and be there when that changes."""
        wish = self._wish()  # also where nothing can be expected: what a hold asks for is told by it
        if not self._can_switch:
            wish = None
        record = self._record
        record.counts["boundaries"] += wish != record.facts.wish
        record.course.wish(wish, self._clock.monotonic())
        self._next_s = self._edge_s()
        if self._next_s < self._hours.ends_s:
            # No alarm is sure to ring at what a hold changes: where a boundary asks for nothing new under it, none is set.
            rings = self._rings and self._hold_to_come() is None
            self._hours.at(self._next_s, self._take_again, rings=rings)

    def _take_again(self) -> None:
        self._record.look_at_battery()
        if self._next_s <= self._clock.monotonic():  # else what was to come is another thing by now
            self.take()

    def _hold_to_come(self) -> Hold | None:
        """The hold on the disk, if it is not over by this machine's clock."""
        hold: Hold | None = self._disk.files.get(HOLD)
        return None if hold is None or hold.until <= self._clock.now() else hold

    def _wish(self) -> Wish | None:
        """What the plan asks for, and above it what a hold does, field by field."""
        wall = self._clock.now()
        planned, hold = self._plans.wish(wall), self._hold_to_come()
        for wish in self._held:
            self._held[wish] = min(self._held[wish], self._clock.monotonic() + UNDER_WAY_S)
        if hold is None or hold.since > wall + PUT_BACK:
            return planned
        held = wish_of(hold.setpoint)
        self._held[held] = math.inf
        if planned is None:
            return None if None in {held.mode, held.raw_percent} else held
        mode, raw_percent = held.mode or planned.mode, held.raw_percent
        return Wish(mode, planned.raw_percent if raw_percent is None else raw_percent)

    def _edge_s(self) -> float:
        """When a boundary is next, or a hold begins or ceases to count."""
        wall, hold = self._clock.now(), self._hold_to_come()
        edges = [self._plans.segment(wall).end]
        if hold is not None:
            edges += [edge for edge in (hold.since - PUT_BACK, hold.until) if edge > wall]
        return self._hours.true_s(min(edges))

    def next_happening_s(self, since: datetime) -> float:
        """When the next thing happens that no alarm wakes anybody at, or happened ``since`` then by this machine's clock."""
        known = [self._hours.next_s(self._hours.true_s(since))]
        happening = self._device.next_happening
        if happening is not None:
            known.append((happening - self._clock.start).total_seconds())
        moment = self._plans.next_moment(since)
        if moment is not None:
            known.append(self._hours.true_s(moment))
        return min(known)

    def next_expiry_s(self) -> float:
        """When the next token grows too old, or grew so since it was used last: the next look finds it."""
        facts = self._record.facts
        ends = self._device.sessions.ends(facts.at(max(facts.read_s, 0.0)))
        return min(((end - self._clock.start).total_seconds() for end in ends), default=math.inf)

    def excuse_budget(self, noted: Sequence[datetime]) -> None:
        """Where the logins that were noted are as many as are allowed, nothing can be expected until they are not."""
        now = self._clock.now()
        known = sorted(min(at, now) for at in noted)
        for window_s, most in WINDOWS_S:
            window = timedelta(seconds=window_s)
            within = [at for at in known if at > now - window]
            if len(within) >= most:
                self._record.course.excuse(self._hours.true_s(within[-most] + window) + REFILLED_S)
