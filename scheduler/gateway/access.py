"""Access to one gateway: the connection, the session with its login, and what forbids either.

Every request goes through `Access.exchange`, which asks the latches first and leaves a step for the evidence. What is
asked for and what an answer holds is `local.py`'s. Tokens and passwords stay in here.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from scheduler.gateway import calls, wire
from scheduler.gateway.answers import Standing, error_of
from scheduler.gateway.budget import LoginBudget
from scheduler.gateway.calls import Call
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.habits import version_of
from scheduler.gateway.http import Connection
from scheduler.gateway.latch import PasswordLatch, SerialLatch, Silence
from scheduler.gateway.note import Notebook
from scheduler.gateway.pin import Endpoint
from scheduler.gateway.token import Token
from scheduler.model.errors import (
    BadCredentials,
    NotCapable,
    SessionExpired,
    Throttled,
    Unsteady,
    Unwilling,
)
from scheduler.model.evidence import Step
from scheduler.model.reading import Identity

_STEPS_KEPT = 200

_TRUSTED_TIMES = 100
"""So often a session that lives is believed although one call says otherwise, before a login is tried all the same."""

_NO_ACCESS = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}


class Access:
    """The way in to a gateway. One task at a time may use it.

    ``firmware`` is what the gateway said of itself last, None until it did.
    """

    def __init__(
        self,
        connection: Connection,
        endpoint: Endpoint,
        credentials: Credentials,
        *,
        budget: LoginBudget,
        notebook: Notebook,
        silence: Silence,
        now: Callable[[], datetime],
    ) -> None:
        self._connection, self._credentials = connection, credentials
        self._budget = budget
        self._now = now
        secret = (credentials.username, credentials.password or "")
        self._password = PasswordLatch(notebook, endpoint, secret, now)
        self._serial = SerialLatch(notebook, endpoint)
        self._silence = silence
        self._session: Token | None = None
        self._denied: Counter[str] = Counter()
        self._unwilling = self._in_vain = 0
        self.firmware: str | None = None
        self._steps: deque[Step] = deque(maxlen=_STEPS_KEPT)

    @property
    def has_session(self) -> bool:
        """Whether there is a token that was not refused yet."""
        return self._session is not None

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles that the gateway gave our login, in its own words; none without a session."""
        return () if self._session is None else self._session.roles

    @property
    def username(self) -> str:
        """As whom we log in."""
        return self._credentials.username

    @property
    def silence_s(self) -> float:
        """For how many seconds more the gateway wants to be left alone, after a 429 to whomever of us; zero if not."""
        return self._silence.left_s

    @property
    def undo_wait_s(self) -> float:
        """For how many seconds no login is to be had to start the battery again, once what wants one now has had its own."""
        budget_s = self._budget.undo_wait_s(self._now(), ahead=0 if self.has_session else 1)
        return max(budget_s, self.silence_s)

    @property
    def last_status(self) -> int | None:
        """The HTTP status of the last exchange; None if it had none."""
        return self._steps[-1].status if self._steps else None

    async def identify(self) -> Identity:
        """GET /api/status, without the token; IdentityChanged if another gateway answers than the one that is known."""
        body = await self.exchange(calls.STATUS, token=None)
        self._serial.meet(wire.din(body))
        identity = wire.identity(body)
        self.firmware = identity.firmware
        return identity

    async def login(self, *, repair: bool) -> None:
        """POST /api/login/Basic, within the budget (``repair``: a little beyond it, to start the battery again).

        BadCredentials three times in a row ends all requests; Throttled while a 429 wants silence.
        """
        credentials = self._credentials
        if credentials.password is None:
            raise BadCredentials(
                "there is no password to log in with",
                remedy="set TOU_GATEWAY__PASSWORD; a service gets one by `sudo tou-scheduler service password`",
            )
        self._hold(calls.LOGIN)
        self._silence.hold()
        self._budget.spend(self._now(), repair=repair)
        body = wire.login_body(
            username=credentials.username,
            password=credentials.password,
            email=credentials.email,
            force_sm_off=credentials.force_sm_off,
        )
        self._session = None
        try:
            answer = await self.exchange(calls.LOGIN, token=None, body=body)
        except BadCredentials:
            self._password.refused()
            raise
        except Unwilling as error:  # it did look, and would say the same to each of a hundred logins
            self._unwilling += 1
            raise Unwilling(str(error), times=self._unwilling) from None
        except Unsteady:  # too busy to look at the password: no login
            self._budget.refund()
            raise
        self._unwilling = 0
        self._password.accepted()
        self._session = Token(wire.token(answer), self._now(), wire.roles(answer), self._in_vain)

    async def ask(self, call: Call, body: Mapping[str, Any] | None = None) -> bytes:
        """A call within the session, if there is one.

        SessionExpired has dropped it, unless it lives and a login would not help: it is new, or this call was refused twice.
        Unsteady has kept one that the gateway gave a moment ago and does not know yet.
        """
        session = self._session
        try:
            answer = await self.exchange(call, token=session.text if session else None, body=body)
        except SessionExpired:
            doubted = session is not None and (self._denied[call.step] or session.is_awaited(self._now()))
            if session is None or not doubted or await self._is_dead(session, call):
                self._drop(session, call)
            else:
                self._denied[call.step] += 1
            raise
        except NotCapable:
            if session is None or not await self._may_be_dead(session, call):
                raise
            self._drop(session, call)
            raise SessionExpired("the gateway no longer knows our session (403)") from None
        if session is not None and self._wants_login(call):
            session.proven = True
        self._denied.pop(call.step, None)
        return answer

    async def look(self, call: Call) -> bytes:
        """`ask` for a person who reads one call after the other: a 403 of one of them does not cost the session.

        It may be the role's fault or a dead token's, and a session that lives is kept for the calls that follow.
        """
        session = self._session
        try:
            return await self.exchange(call, token=session.text if session else None)
        except SessionExpired:
            forbidden = self.last_status == HTTPStatus.FORBIDDEN
            if session is None or not forbidden or call == calls.UPDATE or await self._is_dead(session, call):
                self._drop(session, call)
                raise
            raise NotCapable(
                f"the gateway does not let this login do {call} (403)",
                remedy="no other login is known to do it"
                if self._installs
                else "the installer's login may, where the gateway lets one in",
            ) from None

    def forget(self) -> None:
        """Use the token no more: it was given back."""
        self._session = None

    def _drop(self, session: Token | None, call: Call) -> None:
        """Give up a session that was refused, if there is one; Unsteady where it is used all the same for a while."""
        self._session = None
        if session is None:
            return
        if session.is_awaited(self._now()):
            self._session = session
            raise Unsteady("the gateway let us in, and does not know the session that it gave") from None
        self._in_vain = 0 if session.proven else self._in_vain + 1
        self._denied[call.step] = 1

    async def _may_be_dead(self, session: Token, call: Call) -> bool:
        """Whether the 403 that a call just got may be the token's fault, so that a login is worth its price once.

        Up to firmware 1.24 nothing tells the two apart, and a token that was good once may have died since.
        """
        if self._denied[call.step]:  # so it would be to a new session, unless this one has died since
            return session.proven and self._can_tell and await self._is_dead(session, call)
        if call.acts and not self._can_tell:
            return session.proven and self.last_status == HTTPStatus.FORBIDDEN
        return await self._is_dead(session, call)

    def _wants_login(self, call: Call) -> bool:
        """Whether an answer to it tells that the session lives, as far as is known."""
        version = version_of(self.firmware)
        return version is None or call.wants_login(version)

    @property
    def _can_tell(self) -> bool:
        return self._wants_login(calls.UPDATE)

    async def _is_dead(self, session: Token, call: Call) -> bool:
        """Whether the 401 or 403 that a call just got is the token's fault: an old gateway says 403 to a dead one as well.

        Where most calls are open, a token can die unnoticed until a write. The update status wants a login on every firmware
        since 1.25 and no special role, so it tells; before, the setpoint. One that a call calls dead for ever is given up.
        """
        status = self.last_status
        if status not in _NO_ACCESS:
            return False
        witness, other = (
            (calls.UPDATE, calls.OPERATION) if self._can_tell else (calls.OPERATION, calls.UPDATE)
        )
        if call == witness:
            witness = other
        tells = self._wants_login(witness)
        doubted = self._denied[call.step] % _TRUSTED_TIMES or session.is_awaited(self._now())
        if status == HTTPStatus.UNAUTHORIZED and not (tells and doubted):
            return True
        try:
            await self.exchange(witness, token=session.text)
        except (SessionExpired, NotCapable):
            return True
        session.proven |= tells
        return False

    async def exchange(
        self, call: Call, *, token: str | None, body: Mapping[str, Any] | None = None
    ) -> bytes:
        """One request; the body of its answer, or the error that it is. Either leaves a step for the evidence."""
        self._hold(call)
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
        error = error_of(answer, call, self._standing(call, token), installer=self._installs)
        if isinstance(error, Throttled):
            self._silence.begin(error.silence_s)
        if error is not None:
            raise error
        return answer.body

    def exchanges(self) -> tuple[Step, ...]:
        """The exchanges since this was last asked, at most the last 200; forgotten once told."""
        steps = tuple(self._steps)
        self._steps.clear()
        return steps

    @property
    def _installs(self) -> bool:
        return self._credentials.username != "customer"

    def _standing(self, call: Call, token: str | None) -> Standing:
        if token is None or self._session is None:
            return Standing.STRANGER
        if self._denied[call.step]:
            return Standing.DENIED
        return Standing.PROVEN if self._session.proven else Standing.NEW

    def _hold(self, call: Call) -> None:
        """Raise what forbids this call: it is not sent."""
        self._password.hold()
        if call != calls.STATUS:  # which carries no secret, and tells when the known gateway is back
            self._serial.hold()
