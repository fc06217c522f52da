"""`rehearse`: faults that meet, processes that are killed upon an answer, and a person's holds, which are judged by themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from bench import readme_schedule

from scheduler.app.rehearsal import performance
from scheduler.app.rehearsal.course import Course
from scheduler.app.rehearsal.facts import LOGIN, READ, WRITE, Exchange, Facts, Wish
from scheduler.app.rehearsal.jury import Jury
from scheduler.app.rehearsal.kinds import ANSWERS, KINDS
from scheduler.app.rehearsal.performance import Order, rehearse
from scheduler.app.rehearsal.process import Killed, Steps
from scheduler.app.rehearsal.swarm import SOON_S, STILL_S, script
from scheduler.control.agenda import Agenda
from scheduler.gateway.latch import Silence
from scheduler.model.clock import RELEASED
from scheduler.model.hold import Hold

SCHEDULE = readme_schedule()
HELD = "somebody holds"
UPON = "killed after an answer"
DAY = Wish("self_consumption", 9.75)


def order(*kinds: str, days: float = 4) -> Order:
    """A few days of the README's schedule with these faults."""
    return Order(schedule=SCHEDULE, verify_s=300, seed=3, days=days, kinds=kinds)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every boundary has a fault."""
    monkeypatch.setattr(performance, "CHANCE", 1.0)


def test_m5_the_second_of_two_faults_often_begins_in_the_wake_of_the_first() -> None:
    """Where a boundary has two faults, more than half of the second ones begin while the first lasts or soon after its end."""
    boundaries_s = [10_000.0 * number for number in range(1, 601)]
    placed = script(boundaries_s, tuple(KINDS), Random(1), chance=1.0)
    at = [[fault for fault in placed if abs(fault.at_s - it) < 1000] for it in boundaries_s]
    pairs = [(found[0], found[1]) for found in at if len(found) > 1]
    apart_s = [(second.at_s - first.at_s, first.lasts_s) for first, second in pairs]
    soon = sum(0 <= by_s <= SOON_S for by_s, _ in apart_s)
    after = sum(lasts_s < by_s <= lasts_s + STILL_S for by_s, lasts_s in apart_s)
    met = sum(0 <= by_s <= max(SOON_S, lasts_s + STILL_S) for by_s, lasts_s in apart_s)

    assert len(pairs) >= 100
    assert met >= 0.6 * len(pairs)
    assert min(soon, after) >= 0.1 * len(pairs)


def exchange(name: str, at_s: float, status: int | None = None) -> Exchange:
    """A request of the first process, and what it was answered at once."""
    return Exchange(at_s=at_s, name=name, body=b"", with_token=True, process=1, over_s=at_s, status=status)


def test_p1_a_process_is_killed_before_it_hears_of_an_answer() -> None:
    """Of the answers that are waited for the first one kills, once, and one that is waited for no more kills nobody."""
    steps = Steps(lambda: None)
    steps.upon(ANSWERS["too many"], lambda: steps.kill_after(1))
    steps.answered(exchange(READ, 1.0, 200))
    steps.take("after a reading")
    steps.answered(exchange(LOGIN, 2.0, 429))
    with pytest.raises(Killed):
        steps.take("after a login")

    steps.begin()
    steps.answered(exchange(LOGIN, 3.0, 429))
    steps.take("after another login")
    steps.upon(ANSWERS["too many"], lambda: steps.kill_after(1))
    steps.wait_no_more()
    steps.answered(exchange(LOGIN, 4.0, 429))
    steps.take("after the last login")

    assert steps.killed == {"after a login": 1}


def test_p1_each_sort_of_answer_kills_and_no_promise_breaks(always: None) -> None:
    """In a few weeks a process is killed upon each sort of answer, at once or a little later, and each is followed by another."""
    done = [rehearse(order(UPON, days=12), run) for run in range(3)]
    sorts = {sort for sort in ANSWERS if sum(it.counts[f"killed after {sort}"] for it in done)}

    assert [it.broken for it in done] == [()] * 3
    assert sorts == set(ANSWERS)
    assert all(it.counts["processes"] == it.counts["killed"] + 1 for it in done)


def test_i9_a_silence_that_a_restart_forgets_is_found(always: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program whose next process asks a gateway that wanted silence is found by the invariant, not only by its own tests."""
    monkeypatch.setattr(Silence, "begin", lambda _self, _seconds: None)

    done = [rehearse(order(UPON, days=12), run) for run in range(3)]

    assert {broken.identifier for it in done for broken in it.broken} == {"I9"}


