"""One connection to one gateway: HTTPS with a pinned certificate, a total deadline and a bounded body.

The only file that knows httpx. What is asked lives in `local.py`, what a status means in `answers.py`; tokens pass
through here and are never kept, shown or put into an error.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from scheduler.gateway.calls import Method
from scheduler.gateway.inside import Inside
from scheduler.gateway.pin import NO_NAME, Endpoint, pinned_context
from scheduler.model.errors import IdentityChanged, Transient

DEADLINE_S = 10.0
"""Any one call ends within this, in seconds. httpx counts per read: a byte a second would keep it for ever."""

BODY_LIMIT_BYTES = 256 * 1024
KEEPALIVE_S = 600.0
"""How long an idle connection is kept. Longer than the pause between two looks: a handshake costs both sides dear."""

_DROPPED = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)

_HEADERS = {
    "accept": "application/json",
    "accept-encoding": "identity",
    "connection": "keep-alive",
    "user-agent": "tou-scheduler",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: an HTTP status, the whole body, and the headers Retry-After and Date if there were any."""

    status: int
    body: bytes = field(repr=False)
    retry_after: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """One request, before it has a form."""

    method: Method
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Mapping[str, Any] | None = field(repr=False)


class Connection:
    """A kept-alive connection that is made when first needed. Never follows a redirect, never uses a proxy.

    ``transport`` takes the place of TLS and pin in tests; there is no other way around the pin. ``exchanged`` is called at the
    end of each exchange, whatever came of it. ``date`` is the header Date of the last answer, None if it had none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        deadline_s: float = DEADLINE_S,
        transport: httpx.AsyncBaseTransport | Inside | None = None,
        exchanged: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._exchanged = exchanged
        self._deadline_s = deadline_s
        self.date: str | None = None
        self._base = httpx.URL(scheme="https", host=endpoint.host, port=endpoint.port)
        self._urls: dict[str, httpx.URL] = {}
        # A transport without a client around it: there is no jar that would go on sending a dead token, no redirect
        # that could be followed, no proxy that could be asked, and an exchange costs a third.
        self._transport = transport or _NamedTransport(endpoint)
        # Not the deadline, which is total and in `exchange`: httpcore leaks the socket of a handshake that is
        # cancelled, but not of one that times out by its own clock. TCP and TLS have half of the deadline each.
        self._extensions = {"timeout": httpx.Timeout(None, connect=deadline_s / 2).as_dict()}

    async def exchange(
        self,
        method: Method,
        path: str,
        *,
        token: str | None = None,
        body: Mapping[str, Any] | None = None,
        limit_bytes: int = BODY_LIMIT_BYTES,
    ) -> Answer:
        """One request and its whole answer, whatever its status.

        IdentityChanged if somebody else answers, Transient for everything that is no answer. A GET whose connection
        was dropped is asked once more, because the gateway may close an idle connection just as we use it; a POST
        never, because it may have been obeyed.
        """
        try:
            asked = _Asked(method, path, _HEADERS | _credentials(token), body)
            async with asyncio.timeout(self._deadline_s):
                try:
                    return await self._send(asked, limit_bytes)
                except _DROPPED:
                    if method != "GET":
                        raise
                return await self._send(asked, limit_bytes)
        except TimeoutError:
            raise self._trouble(f"gave no complete answer within {self._deadline_s:g} s") from None
        except (httpx.HTTPError, UnicodeError) as error:
            raise self._trouble(_what_happened(error)) from error
        finally:
            self._exchanged()

    def _url(self, path: str) -> httpx.URL:
        """The address of a path, which is taken apart once."""
        if path not in self._urls:
            self._urls[path] = self._base.join(path)
        return self._urls[path]

    async def _send(self, asked: _Asked, limit_bytes: int) -> Answer:
        if isinstance(
            self._transport, Inside
        ):  # in years of rehearsal half of the time would go into httpx's own objects
            status, headers, body = await self._transport.ask(
                asked.method, asked.path, asked.headers, asked.body
            )
            self._check(headers)
            if len(body) > limit_bytes:
                raise self._too_long(limit_bytes)
            return self._answer(status, headers, body)
        request = httpx.Request(
            asked.method,
            self._url(asked.path),
            json=asked.body,
            headers=asked.headers,
            extensions=self._extensions,
        )
        response = await self._transport.handle_async_request(request)
        try:
            self._check(response.headers)
            whole = bytearray()
            assert isinstance(response.stream, httpx.AsyncByteStream)  # noqa: S101 - for the type; an async transport gives no other
            async for chunk in response.stream:
                whole += chunk
                if len(whole) > limit_bytes:
                    raise self._too_long(limit_bytes)
        finally:
            await response.aclose()
        return self._answer(response.status_code, response.headers, bytes(whole))

    def _check(self, headers: Mapping[str, str]) -> None:
        if headers.get("content-encoding", "identity") != "identity":
            raise self._trouble("sent a compressed answer that was not asked for")

    def _answer(self, status: int, headers: Mapping[str, str], body: bytes) -> Answer:
        self.date = headers.get("date")
        return Answer(status=status, body=body, retry_after=headers.get("retry-after"), date=self.date)

    def _too_long(self, limit_bytes: int) -> Transient:
        return self._trouble(f"sent more than {limit_bytes // 1024} KiB in one answer")

    def _trouble(self, what: str) -> Transient:
        return Transient(f"the gateway at {self._endpoint} {what}")

    async def close(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


class _NamedTransport(httpx.AsyncHTTPTransport):
    """httpx's own transport, pinned, which asks for the gateway's name wherever it connects to.

    A name that nobody knows any more leads to where it led last: the router may be gone while the gateway is not. Who answers
    there is asked nothing before the pin has told who it is.
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
        except httpx.ConnectError as error:
            found = await self._where_it_was(request) if _is_unknown_name(error) else None
            if found is None:
                raise
            response = found
        # Known of what httpcore connected to, whatever it connected by.
        self._address = response.extensions["network_stream"].get_extra_info("server_addr")[0]
        response.stream = _GivenBack(response.stream)
        return response

    async def _where_it_was(self, request: httpx.Request) -> httpx.Response | None:
        """What the last good address answers; None if none is known, or if nobody lives there now, or somebody else."""
        if self._address is None:
            return None
        request.url = request.url.copy_with(host=self._address)
        with suppress(httpx.ConnectError, IdentityChanged):
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


