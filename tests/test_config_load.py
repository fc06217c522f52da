"""What a good file means: every spelling becomes the value that the plan expects."""

import hashlib
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from scheduler.config import lines
from scheduler.config.load import Configuration, Secret, load
from scheduler.config.source import read
from scheduler.config.words import WordError, at, dates, duration, hours, month_day
from scheduler.model.firmware import SIMULATED
from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition
from scheduler.plan.calendar import DateSpan, DayFilter, Hours, WeekDays, YearSpan
from scheduler.plan.rules import ClockTime, MomentRule, Relative, When, Window
from scheduler.simulator.personality import PERSONALITIES

SHIPPED = Path(__file__).parent.parent / "config" / "tou.yaml"
FRAME = """\
version: 1
site: {{name: Home, timezone: Europe/Berlin}}
gateway: {gateway}
tariff:
  seasons: {{summer: {{from: jun 1, to: sep 30}}, winter: {{from: October 1, to: MAY 31}}}}
  periods:
    - {{name: cheap, hours: "22:00-06:00", season: [summer, winter], import: 0.1}}
    - {{name: dear, import: 0.3}}
rules:
{rules}
default: {{reserve: 20}}
"""
GATEWAY = "{type: simulated}"


def loaded(tmp_path: Path, *, gateway: str = GATEWAY, rules: str = "  []", more: str = "") -> Configuration:
    """A small configuration with this gateway and these rules."""
    path = tmp_path / "tou.yaml"
    path.write_text(FRAME.format(gateway=gateway, rules=rules) + more, encoding="utf-8")
    return load(path, environ={}, secret_directories=[])


def rule_of(tmp_path: Path, keys: str) -> Window | MomentRule:
    """The one rule that these keys make."""
    return loaded(
        tmp_path, rules="  - name: R\n" + "".join(f"    {key}\n" for key in keys.split("\n"))
    ).schedule.rules[0]


def test_shipped_file_is_the_use_case_of_the_readme() -> None:
    """The file that people start from has three periods, two windows and the firmware moment, with their
    lines.
    """
    configuration = load(SHIPPED, environ={}, secret_directories=[])
    text = SHIPPED.read_text(encoding="utf-8").splitlines()
    schedule = configuration.schedule
    assert configuration.warnings == ()
    assert configuration.digest == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()
    assert schedule.zone.key == "America/Los_Angeles"
    assert [(period.name, period.import_price) for period in schedule.tariff.periods] == [
        ("on_peak", 0.45),
        ("off_peak", 0.28),
        ("super_off_peak", 0.13),
    ]
    for rule in schedule.rules:
        assert text[rule.line - 1] == f"  - name: {rule.name}"
    assert text[schedule.default_line - 1].startswith("default:")
    house, refill, firmware = schedule.rules
    assert isinstance(house, Window)
    assert (house.early, house.late) == (timedelta(minutes=5), timedelta(minutes=5))
    assert house.setpoint == Setpoint(mode="self_consumption", reserve_percent=5)
    assert isinstance(refill, Window)
    assert refill.when == When(during=frozenset({"super_off_peak"}))
    assert isinstance(firmware, MomentRule)
    assert firmware.at == Relative(offset=timedelta(minutes=-45), period="super_off_peak", edge="ends")
    assert firmware.install
    assert (configuration.tariff_source, configuration.tariff_effective) == (
        "the utility's rate sheet",
        date(2018, 4, 1),
    )
    gateway = configuration.gateway
    assert (gateway.host, gateway.port, gateway.username) == ("powerwall", 443, "installer")
    assert gateway.certificate == SHIPPED.parent / "powerwall.pem"
    assert (configuration.on_drift, configuration.verify_every_s) == ("yield", 300)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12:30", "12:30"), ("6:30", "6:30"), ("22:05:30", "22:05:30"), ("off", "off"), ("no", "no"), ("Yes", "Yes"),
        ("2026-07-04", "2026-07-04"), ("010", 10), ("0x1F", "0x1F"), ("0o17", "0o17"), ("1_000", "1_000"), ("+7", 7),
        ("1e3", 1000.0), ("-.5", -0.5), ("5.", 5.0), (".inf", ".inf"), (".", "."), ("-", "-"), ("+", "+"),
        ("true", True), ("TRUE", True), ("tRUE", "tRUE"), ("False", False), ("null", None), ("~", None), ("nULL", "nULL"),
        ("1.2.3", "1.2.3"), ("9" * 30, float("9" * 30)), ("1e", "1e"),
    ],
)  # fmt: skip
def test_scalars_follow_yaml_1_2(text: str, value: Any) -> None:
    """Unquoted text means what the core schema of YAML 1.2 says, not what 1.1 made of it."""
    found = lines.scalar(text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
def test_both_parsers_read_the_shipped_file_alike(loader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without libyaml reads the same values at the same places."""
    expected = lines.parse(read(SHIPPED))
    monkeypatch.setattr(lines, "_Loader", getattr(lines.yaml, loader))
    found = lines.parse(read(SHIPPED))
    assert found.root == expected.root
    for path in [
        ("rules", 0, "set", "reserve"),
        ("tariff", "periods", 2),
        ("tariff", "holidays", "names", 0),
    ]:
        assert found.place(path) == expected.place(path)


def test_byte_order_mark_and_windows_line_ends_are_fine(tmp_path: Path) -> None:
    """A file saved by a Windows editor loads like any other, with the same lines."""
    path = tmp_path / "tou.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SHIPPED.read_bytes().replace(b"\n", b"\r\n"))
    assert load(path, environ={}).schedule == load(SHIPPED, environ={}).schedule


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [("08:00-22:00", 480, 1320), ("8:00 - 9:30", 480, 570), ("22:00-08:00", 1320, 1920), ("14:00-24:00", 840, 1440),
     ("00:00-24:00", 0, 1440), ("23:00-00:00", 1380, 1440), ("00:00-00:01", 0, 1)],
)  # fmt: skip
def test_hours(text: str, start: int, end: int) -> None:
    """Hours are minutes after midnight and pass 1440 where they cross it."""
    assert hours(text) == Hours(start, end)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h", 3600), ("1h30m", 5400), ("90s", 90), ("0m", 0), ("1h0m1s", 3601)],
)
def test_durations(text: str, seconds: int) -> None:
    """Durations add up their hours, minutes and seconds."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "m5", "1.5h", "5m1h", "-5m", "5 m", "5M", "1d", "99999h"])
def test_what_is_no_duration(text: str) -> None:
    """Anything else is refused, not guessed."""
    with pytest.raises(WordError):
        duration(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("07:15", ClockTime(435)),
        ("7:15", ClockTime(435)),
        ("peak starts", Relative(offset=timedelta(0), period="peak", edge="starts")),
        ("45m before peak ends", Relative(offset=timedelta(minutes=-45), period="peak", edge="ends")),
        ("1h after on peak starts", Relative(offset=timedelta(hours=1), period="on peak", edge="starts")),
        (
            "24h before the day before ends",
            Relative(offset=timedelta(-1), period="the day before", edge="ends"),
        ),
    ],
)
def test_moments(text: str, value: ClockTime | Relative) -> None:
    """`at` takes a time of the day, or an edge of a period with or without an offset."""
    assert at(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2026-07-04", DateSpan(date(2026, 7, 4), date(2026, 7, 4))),
        ("2026-12-24 to 2027-01-02", DateSpan(date(2026, 12, 24), date(2027, 1, 2))),
        ("dec 24", YearSpan((12, 24), (12, 24))),
        ("Dec 24 to january 2", YearSpan((12, 24), (1, 2))),
        ("feb 29", YearSpan((2, 29), (2, 29))),
    ],
)
def test_dates(text: str, value: YearSpan | DateSpan) -> None:
    """Dates are of one year or of every year, one or a span with both ends included."""
    assert dates(text) == value


