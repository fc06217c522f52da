"""Programs of the system that the service is set up with, systemd's: found on the path, run with a list of words.

What is run is decided by who calls.
"""

from __future__ import annotations

import shutil
import subprocess

from scheduler.model.errors import SchedulerError


class CommandFailed(SchedulerError):
    """A program is not there, or did not do as it was told; the text has its last words."""


def ask(*words: str, given: bytes = b"") -> bytes:
    """What this program prints, with ``given`` as its input. CommandFailed if it ends with another code than 0."""
    done = subprocess.run(  # noqa: S603 - no shell reads it, and no word of it is a stranger's
        [program(words[0]), *words[1:]], input=given, capture_output=True, check=False
    )
    if done.returncode:
        said = [
            *done.stdout.decode(errors="replace").splitlines(),
            *done.stderr.decode(errors="replace").splitlines(),
        ]
        raise CommandFailed(
            f"`{' '.join(words)}` ended with {done.returncode}: {' / '.join(said[-3:]) or 'no reason given'}"
        )
    return done.stdout


def program(name: str) -> str:
    """The path of a program. CommandFailed if it is not on $PATH."""
    found = shutil.which(name)
    if found is None:
        raise CommandFailed(f"{name} is not here; the service needs a system that is run by systemd")
    return found
