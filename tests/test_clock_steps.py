"""What a clock that somebody sets does to the house: the plan is looked at again, once, and what is under way goes on."""

from __future__ import annotations

import random
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise

import httpx
import pytest
from bench import MINUTE, Moments, bench, local, readme_schedule
from clockwork import VirtualClock
from days import Run, obeyed
from firmware_day import without_firmware
from orders import STAGED
from virtual_loop import LoopClock, run_virtually
from wrong_clock import INSTALL, NOBODY_KEEPS_IT, WRITE, ZERO, Machine, machine

from scheduler.control.agenda import agenda
from scheduler.control.deeds import Deeds
from scheduler.control.diary import DONE, Diary
from scheduler.control.doubt import LATE_STOP_S
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.control.session import Session
from scheduler.control.told import Told
from scheduler.control.trust import SETTLE_S
from scheduler.daemon.clock import SystemClock
from scheduler.model.clock import ClockDoubted, ClockStepped, Kept
from scheduler.model.events import FirmwareChanged, InstallStarted, MomentEnded, MomentStarted
from scheduler.model.evidence import Verdict
from scheduler.model.timeline import Moment

HOUR = timedelta(hours=1)
READ = "GET /api/operation"
BUMPS = [timedelta(seconds=s) for s in (1, 1.9, 2.5, 30, 59, 300, 3600, 3 * 3600, 6 * 3600, 86400)]


def wanted(it: Machine, at: datetime) -> str | None:
    """The mode that the plan has for this time."""
    return agenda(it.run.policy, at).coarse.at(at).spoken().setpoint.mode


@pytest.mark.parametrize("second", [1.0, 4.9, 7.3, 14.2])
@pytest.mark.parametrize("by", [HOUR, -HOUR, timedelta(seconds=2.5), timedelta(days=-400)])
def test_t2_a_step_is_noticed_within_five_seconds(by: timedelta, second: float) -> None:
    """Whenever between two ticks the clock is set: the plan is looked at within 5 s, and one event says by how much."""

    async def day() -> None:
        async with machine("12:00", on=bench(clock=LoopClock(local("12:00")))) as it:
            await it.go(300 + second)
            at_s = it.wall.monotonic()
            it.set_clock(by)
            await it.go(5)

            assert [look for look in it.wall.looks if at_s <= look <= at_s + 5] != []
            told = it.run.told(ClockStepped)
            assert [event.by_s for event in told] == [pytest.approx(by.total_seconds(), abs=0.1)]
            assert "looked at again" in told[0].message

    run_virtually(day())


async def test_t2_a_quiet_machine_looks_at_its_clock_twelve_times_a_minute_and_no_more() -> None:
    """Between two ticks nothing is asked of the gateway or of the system: only the two clocks are compared."""
    async with machine("12:30") as it:
        await it.go(600)
        looks, calls = len(it.wall.looks), len(it.bench.story)
        await it.go(60)

        assert len(it.wall.looks) - looks <= 5
        assert len(it.bench.story) - calls <= 12


@pytest.mark.parametrize("seed", range(8))
async def test_t2_bumps_leave_the_battery_at_what_the_clock_says(seed: int) -> None:
    """Six bumps of 1 s to 24 h to and fro, each by a synchroniser: a minute after each the battery has what that time wants."""
    rng = random.Random(seed)
    proof = count(1)
    async with machine("05:30", schedule=without_firmware(), says=Kept(proof=0)) as it:
        for _ in range(6):
            await it.go(rng.uniform(20, 400))
            step = it.wall.step + rng.choice([-1, 1]) * rng.choice(BUMPS)
            it.set_clock(step, Kept(proof=next(proof)))
            await it.go(75)

            # Within a minute of a boundary a clock that was set back by less waits for it.
            now = it.wall.now()
            assert it.obeys()[0] in {wanted(it, now), wanted(it, now + MINUTE)}
            assert it.obeys()[1]
        assert it.wall.most_looks_in_a_second() <= 2
        changes = [record for record in it.run.records if record.attempts]
        assert it.bench.story.count(WRITE) == len(changes)
        assert it.run.told(ClockDoubted) == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("by", "most"), [(11 * HOUR, 2), (timedelta(seconds=3), 0), (timedelta(days=1), 0)])
