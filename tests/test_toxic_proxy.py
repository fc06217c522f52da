"""The toxic proxy does what it says: each toxic before a plain echo server, and one before the simulated gateway."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import pytest
from fake_gateway import Ledger
from toxic_proxy import ToxicProxy

from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import IdentityChanged, Transient
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.server import serving

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)
PATIENCE_S = 10.0


@contextlib.asynccontextmanager
async def echo_behind_proxy() -> AsyncIterator[ToxicProxy]:
    """A server that says what it is told, and a proxy before it."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                writer.write(piece)
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    try:
        async with ToxicProxy(server.sockets[0].getsockname()[1]).running() as proxy:
            yield proxy
    finally:
        server.close()
        await server.wait_closed()


class Client:
    """A connection to the proxy."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def echo(self, said: bytes) -> bytes:
        """What comes back, as much as was said."""
        self.writer.write(said)
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.readexactly(len(said))

    async def pieces(self, said: bytes) -> list[bytes]:
        """What comes back, as it comes."""
        self.writer.write(said)
        pieces: list[bytes] = []
        async with asyncio.timeout(PATIENCE_S):
            while sum(map(len, pieces)) < len(said):
                pieces.append(await self.reader.read(65536))
        return pieces

    async def rest(self) -> bytes:
        """Everything until the connection ends."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read()

    async def hears_nothing(self) -> bool:
        """Whether a while passes in which neither a byte nor an end comes."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0.2):
                await self.reader.read(1)
                return False
        return True


@contextlib.asynccontextmanager
async def client_of(proxy: ToxicProxy) -> AsyncIterator[Client]:
    """A connection for as long as the block lasts."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        yield Client(reader, writer)
    finally:
        writer.transport.abort()


async def test_it_carries_and_counts() -> None:
    """Without a toxic everything comes through, and is counted in both directions."""
    async with echo_behind_proxy() as proxy:
        async with client_of(proxy) as client:
            assert await client.echo(b"hello") == b"hello"
        async with client_of(proxy) as client:
            assert await client.echo(b"x" * 200_000) == b"x" * 200_000
        assert proxy.connections == 2
        assert proxy.carried == proxy.received == {"up": 200_005, "down": 200_005}


async def test_it_passes_on_the_end_of_one_direction() -> None:
    """A client that has said everything is still answered."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        client.writer.write(b"last words")
        client.writer.write_eof()
        assert await client.rest() == b"last words"


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_latency(direction: str) -> None:
    """What is late comes whole, and not before its time; taken out, it is late no more."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        getattr(proxy, direction).latency_s = 0.2
        began_s = time.perf_counter()
        assert await client.echo(b"hello") == b"hello"
        assert time.perf_counter() - began_s >= 0.2
        getattr(proxy, direction).latency_s = 60.0
        proxy.heal()
        assert await client.echo(b"again") == b"again"


async def test_bandwidth() -> None:
    """So many bytes take as many seconds as they must."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        proxy.down.bytes_per_s = 10_000
        began_s = time.perf_counter()
        assert await client.echo(b"x" * 3_000) == b"x" * 3_000
        assert time.perf_counter() - began_s >= 0.3


async def test_slices() -> None:
    """It comes in pieces, and is the same put together."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        proxy.down.slice_bytes, proxy.down.slice_pause_s = 3, 0.02
        pieces = await client.pieces(b"0123456789")
        assert len(pieces) > 1
        assert b"".join(pieces) == b"0123456789"


async def test_reset_of_whoever_speaks() -> None:
    """The connection is reset before a byte of it reaches the server."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        proxy.resets = True
        with pytest.raises(ConnectionResetError):
            await client.echo(b"hello")
        assert proxy.carried == {"up": 0, "down": 0}
        assert proxy.received["up"] == 5


@pytest.mark.parametrize(("act", "reset"), [(ToxicProxy.reset_now, True), (ToxicProxy.close_now, False)])
async def test_the_end_of_what_lives(act: Callable[[ToxicProxy], None], *, reset: bool) -> None:
    """A connection in use is reset, or closed in good order, while new ones are as good as before."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        assert await client.echo(b"hello") == b"hello"
        act(proxy)
        with pytest.raises(ConnectionResetError if reset else asyncio.IncompleteReadError):
            await client.reader.readexactly(1)
        async with client_of(proxy) as other:
            assert await other.echo(b"hello") == b"hello"


async def test_a_blackhole_takes_and_swallows() -> None:
    """The connection is taken, what it says is counted as received, and nothing ever comes of it."""
    async with echo_behind_proxy() as proxy:
        proxy.blackhole = True
        async with client_of(proxy) as client:
            client.writer.write(b"hello")
            assert await client.hears_nothing()
        assert (proxy.connections, proxy.received["up"]) == (1, 5)
        assert proxy.carried == {"up": 0, "down": 0}


