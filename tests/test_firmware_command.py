"""`firmware`: what is known of the gateway's firmware, read beside a daemon, and what it says when it is asked now."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench import LOS_ANGELES, Bench, bench, local
from clockwork import VirtualClock
from commands import DRY_SITE, INSTALLER, Done, run
from days import Run
from processes import PATIENCE_S, ROOT, Site, eventually, site, started
from tls_peer import make_certificate

from scheduler.app import firmware as app
from scheduler.app.firmware import Checked, Known, Waiting, ask
from scheduler.app.visit import Visit
from scheduler.cli.firmware import event_line, rows
from scheduler.control.diary import Diary
from scheduler.control.firmware import Check, Outcome, Phase
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.daemon.clock import SystemClock
from scheduler.model.errors import NotCapable, StoreError, Throttled, Transient
from scheduler.model.reading import Identity
from scheduler.model.timeline import Moment
from scheduler.observe.record import Recorder
from scheduler.simulator.record import stopped_between
from scheduler.store.journal import Journal
from scheduler.store.lock import Lock

SEEN = "2026-07-01T14:15:00+00:00"
STARTED = "2026-06-30 10:00:00 +0000 UTC"
IDENTITY = {"firmware": "1.45.2", "start_time": STARTED, "since": SEEN}
WAITING = {"at": SEEN, "message": "an update is ready to be installed (/update_staged)", "firmware": "1.45.2"}
MOMENT = Moment(
    at=datetime(2026, 7, 1, 14, 15, tzinfo=UTC),
    do="check_firmware",
    rule="Before the day",
    line=45,
    install=True,
    done_by=datetime(2026, 7, 1, 14, 55, tzinfo=UTC),
)
INSTALLING = Check(
    moment=MOMENT,
    deadline=datetime(2026, 7, 1, 14, 55, tzinfo=UTC),
    phase=Phase.INSTALL,
    since=datetime(2026, 7, 1, 14, 17, tzinfo=UTC),
    until=datetime(2026, 7, 1, 14, 42, tzinfo=UTC),
).document()
UNDER_WAY = (
    "check_firmware of 2026-07-01 07:15, Before the day (line 45): installing since 2026-07-01 07:17, to be over by "
    "2026-07-01 07:42"
)
CHANGED = {
    "event": "firmware",
    "at": "2026-06-30T10:01:02-07:00",
    "before": "1.43.3",
    "after": "1.45.2",
    "message": "the gateway went from firmware 1.43.3 to 1.45.2, by itself",
}
EVENTS: list[dict[str, Any]] = [
    CHANGED,
    {"event": "grid", "at": "2026-06-30T11:00:00-07:00", "message": "the grid failed"},
    {"event": "stood_still", "at": "2026-06-30T12:00:00-07:00", "message": "it stood still for 15 minutes"},
    {"event": "install_started", "at": "2026-07-01T07:16:00-07:00", "message": "it is told to install"},
    {"event": "path", "at": "2026-07-01T07:15:01-07:00", "is_open": True, "message": "a switch would do"},
    {"event": "path", "at": "2026-07-01T07:15:02-07:00", "is_open": False, "message": "a switch would not"},
    {
        "event": "moment_ended",
        "at": "2026-07-01T07:30:00-07:00",
        "do": "check_firmware",
        "outcome": "installed",
        "message": "it reads back",
    },
    {"event": "moment_ended", "at": "2026-07-01T07:31:00-07:00", "do": "something_else", "message": "no"},
    {
        "event": "moment_ended",
        "at": "2026-07-01T13:31:00-07:00",
        "do": "check_path",
        "outcome": "path_open",
        "message": "open",
    },
]


class Directory:
    """A folder with a configuration and a state directory to put what is known into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        (folder / "tou.yaml").write_text(
            DRY_SITE.replace("{type: simulated, ", "{type: local, host: 127.0.0.1:1, ").replace(
                ', firmware: "1.45.2"', ""
            )
        )

    def note(self, content: Any, *, kept: str = ".") -> None:
        """Have this in the note on firmware and moments."""
        place = self.state / kept
        place.mkdir(parents=True, exist_ok=True)
        (place / "moments.json").write_text(content if isinstance(content, str) else json.dumps(content))

    def record(self, events: list[dict[str, Any]], *, kept: str = ".") -> None:
        """Have these in the journal."""
        journal = Journal(self.state / kept / "journal.sqlite")
        for event in events:
            journal.add_event(event)
        journal.close()

    def run(self, *words: str, **more: str) -> Done:
        """The command."""
        return run(
            "firmware", *words, "--config", "tou.yaml", "--state-dir", "state", cwd=self.folder, **more
        )

    def json(self, *words: str) -> Any:
        """What the command prints as JSON."""
        return json.loads(self.run(*words, "--json").stdout)


