"""A TCP proxy that makes the way to a server worse, for tests of real processes over real TLS. No tests here.

It knows nothing of what it carries. Toxics can be put in and taken out while connections live; each works on one direction
or on both. Everything that passes is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Direction = Literal["up", "down"]
"""To the server, and back from it."""

CHUNK_BYTES = 16 * 1024


@dataclass(kw_only=True)
class Toxics:
    """What is wrong with one direction; change it whenever you like.

    ``latency_s``: how late each piece comes. ``bytes_per_s``: how much passes in a second. ``slice_bytes``: the longest
    piece, with ``slice_pause_s`` after each. ``half_open``: nothing more is forwarded, nothing is closed. ``limit_bytes``:
    after so many both ends are closed. ``slow_close_s``: how long an end is kept from the other side.
    """

    latency_s: float = 0.0
    bytes_per_s: float | None = None
    slice_bytes: int | None = None
    slice_pause_s: float = 0.0
    half_open: bool = False
    limit_bytes: int | None = None
    slow_close_s: float = 0.0


@dataclass(eq=False)
class _Link:
    """One client's connection, and ours to the server if there is one."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None
    carried: dict[Direction, int] = field(default_factory=lambda: {"up": 0, "down": 0})

    def end(self) -> None:
        """Close both ends in good order."""
        for writer in (self.client, self.server):
            if writer is not None:
                writer.close()

    def reset(self) -> None:
        """Close both ends by a TCP reset."""
        for writer in (self.client, self.server):
            if writer is not None and not writer.transport.is_closing():
                # To linger for no time at all is how a socket is told to send RST instead of FIN.
                raw = writer.get_extra_info("socket")
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()


class ToxicProxy:
    """A port of this machine that leads to another, by way of what is wrong with it at the moment.

    ``blackhole`` takes connections and swallows what they say; ``resets`` resets each connection as soon as it speaks.
    ``connections`` counts those that were taken, ``carried`` the bytes that came through, ``received`` those that came in.
    """

    def __init__(self, port: int, *, host: str = "127.0.0.1") -> None:
        self._target = (host, port)
        self.port = 0
        self.up = Toxics()
        self.down = Toxics()
        self.blackhole = False
        self.resets = False
        self.connections = 0
        self.carried: dict[Direction, int] = {"up": 0, "down": 0}
        self.received: dict[Direction, int] = {"up": 0, "down": 0}
        self._links: dict[_Link, asyncio.Task[None] | None] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def heal(self) -> None:
        """Take out all toxics. What a blackhole or a half-open way has swallowed stays lost."""
        self.up, self.down = Toxics(), Toxics()
        self.blackhole = self.resets = False

    def reset_now(self) -> None:
        """Reset every connection that lives; from any thread."""
        self._on_all(_Link.reset)

    def close_now(self) -> None:
        """Close every connection that lives, in good order; from any thread."""
        self._on_all(_Link.end)

    def _on_all(self, act: Callable[[_Link], None]) -> None:
        assert self._loop is not None
        self._loop.call_soon_threadsafe(lambda: [act(link) for link in list(self._links)])

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[ToxicProxy]:
        """Carry for as long as the block lasts, in this event loop."""
        self._loop = asyncio.get_running_loop()
        server = await asyncio.start_server(self._take, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            tasks = [task for task in self._links.values() if task is not None]
            for link in list(self._links):
                link.reset()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await server.wait_closed()

    @contextlib.contextmanager
    def in_thread(self) -> Iterator[ToxicProxy]:
        """The same for a test that does not await: in an event loop and a thread of its own."""
        ready = threading.Event()
        ended: list[Callable[[], None]] = []

        async def carry() -> None:
            end = asyncio.Event()
            async with self.running():
                ended.append(end.set)
                ready.set()
                await end.wait()

        thread = threading.Thread(target=lambda: asyncio.run(carry()), daemon=True)
        thread.start()
        assert ready.wait(10), "the proxy did not start"
        try:
            yield self
        finally:
            assert self._loop is not None
            self._loop.call_soon_threadsafe(ended[0])
            thread.join(10)

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        link = _Link(writer)
        self._links[link] = asyncio.current_task()
        try:
            with contextlib.suppress(OSError):
                await self._carry_both(link, reader)
        finally:
            del self._links[link]
            link.end()

    async def _carry_both(self, link: _Link, reader: asyncio.StreamReader) -> None:
        if self.blackhole:
            while piece := await reader.read(CHUNK_BYTES):
                self.received["up"] += len(piece)
            return
        back, link.server = await asyncio.open_connection(*self._target)
        ways = [
            asyncio.create_task(self._carry(link, "up", reader, link.server)),
            asyncio.create_task(self._carry(link, "down", back, link.client)),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(
        self,
        link: _Link,
        direction: Direction,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        while piece := await reader.read(CHUNK_BYTES):
            self.received[direction] += len(piece)
            if self.resets:
                link.reset()
                return
            await self._forward(link, direction, piece, writer)
        toxics = getattr(self, direction)
        if not toxics.half_open and not writer.transport.is_closing():
            await asyncio.sleep(toxics.slow_close_s)
            with contextlib.suppress(OSError):
                writer.write_eof()

    async def _forward(
        self, link: _Link, direction: Direction, piece: bytes, writer: asyncio.StreamWriter
    ) -> None:
        """Send a piece on. Toxics are looked at anew for each slice, so that a change is felt at once."""
        await asyncio.sleep(getattr(self, direction).latency_s)
        while piece and not self.blackhole:
            toxics: Toxics = getattr(self, direction)
            if toxics.half_open:
                return
            part = piece[: toxics.slice_bytes]
            if toxics.bytes_per_s is not None:
                part = part[: max(1, int(toxics.bytes_per_s / 10))]
                await asyncio.sleep(len(part) / toxics.bytes_per_s)
            if toxics.limit_bytes is not None:
                part = part[: toxics.limit_bytes - link.carried[direction]]
            writer.write(part)
            await writer.drain()
            link.carried[direction] += len(part)
            self.carried[direction] += len(part)
            piece = piece[len(part) :]
            if toxics.limit_bytes is not None and link.carried[direction] >= toxics.limit_bytes:
                link.end()
                return
            if toxics.slice_bytes is not None:
                await asyncio.sleep(toxics.slice_pause_s)
