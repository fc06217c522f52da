"""Real processes for end-to-end tests: the command as users run it, and the simulated gateway behind real TLS."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from beside import gateway

from scheduler.daemon.clock import SystemClock
from scheduler.observe.status import judge, parse

COMMAND = str(Path(sys.executable).with_name("tou-scheduler"))
ROOT = Path(__file__).parent.parent
PASSWORD = "ST123456789"
PATIENCE_S = 90.0


def environment(**more: str) -> dict[str, str]:
    """The environment of a command: ours, without anything of the program's, and the installer's password.

    The clock of a machine for tests may be kept by nobody, and is trusted all the same.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith("TOU_") and k != "STATE_DIRECTORY"}
    return {**kept, "TZ": "UTC", "TOU_GATEWAY__PASSWORD": PASSWORD, "TOU_TRUST_CLOCK_AFTER": "0s", **more}


def command(*words: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, in a folder."""
    return subprocess.run(
        [COMMAND, *words],
        cwd=cwd,
        env=environment(**more),
        capture_output=True,
        text=True,
        timeout=240,
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
        except AssertionError:
            sys.stderr.write((cwd / f"{words[0]}.err").read_text()[-4000:])
            raise
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=PATIENCE_S)


def eventually(what: Callable[[], Any]) -> Any:
    """What ``what`` returns once it is truthy; fails after a minute and a half."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := what()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)  # noqa: TID251 - another process's time goes by, not a clock of ours
    return found


class Site:
    """A folder with a configuration; from `site`, with its certificate trusted and a simulated gateway on ``port``."""

    def __init__(self, folder: Path, port: int = 0) -> None:
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
    def known(self) -> str:
        """What `status --probe` makes of the daemon's own file, without a process for each look; empty if that cannot be read."""
        try:
            content = (self.folder / "state" / "status.json").read_bytes()
            now = SystemClock().now()
            fine, reason = judge(parse(content, now), running=True, now=now)
        except (OSError, ValueError):
            return ""
        return f"{'fine' if fine else 'NOT FINE'}: {reason}"

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
    """A site in an empty folder, as the README sets it up, whose gateway has this firmware.

    The gateway answers in a thread of this process, and its certificate lies where `trust` would save it.
    """
    (folder / "config").mkdir()
    with gateway(folder / "gateway", *scenarios, firmware=firmware) as beside:
        shipped = (ROOT / "config" / "tou.yaml").read_text()
        it = Site(folder, beside.port)
        it.configuration.write_text(shipped.replace("host: powerwall ", f"host: {beside.host} "))
        shown, end, _ = beside.certificate.read_text().partition("-----END CERTIFICATE-----\n")
        it.configuration.with_name("powerwall.pem").write_text(shown + end)  # without those that vouch for it
        yield it
