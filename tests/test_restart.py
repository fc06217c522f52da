"""Restarts of the gateway as the loop sees them: told once, with how long the battery stood still and what that cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from bench import MINUTE, Bench, bench, local, readme_schedule
from days import Run

from scheduler.control.agenda import Policy, agenda
from scheduler.control.diary import IDENTITY, Diary
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.control.restart import Restarts
from scheduler.model.errors import Throttled
from scheduler.model.events import FirmwareChanged, FoundStopped, StoodStill
from scheduler.model.reading import Identity
from scheduler.plan.rules import Schedule, Window
from scheduler.simulator.record import stopped_between

LOGIN = "POST /api/login/Basic"
METERS = "GET /api/meters/aggregates"
SITEMASTER = "GET /api/sitemaster"
STATUS = "GET /api/status"
PEAK, OFF_PEAK = 0.45, 0.28
BEFORE = Identity(firmware="1.45.2", start_time="2026-06-01 10:00:00 +0800")
AFTER = Identity(firmware="1.46.0", start_time="2026-07-01 19:10:00 +0800")


def schedule(currency: str = "USD", *, priced: bool = True) -> Schedule:
    """The use case of the README in dollars, and without a moment: nothing is installed by us."""
    plain = readme_schedule()
    periods = plain.tariff.periods
    if not priced:
        periods = tuple(replace(period, import_price=None) for period in periods)
    return replace(
        plain,
        tariff=replace(plain.tariff, currency=currency, periods=periods),
        rules=tuple(rule for rule in plain.rules if isinstance(rule, Window)),
    )


async def lived(start: str, until: str, *sentences: str) -> tuple[Bench, Run]:
    """A loop that ran from ``start`` to ``until`` while this happened to its gateway."""
    b = bench(local(start))
    for sentence in sentences:
        b.scenario(sentence)
    run = Run(b, schedule())
    await run.until(local(until))
    return b, run


def really(b: Bench, told: StoodStill) -> float:
    """For how many seconds the battery stood still around there, by the gateway's own record."""
    return stopped_between(b.device.history, told.since, told.until).total_seconds()


@pytest.mark.parametrize(
    "sentences",
    [
        ("upgrades itself at 19:02",),
        ("upgrades itself at 19:04",),
        ("reboots at 19:00",),
        ("reboots at 19:01",),
        ("an install lasts for 15m", "upgrades itself at 19:03"),
        ("an install lasts for 20m", "upgrades itself at 19:00"),
        ("reboots at 19:02", "reboots at 19:03"),
    ],
)
async def test_the_bounds_of_a_standstill_hold_what_really_was(sentences: tuple[str, ...]) -> None:
    """However it falls between two looks, the gateway's own record lies within what is told, and it is told once."""
    b, run = await lived("18:30", "20:00", *sentences)

    (told,) = run.told(StoodStill)
    assert told.at_least_s <= really(b, told) <= told.at_most_s
    assert (told.until - told.since).total_seconds() == pytest.approx(told.at_most_s)
    assert (
        told.at_most_s - really(b, told) <= 360
    )  # a look each five minutes, and pauses of a minute at the most
    assert stopped_between(b.device.history, local("19:00"), told.since) == timedelta(0)
    assert stopped_between(b.device.history, told.until, local("20:00")) <= timedelta(seconds=5)
    assert len(run.told(FirmwareChanged)) == 1


async def test_what_a_standstill_in_the_peak_cost_is_told() -> None:
    """The watts before and after, for as long as it may have lasted, at the price of the hour; said in words as well."""
    _, run = await lived("18:30", "20:00", "an install lasts for 15m", "upgrades itself at 19:03")

    (told,) = run.told(StoodStill)
    assert told.boundary is None
    hours = told.at_most_s / 3600
    assert told.lost_wh is not None
    assert 1350 * hours < told.lost_wh < 1650 * hours  # the house's evening: 1.4 kW rising to 1.7
    assert told.cost == pytest.approx(told.lost_wh / 1000 * PEAK, abs=1e-4)
    assert told.currency == "USD"
    assert f"that cost {told.cost:.2f} USD at most" in told.message
    assert "at most 19 minutes" in told.message
    assert "boundary" not in told.message


