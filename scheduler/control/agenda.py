"""The plan in force: one configuration's schedule, compiled for the days around now, and a person's hold above it.

A value; swapped as a whole. How the schedule became a file's content, and who says that a new one is in force, is not known
here; nor is when a hold begins to count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise

from scheduler.model.hold import HOLD, Hold
from scheduler.model.timeline import Claim, Condition, DriftPolicy, Moment, Segment, Timeline
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import Schedule

BEHIND = timedelta(days=7)
"""So that a segment's start is its true boundary, not the edge of what was compiled."""

AHEAD = timedelta(days=8)
RENEW = timedelta(days=6)
"""Compiled anew when less than this lies ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """A configuration as the loop needs it. ``digest`` names the file's content, ``verify_s`` is in seconds.

    ``trust_after_s`` is after how many seconds the clock is trusted whoever keeps it, None if it never is.
    """

    schedule: Schedule
    on_drift: DriftPolicy
    verify_s: float
    digest: str
    trust_after_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agenda:
    """A policy with its timeline: ``fine`` with every price, ``coarse`` cut only where what is asked for changes.

    Both have the ``hold`` in them, if there is one; ``rules`` is ``fine`` as it is without.
    """

    policy: Policy
    rules: Timeline
    fine: Timeline
    coarse: Timeline
    hold: Hold | None = None

    def under(self, hold: Hold | None, now: datetime) -> Agenda:
        """This agenda with this hold in the place of any other, or with none if that is not in force ``now``."""
        if hold is not None and not hold.in_force(now):
            hold = None
        if hold == self.hold:
            return self
        fine = self.rules if hold is None else _overlaid(self.rules, hold, now)
        return replace(self, fine=fine, coarse=fine.merged(), hold=hold)

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
    return Agenda(policy=policy, rules=fine, fine=fine, coarse=fine.merged())


def _overlaid(rules: Timeline, hold: Hold, now: datetime) -> Timeline:
    """The rules with a hold above all of them until its end, and from when it began, if the clock has come so far."""
    since = hold.since if hold.since <= now else rules.start
    claim = Claim(name=HOLD, line=0, setpoint=hold.setpoint, origin=HOLD)
    segments: list[Segment] = []
    for segment in rules.segments:
        within = [edge for edge in (since, hold.until) if segment.start < edge < segment.end]
        edges = [segment.start, *within, segment.end]
        for start, end in pairwise(edges):
            held = since <= start < hold.until
            claims = (claim, *segment.claims) if held else segment.claims
            segments.append(replace(segment, start=start, end=end, claims=claims))
    return Timeline(tuple(segments), rules.moments)
