"""A person's hold: the words for it, where it is kept, and what a day with one looks like in virtual time."""

from __future__ import annotations

import errno
import json
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from bench import BY_DAY, BY_NIGHT, LOS_ANGELES, Bench, bench, local, readme_schedule
from commands import DRY_SITE
from days import Run, obeyed

from scheduler.app import holds
from scheduler.config.configuration import Configuration
from scheduler.config.load import load
from scheduler.control.agenda import Policy, agenda
from scheduler.control.diary import Diary
from scheduler.control.held import Held
from scheduler.control.install import Standing, obstacle
from scheduler.model.errors import StoreError
from scheduler.model.events import Drifted, Event, MomentEnded
from scheduler.model.evidence import Verdict
from scheduler.model.hold import LONGEST, Hold, HoldBegan, HoldEnded, hold_of
from scheduler.model.setpoint import Setpoint
from scheduler.plan.rules import MomentRule, Schedule
from scheduler.store import durable
from scheduler.store.holds import HoldFile
from scheduler.store.note import NoteFile

HALF = Setpoint(mode="self_consumption", reserve_percent=50)
WRITE = "POST /api/operation"


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    """A file whose plan has a boundary at 07:55 and one at 22:05 on a summer Wednesday."""
    file = tmp_path / "tou.yaml"
    file.write_text(DRY_SITE)
    return replace(load(file, environ={}, secret_directories=[]), schedule=readme_schedule())


def ends(text: str | None, now: datetime, configuration: Configuration, zone: str | None = None) -> datetime:
    """When a hold ends that is asked for until ``text``."""
    if zone is not None:
        schedule = replace(configuration.schedule, zone=ZoneInfo(zone))
        configuration = replace(configuration, schedule=schedule)
    return holds.made(HALF, text, configuration, now).until


@pytest.mark.parametrize(
    ("now", "until", "meant"),
    [
        ("2026-07-01T12:00", None, "2026-07-01T22:00"),
        ("2026-07-01T12:00", "18:30", "2026-07-01T18:30"),
        ("2026-07-01T12:00", "7:15", "2026-07-02T07:15"),
        ("2026-07-01T12:00", "12:00", "2026-07-02T12:00"),
        ("2026-07-01T12:00", "24:00", "2026-07-02T00:00"),
        ("2026-07-01T12:00", "2h", "2026-07-01T14:00"),
        ("2026-07-01T12:00", "1h30m", "2026-07-01T13:30"),
        ("2026-07-01T12:00", "168h", "2026-07-08T12:00"),
        ("2026-07-01T12:00", "2026-07-03 06:00", "2026-07-03T06:00"),
        ("2026-07-01T12:00", "2026-07-03T06:00", "2026-07-03T06:00"),
        ("2026-07-01T12:00", "2026-07-03T06:00Z", "2026-07-02T23:00"),
        # The clocks skip 02:00 to 03:00 on 8 March, and show 01:00 to 02:00 twice on 1 November.
        ("2026-03-07T12:00", "02:30", "2026-03-08T03:00"),
        ("2026-03-07T12:00", "2026-03-08 02:30", "2026-03-08T03:00"),
        ("2026-10-31T12:00", "01:30", "2026-11-01T01:30"),
        ("2026-10-31T22:00", "4h", "2026-11-01T01:00 again"),
        ("2026-10-31T22:00", "1d", "2026-11-01T21:00"),
        ("2026-07-01T12:00", "7d", "2026-07-08T12:00"),
        ("2026-07-01T12:00", "1d2h30m", "2026-07-02T14:30"),
        ("2026-11-01T01:40", "01:30", "2026-11-01T01:30 again"),
        ("2026-11-01T01:40", "2026-11-01 01:30", "2026-11-01T01:30 again"),
        ("2026-11-01T01:20", "01:30", "2026-11-01T01:30"),
    ],
)
def test_until_is_understood(now: str, until: str | None, meant: str, configuration: Configuration) -> None:
    """A time of day is the next one on the site's clock, by the same rules as the plan; nothing means the next boundary."""
    expected = datetime.fromisoformat(meant.partition(" ")[0]).replace(
        tzinfo=LOS_ANGELES, fold=int(meant.endswith("again"))
    )
    if until is None:
        expected = agenda(_policy(configuration), local(now)).following(local(now)).start  # type: ignore[union-attr]
        assert expected.astimezone(LOS_ANGELES).hour in {21, 22}

    assert ends(until, local(now), configuration) == expected.astimezone(UTC)


