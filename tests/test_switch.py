"""The switch: its steps, their order, and what it says when something goes wrong."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import httpx
import pytest
from bench import BY_DAY, BY_NIGHT, bench, local

from scheduler.control import switch
from scheduler.control.doubt import LATE_STOP_S, STOPS_S
from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED
from scheduler.gateway.local import LocalGateway, LocalPace
from scheduler.model.errors import NotCapable, Standstill
from scheduler.model.evidence import Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.simulator.record import stopped_between

READ = "GET /api/operation"
WRITE = "POST /api/operation"
COMMIT = "GET /api/config/completed"
LOGIN = "POST /api/login/Basic"
RUN = "GET /api/sitemaster/run"
SITEMASTER = "GET /api/sitemaster"


async def test_a_warm_switch_is_four_round_trips() -> None:
    """Read, write, commit, read back: nothing else goes over the wire in a session that is already open."""
    b = bench()
    await b.procedure(BY_DAY).run()
    b.clock.passed_s += STOPS_S
    await b.session.release()
    b.story.clear()

    came = await b.procedure(BY_NIGHT).run()

    assert [line for line in b.story if line.startswith(("GET", "POST"))] == [READ, WRITE, COMMIT, READ]
    assert [step.step for step in came.record.steps] == [
        "get_operation",
        "post_operation",
        "config_completed",
        "get_operation",
    ]
    assert came.record.verdict is Verdict.VERIFIED
    assert came.record.after == BY_NIGHT


async def test_a_verified_switch_is_obeyed_by_the_battery() -> None:
    """The simulated battery goes by the new setpoint, not only the gateway's page."""
    b = bench()

    await b.procedure(BY_NIGHT).run()

    assert (
        b.device.obeyed.mode,
        b.device.obeyed.reserve_raw_percent,
        b.device.obeyed.running,
    ) == ("backup", 100.0, True)


async def test_the_mark_is_durable_before_a_login_that_can_stop_the_battery() -> None:
    """The order on a cold start is: who are you, are you running, note the mark, log in."""
    b = bench()

    await b.procedure(BY_NIGHT).run()

    assert ["GET /api/status", SITEMASTER, f"note {MAY_HAVE_STOPPED}", LOGIN, READ] == b.story[:5]


async def test_the_mark_is_cleared_only_after_running_was_read() -> None:
    """After sitemaster/run, the gateway must say that it runs before the mark goes, and no stop may be to come any more."""
    b = bench()

    await b.procedure(BY_NIGHT).run()
    assert MAY_HAVE_STOPPED in b.marks
    b.clock.passed_s += STOPS_S
    await b.session.release()

    after_run = b.story[b.story.index(RUN) :]
    assert SITEMASTER in after_run[: after_run.index(f"clear {MAY_HAVE_STOPPED}")]
    assert MAY_HAVE_STOPPED not in b.marks


async def test_already_there_writes_nothing_and_still_starts_the_battery() -> None:
    """A gateway that has what is desired gets no write, but a battery stopped by our login runs again."""
    b = bench()

    came = await b.procedure(Setpoint(mode="self_consumption", reserve_percent=20)).run()

    assert came.record.verdict is Verdict.ALREADY
    assert WRITE not in b.story
    assert COMMIT not in b.story
    assert b.device.obeyed.running


async def test_p5_where_marks_are_lost_what_shows_is_committed() -> None:
    """A process before us wrote and died, and its mark was on a disk that takes nothing: what shows is put in force."""
    b = bench()
    b.device.write("backup", 100.0)
    b.marks.kept = False

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.VERIFIED
    assert WRITE not in b.story
    assert (b.device.obeyed.mode, b.device.obeyed.reserve_raw_percent) == ("backup", 100.0)


async def test_a_write_without_its_commit_is_committed_later() -> None:
    """Between write and commit the line breaks: the next switch reads what it wants and commits all the same."""
    b = bench()
    await b.procedure(BY_DAY).run()
    b.wire.breaks[COMMIT] = httpx.ReadTimeout("")
    first = await b.procedure(BY_NIGHT).run()
    b.wire.breaks.clear()

    second = await b.procedure(BY_NIGHT).run()

    assert first.record.verdict is Verdict.UNREACHABLE
    assert second.record.verdict is Verdict.VERIFIED
    assert second.record.before == BY_NIGHT
    assert b.device.obeyed.mode == "backup"
    assert UNCOMMITTED not in b.marks


