"""Wall-clock times become instants once: gaps, repeated hours and skipped days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest

from scheduler.plan.wallclock import WallClock, first_instant, occurrences

HALF_HOUR = timedelta(minutes=30)

ROWS = [
    # An ordinary day, and the ends of days.
    ("America/Los_Angeles", "2026-07-01", "00:00", "2026-07-01T07:00Z"),
    ("America/Los_Angeles", "2026-07-01", "24:00", "2026-07-02T07:00Z"),
    ("America/Los_Angeles", "2026-07-01", "32:00", "2026-07-02T15:00Z"),
    ("America/Los_Angeles", "2026-02-28", "24:00", "2026-03-01T08:00Z"),
    ("America/Los_Angeles", "2028-02-29", "12:00", "2028-02-29T20:00Z"),
    ("Europe/London", "2026-12-31", "24:00", "2027-01-01T00:00Z"),
    # What other schedulers got wrong: 02:30 in the gap is 03:00, 01:30 in the repeated hour is the first.
    ("America/Los_Angeles", "2026-03-08", "01:59", "2026-03-08T09:59Z"),
    ("America/Los_Angeles", "2026-03-08", "02:00", "2026-03-08T10:00Z"),
    ("America/Los_Angeles", "2026-03-08", "02:30", "2026-03-08T10:00Z"),
    ("America/Los_Angeles", "2026-03-08", "03:00", "2026-03-08T10:00Z"),
    ("America/Los_Angeles", "2026-03-08", "16:00", "2026-03-08T23:00Z"),
    ("America/Los_Angeles", "2026-11-01", "01:30", "2026-11-01T08:30Z"),
    ("America/Los_Angeles", "2026-11-01", "02:00", "2026-11-01T10:00Z"),
    ("America/Los_Angeles", "2026-11-01", "16:00", "2026-11-02T00:00Z"),
    ("Europe/London", "2026-03-29", "01:30", "2026-03-29T01:00Z"),
    ("Europe/London", "2026-10-25", "01:30", "2026-10-25T00:30Z"),
    ("Australia/Sydney", "2026-10-04", "02:30", "2026-10-03T16:00Z"),
    ("Australia/Sydney", "2026-04-05", "02:30", "2026-04-04T15:30Z"),
    # No change at all.
    ("Australia/Brisbane", "2026-10-04", "02:30", "2026-10-03T16:30Z"),
    ("America/Phoenix", "2026-03-08", "02:30", "2026-03-08T09:30Z"),
    # Half an hour, and two hours.
    ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:30Z"),
    ("Australia/Lord_Howe", "2026-04-05", "01:45", "2026-04-04T14:45Z"),
    ("Antarctica/Troll", "2026-03-29", "01:30", "2026-03-29T01:00Z"),
    ("Antarctica/Troll", "2026-03-29", "02:59", "2026-03-29T01:00Z"),
    ("Antarctica/Troll", "2026-10-25", "01:30", "2026-10-24T23:30Z"),
    # Midnights that do not exist, or that come twice.
    ("America/Sao_Paulo", "2018-11-04", "00:00", "2018-11-04T03:00Z"),
    ("Africa/Cairo", "2026-04-24", "00:30", "2026-04-23T22:00Z"),
    ("America/Havana", "2026-11-01", "00:00", "2026-11-01T04:00Z"),
    ("America/St_Johns", "2006-10-29", "00:00", "2006-10-29T02:30Z"),
    # The date line: 30 December 2011 never came to Samoa.
    ("Pacific/Apia", "2011-12-29", "24:00", "2011-12-30T10:00Z"),
    ("Pacific/Apia", "2011-12-30", "07:15", "2011-12-30T10:00Z"),
    ("Pacific/Apia", "2011-12-31", "00:00", "2011-12-30T10:00Z"),
    ("Pacific/Apia", "2011-12-31", "07:15", "2011-12-30T17:15Z"),
]


@pytest.mark.parametrize(("zone", "day", "time", "instant"), ROWS)
def test_golden_rows(zone: str, day: str, time: str, instant: str) -> None:
    """A time in a gap is the first instant after it, a repeated time is its first occurrence."""
    hour, minute = map(int, time.split(":"))
    clock = WallClock(ZoneInfo(zone))
    assert clock.instant(date.fromisoformat(day), 60 * hour + minute) == datetime.fromisoformat(instant)


def test_the_law_at_every_clock_change_of_every_zone() -> None:
    """Around every clock change until 2037 an instant is the first at which the clock shows this time or
    later.
    """
    changes = 0
    for name in sorted(available_timezones()):
        zone = ZoneInfo(name)
        weeks = [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(weeks=n) for n in range(14 * 53)]
        offsets = [week.astimezone(zone).utcoffset() for week in weeks]
        for week, before, after in zip(weeks, offsets, offsets[1:], strict=False):
            if before != after:
                changes += 1
                assert_law(zone, change_after(zone, week))
    assert changes > 5000, "the time zone database of this machine has hardly any clock changes"


def change_after(zone: ZoneInfo, week: datetime) -> datetime:
    """The first instant of the new offset, by halving the week."""
    low, high = week, week + timedelta(weeks=1)
    before = low.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
        low, high = (middle, high) if middle.astimezone(zone).utcoffset() == before else (low, middle)
    return high


def assert_law(zone: ZoneInfo, change: datetime) -> None:
    """Half hours around a change: never early, never later than need be, never the second time."""
    shown = change.astimezone(zone).replace(tzinfo=None, fold=0)
    half_hours = [shown + n * HALF_HOUR for n in range(-6, 7)]
    instants = [first_instant(zone, half_hour) for half_hour in half_hours]
    assert instants == sorted(instants)
    for half_hour, instant in zip(half_hours, instants, strict=True):
        there = instant.astimezone(zone)
        earlier = (instant - timedelta(seconds=1)).astimezone(zone)
        assert there.replace(tzinfo=None, fold=0) >= half_hour, (zone, half_hour)
        assert earlier.replace(tzinfo=None, fold=0) < half_hour, (zone, half_hour)
        assert there.fold == 0, (zone, half_hour)


@pytest.mark.parametrize(
    ("zone", "shown", "count"),
    [
        ("America/Los_Angeles", "2026-07-04T17:05", 1),
        ("America/Los_Angeles", "2026-03-08T02:30", 0),
        ("America/Los_Angeles", "2026-11-01T01:30", 2),
        ("Pacific/Apia", "2011-12-30T12:00", 0),
    ],
)
def test_how_often_a_time_occurs(zone: str, shown: str, count: int) -> None:
    """A local time exists once, not at all in a gap, and twice in a repeated hour, in order."""
    instants = occurrences(ZoneInfo(zone), datetime.fromisoformat(shown))
    assert len(instants) == count
    assert list(instants) == sorted(set(instants))
    assert all(
        i.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0).isoformat()[:16] == shown for i in instants
    )


@pytest.mark.parametrize(
    ("zone", "day", "minutes"),
    [
        ("America/Los_Angeles", date(2026, 3, 8), 60),
        ("America/Los_Angeles", date(2026, 11, 1), -60),
        ("Australia/Lord_Howe", date(2026, 10, 4), 30),
        ("Antarctica/Troll", date(2026, 10, 25), -120),
        ("Pacific/Apia", date(2011, 12, 29), 24 * 60),
        ("Asia/Kolkata", date(2026, 3, 29), 0),
    ],
)
def test_the_shift_of_a_day(zone: str, day: date, minutes: int) -> None:
    """A day knows by how much its clocks are put forward or back."""
    assert WallClock(ZoneInfo(zone)).shift(day) == timedelta(minutes=minutes)
