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
THIRTEEN_MONTHS = [date(2026, 1, 1) + timedelta(days=n) for n in range(396)]
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


@pytest.mark.parametrize("examples", [40, pytest.param(1000, marks=pytest.mark.slow)])
def test_rule_that_never_speaks_is_told(tmp_path: Path, examples: int) -> None:
    """A rule is warned about exactly if, in the thirteen months looked at, no hour meets all its selectors."""

    @settings(max_examples=examples, deadline=None)
    @given(periods=PERIODS, rule=PERIODS.map(lambda found: found[0]), during=st.sampled_from(range(5)))
    def look(periods: list[Period], rule: Period, during: int) -> None:
        check_told(tmp_path, periods, rule, during)

    look()


def check_told(tmp_path: Path, periods: list[Period], rule: Period, during: int) -> None:
    """This rule in this tariff is warned about exactly if it never speaks."""
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
    speaks = any(
        has(rule, day, hour) and next(n for n, period in enumerate(whole) if has(period, day, hour)) == named
        for day in THIRTEEN_MONTHS
        for hour in range(24)
    )
    assert told != speaks


@pytest.mark.parametrize(
    ("at", "warned"),
    [
        ("13:29", False),
        ("13:31", True),
        ("14:00", True),
        ("19:59", True),
        ("20:00", False),
        ("30m before peak starts", False),
        ("peak starts", True),
        ("1m before peak ends", True),
        ("peak ends", False),
        ("07:15, done_by: 13:59", False),
        ("07:15, done_by: 14:01", True),
        ("30m before peak starts, done_by: 15m after peak starts", True),
        ("15h before peak starts", False),
    ],
)
def test_firmware_moment_in_the_dearest_hours_is_told(tmp_path: Path, at: str, warned: bool) -> None:  # noqa: FBT001 - a table
    """A moment is warned about if any of its time, until done_by or half an hour, is in the dearest period."""
    path = tmp_path / "tou.yaml"
    text = written(
        [{"hours": (0, 24), "days": [], "season": []}], f"[{{name: R, do: check_firmware, at: {at}}}]"
    )
    peak = '  periods:\n    - {name: peak, hours: "14:00-20:00", days: weekdays, import: 9}'
    path.write_text(text.replace("  periods:", peak), encoding="utf-8")
    warnings = load(path, environ={}, secret_directories=[]).warnings
    assert bool(warnings) is warned
    assert all("the dearest period" in warning.message for warning in warnings)


@pytest.mark.parametrize("at", ["15:00", "30m before peak starts", "peak starts", "13:59, done_by: 14:01"])
def test_a_check_of_the_path_may_lie_anywhere(tmp_path: Path, at: str) -> None:
    """It takes seconds and the gateway is never gone for it, so no hour is too dear, and no deadline too near."""
    path = tmp_path / "tou.yaml"
    text = written(WHOLE_DAY, f"[{{name: R, do: check_path, at: {at}}}]")
    peak = '  periods:\n    - {name: peak, hours: "14:00-20:00", days: weekdays, import: 9}'
    path.write_text(text.replace("  periods:", peak), encoding="utf-8")
    assert load(path, environ={}, secret_directories=[]).warnings == ()


@pytest.mark.parametrize(("done_by", "warned"), [("07:40", True), ("07:41", False)])
def test_time_for_an_install_without_its_check_is_too_little(
    tmp_path: Path,
    done_by: str,
    warned: bool,  # noqa: FBT001 - a table
) -> None:
    """25 minutes are the install's alone: the warning says that the check before it takes some, too."""
    path = tmp_path / "tou.yaml"
    rules = f"[{{name: R, do: check_firmware, install: true, at: 07:15, done_by: {done_by}}}]"
    path.write_text(written(WHOLE_DAY, rules), encoding="utf-8")
    hints = [warning.hint for warning in load(path, environ={}, secret_directories=[]).warnings]
    assert bool(hints) is warned
    assert all("the check before it takes some as well" in str(hint) for hint in hints)


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


WHOLE_DAY = [{"hours": (0, 24), "days": [], "season": []}]


