"""Holidays: the list of the library, the observance of the tariff."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import date

import pytest

from scheduler.plan.holidays import HolidayRule, days_of, known_names, names_by_day, silent_names

FOURTH = "Independence Day"
NEW_YEAR = "New Year's Day"


def rule(name: str, saturday: str, sunday: str, country: str = "US", place: str | None = None) -> HolidayRule:
    """A rule for one holiday."""
    return HolidayRule(
        country=country,
        subdivision=place,
        names=(name,),
        saturday=saturday,  # type: ignore[arg-type]
        sunday=sunday,  # type: ignore[arg-type]
    )


GOLDEN = [
    # 2026-07-04 is a Saturday: San Diego's utility does not move it, Ontario's rule and the federal one do.
    (rule(FOURTH, "none", "monday"), 2026, ["2026-07-04"]),
    (rule(FOURTH, "monday", "monday"), 2026, ["2026-07-04", "2026-07-06"]),
    (rule(FOURTH, "friday", "monday"), 2026, ["2026-07-03", "2026-07-04"]),
    # 2027-07-04 is a Sunday.
    (rule(FOURTH, "none", "monday"), 2027, ["2027-07-04", "2027-07-05"]),
    (rule(FOURTH, "friday", "none"), 2027, ["2027-07-04"]),
    # 2028-01-01 is a Saturday: kept in the year before, where Friday counts.
    (rule(NEW_YEAR, "friday", "monday"), 2027, ["2027-01-01", "2027-12-31"]),
    (rule(NEW_YEAR, "friday", "monday"), 2028, ["2028-01-01"]),
    (rule(NEW_YEAR, "monday", "monday"), 2028, ["2028-01-01", "2028-01-03"]),
    # Ontario: 2017-07-01 a Saturday, 2017-01-01 a Sunday.
    (rule("Canada Day", "monday", "monday", "CA", "ON"), 2017, ["2017-07-01", "2017-07-03"]),
    (rule(NEW_YEAR, "monday", "monday", "CA", "ON"), 2017, ["2017-01-01", "2017-01-02"]),
    # Not a public holiday by law, but on the utilities' lists.
    (rule("Civic Holiday", "none", "none", "CA", "ON"), 2026, ["2026-08-03"]),
    # Both spellings of one holiday are good.
    (rule("Labour Day", "none", "none", "CA", "ON"), 2026, ["2026-09-07"]),
    (rule("Labor Day", "none", "none", "CA", "ON"), 2026, ["2026-09-07"]),
]


@pytest.mark.parametrize(("holidays", "year", "days"), GOLDEN)
def test_golden_dates(holidays: HolidayRule, year: int, days: list[str]) -> None:
    """A holiday counts on its own day, and on the weekday on which the utility keeps it."""
    assert sorted(map(str, days_of(holidays, year))) == days


@pytest.mark.parametrize(
    ("year", "days"),
    [
        # Christmas on Saturday, Boxing Day on Sunday: Monday and Tuesday.
        (
            2021,
            {
                25: "Christmas Day",
                26: "Boxing Day",
                27: "Christmas Day, observed",
                28: "Boxing Day, observed",
            },
        ),
        # Christmas on Sunday, Boxing Day on Monday: Christmas goes on to Tuesday.
        (2022, {25: "Christmas Day", 26: "Boxing Day", 27: "Christmas Day, observed"}),
        (2024, {25: "Christmas Day", 26: "Boxing Day"}),
    ],
)
def test_a_holiday_moves_on_past_another(year: int, days: dict[int, str]) -> None:
    """A holiday moved onto a day that is one itself is kept on the next weekday that is not."""
    both = HolidayRule(
        country="CA",
        subdivision="ON",
        names=("Christmas Day", "Boxing Day"),
        saturday="monday",
        sunday="monday",
    )
    assert names_by_day(both, year) == {date(year, 12, day): name for day, name in days.items()}


def test_a_name_that_shares_its_day_counts() -> None:
    """Where the library joins two holidays of one day, each of the two names is enough."""
    assert date(2027, 2, 15) in days_of(rule("Susan B. Anthony Day", "none", "none", "US", "CA"), 2027)
    assert date(2027, 2, 15) in days_of(rule("Presidents' Day", "none", "none", "US", "CA"), 2027)


def test_without_names_all_public_holidays_count() -> None:
    """Without names the public holidays of the place count, not its optional ones."""
    days = days_of(HolidayRule(country="CA", subdivision="ON"), 2026)
    assert {date(2026, 7, 1), date(2026, 12, 25), date(2026, 12, 26)} <= days
    assert date(2026, 8, 3) not in days


def test_known_names_are_what_names_may_hold() -> None:
    """Known names hold those of all kinds and of both languages, one by one."""
    names = known_names(HolidayRule(country="CA", subdivision="ON"))
    assert {"Labour Day", "Labor Day", "Civic Holiday", "Boxing Day", "Family Day"} <= names
    assert not any(";" in name or "observed" in name for name in names)


def test_an_estimate_is_no_part_of_a_name() -> None:
    """The library marks dates by the moon as estimated, in its own language, too; the name in the file is without."""
    names = known_names(HolidayRule(country="EG"))
    assert {"Eid al-Fitr", "عيد الفطر المبارك"} <= names
    assert not any(mark in name for name in names for mark in ("estimated", "تقديري"))
    assert date(2027, 3, 9) in days_of(rule("Eid al-Fitr", "none", "none", "EG"), 2027)


def test_years_that_the_library_does_not_know_raise_no_warning() -> None:
    """India's list ends in 2035: nothing is printed about it, least of all a path."""
    program = (
        "from scheduler.plan.holidays import *;"
        "print(len(known_names(HolidayRule(country='IN'))) > 1, bool(days_of(HolidayRule(country='IN'), 2040)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("True True", "")


def test_a_name_without_a_day_in_years_to_come() -> None:
    """A name that is known and has no day in the years asked for is told; other names and no names are not."""
    names = ("Queen's Birthday", "King's Birthday")
    crown = HolidayRule(country="NZ", names=names)
    assert set(names) <= known_names(crown)
    assert silent_names(crown, range(2022, 2024)) == frozenset()
    assert silent_names(crown, range(2026, 2029)) == {"Queen's Birthday"}
    assert silent_names(HolidayRule(country="NZ"), range(2026, 2029)) == frozenset()


@pytest.mark.parametrize(
    ("country", "place", "sentence"),
    [
        ("us", None, "no holidays are known for country 'us'; did you mean 'US'"),
        ("XX", None, "no holidays are known for country 'XX'"),
        ("", None, "no holidays are known for country ''"),
        ("CA", "Ontaro", "country 'CA' has no subdivision 'Ontaro'; did you mean 'Ontario'?"),
        ("US", "ZZ", "country 'US' has no subdivision 'ZZ'"),
    ],
)
def test_an_unknown_place_is_told_in_a_sentence(country: str, place: str | None, sentence: str) -> None:
    """A country or subdivision that the library does not have is a LookupError with what could be meant."""
    with pytest.raises(LookupError) as problem:
        known_names(HolidayRule(country=country, subdivision=place))
    assert str(problem.value).startswith(sentence)
    with pytest.raises(LookupError):
        days_of(HolidayRule(country=country, subdivision=place), 2026)


def test_holidays_do_not_depend_on_the_language_of_the_machine() -> None:
    """The same rule means the same days on a machine that speaks French."""
    program = (
        "from scheduler.plan.holidays import *;"
        "r = HolidayRule(country='CA', subdivision='ON', names=('Labour Day', 'Labor Day'));"
        "print(*days_of(r, 2026))"
    )
    environment = os.environ | {"LANGUAGE": "fr", "LANG": "fr_CA.UTF-8"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["2026-09-07"]


def test_the_library_is_loaded_only_when_a_date_is_asked_for() -> None:
    """Importing the whole compiler does not load the holidays library, which costs a tenth of a second."""
    program = "import sys, scheduler.plan.explain; print('holidays' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
