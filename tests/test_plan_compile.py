"""The plan of known tariffs on known days, and the rules of precedence."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from plan_schedules import (
    MINUTE,
    OCTOPUS_GO,
    ONTARIO_TOU,
    PORTUGAL,
    SHIPPED,
    SHIPPED_RULES,
    SHIPPED_TARIFF,
    SRP,
    ULO,
    during,
    hours,
    period,
    schedule,
)

from scheduler.model.reading import Grid, Live
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition, Timeline
from scheduler.plan.almanac import Almanac
from scheduler.plan.calendar import DateSpan, DayFilter, YearSpan
from scheduler.plan.compile import compile_plan
from scheduler.plan.rules import ClockTime, MomentRule, Relative, Schedule, When, Window
from scheduler.plan.tariff import Tariff


def plan(of: Schedule, first: str, days: int = 1) -> Timeline:
    """The plan from local midnight to local midnight."""
    start = datetime.fromisoformat(first).replace(tzinfo=of.zone)
    end = (start + timedelta(days=days)).replace(tzinfo=of.zone)
    return compile_plan(of, start, end)


def local(instant: datetime, of: Schedule) -> str:
    """An instant as the site's clock shows it."""
    return f"{instant.astimezone(of.zone):%H:%M}"


TARIFF_DAYS = [
    # Ontario's ultra-low overnight: the night begins the evening before, whatever kind of day follows.
    ("ULO", ULO, "2026-06-30", "00:00 night 07:00 mid 16:00 peak 21:00 mid 23:00 night"),
    ("ULO", ULO, "2026-07-01", "00:00 night 07:00 off 23:00 night"),
    ("ULO", ULO, "2026-12-28", "00:00 night 07:00 off 23:00 night"),  # Boxing Day 2026 is a Saturday
    ("TOU", ONTARIO_TOU, "2026-10-30", "00:00 off 07:00 mid 11:00 peak 17:00 mid 19:00 off"),
    ("TOU", ONTARIO_TOU, "2026-11-02", "00:00 off 07:00 peak 11:00 mid 17:00 peak 19:00 off"),
    ("TOU", ONTARIO_TOU, "2026-11-01", "00:00 off"),
    ("TOU", ONTARIO_TOU, "2027-01-01", "00:00 off 07:00 peak 11:00 mid 17:00 peak 19:00 off"),
    ("TOU", ONTARIO_TOU, "2028-02-29", "00:00 off 07:00 peak 11:00 mid 17:00 peak 19:00 off"),
    ("SRP", SRP, "2026-01-15", "00:00 off 05:00 peak 09:00 off 17:00 peak 21:00 off"),
    ("SRP", SRP, "2026-07-15", "00:00 off 14:00 peak 20:00 off"),
    ("GO", OCTOPUS_GO, "2026-06-01", "00:00 day 00:30 cheap 05:30 day"),
    ("GO", OCTOPUS_GO, "2026-03-29", "00:00 day 00:30 cheap 05:30 day"),
    ("PT", PORTUGAL, "2026-11-21", "00:00 cheap 09:30 dear 13:00 cheap 18:30 dear 22:00 cheap"),
    ("PT", PORTUGAL, "2026-11-22", "00:00 cheap"),
    ("PT", PORTUGAL, "2026-11-23", "00:00 cheap 07:00 dear"),
    ("SCE", SHIPPED_TARIFF, "2026-07-03",
     "00:00 super_off_peak 08:00 off_peak 14:00 on_peak 20:00 off_peak 22:00 super_off_peak"),
    ("SCE", SHIPPED_TARIFF, "2027-07-05", "00:00 super_off_peak 08:00 off_peak 22:00 super_off_peak"),
]  # fmt: skip
ZONES = {
    "ULO": "America/Toronto",
    "TOU": "America/Toronto",
    "SRP": "America/Phoenix",
    "GO": "Europe/London",
    "PT": "Europe/Lisbon",
    "SCE": "America/Los_Angeles",
}


@pytest.mark.parametrize(("zone", "tariff", "day", "expected"), TARIFF_DAYS)
def test_periods_of_real_tariffs(zone: str, tariff: Tariff, day: str, expected: str) -> None:
    """Half hours, double peaks, nights, season swaps and holidays of real tariffs fall where the utility
    says.
    """
    of = schedule(ZONES[zone], tariff)
    found = " ".join(f"{local(s.start, of)} {s.period}" for s in plan(of, day).segments)
    assert found == expected


