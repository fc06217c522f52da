"""What must never happen on the wire: invariants of safety as code, each with its ID and its sentence.

Nothing of `control` or `gateway` is used. The sentence says the bound that we promise, the comment beside it why it is that.
"""

from __future__ import annotations

import json
import math
from collections import deque
from collections.abc import Iterable

from scheduler.app.rehearsal.facts import (
    COMMIT,
    EARLY_S,
    LOGIN,
    MAY_HAVE_STOPPED,
    MODES,
    RUN,
    SITEMASTER,
    STATUS,
    STOPS,
    WRITE,
    Exchange,
    Facts,
)
from scheduler.app.rehearsal.invariant import Invariant
from scheduler.app.rehearsal.twice_invariant import NothingTwice
from scheduler.model.events import Event, Switched


class WritesAreOfThePlan(Invariant):
    """Looks at the body of each write."""

    identifier = "I1"
    about = frozenset({WRITE})
    sentence = "a write asks for a mode that may be asked for and a reserve of 0 to 100 % raw that the plan, a hold or the gateway has"

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """Each field of a write."""
        if exchange.name != WRITE:
            return
        fields, known = json.loads(exchange.body), self.facts.known
        modes = {fields[key] for key in ("real_mode", "mode") if key in fields}
        raw = fields.get("backup_reserve_percent")
        if not modes <= (MODES & {wish.mode for wish in known}) or len(modes) > 1:
            yield f"mode {modes}"
        if raw is None:
            return
        reserves = [wish.raw_percent for wish in known]
        if not (isinstance(raw, int | float) and math.isfinite(raw) and 0 <= raw <= 100):  # noqa: PLR2004 - percent
            yield f"reserve {raw}"
        elif not any(reserve is not None and abs(reserve - raw) < 1e-6 for reserve in reserves):  # noqa: PLR2004 - float dust
            yield f"reserve {raw}, and no rule asks for it"


class NothingStopsOrStartsIt(Invariant):
    """Looks at stops, forced logins and starts."""

    identifier = "I2"
    about = STOPS | {LOGIN, RUN}
    sentence = (
        "no request stops the battery, and none starts it unless it is noted that we may have stopped it"
    )

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """Each request by its name."""
        if exchange.name in STOPS:
            yield "a stop"
        elif exchange.name == LOGIN and json.loads(exchange.body).get("force_sm_off"):
            yield "a login with force_sm_off"
        elif exchange.name == RUN and MAY_HAVE_STOPPED not in self.facts.owed:
            yield "a start without the mark"


class OneAtATime(Invariant):
    """Counts the requests that are out."""

    identifier = "I4"
    sentence = "at most one request is under way"

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._out = 0

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """One more."""
        self._out += 1
        return (f"{exchange.name} beside another one",) if self._out > 1 else ()

    def over(self, _exchange: Exchange) -> Iterable[str]:
        """One less."""
        self._out -= 1
        return ()


class NoWriteWithoutTime(Invariant):
    """Looks at writes while the clock is not trusted."""

    identifier = "I5"
    about = frozenset({WRITE, COMMIT})
    sentence = "nothing is written while the clock is not trusted"

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """Writes and commits."""
        if exchange.name in {WRITE, COMMIT} and not self.facts.trusted:
            yield exchange.name


class AskedWhoItIs(Invariant):
    """Looks for the question before a password."""

    identifier = "I7"
    about = frozenset({STATUS, LOGIN})
    sentence = "no password is sent by a process that has not asked the gateway who it is; pin and TLS are proven elsewhere"

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._asked = 0

    def over(self, exchange: Exchange) -> Iterable[str]:
        """The answer to the question."""
        if exchange.name == STATUS and exchange.status is not None:
            self._asked = exchange.process
        yield from ()

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """A login."""
        if exchange.name == LOGIN and self._asked != exchange.process:
            yield "a login before anything else"


class LoginsAreFew(Invariant):
    """Counts logins within 5 minutes, an hour and a day."""

    identifier = "I8"
    about = frozenset({LOGIN})
    # Two more than 3, 10 and 30 start a battery again that we stopped. What a gateway that is busy or starting (503, 502) did
    # not look at is given back. The windows are of this machine's clock: over a step of it nothing is counted.
    sentence = "at most 3 logins in 5 minutes, 10 in an hour and 30 in a day, over restarts, and 2 more of each to start the battery"

    WINDOWS = ((300.0, 5), (3600.0, 12), (86400.0, 32))

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._logins: deque[float] = deque()

    def over(self, exchange: Exchange) -> Iterable[str]:
        """One more login that was looked at, or may have been."""
        if exchange.name != LOGIN or exchange.status in {502, 503}:
            return
        now_s = exchange.at_s
        self._logins.append(now_s)
        while self._logins[0] <= now_s - 86400.0:
            self._logins.popleft()
        since_s = max(self.facts.stepped_s, self.facts.forgot_s)
        for window_s, most in self.WINDOWS:
            within = sum(1 for at_s in self._logins if at_s > max(now_s - window_s, since_s))
            if within > most:
                yield f"{within} logins in {window_s:g} s"


