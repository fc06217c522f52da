"""The process ends when it is told to, whoever else hangs."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from threading import Event

import pytest
from commands import DRY_SITE
from processes import PASSWORD, environment

from scheduler.daemon import process
from scheduler.daemon.deadman import HUNG
from scheduler.daemon.process import LOOKUPS, Lookups

_HANGS = """
import asyncio, socket, threading
from scheduler.daemon import process

asked = threading.Event()

def hang(*_):
    asked.set()
    threading.Event().wait()

socket.getaddrinfo = hang

async def main():
    task = asyncio.create_task(asyncio.open_connection("powerwall", 443))
    while not asked.is_set():
        await asyncio.sleep(0.01)
    task.cancel()
    return 7

print(process.run(main()))
"""


def test_a_name_that_nobody_tells_does_not_hold_up_the_end() -> None:
    """A resolver that never answers is left alone: the process ends with its result."""
    ended = subprocess.run(
        [sys.executable, "-c", _HANGS], capture_output=True, text=True, timeout=30, check=False
    )

    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "7\n", "")


def test_names_are_told_to_those_who_ask() -> None:
    """Results and errors of a look-up come to whoever asked for it."""

    async def main() -> tuple[int, str]:
        loop = asyncio.get_running_loop()
        with pytest.raises(OSError, match="unknown"):
            await loop.run_in_executor(None, fail)
        return await loop.run_in_executor(None, lambda: 3), (await loop.getaddrinfo("127.0.0.1", 1))[0][4][0]

    def fail() -> None:
        raise OSError("unknown")

    assert process.run(main()) == (3, "127.0.0.1")


def test_only_so_many_names_are_asked_for_at_once() -> None:
    """A resolver that hangs for days does not fill the machine with threads, and one that recovers is used again."""
    answers = Event()
    lookups = Lookups()
    waiting = [lookups.submit(answers.wait) for _ in range(LOOKUPS)]

    with pytest.raises(OSError, match="too many names"):
        lookups.submit(answers.wait).result()
    answers.set()

    assert [future.result() for future in waiting] == [True] * LOOKUPS
    lookups.shutdown()


class DiedError(Exception):
    """What nobody foresaw."""


async def fail_soon() -> None:
    """A part that fails."""
    await asyncio.sleep(0)
    raise DiedError(PASSWORD)


async def wait() -> None:
    """A part that goes on for ever."""
    await asyncio.Event().wait()


async def test_p8_a_part_that_dies_calls_off_what_it_went_on_beside() -> None:
    """The block is called off, the other parts end with it, and the error itself comes out: nobody stays deaf and looks well."""
    ended: list[str] = []

    async def block() -> None:
        try:
            async with process.beside(wait(), name="other"), process.beside(fail_soon()):
                await wait()
        finally:
            ended.append("block")

    with pytest.raises(DiedError):
        await asyncio.wait_for(block(), 5)

    assert ended == ["block"]
    assert [task.get_name() for task in asyncio.all_tasks() if task.get_name() == "other"] == []


async def test_a_part_ends_with_its_block_whatever_ends_that() -> None:
    """The block's end, its own error and its calling off are what they would be without the part."""
    parts: list[asyncio.Task[None]] = []

    async def part() -> None:
        task = asyncio.current_task()
        assert task is not None
        parts.append(task)
        await wait()

    async def block(then: str) -> str:
        async with process.beside(part()):
            await asyncio.sleep(0)
            if then == "fails":
                raise DiedError
            if then == "is called off":
                await wait()
        return then

    assert await block("ends") == "ends"
    with pytest.raises(DiedError):
        await block("fails")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(block("is called off"), 0.01)
    assert [task.cancelled() for task in parts] == [True] * 3


async def test_p8_where_an_error_came_from_is_said_without_its_values() -> None:
    """Its kind and the lines it came through, innermost first; what it says itself may be a secret."""
    with pytest.raises(DiedError) as caught:
        await fail_soon()

    said = process.where(caught.value)

    assert re.fullmatch(
        r"DiedError at \S+test_process.py:\d+ \(fail_soon\), from \S+:\d+ \(test_p8_\w+\)", said
    )
    assert PASSWORD not in said


_BUG = """
import os, signal, sys, threading, time
{owner}
sound = owner.{name}

async def bad(*given, **more):
    if {when}:
        raise ValueError({password!r})
    await sound(*given, **more)

def ask():
    while True:
        time.sleep(0.3)
        os.kill(os.getpid(), signal.SIGHUP)

owner.{name} = bad
signal.signal(signal.SIGHUP, signal.SIG_IGN)
threading.Thread(target=ask, daemon=True).start()
sys.argv[1:] = ["run", "--config", "tou.yaml", "--state-dir", "state"]
from scheduler.cli import main
main()
"""

_WATCH = "import scheduler.daemon.reload as owner"


@pytest.mark.parametrize(
    ("owner", "name", "when"),
    [
        (_WATCH, "watch", "given[1].__name__ == 'reload'"),
        (_WATCH, "watch", "given[1].__name__ == 'wake'"),
        ("from scheduler.app.daemon import Daemon as owner", "_take_up", "True"),
        ("from scheduler.control.loop import Loop as owner", "cycle", "True"),
    ],
    ids=["the watch of the file", "the watch of holds", "a reload", "a cycle"],
)
def test_p8_a_daemon_that_lost_a_part_of_itself_says_so_and_ends(
    tmp_path: Path, owner: str, name: str, when: str
) -> None:
    """Whatever dies by a bug, the process ends with exit code 70, to be started anew: one line of the log, and no traceback."""
    (tmp_path / "tou.yaml").write_text(DRY_SITE)
    ended = subprocess.run(
        [sys.executable, "-c", _BUG.format(owner=owner, name=name, when=when, password=PASSWORD)],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    lines = [json.loads(line) for line in ended.stderr.splitlines()]

    assert ended.returncode == HUNG
    assert (lines[-1]["event"], lines[-1]["level"]) == ("failed", "error")
    assert "ValueError at <string>:" in lines[-1]["message"]
    assert "stopped" not in {line["event"] for line in lines}
    assert PASSWORD not in ended.stderr