async def test_the_boundary_that_a_standstill_hit_is_told() -> None:
    """At 22:05 the battery was to stop giving: what it lost is what it would have given until then."""
    b, run = await lived("21:30", "22:45", "an install lasts for 15m", "upgrades itself at 21:58")

    (told,) = run.told(StoodStill)
    assert told.boundary == local("22:05")
    assert told.since == local("21:55")
    assert told.at_least_s <= really(b, told) <= told.at_most_s
    assert told.lost_wh == pytest.approx(10 / 60 * 950, abs=10)  # from the last look to the boundary
    assert told.cost == pytest.approx(5 / 60 * 0.950 * OFF_PEAK + 5 / 60 * 0.950 * 0.13, abs=0.002)
    assert "with a boundary within" in told.message
    assert b.device.obeyed.mode == "backup"


async def test_a_version_by_itself_is_told_with_how_long_the_gateway_was_gone() -> None:
    """Both versions, that it was not by us, and the seconds since it answered well for the last time."""
    _, run = await lived("18:30", "20:00", "upgrades itself at 19:02")

    (changed,) = run.told(FirmwareChanged)
    (still,) = run.told(StoodStill)
    assert (changed.before, changed.after, changed.by_us) == ("1.45.2", "1.46.0", False)
    assert "from firmware 1.45.2 to 1.46.0, by itself" in changed.message
    assert changed.took_s == pytest.approx((changed.at - still.since).total_seconds())


async def test_a_reboot_is_told_as_one() -> None:
    """The same version started anew is a restart, and nobody claims to know who did it."""
    _, run = await lived("18:30", "20:00", "reboots at 19:02")

    (changed,) = run.told(FirmwareChanged)
    assert (changed.before, changed.after, changed.by_us) == ("1.45.2", "1.45.2", False)
    assert "was restarted (firmware 1.45.2), not by us" in changed.message


async def test_a_gateway_that_is_only_not_reached_stood_not_still() -> None:
    """Fifteen minutes without an answer and the same start as before: the battery went on, and nothing is told."""
    b, run = await lived("18:30", "20:00", "offline for 15 minutes at 19:02")

    assert run.told(StoodStill) == []
    assert run.told(FirmwareChanged) == []
    assert b.device.requests[STATUS] > 5


async def test_an_outage_before_a_restart_does_not_lengthen_it() -> None:
    """A gateway that was not reached, was well again, and restarted an hour later stood still for the restart only."""
    b, run = await lived("17:30", "20:00", "offline for 15 minutes at 18:02", "reboots at 19:00")

    (told,) = run.told(StoodStill)
    assert told.at_least_s <= really(b, told) == 120
    assert told.since >= local("18:50")


async def test_a_standstill_until_a_person_ends_it_is_told_with_its_whole_length() -> None:
    """Stopped after the upgrade: said at once, and once it runs again how long that was."""
    b = bench(local("18:30"))
    for sentence in ("stays stopped after an upgrade", "upgrades itself at 19:02"):
        b.scenario(sentence)
    b.device.later(local("19:40"), b.device.run)
    run = Run(b, schedule())

    await run.until(local("19:39"))
    assert len(run.told(FoundStopped)) == 1
    assert run.told(StoodStill) == []

    await run.until(local("20:00"))
    (told,) = run.told(StoodStill)
    assert told.since == local("19:00")
    assert local("19:40") <= told.until <= local("19:42")
    assert told.at_least_s <= really(b, told) == 38 * 60 <= told.at_most_s


async def test_what_happened_while_nobody_watched_is_told_as_far_as_it_is_known() -> None:
    """A run that begins with another version than the last one ended with tells that, and guesses nothing."""
    b, _ = await lived("18:30", "18:40", "upgrades itself at 19:02")
    b.clock.passed_s += 3600
    b.restart()
    run = Run(b, schedule())

    await run.until(local("20:30"))

    (changed,) = run.told(FirmwareChanged)
    assert (changed.before, changed.after, changed.took_s) == ("1.45.2", "1.46.0", None)
    assert "while nobody watched" in changed.message
    assert run.told(StoodStill) == []