@pytest.fixture
def kept(tmp_path: Path) -> Directory:
    """A folder in which nothing is known yet."""
    return Directory(tmp_path)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site whose gateway has an update staged; its installer's login stops the battery."""
    with site(tmp_path_factory.mktemp("staged"), "stages an update") as it:
        yield it


def at_the_gateway(house: Site, *words: str, state: str = "mine", **more: str) -> Done:
    """The command with the installer's login unless told otherwise, and a state directory."""
    return run("firmware", "--check", *words, "--state-dir", state, cwd=house.folder, **{**INSTALLER, **more})


def test_nothing_is_known_yet(kept: Directory) -> None:
    """Before any daemon has run it is a sentence that says how to know more, and no failure; nothing is made for it."""
    done = kept.run()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "nothing is known of the gateway's firmware in state yet; --check asks the gateway\n"
    )
    assert kept.json() == {
        "schema": "tou-scheduler/firmware",
        "version": 1,
        "firmware": None,
        "known_since": None,
        "started": None,
        "waiting": None,
        "next_install": None,
        "under_way": None,
        "events": [],
    }
    assert not kept.state.exists()


def test_all_that_is_known_on_one_screen(kept: Directory) -> None:
    """Version, start, what waits, what is under way, and the history of upgrades and checks alone, newest last."""
    kept.note({"identity": IDENTITY, "waiting": WAITING, "current": INSTALLING})
    kept.record(EVENTS)

    assert kept.run().stdout.splitlines() == [
        "firmware  1.45.2",
        "seen      first at 2026-07-01 07:15",
        "started   2026-06-30 10:00:00 +0000 UTC, by the gateway's own clock",
        "waiting   as of 2026-07-01 07:15: an update is ready to be installed (/update_staged)",
        "next      no rule of the file installs it; a check_firmware with install: true would",
        f"under way {UNDER_WAY}; no daemon runs, and the next one goes on from there",
        "",
        "2026-06-30 10:01:02  firmware                        the gateway went from firmware 1.43.3 to 1.45.2, by itself",
        "2026-06-30 12:00:00  stood_still                     it stood still for 15 minutes",
        "2026-07-01 07:16:00  install_started                 it is told to install",
        "2026-07-01 07:15:01  path open                       a switch would do",
        "2026-07-01 07:15:02  path shut                       a switch would not",
        "2026-07-01 07:30:00  check_firmware: installed       it reads back",
        "2026-07-01 13:31:00  check_path: path_open           open",
    ]


def test_the_document_for_other_programs(kept: Directory) -> None:
    """JSON holds the same with the site's local times, and the events as the journal has them, the newest ones."""
    kept.note({"identity": IDENTITY, "waiting": WAITING, "current": INSTALLING})
    kept.record(EVENTS)

    assert kept.json("--last", "2") == {
        "schema": "tou-scheduler/firmware",
        "version": 1,
        "firmware": "1.45.2",
        "known_since": "2026-07-01T07:15:00-07:00",
        "started": STARTED,
        "waiting": WAITING | {"at": "2026-07-01T07:15:00-07:00"},
        "next_install": None,
        "under_way": {
            "do": "check_firmware",
            "rule": "Before the day",
            "line": 45,
            "at": "2026-07-01T07:15:00-07:00",
            "phase": "install",
            "since": "2026-07-01T07:17:00-07:00",
            "ends": "2026-07-01T07:42:00-07:00",
            "running": False,
        },
        "events": [EVENTS[6], EVENTS[8]],
    }


def test_what_is_under_way_goes_on_beside_a_daemon(kept: Directory) -> None:
    """While somebody holds the state directory it is only read, without waiting, and nobody says that it stands still."""
    kept.note({"identity": IDENTITY, "current": INSTALLING})
    before = (kept.state / "moments.json").read_bytes()

    with Lock(kept.state / "lock"):
        done = kept.run()
        document = kept.json()

    assert done.returncode == 0
    assert f"under way {UNDER_WAY}\n" in done.stdout
    assert "no upgrade and no check has been recorded in state yet" in done.stdout
    assert document["under_way"]["running"] is True
    assert (kept.state / "moments.json").read_bytes() == before


