"""The figures of the README, measured where this runs: `make bench` prints a table, and fails if one is over.

Needs Linux and what the program itself needs, nothing more. Each measurement is a process of its own, started
by this file, which imports nothing of the program at its top: Linux counts the memory of the one who starts a
process into the peak of the one that is started. Nothing here is a test, and no test is timed.
"""

# ruff: noqa: T201 - it prints a table: that is what it is for

from __future__ import annotations

import asyncio
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any

from processes import ROOT, Site, command, environment, site

SHIPPED = ROOT / "config" / "tou.yaml"
FIRST_DAY = date(2026, 7, 1)
RUNS = 5
SWITCHES = 20
RULES = 10_000
SETTLED_S = 15.0
"""The daemon counts as idle this long after its first cycle."""

IDLE_S = 30.0
MINUTE_S = 60.0
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
LARGEST_FILE = 1 << 20
MEGA = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table: several measurements of the same, and the most that their median may be."""

    what: str
    measured: list[float]
    unit: str = ""
    bound: float | None = None

    @property
    def over(self) -> bool:
        """Whether it breaks its promise."""
        return self.bound is not None and median(self.measured) > self.bound

    def row(self) -> tuple[str, ...]:
        """Its cells."""
        low, high = f"{min(self.measured):.3g}", f"{max(self.measured):.3g}"
        return (
            self.what,
            f"{median(self.measured):.3g} {self.unit}".rstrip(),
            "" if low == high else f"{low} to {high}",
            "" if self.bound is None else f"{self.bound:g} {self.unit}".rstrip(),
            "" if self.bound is None else "OVER" if self.over else "ok",
        )


# What is measured inside of a process of its own.


def compute_year(file: str) -> dict[str, float]:
    """Load, compile and tell a year, in seconds; the interpreter and our imports are there already."""
    from scheduler.config.load import load
    from scheduler.plan.compile import compile_plan
    from scheduler.plan.document import plan_document
    from scheduler.plan.wallclock import WallClock

    began_s = time.perf_counter()
    schedule = load(Path(file)).schedule
    clock = WallClock(schedule.zone)
    ends = FIRST_DAY + timedelta(days=366)
    timeline = compile_plan(schedule, clock.instant(FIRST_DAY, 0), clock.instant(ends, 0))
    json.dumps(plan_document(timeline, schedule.zone), indent=2, ensure_ascii=False)
    return {"s": time.perf_counter() - began_s}


def compute_rules(file: str) -> dict[str, float]:
    """Load a file and compile 8 days of it: seconds, and the peak of the whole process in MB."""
    from scheduler.config.load import load
    from scheduler.plan.compile import compile_plan
    from scheduler.plan.wallclock import WallClock

    began_s = time.perf_counter()
    schedule = load(Path(file)).schedule
    clock = WallClock(schedule.zone)
    timeline = compile_plan(
        schedule, clock.instant(FIRST_DAY, 0), clock.instant(FIRST_DAY + timedelta(days=8), 0)
    )
    took_s = time.perf_counter() - began_s
    assert len(timeline.segments) > RULES, "not every rule came to speak"
    return {"s": took_s, "mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MEGA}


def switch_to_and_fro(file: str) -> dict[str, list[float]]:
    """Switch a gateway again and again in one session: exchanges and milliseconds of each."""
    return asyncio.run(_switch_to_and_fro(Path(file)))


async def _switch_to_and_fro(file: Path) -> dict[str, list[float]]:
    from scheduler.app.plug import connect
    from scheduler.config.load import load
    from scheduler.control.session import Session
    from scheduler.control.switch import Order, Procedure
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.evidence import Verdict
    from scheduler.model.setpoint import Setpoint
    from scheduler.store.memory import Memory

    clock = SystemClock()
    memory = Memory(file.parent, [], clock.now)
    took: dict[str, list[float]] = {"exchanges": [], "ms": []}
    async with AsyncExitStack() as stack:
        gateway = await connect(load(file), memory, clock, stack)
        session = Session(gateway, clock, memory.marker, memory.tell)
        for number in range(1 + SWITCHES):
            there = Setpoint(mode="backup", reserve_percent=100)
            back = Setpoint(mode="self_consumption", reserve_percent=5)
            now = clock.now()
            order = Order(
                desired=back if number % 2 else there, boundary=now, until=now + timedelta(hours=1), rules=()
            )
            began_s = time.perf_counter()
            came = await Procedure(
                order, gateway=gateway, session=session, clock=clock, marks=memory.marker
            ).run()
            if number:  # the first one logs in
                assert came.record.verdict is Verdict.VERIFIED, came.record.message
                took["exchanges"].append(len(came.record.steps))
                took["ms"].append((time.perf_counter() - began_s) * 1000)
    return took


def rehearse_months(file: str) -> dict[str, float]:
    """Rehearse twelve months, each with a swarm of faults, on one processor: processor seconds for a year of it."""
    from scheduler.app.rehearsal.performance import order_of, rehearse
    from scheduler.config.load import load

    order = order_of(load(Path(file)), seed=7, days=30, kinds=None, every_tick=False)
    rehearse(order, 0)  # what is compiled once is not what a year costs
    began_s = time.process_time()
    for run in range(12):
        assert not rehearse(order, run).broken
    return {"s": (time.process_time() - began_s) * 365 / 360}


INSIDE: dict[str, Callable[[str], dict[str, Any]]] = {
    measure.__name__: measure for measure in (compute_year, compute_rules, switch_to_and_fro, rehearse_months)
}


def inside(measure: Callable[[str], dict[str, Any]], file: Path) -> dict[str, Any]:
    """What a measurement comes to in a fresh process."""
    done = subprocess.run(
        [sys.executable, __file__, measure.__name__, file],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{measure.__name__} failed:\n{done.stderr}")
    said: dict[str, Any] = json.loads(done.stdout)
    return said


# What is measured from outside.


def wall_s(*words: str) -> list[float]:
    """How long a whole command takes, again and again, in seconds."""

    def once() -> float:
        began_s = time.perf_counter()
        done = command(*words, cwd=ROOT)
        took_s = time.perf_counter() - began_s
        assert done.returncode == 0, done.stderr
        return took_s

    return [once() for _ in range(RUNS)]


def many_rules() -> str:
    """The shipped default with 10,000 rules instead of its own, for a minute of the week each."""
    head, _, rest = SHIPPED.read_text().partition("rules:")
    rules = [
        f"  - {{name: Minute {number}, why: one of very many, days: {DAYS[number // DAY_MINUTES]}, "
        f'hours: "{_clock(number)}-{_clock(number + 1)}", set: {{reserve: {5 + number % 70}}}}}'
        for number in range(RULES)
    ]
    text = "\n".join([f"{head}rules:", *rules, rest[rest.index("\ndefault:") :]])
    assert LARGEST_FILE * 0.95 < len(text.encode()) <= LARGEST_FILE, "it should be just under the limit"
    return text


def _clock(minute: int) -> str:
    hours, minutes = divmod(minute % DAY_MINUTES, 60)
    return f"{hours:02}:{minutes:02}"


def memory_mb(process: int) -> float:
    """What a process holds in memory, with the libraries that it shares."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmRSS:\s+(\d+) kB", status)[0]) * 1024 / MEGA


