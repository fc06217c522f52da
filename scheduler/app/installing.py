"""Whether the gateway is at an install that a daemon told it to do, by the note that the daemon keeps of its moments.

Read beside a running daemon, and nothing is written. Whoever touches a gateway that installs may spoil the install.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scheduler.app.plug import device_of
from scheduler.config.configuration import Configuration
from scheduler.control.diary import CURRENT, Diary
from scheduler.control.firmware import Check, Phase, resumed
from scheduler.model.errors import StoreError
from scheduler.store.note import NoteFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """An install: since when, and until when it may take, as times of day in the site's zone."""

    since: str
    until: str


def install_under_way(configuration: Configuration, directory: Path, now: datetime) -> Install | None:
    """The install that the configuration's gateway may be at ``now``, as a state directory knows it.

    None if none is known: a memory that cannot be read knows of none.
    """
    diary = diary_of(configuration, kept_in(configuration, directory), lambda _: None)
    return install_of(configuration, resumed(diary.section(CURRENT)), now)


def install_of(configuration: Configuration, check: Check | None, now: datetime) -> Install | None:
    """The install that this moment may be at ``now``; None if it is at none, or should long be over."""
    if check is None or check.phase is not Phase.INSTALL or now >= check.ends or not check.is_of(now):
        return None
    zone = configuration.schedule.zone
    since = check.since or check.moment.at
    return Install(
        since=f"{since.astimezone(zone):%H:%M}",
        until=f"{check.ends.astimezone(zone):%H:%M}",
    )


def kept_in(configuration: Configuration, directory: Path) -> Path:
    """The folder of what is known of the configuration's gateway: a simulated one has its own in the state directory."""
    return directory / "simulated" if configuration.gateway.type == "simulated" else directory


def diary_of(configuration: Configuration, kept: Path, failed: Callable[[StoreError], None]) -> Diary:
    """What is noted of the configuration's gateway in that folder; ``failed`` is told if it cannot be read."""
    return Diary(NoteFile(kept / "moments.json", failed), device_of(configuration))
