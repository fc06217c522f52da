"""Trouble in words: each sentence makes the simulated gateway do what it says."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from scheduler.model.reading import Grid
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.house import raw_percent
from scheduler.simulator.mischief import Mischief
from scheduler.simulator.personality import PERSONALITIES
from scheduler.simulator.refusals import Refusal
from scheduler.simulator.scenario import SENTENCES, apply_scenario, known_sentences, next_passing
from scheduler.simulator.sessions import Role

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)  # 20:00 in Los Angeles


class Stage:
    """A gateway and the hands of its clock."""

    def __init__(self) -> None:
        self.time = START
        self.device = SimulatedGateway(now=lambda: self.time)

    def after(self, **span: float) -> SimulatedGateway:
        """The gateway, some time later."""
        self.time += timedelta(**span)
        self.device.now()
        return self.device

    def switch(self, mode: str, reserve: float) -> None:
        """Write and commit."""
        self.device.write(mode, reserve)
        self.device.commit()


@pytest.fixture
def stage() -> Stage:
    """A gateway in self_consumption with a reserve of raw 24 percent, half charged."""
    return Stage()


def test_ignores_writes(stage: Stage) -> None:
    """Every write is claimed to be taken, none is."""
    apply_scenario(stage.device, "ignores writes")
    for _ in range(3):
        assert stage.device.write("backup", 100).mode == "backup"
    assert stage.device.shown.mode == "self_consumption"


def test_ignores_the_next_write(stage: Stage) -> None:
    """Only the first write is lost."""
    apply_scenario(stage.device, "Ignores  the next WRITE")
    stage.switch("backup", 100)
    assert stage.device.shown.mode == stage.device.obeyed.mode == "self_consumption"
    stage.switch("backup", 100)
    assert stage.device.shown.mode == stage.device.obeyed.mode == "backup"


def test_ignores_the_next_so_many_writes(stage: Stage) -> None:
    """Three writes are lost, the fourth is not."""
    apply_scenario(stage.device, "ignores the next 3 writes")
    kept: list[str] = []
    for _ in range(4):
        stage.device.write("backup", None)
        kept.append(stage.device.shown.mode)
    assert kept == ["self_consumption"] * 3 + ["backup"]


@pytest.mark.parametrize("sentence", ["applies the previous one", "One Step Late"])
def test_applies_the_previous_one(stage: Stage, sentence: str) -> None:
    """The gateway shows the new setting and obeys the one before; the same twice cures it."""
    apply_scenario(stage.device, sentence)
    stage.switch("backup", 100)
    assert (stage.device.shown.mode, stage.device.obeyed.mode) == ("backup", "self_consumption")
    stage.switch("self_consumption", 24)
    assert (stage.device.shown.mode, stage.device.obeyed.mode) == ("self_consumption", "backup")
    stage.switch("self_consumption", 24)
    assert stage.device.obeyed.mode == "self_consumption"


@pytest.mark.parametrize(("asked", "kept"), [(80, 80), (80.5, 80), (81, 80), (99, 80), (100, 100), (20, 20)])
def test_clamps_81_to_99(stage: Stage, asked: float, kept: float) -> None:
    """What the app would show as 81 to 99 % is claimed to be taken, and kept and obeyed as 80 %."""
    apply_scenario(stage.device, "clamps 81 to 99")
    assert stage.device.write(None, raw_percent(asked)).reserve_raw_percent == raw_percent(asked)
    stage.device.commit()
    assert stage.device.shown.reserve_raw_percent == raw_percent(kept)
    assert stage.device.obeyed.reserve_raw_percent == raw_percent(kept)


def test_float_drift(stage: Stage) -> None:
    """Reserves read a little more than was set, the present one too, and never drift further by themselves."""
    apply_scenario(stage.device, "float drift")
    assert stage.device.shown.reserve_raw_percent == 24.000019999999996
    stage.device.write(None, 5)
    stage.device.write("backup", None)
    assert stage.device.shown.reserve_raw_percent == 5.000019999999999


def test_float_drift_ends_exactly(stage: Stage) -> None:
    """When it is over, the reserve reads as it was set, and it was never obeyed otherwise."""
    apply_scenario(stage.device, "float drift for 5m")
    stage.device.commit()
    assert stage.device.obeyed.reserve_raw_percent == 24
    assert stage.after(minutes=4).shown.reserve_raw_percent == 24.000019999999996
    assert stage.after(minutes=1).shown.reserve_raw_percent == 24
    apply_scenario(stage.device, "float drift")
    apply_scenario(stage.device, "behaves again")
    assert stage.device.shown.reserve_raw_percent == 24


HABITS = {
    "ignores writes": lambda device: device.mischief.ignores_writes,
    "applies the previous one": lambda device: device.mischief.one_step_late,
    "clamps 81 to 99": lambda device: device.mischief.clamps,
    "float drift": lambda device: device.mischief.drifts,
    "stops slowly": lambda device: device.mischief.stops_slowly,
    "starts slowly": lambda device: device.mischief.starts_slowly,
    "refuses the wizard": lambda device: device.mischief.refuses_wizard,
    "is busy": lambda device: device.busy,
    "offline": lambda device: device.offline,
    "the grid fails": lambda device: device.obeyed.grid is Grid.ISLANDED,
    "a grid fault appears": lambda device: device.grid_faults != [],
    "checks fail": lambda device: device.now() < (device.mischief.checks_fail_until or START),
}
"""Whether a habit is there, by the sentence that begins it."""

DURATIONS = {"a check lasts", "a download lasts", "an install lasts", "an install begins late"}
"""Sentences that say how long something takes, and end with nothing: `test_simulator_updates.py` tries them."""


def test_every_habit_that_may_last_is_tried() -> None:
    """The table above holds every sentence that lasts and is no trouble of single answers."""
    assert set(HABITS) | DURATIONS | {"one step late"} == {
        words
        for words, sentence in SENTENCES.items()
        if "for" in sentence.takes and "to" not in sentence.takes
    }


@pytest.mark.parametrize("sentence", HABITS)
def test_a_habit_lasts_as_long_as_it_is_told_to(stage: Stage, sentence: str) -> None:
    """With "for 10m at 20:30" it begins and ends on the minute, and is there in between."""
    there = HABITS[sentence]
    apply_scenario(stage.device, f"{sentence} for 10m at 20:30")
    assert not there(stage.after(minutes=29))
    assert there(stage.after(minutes=1))
    assert there(stage.after(minutes=9))
    assert not there(stage.after(minutes=1))


@pytest.mark.parametrize("sentence", [words for words in HABITS if "for" not in SENTENCES[words].needs])
def test_a_habit_without_an_end_stays(stage: Stage, sentence: str) -> None:
    """Without a duration it is there a day later; only being busy ends by itself, after two minutes."""
    apply_scenario(stage.device, sentence)
    assert HABITS[sentence](stage.after(seconds=100))
    assert HABITS[sentence](stage.after(days=1)) is (sentence != "is busy")


@pytest.mark.parametrize("sentence", HABITS)
@pytest.mark.parametrize(("first", "second"), [("5m", "10m"), ("10m", "5m")])
def test_of_two_that_last_the_later_end_counts(stage: Stage, sentence: str, first: str, second: str) -> None:
    """Begun twice, a habit is there for as long as either of them says, whichever was said first."""
    there = HABITS[sentence]
    apply_scenario(stage.device, f"{sentence} for {first}")
    apply_scenario(stage.device, f"{sentence} for {second}")
    assert there(stage.after(minutes=9))
    assert not there(stage.after(minutes=1))


@pytest.mark.parametrize("sentence", [words for words in HABITS if words not in {"is busy", "offline"}])
@pytest.mark.parametrize("order", [1, -1])
def test_what_has_no_end_is_not_ended_by_what_has_one(stage: Stage, sentence: str, order: int) -> None:
    """A habit for good stays, whether the same for five minutes was said before it or after it."""
    for said in (sentence, f"{sentence} for 5m")[::order]:
        apply_scenario(stage.device, said)
    assert HABITS[sentence](stage.after(hours=1))


@pytest.mark.parametrize("sentence", ["ignores writes", "float drift", "clamps 81 to 99"])
def test_an_end_from_before_does_not_end_what_began_after(stage: Stage, sentence: str) -> None:
    """A habit that was ended by hand and began anew does not end when the first one would have."""
    apply_scenario(stage.device, f"{sentence} for 5m")
    stage.after(minutes=1)
    apply_scenario(stage.device, "behaves again")
    apply_scenario(stage.device, sentence)
    assert HABITS[sentence](stage.after(minutes=5))
    apply_scenario(stage.device, "behaves again")
    apply_scenario(stage.device, f"{sentence} for 5m")
    assert not HABITS[sentence](stage.after(minutes=5))


def test_an_outage_ends_when_the_last_one_was_to_end(stage: Stage) -> None:
    """A return of the grid ends all that was said before it; "behaves again" lets an outage end in its time."""
    for sentence in ("the grid fails for 5m", "the grid fails"):
        apply_scenario(stage.device, sentence)
        apply_scenario(stage.device, "the grid returns")
    apply_scenario(stage.device, "the grid fails for 10m")
    apply_scenario(stage.device, "behaves again")
    assert stage.after(minutes=9).obeyed.grid is Grid.ISLANDED
    assert stage.after(minutes=1).obeyed.grid is Grid.CONNECTED


def test_lost_writes_are_counted_apart_from_ignored_ones(stage: Stage) -> None:
    """The next write is lost even if all were ignored in between, and the end of that leaves it so."""
    apply_scenario(stage.device, "ignores the next write")
    apply_scenario(stage.device, "ignores writes for 5m")
    stage.device.write("backup", None)
    stage.after(minutes=5)
    stage.device.write("backup", None)
    assert stage.device.shown.mode == "self_consumption"
    stage.device.write("backup", None)
    assert stage.device.shown.mode == "backup"


def test_each_fault_of_the_grid_clears_in_its_own_time(stage: Stage) -> None:
    """One that lasts five minutes takes no other one with it."""
    apply_scenario(stage.device, "a grid fault appears for 5m")
    stage.after(minutes=1)
    apply_scenario(stage.device, "a grid fault appears")
    assert [fault.at for fault in stage.after(minutes=5).grid_faults] == [START + timedelta(minutes=1)]


def test_a_firmware_that_is_late_by_itself_stays_so(stage: Stage) -> None:
    """On 1.43.3 the end of "applies the previous one" leaves what the firmware does anyway; on others it is over."""
    late = SimulatedGateway(now=lambda: stage.time, personality=PERSONALITIES["1.43.3"])
    for device in (late, stage.device):
        apply_scenario(device, "applies the previous one for 5m")
    stage.after(minutes=5)
    late.now()
    assert late.mischief.one_step_late
    assert not stage.device.mischief.one_step_late


def test_behaving_again_brings_no_old_certificate_back(stage: Stage) -> None:
    """A certificate that was replaced stays replaced."""
    apply_scenario(stage.device, "certificate replaced")
    apply_scenario(stage.device, "behaves again")
    assert stage.device.mischief.certificate == 1


def test_behaves_again(stage: Stage) -> None:
    """Every habit and every trouble is over at once; a step behind stays with the firmware that always is."""
    for sentence in ("ignores writes", "float drift", "offline for 2h", "resets", "answers late for 5m"):
        apply_scenario(stage.device, sentence)
    apply_scenario(stage.device, "behaves again")
    assert stage.device.mischief == Mischief()
    assert not stage.device.offline
    late = SimulatedGateway(now=lambda: START, personality=PERSONALITIES["1.43.3"])
    apply_scenario(late, "behaves again")
    assert late.mischief == Mischief(one_step_late=True)


@pytest.mark.parametrize(
    ("words", "lasts"),
    [
        ("15 minutes", timedelta(minutes=15)),
        ("1 minute", timedelta(minutes=1)),
        ("90 seconds", timedelta(seconds=90)),
        ("2 hours", timedelta(hours=2)),
        ("15m", timedelta(minutes=15)),
        ("90 S", timedelta(seconds=90)),
        ("2h", timedelta(hours=2)),
    ],
)
def test_offline(stage: Stage, words: str, lasts: timedelta) -> None:
    """It is gone for exactly as long as the sentence says."""
    apply_scenario(stage.device, f"offline for {words}")
    assert stage.after(seconds=lasts.total_seconds() - 1).offline
    assert not stage.after(seconds=1).offline


def test_token_expires(stage: Stage) -> None:
    """A token that was good is too old at once, and a new one is good."""
    token, _ = stage.device.login("customer", "56789", stop_under_load=False)
    apply_scenario(stage.device, "token expires")
    with pytest.raises(Refusal, match="401"):
        stage.device.sessions.role_of(token, stage.time)
    token, _ = stage.device.login("customer", "56789", stop_under_load=False)
    assert stage.device.sessions.role_of(token, stage.time) is Role.CUSTOMER


def test_token_is_forgotten(stage: Stage) -> None:
    """A token that was good is nobody's, and a new one is good."""
    token, _ = stage.device.login("customer", "56789", stop_under_load=False)
    apply_scenario(stage.device, "token is forgotten")
    assert stage.device.sessions.role_of(token, stage.time) is None
    token, _ = stage.device.login("customer", "56789", stop_under_load=False)
    assert stage.device.sessions.role_of(token, stage.time) is Role.CUSTOMER


