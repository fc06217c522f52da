"""When an install is not begun, and what a restart at the wrong time is told to have cost: by the gateway's own record."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from bench import MINUTE, Bench, bench, local
from firmware_day import BOUNDARY, DAY_RAW, SOON, firmware_at, firmware_day

from scheduler.model.events import Drifted, PersonNeeded, StoodStill
from scheduler.plan.rules import Schedule

OLD = "1.45.2"
QUARTER = 15 * MINUTE
NONE = timedelta(0)
PRICE = 0.45
"""Of a kWh in the peak of the README's schedule."""


@pytest.mark.parametrize(
    ("sentence", "why"),
    [
        ("the grid fails at 07:00", "without the grid"),
        ("the grid fails at 07:16", "without the grid"),
        ("somebody uses the app at 07:00", "not proven to have the setpoint"),
        ("somebody uses the app at 07:16", "the plan wants backup"),
        ("ignores writes", "not proven to have the setpoint"),
    ],
)
async def test_an_update_is_left_alone_where_the_battery_is_not_as_the_plan_wants(
    sentence: str, why: str
) -> None:
    """Without the grid an install would leave the house in the dark; what a person set is his business. He is told why."""
    day = await firmware_day("has an update", sentence, start="06:30", end="08:30")

    assert (day.outcomes, day.alerts, day.installs) == (["update_waiting"], 0, 0)
    assert why in day.ended[0].message
    assert (day.bench.device.firmware, day.stopped()) == (OLD, NONE)
    assert day.unlawful(logins=1) == []


async def test_a_setpoint_of_a_person_stands_until_the_boundary_and_no_longer() -> None:
    """The rehearsal writes back what somebody set in the app, and does not take it away from him."""
    day = await firmware_day("stages an update", "somebody uses the app at 07:00", end="08:30")

    assert len(day.run.told(Drifted)) == 1
    theirs = day.obeyed(local("07:01"), local(BOUNDARY))
    assert {(o.mode, o.reserve_raw_percent) for o in theirs} == {("backup", 52.5)}
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


def customer() -> Bench:
    """A login that may read and may not switch."""
    return bench(local("05:30"), username="customer")


def installer_of_21_39() -> Bench:
    """A login that this firmware only takes while somebody toggles a switch."""
    return bench(local("05:30"), firmware="21.39")


def wrong_password() -> Bench:
    """A login that nobody has."""
    return bench(local("05:30"), password="wrong")


@pytest.mark.parametrize(
    ("make", "outcome", "alerts", "logins"),
    [
        (customer, "update_waiting", 0, 1),
        (installer_of_21_39, "not_available", 0, 2),
        (wrong_password, "unfinished", 1, 3),
    ],
)
async def test_a_gateway_that_refuses_us_is_not_told_to_install(
    make: Callable[[], Bench], outcome: str, alerts: int, logins: int
) -> None:
    """A gateway that could not be put right afterwards keeps its firmware, and a person is told once what to do."""
    day = await firmware_day("stages an update", on=make(), end="08:30")

    assert (day.outcomes, day.alerts, day.installs) == ([outcome], alerts, 0)
    assert len(day.run.told(PersonNeeded)) == 1
    assert day.stopped() == NONE
    assert day.unlawful(logins=logins) == []


async def test_a_battery_that_somebody_stopped_is_not_touched() -> None:
    """Somebody may be working on it: no install, and it is not started by us."""
    day = await firmware_day("stages an update", "somebody stops it at 07:10", end="08:30")

    assert (day.installs, day.bench.device.firmware) == (0, OLD)
    assert {o.running for o in day.obeyed(local("07:11"))} == {False}
    assert day.unlawful(logins=1) == []


@pytest.mark.parametrize(
    ("start", "schedule", "longest_install_s", "why"),
    [
        ("07:00", firmware_at("07:45", "09:00"), None, "another setpoint is due in 9 minutes"),
        ("13:00", firmware_at("13:25", "15:00"), None, "the dearest hours are near in 19 minutes"),
        ("15:30", firmware_at("16:00", "17:00"), None, "the dearest hours are near in 0 minutes"),
        ("09:30", firmware_at("10:00", "10:20"), None, "it must be over in 19 minutes"),
        ("06:30", firmware_at(), 1800.0, "an install is given 45"),
    ],
    ids=["a boundary", "the peak is near", "in the peak", "no time", "a gateway that is slow"],
)
async def test_an_install_that_may_not_be_over_in_time_is_not_begun(
    start: str, schedule: Schedule, longest_install_s: float | None, why: str
) -> None:
    """Before a boundary, before the dearest hours and before ``done_by``, by what it took on this gateway before."""
    day = await firmware_day(
        "stages an update",
        schedule=schedule,
        longest_install_s=longest_install_s,
        start=start,
        end=f"{int(start[:2]) + 2:02}:15",
    )

    assert (day.outcomes, day.alerts, day.installs) == (["update_waiting"], 0, 0)
    assert why in day.ended[0].message
    assert "it could begin from" in day.ended[0].message
    assert (day.bench.device.firmware, day.stopped()) == (OLD, NONE)
    assert day.unlawful(logins=1) == []


@pytest.mark.parametrize(
    ("start", "schedule", "longest_install_s"),
    [
        ("12:45", firmware_at("13:15", "15:00"), None),
        ("09:30", firmware_at("10:00", "10:30"), None),
        ("06:30", firmware_at(), 1500.0),
    ],
    ids=["before the peak", "just enough time", "a gateway that is not so slow"],
)
async def test_an_install_that_will_be_over_in_time_is_begun(
    start: str, schedule: Schedule, longest_install_s: float | None
) -> None:
    """Where the time is enough, it is used: a rule that never lets an install begin would keep every peak clean too."""
    day = await firmware_day(
        "stages an update",
        schedule=schedule,
        longest_install_s=longest_install_s,
        start=start,
        end=f"{int(start[:2]) + 2:02}:15",
    )

    assert (day.outcomes, day.installs) == (["installed"], 1)
    assert 2 * MINUTE <= day.stopped() <= 2 * MINUTE + SOON
    assert day.late(DAY_RAW, max(local(BOUNDARY), day.ended[0].at)) <= SOON
    assert day.unlawful() == []


@pytest.mark.parametrize("version", ["1.46.0", pytest.param("1.50.1", marks=pytest.mark.slow)])
async def test_what_an_upgrade_in_the_peak_cost_is_told(version: str) -> None:
    """The bounds hold what really happened, and the money is what the house took from the grid, or a little more."""
    b = bench(local("2026-01-14T05:30"))
    meter_wh: list[float] = []
    for at in ("16:59", "17:16"):
        b.device.later(local(f"2026-01-14T{at}"), lambda: meter_wh.append(b.device.house.site.imported_wh))
    day = await firmware_day(
        f"the update brings {version}",
        "upgrades itself at 17:00",
        "an install lasts for 15m",
        start="2026-01-14T05:30",
        end="2026-01-14T21:00",
        on=b,
    )

    (told,) = day.run.told(StoodStill)
    assert day.stopped() == QUARTER
    assert told.at_least_s <= QUARTER.total_seconds() <= told.at_most_s <= 1230
    assert told.since <= local("2026-01-14T17:00") < local("2026-01-14T17:15") <= told.until
    assert told.boundary is None
    taken = (meter_wh[1] - meter_wh[0]) / 1000 * PRICE
    assert taken > 0.15, "the battery would have given something"
    assert told.cost is not None
    assert taken * 0.95 <= told.cost <= taken * 1.6