def _policy(configuration: Configuration) -> Policy:
    return _policy_of(configuration.schedule)


def _policy_of(schedule: Schedule) -> Policy:
    return Policy(schedule=schedule, on_drift="yield", verify_s=300, digest="")


def test_t3_a_time_of_the_repeated_hour_is_the_next_that_the_clock_shows(
    configuration: Configuration,
) -> None:
    """At 01:45 `01:50` is in five minutes, in either pass; `01:40` is the second one's, and after that tomorrow's."""
    first = local("2026-11-01T01:45")
    second = first.replace(fold=1)

    for now in (first, second):
        assert ends("01:50", now, configuration) - now.astimezone(UTC) == timedelta(minutes=5)
    assert ends("01:40", first, configuration) - first.astimezone(UTC) == timedelta(minutes=55)
    assert ends("01:40", second, configuration) == local("2026-11-02T01:40")


def test_t3_clocks_that_go_back_over_midnight_show_yesterdays_hour_again(
    configuration: Configuration,
) -> None:
    """In St. John's of 2005 they went back from 00:01 to 23:01: before that, `23:30` was half an hour ahead."""
    now = datetime(2005, 10, 30, 0, 0, 30, tzinfo=ZoneInfo("America/St_Johns")).astimezone(UTC)

    until = ends("23:30", now, configuration, zone="America/St_Johns")

    assert until - now == timedelta(minutes=29, seconds=30)


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ("2026-07-01 11:00", "is over"),
        ("0m", "is over"),
        ("169h", "more than 7 days ahead"),
        ("2027-01-01 00:00", "more than 7 days ahead"),
        ("9999-12-31 23:59", "is not a time"),
        ("25:00", "is not a time"),
        ("tomorrow", "is not a time"),
        ("2026-07-03", "write it like '2026-07-03 18:30', or '2026-07-03 00:00'"),
        ("2026-02-30", "is not a time"),
        ("8d", "more than 7 days ahead"),
        ("1d12", "is not a time"),
        ("d", "is not a time"),
        ("", "is not a time"),
        ("2026-02-30 10:00", "is not a time"),
    ],
)
def test_an_end_that_is_none_is_refused_in_a_sentence(
    until: str, words: str, configuration: Configuration
) -> None:
    """No hold without an end ahead, and none for longer than a week: the sentence says what is wrong."""
    with pytest.raises(holds.Senseless, match=words):
        holds.made(HALF, until, configuration, local("12:00"))


def test_without_a_boundary_the_end_must_be_said(tmp_path: Path) -> None:
    """A plan that never changes has no next boundary to end at."""
    file = tmp_path / "tou.yaml"
    file.write_text(DRY_SITE)
    flat = load(file, environ={}, secret_directories=[])

    with pytest.raises(holds.Senseless, match="say how long with --until"):
        holds.made(HALF, None, flat, local("12:00"))
    assert holds.made(HALF, "2h", flat, local("12:00")).until == local("14:00")


@pytest.mark.parametrize(
    ("mode", "reserve", "words"),
    [
        (None, None, "--mode, --reserve, or both"),
        ("self_consumtion", None, "did you mean 'self_consumption'"),
        ("site_control", None, "use one of self_consumption, backup, autonomous"),
        (None, 85.0, "use 80 or 100"),
        (None, -1.0, "is no percentage"),
        (None, 100.5, "is no percentage"),
        (None, float("nan"), "is no percentage"),
    ],
)
def test_what_a_file_may_not_ask_for_a_person_may_not_either(
    mode: str | None, reserve: float | None, words: str, configuration: Configuration
) -> None:
    """Unknown modes, and reserves that gateways do not keep, are refused with the sentence of the file's own check."""
    with pytest.raises(holds.Senseless, match=words):
        holds.asked(mode, reserve, configuration)


def test_a_gateway_that_keeps_every_reserve_may_be_held_at_85(tmp_path: Path) -> None:
    """`reserve_gap: none` in the file counts for a hold, too."""
    file = tmp_path / "tou.yaml"
    file.write_text(DRY_SITE.replace("type: simulated,", "type: simulated, reserve_gap: none,"))

    assert holds.asked(None, 85, load(file, environ={}, secret_directories=[])).reserve_percent == 85


