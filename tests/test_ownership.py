"""Whose change it is: drift over restarts, the three policies, and a writer that does not give in, in virtual time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from bench import BY_DAY, BY_NIGHT, MINUTE, Bench, bench, local, readme_schedule
from days import Run, obeyed
from dying import Killed, Steps

from scheduler.control.diary import OWNED
from scheduler.model.events import Drifted, Switched
from scheduler.model.evidence import Verdict
from scheduler.model.hold import ForeignWriter, Hold
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import DriftPolicy
from scheduler.plan.rules import MomentRule, Schedule, Window
from scheduler.simulator.house import raw_percent

WRITE = "POST /api/operation"
POLICIES: tuple[DriftPolicy, ...] = ("yield", "notify", "enforce")
BY_APP = ("backup", raw_percent(50))


def quiet() -> Schedule:
    """The README's plan without its moment, whose rehearsal writes, too."""
    schedule = readme_schedule()
    return replace(schedule, rules=tuple(r for r in schedule.rules if not isinstance(r, MomentRule)))


def restarted(b: Bench, on_drift: DriftPolicy = "yield", schedule: Schedule | None = None) -> Run:
    """The next process: it knows what is on the disk, and the gateway."""
    b.restart()
    return Run(b, schedule or quiet(), on_drift=on_drift)


def use_app(b: Bench, mode: str = "backup", reserve_percent: float = 50) -> None:
    """Somebody changes the setpoint in the app."""
    b.device.use_app(replace(b.device.shown, mode=mode, reserve_raw_percent=raw_percent(reserve_percent)))


def saved(b: Bench) -> list[dict[str, Any]]:
    """What is written of the notes from now on."""
    written: list[dict[str, Any]] = []
    save = b.moments.save

    def keep(content: dict[str, Any]) -> None:
        written.append(dict(content))
        save(content)

    b.moments.save = keep  # type: ignore[method-assign]  # the same, counted
    return written


async def paced(run: Run, until: datetime, every: timedelta = 4 * MINUTE) -> None:
    """Cycle with long rests, which an alarm that is lost makes: cheaper than every tick, and no promise depends on one."""
    while run.bench.clock.now() < until:
        await run.loop.cycle()
        left_s = (until - run.bench.clock.now()).total_seconds()
        await run.bench.clock.sleep(max(0.0, min(every.total_seconds(), left_s)))
    await run.loop.cycle()


@pytest.mark.parametrize("policy", ["yield", "notify"])
async def test_g12_what_a_person_set_stands_over_restarts_and_is_told_once(policy: DriftPolicy) -> None:
    """Three restarts within the segment: no write, one event, and `notify` still says that something is wrong."""
    b = bench(local("09:00"))
    run = Run(b, quiet(), on_drift=policy)
    await run.until(local("09:10"))
    use_app(b)
    await run.until(local("09:30"))
    b.story.clear()

    for minute in (40, 50, 58):
        run = restarted(b, policy)
        await run.until(local(f"09:{minute}"))

    assert obeyed(b)[:2] == BY_APP
    assert b.story.count(WRITE) == 0
    assert [event.policy for event in run.told(Drifted)] == [policy]
    assert run.reports[-1].drifted
    assert run.reports[-1].rules == ("Run the house from the battery",)
    assert ("somebody changed it" in (run.reports[-1].trouble or "")) is (policy == "notify")


@pytest.mark.parametrize("policy", POLICIES)
async def test_g12_what_a_person_set_while_nobody_watched_is_a_persons_all_the_same(
    policy: DriftPolicy,
) -> None:
    """The process was away when it was changed: it had read its own write back, so it was somebody else."""
    b = bench(local("09:00"))
    await Run(b, quiet(), on_drift=policy).until(local("09:10"))
    use_app(b)

    run = restarted(b, policy)
    await run.until(local("09:20"))

    assert [event.policy for event in run.told(Drifted)] == [policy]
    assert (obeyed(b)[:2] == BY_APP) is (policy != "enforce")


async def test_g12_the_boundary_ends_it_also_where_the_process_was_away_then() -> None:
    """A change of the morning, a restart over the evening's boundary: the night's setpoint is brought about."""
    b = bench(local("21:30"))
    run = Run(b, quiet())
    await run.until(local("21:40"))
    use_app(b, "self_consumption", 30)
    await run.until(local("21:50"))
    b.clock.passed_s += 3600

    run = restarted(b)
    await run.until(local("23:00"))

    assert obeyed(b) == ("backup", 100.0, True)
    assert len(run.told(Drifted)) == 1