@pytest.mark.parametrize("direction", ["up", "down"])
async def test_half_open(direction: str) -> None:
    """One direction goes silent without an end, while the other still carries; the next connection can be good again."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        assert await client.echo(b"hello") == b"hello"
        getattr(proxy, direction).half_open = True
        client.writer.write(b"again")
        assert await client.hears_nothing()
        assert proxy.carried == ({"up": 5, "down": 5} if direction == "up" else {"up": 10, "down": 5})
        proxy.heal()
        async with client_of(proxy) as other:
            assert await other.echo(b"hello") == b"hello"


async def test_a_limit_ends_the_connection() -> None:
    """After so many bytes, and not one more, both ends are closed."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        proxy.down.limit_bytes = 7
        client.writer.write(b"0123456789")
        assert await client.rest() == b"0123456"
        assert proxy.carried["down"] == 7


async def test_slow_close() -> None:
    """The end comes late, the bytes before it do not."""
    async with echo_behind_proxy() as proxy, client_of(proxy) as client:
        proxy.down.slow_close_s = 0.3
        began_s = time.perf_counter()
        client.writer.write(b"hello")
        client.writer.write_eof()
        assert await client.reader.readexactly(5) == b"hello"
        assert await client.rest() == b""
        assert time.perf_counter() - began_s >= 0.3


@contextmanager
def blocking_echo() -> Iterator[int]:
    """An echo server for a test without an event loop; its port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as peer, contextlib.suppress(OSError):
                while piece := peer.recv(65536):
                    peer.sendall(piece)

        thread = Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(PATIENCE_S)


def test_it_serves_a_test_that_does_not_await() -> None:
    """In its own thread it carries, is switched from here, and ends with the block."""
    with blocking_echo() as port:
        with (
            ToxicProxy(port).in_thread() as proxy,
            socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S) as client,
        ):
            client.sendall(b"hello")
            assert client.recv(100) == b"hello"
            proxy.reset_now()
            with pytest.raises(ConnectionResetError):
                client.recv(1)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", proxy.port), PATIENCE_S)


@contextlib.asynccontextmanager
async def gateway_behind_proxy(
    directory: Path, *, deadline_s: float, trusted: bool = True
) -> AsyncIterator[tuple[LocalGateway, SimulatedGateway, ToxicProxy]]:
    """The real client, the simulated gateway behind real TLS, and the proxy between them."""
    device = SimulatedGateway(now=lambda: START)
    async with (
        serving(device, directory=directory) as served,
        ToxicProxy(served.port).running() as proxy,
    ):
        pin = bytes.fromhex(served.sha256) if trusted else bytes(32)
        gateway = LocalGateway(
            Endpoint(host="127.0.0.1", port=proxy.port, server_name="powerwall", fingerprint=pin),
            Credentials(username="installer", password="ST123456789"),
            ledger=Ledger(),
            now=lambda: START,
            deadline_s=deadline_s,
        )
        try:
            yield gateway, device, proxy
        finally:
            await gateway.close()


def blackhole(proxy: ToxicProxy) -> None:
    """Swallow everything from now on."""
    proxy.blackhole = True


def half_open(proxy: ToxicProxy) -> None:
    """Answers come no more."""
    proxy.down.half_open = True


def trickle(proxy: ToxicProxy) -> None:
    """An answer takes minutes, and no pause within it is long."""
    proxy.down.bytes_per_s = 10


def distance(proxy: ToxicProxy) -> None:
    """Answers are a minute late."""
    proxy.down.latency_s = 60


@pytest.mark.parametrize("worsen", [blackhole, half_open, trickle, distance])
@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
async def test_a_call_of_the_client_ends_within_its_deadline(
    tmp_path: Path, worsen: Callable[[ToxicProxy], None], *, warm: bool
) -> None:
    """Whatever the way does to a call, before or after the handshake, it ends as a passing trouble, and in time."""
    async with gateway_behind_proxy(tmp_path, deadline_s=1.0) as (gateway, device, proxy):
        if warm:
            await gateway.identify()
        worsen(proxy)
        began_s = time.perf_counter()
        with pytest.raises(Transient):
            await gateway.identify()
        assert time.perf_counter() - began_s < 5
        proxy.heal()
        proxy.close_now()
        assert (await gateway.identify()).firmware == device.firmware


async def test_nothing_is_said_to_somebody_else(tmp_path: Path) -> None:
    """Where the certificate is not the one that was trusted, no request passes: the gateway hears of none."""
    async with gateway_behind_proxy(tmp_path, deadline_s=5, trusted=False) as (gateway, device, proxy):
        with pytest.raises(IdentityChanged):
            await gateway.login()
        assert proxy.connections == 1
        assert device.requests == {}
