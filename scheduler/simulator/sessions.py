"""Who is logged in to the simulated gateway: passwords, roles, tokens, and the limit on bad logins.

What a login does to the battery is the device's business.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from scheduler.simulator import refusals

TOKEN_LIFE = timedelta(hours=24)
"""Users of Home Assistant report about a day (HA issue 128506)."""

BAD_LOGINS = 10
BAD_LOGINS_WITHIN = timedelta(minutes=10)
LOCKED_FOR = timedelta(minutes=10)
"""The real numbers are not published; it clears after 10 to 30 quiet minutes (HA issue 128506)."""


class Role(StrEnum):
    """Roles, in the gateway's words."""

    CUSTOMER = "Home_Owner"
    INSTALLER = "Provider_Engineer"


@dataclass(slots=True, kw_only=True)
class Session:
    """What a token stands for, and until when. ``told`` is whether the gateway then says that it is too old."""

    role: Role
    until: datetime
    told: bool = False


@dataclass(slots=True)
class Sessions:
    """The tokens that this gateway gave out, and the passwords for which it does.

    ``any_username``: only the password counts; ``bad_login``: what a login with a wrong one is told.
    """

    serial: str = field(repr=False)
    any_username: bool = False
    bad_login: str = "bad credentials"
    _by_token: dict[str, Session] = field(default_factory=dict, repr=False)
    _bad_logins: list[datetime] = field(default_factory=list)
    _locked_until: datetime | None = None

    @property
    def installer_password(self) -> str:
        """The default password of the installer (README of the gateway, Login)."""
        return f"S{self.serial}"

    @property
    def customer_password(self) -> str:
        """The default password of the customer (README of the gateway, GET /api/system/update/status)."""
        return self.serial[-5:]

    def check(self, username: str, password: str, now: datetime) -> Role:
        """The role for this password; Refusal 401 for a wrong one, 429 after too many of those."""
        if self._locked_until is not None and now < self._locked_until:
            raise refusals.too_many_logins()
        for user, expected, role in self._known():
            right = secrets.compare_digest(password.encode(), expected.encode())
            if right and (self.any_username or user == username):
                return role
        self._count_bad_login(now)
        raise refusals.bad_credentials(self.bad_login)

    def _known(self) -> tuple[tuple[str, str, Role], ...]:
        """Users, their passwords and roles. The page of later firmware knows more users, but nobody their passwords."""
        return (
            ("", self.installer_password, Role.INSTALLER),
            ("installer", self.installer_password, Role.INSTALLER),
            ("customer", self.customer_password, Role.CUSTOMER),
        )

    def open(self, role: Role, now: datetime) -> str:
        """A new token: 88 characters, older ones stay good (powerwall2 issue 41)."""
        known = self._by_token.items()
        self._by_token = {token: session for token, session in known if now < session.until or session.told}
        token = base64.urlsafe_b64encode(secrets.token_bytes(64)).decode()
        self._by_token[token] = Session(role=role, until=now + TOKEN_LIFE)
        return token

    def role_of(self, token: str, now: datetime) -> Role | None:
        """The role that a token has, None for one that is not known. One that grew too old is known no more, as reported.

        Refusal 401 for one that was made to expire: no gateway was seen to say so, but clients expect it.
        """
        session = self._by_token.get(token)
        if session is None:
            return None
        if now < session.until:
            return session.role
        if session.told:
            raise refusals.token_expired()
        return None

    def ends(self, now: datetime) -> list[datetime]:
        """When the tokens that are still good grow too old."""
        return [session.until for session in self._by_token.values() if now < session.until]

    def close(self, token: str) -> None:
        """Log out. The gateway does not mind a token that it does not know."""
        self._by_token.pop(token, None)

    def expire(self, now: datetime) -> None:
        """Let all tokens be too old from now on, and let the gateway say so."""
        for session in self._by_token.values():
            if now < session.until:
                session.until, session.told = now, True

    def forget(self) -> None:
        """Know no token any more, as after a restart."""
        self._by_token.clear()

    def _count_bad_login(self, now: datetime) -> None:
        self._bad_logins = [at for at in self._bad_logins if now - at < BAD_LOGINS_WITHIN]
        self._bad_logins.append(now)
        if len(self._bad_logins) >= BAD_LOGINS:
            self._bad_logins.clear()
            self._locked_until = now + LOCKED_FOR