@pytest.mark.parametrize(
    ("noted", "waits"), [("1.45.2", True), ("1.43.3", False), (None, True), ("", True), (7, True)]
)
def test_an_update_that_is_in_no_longer_waits(kept: Directory, noted: Any, waits: bool) -> None:  # noqa: FBT001 - a table
    """What was found beside another version than the one that runs is history; not if that is not known."""
    kept.note({"identity": IDENTITY, "waiting": WAITING | {"firmware": noted}})

    assert (kept.json()["waiting"] is not None) is waits


@pytest.mark.parametrize(
    "content",
    [
        {"identity": {"firmware": 7, "start_time": [], "since": "soon"}},
        {"identity": "1.45.2", "waiting": "yes", "current": []},
        {"waiting": {"at": "2026-07-01T07:15:00", "message": "without a zone"}},
        {"waiting": {"at": SEEN, "message": {}}},
        {"waiting": {"message": "at no time"}},
        {"current": {"moment": {"do": "check_firmware"}, "phase": "install"}},
        {"current": INSTALLING | {"phase": "dream"}},
        {},
    ],
)
def test_what_another_version_wrote_is_not_known(kept: Directory, content: Any) -> None:
    """A note that says other things than we would write is nothing known, and no reason to fail."""
    kept.note(content)
    done = kept.run()

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("nothing is known")


@pytest.mark.parametrize("content", ["{", "[]", ""])
def test_a_damaged_note_is_said_and_the_history_shown(kept: Directory, content: str) -> None:
    """What is damaged counts as empty and is put aside, as by the daemon; what else is known is shown."""
    kept.note(content)
    kept.record([CHANGED])
    done = kept.run()

    assert done.returncode == 0
    assert done.stderr.startswith(
        "state/moments.json is damaged and counts as empty; it is kept as moments.json.corrupt."
    )
    assert done.stdout.startswith("firmware  not known yet\n\n2026-06-30 10:01:02  firmware ")


def test_a_journal_that_cannot_be_read_is_said(kept: Directory) -> None:
    """A journal that is there and cannot be read is no empty one: exit code 2, the reason, and what to do."""
    (kept.state / "journal.sqlite").mkdir(parents=True)

    for done in (kept.run(), kept.run("--check")):
        assert done.returncode == 2
        assert "journal.sqlite" in done.stderr
        assert "move it away" in done.stderr
        assert "asking" not in done.stderr
        assert done.stdout == ""


def installing(*, over: timedelta, since: timedelta = timedelta(minutes=-5)) -> dict[str, Any]:
    """The note of an install begun ``since`` and to be ``over`` then, both counted from now."""
    now = SystemClock().now()
    check = Check(
        moment=MOMENT, deadline=now + over, phase=Phase.INSTALL, since=now + since, until=now + over
    )
    # The moment itself is of now, too: one of long ago counts for nothing.
    return replace(check, moment=replace(MOMENT, at=now + since)).document()


def clock_of(instant: str) -> str:
    """The time of day in Los Angeles."""
    return f"{datetime.fromisoformat(instant).astimezone(LOS_ANGELES):%H:%M}"


def test_a_gateway_that_installs_is_not_asked(kept: Directory) -> None:
    """While it is away, what is known is shown, and that it is left alone until when: exit code 1, for want of an answer."""
    (kept.folder / "powerwall.pem").write_bytes(make_certificate().pem)
    noted = installing(over=timedelta(minutes=20))
    kept.note({"identity": IDENTITY, "current": noted})
    done, document = kept.run("--check", **INSTALLER), kept.json("--check")

    assert done.returncode == 1
    assert done.stderr.endswith(
        f"\nerror: the gateway installs its firmware since {clock_of(noted['since'])}; "
        f"leave it alone until {clock_of(noted['until'])} at the latest\n"
    )
    assert done.stdout.startswith("firmware  1.45.2\n")
    assert "under way check_firmware" in done.stdout
    assert (document["firmware"], document["under_way"]["phase"]) == ("1.45.2", "install")
    assert "check" not in document


@pytest.mark.parametrize(
    "changed",
    [
        installing(over=timedelta(minutes=-1)),
        installing(over=timedelta(minutes=20)) | {"phase": "poll"},
        installing(over=timedelta(minutes=20), since=timedelta(days=-30)),
    ],
    ids=["over", "not yet", "long ago"],
)
def test_a_gateway_that_installs_no_more_is_asked(kept: Directory, changed: dict[str, Any]) -> None:
    """A daemon that was killed leaves its note behind: once its time is over, or before an install, nothing keeps from asking."""
    (kept.folder / "powerwall.pem").write_bytes(make_certificate().pem)
    kept.note({"identity": IDENTITY, "current": changed})
    done = kept.run("--check", **INSTALLER)

    assert done.returncode == 3
    assert "asking the gateway" in done.stderr
    assert done.stdout.startswith("firmware  1.45.2\n")


