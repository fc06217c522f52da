"""The plan in force: one configuration's schedule, compiled for the days around now. A value; swapped as a whole.

How the schedule became a file's content, and who says that a new one is in force, is not known here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.model.timeline import Condition, DriftPolicy, Moment, Segment, Timeline
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import Schedule

BEHIND = timedelta(days=7)
"""So that a segment's start is its true boundary, not the edge of what was compiled."""

AHEAD = timedelta(days=8)
RENEW = timedelta(days=6)
"""Compiled anew when less than this lies ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A configuration as the loop needs it. ``digest`` names the file's content, ``verify_s`` is in seconds."""

    schedule: Schedule
    on_drift: DriftPolicy
    verify_s: float
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """A policy with its timeline: ``fine`` with every price, ``coarse`` cut only where what is asked for changes."""

    policy: Policy
    fine: Timeline
    coarse: Timeline

    def covers(self, now: datetime) -> bool:
        """Whether it is fresh enough to decide by at ``now``."""
        return self.fine.start <= now and now + RENEW < self.fine.end

    def boundary(self, now: datetime) -> datetime | None:
        """Since when the setpoint of ``now`` holds; None if that lies further back than what was compiled."""
        start = self.coarse.at(now).start
        return None if start <= self.coarse.start else start

    def conditions_before(self, segment: Segment) -> frozenset[Condition]:
        """The conditions of the segment before this one; none where that lies further back than what was compiled."""
        if segment.start <= self.coarse.start:
            return frozenset()
        before = self.coarse.at(segment.start - timedelta(microseconds=1))
        return frozenset(claim.condition for claim in before.claims if claim.condition is not None)

    def following(self, now: datetime) -> Segment | None:
        """The segment after the one that holds now, if the agenda reaches so far."""
        end = self.coarse.at(now).end
        return None if end >= self.coarse.end else self.coarse.at(end)

    def next_moment(self, now: datetime) -> Moment | None:
        """The first moment still to come."""
        return next((m for m in self.fine.moments if m.at > now), None)

    def alarms(self, now: datetime) -> dict[str, datetime]:
        """The instants to be woken at, by name: every boundary and every moment still to come."""
        return {name: instant for name, instant in self._instants() if instant > now}

    def _instants(self) -> Iterator[tuple[str, datetime]]:
        for segment in self.coarse.segments[1:]:
            rules = ", ".join(claim.name for claim, _ in segment.spoken().claims)
            yield f"{segment.start.isoformat()} {rules}", segment.start
        for moment in self.fine.moments:
            yield moment.key, moment.at


def agenda(policy: Policy, now: datetime) -> Agenda:
    """The policy compiled for the days around ``now``."""
    fine = compile_plan(policy.schedule, now - BEHIND, now + AHEAD)
    return Agenda(policy=policy, fine=fine, coarse=fine.merged())
