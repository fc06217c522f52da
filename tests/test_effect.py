"""What the meters say of a setpoint: a table of houses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.control.effect import Effect, judge
from scheduler.model.reading import Grid, Live, Power
from scheduler.model.setpoint import Mode, Setpoint

SEEN, CONTRADICTED, UNCLEAR = Effect.SEEN, Effect.CONTRADICTED, Effect.UNCLEAR

BACKUP = Setpoint(mode="backup", reserve_percent=100)
DISCHARGE = Setpoint(mode="self_consumption", reserve_percent=5)
KEEP = Setpoint(mode="self_consumption", reserve_percent=60)
AUTONOMOUS = Setpoint(mode="autonomous", reserve_percent=5)


def house(*, battery_w: float, load_w: float = 1000, solar_w: float = 0) -> Power:
    """A house whose grid connection gives or takes what is left over."""
    return Power(battery_w=battery_w, load_w=load_w, solar_w=solar_w, site_w=load_w - solar_w - battery_w)


TABLE = [
    # what is asked for, charge, what flows, what that says
    ("backup charges from the grid", BACKUP, 40, house(battery_w=-3300), SEEN),
    ("backup charges from the sun", BACKUP, 40, house(battery_w=-2000, solar_w=3000), SEEN),
    ("backup carries the house", BACKUP, 40, house(battery_w=1000), CONTRADICTED),
    ("backup rests half empty, and may not charge from the grid", BACKUP, 40, house(battery_w=0), UNCLEAR),
    ("backup rests while solar power leaves", BACKUP, 40, house(battery_w=0, solar_w=3000), CONTRADICTED),
    ("backup rests when full", BACKUP, 100, house(battery_w=0), SEEN),
    ("backup rests a little below full", BACKUP, 96, house(battery_w=-100), SEEN),
    ("backup discharges when full", BACKUP, 100, house(battery_w=900), CONTRADICTED),
    ("backup hums", BACKUP, 99, house(battery_w=120), SEEN),
    ("the battery carries the house", DISCHARGE, 80, house(battery_w=1000), SEEN),
    ("the battery gives all that it can", DISCHARGE, 80, house(battery_w=5000, load_w=9000), SEEN),
    ("the grid carries the house instead", DISCHARGE, 80, house(battery_w=0), CONTRADICTED),
    ("the battery charges from the grid at noon", DISCHARGE, 80, house(battery_w=-3300), CONTRADICTED),
    ("the sun carries the house and fills up", DISCHARGE, 80, house(battery_w=-2000, solar_w=3000), UNCLEAR),
    ("the sun carries the house, full battery", DISCHARGE, 100, house(battery_w=0, solar_w=3000), UNCLEAR),
    ("a house that needs next to nothing", DISCHARGE, 80, house(battery_w=20, load_w=100), UNCLEAR),
    ("empty down to the reserve", DISCHARGE, 5, house(battery_w=0), UNCLEAR),
    ("gives on at the reserve", DISCHARGE, 4, house(battery_w=1000), CONTRADICTED),
    ("at the reserve, and the sun fills up", KEEP, 60, house(battery_w=-2000, solar_w=3000), UNCLEAR),
    ("below a raised reserve, charging", KEEP, 30, house(battery_w=-1700), SEEN),
    ("below a raised reserve, discharging", KEEP, 30, house(battery_w=800), CONTRADICTED),
    ("below a raised reserve, resting", KEEP, 30, house(battery_w=0), CONTRADICTED),
    ("just below a raised reserve, resting", KEEP, 58.5, house(battery_w=0), UNCLEAR),
    ("autonomous charges", AUTONOMOUS, 40, house(battery_w=-5000), UNCLEAR),
    ("autonomous discharges", AUTONOMOUS, 40, house(battery_w=5000), UNCLEAR),
    ("no mode of ours", Setpoint(reserve_percent=20), 80, house(battery_w=0), UNCLEAR),
    ("no reserve of ours", Setpoint(mode="self_consumption"), 80, house(battery_w=0), UNCLEAR),
    ("backup without a reserve of ours", Setpoint(mode="backup"), 40, house(battery_w=900), CONTRADICTED),
]


@pytest.mark.parametrize(
    ("setpoint", "charge_percent", "power", "says"),
    [pytest.param(*row, id=name) for name, *row in TABLE],
)
def test_the_meters_say(setpoint: Setpoint, charge_percent: float, power: Power, says: Effect) -> None:
    """Each house says of its setpoint what a person who looks at the meters would say."""
    judgement = judge(setpoint, power, Live(charge_percent=charge_percent, grid=Grid.CONNECTED))

    assert judgement.effect is says, judgement.reason


def test_every_effect_is_in_the_table() -> None:
    """Each mode that promises something has a row for each of seen and contradicted."""
    for mode in (Mode.BACKUP, Mode.SELF_CONSUMPTION):
        said = {says for _, setpoint, _, _, says in TABLE if setpoint.mode == mode}
        assert {SEEN, CONTRADICTED} <= said


watts = st.floats(-7000, 7000)
setpoints = st.builds(
    Setpoint, mode=st.sampled_from([None, *Mode]), reserve_percent=st.none() | st.floats(0, 100)
)
powers = st.builds(Power, battery_w=watts, site_w=watts, load_w=watts, solar_w=watts)
charges = st.floats(0, 100)


@given(setpoints, powers, charges)
def test_off_the_grid_nothing_is_held_against_the_battery(
    setpoint: Setpoint, power: Power, charge_percent: float
) -> None:
    """An islanded battery carries the house whatever it was told."""
    live = Live(charge_percent=charge_percent, grid=Grid.ISLANDED)

    assert judge(setpoint, power, live).effect is UNCLEAR


@given(setpoints, powers, charges)
def test_a_judgement_has_a_reason(setpoint: Setpoint, power: Power, charge_percent: float) -> None:
    """Whatever flows, the judgement explains itself in words and numbers that make sense."""
    judgement = judge(setpoint, power, Live(charge_percent=charge_percent, grid=Grid.CONNECTED))

    assert judgement.reason
    assert "-" not in judgement.reason, "a negative number of watts means nothing to a person"


@given(powers.filter(lambda power: abs(power.battery_w) <= 150), st.floats(95, 100))
def test_a_full_battery_that_rests_is_no_failure(power: Power, charge_percent: float) -> None:
    """From 95 % on, not charging is what a full battery does."""
    live = Live(charge_percent=charge_percent, grid=Grid.CONNECTED)

    assert judge(BACKUP, power, live).effect is SEEN


@given(st.floats(300.1, 7000), st.floats(-7000, 0), st.floats(0, 100), setpoints)
def test_solar_surplus_is_never_a_contradiction(
    surplus_w: float, battery_w: float, charge_percent: float, setpoint: Setpoint
) -> None:
    """With the sun carrying the house above the reserve, a battery that does not discharge has nothing to answer for."""
    reserve = min(setpoint.reserve_percent or 0, charge_percent)
    asked = Setpoint(mode="self_consumption", reserve_percent=reserve)
    power = house(battery_w=max(battery_w, -surplus_w), load_w=1000, solar_w=1000 + surplus_w)

    judgement = judge(asked, power, Live(charge_percent=charge_percent, grid=Grid.CONNECTED))

    assert judgement.effect is UNCLEAR
