"""Puts the parts together: the only file where concrete classes meet. No policy about the battery of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from scheduler.config.configuration import Configuration, GatewaySettings
from scheduler.config.load import load
from scheduler.config.problems import ConfigurationError
from scheduler.control import once as control_once
from scheduler.control.agenda import Policy, agenda
from scheduler.control.loop import Loop
from scheduler.control.ports import Clock
from scheduler.daemon.clock import SystemClock
from scheduler.daemon.engine import Engine
from scheduler.daemon.reload import watch
from scheduler.gateway.local import Credentials, LocalGateway
from scheduler.gateway.pin import Endpoint, read_fingerprint
from scheduler.model.errors import Refused, StoreError
from scheduler.model.events import Event, MemoryFailed, PlanChanged, PlanRejected, Switched
from scheduler.model.evidence import SwitchRecord
from scheduler.observe.record import Recorder
from scheduler.observe.status import StatusFile
from scheduler.store import durable
from scheduler.store.journal import Journal
from scheduler.store.lock import Lock
from scheduler.store.logins import LoginLedger
from scheduler.store.marker import Marker

if TYPE_CHECKING:
    from scheduler.simulator.device import SimulatedGateway

Listener = Callable[[Event], None]


class AlarmClock(Clock, Protocol):
    """A clock whose instants can be told in the machine's time, for alarms."""

    def alarm_time(self, instant: datetime) -> datetime:
        """When an alarm for ``instant`` must ring by the machine's wall clock."""


class Memory:
    """What is kept in the state directory, and the listeners who are told what happens."""

    def __init__(self, directory: Path, listeners: list[Listener], clock: Clock) -> None:
        self.lock = Lock(directory / "lock")
        self.status_file = directory / "status.json"
        self.simulated = directory / "simulated"
        self.logins = LoginLedger(directory / "logins.json")
        self._listeners = listeners
        self._clock = clock
        self._failures: set[str] = set()
        self.marker = Marker(directory / "marker.json", self.failed)
        self._journal_file = directory / "journal.sqlite"

    def open_journal(self, stack: AsyncExitStack, configuration: Configuration) -> None:
        """Record what happens from now on; a journal that cannot be used is told and done without."""
        try:
            journal = Journal(self._journal_file)
        except StoreError as error:
            self.failed(error)
            return
        stack.callback(journal.close)
        self._listeners.append(Recorder(journal, configuration.schedule.zone, self.failed).tell)

    def tell(self, event: Event) -> None:
        """Tell everybody."""
        for listener in self._listeners:
            listener(event)

    def failed(self, error: StoreError) -> None:
        """Say that memory fails, once for each way in which it does."""
        if str(error) not in self._failures:
            self._failures.add(str(error))
            self.tell(MemoryFailed(at=self._clock.now(), message=str(error)))

    def write_status(self, content: bytes) -> None:
        """Replace the status file. Not waited for on the disk: after a power cut it would be old anyway."""
        try:
            durable.write(self.status_file, content, durable=False)
        except StoreError as error:
            self.failed(error)


def policy_of(configuration: Configuration) -> Policy:
    """The configuration as the loop needs it."""
    return Policy(
        schedule=configuration.schedule,
        on_drift=configuration.on_drift,
        verify_s=configuration.verify_every_s,
        digest=configuration.digest,
    )


def endpoint_of(settings: GatewaySettings) -> Endpoint:
    """Where the gateway is, with the certificate that was trusted; Refused with the remedy if there is none."""
    return Endpoint(
        host=settings.host,
        port=settings.port,
        server_name=settings.server_name or None,
        fingerprint=read_fingerprint(settings.certificate),
    )


async def connect(
    configuration: Configuration, memory: Memory, clock: Clock, stack: AsyncExitStack
) -> LocalGateway:
    """The gateway that the configuration asks for; what it needs is put away when ``stack`` is closed.

    Refused if the certificate was not trusted yet; OSError if a simulated gateway cannot be started.
    """
    settings = configuration.gateway
    if settings.type == "simulated":
        _, gateway = await simulate(configuration, memory, clock, stack)
        return gateway
    password = None if settings.password is None else settings.password.reveal()
    return _client(endpoint_of(settings), _credentials(settings, password), memory, clock, stack)


async def simulate(
    configuration: Configuration, memory: Memory, clock: Clock, stack: AsyncExitStack
) -> tuple[SimulatedGateway, LocalGateway]:
    """A simulated gateway in this process, over HTTPS like a real one, and the client that is logged in to it."""
    from scheduler.simulator.device import SimulatedGateway
    from scheduler.simulator.personality import personality
    from scheduler.simulator.server import serving

    settings = configuration.gateway
    device = SimulatedGateway(
        now=clock.now, personality=personality(settings.firmware), zone=configuration.schedule.zone
    )
    served = await stack.enter_async_context(serving(device, directory=memory.simulated))
    passwords = {
        "installer": device.sessions.installer_password,
        "customer": device.sessions.customer_password,
    }
    endpoint = Endpoint(
        host=served.host, port=served.port, server_name="powerwall", fingerprint=bytes.fromhex(served.sha256)
    )
    credentials = _credentials(settings, passwords[settings.username])
    return device, _client(endpoint, credentials, memory, clock, stack)


