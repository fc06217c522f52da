"""Whole days with firmware in them, by the loop and the client on a bench; what must hold of every one. No tests here.

What the battery did is read from the simulated gateway's own record, never from what we say of it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bench import Bench, bench, local, readme_schedule
from days import Run

from scheduler.model.events import GatewayLost, InstallStarted, MomentEnded
from scheduler.plan.rules import ClockTime, MomentRule, Schedule
from scheduler.simulator.house import Obeyed
from scheduler.simulator.record import stopped_between, stretches

LOGIN, INSTALL, LOOK = "POST /api/login/Basic", "POST /api/system/update", "GET /api/system/update/status"
BOUNDARY = "07:55"
DAY_RAW, NIGHT_RAW = ("self_consumption", 9.75), ("backup", 100.0)
"""What the battery goes by in the day and in the night, in the gateway's own scale."""

SOON = timedelta(seconds=60)
"""So long after a boundary, or after the gateway's return, a switch may take."""

LOGINS_IN_5_MINUTES = 3


@dataclass
class Day:
    """A day that went by, from ``start`` to ``end``: when which request reached the gateway, what was told and obeyed."""

    bench: Bench
    run: Run
    start: datetime
    end: datetime
    reached: dict[str, list[datetime]] = field(default_factory=lambda: defaultdict(list))

    @property
    def ended(self) -> list[MomentEnded]:
        """The moments that are over."""
        return self.run.told(MomentEnded)

    @property
    def outcomes(self) -> list[str]:
        """Their words."""
        return [event.outcome for event in self.ended]

    @property
    def alerts(self) -> int:
        """How many of them want a person to act."""
        return sum(event.alert for event in self.ended)

    @property
    def installs(self) -> int:
        """How often the gateway was told to install."""
        return len(self.reached[INSTALL])

    def stopped(self, start: str | None = None, end: str | None = None) -> timedelta:
        """For how long the battery was out of service, in the whole day or between two times of it."""
        first = self.start if start is None else local(start)
        return stopped_between(self.bench.device.history, first, self.end if end is None else local(end))

    def obeyed(self, start: datetime, end: datetime | None = None) -> set[Obeyed]:
        """All that the battery went by in that time, until the end of the day if none is given."""
        return {obeyed for *_, obeyed in stretches(self.bench.device.history, start, end or self.end)}

    def obeys_since(self, raw: tuple[str, float], after: datetime) -> datetime | None:
        """The first instant at or ``after`` that from which on, to the end of the day, the battery goes by this in service."""
        since = None
        for at, _, obeyed in stretches(self.bench.device.history, after, self.end):
            if obeyed.running and (obeyed.mode, obeyed.reserve_raw_percent) == raw:
                since = since or at
            else:
                since = None
        return since

    def late(self, raw: tuple[str, float], due: datetime) -> timedelta:
        """How long after it was ``due`` the battery goes by this for good; longer than any day if it never does."""
        since = self.obeys_since(raw, due)
        return timedelta.max if since is None else since - due

    def unlawful(self, *, logins: int = 2) -> list[str]:
        """What is not as it must be on every such day, in words; ``logins`` is how many it may take."""
        run, tried = self.run, self.reached[LOGIN]
        lost = [event.at for event in run.told(GatewayLost)]
        fourths = zip(tried, tried[LOGINS_IN_5_MINUTES:], strict=False)
        return [
            *([] if len(tried) <= logins else [f"{len(tried)} logins"]),
            *(f"more than 3 logins from {at} on" for at, to in fourths if to - at < timedelta(minutes=5)),
            *(f"lost in an install: {at}" for at in lost if any(a <= at < b for a, b in self._installs())),
            *(
                f"trouble in an install: {r.trouble}"
                for r in run.reports
                if r.installing_since is not None and r.trouble is not None
            ),
            *(["still installing"] if run.reports[-1].installing_since is not None else []),
            *(f"a mark is left: {mark}" for mark in self.bench.marks),
        ]

    def _installs(self) -> list[tuple[datetime, datetime]]:
        """From when until when the gateway was expected to be gone."""
        ends = [event.at for event in self.ended]
        begun = [event.at for event in self.run.told(InstallStarted)]
        return [(at, min((end for end in ends if end > at), default=self.end)) for at in begun]


async def firmware_day(
    *sentences: str,
    start: str = "05:30",
    end: str = "21:00",
    schedule: Schedule | None = None,
    on: Bench | None = None,
    longest_install_s: float | None = None,
) -> Day:
    """A day in which this happens, on the bench ``on`` or on one with firmware 1.45.2 and the installer's login."""
    b = on or bench(local(start))
    for sentence in sentences:
        b.scenario(sentence)
    run = Run(b, schedule, longest_install_s=longest_install_s)
    day = Day(b, run, local(start), local(end))
    b.wire.then = lambda call: day.reached[call].append(b.clock.now())
    await run.until(day.end)
    b.device.now()
    return day


def firmware_at(
    at: str | None = None, done_by: str | None = None, *, do: str = "check_firmware", install: bool = True
) -> Schedule:
    """The README's schedule with its moment at another time, or with something else to do in it."""
    schedule = readme_schedule()
    changed = tuple(
        replace(
            rule,
            at=rule.at if at is None else _clock_time(at),
            done_by=rule.done_by if at is None else _clock_time(done_by) if done_by else None,
            do=do,
            install=install,
        )
        if isinstance(rule, MomentRule)
        else rule
        for rule in schedule.rules
    )
    return replace(schedule, rules=changed)


def without_firmware() -> Schedule:
    """The README's schedule with its moment taken out."""
    schedule = readme_schedule()
    return replace(schedule, rules=tuple(r for r in schedule.rules if not isinstance(r, MomentRule)))


def _clock_time(text: str) -> ClockTime:
    hour, minute = text.split(":")
    return ClockTime(int(hour) * 60 + int(minute))
