"""What an HTTP status of the gateway means: which of our errors it is, sorted by who acts.

A table in code, without a connection and without a session. Bodies are searched for known words and never quoted.
"""

from __future__ import annotations

from enum import Enum, auto

from scheduler.gateway.calls import LOGIN, Call
from scheduler.gateway.http import Answer
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    NotCapable,
    NotLetIn,
    NotOffered,
    SessionExpired,
    Throttled,
    Transient,
    Unsteady,
    Unwilling,
)

SILENCE_S = (300.0, 3600.0)
"""The shortest and the longest silence after a 429, whatever Retry-After says. Lock-outs of 10 to 30 min were seen."""

TO_LOG_IN = (
    "correct gateway.username or the password (the secret gateway_password, or TOU_GATEWAY__PASSWORD and a restart); "
    "it is then tried at once, or within a day at the latest"
)
"""What to do about a refused password. Another one that has the same check in the note, 1 of 256, waits for the daily login."""

_OLDER_FIRMWARE = "switch with Tesla's app, or with a gateway whose firmware is older than 1.50"
_STARTING_UP = "it may be starting up; else " + _OLDER_FIRMWARE
_NOT_HERE = "it may be starting up; else this gateway does not have it, and `tou-scheduler inspect --list` says which do"


class Standing(Enum):
    """What is known of the token that was sent along."""

    STRANGER = auto()  # none was sent
    NEW = auto()  # a login gave it, and no call has been answered with it
    PROVEN = auto()  # it has been good for an answer
    DENIED = auto()  # the same call was refused under the token before it, too: another login would not help


def error_of(
    answer: Answer, call: Call, standing: Standing, *, installer: bool = False
) -> GatewayError | None:
    """The error that an answer is; None for a success (200, 202 and 204 all are).

    ``installer``: who asks has the installer's login, and need not be told to take it.
    """
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - the statuses read best as numbers
        return None
    if status == 429:  # noqa: PLR2004
        return Throttled("the gateway wants fewer requests (429)", silence_s=_silence_s(answer.retry_after))
    if call == LOGIN:
        return _of_login(answer)
    if status in {401, 403}:
        return _of_access(status, call, standing, installer=installer)
    return _of_other(answer, call)


def _of_login(answer: Answer) -> GatewayError:
    status = answer.status
    # Firmware since 1.50.1: "roles [Provider_Engineer] require physical access" (powerwall2 issue 34).
    if status in {401, 403} and b"physical access" in answer.body:
        return NotCapable(
            "firmware 1.50 or later lets the installer in only while somebody toggles a switch on the Powerwall",
            remedy="the customer's login can still read (gateway.username: customer); to switch, use Tesla's app",
        )
    if status == 401:  # noqa: PLR2004
        return BadCredentials("the gateway does not know this password for this user", remedy=TO_LOG_IN)
    if status == 403:  # noqa: PLR2004
        return NotLetIn("the gateway does not let this user log in (403)", remedy="check gateway.username")
    # The README, GET /api/sitemaster/stop; seen at installer logins under load, too (powerwall2 issues 4 and 5).
    if status == 500 and b"Cannot Start Wizard" in answer.body:  # noqa: PLR2004
        return Unwilling(
            "the gateway takes no installer's login while power flows; it is tried again, "
            "and gateway.force_sm_off: true would insist"
        )
    return _of_other(answer, LOGIN)


def _of_access(status: int, call: Call, standing: Standing, *, installer: bool) -> GatewayError:
    if standing is Standing.STRANGER:
        return SessionExpired(f"the gateway wants a login for {call} ({status})")
    # A 401 speaks of the session alone, however often it comes. A 403 says "no token, dead token, or role too low" alike.
    # Where something is done it is the role: a login would not help, and logins in answer to it have locked people out.
    if status == 403 and (call.acts or standing in {Standing.NEW, Standing.DENIED}):  # noqa: PLR2004
        return NotCapable(
            f"the gateway does not let this login do {call} (403)",
            remedy="it is tried again within the hour; an installer's login may where the firmware is older than 1.50: "
            f"if this stays so there, restart the gateway; otherwise {_OLDER_FIRMWARE}"
            if installer
            else f"use the installer's login where the firmware is older than 1.50; otherwise {_OLDER_FIRMWARE}",
        )
    return SessionExpired(f"the gateway no longer knows our session ({status})")


def _of_other(answer: Answer, call: Call) -> GatewayError:
    status = answer.status
    match status:
        # "RealMode must be either self_consumption or backup" (powerwall2 issues 8 and 10). Not latched: it is one
        # rule that asks too much, and the next may not.
        case 500 if b"ode must be either" in answer.body:
            return Transient(
                "the gateway does not take this mode; ask for self_consumption or backup in the rule"
            )
        case 502:
            return Unsteady("the battery is stopped or starting (502)")
        case 503:
            return Unsteady("the gateway is busy (503)")
        # The gateway's own page takes 424 for "not now", as it does 409; no body of one was ever published.
        case 408 | 424 | 425:
            return Transient(f"the gateway did not take {call} this time ({status})")
        case _ if status >= 500:  # noqa: PLR2004
            return Transient(f"the gateway failed at {call} ({status})")
        case _ if 300 <= status < 400:  # noqa: PLR2004
            return NotOffered(
                f"the gateway sends {call} elsewhere ({status}), and we do not follow",
                remedy="check gateway.host and gateway.port",
            )
        case _:
            return _of_client(answer, call)


def _of_client(answer: Answer, call: Call) -> NotOffered:
    """The statuses from 400 on: it is asked for what it has not, or has not as it is asked."""
    status = answer.status
    older, starting = (_OLDER_FIRMWARE, _STARTING_UP) if call.acts else (_NOT_HERE, _NOT_HERE)
    match status:
        case 409 | 417:
            return _of_conflict(answer, call)
        case 400 | 413 | 415 | 422:
            return NotOffered(f"this gateway does not take {call} as we say it ({status})", remedy=older)
        case 405:
            return NotOffered(
                f"this gateway knows {call.path}, but not with {call.method} (405)", remedy=starting
            )
        case 410:
            return NotOffered(f"this gateway no longer has {call} (410)", remedy=older)
        case _:
            return NotOffered(f"this gateway does not know {call} ({status})", remedy=starting)


def _of_conflict(answer: Answer, call: Call) -> NotOffered:
    # The README, GET /api/powerwalls/status: "Sitemaster is current running", its grammar included.
    if b"Sitemaster is current running" in answer.body:
        return NotOffered(
            f"the gateway does {call} only while the battery is stopped (409)",
            remedy="stop the battery in the gateway's own page if you need it; we never stop it for this",
        )
    # The gateway's own page, while it waits for the switch of an installer's login.
    if answer.status == 417:  # noqa: PLR2004
        return NotOffered(
            f"the gateway does {call} only once somebody has toggled a switch on the Powerwall (417)",
            remedy="to switch, use Tesla's app",
        )
    return NotOffered(
        f"something else that the gateway does stands against {call} (409)",
        remedy="see in the gateway's own page what it is busy with; switching then goes on by itself",
    )


def _silence_s(retry_after: str | None) -> float:
    """Seconds to keep silent. A date is not believed: neither clock need be right."""
    shortest, longest = SILENCE_S
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return shortest
    return min(max(float(retry_after), shortest), longest)
