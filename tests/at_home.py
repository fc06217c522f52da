"""The service at home: installed in a booted machine as the README says, with a simulated gateway beside it. No tests here.

The gateway is served by the process that calls, over the network that machine and host share, so that its own record can be
read and trouble made at any instant.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import debian
from beside import Gateway, gateway
from machine import Machine, booted, eventually

from scheduler.daemon.clock import SystemClock

UNIT = "tou-scheduler.service"
CONFIGURATION = "/etc/tou-scheduler/tou.yaml"
MEMORY = "/var/lib/private/tou-scheduler"
LOGINS = f"{MEMORY}/logins.json"
MOMENTS = f"{MEMORY}/moments.json"
PASSWORD = "ST123456789"
WHEELS = "/srv/wheels"
ORIGIN = "/srv/tou-scheduler.git"
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
"""The one thing that is otherwise than at a person's home: packages come from a folder."""

TOOLS = ("debootstrap", "systemd-nspawn", "nsenter", "unshare", "setpriv", "git")


def plan(host: str, *, reserve: int = 30, mode: str = "self_consumption") -> str:
    """A configuration whose setpoint is the same for the next hours, whenever that is asked; a change follows after it."""
    now = SystemClock().now().astimezone(UTC)
    begins, ends = (f"{(now + timedelta(hours=hours)):%H}:00" for hours in (-6, 6))
    return f"""\
version: 1
site: {{name: Home, timezone: UTC}}
gateway:
  type: local
  host: {host}
  server_name: powerwall
  certificate: powerwall.pem
  username: installer
  email: me@example.com
tariff:
  name: Two prices
  currency: USD
  periods:
    - {{name: these_hours, hours: "{begins}-{ends}", import: 0.4, export: 0.1}}
    - {{name: other_hours, hours: "{ends}-{begins}", import: 0.2, export: 0.1}}
rules:
  - name: These hours
    during: [these_hours]
    set: {{mode: {mode}, reserve: {reserve}}}
default: {{mode: self_consumption, reserve: 20}}
"""


MODE_LINE = 19
"""The line of the rule's mode in `plan`."""


class Home:
    """A booted machine, the service in it, and the gateway beside it."""

    def __init__(self, machine: Machine, beside: Gateway) -> None:
        self.machine = machine
        self.gateway = beside

    @property
    def status(self) -> str:
        """What the daemon told systemd that it is at."""
        return self.machine.show(UNIT, "StatusText").get("StatusText", "")

    @property
    def process(self) -> int:
        """The daemon's process, as the machine counts; 0 if there is none."""
        return int(self.machine.show(UNIT, "MainPID")["MainPID"])

    @property
    def restarts(self) -> int:
        """How often systemd started it anew since a person did."""
        return int(self.machine.show(UNIT, "NRestarts")["NRestarts"])

    @property
    def is_active(self) -> bool:
        """Whether systemd sees it run."""
        return self.machine.show(UNIT, "ActiveState")["ActiveState"] == "active"

    @property
    def is_fine(self) -> bool:
        """Whether it says of itself that the battery does what the plan says."""
        return self.machine.run("tou-scheduler", "status", "--probe").returncode == 0

    def write(self, text: str) -> None:
        """Save the configuration file."""
        self.machine.write(CONFIGURATION, text)

    def plan(self, **kind: Any) -> str:
        """A configuration for this home."""
        return plan(self.gateway.host, **kind)

    def said(self, event: str) -> list[dict[str, Any]]:
        """The entries of its journal about this event, since it was started last."""
        start = self.machine.show(UNIT, "InvocationID")["InvocationID"]
        entries = self.machine.journal(f"_SYSTEMD_INVOCATION_ID={start}")
        return [entry for entry in entries if str(entry["MESSAGE"]).startswith(f"{event}: ")]

    def settle(self) -> None:
        """Whatever a test left behind: a good gateway, a good file, and a service that runs by it and says so.

        Forgotten are the logins so far: a day of tests has more of them than a day at home may have.
        """
        self.gateway.suffer()
        self.machine.file(LOGINS).unlink(missing_ok=True)
        self.write(self.plan())
        undisturbed = self.is_fine and not self.restarts
        self.machine.do("systemctl", "reload-or-restart" if undisturbed else "restart", UNIT)
        eventually(lambda: self.status.startswith("these_hours:") and "30 %" in self.status and self.is_fine)
        assert self.gateway.obeys("self_consumption", 30)


