"""The login budget: how often we may try to log in, over restarts too.

Gateways answer too many logins with 429 or a lock-out, and publish no numbers; ours stay far below any that was
reported. What a login is, and when one is needed, lives in `local.py`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from scheduler.gateway.note import NoNote, Notebook
from scheduler.model.errors import StoreError, Throttled
from scheduler.model.instant import SAME_S, instants_of


class Ledger(Protocol):
    """Where the instants of past logins are kept."""

    def load(self) -> list[datetime]:
        """All that is known, in any order."""

    def save(self, instants: list[datetime], /) -> None:
        """Keep exactly these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """At most ``count`` logins within any ``window``; ``words`` is the window as people say it."""

    count: int
    window: timedelta
    words: str


ALLOWANCES = (
    Allowance(count=3, window=timedelta(minutes=5), words="5 minutes"),
    Allowance(count=10, window=timedelta(hours=1), words="an hour"),
    Allowance(count=30, window=timedelta(days=1), words="a day"),
)

REFUNDS = ALLOWANCES[1:]
"""So many logins are given back at most: a gateway that is busy longer than these last is left alone by the budget."""

_REFUNDED = "refunded_logins"

REPAIRS = 2
"""So many logins beyond each allowance are kept for starting the battery again."""


def remembered(instants: Sequence[datetime], now: datetime) -> list[datetime]:
    """The logins that still count, oldest first. One in the future counts as now: the clock was stepped back."""
    longest = max(allowance.window for allowance in ALLOWANCES)
    return sorted(min(instant, now) for instant in instants if instant > now - longest)


def wait(
    instants: Sequence[datetime],
    now: datetime,
    *,
    beyond: int = 0,
    allowances: Sequence[Allowance] = ALLOWANCES,
) -> timedelta:
    """How long until one more login is within every allowance, each larger by ``beyond``; zero means now.

    ``instants`` as `remembered` gives them.
    """
    counts = ((allowance.count + beyond, allowance.window) for allowance in allowances)
    waits = (instants[-count] + window - now for count, window in counts if len(instants) >= count)
    return max(timedelta(0), max(waits, default=timedelta(0)))


def _used_up(instants: Sequence[datetime], now: datetime, delay: timedelta, *, beyond: int) -> Throttled:
    """The error that says which allowance is used up, and for how long."""
    binding = next(one for one in ALLOWANCES if wait(instants, now, beyond=beyond, allowances=[one]) == delay)
    times = sum(instant > now - binding.window for instant in instants)
    return Throttled(
        f"this program, its daemon and its commands together, has logged in {times} times in {binding.words} and waits "
        f"{math.ceil(delay.total_seconds())} s, so that the gateway does not lock it out",
        silence_s=delay.total_seconds(),
    )


class LoginBudget:
    """The budget of one gateway, kept in a ledger that other processes write to as well; what was given back in a note.

    If the ledger fails, this process still remembers. How long ago its own logins were, it knows by ``monotonic``, in seconds,
    whatever the wall clock is set to meanwhile, and tells the ledger; without such a clock they age as the wall clock goes.
    """

    def __init__(
        self,
        ledger: Ledger,
        notebook: Notebook | None = None,
        monotonic: Callable[[], float] | None = None,
    ) -> None:
        self._ledger = ledger
        self._notebook = notebook or Notebook(NoNote())
        self._monotonic = monotonic
        self._instants: list[datetime] = []
        self._own: list[tuple[datetime, float]] = []  # as the ledger has them, and by the steady clock
        self._alone = False

    def spend(self, now: datetime, *, repair: bool = False) -> None:
        """Take one login off the budget, durably before it is sent; Throttled with the time to wait if it is used up.

        ``repair`` may go beyond it a little: a battery that our login stopped stands still until the next one.
        """
        self._look()
        self._age(now)
        instants = remembered(self._instants, now)
        beyond = REPAIRS if repair else 0
        delay = wait(instants, now, beyond=beyond)
        # Kept even when nothing is spent: an instant of a clock that ran ahead must begin to age.
        self._keep(instants if delay else [*instants, now])
        if delay:
            raise _used_up(instants, now, delay, beyond=beyond)
        if self._monotonic is not None:
            self._own.append((now, self._monotonic()))

    def undo_wait_s(self, now: datetime, *, ahead: int) -> float:
        """For how many seconds there is no login to start the battery again, if ``ahead`` other logins are made first."""
        self._look()
        self._age(now)
        instants = [*remembered(self._instants, now), *[now] * ahead]
        return wait(instants, now, beyond=REPAIRS).total_seconds()

    def refund(self) -> None:
        """Give the last login back: it was not looked at. So often as `REFUNDS` says, over restarts too."""
        last = self._instants[-1]
        page = self._notebook.page()
        refunds = remembered(instants_of(page.entry(_REFUNDED).get("at")), last)
        if wait(refunds, last, allowances=REFUNDS):
            return
        page.put(_REFUNDED, {"at": [at.isoformat() for at in (*refunds, last)]})
        self._look()  # others may have logged in meanwhile
        instants = list(self._instants)
        with suppress(ValueError):
            instants.remove(last)
        self._own = [own for own in self._own if own[0] != last]
        self._keep(instants)

    def _look(self) -> None:
        """Read the ledger. Memory that fails must not keep the house from being switched."""
        with suppress(StoreError):
            # What the ledger says may be older than what this process knows, if it did not take that.
            known = Counter(self._instants if self._alone else [])
            self._instants = sorted((known | Counter(self._ledger.load())).elements())

    def _age(self, now: datetime) -> None:
        """Have those of this process as old as the steady clock says they are, and forget of them what is older than a day."""
        if self._monotonic is None:
            return
        now_s, own, instants = self._monotonic(), list[tuple[datetime, float]](), list(self._instants)
        longest_s = max(allowance.window for allowance in ALLOWANCES).total_seconds()
        for noted, at_s in self._own:
            at = now - timedelta(seconds=now_s - at_s)
            moved_s = (at - noted).total_seconds()
            if now_s - at_s >= longest_s:
                continue
            if abs(moved_s) <= SAME_S:
                own.append((noted, at_s))
                continue
            if noted in instants:
                instants.remove(noted)
            elif moved_s < 0:
                continue  # another process had it count as of now
            instants.append(at)
            own.append((at, at_s))
        self._own = own
        if Counter(instants) != Counter(self._instants):
            self._keep(sorted(instants))

    def _keep(self, instants: list[datetime]) -> None:
        self._instants = instants
        try:
            self._ledger.save(list(instants))
        except StoreError:
            self._alone = True
        else:
            self._alone = False
