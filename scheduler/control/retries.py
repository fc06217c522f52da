"""How often a login is tried that fails again and again while a battery may wait for it: as rarely as the budget lasts.

No clock, no I/O. What a login costs is the gateway's budget; what is refused for good, `bar.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.model.errors import BadCredentials, GatewayError, Throttled, Unsteady

APART_S = (60.0, 115.0)
"""So far apart at least the second and the third that fail, and all after them: the budget has five in five minutes for this."""

SHARE = 0.5
"""And so much of the time since the first one that failed: twelve in the first hour, which is what the budget has."""

LONGEST_S = 7200.0
"""And at most so far apart: sixteen more in the rest of a day, of which the budget has thirty-two."""

GIVEN_BACK_S, BUSY_S = 600.0, 60.0
"""For so long a login to a gateway that is busy costs nothing, at so many seconds from one to the next: the budget gets ten back."""

WRONG_S = 3300.0
"""After the password was called wrong twice. A third time ends all requests for a day, and it was right once: something else
may be wrong, and over in an hour."""

TRIED_S = 90.0
"""Whoever may try again does so within so many seconds. A longer gap was one in which nothing could be tried: the gateway was
gone, or wanted silence, and that says nothing about logins."""


@dataclass(slots=True)
class Retries:
    """The logins in a row that failed, ``wrong`` of them because of the password. Instants are of the monotonic clock, in seconds."""

    error: GatewayError | None = None
    times: int = 0
    wrong: int = 0
    since_s: float = 0.0
    next_s: float = 0.0

    def over(self) -> None:
        """A login was let in, or the gateway is another one than before."""
        self.error, self.times, self.wrong = None, 0, 0

    def failed(self, error: GatewayError, now_s: float) -> None:
        """One more was tried in vain. One that our own budget or a 429 kept from being sent is none."""
        if isinstance(error, Throttled):
            return
        self.error = error
        if isinstance(error, BadCredentials):
            self.wrong += 1
            self.next_s = now_s + (WRONG_S if self.wrong > 1 else 0.0)
            return
        if self.times == 0:
            self.since_s = now_s
        elif now_s > self.next_s + TRIED_S:
            self.since_s += now_s - self.next_s
        self.times += 1
        self.next_s = now_s + self._pause_s(error, now_s - self.since_s)

    def _pause_s(self, error: GatewayError, lasted_s: float) -> float:
        if self.times == 1:  # a second try may come at once
            return 0.0
        if isinstance(error, Unsteady) and lasted_s < GIVEN_BACK_S:
            return BUSY_S
        return min(max(APART_S[self.times > 2], SHARE * lasted_s), LONGEST_S)  # noqa: PLR2004 - the second and all after it

    def hold(self, now_s: float) -> None:
        """Raise what the last one ended in, if it is too soon for another."""
        if self.error is not None and now_s < self.next_s:
            raise self.error.with_traceback(None)
