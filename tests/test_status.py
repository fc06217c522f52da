"""The status: whether all is well, the screen, and the file that is written only when there is news."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.hold import Hold
from scheduler.model.setpoint import Setpoint
from scheduler.model.status import Status, unknown
from scheduler.observe.status import OLD, STALE, StatusFile, judge, parse, sentence, text

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
AT = datetime(2026, 7, 2, 5, 0, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
BACKUP = Setpoint(mode="backup", reserve_percent=100)

RECORD = SwitchRecord(
    verdict=Verdict.VERIFIED,
    at=AT,
    boundary=AT,
    rules=("Refill at night",),
    desired=BACKUP,
    before=None,
    after=BACKUP,
    attempts=1,
    firmware="1.45.2",
    steps=(),
    message="the gateway reads back backup, reserve 100 %",
)
STATUS = Status(
    at=AT,
    started=AT,
    period="super_off_peak",
    desired=BACKUP,
    rules=("Refill at night",),
    actual=BACKUP,
    read_at=AT,
    record=RECORD,
    next_boundary=AT + timedelta(hours=9, minutes=55),
    next_desired=Setpoint(mode="self_consumption", reserve_percent=5.0),
    next_moment=AT + timedelta(hours=9, minutes=15),
    firmware="1.45.2",
    drifted=False,
    trouble=None,
    plan_digest="0f",
    plan_problem=None,
)


def document(**changed: Any) -> dict[str, Any]:
    """The document of `STATUS` with these fields changed."""
    return replace(STATUS, **changed).document(LOS_ANGELES)


def with_verdict(verdict: Verdict) -> dict[str, Any]:
    """The document after a switch with this verdict."""
    return document(record=replace(RECORD, verdict=verdict, message=f"it was {verdict}"))


NEW = document(record=None)
PROBLEM = document(plan_problem="tou.yaml:3:1: unknown key")
TROUBLE = document(trouble="the gateway does not answer")
FORGETTING = document(memory_problem="the card is worn out")
BOTH = document(trouble="the gateway does not answer", plan_problem="tou.yaml:3:1: unknown key")


@pytest.mark.parametrize(
    ("told", "running", "age", "fine", "reason"),
    [
        (document(), True, SECOND, True, "the gateway reads back backup, reserve 100 %"),
        (document(), True, STALE, True, "the gateway reads back backup, reserve 100 %"),
        (document(), True, STALE + SECOND, False, "its last completed cycle was 15 minutes ago"),
        (document(), True, -STALE, True, "the gateway reads back backup, reserve 100 %"),
        (document(), True, -timedelta(hours=1), False, "is of 60 minutes from now: the clock was put back"),
        (document(), False, SECOND, False, "no daemon runs with this state directory"),
        (None, False, SECOND, False, "no daemon runs with this state directory"),
        (None, True, SECOND, False, "has not completed a cycle yet"),
        (TROUBLE, True, SECOND, False, "the gateway does not answer"),
        (PROBLEM, True, SECOND, False, "an older plan goes on: tou.yaml:3:1: unknown key"),
        (BOTH, True, SECOND, False, "the gateway does not answer"),
        (FORGETTING, True, SECOND, False, "it must remember is not on the disk: the card is worn out"),
        (NEW, True, SECOND, False, "no switch has come to a verdict yet"),
        *[
            (with_verdict(v), True, SECOND, v.good or v is Verdict.DRIFTED, f"it was {v.value}")
            for v in Verdict
        ],
    ],
)
def test_whether_all_is_well(
    told: dict[str, Any] | None,
    running: bool,  # noqa: FBT001 - a table
    age: timedelta,
    fine: bool,  # noqa: FBT001 - a table
    reason: str,
) -> None:
    """A monitor is told no unless everything is proven, and a person why; what a person changed is no failure."""
    well, words = judge(told, running=running, now=AT + age)

    assert well is fine
    assert reason in words


def test_a_status_file_is_read_back() -> None:
    """What the daemon wrote is what `status` judges and shows."""
    assert parse(json.dumps(document()).encode(), AT) == document()
    assert parse(json.dumps(NEW).encode(), AT) == NEW


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"{}",
        b"5",
        b"null",
        b'{"at":1}',
        b'{"at":"soon"}',
        json.dumps({**document(), "at": "2026-07-02T05:00:01"}).encode(),
        json.dumps({**document(), "desired": []}).encode(),
        json.dumps({**document(), "configuration": None}).encode(),
        json.dumps({key: value for key, value in document().items() if key != "firmware"}).encode(),
    ],
)
def test_what_is_no_status_is_refused(content: bytes) -> None:
    """A damaged file, or that of another version, is a sentence and not a traceback."""
    with pytest.raises(ValueError, match="damaged, or another version"):
        parse(content, AT)


def test_another_time_zone_counts_from_the_next_report() -> None:
    """When the site's zone is edited, the status shows its times without a restart."""
    zones, contents = [LOS_ANGELES], list[bytes]()
    file = StatusFile(contents.append, lambda: zones[-1])

    file.report(STATUS)
    zones.append(ZoneInfo("Europe/Berlin"))
    file.report(replace(STATUS, plan_digest="1f"))

    assert [json.loads(content)["at"][-6:] for content in contents] == ["-07:00", "+02:00"]


