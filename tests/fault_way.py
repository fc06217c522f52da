"""The way to a gateway over real TLS, with a proxy on it that makes it worse, for the faults on the wire. No tests here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from canary import EMAIL, SERIAL
from fake_gateway import Ledger
from tls_peer import make_certificate
from toxic_proxy import ToxicProxy

from scheduler.daemon.clock import SystemClock
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway, LocalPace
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import GatewayError
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.personality import PERSONALITIES
from scheduler.simulator.server import Served, serving

CALL_S = 0.5
"""The deadline of a call here, in seconds: 10 in the program."""
PATIENCE_S = 15.0
"""How long a test waits for what should have come long before."""
STATUS = json.dumps({"version": "1.45.2", "start_time": "2026-06-01 00:00:00 +0800"}).encode()
TOKEN = "cAnArYt0ken-" * 4
LOGGED_IN = json.dumps({"token": TOKEN, "roles": ["Provider_Engineer"]}).encode()
GATEWAY = make_certificate()


class MarkSet(set[str]):
    """Marks in memory."""

    kept = True
    unread = False

    def note(self, mark: str) -> None:
        """Note it."""
        self.add(mark)

    def clear(self, mark: str) -> None:  # type: ignore[override]  # the port's word
        """Forget it."""
        self.discard(mark)


class Quick(LocalGateway):
    """The client with an attempt of a switch that may last two seconds in place of 45."""

    @property
    def pace(self) -> LocalPace:
        """As quick as a test wants it."""
        return LocalPace(settle_s=0.5, poll_s=0.1, attempt_s=2.0)


def client(
    port: int,
    fingerprint: bytes,
    *,
    host: str = "127.0.0.1",
    deadline_s: float = CALL_S,
    kind: type[LocalGateway] = LocalGateway,
) -> LocalGateway:
    """The real client with the installer's password, on its way to a port of this machine."""
    return kind(
        Endpoint(host=host, port=port, server_name="powerwall", fingerprint=fingerprint),
        Credentials(username="installer", password=f"S{SERIAL}", email=EMAIL),
        ledger=Ledger(),
        now=SystemClock().now,
        deadline_s=deadline_s,
    )


def device(serial: str = SERIAL) -> SimulatedGateway:
    """A simulated gateway by the machine's own clock."""
    return SimulatedGateway(now=SystemClock().now, personality=PERSONALITIES["1.45.2"], serial=serial)


@dataclass
class Way:
    """A client, the simulated gateway behind real TLS, and a proxy on the way between them."""

    device: SimulatedGateway
    proxy: ToxicProxy
    gateway: LocalGateway
    served: Served


@asynccontextmanager
async def way(
    folder: Path, *, deadline_s: float = CALL_S, kind: type[LocalGateway] = LocalGateway
) -> AsyncIterator[Way]:
    """The way from a client to a gateway, healthy at first."""
    behind = device()
    async with (
        serving(behind, directory=folder / "gateway") as served,
        ToxicProxy(served.port).running() as proxy,
    ):
        gateway = client(proxy.port, bytes.fromhex(served.sha256), deadline_s=deadline_s, kind=kind)
        try:
            yield Way(device=behind, proxy=proxy, gateway=gateway, served=served)
        finally:
            await gateway.close()


async def took_s(ask: Callable[[], Awaitable[object]]) -> tuple[float, GatewayError | None]:
    """How long a call took, and the error that it ended in."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    error: GatewayError | None = None
    try:
        async with asyncio.timeout(PATIENCE_S):
            await ask()
    except GatewayError as ended:
        error = ended
    return loop.time() - began, error
