"""The daemon put together: the loop with its alarms, its memory and its files, and what an edit of them leads to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler import __version__
from scheduler.app.file import read
from scheduler.app.once import keep_record, memory_of, policy_of
from scheduler.app.patience import own
from scheduler.app.plug import Plug, connect, device_of, identity_of, simulate
from scheduler.app.pulse import Pulse
from scheduler.config.configuration import Configuration
from scheduler.config.problems import ConfigurationError
from scheduler.config.settings import secret_files
from scheduler.config.source import keepable
from scheduler.control.diary import joined
from scheduler.control.install import longest_install_s
from scheduler.control.loop import Loop
from scheduler.daemon.clock import AlarmClock
from scheduler.daemon.engine import Engine
from scheduler.daemon.process import beside
from scheduler.daemon.reload import Contents, content_of, contents, digest, watch
from scheduler.gateway.local import LocalGateway
from scheduler.model.errors import GatewayError, Refused, SchedulerError
from scheduler.model.events import Event, PlanChanged, PlanRejected, Started, Stopped
from scheduler.model.status import Status
from scheduler.observe.status import StatusFile
from scheduler.observe.summary import Summary
from scheduler.store.memory import Listener, Memory

if TYPE_CHECKING:
    from scheduler.simulator.device import SimulatedGateway


RELOAD_REST_S = 0.25
"""Between two reloads: a storm of signals must leave time for the battery."""


class Daemon:
    """The loop with its alarms, its memory and its files. ``stop`` set ends it.

    ``oddities`` tells what a person should know of a configuration, each time another one comes into force. ``pulse`` is held
    by whoever made it. ``problem`` is what is wrong with the file that the configuration, an earlier content, stands in for,
    and ``seen`` what the files held when that was found; without it they count as they are now.
    """

    def __init__(
        self,
        configuration: Configuration,
        directory: Path,
        listeners: list[Listener],
        clock: AlarmClock,
        *,
        oddities: Callable[[Configuration], list[Event]] = lambda _: [],
        stop: asyncio.Event | None = None,
        pulse: Pulse | None = None,
        problem: str | None = None,
        seen: Contents | None = None,
    ) -> None:
        self._configuration = configuration
        self._named = configuration  # the last one that could be read: in force, or refused for what it names
        self._directory = directory
        self._listeners = listeners
        self._clock = clock
        self._oddities = oddities
        self._stack = AsyncExitStack()
        self._running: tuple[Loop, Memory] | None = None
        self._prepared = False  # no edit leads from a prepared gateway to somebody's house
        self._plugged: Plug | None = None
        self._refused: tuple[str, str | None] | None = None
        self._reload_wanted = asyncio.Event()
        self._pulse = pulse
        self._problem = problem
        self._tried = seen or {**contents(self._files()), configuration.path: configuration.digest}
        self.stop = stop or asyncio.Event()

    def zone(self) -> tzinfo:
        """The time zone of the site, by the configuration in force."""
        return self._configuration.schedule.zone

    async def run(self, prepare: Callable[[SimulatedGateway], None] | None = None) -> GatewayError | None:
        """Run until ``stop`` is set; what kept the battery from being put back into service at the end, if anything did.

        With ``prepare``, against a simulated gateway whatever the configuration says, prepared by it.
        Refused if the certificate was not trusted yet, StoreError if another daemon owns the state directory, or if a
        person's visit does not end.
        """
        async with own(self._directory / "lock", self.stop):
            return None if self.stop.is_set() else await self.serve(prepare)

    async def serve(self, prepare: Callable[[SimulatedGateway], None] | None = None) -> GatewayError | None:
        """`run` for whoever holds the lock of the state directory already."""
        configuration, now = self._configuration, self._clock.now
        memory = memory_of(configuration, self._directory, self._listeners, now, join=joined)
        async with self._stack as stack:
            memory.forget_status()
            keep_record(memory, stack, self.zone)
            if prepare is None:
                gateway = await self._connect(self._configuration, memory)
            else:
                self._prepared = True
                device, gateway = await simulate(self._configuration, memory, self._clock, stack)
                prepare(device)
            self._plugged = self._plug(self._configuration)
            loop = Loop(
                policy_of(self._configuration),
                gateway,
                clock=self._clock,
                marks=memory.marker,
                note=memory.moments,
                tell=memory.tell,
                device=device_of(self._configuration),
                longest_install_s=lambda: longest_install_s(memory.events()),
                arm=self._engine(stack).arm,
                report=self._reporter(memory),
                hold=memory.holds.load,
            )
            self._running = loop, memory
            self._tell_start(memory)
            if self._problem is not None:
                self._reject(self._problem, loop, memory)
            async with self._accompanied(loop, memory):
                left = await loop.run(self.stop)
            memory.tell(Stopped(at=self._clock.now(), message="the daemon was told to stop"))
            return left

    def _plug(self, configuration: Configuration) -> Plug | None:
        return None if self._prepared else identity_of(configuration)

    @asynccontextmanager
    async def _accompanied(self, loop: Loop, memory: Memory) -> AsyncIterator[None]:
        """What goes on beside the cycles: looks at the files and at holds, reloads, and the word that the end has come."""
        files = watch(self._files, self.reload, tried=lambda: self._tried)
        holds = watch(lambda: [memory.holds.path], loop.wake)
        reloads = self._reload(loop, memory)
        async with beside(files), beside(holds), beside(reloads, name="reload"), beside(self._say_end()):
            yield

    async def _connect(self, configuration: Configuration, memory: Memory) -> LocalGateway:
        exchanged = (lambda: None) if self._pulse is None else self._pulse.step
        return await connect(configuration, memory, self._clock, self._stack, exchanged=exchanged)

    def _reporter(self, memory: Memory) -> Callable[[Status], None]:
        file = StatusFile(memory.write_status, self.zone)
        summary = Summary(self._tell_log)

        def report(status: Status) -> None:
            memory.mend()
            if memory.read_late() and self._running is not None:
                self._running[0].recall()
            status = replace(status, memory_problem=memory.problem)
            summary.report(status)
            file.report(status)
            if self._pulse is not None:
                self._pulse.cycle(status, self.zone())

        return report

    def _tell_log(self, event: Event) -> None:
        """For what is no history: it would push that out of the journal."""
        for listener in self._listeners:
            listener(event)

    async def _say_end(self) -> None:
        await self.stop.wait()
        if self._pulse is not None:
            self._pulse.stopping()

    def _files(self) -> list[Path]:
        """What the configuration comes from; a file of them may come into being later."""
        return [self._named.path, self._named.gateway.certificate, *secret_files()]

    def _engine(self, stack: AsyncExitStack) -> Engine:
        engine = Engine(self._wake, self._clock.alarm_time)
        engine.start()
        stack.callback(engine.stop)
        return engine

    def _wake(self) -> None:
        if self._running is not None:
            self._running[0].wake()

    def _tell_start(self, memory: Memory) -> None:
        it = self._configuration
        words = f"tou-scheduler {__version__} runs {it.path} on {device_of(it)}, memory in {self._directory}"
        memory.tell(Started(at=self._clock.now(), message=words))
        self._tell_oddities(memory)
        self._keep(memory)

    def _keep(self, memory: Memory) -> None:
        """Have the memory keep the file as it is in force, for a start at which it is broken."""
        content = content_of(self._configuration.path, self._configuration.digest)
        if content is not None:
            memory.keep_configuration(keepable(content))

    def _tell_oddities(self, memory: Memory) -> None:
        for oddity in self._oddities(self._configuration):
            memory.tell(oddity)

    def reload(self) -> None:
        """Take up the files as they are now. With a problem in them, the plan in force goes on.

        However often this is called, one reload is under way and one more waits, which reads what is there by then.
        """
        self._reload_wanted.set()

    async def _reload(self, loop: Loop, memory: Memory) -> None:
        while True:
            await self._reload_wanted.wait()
            self._reload_wanted.clear()
            await self._take_up(loop, memory)
            await asyncio.sleep(RELOAD_REST_S)

    async def _take_up(self, loop: Loop, memory: Memory) -> None:
        async with self._told():
            try:
                fresh = self._load()
                if not self._prepared and fresh.gateway.type != self._configuration.gateway.type:
                    raise Refused(
                        "gateway.type changed", remedy="that takes a restart: each kind has its own memory"
                    )
                plug = self._plug(fresh)
                gateway = None
                if plug != self._plugged:
                    gateway = await self._connect(fresh, memory)
            except ConfigurationError as error:
                self._reject(error.summary, loop, memory)
            except SchedulerError as error:
                self._reject(str(error), loop, memory)
            else:
                self._adopt(fresh, plug, gateway, loop, memory)

    def _load(self) -> Configuration:
        """The file as it is now, noting what was tried: the watch tells the next edit from it, also one that is taken back."""
        before = self._tried = contents(self._files())
        fresh = self._named = read(self._configuration.path)
        # As they were before they were read, so that an edit in between counts. A certificate that only this file names is
        # read later.
        now = contents(self._files()).items()
        self._tried = {path: before.get(path, found) for path, found in now} | {fresh.path: fresh.digest}
        return fresh

    @asynccontextmanager
    async def _told(self) -> AsyncIterator[None]:
        """A reload, told to a service manager from its beginning to its end."""
        if self._pulse is None:
            yield
            return
        self._pulse.reloading()
        try:
            yield
        finally:
            self._pulse.reloaded()

    def _adopt(
        self,
        fresh: Configuration,
        plug: Plug | None,
        gateway: LocalGateway | None,
        loop: Loop,
        memory: Memory,
    ) -> None:
        edited = fresh.digest != self._configuration.digest
        news = edited or plug != self._plugged or self._refused is not None
        self._configuration, self._plugged, self._refused = fresh, plug, None
        loop.adopt(policy_of(fresh), gateway, device_of(fresh))
        if news:
            beside_it = "" if edited or gateway is None else ", with another certificate or password"
            message = f"{fresh.path} is in force ({fresh.digest[:12]}){beside_it}"
            memory.tell(PlanChanged(at=self._clock.now(), message=message))
        if edited:
            self._tell_oddities(memory)
            self._keep(memory)

    def _reject(self, problem: str, loop: Loop, memory: Memory) -> None:
        loop.reject(problem)
        refused = problem, digest(self._configuration.path)
        if refused != self._refused:  # said once for each edit
            memory.tell(PlanRejected(at=self._clock.now(), message=f"{problem}; the plan in force goes on"))
        self._refused = refused
