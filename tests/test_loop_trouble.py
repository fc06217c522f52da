"""The loop in trouble: what must not happen when calls fail, people meddle, clocks jump and processes die."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import httpx
import pytest
from bench import BY_DAY, BY_NIGHT, Bench, bench, local, readme_schedule
from days import Run, obeyed

from scheduler.control.agenda import agenda
from scheduler.control.once import once
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.model.events import (
    Drifted,
    EffectJudged,
    Event,
    FirmwareChanged,
    FoundStopped,
    GatewayBack,
    GatewayLost,
    LeftStopped,
    PersonNeeded,
    Restarted,
)
from scheduler.model.evidence import Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.model.status import Status
from scheduler.model.timeline import Condition, DriftPolicy
from scheduler.plan.rules import Schedule, When, Window
from scheduler.simulator.usecases import UseCases

LOGIN = "POST /api/login/Basic"
READ = "GET /api/operation"
SITEMASTER = "GET /api/sitemaster"
WRITE = "POST /api/operation"
COMMIT = "GET /api/config/completed"
METERS = "GET /api/meters/aggregates"
SHUT = b'{"code":401,"error":"roles [Provider_Engineer] require physical access","message":"Login Error"}'
KETTLE = (
    b'{"site":{"instant_power":2500},"battery":{"instant_power":0},'
    b'"load":{"instant_power":2500},"solar":{"instant_power":0}}'
)
"""Meters that show the grid carrying the house."""


def conditional() -> Schedule:
    """A schedule whose setpoint depends on the charge."""
    low = Window(name="Low", line=9, setpoint=BY_NIGHT, condition=Condition(charge_below_percent=90))
    return replace(readme_schedule(), rules=(low,), default=BY_DAY)


async def test_once_with_an_if_works_from_a_cold_start() -> None:
    """The login that stops the battery must not make its state of charge unreadable: it runs again before it is asked."""
    b = bench(local("12:00"))
    run = Run(b, conditional())

    came = await once(
        agenda(run.policy, b.clock.now()), b.gateway, clock=b.clock, marks=b.marks, tell=b.events.append
    )

    assert came.record.verdict is Verdict.VERIFIED
    assert came.record.rules == ("Low",)
    assert obeyed(b)[2]


async def test_an_if_raises_no_alarm_at_the_start() -> None:
    """A daemon with a conditional rule starts without a word of a lost gateway."""
    run = Run(bench(local("12:00")), conditional())

    await run.until(local("12:20"))

    assert run.told(GatewayLost) == []
    assert run.records[0].verdict is Verdict.VERIFIED


async def test_a_call_that_is_missing_once_does_not_stop_switching() -> None:
    """One 404 of the meters at noon, and the switch at 22:05 is made all the same."""
    b = bench(local("12:00"))
    b.wire.first_answers[METERS] = [(404, b"")]

    await Run(b).until(local("22:06"))

    assert obeyed(b) == ("backup", 100.0, True)


async def test_a_write_path_that_was_missing_is_looked_for_again_in_its_segment() -> None:
    """A gateway that answers 404 for a minute while it starts up does not cost the night's charge."""
    b = bench(local("21:00"))
    run = Run(b)
    await run.until(local("22:04"))
    b.wire.answers[WRITE] = (404, b"")
    await run.until(local("22:06"))
    b.wire.answers.clear()

    await run.until(local("22:08"))

    assert [r.verdict for r in run.records[-2:]] == [Verdict.REFUSED, Verdict.VERIFIED]
    assert obeyed(b)[0] == "backup"


@pytest.mark.parametrize("schedule", [readme_schedule(), conditional()], ids=["plain", "conditional"])
async def test_what_is_refused_for_good_makes_no_storm_and_is_lifted_by_other_firmware(
    schedule: Schedule,
) -> None:
    """A customer over a boundary: the evidence says refused, a handful of requests an hour, and new firmware is noticed."""
    b = bench(local("21:00"), username="customer")
    run = Run(b, schedule)
    await run.until(local("22:30"))
    asked = len(b.story)
    assert {r.verdict for r in run.records} == {Verdict.REFUSED}
    assert len(run.reports) <= 6 * 90

    b.scenario("upgrades itself")
    await run.until(local("23:30"))

    assert len(b.story) - asked <= 100
    assert len(run.told(FirmwareChanged)) == 1


