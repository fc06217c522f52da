"""The configuration file as a service reads it. What is done with it, and when it is read again, is not known here."""

from __future__ import annotations

from pathlib import Path

from scheduler.config.configuration import Configuration
from scheduler.config.load import load
from scheduler.config.problems import ConfigurationError, Problem
from scheduler.daemon.process import where


def read(path: Path, *, kept: bytes | None = None) -> Configuration:
    """`load`; ConfigurationError for a bug of ours too, if a file provokes one: the last good plan goes on then as well."""
    try:
        return load(path, kept=kept)
    except ConfigurationError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it must not end who switches the battery
        problem = Problem(
            message=f"cannot be read because of a bug of ours: {where(error)}",
            file=str(path),
            hint="undo the last edit, and report this line",
        )
        raise ConfigurationError([problem]) from None
