"""Whether the gateway is at an install that a daemon told it to do, by the note that the daemon keeps of its moments.

Read beside a running daemon, and nothing is written. Whoever touches a gateway that installs may spoil the install, so
nobody logs in to it until it answers as another one than before.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from scheduler.app.kept import kept_in
from scheduler.app.plug import device_of
from scheduler.config.configuration import Configuration
from scheduler.control.diary import CURRENT, Diary
from scheduler.control.firmware import Phase, resumed
from scheduler.model.errors import NotCapable, SessionExpired, StoreError, Transient
from scheduler.model.reading import Identity
from scheduler.store.note import NoteFile


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """An install: since when, and until when it may take, as times of day in the site's zone.

    ``before`` is what ran when the gateway was told to install, None if that is not known.
    """

    since: str
    until: str
    before: Identity | None = None

    def __str__(self) -> str:
        return f"the gateway installs its firmware since {self.since}; {self.leave_alone}"

    @property
    def leave_alone(self) -> str:
        """What a person should do about it."""
        return f"leave it alone until {self.until} at the latest"

    def is_back(self, identity: Identity) -> bool:
        """Whether a gateway that says this of itself has restarted since it was told to install."""
        return self.before is not None and identity != self.before

    async def lasts(self, identify: Callable[[], Awaitable[Identity]]) -> bool:
        """Whether the gateway may yet be at it, by what it says of itself without a login.

        Installing if it does not answer; that it refuses passes through.
        """
        try:
            identity = await identify()
        except Transient as error:
            raise Installing(self) from error
        except (NotCapable, SessionExpired):
            return True  # it says nothing of itself without a login, and none may be made
        return not self.is_back(identity)


class Installing(Transient):
    """Nothing is asked of a gateway that installs, or at least nothing that wants a login."""

    def __init__(self, install: Install) -> None:
        super().__init__(str(install))


def install_under_way(configuration: Configuration, directory: Path, now: datetime) -> Install | None:
    """The install that the configuration's gateway may be at ``now``, as a state directory knows it.

    None if none is known: a memory that cannot be read knows of none.
    """
    return install_of(configuration, diary_of(configuration, kept_in(configuration, directory)), now)


def install_of(configuration: Configuration, diary: Diary, now: datetime) -> Install | None:
    """The install that is noted there and may last ``now``; None if there is none, or it should long be over."""
    check = resumed(diary.section(CURRENT))
    if check is None or check.phase is not Phase.INSTALL or now >= check.ends or not check.is_of(now):
        return None
    return Install(
        since=time_of_day(configuration, check.since or check.moment.at),
        until=time_of_day(configuration, check.ends),
        before=check.before,
    )


def time_of_day(configuration: Configuration, instant: datetime) -> str:
    """What the site's clock shows at an instant, in hours and minutes."""
    return f"{instant.astimezone(configuration.schedule.zone):%H:%M}"


def diary_of(
    configuration: Configuration, kept: Path, failed: Callable[[StoreError], None] = lambda _: None
) -> Diary:
    """What is noted of the configuration's gateway in that folder; ``failed`` is told if it cannot be read."""
    return Diary(NoteFile(kept / "moments.json", failed), device_of(configuration))
