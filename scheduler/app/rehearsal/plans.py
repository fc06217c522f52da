"""The plans of a rehearsal: the file's, and a few like it that it is edited to and back. What each asks for, and when.

Compiled once for all processes and all rehearsals of one process of ours: each looks at the same year.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.app.rehearsal.facts import Wish
from scheduler.control.agenda import Agenda, Policy, agenda
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import DriftPolicy, Segment, Timeline
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import Schedule, Window

MARGIN = timedelta(days=9)
"""Beyond the rehearsal on both sides: a clock that is wrong looks there, too."""

EDITED_BY = 5
"""By how much an edit raises each reserve, in shown percent, where that is asked for of a gateway at all."""

RAISED_TO = 75


class Library:
    """What was compiled already, by the plan and the days that it is for."""

    def __init__(self) -> None:
        self._keys: dict[Schedule, int] = {}
        self._agendas: dict[tuple[int, datetime], Agenda] = {}
        self._timelines: dict[tuple[int, datetime, datetime], Timeline] = {}

    def key(self, schedule: Schedule) -> int:
        """The number of this plan, by what it says."""
        return self._keys.setdefault(schedule, len(self._keys))

    def agenda(self, key: int, policy: Policy, now: datetime) -> Agenda:
        """The agenda of the day of ``now``."""
        day = now.replace(hour=0, minute=0, second=0, microsecond=0)
        found = self._agendas.get((key, day))
        if found is None:
            found = self._agendas[key, day] = agenda(policy, day)
        return found

    def timeline(self, key: int, schedule: Schedule, start: datetime, end: datetime) -> Timeline:
        """The whole plan for a time, with every condition and cut only where what is asked for changes."""
        found = self._timelines.get((key, start, end))
        if found is None:
            found = self._timelines[key, start, end] = compile_plan(schedule, start, end).merged()
        return found


class Plans:
    """The plan in force, and the others in turn. ``conditional``: what is asked for hangs on the gateway somewhere in them."""

    def __init__(
        self, schedules: tuple[Schedule, ...], on_drift: DriftPolicy, verify_s: float, library: Library
    ) -> None:
        self._library = library
        self._schedules = schedules
        self._keys = [library.key(schedule) for schedule in schedules]
        self._turns = 0
        self._on_drift: DriftPolicy = on_drift
        self._verify_s = verify_s
        self.policy = self._policy()
        self.conditional = any(rule.condition is not None for plan in schedules for rule in plan.rules)
        self._timeline: Timeline | None = None
        self._within: tuple[datetime, datetime] | None = None

    def cover(self, start: datetime, end: datetime) -> None:
        """Be about this time from now on."""
        start = start.replace(hour=0, minute=0, second=0, microsecond=0)
        self._within = start - MARGIN, end + MARGIN
        self._compile()

    @property
    def zone(self) -> ZoneInfo:
        """The zone of the site."""
        return self.policy.schedule.zone

    def turn(self) -> Policy:
        """Take the next plan, as after an edit of the file."""
        self._turns += 1
        self.policy = self._policy()
        self._compile()
        return self.policy

    def _compile(self) -> None:
        if self._within is not None:
            schedule = self.policy.schedule
            self._timeline = self._library.timeline(self._key(schedule), schedule, *self._within)

    def _key(self, schedule: Schedule) -> int:
        return next(key for key, known in zip(self._keys, self._schedules, strict=True) if known is schedule)

    def _policy(self) -> Policy:
        return Policy(
            schedule=self._schedules[self._turns % len(self._schedules)],
            on_drift=self._on_drift,
            verify_s=self._verify_s,
            digest=f"generation {self._turns}",
        )

    def agenda(self, policy: Policy, now: datetime) -> Agenda:
        """What the loop is given for an agenda."""
        found = self._library.agenda(self._key(policy.schedule), policy, now.astimezone(UTC))
        return found if found.policy is policy else replace(found, policy=policy)

    def wishes(self) -> set[Wish]:
        """All that any of the plans can ask for, field by field."""
        return wishes_of(self._schedules)

    def sets_back(self, wall: datetime) -> bool:
        """Whether all the rules that speak then set back what somebody changes."""
        return self._on_drift_at(wall) == {"enforce"}

    def lets_stand(self, wall: datetime) -> bool:
        """Whether none of the rules that speak then does."""
        return "enforce" not in self._on_drift_at(wall)

    def _on_drift_at(self, wall: datetime) -> set[DriftPolicy]:
        claims = self.segment(wall).spoken().claims
        return {claim.on_drift or self._on_drift for claim, _ in claims} or {self._on_drift}

    def segment(self, wall: datetime) -> Segment:
        """What holds when this machine's clock shows this."""
        assert self._timeline is not None  # noqa: S101 - for the type
        return self._timeline.at(min(max(wall, self._timeline.start), self._timeline.segments[-1].start))

    def wish(self, wall: datetime) -> Wish | None:
        """What should be true then; None where that hangs on what the gateway says."""
        segment = self.segment(wall)
        return None if segment.conditional else wish_of(segment.spoken().setpoint)

    def next_moment(self, wall: datetime) -> datetime | None:
        """The first moment after that."""
        assert self._timeline is not None  # noqa: S101 - for the type
        later = self._timeline.moments_between(wall + timedelta(microseconds=1), wall + timedelta(days=3))
        return later[0].at if later else None


def wishes_of(schedules: Sequence[Schedule]) -> set[Wish]:
    """All that any of these can ask for, field by field."""
    given = {schedule.default for schedule in schedules}
    for schedule in schedules:
        given |= {rule.setpoint for rule in schedule.rules if isinstance(rule, Window)}
    return {wish_of(setpoint) for setpoint in given}


def wish_of(setpoint: Setpoint) -> Wish:
    """A setpoint in raw percent, by the pairs that were measured on gateways: 5 raw are 0, and 100 are 100."""
    reserve = setpoint.reserve_percent
    return Wish(
        None if setpoint.mode is None else str(setpoint.mode), None if reserve is None else 5 + 0.95 * reserve
    )


def edited(schedule: Schedule) -> Schedule:
    """The schedule after an edit: each reserve a little higher."""
    return replace(
        schedule,
        rules=tuple(
            replace(rule, setpoint=_raised(rule.setpoint)) if isinstance(rule, Window) else rule
            for rule in schedule.rules
        ),
        default=_raised(schedule.default),
    )


def _raised(setpoint: Setpoint) -> Setpoint:
    reserve = setpoint.reserve_percent
    if reserve is None or reserve + EDITED_BY > RAISED_TO:
        return setpoint
    return replace(setpoint, reserve_percent=reserve + EDITED_BY)
