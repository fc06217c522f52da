"""Why this setpoint: each rule's outcome, in words that name what is in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from plan_schedules import SHIPPED, SHIPPED_RULES, SHIPPED_TARIFF, hours, schedule

from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition
from scheduler.plan import account
from scheduler.plan.calendar import DateSpan, DayFilter, WeekDays, YearSpan
from scheduler.plan.explain import Beaten, Explanation, Known, PassedOver, Spoke, explain
from scheduler.plan.rules import ClockTime, MomentRule, Schedule, When, Window
from scheduler.plan.tariff import Tariff

WEEKDAYS = WeekDays(weekdays=True)


def at(
    text: str, of: Schedule = SHIPPED, *, charge: float | None = None, grid: Grid | None = None
) -> Explanation:
    """The explanation of a local time."""
    known = Known(charge_percent=charge, grid=grid)
    return explain(of, datetime.fromisoformat(text).replace(tzinfo=of.zone), known)


def rule(when: When, condition: Condition | None = None) -> Window:
    """A rule of which only the selectors matter."""
    return Window(name="it", line=7, setpoint=Setpoint(mode="backup"), when=when, condition=condition)


REASONS = [
    (When(hours=(hours("22:00-08:00"),)), "2026-07-04T17:05", "hours 22:00-08:00: it is 17:05"),
    (
        When(hours=(hours("00:00-24:00"), hours("01:00-02:00")), on=DayFilter(days=WEEKDAYS)),
        "2026-07-04T17:05",
        "days weekdays: 2026-07-04 is a Saturday and a holiday (Independence Day)",
    ),
    (
        When(on=DayFilter(days=WEEKDAYS)),
        "2027-07-05T17:05",
        "days weekdays: 2027-07-05 is a Monday and a holiday (Independence Day, observed)",
    ),
    (
        When(on=DayFilter(days=WeekDays(holidays=True, named=frozenset({0, 6})))),
        "2026-07-07T17:05",
        "days holidays, Monday, Sunday: 2026-07-07 is a Tuesday",
    ),
    (
        When(hours=(hours("22:00-08:00"),), on=DayFilter(days=WEEKDAYS)),
        "2026-07-06T07:00",
        "days weekdays: 2026-07-05, when these hours began, is a Sunday",
    ),
    (
        When(on=DayFilter(seasons=(YearSpan((6, 1), (9, 30)),))),
        "2026-11-20T12:00",
        "season jun 1 to sep 30: 2026-11-20 is not in it",
    ),
    (
        When(on=DayFilter(dates=(DateSpan(date(2026, 7, 4), date(2026, 7, 4)), YearSpan((12, 24), (1, 2))))),
        "2026-11-20T12:00",
        "dates 2026-07-04, dec 24 to jan 2: 2026-11-20 is not one of them",
    ),
    (
        When(during=frozenset({"on_peak", "off_peak"})),
        "2026-07-04T03:00",
        "during off_peak, on_peak: the period is super_off_peak",
    ),
]


@pytest.mark.parametrize(("when", "time", "because"), REASONS)
def test_what_is_in_the_way(when: When, time: str, because: str) -> None:
    """A rule that is passed over names the selector that does not hold, and what is so instead."""
    explanation = at(time, replace(SHIPPED, rules=(rule(when),)))
    assert explanation.rules[0].outcome == PassedOver(because=because)


def test_no_period_is_in_the_way() -> None:
    """Where the tariff covers nothing, that is said."""
    explanation = at(
        "2026-07-01T12:00", schedule("Europe/London", Tariff(periods=()), rule(When(during=frozenset({"x"}))))
    )
    assert explanation.rules[0].outcome == PassedOver(because="during x: no period covers this time")
    assert "none: the tariff does not cover this time" in account.text(explanation)


def test_the_rules_of_the_shipped_file_in_the_late_minutes() -> None:
    """At 22:02 the day's rule still speaks, since it ends late, and beats the night's and the default."""
    explanation = at("2026-07-06T22:02")
    day, night, default = explanation.rules
    assert day.outcome == Spoke(fields=("mode", "reserve_percent"))
    assert night.outcome == Beaten(by=(day.claim,))
    assert default.outcome == Beaten(by=(day.claim,))
    assert (default.claim.name, default.claim.line) == ("default", 99)
    assert (explanation.segment.period, explanation.period_line) == ("super_off_peak", 28)


def test_a_rule_beaten_by_two() -> None:
    """A rule whose fields were given by two others names both."""
    mode, reserve = (
        Window(name=name, line=line, setpoint=setpoint)
        for line, (name, setpoint) in enumerate(
            [("mode", Setpoint(mode="backup")), ("reserve", Setpoint(reserve_percent=5))]
        )
    )
    outcome = at("2026-07-01T12:00", replace(SHIPPED, rules=(mode, reserve, *SHIPPED_RULES))).rules[2].outcome
    assert isinstance(outcome, Beaten)
    assert [claim.name for claim in outcome.by] == ["mode", "reserve"]


LOW = Condition(charge_below_percent=50)
ISLANDED = Condition(grid=Grid.ISLANDED)


@pytest.mark.parametrize(
    ("charge", "grid", "condition", "sentence", "default"),
    [
        (42, None, LOW, "gives mode: backup, if charge below 50 %: it is so", "gives reserve: reserve 5 %"),
        (
            62,
            Grid.CONNECTED,
            LOW,
            "passed over, if charge below 50 %: the charge is 62 % and the grid is connected",
            "gives mode and reserve: autonomous, reserve 5 %",
        ),
        (
            None,
            Grid.CONNECTED,
            replace(LOW, grid=Grid.ISLANDED),
            "passed over, if charge below 50 % and grid islanded: the grid is connected",
            "gives mode and reserve: autonomous, reserve 5 %",
        ),
    ],
)
def test_a_settled_if(
    charge: float | None, grid: Grid | None, condition: Condition, sentence: str, default: str
) -> None:
    """An `if` that what is known settles is judged, and there is one setpoint; either part may settle it."""
    of = replace(
        SHIPPED,
        rules=(rule(When(), condition),),
        default=Setpoint(mode="autonomous", reserve_percent=5),
    )
    explanation = at("2026-07-01T12:00", of, charge=charge, grid=grid)
    mode = "backup" if "it is so" in sentence else "autonomous"
    shown = account.text(explanation).splitlines()
    assert shown[1] == f"setpoint     {mode}, reserve 5 %"
    assert shown[shown.index("  it (line 7)") + 1 :][:3] == [
        f"    {sentence}",
        "  default (line 99)",
        f"    {default}",
    ]
    document = account.document(explanation)
    assert (document["mode"], "otherwise" in document) == (mode, False)


@pytest.mark.parametrize(("charge", "grid"), [(None, None), (42, None), (None, Grid.ISLANDED)])
def test_an_open_if_is_never_told_as_a_fact(charge: float | None, grid: Grid | None) -> None:
    """While what is known does not settle an `if`, each case is told, and who speaks in the ordinary one."""
    of = replace(SHIPPED, rules=(rule(When(), replace(LOW, grid=Grid.ISLANDED)), *SHIPPED_RULES))
    shown = account.text(at("2026-07-06T12:00", of, charge=charge, grid=grid))
    day = "Run the house from the battery (line 34)"
    both = "charge below 50 % and grid islanded"
    assert shown.splitlines()[1:3] == [
        f"setpoint     if {both}: backup, reserve 5 %",
        f"             otherwise: self_consumption, reserve 5 %, by {day}",
    ]
    assert f"  it (line 7)\n    gives mode: backup, if {both}: depends on the gateway\n" in shown
    assert (
        "    gives mode and reserve: self_consumption, reserve 5 %\n"
        f"    unless {both}: it (line 7) gives mode\n"
    ) in shown
    assert (
        "next change  Monday 2026-07-06 22:05\n"
        f"             if {both}: backup, reserve 100 %\n"
        "             otherwise: backup, reserve 100 %, by Refill at night (line 41)\n"
    ) in shown
    assert "  default (line 99)\n    beaten by Run the house from the battery (line 34)\n" in shown


def test_many_open_ifs_are_counted() -> None:
    """Three of the rules that may come first are named, in the order of the file; the others are counted."""
    rules = tuple(
        Window(
            name=f"rule {line}",
            line=line,
            setpoint=Setpoint(reserve_percent=50) if line % 2 else Setpoint(mode="backup"),
            condition=Condition(charge_below_percent=line),
        )
        for line in range(1, 6)
    )
    default = account.text(at("2026-07-06T12:00", replace(SHIPPED, rules=rules))).partition(
        "  default (line 99)\n"
    )[2]
    assert default.splitlines() == [
        "    gives mode and reserve: self_consumption, reserve 20 %",
        "    unless charge below 1 %: rule 1 (line 1) gives reserve",
        "    unless charge below 2 %: rule 2 (line 2) gives mode",
        "    unless charge below 3 %: rule 3 (line 3) gives reserve",
        "    unless the if of one of 2 more rules is true",
    ]


def test_where_a_default_comes_from() -> None:
    """A default that the environment gives is told with the variable's name in place of a line."""
    of = replace(SHIPPED, rules=(), default_origin="TOU_DEFAULT__RESERVE")
    explanation = at("2026-07-06T12:00", of)
    assert "  default (TOU_DEFAULT__RESERVE)\n    gives mode and reserve" in account.text(explanation)
    (default,) = account.document(explanation)["rules"]
    assert (default["line"], default["origin"]) == (99, "TOU_DEFAULT__RESERVE")


