"""Whole days with firmware in them: what the battery did at the boundary and after it, by the gateway's own record."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise

import pytest
from bench import MINUTE, bench, local
from firmware_day import (
    BOUNDARY,
    DAY_RAW,
    LOGIN,
    LOOK,
    NIGHT_RAW,
    SOON,
    firmware_at,
    firmware_day,
    without_firmware,
)

from scheduler.model.events import (
    FirmwareChanged,
    GatewayBack,
    GatewayLost,
    InstallStarted,
    LeftStopped,
    PathChecked,
    PersonNeeded,
    StoodStill,
)
from scheduler.model.evidence import Verdict

OLD, NEW = "1.45.2", "1.46.0"
NONE = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What happens, and what comes of it.

    ``stopped`` is how long the battery was out of service in the whole day, ``there`` since when the gateway is there to be
    switched, and ``logins`` how many there are.
    """

    sentences: tuple[str, ...] = ()
    outcome: str = "installed"
    alerts: int = 0
    firmware: str = NEW
    installs: int = 1
    stopped: timedelta = 2 * MINUTE
    there: str = BOUNDARY
    logins: int = 2


QUIET = {"firmware": OLD, "installs": 0, "stopped": NONE, "logins": 1}
"""A day in which nothing is installed."""

CASES = {
    "nothing to do": Case(outcome="up_to_date", **QUIET),
    "a check of minutes": Case(sentences=("a check lasts for 5m",), outcome="up_to_date", **QUIET),
    "a check that begins late": Case(sentences=("updates begin late",), outcome="up_to_date", **QUIET),
    "a check that never ends": Case(
        sentences=("a check lasts for 2h",), outcome="unfinished", alerts=1, **QUIET
    ),
    "no connection": Case(sentences=("checks fail",), outcome="failed", alerts=1, **QUIET),
    "a download": Case(sentences=("has an update", "a download lasts for 5m")),
    "a download that takes too long": Case(
        sentences=("has an update", "a download lasts for 15m"), outcome="update_waiting", **QUIET
    ),
    "staged already": Case(sentences=("stages an update at 06:00",)),
    "an install of 20 minutes": Case(
        sentences=("stages an update", "an install lasts for 20m"), stopped=20 * MINUTE
    ),
    "an install that begins late": Case(sentences=("stages an update", "an install begins late for 5m")),
    "comes back stopped": Case(sentences=("stages an update", "stays stopped after an upgrade")),
    "rolled back": Case(
        sentences=("stages an update", "the update is rolled back"),
        outcome="rolled_back",
        alerts=1,
        firmware=OLD,
    ),
    "an install that fails": Case(
        sentences=("stages an update", "installs fail"),
        outcome="failed",
        alerts=1,
        firmware=OLD,
        stopped=NONE,
        logins=1,
    ),
    "back after the boundary": Case(
        sentences=("stages an update", "an install lasts for 75m"),
        outcome="unfinished",
        alerts=1,
        stopped=75 * MINUTE,
        there="08:30",
    ),
    "offline at the moment": Case(sentences=("stages an update", "offline for 10m at 07:10")),
    "offline for too long": Case(
        sentences=("stages an update", "offline for 25m at 07:10"), outcome="update_waiting", **QUIET
    ),
    "offline over the boundary": Case(
        sentences=("stages an update", "offline for 3h at 07:00"),
        outcome="unfinished",
        alerts=1,
        there="10:00",
        **QUIET,
    ),
}

VARIANTS = {
    "a check that begins late",
    "a check that never ends",
    "a download that takes too long",
    "an install that begins late",
    "offline for too long",
}
"""Those that are much like another one: left to the slow tests, since a day takes its time."""


@pytest.mark.parametrize(
    "case",
    [
        pytest.param(case, id=name, marks=[pytest.mark.slow] if name in VARIANTS else [])
        for name, case in CASES.items()
    ],
)
async def test_the_battery_is_right_at_the_boundary_and_in_the_peak(case: Case) -> None:
    """Whatever the firmware does before it, the day begins as soon as the gateway is there, and the peak loses nothing."""
    day = await firmware_day(*case.sentences)

    assert day.unlawful(logins=case.logins) == []
    assert (day.outcomes, day.alerts) == ([case.outcome], case.alerts)
    assert (day.bench.device.firmware, day.installs) == (case.firmware, case.installs)
    assert day.late(DAY_RAW, local(case.there)) <= SOON
    assert day.stopped("14:00", "20:00") == NONE
    assert case.stopped <= day.stopped() <= case.stopped + SOON
    assert {o.mode for o in day.obeyed(local("05:31"), local(BOUNDARY))} == {NIGHT_RAW[0]}


