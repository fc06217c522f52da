"""A gateway behind a transport instead of a socket, for tests of the client. No tests here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx

from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.note import Note
from scheduler.gateway.pin import Endpoint
from scheduler.model.setpoint import Setpoint

NOW = datetime(2026, 7, 1, 7, 55, tzinfo=UTC)
TOKEN = "OgiGHjoNvwx17SRIaYFIOWPJSaKBYwmMGc5K4tTz57EziltPYsdtjU=="
PASSWORD = "ST123456789"
EMAIL = "me@example.com"

BODIES = {
    "/api/status": {"version": "1.45.2 abc", "start_time": "2026-06-01 00:00:00 +0800"},
    "/api/login/Basic": {"token": TOKEN, "roles": ["Provider_Engineer"]},
    "/api/operation": {"real_mode": "self_consumption", "backup_reserve_percent": 24},
    "/api/config/completed": {},
    "/api/sitemaster": {"running": True},
    "/api/sitemaster/run": {},
    "/api/system_status/soe": {"percentage": 62},
    "/api/system_status/grid_status": {"grid_status": "SystemGridConnected"},
    "/api/system_status/grid_faults": [],
    "/api/meters/aggregates": {m: {"instant_power": 1} for m in ("site", "battery", "load", "solar")},
    "/api/system/update": {},
    "/api/system/update/status": {"state": "/update_failed", "info": {"status": ["nonactionable"]}},
}


class Fake:
    """A gateway behind a transport: answers as documented, unless told otherwise, and keeps the requests."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.odd: dict[tuple[str, str], httpx.Response] = {}

    def says(self, method: str, path: str, status: int, body: bytes = b"", **headers: str) -> None:
        """From now on this call gets this answer."""
        self.odd[method, path] = httpx.Response(status, content=body, headers=headers)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The answer to a request."""
        self.requests.append(request)
        odd = self.odd.get((request.method, request.url.path))
        if odd is not None:
            return httpx.Response(odd.status_code, content=odd.content, headers=odd.headers)
        return httpx.Response(200, json=BODIES[request.url.path])

    @property
    def lines(self) -> list[str]:
        """Method and path of each request so far."""
        return [f"{r.method} {r.url.raw_path.decode()}" for r in self.requests]


class Ledger:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.instants: list[datetime] = []

    def load(self) -> list[datetime]:
        """What was saved."""
        return self.instants

    def save(self, instants: list[datetime]) -> None:
        """Keep these."""
        self.instants = instants


def gateway_of(
    fake: Fake,
    *,
    username: str = "installer",
    password: str | None = PASSWORD,
    now: Callable[[], datetime] = lambda: NOW,
    monotonic: Callable[[], float] | None = None,
    note: Note | None = None,
    fingerprint: bytes = b"\1" * 32,
    max_pv_export_power_kw: float | None = None,
) -> LocalGateway:
    """A gateway whose requests the fake answers."""
    return LocalGateway(
        Endpoint(host="powerwall", server_name="powerwall", fingerprint=fingerprint),
        Credentials(username=username, password=password, email=EMAIL),
        ledger=Ledger(),
        now=now,
        monotonic=monotonic,
        note=note,
        max_pv_export_power_kw=max_pv_export_power_kw,
        transport=httpx.MockTransport(fake),
    )


def write(gateway: LocalGateway) -> Awaitable[None]:
    """A write of some setpoint."""
    return gateway.write(Setpoint(mode="backup", reserve_percent=100))


CALLS: dict[str, tuple[str, str, Callable[[LocalGateway], Awaitable[object]]]] = {
    "get_operation": ("GET", "/api/operation", LocalGateway.read),
    "post_operation": ("POST", "/api/operation", write),
    "config_completed": ("GET", "/api/config/completed", LocalGateway.commit),
    "get_sitemaster": ("GET", "/api/sitemaster", LocalGateway.is_running),
    "run_sitemaster": ("GET", "/api/sitemaster/run", LocalGateway.start),
    "get_soe": ("GET", "/api/system_status/soe", LocalGateway.live),
    "get_grid_status": ("GET", "/api/system_status/grid_status", LocalGateway.live),
    "get_grid_faults": ("GET", "/api/system_status/grid_faults", LocalGateway.grid_faults),
    "get_aggregates": ("GET", "/api/meters/aggregates", LocalGateway.power),
    "check_update": ("GET", "/api/system/update", LocalGateway.check_for_update),
    "get_update_status": ("GET", "/api/system/update/status", LocalGateway.update_status),
}
ACTING = {"post_operation", "config_completed", "run_sitemaster", "check_update"}
