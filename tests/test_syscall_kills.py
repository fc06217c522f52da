"""A real daemon killed at every system call of a switch that says something to the gateway or to the disk; the next one mends it.

Real processes, real TLS, real files. The gateway is the simulated one, in this process, and its own record is what counts:
the battery runs 15 s after the next daemon was started, and goes by what is desired 60 s after it (L3).
"""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from processes import COMMAND, PASSWORD, command, environment

from scheduler.daemon.clock import SystemClock
from scheduler.simulator.device import Setting, SimulatedGateway
from scheduler.simulator.record import stretches
from scheduler.simulator.server import serving

RUNNING_WITHIN = timedelta(seconds=15)
RIGHT_WITHIN = timedelta(seconds=60)
PATIENCE_S = 90.0
NOT_REACHED = 4
"""So many points may lie behind the end of another run: an answer comes in one piece more or less, and who is settled is ended."""
BEFORE = Setting(mode="self_consumption", reserve_raw_percent=24.0)
DESIRED_RAW = ("backup", 100.0)

SAYS = ("connect", "sendto", "recvfrom", "shutdown")
"""What a process says to the gateway, or hears of it."""
KEEPS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename", "unlink", "ftruncate", "flock")
"""What it does to files; those of the state directory are meant."""

CONFIGURATION = """\
version: 1
site: {{name: Home, timezone: UTC}}
gateway:
  type: local
  host: 127.0.0.1:{port}
  server_name: powerwall
  certificate: powerwall.pem
  username: installer
  email: me@example.com
trust_clock_after: 1s
tariff:
  name: One price
  effective: 2018-04-01
  currency: USD
  periods:
    - {{name: always, hours: "00:00-24:00", import: 0.2, export: 0.04}}
rules:
  - name: Full, always
    set: {{mode: backup, reserve: 100}}
default: {{mode: backup, reserve: 100}}
"""

Point = tuple[str, int]
"""A system call, and which one of its name it is in the process's main thread."""