def test_somebody_uses_the_app(stage: Stage) -> None:
    """Backup and 50 percent, raw 52.5, are shown and in force without a commit."""
    apply_scenario(stage.device, "somebody uses the app")
    assert (stage.device.shown.mode, stage.device.shown.reserve_raw_percent) == ("backup", 52.5)
    assert (stage.device.obeyed.mode, stage.device.obeyed.reserve_raw_percent) == ("backup", 52.5)


def test_somebody_stops_it(stage: Stage) -> None:
    """The battery stands still although nobody logged in through the API."""
    apply_scenario(stage.device, "somebody stops it")
    assert not stage.device.obeyed.running
    assert not stage.device.requests


def test_is_busy(stage: Stage) -> None:
    """For two minutes, not longer."""
    apply_scenario(stage.device, "is busy")
    assert stage.after(seconds=119).busy
    assert not stage.after(seconds=1).busy


def test_forgets_to_start(stage: Stage) -> None:
    """The first run does nothing, the second one starts the battery."""
    stage.device.stop()
    apply_scenario(stage.device, "forgets to start")
    stage.device.run()
    assert not stage.device.obeyed.running
    stage.device.run()
    assert stage.device.obeyed.running


def test_stops_slowly(stage: Stage) -> None:
    """An installer's login is answered at once, and its stop comes two seconds later, whatever was said in between."""
    apply_scenario(stage.device, "stops slowly")
    stage.device.login("installer", stage.device.sessions.installer_password, stop_under_load=False)
    stage.after(seconds=1)
    stage.device.run()
    assert stage.device.obeyed.running
    assert not stage.after(seconds=1).obeyed.running


