"""What is noted of a firmware moment when it must not be lost, cannot be kept, is damaged, or is no longer asked for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from bench import MINUTE, Bench, Moments, bench, local, readme_schedule
from days import Run
from firmware_day import (
    BOUNDARY,
    DAY_RAW,
    INSTALL,
    SOON,
    firmware_at,
    without_firmware,
)
from orders import STAGED, STAYS_STOPPED, answers_between, morning

from scheduler.control.diary import CURRENT, DONE, WAITING, Diary
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.model.events import (
    FirmwareChanged,
    FoundStopped,
    GatewayLost,
    InstallStarted,
    MomentStarted,
    PersonNeeded,
)
from scheduler.model.reading import Grid
from scheduler.model.timeline import Condition
from scheduler.plan.rules import MomentRule, Schedule

NONE = timedelta(0)


def no_note(b: Bench) -> None:
    """The file of moments cannot be written."""
    b.moments.kept = False


def no_marks(b: Bench) -> None:
    """The file of marks cannot be written."""
    b.marks.kept = False


@pytest.mark.parametrize("lose", [no_note, no_marks])
async def test_nothing_is_installed_that_could_be_forgotten(lose: Callable[[Bench], None]) -> None:
    """Whoever were killed then could not tell our stop from a person's: the update waits, and it is said why."""
    b = bench(local("07:10"))
    lose(b)
    day = await morning(STAGED, STAYS_STOPPED, on=b)

    assert (day.outcomes, day.alerts, day.installs) == (["update_waiting"], 0, 0)
    assert "our memory cannot be read or written" in day.ended[0].message
    assert (day.bench.device.firmware, day.stopped()) == ("1.45.2", NONE)
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


def installing(b: Bench) -> bool:
    """Whether the moment is noted as one in which the gateway is told to install."""
    return bool(b.moments.load().get(CURRENT, {}).get("phase") == "install")


def note_fails_at_the_deed(b: Bench, times: int) -> None:
    """The file of moments is full when the install is noted, so many times, and not before."""
    saved, left = b.moments.save, [times]

    def save(content: dict[str, Any]) -> None:
        fails = content.get(CURRENT, {}).get("phase") == "install" and left[0] > 0
        saved(content)
        b.moments.kept = not fails

    def tried(kept: dict[str, Any]) -> None:
        save(kept)
        left[0] -= bool(kept.get("told")) and not b.moments.kept

    b.moments.save = tried  # type: ignore[method-assign]  # the same, with a disk that fills


def marks_fail_at_the_deed(b: Bench, times: int) -> None:
    """The file of marks is full when the install is noted, so many times, and not before."""
    noted, left = b.marks.note, [times]

    def note(mark: str) -> None:
        noted(mark)
        b.marks.kept = not (installing(b) and left[0] > 0)
        left[0] -= not b.marks.kept

    cleared = b.marks.clear

    def clear(mark: str) -> None:
        cleared(mark)
        b.marks.kept = True

    b.marks.note, b.marks.clear = note, clear  # type: ignore[method-assign]  # the same, with a disk that fills


@pytest.mark.parametrize("fail", [note_fails_at_the_deed, marks_fail_at_the_deed])
@pytest.mark.parametrize("times", [1, 2, 1000])
async def test_a_memory_that_fails_between_the_check_and_the_deed_is_noticed(
    fail: Callable[[Bench, int], None], times: int
) -> None:
    """The gateway is not told before the note is kept; it is tried again each minute, and told once it is."""
    b = bench(local("07:10"))
    fail(b, times)
    unkept: list[bool] = []
    day = await morning(
        STAGED,
        on=b,
        persons={
            f"07:{minute}": lambda run: unkept.append(MAY_HAVE_STOPPED in run.bench.marks)
            for minute in (16, 17, 18)
        },
    )

    installed = times < 1000
    assert (day.outcomes, day.alerts) == (["installed" if installed else "update_waiting"], 0)
    assert day.installs == len(day.run.told(InstallStarted)) == int(installed)
    if installed:
        assert local("07:15") + times * MINUTE <= day.reached[INSTALL][0] <= local("07:16") + times * MINUTE
    else:
        assert "an update" in day.ended[0].message
        assert "our memory cannot be read or written" in day.ended[0].message
        assert (unkept, set(b.marks)) == ([False] * 3, set())
    assert day.stopped() <= (2 * MINUTE + SOON if installed else NONE)
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