async def test_a_run_that_finds_the_gateway_as_it_was_tells_nothing() -> None:
    """Since when a version is known outlasts us, and is written when it changes and not before."""
    b, _ = await lived("18:30", "18:40")
    known = Diary(b.moments, "").section(IDENTITY)
    assert known["firmware"] == "1.45.2"
    assert datetime.fromisoformat(known["since"]) == local("18:30")

    b.restart()
    run = Run(b, schedule())
    await run.until(local("19:00"))

    assert run.told(FirmwareChanged) == []
    assert Diary(b.moments, "").section(IDENTITY) == known


# The watch on its own, one call after the other.


class Watch:
    """A watch over the bench's gateway, which gives 1000 W, and what it told."""

    def __init__(self, b: Bench, its: Schedule | None = None) -> None:
        self.bench = b
        self.restarts = Restarts(b.gateway, b.session, b.clock, b.events.append, Diary(b.moments, ""))
        policy = Policy(schedule=its or schedule(), on_drift="yield", verify_s=300, digest="d")
        self._agenda = agenda(policy, b.clock.now())

    def restarted(self, *, away: timedelta = 5 * MINUTE) -> None:
        """A gateway that was well restarts, and answers after so long."""
        self.restarts.learn(BEFORE, installing_since=None)
        self.restarts.well(1000)
        self.bench.clock.passed_s += away.total_seconds()
        self.restarts.learn(AFTER, installing_since=None)

    async def settle(self, *, after: timedelta = timedelta(0)) -> None:
        """A cycle, so much later."""
        self.bench.clock.passed_s += after.total_seconds()
        await self.restarts.settle(self._agenda)

    @property
    def told(self) -> list[StoodStill]:
        """The standstills so far."""
        return [event for event in self.bench.events if isinstance(event, StoodStill)]

    @property
    def changed(self) -> list[FirmwareChanged]:
        """The restarts so far."""
        return [event for event in self.bench.events if isinstance(event, FirmwareChanged)]


def meters(b: Bench, battery_w: float) -> None:
    """From now on the meters say that the battery gives this."""
    others = ", ".join(f'"{name}": {{"instant_power": 0}}' for name in ("site", "load", "solar"))
    b.wire.answers[METERS] = (200, f'{{"battery": {{"instant_power": {battery_w}}}, {others}}}'.encode())


async def test_a_standstill_costs_no_login() -> None:
    """Where only a login would tell whether the battery runs it is waited for somebody else's."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted()
    b.wire.answers[SITEMASTER] = (401, b"")

    for _ in range(5):
        await watch.settle(after=5 * MINUTE)
    assert watch.told == []
    del b.wire.answers[SITEMASTER]
    b.wire.answers[METERS] = (401, b"")
    await watch.settle(after=5 * MINUTE)
    await watch.settle(after=5 * MINUTE)

    assert [event.at_most_s for event in watch.told] == [35 * 60]
    assert LOGIN not in b.story


async def test_the_meters_are_given_time_to_show_what_the_battery_does() -> None:
    """Right after a restart a battery gives nothing yet: what it gives is read after the grace time, and only then told."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted(away=6 * MINUTE)
    meters(b, 0)
    await watch.settle()
    assert watch.told == []
    assert watch.restarts.due_s == b.clock.monotonic() + b.gateway.pace.effect_grace_s

    meters(b, 3000)
    await watch.settle(after=2 * MINUTE)

    assert [(event.at_most_s, event.lost_wh) for event in watch.told] == [(360, pytest.approx(200))]
    assert watch.restarts.due_s is None