def test_starts_slowly(stage: Stage) -> None:
    """The battery runs two seconds after it was told to, however often it is told; a stop in between has the last word."""
    apply_scenario(stage.device, "starts slowly")
    stage.device.stop()
    stage.device.run()
    stage.after(seconds=1)
    stage.device.run()
    assert not stage.device.obeyed.running
    assert stage.after(seconds=1).obeyed.running

    stage.device.stop()
    stage.device.run()
    stage.after(seconds=1)
    stage.device.stop()
    assert not stage.after(seconds=9).obeyed.running

    stage.device.run()
    stage.after(seconds=1)
    apply_scenario(stage.device, "reboots")
    assert not stage.after(seconds=9).obeyed.running


def test_refuses_the_wizard(stage: Stage) -> None:
    """While power flows an installer gets in only by force; the customer always does."""
    apply_scenario(stage.device, "refuses the wizard")
    with pytest.raises(Refusal, match="500 Cannot Start Wizard"):
        stage.device.login("installer", "ST123456789", stop_under_load=False)
    assert stage.device.obeyed.running
    stage.device.login("customer", "56789", stop_under_load=False)
    stage.device.login("installer", "ST123456789", stop_under_load=True)
    assert not stage.device.obeyed.running
    stage.device.login("installer", "ST123456789", stop_under_load=False)


