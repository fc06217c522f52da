"""Log lines are an interface: names, keys and values for each event, in one form, with no secret in it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest
import structlog

from scheduler.model import clock, ends, events, hold, standing
from scheduler.model.errors import StoreError
from scheduler.model.events import Event
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint
from scheduler.observe.logs import configure, line, listener
from scheduler.observe.narrate import Narrator
from scheduler.observe.record import Recorder

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
AT = datetime(2026, 7, 2, 5, 0, 1, 250_000, tzinfo=UTC)
BACKUP = Setpoint(mode="backup", reserve_percent=100)
SELF = Setpoint(mode="self_consumption", reserve_percent=5)
SECRET = "ST123456789"

RECORD = SwitchRecord(
    verdict=Verdict.VERIFIED,
    at=AT,
    boundary=AT - timedelta(seconds=1),
    rules=("Reserve", "Refill at night"),
    desired=BACKUP,
    before=SELF,
    after=BACKUP,
    attempts=1,
    firmware="1.45.2",
    steps=(),
    message="the gateway reads back backup, reserve 100 %",
    took_ms=94,
)
SWITCH_LINE = {
    "at": "2026-07-01T22:00:01-07:00",
    "verdict": "verified",
    "desired": "backup, reserve 100 %",
    "before": "self_consumption, reserve 5 %",
    "after": "backup, reserve 100 %",
    "boundary": "2026-07-01T22:00:00-07:00",
    "rules": "Reserve, Refill at night",
    "attempts": 1,
    "took_ms": 94,
    "message": "the gateway reads back backup, reserve 100 %",
}
LOCAL = "2026-07-01T22:00:01-07:00"
WORDS: Any = {"message": "words for a person"}
MOMENT: Any = {"do": "check_firmware", "rule": "Firmware", "due": AT}
MOMENT_LINE = {"do": "check_firmware", "rule": "Firmware", "due": LOCAL}

TABLE: list[tuple[Event, str, str, dict[str, Any]]] = [
    # an event, its name, its level, and its line after `at`
    (events.Switched(at=AT, record=RECORD), "switch", "info", SWITCH_LINE),
    (
        events.EffectJudged(at=AT, record=replace(RECORD, verdict=Verdict.EFFECTIVE)),
        "effect",
        "info",
        SWITCH_LINE | {"verdict": "effective"},
    ),
    (
        events.Drifted(at=AT, expected=BACKUP, found=SELF, policy="yield"),
        "drift",
        "warning",
        {"expected": "backup, reserve 100 %", "found": "self_consumption, reserve 5 %", "policy": "yield"},
    ),
    (events.MomentStarted(at=AT, **MOMENT), "moment_started", "info", MOMENT_LINE),
    (
        events.MomentEnded(at=AT, outcome="up_to_date", **MOMENT, **WORDS),
        "moment_ended",
        "info",
        MOMENT_LINE | {"outcome": "up_to_date", "alert": False} | WORDS,
    ),
    (
        events.MomentEnded(at=AT, outcome="unfinished", alert=True, **MOMENT, **WORDS),
        "moment_ended",
        "error",
        MOMENT_LINE | {"outcome": "unfinished", "alert": True} | WORDS,
    ),
    (events.PathChecked(at=AT, is_open=True, **WORDS), "path", "info", {"is_open": True} | WORDS),
    (events.PathChecked(at=AT, is_open=False, **WORDS), "path", "error", {"is_open": False} | WORDS),
    (
        events.InstallStarted(at=AT, rule="Firmware", before="1.45.2", done_by=AT, **WORDS),
        "install_started",
        "info",
        {"rule": "Firmware", "before": "1.45.2", "done_by": LOCAL} | WORDS,
    ),
    (
        events.FirmwareChanged(at=AT, before="1.45.2", after="1.50.1", **WORDS),
        "firmware",
        "warning",
        {"before": "1.45.2", "after": "1.50.1", "by_us": False, "took_s": None} | WORDS,
    ),
    (
        events.FirmwareChanged(at=AT, before="1.45.2", after="1.50.1", by_us=True, took_s=132.5, **WORDS),
        "firmware",
        "warning",
        {"before": "1.45.2", "after": "1.50.1", "by_us": True, "took_s": 132.5} | WORDS,
    ),
    (
        events.StoodStill(
            at=AT,
            since=AT,
            until=AT,
            at_least_s=97.5,
            at_most_s=442.5,
            boundary=AT,
            lost_wh=184.4,
            cost=0.083,
            currency="USD",
            **WORDS,
        ),
        "stood_still",
        "warning",
        {
            "since": LOCAL,
            "until": LOCAL,
            "at_least_s": 97.5,
            "at_most_s": 442.5,
            "boundary": LOCAL,
            "lost_wh": 184.4,
            "cost": 0.083,
            "currency": "USD",
        }
        | WORDS,
    ),
    (events.GatewayLost(at=AT, **WORDS), "gateway_lost", "warning", WORDS),
    (events.GatewayBack(at=AT, **WORDS), "gateway_back", "info", WORDS),
    (
        events.GridChanged(at=AT, before=Grid.CONNECTED, after=Grid.ISLANDED, **WORDS),
        "grid",
        "warning",
        {"before": "connected", "after": "islanded"} | WORDS,
    ),
    (
        events.GridFault(at=AT, alert="PINV_a006_vfCheckUnderFrequency", state="on", **WORDS),
        "grid_fault",
        "warning",
        {"alert": "PINV_a006_vfCheckUnderFrequency", "state": "on"} | WORDS,
    ),
    (events.PersonNeeded(at=AT, **WORDS), "person_needed", "error", WORDS),
    (events.Started(at=AT, **WORDS), "started", "info", WORDS),
    (events.Stopped(at=AT, **WORDS), "stopped", "info", WORDS),
    (events.FoundStopped(at=AT, **WORDS), "found_stopped", "error", WORDS),
    (events.LeftStopped(at=AT, **WORDS), "left_stopped", "error", WORDS),
    (events.LeftInstalling(at=AT, gone=True, **WORDS), "left_installing", "warning", {"gone": True} | WORDS),
    (events.NoPlan(at=AT, **WORDS), "no_plan", "error", WORDS),
    (ends.Hung(at=AT, **WORDS), "hung", "error", WORDS),
    (ends.Failed(at=AT, **WORDS), "failed", "error", WORDS),
    (events.Restarted(at=AT, **WORDS), "restarted", "info", WORDS),
    (events.PlanChanged(at=AT, **WORDS), "plan", "info", WORDS),
    (events.PlanRejected(at=AT, **WORDS), "plan_rejected", "error", WORDS),
    (events.PlanWarning(at=AT, **WORDS), "plan_warning", "warning", WORDS),
    (events.ZoneDiffers(at=AT, **WORDS), "zone_differs", "warning", WORDS),
    (events.MemoryFailed(at=AT, **WORDS), "memory_failed", "error", WORDS),
    (
        hold.HoldBegan(at=AT, held=BACKUP, since=AT, until=AT, **WORDS),
        "hold_began",
        "info",
        {"held": "backup, reserve 100 %", "since": LOCAL, "until": LOCAL} | WORDS,
    ),
    (
        hold.HoldEnded(at=AT, held=BACKUP, until=AT, **WORDS),
        "hold_ended",
        "info",
        {"held": "backup, reserve 100 %", "until": LOCAL} | WORDS,
    ),
    (
        hold.ForeignWriter(at=AT, expected=BACKUP, found=SELF, times=6, **WORDS),
        "foreign_writer",
        "error",
        {"expected": "backup, reserve 100 %", "found": "self_consumption, reserve 5 %", "times": 6} | WORDS,
    ),
    (
        clock.ClockStepped(at=AT, by_s=-3600.0, **WORDS),
        "clock_stepped",
        "warning",
        {"by_s": -3600.0} | WORDS,
    ),
    (clock.ClockDoubted(at=AT, **WORDS), "clock_doubted", "warning", WORDS),
    (clock.ClockTrusted(at=AT, **WORDS), "clock_trusted", "info", WORDS),
    (standing.MemoryBack(at=AT, **WORDS), "memory_back", "info", WORDS),
    (standing.StillWrong(at=AT, since=AT, **WORDS), "still_wrong", "warning", {"since": LOCAL} | WORDS),
]


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        """Whether a person looks."""
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """Logging as it was before."""
    root, ours = logging.getLogger(), logging.getLogger("tou_scheduler")
    before = (root.handlers, root.level, ours.level)
    yield
    root.handlers, root.level, ours.level = before
    structlog.reset_defaults()


def configured(stream: io.StringIO | None = None, **given: Any) -> io.StringIO:
    """Logging into a string."""
    stream = stream or io.StringIO()
    configure(stream=stream, **given)
    return stream


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines as documents; fails on anything that is not one."""
    return [json.loads(text) for text in stream.getvalue().splitlines()]


