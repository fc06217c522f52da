"""The loop: whole days on a virtual clock, against the real client and the simulated gateway."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from bench import BY_DAY, BY_NIGHT, bench, local, readme_schedule
from clockwork import VirtualClock
from days import Run, obeyed

from scheduler.control.loop import TICK_S
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.control.trust import LOOK_S
from scheduler.model.events import (
    Drifted,
    EffectJudged,
    FirmwareChanged,
    FoundStopped,
    GatewayBack,
    GatewayLost,
    MomentEnded,
    PersonNeeded,
)
from scheduler.model.evidence import Verdict
from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition, DriftPolicy
from scheduler.plan.rules import Window

WRITE = "POST /api/operation"
LOGIN = "POST /api/login/Basic"


async def test_a_day_of_the_readme_is_switched_and_proven_without_any_alarm() -> None:
    """07:15 check, 07:55 and 22:05 switches: all done, none later than a tick and the time of its exchanges."""
    run = Run(bench(local("06:30")))

    await run.until(local("23:00"))

    wanted = [(local("07:55"), BY_DAY), (local("22:05"), BY_NIGHT)]
    assert wanted == [(r.boundary, r.desired) for r in run.records[1:]]
    for record in run.records[1:]:
        assert record.verdict is Verdict.VERIFIED
        assert record.at - record.boundary <= timedelta(seconds=TICK_S + 1)
    assert [event.outcome for event in run.told(MomentEnded)] == ["up_to_date"]
    assert Verdict.EFFECTIVE in [event.record.verdict for event in run.told(EffectJudged)]


async def test_the_battery_obeyed_at_the_boundaries_by_the_gateways_own_record() -> None:
    """The simulated gateway's own history shows the two changes, and a battery that stood still for seconds only."""
    b = bench(local("06:30"))

    await Run(b).until(local("23:00"))

    modes = [(at, o.mode) for at, o in b.device.history if o.running]
    changes = [(at, m) for (at, m), (_, before) in zip(modes[1:], modes, strict=False) if m != before]
    assert [mode for _, mode in changes] == ["backup", "self_consumption", "backup"]
    stops = [(at, o.running) for at, o in b.device.history]
    still = sum(
        (later - at for (at, running), (later, _) in pairwise(stops) if not running),
        timedelta(),
    )
    assert still <= timedelta(seconds=15)


async def test_without_a_change_nothing_is_written() -> None:
    """A quiet day writes at its boundaries and once to rehearse, and logs in once: verifying only reads."""
    b = bench(local("06:30"))

    await Run(b).until(local("23:00"))

    assert b.story.count(WRITE) == 3 + 1
    assert b.story.count(LOGIN) == 1


async def test_alarms_are_armed_for_every_boundary_and_moment() -> None:
    """One alarm each, named by instant and rule, for the week ahead and nothing in the past."""
    run = Run(bench(local("06:30")))

    await run.until(local("06:31"))

    names = run.armed[0]
    assert local("07:55") in names.values()
    assert local("22:05") in names.values()
    assert local("07:15") in names.values()
    assert min(names.values()) > local("06:30")
    assert any(name.endswith("Firmware before the day begins (line 12)") for name in names)
    assert any(name.endswith("Refill at night") for name in names)


async def test_hours_asleep_apply_only_what_should_be_now() -> None:
    """Away from 07:00 over two boundaries to 23:00: one switch to the night's setpoint, no replay of the day's."""
    b = bench(local("07:00"))
    await Run(b).until(local("07:01"))
    b.clock.passed_s += 16 * 3600
    b.story.clear()

    run = Run(b)
    await run.until(local("23:05"))

    assert obeyed(b) == ("backup", 100.0, True)
    assert b.story.count(WRITE) == 0  # it was the night's before, and is again