def _credentials(settings: GatewaySettings, password: str | None) -> Credentials:
    return Credentials(
        username=settings.username,
        password=password,
        email=settings.email,
        force_sm_off=settings.force_sm_off,
    )


def _client(
    endpoint: Endpoint, credentials: Credentials, memory: Memory, clock: Clock, stack: AsyncExitStack
) -> LocalGateway:
    gateway = LocalGateway(endpoint, credentials, ledger=memory.logins, now=clock.now)
    stack.push_async_callback(gateway.close)
    return gateway


async def once(configuration: Configuration, directory: Path, listeners: list[Listener]) -> SwitchRecord:
    """Bring the gateway to what should be now; the evidence of it.

    Refused if the certificate was not trusted yet, StoreError if a daemon owns the state directory.
    """
    clock = SystemClock()
    memory = Memory(directory, listeners, clock)
    with memory.lock:
        async with AsyncExitStack() as stack:
            memory.open_journal(stack, configuration)
            gateway = await connect(configuration, memory, clock, stack)
            came = await control_once.once(
                agenda(policy_of(configuration), clock.now()),
                gateway,
                clock=clock,
                marks=memory.marker,
                tell=memory.tell,
            )
            memory.tell(Switched(at=came.record.at, record=came.record))
            return came.record


class Daemon:
    """The loop with its alarms, its memory and its file. ``stop`` set ends it."""

    def __init__(
        self, configuration: Configuration, directory: Path, listeners: list[Listener], clock: AlarmClock
    ) -> None:
        self._configuration = configuration
        self._clock = clock
        self._memory = Memory(directory, listeners, clock)
        self._stack = AsyncExitStack()
        self._loop: Loop | None = None
        self._plugged: object = None
        self.stop = asyncio.Event()

    async def run(self, prepare: Callable[[SimulatedGateway], None] | None = None) -> None:
        """Run until ``stop`` is set.

        With ``prepare``, against a simulated gateway whatever the configuration says, prepared by it.
        Refused if the certificate was not trusted yet, StoreError if another daemon owns the state directory.
        """
        with self._memory.lock:
            async with self._stack as stack:
                self._memory.status_file.unlink(
                    missing_ok=True
                )  # what an earlier daemon knew is no news of this one
                self._memory.open_journal(stack, self._configuration)
                zone = self._configuration.schedule.zone
                self._plugged = None if prepare else _plug(self._configuration)
                if prepare is None:
                    gateway = await connect(self._configuration, self._memory, self._clock, stack)
                else:
                    device, gateway = await simulate(self._configuration, self._memory, self._clock, stack)
                    prepare(device)
                self._loop = Loop(
                    policy_of(self._configuration),
                    gateway,
                    clock=self._clock,
                    marks=self._memory.marker,
                    tell=self._memory.tell,
                    arm=self._engine(stack).arm,
                    report=StatusFile(self._memory.write_status, zone).report,
                )
                async with _beside(
                    watch(self._configuration.path, self.reload, in_force=self._configuration.digest)
                ):
                    await self._loop.run(self.stop)

    def _engine(self, stack: AsyncExitStack) -> Engine:
        engine = Engine(self._wake, self._clock.alarm_time)
        engine.start()
        stack.callback(engine.stop)
        return engine

    def _wake(self) -> None:
        if self._loop is not None:
            self._loop.wake()

    def reload(self) -> None:
        """Take up the file as it is now. With a problem in it, the plan in force goes on."""
        task = asyncio.create_task(self._reload(), name="reload")
        self._stack.callback(task.cancel)

    async def _reload(self) -> None:
        if self._loop is None:
            return
        now = self._clock.now()
        try:
            fresh = load(self._configuration.path)
            plug = _plug(fresh)
            gateway = None
            if plug != self._plugged:
                gateway = await connect(fresh, self._memory, self._clock, self._stack)
        except ConfigurationError as error:
            self._reject(str(error.problems[0]), now)
        except (Refused, OSError) as error:
            self._reject(str(error), now)
        else:
            self._configuration, self._plugged = fresh, plug
            self._loop.adopt(policy_of(fresh), gateway)
            self._memory.tell(PlanChanged(at=now, message=f"{fresh.path} is in force ({fresh.digest[:12]})"))

    def _reject(self, problem: str, now: datetime) -> None:
        if self._loop is not None:
            self._loop.reject(problem)
        self._memory.tell(PlanRejected(at=now, message=f"{problem}; the plan in force goes on"))


def _plug(configuration: Configuration) -> object:
    """What makes it another gateway: its settings, or another certificate in the same file."""
    settings = configuration.gateway
    return (settings, None if settings.type == "simulated" else endpoint_of(settings))


@contextlib.asynccontextmanager
async def _beside(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Have ``work`` run beside the block and end with it."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