def walk(stage: Stage) -> list[tuple[int, str, tuple[str, ...]]]:
    """What the updater says in the five minutes after a check: second, state and words of each change."""
    stage.device.updater.check(stage.time, stage.device.mischief)
    seen: list[tuple[int, str, tuple[str, ...]]] = []
    for second in range(0, 300, 5):
        now = stage.time + timedelta(seconds=second)
        said = (stage.device.updater.state(now), stage.device.updater.status(now))
        if not seen or seen[-1][1:] != said:
            seen.append((second, *said))
    stage.after(seconds=300)
    return seen


def test_without_an_update_a_check_finds_nothing(stage: Stage) -> None:
    """It looks for 20 seconds and says /update_failed, nonactionable: nothing to install."""
    assert walk(stage) == [(0, "/clear_update_status", ()), (20, "/update_failed", ("nonactionable",))]


def test_has_an_update(stage: Stage) -> None:
    """The check walks to a staged update, and a second check finds it staged again."""
    apply_scenario(stage.device, "has an update")
    assert walk(stage) == [
        (0, "/clear_update_status", ()),
        (60, "/download", ()),
        (120, "/update_downloaded", ()),
        (180, "/update_staged", ()),
    ]
    assert walk(stage) == [(0, "/clear_update_status", ()), (20, "/update_staged", ())]