def test_a_simulated_gateway_has_a_memory_of_its_own(kept: Directory) -> None:
    """A dry run is shown what the simulated gateway left, and the house what its own did."""
    kept.note({"identity": IDENTITY})
    kept.note({"identity": IDENTITY | {"firmware": "23.28"}}, kept="simulated")
    kept.record([CHANGED], kept="simulated")

    assert (kept.json()["firmware"], kept.json()["events"]) == ("1.45.2", [])
    (kept.folder / "tou.yaml").write_text(DRY_SITE)
    assert (kept.json()["firmware"], kept.json()["events"]) == ("23.28", [CHANGED])


@pytest.mark.parametrize("phase", Phase)
def test_every_phase_has_words(phase: Phase) -> None:
    """Whatever a moment is at, the screen says it in a sentence."""
    known = Known(
        firmware="1.45.2",
        known_since=None,
        started=None,
        waiting=None,
        under_way=Check(moment=MOMENT, deadline=MOMENT.at + timedelta(hours=1), phase=phase),
        running=True,
        events=(),
    )
    ((_, version), (label, words)) = rows(known.document(UTC))

    assert (version, label) == ("1.45.2", "under way")
    assert words.startswith("check_firmware of 2026-07-01 14:15, Before the day (line 45): ")
    assert words.endswith(", to be over by 2026-07-01 15:15")


def test_an_answer_of_a_gateway_that_does_not_say_what_it_is_is_shown(kept: Directory) -> None:
    """Where nothing else is known, what came of asking is still on the screen."""
    document = kept.json() | {"check": {"outcome": "failed", "message": "it could not look"}}

    assert rows(document) == [("firmware", "not known yet"), ("asked now", "it could not look")]


def test_an_event_of_another_version_is_a_line(kept: Directory) -> None:
    """An event without the keys that we know is shown as far as it goes."""
    kept.record([{"event": "firmware"}])

    assert event_line({"event": "firmware"}).startswith("None ")
    assert kept.run().returncode == 0


KNOWN = Known(
    firmware="1.45.2",
    known_since=MOMENT.at,
    started=STARTED,
    waiting=Waiting(at=MOMENT.at, message="an old one", firmware="1.45.2"),
    under_way=None,
    running=False,
    events=(),
)
SAME, OTHER = Identity(firmware="1.45.2", start_time=STARTED), Identity(firmware="1.50.1", start_time="now")


@pytest.mark.parametrize(
    ("identity", "outcome", "firmware", "since", "waiting"),
    [
        (SAME, Outcome.UPDATE_WAITING, "1.45.2", MOMENT.at, "found now"),
        (SAME, Outcome.UP_TO_DATE, "1.45.2", MOMENT.at, None),
        (SAME, Outcome.UNCLEAR, "1.45.2", MOMENT.at, "an old one"),
        (SAME, Outcome.UNFINISHED, "1.45.2", MOMENT.at, "an old one"),
        (None, Outcome.FAILED, "1.45.2", MOMENT.at, "an old one"),
        (OTHER, Outcome.UPDATE_WAITING, "1.50.1", None, "found now"),
        (OTHER, Outcome.FAILED, "1.50.1", None, None),
        (Identity(firmware="1.45.2", start_time=""), Outcome.FAILED, "1.45.2", None, "an old one"),
    ],
)
def test_what_the_gateway_says_now_counts_more_than_a_note(
    identity: Identity | None,
    outcome: Outcome,
    firmware: str,
    since: datetime | None,
    waiting: str | None,
) -> None:
    """Another version or start was never seen before, and what waited beside the old one is in."""
    now = MOMENT.at + timedelta(days=1)
    known = KNOWN.after(Checked(identity=identity, outcome=outcome, message="found now"), now)

    assert (known.firmware, known.known_since) == (firmware, since)
    assert (None if known.waiting is None else known.waiting.message) == waiting
    assert known.waiting is None or known.waiting.at == (now if waiting == "found now" else MOMENT.at)
    if identity is None:
        assert known.started == STARTED
    else:
        assert known.started == (identity.start_time or None)


def guest_of(it: Bench, *, alone: bool = True) -> Visit:
    """A visitor of the bench's gateway."""
    diary = Diary(it.moments, "bench")
    return Visit(it.gateway, it.session, it.marks, alone=alone, diary=diary, tell=it.events.append)