async def test_meters_that_fail_for_long_are_not_waited_for() -> None:
    """They are asked once a minute, never in haste, and in the end it is told by what was seen before."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted(away=6 * MINUTE)
    b.wire.answers[METERS] = (502, b"")
    asked = 0
    while not watch.told:
        await watch.settle()
        assert watch.told or (watch.restarts.due_s or 0) > b.clock.monotonic()
        b.clock.passed_s = max(watch.restarts.due_s or 0, b.clock.passed_s)
        asked += 1
        assert asked < 20

    (told,) = watch.told
    assert (told.lost_wh, told.cost) == (pytest.approx(100), pytest.approx(0.1 * PEAK))
    assert told.until == local("19:06")
    assert timedelta(minutes=10) <= told.at - told.until <= timedelta(minutes=15)


async def test_two_restarts_in_a_row_are_one_standstill() -> None:
    """A gateway that restarts again before the first standstill is told stood still around both."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted()
    watch.restarts.missed()
    b.clock.passed_s += 30
    watch.restarts.missed()
    await watch.settle()
    b.clock.passed_s += 60
    watch.restarts.missed()
    b.clock.passed_s += 45
    watch.restarts.missed()
    watch.restarts.learn(replace(AFTER, firmware="1.47.0"), installing_since=None)
    await watch.settle(after=MINUTE)
    await watch.settle(after=2 * MINUTE)
    await watch.settle(after=10 * MINUTE)

    assert [event.after for event in watch.changed] == ["1.46.0", "1.47.0"]
    assert [(event.at_least_s, event.at_most_s) for event in watch.told] == [(75, 495)]


async def test_a_step_of_the_clock_meanwhile_moves_both_ends() -> None:
    """A gateway and a machine may come back from one power cut: the length is the steady clock's."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted()
    b.clock.step = timedelta(hours=-3)
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    (told,) = watch.told
    assert told.at_most_s == (told.until - told.since).total_seconds() == 300
    assert told.until == local("16:05")


async def test_a_gateway_that_was_never_seen_well_has_no_standstill() -> None:
    """Without an instant before it there is no length: the restart alone is told, without a time."""
    b = bench(local("19:00"))
    watch = Watch(b)
    assert watch.restarts.identity is None
    assert not watch.restarts.learn(BEFORE, installing_since=None)
    assert watch.restarts.learn(AFTER, installing_since=None)
    assert not watch.restarts.learn(AFTER, installing_since=None)
    await watch.settle()
    await watch.settle(after=10 * MINUTE)

    assert watch.restarts.identity == AFTER
    assert [event.took_s for event in watch.changed] == [None]
    assert watch.told == []


async def test_an_install_of_ours_is_told_as_one_and_its_standstill_too() -> None:
    """It is by us, it took from when we said so, and what it cost is told like any other."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarts.learn(BEFORE, installing_since=None)
    watch.restarts.well(1000)
    b.clock.passed_s += 420
    watch.restarts.learn(AFTER, installing_since=local("19:03"))
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    assert [(event.by_us, event.took_s) for event in watch.changed] == [(True, 240)]
    assert "as we told it to" in watch.changed[0].message
    assert [event.at_most_s for event in watch.told] == [420]


async def test_an_install_that_came_back_while_nobody_watched_is_ours_all_the_same() -> None:
    """Whoever was killed in an install finds a new start: told as ours, and not how long it took."""
    b = bench(local("19:00"))
    Watch(b).restarts.learn(BEFORE, installing_since=None)
    watch = Watch(b)

    assert watch.restarts.learn(AFTER, installing_since=local("18:30"))

    assert [(event.by_us, event.took_s) for event in watch.changed] == [(True, None)]
    assert "as we told it to, while nobody watched" in watch.changed[0].message


