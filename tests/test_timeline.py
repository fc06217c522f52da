"""The plan as values: which segment holds, who has the say in it, and what merging keeps."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.reading import Grid, Live
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Claim, Condition, Moment, Segment, Timeline, speak

START = datetime(2026, 7, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

setpoints = st.builds(
    Setpoint,
    mode=st.sampled_from([None, "backup", "self_consumption"]),
    reserve_percent=st.sampled_from([None, 5, 20, 100]),
)
conditions = st.none() | st.builds(
    Condition,
    charge_below_percent=st.sampled_from([None, 30, 60]),
    charge_above_percent=st.sampled_from([None, 30, 60]),
    grid=st.sampled_from([None, *Grid]),
)
claims = st.lists(
    st.builds(
        Claim,
        name=st.sampled_from("abc"),
        line=st.integers(1, 9),
        setpoint=setpoints,
        condition=conditions,
    ),
    max_size=4,
).map(lambda some: (*some, claim("default", Setpoint(mode="self_consumption", reserve_percent=20))))
lives = st.builds(Live, charge_percent=st.sampled_from([10, 30, 45, 60, 90]), grid=st.sampled_from(Grid))


def claim(name: str, setpoint: Setpoint, condition: Condition | None = None) -> Claim:
    """A rule's say."""
    return Claim(name=name, line=1, setpoint=setpoint, condition=condition)


def segment(start: int, end: int, *said: Claim, period: str = "off_peak") -> Segment:
    """A segment from one minute to another."""
    return Segment(
        start=START + start * MINUTE,
        end=START + end * MINUTE,
        period=period,
        import_price=0.28,
        export_price=None,
        claims=said,
    )


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    """Timelines of one to eight segments, with neighbours that often ask for the same."""
    cuts = sorted(draw(st.sets(st.integers(1, 99), max_size=7)))
    competing = draw(st.lists(claims, min_size=1, max_size=3))
    edges = [0, *cuts, 100]
    return Timeline(
        tuple(segment(start, end, *draw(st.sampled_from(competing))) for start, end in pairwise(edges))
    )


@given(timelines())
def test_at_finds_the_one_segment_that_holds(timeline: Timeline) -> None:
    """Every instant has exactly one segment; its start belongs to it and its end to the next."""
    for edge in timeline.segments:
        for instant in (edge.start, edge.start + timedelta(microseconds=1), edge.end - MINUTE / 2):
            assert [timeline.at(instant)] == [s for s in timeline.segments if s.start <= instant < s.end]


def test_outside_of_a_timeline_there_is_no_answer() -> None:
    """Asking for an instant that was not compiled is a mistake that is told, not guessed around."""
    timeline = Timeline((segment(0, 10),))

    for instant in (START - timedelta(microseconds=1), START + 10 * MINUTE):
        with pytest.raises(LookupError, match="outside of the timeline"):
            timeline.at(instant)


@pytest.mark.parametrize("second", [(9, 20), (11, 20)])
def test_gaps_and_overlaps_are_refused(second: tuple[int, int]) -> None:
    """A timeline that is not total cannot be made."""
    with pytest.raises(ValueError, match="gap or overlap"):
        Timeline((segment(0, 10), segment(*second)))


def test_an_empty_timeline_is_refused() -> None:
    """A plan of nothing would leave the battery without an answer."""
    with pytest.raises(ValueError, match="at least one segment"):
        Timeline(())


@given(timelines(), st.integers(-10, 110), st.integers(-10, 110))
def test_segments_between_are_those_with_a_part_in_it(timeline: Timeline, one: int, other: int) -> None:
    """A stretch touches a segment if they share more than an edge."""
    start, end = START + min(one, other) * MINUTE, START + max(one, other) * MINUTE

    touched = tuple(s for s in timeline.segments if s.start < end and s.end > start)

    assert timeline.segments_between(start, end) == touched