def test_t2_a_strobing_clock_neither_flips_nor_spins(by: timedelta, most: int, seed: int) -> None:
    """Ten minutes of a clock set to and fro every second or two, each time with the system's word: at most 2 looks a second.

    Nothing is written where both times want the same, next to nothing where they do not, few lines are told, and the battery
    has what the clock wants a minute after it stands.
    """
    rng = random.Random(seed)

    async def day() -> None:
        b = bench(clock=LoopClock(local("12:00")))
        async with machine("12:00", on=b, schedule=without_firmware()) as it:
            await it.go(60)
            writes = it.writes
            for turn in range(400):
                it.set_clock(ZERO if turn % 2 else by)
                await it.go(rng.uniform(0.2, 2.8))
            assert it.writes <= writes + most
            it.set_clock(ZERO)
            await it.go(60)

            assert it.obeys()[0] == wanted(it, it.wall.now())
            assert it.wall.most_looks_in_a_second() <= 2
            assert len(it.run.told(ClockStepped)) <= 3

    run_virtually(day())


@pytest.mark.parametrize("back_s", [3, 30, 59])
async def test_t2_a_small_step_back_over_a_boundary_takes_nothing_back(back_s: int) -> None:
    """No A-B-A: the clock is set back to just before 07:55 a moment after the switch, and the battery is switched once."""
    async with machine("07:50", schedule=without_firmware()) as it:
        await it.go_until(local("07:55:20"))
        before = len(it.run.records)
        it.set_clock(-timedelta(seconds=back_s))
        await it.go(180)

        assert len(it.run.records) == before
        assert it.obeys()[0] == "self_consumption"


async def test_t2_an_hour_back_over_a_boundary_is_the_hour_before_it_again() -> None:
    """What was set too early by a clock that was an hour ahead is taken back, and set at its true time."""
    async with machine("06:50", step=HOUR, schedule=without_firmware()) as it:
        await it.go_until(local("07:05"))
        assert it.obeys()[0] == "self_consumption"
        it.set_clock(ZERO)
        await it.go(60)
        assert it.obeys()[0] == "backup"

        await it.go_until(local("07:56"))

        assert [record.verdict for record in it.run.records[-2:]] == [Verdict.VERIFIED] * 2
        assert it.obeys()[0] == "self_consumption"


@pytest.mark.parametrize("asleep", [timedelta(hours=26), timedelta(days=3)])
async def test_t7_whoever_slept_over_boundaries_applies_only_what_holds_now(asleep: timedelta) -> None:
    """Both clocks go on while the machine sleeps: that is no step, one switch brings what holds now, and nothing is replayed."""
    async with machine("12:00", schedule=without_firmware()) as it:
        await it.go(60)
        records, writes = len(it.run.records), it.writes
        it.wall.true.passed_s += (
            asleep + 11 * HOUR
        ).total_seconds()  # to 23:00, or the same a few days later
        await it.go(60)

        assert len(it.run.records) == records + 1
        assert (it.writes - writes, it.obeys()[0]) == (1, wanted(it, it.wall.now()))
        assert it.run.told(ClockStepped) == []


@pytest.mark.parametrize("seconds", [60, 6 * 3600])
async def test_p7_a_process_that_was_stopped_reconciles_once(seconds: int) -> None:
    """After SIGSTOP of a minute or six hours there is one reconcile, and no burst of what was not done meanwhile."""
    async with machine("17:00", schedule=without_firmware()) as it:
        await it.go(60)
        records, looks = len(it.run.records), len(it.wall.looks)
        it.wall.true.passed_s += seconds
        await it.go(30)

        assert len(it.run.records) - records == (1 if seconds > 5 * 3600 else 0)
        assert len(it.wall.looks) - looks <= 4


@pytest.mark.parametrize(("back", "checks"), [(HOUR, 1), (2 * HOUR, 1), (4 * HOUR, 2)])
async def test_t2_a_moment_that_was_done_is_done_again_only_after_a_correction(
    back: timedelta, checks: int
) -> None:
    """Set back by less than three hours, a check of 07:15 was made; by more, it was made at a wrong time, and is made at 07:15."""
    async with machine("07:10") as it:
        await it.go(600)
        assert len(it.run.told(MomentEnded)) == 1
        it.set_clock(-back)
        await it.go((back + 10 * MINUTE).total_seconds())

        assert len(it.run.told(MomentStarted)) == checks
        words = it.run.told(ClockStepped)[0].message
        assert ("it was wrong before" in words) is (checks == 2)