async def test_a_login_that_is_shut_is_tried_once() -> None:
    """Physical access needed: one login a day, the person told once, and the remedy still in the status at night."""
    b = bench(local("06:30"))
    b.wire.answers[LOGIN] = (401, SHUT)
    run = Run(b)

    await run.until(local("23:30"))

    assert b.story.count(LOGIN) == 1
    assert len(run.told(PersonNeeded)) == 1
    assert "toggles a switch" in (run.reports[-1].trouble or "")


async def test_a_refusal_that_passes_before_a_boundary_does_not_delay_it() -> None:
    """Whatever pause a refusal began, the next boundary is tried in time."""
    b = bench(local("21:00"))
    run = Run(b)
    await run.until(local("22:01"))
    b.wire.answers[READ] = (403, b"")
    await run.until(local("22:04"))
    b.wire.answers.clear()

    await run.until(local("22:06"))

    assert obeyed(b)[0] == "backup"


async def test_a_stop_by_our_own_lost_login_is_mended() -> None:
    """The first login is answered by nobody and obeyed half a minute later, when a second one has long succeeded."""
    b = bench(local("12:00"))
    b.wire.breaks[LOGIN] = httpx.ReadTimeout("")
    run = Run(b)
    await run.until(local("12:00") + timedelta(seconds=5))
    b.wire.breaks.clear()
    b.device.later(b.clock.now() + timedelta(seconds=25), b.device.stop)

    await run.until(local("12:02"))

    assert run.told(FoundStopped) == []
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert not b.marks


async def test_an_owed_start_outlasts_a_429() -> None:
    """Our login stopped the battery, and the login to start it is answered by 429: the mark stays, and it is started later."""
    b = bench(local("12:00"))
    await b.session.call(b.gateway.read)
    b.restart()
    b.wire.first_answers[LOGIN] = [(429, b"")]
    run = Run(b)

    await run.until(local("12:08"))

    assert b.story.count(LOGIN) == 3
    assert obeyed(b)[2]
    assert run.told(FoundStopped) == []


async def test_429_of_the_meters_is_silence_too() -> None:
    """A gateway that wants fewer requests gets none, whatever call it was that it said so to."""
    b = bench(local("12:00"))
    run = Run(b)
    await run.until(local("12:01"))
    b.wire.first_answers[METERS] = [(429, b"")]
    await run.until(local("12:02") + timedelta(seconds=30))
    asked = len(b.story)

    await run.until(local("12:06"))

    assert len(b.story) == asked


async def test_a_login_under_way_when_we_stop_is_not_taken_for_none() -> None:
    """Told to stop while a login hangs: the gateway may yet obey it, and that is said."""
    b = bench(local("12:00"))
    run = Run(b)
    stop = asyncio.Event()
    b.wire.breaks[LOGIN] = httpx.ReadTimeout("")
    b.wire.then = lambda call: stop.set() if call == LOGIN else None

    left = await run.loop.run(stop)

    assert left is not None
    assert len(run.told(LeftStopped)) == 1


async def test_what_held_yesterday_does_not_hold_today() -> None:
    """The margin of an `if` belongs to the stretch in which it held: the next day begins by the bound itself."""
    low = Window(
        name="low",
        line=1,
        setpoint=Setpoint(mode="backup", reserve_percent=60),
        when=When(during=frozenset({"on_peak"})),
        condition=Condition(charge_below_percent=50),
    )
    day = Window(name="day", line=2, setpoint=BY_DAY)
    b = bench(local("19:50"))
    b.device.house.charge_wh = 13_500 * 0.45
    run = Run(b, replace(readme_schedule(), rules=(low, day)))
    await run.until(local("20:10"))
    assert [r.rules for r in run.records] == [("low",), ("day",)]
    b.clock.passed_s += 17.7 * 3600
    b.device.now()
    b.device.house.charge_wh = 13_500 * 0.515

    await run.until(local("2026-07-02T14:02"))

    assert run.reports[-1].rules == ("day",)


