"""What a battery that stood still would have given, and what that cost: tables of hand-made days, and its laws."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from bench import utc
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.loss import loss
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Claim, Segment, Timeline

NIGHT, DAY, PEAK = 0.13, 0.28, 0.45
START = utc("2026-07-01T00:00")
HOUR = timedelta(hours=1)


def timeline(*prices: float | None) -> Timeline:
    """Hours from midnight on with these prices."""
    claim = Claim(name="default", line=1, setpoint=Setpoint(mode="backup"))
    return Timeline(
        tuple(
            Segment(
                start=START + hour * HOUR,
                end=START + (hour + 1) * HOUR,
                period=None,
                import_price=price,
                export_price=None,
                claims=(claim,),
            )
            for hour, price in enumerate(prices)
        )
    )


def at(text: str) -> datetime:
    """A time of that day."""
    return utc(f"2026-07-01T{text}")


PRICES = timeline(NIGHT, DAY, PEAK, PEAK)

TABLE: list[
    tuple[str, str, str, float | None, float | None, str | None, tuple[float | None, float | None]]
] = [
    # since, until, watts before and after, the boundary, and then the watt hours and the cost
    ("a quarter of an hour in the peak", "02:00", "02:15", 1900, 1900, None, (475, 0.475 * PEAK)),
    ("the mean of before and after", "02:00", "02:15", 1000, 2800, None, (475, 0.475 * PEAK)),
    ("only before is known", "02:00", "02:15", 1900, None, None, (475, 0.475 * PEAK)),
    ("only after is known", "02:00", "02:15", None, 1900, None, (475, 0.475 * PEAK)),
    ("neither is known", "02:00", "02:15", None, None, None, (None, None)),
    ("two prices", "01:45", "02:15", 2000, 2000, None, (1000, 0.5 * DAY + 0.5 * PEAK)),
    ("three prices", "00:30", "02:30", 1000, 1000, None, (2000, 0.5 * NIGHT + 1 * DAY + 0.5 * PEAK)),
    ("it was charging", "02:00", "03:00", -3300, -100, None, (0, 0)),
    ("it was charging and would have gone on half way", "02:00", "03:00", -3300, 1000, None, (500, 0.5 * PEAK)),
    ("the boundary that let it discharge", "01:50", "02:10", -3300, 1800, "01:55", (450, 0.15 * DAY + 0.3 * PEAK)),
    ("the boundary that let it charge", "02:00", "03:00", 1000, -3300, "02:15", (250, 0.25 * PEAK)),
    ("a boundary at the very end", "02:00", "02:30", 1000, 9000, "02:30", (500, 0.5 * PEAK)),
    ("a boundary, and before it is not known", "02:00", "03:00", None, 1000, "02:15", (None, None)),
    ("a boundary, and after it is not known", "02:00", "03:00", 1000, None, "02:15", (None, None)),
    ("nothing is after the boundary", "02:00", "02:30", 1000, None, "02:30", (500, 0.5 * PEAK)),
    ("no time at all", "02:00", "02:00", 1000, 1000, None, (0, 0)),
    ("more days than are planned", "02:00", "05:00", 1000, 1000, None, (3000, None)),
]  # fmt: skip


@pytest.mark.parametrize(
    ("since", "until", "before_w", "after_w", "boundary", "came"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_what_it_would_have_given_and_what_that_cost(
    *,
    since: str,
    until: str,
    before_w: float | None,
    after_w: float | None,
    boundary: str | None,
    came: tuple[float | None, float | None],
) -> None:
    """Watts times hours, each kilowatt hour at the price of its own hour; None where that is not known."""
    found = loss(
        PRICES,
        at(since),
        at(until),
        before_w=before_w,
        after_w=after_w,
        boundary=None if boundary is None else at(boundary),
    )

    assert (found.wh, found.cost) == (pytest.approx(came[0]), pytest.approx(came[1]))


@pytest.mark.parametrize(
    ("prices", "cost"),
    [
        ((None, PEAK), None),
        ((PEAK, None), None),
        ((None, None), None),
        ((-0.10, PEAK), 0.45),
        ((0.0, 0.0), 0.0),
    ],
)
def test_only_prices_that_are_known_make_a_cost(prices: tuple[float | None, ...], cost: float | None) -> None:
    """One hour without a price leaves the cost open, and a price below zero is nobody's gain; the energy is known."""
    found = loss(timeline(*prices), at("00:00"), at("02:00"), before_w=1000, after_w=1000, boundary=None)

    assert found.wh == pytest.approx(2000)
    assert found.cost == (None if cost is None else pytest.approx(cost))


def test_a_cost_needs_all_of_the_stretch() -> None:
    """What began before the plan does, or had no price before its boundary, has no cost; the energy is known."""
    early = loss(PRICES, START - HOUR, at("01:00"), before_w=1000, after_w=1000, boundary=None)
    half = loss(timeline(None, PEAK), at("00:00"), at("02:00"), before_w=1, after_w=1, boundary=at("01:00"))

    assert (early.wh, early.cost) == (pytest.approx(2000), None)
    assert (half.wh, half.cost) == (pytest.approx(2), None)


MINUTES = st.integers(0, 4 * 60)
WATTS = st.floats(-5000, 5000)


@given(
    cuts=st.tuples(MINUTES, MINUTES, MINUTES),
    before_w=WATTS,
    after_w=WATTS,
    boundary=st.none() | MINUTES,
    prices=st.tuples(*[st.floats(-1, 1)] * 4),
)
def test_two_parts_of_a_standstill_lose_what_the_whole_does(
    cuts: tuple[int, int, int],
    before_w: float,
    after_w: float,
    boundary: int | None,
    prices: tuple[float, ...],
) -> None:
    """Wherever it is cut, the parts add up; and nothing is ever gained by a standstill."""
    plan = timeline(*prices)
    first, middle, last = (START + timedelta(minutes=cut) for cut in sorted(cuts))
    edge = None if boundary is None else START + timedelta(minutes=boundary)

    one, other, whole = (
        loss(plan, since, until, before_w=before_w, after_w=after_w, boundary=edge)
        for since, until in ((first, middle), (middle, last), (first, last))
    )

    assert one.wh is not None
    assert other.wh is not None
    assert one.cost is not None
    assert other.cost is not None
    assert whole.wh == pytest.approx(one.wh + other.wh, abs=1e-6)
    assert whole.cost == pytest.approx(one.cost + other.cost, abs=1e-6)
    assert min(one.wh, other.wh, one.cost, other.cost) >= 0


@given(
    since=MINUTES,
    until=MINUTES,
    before_w=st.floats(-5000, 0),
    after_w=st.floats(-5000, 0),
    boundary=st.none() | MINUTES,
)
def test_a_battery_that_charges_loses_nothing(
    since: int, until: int, before_w: float, after_w: float, boundary: int | None
) -> None:
    """What was not taken from the grid then is taken later: that it was not costs nothing."""
    since, until = sorted((since, until))
    found = loss(
        PRICES,
        START + timedelta(minutes=since),
        START + timedelta(minutes=until),
        before_w=before_w,
        after_w=after_w,
        boundary=None if boundary is None else START + timedelta(minutes=boundary),
    )

    assert (found.wh, found.cost) == (0, 0)
