"""By which clock the house is switched: one that is kept, that was kept, or that the file says to trust; by no other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bench import BY_DAY, MINUTE, Bench, bench, local, readme_schedule
from clockwork import VirtualClock
from wrong_clock import NOBODY_KEEPS_IT, NOBODY_KNOWS, ZERO, Wall, let_date, machine

from scheduler.app.once import policy_of
from scheduler.cli.common import Exit
from scheduler.cli.once import code_of
from scheduler.config.load import load
from scheduler.config.problems import ConfigurationError
from scheduler.control.agenda import Policy, agenda
from scheduler.control.once import once
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.control.trust import AGREES_S, Steps, Trust
from scheduler.daemon.timesync import Kernel, kept
from scheduler.model.clock import ClockDoubted, ClockTrusted, Kept
from scheduler.model.events import MomentEnded, MomentStarted
from scheduler.observe.status import judge

YEAR = timedelta(days=365)
WRONG = {
    "1970": datetime(1970, 1, 1, 0, 1, tzinfo=UTC) - local("06:50"),
    "days behind": timedelta(days=-9, hours=-5),
    "2098": 72 * YEAR,
    "right by chance": ZERO,
}
SAID = [NOBODY_KEEPS_IT, NOBODY_KNOWS]


@pytest.mark.parametrize("says", SAID, ids=["not synchronised", "nobody knows"])
@pytest.mark.parametrize("wrong", WRONG)
async def test_t1_nothing_is_written_until_the_clock_is_synchronised(wrong: str, says: Kept) -> None:
    """From a boot at 06:50 over the moment at 07:15 and the boundary at 07:55 the gateway is read and never written to."""
    async with machine("06:50", step=WRONG[wrong], says=says) as it:
        await it.go_until(local("08:10"))

        assert it.writes == 0
        assert "GET /api/operation" in it.bench.story
        assert it.run.told(MomentStarted) == []
        shown = it.run.reports[-1]
        assert (shown.clock, shown.actual is not None) == ("not trusted", True)
        assert shown.trouble is not None
        assert "trust_clock_after: 10m" in shown.trouble
        assert judge(shown.document(UTC), running=True, now=shown.at) == (False, shown.trouble)
        assert len(it.run.told(ClockDoubted)) == 1


@pytest.mark.parametrize("wrong", WRONG)
async def test_l6_a_clock_that_is_synchronised_at_last_is_switched_by_within_a_minute(wrong: str) -> None:
    """The doubt is taken back once, the setpoint of the true time is in force, and nothing of the wrong one was missed."""
    async with machine("06:50", step=WRONG[wrong], says=NOBODY_KEEPS_IT) as it:
        await it.go_until(local("08:10"))
        it.set_clock(ZERO, Kept())
        await it.go(60)

        assert it.obeys() == ("self_consumption", True)
        assert [record.desired for record in it.run.records] == [BY_DAY]
        shown = it.run.reports[-1]
        assert (shown.clock, shown.trouble) == ("synchronised", None)
        assert len(it.run.told(ClockTrusted)) == 1
        assert it.run.told(MomentEnded) == []
        assert shown.started == it.wall.true.now() - timedelta(seconds=it.wall.monotonic())


async def test_i5_a_battery_that_we_stopped_is_started_by_whatever_clock() -> None:
    """A start after a crash finds the mark and a battery that stands still: it runs within 15 s, and nothing is written."""
    b = bench(local("12:00"))
    b.marks.note(MAY_HAVE_STOPPED)
    b.scenario("somebody stops it")
    async with machine("12:00", on=b, step=WRONG["1970"], says=NOBODY_KEEPS_IT) as it:
        assert it.obeys()[1] is False
        await it.go(15)

        assert (it.obeys()[1], it.writes) == (True, 0)


async def test_i5_nothing_is_written_while_a_clock_is_doubted_at_any_time_of_a_day() -> None:
    """A day in which the clock loses and finds its synchroniser every 50 minutes: no write falls into a time of doubt."""
    async with machine("00:10", says=NOBODY_KEEPS_IT) as it:
        for phase in range(28):
            before, doubted = it.writes, phase % 2 == 0
            await it.go(3000)
            assert not doubted or it.writes == before, f"written in phase {phase}"
            it.set_clock(it.wall.step + 3 * MINUTE * (phase % 3 + 1), Kept() if doubted else NOBODY_KEEPS_IT)
            await it.go(5)  # within which a step is noticed

        assert it.writes > 0


async def test_t1_a_clock_that_was_synchronised_is_held_over_until_it_is_set() -> None:
    """Without its synchroniser a day goes on as ever; set by two minutes, the clock is doubted until it is synchronised."""
    async with machine("06:50") as it:
        await it.go(30)
        it.set_clock(ZERO, NOBODY_KEEPS_IT)
        await it.go_until(local("12:00"))
        assert (it.run.reports[-1].clock, it.obeys()[0]) == ("holdover", "self_consumption")

        it.set_clock(2 * MINUTE)
        await it.go_until(local("22:30"))
        assert (it.run.reports[-1].clock, it.obeys()[0]) == ("not trusted", "self_consumption")

        it.set_clock(ZERO, Kept())
        await it.go(60)
        assert (it.run.reports[-1].clock, it.obeys()[0]) == ("synchronised", "backup")


async def test_t1_a_marker_from_before_a_step_proves_nothing() -> None:
    """The marker of systemd stays: after a step only one touched since counts, and no doubt is told where that is at once."""
    async with machine("21:50", says=Kept(proof=1)) as it:
        await it.go(30)
        it.set_clock(3 * MINUTE)
        await it.go_until(local("22:20"))
        assert (it.run.reports[-1].clock, it.obeys()[0]) == ("not trusted", "self_consumption")

        it.set_clock(ZERO, Kept(proof=2))
        await it.go(60)
        assert (it.run.reports[-1].clock, it.obeys()[0]) == ("synchronised", "backup")
        it.set_clock(MINUTE, Kept(proof=3))
        await it.go(60)
        assert len(it.run.told(ClockDoubted)) == 1


async def test_t1_the_file_may_trust_a_clock_that_nobody_keeps() -> None:
    """With trust_clock_after: 10m nothing is written for ten minutes, also after each step, and then switching goes on."""
    async with machine("07:50", says=NOBODY_KEEPS_IT, trust_after_s=600) as it:
        await it.go_until(local("07:59:30"))
        assert (it.writes, it.run.reports[-1].clock) == (0, "not trusted")
        await it.go(60)
        assert (it.obeys()[0], it.run.reports[-1].clock) == ("self_consumption", "trusted after 10m")

        await it.go_until(local("22:04"))
        it.set_clock(5 * MINUTE)
        await it.go(590)
        assert it.obeys()[0] == "self_consumption"
        await it.go(60)
        assert it.obeys()[0] == "backup"


async def test_t1_a_clock_that_shows_an_impossible_year_is_not_trusted_whoever_says_so() -> None:
    """Neither the system's word nor the file's makes a year before this program was written a right one."""
    says = Kept(synchronised=True, possible=False)
    async with machine("07:50", step=WRONG["1970"], says=says, trust_after_s=0.0) as it:
        await it.go(3600)

        assert (it.writes, it.run.reports[-1].clock) == (0, "not trusted")
        assert "1970-01-01, which cannot be" in (it.run.reports[-1].trouble or "")


@pytest.mark.parametrize(
    ("off", "says", "clock"),
    [
        (ZERO, NOBODY_KNOWS, "agrees with the gateway"),
        (timedelta(seconds=AGREES_S - 2), NOBODY_KNOWS, "agrees with the gateway"),
        (timedelta(seconds=2 - AGREES_S), NOBODY_KNOWS, "agrees with the gateway"),
        (timedelta(seconds=AGREES_S + 2), NOBODY_KNOWS, "not trusted"),
        (-9 * YEAR, NOBODY_KNOWS, "not trusted"),
        (ZERO, NOBODY_KEEPS_IT, "agrees with the gateway"),
        (timedelta(seconds=AGREES_S + 2), NOBODY_KEEPS_IT, "not trusted"),
        (timedelta(hours=-3), NOBODY_KEEPS_IT, "not trusted"),
    ],
)
async def test_t1_where_nobody_can_tell_the_gateways_own_clock_counts(
    off: timedelta, says: Kept, clock: str
) -> None:
    """Within two minutes of it a clock is believed, also where the system itself says that nobody keeps it."""
    async with machine("12:00", says=says, dated=off) as it:
        await it.go(60)

        assert it.run.reports[-1].clock == clock
        assert (it.writes > 0) is (clock != "not trusted")


async def bring(b: Bench, wall: Wall, *, trust_after_s: float | None = None) -> Exit:
    """The exit code of `once` on this bench, by this clock."""
    schedule = machine_policy(trust_after_s)
    came = await once(
        agenda(schedule, wall.now()), b.gateway, clock=wall, marks=b.marks, tell=b.events.append
    )
    return code_of(came.record.verdict)


def machine_policy(trust_after_s: float | None) -> Policy:
    """The README's schedule, with what the file says of the clock."""
    return Policy(
        schedule=readme_schedule(), on_drift="yield", verify_s=300, digest="d", trust_after_s=trust_after_s
    )


