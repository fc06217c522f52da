"""What came of a moment, by what the loop knows: whether the gateway is back, and the battery as the plan wants it. Pure.

Also that the time of a moment is over, and what a person should do then.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from scheduler.control.firmware import Check, Outcome, Phase
from scheduler.control.install import BUDGET
from scheduler.control.state import State
from scheduler.model.events import PersonNeeded
from scheduler.model.reading import Identity

STARTING = timedelta(minutes=7)
"""So long a gateway that is back may refuse what it will take later: what was refused is tried again after 5."""

LATE_LOOK = timedelta(minutes=10)
"""A run that takes up an install whose time is over looks for so long what became of it, before it complains."""

_START = (
    "if the battery stands still, start it in the gateway's own page, or, while no daemon runs, start it with "
    "`tou-scheduler sitemaster run`"
)


def result_of(check: Check, state: State, now: datetime) -> tuple[Outcome, str] | None:
    """How the moment ended, in a word and in a sentence; None while it goes on."""
    if check.phase is Phase.RETURN:
        return _returned(check, state, now)
    if check.phase is Phase.PATH and check.moment.do == "check_path" and state.pacing.latch is not None:
        return Outcome.PATH_SHUT, str(state.pacing.latch)
    if now < check.ends:
        return None
    if check.phase is Phase.INSTALL:
        return _installed_late(check, state, now)
    if check.moment.do == "check_path":
        return Outcome.PATH_SHUT, f"the way to a switch could not be tried in time: {_why(check, state)}"
    if check.waits:
        return Outcome.UPDATE_WAITING, check.waits
    if state.pacing.latch is not None:  # it was told when it was found, and lasts
        return Outcome.NOT_AVAILABLE, str(state.pacing.latch)
    return (
        Outcome.UNFINISHED,
        f"the check was not over in time: {_why(check, state)}; it is made again at the next moment",
    )


def _why(check: Check, state: State) -> str:
    if state.trouble is not None:
        return state.trouble.sentence
    return check.message or f"it was still at '{check.phase.value}'"


def _returned(check: Check, state: State, now: datetime) -> tuple[Outcome, str] | None:
    """Once the gateway is back: the setpoint reads back, or it never will."""
    after, record = state.identity, state.record
    over = _over(check, state)
    if after is None or after == check.before:
        return None if now < over else _unfinished("it was back, and is gone again")
    came = _came(check, after)
    if record is not None and record.verdict.good:
        if check.before is not None and check.before.firmware == after.firmware:
            if now < min(check.ends, (check.since or now) + BUDGET):
                return None  # some restart more than once for one update
            remedy = "the update did not take; see in the gateway's own page, or wait for the next moment"
            return Outcome.ROLLED_BACK, f"{came}; {remedy}"
        if not check.rehearsed and now < over:
            return None
        return Outcome.INSTALLED, f"{came}; the gateway reads back {record.desired}"
    if state.pacing.latch is not None:
        return Outcome.INSTALLED_SHUT, f"{came}; it no longer lets us switch: {state.pacing.latch}"
    needed = state.trouble is not None and state.trouble.kind is PersonNeeded
    late = check.returned_at is not None and now - check.returned_at >= STARTING
    if now < over and not (needed and late):
        return None
    wanted = f"{state.desired} does not read back yet"
    return _unfinished(f"{came}, but {wanted if state.trouble is None else state.trouble.sentence}")


def _installed_late(check: Check, state: State, now: datetime) -> tuple[Outcome, str] | None:
    """The time of an install is over, and nobody saw the gateway come back."""
    if now < _over(check, state) and state.identity in {None, check.before}:
        return None
    if state.identity == check.before is not None and not check.gone:
        remedy = "the update still waits; see in the gateway's own page, or wait for the next moment"
        return (
            Outcome.UPDATE_WAITING,
            f"the gateway was told to install its update, and did not begin; {remedy}",
        )
    return _unfinished("it did not come back as another one in time")


def _over(check: Check, state: State) -> datetime:
    """Until when it is waited for; a run that takes it up looks for a while what became of it."""
    return max(check.ends, state.started + LATE_LOOK) if check.resumed else check.ends


def _unfinished(what: str) -> tuple[Outcome, str]:
    remedy = f"we go on trying to have the battery right; {_START}, and if the gateway stays away, see whether it has power"
    return Outcome.UNFINISHED, f"the gateway was told to install its update: {what}; {remedy}"


def _came(check: Check, after: Identity) -> str:
    before = "" if check.before is None else check.before.firmware
    if before == after.firmware:
        return f"the gateway restarted and runs {after.firmware} as before"
    return f"the gateway went from firmware {before} to {after.firmware}"