@pytest.mark.parametrize(
    ("scenarios", "outcome", "after_s"),
    [
        ((), Outcome.UP_TO_DATE, 20),
        (("has an update",), Outcome.UPDATE_WAITING, 180),
        (("has an update", "a download lasts for 5m"), Outcome.UPDATE_WAITING, 420),
        (("stages an update",), Outcome.UPDATE_WAITING, 0),
        (("checks fail",), Outcome.FAILED, 20),
        (("a check lasts for 9m",), Outcome.UP_TO_DATE, 540),
        (("a check lasts for 15m",), Outcome.UNFINISHED, 600),
    ],
)
async def test_the_gateway_is_asked_and_waited_for(
    scenarios: tuple[str, ...], outcome: Outcome, after_s: float
) -> None:
    """It is told what the updater comes to, within a look of when that is, and given up after ten minutes."""
    it = bench()
    for sentence in scenarios:
        it.scenario(sentence)

    checked = await ask(guest_of(it), it.clock)

    assert checked.outcome is outcome
    assert checked.answered is (outcome in {Outcome.UP_TO_DATE, Outcome.UPDATE_WAITING})
    assert it.clock.passed_s == after_s
    assert checked.identity == it.session.identity
    assert it.story.count("POST /api/login/Basic") == 1
    assert "POST /api/system/update" not in it.story


async def test_a_staged_update_is_not_asked_away() -> None:
    """With an update staged the gateway is not asked to look anew: that might take it away."""
    it = bench()
    it.scenario("stages an update")

    await ask(guest_of(it), it.clock)

    assert "GET /api/system/update" not in it.story


async def test_where_the_updater_tells_everybody_no_login_is_made_for_a_staged_update() -> None:
    """Firmware before 1.25 tells without a login where its updater stands, and who it is."""
    it = bench(firmware="1.21")
    it.scenario("stages an update")

    checked = await ask(guest_of(it, alone=False), it.clock)

    assert checked.outcome is Outcome.UPDATE_WAITING
    assert checked.identity is not None
    assert checked.identity.firmware.startswith("1.21")
    assert "POST /api/login/Basic" not in it.story


async def test_an_old_final_state_is_not_taken_for_the_answer() -> None:
    """Where the updater tells the time of its news, the state of last week is waited out, for a minute at most."""
    it = bench(firmware="21.39", username="customer")
    rest = b'{"state":"/update_failed","info":{"status":["nonactionable"]},"last_status_time":%d}'
    it.wire.answers = {"GET /api/system/update": (200, b"")}
    it.wire.first_answers = {"GET /api/system/update/status": [(200, rest % 1)] * 4 + [(200, rest % 2)]}

    checked = await ask(guest_of(it), it.clock)

    assert (checked.outcome, it.clock.passed_s) == (Outcome.UP_TO_DATE, 40)

    it.wire.first_answers = {"GET /api/system/update/status": [(200, rest % 1)] * 20}
    checked = await ask(guest_of(it), it.clock)

    assert (checked.outcome, it.clock.passed_s) == (Outcome.UP_TO_DATE, 100)


@pytest.mark.parametrize("firmware", ["1.45.2", "1.21"])
async def test_the_battery_does_not_stand_still_while_the_updater_is_waited_for(firmware: str) -> None:
    """The login that stops it is undone before the gateway is waited for, whichever call wanted the login."""
    it = bench(firmware=firmware)
    it.scenario("a check lasts for 15m")

    await ask(guest_of(it), it.clock)

    assert it.clock.passed_s == 600
    assert not all(obeyed.running for _, obeyed in it.device.history)
    assert stopped_between(it.device.history, local("12:00"), local("12:10")) < timedelta(seconds=5)
    assert it.device.history[-1][1].running
    assert MAY_HAVE_STOPPED not in it.marks


@pytest.mark.parametrize(
    ("failing", "given_up"), [((50, 60), False), ((50, 60, 80, 90), False), ((50, 60, 70), True)]
)
async def test_a_gateway_that_is_busy_for_a_moment_is_asked_on(
    failing: tuple[int, ...],
    given_up: bool,  # noqa: FBT001 - a table
) -> None:
    """Two looks that fail are passed over; three in a row mean that the gateway is gone."""
    it = bench()
    it.scenario("has an update")

    def break_some(call: str) -> None:
        it.wire.breaks = {call: httpx.ReadError("reset")} if it.clock.passed_s in failing else {}

    it.wire.then = break_some

    if given_up:
        with pytest.raises(Transient):
            await ask(guest_of(it), it.clock)
    else:
        assert (await ask(guest_of(it), it.clock)).outcome is Outcome.UPDATE_WAITING


