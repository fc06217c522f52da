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
    """

    desired: Setpoint
    actual: Setpoint | None = None
    verdict: Verdict | None = None
    owed: bool = False
    refusal: str | None = None
    on_drift: DriftPolicy = "yield"


@dataclass(frozen=True, slots=True)
class Hold:
    """Leave everything as it is."""

    reason: str


@dataclass(frozen=True, slots=True)
class Switch:
    """Bring the gateway to the desired setpoint."""

    reason: str


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
class GiveUp:
    """A person must act first."""

    reason: str


_OPEN = (None, Verdict.UNREACHABLE, Verdict.REFUSED, Verdict.SUPERSEDED)
_READ_BACK = (
    Verdict.ALREADY,
    Verdict.VERIFIED,
    Verdict.EFFECTIVE,
    Verdict.NOT_EFFECTIVE,
    Verdict.DRIFTED,
)
"""The gateway once had what was desired: if it has something else now, somebody else asked for that."""

Decision = Hold | Switch | Yield | Enforce | GiveUp


_STRICTEST_FIRST: tuple[DriftPolicy, ...] = ("enforce", "notify", "yield")


def strictest(policies: Collection[DriftPolicy]) -> DriftPolicy:
    """The policy that counts where several rules gave what was changed; yield where none did."""
    return next((policy for policy in _STRICTEST_FIRST if policy in policies), "yield")


def decide(view: View) -> Decision:
    """The decision for this cycle."""
    if view.refusal is not None:
        return GiveUp(view.refusal)
    if view.verdict in _OPEN:
        return Switch("a new setpoint is due, or the last try ended without an answer")
    if view.owed:
        return Switch("a write may lack its commit")
    if view.actual is None:
        return Hold("the gateway was not read in this cycle")
    if view.desired.is_met_by(view.actual):
        if view.verdict in {Verdict.NOT_APPLIED, Verdict.DRIFTED}:
            return Switch("it reads back after all, which wants a better verdict")
        return Hold("the gateway has what is desired")
    if view.verdict in _READ_BACK:
        return Enforce(view.actual) if view.on_drift == "enforce" else Yield(view.actual, view.on_drift)
    return Switch("the last switch was not proven")
