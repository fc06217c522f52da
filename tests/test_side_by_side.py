"""The same day twice: which day that is, what the gateway's own record says of it, the money, and the command that shows both."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from bench import LOS_ANGELES, MINUTE, bench, local, readme_schedule
from clockwork import VirtualClock
from days import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from processes import ROOT, command
from typer.testing import CliRunner, Result

from scheduler.app.showday import ReadyClock, Row, ShowDay
from scheduler.app.sidebyside import TROUBLES, Comparison, Frame, Incomparable, frame, without_moments
from scheduler.app.witness import Lived, Witness
from scheduler.cli import build, sidebyside
from scheduler.cli.sidebyside import DAY
from scheduler.config.load import load
from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Claim, Segment
from scheduler.plan.rules import MomentRule, Schedule
from scheduler.simulator.bill import Bill, bill
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.house import FULL_WH, House, Obeyed
from scheduler.simulator.record import History
from scheduler.simulator.restarts import Upgrade
from scheduler.simulator.scenario import apply_scenario

CONFIG = ROOT / "config" / "tou.yaml"
DISCHARGES = Obeyed(mode="self_consumption", reserve_raw_percent=9.75)
STOPPED = replace(DISCHARGES, running=False)
EMPTY = replace(DISCHARGES, reserve_raw_percent=100.0)
"""Full and told to keep all of it, the battery gives the house nothing."""


def evening(text: str) -> datetime:
    """A time of a winter Wednesday, when the sun is down by 17:00."""
    return local(f"2026-12-02T{text}")


def segment(start: datetime, end: datetime, price: float | None, export: float | None = 0.04) -> Segment:
    """A stretch with its prices; what is asked for does not matter to a bill."""
    claims = (Claim(name="default", line=1, setpoint=Setpoint()),)
    return Segment(start=start, end=end, period="p", import_price=price, export_price=export, claims=claims)


def house(at: datetime, charge_percent: float = 100) -> House:
    """A house with this much of its battery."""
    return House(at=at, zone=LOS_ANGELES, charge_wh=FULL_WH * charge_percent / 100)


def money(history: History, segments: list[Segment], *, charge_percent: float = 100) -> float:
    """What the segments cost a house that goes through a history."""
    return bill(house(segments[0].start, charge_percent), history, segments, segments[-1].end).money


def test_a_battery_that_stands_still_costs_what_the_house_uses_meanwhile() -> None:
    """From 18:00 to 18:15 the house uses 2600 to 2550 W: those 0.64 kWh at 0.45 are the whole difference."""
    begins, ends = evening("17:30"), evening("19:00")
    peak = [segment(begins, ends, 0.45)]
    stands = [(begins, DISCHARGES), (evening("18:00"), STOPPED), (evening("18:15"), DISCHARGES)]

    more = money(stands, peak) - money([(begins, DISCHARGES)], peak)

    assert money([(begins, DISCHARGES)], peak) == pytest.approx(0, abs=1e-9)
    assert more == pytest.approx(2.575 * 0.25 * 0.45, rel=1e-3)


def test_each_kwh_costs_what_it_costs_at_its_time() -> None:
    """A house without its battery uses 2100 W on average before 20:00, at 0.45, and 1875 W after it, at 0.28."""
    begins, ends, cut = evening("19:30"), evening("20:30"), evening("20:00")
    segments = [segment(begins, cut, 0.45), segment(cut, ends, 0.28)]
    it = bill(house(begins), [(begins, STOPPED)], segments, ends)

    assert it.imported_kwh == pytest.approx((2.1 + 1.875) / 2, rel=3e-3)
    assert it.money == pytest.approx((2.1 * 0.45 + 1.875 * 0.28) / 2, rel=3e-3)
    assert it.exported_kwh == 0


@pytest.mark.parametrize(("export", "earned_per_kwh"), [(0.04, 0.04), (None, 0.0)])
def test_what_goes_to_the_grid_earns_its_price(export: float | None, earned_per_kwh: float) -> None:
    """At a summer's noon a full battery sends the sun to the grid: the day earns, or nothing if there is no price for it."""
    begins, ends = local("12:00"), local("13:00")
    it = bill(house(begins), [(begins, EMPTY)], [segment(begins, ends, 0.28, export)], ends)

    assert it.exported_kwh > 3
    assert it.imported_kwh == 0
    assert it.money == pytest.approx(-it.exported_kwh * earned_per_kwh)