async def test_a_write_whose_answer_was_lost_is_not_sent_again_blindly() -> None:
    """The gateway took the write and the answer was lost: the next switch reads back first, and only commits."""
    b = bench()
    await b.procedure(BY_DAY).run()
    b.wire.late[WRITE] = httpx.ReadTimeout("")
    await b.procedure(BY_NIGHT).run()
    b.wire.late.clear()
    b.story.clear()

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.VERIFIED
    assert WRITE not in b.story
    assert COMMIT in b.story


async def test_an_ignored_write_is_repeated_three_times_and_then_said() -> None:
    """After 5, 15 and 45 s it is tried again; then the verdict is not_applied, with four attempts on record."""
    b = bench()
    b.scenario("ignores writes")
    began = b.clock.monotonic()

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.NOT_APPLIED
    assert came.record.attempts == 4
    assert b.story.count(WRITE) == 4
    assert came.record.after == Setpoint(mode="self_consumption", reserve_percent=20.0)
    assert b.clock.monotonic() - began >= 5 + 15 + 45


async def test_one_ignored_write_is_mended_by_the_second_attempt() -> None:
    """A gateway that swallows one write is verified at the second attempt."""
    b = bench()
    b.scenario("ignores the next write")

    came = await b.procedure(BY_NIGHT).run()

    assert (came.record.verdict, came.record.attempts) == (Verdict.VERIFIED, 2)


@pytest.mark.parametrize(("lasts_s", "writes"), [(1, 1), (7, 1), (12, 2), (17, 2), (40, 3)])
async def test_a_newer_boundary_ends_the_repeats(lasts_s: int, writes: int) -> None:
    """When the segment is over, in an attempt or in a pause between two, nothing of it is written any more."""
    b = bench()
    await b.procedure(BY_DAY).run()
    b.scenario("ignores writes")
    b.story.clear()
    until = b.clock.now() + timedelta(seconds=lasts_s)

    came = await b.procedure(BY_NIGHT, until=until).run()

    assert came.record.verdict is Verdict.SUPERSEDED
    assert b.story.count(WRITE) == came.record.attempts == writes
    assert b.clock.now() <= until + timedelta(seconds=6)  # the last look may settle


@pytest.mark.parametrize("by", [timedelta(hours=-1), timedelta(seconds=-3), timedelta(seconds=3)])
async def test_i5_a_clock_that_is_set_ends_the_repeats(by: timedelta) -> None:
    """Somebody sets the clock between two attempts: whether it is right is found out before anything is written again."""
    b = bench()
    b.scenario("ignores writes")

    def set_clock() -> None:
        b.clock.step = by

    b.device.later(b.clock.now() + timedelta(seconds=2), set_clock)

    came = await b.procedure(BY_NIGHT).run()

    assert (came.record.verdict, came.record.attempts) == (Verdict.SUPERSEDED, 1)
    assert b.story.count(WRITE) == 1
    assert "clock was set" in came.record.message


async def test_a_customer_may_not_write_and_is_told_so() -> None:
    """403 on a write is a capability answer: refused, one login, the token kept, nothing owed."""
    b = bench(username="customer")

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.REFUSED
    assert isinstance(came.error, NotCapable)
    assert b.story.count(LOGIN) == 1
    assert UNCOMMITTED not in b.marks


async def test_a_customer_login_leaves_no_mark_and_stops_nothing() -> None:
    """Only an installer's login can stop the battery."""
    b = bench(username="customer")

    await b.procedure(Setpoint(mode="self_consumption", reserve_percent=20)).run()

    assert f"note {MAY_HAVE_STOPPED}" not in b.story
    assert RUN not in b.story


async def test_an_expired_token_costs_one_login() -> None:
    """401 with a token: one login, the battery started again, and the switch goes on."""
    b = bench()
    await b.procedure(BY_DAY).run()
    b.scenario("token expires")
    b.story.clear()

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.VERIFIED
    assert b.story.count(LOGIN) == 1
    assert b.device.obeyed.running


async def test_a_battery_stopped_by_somebody_else_is_left_alone() -> None:
    """Without our mark a stopped battery means a person at work: no login, no write, no start."""
    b = bench()
    b.scenario("somebody stops it")

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.REFUSED
    assert isinstance(came.error, Standstill)
    assert not {LOGIN, WRITE, RUN} & set(b.story)