async def test_a_restart_of_the_gateway_does_not_undo_what_a_person_set() -> None:
    """A change that is yielded to stands until the boundary, over a reboot of the gateway with the same firmware."""
    b = bench(local("09:00"))
    run = Run(b)
    await run.until(local("09:10"))
    b.scenario("somebody uses the app")
    await run.until(local("09:20"))
    b.device.start_time = b.device.now()

    await run.until(local("09:40"))

    assert obeyed(b)[0] == "backup"
    assert run.reports[-1].drifted


async def test_two_edits_in_a_row_do_not_lose_a_new_gateway() -> None:
    """The first edit names another gateway, the second changes a comment before the first was taken up."""
    b, other = bench(local("12:00")), bench(local("12:00"))
    run = Run(b)
    run.loop.adopt(run.policy, other.gateway, "")
    run.loop.adopt(replace(run.policy, digest="e"), None, "")

    await run.until(local("12:01"))

    assert other.story
    assert WRITE not in b.story


async def reloaded_to_one_that_is_away(device: str) -> tuple[Status, Status]:
    """The last status before, and the last after a reload that names a gateway which does not answer."""
    b, other = bench(local("12:00")), bench(local("12:00"))
    UseCases(other.device).goes_offline(timedelta(minutes=10))
    run = Run(b)
    await run.until(local("12:01"))
    before = run.reports[-1]
    run.loop.adopt(run.policy, other.gateway, device)
    await run.until(local("12:02"))
    return before, run.reports[-1]


async def test_another_gateway_is_not_shown_with_what_the_one_before_it_did() -> None:
    """A reload names another house's gateway, and nobody answers there: the status shows no reading at all."""
    before, after = await reloaded_to_one_that_is_away("another.local:443")

    assert before.actual is not None
    assert (after.actual, after.read_at, after.firmware) == (None, None, None)


async def test_the_same_gateway_by_another_password_keeps_what_was_read() -> None:
    """A reload that gives another password, and the gateway does not answer just then: what it did last is still shown."""
    before, after = await reloaded_to_one_that_is_away("")

    assert before.actual is not None
    assert (after.actual, after.read_at) == (before.actual, before.read_at)


@pytest.mark.parametrize("meanwhile", ["nothing", "an if"])
async def test_a_person_is_called_even_after_an_outage(meanwhile: str) -> None:
    """First the gateway is away, then it lets nobody in any more: the second is told as well, because a person must act."""
    b = bench(local("09:00"))
    b.scenario("offline for 10 minutes at 10:00")
    run = Run(b, conditional() if meanwhile == "an if" else None)
    await run.until(local("10:05"))
    b.device.sessions.expire(b.device.now())
    b.wire.answers[LOGIN] = (401, SHUT)

    await run.until(local("11:00"))

    assert len(run.told(GatewayLost)) == 1
    assert len(run.told(PersonNeeded)) == 1


@pytest.mark.parametrize("schedule", [readme_schedule(), conditional()], ids=["plain", "conditional"])
async def test_a_standstill_is_told_even_after_an_outage(schedule: Schedule) -> None:
    """The gateway was away, and comes back with a battery that somebody stopped."""
    b = bench(local("09:00"))
    b.scenario("offline for 10 minutes at 10:00")
    b.scenario("somebody stops it at 10:05")
    run = Run(b, schedule)

    await run.until(local("10:30"))

    assert len(run.told(FoundStopped)) == 1
    assert not obeyed(b)[2]


async def test_a_new_target_after_an_outage_is_not_written_to_a_gateway_under_repair() -> None:
    """Back from an outage in the very pause in which a boundary passed, with a battery that somebody stopped: no write."""
    b = bench(local("21:03"))
    b.scenario("offline for 3 minutes at 22:02")
    b.scenario("somebody stops it at 22:04")
    run = Run(b)

    await run.until(local("22:40"))

    assert b.story.count(WRITE) == 1
    assert len(run.told(FoundStopped)) == 1
    assert run.records[-1].desired == BY_NIGHT