@dataclass
class Full(Moments):
    """A note on a disk that is full as often as ``fails`` says; ``saved`` is what the disk really holds."""

    fails: int
    saved: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Begin empty."""
        super().__init__()

    def save(self, content: dict[str, Any]) -> None:
        """Know it, and put it on the disk if that takes it."""
        super().save(content)
        self.kept = self.fails <= 0
        self.fails -= 1
        if self.kept:
            self.saved.append(content)


@pytest.mark.parametrize("fails", [0, 1, 3])
def test_a_note_that_could_not_be_saved_is_saved_at_the_next_chance(fails: int) -> None:
    """The same written again goes to the disk until it is there, and not once more after that."""
    note = Full(fails)
    diary = Diary(note, "gateway:443")
    for _ in range(fails + 2):
        diary.put(DONE, {"a moment": "2026-07-01T14:15:00+00:00"})

    assert diary.kept
    assert note.saved == [{DONE: {"a moment": "2026-07-01T14:15:00+00:00"}, "device": "gateway:443"}]


def test_what_was_not_saved_goes_along_with_what_is_saved_next() -> None:
    """Another section that is written once the disk has room takes the lost one with it."""
    note = Full(1)
    diary = Diary(note, "gateway:443")
    diary.put(DONE, {"a moment": "2026-07-01T14:15:00+00:00"})
    diary.put(WAITING, {"message": "an update is ready"})

    assert set(note.saved[-1]) == {DONE, WAITING, "device"}


def adopts(schedule: Schedule) -> Callable[[Run], None]:
    """The file was edited, and has these rules now."""
    return lambda run: run.loop.adopt(replace(run.policy, schedule=schedule, digest="edited"), None, "")


@pytest.mark.parametrize(
    ("edited", "outcomes", "installs"),
    [
        (without_firmware(), ["passed_over"], 0),
        (replace(firmware_at(install=False)), ["passed_over"], 0),
        (firmware_at("07:15", "07:50"), ["passed_over"], 0),
        (replace(readme_schedule(), default_line=21), ["installed"], 1),
    ],
    ids=["taken away", "install: false", "another done_by", "something else"],
)
async def test_a_file_that_takes_the_moment_back_while_it_polls_is_obeyed(
    edited: Schedule, outcomes: list[str], installs: int
) -> None:
    """What the file does not ask for any more as it did is not installed; an edit of something else changes nothing."""
    day = await morning("has an update", "a download lasts for 5m", persons={"07:18": adopts(edited)})

    assert (day.outcomes, day.installs) == (outcomes, installs)
    assert day.ended[0].at < local("07:19") or installs
    assert day.stopped() <= (2 * MINUTE + SOON if installs else NONE)
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_a_file_that_takes_the_moment_back_does_not_end_an_install() -> None:
    """The gateway is gone already: it comes back stopped, and is put right and told like any other."""
    day = await morning(
        STAGED,
        "an install lasts for 6m",
        STAYS_STOPPED,
        persons={"07:17": adopts(without_firmware())},
    )

    assert (day.outcomes, day.alerts) == (["installed"], 0)
    assert day.stopped() <= 6 * MINUTE + SOON
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_the_same_gateway_by_another_way_in_keeps_the_story() -> None:
    """A new password or certificate that is taken up in mid-install does not make the stop somebody else's."""

    def renewed(run: Run) -> None:
        run.bench.restart()
        run.loop.adopt(replace(run.policy, digest="edited"), run.bench.gateway, "")

    day = await morning(STAGED, "an install lasts for 6m", STAYS_STOPPED, persons={"07:18": renewed})

    assert (day.outcomes, day.alerts, day.installs) == (["installed"], 0, 1)
    assert [event.by_us for event in day.run.told(FirmwareChanged)] == [True]
    assert day.run.told(FoundStopped) == []
    assert day.stopped() <= 6 * MINUTE + SOON
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_another_gateway_has_a_story_of_its_own() -> None:
    """Nothing that was told to the one before is expected of it: its moment begins anew, and its restart is its own."""
    b = bench(local("07:10"))
    other = bench(clock=b.clock)
    other.scenario("upgrades itself at 07:25")

    def replaced(run: Run) -> None:
        run.loop.adopt(replace(run.policy, digest="edited"), other.gateway, "another:443")

    day = await morning(STAGED, "an install lasts for 6m", on=b, persons={"07:18": replaced})

    assert day.outcomes == ["up_to_date"]
    assert len(day.run.told(MomentStarted)) == 2
    assert [event.by_us for event in day.run.told(FirmwareChanged)] == [False]
    assert (day.installs, other.story.count(INSTALL)) == (1, 0)
    assert b.moments.load()["device"] == "another:443"
    assert "told" not in b.moments.load()