@given(cuts=st.sets(st.integers(1, 16 * 60 - 1), max_size=8), stop=st.integers(0, 15 * 60))
@settings(max_examples=30, deadline=None)
def test_a_bill_does_not_depend_on_where_the_tariff_is_cut(cuts: set[int], stop: int) -> None:
    """Sixteen hours at one price cost the same in one piece and in many, whenever the battery stood still in them."""
    begins = local("06:00")
    history = [
        (begins, DISCHARGES),
        (begins + stop * MINUTE, STOPPED),
        (begins + (stop + 17) * MINUTE, DISCHARGES),
    ]
    edges = [begins + minute * MINUTE for minute in (0, *sorted(cuts), 16 * 60)]
    pieces = [segment(start, end, 0.3) for start, end in pairwise(edges)]

    whole = money(history, [segment(begins, edges[-1], 0.3)], charge_percent=40)

    assert money(history, pieces, charge_percent=40) == pytest.approx(whole, abs=1e-9)


def test_a_bill_is_for_its_own_time() -> None:
    """Segments and record are longer than the time that is paid for: what was before it and comes after it costs nothing."""
    begins, ends = evening("18:00"), evening("18:30")
    it = house(begins)
    history = [(evening("16:00"), DISCHARGES), (evening("17:30"), STOPPED), (evening("19:00"), DISCHARGES)]
    half = bill(it, history, [segment(evening("14:00"), evening("20:00"), 0.45)], ends)

    assert it.at == ends
    assert half.imported_kwh == pytest.approx(2.55 / 2, rel=1e-3)


def test_a_bill_without_a_price_is_none() -> None:
    """A segment without an import price is refused; it does not pass for free."""
    begins, ends = local("12:00"), local("13:00")
    with pytest.raises(ValueError, match="no import price"):
        money([(begins, DISCHARGES)], [segment(begins, ends, None)])


def watched(clock: VirtualClock) -> tuple[SimulatedGateway, Witness]:
    """A gateway of its own clock, and who looks at it from now on."""
    device = SimulatedGateway(now=clock.now, zone=LOS_ANGELES, charge_raw_percent=100)
    return device, Witness(device)


def account(begins: datetime, ends: datetime, dear: tuple[str, str], *sentences: str) -> Lived:
    """What a witness tells of a gateway that nobody tends, to which this happens."""
    clock = VirtualClock(begins)
    device, witness = watched(clock)
    for sentence in sentences:
        apply_scenario(device, sentence)
    clock.passed_s = (ends - begins).total_seconds()
    peak = segment(evening(dear[0]), evening(dear[1]), 0.45)
    return witness.account([segment(begins, ends, 0.28)], [peak], ends)


def spans(lived: Lived) -> list[tuple[datetime, datetime]]:
    """From when until when the gateway was gone for new firmware."""
    return [(one.gone_at, one.back_at) for one in lived.upgrades]


def test_the_troubles_of_the_comparison_do_what_they_say() -> None:
    """A gateway that nobody tends installs at 17:00 what it staged at 06:00, and is gone for fifteen minutes of the peak."""
    lived = account(evening("05:30"), evening("22:30"), ("14:00", "20:00"), *TROUBLES)

    assert lived.still == lived.still_dear == 15 * MINUTE
    assert spans(lived) == [(evening("17:00"), evening("17:15"))]
    assert lived.firmware == "1.46.0"


@pytest.mark.parametrize(
    ("dear", "minutes"),
    [
        (("14:00", "20:00"), 15),
        (("17:05", "20:00"), 10),
        (("14:00", "17:10"), 10),
        (("17:04", "17:07"), 3),
        (("17:15", "20:00"), 0),
        (("22:00", "23:00"), 0),
    ],
)
def test_only_what_lies_within_the_dear_hours_counts_there(dear: tuple[str, str], minutes: int) -> None:
    """A stop from 17:00 to 17:15 counts with the part that lies in the dearest period, and as a whole in the day."""
    lived = account(
        evening("16:00"), evening("21:00"), dear, "an install lasts for 15m", "upgrades itself at 17:00"
    )

    assert lived.still_dear == minutes * MINUTE
    assert lived.still == 15 * MINUTE


