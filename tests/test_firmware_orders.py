"""Orders of events around an install, on the gateway's side: what the battery did by its own record, and what a person is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from bench import MINUTE, bench, local, readme_schedule
from firmware_day import (
    BOUNDARY,
    DAY_RAW,
    INSTALL,
    LOGIN,
    NIGHT_RAW,
    SOON,
    Day,
    firmware_at,
)
from orders import (
    BAD_LOGIN,
    READ,
    STAGED,
    START,
    STATUS,
    STAYS_STOPPED,
    TAKEN,
    WRITE,
    answers_between,
    morning,
    whose,
)

from scheduler.model.events import (
    FirmwareChanged,
    FoundStopped,
    GatewayLost,
    PathChecked,
    PersonNeeded,
    Restarted,
)
from scheduler.model.evidence import Verdict
from scheduler.plan.calendar import DayFilter, WeekDays, YearSpan
from scheduler.plan.rules import Schedule

NONE = timedelta(0)


def started(day: Day, since: str) -> list[datetime]:
    """When we started the battery from then on, each instant once: a token that is no longer good makes two calls of one."""
    return sorted({at for at in day.reached[START] if at >= local(since)})


@pytest.mark.parametrize("killed", [None, ("07:19:10", "07:21:30")], ids=["alive", "killed between them"])
@pytest.mark.parametrize("first", ["reboots at 07:16", "upgrades itself at 07:16"])
async def test_a_second_restart_for_one_update_is_ours_like_the_first(
    first: str, killed: tuple[str, str] | None
) -> None:
    """Back once with the old or the new version, and then once more with the battery stopped: we start it within a minute."""
    b = bench(local("07:10"))
    b.wire.answers[INSTALL] = TAKEN
    day = await morning(
        STAGED, first, f"{STAYS_STOPPED} at 07:19", "upgrades itself at 07:20", on=b, killed=killed
    )

    assert (day.outcomes, day.alerts, day.installs) == (["installed"], 0, 1)
    assert day.stopped() <= 4 * MINUTE + SOON
    assert len(started(day, "07:22")) == 1
    assert day.run.told(FoundStopped) == []
    assert whose(day) == [True, True]
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


@pytest.mark.parametrize(
    ("sentences", "outcome"),
    [
        ((STAGED,), "installed"),
        ((STAGED, STAYS_STOPPED), "installed"),
        (("upgrades itself at 07:15",), "up_to_date"),
    ],
    ids=["ours", "ours, and stopped", "by itself"],
)
async def test_a_login_that_is_refused_right_after_a_restart_is_not_given_up(
    sentences: tuple[str, ...], outcome: str
) -> None:
    """A gateway that says 403 to a login for half a minute is still starting up: the day begins at its time."""
    b = bench(local("07:10"))
    answers_between(b, "07:15:30", "07:17:52", {LOGIN: (403, b"")})
    day = await morning(*sentences, on=b)

    assert (day.outcomes, day.alerts) == ([outcome], 0)
    assert day.run.told(PersonNeeded) == []
    assert any(local("07:16") <= at < local("07:17:52") for at in day.reached[LOGIN])
    assert day.stopped() <= 3 * MINUTE + SOON
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_a_password_that_is_refused_while_it_starts_is_tried_once_a_pause() -> None:
    """The battery stands still meanwhile: one login, one more five minutes later, and then it runs and obeys."""
    b = bench(local("07:10"))
    answers_between(b, "07:16", "07:19:15", {LOGIN: BAD_LOGIN})
    day = await morning(STAGED, STAYS_STOPPED, on=b)

    after = [at for at in day.reached[LOGIN] if at > local("07:16")]
    assert len(after) == 2
    assert after[1] - after[0] >= 5 * MINUTE
    assert len(day.run.told(PersonNeeded)) == 1
    assert (day.outcomes, day.alerts) == (["installed"], 0)
    assert day.stopped() <= 7 * MINUTE + SOON
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


def seasons(*, summer: float, winter: float) -> Schedule:
    """The README's schedule with another price of the peak in summer and in winter, and its moment in the peak."""
    its = firmware_at("14:30", "17:00")
    peak, *others = its.tariff.periods
    spans = {summer: YearSpan((6, 1), (9, 30)), winter: YearSpan((10, 1), (5, 31))}
    peaks = [
        replace(peak, import_price=price, on=DayFilter(days=WeekDays(weekdays=True), seasons=(spans[price],)))
        for price in (summer, winter)
    ]
    return replace(its, tariff=replace(its.tariff, periods=(*peaks, *others)))


