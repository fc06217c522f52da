"""The simulated gateway's HTTP: who may ask, and how the answers look on the wire.

What a request does is `endpoints.py`'s; sockets and TLS are `server.py`'s.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from scheduler.simulator import refusals
from scheduler.simulator.call import Call, read_call
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.endpoints import Answer, Endpoint, endpoints_of
from scheduler.simulator.personality import Personality
from scheduler.simulator.refusals import Refusal
from scheduler.simulator.responses import Told, refused
from scheduler.simulator.sessions import Role
from scheduler.simulator.troubled import troubled

JSON_TYPE = b"application/json"
PLAIN_TYPE = b"text/plain; charset=utf-8"

SILENT_WHILE_STOPPED = frozenset(
    {
        "/api/meters/aggregates",
        "/api/meters/site",  # not among the samples, but the same source as the aggregates
        "/api/meters/solar",
        "/api/system_status",
        "/api/system_status/grid_faults",
        "/api/system_status/grid_status",
        "/api/system_status/soe",
    }
)
"""502 without a body while the site controller is stopped (a real 21.39.1; README of the gateway)."""

NOT_WHILE_BUSY = frozenset(
    {
        "POST /api/login/Basic",
        "POST /api/operation",
        "GET /api/config/completed",
        "GET /api/sitemaster/run",
        "GET /api/sitemaster/stop",
        "POST /api/sitemaster/stop",
    }
)
"""What has to do with the config mode that is busy. Which endpoints really say so was only reported for the login."""

WITHOUT_TOKEN = frozenset({"POST /api/login/Basic", "GET /api/logout"})
"""Logging in, of course, and logging out, which never looks whether the token is any good."""


Answering = Callable[[Call], Response]
"""What the gateway answers to a request, at once and without any trouble on the wire."""


def application(device: SimulatedGateway) -> Starlette:
    """The gateway's HTTP as an ASGI application.

    While the gateway is offline it answers 503 without a body: only `server.serving` can drop connections.
    """
    return Starlette(routes=[Mount("/", app=troubled(served(answering(device)), device))])


def served(answer: Answering) -> ASGIApp:
    """The answers as an ASGI application, without whatever a framework puts around one."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = answer(await read_call(f"{scope['method']} {scope['path']}", Request(scope, receive)))
        except Refusal as refusal:
            response = refused(refusal)
        await response(scope, receive, send)

    return serve


def answering(device: SimulatedGateway) -> Answering:
    """What this gateway answers, with the endpoints of the moment."""
    followed = _followed(device)

    def answer(call: Call) -> Response:
        endpoints = followed()
        try:
            _find(device, endpoints, call.name)
            device.requests[call.name] += 1
            _admit(device, call)
            return _response(device, call.name, endpoints[call.name](device, call))
        except Refusal as refusal:
            return refused(refusal)

    return answer


def _followed(device: SimulatedGateway) -> Callable[[], dict[str, Endpoint]]:
    """The endpoints of the moment: new firmware may have others, and another gateway has meters of its own."""
    known: tuple[Personality, str] | None = None
    endpoints: dict[str, Endpoint] = {}

    def followed() -> dict[str, Endpoint]:
        nonlocal known, endpoints
        if known is None or known[0] is not device.personality or known[1] != device.serial:
            known, endpoints = (device.personality, device.serial), endpoints_of(device)
        return endpoints

    return followed


def _find(device: SimulatedGateway, endpoints: Iterable[str], name: str) -> None:
    """Refusal if nothing answers to this name; the words of 404 and 405 were never captured."""
    if device.offline:
        raise refusals.gone()
    if name in endpoints:
        return
    method, _, path = name.partition(" ")
    if any(known.endswith(f" {path}") for known in endpoints):
        raise Refusal(405, "Method Not Allowed", f"{path} does not take {method}")
    raise Refusal(404, "File Not Found", f"nothing is at {path}")


def _admit(device: SimulatedGateway, call: Call) -> None:
    """Refusal if this request may not be answered now, or not to this token."""
    habits = device.personality
    method, _, path = call.name.partition(" ")
    # Open doors do not look at tokens, so an expired one does not shut them.
    if call.name not in WITHOUT_TOKEN and call.name not in habits.open_reads:
        role = _role(device, call)
        if role is None or (call.name in habits.installer_only and role is not Role.INSTALLER):
            raise refusals.no_access(method)
    if call.name in NOT_WHILE_BUSY and device.busy:
        raise refusals.busy()
    if path in SILENT_WHILE_STOPPED and not device.obeyed.running:
        raise refusals.stopped()


def _role(device: SimulatedGateway, call: Call) -> Role | None:
    """The role of the first token that is any good; Refusal 401 if none is, and one was made to expire."""
    expired: Refusal | None = None
    for token in call.tokens:
        try:
            role = device.sessions.role_of(token, device.now())
        except Refusal as refusal:
            expired = refusal
            continue
        if role is not None:
            return role
    if expired is not None:
        raise expired
    return None


def _response(device: SimulatedGateway, name: str, answer: Answer) -> Response:
    if answer.says is None:
        return Response(status_code=answer.status)
    media_type = PLAIN_TYPE if name in device.personality.plain_text else JSON_TYPE
    body = _json(answer.says)
    response = Told(answer.status, body, media_type)
    if answer.token:
        record = base64.b64encode(body).decode()
        for cookie, value in {"AuthCookie": answer.token, "UserRecord": record}.items():
            # By hand: the library would put quotes around the token's "==", which the gateway does not.
            response.headers.append("set-cookie", f"{cookie}={value}; Path=/")
    return response


def _json(says: Any) -> bytes:
    """Without spaces, as the gateway writes it."""
    return _ENCODER.encode(says).encode()


_ENCODER = json.JSONEncoder(separators=(",", ":"))
