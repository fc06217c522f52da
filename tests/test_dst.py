"""Clock changes: every one of every zone until 2037 against the oracle, and fourteen years minute by minute.

The oracle is minute by minute and shares no code with the compiler; see `oracle.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from clock_changes import (
    FIRST,
    LAST,
    MINUTE,
    OF_SHAPE,
    SHAPES,
    ClockChange,
    all_shapes,
    clock_changes,
    offset,
    one_of_each_kind,
)
from oracle import Oracle, clock_face

from scheduler.control.agenda import Policy, agenda
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Timeline, speak
from scheduler.plan.calendar import Hours
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import MomentRule, Schedule, When, Window
from scheduler.plan.tariff import Tariff

Record = Callable[[str, object], None]
AROUND = timedelta(hours=16)
"""So long before and after a clock change everything is compared: the night, and an evening on either side."""


def painted(timeline: Timeline, minutes: int) -> tuple[list[bytes], list[str | None]]:
    """For each shape whether the plan has it at each minute, and the tariff's period; each minute painted exactly once."""
    start = timeline.start
    shapes = [bytearray(minutes) for _ in SHAPES]
    periods: list[str | None] = [None] * minutes
    times = bytearray(minutes)
    for segment in timeline.segments:
        first, end = ((instant - start) // MINUTE for instant in (segment.start, segment.end))
        assert start + first * MINUTE == segment.start, f"{segment.start} is no whole minute"
        periods[first:end] = [segment.period] * (end - first)
        times[first:end] = bytes(it + 1 for it in times[first:end])
        for number, condition in enumerate(OF_SHAPE):
            said = speak(tuple(c for c in segment.claims if c.condition in {None, condition})).setpoint
            if said == Setpoint(mode="backup"):
                shapes[number][first:end] = b"\1" * (end - first)
            else:
                assert said == Setpoint(mode="autonomous")
    assert times == b"\1" * minutes, "not exactly one segment at every minute"
    return [bytes(shape) for shape in shapes], periods


def compare(schedule: Schedule, start: datetime, minutes: int) -> list[bytes]:
    """The plan says what the oracle says: every shape at every minute, the periods, and the moments. The shapes' minutes."""
    oracle = Oracle(schedule, start, minutes, pad_days=2)
    timeline = compile_plan(schedule, start, start + minutes * MINUTE)
    shapes, periods = painted(timeline, minutes)
    first = oracle.minute(start)
    wanted = [bytes(shape) for shape in zip(*oracle.holding[first : first + minutes], strict=True)]
    assert shapes == wanted, (schedule.zone, start)
    assert periods == oracle.periods[first : first + minutes], (schedule.zone, start)
    rule = next(rule for rule in schedule.rules if isinstance(rule, MomentRule))
    assert [(m.at, m.done_by) for m in timeline.moments] == oracle.moments(
        rule, start, start + minutes * MINUTE
    )
    return shapes


def policy(schedule: Schedule) -> Policy:
    """The schedule as the loop is given it."""
    return Policy(schedule=schedule, on_drift="yield", verify_s=300.0, digest="")


def flips(minutes: bytes) -> int:
    """How often it begins or ends."""
    return sum(one != other for one, other in pairwise(minutes))


def around(change: ClockChange) -> tuple[datetime, int]:
    """The stretch that is compared: its start, and its length in minutes."""
    return change.at - AROUND, 2 * AROUND // MINUTE


def by_wall_clock(zone: str, start: datetime, minutes: int, hours: Hours) -> bytes:
    """The naive way: does the clock on the wall now show a time within these hours of one day?"""
    shown = [(start + n * MINUTE).astimezone(ZoneInfo(zone)) for n in range(minutes)]
    return bytes(hours.start_minute <= it.hour * 60 + it.minute < hours.end_minute for it in shown)


def test_there_are_many_kinds_of_clock_change() -> None:
    """The time zone database yields changes of half an hour, one hour and two, or these tests test nothing."""
    steps = {abs(change.after - change.before) for change in one_of_each_kind()}
    assert steps >= {timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)}


def test_t3_each_kind_of_clock_change_is_compared_shape_by_shape() -> None:
    """Around one clock change of each kind, each of the eight shapes holds at the minutes that the oracle says."""
    for change in one_of_each_kind():
        shapes = compare(all_shapes(change.zone), *around(change))
        assert all(any(shape) for shape in (shapes[0], shapes[2], shapes[7])), "nothing was compared"


def test_i18_a_night_with_a_clock_change_flips_no_oftener_than_any_other() -> None:
    """Each span of hours begins and ends once in such a night, or not at all where the clocks skip all of it; where the
    naive look at the clock on the wall would flip there and back, at a repeated hour, the plan does not.
    """
    repeated = 0
    for change in one_of_each_kind():
        start, minutes = around(change)
        schedule = all_shapes(change.zone, early=timedelta(0))
        shapes, _ = painted(compile_plan(schedule, start, start + minutes * MINUTE), minutes)
        changed = change.after - change.before
        for number, shape in enumerate(SHAPES):
            for hours in shape.hours or ():
                span = hours.end_minute - hours.start_minute
                if len(shape.hours or ()) > 1 or shape.on.days is not None or span == 24 * 60:
                    continue
                # A civil day more or less at either end: at most two dates lie within.
                assert flips(shapes[number]) <= 4, (change, shape)
                if hours.end_minute > 24 * 60:
                    continue
                naive = by_wall_clock(change.zone, start, minutes, hours)
                if changed < timedelta(0) and flips(naive) > flips(shapes[number]):
                    repeated += 1
    assert repeated >= 5, "no clock change would make the naive way flip there and back: nothing was shown"