@pytest.mark.parametrize(
    ("sentences", "still"),
    [((), 0), (("reboots at 17:00",), 2), (("somebody stops it at 20:30",), 30)],
)
def test_a_stop_without_new_firmware_is_no_install(sentences: tuple[str, ...], still: int) -> None:
    """A reboot and somebody's stop leave the firmware as it was: nothing was installed, and the stop counts all the same."""
    lived = account(evening("16:00"), evening("21:00"), ("15:00", "23:00"), *sentences)

    assert lived.upgrades == ()
    assert lived.firmware == "1.45.2"
    assert lived.still == lived.still_dear == still * MINUTE


@pytest.mark.parametrize(
    "other",
    [
        "reboots at 16:30",
        "reboots at 19:00",
        "somebody stops it at 16:45",
        "somebody uses the app at 17:05",
        "the grid fails at 17:05",
    ],
)
def test_an_install_is_told_whole_and_alone(other: str) -> None:
    """Other stops are no part of it, before it or after it, and what changes while the gateway is gone does not cut it."""
    troubles = ("an install lasts for 15m", "upgrades itself at 17:00", other)
    lived = account(evening("16:00"), evening("21:00"), ("16:00", "20:00"), *troubles)

    assert spans(lived) == [(evening("17:00"), evening("17:15"))]


def test_two_installs_of_a_day_are_both_told() -> None:
    """Each with its own times and what ran before and after it; the reboot between them is none."""
    lived = account(
        evening("16:00"),
        evening("21:00"),
        ("16:00", "20:00"),
        "an install lasts for 15m",
        "upgrades itself at 17:00",
        "reboots at 18:00",
        "the update brings 1.50.1 at 18:30",
        "upgrades itself at 19:00",
    )

    assert lived.upgrades == (
        Upgrade(gone_at=evening("17:00"), back_at=evening("17:15"), before="1.45.2", after="1.46.0"),
        Upgrade(gone_at=evening("19:00"), back_at=evening("19:15"), before="1.46.0", after="1.50.1 c58c2df3"),
    )
    assert lived.firmware == "1.50.1 c58c2df3"
    assert lived.still == 32 * MINUTE


def test_an_install_that_leaves_the_battery_stopped_ends_when_the_gateway_is_back() -> None:
    """The gateway was gone for fifteen minutes, and the battery stands still for the rest of the day."""
    troubles = ("an install lasts for 15m", "stays stopped after an upgrade", "upgrades itself at 17:00")
    lived = account(evening("16:00"), evening("21:00"), ("16:00", "20:00"), *troubles)

    assert spans(lived) == [(evening("17:00"), evening("17:15"))]
    assert (lived.still, lived.still_dear) == (240 * MINUTE, 180 * MINUTE)


@pytest.mark.parametrize(("at", "still"), [("21:00", 0), ("19:59", 1)])
def test_what_happens_after_the_day_is_not_of_the_day(at: str, still: int) -> None:
    """Asked hours later, a witness tells the day as of its end: no install that was not over by then, no later charge."""
    ends = evening("20:00")
    clock = VirtualClock(evening("16:00"))
    device, witness = watched(clock)
    apply_scenario(device, f"upgrades itself at {at}")
    day = [segment(evening("16:00"), evening("23:00"), 0.45)]
    clock.passed_s = timedelta(hours=4).total_seconds()
    in_time = witness.account(day, day, ends)
    clock.passed_s = timedelta(hours=6).total_seconds()
    late = witness.account(day, day, ends)

    assert device.firmware == "1.46.0"
    assert (late.upgrades, late.firmware) == ((), "1.45.2")
    assert late.still == late.still_dear == in_time.still == still * MINUTE
    assert late.left_raw_percent == pytest.approx(in_time.left_raw_percent)


