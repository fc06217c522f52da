"""The simulated gateway's HTTP: which request does what, who may ask, and how the answers look on the wire.

State changes are calls of `device.py`, bodies come from `bodies.py`; sockets and TLS are `server.py`'s.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send

from scheduler.simulator import bodies, refusals
from scheduler.simulator.call import Call, read_call
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.refusals import Refusal
from scheduler.simulator.sessions import Role

JSON_TYPE = "application/json"
PLAIN_TYPE = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, a JSON value (None: no body at all), and cookies as header values."""

    status: int = 200
    says: Any = None
    cookies: tuple[str, ...] = ()


Endpoint = Callable[[SimulatedGateway, Call], Answer]

READS: dict[str, Callable[[SimulatedGateway], Any]] = {
    "/api/config": bodies.config,
    "/api/customer": bodies.customer,
    "/api/customer/registration": bodies.registration,
    "/api/generators": bodies.generators,
    "/api/generators/disconnect_types": lambda _: ["DownstreamATS"],
    "/api/installer": bodies.installer,
    "/api/meters": bodies.meters,
    "/api/meters/aggregates": bodies.aggregates,
    "/api/meters/site": bodies.site_meter,
    "/api/meters/solar": bodies.solar_meter,
    "/api/networks": bodies.networks,
    "/api/operation": bodies.operation,
    "/api/powerwalls": bodies.powerwalls,
    "/api/site_info": bodies.site_info,
    "/api/site_info/site_name": bodies.site_name,
    "/api/sitemaster": bodies.sitemaster,
    "/api/solars": bodies.solars,
    "/api/status": bodies.status,
    "/api/system/update/status": bodies.update_status,
    "/api/system_status/grid_faults": bodies.grid_faults,
    "/api/system_status/grid_status": bodies.grid_status,
    "/api/system_status/soe": bodies.state_of_energy,
}
"""What only tells, by path."""