async def test_a_gateway_that_wants_silence_is_left_alone_at_once() -> None:
    """After a 429 there is no further look."""
    it = bench()
    await it.session.observe(it.gateway.read)
    it.wire.first_answers = {"GET /api/system/update/status": [(200, b'{"state":"/download"}'), (429, b"")]}

    with pytest.raises(Throttled):
        await ask(guest_of(it), it.clock)
    assert it.story[-1] == "GET /api/system/update/status"


async def test_a_gateway_without_the_call_is_told_apart() -> None:
    """Where it cannot be asked to look, what it found by itself is told as that, without waiting."""
    it = bench()
    it.wire.answers = {"GET /api/system/update": (404, b"")}

    checked = await ask(guest_of(it), it.clock)

    assert checked.outcome is Outcome.UP_TO_DATE
    assert checked.message.endswith(
        "; that is what it found by itself, since this firmware cannot be asked to look"
    )
    assert it.clock.passed_s == 0


REST = b'{"state":"%s","info":{"status":[%s]}}'


@pytest.mark.parametrize("firmware", ["1.45.2", "21.39", "23.28"])
@pytest.mark.parametrize(
    ("said", "outcome", "answered"),
    [
        (None, Outcome.UP_TO_DATE, True),
        (REST % (b"/update_unknown", b""), Outcome.UNCLEAR, True),
        (REST % (b"/update_failed", b'"error"'), Outcome.FAILED, False),
    ],
)
async def test_a_login_that_may_not_make_it_look_is_told_what_it_found_by_itself(
    firmware: str,
    said: bytes | None,
    outcome: Outcome,
    answered: bool,  # noqa: FBT001 - a table
) -> None:
    """The customer may read where the updater stands and not have it look: that is told, and good enough unless it failed."""
    it = bench(firmware=firmware, username="customer")
    if said is not None:
        it.wire.answers = {"GET /api/system/update/status": (200, said)}

    checked = await ask(guest_of(it), it.clock)

    assert (checked.outcome, checked.answered) == (outcome, answered)
    assert checked.message.endswith(
        "; that is what it found by itself, since this login may not have it look"
    )
    assert checked.identity is not None
    assert checked.identity.firmware.startswith(firmware)
    assert "GET /api/system/update" in it.story
    assert it.clock.passed_s == 0


@pytest.mark.parametrize("firmware", ["1.45.2", "21.39", "23.28"])
async def test_a_customer_is_told_of_a_staged_update(firmware: str) -> None:
    """What is staged is read with any login, and nothing is missing from that answer."""
    it = bench(firmware=firmware, username="customer")
    it.scenario("stages an update")

    checked = await ask(guest_of(it), it.clock)

    assert (checked.outcome, checked.by_itself) == (Outcome.UPDATE_WAITING, False)
    assert "by itself" not in checked.message


@pytest.mark.parametrize("firmware", ["1.45.2", "21.39", "23.28"])
async def test_a_login_that_may_not_even_read_the_updater_is_refused(firmware: str) -> None:
    """Where the status cannot be read either there is nothing to tell: a person must act."""
    it = bench(firmware=firmware, username="customer")
    it.wire.answers = {"GET /api/system/update/status": (403, b"")}

    with pytest.raises(NotCapable):
        await ask(guest_of(it), it.clock)


async def test_beside_a_daemon_what_the_updater_tells_everybody_is_told() -> None:
    """Firmware before 1.25 tells it without a login: that is told, and that none was made to have it look."""
    it = bench(firmware="1.21")

    checked = await ask(guest_of(it, alone=False), it.clock)

    assert checked.answered
    assert checked.message.endswith("since a login to have it look would stop the daemon's battery")
    assert "POST /api/login/Basic" not in it.story


async def test_beside_a_daemon_no_login_is_made_that_could_stop_its_battery() -> None:
    """It is refused before anything is sent that a stopped battery could come of."""
    it = bench()

    with pytest.raises(NotCapable, match="stop the daemon first"):
        await ask(guest_of(it, alone=False), it.clock)
    assert "POST /api/login/Basic" not in it.story


def test_an_update_that_waits_is_told_by_the_gateway_itself(house: Site) -> None:
    """Asked now it says who it is and that an update is staged; exit code 0, nothing installed, the battery in service."""
    done = at_the_gateway(house)
    document = json.loads(at_the_gateway(house, "--json").stdout)

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("firmware  1.45.2\nstarted   ")
    assert "\nasked now an update is ready to be installed (/update_staged)" in done.stdout
    assert document["check"]["outcome"] == "update_waiting"
    assert document["check"]["message"] == document["waiting"]["message"]
    assert document["waiting"]["firmware"] == document["firmware"] == "1.45.2"
    assert json.loads((house.folder / "mine" / "marker.json").read_text()) == []
    assert "in service" in run("sitemaster", "--state-dir", "mine", cwd=house.folder, **INSTALLER).stdout