@pytest.mark.parametrize("kept", [Kept(), NOBODY_KEEPS_IT], ids=["synchronised", "nobody keeps it"])
@pytest.mark.parametrize("by", [-5 * HOUR, -HOUR, 10 * MINUTE, HOUR, 30 * HOUR])
async def test_t2_a_step_during_an_install_neither_ends_nor_keeps_it(by: timedelta, kept: Kept) -> None:
    """The gateway is away for two minutes, and the clock is set meanwhile: its return is found at once, and told as ours."""
    async with machine("07:10", STAGED) as it:
        while not it.run.told(InstallStarted):
            await it.go(5)
        await it.go(70)
        assert it.run.reports[-1].installing_since is not None
        it.set_clock(by, kept)
        for _ in range(120):
            await it.go(5)
            if it.run.told(FirmwareChanged):
                break

        changed = it.run.told(FirmwareChanged)
        assert [event.by_us for event in changed] == [True]
        started = it.run.told(InstallStarted)[0]
        took_s = (changed[0].at - by - started.at).total_seconds()
        assert changed[0].took_s == pytest.approx(took_s, abs=1)
        assert it.bench.story.count(INSTALL) == 1
        assert it.run.reports[-1].installing_since is None
        await it.go(30)
        assert it.obeys()[1]
        assert [event.outcome for event in it.run.told(MomentEnded) if "did not" in event.message] == []


@pytest.mark.parametrize("by", [-5 * HOUR, HOUR])
async def test_t2_an_install_that_does_not_come_back_ends_in_its_own_time(by: timedelta) -> None:
    """The gateway stays away, and the clock is set: the install is given up after the time that it was given, no other."""
    async with machine("07:10", STAGED) as it:
        while not it.run.told(InstallStarted):
            await it.go(5)
        started, began_s = it.run.told(InstallStarted)[0], it.wall.monotonic()
        given_s = (started.done_by - started.at).total_seconds()
        it.bench.scenario("offline for 12h")
        await it.go(60)
        it.set_clock(by)
        while not it.run.told(MomentEnded):
            await it.go(5)
            assert it.wall.monotonic() - began_s < given_s + 60, "it is kept for ever"

        assert it.wall.monotonic() - began_s >= given_s - 15
        assert it.run.told(MomentEnded)[0].outcome == "unfinished"


@pytest.mark.parametrize(
    ("ago", "unsure_s"),
    [
        (ZERO, LATE_STOP_S),
        (timedelta(seconds=20), LATE_STOP_S - 20),
        (HOUR, 0),
        (-HOUR, LATE_STOP_S),
        (timedelta(days=-26000), LATE_STOP_S),
        (timedelta(days=20000), LATE_STOP_S),
    ],
)
async def test_t1_a_mark_of_an_impossible_time_counts_as_made_now(ago: timedelta, unsure_s: float) -> None:
    """A mark noted by a wrong clock, in times to come or in 1970, is cleared only after the minute in which a login may yet stop."""
    b = bench(local("12:00"))
    b.marks.note(MAY_HAVE_STOPPED)
    b.marks._noted[MAY_HAVE_STOPPED] = b.clock.now() - ago  # noqa: SLF001 - as the marker of an earlier run has it
    session = Session(b.gateway, b.clock, b.marks, b.events.append)

    for passed_s, owed in ((unsure_s - 1, True), (unsure_s, False)):
        b.clock.passed_s = passed_s
        await session.ensure_running()
        assert (MAY_HAVE_STOPPED in b.marks) is (owed and unsure_s > 0)


async def test_t4_by_any_step_the_next_boundary_lies_ahead() -> None:
    """Over a leap day, a year's end and back: the next change shown is always later than now, and at most eight days."""
    stations = [
        "2028-02-28T23:59:50",
        "2028-02-29T12:00",
        "2026-12-31T23:59:59",
        "2027-01-01T00:00:01",
        "2026-07-05T12:00",
    ]
    async with machine("12:00", schedule=readme_schedule()) as it:
        for station in stations:
            it.set_clock(local(station) - it.wall.true.now())
            await it.go(20)
            shown = it.run.reports[-1]
            assert shown.next_boundary is not None
            assert shown.at < shown.next_boundary <= shown.at + timedelta(days=8)


