"""A process that hangs says where and ends itself; one that was merely stopped from outside, or works slowly, does not."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
from bench import bench, local
from clockwork import VirtualClock
from days import Run
from processes import Site, eventually, site, started

from scheduler.app import pulse
from scheduler.app.pulse import LONGEST_CYCLE_S
from scheduler.daemon import deadman
from scheduler.daemon.deadman import HUNG, LIMIT_S
from scheduler.model.events import Event
from scheduler.model.status import unknown

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
    man.begin()
    task = asyncio.create_task(wait_for_ever(), name="cycles")
    print("began", flush=True)
    if how == "never begins":
        await task
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
    [
        ("blocks", "the event loop is at <string>:11 (block)"),
        ("waits", "wait_for_ever waits at"),
        ("never begins", "wait_for_ever waits at"),
    ],
)
def test_a_process_that_hangs_says_where_and_ends(how: str, words: str) -> None:
    """The event loop is blocked, or what runs on it waits for ever, also in its first cycle: the place is named, the exit code is 70."""
    with child(how) as process:
        said = process.communicate(timeout=30)[0]

    assert process.returncode == HUNG == 70
    assert "no sign of life for" in said
    assert words in said


@pytest.mark.parametrize("how", ["is speechless", "cannot speak"])
def test_a_process_that_hangs_ends_also_where_it_cannot_say_so(how: str) -> None:
    """A log that takes no line, because its disk is full or whoever hangs holds it, keeps nobody alive."""
    with child(how) as process:
        said = process.communicate(timeout=30)[0]

    assert (process.returncode, said) == (HUNG, "began\n")


def test_a_process_whose_work_is_over_is_let_go() -> None:
    """Who stops in order has no cycle any more, and nobody misses one."""
    with child("ends") as process:
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


@pytest.mark.parametrize("late_s", [5.0, 7.0, 9.5])
@pytest.mark.parametrize(
    ("firmware", "sentences"),
    [
        ("1.45.2", ["ignores writes"]),
        ("1.45.2", ["forgets to start"]),
        ("1.45.2", ["stages an update"]),
        ("1.43.3", ["ignores writes", "forgets to start"]),
    ],
)
async def test_the_slowest_gateway_is_no_hang(late_s: float, firmware: str, sentences: list[str]) -> None:
    """With each answer nearly ten seconds late, no gap between two signs of life that count is as long as one may be."""
    b = bench(local("07:10"), firmware=firmware)
    for sentence in sentences:
        b.scenario(sentence)
    signs: list[datetime] = [b.clock.now()]
    ended: list[datetime] = [b.clock.now()]
    cycles: list[timedelta] = []
    send = b.wire.handle_async_request

    async def late(request: object) -> object:
        await b.clock.sleep(late_s)
        answer = await send(request)  # type: ignore[arg-type]
        if b.clock.now() - ended[-1] <= timedelta(seconds=LONGEST_CYCLE_S - LIMIT_S):
            signs.append(b.clock.now())
        return answer

    b.wire.handle_async_request = late  # type: ignore[method-assign, assignment]
    run = Run(b)
    cycle = run.loop.cycle

    async def beating() -> None:
        began = b.clock.now()
        await cycle()
        signs.append(b.clock.now())
        ended.append(b.clock.now())
        cycles.append(signs[-1] - began)

    run.loop.cycle = beating  # type: ignore[method-assign]
    await run.until(local("08:20"))

    gaps = [(after - before).total_seconds() for before, after in pairwise(signs)]
    assert len(signs) > 50
    assert max(gaps) < LIMIT_S - 10
    assert max(cycles) < timedelta(seconds=LONGEST_CYCLE_S)


CYCLES_END_S = 60.0
HOUR_S = 3600.0


class Looks:
    """What the dead man waits with between two looks: seconds of a virtual clock, and what the daemon does in them."""

    def __init__(self, clock: VirtualClock, lives: Callable[[], None]) -> None:
        self._clock = clock
        self._lives = lives
        self._over = False

    def wait(self, seconds: float) -> bool:
        """Let them go by; whether the handle was let go of, which an hour does for a dead man that never acts."""
        self._clock.passed_s += seconds
        self._lives()
        return self._over or self._clock.passed_s > HOUR_S

    def set(self) -> None:
        """Let go of the handle."""
        self._over = True


@pytest.mark.parametrize("first", [True, False], ids=["the first cycle", "a later cycle"])
@pytest.mark.parametrize(
    ("answered", "within_s"), [(False, 90.0), (True, 450.0)], ids=["silent", "with answers"]
)
async def test_p8_l5_a_cycle_that_never_ends_is_ended_in_time(
    monkeypatch: pytest.MonkeyPatch,
    first: bool,  # noqa: FBT001 - a table
    answered: bool,  # noqa: FBT001 - a table
    within_s: float,
) -> None:
    """Within 90 s where no call ends, and within seven and a half minutes where answers come on and on; the first one, too."""
    ended = threading.Event()
    codes: list[int] = []
    told: list[Event] = []
    clock = VirtualClock(local("12:00"))

    def lives() -> None:
        if answered:
            it.step()
        if not first and clock.passed_s <= CYCLES_END_S:
            it.cycle(unknown(clock.now(), clock.now()), UTC)

    def end(code: int) -> None:
        codes.append(code)
        ended.set()

    threads = SimpleNamespace(
        Event=partial(Looks, clock, lives), Thread=threading.Thread, get_ident=threading.get_ident
    )
    monkeypatch.setattr(deadman, "threading", threads)
    monkeypatch.setattr(pulse, "DeadMan", partial(deadman.DeadMan, end=end))
    it = pulse.Pulse(clock, told.append)
    with it:
        await asyncio.to_thread(ended.wait, 10)

    assert codes == [HUNG]
    assert [event.name for event in told] == ["hung"]
    assert LIMIT_S < clock.passed_s - (0.0 if first else CYCLES_END_S) <= within_s


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
