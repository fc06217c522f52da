"""What `doctor` finds: one finding a step, how it is come by, and what to do about it. No step of the walk is known here."""

from __future__ import annotations

import errno
import math
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from scheduler.app.installing import Install
from scheduler.gateway.reach import NoWay
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    IdentityChanged,
    Refused,
    StoreError,
    Throttled,
    Unsteady,
    Unwilling,
)
from scheduler.model.reading import Identity

PASSWORD_PLACES = "TOU_GATEWAY__PASSWORD, or a Docker secret or systemd credential called gateway_password"  # noqa: S105 - where one is put, not what it is


_DEFAULTS = {
    "installer": "the installer's is S and the gateway's serial number unless somebody changed it",
    "customer": "the customer's is the last five characters of the gateway's serial number, or on newer gateways "
    "of the password on its sticker, unless somebody set another",
}
"""What a password is by default (README of the gateway, *Login*, and its issue 103)."""


class Outcome(StrEnum):
    """How a step went."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not_tried"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """How a step went and what there is to say of it, in a sentence; ``remedy`` for one that failed.

    ``ms`` where the step took its time earlier than when it was told.
    """

    outcome: Outcome
    says: str
    remedy: str | None = None
    ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One step of the walk. ``ms`` is how long it took, None for one that was not tried."""

    step: str
    outcome: Outcome
    ms: int | None
    says: str
    remedy: str | None = None

    def document(self) -> dict[str, Any]:
        """The public form, for other programs."""
        return asdict(self)


def passed(says: str, *, ms: int | None = None) -> Said:
    """A step that went well."""
    return Said(outcome=Outcome.PASSED, says=says, ms=ms)


def failed(says: str, remedy: str, *, ms: int | None = None) -> Said:
    """A step that did not go well, and what to do about it."""
    return Said(outcome=Outcome.FAILED, says=says, remedy=remedy, ms=ms)


def not_tried(reason: str) -> Said:
    """A step that could not be taken, or was better not."""
    return Said(outcome=Outcome.NOT_TRIED, says=reason)


class Report:
    """The findings in their order, each told as it comes. A step that ends in an error of the gateway's has failed.

    ``username`` is who logs in: what to do about a password depends on whose it is. ``install`` is the one that the gateway
    may be at: ``leave_alone`` is then what to do about whatever fails, None without one or once it `answered` as another one;
    ``back`` says that it did.
    """

    def __init__(
        self, tell: Callable[[Finding], None], *, username: str, install: Install | None = None
    ) -> None:
        self.findings: list[Finding] = []
        self._tell = tell
        self._username = username
        self._install = install
        self.leave_alone: str | None = None
        self.back: str | None = None
        if install is not None:
            self.leave_alone = (
                f"the gateway installs its firmware; {install.leave_alone}, then run this again"
            )

    def answered(self, identity: Identity | None) -> None:
        """Tell of the install, if the gateway may be at one, by what it said of itself; None if it did not answer."""
        install = self._install
        if install is None:
            return
        if identity is None or not install.is_back(identity):
            self.add("install", not_tried(str(install)))
            return
        self.leave_alone = None
        self.back = f"the gateway is back since then as {identity.firmware}"
        self.add(
            "install", passed(f"the gateway was told to install its firmware at {install.since}; {self.back}")
        )

    def failed_by(self, error: GatewayError, *, ms: int | None = None) -> Said:
        """A step that ended in this error."""
        if isinstance(error, Unwilling):  # its own words promise the daemon's next attempt
            return failed(
                "the gateway takes no installer's login while power flows",
                "run this again when little power flows, or set gateway.force_sm_off: true, which insists",
                ms=ms,
            )
        says = str(error.args[0]) if error.args else type(error).__name__
        if self.leave_alone is not None and not isinstance(error, BadCredentials | IdentityChanged):
            return failed(says, self.leave_alone, ms=ms)
        return failed(says, _remedy(error, self._username), ms=ms)

    async def take(
        self, step: str, work: Callable[[], Awaitable[Said]], *, unless: str | None = None
    ) -> bool:
        """Take a step and tell how it went; whether it went well. ``unless`` is why it is not even tried."""
        if unless is not None:
            self.add(step, not_tried(unless))
            return False
        began_s = time.perf_counter()
        try:
            said = await work()
        except GatewayError as error:
            said = self.failed_by(error)
        self.add(step, said, ms=since_ms(began_s))
        return said.outcome is Outcome.PASSED

    def add(self, step: str, said: Said, *, ms: int = 0) -> None:
        """Tell how a step went, which took ``ms`` unless it says otherwise."""
        took = None if said.outcome is Outcome.NOT_TRIED else ms if said.ms is None else said.ms
        finding = Finding(step=step, outcome=said.outcome, ms=took, says=said.says, remedy=said.remedy)
        self.findings.append(finding)
        self._tell(finding)

    def outcome(self, step: str) -> Outcome | None:
        """How a step went; None if it was not come to."""
        return next((finding.outcome for finding in self.findings if finding.step == step), None)


def since_ms(began_s: float) -> int:
    """Milliseconds since then, by the clock of `time.perf_counter`."""
    return round((time.perf_counter() - began_s) * 1000)


def to_remember(error: StoreError) -> str:
    """What to do about a memory that takes nothing: root may enter what others may not, but has no other disk."""
    cause = error.__cause__
    if isinstance(cause, PermissionError):
        first = "run this with sudo if that is the service's folder"
    elif isinstance(cause, OSError) and cause.errno in {errno.ENOSPC, errno.EDQUOT}:
        first = "make room on that disk"
    elif isinstance(cause, OSError) and cause.errno == errno.EROFS:
        first = "make that disk writable"
    else:
        first = "see to that folder"
    return f"{first}, or name another one with --state-dir: no login is made that cannot be noted down"


def _remedy(error: GatewayError, username: str) -> str:
    if isinstance(error, BadCredentials):
        return (
            f"correct gateway.username or the password ({PASSWORD_PLACES}); {_DEFAULTS[username]}; "
            "after three refusals in a row nothing more is sent"
        )
    if isinstance(error, Refused | NoWay):
        return error.remedy
    if isinstance(error, Throttled):
        return f"log in nowhere for {math.ceil(error.silence_s / 60)} min, then run this again"
    if isinstance(error, Unsteady):
        return "run this again in a minute"
    return "run this again in a minute; if it stays so, check gateway.host, then restart the gateway"
