"""The daemon as a service: whatever is wrong with its files, it stays up, says so, and takes up the mended ones.

A service that ends for a typing error is started anew until its manager gives up, and then nobody switches any more. Here
the last plan that was in force goes on, or none if none ever was. What a plan leads to is the daemon's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from scheduler.app.daemon import Daemon
from scheduler.app.file import read
from scheduler.app.patience import own
from scheduler.app.pulse import Pulse
from scheduler.config.configuration import Configuration
from scheduler.config.problems import ConfigurationError
from scheduler.config.settings import secret_files
from scheduler.control.loop import TICK_S
from scheduler.control.ports import Clock
from scheduler.daemon.process import beside
from scheduler.daemon.reload import Contents, contents, watch
from scheduler.model.errors import GatewayError, Refused
from scheduler.model.events import NoPlan, Stopped
from scheduler.model.status import Status, unknown
from scheduler.observe.status import StatusFile
from scheduler.store.memory import Listener, Memory

Make = Callable[[Configuration, str | None, Contents], Daemon]
"""Makes the daemon of a configuration; the problem is that of a newer file that it stands in for, and the contents are what the
files held when that was found."""


class Standby:
    """Runs the plan of the file at ``path``, or the last good one, or waits for a good one, until ``stop`` is set."""

    def __init__(
        self,
        path: Path,
        directory: Path,
        make: Make,
        *,
        stop: asyncio.Event,
        pulse: Pulse,
        clock: Clock,
        listeners: list[Listener],
    ) -> None:
        self._path = path
        self._directory = directory
        self._make = make
        self._stop = stop
        self._pulse = pulse
        self._clock = clock
        self._listeners = listeners
        self._daemon: Daemon | None = None
        self._memory: Memory | None = None
        self._again = asyncio.Event()

    def reload(self) -> None:
        """Look at the files now."""
        self._again.set()
        if self._daemon is not None:
            self._daemon.reload()

    async def run(self) -> GatewayError | None:
        """Until ``stop`` is set; what kept the battery from being put back into service at the end, if anything did.

        StoreError if another daemon owns the state directory. The lock comes before all else: what is read of the memory
        there, the last good configuration first, is its owner's to put aside.
        """
        async with own(self._directory / "lock", self._stop):
            while not self._stop.is_set():
                self._again.clear()
                self._memory = None
                files = [self._path, *secret_files()]
                seen = contents(files)
                try:
                    configuration, problem = self._configuration()
                    files.append(configuration.gateway.certificate)
                    seen = {
                        **contents(files),
                        self._path: seen[self._path] if problem else configuration.digest,
                    }
                    self._daemon = self._make(configuration, problem, seen)
                    return await self._daemon.serve()
                except ConfigurationError as error:
                    problem = error.summary
                except Refused as error:
                    problem = str(error)
                self._daemon = None
                await self._wait(problem, files, seen)
        self._pulse.stopping()
        return None

    def _configuration(self) -> tuple[Configuration, str | None]:
        """The file's, or else the last good one and what is wrong with the file."""
        try:
            return read(self._path), None
        except ConfigurationError as error:
            memory = self._own_memory()
            kept = memory.kept_configuration()
            if kept is None:
                memory.retry_too(lambda: self._look_for_kept(memory))
                raise
            try:
                return read(self._path, kept=kept), error.summary
            except ConfigurationError:
                # An older program's, or the environment is wrong: the file's own problem counts.
                raise error from None

    def _own_memory(self) -> Memory:
        if self._memory is None:
            self._memory = Memory(self._directory, self._listeners, self._clock.now)
        return self._memory

    def _look_for_kept(self, memory: Memory) -> None:
        """Go on with the last good one, which could not be read, as soon as it can be."""
        if memory.kept_configuration() is not None:
            self._again.set()

    async def _wait(self, problem: str, files: list[Path], seen: Contents) -> None:
        """Until the files are others than were seen, or somebody wants them looked at; no plan is in force meanwhile."""
        memory = self._own_memory()
        memory.forget_status()
        memory.tell(
            NoPlan(at=self._clock.now(), message=f"{problem}; no plan is in force until that is mended")
        )
        report = StatusFile(memory.write_status, lambda: UTC).report
        started = self._clock.now()
        async with beside(watch(lambda: files, self._again.set, tried=lambda: seen)):
            while not (self._stop.is_set() or self._again.is_set()):
                memory.mend()
                status = _without_plan(self._clock.now(), started, problem)
                status = replace(status, memory_problem=memory.problem)
                report(status)
                self._pulse.cycle(status, UTC)
                await self._either()
        if self._stop.is_set():
            memory.tell(Stopped(at=self._clock.now(), message="the daemon was told to stop"))

    async def _either(self) -> None:
        """Until told to stop or to look again, or for a tick."""
        tasks = [asyncio.create_task(event.wait()) for event in (self._stop, self._again)]
        try:
            await asyncio.wait(tasks, timeout=TICK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()


def _without_plan(now: datetime, started: datetime, problem: str) -> Status:
    return replace(unknown(now, started), trouble=f"no plan is in force: {problem}", plan_problem=problem)