NEXT = "Firmware before the day begins (line "
"""The moment of the shipped file that installs."""


def test_what_a_check_found_is_known_afterwards(house: Site) -> None:
    """Without a daemon the check is kept: what waits, which moment would install it, and an event for the history."""
    done = at_the_gateway(house, state="kept")
    shown = run("firmware", "--state-dir", "kept", cwd=house.folder)
    document = json.loads(run("firmware", "--json", "--state-dir", "kept", cwd=house.folder).stdout)

    assert (done.returncode, shown.returncode) == (0, 0)
    assert "not kept" not in done.stderr
    lines = shown.stdout.splitlines()
    assert lines[0] == "firmware  1.45.2"
    assert lines[1].startswith("waiting   as of ")
    assert re.fullmatch(rf"next      at \S+ 07:15 {re.escape(NEXT)}\d+\) installs it, if .*07:55", lines[2])
    (event,) = document["events"]
    assert (event["do"], event["rule"], event["outcome"]) == ("check_firmware", "by hand", "update_waiting")
    assert event["message"] == document["waiting"]["message"]
    assert (document["waiting"]["firmware"], document["next_install"]["if"]) == ("1.45.2", None)
    assert "check_firmware: update_waiting" in lines[-1]


async def test_the_readme_shows_what_firmware_says(kept: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """The README's text is what a daemon leaves of two days in July: an update installed, and one that came too late for its time."""
    house = bench(local("05:30"))
    house.scenario("stages an update at 06:00")
    days = Run(house)
    await days.until(local("09:00"))
    house.scenario("has an update")
    house.scenario("a download lasts for 15m")
    await days.until(local("2026-07-02T09:00"))
    noted = house.moments.load()
    del noted["device"]
    kept.note(noted)
    journal = Journal(kept.state / "journal.sqlite")
    recorder = Recorder(journal, lambda: LOS_ANGELES, lambda error: pytest.fail(str(error)))
    for event in house.events:
        recorder.tell(event)
    journal.close()
    shutil.copy(ROOT / "config" / "tou.yaml", kept.folder)
    monkeypatch.setattr(app, "SystemClock", lambda: house.clock)
    blocks = re.findall(
        r"^```text\n(firmware .*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )

    assert blocks == [kept.run().stdout]


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway whose checks are over at once, and a command that looks soon whether one is: else either takes 20 s."""
    monkeypatch.setattr("scheduler.simulator.updater.LOOK_TAKES", timedelta(seconds=0.2))
    monkeypatch.setattr(app, "POLL_S", 0.3)


@pytest.mark.usefixtures("hasty")
def test_a_gateway_that_is_up_to_date_has_nothing_waiting_any_more(kept: Directory) -> None:
    """What waited is forgotten once the gateway says that it has the newest."""
    (kept.folder / "tou.yaml").write_text(DRY_SITE.replace("1.45.2", "1.21"))
    kept.note({"waiting": WAITING | {"firmware": None}}, kept="simulated")
    waited = kept.json()["waiting"]
    done = kept.run("--check")

    assert waited is not None
    assert done.returncode == 0
    assert (kept.json()["waiting"], kept.json()["events"][0]["outcome"]) == (None, "up_to_date")


@pytest.mark.usefixtures("hasty")
def test_beside_a_daemon_a_check_is_not_kept(kept: Directory) -> None:
    """The memory is the daemon's: what was found is told, and that it is not kept."""
    (kept.folder / "tou.yaml").write_text(DRY_SITE.replace("1.45.2", "1.21"))
    with Lock(kept.state / "lock"):
        done = kept.run("--check")

    assert done.returncode == 0
    assert done.stderr.endswith("\nthat is not kept in state: a daemon owns it\n")
    assert kept.json()["events"] == []


@pytest.mark.usefixtures("hasty")
def test_a_check_that_cannot_be_kept_is_told(kept: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the note cannot be written, the answer is told all the same, and that the next one will not know of it."""
    (kept.folder / "tou.yaml").write_text(DRY_SITE.replace("1.45.2", "1.21"))
    kept.note({"waiting": WAITING | {"firmware": None}}, kept="simulated")

    def full(path: Path, content: bytes, *, durable: bool = True) -> None:
        raise StoreError(f"{path}: no space for {len(content)} bytes, durable {durable}")

    monkeypatch.setattr("scheduler.store.durable.write", full)
    done = kept.run("--check")

    assert done.returncode == 0
    assert done.stderr.endswith("\nthat is not kept in state: it cannot be written\n")


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("install: true", "at {at} Early (line 12) installs it, if that can be over in time"),
        (
            'install: true, done_by: "23:50"',
            "at {at} Early (line 12) installs it, if that can be over by {day} 23:50",
        ),
        (
            "install: true, if: {charge_above: 90}",
            "at {at} Early (line 12) installs it, if charge above 90 %, and if that can be over in time",
        ),
        ("install: false", "no rule of the file installs it; a check_firmware with install: true would"),
    ],
)
def test_which_moment_installs_what_waits(
    kept: Directory, monkeypatch: pytest.MonkeyPatch, more: str, says: str
) -> None:
    """The next moment that may install, when, and what else it wants; or that the file has none. The one of now is under way."""
    rule = f'  - {{name: Early, at: "23:15", do: check_firmware, {more}}}\n'
    file = kept.folder / "tou.yaml"
    file.write_text(file.read_text().replace("default:", f"{rule}default:"))
    kept.note({"identity": IDENTITY, "waiting": WAITING})
    clock = VirtualClock(local("23:15"))
    monkeypatch.setattr(app, "SystemClock", lambda: clock)

    lines = kept.run().stdout.splitlines()

    day = "2026-07-02"
    assert f"next      {says.format(at=f'{day} 23:15', day=day)}" in lines


def test_beside_a_daemon_the_version_is_shown_and_the_check_refused(house: Site) -> None:
    """On firmware up to 1.49 the installer's login stops the battery: a person is told to stop the daemon first."""
    words = ("firmware", "--state-dir", "state", "--json")
    with house.daemon():
        known = eventually(
            lambda: (it := json.loads(run(*words, cwd=house.folder).stdout))["firmware"] and it
        )
        refused = at_the_gateway(house, state="state")

    assert known["firmware"] == "1.45.2"
    assert known["known_since"] is not None
    assert refused.returncode == 5
    assert "stop the daemon first" in refused.stderr
    assert refused.stdout.startswith("firmware  1.45.2\nseen ")
    assert "in service" in run("sitemaster", "--state-dir", "mine", cwd=house.folder, **INSTALLER).stdout


def test_a_wrong_password_is_refused(house: Site) -> None:
    """A person must act: exit code 5, and no trace of the battery being owed anything."""
    done = at_the_gateway(house, state="wrong", TOU_GATEWAY__PASSWORD="nonsense9")

    assert done.returncode == 5
    assert "password" in done.stderr
    assert "nonsense9" not in done.stdout + done.stderr
    assert done.stdout == "nothing is known of the gateway's firmware in wrong yet\n"


def test_a_gateway_that_is_away_is_a_sentence(house: Site) -> None:
    """Nobody answers there: exit code 3."""
    done = at_the_gateway(house, state="away", TOU_GATEWAY__HOST="127.0.0.1:1")

    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stdout == "nothing is known of the gateway's firmware in away yet\n"


def test_a_check_that_does_not_end_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An updater that is at it for longer than anybody waits: exit code 1, and what is known all the same."""
    (tmp_path / "tou.yaml").write_text(DRY_SITE)
    clock = VirtualClock(local("12:00"))
    monkeypatch.setattr(app, "SystemClock", lambda: clock)  # the gateway's own time goes by as ever

    done = run("firmware", "--check", "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path)

    assert done.returncode == 1
    assert (
        "\nasked now the gateway is still at it after 10 minutes; ask once more in a while\n" in done.stdout
    )
    assert done.stdout.startswith("firmware  1.45.2\n")
    assert "some minutes" in done.stderr


def test_a_check_can_be_called_off(tmp_path: Path) -> None:
    """Ten minutes are long: a signal ends the waiting at once, with exit code 1 and the battery in service."""
    (tmp_path / "tou.yaml").write_text(DRY_SITE)
    marker = tmp_path / "state" / "simulated" / "marker.json"

    with started("firmware", "--check", "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path) as it:
        eventually(lambda: it.poll() is not None or (marker.exists() and marker.read_text() == "[]"))
        it.send_signal(signal.SIGINT)
        code = it.wait(timeout=PATIENCE_S)

    assert code == 1
    assert (
        "called off; the login stopped the battery for a moment, and it runs again"
        in (tmp_path / "firmware.err").read_text()
    )
    assert json.loads(marker.read_text()) == []