def test_t3_a_boundary_in_the_gap_comes_at_its_end_and_one_that_comes_twice_at_its_first_time() -> None:
    """Los Angeles, 2026: hours from 02:30 begin at 03:00 on 8 March, and at the first 01:30 on 1 November."""
    windows = (
        Window(name="gap", line=1, setpoint=Setpoint(mode="backup"), when=When(hours=(Hours(150, 240),))),
        Window(
            name="twice", line=2, setpoint=Setpoint(reserve_percent=90), when=When(hours=(Hours(90, 240),))
        ),
    )
    schedule = Schedule(
        zone=ZoneInfo("America/Los_Angeles"),
        tariff=Tariff(periods=()),
        rules=windows,
        default=Setpoint(mode="autonomous", reserve_percent=10),
        default_line=9,
    )

    spring = compile_plan(schedule, datetime(2026, 3, 8, 8, tzinfo=UTC), datetime(2026, 3, 8, 20, tzinfo=UTC))
    autumn = compile_plan(
        schedule, datetime(2026, 11, 1, 7, tzinfo=UTC), datetime(2026, 11, 1, 20, tzinfo=UTC)
    )

    assert [s.start for s in spring.segments[1:]] == [
        datetime(2026, 3, 8, 9, 30, tzinfo=UTC),
        datetime(2026, 3, 8, 10, tzinfo=UTC),
        datetime(2026, 3, 8, 11, tzinfo=UTC),
    ]
    assert [s.start for s in autumn.segments[1:]] == [
        datetime(2026, 11, 1, 8, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 10, 30, tzinfo=UTC),
        datetime(2026, 11, 1, 12, tzinfo=UTC),
    ]


def test_i18_the_loops_agenda_has_exactly_the_boundaries_of_a_night_with_a_clock_change() -> None:
    """What the daemon works from, asked at any minute of the night, gives one boundary for each that the oracle has."""
    for change in one_of_each_kind()[::2]:
        start, minutes = around(change)
        schedule = all_shapes(change.zone)
        oracle = Oracle(schedule, start, minutes)
        first = oracle.minute(start)
        wanted = {
            oracle.instant(minute)
            for minute in range(first + 1, first + minutes)
            if oracle.holding[minute] != oracle.holding[minute - 1]
        }
        for asked in (change.at - MINUTE, change.at):
            coarse = agenda(policy(schedule), asked).coarse
            found = {s.start for s in coarse.segments if asked < s.start < start + minutes * MINUTE}
            assert found == {at for at in wanted if at > asked}, (change, asked)


def test_t4_a_plan_always_goes_on_over_leap_days_year_ends_and_week_53() -> None:
    """From any of these dates the agenda reaches on without a gap: the next change is later, and within eight days."""
    for text in (
        "2024-02-28",
        "2024-02-29",
        "2026-12-31",
        "2027-01-01",
        "2028-12-31",
        "2032-02-29",
        "2036-12-28",
    ):
        for zone in ("America/Los_Angeles", "Australia/Lord_Howe", "Asia/Kathmandu"):
            now = datetime.fromisoformat(f"{text}T12:34:56").replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
            found = agenda(policy(all_shapes(zone)), now)
            following = found.coarse.at(now).end
            assert now < following <= now + timedelta(days=8)
            assert found.coarse.at(now) == agenda(policy(all_shapes(zone)), now).coarse.at(now)


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_t3_every_clock_change_of_every_zone_until_2037(part: int, record_property: Record) -> None:
    """5,637 clock changes of 205 zones with the database of 2025, each with eight shapes of rule: not a minute is wrong."""
    changes = clock_changes()
    assert len(changes) >= 5000
    mine = changes[part::4]
    compared = 0
    for change in mine:
        compared += len(compare(all_shapes(change.zone), *around(change)))
    assert compared == len(mine) * len(SHAPES)
    said = f"{len(mine)} of {len(changes)} clock changes of {len({c.zone for c in changes})} zones, {compared} nights, 0 wrong"
    record_property("compared", said)
    print(said)  # noqa: T201 - the figure is what the run is for


def one_zone_of_each_kind() -> list[str]:
    """One zone for each kind of offset: the part of an hour in it, what the clock changes are, and which are first in a year."""
    steps: dict[str, list[timedelta]] = {name: [] for name in sorted(available_timezones()) if "/" in name}
    for change in clock_changes():
        if change.zone in steps:
            steps[change.zone].append(change.after - change.before)
    kinds: dict[tuple[timedelta, tuple[timedelta, ...]], str] = {}
    for name, changes in steps.items():
        odd = offset(FIRST, ZoneInfo(name)) % timedelta(hours=1)
        kinds.setdefault((odd, tuple(changes[:2])), name)
    return sorted(kinds.values())


@pytest.mark.slow
def test_t6_exactly_one_rule_at_every_minute_of_fourteen_years(record_property: Record) -> None:
    """For one zone of each kind of offset, each of 7.4 million minutes has exactly one segment, and it is the oracle's."""
    zones = one_zone_of_each_kind()
    assert len(zones) >= 8
    compared = 0
    for zone in zones:
        start = FIRST
        while start < LAST:
            minutes = min(60 * 24 * 60, (LAST - start) // MINUTE)
            compare(all_shapes(zone, early=timedelta(0)), start, minutes)
            clock_face.cache_clear()  # nobody asks for these minutes again
            compared += minutes
            start += minutes * MINUTE
    assert compared == len(zones) * ((LAST - FIRST) // MINUTE)
    said = f"{compared} minutes in {len(zones)} zones ({', '.join(zones)}), 0 wrong"
    record_property("compared", said)
    print(said)  # noqa: T201 - the figure is what the run is for