def processor_s(process: int) -> float:
    """The processor time of another process so far, all its threads, to the nanosecond.

    The number of its clock is what clock_getcpuclockid(3) gives, which Python lacks; /proc counts in 10 ms.
    """
    return time.clock_gettime((~process << 3) | 2)


def wake_ups(process: int) -> int:
    """How often its threads went to sleep so far, and so were woken."""
    tasks = Path(f"/proc/{process}/task").glob("*/status")
    return sum(int(re.findall(r"\nvoluntary_ctxt_switches:\s+(\d+)", task.read_text())[0]) for task in tasks)


def wait(seconds: float) -> None:
    """Let another process's time go by."""
    time.sleep(seconds)  # noqa: TID251 - a measurement takes as long as it says


# The figures.


def plan_figures(folder: Path) -> Iterator[Figure]:
    """Computing: no gateway is needed."""
    computed = [inside(compute_year, SHIPPED)["s"] for _ in range(RUNS)]
    yield Figure(what="plan of 366 days, computing", measured=computed, unit="s", bound=0.3)
    yield Figure(
        what="  the whole command",
        measured=wall_s("plan", "--config", str(SHIPPED), "--days", "366", "--json"),
        unit="s",
    )
    file = folder / "many.yaml"
    file.write_text(many_rules())
    runs = [inside(compute_rules, file) for _ in range(3)]
    yield Figure(
        what=f"{RULES} rules, load and compile 8 days", measured=[r["s"] for r in runs], unit="s", bound=3
    )
    yield Figure(what="  peak memory", measured=[r["mb"] for r in runs], unit="MB", bound=120)
    rehearsed = [inside(rehearse_months, SHIPPED)["s"] for _ in range(3)]
    yield Figure(what="rehearsal of a year with faults, one processor", measured=rehearsed, unit="s")