def test_months_by_any_clear_beginning() -> None:
    """A month may be cut after three letters or later."""
    assert month_day("sept 3") == month_day("SEP 3") == month_day("September 3") == (9, 3)


@pytest.mark.parametrize(
    ("keys", "on"),
    [
        ("days: weekdays", DayFilter(days=WeekDays(weekdays=True))),
        ("days: [Sat, SUNDAY, holidays]", DayFilter(days=WeekDays(named=frozenset({5, 6}), holidays=True))),
        ("season: summer", DayFilter(seasons=(YearSpan((6, 1), (9, 30)),))),
        ("season: [winter]", DayFilter(seasons=(YearSpan((10, 1), (5, 31)),))),
        ("dates: {from: dec 24, to: jan 2}", DayFilter(dates=(YearSpan((12, 24), (1, 2)),))),
        ("dates: 2026-07-04", DayFilter(dates=(DateSpan(date(2026, 7, 4), date(2026, 7, 4)),))),
    ],
)
def test_day_selectors(tmp_path: Path, keys: str, on: DayFilter) -> None:
    """A selector is a single value or a list, and names are looked up."""
    assert rule_of(tmp_path, f"{keys}\nset: {{mode: backup}}").when.on == on


def test_window_with_everything(tmp_path: Path) -> None:
    """All keys of a window arrive."""
    rule = rule_of(
        tmp_path,
        "why: because\nduring: dear\nhours: [8:00-9:00, 10:00-11:00]\nearly: 5m\nlate: 0m\non_drift: enforce\n"
        "if: {charge_below: 50, charge_above: 10, grid: islanded}\nset: {reserve: 12.5}",
    )
    assert rule == Window(
        name="R",
        line=10,
        setpoint=Setpoint(reserve_percent=12.5),
        when=When(during=frozenset({"dear"}), hours=(Hours(480, 540), Hours(600, 660))),
        early=timedelta(minutes=5),
        condition=Condition(charge_below_percent=50, charge_above_percent=10, grid=Grid.ISLANDED),
        on_drift="enforce",
        why="because",
    )


