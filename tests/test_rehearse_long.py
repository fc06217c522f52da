"""Long rehearsals: eighty years of thirty days each with a swarm of faults, a whole year in one go, and days without any leap."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
from bench import readme_schedule

from scheduler.app.rehearsal.kinds import KINDS, OFTEN
from scheduler.app.rehearsal.performance import Order, rehearse, rehearse_all
from scheduler.app.rehearsal.summary import Summary

pytestmark = pytest.mark.slow

YEARS = 80
DAYS = 30.0
SEED = 2026
EACH = 1_000
"""So often each kind of fault is to happen in all of that, or a tenth of it at least; those that are made rare so much less."""


def order(**changes: Any) -> Order:
    """Thirty days of the README's schedule with a swarm of faults."""
    plain = Order(schedule=readme_schedule(), verify_s=300, seed=SEED, days=DAYS, kinds=None)
    return replace(plain, **changes)


def test_l2_eighty_years_break_no_promise() -> None:
    """A thousand rehearsals of thirty days, each with its own swarm: every invariant holds, every kind of fault happened often."""
    runs = round(YEARS * 365 / DAYS)
    summary = Summary()
    for performance in rehearse_all(order(), range(runs), os.cpu_count() or 1):
        summary.add(performance)
    document = summary.document()

    assert document["broken"] == []
    assert document["years"] >= YEARS * 0.99
    assert document["boundaries"]["late_s_without_faults"]["max"] <= 60
    assert {
        kind for kind in KINDS if summary.counts[f"fault {kind}"] < EACH / 10 * OFTEN.get(kind, 1.0)
    } == set()
    assert len(summary.killed) >= 20


def test_i18_a_whole_year_with_both_changes_of_the_clocks_breaks_no_promise() -> None:
    """A year without faults: every boundary is met within a second, also in the nights in which the clocks change."""
    done = rehearse(order(days=365.0, kinds=(), seed=3), 0)

    assert done.broken == ()
    assert done.lateness.missed == 0
    assert len(done.lateness.calm_s) >= 2 * 364
    assert max(done.lateness.calm_s) <= 15


@pytest.mark.parametrize("seed", range(100, 108))
def test_leaps_change_nothing_in_days_full_of_faults(seed: int) -> None:
    """What is leapt over would have changed nothing: the same writes, logins and setpoints at the same instants without leaps."""
    leaping, ticking = (
        rehearse(order(days=4.0, seed=seed, every_tick=every_tick), 0) for every_tick in (False, True)
    )

    assert leaping.essence == ticking.essence
    assert leaping.broken == ticking.broken == ()


HELD = ("somebody holds", "killed after an answer")


@pytest.mark.parametrize(
    ("seed", "kinds"), [(1, HELD), (2, HELD), (200, None), (229, None), (234, None)], ids=str
)
def test_leaps_change_nothing_where_most_boundaries_have_faults(
    seed: int, kinds: tuple[str, ...] | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same with faults at most boundaries: commits that are owed for long, and holds that end where no boundary is."""
    monkeypatch.setattr("scheduler.app.rehearsal.performance.CHANCE", 0.7)
    leaping, ticking = (
        rehearse(order(days=3.0, seed=seed, kinds=kinds, every_tick=tick), 0) for tick in (False, True)
    )

    assert leaping.essence == ticking.essence
    assert leaping.broken == ticking.broken == ()


@pytest.mark.parametrize("kind", ["offline", "502", "429 with retry-after", "401"])
def test_l7_a_fault_that_never_ends_makes_few_requests(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fault on for good the gateway is left alone: at most four requests a minute on average, and a few logins a day.

    A pause between two tries is 30 to 60 s long once it has grown; a try asks who it is, whether it runs, and one thing more.
    """
    monkeypatch.setitem(KINDS, kind, replace(KINDS[kind], lasts_s=(10 * 86400.0, 10 * 86400.0)))
    monkeypatch.setattr("scheduler.app.rehearsal.performance.CHANCE", 1.0)

    done = rehearse(order(days=3.0, kinds=(kind,), seed=3), 0)

    assert [it for it in done.broken if it.identifier != "L6"] == []
    assert done.counts["requests"] <= 4 * 60 * 24 * 3
    assert done.counts["logins"] <= 3 * (30 + 2)