def test_the_screen() -> None:
    """What is wanted and why, what the gateway has and when that was read, and what comes next, in local time."""
    assert text(document()) == [
        ("period", "super_off_peak"),
        ("wanted", "backup, reserve 100 % (Refill at night)"),
        ("gateway", "backup, reserve 100 % (read at Wed 01 Jul 22:00)"),
        ("verdict", "verified"),
        ("next", "Thu 02 Jul 07:55: self_consumption, reserve 5 %"),
        ("moment", "Thu 02 Jul 07:15"),
        ("plan", "0f"),
        ("firmware", "1.45.2"),
        ("clock", "not looked at"),
    ]


@pytest.mark.parametrize(
    ("until", "words"),
    [
        ("2026-11-01T00:59-07:00", "Sun 01 Nov 00:59"),
        ("2026-11-01T01:30-07:00", "Sun 01 Nov 01:30 PDT"),
        ("2026-11-01T01:30-08:00", "Sun 01 Nov 01:30 PST"),
        ("2026-11-01T02:00-08:00", "Sun 01 Nov 02:00"),
    ],
)
def test_t3_a_time_that_comes_twice_is_named(until: str, words: str) -> None:
    """In the night in which clocks are put back the screen and the word for systemd say which of both 01:30 is meant."""
    at = datetime.fromisoformat(until)
    status = replace(STATUS, next_boundary=at, next_moment=at, hold=Hold(setpoint=BACKUP, since=AT, until=at))
    rows = dict(text(status.document(LOS_ANGELES)))

    assert rows["hold"] == f"backup, reserve 100 % until {words}; `tou-scheduler resume` ends it"
    assert rows["next"].startswith(f"{words}: ")
    assert rows["moment"] == words
    assert f"; next at {words}: " in sentence(status, LOS_ANGELES)


@pytest.mark.parametrize("zone", [None, "Nowhere/Land", "UTC-08:00", "../etc"])
def test_a_status_of_a_zone_that_is_not_known_here_is_shown(zone: str | None) -> None:
    """An older version did not say which zone it is: the times are those that were written."""
    told = {**document(), "timezone": zone}
    if zone is None:
        del told["timezone"]

    assert text(told) == text(document())


def test_the_screen_before_anything_is_known() -> None:
    """Nothing that was not read or proven is shown as if it were."""
    rows = text(replace(unknown(AT, AT), plan_digest="0f").document(LOS_ANGELES))

    assert rows == [
        ("period", "none"),
        ("wanted", "left alone"),
        ("gateway", "not read yet"),
        ("verdict", "none yet"),
        ("plan", "0f"),
        ("firmware", "unknown"),
        ("clock", "not looked at"),
    ]


class Disk:
    """A file in memory with every content it had."""

    def __init__(self) -> None:
        self.contents: list[bytes] = []
        self.file = StatusFile(self.contents.append, lambda: LOS_ANGELES)

    def report(self, *, after: timedelta = SECOND, **changed: Any) -> int:
        """Report a status some time after the first; how often was written by then."""
        self.file.report(replace(STATUS, at=AT + after, **changed))
        return len(self.contents)


def test_the_file_holds_the_public_document() -> None:
    """Other programs read the file as they would read `status --json`."""
    disk = Disk()

    disk.file.report(STATUS)

    assert [json.loads(content) for content in disk.contents] == [STATUS.document(LOS_ANGELES)]


def test_nothing_new_is_not_written() -> None:
    """A quiet night costs the card one write each five minutes, not one each cycle."""
    disk = Disk()

    written = [disk.report(after=number * 15 * SECOND) for number in range(61)]

    assert written[-1] == 1 + 15 * 60 * SECOND // OLD
    assert written[: OLD // (15 * SECOND)] == [1] * (OLD // (15 * SECOND))


@pytest.mark.parametrize(
    "changed",
    [
        {"trouble": "the gateway does not answer"},
        {"plan_problem": "tou.yaml:3:1: unknown key"},
        {"memory_problem": "status.json could not be written"},
        {"record": replace(RECORD, verdict=Verdict.EFFECTIVE)},
        {"read_at": AT + SECOND},
        {"actual": Setpoint(mode="autonomous")},
        {"drifted": True},
        {"firmware": "1.50.1"},
        {"next_boundary": None},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_news_are_written_at_once(changed: dict[str, Any]) -> None:
    """Whatever changes but the time is in the file with the same cycle, and once."""
    disk = Disk()
    disk.report()

    assert disk.report(after=2 * SECOND, **changed) == 2
    assert disk.report(after=3 * SECOND, **changed) == 2


def test_a_clock_set_back_does_not_freeze_the_file() -> None:
    """A machine that booted in the future and was corrected must not show the future for as long as it was ahead."""
    disk = Disk()
    disk.report(after=timedelta(days=30))

    assert disk.report() == 2