def test_the_night_when_the_clocks_go_back() -> None:
    """On a day with a shift every time is named, since two hours read the same; on other days none is."""
    early = replace(rule(When(hours=(hours("01:30-06:00"),))), setpoint=Setpoint(mode="autonomous"))
    of = replace(SHIPPED, rules=(early, *SHIPPED_RULES))
    shown = account.text(at("2026-11-01T00:30", of)).splitlines()
    assert shown[0] == "Sunday 2026-11-01 00:30 PDT (America/Los_Angeles, UTC-07:00)"
    assert shown[3] == "since        Saturday 2026-10-31 22:05"
    assert shown[4] == "next change  Sunday 2026-11-01 01:30 PDT to autonomous, reserve 100 %"
    assert shown[-1] == "    Sunday 2026-11-01 07:15 PST: check_firmware, install, done by 07:55 PST"


def test_a_deadline_on_another_day_is_told_with_its_day() -> None:
    """A time alone would be read as one of the same day."""
    of = replace(
        SHIPPED,
        rules=(
            MomentRule(name="m", line=3, at=ClockTime(1380), do="check_firmware", done_by=ClockTime(360)),
        ),
    )
    assert account.text(at("2026-07-06T12:00", of)).endswith(
        "Monday 2026-07-06 23:00: check_firmware, done by Tuesday 2026-07-07 06:00"
    )


def test_what_was_and_what_comes() -> None:
    """The start of what holds and the next change are those of the setpoint, not of the price."""
    explanation = at("2026-07-04T17:05")
    assert explanation.since == datetime(2026, 7, 4, 7, 55, tzinfo=SHIPPED.zone)
    assert explanation.upcoming is not None
    assert explanation.upcoming.start == datetime(2026, 7, 4, 22, 5, tzinfo=SHIPPED.zone)
    assert explanation.upcoming.spoken().setpoint == Setpoint(mode="backup", reserve_percent=100)
    (moment,) = explanation.moments
    assert moment.at == datetime(2026, 7, 5, 7, 15, tzinfo=SHIPPED.zone)


def test_a_schedule_that_never_changes() -> None:
    """Where nothing changes for days, since and next change are unknown and said to be so."""
    explanation = at("2026-07-01T12:00", schedule("Europe/London", Tariff(periods=())))
    assert (explanation.since, explanation.upcoming) == (None, None)
    shown = account.text(explanation)
    assert "since        more than 8 days" in shown
    assert "next change  none within 8 days" in shown
    document = account.document(explanation)
    assert (document["since"], document["next_change"], document["moments"]) == (None, None, [])


def test_the_text_for_people() -> None:
    """The whole explanation reads as it is documented."""
    of = replace(SHIPPED, tariff=replace(SHIPPED_TARIFF, holidays=None))
    assert account.text(at("2026-07-04T17:05", of)).splitlines() == [
        "Saturday 2026-07-04 17:05 (America/Los_Angeles, UTC-07:00)",
        "setpoint     self_consumption, reserve 5 %",
        "period       off_peak (line 27), import 0.28, export 0.04 USD per kWh",
        "since        Saturday 2026-07-04 07:55",
        "next change  Saturday 2026-07-04 22:05 to backup, reserve 100 %",
        "",
        "rules, of which the first that holds wins, field by field:",
        "  Run the house from the battery (line 34)",
        "    why: Energy is dear while people are up",
        "    gives mode and reserve: self_consumption, reserve 5 %",
        "  Refill at night (line 41)",
        "    passed over, during super_off_peak: the period is off_peak",
        "  default (line 99)",
        "    beaten by Run the house from the battery (line 34)",
        "",
        "next moments:",
        "  Firmware before the day begins (line 45)",
        "    Sunday 2026-07-05 07:15: check_firmware, install, done by 07:55",
    ]


def test_the_document_for_programs() -> None:
    """The JSON form has the three outcomes with the rules they name."""
    of = replace(SHIPPED, rules=(rule(When(), Condition(grid=Grid.ISLANDED)), *SHIPPED_RULES))
    document = account.document(at("2026-07-04T17:05", of))
    assert document["schema"] == "tou-scheduler/explain"
    assert document["version"] == 1
    assert document["at"] == "2026-07-04T17:05:00-07:00"
    assert (document["mode"], document["reserve_percent"]) == ("backup", 5)
    assert document["otherwise"] == {"mode": "self_consumption", "reserve_percent": 5}
    assert document["next_change"] == {
        "at": "2026-07-04T22:05:00-07:00",
        "mode": "backup",
        "reserve_percent": 100,
        "otherwise": {"mode": "backup", "reserve_percent": 100},
    }
    assert document["rules"] == [
        {"name": "it", "line": 7, "outcome": "spoke", "fields": ["mode"], "if": {"grid": "islanded"}},
        {
            "name": "Run the house from the battery",
            "line": 34,
            "outcome": "spoke",
            "fields": ["mode", "reserve"],
        },
        {
            "name": "Refill at night",
            "line": 41,
            "outcome": "passed_over",
            "because": "during super_off_peak: the period is off_peak",
        },
        {
            "name": "default",
            "line": 99,
            "outcome": "beaten",
            "by": [{"name": "Run the house from the battery", "line": 34}],
        },
    ]