@pytest.mark.parametrize(("event", "name", "level", "rest"), TABLE, ids=[row[1] for row in TABLE])
def test_each_event_is_one_line(event: Event, name: str, level: str, rest: dict[str, Any]) -> None:
    """People filter logs by these names and keys: exactly these, in this order, with local times."""
    stream = configured()

    listener(lambda: LOS_ANGELES)(event)

    (document,) = lines(stream)
    assert document.pop("logged_at").endswith("Z")
    assert document.pop("level") == level
    assert document.pop("event") == name
    assert list(document.items()) == list(({"at": LOCAL} | rest).items())


def test_every_event_has_a_row() -> None:
    """An event that is added, or gets another name, must be added to the table: it is a promise from then on."""
    known = {
        value
        for module in (clock, ends, events, hold, standing)
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Event)
    }

    assert {type(event) for event, *_ in TABLE} == known - {Event}
    assert len({event.name for event, *_ in TABLE}) == len(known) - 1


def test_no_event_has_a_key_of_the_log_itself() -> None:
    """`event`, `level` and `logged_at` belong to the line, whatever fields an event may have."""
    for event, *_ in TABLE:
        assert not {field.name for field in fields(event)} & {"event", "level", "logged_at", "exc_info"}


@pytest.mark.parametrize(
    ("verdict", "level"),
    [
        (Verdict.ALREADY, "info"),
        (Verdict.VERIFIED, "info"),
        (Verdict.EFFECTIVE, "info"),
        (Verdict.SUPERSEDED, "warning"),
        (Verdict.DRIFTED, "warning"),
        (Verdict.NOT_APPLIED, "error"),
        (Verdict.NOT_EFFECTIVE, "error"),
        (Verdict.REFUSED, "error"),
        (Verdict.UNREACHABLE, "error"),
    ],
)
@pytest.mark.parametrize("kind", [events.Switched, events.EffectJudged])
def test_a_verdict_has_its_level(kind: Any, verdict: Verdict, level: str) -> None:
    """A switch that failed stands out in a log that is filtered by level."""
    stream = configured()

    listener(lambda: LOS_ANGELES)(kind(at=AT, record=replace(RECORD, verdict=verdict)))

    assert lines(stream)[0]["level"] == level