async def test_t2_a_clock_that_was_set_says_so_until_it_has_stood_for_a_while() -> None:
    """For ten seconds after a step the status says why nothing is switched; then it is gone, and no doubt was told."""
    async with machine("12:00") as it:
        await it.go(100)
        it.set_clock(HOUR)
        await it.go(5)
        assert "was set a moment ago" in (it.run.reports[-1].trouble or "")
        await it.go(SETTLE_S + 1)

        assert it.run.reports[-1].trouble is None
        assert it.run.told(ClockDoubted) == []
        assert [b.at > a.at for a, b in pairwise(it.run.reports)].count(False) == 0


def test_i14_whoever_wakes_it_the_plan_is_looked_at_twice_a_second_at_most() -> None:
    """Alarms that all ring at once after a step, or signals without end: no two looks follow each other within half a second."""

    async def day() -> None:
        async with machine("12:00", on=bench(clock=LoopClock(local("12:00")))) as it:
            await it.go(60)
            looks = len(it.wall.looks)
            for _ in range(400):
                it.run.loop.wake()
                await it.go(0.05)

            assert it.wall.most_looks_in_a_second() <= 2
            assert 30 <= len(it.wall.looks) - looks <= 41

    run_virtually(day())


async def test_t1_an_install_of_an_earlier_run_is_found_again_once_the_time_is_known() -> None:
    """A machine that boots into 1970 while the gateway installs waits for the time, and then for the gateway, as before."""
    b = bench(local("07:10"))
    async with machine("07:10", STAGED, "an install lasts for 12m", on=b) as it:
        while not it.run.told(InstallStarted):
            await it.go(5)
        await it.go(60)
    b.restart()
    long_ago = datetime(1970, 1, 1, tzinfo=UTC) - b.clock.now()
    async with machine("07:10", on=b, step=long_ago, says=NOBODY_KEEPS_IT) as it:
        await it.go(60)
        assert it.run.reports[-1].installing_since is None
        it.set_clock(ZERO, Kept())
        await it.go(20)
        assert it.run.reports[-1].installing_since is not None
        await it.go(900)

        assert [event.outcome for event in it.run.told(MomentEnded)] == ["installed"]
        assert it.obeys() == ("self_consumption", True) or it.obeys() == ("backup", True)
        assert b.story.count(INSTALL) == 1


def test_t2_what_was_told_in_times_to_come_counts_as_told_now() -> None:
    """A note that a clock which ran ahead has left behind is good for its own length from now on, and then for nothing."""
    clock, note = VirtualClock(local("12:00")), Moments()
    ahead = local("12:00") + timedelta(days=400)
    Told(Diary(note, ""), clock).note(ahead, ahead + 25 * MINUTE)
    told = Told(Diary(note, ""), clock)
    assert told.since == clock.now()

    told.settle()
    clock.passed_s = 24 * 60

    assert (told.left_s, told.since) == (60, local("12:00"))
    told.came()
    clock.passed_s = 26 * 60
    assert (told.left_s, told.since) == (0, None)


def test_t2_deeds_of_another_time_are_not_kept_for_ever() -> None:
    """What was done by a clock that showed another year is forgotten with the next deed, and so is what is days old."""
    clock, diary = VirtualClock(local("12:00")), Diary(Moments(), "")
    deeds = Deeds(diary)
    moments = [
        Moment(at=clock.now(), do="check_firmware", rule=name, line=1) for name in ("a", "b", "c", "d")
    ]
    whens = [timedelta(days=26000), timedelta(days=-4), timedelta(days=-2)]
    for moment, when in zip(moments, whens, strict=False):
        diary.put(DONE, diary.section(DONE) | {moment.deed: (clock.now() + when).isoformat()})

    diary.put(DONE, deeds.with_this(moments[3], clock.now()))

    assert [moment.deed in deeds for moment in moments] == [False, False, True, True]
    deeds.forget_after(clock.now() - timedelta(days=1))
    assert [moment.deed in deeds for moment in moments] == [False, False, True, False]


