"""The firmware moment: asked once, polled until the updater rests, told in one word, over in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bench import Bench, bench
from clockwork import VirtualClock

from scheduler.control.errands import Errands
from scheduler.control.firmware import POLL_S, Check, Outcome, advance, conclude
from scheduler.control.session import Session
from scheduler.model.errors import NotCapable, Standstill, Transient
from scheduler.model.events import Event, MomentEnded, MomentStarted
from scheduler.model.reading import Grid, Live, UpdateStatus
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Claim, Condition, Moment, Segment, Timeline

DUE = datetime(2026, 7, 1, 14, 15, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
NONACTIONABLE = ("nonactionable",)


@pytest.mark.parametrize(
    ("state", "status", "outcome"),
    [
        ("/update_staged", (), Outcome.UPDATE_WAITING),
        ("/update_staged", NONACTIONABLE, Outcome.UP_TO_DATE),
        ("/update_failed", NONACTIONABLE, Outcome.UP_TO_DATE),
        ("/update_failed", (), Outcome.FAILED),
        ("/update_failed", ("error",), Outcome.FAILED),
        ("/update_succeeded", NONACTIONABLE, Outcome.UP_TO_DATE),
        ("/update_succeeded", (), Outcome.UP_TO_DATE),
        ("/update_succeeded", ("error",), Outcome.FAILED),
        ("/update_unknown", (), Outcome.UNCLEAR),
        ("", (), Outcome.UNCLEAR),
    ],
)
def test_an_updater_at_rest_means(state: str, status: tuple[str, ...], outcome: Outcome) -> None:
    """`nonactionable` means nothing to install whatever the state's name; a state nobody knows is not guessed at."""
    said, message = conclude(UpdateStatus(state=state, status=status), install=False)

    assert said is outcome
    assert state in message, "the gateway's own word is part of what a person is told"


@pytest.mark.parametrize("install", [True, False])
def test_an_install_that_is_not_done_is_said(install: bool) -> None:  # noqa: FBT001 - a table
    """Who asked for an install learns that the update only waits."""
    _, message = conclude(UpdateStatus(state="/update_staged", status=()), install=install)

    assert ("does not install it" in message) is install


@dataclass
class Updater:
    """A gateway reduced to its updater: answers in turn, an exception is raised."""

    asked: list[Exception | None] = field(default_factory=lambda: [None])
    looks: list[UpdateStatus | Exception] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    has_session: bool = True

    async def check_for_update(self) -> None:
        """Ask."""
        self.calls.append("ask")
        answer = self.asked.pop(0)
        if answer is not None:
            raise answer

    async def update_status(self) -> UpdateStatus:
        """Look."""
        self.calls.append("look")
        answer = self.looks.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def working(state: str = "/download") -> UpdateStatus:
    """An updater that is still at it."""
    return UpdateStatus(state=state, status=())


def moment(**given: Any) -> Moment:
    """A firmware moment at `DUE`."""
    return Moment(at=DUE, do="check_firmware", rule="Firmware", line=1, **given)


async def step(check: Check, updater: Any, now_s: float = 0.0, now: datetime = DUE) -> Check:
    """One step of a check."""
    session = Session(updater, VirtualClock(now), set(), lambda _: None)  # type: ignore[arg-type]
    return await advance(check, gateway=updater, session=session, now=now, now_s=now_s)


async def test_a_check_asks_once_and_looks_until_the_updater_rests() -> None:
    """One question, then a look each ten seconds, one step a call."""
    updater = Updater(
        looks=[
            working("/clear_update_status"),
            working("/download"),
            working("/update_downloaded"),
            UpdateStatus(state="/update_failed", status=NONACTIONABLE),
        ]
    )
    check = Check(moment=moment(), deadline=DUE + 30 * MINUTE)
    looks_s = []
    while check.outcome is None:
        looks_s.append(check.look_s)
        check = await step(check, updater, now_s=check.look_s)

    assert updater.calls == ["ask", "look", "look", "look", "look"]
    assert looks_s == [0, POLL_S, 2 * POLL_S, 3 * POLL_S, 4 * POLL_S]
    assert check.outcome is Outcome.UP_TO_DATE


