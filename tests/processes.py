"""Real processes for end-to-end tests: the command as users run it, and the simulated gateway behind real TLS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

COMMAND = str(Path(sys.executable).with_name("tou-scheduler"))
ROOT = Path(__file__).parent.parent
PASSWORD = "ST123456789"
PATIENCE_S = 30.0


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: ours, without anything of the program's, and the installer's password."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TOU_") and k != "STATE_DIRECTORY"}
    return {**kept, "TZ": "UTC", "TOU_GATEWAY__PASSWORD": PASSWORD, **more}


def command(*words: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, in a folder."""
    return subprocess.run(
        [COMMAND, *words],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
        stdin=subprocess.DEVNULL,
    )


@contextmanager
def started(*words: str, cwd: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Have the command run beside the block, with more in its environment; ended by SIGTERM if it has not ended by then."""
    with (cwd / f"{words[0]}.err").open("w") as errors:
        process = subprocess.Popen(
            [COMMAND, *words],
            cwd=cwd,
            env=environment(**more),
            stdout=subprocess.DEVNULL,
            stderr=errors,
            text=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=PATIENCE_S)


def eventually(what: Callable[[], Any]) -> Any:
    """What ``what`` returns once it is truthy; fails after half a minute."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)  # noqa: TID251 - another process's time goes by, not a clock of ours
    return found


class Site:
    """A folder with a configuration, its certificate trusted, and a simulated gateway running."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self.configuration = folder / "config" / "tou.yaml"

    def run(self, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command of ours here."""
        return command(*words, cwd=self.folder, **more)

    def json(self, *words: str) -> Any:
        """What a command of ours prints as JSON."""
        return json.loads(self.run(*words, "--json").stdout)

    @contextmanager
    def daemon(self) -> Iterator[subprocess.Popen[str]]:
        """The daemon, from its first completed cycle on."""
        with started("run", "--state-dir", "state", cwd=self.folder) as process:
            eventually(lambda: (self.folder / "state" / "status.json").exists() or process.poll() is not None)
            yield process

    @property
    def log(self) -> list[dict[str, Any]]:
        """The daemon's log lines so far."""
        return [json.loads(line) for line in (self.folder / "run.err").read_text().splitlines()]

    def edit(self, old: str, new: str) -> None:
        """Change the configuration file, as an editor does: a new file in its place."""
        text = self.configuration.read_text()
        assert old in text
        fresh = self.configuration.with_suffix(".new")
        fresh.write_text(text.replace(old, new))
        fresh.replace(self.configuration)


@contextmanager
def site(folder: Path, *scenarios: str, firmware: str = "1.45.2") -> Iterator[Site]:
    """A site in an empty folder, as the README sets it up, whose gateway has this firmware."""
    (folder / "config").mkdir()
    words = [word for sentence in scenarios for word in ("--scenario", sentence)] + ["--firmware", firmware]
    with started("simulator", "--port", "0", "--directory", "gateway", *words, cwd=folder) as simulator:
        said = eventually(
            lambda: (
                re.search(r"https://127.0.0.1:(\d+)", (folder / "simulator.err").read_text())
                or simulator.poll() is not None
            )
        )
        port = int(said[1])
        shipped = (ROOT / "config" / "tou.yaml").read_text()
        it = Site(folder, port)
        it.configuration.write_text(shipped.replace("host: powerwall ", f"host: 127.0.0.1:{port} "))
        trusted = it.run("trust", "--yes")
        assert trusted.returncode == 0, trusted.stderr
        yield it