@pytest.mark.parametrize(
    ("day", "price"),
    [("2026-06-30", 0.2094), ("2026-07-01", 0.2409), ("2026-08-31", 0.2409), ("2026-09-01", 0.2094)],
)
def test_a_price_season_inside_a_window_season(day: str, price: float) -> None:
    """A period of one name has the price of the first entry that holds: dearer in July and August."""
    of = schedule("America/Phoenix", SRP)
    noon = datetime.fromisoformat(f"{day}T15:00").replace(tzinfo=of.zone)
    assert plan(of, day).at(noon).import_price == price


def test_the_shipped_day() -> None:
    """The use case of the README: switches at 07:55 and 22:05, firmware at 07:15, to be done by 07:55."""
    timeline = plan(SHIPPED, "2026-07-01")
    switches = [(local(s.start, SHIPPED), str(s.spoken().setpoint)) for s in timeline.merged().segments]
    assert switches == [
        ("00:00", "backup, reserve 100 %"),
        ("07:55", "self_consumption, reserve 5 %"),
        ("22:05", "backup, reserve 100 %"),
    ]
    (moment,) = timeline.moments
    assert moment.done_by is not None
    assert (local(moment.at, SHIPPED), local(moment.done_by, SHIPPED)) == ("07:15", "07:55")
    assert (moment.do, moment.install, moment.line) == ("check_firmware", True, 45)


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_the_shipped_day_when_the_clocks_change(day: str) -> None:
    """When the clocks change the switches stay at the same local times, each once."""
    merged = plan(SHIPPED, day).merged()
    assert [local(s.start, SHIPPED) for s in merged.segments] == ["00:00", "07:55", "22:05"]
    assert [local(m.at, SHIPPED) for m in merged.moments] == ["07:15"]


GO_RULES = [
    ("02:30-05:00", "2026-03-08", ["03:00-05:00"]),  # begins in the gap
    ("01:00-02:30", "2026-03-08", ["01:00-03:00"]),  # ends in the gap
    ("02:10-02:50", "2026-03-08", []),  # lies in the gap
    ("01:15-01:45", "2026-11-01", ["01:15-01:45"]),  # in the repeated hour: the first time only
    ("01:30-04:00", "2026-11-01", ["01:30-04:00"]),
    ("00:00-24:00", "2026-11-01", ["00:00-00:00"]),
]


@pytest.mark.parametrize(("span", "day", "expected"), GO_RULES)
def test_windows_when_the_clocks_change(span: str, day: str, expected: list[str]) -> None:
    """A window in a gap moves to its end or vanishes; one in a repeated hour holds once, never A-B-A."""
    it = date.fromisoformat(day)
    rule = Window(
        name="it",
        line=1,
        setpoint=Setpoint(mode="backup"),
        when=When(hours=(hours(span),), on=DayFilter(dates=(DateSpan(it, it),))),
    )
    of = schedule("America/Los_Angeles", Tariff(periods=(period("all", "00:00-24:00"),)), rule)
    found = [s for s in plan(of, day).segments if s.claims[0].name == "it"]
    assert [f"{local(s.start, of)}-{local(s.end, of)}" for s in found] == expected


def test_early_is_elapsed_time() -> None:
    """A window begun an hour early starts one hour of elapsed time before, also across the gap."""
    rule = Window(
        name="it",
        line=1,
        setpoint=Setpoint(mode="backup"),
        when=When(hours=(hours("03:30-09:00"),)),
        early=60 * MINUTE,
    )
    of = schedule("America/Los_Angeles", Tariff(periods=(period("all", "00:00-24:00"),)), rule)
    assert [local(s.start, of) for s in plan(of, "2026-03-08").segments] == ["00:00", "01:30", "09:00"]


def test_hours_after_midnight_belong_to_the_day_on_which_they_began() -> None:
    """Friday's night goes on into Saturday, Sunday's does not count for weekdays."""
    rule = Window(
        name="night",
        line=1,
        setpoint=Setpoint(mode="backup"),
        when=When(hours=(hours("22:00-06:00"),), on=DayFilter(days=SHIPPED_TARIFF.periods[0].on.days)),
    )
    of = schedule("Europe/London", Tariff(periods=(period("all", "00:00-24:00"),)), rule)
    found = [
        f"{s.start.astimezone(of.zone):%a %H:%M}"
        for s in plan(of, "2026-11-20", days=4).segments
        if s.claims[0].name == "night"
    ]
    assert found == ["Fri 00:00", "Fri 22:00", "Mon 22:00"]


