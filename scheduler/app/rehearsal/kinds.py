"""The kinds of faults of a rehearsal: how each begins, how long it lasts, and how soon after its end all must be well."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from scheduler.app.rehearsal.course import HEALED_S, THROTTLED_S
from scheduler.app.rehearsal.facts import COMMIT, LOGIN, READ, RUN, SITEMASTER, WRITE, Exchange
from scheduler.app.rehearsal.world import World
from scheduler.simulator.mischief import Reach

KEPT = 0.5
"""How often the system stands by a clock that was set wrong."""

PATHS = tuple(call.partition(" ")[2] for call in (READ, LOGIN, COMMIT, SITEMASTER, RUN))


Begin = Callable[[World, timedelta, Random], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One kind of fault. ``lasts_s`` are the shortest and the longest; ``heals_s`` is how soon after its end all must be well.

    ``end`` undoes what does not end by itself. ``harmless`` is what excuses nothing, as all promises hold meanwhile; what does not
    ``hinder`` us on the way to the gateway heals though it goes on, and excuses no battery that our login stopped. Where ``heals_s`` is more than L2's 120 s, the comment beside it says why.
    """

    begin: Begin
    lasts_s: tuple[float, float] = (60.0, 900.0)
    heals_s: float = HEALED_S
    harmless: bool = False
    hinders: bool = True
    end: Callable[[World], None] = lambda _: None


def _path(random: Random) -> str | None:
    """One call, or all of them."""
    return random.choice((None, *PATHS))


def _few(lasting: timedelta, random: Random) -> Reach:
    """A few requests, of whatever call, or of one."""
    return Reach(path=_path(random), requests=random.randint(1, 4), lasting=lasting)


def _all(lasting: timedelta, random: Random) -> Reach:
    return Reach(path=_path(random), lasting=lasting)


def _kill(world: World, _lasting: timedelta, random: Random) -> None:
    world.steps.kill_after(random.randint(1, 30))


ANSWERS: dict[str, Callable[[Exchange], bool]] = {
    "too many": lambda it: it.status == 429,  # noqa: PLR2004 - too many
    "no session": lambda it: it.status == 401,  # noqa: PLR2004 - no session
    "trouble": lambda it: it.status is not None and it.status >= 500,  # noqa: PLR2004 - the gateway's own
    "a login": lambda it: it.name == LOGIN and it.status == 200,  # noqa: PLR2004 - fine
    "a write": lambda it: it.name == WRITE and it.status in {200, 202},
    "a commit": lambda it: it.name == COMMIT and it.status in {200, 202},
}
"""The sorts of answers that a process is killed upon."""


def _kill_upon(world: World, lasting: timedelta, random: Random) -> None:
    """Kill it at the next answer of some sort, which is brought about if it is a refusal, or a few steps or minutes later."""
    sort = random.choice(tuple(ANSWERS))
    if sort in {"too many", "no session", "a login"}:
        world.usecases.token_expires()
    if sort == "too many":
        world.usecases.answers_429(Reach(requests=1, lasting=lasting))
    elif sort == "trouble":
        world.usecases.answers_502(Reach(path=_path(random), requests=1, lasting=lasting))
    steps, later_s = random.choice((1, 1, 2, 3, 0, 0)), random.uniform(1.0, 240.0)

    def kill() -> None:
        world.counts[f"killed after {sort}"] += 1
        if steps:
            world.steps.kill_after(steps)
        else:
            world.hours.at(world.now_s + later_s, world.kill)

    world.steps.upon(ANSWERS[sort], kill)


def _wait_no_more(world: World) -> None:
    world.steps.wait_no_more()
    _behave(world)


def _step_a_little(world: World, _lasting: timedelta, random: Random) -> None:
    world.step_clock(timedelta(seconds=random.choice((-90, -20, -3, 3, 20, 90))), kept=random.random() < KEPT)


def _step_far(world: World, _lasting: timedelta, random: Random) -> None:
    world.step_clock(timedelta(hours=random.choice((-24, -5, -1, 1, 5, 24))), kept=random.random() < KEPT)


def _step_back(world: World) -> None:
    world.step_clock(timedelta(), kept=True)


