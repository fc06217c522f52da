"""The checks of a tariff against real dates: what is accepted has no gap, what is refused has the gap it
names.
"""

import re
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.config.load import load
from scheduler.config.problems import ConfigurationError

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
SEASONS = {"summer": ("jun 1", "sep 30"), "winter": ("oct 1", "may 31"), "gap": ("dec 24", "jan 2")}
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
ALL_DATES = [date(2026, 1, 1) + timedelta(days=n) for n in range(366)]

Period = dict[str, Any]

PERIODS = st.lists(
    st.fixed_dictionaries(
        {
            "hours": st.tuples(st.sampled_from(range(24)), st.sampled_from(range(1, 25))),
            "days": st.lists(st.sampled_from(("weekdays", "weekends", *WEEKDAYS)), max_size=4, unique=True),
            "season": st.lists(st.sampled_from(sorted(SEASONS)), max_size=2, unique=True),
        }
    ),
    min_size=1,
    max_size=5,
)


def written(periods: list[Period], rules: str = "[]") -> str:
    """A configuration with these periods, called p0, p1 and so on."""
    lines = [
        "version: 1",
        "site: {name: Home, timezone: America/Los_Angeles}",
        "gateway: {type: simulated}",
        "tariff:",
        "  seasons:",
        *(f"    {name}: {{from: {first}, to: {last}}}" for name, (first, last) in SEASONS.items()),
        "  periods:",
    ]
    for n, period in enumerate(periods):
        start, end = period["hours"]
        selectors = "".join(f", {key}: {period[key]}" for key in ("days", "season") if period[key]).replace(
            "'", ""
        )
        hours = "00:00-24:00" if start == end else f"{start:02}:00-{end:02}:00"
        lines.append(f'    - {{name: p{n}, hours: "{hours}"{selectors}, import: {n}}}')
    return "\n".join([*lines, f"rules: {rules}", "default: {reserve: 20}", ""])


def month_day(text: str) -> tuple[int, int]:
    """`jun 1` as numbers, read here anew."""
    return MONTHS.index(text.split(maxsplit=1)[0]) + 1, int(text.split()[1])


def counts(period: Period, day: date) -> bool:
    """Whether the period's selectors take this day."""
    kind = "weekends" if day.weekday() > 4 else "weekdays"
    in_season = False
    for name in period["season"]:
        first, last = (month_day(text) for text in SEASONS[name])
        it = (day.month, day.day)
        in_season |= first <= it <= last if first <= last else it >= first or it <= last
    return (not period["days"] or kind in period["days"] or WEEKDAYS[day.weekday()] in period["days"]) and (
        not period["season"] or in_season
    )


def has(period: Period, day: date, hour: int) -> bool:
    """Whether the period has this hour of this day."""
    start, end = period["hours"]
    if start == end or (start == 0 and end == 24):
        return counts(period, day)
    if start < end:
        return start <= hour < end and counts(period, day)
    return (hour >= start and counts(period, day)) or (hour < end and counts(period, day - timedelta(days=1)))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(periods=PERIODS)
def test_gaps_are_found_where_they_are(tmp_path: Path, periods: list[Period]) -> None:
    """On real dates, an accepted tariff has no gap in a year, and a refused one has the gap that the message
    names.
    """
    path = tmp_path / "tou.yaml"
    path.write_text(written(periods), encoding="utf-8")
    try:
        load(path, environ={}, secret_directories=[])
    except ConfigurationError as error:
        (problem,) = [p for p in error.problems if p.severity == "error"]
    else:
        assert all(any(has(p, d, h) for p in periods) for d, h in product(ALL_DATES, range(24)))
        return
    found = re.match(r"no period covers (\d\d):00 to .*?, for example on ([0-9-]{10})", problem.message)
    assert found is not None
    assert not any(has(period, date.fromisoformat(found[2]), int(found[1])) for period in periods)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(periods=PERIODS, rule=PERIODS.map(lambda found: found[0]), during=st.sampled_from(range(5)))
def test_rule_that_never_speaks_is_told(
    tmp_path: Path, periods: list[Period], rule: Period, during: int
) -> None:
    """A rule is warned about exactly if, on the dates of a cycle of years, no hour meets all its selectors."""
    whole = [*periods, {"hours": (0, 24), "days": [], "season": []}]
    named = min(during, len(periods))
    start, end = rule["hours"]
    hours = "00:00-24:00" if start == end else f"{start:02}:00-{end:02}:00"
    selectors = "".join(f", {key}: {rule[key]}" for key in ("days", "season") if rule[key]).replace("'", "")
    text = f'[{{name: R, during: p{named}, hours: "{hours}"{selectors}, set: {{reserve: 5}}}}]'
    path = tmp_path / "tou.yaml"
    path.write_text(written(whole, text), encoding="utf-8")
    warnings = load(path, environ={}, secret_directories=[]).warnings
    told = any(warning.message == "rule 'R' never speaks" for warning in warnings)
    # Around the ends of the seasons every weekday comes by in 28 years; one ordinary week stands for the
    # rest.
    edges = [(1, 1), (1, 2), (1, 3), (5, 31), (6, 1), (9, 30), (10, 1), (12, 23), (12, 24)]
    dates = [date(2026, month, 10) + timedelta(days=n) for month in (3, 7) for n in range(7)]
    dates += [date(year, month, day) for year in range(2026, 2054) for month, day in edges]
    speaks = any(
        has(rule, day, hour) and next(n for n, period in enumerate(whole) if has(period, day, hour)) == named
        for day in dates
        for hour in range(24)
    )
    assert told != speaks


@pytest.mark.parametrize(
    ("at", "warned"),
    [
        ("13:59", False),
        ("14:00", True),
        ("19:59", True),
        ("20:00", False),
        ("30m before peak starts", False),
        ("peak starts", True),
        ("1m before peak ends", True),
        ("peak ends", False),
        ("15h before peak starts", False),
    ],
)
def test_firmware_moment_in_the_dearest_hours_is_told(tmp_path: Path, at: str, warned: bool) -> None:  # noqa: FBT001 - a table
    """A moment is warned about from the first to the last minute of the dearest period."""
    path = tmp_path / "tou.yaml"
    text = written(
        [{"hours": (0, 24), "days": [], "season": []}], f"[{{name: R, do: check_firmware, at: {at}}}]"
    )
    peak = '  periods:\n    - {name: peak, hours: "14:00-20:00", days: weekdays, import: 9}'
    path.write_text(text.replace("  periods:", peak), encoding="utf-8")
    warnings = load(path, environ={}, secret_directories=[]).warnings
    assert bool(warnings) is warned
    assert all("the dearest period" in warning.message for warning in warnings)


def test_flat_tariff_has_no_dearest_hours(tmp_path: Path) -> None:
    """Where every hour costs the same, any moment is as good as another."""
    path = tmp_path / "tou.yaml"
    path.write_text(
        written([{"hours": (0, 24), "days": [], "season": []}], "[{name: R, do: check_firmware, at: 15:00}]"),
        encoding="utf-8",
    )
    assert load(path, environ={}, secret_directories=[]).warnings == ()


def test_period_edge_that_never_comes_is_told(tmp_path: Path) -> None:
    """A period that always holds neither starts nor ends, so a moment there never comes."""
    path = tmp_path / "tou.yaml"
    rules = "[{name: R, do: check_firmware, at: p0 starts}]"
    path.write_text(written([{"hours": (0, 24), "days": [], "season": []}], rules), encoding="utf-8")
    (warning,) = load(path, environ={}, secret_directories=[]).warnings
    assert warning.message == "rule 'R' never speaks"
