"""Commands run within this process: quicker than a process each, and the same from the words on. No tests here."""

from __future__ import annotations

import logging
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from processes import PASSWORD
from typer.testing import CliRunner

from scheduler.cli import build

INSTALLER = {"TOU_GATEWAY__USERNAME": "installer", "TOU_GATEWAY__PASSWORD": PASSWORD}
CUSTOMER = {"TOU_GATEWAY__USERNAME": "customer", "TOU_GATEWAY__PASSWORD": "56789"}


DRY_SITE = """
version: 1
site: {name: Home, timezone: America/Los_Angeles}
gateway: {type: simulated, username: installer, firmware: "1.45.2"}
tariff:
  name: Flat
  currency: USD
  periods:
    - {name: all_day, hours: "00:00-24:00", import: 0.2, export: 0.1}
rules:
  - {name: Always, during: [all_day], set: {mode: backup, reserve: 100}}
default: {mode: self_consumption, reserve: 20}
"""
"""A configuration whose gateway is simulated in the process that reads it, and whose plan never changes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a command ended, and what it said."""

    returncode: int
    stdout: str
    stderr: str


def run(*words: str, cwd: Path, typed: str | bytes | None = None, **environ: str) -> Done:
    """Run the command with these words in a folder. A bug ends the test, as it would end the program.

    The clock of a machine for tests may be kept by nobody, and is trusted all the same.
    """
    handlers = logging.getLogger().handlers
    try:
        with chdir(cwd):
            result = CliRunner().invoke(
                build(),
                list(words),
                env={
                    "STATE_DIRECTORY": None,
                    "TOU_CONFIG": None,
                    "TOU_TRUST_CLOCK_AFTER": "0s",
                    **environ,
                },
                input=typed,
                catch_exceptions=False,
            )
    finally:
        logging.getLogger().handlers = handlers
    return Done(returncode=result.exit_code, stdout=result.stdout, stderr=result.stderr)