def kept(path: Path) -> tuple[HoldFile, list[StoreError]]:
    """A file of a hold, and what it reports as failed."""
    failed: list[StoreError] = []
    return HoldFile(path / "hold.json", failed.append), failed


def held(setpoint: Setpoint = HALF, begin: str = "12:00", end: str = "14:00") -> Hold:
    """A hold of that Wednesday."""
    return Hold(setpoint=setpoint, since=local(begin), until=local(end))


@pytest.mark.parametrize(
    "setpoint", [HALF, Setpoint(mode="backup"), Setpoint(reserve_percent=0), Setpoint(reserve_percent=12.5)]
)
def test_a_hold_is_read_as_it_was_kept(tmp_path: Path, setpoint: Setpoint) -> None:
    """Every field, and both instants, whatever zone they were in; for its owner only."""
    file, failed = kept(tmp_path)
    assert file.load() is None

    file.save(held(setpoint))

    assert kept(tmp_path)[0].load() == held(setpoint)
    assert file.path.stat().st_mode & 0o777 == 0o600
    file.save(None)
    assert (kept(tmp_path)[0].load(), failed) == (None, [])


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b"\xff",
        b'{"mode": "backup"}',
        json.dumps(held().document() | {"mode": "site_control"}).encode(),
        json.dumps(held().document() | {"reserve_percent": 1000}).encode(),
        json.dumps(held().document() | {"reserve_percent": True}).encode(),
        json.dumps(held().document() | {"until": "2026-07-01T10:00:00-07:00"}).encode(),
        json.dumps(held().document() | {"until": "2026-07-01T20:00:00"}).encode(),
        json.dumps(held().document() | {"mode": None, "reserve_percent": None}).encode(),
        json.dumps(held().document() | {"until": "2026-07-08T12:01:00-07:00"}).encode(),
    ],
)
def test_a_file_that_holds_no_hold_is_put_aside_and_told(tmp_path: Path, content: bytes) -> None:
    """Torn, foreign or edited into nonsense: nothing is held, the person is told once, and the file can be looked at."""
    file, failed = kept(tmp_path)
    file.path.write_bytes(content)

    assert [file.load(), file.load()] == [None, None]
    assert len(failed) == 1
    assert [it.read_bytes() for it in tmp_path.iterdir()] == [content]


def test_a_disk_that_fails_ends_no_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the file cannot be read, the hold that was read last counts; that it cannot be read is told."""
    file, failed = kept(tmp_path)
    file.save(held())

    def broken(*_: object, **__: object) -> bytes:
        raise StoreError("it could not be read: Input/output error")

    monkeypatch.setattr("scheduler.store.durable.read", broken)

    assert file.load() == held()
    assert len(failed) == 1


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_roots_command_does_not_shut_the_service_out(tmp_path: Path) -> None:
    """The hold belongs to whoever owns the state directory, so that the daemon may read it."""
    os.chown(tmp_path, 1234, 1234)
    file, _ = kept(tmp_path)

    file.save(held())

    assert (file.path.stat().st_uid, file.path.stat().st_gid) == (1234, 1234)


def test_t2_a_hold_counts_until_its_end_whatever_happens_to_the_clock() -> None:
    """A clock that is put back up to three hours takes nobody's word away; one that is further back makes it no longer."""
    hold = held()

    asked = ("08:59", "09:00", "11:00", "12:00", "13:59", "14:00")
    assert [hold.in_force(local(at)) for at in asked] == [False, True, True, True, True, False]
    assert not hold.in_force(hold.until - LONGEST - timedelta(seconds=1))
    assert hold_of(hold.document(LOS_ANGELES)) == hold


def test_t2_a_hold_of_a_wrong_clock_counts_for_nothing_on_the_days_before() -> None:
    """Asked for by a clock that was 30 days ahead: it is none while it lies ahead, but for the hours that a clock may err."""
    hold = held(begin="2026-07-31T00:00", end="2026-07-31T02:00")
    days = [local("2026-07-01T00:00") + timedelta(days=number) for number in range(32)]

    assert [day.day for day in days if hold.in_force(day)] == [31]
    assert not hold.in_force(local("2026-07-30T20:59"))
    assert hold.in_force(local("2026-07-31T01:59"))


