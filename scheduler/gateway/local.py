"""The gateway in the house: every call of its local API that we use, with one session and one connection.

Satisfies `Gateway` of the control floor by shape. Bodies live in `wire.py`, statuses in `answers.py`, how often a login
is allowed in `budget.py`; when to call what is decided above. Tokens and passwords stay in here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx

from scheduler.gateway import calls, wire
from scheduler.gateway.answers import Standing, error_of
from scheduler.gateway.budget import Ledger, LoginBudget
from scheduler.gateway.calls import Call
from scheduler.gateway.habits import habits_of
from scheduler.gateway.http import DEADLINE_S, Connection
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import BadCredentials, NotCapable, SessionExpired, Unsteady
from scheduler.model.evidence import Step
from scheduler.model.reading import Identity, Live, Power, UpdateStatus
from scheduler.model.setpoint import Setpoint

BAD_LOGINS_LIMIT = 3
"""After so many refusals of the password in a row nothing is sent any more: gateways lock out who goes on."""

_STEPS_KEPT = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPace:
    """How quick a local gateway is, in seconds. A 21.x gateway reads back at once and runs again after 2 s."""

    settle_s: float = 5.0
    poll_s: float = 1.0
    attempt_s: float = 45.0
    effect_grace_s: float = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who logs in. ``force_sm_off`` asks the gateway to stop the battery for it even while power flows."""

    username: str
    password: str | None = field(repr=False)
    email: str = field(default="", repr=False)
    force_sm_off: bool = False


@dataclass(slots=True)
class _Session:
    """A token, and whether any answer came of it yet."""

    token: str = field(repr=False)
    proven: bool = False


