"""An install that may not be over in time is not begun, whatever happens in which order: made-up mornings.

What is true of a morning is worked out here from what was drawn, by minutes of the day, and by the simulated gateway's own
record of what the battery did; nothing is asked of the plan that decides.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest
from bench import BY_DAY, BY_NIGHT, LOS_ANGELES, Bench, bench, local
from days import Run
from dying import Steps, lives
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.model.reading import Grid
from scheduler.plan.calendar import Hours
from scheduler.plan.rules import ClockTime, MomentRule, Schedule, When, Window
from scheduler.plan.tariff import Period, Tariff
from scheduler.simulator.record import stretches

INSTALL = "POST /api/system/update"
CHECK = "GET /api/system/update"
MINUTE = timedelta(minutes=1)
AT_LEAST = 25 * MINUTE
CLEAR_OF_PEAK = 15 * MINUTE
WITHOUT_DONE_BY = 30 * MINUTE
NIGHT_BEGINS = 22 * 60
LAST_CALLS = 8
"""So many requests lie between the first look at what an install needs and the install, at most."""

EVENTS = (
    "stages an update",
    "offline for {} minutes",
    "the grid fails for {} minutes",
    "somebody uses the app",
    "somebody stops it",
    "reboots",
    "token is forgotten",
    "checks fail for {} minutes",
    "updates begin late",
    "answers 503 to /api/system/update for the next 2 requests",
    "resets to /api/system/update for the next request",
    "applies but resets to /api/system/update for the next request",
    "resets to /api/system/update/status for the next 3 requests",
    "resets for {} minutes",
    "ignores the next write",
    "is busy for {} minutes",
    "installs fail",
    "the update is rolled back",
    "installs what is staged",
    "stays stopped after an upgrade",
)
"""What happens at some minute; the braces stand for a number of minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """What was drawn. Times are minutes after local midnight, ``longest`` and the durations of the gateway minutes.

    ``done_by`` and ``dear`` are None where there is none; ``deadly`` are numbers of steps at which processes are killed,
    ``deadly_calls`` those among the steps of the updater's calls, ``dead_for_s`` how long each is dead.
    """

    at: int
    done_by: int | None
    day_begins: int
    dear: int | None
    longest: float | None = None
    check: int = 1
    download: int = 1
    install: int = 2
    late_s: int = 0
    staged: bool = True
    events: tuple[tuple[str, int], ...] = ()
    deadly: frozenset[int] = frozenset()
    deadly_calls: frozenset[int] = frozenset()
    dead_for_s: float = 5.0
    delay_s: float = 0.0
    pause_s: float = 10.0
    lead: int = 5
    goes_on_for: int = 20

    @property
    def deadline(self) -> datetime:
        """When the moment is over."""
        return minute(self.at) + WITHOUT_DONE_BY if self.done_by is None else minute(self.done_by)

    @property
    def budget(self) -> timedelta:
        """What an install must be given."""
        return max(AT_LEAST, (self.longest or 0.0) * 1.5 * MINUTE)

    def too_late(self, now: datetime) -> list[str]:
        """Why an install that begins now may not be over in time; nothing if it surely is."""
        over = now + self.budget - timedelta(seconds=self.delay_s)  # the request was sent so much earlier
        ends = {"the time of the moment": self.deadline}
        today = [minute(at) for at in (self.day_begins, NIGHT_BEGINS)]
        ends["the next boundary"] = next((at for at in today if at > now), local("2026-07-02T00:00"))
        found = []
        if self.dear is not None:
            dear = minute(self.dear)
            if dear <= now < dear + 120 * MINUTE:
                found.append("it is dear")
            elif now < dear:
                ends["the dear hours, less a quarter of an hour"] = dear - CLEAR_OF_PEAK
        return found + [f"{what} is {end:%H:%M}" for what, end in ends.items() if over > end]

    def setpoint_raw(self, now: datetime) -> tuple[str, float]:
        """What the battery should go by, in the gateway's own scale."""
        by_day = minute(self.day_begins) <= now < minute(NIGHT_BEGINS)
        return ("self_consumption", 9.75) if by_day else ("backup", 100.0)

    def schedule(self) -> Schedule:
        """The rules of this morning."""
        cheap = Period(name="cheap", line=2, import_price=0.1)
        dear = [] if self.dear is None else [Hours(self.dear, self.dear + 120)]
        periods = [Period(name="dear", line=1, hours=(hours,), import_price=0.5) for hours in dear]
        return Schedule(
            zone=LOS_ANGELES,
            tariff=Tariff(periods=(*periods, cheap)),
            rules=(
                Window(
                    name="Day",
                    line=3,
                    setpoint=BY_DAY,
                    when=When(hours=(Hours(self.day_begins, NIGHT_BEGINS),)),
                ),
                MomentRule(
                    name="Firmware",
                    line=4,
                    at=ClockTime(self.at),
                    do="check_firmware",
                    install=True,
                    done_by=None if self.done_by is None else ClockTime(self.done_by),
                ),
            ),
            default=BY_NIGHT,
            default_line=5,
        )


