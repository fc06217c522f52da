"""Pauses after failures: how long, and what stays latched."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.pacing import PATIENCE, PROBE_S, STEADY, Pacing
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    IdentityChanged,
    NotCapable,
    NotOffered,
    SessionExpired,
    Standstill,
    Throttled,
    Transient,
    Unsteady,
    Unwilling,
)

jitters = st.floats(0, 1, exclude_max=True)
transients = st.sampled_from([Transient("no answer"), Unsteady("busy"), SessionExpired("no session")])
latching = NotCapable("this role may not write", remedy="log in as installer")


@given(st.lists(st.tuples(transients, jitters), min_size=1, max_size=40), st.floats(0, 1e6))
def test_every_pause_is_between_5_and_60_seconds(
    failures: list[tuple[GatewayError, float]], now_s: float
) -> None:
    """However often the gateway fails and however the dice fall, the next try is 5 to 60 s away."""
    pacing = STEADY
    for error, jitter in failures:
        pacing = pacing.after(error, now_s, jitter)
        pause_s = pacing.resume_s - now_s
        assert 4.999 <= pause_s <= 60.001
        now_s = pacing.resume_s


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.999])
def test_pauses_grow_until_they_are_a_minute(jitter: float) -> None:
    """With the same jitter each pause is as long as the one before or longer, and the first is the shortest."""
    pauses_s, pacing = [], STEADY
    for _ in range(6):
        pacing = pacing.after(Transient("no answer"), 0, jitter)
        pauses_s.append(pacing.resume_s)

    assert pauses_s == sorted(pauses_s)
    assert pauses_s[0] < pauses_s[1] < pauses_s[2]
    assert pauses_s[-1] == pauses_s[-2] == pytest.approx(60 * (0.5 + jitter / 2))


@given(jitters, jitters)
def test_jitter_spreads_every_pause(one: float, other: float) -> None:
    """Two houses that lost the same gateway at the same instant do not come back in step, even at the longest pause."""
    for failures in (0, 3, 50):
        pauses = [
            Pacing(failures=failures).after(Transient("no answer"), 0, j).resume_s for j in (one, other)
        ]
        assert (pauses[0] < pauses[1]) == (one < other) or abs(one - other) < 1e-9


def test_a_gateway_that_wants_silence_gets_it() -> None:
    """After 429 the silence is at least 300 s, the same for everybody, and as long as the error says."""
    assert STEADY.after(Throttled("too many requests"), 100, 0.3).resume_s == 400
    assert STEADY.after(Throttled("too many requests", silence_s=900), 100, 0.9).resume_s == 1000


@pytest.mark.parametrize("failures", [0, 1, 20])
@pytest.mark.parametrize(
    ("error", "pause_s"),
    [
        (BadCredentials("wrong password", remedy="set another"), 300),
        (IdentityChanged("another certificate", remedy="trust it"), 60),
        (latching, 300),
        (Standstill("stopped", remedy="start it"), 60),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_a_person_must_mend_is_looked_at_at_a_steady_pace(
    error: GatewayError, pause_s: float, failures: int
) -> None:
    """A person's work is not hurried by asking more often, and not missed by asking ever more seldom."""
    assert Pacing(failures=failures).after(error, 0, 0.5).resume_s == pause_s


@given(st.lists(transients, max_size=10), jitters)
def test_a_latch_survives_whatever_passes(errors: list[GatewayError], jitter: float) -> None:
    """What this gateway does not do stays known through timeouts, restarts of the session and recovery."""
    pacing = STEADY.latched(latching, 0)
    for error in errors:
        pacing = pacing.after(error, 0, jitter).recovered()

    assert pacing.latch is latching


@pytest.mark.parametrize(
    "error",
    [
        Transient("no answer"),
        Throttled("too many requests"),
        SessionExpired("no session"),
        BadCredentials("wrong password", remedy="set another"),
        IdentityChanged("another certificate", remedy="trust it"),
        Standstill("stopped", remedy="start it"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_only_a_missing_ability_is_latched(error: GatewayError) -> None:
    """All other failures are looked at again when their pause is over."""
    assert STEADY.after(error, 0, 0.5).latch is None


def test_recovery_forgets_the_failures_and_the_pause() -> None:
    """Once the gateway answers, the next failure begins with the shortest pause again."""
    pacing = STEADY
    for _ in range(9):
        pacing = pacing.after(Transient("no answer"), 1000, 0)

    assert pacing.recovered() == STEADY


missing = NotOffered("no such call", remedy="it may be starting up")


def test_a_missing_call_is_latched_when_patience_is_over_and_doubted_after_an_hour() -> None:
    """Twenty absences latch it, not nineteen; an hour later it is tried once more, and one more absence latches it again."""
    pacing = STEADY
    for n in range(PATIENCE - 1):
        pacing = pacing.latched(missing, n).after(missing, n, 0.5)
    assert pacing.latch is None
    assert not pacing.doubtful(1e9)

    pacing = pacing.latched(missing, 1000).recovered()

    assert pacing.latch is missing
    assert [pacing.doubtful(1000 + s) for s in (0, PROBE_S - 1, PROBE_S)] == [False, False, True]
    doubted = pacing.doubted()
    assert doubted.latch is None
    assert doubted.latched(missing, 5000).latch is missing
    assert doubted.recovered() == STEADY
    assert pacing.unlatched().latched(missing, 5000).latch is None


@given(st.lists(transients, max_size=30))
def test_other_failures_are_no_absences(errors: list[GatewayError]) -> None:
    """A gateway that was away for an hour and then answers 404 while it starts up has the whole patience before it."""
    pacing = STEADY
    for error in errors:
        pacing = pacing.after(error, 0, 0.5)

    assert pacing.latched(missing, 0).latch is None


def test_what_the_role_lacks_is_latched_at_once_and_doubted_after_an_hour() -> None:
    """A 403 on a write needs no patience, and is no truth for ever; what is unlatched begins with the whole patience."""
    pacing = STEADY.latched(latching, 1000)

    assert pacing.latch is latching
    assert [pacing.doubtful(1000 + s) for s in (0, PROBE_S - 1, PROBE_S)] == [False, False, True]
    assert pacing.doubted() == STEADY
    assert pacing.unlatched().latched(missing, 0).latch is None


@pytest.mark.parametrize("did_before", [True, False])
def test_a_boundary_forgives_what_was_allowed_before(*, did_before: bool) -> None:
    """A write that this gateway took with this firmware is tried at the next boundary, another one is not."""
    pacing = STEADY.latched(latching, 0, did_before=did_before).after(latching, 0, 0.5).recovered()

    assert pacing.latch is latching
    assert (pacing.at_boundary().latch is None) is did_before
    assert STEADY.latched(missing, 0, did_before=did_before).at_boundary().latch is None
    given_up = Pacing(absences=PATIENCE - 1).latched(missing, 0, did_before=did_before)
    assert given_up.at_boundary().latch is missing


@pytest.mark.parametrize(("times", "pause_s"), [(3, 300), (4, 600), (5, 1200), (7, 3600), (5000, 3600)])
def test_who_lets_nobody_in_while_power_flows_is_asked_ever_more_seldom(times: int, pause_s: float) -> None:
    """After the third in a row the pauses double from five minutes to an hour, and a boundary ends them."""
    unwilling = Unwilling("power flows", times=times)
    pacing = STEADY.after(unwilling, 0, 0.5)

    assert pacing.resume_s == pause_s
    assert pacing.at_boundary().resume_s == 0
    assert STEADY.after(Unwilling("power flows"), 0, 0.5).resume_s < 60