@pytest.mark.parametrize(
    ("says", "off", "trust_after_s", "code"),
    [
        (Kept(), None, None, Exit.FINE),
        (NOBODY_KEEPS_IT, None, None, Exit.REFUSED),
        (NOBODY_KEEPS_IT, ZERO, None, Exit.FINE),
        (NOBODY_KEEPS_IT, timedelta(hours=1), None, Exit.REFUSED),
        (Kept(possible=False), ZERO, 0.0, Exit.REFUSED),
        (NOBODY_KEEPS_IT, None, 0.0, Exit.FINE),
        (NOBODY_KEEPS_IT, None, 600.0, Exit.REFUSED),
        (NOBODY_KNOWS, ZERO, None, Exit.FINE),
        (NOBODY_KNOWS, None, None, Exit.REFUSED),
        (NOBODY_KNOWS, timedelta(hours=1), None, Exit.REFUSED),
    ],
)
async def test_i5_once_refuses_by_a_clock_that_is_not_trusted(
    says: Kept, off: timedelta | None, trust_after_s: float | None, code: Exit
) -> None:
    """It exits 5 with nothing written, and goes by the same rule as the daemon: the system, the file, the gateway's clock."""
    b = bench(local("22:30"))
    wall = Wall(b.clock)
    wall.says = says
    if off is not None:
        let_date(b, off)

    assert await bring(b, wall, trust_after_s=trust_after_s) is code
    assert ("POST /api/operation" in b.story) is (code is Exit.FINE)


