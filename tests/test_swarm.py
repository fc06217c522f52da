"""The swarm of a rehearsal: each seed has faults of its own choice, so that every kind also comes with few others."""

from __future__ import annotations

from random import Random

from scheduler.app.rehearsal.kinds import KINDS
from scheduler.app.rehearsal.swarm import some_kinds


def test_m5_each_seed_takes_a_choice_of_the_faults() -> None:
    """Of 300 seeds none is without a fault or has them all, most differ, and every kind comes often, alone too now and then."""
    chosen = [some_kinds(Random(seed)) for seed in range(300)]

    assert all(0 < len(kinds) < len(KINDS) for kinds in chosen)
    assert len(set(chosen)) > 200
    assert {kinds[0] for kinds in chosen if len(kinds) == 1} <= set(KINDS)
    assert any(len(kinds) == 1 for kinds in chosen)
    assert min(sum(kind in kinds for kinds in chosen) for kind in KINDS) >= 30


def test_the_same_seed_takes_the_same_faults() -> None:
    """Chance comes from the seed alone."""
    assert [some_kinds(Random(seed)) for seed in range(50)] == [
        some_kinds(Random(seed)) for seed in range(50)
    ]
