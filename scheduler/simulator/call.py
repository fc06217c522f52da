"""One request to the simulated gateway as a value: query, body, token.

How bytes become fields lives here; what the fields mean is `api.py`'s.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn

from starlette.requests import Request

from scheduler.simulator import refusals
from scheduler.simulator.refusals import Refusal

BODY_LIMIT_BYTES = 64 * 1024
"""The longest request body that is read; the largest real one is a few hundred bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as far as an endpoint looks at it. ``tokens`` are those that it shows, the header's before the cookie's."""

    name: str
    query: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tokens: tuple[str, ...] = field(repr=False)

    def json_object(self) -> dict[str, Any]:
        """The body's JSON object, whatever its content type says: the gateway never minded. Refusal 400 if none."""
        try:
            fields = json.loads(self.body, parse_constant=_refuse)
            # Half of a character can be written in JSON, but is no text.
            json.dumps(fields, ensure_ascii=False).encode()
        except (ValueError, RecursionError):
            raise refusals.malformed("the body is not JSON") from None
        if not isinstance(fields, dict):
            raise refusals.malformed("the body is not a JSON object")
        return fields

    def json_or_form(self) -> dict[str, Any]:
        """A login's fields: JSON, or form-encoded as pypowerwall sends them."""
        try:
            return self.json_object()
        except Refusal:
            pairs = urllib.parse.parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True)
            fields: dict[str, Any] = dict(pairs)
            if "password" not in fields:
                raise
            return fields


async def read_call(name: str, request: Request) -> Call:
    """The request with its whole body; Refusal 413 if that is too long."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > BODY_LIMIT_BYTES:
            raise Refusal(413, "Request Entity Too Large", f"a body has at most {BODY_LIMIT_BYTES} bytes")
    return Call(name=name, query=request.query_params, body=bytes(body), tokens=_tokens(request))


def _tokens(request: Request) -> tuple[str, ...]:
    """The token of the Authorization header and that of the cookie; clients use either or both."""
    kind, _, bearer = request.headers.get("authorization", "").partition(" ")
    shown = (bearer.strip() if kind.lower() == "bearer" else "", request.cookies.get("AuthCookie", ""))
    return tuple(token for token in shown if token)


def _refuse(constant: str) -> NoReturn:
    """NaN and Infinity are Python's idea of JSON, not the gateway's."""
    raise ValueError(constant)
