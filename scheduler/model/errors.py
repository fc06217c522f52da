"""Everything that can go wrong with a gateway or with our memory, sorted by who acts.

    SchedulerError
    ├── GatewayError
    │   ├── Transient            we try again: timeout, reset, 5xx, nonsense in a body
    │   │   ├── Unsteady         the gateway is there, but stopped, starting or busy (502, 503)
    │   │   │   └── Unwilling    it would have to stop the battery to let us in, and does not while power flows
    │   │   └── Throttled        429: we keep silent for a while
    │   ├── SessionExpired       401 with a token: we log in once
    │   └── Refused              a person must act; latched, never answered with a login
    │       ├── BadCredentials   the password or the user name
    │       ├── NotCapable       this firmware or role does not do this (403 on a write, a login that is shut)
    │       │   ├── NotLetIn     a login is refused, and nothing says why (403)
    │       │   └── NotOffered   there is no such call (404, 405, 409, a redirect); perhaps it is only starting up
    │       ├── IdentityChanged  another certificate, or another serial number, than the one that was trusted
    │       └── Standstill       somebody else stopped the battery; looked at again every minute
    └── StoreError               our own memory: disk full, read-only, corrupt

Configuration problems are not here: they carry lines and live in `config/`. Bugs are not here either: they crash.
"""

from __future__ import annotations


class SchedulerError(Exception):
    """Base of all expected failures. Its text is a sentence for a person and holds no secret."""


class GatewayError(SchedulerError):
    """The gateway did not do what was asked."""


class Transient(GatewayError):
    """It may work the next time; nobody needs to act."""


class Unsteady(Transient):
    """The gateway answers, but its site controller is stopped, starting or busy."""


class Unwilling(Unsteady):
    """The gateway lets nobody in who would stop the battery now. ``times`` is how often in a row it said so."""

    def __init__(self, message: str, *, times: int = 1) -> None:
        super().__init__(message)
        self.times = times


class Throttled(Transient):
    """429: asking again makes it worse. ``silence_s`` is how long to keep quiet, in seconds."""

    def __init__(self, message: str, *, silence_s: float = 300.0) -> None:
        super().__init__(message)
        self.silence_s = silence_s


class SessionExpired(GatewayError):
    """The token is no longer good; one login may help."""


class Refused(GatewayError):
    """A person must act. ``remedy`` says how, in a sentence."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.args[0]}; {self.remedy}"


class BadCredentials(Refused):
    """The gateway does not know this password for this user."""


class NotCapable(Refused):
    """This firmware or this role does not do what was asked."""


class NotLetIn(NotCapable):
    """A login is refused, and nothing says why; one that starts up does so, too."""


class NotOffered(NotCapable):
    """There is no such call here; or not yet, since a gateway that starts up answers the same."""


class IdentityChanged(Refused):
    """What answers is not the gateway that was trusted, by its certificate or by its serial number."""


class Standstill(Refused):
    """The battery is stopped, and not by us."""


class StoreError(SchedulerError):
    """Our memory could not be read or written; switching goes on without it."""