def minute(after_midnight: int) -> datetime:
    """An instant of the day, from minutes after its midnight."""
    return local("00:00") + after_midnight * MINUTE


@dataclass(slots=True)
class Found:
    """What a morning came to: when it was told to install, and all that must not have been, in words."""

    installs: list[datetime]
    wrong: list[str]
    kills: int = 0


def lived(it: Morning) -> Found:
    """Live through a morning, and judge every request on the wire at the instant at which it arrives."""
    b = bench(minute(it.at - it.lead))
    _prepare(b, it)
    found = Found([], [])

    def judge(call: str) -> None:
        now = b.clock.now().astimezone(LOS_ANGELES)
        if call == INSTALL:
            found.installs.append(now)
            found.wrong += [f"{now:%H:%M:%S}: {why}" for why in (*it.too_late(now), *_unfit(b, it, now))]
        if call == CHECK and now > it.deadline + timedelta(seconds=it.delay_s):
            found.wrong.append(f"{now:%H:%M:%S}: it is asked to look for an update, after the moment")

    b.wire.then = judge
    asked = itertools.count(1)

    def deadly(number: int, step: str) -> bool:
        return number in it.deadly or ("system/update" in step and next(asked) in it.deadly_calls)

    steps = Steps(b, deadly, delay_s=it.delay_s)

    def begin() -> Run:
        longest_s = None if it.longest is None else it.longest * 60
        return Run(b, it.schedule(), longest_install_s=longest_s)

    until = it.deadline + it.goes_on_for * MINUTE
    killed = asyncio.run(lives(begin, steps, until=until, pause_s=it.pause_s, dead_for_s=it.dead_for_s))
    found.kills = len(killed)
    if len(found.installs) > 2:
        found.wrong.append(f"told to install {len(found.installs)} times")
    return found


def _prepare(b: Bench, it: Morning) -> None:
    sentences = [
        f"a check lasts for {it.check} minutes",
        f"a download lasts for {it.download} minutes",
        f"an install lasts for {it.install} minutes",
        "stages an update" if it.staged else "has an update",
    ]
    if it.late_s:
        sentences.append(f"an install begins late for {it.late_s}s")
    for what, at in it.events:
        sentences.append(f"{what} at {minute(at):%H:%M}")
    for sentence in sentences:
        b.scenario(sentence)


def _unfit(b: Bench, it: Morning, now: datetime) -> list[str]:
    """Why the battery was not fit for an install by its own record, at no instant since it can have been looked at."""
    b.device.now()
    since = now - timedelta(seconds=LAST_CALLS * it.delay_s)
    seen = [o for _, _, o in stretches(b.device.history, since, now)] + ([b.device.obeyed])
    if not it.delay_s:
        seen = seen[-1:]
    wanted = it.setpoint_raw(now)
    return [
        *([] if any((o.mode, o.reserve_raw_percent) == wanted for o in seen) else [f"it obeyed {seen[-1]}"]),
        *([] if any(o.running for o in seen) else ["it stood still"]),
        *([] if any(o.grid is Grid.CONNECTED for o in seen) else ["the house was on its own"]),
    ]


@st.composite
def mornings(draw: st.DrawFn) -> Morning:
    """A morning with troubles around its moment, and with processes that are killed."""
    at = draw(st.integers(5 * 60, 8 * 60))
    event = st.tuples(st.builds(str.format, st.sampled_from(EVENTS), st.integers(1, 30)), st.integers(-5, 40))
    done_by = draw(st.none() | st.integers(25, 45) | st.integers(5, 90))
    return Morning(
        at=at,
        done_by=None if done_by is None else at + done_by,
        day_begins=draw(st.sampled_from([at - 60, 12 * 60]) | st.integers(at + 24, at + 50)),
        dear=draw(
            st.sampled_from([None, 14 * 60]) | st.integers(at + 40, at + 70) | st.integers(at - 130, at)
        ),
        longest=draw(st.none() | st.integers(10, 25) | st.integers(10, 60)),
        check=draw(st.integers(1, 12)),
        download=draw(st.integers(1, 20)),
        install=draw(st.integers(1, 40)),
        late_s=draw(st.sampled_from([0, 0, 5, 90, 180])),
        staged=draw(st.sampled_from([True, True, False])),
        events=tuple((what, at + after) for what, after in draw(st.lists(event, max_size=3))),
        deadly=draw(st.frozensets(st.integers(1, 200), max_size=2)),
        deadly_calls=draw(st.frozensets(st.integers(1, 12), max_size=2)),
        dead_for_s=draw(st.sampled_from([1.0, 5.0, 60.0, 600.0, 1500.0])),
        delay_s=draw(st.sampled_from([0.0, 0.0, 0.4, 3.0])),
        pause_s=draw(st.sampled_from([5.0, 10.0, 15.0])),
    )


