"""What the loop remembers between two cycles. Losing all of it costs a read and a comparison, nothing else.

Plain fields and no policy: deciding is `decide`'s, keeping time `pacing`'s.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.control.agenda import Agenda
from scheduler.control.install import AHEAD, Standing
from scheduler.control.pacing import STEADY, Pacing
from scheduler.control.trouble import Trouble
from scheduler.model.clock import UNSEEN, Belief
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.hold import Hold
from scheduler.model.reading import Identity, Live
from scheduler.model.setpoint import NOTHING, Setpoint
from scheduler.model.status import Status
from scheduler.model.timeline import Condition


@dataclass(slots=True, kw_only=True)
class State:
    """Where the loop stands. Fields ending in ``_s`` are instants of the monotonic clock, in seconds.

    ``record`` is the evidence for the current target, None while the target is new; ``seen`` is the last instant at which
    the plan was looked at; ``held`` are the conditions that held at the last look; ``verify_s`` is the next look;
    ``alert`` is what a person asked to be told of, while it lasts; ``installing_since`` is since when the gateway is expected
    to be gone for an install. ``hold`` is the person's that the target was taken up under; ``contended``: it was told
    that somebody changes this target again and again. ``clock`` is what is believed of the machine's.
    """

    started: datetime
    boundary: datetime
    seen: datetime | None = None
    desired: Setpoint = NOTHING
    rules: tuple[str, ...] = ()
    record: SwitchRecord | None = None
    actual: Setpoint | None = None
    read_at: datetime | None = None
    live: Live | None = None
    held: frozenset[Condition] = frozenset()
    identity: Identity | None = None
    pacing: Pacing = STEADY
    verify_s: float = 0.0
    trouble: Trouble | None = None
    alert: str | None = None
    plan_problem: str | None = None
    installing_since: datetime | None = None
    clock: Belief = UNSEEN
    hold: Hold | None = None
    contended: bool = False

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on the current target, None while it is new."""
        return None if self.record is None else self.record.verdict

    def leave(self) -> None:
        """Another gateway is in charge: what was read of the one before it is nothing that this one does."""
        self.actual = self.read_at = self.live = None
        self.held = frozenset()

    def aim(self, desired: Setpoint, boundary: datetime) -> None:
        """Take up a new target: nothing is proven of it yet."""
        self.desired, self.boundary, self.record, self.alert = desired, boundary, None, None
        self.contended = False

    def follow(self, agenda: Agenda, now: datetime) -> None:
        """Find out what is desired now; a boundary, a hold or its end, or another answer to an ``if``, makes a new target."""
        segment = agenda.coarse.at(now)
        spoken = segment.spoken(self.live, self.held)
        if self.seen is None or segment.start > self.seen:
            self.held &= agenda.conditions_before(segment)
            self.aim(spoken.setpoint, agenda.boundary(now) or now)
            self.pacing = self.pacing.at_boundary()
        elif agenda.hold != self.hold:
            self.aim(spoken.setpoint, _changed_at(self.hold, agenda.hold, now))
            self.pacing = self.pacing.at_boundary()
        elif spoken.setpoint != self.desired:
            self.aim(spoken.setpoint, self.boundary if self.record is None else now)
        self.rules = tuple(claim.name for claim, _ in spoken.claims)
        self.seen, self.hold = now, agenda.hold

    def ready_s(self, now_s: float, *, has_session: bool) -> float:
        """From when on a tick begins a switch, or doubts a refusal, by the monotonic clock; infinite if none does."""
        probe_s = self.pacing.probe_s
        if self.record is None and self.pacing.latch is None:
            return self.pacing.resume_s
        # Without a session a doubt comes to nothing, until a look has made one.
        if probe_s is None or (probe_s <= now_s and not has_session):
            return math.inf
        return probe_s

    def stepped(self, by: timedelta) -> None:
        """The wall clock was set ``by`` so much: ages stay what they are."""
        self.started += by
        if self.read_at is not None:
            self.read_at += by

    def found(self, actual: Setpoint | None, at: datetime) -> None:
        """Note a reading of the gateway."""
        if actual is not None:
            self.actual, self.read_at = actual, at

    def standing(self, agenda: Agenda, now: datetime, longest_s: Callable[[], float | None]) -> Standing:
        """What a moment is attended by; ``longest_s`` tells the longest install that was seen, in seconds."""
        latch = self.pacing.latch
        return Standing(
            fine=agenda.fine,
            segments=agenda.coarse.segments_between(now, now + AHEAD),
            desired=self.desired,
            proven=self.verdict is not None and self.verdict.good,
            longest_s=longest_s,
            refusal=None if latch is None else str(latch),
            trusted=self.clock.trusted,
            zone=agenda.policy.schedule.zone,
            held=agenda.hold is not None,
        )

    def status(self, agenda: Agenda, now: datetime) -> Status:
        """What is known now, for people and monitors."""
        following = agenda.following(now)
        moment = agenda.next_moment(now)
        return Status(
            at=now,
            started=self.started,
            period=agenda.fine.at(now).period,
            desired=self.desired,
            rules=self.rules,
            actual=self.actual,
            read_at=self.read_at,
            record=self.record,
            next_boundary=None if following is None else following.start,
            next_desired=None if following is None else following.spoken(self.live, self.held).setpoint,
            next_moment=None if moment is None else moment.at,
            firmware=None if self.identity is None else self.identity.firmware,
            drifted=self.verdict is Verdict.DRIFTED,
            trouble=self.clock.doubt or self.alert if self.trouble is None else self.trouble.sentence,
            plan_digest=agenda.policy.digest,
            plan_problem=self.plan_problem,
            installing_since=self.installing_since,
            hold=self.hold,
            clock=self.clock.words,
        )


def _changed_at(before: Hold | None, after: Hold | None, now: datetime) -> datetime:
    """Since when a hold counts, or no longer does."""
    edge = after.since if after is not None else before.until if before is not None else now
    return min(edge, now)