def test_first_match_wins_field_by_field() -> None:
    """A rule that leaves a field alone lets the next one give it; a beaten one is not among the claims."""
    rules = (
        Window(
            name="reserve",
            line=1,
            setpoint=Setpoint(reserve_percent=80),
            when=When(hours=(hours("10:00-12:00"),)),
        ),
        Window(
            name="both",
            line=2,
            setpoint=Setpoint(mode="backup", reserve_percent=50),
            when=When(hours=(hours("09:00-13:00"),)),
        ),
        Window(
            name="mute",
            line=3,
            setpoint=Setpoint(mode="autonomous"),
            when=When(hours=(hours("09:00-13:00"),)),
        ),
    )
    of = schedule("Europe/London", Tariff(periods=(period("all", "00:00-24:00"),)), *rules)
    segments = plan(of, "2026-06-01").segments
    assert [(local(s.start, of), [c.name for c in s.claims]) for s in segments] == [
        ("00:00", ["default"]),
        ("09:00", ["both", "default"]),
        ("10:00", ["reserve", "both", "default"]),
        ("12:00", ["both", "default"]),
        ("13:00", ["default"]),
    ]
    assert segments[2].spoken().setpoint == Setpoint(mode="backup", reserve_percent=80)
    assert [fields for _, fields in segments[2].spoken().claims] == [("reserve_percent",), ("mode",)]


def test_a_condition_lets_the_next_rule_speak() -> None:
    """A rule whose `if` is false is passed over: the segment keeps what would hold then."""
    rules = (
        Window(
            name="low", line=1, setpoint=Setpoint(mode="backup"), condition=Condition(charge_below_percent=30)
        ),
        Window(
            name="off grid",
            line=2,
            setpoint=Setpoint(reserve_percent=0),
            condition=Condition(grid=Grid.ISLANDED),
        ),
        Window(name="always", line=3, setpoint=Setpoint(mode="autonomous", reserve_percent=10)),
        Window(
            name="never",
            line=4,
            setpoint=Setpoint(reserve_percent=0),
            condition=Condition(grid=Grid.ISLANDED),
        ),
    )
    of = schedule("Europe/London", Tariff(periods=(period("all", "00:00-24:00"),)), *rules)
    (segment,) = plan(of, "2026-06-01").segments
    assert [c.name for c in segment.claims] == ["low", "off grid", "always", "default"]
    assert segment.spoken().setpoint == Setpoint(mode="backup", reserve_percent=0)
    full = Live(charge_percent=90, grid=Grid.CONNECTED)
    assert segment.spoken(full).setpoint == Setpoint(mode="autonomous", reserve_percent=10)
    otherwise = segment.otherwise()
    assert otherwise is not None
    assert otherwise.spoken().setpoint == Setpoint(mode="autonomous", reserve_percent=0)


def test_rules_under_the_same_condition_fall_silent_together() -> None:
    """Two rules with the same `if` are true or false as one; a third that they beat is not even heard."""
    low = Condition(charge_below_percent=30)
    rules = (
        Window(name="mode", line=1, setpoint=Setpoint(mode="backup"), condition=low),
        Window(name="reserve", line=2, setpoint=Setpoint(reserve_percent=100), condition=low),
        Window(name="mute", line=3, setpoint=Setpoint(mode="autonomous"), condition=low),
    )
    of = schedule("Europe/London", Tariff(periods=(period("all", "00:00-24:00"),)), *rules)
    (segment,) = plan(of, "2026-06-01").segments
    assert [c.name for c in segment.claims] == ["mode", "reserve", "default"]
    otherwise = segment.otherwise()
    assert otherwise is not None
    assert otherwise.spoken().setpoint == of.default
    assert otherwise.otherwise() is None


def test_periods_that_the_tariff_does_not_cover_are_none() -> None:
    """A minute without a period has no name and no price, and the default still holds."""
    of = schedule(
        "Europe/London", Tariff(periods=(period("day", "08:00-20:00", price=0.3),)), *SHIPPED_RULES[:1]
    )
    found = [(local(s.start, of), s.period, s.import_price) for s in plan(of, "2026-06-01").segments]
    assert found == [("00:00", None, None), ("08:00", "day", 0.3), ("20:00", None, None)]


