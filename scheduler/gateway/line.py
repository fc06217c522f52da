"""A line to a gateway: one request goes out, and its whole answer comes back. HTTPS by httpx, with a pinned certificate.

What an answer means is not known here, nor how long one may take in all.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

import httpx

from scheduler.gateway.calls import Method
from scheduler.gateway.pin import NO_NAME, Endpoint, pinned_context
from scheduler.model.errors import IdentityChanged

KEEPALIVE_S = 600.0
"""How long an idle connection is kept. Longer than the pause between two looks: a handshake costs both sides dear."""

AGAIN_SHARE = 0.25
"""So much of the time for a connection is left for a second one: the first may have spent half of the deadline on the name."""


class Line(Protocol):
    """A way to one gateway, for one request after the other."""

    async def ask(
        self,
        method: Method,
        path: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        limit_bytes: int,
        /,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers by their names in small letters, and body of the answer, which may be cut beyond the limit.

        An error of httpx where there is none, IdentityChanged if somebody else answers.
        """

    async def aclose(self) -> None:
        """Use it no more."""


class Https:
    """HTTPS, kept alive. ``transport`` takes the place of TLS and pin in tests; a connection is made in ``connect_s`` twice."""

    def __init__(
        self, endpoint: Endpoint, *, connect_s: float, transport: httpx.AsyncBaseTransport | None
    ) -> None:
        self._base = httpx.URL(scheme="https", host=endpoint.host, port=endpoint.port)
        self._urls: dict[str, httpx.URL] = {}
        # A transport without a client around it: there is no jar that would go on sending a dead token, no redirect
        # that could be followed, no proxy that could be asked, and an exchange costs a third.
        self._transport = transport or _NamedTransport(endpoint)
        # Not the deadline, which is total and the caller's: httpcore leaks the socket of a handshake that is
        # cancelled, but not of one that times out by its own clock. TCP and TLS have this each.
        self._extensions = {"timeout": httpx.Timeout(None, connect=connect_s).as_dict()}

    async def ask(
        self,
        method: Method,
        path: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        limit_bytes: int,
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request and its answer, of which no more is read than one part beyond the limit."""
        request = httpx.Request(
            method, self._url(path), json=body, headers=headers, extensions=self._extensions
        )
        response = await self._transport.handle_async_request(request)
        try:
            whole = bytearray()
            assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - for the type; an async transport gives no other
            async for chunk in response.stream:
                whole += chunk
                if len(whole) > limit_bytes:
                    break
        finally:
            await response.aclose()
        return response.status_code, response.headers, bytes(whole)

    def _url(self, path: str) -> httpx.URL:
        """The address of a path, which is taken apart once."""
        if path not in self._urls:
            self._urls[path] = self._base.join(path)
        return self._urls[path]

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


class _NamedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, pinned, which asks for the gateway's name wherever it connects to.

    A name that nobody knows any more, or tells in time, leads to where it led last: the router may be gone while the gateway
    is not. Who answers there is asked nothing before the pin has told who it is.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(
            verify=pinned_context(endpoint),
            trust_env=False,
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEPALIVE_S),
        )
        self._server_name = endpoint.server_name or NO_NAME
        self._address: str | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.extensions = {**request.extensions, "sni_hostname": self._server_name}
        try:
            response = await super().handle_async_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            # Whether it was the name that took too long, or the gateway, nobody tells.
            lost = is_unknown_name(error) or isinstance(error, httpx.ConnectTimeout)
            found = await self._where_it_was(request) if lost else None
            if found is None:
                raise
            response = found
        response.stream = _GivenBack(response.stream)
        # Known of what httpcore connected to, whatever it connected by; of a connection that was reset meanwhile nobody knows.
        peer = response.extensions["network_stream"].get_extra_info("server_addr")
        if peer is not None:
            self._address = peer[0]
        return response

    async def _where_it_was(self, request: httpx.Request) -> httpx.Response | None:
        """What the last good address answers; None if none is known, or if nobody lives there now, or somebody else."""
        if self._address in {None, request.url.host}:
            return None
        request.url = request.url.copy_with(host=self._address)
        limits = request.extensions["timeout"]
        request.extensions |= {"timeout": limits | {"connect": limits["connect"] * AGAIN_SHARE}}
        with suppress(httpx.ConnectError, httpx.ConnectTimeout, IdentityChanged):
            return await super().handle_async_request(request)
        return None


class _GivenBack(httpx.AsyncByteStream):
    """A body whose connection goes back to the pool even if we are cancelled at that very moment.

    Without this httpcore keeps it for ever, and every later request waits for it in vain.
    """

    def __init__(self, stream: httpx.AsyncByteStream | httpx.SyncByteStream) -> None:
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - for the type; an async transport gives no other
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        await asyncio.shield(self._stream.aclose())


def is_unknown_name(error: Exception) -> bool:
    """A label of more than 63 letters, or a broken xn-- one, never reaches the resolver: Python ends in a UnicodeError."""
    return any(isinstance(cause, socket.gaierror | UnicodeError) for cause in causes(error))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and what it came of, each once."""
    seen: set[int] = set()  # an error raised twice can be its own context
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
