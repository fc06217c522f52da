"""What of the gateway's setpoint is ours: what was read back last, and for which target, kept over restarts.

Only who has read his own write back may say that somebody else changed it. Two cases are told apart by this after a restart:
a change by a person, which stands, and a switch of ours that was never proven, which is made once more. Also counted here
is how often a change was set back of late; what follows from that is `decide`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from scheduler.control.agenda import Agenda
from scheduler.control.diary import OWNED, Diary, Section
from scheduler.control.ports import Clock
from scheduler.control.state import State
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.instant import instant_of, instants_of
from scheduler.model.reading import Identity
from scheduler.model.setpoint import Setpoint

HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """A setpoint of one segment. ``boundary`` or ``until`` is None where the plan was not compiled so far.

    ``hold`` is when the hold began that it is under: a person's word makes another target of the same setpoint.
    """

    desired: Setpoint
    boundary: datetime | None
    until: datetime | None
    hold: datetime | None


class Ownership:
    """What was proven of one gateway. `follow` comes first in a cycle."""

    def __init__(self, state: State, diary: Diary, clock: Clock) -> None:
        self._state = state
        self._diary = diary
        self._clock = clock
        self._target: _Target | None = None
        self._recalled: Section | None = diary.section(OWNED)
        self._noted: object = None
        self._set_back = instants_of(diary.section(OWNED).get("set_back"))

    def follow(self, agenda: Agenda, now: datetime) -> None:
        """Know the target of now."""
        end = agenda.coarse.at(now).end
        self._target = _Target(
            desired=self._state.desired,
            boundary=agenda.boundary(now),
            until=None if end >= agenda.coarse.end else end,
            hold=None if agenda.hold is None else agenda.hold.since,
        )

    def recalls(self) -> bool:
        """Whether an earlier run of ours proved the very target that is new to this one: then it is looked at first."""
        if self._state.record is not None:
            self._recalled = None  # from now on this run has evidence of its own
        return self._recalled is not None and self._is_of_target(self._recalled)

    def recall(self, actual: Setpoint, identity: Identity | None) -> None:
        """Take the earlier run's evidence for ours where ``actual``, just read, differs from what it had proven.

        A gateway with another firmware than then may have changed it by itself, and so may one that was restarted; a
        restart does not undo what a person set.
        """
        if not self.recalls() or self._recalled is None:
            return
        state, kept, self._recalled = self._state, self._recalled, None
        if state.desired.is_met_by(actual):
            return
        found = _setpoint(kept.get("found"))
        firmware, start_time = _names(identity)
        if kept.get("firmware") != firmware or (found is None and kept.get("start_time") != start_time):
            return
        state.contended = kept.get("contended") is True
        state.record = SwitchRecord(
            verdict=Verdict.VERIFIED if found is None else Verdict.DRIFTED,
            at=instant_of(kept.get("at")) or self._clock.now(),
            boundary=state.boundary,
            rules=state.rules,
            desired=state.desired,
            before=None,
            after=found or state.desired,
            attempts=0,
            firmware=firmware,
            steps=(),
            message=f"the gateway read back {state.desired}"
            if found is None
            else f"somebody changed it to {found}; that stands until the next boundary",
        )

    def begin(self) -> None:
        """A switch to the target begins: what was proven of another one is the gateway's no longer.

        Nothing is written where its segment is over: nobody looks for it then.
        """
        self._recalled = None  # whatever an earlier run proved, from now on it is this one that writes
        kept = self._diary.section(OWNED)
        if "desired" in kept and not self._is_of_target(kept) and self._is_alive(kept):
            self._diary.put(OWNED, {"set_back": kept["set_back"]} if kept.get("set_back") else {})

    def note(self) -> None:
        """Keep what the cycle has proven, or found changed; nothing is written if that is known."""
        record, target = self._state.record, self._target
        known = (record, target, self._state.identity, self._state.contended, tuple(self._set_back))
        if known == self._noted:
            return
        self._noted = known
        if record is None or target is None or not _is_proof(record.verdict):
            return
        firmware, start_time = _names(self._state.identity)
        before = self._diary.section(OWNED)
        drifted = record.verdict is Verdict.DRIFTED and record.after is not None
        section: Section = {
            "desired": target.desired.given(),
            "boundary": _text(target.boundary),
            "until": _text(target.until),
            "hold": _text(target.hold),
            "found": record.after.given() if drifted and record.after is not None else None,
            "contended": self._state.contended,
            "set_back": [at.isoformat() for at in self._set_back],
            "at": record.at.isoformat(),
            "firmware": firmware,
            "start_time": start_time,
        }
        if (
            drifted
            and before.get("contended") is self._state.contended is True
            and self._is_of_target(before)
        ):
            section["found"] = before.get("found")  # whatever it is changed to after that is nobody's news
        if section != before | {"at": section["at"]}:  # when it was proven once more is not worth a write
            self._diary.put(OWNED, section)

    def set_back(self) -> None:
        """A change by somebody is set back now."""
        self._set_back = [*self._lately(), self._clock.now()]

    @property
    def set_back_ago_s(self) -> tuple[float, ...]:
        """How many seconds ago changes were set back within the last hour, in the order in which they were."""
        now = self._clock.now()
        return tuple(abs((now - at).total_seconds()) for at in self._lately())

    def _lately(self) -> list[datetime]:
        now = self._clock.now()
        return [at for at in self._set_back if abs(now - at) < HOUR]

    def _is_of_target(self, kept: Section) -> bool:
        target = self._target
        return (
            target is not None
            and _setpoint(kept.get("desired")) == target.desired
            and instant_of(kept.get("boundary")) == target.boundary
            and instant_of(kept.get("hold")) == target.hold
            and self._is_alive(kept)
        )

    def _is_alive(self, kept: Section) -> bool:
        until = instant_of(kept.get("until"))
        return until is None or self._clock.now() < until


def _is_proof(verdict: Verdict) -> bool:
    return verdict.good or verdict in {Verdict.NOT_EFFECTIVE, Verdict.DRIFTED}


def _names(identity: Identity | None) -> tuple[str | None, str | None]:
    return (None, None) if identity is None else (identity.firmware, identity.start_time)


def _setpoint(value: object) -> Setpoint | None:
    if not isinstance(value, dict):
        return None
    mode, reserve = value.get("mode"), value.get("reserve_percent")
    return Setpoint(
        mode=mode if isinstance(mode, str) else None,
        reserve_percent=reserve if isinstance(reserve, int | float) else None,
    )


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()