class Place:
    """Where a machine can be booted again and again: its tree, and the gateway beside it, which is always on."""

    def __init__(self, tree: Path, beside: Gateway, shown: Mapping[Path, str]) -> None:
        self._tree = tree
        self._gateway = beside
        self._shown = shown

    @contextmanager
    def boot(self) -> Iterator[Home]:
        """The machine, from the end of its boot on, and off with the block."""
        with booted(self._tree, shown=self._shown) as machine:
            yield Home(machine, self._gateway)


@contextmanager
def place(folder: Path, suite: str = "bookworm") -> Iterator[Place]:
    """A fresh machine of this suite of Debian with a clone of the repository to be had; ``folder`` is the gateway's.

    Nothing is installed in there but what Debian has; the wheels of the lock files lie at hand. SkipTest where the tree or the
    wheels cannot be made.
    """
    wheels = debian.wheelhouse(debian.PYTHONS[suite])
    with gateway(folder) as beside, debian.overlay(debian.base(suite)) as tree:
        _publish(tree / ORIGIN.lstrip("/"))
        yield Place(tree, beside, {wheels: WHEELS})


def set_up(here: Home) -> None:
    """Install and start the service as the README says, in a hurry: no question is asked at a terminal."""
    machine = here.machine
    machine.do("git", "clone", "--quiet", ORIGIN, "tou-scheduler")
    machine.do("make", "--silent", "-C", "tou-scheduler", "install", **OFFLINE)
    machine.do("tou-scheduler", "service", "install", "--host", here.gateway.host, given=f"{PASSWORD}\n")
    machine.do("tou-scheduler", "trust", "--yes")
    here.settle()


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What the service costs: ready after its start in s, memory in MB, processor in percent, wake-ups in a minute.

    ``memory_mb`` counts the libraries that it shares with others; ``group_mb`` is what systemd accounts to it, None where the
    kernel does not tell it.
    """

    ready_s: float
    memory_mb: float
    group_mb: float | None
    processor_percent: float
    wake_ups: float


def footprint(here: Home, idle_s: float = 60.0) -> Footprint:
    """Start the service anew and look at it while nothing is to be done.

    The processor's time is that of its control group, so that systemd's own work for it counts too.
    """
    from benchmarks import MEGA, MINUTE_S, SETTLED_S, memory_mb, wait, wake_ups

    here.machine.do("systemctl", "restart", UNIT)
    times = here.machine.show(UNIT, "InactiveExitTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    started_us, ready_us = map(int, times.values())
    process = here.machine.process(here.process)
    wait(SETTLED_S)
    spent_s, woken = _processor_s(here), wake_ups(process)
    wait(idle_s)
    accounted = here.machine.show(UNIT, "MemoryCurrent")["MemoryCurrent"]
    return Footprint(
        ready_s=(max(started_us, ready_us) - min(started_us, ready_us)) / 1e6,
        memory_mb=memory_mb(process),
        group_mb=int(accounted) / MEGA if accounted.isdecimal() else None,
        processor_percent=100 * (_processor_s(here) - spent_s) / idle_s,
        wake_ups=(wake_ups(process) - woken) * MINUTE_S / idle_s,
    )


def _processor_s(here: Home) -> float:
    return int(here.machine.show(UNIT, "CPUUsageNSec")["CPUUsageNSec"]) / 1e9


def _publish(repository: Path) -> None:
    """Put what the next commit would hold where a clone can be had of it."""
    words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(words, cwd=debian.ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (debian.ROOT / name).exists():  # a file that is about to be removed may be listed still
            (repository / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(debian.ROOT / name, repository / name)
    # Without the variables of a git that may have started us: they would lead it to another repository than this one.
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    somebody = {
        f"GIT_{who}_{what}": "nobody" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    for words in (["init", "--initial-branch=main"], ["add", "--all"], ["commit", "--message=All of it"]):
        subprocess.run(
            ["git", *words], cwd=repository, env={**clean, **somebody}, stdout=subprocess.DEVNULL, check=True
        )