def test_what_was_never_read_is_null() -> None:
    """A switch without a reading has nulls in its line, not words that look like a setpoint."""
    facts = line(events.Switched(at=AT, record=replace(RECORD, before=None, after=None)), LOS_ANGELES)

    assert (facts["before"], facts["after"]) == (None, None)


def test_a_line_is_one_line() -> None:
    """Line breaks and quotes in a message cannot forge a second line, neither as JSON nor on a terminal."""
    forged = events.PlanRejected(at=AT, message='first\n{"event": "switch"}\r\x1b[2J')
    for stream in (io.StringIO(), Terminal()):
        configure(stream=stream)
        listener(lambda: LOS_ANGELES)(forged)
        assert stream.getvalue().count("\n") == 1
        assert "\x1b[2J" not in stream.getvalue()


def test_a_terminal_gets_words_and_everything_else_json() -> None:
    """The form follows the stream, and can be asked for."""
    event = events.GatewayBack(at=AT, message="it answers")
    told = []
    for stream, as_json in (
        (io.StringIO(), None),
        (Terminal(), None),
        (Terminal(), True),
        (io.StringIO(), False),
    ):
        configure(stream=stream, as_json=as_json)
        listener(lambda: LOS_ANGELES)(event)
        told.append(stream.getvalue().startswith("{"))
        assert "it answers" in stream.getvalue()

    assert told == [True, False, True, False]


def test_only_a_terminal_gets_colours() -> None:
    """Words in a file or a pipe carry no escape codes."""
    stream = configured(io.StringIO(), as_json=False)

    listener(lambda: LOS_ANGELES)(events.PersonNeeded(at=AT, message="come"))

    assert "\x1b" not in stream.getvalue()


def _fail_with_a_secret() -> None:
    password = SECRET  # a local variable for the traceback not to show
    raise ValueError(f"{len(password)} characters")


