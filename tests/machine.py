"""A booted machine: systemd as PID 1 of a Debian tree, in a container of systemd-nspawn. No tests here.

It shares the network with the machine that it runs on, and nothing else. The host needs root and no systemd of its own. Its
clock counts as synchronised, as that of a Raspberry Pi does once systemd-timesyncd has set it.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
COMMAND_S = 300.0
"""How long one command may take in there; an installation is the longest."""

NSPAWN = (
    "--quiet",
    "--boot",
    "--register=no",  # nobody here keeps a list of machines
    "--keep-unit",
    "--console=pipe",
    "--link-journal=no",
    "--resolv-conf=off",
    "--timezone=off",
)

_numbers = itertools.count(1)


def eventually(what: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """What ``what`` returns once it is truthy; fails after ``patience_s`` seconds."""
    deadline = time.monotonic() + patience_s
    while not (found := what()):
        assert time.monotonic() < deadline, f"it did not happen in {patience_s:.0f} s"
        time.sleep(0.1)  # noqa: TID251 - another machine's time goes by, not a clock of ours
    return found


class Machine:
    """A booted machine: ``tree`` is its root directory as the host sees it, ``leader`` its PID 1 as the host counts."""

    def __init__(self, tree: Path, leader: int) -> None:
        self.tree = tree
        self.leader = leader
        self.is_on = True
        self.environment = {
            "HOME": "/root",
            "LANG": "C.UTF-8",
            "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin",
        }

    def run(
        self, *words: str, given: str | None = None, folder: str = "/root", **more: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in there as root to its end, in a folder, with more in its environment and ``given`` as its input."""
        environment = [f"{name}={value}" for name, value in {**self.environment, **more}.items()]
        return subprocess.run(
            [*self._enter(), "env", "--ignore-environment", f"--chdir={folder}", *environment, *words],
            input=given,
            stdin=subprocess.DEVNULL if given is None else None,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def do(self, *words: str, given: str | None = None, folder: str = "/root", **more: str) -> str:
        """What a command prints that must end with 0."""
        done = self.run(*words, given=given, folder=folder, **more)
        assert done.returncode == 0, (
            f"{' '.join(words)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done.stdout

    def talk(self, *words: str, answers: Sequence[tuple[str, str]], folder: str = "/root") -> str:
        """Run a command as a person at a terminal does, who answers each question (by words of it) with a line.

        What the terminal showed; the command must end with 0 and have asked everything, in this order.
        """
        environment = [f"{name}={value}" for name, value in {**self.environment, "TERM": "dumb"}.items()]
        ours, theirs = pty.openpty()
        inside = ["env", "--ignore-environment", f"--chdir={folder}", *environment]
        process = subprocess.Popen(
            [*self._enter(), *inside, "setsid", "--ctty", "--wait", *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        shown, asked = "", 0
        deadline = time.monotonic() + COMMAND_S
        try:
            while True:
                assert time.monotonic() < deadline, f"it waits for something else: {shown[asked:]}"
                if not select.select([ours], [], [], 1.0)[0]:
                    continue
                try:
                    piece = os.read(ours, 4096)
                except OSError:  # the last of the other end is closed
                    break
                shown += piece.decode(errors="replace")
                if answers and answers[0][0] in shown[asked:]:
                    os.write(ours, f"{answers[0][1]}\n".encode())
                    asked = len(shown)
                    answers = answers[1:]
        finally:
            os.close(ours)
            code = process.wait(PATIENCE_S)
        assert (code, list(answers)) == (0, []), shown
        return shown

    def file(self, path: str) -> Path:
        """A file in there, as the host reaches it; not one below /run, /tmp or /dev, which the host does not see."""
        return self.tree / path.lstrip("/")

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file in there as an editor does: a new one in the place of the old."""
        file = self.file(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f".{file.name}.new")
        fresh.write_text(text)
        fresh.chmod(mode)
        fresh.replace(file)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """What systemd says of a unit, by the names of its properties."""
        said = self.do("systemctl", "show", unit, f"--property={','.join(properties)}")
        return dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line)

    def journal(self, *words: str, unit: str | None = None) -> list[dict[str, Any]]:
        """The entries of its journal, of one unit or of all, with their fields; ``words`` go to journalctl."""
        of_unit = [] if unit is None else [f"--unit={unit}"]
        said = self.do("journalctl", "--output=json", "--no-pager", "--all", "--quiet", *of_unit, *words)
        return [json.loads(line) for line in said.splitlines()]

    def cut_power(self) -> None:
        """End everything in there at once."""
        self.is_on = False
        os.kill(self.leader, signal.SIGKILL)

    def process(self, number: int) -> int:
        """The host's number of a process in there."""
        for task in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                it = int(task.parent.name)
                if _numbers_of(it)[1:] == [number] and self._is_inside(task.parent):
                    return it
        raise AssertionError(f"there is no process {number} in the machine")

    def _is_inside(self, process: Path) -> bool:
        return (process / "ns/pid").readlink() == Path(f"/proc/{self.leader}/ns/pid").readlink()

    def _enter(self) -> list[str]:
        namespaces = ("mount", "uts", "ipc", "net", "pid", "cgroup")
        return ["nsenter", f"--target={self.leader}", "--root", *(f"--{name}" for name in namespaces)]


@contextmanager
def booted(tree: Path, *, shown: Mapping[Path, str] | None = None) -> Iterator[Machine]:
    """The machine of a tree that may be written to, from the end of its boot on; off with the block.

    ``shown`` are folders of the host that it may read, each with its place in there. A boot that fails, or a unit that does,
    is told with its reason as an AssertionError.
    """
    name = f"tou-scheduler-{os.getpid()}-{next(_numbers)}"
    binds = [f"--bind-ro={here}:{there}" for here, there in (shown or {}).items()]
    console = tree.parent / f"{name}.console"
    with _group(name) as group, console.open("wb") as output:
        # In a control group of its own: two of these at a time would meet in the same one. And powered off by SIGTERM if we are
        # killed and cannot do it.
        inside = ["sh", "-c", 'echo $$ > "$0/cgroup.procs" && exec setpriv --pdeathsig=TERM "$@"', group]
        container = subprocess.Popen(
            [*inside, "systemd-nspawn", f"--directory={tree}", f"--machine={name}", *NSPAWN, *binds],
            # On a host with both kinds of control groups it would take the older kind, which systemd leaves behind.
            env={**os.environ, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            machine = Machine(tree, eventually(lambda: _leader(container)))
            _wait_for_boot(machine, console)
            yield machine
            if machine.is_on:
                os.kill(machine.leader, signal.SIGRTMIN + 4)  # power off (systemd(1))
                assert container.wait(PATIENCE_S) == 0, console.read_text(errors="replace")
        finally:
            # PID 1 first: it would outlive its container, and all else in there dies with it.
            for child in _children(container):
                os.kill(child, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                container.wait(PATIENCE_S)
            container.kill()
            container.wait()


def _wait_for_boot(machine: Machine, console: Path) -> None:
    state = eventually(
        lambda: (
            (it := machine.run("systemctl", "is-system-running", "--wait").stdout.strip()) != "offline" and it
        )
    )
    if state != "running":
        failed = machine.run("systemctl", "--failed", "--no-pager").stdout
        raise AssertionError(f"the machine is {state}\n{failed}\n{console.read_text(errors='replace')}")
    machine.do("mkdir", "-p", "/run/systemd/timesync")
    machine.do("touch", "/run/systemd/timesync/synchronized")


def _leader(container: subprocess.Popen[bytes]) -> int | None:
    """The PID 1 of the container, as the host counts; None until there is one."""
    assert container.poll() is None, "systemd-nspawn ended"
    inside = (child for child in _children(container) if _numbers_of(child)[1:] == [1])
    return next(inside, None)


def _numbers_of(process: int) -> list[int]:
    """A process as the host counts, and then as each container does that it is in."""
    found = re.findall(r"^NSpid:(.*)$", Path(f"/proc/{process}/status").read_text(), re.MULTILINE)
    return [int(word) for word in found[0].split()]


def _children(container: subprocess.Popen[bytes]) -> list[int]:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text()
        return [int(word) for word in text.split()]
    return []


@contextmanager
def _group(name: str) -> Iterator[str]:
    """A control group below our own, by its path; with all below it removed in the end."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    top = next(Path(mount[1]) for mount in mounts if mount[2] == "cgroup2")
    ours = re.findall(r"^0::/(.*)$", Path("/proc/self/cgroup").read_text(), re.MULTILINE)[0]
    group = top / ours / name
    group.mkdir()
    try:
        yield str(group)
    finally:
        # systemd-nspawn makes a group of the same name in the old hierarchy of systemd, where there is one.
        for folder in [
            group,
            *(Path(mount[1]) / ours / name for mount in mounts if "name=systemd" in mount[3]),
        ]:
            eventually(partial(_removed, folder))


def _removed(group: Path) -> bool:
    """Whether the group is gone, with all below it; the last process in it may take a moment to be."""
    with contextlib.suppress(OSError):
        for folder in [*sorted(group.rglob("*/"), reverse=True), group]:
            folder.rmdir()
    return not group.exists()