def test_an_install_takes_the_gateway_away_for_two_minutes(stage: Stage) -> None:
    """It comes back running, with a new version and start time, the same setting, and no memory of tokens."""
    token, _ = stage.device.login("customer", "56789", stop_under_load=False)
    apply_scenario(stage.device, "has an update")
    walk(stage)
    stage.device.restarts.install()
    assert stage.device.offline
    assert not stage.device.obeyed.running
    device = stage.after(minutes=2)
    assert (device.offline, device.obeyed.running) == (False, True)
    assert (device.firmware, device.start_time) == ("1.46.0", stage.time)
    assert device.sessions.role_of(token, stage.time) is None
    assert device.updater.state(stage.time) == "/update_succeeded"
    assert device.updater.status(stage.time) == ("nonactionable",)
    assert (device.shown.mode, device.obeyed.mode) == ("self_consumption", "self_consumption")


def test_reboots(stage: Stage) -> None:
    """It is gone for two minutes and comes back with a new start time, the same firmware, running, and no tokens."""
    token, _ = stage.device.login("customer", "56789", stop_under_load=False)
    apply_scenario(stage.device, "reboots")
    assert stage.after(seconds=119).offline
    assert not stage.device.obeyed.running
    device = stage.after(seconds=1)
    assert (device.offline, device.obeyed.running) == (False, True)
    assert (device.firmware, device.start_time) == ("1.45.2", stage.time)
    assert device.sessions.role_of(token, stage.time) is None


@pytest.mark.parametrize(
    ("first", "second"), [("upgrades itself", "reboots"), ("reboots", "upgrades itself")]
)
def test_a_reboot_amid_an_upgrade_makes_it_come_back_once(stage: Stage, first: str, second: str) -> None:
    """It is gone until the later of both ends, and comes back at that instant alone, with the new firmware."""
    apply_scenario(stage.device, first)
    stage.after(minutes=1)
    apply_scenario(stage.device, second)
    device = stage.after(seconds=119)
    assert (device.offline, device.obeyed.running, device.firmware) == (True, False, "1.45.2")
    device = stage.after(seconds=1)
    assert (device.offline, device.obeyed.running, device.firmware) == (False, True, "1.46.0")
    assert device.start_time == START + timedelta(minutes=3)
    assert [(at - START, obeyed.running) for at, obeyed in device.history[1:]] == [
        (timedelta(0), False),
        (timedelta(minutes=3), True),
    ]


