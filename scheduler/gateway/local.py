"""The gateway in the house: every call of its local API that we use.

Satisfies `Gateway` of the control floor by shape. Bodies live in `wire.py`, the session and its login in `access.py`; when
to call what is decided above.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from http import HTTPStatus
from typing import Any

import httpx

from scheduler.gateway import calls, wire
from scheduler.gateway.access import Access
from scheduler.gateway.body import parse as body_of
from scheduler.gateway.budget import Ledger, LoginBudget
from scheduler.gateway.calls import Call
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.dates import read_date
from scheduler.gateway.habits import habits_of
from scheduler.gateway.http import DEADLINE_S, Connection
from scheduler.gateway.latch import Silence
from scheduler.gateway.line import Line
from scheduler.gateway.note import NoNote, Note, Notebook
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import NotOffered
from scheduler.model.evidence import Step
from scheduler.model.reading import Alert, Identity, Live, Power, UpdateStatus
from scheduler.model.setpoint import Mode, Setpoint

__all__ = ["LocalGateway", "LocalPace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPace:
    """How quick a local gateway is, in seconds. A 21.x gateway reads back at once and runs again after 2 s."""

    settle_s: float = 5.0
    poll_s: float = 1.0
    attempt_s: float = 45.0
    effect_grace_s: float = 120.0


class LocalGateway:
    """A Powerwall's gateway over its local API. One task at a time may use it.

    ``note`` is where refused passwords, the gateway's serial number, its wish for silence and logins that were given back
    are remembered; ``max_pv_export_power_kw`` is said
    with every write, in kW, and left out if it is None. ``monotonic`` is a clock that nobody sets, in seconds, by which this
    process knows how long ago it logged in, or a silence was wished for; without one, ``now`` says it. ``exchanged`` is called at the end of each exchange with the gateway.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        *,
        ledger: Ledger,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] | None = None,
        note: Note | None = None,
        max_pv_export_power_kw: float | None = None,
        deadline_s: float = DEADLINE_S,
        transport: httpx.AsyncBaseTransport | None = None,
        line: Line | None = None,
        exchanged: Callable[[], None] = lambda: None,
    ) -> None:
        self._connection = Connection(
            endpoint, deadline_s=deadline_s, transport=transport, line=line, exchanged=exchanged
        )
        notebook = Notebook(NoNote() if note is None else note)
        self._access = Access(
            self._connection,
            endpoint,
            credentials,
            budget=LoginBudget(ledger, notebook, monotonic),
            notebook=notebook,
            silence=Silence(notebook, endpoint, now, monotonic),
            now=now,
        )
        self._now = now
        self._clock_ahead_s: float | None = None
        self._max_pv_export_power_kw = max_pv_export_power_kw
        self._operation: wire.Operation | None = None
        self._written: dict[str, Any] | None = None

    @property
    def pace(self) -> LocalPace:
        """How quick this kind of gateway is."""
        return LocalPace()

    @property
    def has_session(self) -> bool:
        """Whether there is a token that was not refused yet."""
        return self._access.has_session

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the gateway gave our login, in its own words; none without a session."""
        return self._access.roles

    @property
    def silence_s(self) -> float:
        """For how many seconds more the gateway wants to be left alone, after a 429 to whomever of us; zero if not."""
        return self._access.silence_s

    @property
    def undo_wait_s(self) -> float:
        """For how many seconds whoever stops the battery now could not log in to start it again; zero if he could."""
        return self._access.undo_wait_s

    @property
    def clock_ahead_s(self) -> float | None:
        """How far our clock was ahead of the gateway's own at the last `identify`, in seconds; None if it told no date."""
        return self._clock_ahead_s

    @property
    def login_may_stop(self) -> bool:
        """Whether a login can stop the battery: the installer's does up to firmware 1.49 (README, *Login*)."""
        if self._access.username == "customer":
            return False
        return habits_of(self._access.firmware).login_stops

    async def identify(self) -> Identity:
        """GET /api/status, open on every firmware: so without the token, which may be dead.

        IdentityChanged if it says another serial number than before.
        """
        identity = await self._access.identify()
        said = read_date(self._connection.date)
        self._clock_ahead_s = None if said is None else (self._now() - said).total_seconds()
        return identity

    async def login(self, *, repair: bool = False) -> None:
        """POST /api/login/Basic, within the budget (``repair``: a little beyond it, to start the battery again).

        BadCredentials three times in a row ends all requests.
        """
        await self._access.login(repair=repair)

    async def read(self) -> Setpoint:
        """GET /api/operation, in shown percent."""
        self._operation = wire.operation(await self._ask(calls.OPERATION))
        self._written = None  # what was read counts from now on, also for a commit that is owed
        return self._operation.setpoint

    async def write(self, change: Setpoint) -> None:
        """POST /api/operation; in force only after `commit`."""
        self._written = self._body(change)
        await self._ask(calls.WRITE, self._written)

    async def commit(self) -> None:
        """GET /api/config/completed; firmware up to 1.42 answers 202, later firmware 200.

        Where a commit puts in force what the commit before it should have, write and commit are said a second time.
        """
        wire.committed(await self._ask(calls.COMMIT))
        if habits_of(self._access.firmware).commits_late:
            again = self._written or self._as_read()
            if again is not None:
                await self._ask(calls.WRITE, again)
            wire.committed(await self._ask(calls.COMMIT))
        self._written = None

    async def is_running(self) -> bool:
        """GET /api/sitemaster."""
        return wire.running(await self._ask(calls.SITEMASTER))

    async def start(self) -> None:
        """GET /api/sitemaster/run; a 202 means that it begins to."""
        await self._ask(calls.RUN)

    async def live(self) -> Live:
        """GET /api/system_status/soe and /api/system_status/grid_status; Unsteady while the battery is stopped."""
        charge = await self._ask(calls.CHARGE)
        return wire.live(charge, await self._ask(calls.GRID))

    async def grid_faults(self) -> tuple[Alert, ...]:
        """GET /api/system_status/grid_faults: the alerts of the grid, without the serial numbers that come with them."""
        return wire.grid_faults(await self._ask(calls.FAULTS))

    async def power(self) -> Power:
        """GET /api/meters/aggregates, in watts; Unsteady while the battery is stopped."""
        return wire.power(await self._ask(calls.METERS))

    async def check_for_update(self) -> None:
        """GET /api/system/update?force=true, as the gateway's own page does; NotCapable where there is none."""
        await self._ask(calls.CHECK)

    async def update_status(self) -> UpdateStatus:
        """GET /api/system/update/status."""
        return wire.update_status(await self._ask(calls.UPDATE))

    async def install_update(self) -> None:
        """POST /api/system/update: the gateway restarts within a minute or so; NotCapable where there is none."""
        await self._ask(calls.INSTALL)

    async def inspect(self, call: Call) -> Any:
        """The JSON value that a reading call of the table answers, as it is: serial numbers and all."""
        return body_of(await self._access.look(call))

    async def stop(self) -> None:
        """Take the battery out of service, whatever flows: for a person who says so, never for the loop.

        Where the verb of this firmware line is not taken (404, 405), the other one is tried once.
        """
        verbs = [partial(self._ask, calls.STOP), partial(self._ask, calls.STOP_BY_POST, {"force": True})]
        if habits_of(self._access.firmware).stops_by_post:
            verbs.reverse()
        try:
            await verbs[0]()
        except NotOffered:
            if self._access.last_status not in {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED}:
                raise
            await verbs[1]()

    async def logout(self) -> None:
        """GET /api/logout: the token is good for nothing any more."""
        await self._ask(calls.LOGOUT)
        self._access.forget()

    def exchanges(self) -> tuple[Step, ...]:
        """The exchanges since this was last asked, at most the last 200; forgotten once told."""
        return self._access.exchanges()

    async def close(self) -> None:
        """Close the connection. The token is left to expire."""
        await self._connection.close()

    async def _ask(self, call: Call, body: dict[str, Any] | None = None) -> bytes:
        return await self._access.ask(call, body)

    def _body(self, change: Setpoint) -> dict[str, Any]:
        return wire.operation_body(
            change, self._operation, max_pv_export_power_kw=self._max_pv_export_power_kw
        )

    def _as_read(self) -> dict[str, Any] | None:
        """The write of what was last read, for a commit that is owed from before; None for a mode that is not ours."""
        known = self._operation
        return None if known is None or known.setpoint.mode not in set(Mode) else self._body(Setpoint())
