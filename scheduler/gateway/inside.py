"""A way to a gateway in this process: requests as values to whoever answers them, without a socket and without TLS.

For rehearsals, in which a year passes in seconds, and half of it would go into httpx's own objects. Nothing that a person can
configure leads here.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx

Headers = list[tuple[bytes, bytes]]

Reply = tuple[int, Headers, bytes]
"""Status, headers and body of an answer."""

Ask = Callable[[str, str, Mapping[str, str], bytes], Awaitable[Reply]]
"""Answers a request: method, path with query, headers, body. ConnectionRefusedError where nobody takes the connection, another
ConnectionError where it ends before the answer does."""


class Inside:
    """A `Line` that takes each request to ``answer``, and says in httpx's words what became of it."""

    def __init__(self, answer: Ask) -> None:
        self._answer = answer

    async def ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Mapping[str, Any] | None,
        _limit_bytes: int,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request and its whole answer: status, headers by their names in small letters, body."""
        sent = b"" if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            status, said, whole = await self._answer(method, path, headers, sent)
        except ConnectionRefusedError:
            raise httpx.ConnectError("nobody takes the connection") from None
        except ConnectionError:
            raise httpx.ReadError("the connection ended before the answer did") from None
        return (
            status,
            {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in said},
            whole,
        )

    async def aclose(self) -> None:
        """There is nothing to be closed."""