async def test_a_login_that_a_reading_needs_is_undone_before_the_reading() -> None:
    """The session expires as the state of charge is asked for: after the login the battery runs before it is asked again."""
    b = bench(local("12:00"))
    run = Run(b, conditional())
    await run.until(local("12:07"))
    b.wire.first_answers["GET /api/system_status/soe"] = [(401, b"")]

    await run.until(local("12:20"))

    assert b.story.count(LOGIN) == 2
    assert run.told(GatewayLost) == []


async def test_a_clock_that_jumps_within_a_cycle_crashes_nothing() -> None:
    """A Pi that was off for weeks gets its time while the first cycle is under way."""
    b = bench(local("12:00"))

    def jump(call: str) -> None:
        if call == LOGIN:
            b.clock.step = timedelta(days=30)

    b.wire.then = jump
    await Run(b).until(local("2026-07-31T12:05"))

    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_a_bug_does_not_leave_the_battery_stopped() -> None:
    """An exception that nobody expects ends the loop, but not before the battery runs again."""
    b = bench(local("12:00"))
    run = Run(b)

    def bug(call: str) -> None:
        if call == READ:
            b.wire.then = lambda _: None
            raise ZeroDivisionError

    b.wire.then = bug
    with pytest.raises(ZeroDivisionError):
        await run.until(local("12:05"))

    assert obeyed(b)[2]


@pytest.mark.parametrize("call", [METERS, "GET /api/system/update/status", "GET /api/system_status/soe"])
async def test_one_call_that_always_fails_makes_no_storm(call: str) -> None:
    """Whatever side call answers 500 for ever: a handful of lines, at most 600 requests an hour, and switches on time."""
    b = bench(local("06:30"))
    b.wire.answers[call] = (500, b"")
    run = Run(b)

    await run.until(local("09:30"))

    assert len(b.events) <= 12
    assert len([line for line in b.story if line.startswith(("GET", "POST"))]) <= 600
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert run.told(GatewayLost) == []


async def test_what_was_refused_is_never_called_effective() -> None:
    """A switch that the gateway refused stays refused, whatever the battery happens to do."""
    b = bench(local("12:00"))
    run = Run(b)
    await run.until(local("12:01"))
    b.scenario("somebody uses the app")
    b.wire.answers[WRITE] = (403, b"")
    run = Run(b, on_drift="enforce")

    await run.until(local("20:00"))

    assert run.reports[-1].record is not None
    assert run.reports[-1].record.verdict is Verdict.REFUSED
    assert run.told(EffectJudged) == []


async def test_enforcing_leaves_a_trace() -> None:
    """Each time a person is overruled there is a drift and the evidence of the switch."""
    b = bench(local("09:00"))
    b.scenario("somebody uses the app at 10:00")
    b.scenario("somebody uses the app at 11:00")
    run = Run(b, on_drift="enforce")

    await run.until(local("12:00"))

    assert [event.policy for event in run.told(Drifted)] == ["enforce", "enforce"]
    assert [r.verdict for r in run.records] == [Verdict.VERIFIED] * 3


@pytest.mark.parametrize(("strict", "mode"), [("enforce", "backup"), ("yield", "self_consumption")])
async def test_the_drift_policy_is_that_of_the_rule_whose_field_was_changed(
    strict: DriftPolicy, mode: str
) -> None:
    """One rule gives the reserve and yields, another gives the mode: who changes the mode has to do with the latter."""
    reserve = Window(name="reserve", line=1, setpoint=Setpoint(reserve_percent=30), on_drift="yield")
    backup = Window(name="mode", line=2, setpoint=Setpoint(mode="backup"), on_drift=strict)
    b = bench(local("12:00"))
    run = Run(b, replace(readme_schedule(), rules=(reserve, backup)), on_drift="yield")
    await run.until(local("12:10"))
    b.device.use_app(replace(b.device.shown, mode="self_consumption"))

    await run.until(local("12:20"))

    assert obeyed(b)[0] == mode