SILENT_WHILE_STOPPED = frozenset(
    {
        "/api/meters/aggregates",
        "/api/meters/site",  # not among the samples, but the same source as the aggregates
        "/api/meters/solar",
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


def application(device: SimulatedGateway) -> Starlette:
    """The gateway's HTTP as an ASGI application.

    While the gateway is offline it answers 503 without a body: only `server.serving` can drop connections.
    """
    endpoints = endpoints_of(device)

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        method, path = scope["method"], scope["path"]
        name = f"{method} {path}"
        try:
            _find(device, endpoints, name)
            device.requests[name] += 1
            call = await read_call(name, Request(scope, receive))
            _admit(device, call)
            response = _response(device, name, endpoints[name](device, call))
        except Refusal as refusal:
            response = _refused(refusal)
        await response(scope, receive, send)

    return Starlette(routes=[Mount("/", app=serve)])


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


def endpoints_of(device: SimulatedGateway) -> dict[str, Endpoint]:
    """What this gateway answers, by ``METHOD path``."""
    acts: dict[str, Endpoint] = {
        "POST /api/login/Basic": _login,
        "GET /api/logout": _logout,
        "POST /api/operation": _write,
        "GET /api/config/completed": _commit,
        "GET /api/sitemaster/run": _run,
        f"{device.personality.stop_method} /api/sitemaster/stop": _stop,
        "GET /api/system/update": _check_for_update,
        "POST /api/system/update": _install,
        "GET /api/powerwalls/status": _powerwalls_status,
    }
    return acts | {f"GET {path}": _telling(body) for path, body in READS.items()}


def _telling(body: Callable[[SimulatedGateway], Any]) -> Endpoint:
    return lambda device, _: Answer(says=body(device))


def _login(device: SimulatedGateway, call: Call) -> Answer:
    fields = call.json_or_form()
    username, password = fields.get("username", ""), fields.get("password", "")
    if not isinstance(username, str) or not isinstance(password, str):
        raise refusals.malformed("username and password must be strings")
    forced = str(fields.get("force_sm_off", False)).lower() == "true"
    token, role = device.login(username, password, stop_under_load=forced)
    says = bodies.login(token, role)
    record = base64.b64encode(_json(says).encode()).decode()
    return Answer(says=says, cookies=(f"AuthCookie={token}; Path=/", f"UserRecord={record}; Path=/"))


def _logout(device: SimulatedGateway, call: Call) -> Answer:
    device.sessions.close(call.token)
    return Answer(status=204)


def _write(device: SimulatedGateway, call: Call) -> Answer:
    """Keys that are left out or null are left alone; a mode under the wrong key alone is no mode at all."""
    key = device.personality.operation_key
    fields = call.json_object()
    mode, reserve = fields.get(key), fields.get("backup_reserve_percent")
    if mode is None and {"mode", "real_mode"} & fields.keys():
        raise refusals.no_such_mode(key)
    if mode is not None and not isinstance(mode, str):
        raise refusals.malformed(f"{key} must be a string")
    if reserve is not None and (isinstance(reserve, bool) or not isinstance(reserve, int | float)):
        raise refusals.malformed("backup_reserve_percent must be a number")
    claimed = device.write(mode, reserve)
    return Answer(says={key: claimed.mode, "backup_reserve_percent": claimed.reserve_raw_percent})


def _commit(device: SimulatedGateway, _: Call) -> Answer:
    device.commit()
    committed = device.personality.commit_status
    return Answer(status=committed, says=bodies.status(device) if committed == 200 else None)  # noqa: PLR2004


def _run(device: SimulatedGateway, _: Call) -> Answer:
    device.run()
    return Answer(status=202)


def _stop(device: SimulatedGateway, call: Call) -> Answer:
    device.stop(under_load=bool(call.body) and call.json_object().get("force") is True)
    return Answer(status=204)


def _check_for_update(device: SimulatedGateway, call: Call) -> Answer:
    """Without ``force=true`` nothing is known to happen; nobody uses the body, so it is the updater's status."""
    if call.query.get("force") == "true":
        device.updater.check(device.now())
    return Answer(says=bodies.update_status(device))


def _install(device: SimulatedGateway, _: Call) -> Answer:
    device.install()
    return Answer(status=202)


def _powerwalls_status(device: SimulatedGateway, _: Call) -> Answer:
    if device.obeyed.running:
        raise refusals.running()
    return Answer(says=bodies.powerwalls_status(device))


def _admit(device: SimulatedGateway, call: Call) -> None:
    """Refusal if this request may not be answered now, or not to this token."""
    habits = device.personality
    method, _, path = call.name.partition(" ")
    # Open doors do not look at tokens, so an expired one does not shut them.
    if call.name not in WITHOUT_TOKEN | habits.open_reads:
        role = device.sessions.role_of(call.token, device.now())
        if role is None or (call.name in habits.installer_only and role is not Role.INSTALLER):
            raise refusals.no_access(method)
    if call.name in NOT_WHILE_BUSY and device.busy:
        raise refusals.busy()
    if path in SILENT_WHILE_STOPPED and not device.obeyed.running:
        raise refusals.stopped()


def _response(device: SimulatedGateway, name: str, answer: Answer) -> Response:
    if answer.says is None:
        return Response(status_code=answer.status)
    media_type = PLAIN_TYPE if name in device.personality.plain_text else JSON_TYPE
    response = Response(_json(answer.says), answer.status, headers={"content-type": media_type})
    for cookie in answer.cookies:
        # By hand: the library would put quotes around the token's "==", which the gateway does not.
        response.headers.append("set-cookie", cookie)
    return response


def _refused(refusal: Refusal) -> Response:
    headers = {"cache-control": "no-cache, no-store"}
    if not refusal.error:
        return Response(status_code=refusal.code, headers=headers)
    body = {"code": refusal.code, "error": refusal.error, "message": refusal.message}
    headers |= {"content-type": JSON_TYPE, "x-content-type-options": "nosniff"}
    return Response(_json(body), refusal.code, headers=headers)


def _json(says: Any) -> str:
    """Without spaces, as the gateway writes it."""
    return json.dumps(says, separators=(",", ":"))