def test_what_happened_before_the_first_look_is_not_of_the_day() -> None:
    """Of a stop that was under way when the witness came, only the rest counts."""
    clock = VirtualClock(evening("16:00"))
    device = SimulatedGateway(now=clock.now, zone=LOS_ANGELES)
    apply_scenario(device, "an install lasts for 10m")
    apply_scenario(device, "upgrades itself")
    clock.passed_s = timedelta(minutes=6).total_seconds()
    witness = Witness(device)
    clock.passed_s = timedelta(hours=4).total_seconds()
    day = [segment(evening("15:00"), evening("23:00"), 0.45)]
    lived = witness.account(day, day, evening("20:00"))

    assert lived.still == lived.still_dear == 4 * MINUTE


async def test_the_house_of_the_bill_ends_with_the_charge_of_the_gateways_own() -> None:
    """Led through the gateway's history, another house comes to the same charge and the same meter as the one in it."""
    begins, ends = evening("13:50"), evening("18:30")
    b = bench(begins)
    witness = Witness(b.device)
    b.scenario("an install lasts for 15m")
    b.scenario("upgrades itself at 17:00")
    await Run(b).until(ends)

    lived = witness.account([segment(begins, evening("20:00"), 0.45)], [], b.clock.now())

    assert lived.still > 14 * MINUTE
    assert lived.left_raw_percent == pytest.approx(b.device.charge_raw_percent(), abs=0.05)
    assert lived.left_kwh == pytest.approx(b.device.house.charge_wh / 1000, abs=0.01)
    assert lived.bill.imported_kwh == pytest.approx(b.device.house.site.imported_wh / 1000, abs=0.01)
    assert lived.bill.exported_kwh == pytest.approx(b.device.house.site.exported_wh / 1000, abs=0.01)


@pytest.mark.parametrize(
    ("day", "period", "price", "ends"),
    [
        ("2026-12-02", "on_peak", 0.45, "2026-12-02T22:30"),
        ("2026-12-05", "off_peak", 0.28, "2026-12-06T00:30"),
        ("2026-03-08", "off_peak", 0.28, "2026-03-09T00:30"),
    ],
)
def test_the_day_goes_from_the_morning_until_the_dear_hours_are_over(
    day: str, period: str, price: float, ends: str
) -> None:
    """From 05:30 until two and a half hours after the dearest period of that very day; at the weekend that is another one."""
    both = frame(readme_schedule(), date.fromisoformat(day))

    assert both.begins == local(f"{day}T05:30")
    assert (both.period, both.price, both.ends) == (period, price, local(ends))
    assert both.segments[0].start == both.begins
    assert both.segments[-1].end >= both.ends
    assert {s.import_price for s in both.dear} == {price}


def test_dear_hours_of_the_night_end_the_day_after_a_day() -> None:
    """Where the night is dearest, the day is a whole one: from 05:30 until 05:30, with both ends of the night in it."""
    both = frame(priced(0.28, 0.13, 0.45), DAY)

    assert (both.begins, both.ends) == (local("2026-12-02T05:30"), local("2026-12-03T05:30"))
    assert (both.dear[0].start, both.dear[-1].end) == (both.begins, both.ends)
    assert sum((s.end - s.start for s in both.dear), timedelta()) == timedelta(hours=10)


def priced(*prices: float | None) -> Schedule:
    """The schedule of the README with other import prices for peak, day and night."""
    schedule = readme_schedule()
    periods = tuple(
        replace(period, import_price=price)
        for period, price in zip(schedule.tariff.periods, prices, strict=True)
    )
    return replace(schedule, tariff=replace(schedule.tariff, periods=periods))


@pytest.mark.parametrize(
    ("schedule", "why"),
    [
        (priced(0.3, 0.3, 0.3), "every hour of 2026-12-02 costs the same; name a --date"),
        (priced(0.45, None, 0.13), "no import price from 2026-12-02 08:00 on; give each period"),
        (without_moments(readme_schedule()), "no moment of the file falls into 2026-12-02"),
    ],
)
def test_a_day_with_nothing_to_compare_is_refused(schedule: Schedule, why: str) -> None:
    """Without dear hours, prices or moments there is no comparison; the sentence says what to do."""
    with pytest.raises(Incomparable, match=re.escape(why)):
        frame(schedule, DAY)