def test_a_period_that_goes_on_under_another_price_has_not_ended() -> None:
    """A moment relative to a period looks at its name, so a price change at midnight is no edge."""
    june = DayFilter(seasons=(YearSpan((6, 1), (6, 30)),))
    tariff = Tariff(
        periods=(
            period("day", "08:00-22:00"),
            period("night", "00:00-24:00", june, price=0.1),
            period("night", "00:00-24:00", price=0.2),
        )
    )
    rule = MomentRule(
        name="m", line=1, at=Relative(offset=MINUTE, period="night", edge="starts"), do="check_firmware"
    )
    of = schedule("Europe/London", tariff, rule)
    timeline = plan(of, "2026-05-31", days=2)
    assert [local(m.at, of) for m in timeline.moments] == ["22:01", "22:01"]
    assert [local(s.start, of) for s in timeline.segments] == [
        "00:00",
        "08:00",
        "22:00",
        "00:00",
        "08:00",
        "22:00",
    ]


def test_moments_of_one_instant_keep_the_order_of_the_file() -> None:
    """Two moments at the same time are done in the order of the file, an earlier one before both."""
    rules = [
        MomentRule(name=name, line=line, at=ClockTime(minute), do="check_firmware")
        for line, (name, minute) in enumerate([("b", 600), ("a", 600), ("c", 599)])
    ]
    of = schedule("Europe/London", OCTOPUS_GO, *rules)
    assert [m.rule for m in plan(of, "2026-06-01").moments] == ["c", "b", "a"]


MOMENTS = [
    (ClockTime(435), ClockTime(475), "2026-07-01", ["2026-07-01T07:15 2026-07-01T07:55"]),
    (ClockTime(435), ClockTime(435), "2026-07-01", ["2026-07-01T07:15 2026-07-02T07:15"]),  # strictly after
    (ClockTime(150), None, "2026-03-08", ["2026-03-08T03:00 None"]),  # in the gap
    (ClockTime(90), None, "2026-11-01", ["2026-11-01T01:30 None"]),  # once
    (
        ClockTime(435),
        Relative(offset=MINUTE, period="on_peak", edge="starts"),
        "2026-07-03",
        ["2026-07-03T07:15 2026-07-03T14:01"],
    ),
    # From Friday's peak to Monday's it is more than 48 hours: no deadline is better than another day's.
    (
        ClockTime(1230),
        Relative(offset=MINUTE, period="on_peak", edge="starts"),
        "2026-07-03",
        ["2026-07-03T20:30 None"],
    ),
    (
        Relative(offset=-600 * MINUTE, period="on_peak", edge="starts"),
        None,
        "2026-07-01",
        ["2026-07-01T04:00 None"],
    ),
    (
        ClockTime(1230),
        Relative(offset=MINUTE, period="on_peak", edge="starts"),
        "2026-07-11",
        ["2026-07-11T20:30 2026-07-13T14:01"],
    ),
    (
        Relative(offset=240 * MINUTE, period="on_peak", edge="ends"),
        None,
        "2026-07-01",
        ["2026-07-01T00:00 None"],
    ),
    (
        Relative(offset=600 * MINUTE, period="on_peak", edge="ends"),
        None,
        "2026-07-04",
        ["2026-07-04T06:00 None"],
    ),
]


@pytest.mark.parametrize(("at", "done_by", "day", "expected"), MOMENTS)
def test_moments(
    at: ClockTime | Relative, done_by: ClockTime | Relative | None, day: str, expected: list[str]
) -> None:
    """A moment comes at each instant that `at` names; its deadline is the next one that `done_by` names."""
    rule = MomentRule(name="m", line=1, at=at, do="check_firmware", done_by=done_by)
    of = schedule("America/Los_Angeles", SHIPPED_TARIFF, rule)

    def text(instant: datetime | None) -> str:
        return "None" if instant is None else f"{instant.astimezone(of.zone):%Y-%m-%dT%H:%M}"

    assert [f"{text(m.at)} {text(m.done_by)}" for m in plan(of, day).moments] == expected


def test_a_moment_on_the_day_that_never_came() -> None:
    """A time of a skipped day is the first instant after it, and one instant makes one moment."""
    rule = MomentRule(name="m", line=1, at=ClockTime(0), do="check_firmware")
    of = schedule("Pacific/Apia", OCTOPUS_GO, rule)
    timeline = compile_plan(of, datetime(2011, 12, 29, tzinfo=UTC), datetime(2012, 1, 1, tzinfo=UTC))
    assert [f"{m.at.astimezone(of.zone):%Y-%m-%d %H:%M}" for m in timeline.moments] == [
        "2011-12-29 00:00",
        "2011-12-31 00:00",
        "2012-01-01 00:00",
    ]


