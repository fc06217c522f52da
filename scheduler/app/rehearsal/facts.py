"""What is true in a rehearsal and known to whoever judges it: plain values, written by the world and read by the invariants."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta

EARLY_S = -1e12
"""Long before any rehearsal, in its seconds: when something was last that never was."""

MODES = frozenset({"self_consumption", "backup", "autonomous"})
MAY_HAVE_STOPPED = "may_have_stopped"
LOGIN = "POST /api/login/Basic"
STATUS = "GET /api/status"
READ = "GET /api/operation"
WRITE = "POST /api/operation"
COMMIT = "GET /api/config/completed"
SITEMASTER = "GET /api/sitemaster"
RUN = "GET /api/sitemaster/run"
STOPS = frozenset({"GET /api/sitemaster/stop", "POST /api/sitemaster/stop"})
INSTALL = "POST /api/system/update"
ESSENCE = frozenset({LOGIN, WRITE, COMMIT, RUN, INSTALL})
"""The requests that change something."""


@dataclass(frozen=True, slots=True)
class Wish:
    """A mode and a reserve in raw percent, either of which may be left alone (None)."""

    mode: str | None
    raw_percent: float | None

    def is_met(self, mode: str, raw_percent: float) -> bool:
        """Whether a battery that goes by these does as is wished; a tenth of a percent is float dust."""
        return self.mode in {None, mode} and (
            self.raw_percent is None or abs(self.raw_percent - raw_percent) < 0.1  # noqa: PLR2004 - explained above
        )


@dataclass(slots=True)
class Exchange:
    """One request on the wire; instants are seconds of the rehearsal. ``status`` is None while, or where, no answer came."""

    at_s: float
    name: str
    body: bytes
    with_token: bool
    process: int
    over_s: float | None = None
    status: int | None = None
    answer: bytes = b""
    retry_after: str | None = None


@dataclass(slots=True, kw_only=True)
class Facts:
    """The truth at ``now_s``, in seconds since the rehearsal began.

    ``wish`` is what should be true now, None where nobody can say; ``wishes`` are all that the plans can ask for, and ``held``
    what a person's holds ask for, each with until when in seconds it may be written. ``owed`` are the marks of the process of the moment. ``excused_s`` is until when what went wrong before excuses a wrong setpoint,
    ``faults`` how many things go wrong right now, and ``hindered`` how many of them may keep us from the gateway. Of what happened last, the fields in ``_s`` say when.
    """

    start: datetime
    now_s: float = 0.0
    wish: Wish | None = None
    wished_s: float = 0.0
    wishes: set[Wish] = field(default_factory=set)
    held: dict[Wish, float] = field(default_factory=dict)
    mode: str = ""
    raw_percent: float = 0.0
    running: bool = True
    by_us_s: float | None = None
    owed: Container[str] = ()
    faults: int = 0
    hindered: int = 0
    excused_s: float = 0.0
    fault_s: float = EARLY_S
    process: int = 0
    began_s: float = 0.0
    died_s: float = EARLY_S
    leapt_s: float = 0.0
    stepped_s: float = EARLY_S
    forgot_s: float = EARLY_S
    forgets: bool = False
    trusted: bool = True
    read: Wish | None = None
    read_s: float = EARLY_S
    met_s: float = EARLY_S
    commits_twice: bool = False
    cannot_tell: bool = False
    secrets: tuple[str, ...] = ()
    digests: list[str] = field(default_factory=list)

    @property
    def met(self) -> bool:
        """Whether the battery does what it should."""
        return self.wish is None or (self.running and self.wish.is_met(self.mode, self.raw_percent))

    @property
    def known(self) -> list[Wish]:
        """All that a write may ask for now: what the plans do, what a hold does or just did, and what was read."""
        held = [wish for wish, until_s in self.held.items() if self.now_s <= until_s]
        return [*self.wishes, *held, *([self.read] if self.read else [])]

    def at(self, seconds: float) -> datetime:
        """The true time of an instant of the rehearsal."""
        return self.start + timedelta(seconds=seconds)