async def test_a_firmware_without_the_call_is_said_and_not_tried_again() -> None:
    """Where the gateway has no such call, the moment is over and carries the remedy in words."""
    updater = Updater(asked=[NotCapable("no such call", remedy="look in the app")])

    check = await step(Check(moment=moment(), deadline=DUE + MINUTE), updater)

    assert (check.outcome, check.message) == (Outcome.NOT_AVAILABLE, "no such call; look in the app")


async def test_a_refusal_ends_the_check() -> None:
    """What a person must mend is not waited for inside a check."""
    updater = Updater(asked=[Standstill("the battery is stopped", remedy="start it")])

    check = await step(Check(moment=moment(), deadline=DUE + MINUTE), updater)

    assert (check.outcome, check.message) == (Outcome.FAILED, "the battery is stopped; start it")


@pytest.mark.parametrize(
    "updater",
    [Updater(asked=[Transient("no answer"), None]), Updater(looks=[Transient("no answer")])],
    ids=["asking", "looking"],
)
async def test_a_transient_failure_leaves_the_check_as_it_was(updater: Updater) -> None:
    """The loop pauses and the same step is tried again: nothing is asked twice that was answered once."""
    check = Check(moment=moment(), deadline=DUE + MINUTE, asked=bool(updater.looks))

    with pytest.raises(Transient):
        await step(check, updater)

    assert check.asked is (updater.calls == ["look"])


async def test_a_check_is_over_at_its_deadline() -> None:
    """At the deadline the gateway is not asked any more, so that nothing of ours is under way when power gets dear."""
    updater = Updater(looks=[working()])

    check = await step(Check(moment=moment(), deadline=DUE, asked=True), updater, now=DUE)

    assert check.outcome is Outcome.UNFINISHED
    assert updater.calls == []


# From here on through the real client, against the simulated gateway.


def timeline(*moments: Moment) -> Timeline:
    """A day of one segment with these moments."""
    day = Segment(
        start=DUE - timedelta(hours=12),
        end=DUE + timedelta(hours=12),
        period=None,
        import_price=None,
        export_price=None,
        claims=(Claim(name="default", line=1, setpoint=Setpoint(mode="backup")),),
    )
    return Timeline((day,), moments)


async def half_full() -> Live:
    """What an `if` sees."""
    return Live(charge_percent=50, grid=Grid.CONNECTED)


@dataclass
class Day:
    """The errands of a day on a bench."""

    b: Bench
    errands: Errands

    async def attend(self, plan: Timeline, *, until: datetime) -> None:
        """Attend every second until an instant."""
        while self.b.clock.now() < until:
            await self.errands.attend(plan, half_full)
            await self.b.clock.sleep(1)

    @property
    def told(self) -> list[Event]:
        """What was said of moments."""
        return [event for event in self.b.events if isinstance(event, MomentStarted | MomentEnded)]

    @property
    def outcomes(self) -> list[str]:
        """How the moments ended."""
        return [event.outcome for event in self.told if isinstance(event, MomentEnded)]

    @property
    def questions(self) -> int:
        """How often the gateway was asked to look for an update."""
        return self.b.story.count("GET /api/system/update")


@pytest.fixture(name="day_from")
def _day_from() -> Callable[[datetime], Day]:
    def day_from(start: datetime) -> Day:
        b = bench(start)
        return Day(b, Errands(b.gateway, b.session, b.clock, b.events.append))

    return day_from


