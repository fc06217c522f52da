"""Wheels for every machine that we promise: `make wheels` downloads the locked packages as each of them would. No tests here.

A Raspberry Pi has no compiler to spare. A package that comes only as source for its processor or its Python would make it
build for an hour, or fail; here that shows before it gets into a lock file.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKED = ("requirements.txt", "requirements-build.txt")
"""What `make install` fetches."""

MACHINES = ("x86_64", "aarch64")
PYTHONS = ("3.11", "3.13")
"""Those of Raspberry Pi OS bookworm and trixie; the second is the image's, too."""

GLIBC_MINOR = 36
"""Bookworm has glibc 2.36; a wheel for any older one runs there, and pip wants each named (PEP 600)."""


def platforms(machine: str) -> list[str]:
    """The tags of the wheels that run on this machine with Debian bookworm."""
    return [f"manylinux_2_{minor}_{machine}" for minor in range(GLIBC_MINOR, 4, -1)] + [
        f"manylinux2014_{machine}",
        f"linux_{machine}",
    ]


def lacking(machine: str, python: str) -> str:
    """Why not every locked package can be had as a wheel for this machine and Python (``3.11``); empty if it can."""
    words = ["--python-version", python, "--implementation", "cp"]
    words += [word for tag in platforms(machine) for word in ("--platform", tag)]
    words += [word for name in LOCKED for word in ("--requirement", name)]
    return _download(*words)


@cache
def unreachable() -> str:
    """Why no package can be fetched from here at all; empty if it can. It is asked for one small one, once."""
    one = re.search(r"^pluggy==.*\\\n(?:    --hash=.*\n)+", (ROOT / LOCKED[1]).read_text(), re.MULTILINE)
    assert one is not None, "the build needs another small package now"
    with tempfile.TemporaryDirectory() as folder:
        only = Path(folder) / "one.txt"
        only.write_text(one.group())
        return _download("--requirement", str(only))


_HOW = ("--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary", ":all:", "--require-hashes")


def _download(*words: str) -> str:
    """What pip says when it cannot download these as wheels, with their hashes; empty if it can."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-m", "pip", "download", *_HOW, "--dest", folder, *words],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return ""
    return "\n".join(line for line in done.stderr.splitlines() if line.startswith("ERROR")) or done.stderr


def main() -> int:
    """Try each machine with each Python, and say what came of it; an exit code."""
    code = 0
    for machine in MACHINES:
        for python in PYTHONS:
            why = lacking(machine, python)
            sys.stdout.write(f"Python {python} on {machine}: {why or 'every package has a wheel'}\n")
            sys.stdout.flush()
            code = code or bool(why)
    return code


if __name__ == "__main__":
    sys.exit(main())
