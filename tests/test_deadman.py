"""A process that hangs says where and ends itself; one that was merely stopped from outside, or works slowly, does not."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import pytest
from bench import bench, local
from days import Run
from processes import Site, eventually, site, started

from scheduler.daemon.deadman import HUNG, LIMIT_S

CHILD = """
import asyncio, os, sys, threading, time
from scheduler.app.pulse import _work
from scheduler.daemon.deadman import DeadMan

async def wait_for_ever():
    await asyncio.Event().wait()

def block():
    while True:
        time.sleep(0.01)

def say(words):
    if how == "is speechless":
        threading.Event().wait()
    if how == "cannot speak":
        raise OSError("no space left on device")
    print(words, flush=True)

async def main():
    man = DeadMan(time.monotonic, say, limit_s=1.0, look_s=0.2)
    man.watch(_work(asyncio.get_running_loop()))
    man.begin(100.0 if how == "begins slowly" else 0.0)
    task = asyncio.create_task(wait_for_ever(), name="cycles")
    print("began", flush=True)
    if how == "begins slowly":
        await asyncio.sleep(3)
        return
    man.beat()
    if how == "blocks":
        block()
    if how == "lives":
        while True:
            man.beat()
            await asyncio.sleep(0.05)
    if how == "ends":
        man.release()
        await asyncio.sleep(3)
        return
    await task

how = sys.argv[1]
late = threading.Timer(25.0, os._exit, (1,))  # whoever nobody ends must not keep the test
late.daemon = True
late.start()
asyncio.run(main())
"""


def child(how: str) -> subprocess.Popen[str]:
    """A process that is held by a dead man of one second."""
    return subprocess.Popen([sys.executable, "-c", CHILD, how], stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("how", "words"),
    [("blocks", "the event loop is at <string>:11 (block)"), ("waits", "wait_for_ever waits at")],
)
def test_a_process_that_hangs_says_where_and_ends(how: str, words: str) -> None:
    """Whether the event loop is blocked or what runs on it waits for ever: the place is named, and the exit code is 70."""
    with child(how) as process:
        said = process.communicate(timeout=30)[0]

    assert process.returncode == HUNG == 70
    assert "no cycle was completed for" in said
    assert words in said


@pytest.mark.parametrize("how", ["is speechless", "cannot speak"])
def test_a_process_that_hangs_ends_also_where_it_cannot_say_so(how: str) -> None:
    """A log that takes no line, because its disk is full or whoever hangs holds it, keeps nobody alive."""
    with child(how) as process:
        said = process.communicate(timeout=30)[0]

    assert (process.returncode, said) == (HUNG, "began\n")


@pytest.mark.parametrize("how", ["ends", "begins slowly"])
def test_a_process_whose_work_is_over_or_to_come_is_let_go(how: str) -> None:
    """Who stops in order has no cycle any more, and the first one may take its time: nobody misses one."""
    with child(how) as process:
        said = process.communicate(timeout=30)[0]

    assert (process.returncode, said) == (0, "began\n")


def test_a_process_that_was_stopped_from_outside_goes_on() -> None:
    """Three times the limit in SIGSTOP is no hang of its own: continued, it beats and lives."""
    with child("lives") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        time.sleep(3)  # noqa: TID251 - another process's time goes by, not a clock of ours
        process.send_signal(signal.SIGCONT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=2)
        process.kill()


@pytest.mark.parametrize("late_s", [5.0, 9.5])
@pytest.mark.parametrize("sentence", ["ignores writes", "forgets to start", "stages an update"])
async def test_the_slowest_gateway_is_no_hang(late_s: float, sentence: str) -> None:
    """With each answer nearly ten seconds late, no gap between two signs of life is as long as the dead man waits."""
    b = bench(local("07:10"))
    b.scenario(sentence)
    signs: list[datetime] = [b.clock.now()]
    send = b.wire.handle_async_request

    async def late(request: object) -> object:
        await b.clock.sleep(late_s)
        answer = await send(request)  # type: ignore[arg-type]
        signs.append(b.clock.now())
        return answer

    b.wire.handle_async_request = late  # type: ignore[method-assign, assignment]
    run = Run(b)
    cycle = run.loop.cycle

    async def beating() -> None:
        await cycle()
        signs.append(b.clock.now())

    run.loop.cycle = beating  # type: ignore[method-assign]
    await run.until(local("08:20"))

    gaps = [(after - before).total_seconds() for before, after in pairwise(signs)]
    assert len(signs) > 50
    assert max(gaps) < LIMIT_S - 10


def status_of(home: Site) -> str:
    """What a health check is told."""
    return home.run("status", "--probe", "--state-dir", "state", RUNTIME_DIRECTORY=str(home.folder)).stdout


def test_the_heartbeat_tells_of_a_daemon_that_stands_still(tmp_path: Path) -> None:
    """A daemon that is stopped from outside is told by its heartbeat, which lies where it costs no disk and goes with it."""
    with site(tmp_path) as home:
        heartbeat = tmp_path / "tou-scheduler.heartbeat"
        with started("run", "--state-dir", "state", cwd=tmp_path, RUNTIME_DIRECTORY=str(tmp_path)) as daemon:
            eventually(lambda: status_of(home).startswith("fine"))
            number, beat = heartbeat.read_text().split()
            heartbeat.write_text(f"{number} {float(beat) - 3600}")
            daemon.send_signal(signal.SIGSTOP)
            still = status_of(home)
            heartbeat.write_text(f"{int(number) + 1} {float(beat) - 3600}")
            of_another = status_of(home)
            heartbeat.write_text("nonsense")
            unreadable = status_of(home)
            daemon.send_signal(signal.SIGCONT)

        assert number == str(daemon.pid)
        assert still.startswith("NOT FINE: the daemon hangs: its last cycle was completed 36")
        assert of_another.startswith("fine")
        assert unreadable.startswith("fine")
        assert not heartbeat.exists()


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("strace") is None or os.geteuid() != 0,
    reason="strace cannot be found, or this is not root: sudo make tools, sudo make test-slow",
)
def test_a_real_daemon_that_hangs_ends_itself_and_the_next_one_goes_on(tmp_path: Path) -> None:
    """Held in a call of the system, the daemon says so and ends within 90 s; the probe fails then, and the next one is fine."""
    with site(tmp_path) as home:
        with home.daemon() as daemon:
            eventually(lambda: status_of(home).startswith("fine"))
            call = "epoll_wait,epoll_pwait"
            inject = f"inject={call}:delay_enter=600000000"
            held = subprocess.Popen(
                ["strace", "-p", str(daemon.pid), "-e", f"trace={call}", "-e", inject, "-o", os.devnull],
                stderr=subprocess.DEVNULL,
            )
            try:
                began_s = time.monotonic()
                while not (hung := [line for line in home.log if line["event"] == "hung"]):
                    assert time.monotonic() < began_s + 120
                    time.sleep(0.1)  # noqa: TID251 - another process's time goes by, not a clock of ours
                took_s = time.monotonic() - began_s
            finally:
                held.kill()  # who holds a process keeps it from being gone
                held.wait()
            code = daemon.wait(timeout=10)
            gone = status_of(home)
        with home.daemon():
            eventually(lambda: status_of(home).startswith("fine"))

    assert code == HUNG
    assert 60 < took_s < 90
    assert len(hung) == 1
    assert "the event loop is at" in hung[0]["message"]
    assert "Loop._forever waits at" in hung[0]["message"]
    assert gone == "NOT FINE: no daemon runs with this state directory\n"