def test_stays_stopped_after_an_upgrade(stage: Stage) -> None:
    """The new firmware comes back with the battery out of service; a plain reboot does not do that."""
    apply_scenario(stage.device, "stays stopped after an upgrade")
    apply_scenario(stage.device, "upgrades itself")
    device = stage.after(minutes=2)
    assert (device.offline, device.firmware, device.obeyed.running) == (False, "1.46.0", False)
    device.run()
    apply_scenario(device, "reboots")
    assert stage.after(minutes=2).obeyed.running


def test_another_serial(stage: Stage) -> None:
    """Another gateway answers: another serial, its own passwords, no memory of tokens; the certificate is the same."""
    token, _ = stage.device.login("customer", "56789", stop_under_load=False)
    apply_scenario(stage.device, "another serial")
    assert stage.device.serial == "T987654321"
    assert stage.device.sessions.role_of(token, stage.time) is None
    with pytest.raises(Refusal, match="401"):
        stage.device.login("customer", "56789", stop_under_load=False)
    assert stage.device.login("customer", "54321", stop_under_load=False)[1] is Role.CUSTOMER
    assert stage.device.mischief.certificate == 0


def test_a_grid_fault_appears_and_clears(stage: Stage) -> None:
    """An alert of this instant stands there until it is cleared."""
    apply_scenario(stage.device, "a grid fault appears at 20:10")
    assert [fault.at for fault in stage.after(hours=1).grid_faults] == [START + timedelta(minutes=10)]
    apply_scenario(stage.device, "the grid fault clears")
    assert stage.device.grid_faults == []


def test_nothing_staged_nothing_installed(stage: Stage) -> None:
    """An install without a staged update changes nothing."""
    stage.device.restarts.install()
    assert not stage.device.offline
    assert stage.after(minutes=3).firmware == "1.45.2"


def test_upgrades_itself(stage: Stage) -> None:
    """It needs nobody to install."""
    apply_scenario(stage.device, "upgrades itself")
    assert stage.device.offline
    assert stage.after(minutes=2).firmware == "1.46.0"


def test_the_grid_fails_and_returns(stage: Stage) -> None:
    """The battery carries the house in between."""
    apply_scenario(stage.device, "the grid fails")
    assert stage.device.obeyed.grid is Grid.ISLANDED
    assert stage.device.power().site_w == 0
    apply_scenario(stage.device, "the grid returns")
    assert stage.device.obeyed.grid is Grid.CONNECTED


def test_at_a_time_of_day(stage: Stage) -> None:
    """With "at 20:30" it waits for the local clock, happens at that very instant whoever looks when, and once."""
    apply_scenario(stage.device, "somebody uses the app at 20:30")
    assert stage.after(minutes=29).shown.mode == "self_consumption"
    device = stage.after(hours=3)
    assert device.history[-1][0] == START + timedelta(minutes=30)
    assert device.obeyed.mode == "backup"
    stage.switch("self_consumption", 24)
    assert stage.after(hours=30).obeyed.mode == "self_consumption"


def test_what_lasts_counts_from_its_time(stage: Stage) -> None:
    """Offline for 15 minutes at 20:30 is over at 20:45, even if nobody looked in between."""
    apply_scenario(stage.device, "offline for 15 minutes at 20:30")
    assert stage.after(minutes=44).offline
    assert not stage.after(minutes=1).offline
    apply_scenario(stage.device, "offline for 15 minutes at 21:00")
    assert not stage.after(hours=2).offline


def test_the_house_obeys_what_was_so_at_the_time(stage: Stage) -> None:
    """Looking late gives the same charge as looking all the time."""
    apply_scenario(stage.device, "somebody uses the app at 20:30")
    watched = Stage()
    apply_scenario(watched.device, "somebody uses the app at 20:30")
    for _ in range(120):
        watched.after(minutes=1)
    assert stage.after(hours=2).charge_raw_percent() == watched.device.charge_raw_percent()