@pytest.mark.parametrize("date", ["2026-10-06", "2026-05-27"])
async def test_the_peak_of_the_day_is_the_dearest_however_dear_another_season_is(date: str) -> None:
    """A week after or before the dearer summer, the hours of the winter's peak are spared like the summer's."""
    start, end = f"{date}T14:25", f"{date}T15:10"
    day = await morning(STAGED, start=start, end=end, schedule=seasons(summer=0.8, winter=0.52))

    assert (day.outcomes, day.installs) == (["update_waiting"], 0)
    assert "the dearest hours are near" in day.ended[0].message
    assert day.stopped() == NONE


@pytest.mark.parametrize(
    ("sentence", "outcome", "alerts"),
    [
        ("an install lasts for 3m", "installed", 0),
        ("offline for 10m at 11:55", "installed", 0),
        ("an install lasts for 18h", "unfinished", 1),
    ],
    ids=["back", "back, and just not reached", "not back"],
)
async def test_a_daemon_that_was_off_in_an_install_looks_before_it_complains(
    sentence: str, outcome: str, alerts: int
) -> None:
    """Hours after the time of the install is over, it is looked for ten minutes what became of it."""
    day = await morning(STAGED, sentence, end="12:20", killed=("07:15:40", "12:00"))

    assert (day.outcomes, day.alerts, day.installs) == ([outcome], alerts, 1)
    assert day.ended[0].at <= local("12:11")
    if outcome == "installed":
        assert whose(day) == [True]
        assert day.late(DAY_RAW, local("12:05")) <= SOON
    else:
        assert day.ended[0].at >= local("12:09")


async def test_a_gateway_that_does_not_come_back_is_told_long_before_a_far_done_by() -> None:
    """It is given 25 minutes, not the whole night."""
    day = await morning(
        STAGED, "an install lasts for 12h", start="22:20", end="23:20", schedule=firmware_at("22:30", "07:50")
    )

    assert (day.outcomes, day.alerts) == (["unfinished"], 1)
    assert local("22:55") <= day.ended[0].at <= local("22:55") + SOON
    assert [event.at >= day.ended[0].at for event in day.run.told(GatewayLost)] == [True]
    assert day.run.reports[-1].installing_since is None


async def test_an_install_that_never_begins_does_not_suspend_the_plan() -> None:
    """Where ``done_by`` is far, what somebody changes half an hour later is put right as on any other day."""
    b = bench(local("22:20"))
    b.wire.answers[INSTALL] = TAKEN
    day = await morning(
        STAGED,
        "somebody uses the app at 23:00",
        start="22:20",
        end="23:10",
        schedule=firmware_at("22:30", "07:50"),
        on_drift="enforce",
        on=b,
    )

    assert (day.outcomes, day.alerts) == (["update_waiting"], 1)
    assert day.ended[0].at <= local("22:55") + SOON
    assert len(day.obeyed(local("22:55"), local("23:05"))) > 1, "the app changed it"
    assert day.late(NIGHT_RAW, local("23:00")) <= SOON


@pytest.mark.parametrize("reading", [None, (503, b"")], ids=["ended well", "ended unfinished"])
async def test_an_upgrade_of_its_own_after_ours_is_not_put_down_to_us(
    reading: tuple[int, bytes] | None,
) -> None:
    """Once the time of our install is over a battery that comes back stopped may be somebody's work: we leave it."""
    b = bench(local("07:10"))
    if reading is not None:
        answers_between(b, "07:16", "07:44", {READ: reading})
    day = await morning(STAGED, f"{STAYS_STOPPED} at 07:45", "upgrades itself at 07:46", on=b)

    assert day.outcomes == ["installed" if reading is None else "unfinished"]
    assert whose(day) == [True, False]
    assert started(day, "07:46") == []
    assert {o.running for o in day.obeyed(local("07:46:01"))} == {False}
    assert len(day.run.told(FoundStopped)) == 1