async def test_a_moment_is_done_at_its_time_and_once(day_from: Callable[[datetime], Day]) -> None:
    """Nothing before it is due, one question when it is, and none after it is over."""
    day = day_from(DUE - 5 * MINUTE)
    plan = timeline(moment(done_by=DUE + 40 * MINUTE))

    await day.attend(plan, until=DUE)
    assert day.b.story == []

    await day.attend(plan, until=DUE + 60 * MINUTE)
    assert day.questions == 1
    assert day.outcomes == ["up_to_date"]
    assert [type(event) for event in day.told] == [MomentStarted, MomentEnded]
    assert day.told[0].at == DUE
    assert day.errands.look_s is None


async def test_a_waiting_update_is_told(day_from: Callable[[datetime], Day]) -> None:
    """The updater is followed through its download, and what it found is said."""
    day = day_from(DUE)
    day.b.scenario("has an update")

    await day.attend(timeline(moment(install=True)), until=DUE + 10 * MINUTE)

    assert day.outcomes == ["update_waiting"]


async def test_a_gateway_that_stays_away_ends_the_moment_in_time(
    day_from: Callable[[datetime], Day],
) -> None:
    """A moment whose gateway never answers is over at `done_by`, and says so."""
    day = day_from(DUE)
    day.b.scenario("offline for 3 hours")
    plan = timeline(moment(done_by=DUE + 10 * MINUTE))

    while not day.outcomes:
        try:
            await day.errands.attend(plan, half_full)
        except Transient:
            assert day.b.clock.now() < DUE + 10 * MINUTE
        await day.b.clock.sleep(20)

    assert day.outcomes == ["unfinished"]


async def test_after_a_restart_a_moment_is_still_done_in_its_time(
    day_from: Callable[[datetime], Day],
) -> None:
    """Started late but before `done_by`: the check is made good, because it is about what is true now."""
    day = day_from(DUE + 20 * MINUTE)

    await day.attend(timeline(moment(done_by=DUE + 40 * MINUTE)), until=DUE + 30 * MINUTE)

    assert day.outcomes == ["up_to_date"]


async def test_what_was_over_before_we_started_is_no_news(day_from: Callable[[datetime], Day]) -> None:
    """A daemon that starts at noon does not complain about the morning."""
    day = day_from(DUE + 5 * timedelta(hours=1))

    await day.attend(timeline(moment()), until=DUE + timedelta(hours=5) + MINUTE)

    assert day.told == []
    assert day.b.story == []


async def test_a_moment_that_went_by_while_we_ran_is_told(day_from: Callable[[datetime], Day]) -> None:
    """A machine that slept through a moment says so when it wakes."""
    day = day_from(DUE - MINUTE)
    await day.attend(timeline(moment()), until=DUE - MINUTE / 2)
    day.b.clock.step = timedelta(hours=3)

    await day.attend(timeline(moment()), until=DUE + timedelta(hours=3, minutes=1))

    assert day.outcomes == ["missed"]
    assert day.questions == 0


async def test_a_moment_whose_condition_is_false_is_passed_over(day_from: Callable[[datetime], Day]) -> None:
    """An `if` is judged when the moment is due, and what it was for is said."""
    day = day_from(DUE)
    plan = timeline(moment(condition=Condition(charge_above_percent=80)))

    await day.attend(plan, until=DUE + MINUTE)

    assert day.outcomes == ["passed_over"]
    assert "charge above 80 %" in day.told[-1].message  # type: ignore[attr-defined]
    assert day.questions == 0


async def test_moments_at_one_instant_are_done_one_after_the_other(
    day_from: Callable[[datetime], Day],
) -> None:
    """Two rules that want the same get both their answer."""
    day = day_from(DUE)
    other = Moment(at=DUE, do="check_firmware", rule="Another", line=2)

    await day.attend(timeline(moment(), other), until=DUE + 10 * MINUTE)

    assert day.outcomes == ["up_to_date", "up_to_date"]
    assert [event.rule for event in day.told] == ["Firmware", "Firmware", "Another", "Another"]  # type: ignore[attr-defined]