async def test_i17_killed_between_any_two_steps_nobody_is_blamed_for_what_we_wrote() -> None:
    """Another plan is edited in within a segment, its switch is killed at each step, and the edit is taken back: our own write.

    Also where the process lives: the last round has no kill in it.
    """
    other = replace(quiet(), rules=(), default=BY_NIGHT)
    killed = 0
    for deadly in count(1):
        b = bench(local("09:00"))
        await Run(b, quiet()).until(local("09:10"))
        doomed = {deadly}
        steps = Steps(b, lambda number, _, doomed=doomed: number in doomed)
        b.restart()
        lived = await _lives_until(local("09:15"), Run(b, other))
        doomed.clear()
        steps.begin()

        run = restarted(b)
        await paced(run, local("09:30"))

        assert run.told(Drifted) == [], steps.taken
        assert obeyed(b) == ("self_consumption", 9.75, True), steps.taken
        if lived:
            break
        killed += 1
    assert killed > 15
    assert "after Moments save" in steps.taken


async def _lives_until(at: datetime, run: Run) -> bool:
    try:
        await paced(run, at, MINUTE)
    except Killed:
        return False
    return True


@pytest.mark.parametrize(
    ("scenario", "told"), [("upgrades itself", 0), ("somebody uses the app", 1)], ids=["firmware", "person"]
)
async def test_i17_another_firmware_is_no_person(scenario: str, told: int) -> None:
    """A gateway that comes back with another version may have changed anything by itself: nobody is blamed, and it is switched."""
    b = bench(local("09:00"))
    run = Run(b, quiet())
    await run.until(local("09:10"))
    b.scenario(scenario)
    b.clock.passed_s += 1200
    use_app(b)

    run = restarted(b)
    await run.until(local("09:50"))

    assert len(run.told(Drifted)) == told
    assert (obeyed(b)[:2] == BY_APP) is bool(told)