class LocalGateway:
    """A Powerwall's gateway over its local API. One task at a time may use it."""

    def __init__(
        self,
        endpoint: Endpoint,
        credentials: Credentials,
        *,
        ledger: Ledger,
        now: Callable[[], datetime],
        deadline_s: float = DEADLINE_S,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._connection = Connection(endpoint, deadline_s=deadline_s, transport=transport)
        self._credentials = credentials
        self._budget = LoginBudget(ledger)
        self._now = now
        self._session: _Session | None = None
        self._bad_logins = 0
        self._denied: set[str] = set()
        self._firmware: str | None = None
        self._operation: wire.Operation | None = None
        self._steps: deque[Step] = deque(maxlen=_STEPS_KEPT)

    @property
    def pace(self) -> LocalPace:
        """How quick this kind of gateway is."""
        return LocalPace()

    @property
    def has_session(self) -> bool:
        """Whether there is a token that was not refused yet."""
        return self._session is not None

    @property
    def login_may_stop(self) -> bool:
        """Whether a login can stop the battery: the installer's does up to firmware 1.49 (README, *Login*)."""
        if self._credentials.username == "customer":
            return False
        return habits_of(self._firmware).login_stops

    async def identify(self) -> Identity:
        """GET /api/status, open on every firmware: so without the token, which may be dead."""
        identity = wire.identity(await self._exchange(calls.STATUS, token=None))
        self._firmware = identity.firmware
        return identity

    async def login(self, *, repair: bool = False) -> None:
        """POST /api/login/Basic, within the budget (``repair``: a little beyond it, to start the battery again).

        BadCredentials three times in a row ends all requests.
        """
        credentials = self._credentials
        if credentials.password is None:
            raise BadCredentials("there is no password to log in with", remedy="set TOU_GATEWAY__PASSWORD")
        self._refuse_if_latched()
        self._budget.spend(self._now(), repair=repair)
        body = wire.login_body(
            username=credentials.username,
            password=credentials.password,
            email=credentials.email,
            force_sm_off=credentials.force_sm_off,
        )
        self._session = None
        try:
            answer = await self._exchange(calls.LOGIN, token=None, body=body)
        except BadCredentials:
            self._bad_logins += 1
            raise
        except Unsteady:  # too busy to look at the password: no login
            self._budget.refund()
            raise
        self._bad_logins = 0
        self._session = _Session(wire.token(answer))

    async def read(self) -> Setpoint:
        """GET /api/operation, in shown percent."""
        self._operation = wire.operation(await self._ask(calls.OPERATION))
        return self._operation.setpoint

    async def write(self, change: Setpoint) -> None:
        """POST /api/operation; in force only after `commit`."""
        await self._ask(calls.WRITE, wire.operation_body(change, self._operation))

    async def commit(self) -> None:
        """GET /api/config/completed; firmware up to 1.42 answers 202, later firmware 200."""
        await self._ask(calls.COMMIT)

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

    async def power(self) -> Power:
        """GET /api/meters/aggregates, in watts; Unsteady while the battery is stopped."""
        return wire.power(await self._ask(calls.METERS))

    async def check_for_update(self) -> None:
        """GET /api/system/update?force=true, as the gateway's own page does; NotCapable where there is none."""
        await self._ask(calls.CHECK)

    async def update_status(self) -> UpdateStatus:
        """GET /api/system/update/status."""
        return wire.update_status(await self._ask(calls.UPDATE))

    def exchanges(self) -> tuple[Step, ...]:
        """The exchanges since this was last asked, at most the last 200; forgotten once told."""
        steps = tuple(self._steps)
        self._steps.clear()
        return steps

    async def close(self) -> None:
        """Close the connection. The token is left to expire."""
        await self._connection.close()

    async def _ask(self, call: Call, body: Mapping[str, Any] | None = None) -> bytes:
        """A call within the session, if there is one; SessionExpired has dropped it."""
        session = self._session
        try:
            answer = await self._exchange(call, token=session.token if session else None, body=body)
        except SessionExpired:
            self._drop(session, call)
            raise
        except NotCapable:
            if session is None or call.step in self._denied or not await self._is_dead(session):
                raise
            self._drop(session, call)
            raise SessionExpired("the gateway no longer knows our session (403)") from None
        if session is not None:
            session.proven = True
        self._denied.discard(call.step)
        return answer

    def _drop(self, session: _Session | None, call: Call) -> None:
        self._session = None
        if session is not None:
            self._denied.add(call.step)

    async def _is_dead(self, session: _Session) -> bool:
        """Whether the 403 that just came may be the token's fault: an old gateway says 403 to a dead one as well.

        Where most calls are open, a token can die unnoticed until a write. The update status wants a login on every
        firmware since 1.25 and no special role, so it tells the two apart.
        """
        if self._steps[-1].status != HTTPStatus.FORBIDDEN:
            return False
        try:
            await self._exchange(calls.UPDATE, token=session.token)
        except (SessionExpired, NotCapable):
            return True
        return False

    async def _exchange(
        self, call: Call, *, token: str | None, body: Mapping[str, Any] | None = None
    ) -> bytes:
        """One request; the body of its answer, or the error that it is. Either leaves a step for the evidence."""
        self._refuse_if_latched()
        began_s = time.perf_counter()
        status: int | None = None
        try:
            answer = await self._connection.exchange(
                call.method, call.path, token=token, body=body, limit_bytes=call.limit_bytes
            )
            status = answer.status
        finally:
            took_ms = round((time.perf_counter() - began_s) * 1000)
            self._steps.append(Step(step=call.step, status=status, ms=took_ms))
        error = error_of(answer, call, self._standing(call, token))
        if error is not None:
            raise error
        return answer.body

    def _standing(self, call: Call, token: str | None) -> Standing:
        if token is None or self._session is None:
            return Standing.STRANGER
        if call.step in self._denied:
            return Standing.DENIED
        return Standing.PROVEN if self._session.proven else Standing.NEW

    def _refuse_if_latched(self) -> None:
        if self._bad_logins >= BAD_LOGINS_LIMIT:
            raise BadCredentials(
                f"the gateway refused this password {BAD_LOGINS_LIMIT} times; nothing is sent any more",
                remedy="correct gateway.username or the password (TOU_GATEWAY__PASSWORD), then restart",
            )
