"""A simulated gateway beside a test: on a real port with real TLS, in a thread of the process that calls. No tests here.

A process of its own would cost a second for each test, and its record could not be read.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from scheduler.daemon.clock import SystemClock
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.house import Obeyed, raw_percent
from scheduler.simulator.personality import personality
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.server import Served, serving

PATIENCE_S = 60.0
"""So long the thread may take for its start, an answer and its end, however busy the machine is."""


class Gateway:
    """A simulated gateway that answers on a port of this machine, in a thread of its own.

    ``host`` is its address with the port as a configuration has it, ``port`` the port alone, and ``certificate`` the file with
    the certificate that it shows.
    """

    def __init__(self, device: SimulatedGateway, served: Served, loop: asyncio.AbstractEventLoop) -> None:
        self._device = device
        self._loop = loop
        self.host = f"{served.host}:{served.port}"
        self.port = served.port
        self.certificate = served.certificate

    def ask(self, question: Callable[[SimulatedGateway], Any]) -> Any:
        """What the question comes to, asked in the thread of the gateway."""

        async def answer() -> Any:
            return question(self._device)

        return asyncio.run_coroutine_threadsafe(answer(), self._loop).result(PATIENCE_S)

    def suffer(self, *scenarios: str) -> None:
        """Have these sentences come true of it, after everything that went wrong before."""
        for sentence in ("behaves again", *scenarios):
            self.ask(partial(apply_scenario, sentence=sentence))

    @property
    def obeyed(self) -> Obeyed:
        """What its battery goes by: the last entry of its own record."""
        entry: Obeyed = self.ask(lambda device: (device.now(), device.history[-1][1])[1])
        return entry

    def obeys(self, mode: str, reserve_percent: float) -> bool:
        """Whether its battery is in service, and goes by this mode and reserve (as the app shows it)."""
        it = self.obeyed
        near = abs(it.reserve_raw_percent - raw_percent(reserve_percent)) < 1
        return it.running and it.mode == mode and near


@contextmanager
def gateway(folder: Path, *scenarios: str, firmware: str = "1.45.2") -> Iterator[Gateway]:
    """A simulated gateway of which these sentences are true, for as long as the block lasts; ``folder`` keeps its certificate."""
    device = SimulatedGateway(now=SystemClock().now, personality=personality(firmware))
    for sentence in scenarios:
        apply_scenario(device, sentence)
    ready = threading.Event()
    made: list[tuple[Gateway, Callable[[], object]]] = []

    async def serve() -> None:
        loop, ended = asyncio.get_running_loop(), asyncio.Event()
        async with serving(device, directory=folder) as served:
            made.append((Gateway(device, served, loop), lambda: loop.call_soon_threadsafe(ended.set)))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S), "the simulated gateway does not serve"
    it, end = made[0]
    try:
        yield it
    finally:
        end()
        thread.join(PATIENCE_S)
