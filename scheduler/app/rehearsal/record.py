"""The record of one rehearsal: what was asked and answered, what the battery did, and the traces of all that.

Whoever judges is told from here, in the order in which things happen.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from contextlib import suppress
from hashlib import blake2b

from scheduler.app.rehearsal.course import Course
from scheduler.app.rehearsal.facts import ESSENCE, LOGIN, READ, WRITE, Exchange, Facts, Wish
from scheduler.app.rehearsal.jury import Jury
from scheduler.model.events import Event, MomentEnded, MomentStarted
from scheduler.model.status import Status
from scheduler.simulator.device import SimulatedGateway

WINDOWS_S = ((300.0, 3), (3600.0, 10), (86400.0, 30))
"""The login budget, as it is promised: where it is used up, nothing can be expected until it is not."""

REFILLED_S = 120.0
"""So soon after the budget has a login again all must be well."""

SILENCE_S = (300.0, 3600.0)
"""The shortest and the longest silence after a 429."""


class Record:
    """What happened. ``essence`` is the hash of what was changed and when, ``trace`` that of everything."""

    def __init__(self, device: SimulatedGateway, facts: Facts) -> None:
        self._device = device
        self.facts = facts
        self.jury = Jury(facts)
        self.course = Course(facts, self.jury)
        self.counts: Counter[str] = Counter()
        self.trace = blake2b(digest_size=16)
        self.essence = blake2b(digest_size=16)
        self._seen = 1

    def log(self, what: str, now_s: float) -> None:
        """Write a line of the trace."""
        self.trace.update(f"{now_s:.3f} {what}\n".encode())

    def sent(self, exchange: Exchange) -> None:
        """A request goes out."""
        self.facts.now_s = exchange.at_s
        self.jury.sent(exchange)
        if exchange.name == WRITE:
            fields = json.loads(exchange.body)
            wrote = Wish(fields.get("real_mode", fields.get("mode")), fields.get("backup_reserve_percent"))
            self.course.write(wrote, (self._device.start_time - self.facts.start).total_seconds())

    def over(self, exchange: Exchange, now_s: float) -> None:
        """A request is answered, or came to nothing."""
        facts = self.facts
        facts.now_s = exchange.over_s = now_s
        name, status = exchange.name, exchange.status
        self.counts["requests"] += 1
        if name == LOGIN:
            self.counts["logins"] += 1
        elif name == READ and status == 200:  # noqa: PLR2004 - fine
            self._note_read(exchange.answer)
        elif name == WRITE:
            self.counts["writes"] += 1
        if status == 429:  # noqa: PLR2004 - too many
            said = exchange.retry_after or ""
            silence_s = min(max(float(said), SILENCE_S[0]), SILENCE_S[1]) if said.isdigit() else SILENCE_S[0]
            self.course.silence(now_s + silence_s)
        if len(self._device.history) > self._seen:
            self.look_at_battery()
        self.jury.over(exchange)
        line = f"{exchange.at_s:.3f} {name} {status} {now_s:.3f}\n".encode()
        self.trace.update(line)
        if name in ESSENCE:
            self.essence.update(line + exchange.body)

    def _note_read(self, answer: bytes) -> None:
        """A reading, where it is one: what is no JSON, or has no number, was read by nobody."""
        facts = self.facts
        with suppress(ValueError, TypeError, AttributeError, KeyError):
            fields = json.loads(answer)
            raw = float(fields["backup_reserve_percent"])
            if not math.isfinite(raw):
                return
            mode = str(fields.get("real_mode", fields.get("mode")))
            facts.read, facts.read_s = Wish(mode, raw), facts.now_s
            if facts.wish is not None and facts.wish.is_met(mode, raw):
                facts.met_s = facts.now_s

    def look_at_battery(self) -> None:
        """Take note of what the battery went by since the last look: it knows only once it is asked. Before time is judged."""
        self._device.now()
        for at, obeyed in self._device.history[self._seen :]:
            at_s = (at - self.facts.start).total_seconds()
            if not obeyed.running and at == self._device.login_stops and self.facts.running:
                self.facts.by_us_s = at_s
            self.course.battery(obeyed, at_s)
            said = f"{at_s:.3f} {obeyed.mode} {obeyed.reserve_raw_percent} {obeyed.running}\n".encode()
            self.trace.update(said)
            self.essence.update(said)
        self._seen = len(self._device.history)

    def told(self, event: Event, now_s: float) -> None:
        """The program tells something."""
        self.counts[f"event {event.name}"] += 1
        self.facts.now_s = now_s
        self.jury.told(event)
        if isinstance(event, MomentStarted | MomentEnded):
            self.course.moment(begins=isinstance(event, MomentStarted))

    def shown(self, status: Status, now_s: float, *, can_switch: bool) -> None:
        """A cycle is completed; on a gateway that does not let us switch a trouble is shown for good."""
        self.facts.now_s = now_s
        self.counts["cycles"] += 1
        self.jury.shown(status)
        if not self.facts.met or len(self._device.history) > self._seen:
            self.look_at_battery()
        self.course.trouble(status.trouble if can_switch else None, now_s)