async def test_a_download_is_looked_at_until_it_is_there() -> None:
    """While the updater walks, it is looked at every ten seconds, and asked once."""
    day = await firmware_day("has an update", "a download lasts for 5m", end="07:30")

    looks = [at for at in day.reached[LOOK] if local("07:15:15") < at < local("07:22")]
    pauses = {(after - at).total_seconds() for at, after in pairwise(looks)}
    assert len(looks) >= 36
    assert max(pauses) <= 15
    assert len(day.reached["GET /api/system/update"]) == 1


@pytest.mark.parametrize(
    ("firmware", "alerts", "mark"),
    [("1.50.1", 0, set()), ("21.39", 1, {"may_have_stopped"}), ("23.28", 1, {"may_have_stopped"})],
)
async def test_an_update_that_shuts_the_write_path_is_told_once_and_changes_nothing(
    firmware: str, alerts: int, mark: set[str]
) -> None:
    """The battery runs on as it was, and nothing storms; where nobody lets us see that it runs, a person is told to look."""
    day = await firmware_day("stages an update", f"the update brings {firmware}", end="09:00")

    assert day.unlawful() == [f"a mark is left: {left}" for left in mark]
    assert (day.outcomes, day.alerts) == (["installed_shut"], alerts)
    assert day.ended[0].at < local("07:20")
    assert ("look in Tesla's app" in day.ended[0].message) is bool(alerts)
    assert len(day.run.told(PersonNeeded)) == 1
    assert [r.verdict for r in day.run.records if r.boundary == local(BOUNDARY)] == [Verdict.REFUSED]
    assert day.bench.device.firmware.startswith(firmware)
    assert {(o.mode, o.running) for o in day.obeyed(local("07:20"))} == {("backup", True)}
    assert day.stopped() <= 2 * MINUTE + SOON
    after = [call for call, times in day.reached.items() for at in times if at > local("07:30")]
    assert len(after) <= 18 * 10, "what is refused for good is looked at each five minutes"


async def test_a_gateway_that_never_comes_back_is_told_once_and_tried_for_on_and_on() -> None:
    """One alert when what an install is given is over, and the gateway is lost from then on, not before."""
    b = bench(local("05:30"))
    asked: list[int] = []
    for hour in range(9, 21):
        b.device.later(local(f"{hour:02}:00"), lambda: asked.append(len(b.story)))
    day = await firmware_day("stages an update", "an install lasts for 18h", on=b)

    assert (day.outcomes, day.alerts) == (["unfinished"], 1)
    assert [event.at >= local("07:40") for event in day.run.told(GatewayLost)] == [True]
    assert len(day.run.told(LeftStopped)) == 1
    assert "start it with" in day.ended[0].message
    assert len(day.reached[LOGIN]) == 1
    in_an_hour = [after - before for before, after in pairwise(asked)]
    assert min(in_an_hour) >= 60, "it is looked for once a minute or more often, all day long"


@pytest.mark.parametrize(
    ("at", "raw", "back", "hit"),
    [
        ("07:50", DAY_RAW, "08:05", "07:55"),
        pytest.param("13:55", DAY_RAW, "14:10", None, marks=pytest.mark.slow),
        ("17:00", DAY_RAW, "17:15", None),
        ("22:00", NIGHT_RAW, "22:15", "22:05"),
    ],
)
async def test_an_upgrade_by_itself_is_made_good_as_soon_as_it_is_over(
    at: str, raw: tuple[str, float], back: str, hit: str | None
) -> None:
    """The setpoint of the hour is obeyed a minute after its return; who did it, how long it took and what it hit is told."""
    end = max("21:00", f"{back[:2]}:45")
    day = await firmware_day(f"upgrades itself at {at}", "an install lasts for 15m", end=end)

    changes = day.run.told(FirmwareChanged)
    obeyed = [(o.mode, o.reserve_raw_percent) for o in day.obeyed(local(back) + SOON, local(back) + 2 * SOON)]
    assert day.unlawful() == []
    assert (day.outcomes, day.alerts, day.installs) == (["up_to_date"], 0, 0)
    assert [(c.before, c.after, c.by_us) for c in changes] == [(OLD, NEW, False)]
    assert obeyed == [raw]
    assert day.stopped(at, end) == 15 * MINUTE
    (still,) = day.run.told(StoodStill)
    assert still.at_least_s <= 900 <= still.at_most_s <= 1230
    assert still.since <= local(at) < local(back) <= still.until
    assert still.boundary == (None if hit is None else local(hit))
    assert len(day.run.told(GatewayLost)) == len(day.run.told(GatewayBack)) == 1