def test_p7_the_steady_clock_goes_on_while_the_machine_sleeps() -> None:
    """In a time namespace that has slept for a day more than it was awake, the steady clock counts that day."""
    program = "import time; from scheduler.daemon.clock import SystemClock; print(SystemClock().monotonic() - time.monotonic())"
    command = ["unshare", "--time", "--boottime", "86400", sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("time namespaces cannot be made here")

    assert float(done.stdout) >= 86400 - 1


def test_t2_both_clocks_of_the_machine_are_read_at_one_instant(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is paused between two readings takes them again: a pause is no step."""
    clock = SystemClock()
    before = clock.origin()
    pauses = iter([0.0, 6 * 3600.0])
    paused_s = 0.0

    def monotonic(_: SystemClock) -> float:
        nonlocal paused_s
        paused_s += next(pauses, 0.0)
        return paused_s

    monkeypatch.setattr(SystemClock, "monotonic", monotonic)
    monkeypatch.setattr(SystemClock, "now", lambda _: before + timedelta(seconds=paused_s))

    assert clock.origin() == before


async def test_l7_a_moment_that_waits_for_a_trusted_clock_spins_nothing() -> None:
    """The clock is doubted in the middle of a check: the check waits, and the plan is looked at every five seconds, no oftener."""
    async with machine("07:10", "a check lasts for 9m") as it:
        while not it.run.told(MomentStarted):
            await it.go(5)
        await it.go(60)
        it.set_clock(10 * MINUTE, NOBODY_KEEPS_IT)
        await it.go(10)
        looks, story = len(it.wall.looks), len(it.bench.story)
        await it.go(120)

        assert len(it.wall.looks) - looks <= 26
        assert not any("update" in call for call in it.bench.story[story:])
        assert it.run.told(MomentEnded) == []


async def test_i5_an_install_is_not_told_again_by_a_clock_that_is_not_trusted() -> None:
    """The first word got lost, and the clock is doubted: the second is not said, though there would be time for it."""
    b = bench(local("07:10"))
    b.wire.breaks[INSTALL] = httpx.ReadTimeout("no answer")
    async with machine("07:10", STAGED, on=b) as it:
        while not it.run.told(InstallStarted):
            await it.go(5)
        it.set_clock(-10 * MINUTE, NOBODY_KEEPS_IT)
        await it.go(360)
        assert b.story.count(INSTALL) == 1

        it.set_clock(-10 * MINUTE, Kept())
        await it.go(120)
        assert b.story.count(INSTALL) == 2


async def test_t2_when_the_gateway_answered_last_is_told_by_the_clock_as_it_is() -> None:
    """Five minutes ago stays five minutes ago, whatever the clock was set to meanwhile."""
    b = bench(local("12:00"))
    assert b.session.answered_at is None
    await b.session.identify()
    b.clock.passed_s += 300
    b.clock.step = HOUR

    assert b.session.answered_at == local("13:00")


async def test_t2_a_start_puts_a_note_of_times_to_come_right() -> None:
    """A clock that ran ahead has left the note of an install: the next run writes it down as of now, and forgets it in its time."""
    b = bench(local("12:00"))
    ahead = local("12:00") + timedelta(days=400)
    Told(Diary(b.moments, ""), b.clock).note(ahead, ahead + 25 * MINUTE)
    async with machine("12:00", on=b) as it:
        await it.go(5)

        told = Told(Diary(b.moments, ""), b.clock)
        it.wall.true.passed_s += 24 * 60
        assert 0 < told.left_s <= 60


@pytest.mark.parametrize("call", ["GET /api/status", "GET /api/sitemaster", READ])
async def test_i5_nothing_is_written_by_a_clock_that_was_set_since_the_target_was_chosen(call: str) -> None:
    """The clock goes back an hour in the cycle that would make a missed boundary good: the day's setpoint waits for the day."""
    b = bench(local("07:40"))
    run = Run(b)
    written: list[datetime] = []

    def set_clock(heard: str) -> None:
        now = b.clock.now()
        if b.clock.step:
            written.extend([now] if heard == WRITE else [])
        elif now < local("07:55:30"):
            b.wire.answers = {READ: (502, b"")} if now > local("07:54") else {}
        else:
            b.wire.answers = {}
            b.clock.step = -HOUR if heard == call else ZERO

    b.wire.then = set_clock
    await run.until(local("07:57"))

    assert b.clock.step
    assert written != []
    assert min(written) >= local("07:55")
    assert obeyed(b) == ("self_consumption", 9.75, True)
