"""The firmware moment: asked once, polled until the updater rests, told in one word, over in time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from bench import LOS_ANGELES, Bench, Marks, Moments, bench
from clockwork import VirtualClock

from scheduler.control.diary import CURRENT, Diary
from scheduler.control.errands import Errands
from scheduler.control.firmware import POLL_S, Check, Outcome, Phase, at_work, conclude, resumed
from scheduler.control.install import Standing, longest_install_s, must_be_over, obstacle, opportunity
from scheduler.control.session import Session
from scheduler.control.state import State
from scheduler.control.told import Told
from scheduler.control.upkeep import Upkeep
from scheduler.model.errors import NotCapable, NotOffered, Standstill, Transient
from scheduler.model.events import Event, MomentEnded, MomentStarted
from scheduler.model.reading import Grid, Identity, Live, UpdateStatus
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
    said, message = conclude(UpdateStatus(state=state, status=status))

    assert said is outcome
    assert state in message, "the gateway's own word is part of what a person is told"


AT_REST = UpdateStatus(state="/update_succeeded", status=NONACTIONABLE, last_status_ms=1_000)


@pytest.mark.parametrize(
    ("status", "before", "asked_s", "expected"),
    [
        (UpdateStatus(state="/clear_update_status", status=()), None, 600, True),
        (UpdateStatus(state="/download", status=()), None, 600, True),
        (UpdateStatus(state="/update_downloaded", status=()), None, 600, True),
        (UpdateStatus(state="/update_staged", status=()), None, 0, False),
        (UpdateStatus(state="/update_failed", status=NONACTIONABLE), None, 10, False),
        (AT_REST, AT_REST, 10, True),
        (AT_REST, AT_REST, 60, False),
        (
            UpdateStatus(state="/update_succeeded", status=NONACTIONABLE, last_status_ms=2_000),
            AT_REST,
            10,
            False,
        ),
        (UpdateStatus(state="/update_unknown", status=()), None, 10, True),
        (UpdateStatus(state="/update_unknown", status=()), None, 120, False),
        (UpdateStatus(state="/update_unknown", status=NONACTIONABLE), None, 10, False),
    ],
)
def test_an_updater_is_looked_at_again(
    status: UpdateStatus,
    before: UpdateStatus | None,
    asked_s: int,
    expected: bool,  # noqa: FBT001 - a table
) -> None:
    """While it works, while its answer is the one from before the question, and for a while where it rests in unknown."""
    assert at_work(status, before=before, asked=timedelta(seconds=asked_s)) is expected


def test_a_check_outlasts_us() -> None:
    """What is noted of a moment under way is read back as the same moment in the same phase."""
    check = Check(
        moment=moment(install=True, done_by=DUE + 40 * MINUTE),
        deadline=DUE + 40 * MINUTE,
        phase=Phase.INSTALL,
        since=DUE + MINUTE,
        until=DUE + 30 * MINUTE,
        accepted=True,
        before=Identity(firmware="1.45.2", start_time="2026-07-01 05:30:00 -0700"),
    )

    assert resumed(check.document()) == replace(check, resumed=True)


@pytest.mark.parametrize(
    "damage",
    [{}, {"moment": None}, {"phase": "juggling"}, {"deadline": "soon"}, {"deadline": "2026-07-01T14:15:00"}],
)
def test_a_note_that_cannot_be_read_is_no_moment(damage: dict[str, Any]) -> None:
    """A damaged note of a moment costs that moment and ends nothing."""
    noted = Check(moment=moment(), deadline=DUE).document()

    assert resumed(noted | damage if damage else {}) is None


def day_of_prices(*prices: tuple[int, float | None]) -> Timeline:
    """Segments from `DUE` on, each so many minutes long at a price."""
    segments, at = [], DUE
    for minutes, price in prices:
        claims = (Claim(name="default", line=1, setpoint=BACKUP),)
        end = at + minutes * MINUTE
        segments.append(
            Segment(start=at, end=end, period=None, import_price=price, export_price=None, claims=claims)
        )
        at = end
    return Timeline(tuple(segments))


def stands(fine: Timeline, **given: Any) -> Standing:
    """A loop that knows that all is well."""
    known: dict[str, Any] = {
        "fine": fine,
        "segments": fine.merged().segments,
        "desired": BACKUP,
        "proven": True,
    }
    return Standing(**known | {"zone": LOS_ANGELES} | given)


FLAT = ((24 * 60, 0.28),)


@pytest.mark.parametrize(
    ("prices", "deadline_min", "longest_s", "reason"),
    [
        (FLAT, 25, None, None),
        (FLAT, 24, None, "it must be over in 24 minutes, and an install is given 25"),
        (FLAT, 45, 30 * 60, None),
        (FLAT, 44, 30 * 60, "it must be over in 44 minutes, and an install is given 45"),
        (FLAT, 25, 60, None),
        (((40, 0.13), (600, 0.45)), 600, None, None),
        (((39, 0.13), (600, 0.45)), 600, None, "the dearest hours are near in 24 minutes"),
        (((600, 0.45), (600, 0.13)), 600, None, "the dearest hours are near in 0 minutes"),
        (((600, None),), 600, None, None),
        (((30, 0.13), (600, 0.28)), 600, None, "the dearest hours are near in 15 minutes"),
    ],
    ids=[
        "fits",
        "a minute short",
        "learned",
        "learned, short",
        "never less",
        "clear of the peak",
        "near the peak",
        "in the peak",
        "no prices",
        "dearer is dearest",
    ],
)
def test_an_install_begins_only_if_it_will_be_over(
    prices: tuple[tuple[int, float | None], ...],
    deadline_min: int,
    longest_s: float | None,
    reason: str | None,
) -> None:
    """By `done_by`, with 25 minutes or the longest seen and a half, and a quarter of an hour before the dearest hours."""
    standing = stands(day_of_prices(*prices), longest_s=lambda: longest_s)

    found = obstacle(DUE, DUE + deadline_min * MINUTE, standing)

    assert (None if found is None else found.reason[: len(reason or "")]) == reason


def test_an_install_is_over_before_another_setpoint_is_due() -> None:
    """Whatever `done_by` allows: a gateway that is gone switches nothing."""
    fine = day_of_prices((20, 0.2), (600, 0.2))
    by_day = replace(
        fine.segments[1], claims=(Claim(name="d", line=1, setpoint=Setpoint(mode="self_consumption")),)
    )
    standing = stands(Timeline((fine.segments[0], by_day)))

    assert must_be_over(DUE, DUE + 600 * MINUTE, standing) == (DUE + 20 * MINUTE, "another setpoint is due")
    assert obstacle(DUE, DUE + 600 * MINUTE, standing) is not None


def test_an_unproven_setpoint_is_waited_for() -> None:
    """While the battery is not proven to be where the plan wants it nothing is installed, and that may yet change."""
    found = obstacle(DUE, DUE + 60 * MINUTE, stands(day_of_prices(*FLAT), proven=False))

    assert found is not None
    assert not found.lasting


def test_the_best_time_is_the_cheapest_that_is_long_enough() -> None:
    """What waits can be installed in the cheapest stretch of the coming day; the dearest is never offered."""
    fine = day_of_prices((60, 0.28), (20, 0.1), (120, 0.13), (600, 0.45))

    # The cheapest stretch is shorter than an install, and the one after it ends a quarter of an hour before the peak.
    assert opportunity(DUE, stands(fine)) == (
        "it could begin from Wednesday 2026-07-01 08:35 to Wednesday 2026-07-01 09:55"
    )
    assert (
        opportunity(DUE, stands(day_of_prices((20, 0.1), (600, 0.45)))) == "the coming day has no time for it"
    )


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([], None),
        ([{"event": "firmware", "before": "1", "after": "1", "took_s": 900.0}], None),
        ([{"event": "firmware", "before": "1", "after": "2", "took_s": None}], None),
        ([{"event": "firmware", "before": "1", "after": "2"}], None),
        ([{"by_us": True, "took_s": 900.0}, {"by_us": True, "took_s": 90}], 900.0),
        ([{"by_us": True, "took_s": 90000.0}, {"by_us": True, "took_s": 90}], 90),
        ([{"event": "stood_still", "took_s": 5000.0}], None),
    ],
)
def test_the_longest_install_is_learned_from_the_journal(
    events: list[dict[str, Any]], expected: float | None
) -> None:
    """Restarts that we asked for count, up to two hours; what an older version wrote is no error."""
    assert longest_install_s(events) == expected


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


async def step(check: Check, updater: Any, clock: VirtualClock) -> Check:
    """One step of a check."""
    session = Session(updater, clock, Marks([]), lambda _: None)
    diary = Diary(Moments(), "")
    upkeep = Upkeep(
        updater,
        session,
        clock,
        marks=Marks([]),
        tell=lambda _: None,
        keep=lambda _: None,
        told=Told(diary, clock),
        diary=diary,
    )
    return await upkeep.step(check, stands(timeline()))


async def test_a_check_asks_once_and_looks_until_the_updater_rests() -> None:
    """A look before the question, the question, then a look each ten seconds, one step a call."""
    updater = Updater(
        looks=[
            UpdateStatus(state="/update_failed", status=NONACTIONABLE),
            working("/clear_update_status"),
            working("/download"),
            working("/update_downloaded"),
            UpdateStatus(state="/update_failed", status=NONACTIONABLE),
        ]
    )
    clock = VirtualClock(DUE)
    check = Check(moment=moment(), deadline=DUE + 30 * MINUTE)
    looks_s = []
    while check.outcome is None:
        looks_s.append(check.look_s)
        clock.passed_s = check.look_s
        check = await step(check, updater, clock)

    assert updater.calls == ["look", "ask", "look", "look", "look", "look"]
    assert looks_s == [0, POLL_S, 2 * POLL_S, 3 * POLL_S, 4 * POLL_S]
    assert check.outcome is Outcome.UP_TO_DATE


async def test_what_is_staged_is_not_asked_for_again() -> None:
    """A question could take away what lies ready."""
    updater = Updater(looks=[UpdateStatus(state="/update_staged", status=())])

    check = await step(Check(moment=moment(), deadline=DUE + MINUTE), updater, VirtualClock(DUE))

    assert (updater.calls, check.phase) == (["look"], Phase.POLL)


async def test_where_no_question_can_be_asked_the_updater_is_looked_at_all_the_same() -> None:
    """A firmware without the call may still find an update by itself."""
    rest = UpdateStatus(state="/update_failed", status=NONACTIONABLE)
    updater = Updater(asked=[NotOffered("no such call", remedy="none")], looks=[rest, rest])
    clock = VirtualClock(DUE)

    check = await step(Check(moment=moment(), deadline=DUE + MINUTE), updater, clock)
    check = await step(check, updater, clock)

    assert check.outcome is Outcome.UP_TO_DATE


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (NotCapable("not for this role", remedy="look in the app"), Outcome.NOT_AVAILABLE),
        (Standstill("the battery is stopped", remedy="start it"), Outcome.FAILED),
    ],
)
async def test_a_refusal_ends_the_check(error: Exception, outcome: Outcome) -> None:
    """What a person must mend is not waited for inside a check, and the remedy is part of what is said."""
    check = await step(
        Check(moment=moment(), deadline=DUE + MINUTE), Updater(looks=[error]), VirtualClock(DUE)
    )

    assert (check.outcome, check.message) == (outcome, str(error))


@pytest.mark.parametrize(
    "updater",
    [
        Updater(looks=[working()], asked=[Transient("no answer")]),
        Updater(looks=[Transient("no answer")]),
    ],
    ids=["asking", "looking"],
)
async def test_a_transient_failure_passes_through(updater: Updater) -> None:
    """The loop pauses and the same step is tried again."""
    with pytest.raises(Transient):
        await step(Check(moment=moment(), deadline=DUE + MINUTE), updater, VirtualClock(DUE))


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


BACKUP = Setpoint(mode="backup")


async def half_full() -> Live:
    """What an `if` sees."""
    return Live(charge_percent=50, grid=Grid.CONNECTED)


@dataclass
class Day:
    """The errands of a day on a bench."""

    b: Bench
    errands: Errands
    state: State

    async def attend(self, plan: Timeline, *, until: datetime) -> None:
        """Attend every second until an instant."""
        while self.b.clock.now() < until:
            self.errands.settle(plan, self.state)
            await self.errands.attend(plan, stands(plan, desired=Setpoint()), half_full)
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
        errands = Errands(
            b.gateway, b.session, b.clock, marks=b.marks, tell=b.events.append, diary=Diary(b.moments, "")
        )
        return Day(b, errands, State(started=start, boundary=start))

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
    assert CURRENT not in day.b.moments.load()


async def test_a_waiting_update_is_told(day_from: Callable[[datetime], Day]) -> None:
    """The updater is followed through its download, what it found is said, and when it could be installed."""
    day = day_from(DUE)
    day.b.scenario("has an update")

    await day.attend(timeline(moment()), until=DUE + 10 * MINUTE)

    assert day.outcomes == ["update_waiting"]
    assert "it could begin from Wednesday 2026-07-01 07:18" in day.told[-1].message  # type: ignore[attr-defined]
    assert day.b.moments.load()["waiting"]["firmware"] == "1.45.2"


async def test_a_gateway_that_stays_away_ends_the_moment_in_time(
    day_from: Callable[[datetime], Day],
) -> None:
    """A moment whose gateway never answers is over at `done_by`, and says so."""
    day = day_from(DUE)
    day.b.scenario("offline for 3 hours")

    await day.attend(timeline(moment(done_by=DUE + 10 * MINUTE)), until=DUE + 11 * MINUTE)

    assert day.outcomes == ["unfinished"]
    assert day.told[-1].at == DUE + 10 * MINUTE


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