async def test_notify_is_an_alarm_until_the_boundary() -> None:
    """With `on_drift: notify` the change stands, and the status is not fine until the next boundary."""
    b = bench(local("21:00"))
    b.scenario("somebody uses the app at 21:30")
    run = Run(b, on_drift="notify")

    await run.until(local("22:00"))
    assert "somebody changed it" in (run.reports[-1].trouble or "")
    await run.until(local("22:10"))
    assert run.reports[-1].trouble is None


async def test_a_change_that_is_taken_back_is_no_drift_any_more() -> None:
    """When the person puts it back, the status says so; another change is told anew."""
    b = bench(local("09:00"))
    run = Run(b)
    await run.until(local("09:10"))
    b.scenario("somebody uses the app")
    await run.until(local("09:20"))
    assert run.reports[-1].drifted
    b.device.use_app(replace(b.device.shown, mode="self_consumption", reserve_raw_percent=9.75))
    await run.until(local("09:30"))
    assert not run.reports[-1].drifted
    b.device.use_app(replace(b.device.shown, mode="backup", reserve_raw_percent=50))
    await run.until(local("09:40"))
    b.device.use_app(replace(b.device.shown, mode="backup", reserve_raw_percent=90))
    await run.until(local("09:50"))

    assert len(run.told(Drifted)) == 3
    assert run.reports[-1].record is not None
    assert run.reports[-1].record.after == Setpoint(
        mode="backup", reserve_percent=pytest.approx(89.47, abs=0.01)
    )


async def test_processes_that_die_after_the_login_do_not_leave_the_battery_to_the_budget() -> None:
    """Three kills right after a login use up the budget; the fourth process may still log in to start the battery."""
    b = bench(local("12:00"))
    for _ in range(3):
        await b.session.call(b.gateway.read)
        b.restart()
        b.clock.passed_s += 2
    assert not obeyed(b)[2]

    await Run(b).until(local("12:00") + timedelta(seconds=30))

    assert obeyed(b)[2]


async def test_a_busy_gateway_does_not_use_up_the_login_budget() -> None:
    """Busy for two minutes at the boundary, with an expired token: switched within two minutes after that."""
    b = bench(local("07:30"))
    b.scenario("token expires at 07:54")
    b.scenario("is busy at 07:54")
    run = Run(b)

    await run.until(local("07:58"))

    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_429_is_answered_with_silence() -> None:
    """After a 429 nothing at all is asked for five minutes, by no reload either."""
    b = bench(local("12:00"))
    b.wire.first_answers[LOGIN] = [(429, b"")]
    run = Run(b)
    await run.until(local("12:00") + timedelta(seconds=5))
    asked = len(b.story)
    assert [line for line in b.story if line.startswith(("GET", "POST"))][-1] == LOGIN
    run.loop.adopt(replace(run.policy, digest="e"), None, "")

    await run.until(local("12:04"))
    assert len(b.story) == asked
    await run.until(local("12:06"))
    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_a_call_that_refuses_every_session_is_no_reason_to_log_in_all_day() -> None:
    """401 for ever on one call: another tells that the session lives, so that a login is tried about once an hour."""
    b = bench(local("06:30"))
    b.wire.answers[READ] = (401, b"")
    run = Run(b)

    await run.until(local("23:30"))

    assert b.story.count(LOGIN) <= 20
    assert len(run.told(GatewayLost)) == 1
    assert {record.verdict for record in run.records} == {Verdict.UNREACHABLE}
    assert obeyed(b)[2]


async def test_calls_that_all_refuse_every_session_cost_no_more_than_the_budget() -> None:
    """401 for ever to whoever is logged in: thirty logins a day, and the battery runs after each."""
    b = bench(local("06:30"))
    for call in (READ, "GET /api/system/update/status"):
        b.wire.answers[call] = (401, b"")
    run = Run(b)

    await run.until(local("2026-07-02T06:30"))

    assert 10 <= b.story.count(LOGIN) <= 30 + 2
    assert {record.verdict for record in run.records} == {Verdict.UNREACHABLE}
    assert obeyed(b)[2]


