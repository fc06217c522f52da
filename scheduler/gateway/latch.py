"""What ends requests for longer than one process lives: refused passwords, another gateway, and a 429's silence.

Each outlasts a restart as an entry of the note in `note.py`, which holds neither the password nor the serial number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from scheduler.gateway.answers import SILENCE_S, TO_LOG_IN
from scheduler.gateway.note import Notebook, Page
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import BadCredentials, IdentityChanged, Throttled
from scheduler.model.instant import SAME_S, instant_of

BAD_LOGINS_LIMIT = 3
"""After so many refusals of the password in a row nothing is sent any more: gateways lock out who goes on."""

PROBE_AFTER = timedelta(hours=24)
"""So long after the last refusal one more login is tried: the gateway's password may have been set to ours meanwhile."""

SECRETS_KEPT = 16
"""So many refused secrets are remembered at most, the latest ones: a daemon and a person beside it have two or three."""

_REFUSED = "refused_password"
_SERIAL = "gateway"
_SILENCE = "silence"

_Noted = tuple[datetime, float]


class PasswordLatch:
    """Counts the refusals of one password for one user of one gateway; those of other secrets are counted apart.

    Two processes that are refused within the same instant may count one refusal for two: one login too many. Those that were
    counted here go on to count where another note takes the place of theirs: one that could not be read before.
    """

    def __init__(
        self, notebook: Notebook, endpoint: Endpoint, secret: tuple[str, str], now: Callable[[], datetime]
    ) -> None:
        self._notebook = notebook
        self._secret = (str(endpoint), *secret)
        self._now = now
        # By the note of which salt, how many, and when last.
        self._counted: tuple[str, int, datetime] | None = None

    def refused(self) -> None:
        """Count one more refusal, now."""
        page = self._notebook.page()
        times, _ = self._known(page)
        self._keep(page, times + 1, self._now())

    def accepted(self) -> None:
        """Forget those of this secret: only refusals in a row count."""
        self._counted = None
        page = self._notebook.page()
        refused = dict(page.entry(_REFUSED))
        if refused.pop(self._check(page), None) is not None:
            page.put(_REFUSED, refused)

    def hold(self) -> None:
        """BadCredentials while nothing may be sent."""
        page = self._notebook.page()
        times, last = self._known(page)
        if times < BAD_LOGINS_LIMIT:
            return
        now = self._now()
        if last > now:  # the clock ran ahead and was stepped back: let it begin to age
            self._keep(page, times, now)
        if now - last < PROBE_AFTER:
            raise BadCredentials(
                f"the gateway refused this password {times} times; until it is another one nothing is sent "
                "but one login a day",
                remedy=TO_LOG_IN,
            )

    def _known(self, page: Page) -> tuple[int, datetime]:
        """How often this secret was refused in a row, and when last; what cannot be understood counts as never."""
        refused = page.entry(_REFUSED)
        entry = refused.get(self._check(page)) if refused else None
        known = entry if isinstance(entry, dict) else {}
        times, last = known.get("times"), instant_of(known.get("last"))
        if type(times) is not int or last is None:
            times, last = 0, None
        if self._counted is not None and self._counted[0] != page.salt:
            _, more, lately = self._counted
            times, last = times + more, max(last or lately, lately)
        return times, last or self._now()

    def _keep(self, page: Page, times: int, last: datetime) -> None:
        self._counted = page.salt, times, last
        refused = dict(page.entry(_REFUSED))
        refused.pop(self._check(page), None)
        latest = sorted(refused.items(), key=_last)[1 - SECRETS_KEPT :]
        page.put(_REFUSED, {**dict(latest), self._check(page): {"times": times, "last": last.isoformat()}})

    def _check(self, page: Page) -> str:
        return str(page.check(_REFUSED, *self._secret))


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
            page = self._notebook.page()
            check = page.check(_SERIAL, din)
            entry = page.entry(_SERIAL)
            if entry.get("certificate") != self._certificate or not isinstance(entry.get("check"), int):
                page.put(_SERIAL, {"certificate": self._certificate, "check": check})
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


class Silence:
    """The silence that a gateway asked for with a 429. Every process that talks to it knows of it.

    One that was begun here is known here as well: it must not end because a note that could not be read comes back. A
    process that knows of one goes by ``monotonic``, in seconds, whatever the wall clock is set to meanwhile; the next one
    goes by the wall clock, and by how long it was to last: no step of that clock makes it longer.
    """

    def __init__(
        self,
        notebook: Notebook,
        endpoint: Endpoint,
        now: Callable[[], datetime],
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._notebook = notebook
        self._place = str(endpoint)
        self._now = now
        self._monotonic = monotonic or (lambda: now().timestamp())
        self._over_s = -math.inf
        self._lasts_s = 0.0
        self._known: _Noted | None = None

    def begin(self, seconds: float) -> None:
        """Note that the gateway wants to be left alone from now on for so long."""
        self._keep(self._notebook.page(), seconds)

    @property
    def left_s(self) -> float:
        """For how many seconds it still does; zero once it may be asked, and at most an hour."""
        page = self._notebook.page()
        noted = self._noted(page)
        if noted is not None and noted != self._known:
            self._take(noted)
        left_s = self._over_s - self._monotonic()
        if left_s > self._lasts_s + SAME_S:
            self._keep(page, self._lasts_s)  # the clock ran ahead and was stepped back: let it begin to age
        elif left_s > 0 and (noted is None or abs(self._by_wall_s(noted) - left_s) > SAME_S):
            self._keep(page, left_s)  # the other processes are to know it, too
        return min(max(left_s, 0.0), self._lasts_s)

    def hold(self) -> None:
        """Throttled while it lasts."""
        left_s = self.left_s
        if left_s > 0:
            raise Throttled(
                f"the gateway wanted fewer requests (429), and is left alone for {left_s:.0f} s more",
                silence_s=left_s,
            )

    def _noted(self, page: Page) -> _Noted | None:
        """When it is over by the note, and how many seconds it was to last: an hour where an older program did not say."""
        entry = page.entry(_SILENCE)
        until, lasts_s = instant_of(entry.get("until")), entry.get("lasts_s", SILENCE_S[1])
        if until is None or entry.get("at") != self._place:
            return None
        number = isinstance(lasts_s, (int, float)) and not isinstance(lasts_s, bool)
        return until, float(lasts_s) if number and 0 < lasts_s <= SILENCE_S[1] else SILENCE_S[1]

    def _take(self, noted: _Noted) -> None:
        """Have what another process noted, where it lasts longer than what is known here."""
        self._known = noted
        over_s = self._monotonic() + self._by_wall_s(noted)
        if over_s > self._over_s:
            self._over_s, self._lasts_s = over_s, noted[1]

    def _by_wall_s(self, noted: _Noted) -> float:
        return (noted[0] - self._now()).total_seconds()

    def _keep(self, page: Page, seconds: float) -> None:
        until = self._now() + timedelta(seconds=seconds)
        self._over_s, self._lasts_s = self._monotonic() + seconds, seconds
        self._known = until, seconds
        page.put(_SILENCE, {"at": self._place, "until": until.isoformat(), "lasts_s": seconds})


def _last(item: tuple[str, Any]) -> float:
    """When a secret was refused last, as a number to sort by; what makes no sense comes first."""
    entry = item[1]
    at = instant_of(entry.get("last")) if isinstance(entry, Mapping) else None
    return 0.0 if at is None else at.timestamp()