async def test_with_the_moment_the_peak_loses_nothing_and_without_it_a_quarter_of_an_hour() -> None:
    """The same gateway on the same day: staged at 06:00, and about to upgrade itself at 17:00."""
    trouble = ("stages an update at 06:00", "installs what is staged at 17:00", "an install lasts for 15m")
    kept = await firmware_day(*trouble)
    left = await firmware_day(*trouble, schedule=without_firmware())

    assert (kept.outcomes, left.outcomes) == (["installed"], [])
    assert (kept.stopped("14:00", "20:00"), left.stopped("14:00", "20:00")) == (NONE, 15 * MINUTE)
    assert kept.bench.device.firmware == left.bench.device.firmware == NEW
    assert (kept.installs, left.installs) == (1, 0)
    assert kept.unlawful() == left.unlawful() == []


async def test_without_install_what_waits_is_told_and_left_alone() -> None:
    """``install: false`` tells what is ready and when it could be done; the gateway is told nothing."""
    day = await firmware_day("stages an update", schedule=firmware_at(install=False))

    assert (day.outcomes, day.alerts, day.installs) == (["update_waiting"], 0, 0)
    assert "it could begin from" in day.ended[0].message
    assert (day.bench.device.firmware, day.stopped()) == (OLD, NONE)
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON
    assert day.unlawful(logins=1) == []


async def test_a_rehearsal_of_its_own_changes_nothing() -> None:
    """``check_path`` an hour before the peak tells that the way is open, and the battery goes on as it was."""
    day = await firmware_day(schedule=firmware_at("13:00", do="check_path", install=False), start="11:00")

    writes = [at for at in day.reached["POST /api/operation"] if at >= local("12:59")]
    assert len(writes) == 1
    assert [(e.is_open, e.at >= local("13:00")) for e in day.run.told(PathChecked)] == [(True, True)]
    assert (day.outcomes, day.alerts) == (["path_open"], 0)
    assert {(o.mode, o.reserve_raw_percent, o.running) for o in day.obeyed(local("12:50"))} == {
        (*DAY_RAW, True)
    }
    assert day.unlawful(logins=1) == []


@pytest.mark.parametrize(
    ("firmware", "days"), [("21.39", 2), pytest.param("23.28", 7, marks=pytest.mark.slow)]
)
async def test_a_gateway_that_rests_in_a_state_for_days_ends_each_moment_in_a_word(
    firmware: str, days: int
) -> None:
    """As customer nothing can be asked for: one word a day, one sentence for a person in all, and no storm of logins."""
    b = bench(local("05:30"), firmware=firmware, username="customer")
    day = await firmware_day(on=b, end=f"2026-07-0{days}T08:30")

    assert (day.outcomes, day.alerts, day.installs) == (["not_available"] * days, 0, 0)
    assert len(day.run.told(PersonNeeded)) == 1
    assert day.stopped() == NONE
    assert day.unlawful(logins=days) == []


@pytest.mark.parametrize(
    ("words", "outcome", "ends"),
    [(["nonactionable"], "up_to_date", "07:16"), ([], "unclear", "07:18")],
    ids=["nothing to install", "no word"],
)
async def test_update_unknown_is_not_waited_for_until_the_boundary(
    words: list[str], outcome: str, ends: str
) -> None:
    """`/update_unknown` ends the moment by the words beside it, or after two minutes without any."""
    b = bench(local("05:30"))
    body = {"state": "/update_unknown", "info": {"status": words}, "current_time": 1639380292131}
    b.wire.answers[LOOK] = (200, json.dumps(body).encode())
    day = await firmware_day(on=b, end="08:30")

    assert (day.outcomes, day.alerts, day.installs) == ([outcome], 0, 0)
    assert day.ended[0].at < local(ends)
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON
    assert day.unlawful(logins=1) == []


async def test_while_it_installs_the_status_says_since_when_and_knows_no_trouble() -> None:
    """The page of the day shows the install from its beginning to its end, as something expected."""
    day = await firmware_day("stages an update", "an install lasts for 20m", end="08:30")

    (began,) = day.run.told(InstallStarted)
    shown = [r for r in day.run.reports if r.installing_since is not None]
    away = [r for r in day.run.reports if began.at + MINUTE < r.at < began.at + 19 * MINUTE]
    assert {r.installing_since for r in away} == {began.at}
    assert {r.trouble for r in shown} == {None}
    assert all(began.at <= r.at < began.at + 21 * MINUTE for r in shown)
    assert day.run.reports[-1].installing_since is None
