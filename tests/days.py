"""Days for tests of the loop: on a bench, in virtual time, without a single alarm. No tests here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from bench import Bench, readme_schedule

from scheduler.control.agenda import Policy
from scheduler.control.loop import Loop
from scheduler.model.errors import GatewayError
from scheduler.model.events import Event, Switched
from scheduler.model.evidence import SwitchRecord
from scheduler.model.hold import Hold
from scheduler.model.status import Status
from scheduler.model.timeline import DriftPolicy
from scheduler.plan.rules import Schedule

Kind = TypeVar("Kind", bound=Event)


class Run:
    """A loop on a bench, without any alarm: all of them are dropped."""

    def __init__(
        self,
        b: Bench,
        schedule: Schedule | None = None,
        *,
        on_drift: DriftPolicy = "yield",
        longest_install_s: float | None = None,
        hold: Callable[[], Hold | None] = lambda: None,
        trust_after_s: float | None = None,
    ) -> None:
        self.bench = b
        self.reports: list[Status] = []
        self.armed: list[dict[str, datetime]] = []
        self.policy = Policy(
            schedule=schedule or readme_schedule(),
            on_drift=on_drift,
            verify_s=300,
            digest="d",
            trust_after_s=trust_after_s,
        )
        self.loop = Loop(
            self.policy,
            b.gateway,
            clock=b.clock,
            marks=b.marks,
            note=b.moments,
            tell=b.events.append,
            arm=lambda alarms: self.armed.append(dict(alarms)),
            report=self.reports.append,
            jitter=lambda: 0.5,
            longest_install_s=lambda: longest_install_s,
            hold=hold,
        )

    async def until(self, at: datetime) -> GatewayError | None:
        """Cycle until the clock shows ``at``; what the loop says at its end."""
        return await run_until(self.loop, self.bench, at)

    def told(self, kind: type[Kind]) -> list[Kind]:
        """The events of one kind so far."""
        return [event for event in self.bench.events if isinstance(event, kind)]

    @property
    def records(self) -> list[SwitchRecord]:
        """The evidence of the switches so far."""
        return [event.record for event in self.bench.events if isinstance(event, Switched)]


async def run_until(loop: Loop, b: Bench, at: datetime) -> GatewayError | None:
    """Run the loop until the clock of its bench shows ``at``; what it says at its end."""
    stop = asyncio.Event()
    running = asyncio.create_task(loop.run(stop))
    while b.clock.now() < at and not running.done():
        await asyncio.sleep(0)
    stop.set()
    return await running


def obeyed(b: Bench) -> tuple[str, float, bool]:
    """What the battery really goes by."""
    b.device.now()
    return b.device.obeyed.mode, b.device.obeyed.reserve_raw_percent, b.device.obeyed.running
