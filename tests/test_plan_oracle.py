"""The law of the plan: at every minute it says what an independent, stupid oracle says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from oracle import MINUTE, Oracle
from plan_files import expressible, without_lines, written

from scheduler.config.load import load
from scheduler.model.reading import Grid, Live
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition, Segment, speak
from scheduler.plan.calendar import ALL_DAY, EVERY_DAY, DateSpan, DayFilter, Hours, WeekDays, YearSpan
from scheduler.plan.compile import compile_plan
from scheduler.plan.explain import Known, Spoke, explain
from scheduler.plan.holidays import HolidayRule
from scheduler.plan.rules import ClockTime, MomentRule, Relative, Schedule, When, Window
from scheduler.plan.tariff import Period, Tariff

CONDITIONS = (
    Condition(charge_below_percent=50),
    Condition(charge_above_percent=60),
    Condition(grid=Grid.ISLANDED),
    Condition(charge_below_percent=50, grid=Grid.CONNECTED),
)

PLACES = [
    ("America/Los_Angeles", [(2026, 3, 8), (2026, 11, 1), (2026, 7, 3), (2027, 12, 31)]),
    ("America/Los_Angeles", [(2026, 7, 4), (2026, 7, 6), (2027, 7, 5), (2028, 1, 1), (2028, 1, 3)]),
    ("America/New_York", [(2026, 3, 8), (2026, 11, 1), (2027, 7, 4)]),
    ("Europe/London", [(2026, 3, 29), (2026, 10, 25), (2026, 1, 1)]),
    ("Australia/Sydney", [(2026, 4, 5), (2026, 10, 4), (2026, 2, 28)]),
    ("Australia/Lord_Howe", [(2026, 4, 5), (2026, 10, 4)]),
    ("America/Sao_Paulo", [(2018, 11, 4), (2018, 2, 18), (2026, 6, 1)]),
    ("Asia/Kolkata", [(2026, 12, 31)]),
    ("Antarctica/Troll", [(2026, 3, 29), (2026, 10, 25)]),
    ("America/St_Johns", [(2026, 3, 8), (2006, 10, 29), (2007, 3, 11)]),
    ("Africa/Cairo", [(2026, 4, 24), (2026, 10, 30)]),
    ("Pacific/Apia", [(2011, 12, 30), (2012, 4, 1)]),
]
NAMES = ("dear", "fair", "cheap")

quarter_hours = st.integers(0, 95).map(lambda quarter: quarter * 15)
night_minutes = st.integers(0, 240)
starts = quarter_hours | night_minutes
lengths = st.integers(1, 96).map(lambda quarter: quarter * 15) | st.integers(1, 90) | st.just(1440)
hours = st.builds(lambda start, length: Hours(start, start + length), starts, lengths)
several_hours = st.lists(hours, min_size=1, max_size=2).map(tuple)
year_spans = st.sampled_from(
    [
        YearSpan((6, 1), (9, 30)),
        YearSpan((10, 1), (5, 31)),
        YearSpan((3, 8), (11, 1)),
        YearSpan((2, 29), (3, 29)),
        YearSpan((12, 30), (1, 1)),
    ]
)
week_days = st.builds(
    WeekDays,
    named=st.frozensets(st.integers(0, 6), max_size=3),
    weekdays=st.booleans(),
    weekends=st.booleans(),
    holidays=st.booleans(),
)
offsets = st.integers(0, 180).map(lambda minutes: minutes * MINUTE) | st.just(timedelta(0))
conditions = st.none() | st.sampled_from(CONDITIONS)
truths = st.frozensets(st.sampled_from(CONDITIONS))
knowns = st.builds(
    Known, charge_percent=st.sampled_from([None, 10, 55, 90]), grid=st.sampled_from([None, *Grid])
)
setpoints = st.builds(
    Setpoint,
    mode=st.sampled_from([None, "backup", "self_consumption", "autonomous"]),
    reserve_percent=st.sampled_from([None, 0, 20, 80, 100]),
).filter(lambda setpoint: bool(setpoint.given()))
holiday_rules = st.none() | st.builds(
    lambda names, kept: HolidayRule(country="US", names=names, saturday=kept[0], sunday=kept[1]),
    st.sampled_from([("Independence Day",), ("New Year's Day", "Independence Day")]),
    st.sampled_from([("none", "none"), ("none", "monday"), ("friday", "monday"), ("monday", "monday")]),
)


@st.composite
def day_filters(draw: st.DrawFn, around: date) -> DayFilter:
    """Mostly every day, else days, seasons and dates near the days that are looked at."""
    if draw(st.booleans()):
        return EVERY_DAY
    near = st.integers(-2, 3).map(lambda days: around + timedelta(days=days))
    spans = st.builds(lambda first, n: DateSpan(first, first + timedelta(days=n)), near, st.integers(0, 2))
    return DayFilter(
        seasons=draw(st.none() | st.tuples(year_spans)),
        days=draw(st.none() | week_days),
        dates=draw(st.none() | st.lists(spans | year_spans, min_size=1, max_size=2).map(tuple)),
    )


@st.composite
def whens(draw: st.DrawFn, around: date) -> When:
    """The selectors of a rule."""
    return When(
        during=draw(st.none() | st.frozensets(st.sampled_from(NAMES), min_size=1)),
        hours=draw(st.none() | several_hours),
        on=draw(day_filters(around)),
    )


relatives = st.builds(
    Relative,
    offset=st.integers(-300, 300).map(lambda minutes: minutes * MINUTE),
    period=st.sampled_from(NAMES),
    edge=st.sampled_from(["starts", "ends"]),
)
ats = st.builds(ClockTime, starts) | relatives


@st.composite
def moment_rules(draw: st.DrawFn, around: date, line: int) -> MomentRule:
    """A moment, with or without a deadline."""
    return MomentRule(
        name=f"moment {line}",
        line=line,
        at=draw(ats),
        do="check_firmware",
        when=draw(whens(around)),
        done_by=draw(st.none() | ats),
    )


@st.composite
def windows(draw: st.DrawFn, around: date, line: int) -> Window:
    """A window rule."""
    return Window(
        name=f"window {line}",
        line=line,
        setpoint=draw(setpoints),
        when=draw(whens(around)),
        early=draw(offsets),
        late=draw(offsets),
        condition=draw(conditions),
    )


@st.composite
def cases(draw: st.DrawFn, *, written: bool = False) -> tuple[Schedule, datetime, int]:
    """A schedule, the UTC start of a plan near a day on which something happens, and its minutes.

    One that can be ``written`` down has only what the file has words for, and a tariff that covers every minute.
    """
    zone, days = draw(st.sampled_from(PLACES))
    around = date(*draw(st.sampled_from(days)))
    periods = tuple(
        Period(
            name=draw(st.sampled_from(NAMES)),
            line=line,
            hours=draw(several_hours | st.just((ALL_DAY,))),
            on=draw(day_filters(around)),
            import_price=draw(st.sampled_from([None, 0.1, 0.2])),
        )
        for line in range(draw(st.integers(1, 4)))
    )
    rules = tuple(
        draw(windows(around, line) | windows(around, line) | moment_rules(around, line))
        for line in range(draw(st.integers(1, 5)))
    )
    schedule = Schedule(
        zone=ZoneInfo(zone),
        tariff=Tariff(periods=periods, holidays=draw(holiday_rules)),
        rules=rules,
        default=Setpoint(mode="self_consumption", reserve_percent=10),
        default_line=99,
    )
    start = datetime(around.year, around.month, around.day, tzinfo=UTC)
    start += draw(st.integers(-24, 6)) * timedelta(hours=1) + draw(st.integers(0, 59)) * MINUTE
    return expressible(schedule) if written else schedule, start, draw(st.integers(1, 48)) * 60


def asked(segment: Segment, true: frozenset[Condition]) -> Setpoint:
    """What a segment asks for when just these conditions are true."""
    return speak(tuple(c for c in segment.claims if c.condition is None or c.condition in true)).setpoint


def assert_agrees(
    schedule: Schedule, start: datetime, minutes: int, true: frozenset[Condition] = frozenset()
) -> None:
    """Every minute of the plan, and every moment, is what the oracle says: with every ``if`` true, with every one
    false, and with just those that are ``true``.
    """
    end = start + minutes * MINUTE
    timeline = compile_plan(schedule, start, end)
    assert (timeline.start, timeline.end) == (start, end)
    oracle = Oracle(schedule, start, minutes)
    truths = (frozenset(CONDITIONS), frozenset[Condition](), true)
    compared = set()
    for minute in range(oracle.minute(start), oracle.minute(end)):
        segment = timeline.at(oracle.instant(minute))
        assert segment.period == oracle.period(minute), oracle.instant(minute)
        if (id(segment), oracle.holding[minute]) not in compared:
            compared.add((id(segment), oracle.holding[minute]))
            expected = [oracle.setpoint(minute, some) for some in truths]
            assert [asked(segment, some) for some in truths] == expected, oracle.instant(minute)
            assert [segment.spoken().setpoint, segment.ordinary().setpoint] == expected[:2]
    merged = timeline.merged()
    assert {s.start for s in merged.segments} <= {s.start for s in timeline.segments}
    for segment in timeline.segments:
        kept = merged.at(segment.start)
        assert [asked(kept, some) for some in truths] == [asked(segment, some) for some in truths]
    for rule in schedule.rules:
        if isinstance(rule, MomentRule):
            found = [
                (m.at, m.done_by) for m in timeline.moments if (m.rule, m.line) == (rule.name, rule.line)
            ]
            assert found == oracle.moments(rule, start, end)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases(), truths)
def test_every_minute_is_what_the_oracle_says(
    case: tuple[Schedule, datetime, int], true: frozenset[Condition]
) -> None:
    """Setpoint, period and moments of any schedule in any zone, whichever conditions are true, equal the
    minute-by-minute oracle's.
    """
    assert_agrees(*case, true)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases(written=True), truths)
def test_a_file_means_what_the_oracle_says(
    case: tuple[Schedule, datetime, int], true: frozenset[Condition]
) -> None:
    """The schedule that the loader makes of a file is the one that was written down, and the oracle agrees with it."""
    schedule, start, minutes = case
    with TemporaryDirectory() as directory:
        path = Path(directory) / "tou.yaml"
        path.write_text(written(schedule))
        loaded = load(path, environ={}, secret_directories=[]).schedule
    assert without_lines(loaded) == without_lines(schedule)
    assert_agrees(loaded, start, minutes, true)


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases(), st.integers(0, 59), knowns)
def test_an_explanation_says_what_the_plan_says(
    case: tuple[Schedule, datetime, int], second: int, known: Known
) -> None:
    """The rules that an explanation lets speak are those of the plan, whatever is known of the gateway."""
    schedule, start, minutes = case
    instant = start + (minutes // 2) * MINUTE + timedelta(seconds=second)
    segment = compile_plan(schedule, start, start + minutes * MINUTE).at(instant)
    explanation = explain(schedule, instant, known)
    assert explanation.segment.period == segment.period
    spoke = {h.claim: h.outcome for h in explanation.rules if isinstance(h.outcome, Spoke)}
    lives = [
        Live(charge_percent=charge, grid=grid)
        for charge in ([10, 55, 90] if known.charge_percent is None else [known.charge_percent])
        for grid in (Grid if known.grid is None else [known.grid])
    ]
    for live in lives:
        spoken = segment.spoken(live)
        assert explanation.segment.spoken(live).setpoint == spoken.setpoint
        for claim, fields in spoken.claims:
            assert set(fields) <= set(spoke[claim].fields)
            exceptions = [
                other for other, _ in spoke[claim].unless if other.condition in segment.holding(live)
            ]
            assert all(not set(dict(spoke[claim].unless)[other]) & set(fields) for other in exceptions)
    if len(lives) == 1:
        assert [claim for claim, _ in spoken.claims] == list(spoke)
        assert [set(fields) for _, fields in spoken.claims] == [set(said.fields) for said in spoke.values()]


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(cases(), st.integers(1, 1000))
def test_a_plan_does_not_depend_on_where_it_is_cut(case: tuple[Schedule, datetime, int], shift: int) -> None:
    """A plan begun later and ended earlier says the same as the longer one, and has the same moments."""
    schedule, start, minutes = case
    end = start + minutes * MINUTE
    whole = compile_plan(schedule, start, end)
    later, earlier = start + (shift % minutes) * MINUTE / 2, end - (shift % minutes) * MINUTE / 3
    part = compile_plan(schedule, later, earlier)
    for segment in part.segments:
        assert whole.at(segment.start).claims == segment.claims
        assert whole.at(segment.end - timedelta(seconds=1)).claims == segment.claims
    assert part.moments == whole.moments_between(later, earlier)