def _boot_without_time(world: World, _lasting: timedelta, _random: Random) -> None:
    world.keep_clock(kept=False)
    world.kill()
    world.facts.trusted = False


def _stop(world: World, _lasting: timedelta, _random: Random) -> None:
    world.usecases.somebody_stops_it()


def _take_writes(world: World) -> None:
    world.device.mischief.writes_to_ignore = 0


def _remember_to_start(world: World) -> None:
    world.device.mischief.runs_to_forget = 0


def _start(world: World) -> None:
    _remember_to_start(world)
    world.device.run()


def _upgrade(world: World, lasting: timedelta, _random: Random) -> None:
    world.device.mischief.install_lasts = lasting
    world.usecases.upgrades_itself()


def _reboot(world: World, _lasting: timedelta, _random: Random) -> None:
    world.usecases.reboots()


def _behave(world: World) -> None:
    """Forget the troubles that are over."""
    now = world.clock.true()
    troubles = world.device.mischief.troubles
    troubles[:] = [t for t in troubles if t.left != 0 and (t.until is None or now < t.until)]


MINUTES = (30.0, 600.0)

KINDS: dict[str, Kind] = {
    "killed": Kind(begin=_kill, lasts_s=(1.0, 1.0)),
    "killed after an answer": Kind(begin=_kill_upon, end=_wait_no_more),
    "killed at rest": Kind(begin=lambda w, _l, _r: w.kill(), lasts_s=(1.0, 1.0)),
    "restarted": Kind(begin=lambda w, _l, _r: w.restart(), lasts_s=(15.0, 15.0)),
    "offline": Kind(begin=lambda w, lasts, _r: w.usecases.goes_offline(lasts)),
    "reboots": Kind(begin=_reboot, lasts_s=(120.0, 120.0)),
    # One that starts up may refuse calls as if it never had them, and then its patience is the loop's 60 s and more.
    "upgrades itself": Kind(begin=_upgrade, lasts_s=(120.0, 900.0), heals_s=240.0),
    "answers late": Kind(begin=lambda w, lasts, r: w.usecases.answers_late(_few(lasts, r)), end=_behave),
    "obeys and answers late": Kind(
        begin=lambda w, lasts, r: w.usecases.applies_but_answers_late(_few(lasts, r)), end=_behave
    ),
    "slow bytes": Kind(
        begin=lambda w, lasts, r: w.usecases.answers_slowly(_few(lasts, r), seconds=0.05), end=_behave
    ),
    "resets": Kind(begin=lambda w, lasts, r: w.usecases.resets(_few(lasts, r)), end=_behave),
    "obeys and resets": Kind(
        begin=lambda w, lasts, r: w.usecases.applies_but_resets(_few(lasts, r)), end=_behave
    ),
    "truncates": Kind(begin=lambda w, lasts, r: w.usecases.truncates(_few(lasts, r)), end=_behave),
    "nonsense": Kind(begin=lambda w, lasts, r: w.usecases.answers_nonsense(_few(lasts, r)), end=_behave),
    "nan": Kind(begin=lambda w, lasts, r: w.usecases.answers_nan(_few(lasts, r)), end=_behave),
    "html": Kind(begin=lambda w, lasts, r: w.usecases.answers_html(_few(lasts, r)), end=_behave),
    "500": Kind(
        begin=lambda w, lasts, r: w.usecases.answers_500(_all(lasts, r)), lasts_s=MINUTES, end=_behave
    ),
    "502": Kind(
        begin=lambda w, lasts, r: w.usecases.answers_502(_all(lasts, r)), lasts_s=MINUTES, end=_behave
    ),
    "503": Kind(
        begin=lambda w, lasts, r: w.usecases.answers_503(_all(lasts, r)), lasts_s=MINUTES, end=_behave
    ),
    "busy": Kind(begin=lambda w, lasts, _r: w.usecases.is_busy(lasts), lasts_s=MINUTES),
    "401": Kind(
        begin=lambda w, lasts, r: w.usecases.answers_401(_all(lasts, r)), lasts_s=MINUTES, end=_behave
    ),
    # What a role may not do is asked for again within the hour, or at the next boundary, so as not to lock us out.
    "403": Kind(
        begin=lambda w, lasts, _r: w.usecases.answers_403(Reach(lasting=lasts)),
        lasts_s=MINUTES,
        heals_s=3720.0,
        end=_behave,
    ),
    "429": Kind(
        begin=lambda w, lasts, _r: w.usecases.answers_429(Reach(lasting=lasts)),
        heals_s=THROTTLED_S,
        end=_behave,
    ),
    "429 with retry-after": Kind(
        begin=lambda w, lasts, r: w.usecases.answers_429(
            Reach(path=r.choice(PATHS), lasting=lasts), retry_after=True
        ),
        heals_s=THROTTLED_S,
        end=_behave,
    ),
    "token expires": Kind(begin=lambda w, _l, _r: w.usecases.token_expires(), lasts_s=(1.0, 1.0)),
    "token is forgotten": Kind(begin=lambda w, _l, _r: w.usecases.token_is_forgotten(), lasts_s=(1.0, 1.0)),
    # A gateway that takes a write and does not keep it is asked four times in 75 s, and then again at each look (300 s).
    "ignores writes": Kind(
        begin=lambda w, lasts, _r: w.usecases.ignores_writes(lasts), lasts_s=(10.0, 400.0), heals_s=480.0
    ),
    "ignores the next write": Kind(
        begin=lambda w, _l, r: w.usecases.ignores_the_next_writes(r.randint(1, 3)),
        lasts_s=(300.0, 300.0),
        heals_s=480.0,
        end=_take_writes,
    ),
    "somebody uses the app": Kind(
        begin=lambda w, _l, _r: w.person.use_app(), lasts_s=(1.0, 1.0), hinders=False
    ),
    "somebody stops it": Kind(begin=_stop, lasts_s=(60.0, 900.0), end=_start),
    "forgets to start": Kind(
        begin=lambda w, _l, _r: w.usecases.forgets_to_start(), lasts_s=(300.0, 300.0), end=_remember_to_start
    ),
    "refuses the wizard": Kind(
        begin=lambda w, lasts, _r: w.usecases.refuses_the_wizard(lasts), heals_s=480.0
    ),
    "the grid fails": Kind(begin=lambda w, lasts, _r: w.usecases.grid_fails(lasts), harmless=True),
    "has an update": Kind(
        begin=lambda w, _l, _r: w.usecases.has_an_update(), lasts_s=(1.0, 1.0), harmless=True
    ),
    "clock steps": Kind(begin=_step_a_little, lasts_s=(60.0, 7200.0), end=_step_back, hinders=False),
    # A clock that is hours wrong switches by what it shows; what that leaves behind is over with the next look.
    "clock jumps": Kind(
        begin=_step_far, lasts_s=(60.0, 7200.0), end=_step_back, heals_s=480.0, hinders=False
    ),
    "boots without time": Kind(
        begin=_boot_without_time, end=lambda w: w.keep_clock(kept=True), hinders=False
    ),
    "disk takes nothing": Kind(
        begin=lambda w, _l, _r: w.break_disk(broken=True),
        end=lambda w: w.break_disk(broken=False),
        harmless=True,
    ),
    "somebody holds": Kind(
        begin=lambda w, lasts, r: w.person.hold(lasts, r), lasts_s=(300.0, 21600.0), harmless=True
    ),
    "plan is edited": Kind(begin=lambda w, _l, _r: w.person.edit_plan(), lasts_s=(1.0, 1.0), hinders=False),
}
"""By name, as `--faults` takes them."""

OFTEN = {
    "somebody uses the app": 0.25,
    "upgrades itself": 0.1,
    "403": 0.3,
    "clock jumps": 0.4,
    "has an update": 0.2,
}
"""How much rarer than the others some are: what is excused for hours hides what else goes wrong."""


HIDDEN_FROM_LATE_COMMITS = frozenset({"ignores writes", "ignores the next write"})
"""Firmware that puts in force what the commit before it should have, and forgets a write as well, shows what it does not go
by; only the meters tell, and they are believed for an alarm and not for another write."""