async def test_an_outage_over_a_boundary_heals_within_two_minutes() -> None:
    """The gateway is gone from 07:50 to 08:20; 120 s later the battery goes by the day's setpoint."""
    b = bench(local("07:30"))
    b.scenario("offline for 30 minutes at 07:50")
    run = Run(b)

    await run.until(local("08:22"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert [r.verdict for r in run.records[-2:]] == [Verdict.UNREACHABLE, Verdict.VERIFIED]
    assert len(run.told(GatewayLost)) == 1
    assert len(run.told(GatewayBack)) == 1


async def test_permanent_trouble_is_said_once_and_asked_at_most_once_a_minute() -> None:
    """A day without a gateway: one line of loss, one record for each boundary, no storm of requests."""
    b = bench(local("06:30"))
    b.scenario("offline for 24 hours")
    run = Run(b)

    await run.until(local("12:30"))

    assert len(run.told(GatewayLost)) == 1
    assert len(run.records) == 2
    assert len(b.story) <= 6 * 60 * 2


@pytest.mark.parametrize(
    ("policy", "mode"), [("yield", "backup"), ("notify", "backup"), ("enforce", "self_consumption")]
)
async def test_drift(policy: DriftPolicy, mode: str) -> None:
    """What somebody changed stands until the next boundary, unless the file says enforce; it is said once."""
    b = bench(local("09:00"))
    b.scenario("somebody uses the app at 10:00")
    run = Run(b, on_drift=policy)

    await run.until(local("12:00"))

    assert mode == obeyed(b)[0]
    assert [policy] == [event.policy for event in run.told(Drifted)]
    assert (policy != "enforce") == (run.reports[-1].drifted)


async def test_what_somebody_changed_ends_at_the_boundary() -> None:
    """At 22:05 the plan speaks again, whatever was yielded to before."""
    b = bench(local("21:00"))
    b.scenario("somebody uses the app at 21:30")

    await Run(b).until(local("22:06"))

    assert obeyed(b) == ("backup", 100.0, True)


async def test_a_rules_own_drift_policy_beats_the_files() -> None:
    """`on_drift: enforce` on the rule that speaks wins over the file's yield."""
    schedule = readme_schedule()
    rules = tuple(replace(r, on_drift="enforce") if isinstance(r, Window) else r for r in schedule.rules)
    b = bench(local("09:00"))
    b.scenario("somebody uses the app at 10:00")

    await Run(b, replace(schedule, rules=rules)).until(local("10:10"))

    assert obeyed(b)[0] == "self_consumption"


async def test_a_crash_after_the_login_is_repaired_first() -> None:
    """The process died after a login that stopped the battery: the next one starts it before anything else."""
    b = bench(local("12:00"))
    await b.session.call(b.gateway.read)
    assert obeyed(b)[2] is False
    assert MAY_HAVE_STOPPED in b.marks
    b.restart()
    b.story.clear()

    await Run(b).until(local("12:01"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert b.story[0] == "GET /api/sitemaster"
    assert b.story.index("GET /api/sitemaster/run") < b.story.index("GET /api/operation")


async def test_a_battery_stopped_by_somebody_is_reported_and_left_alone() -> None:
    """Found stopped without our mark: said once, nothing written, and switching goes on when it runs again."""
    b = bench(local("09:00"))
    b.scenario("somebody stops it at 10:00")
    run = Run(b)
    await run.until(local("11:00"))
    assert len(run.told(FoundStopped)) == 1
    assert obeyed(b)[2] is False
    assert run.reports[-1].trouble is not None

    b.device.run()
    run = Run(b)
    await run.until(local("11:10"))

    assert run.reports[-1].trouble is None


async def test_a_customer_is_told_once_and_never_logs_in_again() -> None:
    """No write path: latched with the remedy, one login, one write an hour to find out, and reading goes on."""
    b = bench(local("09:00"), username="customer")
    run = Run(b)

    await run.until(local("13:00"))

    assert len(run.told(PersonNeeded)) == 1
    assert b.story.count(LOGIN) == 1
    assert b.story.count(WRITE) == 1 + 3
    assert "installer" in (run.reports[-1].trouble or "")
    assert run.reports[-1].read_at is not None
    assert run.reports[-1].read_at > local("12:50")


async def test_a_wrong_password_is_tried_three_times_at_most() -> None:
    """Bad credentials: three logins, then silence about the password until it changes."""
    b = bench(local("09:00"), password="wrong")

    run = Run(b)
    await run.until(local("15:00"))

    assert b.story.count(LOGIN) == 3
    assert len(run.told(PersonNeeded)) == 1
    assert "password" in (run.reports[-1].trouble or "")


async def test_another_firmware_is_noticed_and_what_was_latched_is_tried_anew() -> None:
    """A gateway that upgrades itself is noticed at the next read, and the setpoint is proven again."""
    b = bench(local("09:00"))
    b.scenario("upgrades itself at 10:00")
    run = Run(b)

    await run.until(local("10:20"))

    changed = run.told(FirmwareChanged)
    assert [event.before for event in changed] == ["1.45.2"]
    assert run.records[-1].verdict in {Verdict.ALREADY, Verdict.VERIFIED}
    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_a_firmware_check_does_not_delay_a_switch() -> None:
    """The check polls while the boundary comes: the switch is made on time all the same."""
    schedule = readme_schedule()
    b = bench(local("07:50"))
    rules = tuple(
        replace(r, at=replace(r.at, offset=timedelta(minutes=-6)), done_by=None, install=False)
        if r.name.startswith("Firm")
        else r
        for r in schedule.rules
    )
    b.scenario("has an update")
    run = Run(b, replace(schedule, rules=rules))

    await run.until(local("08:10"))

    record = next(r for r in run.records if r.boundary == local("07:55"))
    assert record.at - record.boundary <= timedelta(seconds=TICK_S + 1)
    assert [event.outcome for event in run.told(MomentEnded)] == ["update_waiting"]


async def test_a_live_condition_makes_a_new_target() -> None:
    """A rule with `if: charge_below` speaks while it holds, and the next rule in the file once it no longer does."""
    low = Window(
        name="Refill when low", line=9, setpoint=BY_NIGHT, condition=Condition(charge_below_percent=40)
    )
    schedule = readme_schedule()
    b = bench(local("22:30"))
    b.device.house.charge_wh *= 0.6  # from 50 % raw to 30 %
    run = Run(b, replace(schedule, rules=(low,), default=BY_DAY))

    await run.until(local("22:30") + timedelta(hours=3))

    assert [r.desired for r in run.records[:2]] == [BY_NIGHT, BY_DAY]
    assert [r.rules for r in run.records[:2]] == [("Refill when low",), ("default",)]
    # Charging up to a bound and discharging below it do not take turns every few minutes.
    refills = [record.at for record in run.records if record.rules == ("Refill when low",)]
    assert len(refills) == 2
    assert refills[1] - refills[0] > timedelta(hours=1)


async def test_a_condition_on_the_grid() -> None:
    """`if: grid: islanded` speaks while the grid is away."""
    island = Window(name="Alone", line=9, setpoint=BY_NIGHT, condition=Condition(grid=Grid.ISLANDED))
    b = bench(local("09:00"))
    b.scenario("the grid fails at 10:00")
    run = Run(b, replace(readme_schedule(), rules=(island,), default=BY_DAY))

    await run.until(local("10:10"))

    assert [r.rules for r in run.records] == [("default",), ("Alone",)]


async def test_a_new_configuration_is_in_force_at_the_next_cycle() -> None:
    """adopt() swaps the policy: the gateway follows it, over the same connection and session."""
    b = bench(local("12:00"))
    run = Run(b)
    stop = asyncio.Event()
    running = asyncio.create_task(run.loop.run(stop))
    while b.clock.now() < local("12:05"):
        await asyncio.sleep(0)
    other = Setpoint(mode="self_consumption", reserve_percent=60)
    run.loop.adopt(
        replace(run.policy, schedule=replace(readme_schedule(), rules=(), default=other), digest="e"),
        None,
        "",
    )
    while b.clock.now() < local("12:06"):
        await asyncio.sleep(0)
    stop.set()
    await running

    assert obeyed(b) == ("self_consumption", 62.0, True)
    assert b.story.count(LOGIN) == 1
    assert run.reports[-1].plan_digest == "e"


async def test_a_rejected_configuration_changes_nothing_and_is_shown() -> None:
    """reject() shows the problem in the status; the plan in force goes on."""
    b = bench(local("12:00"))
    run = Run(b)
    run.loop.reject("tou.yaml:3:1: unknown key 'colour'")

    await run.until(local("12:05"))

    assert run.reports[-1].plan_problem == "tou.yaml:3:1: unknown key 'colour'"
    assert obeyed(b) == ("self_consumption", 9.75, True)


@pytest.mark.parametrize("hours", [-2, 2, 24])
async def test_a_step_of_the_wall_clock_is_followed(hours: int) -> None:
    """After the wall clock jumps, the gateway has what should be true at the new time."""
    b = bench(local("21:30"))
    run = Run(b)
    stop = asyncio.Event()
    running = asyncio.create_task(run.loop.run(stop))
    while b.clock.now() < local("21:35"):
        await asyncio.sleep(0)
    b.clock.step = timedelta(hours=hours)
    end_s = b.clock.monotonic() + 60
    while b.clock.monotonic() < end_s:
        await asyncio.sleep(0)
    stop.set()
    await running

    wanted = ("backup", 100.0, True) if hours == 2 else ("self_consumption", 9.75, True)
    assert wanted == obeyed(b)


async def test_stop_in_the_middle_of_a_switch_leaves_the_battery_running() -> None:
    """Told to stop while a login has stopped the battery: it runs again before the loop ends."""
    b = bench(local("12:00"))
    run = Run(b)
    stop = asyncio.Event()
    b.wire.then = lambda call: stop.set() if call == LOGIN else None

    await run.loop.run(stop)

    assert obeyed(b)[2] is True
    assert not b.marks


class Drowsy(VirtualClock):
    """A clock on which nobody wakes from a long rest by himself."""

    async def sleep(self, seconds: float) -> None:
        """Short pauses end; a rest between cycles does not."""
        if seconds >= LOOK_S:
            await asyncio.Event().wait()
        await super().sleep(seconds)


async def test_a_wake_during_a_cycle_is_not_lost() -> None:
    """An edit that arrives while a cycle is under way is taken up right after it, not at some later tick.

    This login stops no battery: nothing else wakes the loop soon after it.
    """
    b = bench(local("12:00"), clock=Drowsy(local("12:00")), username="customer", firmware="21.39")
    run = Run(b)
    stop = asyncio.Event()

    def edit(call: str) -> None:
        if call == WRITE:
            run.loop.adopt(replace(run.policy, digest="e"), None, "")

    b.wire.then = edit
    running = asyncio.create_task(run.loop.run(stop))
    async with asyncio.timeout(10):
        while not run.reports or run.reports[-1].plan_digest != "e":
            await asyncio.sleep(0)
    stop.set()
    await running

    assert run.reports[-1].plan_digest == "e"