@pytest.mark.parametrize(
    ("start", "end", "touched"),
    [(-5, 0, []), (-5, 1, [0]), (0, 10, [0]), (0, 11, [0, 10]), (10, 20, [10]), (20, 30, []), (25, 30, [])],
)
def test_a_shared_edge_is_no_part(start: int, end: int, touched: list[int]) -> None:
    """A segment that ends where a stretch begins, or begins where it ends, has no part in it."""
    timeline = Timeline((segment(0, 10), segment(10, 20)))

    between = timeline.segments_between(START + start * MINUTE, START + end * MINUTE)

    assert [s.start for s in between] == [START + minute * MINUTE for minute in touched]


def test_moments_between_are_half_open() -> None:
    """A moment at the start of a stretch belongs to it, one at its end to the next."""
    moments = tuple(
        Moment(at=START + m * MINUTE, do="check_firmware", rule="R", line=1) for m in (1, 5, 5, 9)
    )
    timeline = Timeline((segment(0, 10),), moments)

    assert timeline.moments_between(START + 1 * MINUTE, START + 5 * MINUTE) == moments[:1]
    assert timeline.moments_between(START + 5 * MINUTE, START + 9 * MINUTE) == moments[1:3]


@given(timelines(), st.integers(0, 99), st.none() | lives)
def test_merging_never_changes_what_is_asked_for(timeline: Timeline, minute: int, live: Live | None) -> None:
    """At every instant, and whatever the gateway says, the merged plan asks for what the plan asks for."""
    instant = START + minute * MINUTE

    merged = timeline.merged()

    assert (merged.start, merged.end) == (timeline.start, timeline.end)
    assert merged.at(instant).spoken(live).setpoint == timeline.at(instant).spoken(live).setpoint


def test_neighbours_that_differ_only_under_a_condition_stay_apart() -> None:
    """Two segments look the same in the plan while the condition holds; when it does not, each goes its own way."""
    low = Condition(charge_below_percent=30)
    night, day = (
        (claim("Low", Setpoint(mode="backup"), low), claim("default", Setpoint(mode=mode)))
        for mode in ("autonomous", "self_consumption")
    )
    timeline = Timeline((segment(0, 10, *night), segment(10, 20, *day), segment(20, 30, *day)))

    merged = timeline.merged()

    assert [s.start for s in merged.segments] == [START, START + 10 * MINUTE]


@given(timelines())
def test_a_merged_plan_is_cut_only_where_something_changes(timeline: Timeline) -> None:
    """Two neighbours without conditions that ask for the same have become one, and merging again does nothing."""
    merged = timeline.merged()

    for left, right in pairwise(merged.segments):
        if not left.conditional and not right.conditional:
            assert left.spoken().setpoint != right.spoken().setpoint
    assert merged.merged() == merged


def test_the_first_rule_has_the_say_field_by_field() -> None:
    """A rule that gives only a reserve leaves the mode to the next; each is named with what it gave."""
    reserve = claim("Reserve", Setpoint(reserve_percent=30))
    night = claim("Night", Setpoint(mode="backup", reserve_percent=100))
    default = claim("default", Setpoint(mode="self_consumption", reserve_percent=20))

    spoken = segment(0, 1, reserve, night, default).spoken()

    assert spoken.setpoint == Setpoint(mode="backup", reserve_percent=30)
    assert spoken.claims == ((reserve, ("reserve_percent",)), (night, ("mode",)))


LOW = Condition(charge_below_percent=30)
AWAY = Condition(grid=Grid.ISLANDED)
NESTED = segment(
    0,
    1,
    claim("Low", Setpoint(mode="backup"), LOW),
    claim("Away", Setpoint(mode="autonomous", reserve_percent=50), AWAY),
    claim("default", Setpoint(mode="self_consumption", reserve_percent=20)),
)


def test_otherwise_goes_down_condition_by_condition() -> None:
    """The plan shows what holds when each condition in turn is false, until none is left."""
    chain = []
    at: Segment | None = NESTED
    while at is not None:
        chain.append(at.spoken().setpoint)
        at = at.otherwise()

    assert chain == [
        Setpoint(mode="backup", reserve_percent=50),
        Setpoint(mode="autonomous", reserve_percent=50),
        Setpoint(mode="self_consumption", reserve_percent=20),
    ]