def test_moment_with_everything(tmp_path: Path) -> None:
    """All keys of a moment arrive."""
    rule = rule_of(
        tmp_path,
        "do: check_firmware\nat: 05:00\ndays: mon\ninstall: true\ndone_by: cheap ends\nif: {grid: connected}",
    )
    assert rule == MomentRule(
        name="R",
        line=10,
        at=ClockTime(300),
        do="check_firmware",
        when=When(on=DayFilter(days=WeekDays(named=frozenset({0})))),
        install=True,
        done_by=Relative(offset=timedelta(0), period="cheap", edge="ends"),
        condition=Condition(grid=Grid.CONNECTED),
    )


def test_a_check_of_the_path_with_everything(tmp_path: Path) -> None:
    """A check of the path takes the keys of every moment, and never installs."""
    rule = rule_of(
        tmp_path, "do: check_path\nat: 05:00\nhours: 04:00-06:00\ndone_by: 05:30\nif: {grid: islanded}"
    )
    assert rule == MomentRule(
        name="R",
        line=10,
        at=ClockTime(300),
        do="check_path",
        when=When(hours=(Hours(240, 360),)),
        install=False,
        done_by=ClockTime(330),
        condition=Condition(grid=Grid.ISLANDED),
    )


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("powerwall", ("powerwall", 443)), ("192.168.91.1", ("192.168.91.1", 443)), ("pw.lan:8443", ("pw.lan", 8443)),
        ("'fe80::1'", ("fe80::1", 443)), ("'[fe80::1]'", ("fe80::1", 443)), ("'[::1]:8443'", ("::1", 8443)),
        ("powerwall, port: 8443", ("powerwall", 8443)), ("'fe80::1%eth0'", ("fe80::1%eth0", 443)),
    ],
)  # fmt: skip
def test_hosts(tmp_path: Path, host: str, expected: tuple[str, int]) -> None:
    """A host is a name or an address, with or without a port."""
    gateway = loaded(tmp_path, gateway=f"{{type: local, username: customer, host: {host}}}").gateway
    assert (gateway.host, gateway.port) == expected


def test_one_word_makes_a_dry_run(tmp_path: Path) -> None:
    """With type simulated, the keys of the local gateway may stay."""
    gateway = (
        "{type: simulated, firmware: 1.45.2, host: powerwall, username: customer, email: me@example.com}"
    )
    found = loaded(tmp_path, gateway=gateway).gateway
    assert (found.type, found.firmware, found.host, found.username) == (
        "simulated",
        "1.45.2",
        "powerwall",
        "customer",
    )


def test_type_simulated_is_enough_for_a_dry_run(tmp_path: Path) -> None:
    """A simulated gateway alone is one that can be switched: the installer's, of the README's firmware."""
    found = loaded(tmp_path, gateway="{type: simulated}").gateway
    assert (found.username, found.firmware, found.password) == ("installer", "1.45.2", None)


def test_every_simulated_firmware_can_be_asked_for() -> None:
    """The versions that a file may name are those that the simulator can play."""
    assert set(SIMULATED) == set(PERSONALITIES)


def test_site_needs_no_name(tmp_path: Path) -> None:
    """A site without a name is called Home."""
    path = tmp_path / "tou.yaml"
    text = FRAME.format(gateway=GATEWAY, rules="  []").replace("name: Home, ", "")
    path.write_text(text, encoding="utf-8")
    assert load(path, environ={}, secret_directories=[]).site_name == "Home"


def test_ranges_of_hours_may_overlap(tmp_path: Path) -> None:
    """A list of hours is their union, whether or not they overlap."""
    keys = "hours: [8:00-10:00, 09:00-11:00]\nset: {mode: backup}"
    assert rule_of(tmp_path, keys).when.hours == (Hours(480, 600), Hours(540, 660))


def test_reserve_gap_can_be_switched_off(tmp_path: Path) -> None:
    """An owner whose gateway keeps 81 to 99 may ask for them."""
    rules = "  - {name: R, set: {reserve: 85}}"
    found = loaded(tmp_path, gateway="{type: simulated, reserve_gap: none}", rules=rules)
    assert isinstance(found.schedule.rules[0], Window)
    assert found.schedule.rules[0].setpoint.reserve_percent == 85


def test_times_of_the_whole_file(tmp_path: Path) -> None:
    """How often to look, when to trust the clock and what to do about drift are values of the whole file."""
    found = loaded(tmp_path, more="verify_every: 30s\non_drift: notify\n")
    assert (found.verify_every_s, found.on_drift) == (30, "notify")


def test_secret_shows_itself_to_nobody() -> None:
    """No form of printing gives a secret away; asking for it does."""
    secret = Secret("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {[secret]} {vars(type(secret))}"
    assert secret.reveal() == "hunter2"
    assert secret == Secret("hunter2") != Secret("other")
