"""What a gateway answers when it is told to install, what becomes of that, and what an install teaches."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta
from itertools import pairwise

import httpx
import pytest
from bench import MINUTE, bench, local
from firmware_day import BOUNDARY, DAY_RAW, INSTALL, SOON, without_firmware
from orders import STAGED, STAYS_STOPPED, morning, whose

from scheduler.control.install import longest_install_s
from scheduler.model.events import FirmwareChanged, FoundStopped, InstallStarted, StoodStill

NONE = timedelta(0)


@pytest.mark.parametrize(
    "sentences",
    [(STAGED,), ("has an update", "a check lasts for 9m", "a download lasts for 3m")],
    ids=["time to tell it again", "no time for that"],
)
async def test_an_install_whose_answer_was_lost_is_ours_however_late_it_begins(
    sentences: tuple[str, ...],
) -> None:
    """It begins four minutes later and comes back stopped: started by us, told as ours, and never as not installed."""
    b = bench(local("07:10"))
    b.wire.late[INSTALL] = httpx.ReadTimeout("no answer")
    day = await morning(*sentences, "an install begins late for 4m", STAYS_STOPPED, on=b)

    assert (day.outcomes, day.alerts) == (["installed"], 0)
    assert "not installed" not in day.ended[0].message
    assert 2 * MINUTE <= day.stopped() <= 2 * MINUTE + SOON
    assert day.run.told(FoundStopped) == []
    assert whose(day) == [True]
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


@pytest.mark.parametrize("killed", [None, ("07:17:40", "07:18:20")], ids=["alive", "killed after it"])
@pytest.mark.parametrize("status", [401, 403, 404, 429])
async def test_a_second_word_that_is_refused_does_not_undo_the_first(
    status: int, killed: tuple[str, str] | None
) -> None:
    """The first answer was lost, and the gateway has taken it all the same: its restart is ours, and we start the battery."""
    b = bench(local("07:10"))
    b.wire.late[INSTALL] = httpx.ReadTimeout("no answer")
    b.device.later(local("07:16"), b.wire.late.clear)
    b.device.later(local("07:16"), lambda: b.wire.first_answers.update({INSTALL: [(status, b"{}")]}))
    day = await morning(STAGED, "an install begins late for 4m", STAYS_STOPPED, on=b, killed=killed)

    assert (day.outcomes, day.alerts, day.installs) == (["installed"], 0, 2)
    assert day.run.told(FoundStopped) == []
    assert whose(day) == [True]
    assert day.stopped() <= 3 * MINUTE + SOON
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


@pytest.mark.parametrize(
    ("sentences", "outcome", "installs"),
    [
        ((STAGED,), "installed", 2),
        (("has an update", "a check lasts for 9m", "a download lasts for 3m"), "update_waiting", 1),
    ],
    ids=["it still fits", "it fits no more"],
)
async def test_a_gateway_that_wants_silence_when_told_to_install_gets_it(
    sentences: tuple[str, ...], outcome: str, installs: int
) -> None:
    """For 300 seconds after a 429 nothing at all is asked; it is told once more only if there is the whole time for it."""
    b = bench(local("07:10"))
    b.wire.first_answers[INSTALL] = [(429, b"{}")]
    day = await morning(*sentences, on=b)

    told = day.reached[INSTALL][0]
    meanwhile = [
        (call, at)
        for call, times in day.reached.items()
        for at in times
        if told < at < told + timedelta(seconds=300)
    ]
    assert meanwhile == []
    assert (day.outcomes, day.installs, day.alerts) == ([outcome], installs, 0)
    assert day.stopped() <= (2 * MINUTE + SOON if installs == 2 else NONE)
    assert set(day.bench.marks) == set()
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_a_gateway_that_refuses_to_install_leaves_an_update_that_waits() -> None:
    """A 403 is told with its reason and asks for a person, and what waits is noted as waiting."""
    b = bench(local("07:10"))
    b.wire.answers[INSTALL] = (403, b"")
    day = await morning(STAGED, on=b)

    assert (day.outcomes, day.alerts, day.installs) == (["update_waiting"], 1, 1)
    assert "403" in day.ended[0].message
    assert b.moments.load()["waiting"]["message"] == day.ended[0].message
    assert b.moments.load()["waiting"]["firmware"] == "1.45.2"
    assert (day.stopped(), set(b.marks)) == (NONE, set())


@pytest.mark.parametrize(
    ("answers", "outcome", "alerts"), [(1, "installed", 0), (5, "failed", 1)], ids=["once", "always"]
)
async def test_a_gateway_that_does_not_know_the_install_is_told_twice(
    answers: int, outcome: str, alerts: int
) -> None:
    """A 404 may come from one that is busy: told once more a minute later, and no more after that."""
    b = bench(local("07:10"))
    b.wire.first_answers[INSTALL] = [(404, b"")] * answers
    day = await morning(STAGED, on=b)

    assert (day.outcomes, day.alerts, day.installs) == ([outcome], alerts, 2)
    assert [after - at >= MINUTE for at, after in pairwise(day.reached[INSTALL])] == [True]
    assert set(b.marks) == set()
    assert day.late(DAY_RAW, local(BOUNDARY)) <= SOON


async def test_a_router_that_was_off_is_no_standstill_and_teaches_nothing() -> None:
    """Of 80 minutes without an answer two were an upgrade: at least that is not overstated, and no budget grows by it."""
    day = await morning(
        "offline for 80m at 10:00",
        "upgrades itself at 10:30",
        start="09:50",
        end="11:40",
        schedule=without_firmware(),
    )

    (still,) = day.run.told(StoodStill)
    assert day.stopped() == 2 * MINUTE
    assert still.at_least_s <= 120 <= still.at_most_s
    assert whose(day) == [False]
    assert longest_install_s(asdict(event) for event in day.run.told(FirmwareChanged)) is None


async def test_an_install_of_ours_teaches_how_long_one_takes() -> None:
    """From the word to the first answer of the new version, and what is seen stopped is within what is told."""
    day = await morning(STAGED, "an install lasts for 12m")

    longest_s = longest_install_s(asdict(event) for event in day.run.told(FirmwareChanged))
    (still,) = day.run.told(StoodStill)
    assert longest_s is not None
    assert 720 <= longest_s <= 740
    assert still.at_least_s <= 720 <= still.at_most_s


async def test_a_second_install_within_the_time_of_the_first_is_told_from_it() -> None:
    """A restart by us is told from when the gateway was told last."""
    b = bench(local("07:10"))
    b.wire.first_answers[INSTALL] = [(404, b"")]
    day = await morning(STAGED, on=b)

    (change,) = day.run.told(FirmwareChanged)
    assert [event.at for event in day.run.told(InstallStarted)] == day.reached[INSTALL]
    assert change.took_s == (change.at - day.reached[INSTALL][1]).total_seconds()
