"""The process ends when it is told to, whoever else hangs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from threading import Event

import pytest

from scheduler.daemon import process
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