class SilenceIsKept(Invariant):
    """Looks at what follows a 429."""

    identifier = "I9"
    # A battery that stands still by our doing is not kept waiting: whether it runs is asked, and a start said, once a minute.
    # A process that is killed in the very instant of the answer has noted nothing yet, and the next one cannot know.
    sentence = "after a 429 nothing is asked for 300 s, but to start a battery that we may have stopped"

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._told_s = EARLY_S

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """What is asked too early."""
        facts = self.facts
        if self._told_s == facts.died_s:  # who dies in the instant of the answer notes nothing
            self._told_s = EARLY_S
        if exchange.at_s >= self._told_s + 300.0 or self._told_s < max(facts.stepped_s, facts.forgot_s):
            return ()
        repairs = exchange.name in {SITEMASTER, RUN} and MAY_HAVE_STOPPED in facts.owed
        return () if repairs else (f"{exchange.name} {exchange.at_s - self._told_s:.1f} s after it",)

    def over(self, exchange: Exchange) -> Iterable[str]:
        """A 429."""
        if exchange.status == 429 and exchange.over_s is not None:  # noqa: PLR2004 - 429
            self._told_s = exchange.over_s
        return ()


class LoginsHaveAReason(Invariant):
    """Looks at what was answered before a login."""

    identifier = "I10"
    # 403 is also how a gateway speaks of a dead token; to a write it may mean the role, which firmware before 1.25 hides.
    sentence = "a session is only made anew after 401, or 403 to a read, said that it is over"

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._has = 0
        self._refused = False

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """A login with a session at hand."""
        if exchange.name == LOGIN and self._has == exchange.process and not self._refused:
            return ("a login, and the session was not refused",)
        return ()

    def over(self, exchange: Exchange) -> Iterable[str]:
        """Whether there is a session, and whether it was refused."""
        if exchange.name == LOGIN:
            good = exchange.status == 200 and b'"token"' in exchange.answer  # noqa: PLR2004 - fine
            self._has, self._refused = (exchange.process if good else 0), False
        elif exchange.with_token and (
            exchange.status == 401  # noqa: PLR2004 - no session
            or (exchange.status == 403 and (exchange.name != WRITE or self.facts.cannot_tell))  # noqa: PLR2004 - or no right
        ):
            self._refused = True
        return ()


class CallsEnd(Invariant):
    """Measures each call and counts them by the hour."""

    identifier = "I11"
    # 45 s are an attempt's; a switch has four, with 65 s of pauses and 9 s to leave the battery running.
    sentence = (
        "any call ends within 10 s, any switch within 254 s, and at most 600 requests go out in an hour"
    )

    CALL_S = 10.0
    SWITCH_S = 4 * 45.0 + 65.0 + 9.0
    REQUESTS = 600

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._sent: deque[float] = deque()

    def sent(self, exchange: Exchange) -> Iterable[str]:
        """One more request."""
        self._sent.append(exchange.at_s)
        while self._sent[0] <= exchange.at_s - 3600.0:
            self._sent.popleft()
        return (f"{len(self._sent)} requests in an hour",) if len(self._sent) > self.REQUESTS else ()

    def over(self, exchange: Exchange) -> Iterable[str]:
        """How long it took."""
        took_s = (exchange.over_s or exchange.at_s) - exchange.at_s
        return (f"{exchange.name} took {took_s:.1f} s",) if took_s > self.CALL_S else ()

    def told(self, event: Event) -> Iterable[str]:
        """How long a switch took."""
        took_ms = event.record.took_ms if isinstance(event, Switched) else None
        if took_ms is not None and took_ms > 1000 * self.SWITCH_S:
            yield f"a switch took {took_ms / 1000:.0f} s"


ON_THE_WIRE: tuple[type[Invariant], ...] = (
    WritesAreOfThePlan,
    NothingStopsOrStartsIt,
    OneAtATime,
    NoWriteWithoutTime,
    NothingTwice,
    AskedWhoItIs,
    LoginsAreFew,
    SilenceIsKept,
    LoginsHaveAReason,
    CallsEnd,
)
"""All of them."""