@pytest.mark.parametrize("broken", [READ, WRITE, COMMIT, RUN])
async def test_a_broken_line_at_any_step_never_leaves_the_battery_stopped(broken: str) -> None:
    """Whichever exchange fails after a login that stopped the battery, the next switch has it running and right."""
    b = bench()
    b.wire.breaks[broken] = httpx.ReadTimeout("")

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.UNREACHABLE
    assert MAY_HAVE_STOPPED in b.marks
    b.wire.breaks.clear()
    b.restart()
    await b.procedure(BY_NIGHT).run()
    assert b.device.obeyed.running
    assert b.device.obeyed.mode == "backup"
    b.clock.passed_s += LATE_STOP_S  # until then a login of the process before could still be obeyed
    await b.session.ensure_running()
    assert not b.marks


async def test_a_login_whose_answer_is_lost_keeps_the_mark() -> None:
    """The gateway may stop a little after a login that timed out: running proves nothing yet, so the mark stays."""
    b = bench()
    b.wire.breaks[LOGIN] = httpx.ReadTimeout("")

    await b.procedure(BY_NIGHT).run()

    assert b.device.obeyed.running
    assert MAY_HAVE_STOPPED in b.marks


async def test_a_gateway_that_forgets_to_start_is_told_again() -> None:
    """sitemaster/run answered 202 and nothing happened: within 15 s, and the same switch, it is told a second time."""
    b = bench()
    b.scenario("forgets to start")

    came = await b.procedure(BY_NIGHT).run()

    assert b.story.count(RUN) == 2
    assert came.record.verdict is Verdict.VERIFIED
    assert stopped_between(b.device.history, local("12:00"), b.clock.now()) <= timedelta(seconds=15)
    assert b.device.obeyed.running
    assert not b.marks


async def test_nothing_of_ours_ever_stops_the_battery_by_command() -> None:
    """Neither sitemaster/stop nor force_sm_off is ever sent, whatever goes wrong."""
    b = bench()
    for sentence in ("ignores the next write", "token expires", "forgets to start", "is busy"):
        b.scenario(sentence)
        await b.procedure(BY_NIGHT).run()
        await b.procedure(BY_DAY).run()
        b.clock.passed_s += 400

    assert not [line for line in b.story if "sitemaster/stop" in line]


async def test_a_thousand_switches_do_not_move_the_reserve_by_a_hair() -> None:
    """Percent goes to the raw scale and back a thousand times and stays what the file says."""
    b = bench()
    first = Setpoint(mode="self_consumption", reserve_percent=35)
    second = Setpoint(mode="backup", reserve_percent=5)

    for _ in range(500):
        for desired in (first, second):
            came = await b.procedure(desired).run()
            assert came.record.verdict is Verdict.VERIFIED
    assert b.device.obeyed.reserve_raw_percent == 9.75
    await b.procedure(first).run()
    assert b.device.obeyed.reserve_raw_percent == 38.25


async def test_a_field_left_out_is_left_alone() -> None:
    """A setpoint without a mode changes the reserve and nothing else."""
    b = bench()
    await b.procedure(BY_NIGHT).run()

    came = await b.procedure(Setpoint(reserve_percent=60)).run()

    assert came.record.verdict is Verdict.VERIFIED
    assert (b.device.obeyed.mode, b.device.obeyed.reserve_raw_percent) == ("backup", 62.0)


@dataclass(frozen=True)
class Hasty(LocalPace):
    """A pace whose attempts are over before a gateway that hangs has said anything."""

    attempt_s: float = 0.05


@pytest.mark.parametrize("call", ["GET /api/status", SITEMASTER, LOGIN, READ, WRITE, COMMIT, RUN])
async def test_an_attempt_is_over_in_time_whatever_hangs(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first request on, a login and the first reading included: cut, said, and nothing forgotten that is owed."""
    monkeypatch.setattr(LocalGateway, "pace", property(lambda _: Hasty()))
    monkeypatch.setattr(switch, "RELEASE_S", 0.05)
    b = bench()
    b.wire.hangs.add(call)

    async with asyncio.timeout(5):
        came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.UNREACHABLE
    assert "the attempt was not over after 0.05 s" in came.record.message
    assert (f"note {MAY_HAVE_STOPPED}" in b.story) is (call not in {"GET /api/status", SITEMASTER})
    assert MAY_HAVE_STOPPED in b.marks or b.device.obeyed.running
    assert call not in {LOGIN, RUN} or MAY_HAVE_STOPPED in b.marks


async def test_a_battery_that_is_not_to_be_started_is_left_in_time_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The switch has ended, and putting the battery back hangs: that is cut as well, and stays noted."""
    monkeypatch.setattr(switch, "RELEASE_S", 0.05)
    b = bench()
    b.wire.answers[READ] = (500, b"")
    b.wire.hangs.add(RUN)

    async with asyncio.timeout(5):
        came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.UNREACHABLE
    assert MAY_HAVE_STOPPED in b.marks