async def test_a_way_that_stays_shut_after_the_return_is_told_long_before_the_switch() -> None:
    """What is refused for ten minutes is no starting up any more: told half an hour before the switch would have failed."""
    b = bench(local("07:10"))
    answers_between(b, "07:16", "09:00", {WRITE: (403, b"")})
    day = await morning(STAGED, on=b, end="07:50")

    assert day.outcomes == ["installed_shut"]
    assert day.ended[0].at <= local("07:28")
    assert "403" in day.ended[0].message
    assert [event.is_open for event in day.run.told(PathChecked)] == [True, False]
    assert day.run.told(PathChecked)[1].at <= local("07:28")


async def test_a_gateway_that_is_back_shut_and_stopped_is_told_once_with_what_to_do() -> None:
    """We cannot start it any more: within ten minutes one alert says how a person can."""
    day = await morning(STAGED, "the update brings 1.50.1", STAYS_STOPPED)

    assert (len(day.outcomes), day.alerts) == (1, 1)
    assert day.ended[0].at <= local("07:27")
    assert "start it" in day.ended[0].message
    assert len(day.run.told(PersonNeeded)) == 1
    assert {o.running for o in day.obeyed(local("07:20"))} == {False}


async def test_what_is_waited_for_after_a_return_makes_no_haste() -> None:
    """While a gateway may yet restart once more, the loop cycles as in a quiet hour, and asks more only whether it runs."""
    day = await morning(STAGED, "the update is rolled back", start="06:45")
    runs = day.reached.pop("GET /api/sitemaster")
    asked = [at for times in day.reached.values() for at in times]
    cycled = [report.at for report in day.run.reports]

    def counted(instants: list[datetime], start: str, end: str) -> int:
        return sum(local(start) <= at < local(end) for at in instants)

    assert day.outcomes == ["rolled_back"]
    assert day.ended[0].at >= local("07:39")
    assert 0 < counted(cycled, "07:20", "07:38") <= counted(cycled, "06:50", "07:08") + 1
    assert 0 < counted(asked, "07:20", "07:38") <= counted(asked, "06:50", "07:08")
    assert counted(runs, "07:20", "07:38") <= 2 * counted(cycled, "07:20", "07:38") + 8


async def test_a_person_who_stops_the_battery_before_the_install_begins_is_respected() -> None:
    """The gateway has taken the install and not begun: what stands still then is not our doing until it was gone."""
    day = await morning(
        STAGED, "an install begins late for 15m", "somebody stops it at 07:20", STAYS_STOPPED, end="07:50"
    )

    assert {o.running for o in day.obeyed(local("07:20:01"), local("07:32:05"))} == {False}
    assert [at > local("07:32") for at in started(day, "07:20")] == [True]
    assert [event.at > local("07:32") for event in day.run.told(Restarted)] == [False, True]
    assert day.outcomes == ["installed"]
    assert day.stopped("07:33", "07:50") <= SOON


@pytest.mark.parametrize("status", [404, 403, 503])
async def test_a_gateway_that_goes_away_and_starts_up_needs_no_person(status: int) -> None:
    """Before it goes, and once it is back, it does not know the calls of a gateway that is up: that is an install."""
    b = bench(local("07:10"))
    answers_between(b, "07:16", "07:21:20", {STATUS: (status, b"")})
    day = await morning(STAGED, "an install begins late for 3m", STAYS_STOPPED, on=b)

    assert day.run.told(PersonNeeded) == []
    assert day.run.told(GatewayLost) == []
    assert (day.outcomes, day.alerts, day.installs) == (["installed"], 0, 1)
    assert day.stopped() <= 3 * MINUTE + SOON
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_the_first_record_after_the_return_is_proven() -> None:
    """The night's setpoint reads back on the new firmware before the moment is called installed."""
    day = await morning(STAGED)

    back = day.run.told(FirmwareChanged)[0].at
    proven = [record.verdict for record in day.run.records if back <= record.at <= day.ended[0].at]
    assert proven == [Verdict.ALREADY]
    assert readme_schedule().rules[2].name == day.ended[0].rule
