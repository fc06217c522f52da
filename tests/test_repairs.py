"""A battery that our login stopped, while logins alone go wrong; and a person's change, while only a proof of the way does."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from bench import bench, local
from days import Run, obeyed
from firmware_day import firmware_at

from scheduler.control.doubt import STOPS_S
from scheduler.control.retries import APART_S, LONGEST_S, WRONG_S, Retries
from scheduler.gateway.budget import ALLOWANCES, REPAIRS
from scheduler.model.errors import BadCredentials, GatewayError, Throttled, Transient, Unsteady
from scheduler.model.events import FoundStopped
from scheduler.simulator.record import stretches

LOGIN = "POST /api/login/Basic"
COMMIT = "GET /api/config/completed"
LOST = httpx.ReadTimeout("")


async def outage(minutes: float, status: int) -> tuple[float, float]:
    """Logins alone are answered so for a while, after one that was obeyed and whose answer is lost.

    For how many seconds that lasted, and how many seconds more the battery stood still after it.
    """
    b = bench(local("12:00"))
    run = Run(b)
    await run.until(local("12:01"))
    b.scenario("token is forgotten")
    over = local("12:05") + timedelta(minutes=minutes)
    tries = []

    def then(call: str) -> None:
        if call == LOGIN:
            tries.append(b.clock.now())
        b.wire.late = {LOGIN: LOST} if len(tries) == 1 else {}
        b.wire.answers = {LOGIN: (status, b"")} if len(tries) > 1 and b.clock.now() < over else {}

    b.wire.then = then
    await run.until(over + timedelta(minutes=minutes) + timedelta(hours=2))

    assert obeyed(b)[2], "the battery runs in the end"
    ends = [end for _, end, it in stretches(b.device.history, over, b.clock.now()) if not it.running]
    stood = max(ends, default=over) - over
    return (over - tries[1]).total_seconds(), stood.total_seconds()


@pytest.mark.parametrize("status", [404, 409, 500, 502, 503])
@pytest.mark.parametrize("minutes", [1, 4, 12, 30, 150])
async def test_i3_however_long_logins_fail_the_battery_waits_for_half_of_that_at_most(
    minutes: int, status: int
) -> None:
    """The logins that start a battery again are spaced, so that the budget lasts as long as the gateway refuses them."""
    lasted_s, stood_s = await outage(minutes, status)

    assert lasted_s > 0
    assert stood_s <= max(120.0, lasted_s / 2 + 30)


@pytest.mark.parametrize("then_502", [False, True], ids=["lost", "502"])
@pytest.mark.parametrize("hours", [0.25, 2.0, 5.0])
async def test_i3_hours_without_the_gateway_are_no_logins_that_failed(
    hours: float, *, then_502: bool
) -> None:
    """Two answers are lost, the gateway is gone for hours, and one login more fails: from then on two minutes are enough."""
    b = bench(local("09:00"))
    run = Run(b)
    await run.until(local("09:01"))
    b.scenario("token is forgotten")
    tries = []

    def then(call: str) -> None:
        if call != LOGIN:
            return
        tries.append(b.clock.now())
        b.wire.late = {LOGIN: LOST} if len(tries) < 3 or (len(tries) == 3 and not then_502) else {}
        b.wire.answers = {LOGIN: (502, b"")} if len(tries) == 3 and then_502 else {}
        if len(tries) == 2:
            b.device.go_offline(timedelta(hours=hours))

    b.wire.then = then
    await run.until(local("09:15") + timedelta(hours=hours))

    back = tries[1] + timedelta(hours=hours)
    stood = [end for _, end, it in stretches(b.device.history, back, b.clock.now()) if not it.running]
    assert len(tries) == 4
    assert max(stood) - tries[2] <= timedelta(seconds=120)
    assert obeyed(b)[2]


@pytest.mark.parametrize(("minutes", "most_s"), [(4, 120), (12, 3600), (50, 3600)])
async def test_i3_a_password_that_is_called_wrong_for_a_while_costs_an_hour_and_not_a_day(
    minutes: int, most_s: float
) -> None:
    """The third login that is called wrong ends all requests for a day, so it comes an hour after the second."""
    _, stood_s = await outage(minutes, 401)

    assert stood_s <= most_s


async def test_g5_a_login_that_is_obeyed_and_answered_with_502_has_stopped_the_battery() -> None:
    """A proxy in front of the gateway says 502 of a login that went through: the battery is started, as after a lost answer."""
    b = bench(local("12:00"))
    b.scenario("applies but answers 502 to /api/login/Basic for the next request")
    run = Run(b)

    await run.until(local("12:30"))

    assert b.story.count(LOGIN) == 2
    assert run.told(FoundStopped) == []
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert not b.marks


@pytest.mark.parametrize("again", [False, True], ids=["the loop goes on", "the process ends at once"])
async def test_i3_a_stop_that_comes_after_the_answer_to_the_login_is_ours(*, again: bool) -> None:
    """A gateway lets us in, and stops the battery two seconds later: nobody is called, and it runs again within seconds."""
    b = bench(local("12:00"))
    b.scenario("stops slowly")
    run = Run(b)
    if again:
        await run.until(local("12:00") + timedelta(seconds=0.5))
        b.restart()
        run = Run(b)

    await run.until(local("12:30"))

    stood = [
        end - start
        for start, end, it in stretches(b.device.history, local("12:00"), b.clock.now())
        if not it.running
    ]
    assert stood
    assert max(stood) <= timedelta(seconds=STOPS_S)
    assert run.told(FoundStopped) == []
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert not b.marks


async def test_g9_one_odd_serial_number_does_not_leave_the_battery_to_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While a start is owed the gateway names another serial number once: it is asked who it is again, and started."""
    b = bench(local("12:00"))
    run = Run(b)
    ask = b.wire.handle_async_request
    odd: list[str] = []

    async def name_itself(request: httpx.Request) -> httpx.Response:
        answer = await ask(request)
        if request.url.path == "/api/login/Basic" and b.story.count(LOGIN) == 2:
            raise LOST
        if request.url.path != "/api/status":
            return answer
        said = json.loads(await answer.aread())
        said["din"] = "1232100-00-E--T123456789"
        if b.story.count(LOGIN) == 2 and not odd:
            odd.append(said["din"])
            said["din"] = "1232100-00-E--"
        return httpx.Response(200, json=said)

    monkeypatch.setattr(b.wire, "handle_async_request", name_itself)
    await run.until(local("12:01"))
    b.scenario("token is forgotten")
    await run.until(local("12:20"))

    assert odd
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert not b.marks


