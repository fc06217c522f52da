"""A way to a gateway in this process: httpx's requests to whoever answers them, without a socket and without TLS.

For rehearsals, in which a year passes in seconds. The pin of a real gateway is never gone around by it: an endpoint that has
a certificate is reached by `http.py` alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import httpx

Headers = list[tuple[bytes, bytes]]

Reply = tuple[int, Headers, bytes]
"""Status, headers and body of an answer."""

Ask = Callable[[str, bytes, Headers, bytes], Awaitable[Reply]]
"""Answers a request: method, path with query, headers, body. ConnectionRefusedError where nobody takes the connection, another
ConnectionError where it ends before the answer does."""


class InsideTransport(httpx.AsyncBaseTransport):
    """Takes each request to ``ask``, and says in httpx's words what became of it."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request and its whole answer."""
        try:
            status, headers, body = await self._ask(
                request.method, request.url.raw_path, request.headers.raw, request.content
            )
        except ConnectionRefusedError:
            raise httpx.ConnectError("nobody takes the connection") from None
        except ConnectionError:
            raise httpx.ReadError("the connection ended before the answer did") from None
        return httpx.Response(status, headers=headers, stream=httpx.ByteStream(body))