def test_t1_a_clock_that_nobody_asked_about_is_not_trusted() -> None:
    """Before the first look nothing may be written by it."""
    assert not Trust(VirtualClock(local("12:00")), lambda _: None).belief.trusted


def test_t1_a_kernel_that_keeps_its_clock_needs_no_marker(tmp_path: Path) -> None:
    """The marker's time is its proof; without a marker the kernel's word counts as it is; and no year before the program can be."""
    kernel = Kernel(error_s=0.1)
    now, marker = local("12:00"), tmp_path / "synchronized"
    assert kept(now, marker, lambda: kernel) == Kept()
    assert kept(now, marker, lambda: None) == NOBODY_KNOWS
    marker.touch()
    assert kept(now, marker, lambda: None) == Kept(proof=marker.stat().st_mtime_ns)
    assert kept(datetime(1970, 1, 1, tzinfo=UTC), marker).possible is False


def test_t1_a_marker_that_was_left_behind_does_not_hide_the_kernel(tmp_path: Path) -> None:
    """The marker of timesyncd stays where chrony took its place: spent by a step, it leaves the word to the kernel, asked only then."""
    marker, said = tmp_path / "synchronized", [Kernel(error_s=16.0)]
    marker.touch()
    asked: list[float] = []
    clock = VirtualClock(local("12:00"))

    def ask() -> Kernel:
        asked.append(clock.monotonic())
        return said[0]

    trust = Trust(clock, lambda _: None)

    def look() -> str:
        clock.says = kept(clock.now(), marker, ask)
        trust.look()
        clock.passed_s += 60
        return trust.belief.words

    assert [look(), look(), len(asked)] == ["synchronised", "synchronised", 0]
    clock.step += timedelta(seconds=30)
    assert [look(), look()] == ["not trusted", "not trusted"]
    said[0] = Kernel(error_s=0.01)
    assert look() == "synchronised"
    clock.step += timedelta(seconds=30)
    said[0] = Kernel(error_s=16.0)
    assert [look(), look()] == ["not trusted", "not trusted"]


async def test_t1_after_a_step_the_clock_must_agree_with_the_gateway_anew() -> None:
    """What the gateway said before counts no more: the clock that was set to another hour is doubted, and one put right is not."""
    async with machine("21:30", says=NOBODY_KEEPS_IT, dated=ZERO) as it:
        await it.go(60)
        assert (it.run.reports[-1].clock, it.obeys()[0]) == ("agrees with the gateway", "self_consumption")
        it.set_clock(timedelta(hours=1))
        writes = it.writes
        await it.go(60)
        shown = it.run.reports[-1]
        assert (shown.clock, it.writes) == ("not trusted", writes)
        assert "it is 60 min ahead of the gateway's" in (shown.trouble or "")

        it.set_clock(ZERO)
        await it.go(60)
        assert it.run.reports[-1].clock == "agrees with the gateway"
        assert [event.message for event in it.run.told(ClockTrusted)] == [
            "the clock agrees with the gateway's own within 2 minutes: switching goes on"
        ]


