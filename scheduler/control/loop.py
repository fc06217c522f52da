"""The loop: one task that owns the gateway and asks, again and again, what should be true now.

Alarms, reloads and signals only wake it; every cycle decides anew from the plan, the clock and what the gateway says.
With every alarm lost it is late by one tick, never wrong. Where facts go and who wakes it is not known here.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from datetime import datetime

from scheduler.control.agenda import Agenda, Policy, agenda
from scheduler.control.attendant import Attendant
from scheduler.control.ports import Clock, Gateway, Marks, Note, Tell
from scheduler.control.trust import Trust
from scheduler.model.errors import GatewayError, Transient
from scheduler.model.events import LeftStopped
from scheduler.model.hold import Hold
from scheduler.model.status import Status

TICK_S = 15.0
"""The longest rest between two looks at the plan."""

REST_S = 0.5
"""The shortest rest: no condition makes the loop spin."""

FINISH_S = 4.0
"""How long a cycle under way may take to finish when the daemon is stopped; then it is cut off."""

STOP_RELEASE_S = 6.0
"""How long putting the battery back into service may take after that."""

Arm = Callable[[Mapping[str, datetime]], None]
"""Sets the alarms to exactly these instants, by name. An alarm wakes the loop and does nothing else."""

Report = Callable[[Status], None]
"""Takes the state of affairs at the end of each completed cycle. Must not raise and must not block."""


class Loop:
    """Runs cycles until told to stop. Made in the event loop that runs it.

    ``note`` is where moments and the gateway's firmware outlast us; ``longest_install_s`` tells the longest install that was
    seen on this gateway, in seconds, None if none was. ``device`` names the gateway: what was noted of another one counts
    for nothing. ``hold`` tells what a person asked for last, with its end, which may be over. ``compiled`` makes the agenda
    for the days around an instant.
    """

    def __init__(
        self,
        policy: Policy,
        gateway: Gateway,
        *,
        clock: Clock,
        marks: Marks,
        note: Note,
        tell: Tell,
        arm: Arm,
        report: Report,
        jitter: Callable[[], float] = random.random,
        longest_install_s: Callable[[], float | None] = lambda: None,
        device: str = "",
        hold: Callable[[], Hold | None] = lambda: None,
        compiled: Callable[[Policy, datetime], Agenda] = agenda,
    ) -> None:
        self._policy = policy
        self._compiled = compiled
        self._clock = clock
        self._arm = arm
        self._tell = tell
        self._report = report
        self._agenda: Agenda | None = None
        self._trust = Trust(clock, tell)
        self._attendant = Attendant(
            gateway,
            clock=clock,
            trust=self._trust,
            marks=marks,
            note=note,
            tell=tell,
            jitter=jitter,
            longest_install_s=longest_install_s,
            device=device,
        )
        self._device = device
        self._hold = hold
        self._incoming: tuple[Policy, Gateway | None] | None = None
        self._woken = False
        self._resting: asyncio.Task[None] | None = None

    @property
    def due_s(self) -> float:
        """When something wants attention next, whatever the plan says, by the monotonic clock."""
        return self._attendant.due_s

    @property
    def ready_s(self) -> float:
        """From when on a tick begins a switch, or doubts a refusal, by the monotonic clock; infinite if none does."""
        return self._attendant.ready_s

    def wake(self) -> None:
        """Look at the plan now."""
        self._woken = True
        if self._resting is not None:
            self._resting.cancel()

    def adopt(self, policy: Policy, gateway: Gateway | None, device: str) -> None:
        """Take up another configuration at the next cycle, and another gateway if one is given.

        A gateway that was given before and not taken up yet is kept, unless another one takes its place.
        """
        waiting = self._incoming[1] if self._incoming else None
        self._incoming = (policy, gateway or waiting)
        self._device = device
        self._attendant.state.plan_problem = None
        self.wake()

    def recall(self) -> None:
        """Take up what is kept as at a start, between two cycles: it could not be read until now."""
        self._attendant.recall()
        self.wake()

    def reject(self, problem: str) -> None:
        """Show that the file has a problem; the plan in force goes on."""
        self._attendant.state.plan_problem = problem
        self.wake()

    async def run(self, stop: asyncio.Event) -> GatewayError | None:
        """Cycle until ``stop``; then finish what is under way or cut it off, and leave the battery running.

        Ends within `FINISH_S` + `STOP_RELEASE_S` seconds after ``stop``. Returns what kept the battery from being put back into
        service, if anything did. A bug in a cycle is raised, but not before the battery was seen to.
        """
        cycling = asyncio.create_task(self._forever(stop), name="cycles")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait({cycling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            self.wake()
            await asyncio.wait({cycling}, timeout=FINISH_S)
        finally:
            stopping.cancel()
            cycling.cancel()
            await asyncio.wait({cycling, stopping})
            left = await self._release()
        if not cycling.cancelled():
            cycling.result()
        return left

    async def _release(self) -> GatewayError | None:
        try:
            async with asyncio.timeout(STOP_RELEASE_S):
                error = await self._attendant.release()
        except TimeoutError:
            error = Transient(f"the gateway did not answer within {STOP_RELEASE_S:g} s")
        if error is not None:
            message = f"the battery may stand still, and we stop: {error}; start it in the gateway's own page"
            self._tell(LeftStopped(at=self._clock.now(), message=message))
        return error

    async def _forever(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._woken = False
            began_s = self._clock.monotonic()
            await self.cycle()
            await self._rest()
            early_s = began_s + REST_S - self._clock.monotonic()
            if early_s > 0 and not stop.is_set():  # whoever wakes us, and however often
                await self._clock.sleep(early_s)

    async def cycle(self) -> None:
        """Look at the plan once and do what is due. Failures of the gateway are part of a completed cycle."""
        if self._incoming is not None:
            (self._policy, gateway), self._incoming = self._incoming, None
            await self._attendant.renew(gateway, self._device)
            self._agenda = None
        by = self._trust.look(self._policy.trust_after_s)
        now = self._trust.now()
        fresh = self._agenda
        if fresh is None or not fresh.covers(now):
            fresh = self._compiled(self._policy, now)
        if by:  # a hold is in the agenda from when it began, or from before a clock that was put back
            fresh = fresh.under(None, now)
        fresh = fresh.under(self._hold(), now)
        if fresh is not self._agenda or by:
            self._agenda = fresh
            self._arm(fresh.alarms(now))
        if by:
            self._attendant.stepped(by)
        await self._attendant.attend(self._agenda, now)
        self._report(self._attendant.state.status(self._agenda, now))

    async def _rest(self) -> None:
        """Until the next tick, or until something wants attention or wakes us."""
        if self._woken:
            return
        rest_s = max(REST_S, min(TICK_S, self._attendant.due_s - self._clock.monotonic()))
        self._resting = asyncio.create_task(self._trust.rest(rest_s), name="rest")
        try:
            await asyncio.wait({self._resting})
        finally:
            self._resting.cancel()
            self._resting = None
