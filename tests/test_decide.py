"""The decision of a cycle: a table of what is known and what follows from it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from scheduler.control.decide import (
    SET_BACK_IN_HOUR,
    SET_BACK_PAUSE_S,
    Bide,
    Contend,
    Decision,
    Enforce,
    GiveUp,
    Hold,
    Switch,
    View,
    Yield,
    decide,
    strictest,
)
from scheduler.model.evidence import Verdict
from scheduler.model.setpoint import Setpoint

WANTED = Setpoint(mode="backup", reserve_percent=100)
OTHER = Setpoint(mode="self_consumption", reserve_percent=5)

OPEN = {None, Verdict.UNREACHABLE, Verdict.REFUSED, Verdict.SUPERSEDED}
READ_BACK = {
    Verdict.ALREADY,
    Verdict.VERIFIED,
    Verdict.EFFECTIVE,
    Verdict.NOT_EFFECTIVE,
    Verdict.DRIFTED,
}
ALL = {None, *Verdict}


def known(verdict: Verdict | None, actual: Setpoint | None = None) -> View:
    """What is known, with no refusal and nothing owed."""
    return View(desired=WANTED, actual=actual, verdict=verdict)


def kind(view: View) -> type[Decision]:
    """The kind of decision."""
    return type(decide(view))


@pytest.mark.parametrize("verdict", sorted(ALL, key=str))
def test_a_refusal_comes_before_everything_else(verdict: Verdict | None) -> None:
    """While a person must act nothing is tried, and the decision says what the person has to do."""
    view = replace(known(verdict, OTHER), refusal="the role is not enough; log in as installer", owed=True)

    assert decide(view) == GiveUp("the role is not enough; log in as installer")


@pytest.mark.parametrize("actual", [None, WANTED, OTHER])
@pytest.mark.parametrize("verdict", sorted(OPEN, key=str))
def test_a_target_without_an_outcome_is_switched_to(verdict: Verdict | None, actual: Setpoint | None) -> None:
    """A new target, or one whose last try had no answer, is switched to even where it already reads so."""
    assert kind(known(verdict, actual)) is Switch


@pytest.mark.parametrize("verdict", sorted(ALL - OPEN, key=str))
def test_a_write_without_its_commit_is_made_good(verdict: Verdict | None) -> None:
    """Reading back as desired is no proof while a commit is owed."""
    assert kind(replace(known(verdict, WANTED), owed=True)) is Switch


@pytest.mark.parametrize("verdict", sorted(ALL - OPEN, key=str))
def test_without_a_reading_nothing_is_done(verdict: Verdict | None) -> None:
    """A cycle that did not read the gateway has nothing to compare."""
    assert kind(known(verdict)) is Hold


@pytest.mark.parametrize("verdict", sorted(READ_BACK - {Verdict.DRIFTED}, key=str))
def test_what_reads_as_desired_is_left_alone(verdict: Verdict) -> None:
    """Nothing is written to a gateway that has what is desired, whatever the meters said."""
    assert kind(known(verdict, WANTED)) is Hold


@pytest.mark.parametrize("verdict", [Verdict.NOT_APPLIED, Verdict.DRIFTED])
def test_a_late_success_gets_its_verdict(verdict: Verdict) -> None:
    """A gateway that has the setpoint after all, or again, is proven anew, so that the record does not stay bad."""
    assert kind(known(verdict, WANTED)) is Switch


def test_what_was_never_applied_is_tried_again() -> None:
    """The gateway never had what was desired, so nobody can have changed it: that is no drift."""
    assert kind(replace(known(Verdict.NOT_APPLIED, OTHER), on_drift="yield")) is Switch


@pytest.mark.parametrize("verdict", sorted(READ_BACK, key=str))
@pytest.mark.parametrize("policy", ["yield", "notify"])
def test_a_change_by_somebody_else_stands(verdict: Verdict, policy: str) -> None:
    """What once read back and now differs was changed by a person or another tool: we do not fight them."""
    view = View(desired=WANTED, actual=OTHER, verdict=verdict, on_drift=policy)  # type: ignore[arg-type]

    assert decide(view) == Yield(OTHER, policy)  # type: ignore[arg-type]


@pytest.mark.parametrize("verdict", sorted(READ_BACK, key=str))
def test_a_change_by_somebody_else_is_undone_where_asked_for(verdict: Verdict) -> None:
    """With on_drift: enforce the setpoint is brought back."""
    assert kind(View(desired=WANTED, actual=OTHER, verdict=verdict, on_drift="enforce")) is Enforce


@pytest.mark.parametrize(
    ("ago_s", "decision"),
    [
        ((), Enforce(OTHER)),
        ((0.0,), Bide(OTHER, SET_BACK_PAUSE_S)),
        ((900.0, SET_BACK_PAUSE_S - 1), Bide(OTHER, 1.0)),
        ((900.0, SET_BACK_PAUSE_S), Enforce(OTHER)),
        ((900.0,) * (SET_BACK_IN_HOUR - 1), Enforce(OTHER)),
        ((900.0,) * SET_BACK_IN_HOUR, Contend(OTHER, SET_BACK_IN_HOUR)),
    ],
)
def test_p9_nobody_is_fought(ago_s: tuple[float, ...], decision: Decision) -> None:
    """A change is set back not sooner than five minutes after the last time, and not more than six times an hour."""
    view = View(
        desired=WANTED, actual=OTHER, verdict=Verdict.VERIFIED, on_drift="enforce", set_back_ago_s=ago_s
    )

    assert decide(view) == decision
    assert kind(replace(view, on_drift="yield")) is Yield


def test_every_verdict_has_a_place_in_the_tables() -> None:
    """A verdict that is added must be sorted here before it can be decided on."""
    assert {*OPEN, *READ_BACK, Verdict.NOT_APPLIED} == ALL


def test_a_field_left_alone_cannot_drift() -> None:
    """Somebody who changes a field that no rule asks for has not changed anything of ours."""
    view = View(
        desired=Setpoint(reserve_percent=5),
        actual=Setpoint(mode="autonomous", reserve_percent=5.02),
        verdict=Verdict.VERIFIED,
    )

    assert kind(view) is Hold


@pytest.mark.parametrize(
    ("policies", "counts"),
    [
        ([], "yield"),
        (["yield"], "yield"),
        (["yield", "notify"], "notify"),
        (["notify", "enforce", "yield"], "enforce"),
    ],
)
def test_the_strictest_drift_policy_counts(policies: list[str], counts: str) -> None:
    """Where several rules gave what was changed, nobody's protection is lost."""
    assert strictest(policies) == counts  # type: ignore[arg-type]