def test_t1_an_agreement_with_the_gateway_does_not_outlast_a_step() -> None:
    """A gateway that tells no time any more leaves a clock that was set in doubt, whatever it said before the step."""
    clock = VirtualClock(local("12:00"))
    clock.says = NOBODY_KEEPS_IT
    trust = Trust(clock, lambda _: None)
    trust.compare(0.0)
    trust.look()
    assert trust.belief.trusted
    clock.step += timedelta(hours=1)
    trust.compare(0.0)  # an answer from before the step that nobody has noticed yet
    trust.look()
    clock.passed_s += 60
    trust.compare(None)
    trust.look()

    assert not trust.belief.trusted


@pytest.mark.parametrize(
    ("off", "words"),
    [
        (ZERO, "trusted after 10m"),
        (timedelta(hours=3), "trusted after 10m, 3 h behind the gateway's"),
        (timedelta(minutes=-5), "trusted after 10m, 5 min ahead of the gateway's"),
    ],
)
async def test_t1_a_clock_that_the_file_trusts_shows_how_far_the_gateways_is_from_it(
    off: timedelta, words: str
) -> None:
    """The owner's word stands, and the status says by how much the gateway contradicts it."""
    async with machine("12:00", says=NOBODY_KEEPS_IT, dated=off, trust_after_s=600) as it:
        await it.go(660)

        assert it.run.reports[-1].clock == words
        assert it.writes > 0


CONFIGURATION = """\
version: 1
site: {name: Home, timezone: UTC}
gateway: {type: simulated}
tariff: {periods: [{name: always}]}
rules: []
default: {mode: backup, reserve: 100}
"""


@pytest.mark.parametrize(
    ("line", "simulated", "seconds"),
    [
        ("", True, 0.0),
        ("", False, None),
        ("trust_clock_after: 10m\n", False, 600.0),
        ("trust_clock_after: 0s\n", False, 0.0),
    ],
)
def test_t1_the_file_says_whether_an_unkept_clock_is_trusted(
    tmp_path: Path, line: str, seconds: float | None, *, simulated: bool
) -> None:
    """Nothing is trusted unless the file says so; a simulated gateway is nobody's house, and goes by any clock."""
    path = tmp_path / "tou.yaml"
    text = CONFIGURATION + line
    path.write_text(
        text
        if simulated
        else text.replace("type: simulated", "type: local, host: powerwall, username: installer")
    )

    assert policy_of(load(path, environ={}, secret_directories=[])).trust_after_s == seconds


@pytest.mark.parametrize(("word", "hint"), [("25h", "use at most 24h"), ("soon", "write it like")])
def test_t1_a_wait_that_is_none_is_refused_with_its_line(tmp_path: Path, word: str, hint: str) -> None:
    """The problem names the line and says what to write."""
    path = tmp_path / "tou.yaml"
    path.write_text(f"{CONFIGURATION}trust_clock_after: {word}\n")

    with pytest.raises(ConfigurationError) as refused:
        load(path, environ={}, secret_directories=[])

    assert "tou.yaml:7:" in str(refused.value)
    assert hint in str(refused.value)


def test_t2_a_slew_is_no_step_and_a_step_is_one() -> None:
    """500 ppm over a month, a second to and fro, or six hours without a look are no step; 2.1 s at once are one, and said once."""
    clock = VirtualClock(local("12:00"))
    steps = Steps(clock)
    for look in range(30 * 24 * 60):
        clock.passed_s += 60
        clock.step += timedelta(seconds=0.03)
        assert steps.moved() == ZERO, look
    for sign in (1, -1):
        clock.step += timedelta(seconds=sign)
        assert steps.moved() == ZERO
    clock.passed_s += 6 * 3600
    clock.step += timedelta(seconds=10.8)
    assert steps.moved() == ZERO

    clock.step -= timedelta(seconds=2.1)

    assert steps.pending().total_seconds() == pytest.approx(-2.1, abs=0.01)
    assert steps.moved().total_seconds() == pytest.approx(-2.1, abs=0.01)
    assert steps.moved() == ZERO
