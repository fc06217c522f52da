"""The simulated house: energy is conserved, and the battery does what each mode says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scheduler.model.reading import Grid
from scheduler.simulator.house import FULL_WH, House, Obeyed, raw_percent

ZONE = ZoneInfo("America/Los_Angeles")
EVENING = datetime(2026, 7, 1, 20, 0, tzinfo=ZONE).astimezone(UTC)
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=ZONE).astimezone(UTC)


def house(at: datetime, charge_raw_percent: float) -> House:
    """A house with this much in its battery."""
    return House(at=at, zone=ZONE, charge_wh=FULL_WH * charge_raw_percent / 100)


def obeyed(mode: str, reserve: float = 5.0, *, running: bool = True, grid: Grid = Grid.CONNECTED) -> Obeyed:
    """What the battery goes by."""
    return Obeyed(mode=mode, reserve_raw_percent=reserve, running=running, grid=grid)


SPANS = st.lists(
    st.tuples(
        st.floats(0.0, 400.0),
        st.builds(
            obeyed,
            st.sampled_from(["backup", "self_consumption", "autonomous"]),
            st.floats(5, 100),
            running=st.booleans(),
            grid=st.sampled_from(Grid),
        ),
    ),
    max_size=12,
)


@given(minute_of_year=st.integers(0, 366 * 1440), charge=st.floats(0, 100), spans=SPANS)
@settings(max_examples=150, deadline=None)
def test_no_energy_is_made_or_lost(
    minute_of_year: int, charge: float, spans: list[tuple[float, Obeyed]]
) -> None:
    """At every instant what comes in goes out, and the charge changes by the battery's energy alone."""
    it = house(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minute_of_year), charge)
    for minutes, orders in spans:
        before_wh, taken_wh, given_wh = it.charge_wh, it.battery.imported_wh, it.battery.exported_wh
        it.advance(it.at + timedelta(minutes=minutes), orders)
        flows = it.flows(orders)
        assert flows.site_w + flows.solar_w + flows.battery_w == pytest.approx(flows.load_w, abs=1e-6)
        assert abs(flows.battery_w) <= 5000
        assert flows.load_w >= 0
        assert flows.solar_w >= -1e-6
        stored_wh = (it.battery.imported_wh - taken_wh) - (it.battery.exported_wh - given_wh)
        assert it.charge_wh - before_wh == pytest.approx(stored_wh, abs=1e-6)
        assert 0 <= it.charge_wh <= FULL_WH
        if orders.grid is Grid.ISLANDED:
            assert flows.site_w == 0


@given(charge=st.floats(0, 100), reserve=st.floats(5, 100), hours=st.integers(1, 48))
@settings(max_examples=100, deadline=None)
def test_the_reserve_is_kept_for_an_outage(charge: float, reserve: float, hours: int) -> None:
    """On the grid the battery never discharges below its reserve."""
    it = house(EVENING, charge)
    it.advance(EVENING + timedelta(hours=hours), obeyed("self_consumption", reserve))
    assert it.charge_raw_percent >= min(charge, reserve) - 1e-6


@pytest.mark.parametrize("mode", ["self_consumption", "autonomous"])
def test_an_evening_is_run_from_the_battery(mode: str) -> None:
    """Above its reserve the battery carries the whole load, and the grid nothing; autonomous does the same."""
    flows = house(EVENING, 80).flows(obeyed(mode))
    assert flows.battery_w == flows.load_w > 0
    assert flows.site_w == 0


def test_solar_surplus_is_stored_and_the_rest_exported() -> None:
    """At noon the surplus goes into the battery, and into the grid once that is full."""
    assert house(NOON, 50).flows(obeyed("self_consumption")).battery_w < 0
    assert house(NOON, 50).flows(obeyed("self_consumption")).site_w == pytest.approx(0, abs=1e-6)
    assert house(NOON, 100).flows(obeyed("self_consumption")).battery_w == pytest.approx(0, abs=1e-6)
    assert house(NOON, 100).flows(obeyed("self_consumption")).site_w < 0