def test_t2_the_longest_hold_outlasts_a_clock_that_is_put_right() -> None:
    """Seven days, and a clock that is put back a second after that: its end lies a little more than a week ahead, and it counts."""
    hold = Hold(setpoint=HALF, since=local("12:00"), until=local("12:00") + LONGEST)

    assert hold.in_force(hold.since - timedelta(seconds=1))
    assert hold_of(hold.document()) == hold


def test_t2_a_clock_that_is_put_back_ends_a_hold_as_what_it_is(tmp_path: Path) -> None:
    """Nobody is said to have ended a hold that the clock has left behind; once the clock is right it counts again and is told."""
    told: list[Event] = []
    it = Held(Diary(NoteFile(tmp_path / "moments.json", pytest.fail), "gateway"), told.append)
    for at in ("12:01", "08:59", "12:02", "14:00"):
        it.follow(agenda(_policy_of(quiet()), local(at)).under(held(), local(at)), local(at))

    assert [type(event) for event in told] == [HoldBegan, HoldEnded, HoldBegan, HoldEnded]
    assert [event.message.rpartition(": ")[2] for event in told if isinstance(event, HoldEnded)] == [
        "the clock was put back to long before it began, and the rules speak again",
        "its time is over, and the rules speak again",
    ]


def test_p4_a_longer_hold_than_a_command_makes_is_none() -> None:
    """Read from a file that was edited: a week is the most, a second more is nothing."""
    hold = Hold(setpoint=HALF, since=local("12:00"), until=local("12:00") + LONGEST + timedelta(seconds=1))

    assert hold_of(hold.document()) is None


def test_p5_a_hold_is_ended_on_a_full_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file can be begun any more: the hold is ended all the same, without a trace; a new one cannot be kept, and that is said."""
    file, failed = kept(tmp_path)
    file.save(held())

    def full(_: Path) -> tuple[int, Path]:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable, "_begin", full)
    with pytest.raises(StoreError, match="could not be written: No space left on device"):
        file.save(held(BY_NIGHT))

    assert holds.lift(tmp_path, local("13:00")) == held()

    assert list(tmp_path.iterdir()) == []
    assert (kept(tmp_path)[0].load(), failed) == (None, [])


def test_p3_the_end_of_a_hold_is_on_the_disk_before_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder is synced once the file is gone, so that a power cut brings no hold back; what was not there costs no write."""
    synced: list[list[Path]] = []
    monkeypatch.setattr(durable, "_sync_directory", lambda folder: synced.append(list(folder.iterdir())))
    file, _ = kept(tmp_path)
    file.path.write_text("{}")

    file.save(None)
    file.save(None)

    assert synced == [[]]


@pytest.mark.parametrize("setpoint", [HALF, Setpoint(mode="backup"), Setpoint(reserve_percent=50)])
def test_the_agenda_under_a_hold_is_the_rules_with_the_persons_word_above(setpoint: Setpoint) -> None:
    """Minute by minute: within the hold its fields count, without it and outside of it nothing is another than before."""
    now = local("12:00")
    policy = Policy(schedule=readme_schedule(), on_drift="yield", verify_s=300, digest="")
    plain = agenda(policy, now)
    hold = Hold(setpoint=setpoint, since=local("12:01"), until=local("2026-07-02T09:31"))

    under = plain.under(hold, now)

    assert under.under(None, now).coarse == plain.coarse
    at = now - timedelta(hours=2)
    while at < now + timedelta(days=2):
        asked = plain.coarse.at(at).spoken().setpoint
        expected = setpoint.or_else(asked) if at < hold.until else asked
        assert under.coarse.at(at).spoken().setpoint == expected or at < hold.since
        assert under.fine.at(at).import_price == plain.fine.at(at).import_price
        at += timedelta(minutes=1)
    assert hold.until in under.alarms(now).values()
    assert plain.under(hold, hold.until) == plain


def quiet() -> Schedule:
    """The README's plan without its moment, whose rehearsal writes, too."""
    schedule = readme_schedule()
    return replace(schedule, rules=tuple(r for r in schedule.rules if not isinstance(r, MomentRule)))


