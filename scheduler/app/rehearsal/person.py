"""Somebody who lives in the house: uses the app, edits the plan, and holds a setpoint for a while, by commands of their own.

A command is another process, so nothing of it is a step of ours; what it keeps lies on the same disk.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from random import Random

from scheduler.app.rehearsal.aim import HOLD, Aim
from scheduler.app.rehearsal.hours import Hours
from scheduler.app.rehearsal.plans import Plans
from scheduler.app.rehearsal.process import Disk
from scheduler.app.rehearsal.record import Record
from scheduler.app.rehearsal.virtual import RehearsalClock
from scheduler.control.loop import Loop
from scheduler.model.hold import Hold
from scheduler.model.setpoint import Mode, Setpoint
from scheduler.simulator.usecases import UseCases

ENFORCED_S = 120.0
"""So soon after the look that finds a change it is set back, where the plan enforces."""

NOTICED_S = (2.0, 4.0)
"""How long it takes until the program is told that the file of the hold is another one: two looks at it."""

HELD = (
    Setpoint(mode=Mode.BACKUP, reserve_percent=100),
    Setpoint(mode=Mode.SELF_CONSUMPTION, reserve_percent=40),
    Setpoint(mode=Mode.SELF_CONSUMPTION, reserve_percent=15),
    Setpoint(mode=Mode.BACKUP),
    Setpoint(reserve_percent=70),
)
"""What somebody holds: both fields, or one, which leaves the other to the rules. No gateway here takes a third mode."""


class Person:
    """Acts when a script says so. ``program`` is the process of the moment, None before the first."""

    def __init__(
        self,
        plans: Plans,
        aim: Aim,
        record: Record,
        usecases: UseCases,
        *,
        clock: RehearsalClock,
        hours: Hours,
        disk: Disk,
        device: str,
        program: Callable[[], Loop | None],
    ) -> None:
        self._plans = plans
        self._aim = aim
        self._record = record
        self._usecases = usecases
        self._clock = clock
        self._hours = hours
        self._disk = disk
        self._device = device
        self._program = program

    @property
    def _now_s(self) -> float:
        return self._clock.monotonic()

    def _look(self) -> None:
        self._record.look_at_battery()
        self._record.course.reach(self._now_s)

    def edit_plan(self) -> None:
        """Put the next plan into force."""
        self._look()
        policy = self._plans.turn()
        self._record.facts.digests.append(policy.digest)
        program = self._program()
        if program is not None:
            program.adopt(policy, None, self._device)
        self._aim.take()

    def use_app(self) -> None:
        """Set something in the app: it stands until the next boundary, or is set back after one look."""
        self._usecases.somebody_uses_the_app()
        self._record.look_at_battery()
        if self._plans.sets_back(self._clock.now()):
            self._record.course.excuse(self._now_s + self._plans.policy.verify_s + ENFORCED_S)
        else:
            self._record.course.stand(judged=self._plans.lets_stand(self._clock.now()))

    def hold(self, lasts: timedelta, random: Random) -> None:
        """Hold something: until the next boundary, or so long, or twice so long and be sorry after the half of it.

        A disk that takes nothing takes no hold either, which the command says.
        """
        now = self._clock.now()
        since = now.replace(microsecond=0)
        times = random.choice((0, 1, 2))
        until = since + times * timedelta(seconds=round(lasts.total_seconds()))
        if not times:
            until = self._plans.segment(now).end
        if self._keep(Hold(setpoint=random.choice(HELD), since=since, until=until), random):
            self._record.counts["holds"] += 1
            if times > 1:
                self._hours.at(self._now_s + lasts.total_seconds(), lambda: self._resume(random))

    def _resume(self, random: Random) -> None:
        if self._disk.files.get(HOLD) is not None and self._keep(None, random):
            self._record.counts["resumes"] += 1

    def _keep(self, hold: Hold | None, random: Random) -> bool:
        if self._disk.broken:
            return False
        self._look()
        self._disk.files[HOLD] = hold
        self._record.log(f"holds {hold}", self._now_s)
        self._aim.take()
        self._hours.at(self._now_s + random.uniform(*NOTICED_S), self._notice)
        return True

    def _notice(self) -> None:
        program = self._program()
        if program is not None:
            program.wake()