MOMENT = {
    "at": "2026-07-01T14:15:00+00:00",
    "do": "check_firmware",
    "rule": "Firmware before the day begins",
    "line": 12,
    "install": True,
    "done_by": None,
}
UNDER_WAY = {
    "moment": MOMENT,
    "phase": "poll",
    "deadline": "2026-07-01T14:55:00+00:00",
    "since": None,
    "until": None,
    "accepted": True,
    "before": None,
    "tries": 0,
}
ENDLESS = {
    "phase": "install",
    "since": "2026-07-01T14:00:00+00:00",
    "deadline": "9999-12-31T23:59:59+00:00",
    "until": "9999-12-31T23:59:59+00:00",
    "before": ["1", "2"],
}
ANCIENT = {"moment": MOMENT | {"at": "0001-01-01T00:00:00+00:00"}, "deadline": "0001-01-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    "noted",
    [
        {"done": {"x": 5}},
        {"done": {"x": None}},
        {"done": [1]},
        {"identity": {"firmware": 1}},
        {"waiting": 7},
        {"device": 7},
        {"told": "yesterday"},
        {"told": {"since": 5, "until": [], "open": "yes"}},
        {"told": {"since": "2026-07-01T14:00:00+00:00", "until": "9999-12-31T23:59:59+00:00", "open": False}},
        {"told": {"since": "2026-07-01T14:00:00", "until": "2026-07-01T15:00:00", "open": True}},
        {"current": 3},
        {"current": UNDER_WAY | {"tries": float("inf")}},
        {"current": UNDER_WAY | {"before": []}},
        {"current": UNDER_WAY | {"moment": MOMENT | {"line": "x"}}},
        {"current": UNDER_WAY | ENDLESS},
        {"current": UNDER_WAY | ANCIENT},
    ],
    ids=lambda noted: json.dumps(noted)[:40],
)
async def test_a_damaged_note_ends_nothing(noted: dict[str, Any]) -> None:
    """Whatever the file holds, the moment of the day is done, the day begins on time, and the file is whole again."""
    b = bench(local("07:10"))
    b.moments.save(json.loads(json.dumps(noted)))
    day = await morning(on=b)

    assert (day.outcomes, day.alerts) == (["up_to_date"], 0)
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON
    assert list(b.moments.load()["done"]) == [f"{MOMENT['at']} {MOMENT['do']} {MOMENT['rule']}"]
    assert b.moments.load()["identity"]["firmware"] == "1.45.2"


async def test_a_note_of_an_install_without_its_beginning_ends_with_its_time() -> None:
    """A note that can be read and is nonsense is taken for an install nobody saw begin: told, and the day goes on."""
    b = bench(local("07:10"))
    b.moments.save({"current": UNDER_WAY | {"phase": "install"}})
    day = await morning(on=b)

    assert day.outcomes == ["unfinished"]
    assert day.installs == 0
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


def with_condition() -> Schedule:
    """The README's schedule with a moment that is only for a house on the grid."""
    schedule = readme_schedule()
    rules = tuple(
        replace(rule, condition=Condition(grid=Grid.CONNECTED)) if isinstance(rule, MomentRule) else rule
        for rule in schedule.rules
    )
    return replace(schedule, rules=rules)


@pytest.mark.parametrize("status", [404, 503])
@pytest.mark.parametrize(("until", "outcome"), [("07:25", "up_to_date"), ("09:00", "missed")])
async def test_a_condition_that_cannot_be_read_is_no_trouble_of_the_loop(
    status: int, until: str, outcome: str
) -> None:
    """The moment waits for its reading as long as it has time, and then ends with what could not be read."""
    b = bench(local("07:10"))
    answers_between(b, "07:05", until, {"GET /api/system_status/grid_status": (status, b"")})
    day = await morning(on=b, schedule=with_condition())

    assert day.outcomes == [outcome]
    assert ("could not be read" in day.ended[0].message) is (outcome == "missed")
    assert day.run.told(GatewayLost) == []
    assert day.run.told(PersonNeeded) == []
    assert {report.trouble for report in day.run.reports} == {None}
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON
