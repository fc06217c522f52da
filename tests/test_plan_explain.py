"""Why this setpoint: each rule's outcome, in words that name what is in the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

import pytest
from plan_schedules import SHIPPED, SHIPPED_RULES, SHIPPED_TARIFF, hours, schedule

from scheduler.model.reading import Grid, Live
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition
from scheduler.plan import account
from scheduler.plan.calendar import DateSpan, DayFilter, WeekDays, YearSpan
from scheduler.plan.explain import Beaten, Explanation, PassedOver, Spoke, explain
from scheduler.plan.rules import Schedule, When, Window
from scheduler.plan.tariff import Tariff

WEEKDAYS = WeekDays(weekdays=True)


def at(text: str, of: Schedule = SHIPPED, live: Live | None = None) -> Explanation:
    """The explanation of a local time."""
    return explain(of, datetime.fromisoformat(text).replace(tzinfo=of.zone), live)


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
    assert day.outcome == Spoke(fields=("mode", "reserve_percent"), condition=None)
    assert night.outcome == Beaten(by=(day.claim,))
    assert default.outcome == Beaten(by=(day.claim,))
    assert (default.claim.name, default.claim.line) == ("default", 99)
    assert (explanation.period, explanation.period_line) == ("super_off_peak", 28)


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


@pytest.mark.parametrize(
    ("live", "sentence", "mode"),
    [
        (None, "gives mode: backup, if charge below 50 %: depends on the gateway", "backup"),
        (
            Live(charge_percent=42, grid=Grid.CONNECTED),
            "gives mode: backup, if charge below 50 %: it is so",
            "backup",
        ),
        (
            Live(charge_percent=62, grid=Grid.CONNECTED),
            "passed over, if charge below 50 %: the charge is 62 % and the grid connected",
            "autonomous",
        ),
    ],
)
def test_conditions(live: Live | None, sentence: str, mode: str) -> None:
    """An `if` depends on the gateway as long as that was not asked, and is judged once it was."""
    of = replace(
        SHIPPED,
        rules=(rule(When(), Condition(charge_below_percent=50)),),
        default=Setpoint(mode="autonomous", reserve_percent=5),
    )
    explanation = at("2026-07-01T12:00", of, live)
    assert explanation.setpoint.mode == mode
    assert sentence in account.text(explanation)


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
    assert document["next_change"] == {
        "at": "2026-07-04T22:05:00-07:00",
        "mode": "backup",
        "reserve_percent": 100,
    }
    assert document["rules"] == [
        {"name": "it", "line": 7, "outcome": "spoke", "fields": ["mode"], "if": {"grid": "islanded"}},
        {"name": "Run the house from the battery", "line": 34, "outcome": "spoke", "fields": ["reserve"]},
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
            "by": [{"name": "it", "line": 7}, {"name": "Run the house from the battery", "line": 34}],
        },
    ]