@dataclass
class House:
    """A simulated gateway that is served, and a folder with the configuration of who runs it."""

    folder: Path
    device: SimulatedGateway
    killed: Counter[str]

    def reset(self, state: str) -> None:
        """Nobody has been here: the battery runs as somebody set it, and there is no state directory."""
        shutil.rmtree(self.folder / state, ignore_errors=True)
        self.device.use_app(BEFORE)
        self.device.obey(running=True)
        del self.device.history[:-1]

    @property
    def is_right(self) -> bool:
        """Whether the battery runs, and goes by what is desired."""
        self.device.now()
        obeyed = self.device.obeyed
        return obeyed.running and (obeyed.mode, obeyed.reserve_raw_percent) == DESIRED_RAW

    def is_settled(self, state: str) -> bool:
        """Whether it is right, and the daemon says that it is proven. A mark may yet be kept: a lost login may come late."""
        return self.is_right and _is_proven(self.folder / state / "status.json")

    @asynccontextmanager
    async def daemon(self, state: str, *before: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A daemon, with these words before its own; killed at the end if it lives."""
        process = await asyncio.create_subprocess_exec(
            *before,
            COMMAND,
            "run",
            "--config",
            "tou.yaml",
            "--state-dir",
            state,
            cwd=self.folder,
            env=environment(TOU_GATEWAY__PASSWORD=PASSWORD),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _is_proven(status: Path) -> bool:
    try:
        said = status.read_text()
    except OSError:
        return False
    return any(f'"{verdict}"' in said for verdict in ("verified", "effective", "already"))


@asynccontextmanager
async def house(folder: Path) -> AsyncIterator[House]:
    """A house whose gateway is trusted."""
    device = SimulatedGateway(now=SystemClock().now, setting=BEFORE)
    async with serving(device, directory=folder / "gateway") as served:
        (folder / "tou.yaml").write_text(CONFIGURATION.format(port=served.port))
        trusted = await asyncio.to_thread(command, "trust", "--yes", "--config", "tou.yaml", cwd=folder)
        assert trusted.returncode == 0, trusted.stderr
        yield House(folder=folder, device=device, killed=Counter())


async def until(what: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
    """Whether it becomes true in time."""
    try:
        async with asyncio.timeout(patience_s):
            while not what():
                await asyncio.sleep(0.05)  # another process's time goes by, not a clock of ours
    except TimeoutError:
        return False
    return True


async def points(it: House) -> list[Point]:
    """The system calls of one undisturbed switch, from the lock of the state directory on until it is proven."""
    trace = it.folder / "trace"
    it.reset("clean")
    calls = ",".join((*SAYS, *KEEPS))
    async with it.daemon(
        "clean", "strace", "-f", "-y", "--seccomp-bpf", "-o", str(trace), "-e", f"trace={calls}"
    ):
        assert await until(lambda: it.is_settled("clean")), "the undisturbed switch did not end"
    counts: Counter[str] = Counter()
    found: list[Point] = []
    main, begun = "", False
    for line in trace.read_text(errors="replace").splitlines():
        thread, _, said = line.partition(" ")
        called = re.match(r"\s*(\w+)\(", said)
        main = main or thread
        if called is None or thread != main:
            continue
        counts[called[1]] += 1
        begun = begun or "clean/lock" in said
        if begun and (called[1] in SAYS or re.search(r"\bclean[/>]", said)):
            found.append((called[1], counts[called[1]]))
    return found


async def kill_at(it: House, point: Point) -> list[str]:
    """Kill a daemon there, start another one, and say what came too late."""
    call, number = point
    it.reset("state")
    inject = f"inject={call}:signal=KILL:when={number}"
    async with it.daemon(
        "state", "strace", "-f", "-o", os.devnull, "-e", f"trace={call}", "-e", inject
    ) as traced:
        await until(lambda: traced.returncode is not None or it.is_settled("state"))
        code = traced.returncode
    it.killed["killed" if code == -signal.SIGKILL else "not reached"] += 1
    began = it.device.now()
    stood = not it.device.obeyed.running
    it.killed["stood still"] += stood
    async with it.daemon("state"):
        settled = await until(lambda: it.is_settled("state"))
    late = _late(it, began)
    return [
        f"{call} number {number}: {what}" for what in (*late, *([] if settled else ["it was never proven"]))
    ]


def _late(it: House, began: datetime) -> list[str]:
    now = it.device.now()
    still = [until for _, until, o in stretches(it.device.history, began, now) if not o.running]
    wrong = [
        until
        for _, until, o in stretches(it.device.history, began, now)
        if (o.mode, o.reserve_raw_percent) != DESIRED_RAW
    ]
    return [
        f"{what} {(max(ends) - began).total_seconds():.1f} s after the start of the next one"
        for what, ends, allowed in (
            ("stood still until", still, RUNNING_WITHIN),
            ("wrong until", wrong, RIGHT_WITHIN),
        )
        if ends and max(ends) - began > allowed
    ]


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("strace") is None or os.geteuid() != 0,
    reason="strace cannot be found, or this is not root: sudo make tools, sudo make test-slow",
)
async def test_p2_l3_a_daemon_killed_at_any_system_call_of_a_switch_is_followed_by_one_that_ends_it(
    tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    """SIGKILL at every call to the gateway and to the state directory: running within 15 s, right within 60 s, every time."""
    found: list[str] = []
    killed: Counter[str] = Counter()
    waiting: list[Point] = []
    folder = tmp_path_factory.mktemp

    async def work(it: House) -> None:
        while waiting:
            found.extend(await kill_at(it, waiting.pop()))
        killed.update(it.killed)

    async with house(folder("first")) as first, house(folder("second")) as second:
        waiting.extend(await points(first))
        number = len(waiting)
        calls = {call for call, _ in waiting}
        await asyncio.gather(work(first), work(second))

    for what, count in killed.items():
        record_property(what, count)
    assert found == []
    assert {"connect", "sendto", "recvfrom", "fsync", "rename"} <= calls
    assert killed["killed"] >= number - NOT_REACHED
    assert number > 100
    assert killed["stood still"] > 0
