"""What the loop needs from the world, as Protocols. Whoever satisfies them does not import them.

Nothing here names a product: a local gateway, a cloud API and a simulated one are all a `Gateway`.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Protocol

from scheduler.model.clock import Kept
from scheduler.model.events import Event
from scheduler.model.evidence import Step
from scheduler.model.reading import Alert, Identity, Live, Power, UpdateStatus
from scheduler.model.setpoint import Setpoint


class Pace(Protocol):
    """How quick a kind of gateway is. All in seconds."""

    @property
    def settle_s(self) -> float:
        """How long a committed write may take until it reads back."""

    @property
    def poll_s(self) -> float:
        """Pause between two looks while it settles."""

    @property
    def attempt_s(self) -> float:
        """How long one attempt of a switch may last in all, of the machine's own time; longer than ``settle_s``.

        From its first request on: who it is, a login and the first reading are within the first attempt. Putting the battery
        back into service comes on top, a few seconds long. An attempt that is cut in a login leaves that noted.
        """

    @property
    def effect_grace_s(self) -> float:
        """How long the battery may take to obey, before the meters are judged."""


class Gateway(Protocol):
    """A device, or a service in front of one, that has a setpoint.

    All percentages are shown percent: the scale of the wire is the adapter's own business. Every method raises the
    errors of `model/errors.py` and ends within the adapter's total deadline.
    """

    @property
    def pace(self) -> Pace:
        """How quick this kind of gateway is."""

    @property
    def has_session(self) -> bool:
        """Whether reads and writes can be tried without a login first."""

    @property
    def silence_s(self) -> float:
        """For how many seconds more it wants to be left alone, whoever of us was told so; zero if it may be asked."""

    @property
    def clock_ahead_s(self) -> float | None:
        """How far our wall clock was ahead of its own when it was identified last, in seconds; None if it does not tell."""

    @property
    def login_may_stop(self) -> bool:
        """Whether a login can stop the battery, as far as is known: true while the firmware is not."""

    async def identify(self) -> Identity:
        """Firmware and start time, without a login where that is possible."""

    async def login(self, *, repair: bool = False) -> None:
        """Get a session, within the login budget; ``repair``: the battery stands still without it, so a little beyond."""

    async def read(self) -> Setpoint:
        """What is set now, as the gateway itself reports it."""

    async def write(self, change: Setpoint) -> None:
        """Ask for these fields; the others are left alone. Accepted is not applied: read back."""

    async def commit(self) -> None:
        """Put what was written into force. Nothing to do for kinds without a commit."""

    async def is_running(self) -> bool:
        """Whether the battery is in service. True for kinds that cannot be stopped."""

    async def start(self) -> None:
        """Put the battery into service again."""

    async def live(self) -> Live:
        """State of charge and state of the grid."""

    async def grid_faults(self) -> tuple[Alert, ...]:
        """The alerts of the grid that there are now; NotCapable where it does not say."""

    async def power(self) -> Power:
        """What flows where, in watts."""

    async def check_for_update(self) -> None:
        """Ask the gateway to look for new firmware; NotCapable where it has no such call."""

    async def update_status(self) -> UpdateStatus:
        """Where its updater stands."""

    async def install_update(self) -> None:
        """Install what is staged: it restarts, and the battery stands still meanwhile; NotCapable where there is no such call."""

    def exchanges(self) -> tuple[Step, ...]:
        """The exchanges since this was last asked, for the evidence; forgotten once told."""

    async def close(self) -> None:
        """Let go of connections. The session may be logged out or not."""


class Clock(Protocol):
    """The only source of time. ``monotonic`` never steps; ``now`` may, and whether it is right only the system knows."""

    def now(self) -> datetime:
        """The wall clock, as an aware UTC datetime."""

    def monotonic(self) -> float:
        """Seconds of a steady clock, since the machine or the clock began; they pass while the machine sleeps, too."""

    async def sleep(self, seconds: float) -> None:
        """Wait this many seconds of this clock."""

    def origin(self) -> datetime:
        """What ``now`` showed when ``monotonic`` was zero, as of now: another instant only once ``now`` was set or slewed."""

    def kept(self) -> Kept:
        """Whether somebody keeps ``now`` right, as the system says just now."""


class Marks(Protocol):
    """Durable notes about what we may owe the gateway; written before the deed, cleared when it is undone.

    ``MAY_HAVE_STOPPED``: a login of ours, or an install that we asked for, may have stopped the battery. ``UNCOMMITTED``: a write of ours may lack its
    commit. A mark that cannot be written durably is kept in memory and the failure told as an event.
    """

    def note(self, mark: str) -> None:
        """Note it, durably before this returns."""

    def clear(self, mark: str) -> None:
        """Forget it."""

    @property
    def kept(self) -> bool:
        """Whether all that was noted and cleared is kept durably."""

    @property
    def unread(self) -> bool:
        """Whether earlier words may be kept that could not be read yet."""

    def noted_at(self, mark: str) -> datetime | None:
        """When it was noted last, by the wall clock; None if it is not noted, or if that is not known."""

    def __contains__(self, mark: object) -> bool:
        """Whether it is noted."""


class Note(Protocol):
    """Where a small JSON object outlasts us. What cannot be written is kept in memory and the failure told as an event."""

    @property
    def kept(self) -> bool:
        """Whether all that was saved is kept durably."""

    def load(self) -> dict[str, Any]:
        """What is kept; empty if nothing is, or nothing that can be read."""

    def save(self, content: dict[str, Any], /) -> None:
        """Keep exactly this, durably before this returns."""


MAY_HAVE_STOPPED = "may_have_stopped"
UNCOMMITTED = "uncommitted"

Tell = Callable[[Event], None]
"""Where facts go: log, journal, status. Must not raise and must not block."""