def _credentials(token: str | None) -> dict[str, str]:
    """Both ways to show a token: firmware 20.49 refused a bearer once (powerwall2 issue 41), the cookie works everywhere."""
    if token is None:
        return {}
    return {"cookie": f"AuthCookie={token}", "authorization": f"Bearer {token}"}


def _what_happened(error: Exception) -> str:
    """A sentence's end for an error of httpx, whose own text may be empty or hold a header."""
    causes = tuple(_causes(error))
    if isinstance(error, httpx.ConnectTimeout):
        return "did not take the connection in time"
    if isinstance(error, _DROPPED):
        return "dropped the connection before its answer was complete"
    # SSLWantReadError is how anyio waits; it is the context of any failure in a handshake.
    if any(
        isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError) for cause in causes
    ):
        return "broke off the TLS handshake; if this lasts, check gateway.server_name"
    if _is_unknown_name(error):
        return "was not found: its name is unknown here; if this lasts, check gateway.host"
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached"
    return f"did not answer properly ({type(error).__name__})"


def _is_unknown_name(error: Exception) -> bool:
    """A label of more than 63 letters, or a broken xn-- one, never reaches the resolver: Python ends in a UnicodeError."""
    return any(isinstance(cause, socket.gaierror | UnicodeError) for cause in _causes(error))


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()  # an error raised twice can be its own context
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