@pytest.mark.parametrize(
    "kept",
    [{"firmware": 3, "start_time": "x"}, {"firmware": "1.45.2"}, {"start_time": ["x"]}, {"since": "never"}],
)
async def test_a_note_of_the_version_that_cannot_be_read_counts_as_none(kept: dict[str, object]) -> None:
    """A file that somebody has edited is written anew, and nothing is told by it."""
    b = bench(local("19:00"))
    Diary(b.moments, "").put(IDENTITY, kept)
    watch = Watch(b)

    assert not watch.restarts.learn(AFTER, installing_since=None)

    assert watch.changed == []
    assert Diary(b.moments, "").section(IDENTITY) == {
        "firmware": "1.46.0",
        "start_time": AFTER.start_time,
        "since": "2026-07-02T02:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("status", "most_s", "lost_wh"),
    [
        (200, 360, 1600 * 0.1),  # the mean of 1000 W before and 2200 W after
        (401, 360, 2200 * 0.1),  # seen well, and only the watts after are known
        (403, 360, 2200 * 0.1),
        (502, 660, 2100 * 660 / 3600),  # not seen well: the look before it counts, at which it gave 2000 W
        (500, 660, 2100 * 660 / 3600),
    ],
)
async def test_only_a_look_that_sees_it_well_counts(status: int, most_s: float, lost_wh: float) -> None:
    """Meters that are shut leave the watts open; meters that fail may be the first sign that it stopped."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarts.learn(BEFORE, installing_since=None)
    meters(b, 2000)
    await watch.restarts.look()
    b.clock.passed_s += 300
    meters(b, 1000)
    b.wire.answers[METERS] = (status, b.wire.answers[METERS][1])
    await watch.restarts.look()
    b.clock.passed_s += 360
    watch.restarts.learn(AFTER, installing_since=None)
    meters(b, 2200)
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    assert [(event.at_most_s, event.lost_wh) for event in watch.told] == [(most_s, pytest.approx(lost_wh))]


async def test_a_gateway_that_wants_silence_is_not_asked_on() -> None:
    """A 429 on any of these calls passes through, and what was open stays open."""
    b = bench(local("19:00"))
    watch = Watch(b)
    b.wire.answers |= {METERS: (429, b"")}
    with pytest.raises(Throttled):
        await watch.restarts.look()
    b.restart()
    watch = Watch(b)
    watch.restarted()
    b.wire.answers = {SITEMASTER: (429, b"")}
    with pytest.raises(Throttled):
        await watch.settle()
    assert watch.told == []


@pytest.mark.parametrize(
    ("away", "after_w", "its", "words"),
    [
        (timedelta(seconds=40), 1000, schedule(), "for at most a minute around the restart of the gateway; that"),
        (timedelta(seconds=301), 1000, schedule(), "for at most 6 minutes around the restart of the gateway; that"),
        (5 * MINUTE, 1000, schedule(), "; that cost 0.04 USD at most"),
        (5 * MINUTE, 1000, schedule(""), "; that cost 0.04 at most"),
        (5 * MINUTE, -3000, schedule(), "; that cost 0.02 USD at most"),
        (6 * MINUTE, 3000, schedule(priced=False), "; it would have given at most 0.2 kWh"),
        (65 * MINUTE, -3000, schedule(), "; that cost 0.24 USD at most"),
    ],
)  # fmt: skip
async def test_a_standstill_is_told_in_words(
    *, away: timedelta, after_w: float, its: Schedule, words: str
) -> None:
    """Minutes rounded so that they hold, and money only in a currency that the file names."""
    b = bench(local("19:00"))
    watch = Watch(b, its)
    watch.restarted(away=away)
    meters(b, after_w)
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    assert f"{words} " in f"{watch.told[0].message} "


async def test_a_standstill_that_nobody_can_price_is_told_all_the_same() -> None:
    """Watts that were never seen leave energy and money open, in the fields and in words."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarts.learn(BEFORE, installing_since=None)
    watch.restarts.well(None)
    b.clock.passed_s += 180
    watch.restarts.learn(AFTER, installing_since=None)
    b.wire.answers[METERS] = (403, b"")
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    (told,) = watch.told
    assert (told.lost_wh, told.cost) == (None, None)
    assert told.message == "the battery stood still for at most 3 minutes around the restart of the gateway"


async def test_a_battery_that_charged_cost_nothing() -> None:
    """At noon under the sun a standstill is told, and that it was free."""
    _, run = await lived("08:30", "09:30", "upgrades itself at 09:02")

    (told,) = run.told(StoodStill)
    assert (told.lost_wh, told.cost) == (0, 0)
    assert told.message.endswith("; that cost nothing")


async def test_misses_before_the_battery_was_well_do_not_count() -> None:
    """They were of something else, even if no cycle came to its end between them and the restart."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarts.learn(BEFORE, installing_since=None)
    watch.restarts.missed()
    b.clock.passed_s += 600
    watch.restarts.missed()
    watch.restarted()
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    assert [(event.at_least_s, event.at_most_s) for event in watch.told] == [(0, 300)]


async def test_misses_count_only_if_the_gateway_did_not_answer_as_before_since() -> None:
    """An outage that ended with the same start, or with a battery that is well, is no part of a later standstill."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarts.learn(BEFORE, installing_since=None)
    watch.restarts.missed()
    b.clock.passed_s += 600
    watch.restarts.missed()
    watch.restarts.well(1000)
    watch.restarts.missed()
    await watch.settle()
    b.clock.passed_s += 60
    watch.restarts.missed()
    b.clock.passed_s += 20
    watch.restarts.missed()
    watch.restarts.learn(AFTER, installing_since=None)
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    assert [(event.at_least_s, event.at_most_s) for event in watch.told] == [(20, 80)]


