"""What is leapt over: rests in which nothing can happen, many of them in one go.

While nobody touches the gateway, its answers to a look are those to the look before, and a cycle between two looks asks
nothing. So a rest may be as long as many: whole ticks up to the next thing that wants attention, or whole looks up to the next
thing that happens. Both leave every later look and tick at the instant at which it would have been.
"""

from __future__ import annotations

import math
from collections.abc import Sized
from dataclasses import dataclass
from datetime import datetime

from scheduler.app.rehearsal.facts import Facts
from scheduler.control.loop import REST_S, TICK_S
from scheduler.control.trust import LOOK_S
from scheduler.model.events import Event, MomentEnded, MomentStarted
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.status import Status

CALM_S = 30.0
"""A look and so long after the last fault looks may be leapt over: that one has found all that the fault left behind."""

UNSETTLED_S = 60.0
"""So long after somebody set the clock it is looked at as often as ever."""

STEADY = frozenset(
    {Verdict.ALREADY, Verdict.VERIFIED, Verdict.EFFECTIVE, Verdict.NOT_EFFECTIVE, Verdict.DRIFTED}
)
"""With these verdicts nothing is tried any more until something changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ahead:
    """What is to come, in so many seconds from now.

    ``happens_s`` is the next thing that no alarm wakes the program at, or one that its last look does not know; ``rings_s`` is
    the next alarm, ``expires_s`` the end of the session, ``due_s`` when the program wants to do something; ``look_s`` is how
    often it looks.
    """

    happens_s: float
    rings_s: float
    expires_s: float
    due_s: float
    look_s: float


class Leaps:
    """How long the rests of the process of the moment are.

    ``drops_alarms``: nobody is woken at a boundary, so that the ticks between two looks must not be moved either.
    """

    def __init__(self, facts: Facts, *, every_tick: bool, drops_alarms: bool) -> None:
        self._facts = facts
        self._every_tick = every_tick
        self._drops_alarms = drops_alarms
        self._status: Status | None = None
        self._shown_s = -1.0
        self._read_s = -1.0
        self._moment = False
        self.taken = 0

    def begin(self) -> None:
        """Another process begins: nothing is known of its rests yet. A moment under way goes on in it."""
        self._status, self._shown_s = None, -1.0

    @property
    def looked(self) -> datetime | None:
        """When this process looked at the plan last, by this machine's clock: it does not know yet what happened since."""
        return None if self._status is None else self._status.at

    def read(self, now_s: float) -> None:
        """The setpoint was read."""
        self._read_s = now_s

    def told(self, event: Event) -> None:
        """The program tells something."""
        if isinstance(event, MomentStarted | MomentEnded):
            self._moment = isinstance(event, MomentStarted)

    def shown(self, status: Status, now_s: float) -> None:
        """A cycle is completed, and what follows is a rest."""
        self._status, self._shown_s = status, now_s

    def length_s(self, seconds: float, now_s: float, ahead: Ahead, owed: Sized) -> float:
        """How long a sleep of so many ``seconds`` is to be, where this lies ahead; an alarm ends it earlier.

        ``owed`` are the program's marks.
        """
        facts, status = self._facts, self._status
        until_s = ahead.happens_s
        if 0 < ahead.rings_s % TICK_S < REST_S:  # whoever is woken right after a tick rests first
            until_s = min(until_s, ahead.rings_s)
        if self._every_tick or status is None or now_s != self._shown_s or until_s <= seconds:
            return seconds
        if now_s < facts.stepped_s + UNSETTLED_S or len(owed):  # what is owed is seen to at each tick
            return seconds
        if not facts.trusted:
            length_s = math.floor(min(until_s, ahead.due_s) / LOOK_S) * LOOK_S
        else:
            length_s = self._looks_s(status, now_s, ahead, until_s)
            if not length_s:
                rested_s = _rested_s(ahead.due_s)
                length_s = rested_s if rested_s <= until_s else math.floor(until_s / TICK_S) * TICK_S
        if length_s <= seconds:
            return seconds
        facts.leapt_s = now_s + length_s
        self.taken += 1
        return length_s

    def _looks_s(self, status: Status, now_s: float, ahead: Ahead, until_s: float) -> float:
        """How long it is until the last look before the next thing that happens; zero where none may be leapt over."""
        look_s, due_s = ahead.look_s, ahead.due_s
        if self._read_s == now_s or (due_s == look_s and _is_refused(status.record)):
            first_s = look_s
        elif self._facts.met and due_s == self._read_s + look_s - now_s:
            # A switch read it, and the meters have had their say.
            first_s = _rested_s(due_s)
        else:
            return 0.0
        if not self._is_steady(status, now_s, ahead):
            return 0.0
        looks = math.floor((until_s - first_s) / look_s)
        if ahead.expires_s < until_s:
            # Found by what is asked first after it: a look, or the meters before it.
            left = (ahead.expires_s - first_s) / look_s
            looks = min(looks, math.floor(left) if due_s < first_s else math.ceil(left))
        return first_s + looks * look_s if looks >= 0 else 0.0

    def _is_steady(self, status: Status, now_s: float, ahead: Ahead) -> bool:
        """Whether what is known is what each of the next looks will be answered."""
        facts, record = self._facts, status.record
        return (
            record is not None
            and ((record.verdict in STEADY and status.trouble is None) or _is_refused(record))
            and status.installing_since is None
            and not facts.faults
            and now_s > max(facts.fault_s, facts.stepped_s, facts.began_s) + ahead.look_s + CALM_S
            and (facts.met or now_s >= facts.wished_s + ahead.look_s)
            and not self._moment
            and not facts.forgets
            and (not self._drops_alarms or ahead.due_s % TICK_S == 0)
        )


def _is_refused(record: SwitchRecord | None) -> bool:
    """Whether the gateway does not let us switch: it is looked at, and nothing else is tried until that is doubted."""
    return record is not None and record.verdict is Verdict.REFUSED


def _rested_s(due_s: float) -> float:
    """How long many rests take until what is due in so many seconds: the last of them is no shorter than the shortest."""
    left_s = due_s % TICK_S
    return due_s - left_s + max(left_s, REST_S) if left_s else due_s