@pytest.mark.parametrize("call", [READ, WRITE, "GET /api/config/completed", "GET /api/sitemaster/run"])
@pytest.mark.parametrize("times", [2, 3, 4])
async def test_a_few_refused_sessions_in_a_row_are_no_lack_of_the_gateway(call: str, times: int) -> None:
    """The same call says 401 after a new login, too: told as an outage, and the switch is made when the login budget allows."""
    b = bench(local("07:50"))
    run = Run(b)

    def spoil(asked: str) -> None:
        if b.clock.now() >= local("07:54"):
            b.scenario("token expires")
            b.wire.first_answers[call] = [(401, b"")] * times
            b.wire.then = lambda _: None

    b.wire.then = spoil
    await run.until(local("08:20"))

    assert run.told(PersonNeeded) == []
    assert run.records[-1].verdict.good
    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_one_odd_look_at_the_meters_condemns_nothing() -> None:
    """A kettle is quicker than an inverter: only a contradiction that lasts makes a switch not effective."""
    b = bench(local("19:00"))
    b.wire.first_answers[METERS] = [(200, KETTLE)]
    run = Run(b)

    await run.until(local("19:30"))

    assert [event.record.verdict for event in run.told(EffectJudged)] == [Verdict.EFFECTIVE]


async def test_a_battery_that_obeys_late_is_effective_after_all() -> None:
    """Not effective is looked at again, so that it can be raised."""
    b = bench(local("19:00"))
    b.wire.first_answers[METERS] = [(200, KETTLE)] * 3
    run = Run(b)

    await run.until(local("20:30"))

    assert [event.record.verdict for event in run.told(EffectJudged)] == [
        Verdict.NOT_EFFECTIVE,
        Verdict.EFFECTIVE,
    ]


async def test_a_battery_that_cannot_be_put_back_at_the_end_is_told() -> None:
    """The gateway vanishes after a login that stopped the battery, and we are told to stop: that is an error, told and returned."""
    b = bench(local("12:00"))
    run = Run(b)
    stop = asyncio.Event()
    b.wire.then = _vanish_after(b, LOGIN, stop.set)

    left = await run.loop.run(stop)

    assert left is not None
    assert len(run.told(LeftStopped)) == 1
    assert MAY_HAVE_STOPPED in b.marks


def _vanish_after(b: Bench, call: str, then: Callable[[], None]) -> Callable[[str], None]:
    def look(seen: str) -> None:
        if call in b.story[:-1]:
            b.device.go_offline(timedelta(hours=1))
            raise TimeoutError
        if seen == call:
            then()

    return look


async def test_events_are_few_on_a_good_day() -> None:
    """A day without trouble has a restart, three switches, their effects and a moment: nothing else."""
    run = Run(bench(local("06:30")))

    await run.until(local("23:00"))

    kinds: dict[type[Event], int] = {}
    for event in run.bench.events:
        kinds[type(event)] = kinds.get(type(event), 0) + 1
    assert kinds[Restarted] == 1
    assert GatewayLost not in kinds
    assert GatewayBack not in kinds
    assert len(run.bench.events) <= 10


def longest_standstill(b: Bench) -> timedelta:
    """How long the battery stood still at a time, by the gateway's own record."""
    b.device.now()
    history = [(at, setting.running) for at, setting in b.device.history]
    ends = [at for at, _ in history[1:]] + [b.clock.now()]
    still = [end - at for (at, running), end in zip(history, ends, strict=True) if not running]
    return max(still, default=timedelta())


