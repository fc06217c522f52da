"""Three faults in one switch, all of them: on the loop itself, with a gateway of a few lines under it (`core_faults.py`).

Ninety of a hundred grave failures of systems take no more than three events. The promises are P1, I1, I2, I3, I6, I8, I9, L2 and
the marks of P3b; what the client makes of bytes is tried with one fault and with two in `test_small_faults.py`.
"""

from __future__ import annotations

import itertools
import math
import os
import random
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from core_faults import DESIRED, House, Outcome, SmallGateway, broken, trial
from virtual_loop import run_virtually

from scheduler.control.ports import Gateway
from scheduler.control.switch import Procedure
from scheduler.model.evidence import Verdict

REQUESTS = 16
"""Faults are put to the first so many requests: ten of the switch, the look after its login, two of its proof, and the first look after it."""

TRIPLES = math.comb(REQUESTS, 3) * len(Outcome) ** 3
SEED = 7
Plan = dict[int, Outcome]


def triples(positions: Iterable[tuple[int, ...]]) -> Iterator[Plan]:
    """Every outcome at each of these requests."""
    for at in positions:
        for outcomes in itertools.product(Outcome, repeat=len(at)):
            yield dict(zip(at, outcomes, strict=True))


def positions(count: int) -> list[tuple[int, ...]]:
    """Every choice of so many requests."""
    return list(itertools.combinations(range(1, REQUESTS + 1), count))


def tried(plans: Iterable[Plan]) -> tuple[int, list[str]]:
    """How many were tried, and the promises that they broke."""

    async def all_of_them() -> tuple[int, list[str]]:
        count, found = 0, []
        for plan in plans:
            count += 1
            said = {number: outcome.name for number, outcome in plan.items()}
            found += [f"{said}: {it}" for it in broken(await trial(plan))]
        return count, found

    return run_virtually(all_of_them())


def tried_at(at: tuple[int, ...]) -> tuple[int, list[str]]:
    """`tried`, with every outcome at these requests."""
    return tried(triples([at]))


def test_l1_the_small_gateway_is_switched_as_a_real_one() -> None:
    """Nothing goes wrong: ten requests and a last look whether the battery runs, one login, the battery obeys within a second; and the double speaks the whole port."""
    it = run_virtually(trial({}))
    gateway: Gateway = SmallGateway(it.house)

    assert broken(it) == []
    assert it.status.record is not None
    assert it.status.record.verdict is Verdict.VERIFIED
    assert (it.house.asked, it.house.logins, it.house.killed) == (11, 1, 0)
    assert DESIRED.is_met_by(it.house.obeyed)
    assert gateway.has_session


@pytest.mark.parametrize("outcome", Outcome)
def test_p1_each_fault_is_one_that_is_met(outcome: Outcome) -> None:
    """At every request of the switch: the fault came to pass, and no promise was broken."""

    async def at(number: int) -> tuple[House, list[str]]:
        it = await trial({number: outcome})
        return it.house, broken(it)

    for number in range(1, 11):
        house, found = run_virtually(at(number))
        assert found == []
        assert house.struck == {outcome}


def test_p1_some_triples_of_faults() -> None:
    """Three thousand of them, always the same ones; the slow suite tries them all."""
    chosen = random.Random(SEED)
    outcomes = list(Outcome)
    plans = [
        {number: chosen.choice(outcomes) for number in sorted(chosen.sample(range(1, REQUESTS + 1), 3))}
        for _ in range(3_000)
    ]

    assert tried(plans) == (3_000, [])


def test_i6_a_switch_that_writes_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second write after the commit of the first, and nobody looked what came of it."""
    write = Procedure._write  # noqa: SLF001 - the place of the planted bug

    async def twice(self: Procedure) -> bool:
        return await write(self) and await write(self)

    monkeypatch.setattr(Procedure, "_write", twice)

    assert broken(run_virtually(trial({}))) == [
        "I6: written although it was taken already, and nothing was read since"
    ]


def test_i9_a_start_that_is_refused_ends_no_silence() -> None:
    """The battery may stand still, and a 429 is the answer to whether it does: what becomes of the start changes no silence."""
    plan = {3: Outcome.LOST_AFTER, 11: Outcome.THROTTLED, 12: Outcome.NOT_CAPABLE}

    assert tried([plan]) == (1, [])


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_p1_every_triple_of_faults(count: int, record_property: Callable[[str, object], None]) -> None:
    """Every three of the first sixteen requests, with every outcome at each: more than a million, and not one too few."""
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        came = list(pool.map(tried_at, positions(count), chunksize=4))

    number = sum(tried for tried, _ in came)
    record_property(f"combinations of {count} faults", number)
    assert [it for _, found in came for it in found] == []
    assert number == math.comb(REQUESTS, count) * len(Outcome) ** count
    assert TRIPLES == 1_230_320