@pytest.mark.parametrize(
    ("minute", "when", "count"),
    [
        (900, during("on_peak"), 1),
        (900, during("off_peak"), 1),
        (900, When(hours=(hours("16:00-14:00"),)), 0),
        (480, during("off_peak"), 2),  # a window's first instant belongs to it
        (1320, during("off_peak"), 0),  # its end does not
        (1320, When(hours=(hours("21:00-22:00"),)), 0),
    ],
)
def test_selectors_of_a_moment(minute: int, when: When, count: int) -> None:
    """A moment is done only where its selectors hold at its instant."""
    rule = MomentRule(name="m", line=1, at=ClockTime(minute), do="check_firmware", when=when)
    of = schedule("America/Los_Angeles", SHIPPED_TARIFF, rule)
    # A Friday with a peak, and the Saturday after it without one.
    assert len(plan(of, "2026-07-10", days=2).moments) == count


def test_an_almanac_is_right_from_its_first_instant() -> None:
    """Hours that began the day before are there at the very start of an almanac."""
    start = datetime(2026, 7, 10, 3, tzinfo=SHIPPED.zone).astimezone(UTC)
    almanac = Almanac(SHIPPED, start, start + timedelta(hours=1))
    assert [stretch.name for stretch in almanac.stretches] == ["super_off_peak"]


def test_the_edge_of_an_almanac_is_no_edge_of_a_period() -> None:
    """A period that goes on beyond what is looked at neither starts nor ends there."""
    start = datetime(2026, 7, 10, 3, tzinfo=SHIPPED.zone).astimezone(UTC)
    almanac = Almanac(SHIPPED, start, start + timedelta(hours=1))
    for edge in ("starts", "ends"):
        assert almanac.instants(Relative(offset=MINUTE, period="super_off_peak", edge=edge)) == []


@pytest.mark.parametrize(
    ("day", "early_h", "late_h", "began"),
    [(date(2026, 6, 5), 100, 0, "14:00"), (date(2026, 5, 29), 0, 60, "00:00")],
)
def test_a_long_way_into_the_plan(day: date, early_h: int, late_h: int, began: str) -> None:
    """A window begun or ended days off its hours holds in a plan that does not have these hours at all."""
    rule = Window(
        name="it",
        line=1,
        setpoint=Setpoint(mode="backup"),
        when=When(hours=(hours("18:00-19:00"),), on=DayFilter(dates=(DateSpan(day, day),))),
        early=timedelta(hours=early_h),
        late=timedelta(hours=late_h),
    )
    of = schedule("Europe/London", OCTOPUS_GO, rule)
    segments = plan(of, "2026-06-01").segments
    assert [local(s.start, of) for s in segments if s.claims[0].name == "it"][:1] == [began]


def test_a_rule_without_selectors_holds_always() -> None:
    """A window without selectors is one segment, however many days, and so is the default alone."""
    always = Window(name="always", line=1, setpoint=Setpoint(mode="backup", reserve_percent=100))
    tariff = Tariff(periods=(period("all", "00:00-24:00"),))
    for rules in ((always,), ()):
        (segment,) = plan(schedule("Europe/London", tariff, *rules), "2026-01-01", days=365).segments
        assert len(segment.claims) == len(rules) + 1


def test_a_plan_of_many_rules_keeps_few_claims() -> None:
    """Thousands of rules of which each beats the ones after it, half of them with an `if`, leave few
    claims.
    """
    rules = [
        Window(
            name=f"rule {n}",
            line=n,
            setpoint=Setpoint(mode="backup" if n % 2 else None, reserve_percent=n % 80),
            condition=Condition(grid=Grid.ISLANDED) if n % 3 else None,
            when=When(hours=(hours(f"{n % 24:02}:{n % 60:02}-{(n + 7) % 24:02}:{n % 59:02}"),)),
        )
        for n in range(2000)
    ]
    timeline = plan(schedule("Europe/London", OCTOPUS_GO, *rules), "2026-03-28", days=3)
    assert max(len(segment.claims) for segment in timeline.segments) <= 5


@pytest.mark.parametrize("length", [timedelta(0), -MINUTE])
def test_a_plan_has_a_length(length: timedelta) -> None:
    """A plan that ends before it begins is a mistake of the caller."""
    start = datetime(2026, 6, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="no length"):
        compile_plan(SHIPPED, start, start + length)


def test_a_window_cannot_be_made_shorter() -> None:
    """A negative `early` is refused as a value that cannot be."""
    with pytest.raises(ValueError, match="never shorter"):
        replace(SHIPPED_RULES[0], early=-MINUTE)