def test_without_its_moments_a_schedule_switches_as_before() -> None:
    """Only the moments are taken out: setpoints, prices and their order stay."""
    schedule = readme_schedule()
    bare = without_moments(schedule)

    assert not any(isinstance(rule, MomentRule) for rule in bare.rules)
    assert replace(schedule, rules=schedule.rules[:2]) == bare


def lived(minutes_dear: float = 0, cost: float = 1.0, **more: Any) -> Lived:
    """A day of made-up figures."""
    return Lived(
        still=20 * MINUTE,
        still_dear=minutes_dear * MINUTE,
        upgrades=more.get("upgrades", ()),
        firmware="1.46.0",
        bill=Bill(imported_kwh=11.2225, exported_kwh=2.5, money=cost),
        left_kwh=more.get("left_kwh", 4.5),
        left_raw_percent=31.75,
    )


def compared(with_moments: Lived, without: Lived) -> Comparison:
    """Two days side by side."""
    schedule = readme_schedule()
    schedule = replace(schedule, tariff=replace(schedule.tariff, currency="USD"))
    both: Frame = frame(schedule, DAY)
    return Comparison(
        schedule=schedule, frame=both, troubles=TROUBLES, with_moments=with_moments, without_moments=without
    )


@pytest.mark.parametrize(("seconds", "clear"), [(0, True), (59, True), (60, False), (900, False)])
def test_one_minute_of_standstill_in_the_dear_hours_is_one_too_many(seconds: int, *, clear: bool) -> None:
    """The comparison is won only while the day with the moments has less than a minute in the dearest period."""
    assert compared(lived(seconds / 60), lived(15)).kept_clear is clear


def test_both_days_are_told_in_rows_and_as_a_document() -> None:
    """Minutes, install, firmware, energy and money of both, in local time and in the words of the file."""
    first, again = (
        Upgrade(gone_at=evening(f"{hour}:00"), back_at=evening(f"{hour}:15"), before=old, after=new)
        for hour, old, new in ((17, "1.45.2", "1.46.0"), (19, "1.46.0", "1.47.0"))
    )
    both = compared(lived(0, 1.0), lived(15, 1.2345, upgrades=(first, again)))

    rows = {what: (first, second) for what, first, second in both.rows()}
    assert rows["of that in on_peak, at 0.45 USD a kWh"] == ("0.0 min", "15.0 min")
    assert rows["new firmware was installed"] == ("no", "17:00 to 17:15, 19:00 to 19:15")
    assert rows["what that cost"] == ("1.00 USD", "1.23 USD")
    assert rows["from the grid"] == ("11.22 kWh", "11.22 kWh")
    document = both.document()
    assert (document["schema"], document["version"]) == ("tou-scheduler/comparison", 1)
    assert document["saved"] == pytest.approx(0.2345)
    assert document["dearest_period"] == {"name": "on_peak", "import_price": 0.45}
    assert document["with_moments"]["installed"] == []
    assert document["without_moments"]["installed"][0] == {
        "from": "2026-12-02T17:00:00-08:00",
        "until": "2026-12-02T17:15:00-08:00",
        "before": "1.45.2",
        "after": "1.46.0",
    }
    assert document["without_moments"]["installed"][1]["from"] == "2026-12-02T19:00:00-08:00"
    assert document["without_moments"]["still_dearest_minutes"] == 15


def test_what_is_left_in_the_battery_counts_at_the_price_of_the_night() -> None:
    """A day that is 0.23 USD cheaper and leaves 2 kWh less has saved nothing where the night sells them at 0.13."""
    both = compared(lived(0, 1.0, left_kwh=3.0), lived(15, 1.2345, left_kwh=5.0))

    assert both.frame.cheapest == 0.13
    assert both.saved == pytest.approx(0.2345 - 2 * 0.13)
    rows = {what: (first, second) for what, first, second in both.rows()}
    assert rows["what that cost"] == ("1.00 USD", "1.23 USD")
    assert rows["left in the battery"] == ("3.00 kWh", "5.00 kWh")
    assert rows["its worth, at 0.13 USD a kWh"] == ("0.39 USD", "0.65 USD")
    assert rows["what the day cost, less that"] == ("0.61 USD", "0.58 USD")
    document = both.document()
    assert (document["saved"], document["cheapest_import_price"]) == (-0.0255, 0.13)
    found = [document[day][key] for day in ("with_moments", "without_moments") for key in WORTH]
    assert found == [1.0, 3.0, 0.39, 1.2345, 5.0, 0.65]


