"""The gateway's updater: the walk from a check to a staged update, or to nothing to install.

State names are the gateway's own (README of the gateway, GET /api/system/update/status). The restart that an install
takes is the device's business.
"""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import datetime, timedelta

CHECKING = "/clear_update_status"
STAGED = "/update_staged"
NOTHING = "/update_failed"
SUCCEEDED = "/update_succeeded"
UNKNOWN = "/update_unknown"
NONACTIONABLE = ("nonactionable",)

NOTHING_FOUND = ((CHECKING, timedelta(seconds=20)), (NOTHING, None))
STAGED_ALREADY = ((CHECKING, timedelta(seconds=20)), (STAGED, None))
FOUND = (
    (CHECKING, timedelta(minutes=1)),
    ("/download", timedelta(minutes=1)),
    ("/update_downloaded", timedelta(minutes=1)),
    (STAGED, None),
)


@dataclass(slots=True, kw_only=True)
class Updater:
    """Where the updater stands is a function of when the last walk began; the last state of a walk stays.

    ``resting`` is where it stands before anybody has looked: that differs by firmware.
    """

    since: datetime
    resting: InitVar[str] = NOTHING
    available: bool = False
    _walk: tuple[tuple[str, timedelta | None], ...] = field(init=False)

    def __post_init__(self, resting: str) -> None:
        self._walk = ((resting, None),)

    def check(self, now: datetime) -> None:
        """Look for an update. A look that is still going on goes on."""
        if self.is_working(now):
            return
        if self.state(now) == STAGED:
            self._walk = STAGED_ALREADY
        else:
            self._walk = FOUND if self.available else NOTHING_FOUND
        self.since = now

    def installed(self, now: datetime) -> None:
        """The update is in: nothing is left to install."""
        self.available = False
        self._walk = ((SUCCEEDED, None),)
        self.since = now

    def state(self, now: datetime) -> str:
        """The state's name."""
        left = now - self.since
        for state, lasts in self._walk:
            if lasts is None or left < lasts:
                return state
            left -= lasts
        raise AssertionError("a walk ends with a state that lasts")

    def status(self, now: datetime) -> tuple[str, ...]:
        """The words beside the state. No body of a walk in progress was ever captured: none are said then."""
        return NONACTIONABLE if self.state(now) in {NOTHING, SUCCEEDED, UNKNOWN} else ()

    def is_working(self, now: datetime) -> bool:
        """Whether a walk is still going on."""
        return self.state(now) != self._walk[-1][0]
