"""What comes after an install: one that failed or never began is over, and a gateway that starts up means no refusal."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import Moments, bench, local, readme_schedule
from clockwork import VirtualClock
from days import Run
from firmware_day import BOUNDARY, DAY_RAW, INSTALL, SOON, Day
from orders import READ, STAGED, START, TAKEN, WRITE, answers_between, morning, whose

from scheduler.control.diary import Diary
from scheduler.control.install import longest_install_s
from scheduler.control.told import Told
from scheduler.model.events import (
    FirmwareChanged,
    FoundStopped,
    LeftInstalling,
    LeftStopped,
    PathChecked,
    PersonNeeded,
    Restarted,
)

FAILS = "installs fail"
SITEMASTER, COMMIT = "GET /api/sitemaster", "GET /api/config/completed"


def learned_s(day: Day) -> float | None:
    """The longest install that this day's journal would teach, in seconds."""
    told = day.run.told(FirmwareChanged)
    return longest_install_s([{"by_us": event.by_us, "took_s": event.took_s} for event in told])


async def test_a_battery_that_somebody_stops_after_an_install_that_failed_is_theirs() -> None:
    """The alert sends a person to the gateway's own page: a battery that is stopped there is not started by us."""
    day = await morning(STAGED, FAILS, "somebody stops it at 07:21")

    assert day.outcomes == ["failed"]
    assert day.reached[START] == [at for at in day.reached[START] if at < local("07:17")]
    assert {o.running for o in day.obeyed(local("07:21:01"))} == {False}
    assert len(day.run.told(FoundStopped)) == 1
    assert [event for event in day.run.told(Restarted) if event.at > local("07:21")] == []


@pytest.mark.parametrize("at", ["07:30", "08:50", "17:00"])
async def test_a_restart_after_an_install_that_failed_is_not_ours(at: str) -> None:
    """Whenever the gateway then upgrades itself, it is told as its own doing, and teaches nothing of how long one takes."""
    until = f"{int(at[:2]) + 1:02}:00"
    day = await morning(STAGED, FAILS, f"behaves again at {at}", f"upgrades itself at {at}", end=until)

    assert whose(day) == [False]
    assert learned_s(day) is None


@pytest.mark.parametrize("takes_it", [True, False], ids=["taken", "lost and then refused"])
async def test_an_install_that_never_begins_is_over_with_its_time(takes_it: bool) -> None:  # noqa: FBT001 - a table
    """A gateway that was there all the while and did nothing has an update that waits; what it does later is not ours."""
    b = bench(local("07:10"))
    if takes_it:
        b.wire.answers[INSTALL] = TAKEN
    else:
        b.wire.first_answers[INSTALL] = [(500, b"")]
        b.wire.answers[INSTALL] = (403, b"")
    day = await morning(STAGED, "upgrades itself at 08:20", on=b, end="09:00")

    assert (day.outcomes, day.alerts) == (["update_waiting"], 1)
    assert "did not begin" in day.ended[0].message
    assert "power" not in day.ended[0].message
    assert "waiting" in b.moments.load()
    assert whose(day) == [False]
    assert learned_s(day) is None


async def test_a_gateway_that_comes_back_long_after_its_time_is_ours_all_the_same() -> None:
    """One that is away when its time ends, and is never seen as before, did what we told it."""
    day = await morning(STAGED, "an install lasts for 50m", end="08:30")

    assert whose(day) == [True]
    assert day.obeys_since(DAY_RAW, local("08:00")) is not None


@pytest.mark.parametrize("status", [403, 404])
@pytest.mark.parametrize("call", [SITEMASTER, READ, WRITE, COMMIT])
async def test_a_refusal_right_after_the_return_is_not_believed(call: str, status: int) -> None:
    """A gateway that starts up refuses for half a minute what it did before: nobody is needed, and 07:55 is switched on time."""
    b = bench(local("07:10"))
    answers_between(b, "07:16", "07:17:40", {call: (status, b"")})
    day = await morning(STAGED, on=b)

    assert (day.outcomes, day.alerts) == (["installed"], 0)
    assert day.run.told(PersonNeeded) == []
    assert all(event.is_open for event in day.run.told(PathChecked))
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_a_start_that_is_refused_right_after_the_return_is_tried_again() -> None:
    """A battery that the install left stopped runs again as soon as the gateway lets us start it."""
    b = bench(local("07:10"))
    answers_between(b, "07:16", "07:18", {START: (403, b"")})
    day = await morning(STAGED, "stays stopped after an upgrade", on=b)

    assert day.outcomes == ["installed"]
    assert day.stopped("07:19:30", "08:05").total_seconds() == 0
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_a_daemon_that_is_stopped_in_an_install_says_to_leave_the_gateway_alone() -> None:
    """Nobody is told to start the battery by hand while the gateway installs: that would spoil it."""
    b = bench(local("07:10"))
    for sentence in (STAGED, "an install lasts for 10m"):
        b.scenario(sentence)
    run = Run(b)
    left = await run.until(local("07:19"))

    assert left is None
    assert run.told(LeftStopped) == []
    (told,) = run.told(LeftInstalling)
    assert told.gone
    assert "leave it alone" in told.message
    assert b.device.offline


async def test_a_daemon_that_is_stopped_soon_after_an_install_speaks_of_no_login() -> None:
    """The gateway may restart once more: that is what is said, and that the battery was seen to run."""
    b = bench(local("07:10"))
    b.scenario(STAGED)
    run = Run(b)
    left = await run.until(local("07:22"))

    assert left is None
    assert [event.gone for event in run.told(LeftInstalling)] == [False]
    assert b.device.obeyed.running


async def test_a_comment_above_the_rule_does_not_begin_its_moment_anew() -> None:
    """A moment that is over stays over when an edit moves its rule to another line, and one under way goes on."""
    schedule = readme_schedule()
    moved = replace(schedule, rules=tuple(replace(rule, line=rule.line + 3) for rule in schedule.rules))
    b = bench(local("07:10"))
    b.scenario(STAGED)
    b.scenario(FAILS)

    def edit(run: Run) -> None:
        run.loop.adopt(replace(run.policy, schedule=moved), None, "")

    day = await morning(on=b, persons={"07:15:20": edit, "07:30": edit})

    assert day.outcomes == ["failed"]
    assert day.installs == 1


def test_what_was_told_explains_a_restart_until_it_answers_as_before() -> None:
    """After its time a gateway that was met as before is on its own; one that was not met since is not."""
    clock = VirtualClock(local("07:15"))
    told = Told(Diary(Moments(), ""), clock)
    told.note(clock.now(), local("07:40"))
    told.same(local("07:20"))
    clock.passed_s += 30 * 60
    before = told.since
    told.same(local("07:41"))

    assert before == local("07:15")
    assert told.since is None