WORTH = ("money", "left_kwh", "left_worth")


def test_a_clock_stands_until_all_is_ready() -> None:
    """A day begins at its first instant however long the gateway takes to be made, and then time passes."""
    start = evening("05:30")
    clock = ReadyClock(start, 3600)
    assert (clock.now(), clock.monotonic(), clock.now()) == (start, 0.0, start)

    clock.go()

    assert any(clock.now() > start for _ in range(100_000))
    assert clock.monotonic() > 0
    assert clock.alarm_time(start + timedelta(hours=2)) - clock.alarm_time(start) == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--compare", "--hours", "2"], "--hours is not for --compare"),
        (["--compare", "--scenario", "dances"], "ignores writes"),
        (["--compare", "--date", "2200-01-01"], "the year must be 1970 to 2199"),
        (["--date", "0001-01-01"], "the year must be 1970 to 2199"),
        (["--compare", "--date", "2026-13-01"], "2026-13-01"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    words: list[str], why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 2 and a sentence, and nothing is lived or shown."""
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(build(), ["demo", "--config", str(CONFIG), *words])

    assert result.exit_code == 2
    assert why in result.stderr
    assert result.stdout == ""


def test_a_file_without_moments_is_refused(tmp_path: Path) -> None:
    """The command says that there is none to take out, with exit code 2."""
    text = CONFIG.read_text()
    bare = text[: text.index("  - name: Firmware before")] + text[text.index("default:") :]
    (tmp_path / "bare.yaml").write_text(bare)
    result = CliRunner().invoke(build(), ["demo", "--config", str(tmp_path / "bare.yaml"), "--compare"])

    assert result.exit_code == 2
    assert "no moment of the file falls into 2026-12-02" in result.stderr
    assert result.stdout == ""


def test_the_moment_keeps_the_install_out_of_the_peak(tmp_path: Path) -> None:
    """The real command, on a day with an early peak so that it is short: with the moment no minute of it is lost, without it all fifteen are."""
    changes = {
        '"14:00-20:00"': '"07:15-07:45"',
        '"08:00-22:00"': '"07:00-22:00"',
        '"22:00-08:00"': '"22:00-07:00"',
        "at: 45m before super_off_peak ends": 'at: "05:40"',
    }
    text = CONFIG.read_text()
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "tou.yaml").write_text(text)
    times = {"06:00": "05:35", "17:00": "07:20"}
    troubles = [re.sub(r"\d\d:\d\d", lambda time: times[time[0]], sentence) for sentence in TROUBLES]
    troubles.append("reboots at 09:00")
    words = [word for sentence in troubles for word in ("--scenario", sentence)]

    result = command(
        "demo", "--config", "tou.yaml", "--compare", "--json", "--speed", "1800", *words, cwd=tmp_path
    )

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    ours, other = document["with_moments"], document["without_moments"]
    assert (document["begins"][11:16], document["ends"][11:16]) == ("05:30", "10:15")
    assert document["scenarios"] == troubles
    (installed,), (by_itself,) = ours["installed"], other["installed"]
    assert "05:40" <= installed["from"][11:16] < installed["until"][11:16] <= "06:55"
    assert (by_itself["from"][11:16], by_itself["until"][11:16]) == ("07:20", "07:35")
    assert ours["firmware"] == other["firmware"] == "1.46.0"
    assert ours["still_dearest_minutes"] < 1
    assert other["still_dearest_minutes"] >= 15
    assert document["saved"] > 0.05
    # Told in lines of their own: which day it is, and each switch without its evidence.
    first, second = result.stderr.split("The same day without them:")
    assert "The day with its moments:" in first
    for day in (first, second):
        assert re.search(r"^0[67]:\d\d(:\d\d)?  switch due at 06:55: verified: ", day, re.MULTILINE)
        assert "exchanged  " not in day


SLOW = "try a lower --speed"


@pytest.mark.parametrize(
    ("seconds", "code", "told", "warned"),
    [
        (0, 0, "With its moments the battery did not stand still in on_peak, the dearest period, and", ""),
        (0.3, 0, "With its moments the battery stood still for 1 s in on_peak, the dearest period, and", ""),
        (42, 0, "With its moments the battery stood still for 42 s in on_peak, the dearest period, and", ""),
        (
            59.8,
            0,
            "With its moments the battery stood still for 59 s in on_peak, the dearest period, and",
            "",
        ),
        (60, 4, "With its moments the day", "The battery stood still for 1.0 min in on_peak, the dearest"),
        (183, 4, "With its moments the day", "The battery stood still for 3.0 min in on_peak, the dearest"),
    ],
)
def test_sentence_and_exit_code_agree_on_the_dear_hours(
    seconds: float, code: int, told: str, warned: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both days lived, the table is shown, and a minute's standstill in the dearest period of the first is exit code 4."""
    result = concluded(seconds, monkeypatch, out_of_time=False)

    assert result.exit_code == code
    assert told in result.stdout
    assert "the day cost 0.23 USD less, what is left in the battery counted." in result.stdout
    assert re.search(
        rf"of that in on_peak, at 0.45 USD a kWh +{seconds / 60:.1f} min +15.0 min$",
        result.stdout,
        re.MULTILINE,
    )
    assert (warned in result.stderr) if warned else (result.stderr == "")


@pytest.mark.parametrize(("seconds", "out_of_time", "hint"), [(900, True, True), (900, False, False)])
def test_a_lower_speed_is_only_proposed_where_a_moment_ran_out_of_time(
    seconds: float,
    out_of_time: bool,  # noqa: FBT001 - a table
    hint: bool,  # noqa: FBT001 - a table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A slow machine is not to blame where nothing was staged, or where no install could have helped."""
    result = concluded(seconds, monkeypatch, out_of_time=out_of_time)

    assert result.exit_code == 4
    assert "What came of them is told above" in result.stderr
    assert (SLOW in result.stderr) is hint


def concluded(seconds: float, monkeypatch: pytest.MonkeyPatch, *, out_of_time: bool) -> Result:
    """What the command tells of two days of made-up figures."""
    days = iter([(lived(seconds / 60, 1.0), out_of_time), (lived(15, 1.2345), False)])
    monkeypatch.setattr(sidebyside, "_live", lambda *_: next(days))
    return CliRunner().invoke(build(), ["demo", "--config", str(CONFIG), "--compare"])


@pytest.mark.parametrize(
    ("outcomes", "late"),
    [
        (["verified", "installed"], False),
        (["verified", "up_to_date"], False),
        (["not_applied", "failed"], False),
        (["verified", "update_waiting"], False),
        (["verified", "unfinished"], True),
        (["missed", "verified"], True),
        (["did not end"], True),
    ],
)
def test_a_moment_is_out_of_time_that_was_not_over_in_it(
    outcomes: list[str],
    late: bool,  # noqa: FBT001 - a table
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Not begun, not over or never told: these say that time ran out, and no other outcome does."""
    at = evening("07:15")
    day = ShowDay(load(CONFIG), at, at + timedelta(hours=1), 2400, [], out=lambda _: None)
    monkeypatch.setattr(day, "rows", lambda: [Row(at, outcome, "", good=False) for outcome in outcomes])

    assert day.out_of_time() is late


def test_a_moment_that_never_ended_is_seen_by_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    """A day in which nothing is told of the file's moment, and the battery stood still in the peak: time may have run out."""

    class Stopped:
        """A witness of a quarter of an hour out of service."""

        def account(self, *_: object) -> Lived:
            """The same for both days."""
            return lived(15)

    async def idle(*_: object) -> Stopped:
        """A day in which nobody does anything."""
        return Stopped()

    monkeypatch.setattr(ShowDay, "live", idle)
    result = CliRunner().invoke(build(), ["demo", "--config", str(CONFIG), "--compare"])

    assert result.exit_code == 4
    assert SLOW in result.stderr