@pytest.mark.parametrize("do", ["check_path", "check_firmware"])
async def test_g12_a_lost_commit_of_a_proof_does_not_undo_what_a_person_set(do: str) -> None:
    """Before the peak the way is proven with what a person set meanwhile, and an answer is lost: his change stands all the same."""
    b = bench(local("12:00"))
    run = Run(b, firmware_at("13:00", do=do, install=False))
    await run.until(local("12:30"))
    b.scenario("somebody uses the app")
    await run.until(local("12:50"))
    changed = obeyed(b)
    lost = []

    def then(call: str) -> None:
        b.wire.late = {COMMIT: LOST} if call == COMMIT and not lost else {}
        lost.extend([call] * (call == COMMIT))

    b.wire.then = then
    await run.until(local("13:10"))

    assert lost
    assert obeyed(b) == changed


def times_of(error: GatewayError, *, for_s: float) -> list[float]:
    """When a login is tried that ends in this error each time, by one who would like to every five seconds."""
    retries = Retries()
    tried = []
    now_s = 0.0
    while now_s <= for_s:
        try:
            retries.hold(now_s)
        except type(error):
            pass
        else:
            tried.append(now_s)
            retries.failed(error, now_s)
        now_s += 5.0
    return tried


def test_i8_the_budget_lasts_for_a_day_of_logins_that_fail() -> None:
    """Never more logins within a window than its allowance has for starting a battery, and never a pause of half the time or more."""
    tried = times_of(Transient("it failed"), for_s=86_400.0)

    for allowance in ALLOWANCES:
        window_s = allowance.window.total_seconds()
        most = max(sum(start <= at < start + window_s for at in tried) for start in tried)
        assert most <= allowance.count + REPAIRS
    pauses = list(pairwise(tried))
    assert all(later - at <= max(*APART_S, at / 2) + 5.0 for at, later in pauses)
    assert max(later - at for at, later in pauses) <= LONGEST_S + 5.0


def test_i8_which_failures_are_spaced() -> None:
    """A silence has its own end, a busy gateway costs nothing for ten minutes, and a password is not called wrong three times an hour."""
    assert len(times_of(Throttled("too many"), for_s=60.0)) == 13
    assert len(times_of(Unsteady("busy"), for_s=600.0)) == 11
    assert len(times_of(Unsteady("busy"), for_s=3600.0)) == 16
    assert times_of(BadCredentials("wrong", remedy="another one"), for_s=3600.0) == [0.0, 5.0, 5.0 + WRONG_S]
