"""Arithmetic of intervals, against sets of minutes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.plan.intervals import Interval, Intervals, containing, intersection, union, widened

ORIGIN = datetime(2026, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

minutes = st.integers(0, 30)
pieces = st.lists(
    st.tuples(minutes, minutes).map(lambda p: (ORIGIN + p[0] * MINUTE, ORIGIN + p[1] * MINUTE)), max_size=8
)


def covered(intervals: list[Interval] | Intervals) -> set[int]:
    """The minutes in any of the intervals."""
    return {
        n for start, end in intervals for n in range((start - ORIGIN) // MINUTE, (end - ORIGIN) // MINUTE)
    }


@settings(deadline=None, derandomize=True)
@given(pieces)
def test_union(given_pieces: list[Interval]) -> None:
    """A union has the minutes of its pieces, in order, and no two of its intervals touch."""
    joined = union(given_pieces)
    assert covered(joined) == covered(given_pieces)
    assert all(start < end for start, end in joined)
    assert all(left[1] < right[0] for left, right in pairwise(joined))


@settings(deadline=None, derandomize=True)
@given(pieces, pieces)
def test_intersection(left: list[Interval], right: list[Interval]) -> None:
    """An intersection has the minutes that are in both."""
    assert covered(intersection(union(left), union(right))) == covered(left) & covered(right)


@settings(deadline=None, derandomize=True)
@given(pieces, st.integers(0, 5), st.integers(0, 5))
def test_widened(given_pieces: list[Interval], early: int, late: int) -> None:
    """Widened intervals have each minute, those just before and those just after."""
    base = covered(given_pieces)
    found = covered(widened(union(given_pieces), early * MINUTE, late * MINUTE))
    assert found == {n + shift for n in base for shift in range(-early, late + 1)}


@settings(deadline=None, derandomize=True)
@given(pieces, minutes)
def test_containing(given_pieces: list[Interval], minute: int) -> None:
    """An instant lies in an interval that has its start and not its end."""
    found = containing(union(given_pieces), ORIGIN + minute * MINUTE)
    assert (found is not None) == (minute in covered(given_pieces))
    assert found is None or minute in covered([found])