@pytest.mark.parametrize("refused_starts", [0, 1])
@pytest.mark.parametrize(
    ("call", "at"),
    [
        (READ, "07:00"),
        ("GET /api/system_status/soe", "07:00"),
        ("GET /api/system/update", "07:14:50"),
        (SITEMASTER, "07:00"),
    ],
)
async def test_a_battery_that_our_login_stopped_does_not_stand_through_a_silence(
    call: str, at: str, refused_starts: int
) -> None:
    """A new login, then 429 to whatever comes next: a start needs no login, and is tried again a minute later at most."""
    b = bench(local("06:30"))
    run = Run(b)

    def spoil(_: str) -> None:
        if b.clock.now() >= local(at):
            b.scenario("token expires")
            b.wire.then = after_login

    def after_login(asked: str) -> None:
        if asked == LOGIN:
            b.wire.first_answers[call] = [(429, b"")] * (3 if call == SITEMASTER else 1)
            b.wire.first_answers["GET /api/sitemaster/run"] = [(500, b"")] * refused_starts
            b.wire.then = lambda _: None

    b.wire.then = spoil
    await run.until(local("08:30"))

    assert b.story.count(LOGIN) >= 2
    assert longest_standstill(b) <= timedelta(seconds=60 * refused_starts + 15)
    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_a_silence_is_kept_over_a_restart() -> None:
    """The process that was told 429 is gone: the next one asks nothing at all until it is over, and says so."""
    b = bench(local("12:00"))
    b.wire.first_answers[LOGIN] = [(429, b"")]
    await Run(b).until(local("12:00") + timedelta(seconds=20))
    asked = len(b.story)

    b.restart()
    run = Run(b)
    await run.until(local("12:04"))
    assert len(b.story) == asked
    assert "fewer requests" in (run.reports[-1].trouble or "")

    await run.until(local("12:06"))
    assert b.story.count(LOGIN) == 2
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert run.reports[-1].trouble is None


async def test_who_lets_nobody_in_while_power_flows_is_a_persons_matter_and_no_storm() -> None:
    """All day long: told with the remedy after the third, within the budget for a whole day, and every boundary tried."""
    b = bench(local("06:30"))
    b.wire.answers[LOGIN] = (500, b'{"code":500,"error":"Cannot Start Wizard"}')
    tried: list[datetime] = []
    b.wire.then = lambda call: tried.append(b.clock.now()) if call == LOGIN else None
    run = Run(b)

    await run.until(local("2026-07-02T06:30"))

    (needed,) = run.told(PersonNeeded)
    assert "gateway.force_sm_off: true would insist" in needed.message
    assert needed.at < local("06:32")
    assert len(tried) <= 30
    assert any(local("22:05") <= at <= local("22:06") for at in tried)
    assert any(at > local("2026-07-02T05:00") for at in tried), "the budget lasts"
    assert {record.verdict for record in run.records} == {Verdict.UNREACHABLE}

    b.wire.answers.clear()
    await run.until(local("2026-07-02T07:56"))
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert len(run.told(GatewayBack)) == 1


async def test_processes_that_come_and_go_make_no_storm_of_a_gateway_that_lets_nobody_in() -> None:
    """Fifty of them within five minutes: three logins."""
    b = bench(local("06:30"))
    b.scenario("refuses the wizard")
    for _ in range(50):
        await b.procedure(BY_NIGHT).run()
        b.restart()
        b.clock.passed_s += 5

    assert b.story.count(LOGIN) == 3


async def test_what_shows_and_is_not_in_force_is_committed_once_the_meters_say_so() -> None:
    """Whoever wrote it never committed it, and nothing is noted: two looks at the meters later it is put in force, once."""
    b = bench(local("18:00"))
    run = Run(b)
    await run.until(local("18:10"))
    b.device.write("backup", 100.0)
    b.restart()
    commits, told = b.story.count(COMMIT), len(run.records)
    night = replace(readme_schedule(), rules=(), default=BY_NIGHT)
    run = Run(b, schedule=night)
    await run.until(local("18:20"))

    assert obeyed(b) == ("backup", 100.0, True)
    assert [it.verdict for it in run.records[told:]] == [Verdict.ALREADY, Verdict.VERIFIED]
    assert b.story.count(COMMIT) == commits + 1
    assert run.reports[-1].record is not None
    assert run.reports[-1].record.verdict is Verdict.EFFECTIVE


async def test_a_session_that_was_refused_one_call_and_then_died_is_made_anew() -> None:
    """One call says 401 to a session that lives, and the gateway restarts: its 403 is the dead token's, and the boundary is kept."""
    b = bench(local("07:30"))
    run = Run(b)
    b.wire.answers[READ] = (401, b"")
    await run.until(local("07:40"))
    b.scenario("reboots")
    await run.until(local("07:41"))
    del b.wire.answers[READ]
    await run.until(local("07:56"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert run.reports[-1].trouble is None
