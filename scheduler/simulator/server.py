"""The simulated gateway on a real port: HTTPS in the event loop that is already running, and plain HTTP beside it.

What is answered lives in `api.py`, TLS in `tls.py`. Signals, logging and the life of the process are the caller's.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from scheduler.simulator.api import application
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.responses import moved
from scheduler.simulator.tls import Handshakes
from scheduler.simulator.troubled import LINE, Line

KEEP_ALIVE_S = 900
"""Clients that poll every few minutes keep their connection, as with a real gateway."""
GRACE_S = 2
"""How long a request may still take when the server ends."""
HANDSHAKE_S = 5
"""How long a client may take for the handshake of TLS; one that does not speak it is hung up on then at the latest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """Where the gateway answers, and the certificate that it showed first: its file and its SHA-256 in hex.

    ``http_port`` is where it speaks plain HTTP, None where it does not.
    """

    host: str
    port: int
    certificate: Path
    sha256: str
    http_port: int | None = None

    @property
    def url(self) -> str:
        """The address as clients write it."""
        return f"https://{in_brackets(self.host)}:{self.port}"


def in_brackets(host: str) -> str:
    """A host as it stands in an address: only IPv6 has brackets."""
    return f"[{host}]" if ":" in host else host


@contextlib.asynccontextmanager
async def serving(
    device: SimulatedGateway,
    *,
    directory: Path,
    host: str = "127.0.0.1",
    port: int = 0,
    http_port: int | None = None,
) -> AsyncIterator[Served]:
    """Serve this gateway until the block is left. Port 0 takes a free one; ``directory`` keeps the certificate.

    On ``http_port``, if there is one, firmware up to 1.19 answers without TLS, and later firmware sends to HTTPS.
    OSError if a port is taken or the directory cannot be written; SimulatorError for a broken certificate there.
    """
    handshakes = Handshakes(device, directory)
    app = application(device)
    async with contextlib.AsyncExitStack() as stack:
        taken = await stack.enter_async_context(_listening(app, device, host, port, handshakes.context))
        plain: int | None = None
        if http_port is not None:
            open_app = _open_or_elsewhere(app, device, elsewhere(host, taken))
            plain = await stack.enter_async_context(_listening(open_app, device, host, http_port, None))
        yield Served(
            host=host,
            port=taken,
            certificate=handshakes.kept.certificate,
            sha256=handshakes.kept.sha256,
            http_port=plain,
        )


def elsewhere(host: str, port: int) -> ASGIApp:
    """What answers on the plain port of a gateway with TLS: 301 to the same path there (firmware since 1.20)."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        # The name that the client knows us by; its port is the wrong one.
        target = request.url.replace(
            scheme="https", hostname=in_brackets(request.url.hostname or host), port=port
        )
        await moved(str(target), request.method)(scope, receive, send)

    return serve


def _open_or_elsewhere(app: ASGIApp, device: SimulatedGateway, moved_app: ASGIApp) -> ASGIApp:
    """What the plain port answers by the firmware of the moment: an update may bring the one that has TLS."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await (moved_app if device.personality.since(1, 20) else app)(scope, receive, send)

    return serve


@contextlib.asynccontextmanager
async def _listening(
    app: ASGIApp, device: SimulatedGateway, host: str, port: int, context: ssl.SSLContext | None
) -> AsyncIterator[int]:
    """Answer on this port, or a free one, which is what comes back."""
    looked_up = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    family, _, _, _, where = looked_up[0]
    # With the protocol named, the event loop turns Nagle's algorithm off: otherwise each answer waits 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(where)
        listener.listen()
        taken: int = listener.getsockname()[1]
        server = _Server(_configured(app, device, context))
        running = asyncio.create_task(server.serve(sockets=[listener]))
        ready = asyncio.create_task(server.ready.wait())
        try:
            await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                await running
            yield taken
        finally:
            ready.cancel()
            server.should_exit = True
            await running


def _configured(app: ASGIApp, device: SimulatedGateway, context: ssl.SSLContext | None) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=_protocol(device),
        ws="none",
        lifespan="off",
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
    )
    config.load()
    config.ssl = context
    return config


class _Server(uvicorn.Server):
    """A server that says when it listens, waits for handshakes not long, and leaves signals to whom they belong."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # In the library's stead, which does not hand on how long a handshake may take.
        loop = asyncio.get_running_loop()
        context = self.config.ssl
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=listener,
                ssl=context,
                ssl_handshake_timeout=None if context is None else HANDSHAKE_S,
            )
            for listener in sockets or ()
        ]
        self.started = True
        self.ready.set()

    def _connection(self) -> asyncio.Protocol:
        state = self.server_state
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=state, app_state=self.lifespan.state
        )
        return protocol

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _protocol(device: SimulatedGateway) -> type[H11Protocol]:
    """HTTP/1.1 that lends its connection to the troubles, and hangs up while the gateway is offline."""

    class Protocol(H11Protocol):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as the parent
            super().connection_made(transport)
            self.line = Line(transport)
            self.app = _lending(self.app, self.line)
            self.certificate = device.mischief.certificate
            if device.offline:
                transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            self.line.lost()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if device.offline or self.certificate != device.mischief.certificate:
                self.transport.abort()
            else:
                super().data_received(data)

        def shutdown(self) -> None:
            super().shutdown()
            if self.transport.is_closing() or self.line.in_trouble:
                # Idle clients do not answer the good-bye of TLS, and late answers may be hours late: waiting for either
                # would delay every end.
                self.transport.abort()

    return Protocol


def _lending(app: ASGIApp, line: Line) -> ASGIApp:
    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        scope["extensions"] = {**scope.get("extensions", {}), LINE: line}
        await app(scope, receive, send)

    return serve
