"""One connection to one gateway: HTTPS with a pinned certificate, a total deadline and a bounded body.

How bytes come and go is `line.py`'s. What is asked lives in `local.py`, what a status means in `answers.py`; tokens pass
through here and are never kept, shown or put into an error.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

from scheduler.gateway.calls import Method
from scheduler.gateway.line import Https, Line, causes, is_unknown_name
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import Transient

DEADLINE_S = 10.0
"""Any one call ends within this, in seconds. httpx counts per read: a byte a second would keep it for ever."""

BODY_LIMIT_BYTES = 256 * 1024
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

    ``transport`` takes the place of TLS and pin in tests, and ``line`` that of the network in rehearsals; there is no other way
    around the pin. ``exchanged`` is called at the end of each exchange, whatever came of it. ``date`` is the header Date of the last answer, None if it had none.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        deadline_s: float = DEADLINE_S,
        transport: httpx.AsyncBaseTransport | None = None,
        line: Line | None = None,
        exchanged: Callable[[], None] = lambda: None,
    ) -> None:
        self._endpoint = endpoint
        self._exchanged = exchanged
        self._deadline_s = deadline_s
        self.date: str | None = None
        self._line = line or Https(endpoint, connect_s=deadline_s / 2, transport=transport)

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

    async def _send(self, asked: _Asked, limit_bytes: int) -> Answer:
        status, headers, body = await self._line.ask(
            asked.method, asked.path, asked.headers, asked.body, limit_bytes
        )
        if headers.get("content-encoding", "identity") != "identity":
            raise self._trouble("sent a compressed answer that was not asked for")
        if len(body) > limit_bytes:
            raise self._trouble(f"sent more than {limit_bytes // 1024} KiB in one answer")
        self.date = headers.get("date")
        return Answer(status=status, body=body, retry_after=headers.get("retry-after"), date=self.date)

    def _trouble(self, what: str) -> Transient:
        return Transient(f"the gateway at {self._endpoint} {what}")

    async def close(self) -> None:
        """Close the connection."""
        await self._line.aclose()


def _credentials(token: str | None) -> dict[str, str]:
    """Both ways to show a token: firmware 20.49 refused a bearer once (powerwall2 issue 41), the cookie works everywhere."""
    if token is None:
        return {}
    return {"cookie": f"AuthCookie={token}", "authorization": f"Bearer {token}"}


def _what_happened(error: Exception) -> str:
    """A sentence's end for an error of httpx, whose own text may be empty or hold a header."""
    reasons = tuple(causes(error))
    if isinstance(error, httpx.ConnectTimeout):
        return "did not take the connection in time"
    if isinstance(error, _DROPPED):
        return "dropped the connection before its answer was complete"
    # SSLWantReadError is how anyio waits; it is the context of any failure in a handshake.
    if any(
        isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLWantReadError) for cause in reasons
    ):
        return "broke off the TLS handshake; if this lasts, check gateway.server_name"
    if is_unknown_name(error):
        return "was not found: its name is unknown here; if this lasts, check gateway.host"
    if isinstance(error, httpx.ConnectError):
        return "cannot be reached"
    return f"did not answer properly ({type(error).__name__})"