def search(examples: int, longer: int = 20, *, the_same: bool = False) -> Counter[str]:
    """Live through so many mornings, each on for so many minutes after its moment; how often what was met.

    ``the_same``: the same mornings each time.
    """
    met: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=the_same,
        print_blob=not the_same,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(mornings())
    def look(it: Morning) -> None:
        found = lived(replace(it, goes_on_for=longer))
        met.update(mornings=1, kills=found.kills, installs=len(found.installs), begun=bool(found.installs))
        assert found.wrong == []

    look()
    return met


def test_no_install_is_begun_that_may_not_be_over_in_time() -> None:
    """Each one begins with its whole budget before `done_by`, a boundary and the dear hours, on a battery that obeys."""
    met = search(20, the_same=True)

    assert met["mornings"] >= 20
    assert met["begun"] >= 2, "the search does not meet what it is about"
    assert met["kills"] >= 5


@pytest.mark.slow
def test_no_install_is_begun_that_may_not_be_over_in_time_in_many_mornings() -> None:
    """The same in many more mornings."""
    met = search(400)

    assert met["begun"] >= 40


@pytest.mark.slow
def test_no_install_is_begun_late_in_whole_days() -> None:
    """The same where the daemon lives on for nearly a day after the moment, so that another boundary comes."""
    met = search(30, longer=22 * 60)

    assert met["begun"] >= 1


PLAIN = Morning(at=7 * 60, done_by=7 * 60 + 40, day_begins=9 * 60, dear=14 * 60)
READY_AT_12 = replace(PLAIN, staged=False, check=6, download=5)
"""Ready at 07:12; the daemon looks at the gateway as a whole at 07:10 and 07:15."""
JUST_BEFORE = 7 * 60 + 11


@pytest.mark.parametrize(
    ("it", "times"),
    [
        (PLAIN, 1),
        (replace(PLAIN, day_begins=6 * 60), 1),
        (replace(PLAIN, dear=None), 1),
        (replace(PLAIN, done_by=None), 1),
        (replace(PLAIN, install=20, late_s=90), 1),
        (replace(PLAIN, staged=False, check=5, download=5), 1),
        (replace(PLAIN, done_by=7 * 60 + 26), 1),
        (replace(PLAIN, done_by=7 * 60 + 25), 0),
        (replace(PLAIN, staged=False, check=10, download=10), 0),
        (replace(PLAIN, day_begins=7 * 60 + 26), 1),
        (replace(PLAIN, day_begins=7 * 60 + 25), 0),
        (replace(PLAIN, dear=7 * 60 + 41), 1),
        (replace(PLAIN, dear=7 * 60 + 40), 0),
        (replace(PLAIN, dear=6 * 60), 0),
        (replace(PLAIN, longest=26), 1),
        (replace(PLAIN, longest=27), 0),
        (replace(PLAIN, longest=16, done_by=7 * 60 + 26), 1),
        (replace(PLAIN, events=(("the grid fails for 9 minutes", 7 * 60 - 2),)), 1),
        (replace(PLAIN, events=(("the grid fails for 30 minutes", 7 * 60 - 2),)), 0),
        (replace(PLAIN, events=(("somebody uses the app", 7 * 60 - 2),)), 0),
        (replace(PLAIN, events=(("somebody stops it", 7 * 60 - 2),)), 0),
        (replace(PLAIN, staged=False, events=(("offline for 45 minutes", 7 * 60 - 2),)), 0),
        (replace(PLAIN, events=(("token is forgotten", 7 * 60),)), 1),
        (replace(PLAIN, events=(("resets to /api/system/update for the next request", 7 * 60 - 2),)), 2),
        (replace(PLAIN, events=(("resets to /api/system/update", 7 * 60 - 2),)), 2),
        (replace(PLAIN, events=(("answers 401 to /api/system/update", 7 * 60 - 2),)), 2),
        (READY_AT_12, 1),
        (replace(READY_AT_12, events=(("the grid fails for 40 minutes", JUST_BEFORE),)), 0),
        (replace(READY_AT_12, events=(("somebody uses the app", JUST_BEFORE),)), 0),
        (replace(READY_AT_12, events=(("somebody stops it", JUST_BEFORE),)), 0),
        (replace(PLAIN, events=(("offline for 10 minutes", 7 * 60 - 2),)), 1),
        (replace(PLAIN, events=(("offline for 18 minutes", 7 * 60 - 2),)), 0),
    ],
    ids=lambda it: None if isinstance(it, Morning) else f"told {it} times",
)
def test_an_install_is_begun_where_it_fits_and_only_there(it: Morning, times: int) -> None:
    """With a minute to spare it is told to begin, with none it is not, and what gets lost is said once more and no more."""
    found = lived(it)

    assert found.wrong == []
    assert len(found.installs) == times


@pytest.mark.parametrize("minutes", [26, 27])
@pytest.mark.parametrize("delay_s", [1.0, 3.0, 6.0, 8.0, 9.0])
def test_the_budget_holds_after_slow_answers(delay_s: float, minutes: int) -> None:
    """What is asked before an install takes its time, and the whole budget is still there when it is told to begin."""
    found = lived(replace(PLAIN, done_by=PLAIN.at + minutes, delay_s=delay_s, pause_s=5.0))

    assert found.wrong == []
