"""What must never be told or shown: invariants about events, status and the pace of the loop, each with its ID and its sentence."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from scheduler.app.rehearsal.facts import READ, WRITE, Exchange, Facts, Wish
from scheduler.app.rehearsal.invariant import Invariant
from scheduler.model.events import Drifted, Event
from scheduler.model.status import Status


class SecretsAreKept(Invariant):
    """Searches whatever is told."""

    identifier = "I12"
    sentence = "no password is in any event or status"

    def told(self, event: Event) -> Iterable[str]:
        """An event."""
        yield from self._search(str(event), event.name)

    def shown(self, status: Status) -> Iterable[str]:
        """What a status says in words."""
        if status.trouble is not None:
            yield from self._search(status.trouble, "the status")

    def _search(self, text: str, where: str) -> Iterable[str]:
        if any(secret in text for secret in self.facts.secrets):
            yield f"a password in {where}"


class GenerationsGoOn(Invariant):
    """Compares the plan in force with those that were adopted."""

    identifier = "I13"
    sentence = "the plan in force is the one that was adopted last, and never an earlier one again"

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._before = len(facts.digests) - 1

    def shown(self, status: Status) -> Iterable[str]:
        """Its digest; what is adopted while a cycle is under way is taken up by the next one."""
        digests = self.facts.digests
        if status.plan_digest not in digests[self._before :]:
            yield f"{status.plan_digest} is in force, and {digests[-1]} was adopted"
        self._before = len(digests) - 1


class CyclesAreBounded(Invariant):
    """Counts cycles, and looks for pauses between them."""

    identifier = "I14"
    sentence = "at most two cycles in a second over any ten"

    MOST = 21
    WITHIN_S = 10.0

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._cycles: deque[float] = deque()

    def shown(self, _status: Status) -> Iterable[str]:
        """One more."""
        now_s = self.facts.now_s
        self._cycles.append(now_s)
        while self._cycles[0] < now_s - self.WITHIN_S:
            self._cycles.popleft()
        if len(self._cycles) > self.MOST:
            yield f"{len(self._cycles)} cycles in {self.WITHIN_S:g} s"


class EventsAreBounded(Invariant):
    """Counts what is told."""

    identifier = "I16"
    sentence = "at most 400 events are told in an hour"

    MOST = 400

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._events: deque[float] = deque()

    def told(self, event: Event) -> Iterable[str]:
        """One more."""
        now_s = self.facts.now_s
        self._events.append(now_s)
        while self._events[0] < now_s - 3600.0:
            self._events.popleft()
        if len(self._events) > self.MOST:
            yield f"{len(self._events)} in an hour, the last one {event.name}"


class DriftIsSomebodyElses(Invariant):
    """Looks for our own read-back before somebody is blamed."""

    identifier = "I17"
    about = frozenset({READ, WRITE})
    sentence = "a change is put down to somebody only after ours was read back"

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._read: deque[Wish] = deque(maxlen=2)

    def over(self, exchange: Exchange) -> Iterable[str]:
        """A reading since our last write."""
        if exchange.name == WRITE:
            self._read.clear()
        elif self.facts.read is not None:
            self._read.append(self.facts.read)
        return ()

    def told(self, event: Event) -> Iterable[str]:
        """A drift; where the clock was set what is wished may change to and fro, and was read before that."""
        facts = self.facts
        if (
            not isinstance(event, Drifted)
            or facts.met_s >= facts.wished_s
            or facts.stepped_s >= facts.wished_s
        ):
            return
        if not any(
            facts.wish is not None and facts.wish.is_met(it.mode or "", it.raw_percent or 0.0)
            for it in self._read
        ):
            yield f"{event.found} instead of {event.expected}, which was never read"


class ActualWasRead(Invariant):
    """Compares what is shown as actual with what the gateway answered."""

    identifier = "I19"
    about = frozenset({READ})
    sentence = "what is shown as actual was read from the gateway, and never is what we wish"

    # A cycle that fails after its reading shows the one before it, and so may the next ones that read the same and fail.
    KEPT_S = 600.0

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._process = 0
        self._last: Wish | None = None
        self._before: deque[tuple[float, Wish]] = deque(maxlen=12)

    def over(self, exchange: Exchange) -> Iterable[str]:
        """A reading, and until when the one before it was the last."""
        facts = self.facts
        if exchange.process != self._process:
            self._process, self._last = exchange.process, None
            self._before.clear()
        if facts.read_s == facts.now_s:
            if self._last not in {None, facts.read}:
                self._before.append((facts.now_s, self._last))
            self._last = facts.read
        yield from ()

    def shown(self, status: Status) -> Iterable[str]:
        """Actual."""
        facts, actual = self.facts, status.actual
        if actual is None or actual.mode is None or actual.reserve_percent is None:
            return
        raw = 5 + 0.95 * actual.reserve_percent
        known = [wish for until_s, wish in self._before if facts.read_s - until_s <= self.KEPT_S]
        last = self._last if self._process == facts.process else None
        if last is None or not any(wish.is_met(actual.mode, raw) for wish in (last, *known)):
            yield f"{actual}, and what was read last is {last}"


class CyclesAreCompleted(Invariant):
    """Measures the time from one completed cycle to the next."""

    identifier = "I20"
    # The longest cycle is a switch of four attempts.
    sentence = "a living process completes a cycle every 300 s, whatever the gateway does"

    MOST_S = 300.0

    def __init__(self, facts: Facts) -> None:
        super().__init__(facts)
        self._last_s = 0.0

    def shown(self, _status: Status) -> Iterable[str]:
        """A completed cycle."""
        facts = self.facts
        gap_s = facts.now_s - max(self._last_s, facts.began_s, facts.leapt_s)
        self._last_s = facts.now_s
        if gap_s > self.MOST_S:
            yield f"none for {gap_s:.0f} s"


IN_WORDS: tuple[type[Invariant], ...] = (
    SecretsAreKept,
    GenerationsGoOn,
    CyclesAreBounded,
    EventsAreBounded,
    DriftIsSomebodyElses,
    ActualWasRead,
    CyclesAreCompleted,
)
"""All of them."""
