"""What a state directory tells whoever only looks into it, beside a running daemon or without one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.observe.status import parse
from scheduler.store import durable

if TYPE_CHECKING:
    from scheduler.config.configuration import Configuration


def kept_in(configuration: Configuration, directory: Path) -> Path:
    """The folder of what is known of the configuration's gateway: a simulated one has its own in the state directory."""
    # With it comes the journal, which a health check has no time for.
    from scheduler.store.memory import SIMULATED

    return directory / SIMULATED if configuration.gateway.type == "simulated" else directory


def status_in(directory: Path, now: datetime) -> dict[str, Any] | None:
    """What its daemon wrote last; None if nothing, StoreError if it cannot be read, ValueError if it makes no sense."""
    content = durable.read(directory / "status.json")
    return None if content is None else parse(content, now)
