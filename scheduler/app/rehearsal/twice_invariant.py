"""I6 as code: nothing is written that is there already, and nothing twice without a look at what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable

from scheduler.app.rehearsal.facts import READ, WRITE, Exchange, Facts
from scheduler.app.rehearsal.invariant import Invariant
from scheduler.model.events import Event, MomentEnded, MomentStarted

_Wrote = tuple[str | None, float | None]


class NothingTwice(Invariant):
    """Compares each write with what was read last, and with what was taken since then."""

    identifier = "I6"
    about = frozenset({READ, WRITE})
    sentence = (
        "nothing is written that the gateway was last read to have already, or that it took since it was read"
    )

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._moment = False
        self._taken: tuple[int, _Wrote] | None = None

    def told(self, event: Event) -> Iterable[str]:
        """A moment tries the way to a switch by writing what is there; nothing else does."""
        if isinstance(event, MomentStarted | MomentEnded):
            self._moment = isinstance(event, MomentStarted)
        yield from ()

    def over(self, exchange: Exchange) -> Iterable[str]:
        """What was taken, until it is read; another process does not know of it."""
        if exchange.name == WRITE and exchange.status in {200, 202}:
            self._taken = exchange.process, _wrote(exchange)
        elif exchange.name == READ and exchange.status == 200:  # noqa: PLR2004 - fine
            self._taken = None
        yield from ()

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """A write that changes nothing; firmware 1.43 needs each said twice (powerwall2 issue 26)."""
        if exchange.name != WRITE or self.facts.commits_twice:
            return
        mode, raw = wrote = _wrote(exchange)
        if self._taken == (exchange.process, wrote):
            yield f"{mode}, {raw} twice, and nothing was read between"
        read = self.facts.read
        if read is None or self._moment:
            return
        same_reserve = raw is None or (read.raw_percent is not None and abs(read.raw_percent - raw) < 0.1)  # noqa: PLR2004 - as `Wish`
        if mode in {None, read.mode} and same_reserve:
            yield f"{mode}, {raw} again"


def _wrote(exchange: Exchange) -> _Wrote:
    """Mode and raw reserve that a write asks for; None where it leaves one alone."""
    fields = json.loads(exchange.body)
    return fields.get("real_mode", fields.get("mode")), fields.get("backup_reserve_percent")
