"""What should be at each instant of a rehearsal, by the plan in force and this machine's clock, and what is known to come."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from scheduler.app.rehearsal.hours import Hours
from scheduler.app.rehearsal.plans import Plans
from scheduler.app.rehearsal.record import REFILLED_S, WINDOWS_S, Record
from scheduler.app.rehearsal.virtual import RehearsalClock
from scheduler.simulator.device import SimulatedGateway


class Aim:
    """Tells the record what is wished from when on.

    ``can_switch``: this gateway lets us, else nothing can be expected of it. ``rings``: alarms wake the program at boundaries.
    """

    def __init__(
        self,
        plans: Plans,
        device: SimulatedGateway,
        record: Record,
        *,
        clock: RehearsalClock,
        hours: Hours,
        can_switch: bool,
        rings: bool,
    ) -> None:
        self._plans = plans
        self._device = device
        self._record = record
        self._clock = clock
        self._hours = hours
        self._can_switch = can_switch
        self._rings = rings

    def take(self) -> None:
        """Note what should be true from now on, and be there when that changes."""
        wish = self._plans.wish(self._clock.now()) if self._can_switch else None
        record = self._record
        record.counts["boundaries"] += wish != record.facts.wish
        record.course.wish(wish, self._clock.monotonic())
        next_s = self._boundary_s
        if next_s < self._hours.ends_s:
            self._hours.at(next_s, self._take_again, rings=self._rings)

    def _take_again(self) -> None:
        self._record.look_at_battery()
        if self._boundary_s > self._clock.monotonic():  # a clock that was stepped meanwhile has its own
            self.take()

    @property
    def _boundary_s(self) -> float:
        return self._hours.true_s(self._plans.segment(self._clock.now()).end)

    def next_happening_s(self) -> float:
        """When the next thing happens that no alarm wakes anybody at."""
        known = [self._hours.next_s]
        happening = self._device.next_happening
        if happening is not None:
            known.append((happening - self._clock.start).total_seconds())
        moment = self._plans.next_moment(self._clock.now())
        if moment is not None:
            known.append(self._hours.true_s(moment))
        return min(known)

    def next_expiry_s(self) -> float:
        """When the next token grows too old, which the next look finds."""
        ends = self._device.sessions.ends(self._clock.true())
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