class Person:
    """Who holds and resumes, and the loop that is told."""

    def __init__(self, b: Bench, schedule: Schedule | None = None) -> None:
        self.said: Hold | None = None
        self._bench = b
        self._schedule = schedule or quiet()
        self.run = self.begin()

    def begin(self) -> Run:
        """Have a daemon run: the first one, or one after a restart."""
        self._bench.restart()
        self.run = Run(self._bench, self._schedule, hold=lambda: self.said)
        return self.run

    def hold(self, setpoint: Setpoint, until: str) -> None:
        """Hold from now on."""
        self.said = Hold(setpoint=setpoint, since=self._bench.clock.now(), until=local(until))
        self.run.loop.wake()


async def test_a_hold_is_switched_to_proven_and_ends_by_itself() -> None:
    """From 12:00 to 14:00 the person's setpoint, then the rules': both verified, each told once, and shown by the status."""
    b = bench(local("11:00"))
    person = Person(b)
    await person.run.until(local("12:00"))
    person.hold(HALF, "14:00")
    await person.run.until(local("12:01"))
    assert obeyed(b) == ("self_consumption", 52.5, True)
    assert person.run.reports[-1].hold == person.said
    assert person.run.reports[-1].next_boundary == local("14:00")

    await person.run.until(local("14:01"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert person.run.reports[-1].hold is None
    assert [(r.rules, r.desired, r.verdict) for r in person.run.records[1:]] == [
        (("hold",), HALF, Verdict.VERIFIED),
        (("Run the house from the battery",), BY_DAY, Verdict.VERIFIED),
    ]
    assert [r.boundary for r in person.run.records[1:]] == [
        person.said.since if person.said else None,
        local("14:00"),
    ]
    assert len(person.run.told(HoldBegan)) == len(person.run.told(HoldEnded)) == 1


@pytest.mark.parametrize("back", [timedelta(minutes=1), timedelta(hours=1), timedelta(hours=2, minutes=59)])
async def test_t2_a_clock_that_is_put_back_while_it_runs_takes_no_hold_away(back: timedelta) -> None:
    """A hold that is in force goes on being obeyed and shown, although by the new time it has not begun."""
    b = bench(local("12:00"))
    word: list[Hold | None] = [None]
    run = Run(b, hold=lambda: word[0])
    await run.until(local("12:05"))
    word[0] = Hold(setpoint=HALF, since=b.clock.now(), until=b.clock.now() + timedelta(hours=4))
    await run.until(local("12:08"))
    writes = b.device.requests[WRITE]
    b.clock.step = -back
    await run.until(b.clock.now() + timedelta(minutes=10))

    assert obeyed(b) == ("self_consumption", 52.5, True)
    assert run.reports[-1].hold == word[0]
    assert run.reports[-1].desired == HALF
    assert b.device.requests[WRITE] == writes


async def test_what_a_hold_leaves_out_follows_the_rules() -> None:
    """A mode that is held over the evening's boundary: the reserve changes at 22:05, and both are named as givers."""
    b = bench(local("21:00"))
    person = Person(b)
    person.hold(Setpoint(mode="backup"), "23:00")

    await person.run.until(local("22:10"))

    assert obeyed(b) == ("backup", 100.0, True)
    assert person.run.records[-1].rules == ("hold", "Refill at night")
    assert person.run.records[0].desired == Setpoint(mode="backup", reserve_percent=5)


async def test_a_whole_hold_has_no_boundary_within() -> None:
    """Who holds mode and reserve is not disturbed by a rule's boundary: nothing is written there."""
    b = bench(local("21:00"))
    person = Person(b)
    person.hold(HALF, "23:00")
    await person.run.until(local("21:30"))
    before = b.story.count(WRITE)

    await person.run.until(local("22:59"))
    assert b.story.count(WRITE) == before
    await person.run.until(local("23:01"))

    assert obeyed(b) == ("backup", 100.0, True)


async def test_a_hold_survives_restarts_and_is_told_once() -> None:
    """Five processes in two hours: the setpoint stays, nothing is written anew, and the end comes at its time."""
    b = bench(local("12:00"))
    person = Person(b)
    person.hold(HALF, "14:00")
    await person.run.until(local("12:05"))
    before = b.story.count(WRITE)
    for minute in (10, 20, 30, 40):
        await person.begin().until(local(f"12:{minute}"))
    assert b.story.count(WRITE) == before

    await person.begin().until(local("14:01"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert len(person.run.told(HoldBegan)) == len(person.run.told(HoldEnded)) == 1


async def test_a_hold_whose_end_passed_while_nobody_ran_is_over_and_told() -> None:
    """The next process begins with the rules, and tells that the hold is over."""
    b = bench(local("12:00"))
    person = Person(b)
    person.hold(HALF, "14:00")
    await person.run.until(local("12:05"))
    b.clock.passed_s += 3 * 3600

    await person.begin().until(local("15:10"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert len(person.run.told(HoldEnded)) == 1


async def test_resume_ends_it_at_once_and_a_new_word_takes_the_place_of_the_old() -> None:
    """Held, held otherwise, and resumed: three switches within seconds, and the reasons are told."""
    b = bench(local("12:00"))
    person = Person(b)
    person.hold(HALF, "14:00")
    await person.run.until(local("12:05"))
    person.hold(BY_NIGHT, "13:00")
    await person.run.until(local("12:06"))
    assert obeyed(b) == ("backup", 100.0, True)
    person.said = None

    await person.run.until(local("12:07"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert [e.message.rpartition(": ")[2] for e in person.run.told(HoldEnded)] == [
        "another one takes its place",
        "a person ended it, and the rules speak again",
    ]


async def test_a_persons_word_ends_what_was_yielded_to() -> None:
    """Somebody used the app, and then holds what the rules ask for anyway: that is brought about, as a new target."""
    b = bench(local("12:00"))
    person = Person(b)
    await person.run.until(local("12:05"))
    b.scenario("somebody uses the app")
    await person.run.until(local("12:15"))
    assert obeyed(b)[0] == "backup"

    person.hold(BY_DAY, "14:00")
    await person.run.until(local("12:17"))

    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert len(person.run.told(Drifted)) == 1


async def test_a_change_within_a_hold_is_dealt_with_as_any_other() -> None:
    """By default it stands until the hold's end, where the rules speak again."""
    b = bench(local("12:00"))
    person = Person(b)
    person.hold(HALF, "13:00")
    await person.run.until(local("12:05"))
    b.scenario("somebody uses the app")
    await person.run.until(local("12:59"))
    assert obeyed(b)[0] == "backup"

    await person.run.until(local("13:01"))

    assert obeyed(b) == ("self_consumption", 9.75, True)


async def test_a_hold_that_the_gateway_refuses_ends_as_refused() -> None:
    """What may not be written is said with the remedy, as for a rule; the hold still ends at its time."""
    b = bench(local("12:00"))
    person = Person(b)
    await person.run.until(local("12:05"))
    b.wire.answers[WRITE] = (403, b"")
    person.hold(BY_NIGHT, "13:00")

    await person.run.until(local("12:30"))
    assert person.run.reports[-1].record is not None
    assert person.run.reports[-1].record.verdict is Verdict.REFUSED
    assert person.run.reports[-1].record.rules == ("hold",)
    b.wire.answers.clear()
    await person.run.until(local("13:30"))

    assert person.run.reports[-1].hold is None
    assert obeyed(b) == ("self_consumption", 9.75, True)


def test_no_install_begins_while_a_person_holds() -> None:
    """A storm may be why somebody holds the battery: the update waits, and waiting may help."""
    now = local("02:00")
    coarse = agenda(Policy(schedule=quiet(), on_drift="yield", verify_s=300, digest=""), now).fine.merged()
    standing = Standing(
        fine=coarse,
        segments=coarse.segments_between(now, now + timedelta(hours=24)),
        desired=BY_NIGHT,
        proven=True,
        zone=LOS_ANGELES,
    )
    deadline = now + timedelta(hours=3)
    assert obstacle(now, deadline, standing) is None

    found = obstacle(now, deadline, replace(standing, held=True))

    assert found is not None
    assert "a person holds" in found.reason
    assert not found.lasting


async def test_a_moment_within_a_hold_installs_nothing() -> None:
    """An update that waits at 07:15 stays where it is while a person holds, and is told as waiting; the battery never stops for it."""
    b = bench(local("07:00"))
    b.scenario("has an update")
    person = Person(b, readme_schedule())
    person.hold(BY_NIGHT, "12:00")

    await person.run.until(local("08:30"))

    assert [event.outcome for event in person.run.told(MomentEnded)] == ["update_waiting"]
    assert b.device.firmware == "1.45.2"
    assert obeyed(b) == ("backup", 100.0, True)