def daemon_figures(here: Site) -> Iterator[Figure]:
    """The daemon, as `run` starts it, against a simulated gateway in another process."""
    switches = inside(switch_to_and_fro, here.configuration)
    yield Figure(what="switch on a warm session, round trips", measured=[max(switches["exchanges"])], bound=4)
    yield Figure(what="  time, with TLS and fsync", measured=switches["ms"], unit="ms")
    ready_s = [_ready_s(here) for _ in range(RUNS)]
    yield Figure(what="daemon, from its start to a completed cycle", measured=ready_s, unit="s", bound=1)
    with here.daemon() as process:
        wait(SETTLED_S)
        before_s, before = processor_s(process.pid), wake_ups(process.pid)
        wait(IDLE_S)
        spent_s, woken = processor_s(process.pid) - before_s, wake_ups(process.pid) - before
        held_mb = memory_mb(process.pid)
    yield Figure(what="  idle memory", measured=[held_mb], unit="MB", bound=60)
    yield Figure(what="  idle processor", measured=[100 * spent_s / IDLE_S], unit="%", bound=0.2)
    yield Figure(what="  wake-ups in a minute", measured=[woken * MINUTE_S / IDLE_S])


def _ready_s(here: Site) -> float:
    shutil.rmtree(here.folder / "state", ignore_errors=True)
    began_s = time.perf_counter()
    with here.daemon() as process:
        took_s = time.perf_counter() - began_s
        assert process.poll() is None, "the daemon ended"
    return took_s


def command_figures() -> Iterator[Figure]:
    """What a person waits for at the prompt."""
    yield Figure(what="tou-scheduler version, the whole command", measured=wall_s("version"), unit="s")
    yield Figure(what="tou-scheduler --help, the whole command", measured=wall_s("--help"), unit="s")


def figures() -> Iterator[Figure]:
    """All of them; whatever was made for them is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="tou-scheduler-bench-") as name:
        folder = Path(name)
        yield from plan_figures(folder)
        yield from command_figures()
        with site(folder) as here:
            yield from daemon_figures(here)


def table() -> int:
    """Measure, print, and say by the exit code whether everything holds."""
    python = platform.python_version()
    print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors, Python {python}\n")
    widths = (45, 10, 16, 7, 4)

    def show(*cells: str) -> None:
        print("  ".join(map(str.ljust, cells, widths)).rstrip(), flush=True)

    show("figure", "measured", "from ... to", "bound", "")
    over = []
    for figure in figures():
        show(*figure.row())
        over += [figure.what.strip()] if figure.over else []
    print(f"\nover its bound: {', '.join(over)}" if over else "\nevery figure is within its bound")
    return 1 if over else 0


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(INSIDE[sys.argv[1]](sys.argv[2])))
    else:
        sys.exit(table())