@pytest.mark.parametrize(
    ("rule", "silent"),
    [
        ("dates: feb 29, set: {reserve: 5}", False),
        ("dates: jul 4, days: mon, set: {reserve: 5}", False),
        ("dates: 2031-01-01, set: {reserve: 5}", False),
        ("dates: 2031-01-01, days: thu, set: {reserve: 5}", True),
        ("dates: 9999-12-31, set: {reserve: 5}", True),
        ("dates: 2031-05-05, do: check_firmware, at: 05:00", False),
        ("if: {grid: islanded}, set: {reserve: 5}", False),
        ("set: {mode: backup}", True),
        ("set: {mode: backup, reserve: 5}", False),
    ],
)
def test_rule_is_looked_for_on_its_own_dates(tmp_path: Path, rule: str, silent: bool) -> None:  # noqa: FBT001 - a table
    """A rule of rare or far dates speaks if it does then; one that adds nothing to earlier rules is silent."""
    path = tmp_path / "tou.yaml"
    rules = "[{name: A, set: {mode: backup}, if: {grid: islanded}}, {name: B, set: {mode: autonomous}}, {name: R, %s}]"
    path.write_text(written(WHOLE_DAY, rules % rule), encoding="utf-8")
    warnings = load(path, environ={}, secret_directories=[]).warnings
    assert [w.message for w in warnings] == (["rule 'R' never speaks"] if silent else [])


def test_rules_on_one_line_are_told_apart(tmp_path: Path) -> None:
    """Of rules that stand in the same line, the silent one is named, with the one that silences it."""
    path = tmp_path / "tou.yaml"
    rules = "[{name: A, set: {reserve: 5}}, {name: B, set: {reserve: 6}}, {name: C, set: {mode: backup}}]"
    path.write_text(written(WHOLE_DAY, rules), encoding="utf-8")
    (warning,) = load(path, environ={}, secret_directories=[]).warnings
    assert warning.message == "rule 'B' never speaks"
    assert warning.hint is not None
    assert warning.hint.startswith("'A' in line ")


def test_thousands_of_rules_are_looked_at_for_their_moments_only(tmp_path: Path) -> None:
    """A file too large for a look ahead still has the deadlines of its moments checked."""
    path = tmp_path / "tou.yaml"
    many = "".join(f"{{name: R{n}, set: {{reserve: 5}}}}, " for n in range(5000))
    moment = "{name: M, do: check_firmware, at: 07:15, done_by: 06:00}"
    path.write_text(written(WHOLE_DAY, f"[{many}{moment}]"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load(path, environ={}, secret_directories=[])
    (problem,) = refused.value.problems
    assert "'done_by' means 2026-01-02 06:00" in problem.message


@pytest.mark.parametrize(("done_by", "fine"), [("19:15", True), ("19:16", False), ("07:15", False)])
def test_deadline_is_at_most_half_a_day_away(tmp_path: Path, done_by: str, fine: bool) -> None:  # noqa: FBT001 - a table
    """A done_by that is tomorrow's, because today's is over, is refused with both times."""
    path = tmp_path / "tou.yaml"
    rules = f"[{{name: R, do: check_firmware, at: 07:15, done_by: {done_by}}}]"
    path.write_text(written(WHOLE_DAY, rules), encoding="utf-8")
    if fine:
        assert load(path, environ={}, secret_directories=[]).warnings == ()
        return
    with pytest.raises(ConfigurationError, match="for the moment at 2026-01-01 07:15, 'done_by' means"):
        load(path, environ={}, secret_directories=[])


def test_a_zone_without_summer_time_is_warned_about(tmp_path: Path) -> None:
    """EST is a real name and never on summer time: who lives in New York means another."""
    text = written([{"hours": (0, 24), "days": [], "season": []}]).replace("America/Los_Angeles", "EST")
    (tmp_path / "tou.yaml").write_text(text)

    warnings = load(tmp_path / "tou.yaml", environ={}, secret_directories=[]).warnings

    assert [w.message for w in warnings] == ["EST is never on summer time"]
    assert "America/New_York" in (warnings[0].hint or "")
