"""The simulated gateway on a real port: HTTPS in the event loop that is already running.

What is answered lives in `api.py`. Signals, logging and the life of the process are the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from scheduler.simulator.api import application
from scheduler.simulator.certificate import kept_certificate
from scheduler.simulator.device import SimulatedGateway

KEEP_ALIVE_S = 900
"""Clients that poll every few minutes keep their connection, as with a real gateway."""
GRACE_S = 2
"""How long a request may still take when the server ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the gateway answers, and the certificate that it shows: its file and its SHA-256 in hex."""

    host: str
    port: int
    certificate: Path
    sha256: str

    @property
    def url(self) -> str:
        """The address as clients write it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"


@contextlib.asynccontextmanager
async def serving(
    device: SimulatedGateway, *, directory: Path, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[Served]:
    """Serve this gateway until the block is left. Port 0 takes a free one; ``directory`` keeps the certificate.

    OSError if the port is taken or the directory cannot be written; SimulatorError for a broken certificate there.
    """
    kept = kept_certificate(directory, device.now())
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, the event loop turns Nagle's algorithm off: otherwise each answer waits 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
        server = _Server(
            uvicorn.Config(
                application(device),
                http=_protocol(device),
                ws="none",
                lifespan="off",
                ssl_certfile=kept.certificate,
                ssl_keyfile=kept.key,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=GRACE_S,
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
            )
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        ready = asyncio.create_task(server.ready.wait())
        try:
            await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            taken = listener.getsockname()[1]
            yield Served(host=host, port=taken, certificate=kept.certificate, sha256=kept.sha256)
        finally:
            ready.cancel()
            server.should_exit = True
            await running


class _Server(uvicorn.Server):
    """A server that says when it listens, and leaves signals to whom they belong."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol(device: SimulatedGateway) -> type[H11Protocol]:
    """HTTP/1.1 that hangs up without an answer while the gateway is offline."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the parent
            super().connection_made(transport)
            if device.offline:
                transport.abort()

        def data_received(self, data: bytes) -> None:
            if device.offline:
                self.transport.abort()
            else:
                super().data_received(data)

        def shutdown(self) -> None:
            super().shutdown()
            if self.transport.is_closing():
                # Idle clients do not answer the good-bye of TLS: waiting for it would delay every end.
                self.transport.abort()

    return Protocol