@pytest.mark.parametrize(
    ("now", "clock_time", "expected"),
    [
        ("2026-07-01T20:00-07:00", time(20, 1), "2026-07-01T20:01-07:00"),
        ("2026-07-01T20:00-07:00", time(20, 0), "2026-07-02T20:00-07:00"),
        ("2026-07-01T20:00-07:00", time(0, 0), "2026-07-02T00:00-07:00"),
        ("2026-10-31T23:00-07:00", time(12, 0), "2026-11-01T12:00-08:00"),
    ],
)
def test_the_next_time_a_clock_passes(now: str, clock_time: time, expected: str) -> None:
    """Strictly later, today or tomorrow, also over a change of the clocks."""
    zone = ZoneInfo("America/Los_Angeles")
    assert next_passing(datetime.fromisoformat(now), clock_time, zone) == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "sentence",
    ["explodes", "", "at 16:05", "for 5m", "offlinefor 5m", "answers 404"],
)
def test_an_unknown_sentence_is_answered_with_the_known_ones(stage: Stage, sentence: str) -> None:
    """The error repeats the sentence and lists every one that would do, with what it takes."""
    with pytest.raises(SimulatorError) as caught:
        apply_scenario(stage.device, sentence)
    assert repr(sentence) in str(caught.value)
    assert all(known in str(caught.value) for known in [*SENTENCES, "offline for DURATION [at HH:MM]"])


@pytest.mark.parametrize(
    ("sentence", "right"),
    [
        ("offline", "offline for DURATION [at HH:MM]"),
        ("offline for ages", "offline for DURATION [at HH:MM]"),
        ("offline for 15 fortnights at 16:05", "offline for DURATION [at HH:MM]"),
        ("offline for 5m for 10m", "offline for DURATION [at HH:MM]"),
        ("is busy at noon", "is busy [for DURATION] [at HH:MM]"),
        (
            "answers 429 with retry-after soon",
            "answers 429 with retry-after [to PATH] for DURATION [at HH:MM]",
        ),
        ("token expires for 5m", "token expires [at HH:MM]"),
        ("ignores writes to /api/operation", "ignores writes [for DURATION] [at HH:MM]"),
        ("resets by 5s", "resets [to PATH] [for DURATION | for the next N requests] [at HH:MM]"),
        ("answers 429 with retry-after", "answers 429 with retry-after [to PATH] for DURATION [at HH:MM]"),
    ],
)
def test_a_sentence_with_a_wrong_part_is_spelled_out(stage: Stage, sentence: str, right: str) -> None:
    """What it does not take, or cannot do without, is shown by the way it is written; and nothing happens."""
    with pytest.raises(SimulatorError, match="write it as") as caught:
        apply_scenario(stage.device, sentence)
    assert repr(right) in str(caught.value)
    assert stage.device.mischief == Mischief()


@pytest.mark.parametrize(
    "sentence",
    [
        "offline for 15m at 20:30",
        "offline at 20:30 for 15m",
        "at 20:30 offline for 15m",
        "for 15m offline AT 20:30",
    ],
)
def test_the_parts_of_a_sentence_may_stand_in_any_order(stage: Stage, sentence: str) -> None:
    """However a person puts it, it begins and ends when it says."""
    apply_scenario(stage.device, sentence)
    assert not stage.after(minutes=29).offline
    assert stage.after(minutes=1).offline
    assert stage.after(minutes=14).offline
    assert not stage.after(minutes=1).offline


def test_every_sentence_has_a_meaning() -> None:
    """What is printed beside a sentence is what its use-case says of itself: one sentence or two, on one line."""
    known = known_sentences()
    assert len(known) == len(SENTENCES)
    assert known["offline for DURATION [at HH:MM]"] == "Connections come to nothing for this long."
    assert all(meaning.endswith(".") and "\n" not in meaning for meaning in known.values())


@pytest.mark.parametrize("sentence", ["is busy at 24:00", "is busy at 12:60"])
def test_a_time_that_no_clock_shows_is_refused(stage: Stage, sentence: str) -> None:
    """The day has 24 hours of 60 minutes."""
    with pytest.raises(SimulatorError, match="no such time of day"):
        apply_scenario(stage.device, sentence)