@pytest.mark.parametrize(
    ("charge_percent", "grid", "asked"),
    [
        (10, Grid.ISLANDED, Setpoint(mode="backup", reserve_percent=50)),
        (10, Grid.CONNECTED, Setpoint(mode="backup", reserve_percent=20)),
        (50, Grid.ISLANDED, Setpoint(mode="autonomous", reserve_percent=50)),
        (50, Grid.CONNECTED, Setpoint(mode="self_consumption", reserve_percent=20)),
    ],
)
def test_a_condition_that_is_false_passes_its_rule_over(
    charge_percent: float, grid: Grid, asked: Setpoint
) -> None:
    """With a reading, each rule counts or not by its own condition, and the next speaks instead."""
    assert NESTED.spoken(Live(charge_percent=charge_percent, grid=grid)).setpoint == asked


@given(claims, lives, lives)
def test_without_a_conditional_say_readings_change_nothing(
    said: tuple[Claim, ...], one: Live, other: Live
) -> None:
    """`conditional` is false only where no reading can make a difference: the loop then reads nothing."""
    at = segment(0, 1, *said)

    if not at.conditional:
        assert at.spoken(one).setpoint == at.spoken(other).setpoint == at.spoken().setpoint


@pytest.mark.parametrize(
    ("condition", "charge_percent", "grid", "holds"),
    [
        (Condition(charge_below_percent=30), 29.9, Grid.CONNECTED, True),
        (Condition(charge_below_percent=30), 30, Grid.CONNECTED, False),
        (Condition(charge_above_percent=30), 30, Grid.CONNECTED, False),
        (Condition(charge_above_percent=30), 30.1, Grid.CONNECTED, True),
        (Condition(grid=Grid.ISLANDED), 50, Grid.CONNECTED, False),
        (Condition(charge_above_percent=30, charge_below_percent=60), 45, Grid.CONNECTED, True),
        (Condition(charge_above_percent=30, charge_below_percent=60), 75, Grid.CONNECTED, False),
        (Condition(charge_below_percent=0), 0, Grid.CONNECTED, False),
        (Condition(), 50, Grid.CONNECTED, True),
    ],
)
def test_conditions_are_anded_and_exclusive(
    condition: Condition,
    charge_percent: float,
    grid: Grid,
    holds: bool,  # noqa: FBT001 - a table
) -> None:
    """Everything given must hold, and a bound itself is neither above nor below."""
    assert condition.holds(Live(charge_percent=charge_percent, grid=grid)) is holds


def test_a_condition_in_words() -> None:
    """A person reads a condition as a sentence's part."""
    condition = Condition(charge_below_percent=30, charge_above_percent=10, grid=Grid.CONNECTED)

    assert str(condition) == "charge below 30 % and charge above 10 % and grid connected"


def test_moments_have_a_name_of_their_own() -> None:
    """Two rules at one instant, even of one name, and one rule at two instants, are different alarms."""
    keys = {
        Moment(at=at, do="check_firmware", rule=rule, line=line).key
        for at in (START, START + MINUTE)
        for rule in ("A", "B")
        for line in (1, 2)
    }

    assert len(keys) == 8


@given(claims)
def test_cases_are_what_each_if_alone_would_make_of_it(said: tuple[Claim, ...]) -> None:
    """A case is told for just those conditions that change who has the say when they alone are true."""
    at = segment(0, 1, *said)
    expected = {}
    for condition in dict.fromkeys(c.condition for c in said if c.condition is not None):
        spoken = speak(tuple(c for c in said if c.condition in (None, condition)))
        if spoken != at.ordinary():
            expected[condition] = spoken

    assert dict(at.cases()) == expected
    assert at.ordinary() == speak(tuple(c for c in said if c.condition is None))
    assert bool(expected) == at.conditional
