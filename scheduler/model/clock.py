"""What is known of the machine's clock: who keeps it, whether it is believed, and what is told of that.

Frozen values only. Asking the system is the daemon's clock's, believing it is `control/trust.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from scheduler.model.events import Event

RELEASED = datetime(2025, 1, 1, tzinfo=UTC)
"""This program was written after this instant: no clock that is right shows an earlier one."""


def nobody() -> bool | None:
    """The word of a kernel that may not be asked, or is not there."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the system says of its clock.

    ``synchronised`` is None where nobody here can tell. ``proof`` is another value after each synchronisation, None where
    the system takes its word back by itself once somebody sets the clock. ``possible``: the time that it shows can be.
    ``kernel`` asks the kernel, for where the proof is of no use any more: whether the clock is synchronised, or None.
    """

    synchronised: bool | None = True
    proof: Hashable = None
    possible: bool = True
    kernel: Callable[[], bool | None] = field(default=nobody, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Belief:
    """Whether the clock is believed: it is where ``why`` is empty, which else says what is wrong, and ``remedy`` what to do.

    ``words`` is what `status` shows, ``telling`` the same as a sentence, without its full stop, where it is believed.
    """

    words: str
    why: str = ""
    remedy: str = ""
    telling: str = ""

    @property
    def trusted(self) -> bool:
        """Whether anything may be written by it."""
        return not self.why

    @property
    def doubt(self) -> str | None:
        """What is wrong with it and what to do, in a sentence; None if it is believed."""
        return f"{self.why}; {self.remedy}" if self.why else None


UNSEEN = Belief(
    "not looked at",
    "the machine's clock was not looked at yet",
    "it is looked at before anything is switched",
)
"""What is believed of a clock at the start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockStepped(Event):
    """The wall clock was set, by ``by_s`` seconds; backwards if that is negative. The plan was looked at again."""

    name = "clock_stepped"
    level = "warning"
    by_s: float
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockDoubted(Event):
    """The clock is not believed: nothing is written until it is. Said once until then."""

    name = "clock_doubted"
    level = "warning"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockTrusted(Event):
    """The clock that was doubted is believed."""

    name = "clock_trusted"
    message: str
