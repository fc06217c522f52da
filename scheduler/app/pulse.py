"""Everybody who wants to know that the daemon lives: systemd, whoever looks from outside, and the dead man's handle.

Fed by completed cycles, and by the calls to the gateway within one; never by a timer. What a cycle is, is the loop's business; who listens is known only here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine
from contextlib import AbstractContextManager
from datetime import tzinfo
from types import TracebackType
from typing import Any, Self

from scheduler.control.ports import Clock, Tell
from scheduler.control.session import RELEASE_S
from scheduler.control.switch import PAUSES_S
from scheduler.daemon.clock import manager_s
from scheduler.daemon.deadman import LIMIT_S, DeadMan
from scheduler.daemon.systemd import Supervisor
from scheduler.gateway.local import LocalPace
from scheduler.model.ends import Hung
from scheduler.model.status import Status
from scheduler.observe.status import sentence
from scheduler.store.heartbeat import Heartbeat, place

SWITCH_S = (1 + len(PAUSES_S)) * LocalPace().attempt_s + sum(PAUSES_S) + RELEASE_S
"""The longest that a switch can take, by its own bounds: all of its attempts, the pauses between them, and the battery put back."""

LONGEST_CYCLE_S = SWITCH_S + 180.0
"""No cycle takes so long: of the slowest, with ten seconds for each answer of a 1.43, which is told all twice, 353 s were
measured."""


class Pulse(AbstractContextManager["Pulse"]):
    """The daemon's pulse, held from ``with`` to its end. Made in the event loop that runs the daemon.

    ``tell`` is told where the process hangs before it ends itself: from another thread, so it may only write a line.
    """

    def __init__(self, clock: Clock, tell: Tell) -> None:
        self._clock = clock
        self._supervisor = Supervisor.named_in(os.environ)
        self._heartbeat = Heartbeat(place(os.environ))
        self._deadman = DeadMan(clock.monotonic, lambda words: tell(Hung(at=clock.now(), message=words)))
        self._deadman.watch(_work(asyncio.get_running_loop()))
        self._ready = self._stopping = False
        self._cycle_s = clock.monotonic()

    def __enter__(self) -> Self:
        self._deadman.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadman.release()
        self._heartbeat.stop()

    def cycle(self, status: Status, zone: tzinfo) -> None:
        """A cycle was completed, with this for its state of affairs."""
        self._cycle_s = self._clock.monotonic()
        self._supervisor.status(sentence(status, zone))
        self.step()
        if not self._ready:
            self._ready = True
            self._supervisor.ready()

    def step(self) -> None:
        """A call to the gateway came to its end; counts for life until `LIMIT_S` before the end of the longest cycle.

        A switch that a slow gateway does not take repeats after 45 s and is minutes under way, and that is no hang.
        """
        if not self._stopping and self._clock.monotonic() - self._cycle_s <= LONGEST_CYCLE_S - LIMIT_S:
            self._deadman.beat()
            self._heartbeat.beat(self._clock.monotonic())
            self._supervisor.alive()

    def reloading(self) -> None:
        """The files are taken up now, until `reloaded`."""
        if self._ready:
            self._supervisor.reloading(manager_s())

    def reloaded(self) -> None:
        """Whatever came of it, it is over."""
        if self._ready:
            self._supervisor.ready()

    def stopping(self) -> None:
        """The daemon ends: nobody waits for a cycle any more."""
        self._stopping = True
        self._deadman.release()
        self._supervisor.stopping()


def _work(loop: asyncio.AbstractEventLoop) -> Any:
    """What the daemon is at on the event loop, for another thread: its cycles, and reloads that are not done."""

    def work() -> list[Coroutine[Any, Any, Any]]:
        tasks = [task for task in asyncio.all_tasks(loop) if task.get_name() in {"cycles", "reload"}]
        return [it for task in tasks if isinstance(it := task.get_coro(), Coroutine)]

    return work
