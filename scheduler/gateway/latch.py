"""What ends all requests until a person has acted: a password that was refused again and again, and another gateway.

Both outlast a restart, as entries of the note in `note.py`, which holds neither the password nor the serial number.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from scheduler.gateway.note import Notebook
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import BadCredentials, IdentityChanged

BAD_LOGINS_LIMIT = 3
"""After so many refusals of the password in a row nothing is sent any more: gateways lock out who goes on."""

PROBE_AFTER = timedelta(hours=24)
"""So long after the last refusal one more login is tried: the gateway's password may have been set to ours meanwhile."""

_REFUSED = "refused_password"
_SERIAL = "gateway"


class PasswordLatch:
    """Counts the refusals of one password for one user of one gateway. Another secret begins at none.

    Two processes that are refused within the same instant may count one refusal for two: one login too many.
    """

    def __init__(
        self, notebook: Notebook, endpoint: Endpoint, secret: tuple[str, str], now: Callable[[], datetime]
    ) -> None:
        self._notebook = notebook
        self._secret = (str(endpoint), *secret)
        self._now = now

    def refused(self) -> None:
        """Count one more refusal, now."""
        times, _ = self._known()
        self._keep(times + 1, self._now())

    def accepted(self) -> None:
        """Forget them: only refusals in a row count."""
        self._notebook.drop(_REFUSED)

    def hold(self) -> None:
        """BadCredentials while nothing may be sent."""
        times, last = self._known()
        if times < BAD_LOGINS_LIMIT:
            return
        now = self._now()
        if last > now:  # the clock ran ahead and was stepped back: let it begin to age
            self._keep(times, now)
        if now - last < PROBE_AFTER:
            raise BadCredentials(
                f"the gateway refused this password {times} times; until it is another one nothing is sent "
                "but one login a day",
                remedy="correct gateway.username or the password (the secret gateway_password, or "
                "TOU_GATEWAY__PASSWORD and a restart); nothing else is needed",
            )

    def _known(self) -> tuple[int, datetime]:
        """How often this secret was refused in a row, and when last; what cannot be understood counts as never."""
        never = 0, self._now()
        entry = self._notebook.entry(_REFUSED)
        times, last, check = entry.get("times"), entry.get("last"), entry.get("check")
        if not isinstance(times, int) or not isinstance(last, str) or not isinstance(check, int):
            return never
        try:
            at = datetime.fromisoformat(last)
        except ValueError:
            return never
        if at.tzinfo is None or check != self._check():
            return never
        return times, at

    def _keep(self, times: int, last: datetime) -> None:
        entry = {"check": self._check(), "times": times, "last": last.isoformat()}
        self._notebook.put(_REFUSED, entry)

    def _check(self) -> int:
        return self._notebook.check(_REFUSED, *self._secret)


class SerialLatch:
    """Knows the gateway behind a certificate again by its serial number (`din`, told since firmware 20).

    While this process lives by all of it, over restarts by 8 bits. A newly trusted certificate starts anew.
    """

    def __init__(self, notebook: Notebook, endpoint: Endpoint) -> None:
        self._notebook = notebook
        self._certificate = endpoint.fingerprint.hex()
        self._din: str | None = None
        self._changed = False

    def meet(self, din: str | None) -> None:
        """Compare what answers with what is known; IdentityChanged if it is another, which `hold` then repeats.

        None, from firmware that does not say, proves nothing.
        """
        if din is None:
            return
        if self._din is None:
            check = self._notebook.check(_SERIAL, din)
            entry = self._notebook.entry(_SERIAL)
            if entry.get("certificate") != self._certificate or not isinstance(entry.get("check"), int):
                self._notebook.put(_SERIAL, {"certificate": self._certificate, "check": check})
            elif entry["check"] != check:
                self._changed = True
                self.hold()
            self._din = din
        self._changed = din != self._din
        self.hold()

    def hold(self) -> None:
        """IdentityChanged while another gateway than the known one answers: it must not see a token or a password."""
        if self._changed:
            raise IdentityChanged(
                "the certificate is the one that was trusted, but the gateway says another serial number than before",
                remedy="find out why; if it was replaced, trust its certificate (`tou-scheduler trust --replace`), or, "
                f"if that is already trusted, remove {self._notebook.place} and restart",
            )
