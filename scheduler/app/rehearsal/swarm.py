"""What goes wrong in a rehearsal, and when: the script that places faults near boundaries, and in the wake of one another.

Each rehearsal has a random subset of the kinds, so that every one also meets its few companions undisturbed. Spread evenly over
a year faults find nothing: a boundary is a few minutes of a day. So they are placed around boundaries and moments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from scheduler.app.rehearsal.kinds import KINDS, OFTEN, Kind
from scheduler.app.rehearsal.virtual import GRAIN
from scheduler.app.rehearsal.world import World

AROUND_S = 120.0
"""Faults begin within so many seconds of a boundary."""

CLOSE_S = 12.0
"""Half of them this near to it, where a switch is under way."""

MEET = 2 / 3
"""How often the second of two faults begins in the wake of the first, so that it meets what is done about that."""

SOON_S = 30.0
"""It begins so soon after the beginning of the first at the latest, or at any time of it, or so soon as below after its end."""

STILL_S = 60.0


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong: its kind, from when on in seconds of the rehearsal, for how long, and a seed of its own."""

    kind: str
    at_s: float
    lasts_s: float
    seed: int


def some_kinds(random: Random) -> tuple[str, ...]:
    """The swarm of one rehearsal: a subset of the kinds, from one to about half of them."""
    share = random.choice((0.05, 0.15, 0.3, 0.5))
    chosen = tuple(kind for kind in KINDS if random.random() < share)
    return chosen or (random.choice(tuple(KINDS)),)


def script(
    boundaries_s: Sequence[float], kinds: Sequence[str], random: Random, *, chance: float
) -> tuple[Fault, ...]:
    """Faults of these kinds around boundaries, each of which has one, or two, with this ``chance``."""
    faults = []
    weights = [OFTEN.get(kind, 1.0) for kind in kinds]
    for boundary_s in boundaries_s:
        if not kinds or random.random() >= chance:
            continue
        first: Fault | None = None
        for name in random.choices(kinds, weights, k=random.choice((1, 1, 2))):
            lasts_s = random.uniform(*KINDS[name].lasts_s)
            if first is not None and random.random() < MEET:
                at_s = _in_wake(first, random)
            else:
                around_s = CLOSE_S if random.random() < 0.5 else AROUND_S  # noqa: PLR2004 - every second one
                at_s = boundary_s + random.uniform(-around_s, around_s)
            first = Fault(name, at_s, lasts_s, random.getrandbits(32))
            if at_s > 0:
                faults.append(first)
    return tuple(faults)


def _in_wake(first: Fault, random: Random) -> float:
    """When a second fault begins that meets the first: soon after that began, while it lasts, or soon after it is over."""
    after_s, within_s = random.choice(((0.0, SOON_S), (0.0, first.lasts_s), (first.lasts_s, STILL_S)))
    return first.at_s + after_s + random.uniform(0.0, within_s)


def stage(world: World, faults: Sequence[Fault]) -> None:
    """Have the world let these happen."""
    for fault in faults:
        world.hours.at(fault.at_s, lambda fault=fault: _begin(world, fault))  # type: ignore[misc]  # a lambda with a default


def _begin(world: World, fault: Fault) -> None:
    kind = KINDS[fault.kind]
    world.counts[f"fault {fault.kind}"] += 1
    world.log(f"begins: {fault.kind}")
    world.record.look_at_battery()
    if not kind.harmless:
        world.course.fault(world.now_s, kind.heals_s, hinders=kind.hinders)
    random = Random(fault.seed)  # noqa: S311 - chance is wanted, not secrecy
    kind.begin(world, timedelta(seconds=fault.lasts_s), random)
    # Not a grain earlier than the gateway's own reckoning: what is over then is forgotten.
    world.hours.at(world.now_s + fault.lasts_s + 1 / GRAIN, lambda: _end(world, fault, kind))


def _end(world: World, fault: Fault, kind: Kind) -> None:
    world.log(f"ends: {fault.kind}")
    kind.end(world)
    world.record.look_at_battery()
    if not kind.harmless:
        world.course.healed(world.now_s, kind.heals_s, hinders=kind.hinders)
