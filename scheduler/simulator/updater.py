"""The gateway's updater: the walk from a check to a staged update, to nothing to install, or to a failure.

State names and words are the gateway's own (README of the gateway, GET /api/system/update/status). The restart that an
install takes is `restarts.py`'s, and how long each part takes at the moment stands in `mischief.py`.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.simulator.mischief import Mischief

CHECKING = "/clear_update_status"
DOWNLOADING = "/download"
DOWNLOADED = "/update_downloaded"
STAGED = "/update_staged"
NOTHING = FAILED = "/update_failed"
"""One state for two things: the words beside it tell whether there was nothing to install, or something went wrong."""
SUCCEEDED = "/update_succeeded"
UNKNOWN = "/update_unknown"

NONACTIONABLE = ("nonactionable",)
ERROR = ("error",)
"""What the gateway's own page calls a problem of the connection."""

LOOK_TAKES = timedelta(seconds=20)
FIND_TAKES = timedelta(minutes=1)
DOWNLOAD_TAKES = timedelta(minutes=1)
STAGING_TAKES = timedelta(minutes=1)
LATE_BY = timedelta(seconds=5)
"""For how long the old state stays where a check begins late."""
PACKAGE_BYTES = 600_000_000
"""Made up: nobody reported how large an update is."""


@dataclass(frozen=True, slots=True)
class Stage:
    """One state with the words beside it, and since when the updater stands there."""

    state: str
    status: tuple[str, ...]
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """How far a download has come: since when, the bytes that are there, and how many come in a second."""

    since: datetime
    done_bytes: int
    bytes_per_second: int


@dataclass(slots=True, kw_only=True)
class Updater:
    """Where the updater stands is a function of the stages that it walks through; the last one stays.

    ``born`` and ``resting`` are since when and where it stands before anybody has looked; the latter differs by firmware.
    ``available``: a check finds an update. ``brings`` is the version of the next one, None for the one that usually
    comes next.
    """

    born: InitVar[datetime]
    resting: InitVar[str] = NOTHING
    available: bool = False
    brings: str | None = None
    _stages: tuple[Stage, ...] = field(init=False)
    _staged_at: datetime | None = field(default=None, init=False)

    def __post_init__(self, born: datetime, resting: str) -> None:
        self._stages = (Stage(resting, NONACTIONABLE, born),)

    def check(self, now: datetime, mischief: Mischief) -> None:
        """Look for an update, in the way and at the pace of the moment. A look that is still going on goes on."""
        if self.is_working(now):
            return
        begins = now
        before: tuple[Stage, ...] = ()
        if mischief.checks_to_delay > 0:
            mischief.checks_to_delay -= 1
            begins, before = now + LATE_BY, (self.stage(now),)
        fails = mischief.checks_fail_until is not None and now < mischief.checks_fail_until
        finds = self.available and not fails and not self.has_staged(now)
        looked = begins + (mischief.check_lasts or (FIND_TAKES if finds else LOOK_TAKES))
        then: tuple[Stage, ...]
        if fails:
            then = (Stage(FAILED, ERROR, looked),)
        elif finds:
            there = looked + mischief.download_lasts
            self._staged_at = there + STAGING_TAKES
            then = (
                Stage(DOWNLOADING, (), looked),
                Stage(DOWNLOADED, (), there),
                Stage(STAGED, (), self._staged_at),
            )
        elif self.has_staged(now):
            then = (Stage(STAGED, (), looked),)
        else:
            then = (Stage(NOTHING, NONACTIONABLE, looked),)
        self._stages = (*before, Stage(CHECKING, (), begins), *then)

    def stage_now(self, now: datetime) -> None:
        """Have an update that is downloaded and staged, whatever was going on."""
        self.available = True
        self._staged_at = now
        self._stages = (Stage(STAGED, (), now),)

    def installed(self, now: datetime) -> None:
        """The update is in: nothing is left to install."""
        self.available, self.brings = False, None
        self._end(Stage(SUCCEEDED, NONACTIONABLE, now))

    def failed(self, now: datetime) -> None:
        """The install came to nothing, and what was staged is gone; the next check finds what there was to find."""
        self._end(Stage(FAILED, ERROR, now))

    def _end(self, stage: Stage) -> None:
        self._staged_at = None
        self._stages = (stage,)

    def stage(self, now: datetime) -> Stage:
        """Where it stands. A clock that was set back shows the first stage that is known."""
        return next((stage for stage in reversed(self._stages) if stage.since <= now), self._stages[0])

    def state(self, now: datetime) -> str:
        """The state's name."""
        return self.stage(now).state

    def status(self, now: datetime) -> tuple[str, ...]:
        """The words beside the state. No body of a walk in progress was ever captured: none are said then."""
        return self.stage(now).status

    def is_working(self, now: datetime) -> bool:
        """Whether a walk is still going on."""
        return self.stage(now) is not self._stages[-1]

    def has_staged(self, now: datetime) -> bool:
        """Whether an update lies there to be installed, whatever a check after it is at, or came to."""
        return self._staged_at is not None and self._staged_at <= now

    def download(self, now: datetime) -> Download | None:
        """How far the download is, None outside of one. It comes evenly."""
        for stage, after in pairwise(self._stages):
            if stage.state == DOWNLOADING and stage is self.stage(now):
                lasts = after.since - stage.since
                return Download(
                    since=stage.since,
                    done_bytes=int(PACKAGE_BYTES * ((now - stage.since) / lasts)),
                    bytes_per_second=int(PACKAGE_BYTES / lasts.total_seconds()),
                )
        return None
