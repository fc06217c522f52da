"""The simulated gateway without a socket: a request as values in, an answer as values out, and all its troubles in between.

What is answered is `api.py`'s and what goes wrong `troubled.py`'s; a framework is only gone through while something does.
"""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import Message

from scheduler.simulator.api import answering, served
from scheduler.simulator.call import Call
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.troubled import LINE, Line, troubled

Headers = list[tuple[bytes, bytes]]


class InsideLine(Line):
    """A connection that is only noted to be cut."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = False

    @property
    def exists(self) -> bool:
        """Whether there is a connection that can be cut."""
        return True

    async def reset(self) -> None:
        """End the connection."""
        self.cut = True

    async def hang_up(self) -> None:
        """End the connection, whatever was still to be said."""
        self.cut = True


class Answerer:
    """Answers requests in the device's stead."""

    def __init__(self, device: SimulatedGateway) -> None:
        self._device = device
        self._answer = answering(device)
        self._troubled = troubled(served(self._answer), device)

    async def ask(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Headers, bytes]:
        """Status, headers and body of the answer; ``path`` with its query, ``headers`` by their names in small letters.

        ConnectionRefusedError while the gateway is offline, ConnectionResetError where the connection ends too early.
        """
        if self._device.offline:
            raise ConnectionRefusedError
        path, _, query = path.partition("?")
        if self._device.mischief.troubles:
            return await self._ask_in_trouble(method, path, query, headers, body)
        response = self._answer(
            Call(
                name=f"{method} {path}",
                query=_fields(query) if query else {},
                body=body,
                tokens=_tokens(headers),
            )
        )
        return response.status_code, response.raw_headers, bytes(response.body)

    async def _ask_in_trouble(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, Headers, bytes]:
        line = InsideLine()
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
            "extensions": {LINE: line},
        }
        said: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body}

        async def send(message: Message) -> None:
            said.append(message)

        await self._troubled(scope, receive, send)
        if line.cut:
            raise ConnectionResetError
        told = b"".join(message.get("body", b"") for message in said[1:])
        return said[0]["status"], list(said[0]["headers"]), told


def _fields(query: str) -> dict[str, str]:
    return dict(pair.split("=", 1) for pair in query.split("&") if "=" in pair)


def _tokens(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The token of the Authorization header and that of the cookie."""
    shown = (
        headers.get("authorization", "").removeprefix("Bearer "),
        headers.get("cookie", "").partition("AuthCookie=")[2],
    )
    return tuple(token for token in shown if token)
