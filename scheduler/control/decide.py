"""What to do about the setpoint now: a decision as a value, from what is known. Pure; carrying it out is the loop's.

The order of the checks is the policy: what a person must mend first, then a target not brought about yet, then drift.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from scheduler.model.evidence import Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import DriftPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What is known when deciding.

    ``verdict`` is that of the current target, None while it is new; ``actual`` was read in this cycle, None if the
    gateway was not read; ``owed`` means that a write of ours may lack its commit; ``refusal`` is what a person must mend.
    ``set_back_ago_s`` is how many seconds ago changes by somebody were set back within the last hour.
    """

    desired: Setpoint
    actual: Setpoint | None = None
    verdict: Verdict | None = None
    owed: bool = False
    refusal: str | None = None
    on_drift: DriftPolicy = "yield"
    set_back_ago_s: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave everything as it is."""


@dataclass(frozen=True, slots=True)
class Switch:
    """Bring the gateway to the desired setpoint."""


@dataclass(frozen=True, slots=True)
class Yield:
    """Somebody changed what we verified, and it stands until the next boundary."""

    found: Setpoint
    policy: DriftPolicy


@dataclass(frozen=True, slots=True)
class Enforce:
    """Somebody changed what we verified, and the file says to set it back."""

    found: Setpoint


@dataclass(frozen=True, slots=True)
class Bide:
    """Somebody changed it again soon after it was set back: that is done once more, in ``pause_s`` seconds."""

    found: Setpoint
    pause_s: float


@dataclass(frozen=True, slots=True)
class Contend:
    """Somebody changes it again and again: that is told, and not set back before the hour has room for it."""

    found: Setpoint
    times: int


@dataclass(frozen=True, slots=True)
class GiveUp:
    """A person must act first."""

    reason: str


SET_BACK_PAUSE_S = 300.0
"""The shortest time between two times that a change by somebody is set back."""

SET_BACK_IN_HOUR = 6
"""So often it is set back within an hour. Whoever changes it once more is another program, and to take turns with it helps nobody."""

_OPEN = (None, Verdict.UNREACHABLE, Verdict.REFUSED, Verdict.SUPERSEDED)
"""A new setpoint is due, or the last try ended without an answer."""

_READ_BACK = (
    Verdict.ALREADY,
    Verdict.VERIFIED,
    Verdict.EFFECTIVE,
    Verdict.NOT_EFFECTIVE,
    Verdict.DRIFTED,
)
"""The gateway once had what was desired: if it has something else now, somebody else asked for that."""

Decision = Hold | Switch | Yield | Enforce | Bide | Contend | GiveUp


_STRICTEST_FIRST: tuple[DriftPolicy, ...] = ("enforce", "notify", "yield")


def strictest(policies: Collection[DriftPolicy]) -> DriftPolicy:
    """The policy that counts where several rules gave what was changed; yield where none did."""
    return next((policy for policy in _STRICTEST_FIRST if policy in policies), "yield")


def decide(view: View) -> Decision:
    """The decision for this cycle."""
    if view.refusal is not None:
        return GiveUp(view.refusal)
    if view.verdict in _OPEN or view.owed:
        return Switch()
    if view.actual is None:
        return Hold()
    if view.desired.is_met_by(view.actual):
        # It reads back after all, or again: that wants a better verdict.
        return Switch() if view.verdict in {Verdict.NOT_APPLIED, Verdict.DRIFTED} else Hold()
    if view.verdict in _READ_BACK:
        return _answer(view, view.actual)
    return Switch()


def _answer(view: View, found: Setpoint) -> Decision:
    """What is done about a change by somebody."""
    if view.on_drift != "enforce":
        return Yield(found, view.on_drift)
    times = len(view.set_back_ago_s)
    if times >= SET_BACK_IN_HOUR:
        return Contend(found, times)
    pause_s = SET_BACK_PAUSE_S - min(view.set_back_ago_s, default=SET_BACK_PAUSE_S)
    return Bide(found, pause_s) if pause_s > 0 else Enforce(found)
