"""A fault that lasts a month: one line for each change, one an hour that it is still there, and a loop that never waits for its log."""

from __future__ import annotations

import fcntl
import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from bench import Bench, local
from lived import Lived, lived
from starlette.responses import Response

from scheduler.model.events import GatewayBack, GatewayLost
from scheduler.model.standing import StillWrong
from scheduler.observe.logs import configure, listener
from scheduler.observe.outlet import Outlet
from scheduler.observe.summary import Summary
from scheduler.observe.volume import BURST_BYTES, HOURLY_BYTES, SAME, Volume
from scheduler.simulator.mischief import Kind, Trouble
from scheduler.store import journal

DAILY_BYTES = 200_000
AT = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


def answers(b: Bench, status: int, *names: str, body: bytes = b"") -> None:
    """Let these calls, or all of them, be answered so for ever."""
    b.device.mischief.troubles.append(
        Trouble(
            names=frozenset(name.lower() for name in names) or None,
            kind=Kind.INSTEAD,
            answer=lambda _method, _now: Response(body, status),
        )
    )


def gone(b: Bench) -> None:
    """Nobody answers."""

    async def nobody(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody answers")

    b.wire.handle_async_request = nobody  # type: ignore[method-assign]  # a cable that is pulled


FAULTS: dict[str, Callable[[Bench], None]] = {
    "unreachable": gone,
    "401": lambda _: None,  # the password is wrong
    "403": lambda b: answers(b, 403, "POST /api/operation"),
    "429": lambda b: answers(b, 429),
    "500": lambda b: answers(b, 500),
    "nonsense": lambda b: answers(b, 200, body=b"<html>"),
    "not applied": lambda b: b.scenario("ignores writes"),
    "stopped by somebody": lambda b: answers(
        b, 200, "GET /api/sitemaster", body=b'{"running":false,"status":"StatusDown"}'
    ),
}


async def check_a_fault_that_stays(it: Lived, fault: str, *, hours: int) -> None:
    """Let it last: few lines, one an hour beside those of the plan, and bounded memory."""
    FAULTS[fault](it.bench)
    start = it.bench.clock.now()
    await it.until(start + timedelta(hours=hours))
    told = Counter(line["event"] for line in it.lines())
    days = hours / 24

    # A boundary is a new beginning: what is wrong with a switch is over with it, and wrong again after its attempts.
    assert hours - 2 - 2 * days <= told["still_wrong"] <= hours, "said once an hour, from the first hour on"
    assert told["gateway_lost"] + told["person_needed"] + told["found_stopped"] <= 3, (
        "said once, not with each try"
    )
    assert told["gateway_back"] == 0
    # The README's day: two boundaries, one moment, and a verdict for each.
    assert sum(told.values()) - told["still_wrong"] <= 10 + 12 * days, told
    assert len(it.log.getvalue()) <= max(1.0, days) * DAILY_BYTES / 4
    for kind in (journal.switches, journal.events):
        assert len(kind(it.folder / "journal.sqlite")) <= journal.KEPT


@pytest.mark.parametrize("fault", FAULTS)
async def test_c7_a_fault_is_said_once_and_then_once_an_hour(tmp_path: Path, fault: str) -> None:
    """Over a boundary, each class of fault is one line for each change and one an hour; what stays wrong is named in it."""
    with lived(tmp_path, local("21:00"), password="wrong" if fault == "401" else None) as it:
        await check_a_fault_that_stays(it, fault, hours=3)
        last = [line for line in it.lines() if line["event"] == "still_wrong"][-1]

    assert last["level"] == "warning"
    assert last["message"].startswith("for 2 h now: ") or last["message"].startswith("for 3 h now: ")
    assert len(last["message"]) > len("for 2 h now: ") + 10


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
async def test_c7_a_month_of_a_fault_is_a_short_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    """Thirty days of each class (five where each try takes minutes) stay far below 200 KB a day, and the journal within its bound."""
    monkeypatch.setattr("scheduler.control.loop.TICK_S", 300.0)  # what is due comes when it is due, as ever
    days = 5 if fault == "not applied" else 30
    with lived(
        tmp_path, local("12:00"), password="wrong" if fault == "401" else None, keeps_events=False
    ) as it:
        await check_a_fault_that_stays(it, fault, hours=24 * days)


async def test_c7_a_house_where_all_is_well_has_no_hourly_line(tmp_path: Path) -> None:
    """Silence means that all is well: the hourly line is for what is wrong."""
    with lived(tmp_path, local("21:00")) as it:
        await it.until(local("23:30"))
        told = Counter(line["event"] for line in it.lines())

    assert told["switch"] == 2
    assert told["still_wrong"] == 0


async def test_c7_the_hourly_line_ends_with_the_fault(tmp_path: Path) -> None:
    """Once the gateway answers again, no line says that it does not; a new fault begins with a new hour."""
    with lived(tmp_path, local("09:00")) as it:
        answers(it.bench, 500)
        await it.until(local("11:05"))
        it.bench.device.mischief.troubles.clear()
        await it.until(local("13:00"))
        told = [line["event"] for line in it.lines()]

    assert told.count("still_wrong") == 2
    assert "still_wrong" not in told[told.index("gateway_back") :]


async def test_c7_memory_that_fails_is_part_of_the_hourly_line(tmp_path: Path) -> None:
    """A full disk is as wrong as a gateway that is away, and it is said for how long."""
    told: list[StillWrong] = []
    summary = Summary(told.append)
    with lived(tmp_path, local("09:00")) as it:
        await it.until(local("09:05"))
        assert it.status is not None
        for minute in range(0, 200, 5):
            at = it.status.at + timedelta(minutes=minute)
            summary.report(replace(it.status, at=at, memory_problem="the disk is full"))

    assert [event.message for event in told] == [f"for {hour} h now: the disk is full" for hour in (1, 2, 3)]
    assert {event.since for event in told} == {it.status.at}


# What comes and goes.


def written(stream: io.StringIO) -> list[dict[str, Any]]:
    """The lines as documents."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture(name="stream")
def _stream() -> Any:
    root, ours = logging.getLogger(), logging.getLogger("tou_scheduler")
    before = (root.handlers, root.level, ours.level)
    stream = io.StringIO()
    configure(stream=stream)
    yield stream
    root.handlers, root.level, ours.level = before


def test_c7_what_flaps_all_day_does_not_fill_the_log(stream: io.StringIO) -> None:
    """A gateway that goes and comes twice a minute is some lines an hour, with a line on how many were left out."""
    tell = listener(lambda: UTC)
    for number in range(24 * 120):
        at = AT + timedelta(seconds=30 * number)
        tell(GatewayLost(at=at, message="no answer"))
        tell(GatewayBack(at=at + timedelta(seconds=15), message="it answers"))

    told = Counter(line["event"] for line in written(stream))
    left_out = sum(line["lines"] for line in written(stream) if line["event"] == "lines_left_out")
    assert told["gateway_lost"] == told["gateway_back"] == 24 * SAME
    assert 24 * 240 - 240 <= left_out + told["gateway_lost"] + told["gateway_back"] <= 24 * 240
    assert len(stream.getvalue()) <= DAILY_BYTES


def test_c7_new_sentences_without_end_do_not_fill_the_log(stream: io.StringIO) -> None:
    """Whatever is said, and however often it is something else, a day's log has its bound."""
    tell = listener(lambda: UTC)
    sizes: list[int] = []
    for number in range(48 * 600):
        at = AT + timedelta(seconds=6 * number)
        tell(GatewayLost(at=at, message=f"no answer to request {number} of this very long day"))
        sizes.append(len(stream.getvalue()))

    per_day = 24 * 600
    assert all(b - a <= DAILY_BYTES for a, b in zip(sizes, sizes[per_day:], strict=False))
    assert BURST_BYTES + 24 * HOURLY_BYTES <= DAILY_BYTES
    assert written(stream)[-1]["event"] in {"gateway_lost", "lines_left_out"}


def test_c7_a_clock_that_is_set_back_shuts_no_log() -> None:
    """After a step of years in either direction, the next line is admitted."""
    volume = Volume()
    for step in (timedelta(0), timedelta(days=-4000), timedelta(days=9000), timedelta(hours=-3)):
        for _ in range(SAME):
            assert volume.admits(AT + step, "gateway_lost", {"message": "no answer"})
        assert not volume.admits(AT + step, "gateway_lost", {"message": "no answer"})


# A reader that does not read.


class Waits(BaseException):
    """It waits for its reader: no handler of errors may take that for one."""


@pytest.fixture(name="no_hang")
def _no_hang() -> Iterator[None]:
    """Whoever waits for a pipe after all fails, instead of waiting for ever."""

    def waits(_signal: int, _frame: object) -> None:
        raise Waits

    before = signal.signal(signal.SIGALRM, waits)
    signal.alarm(20)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def lines_for(write_end: int, number: int) -> Outlet:
    """An outlet into this pipe, after so many lines."""
    it = Outlet(os.fdopen(write_end, "w", closefd=False), lambda lost: it.emit(record(f"lost {lost}")))
    for count in range(number):
        it.emit(record(f"line {count} " + "x" * 100))
    return it


def record(text: str) -> logging.LogRecord:
    """A line of the log."""
    return logging.LogRecord("tou_scheduler", logging.INFO, "", 0, text, None, None)


def drained(read_end: int) -> list[str]:
    """What is in the pipe."""
    os.set_blocking(read_end, False)
    content = b""
    try:
        while more := os.read(read_end, 1 << 16):
            content += more
    except BlockingIOError:
        pass
    return content.decode().splitlines()


@pytest.mark.usefixtures("no_hang")
def test_c8_a_pipe_that_nobody_drains_holds_nobody_up() -> None:
    """Thousands of lines into a full pipe return at once; what was written is whole, and the next reader learns what was lost."""
    read_end, write_end = os.pipe()
    outlet = lines_for(write_end, 5000)
    first = drained(read_end)
    outlet.emit(record("after"))
    second = drained(read_end)

    kept = [line for line in [*first, *second] if line.startswith("line ")]
    assert [line.split()[1] for line in kept] == [str(number) for number in range(len(kept))]
    assert 100 < len(kept) < 5000
    assert second[-2:] == [f"lost {5000 - len(kept)}", "after"]
    assert fcntl.fcntl(write_end, fcntl.F_GETFL) & os.O_NONBLOCK == 0, "others share it"
    for descriptor in (read_end, write_end):
        os.close(descriptor)


@pytest.mark.usefixtures("no_hang")
def test_c8_a_long_line_into_a_nearly_full_pipe_is_torn_and_the_next_one_begins_anew() -> None:
    """A traceback larger than the pipe is cut, and glues to nothing."""
    read_end, write_end = os.pipe()
    outlet = lines_for(write_end, 0)
    outlet.emit(record("y" * 200_000))
    drained(read_end)
    outlet.emit(record("after"))

    assert drained(read_end) == ["", "lost 1", "after"]
    for descriptor in (read_end, write_end):
        os.close(descriptor)


@pytest.mark.parametrize("kind", ["reader gone", "full disk"])
def test_c8_a_log_that_cannot_be_written_is_no_error(kind: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A reader that is gone, or a full disk below the log, costs lines and nothing else."""
    if kind == "reader gone":
        read_end, write_end = os.pipe()
        os.close(read_end)
    else:
        write_end = os.open("/dev/full", os.O_WRONLY)

    outlet = lines_for(write_end, 3)
    outlet.emit(record("after"))

    os.close(write_end)
    assert capfd.readouterr() == ("", "")


UNREAD = """
import sys
from datetime import UTC, datetime, timedelta
from scheduler.model.events import GatewayLost
from scheduler.observe.logs import configure, listener

configure()
tell = listener(lambda: UTC)
for number in range(2000):
    at = datetime(2026, 7, 1, tzinfo=UTC) + timedelta(hours=number)
    tell(GatewayLost(at=at, message="x" * 500))
print("went on", flush=True)
sys.stdin.read()
tell(GatewayLost(at=datetime(2027, 7, 1, tzinfo=UTC), message="later"))
"""


def test_c8_a_process_whose_stderr_nobody_reads_goes_on() -> None:
    """The whole of it, as the daemon sets it up: a megabyte into a pipe that is not drained, and the loss is said afterwards."""
    with subprocess.Popen(
        ["timeout", "60", sys.executable, "-c", UNREAD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"went on\n"
        os.read(process.stderr.fileno(), 1 << 16)
        process.stdin.close()
        rest = process.stderr.read().splitlines()

    last = [json.loads(line) for line in rest[-2:]]
    assert [line["event"] for line in last] == ["lines_lost", "gateway_lost"]
    assert last[0]["lines"] > 1000
    assert last[1]["message"] == "later"