@pytest.mark.parametrize(("died_s", "broken"), [(1000.0, []), (1000.1, ["I9"])])
def test_i9_only_who_dies_with_the_answer_may_ask_again(died_s: float, broken: list[str]) -> None:
    """Who is killed in the instant of a 429 has noted nothing; who is killed later has, and the next process keeps the silence."""
    facts = Facts(start=RELEASED, died_s=died_s)
    jury = Jury(facts)
    jury.over(exchange(READ, 1000.0, 429))

    jury.sent(exchange(READ, 1100.0))

    assert [it.identifier for it in jury.broken] == broken


def test_l1_holds_are_kept_to_the_second_and_over_restarts(always: None) -> None:
    """A hold at every boundary, and a kill here and there: each is in force soon, ends in time, and no promise breaks."""
    done = [rehearse(order(HELD, "killed at rest", days=12), run) for run in range(3)]

    assert [it.broken for it in done] == [()] * 3
    assert sum(it.counts["holds"] for it in done) >= 30
    assert sum(it.counts["resumes"] for it in done) >= 5
    assert sum(it.counts["processes"] for it in done) >= 20
    assert all(it.counts["boundaries"] > 2 * 12 for it in done)


@pytest.mark.parametrize("run", range(3))
def test_t2_holds_and_a_clock_that_is_set_by_hours_meet_and_no_promise_breaks(always: None, run: int) -> None:
    """A hold is kept over a clock that is put back a little, and is nothing by one that shows a time long before it."""
    done = rehearse(order(HELD, "clock jumps", days=10), run)

    assert done.broken == ()
    assert min(done.counts["holds"], done.counts["fault clock jumps"]) > 0


def never(_hold: Hold | None) -> Hold | None:
    """What a program makes of a hold that it does not look at."""
    return None


def an_hour_more(hold: Hold | None) -> Hold | None:
    """What one makes of it that does not know its end."""
    return None if hold is None else replace(hold, until=hold.until + timedelta(hours=1))


class Stubborn:
    """What one makes of it that hears of no end by a person's word."""

    def __init__(self) -> None:
        self._last: Hold | None = None

    def __call__(self, hold: Hold | None) -> Hold | None:
        """The last hold that there was."""
        self._last = hold or self._last
        return self._last


@pytest.mark.parametrize("seen", [never, an_hour_more, Stubborn()], ids=["never", "an hour more", "stubborn"])
def test_l1_a_hold_that_is_not_kept_is_found(
    seen: Callable[[Hold | None], Hold | None], always: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that obeys no hold, or not its end, is found: what should be true is not asked of its own code."""
    whole = Agenda.under
    monkeypatch.setattr(Agenda, "under", lambda self, hold, now: whole(self, seen(hold), now))

    done = [rehearse(order(HELD, days=12), run) for run in range(2)]

    assert "L1" in {it.identifier for each in done for it in each.broken}


@pytest.mark.parametrize(("now_s", "broken"), [(1000.0, []), (1001.0, ["I1"])])
def test_i1_what_a_hold_asked_for_is_not_written_after_it(now_s: float, broken: list[str]) -> None:
    """A hold's own reserve may be written while it lasts, and while a switch of it may be under way; later it is a fault."""
    facts = Facts(start=RELEASED, now_s=now_s, wishes={DAY}, held={Wish("backup", 71.5): 1000.0})
    jury = Jury(facts)
    body = b'{"real_mode": "backup", "backup_reserve_percent": 71.5}'

    jury.sent(replace(exchange(WRITE, now_s), body=body))

    assert sorted({it.identifier for it in jury.broken}) == broken


def test_l2_logins_that_are_refused_while_power_flows_are_asked_for_ever_more_seldom() -> None:
    """The pause after the third such refusal excuses a wrong setpoint, the next one twice as long; a login that is taken ends it."""
    facts = Facts(start=RELEASED)
    course = Course(facts, Jury(facts))
    excused_s = []
    for number, status in enumerate((500, 500, 500, 500, 200, 500, 500)):
        course.login(status, 10_000.0 * number)
        excused_s.append(facts.excused_s - 10_000.0 * number)

    assert [round(it) for it in excused_s[:4]] == [0, -10_000, 420, 720]
    assert excused_s[6] < 0
