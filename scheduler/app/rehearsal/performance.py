"""One rehearsal from its seed to what came of it, and many of them on several processors."""

from __future__ import annotations

import gc
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from random import Random

from scheduler.app.rehearsal.course import Lateness
from scheduler.app.rehearsal.invariant import Broken
from scheduler.app.rehearsal.kinds import HIDDEN_FROM_LATE_COMMITS
from scheduler.app.rehearsal.plans import Library, Plans, edited, wishes_of
from scheduler.app.rehearsal.setting import Setting
from scheduler.app.rehearsal.swarm import Fault, script, some_kinds, stage
from scheduler.app.rehearsal.virtual import run_virtually
from scheduler.app.rehearsal.world import World
from scheduler.config.configuration import Configuration
from scheduler.model.timeline import DriftPolicy
from scheduler.plan.rules import Schedule
from scheduler.simulator.personality import PERSONALITIES

BEGINS = datetime(2026, 1, 1, tzinfo=UTC)
"""The first day on which a rehearsal may begin. Each draws its own: so many of a month together meet every season, both changes of
the clocks and every holiday."""

FIRST_DAYS = 365
"""So many days it draws from."""

FIRMWARES = ("1.45.2", "1.45.2", "1.15", "1.21", "1.43.3")
"""What most rehearsals are of: gateways that let a program switch."""

SHUT = ("1.50.1", "21.39", "23.28")
"""What few are of: gateways that do not, where nothing but safety is to be seen."""

SHUT_SHARE = 0.04

DRIFTS: tuple[DriftPolicy, ...] = ("yield", "enforce", "notify")

CHANCE = 0.12
"""So many of the boundaries have a fault near them."""

SWARM_S = 30 * 86400.0
"""So long the same kinds of faults go together, and then others do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to rehearse: a schedule, how long, and which faults; ``kinds`` None is a swarm.

    One of ``firmwares`` and one of ``drifts``, what to do about somebody's change, is drawn for each rehearsal.
    """

    schedule: Schedule
    verify_s: float
    seed: int
    days: float
    kinds: tuple[str, ...] | None
    firmwares: tuple[str, ...] = FIRMWARES
    drifts: tuple[DriftPolicy, ...] = DRIFTS
    every_tick: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """What came of one rehearsal; ``essence`` is the hash of what was changed, ``trace`` that of all that happened."""

    run: int
    start: datetime
    seconds: float
    firmware: str
    kinds: tuple[str, ...]
    trace: str
    essence: str
    broken: tuple[Broken, ...]
    lateness: Lateness
    counts: Counter[str] = field(repr=False)
    killed: Counter[str] = field(repr=False)
    stopped_s: dict[str, float]


_LIBRARY = Library()


def order_of(
    configuration: Configuration, *, seed: int, days: float, kinds: tuple[str, ...] | None, every_tick: bool
) -> Order:
    """What to rehearse of a configuration, with gateways that take the modes that it asks for."""
    modes = {wish.mode for wish in wishes_of((configuration.schedule,))} - {None}
    return Order(
        schedule=configuration.schedule,
        verify_s=configuration.verify_every_s,
        seed=seed,
        days=days,
        kinds=kinds,
        firmwares=tuple(it for it in FIRMWARES if modes <= PERSONALITIES[it].writable_modes),
        drifts=(configuration.on_drift,),
        every_tick=every_tick,
    )


@cache
def _schedules(schedule: Schedule) -> tuple[Schedule, ...]:
    """The schedule and its edit, the same objects each time, which the library knows by them."""
    return schedule, edited(schedule)


def rehearse(order: Order, run: int) -> Performance:
    """One rehearsal. Everything in it hangs on the seed and its number."""
    random = Random(f"{order.seed} {run}")  # noqa: S311 - chance is wanted, not secrecy
    shut = random.random() < SHUT_SHARE
    setting = Setting(
        start=first_day(order, run),
        seconds=order.days * 86400.0,
        firmware=random.choice(SHUT if shut else order.firmwares),
        username="customer" if shut and random.random() < 0.5 else "installer",  # noqa: PLR2004 - every second one
        drops_alarms=random.random() < 0.2,  # noqa: PLR2004 - every fifth one
        every_tick=order.every_tick,
    )
    kinds = _kinds(order, setting, random)
    plans = Plans(_schedules(order.schedule), random.choice(order.drifts), order.verify_s, _LIBRARY)
    # The same for all of them, so that it is compiled once.
    plans.cover(BEGINS, BEGINS + timedelta(days=FIRST_DAYS + order.days))
    boundaries_s = tuple(_boundaries(plans, setting))
    faults: list[Fault] = []
    for begins_s in range(0, math.ceil(setting.seconds), round(SWARM_S)):
        if begins_s:
            kinds = _kinds(order, setting, random)
        within_s = [it for it in boundaries_s if begins_s <= it < begins_s + SWARM_S]
        faults += script(within_s, kinds, random, chance=CHANCE)
    return run_virtually(_perform(setting, plans, tuple(faults), random=random, run=run))


def first_day(order: Order, run: int) -> datetime:
    """When the rehearsal of this number begins. Drawn by itself, so that what goes wrong in it does not hang on this."""
    random = Random(f"{order.seed} {run} first day")  # noqa: S311 - chance is wanted, not secrecy
    return BEGINS + timedelta(days=random.randrange(FIRST_DAYS))


def _kinds(order: Order, setting: Setting, random: Random) -> tuple[str, ...]:
    """What goes wrong for a while: what was ordered, or a swarm; but nothing that this gateway hides from everybody."""
    kinds = order.kinds if order.kinds is not None else some_kinds(random)
    hidden = HIDDEN_FROM_LATE_COMMITS if setting.personality.one_step_late else ()
    return tuple(kind for kind in kinds if kind not in hidden)


def _boundaries(plans: Plans, setting: Setting) -> Iterator[float]:
    at = setting.start
    end = setting.start + timedelta(seconds=setting.seconds)
    while True:
        moment, boundary = plans.next_moment(at), plans.segment(at).end
        at = boundary if moment is None else min(moment, boundary)
        if at >= end:
            return
        yield (at - setting.start).total_seconds()


async def _perform(
    setting: Setting,
    plans: Plans,
    faults: tuple[Fault, ...],
    *,
    random: Random,
    run: int,
) -> Performance:
    world = World(setting, plans, random)
    stage(world, faults)
    await world.live()
    return Performance(
        run=run,
        start=setting.start,
        seconds=setting.seconds,
        firmware=setting.firmware,
        kinds=tuple(sorted({fault.kind for fault in faults})),
        trace=world.record.trace.hexdigest(),
        essence=world.record.essence.hexdigest(),
        broken=tuple(world.record.jury.broken),
        lateness=world.course.lateness,
        counts=world.counts,
        killed=world.steps.killed,
        stopped_s=dict(world.course.stopped_s),
    )


def rehearse_all(order: Order, runs: Sequence[int], jobs: int) -> Iterator[Performance]:
    """The rehearsals of these numbers, in order, on so many processors."""
    if jobs == 1 or len(runs) == 1:
        yield from map(partial(rehearse, order), runs)
        return
    with ProcessPoolExecutor(jobs, initializer=_collect_seldom) as pool:
        yield from pool.map(partial(rehearse, order), runs, chunksize=1)


def _collect_seldom() -> None:
    """Have a process that only rehearses look for cycles of garbage seldom: almost all of what it makes is freed without that."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
