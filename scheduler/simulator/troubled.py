"""Answers that go wrong on the wire: a layer of ASGI around the gateway's own application.

Which trouble befalls a request is `mischief.py`'s. Where there is a socket, `server.py` lends its connection as a `Line`;
without one a connection that would be cut is a 503 without a body, as with a gateway that is offline.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass, replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.mischief import Kind, Trouble

LINE = "scheduler.simulator.line"
"""Under which name a scope's extensions hold the `Line`."""


class Line:
    """The connection below a request, as far as it can be spoiled; without a transport there is none."""

    def __init__(self, transport: asyncio.Transport | None = None) -> None:
        self._transport = transport
        self._lost = asyncio.Event()
        self.in_trouble = False

    def lost(self) -> None:
        """Note that the connection is gone."""
        self._lost.set()

    @property
    def exists(self) -> bool:
        """Whether there is a connection that can be cut."""
        return self._transport is not None

    async def pause(self, seconds: float) -> bool:
        """Wait for real seconds; whether the client is still there. It ends early if the client is not."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._lost.wait(), seconds)
        return not self._lost.is_set()

    async def reset(self) -> None:
        """End the connection by a TCP reset."""
        if self._transport is not None:
            # To linger for no time at all is how a socket is told to send RST instead of FIN.
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.hang_up()

    async def hang_up(self) -> None:
        """End the connection without a good-bye of TLS, whatever was still to be said."""
        if self._transport is not None:
            self._transport.abort()
            # The server complains of an application that ends before its answer, unless the connection did first.
            await self._lost.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answer:
    """An answer of the application that has not gone out yet."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes

    async def go(self, send: Send) -> None:
        """Send it as it is."""
        await self.start(send)
        await send({"type": "http.response.body", "body": self.body})

    async def start(self, send: Send) -> None:
        """Send the head, which promises the whole body."""
        headers = [(key, value) for key, value in self.headers if key.lower() != b"content-length"]
        headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})


def troubled(app: ASGIApp, device: SimulatedGateway) -> ASGIApp:
    """The application, with what goes wrong at the moment. A gateway that is offline has no other trouble."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        name = f"{scope['method']} {scope['path']}"
        trouble = None
        if not device.offline:
            request = Request(scope)
            token = "authorization" in request.headers or "AuthCookie" in request.cookies
            trouble = device.mischief.take(name, token=token, now=device.now())
        if trouble is None:
            await app(scope, receive, send)
            return
        line: Line = scope.get("extensions", {}).get(LINE) or Line()
        line.in_trouble = True
        try:
            await _serve(_Request(app, device, scope, receive), trouble, line, send)
        finally:
            line.in_trouble = False

    return serve


@dataclass(frozen=True, slots=True)
class _Request:
    """A request that is in trouble, and who could answer it."""

    app: ASGIApp
    device: SimulatedGateway
    scope: Scope
    receive: Receive

    async def answered(self) -> _Answer:
        """The application's answer, kept back."""
        said: list[Message] = []

        async def keep(message: Message) -> None:
            said.append(message)

        await self.app(self.scope, self.receive, keep)
        body = b"".join(message.get("body", b"") for message in said[1:])
        return _Answer(status=said[0]["status"], headers=list(said[0]["headers"]), body=body)


async def _serve(request: _Request, trouble: Trouble, line: Line, send: Send) -> None:
    match trouble.kind:
        case Kind.INSTEAD:
            response = trouble.answer(request.scope["method"], request.device.now())
            await response(request.scope, request.receive, send)
        case Kind.LATE:
            if await line.pause(trouble.seconds):
                await request.app(request.scope, request.receive, send)
        case Kind.RESET:
            await _reset(request, line, send)
        case Kind.OTHERWISE:
            await request.answered()
            response = trouble.answer(request.scope["method"], request.device.now())
            await response(request.scope, request.receive, send)
        case Kind.RESET_AFTER:
            await request.answered()
            await _reset(request, line, send)
        case _:
            await _spoil(await request.answered(), trouble, line, send)


async def _spoil(answer: _Answer, trouble: Trouble, line: Line, send: Send) -> None:
    match trouble.kind:
        case Kind.LATE_AFTER:
            if await line.pause(trouble.seconds):
                await answer.go(send)
        case Kind.GARBLED:
            # An answer without a body, such as a 202, may not get one.
            body = trouble.garble(answer.body) if answer.body else answer.body
            await replace(answer, body=body).go(send)
        case Kind.SLOW:
            await _slowly(answer, trouble.seconds, line, send)
        case Kind.TRUNCATED if answer.body:
            await answer.start(send)
            half = answer.body[: len(answer.body) // 2]
            if line.exists:
                await send({"type": "http.response.body", "body": half, "more_body": True})
                await line.hang_up()
            else:
                await send({"type": "http.response.body", "body": half})
        case _:
            await answer.go(send)


async def _slowly(answer: _Answer, seconds: float, line: Line, send: Send) -> None:
    await answer.start(send)
    for byte in answer.body:
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        if not await line.pause(seconds):
            return
    await send({"type": "http.response.body", "body": b""})


async def _reset(request: _Request, line: Line, send: Send) -> None:
    if line.exists:
        await line.reset()
    else:
        await Response(status_code=503)(request.scope, request.receive, send)