async def test_a_standstill_ends_when_the_battery_is_first_seen_well() -> None:
    """Where a site controller does not say whether it runs a look that goes well says so, and later ones change nothing."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted()
    b.wire.answers[SITEMASTER] = (404, b"")
    await watch.settle(after=MINUTE)
    watch.restarts.well(1000)
    b.clock.passed_s += 60
    watch.restarts.well(1000)
    await watch.settle(after=MINUTE)

    assert [event.at_most_s for event in watch.told] == [360]


async def test_a_battery_that_is_seen_stopped_surely_stood_still() -> None:
    """From the first sign to the last: it was gone, and then there and stopped until a person started it."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted()
    watch.restarts.missed()
    b.device.stop()
    for _ in range(3):
        await watch.settle(after=10 * MINUTE)
    b.device.run()
    await watch.settle(after=MINUTE)
    await watch.settle(after=2 * MINUTE)

    (told,) = watch.told
    assert (told.at_least_s, told.at_most_s) == (30 * 60, 36 * 60)
    assert "for 30 to 36 minutes" in told.message


async def test_bounds_that_are_one_are_said_once() -> None:
    """A length that is known to the minute is one number."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarts.learn(BEFORE, installing_since=None)
    watch.restarts.well(1000)
    watch.restarts.missed()
    b.clock.passed_s += 240
    watch.restarts.missed()
    watch.restarts.learn(AFTER, installing_since=None)
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    assert "stood still for 4 minutes around" in watch.told[0].message


@pytest.mark.parametrize("step", ["settle", "look"])
async def test_a_stop_of_ours_is_not_taken_for_the_gateways(step: str) -> None:
    """What a login of ours stopped is started before anything is asked, so that it lengthens nothing."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted()
    b.marks.note(MAY_HAVE_STOPPED)
    b.device.stop()
    if step == "settle":
        await watch.settle()
    else:
        await watch.restarts.look()

    assert b.device.obeyed.running
    assert watch.restarts.due_s == b.clock.monotonic() + b.gateway.pace.effect_grace_s


@pytest.mark.parametrize(
    ("began", "hit"), [("22:00", "22:05"), ("22:01", "22:05"), ("22:05", None), ("21:59", None)]
)
async def test_a_boundary_is_hit_after_the_battery_was_well(began: str, hit: str | None) -> None:
    """One at which it was still well is none, and one at which it was well again was late."""
    b = bench(local(began))
    watch = Watch(b)
    watch.restarted()
    await watch.settle()
    await watch.settle(after=2 * MINUTE)

    assert [event.boundary for event in watch.told] == [hit and local(hit)]


async def test_silence_that_the_meters_want_keeps_it_open() -> None:
    """A 429 while the watts are asked passes through; it is told when they can be asked again."""
    b = bench(local("19:00"))
    watch = Watch(b)
    watch.restarted()
    await watch.settle()
    b.wire.answers[METERS] = (429, b"")
    with pytest.raises(Throttled):
        await watch.settle(after=2 * MINUTE)
    assert watch.told == []
    meters(b, 1000)
    await watch.settle(after=10 * MINUTE)

    assert [event.at_most_s for event in watch.told] == [300]


async def test_a_restart_before_the_first_identity_of_a_run_has_no_length() -> None:
    """A battery that was well before it was known who answers says nothing about when that one started."""
    b = bench(local("19:00"))
    Watch(b).restarts.learn(BEFORE, installing_since=None)
    watch = Watch(b)
    watch.restarts.well(1000)
    assert watch.restarts.learn(AFTER, installing_since=None)
    await watch.settle()
    await watch.settle(after=10 * MINUTE)

    assert watch.told == []