def test_below_its_reserve_the_battery_is_refilled_slowly() -> None:
    """With a reserve above the charge it takes 1.7 kW from the grid until the reserve is reached, and stops there."""
    it = house(EVENING, 30)
    orders = obeyed("self_consumption", 50)
    assert it.flows(orders).battery_w == -1700
    it.advance(EVENING + timedelta(hours=3), orders)
    assert it.charge_raw_percent == pytest.approx(50)


def test_backup_fills_the_battery_and_keeps_it() -> None:
    """In backup it takes 3.3 kW whatever its reserve, is full after some hours, and gives nothing to the house."""
    it = house(EVENING, 30)
    assert it.flows(obeyed("backup", 20)).battery_w == -3300
    it.advance(EVENING + timedelta(hours=4), obeyed("backup", 20))
    assert it.charge_raw_percent == pytest.approx(100)
    assert it.flows(obeyed("backup", 20)).battery_w == pytest.approx(0, abs=1e-6)
    assert it.flows(obeyed("backup", 20)).site_w > 0


def test_backup_stores_whatever_the_sun_gives_beyond_that() -> None:
    """A surplus above the 3.3 kW goes into the battery as well: nothing is taken from the grid, and nothing given away."""
    it = house(NOON, 30)
    flows = it.flows(obeyed("backup", 20))
    assert flows.battery_w == pytest.approx(flows.load_w - flows.solar_w)
    assert flows.battery_w < -3300
    assert flows.site_w == pytest.approx(0, abs=1e-6)


def test_a_stopped_battery_stands_still() -> None:
    """Out of service it neither charges nor discharges, and the grid carries the house."""
    it = house(EVENING, 60)
    it.advance(EVENING + timedelta(hours=2), obeyed("self_consumption", running=False))
    assert it.charge_raw_percent == 60
    flows = it.flows(obeyed("backup", running=False))
    assert (flows.battery_w, flows.site_w) == (0, flows.load_w)


@pytest.mark.parametrize("mode", ["backup", "self_consumption"])
def test_off_the_grid_the_battery_carries_the_house_to_the_last(mode: str) -> None:
    """Whatever mode and reserve say, without a grid the battery runs the house until it is empty."""
    it = house(EVENING, 20)
    orders = obeyed(mode, 100, grid=Grid.ISLANDED)
    assert it.flows(orders).battery_w == it.flows(orders).load_w
    it.advance(EVENING + timedelta(hours=9), orders)
    assert it.charge_raw_percent == pytest.approx(0, abs=0.01)
    assert it.flows(orders).load_w == pytest.approx(0, abs=1)


def test_off_the_grid_surplus_is_throttled() -> None:
    """With a full battery and no grid the panels give no more than the house takes."""
    flows = house(NOON, 100).flows(obeyed("self_consumption", grid=Grid.ISLANDED))
    assert flows.solar_w == pytest.approx(flows.load_w)


def test_off_the_grid_and_stopped_the_house_is_dark() -> None:
    """With neither grid nor battery nothing flows at all."""
    flows = house(NOON, 100).flows(obeyed("backup", grid=Grid.ISLANDED, running=False))
    assert (flows.site_w, flows.solar_w, flows.battery_w, flows.load_w) == (0, 0, 0, 0)


def test_the_same_day_twice_is_the_same() -> None:
    """Nothing is random."""
    first, second = house(EVENING, 40), house(EVENING, 40)
    for it in (first, second):
        it.advance(EVENING + timedelta(days=2), obeyed("self_consumption"))
    assert first == second


def test_a_clock_set_back_undoes_nothing() -> None:
    """After a step back the house goes on from there, with the charge that it had."""
    it = house(EVENING, 80)
    it.advance(EVENING + timedelta(hours=1), obeyed("self_consumption"))
    charge = it.charge_raw_percent
    it.advance(EVENING, obeyed("self_consumption"))
    assert (it.at, it.charge_raw_percent) == (EVENING, charge)


@pytest.mark.parametrize(("shown", "raw"), [(0, 5), (20, 24), (50, 52.5), (100, 100)])
def test_the_scale_of_the_gateway(shown: float, raw: float) -> None:
    """Raw percent follow from the app's by the pairs that were measured."""
    assert raw_percent(shown) == pytest.approx(raw)