async def test_i17_another_firmware_ends_what_was_yielded_to() -> None:
    """Over a restart as within one: what a person set is not looked for in a gateway that has another version."""
    b = bench(local("09:00"))
    run = Run(b, quiet())
    await run.until(local("09:10"))
    use_app(b)
    await run.until(local("09:20"))
    b.scenario("upgrades itself")
    b.clock.passed_s += 1200
    assert len(run.told(Drifted)) == 1

    await restarted(b).until(local("10:00"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert len(run.told(Drifted)) == 1


async def test_i17_a_persons_word_makes_another_target_of_the_same_setpoint() -> None:
    """What was proven under one hold says nothing of the same setpoint without it."""
    b = bench(local("09:00"))
    run = Run(b, quiet())
    await run.until(local("09:10"))
    use_app(b)
    await run.until(local("09:20"))
    now = b.clock.now()
    hold = Hold(setpoint=BY_DAY, since=now, until=now + timedelta(hours=1))
    b.restart()
    run = Run(b, quiet(), hold=lambda: hold)

    await run.until(local("09:30"))

    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_a_quiet_day_keeps_what_is_proven_with_one_write_a_switch() -> None:
    """An SD card wears out: two boundaries are two writes of what is proven, and nothing in between."""
    b = bench(local("09:00"))
    await Run(b, quiet()).until(local("09:10"))
    written = saved(b)

    await paced(Run(b, quiet()), local("23:00") + timedelta(hours=12))

    owned = [content[OWNED] for content in written]
    assert [it["desired"]["mode"] for it in owned] == ["backup", "self_consumption"]


async def test_i17_an_edit_over_a_restart_that_is_taken_back_blames_nobody() -> None:
    """Proven by one process, edited, switched by the next one, and edited back: what stood between was ours."""
    b = bench(local("09:00"))
    await Run(b, quiet()).until(local("09:10"))
    rules = tuple(
        replace(rule, setpoint=replace(rule.setpoint, reserve_percent=35)) if index == 0 else rule
        for index, rule in enumerate(quiet().rules)
        if isinstance(rule, Window)
    )
    run = restarted(b, schedule=replace(quiet(), rules=rules))
    await run.loop.cycle()
    assert obeyed(b)[:2] == ("self_consumption", raw_percent(35))

    run.loop.adopt(replace(run.policy, schedule=quiet()), None, "")
    await run.until(local("09:21"))

    assert obeyed(b)[:2] == ("self_consumption", raw_percent(5))
    assert run.told(Drifted) == []


async def test_i17_a_note_that_is_no_note_of_ours_counts_for_nothing() -> None:
    """Whatever stands in the file, the setpoint is brought about."""
    for section in (
        {"desired": 7},
        {"desired": {"mode": 3}, "boundary": "x", "set_back": 4},
        {"desired": BY_DAY.given(), "boundary": [], "found": "nobody", "set_back": ["?", None]},
    ):
        b = bench(local("09:00"))
        b.moments.save({OWNED: section})
        run = Run(b, quiet())
        await run.until(local("09:10"))

        assert obeyed(b) == ("self_consumption", 9.75, True)
        assert run.told(Drifted) == []


async def insisted(b: Bench, run: Run, until: datetime, *, every: timedelta = 2 * MINUTE) -> list[datetime]:
    """The instants of our writes while another program sets its own every few minutes."""
    writes: list[datetime] = []
    b.wire.then = lambda call: writes.append(b.clock.now()) if call == WRITE else None
    at = b.clock.now()
    while at < until:
        b.device.later(at, lambda: use_app(b))
        at += every
    await paced(run, until, MINUTE / 2)
    return writes


@pytest.mark.parametrize("verify_s", [30.0, 300.0])
async def test_p9_a_foreign_writer_is_reported_once_and_not_fought(verify_s: float) -> None:
    """Under enforce, however often it is looked: five minutes between two re-assertions, six within any hour, one report."""
    b = bench(local("09:00"))
    run = Run(b, quiet(), on_drift="enforce")
    run.loop.adopt(replace(run.policy, verify_s=verify_s), None, "")
    await run.until(local("09:05"))

    writes = await insisted(b, run, local("14:00"))

    gaps = [later - at for at, later in pairwise(writes)]
    assert min(gaps) >= 5 * MINUTE - timedelta(seconds=1)
    assert max(len([w for w in writes if at <= w < at + 60 * MINUTE]) for at in writes) == 6
    assert len(run.told(ForeignWriter)) == 1
    assert run.reports[-1].trouble is not None
    assert run.reports[-1].drifted


async def test_p9_the_limit_of_the_hour_holds_over_restarts() -> None:
    """A process that is started anew each twenty minutes sets it back no more often than one that lives, and reports it once."""
    b = bench(local("09:00"))
    run = Run(b, quiet(), on_drift="enforce")
    await run.until(local("09:05"))
    writes: list[datetime] = []
    for _ in range(9):
        writes += await insisted(b, run, b.clock.now() + 20 * MINUTE)
        run = restarted(b, "enforce")

    assert max(len([w for w in writes if at <= w < at + 60 * MINUTE]) for at in writes) == 6
    assert len(run.told(ForeignWriter)) == 1


async def test_g12_enforce_has_its_way_when_the_other_gives_in() -> None:
    """Not to fight is not to give up: within the hour after the last change the setpoint is ours again, and all is well."""
    b = bench(local("09:00"))
    run = Run(b, quiet(), on_drift="enforce")
    await run.until(local("09:05"))
    await insisted(b, run, local("10:30"))

    await run.until(local("11:31"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert run.reports[-1].trouble is None


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("seed", range(4))
async def test_g12_random_edits_restarts_and_boundaries(policy: DriftPolicy, seed: int) -> None:
    """Over a day of edits and restarts: each segment begins as planned, ends as the policy says, and nobody is blamed in vain."""
    chance = random.Random(f"{policy} {seed}")
    b = bench(local("06:00"))
    run = Run(b, quiet(), on_drift=policy)
    ours: tuple[str, float] = ("backup", 100.0)
    theirs: tuple[str, float] | None = None
    edits = 0
    at = local("06:20")
    end = local("06:00") + timedelta(hours=20)
    boundaries = {local("07:55"): ("self_consumption", 9.75), local("22:05"): ("backup", 100.0)}
    await paced(run, at)
    while at < end:
        before, at = at, at + MINUTE * chance.choice((20, 40, 70))
        deed = chance.choice(("edit", "restart", "away", "nothing"))
        if deed in {"edit", "away"}:
            wanted = chance.choice((("autonomous", 60.0), ("self_consumption", 30.0), ("backup", 40.0)))
            theirs = (wanted[0], raw_percent(wanted[1]))
            edits += 1
            use_app(b, *wanted)
        if deed in {"restart", "away"}:
            run = restarted(b, policy)
        await paced(run, at)
        for boundary, setpoint in boundaries.items():
            if before < boundary <= at:
                ours, theirs = setpoint, None
        expected = ours if theirs is None or policy == "enforce" else theirs
        assert obeyed(b) == (*expected, True), (deed, at)
        assert len(run.told(Drifted)) <= edits
    rules = [e.record for e in b.events if isinstance(e, Switched)]
    assert {r.verdict for r in rules} <= {Verdict.VERIFIED, Verdict.ALREADY, Verdict.DRIFTED}
    assert edits
    assert Setpoint(mode="backup", reserve_percent=100) in [r.desired for r in rules]
