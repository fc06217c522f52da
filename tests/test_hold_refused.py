"""A hold that a clock asked for which was far ahead: it is set aside before its time comes, and no sound one ever is."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from bench import Bench, bench, local
from days import Run, obeyed

from scheduler.model.clock import Kept
from scheduler.model.errors import StoreError
from scheduler.model.hold import PUT_BACK, Hold, HoldBegan, HoldEnded, HoldRefused
from scheduler.model.setpoint import Setpoint
from scheduler.store.holds import HoldFile

HALF = Setpoint(mode="self_consumption", reserve_percent=50)
DAY = ("self_consumption", 9.75, True)
"""What the battery goes by when the rules have their way."""


def kept(path: Path) -> HoldFile:
    """A file of a hold, which can always be read."""
    return HoldFile(path / "hold.json", pytest.fail)


def left(folder: Path) -> list[str]:
    """The files that lie there, without the instants in their names."""
    return [it.name.partition(".2")[0] for it in folder.iterdir()]


def ahead(b: Bench, by: timedelta) -> Hold:
    """What a person asks for two hours of, by a clock so far ahead of the bench's."""
    since = b.clock.now() + by
    return Hold(setpoint=HALF, since=since, until=since + timedelta(hours=2))


def daemon(b: Bench, file: HoldFile) -> Run:
    """A daemon that reads this file, after a restart of ours."""
    b.restart()
    return Run(b, hold=file.load, disown=file.disown)


async def test_t2_a_hold_of_a_wrong_clock_is_set_aside_and_told_once(tmp_path: Path) -> None:
    """Asked for by a clock four hours ahead: its window comes and nothing is held, over a restart, too."""
    b = bench(local("12:00"))
    file = kept(tmp_path)
    wrong = ahead(b, timedelta(hours=4))
    file.save(wrong)
    run = daemon(b, file)

    await run.until(local("13:00"))
    again = daemon(b, kept(tmp_path))
    await again.until(wrong.since + timedelta(minutes=5))

    assert (obeyed(b), again.reports[-1].hold) == (DAY, None)
    (told,) = run.told(HoldRefused)
    assert told.message.startswith(
        "the hold of self_consumption, reserve 50 % begins 4 h from now: a clock that was wrong"
    )
    assert "it is kept as hold.json.corrupt." in told.message
    assert left(tmp_path) == ["hold.json.corrupt"]
    assert run.told(HoldBegan) == []


async def test_t2_a_hold_that_is_set_aside_counts_for_nothing_where_it_cannot_be_moved() -> None:
    """On a disk that takes nothing it lies there still: told once all the same, and not obeyed when its window comes."""
    b = bench(local("12:00"))
    wrong = ahead(b, timedelta(hours=4))
    run = Run(b, hold=lambda: wrong, disown=lambda: "it cannot be moved away: Read-only file system")

    await run.until(wrong.since + timedelta(minutes=5))

    assert (obeyed(b), len(run.told(HoldRefused))) == (DAY, 1)


async def test_t2_a_clock_that_nobody_trusts_sets_no_hold_aside(tmp_path: Path) -> None:
    """A machine without a clock of its own boots a day behind: the hold waits for the true time, and is in force then."""
    b = bench(local("12:00"))
    file = kept(tmp_path)
    hold = ahead(b, timedelta(0))
    file.save(hold)
    b.clock.step = timedelta(days=-1)
    b.clock.says = Kept(synchronised=False)
    run = daemon(b, file)
    await run.until(b.clock.now() + timedelta(minutes=10))
    assert (file.load(), run.told(HoldRefused)) == (hold, [])

    b.clock.step = timedelta(0)
    b.clock.says = Kept()
    await run.until(b.clock.now() + timedelta(minutes=2))

    assert obeyed(b) == ("self_consumption", 52.5, True)
    assert (len(run.told(HoldBegan)), run.told(HoldRefused)) == (1, [])


async def test_t2_a_hold_that_had_begun_ends_and_is_set_aside_once_the_clock_is_put_right(
    tmp_path: Path,
) -> None:
    """In force by a clock that was 30 days ahead: put right, the rules speak, and it is not found again in 30 days."""
    b = bench(local("12:00"))
    file = kept(tmp_path)
    b.clock.step = timedelta(days=30)
    file.save(ahead(b, timedelta(0)))
    run = daemon(b, file)
    await run.until(b.clock.now() + timedelta(minutes=5))
    assert obeyed(b) == ("self_consumption", 52.5, True)

    b.clock.step = timedelta(0)
    await run.until(b.clock.now() + timedelta(minutes=5))

    assert (obeyed(b), file.load()) == (DAY, None)
    assert (len(run.told(HoldEnded)), len(run.told(HoldRefused))) == (1, 1)


@pytest.mark.parametrize("by", [timedelta(0), timedelta(minutes=3), PUT_BACK - timedelta(minutes=1)])
async def test_t2_a_hold_of_a_clock_that_erred_a_little_counts(tmp_path: Path, by: timedelta) -> None:
    """A clock that is put back by less than three hours after a person spoke takes nobody's word away."""
    b = bench(local("12:00"))
    file = kept(tmp_path)
    file.save(ahead(b, by))
    run = daemon(b, file)

    await run.until(local("12:05"))

    assert obeyed(b) == ("self_consumption", 52.5, True)
    assert run.told(HoldRefused) == []


async def test_t2_a_new_word_counts_after_one_that_was_set_aside(tmp_path: Path) -> None:
    """The person asks anew by the right clock, as the message says: that is held."""
    b = bench(local("12:00"))
    file = kept(tmp_path)
    file.save(ahead(b, timedelta(days=30)))
    run = daemon(b, file)
    await run.until(local("12:02"))

    file.save(ahead(b, timedelta(0)))
    await run.until(local("12:05"))

    assert obeyed(b) == ("self_consumption", 52.5, True)
    assert len(run.told(HoldRefused)) == 1


def test_t2_what_is_set_aside_is_not_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the file cannot be read: the hold that was read last is forgotten with it."""
    b = bench(local("12:00"))
    file = HoldFile(tmp_path / "hold.json", lambda _: None)
    file.save(ahead(b, timedelta(days=30)))
    assert file.load() is not None
    file.disown()

    def broken(*_: object, **__: object) -> bytes:
        raise StoreError("it could not be read: Input/output error")

    monkeypatch.setattr("scheduler.store.durable.read", broken)

    assert file.load() is None