JOURNALLED = r"""
import logging, os, sys
from datetime import UTC, datetime
it = os.fstat(2)
os.environ["JOURNAL_STREAM"] = f"{it.st_dev}:{it.st_ino}" if sys.argv[1] == "journal" else "1:2"
from scheduler.model import events
from scheduler.observe.logs import configure, listener
configure()
tell = listener(lambda: UTC)
at = datetime(2026, 7, 2, tzinfo=UTC)
tell(events.Started(at=at, message="it begins"))
tell(events.GatewayLost(at=at, message="nobody answers"))
tell(events.PlanRejected(at=at, message="a line is wrong"))
tell(events.InstallStarted(at=at, rule="Firmware", before="1.45.2", done_by=at, message="told"))
try:
    raise ValueError("two\nlines")
except ValueError:
    logging.getLogger("other").exception("a bug")
"""


def journalled(stream: str) -> list[str]:
    """The lines that a process writes whose stderr is the journal, or is not."""
    done = subprocess.run(
        [sys.executable, "-c", JOURNALLED, stream], capture_output=True, text=True, check=True
    )
    return done.stderr.splitlines()


def test_the_journal_gets_priorities_and_sentences() -> None:
    """Each line begins with its priority, those of a traceback too; the event, its sentence and the rest follow, without a time."""
    lines = journalled("journal")

    assert lines[:3] == [
        "<6>started: it begins",
        "<4>gateway_lost: nobody answers",
        "<3>plan_rejected: a line is wrong",
    ]
    assert lines[3].startswith('<6>install_started: told (rule="Firmware" before="1.45.2" done_by=')
    assert lines[4] == "<3>a bug"
    assert lines[-2:] == ["<3>ValueError: two", "<3>lines"]
    assert all(line.startswith("<3>") for line in lines[4:])


def test_what_is_not_the_journal_gets_json() -> None:
    """A service whose log is sent to a file has $JOURNAL_STREAM as well, and that names another stream."""
    assert [json.loads(line)["event"] for line in journalled("file")[:2]] == ["started", "gateway_lost"]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("logger", ["tou_scheduler", "asyncio"])
def test_a_traceback_shows_no_local_variables(logger: str, as_json: bool) -> None:  # noqa: FBT001 - a table
    """A bug's traceback says where it was, and not what the variables held; libraries' as well as ours."""
    stream = configured(Terminal(), as_json=as_json)

    try:
        _fail_with_a_secret()
    except ValueError:
        if logger == "tou_scheduler":
            structlog.stdlib.get_logger(logger).exception("bug")
        else:
            logging.getLogger(logger).exception("bug")

    said = stream.getvalue()
    assert "ValueError: 11 characters" in said
    assert "_fail_with_a_secret" in said
    assert SECRET not in said


async def test_requests_do_not_get_into_the_log() -> None:
    """The client library tells whole addresses at INFO, with whatever secret they carry: that level of libraries is shut."""
    stream = configured()
    transport = httpx.MockTransport(lambda _: httpx.Response(200))

    async with httpx.AsyncClient(transport=transport) as client:
        await client.get(f"https://me:{SECRET}@gateway/api/status?token={SECRET}")
    logging.getLogger("apscheduler.scheduler").info("Added job")
    logging.getLogger("apscheduler.scheduler").warning("a warning")

    assert [document["event"] for document in lines(stream)] == ["a warning"]


# Those who listen beside the log.


class Book:
    """A journal in memory that can be full."""

    def __init__(self) -> None:
        self.switches: dict[int, dict[str, Any]] = {}
        self.events: list[dict[str, Any]] = []
        self.full = False

    def _check(self) -> None:
        if self.full:
            raise StoreError("the disk is full")

    def add_switch(self, document: dict[str, Any]) -> int:
        """Append a switch."""
        self._check()
        number = len(self.switches)
        self.switches[number] = document
        return number

    def change_switch(self, number: int, document: dict[str, Any]) -> None:
        """Replace a switch."""
        self._check()
        self.switches[number] = document

    def add_event(self, document: dict[str, Any]) -> None:
        """Append an event."""
        self._check()
        self.events.append(document)


def test_the_recorder_keeps_evidence_and_events() -> None:
    """A switch is kept in its public form, and its judged effect in the same place; events as their lines."""
    book = Book()
    recorder = Recorder(book, lambda: LOS_ANGELES, lambda error: pytest.fail(str(error)))
    effective = replace(RECORD, verdict=Verdict.EFFECTIVE)

    recorder.tell(events.Switched(at=AT, record=RECORD))
    recorder.tell(events.EffectJudged(at=AT, record=effective))
    recorder.tell(events.GatewayLost(at=AT, message="no answer"))

    assert book.switches == {0: effective.document(LOS_ANGELES)}
    assert book.events == [{"event": "gateway_lost", "at": LOCAL, "message": "no answer"}]


def test_another_time_zone_counts_from_the_next_event() -> None:
    """When the site's zone is edited, log and journal show its times without a restart."""
    zones, book, stream = [LOS_ANGELES], Book(), configured()
    listeners = (
        listener(lambda: zones[-1]),
        Recorder(book, lambda: zones[-1], lambda error: pytest.fail(str(error))).tell,
    )

    for zone in (LOS_ANGELES, ZoneInfo("Europe/Berlin")):
        zones.append(zone)
        for tell in listeners:
            tell(events.GatewayLost(at=AT, message="no answer"))

    assert [line["at"] for line in lines(stream)] == [event["at"] for event in book.events]
    assert book.events[0]["at"] == LOCAL
    assert book.events[1]["at"].endswith("+02:00")


def test_an_effect_is_never_put_down_to_another_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """If a switch could not be kept at all, its effect must not overwrite the evidence of the one before."""
    monkeypatch.setattr("scheduler.observe.record.WAITING", 1)
    book, failures = Book(), list[StoreError]()
    recorder = Recorder(book, lambda: LOS_ANGELES, failures.append)
    recorder.tell(events.Switched(at=AT, record=RECORD))
    later = replace(RECORD, at=AT + timedelta(hours=9), desired=SELF)
    book.full = True
    recorder.tell(events.Switched(at=AT, record=later))
    book.full = False

    recorder.tell(events.EffectJudged(at=AT, record=replace(later, verdict=Verdict.NOT_EFFECTIVE)))

    assert len(failures) == 1
    assert book.switches == {0: RECORD.document(LOS_ANGELES)}
    assert [event["verdict"] for event in book.events] == ["not_effective"]


def test_what_the_journal_does_not_take_waits_for_it() -> None:
    """History is late and in its order, not lost: the effect is put down to the switch that came while the disk was full."""
    book, failures = Book(), list[StoreError]()
    recorder = Recorder(book, lambda: LOS_ANGELES, failures.append)
    effective = replace(RECORD, verdict=Verdict.EFFECTIVE)
    book.full = True
    recorder.tell(events.GatewayBack(at=AT, message="it answers"))
    recorder.tell(events.Switched(at=AT, record=RECORD))
    recorder.tell(events.EffectJudged(at=AT, record=effective))
    book.full = False

    recorder.retry()
    recorder.retry()

    assert len(failures) == 3
    assert book.switches == {0: effective.document(LOS_ANGELES)}
    assert [event["event"] for event in book.events] == ["gateway_back"]


def test_the_recorder_does_not_answer_its_own_failure() -> None:
    """That memory fails is told to everybody; the memory that fails does not try to keep it and fail again."""
    book, failures = Book(), list[StoreError]()
    book.full = True
    recorder = Recorder(book, lambda: LOS_ANGELES, failures.append)

    recorder.tell(events.MemoryFailed(at=AT, message="the disk is full"))

    assert failures == []


def test_the_narrator_has_a_sentence_for_every_event() -> None:
    """Whatever happens in a demo is told in words: no event breaks it, and none is shown as a raw value."""
    told: list[str] = []
    narrator = Narrator(
        LOS_ANGELES, out=told.append, raw_percent=lambda shown: 0.95 * shown + 5, battery=lambda: "rests"
    )

    for event, *_ in TABLE:
        before = len(told)
        narrator.tell(event)
        assert len(told) > before

    assert not any("{" in sentence or "datetime" in sentence for sentence in told), told
    assert [t.record.verdict for t in narrator.switches] == [Verdict.EFFECTIVE]
    assert [moment.outcome for moment in narrator.moments] == ["up_to_date", "unfinished"]


@pytest.mark.parametrize(
    ("setpoint", "words"),
    [
        (BACKUP, "backup, reserve 100 % shown = 100 % raw"),
        (SELF, "self_consumption, reserve 5 % shown = 9.75 % raw"),
        (Setpoint(reserve_percent=20.0000001), "reserve 20 % shown = 24 % raw"),
        (Setpoint(mode="autonomous"), "autonomous"),
        (None, "nothing"),
    ],
)
def test_the_narrator_tells_both_scales(setpoint: Setpoint | None, words: str) -> None:
    """A reserve is told as the app shows it and as the gateway has it."""
    narrator = Narrator(
        LOS_ANGELES, out=lambda _: None, raw_percent=lambda shown: 0.95 * shown + 5, battery=lambda: ""
    )

    assert narrator.percent(setpoint) == words
