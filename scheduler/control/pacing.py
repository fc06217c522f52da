"""When the gateway may be asked again after a failure. A value that grows with each failure; no clock, no sleep.

Sorted by who acts: see the tree in `model/errors.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scheduler.model.errors import (
    GatewayError,
    IdentityChanged,
    NotCapable,
    NotOffered,
    Refused,
    Standstill,
    Throttled,
    Unwilling,
)

FIRST_PAUSE_S = 5.0
"""The shortest pause after a failure, and the least of the first."""

LONGEST_PAUSE_S = 60.0
STANDSTILL_PAUSE_S = 60.0
SLOW_PAUSE_S = 300.0
LONGEST_SILENCE_S = 3600.0

PATIENCE = 20
"""So many times a call that is not there is looked for as if the gateway were starting up: about a quarter of an hour."""

PROBE_S = 3600.0
"""How often what is latched is tried again: a gateway that was wrongly given up would miss every switch."""

INSIST_AFTER = 3
"""So many logins in a row that are refused because power flows, and a person is asked to let us insist."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pacing:
    """``resume_s``: nothing is asked before this instant of the monotonic clock. ``latch``: what this gateway does not do
    when it is switched; not tried again until the configuration or the firmware is another. ``absences`` counts how often
    a switch found a call missing, ``probe_s`` is the instant from which the latch is doubted; ``odd``: it did it before,
    so that the next boundary is worth a try.
    """

    failures: int = 0
    resume_s: float = 0.0
    latch: NotCapable | None = None
    ends_at_boundary: bool = False
    absences: int = 0
    probe_s: float | None = None
    odd: bool = False

    def after(self, error: GatewayError, now_s: float, jitter: float) -> Pacing:
        """The pacing after one more failure at ``now_s``.

        ``jitter`` in [0, 1) spreads a pause over the upper half of its length, which doubles from one to the next.
        """
        pause_s = _pause_s(error, self.failures, jitter)
        return replace(
            self,
            failures=self.failures + 1,
            resume_s=now_s + pause_s,
            ends_at_boundary=isinstance(error, Refused | Unwilling),
        )

    def latched(self, error: NotCapable, now_s: float, *, did_before: bool = False) -> Pacing:
        """The pacing once a switch was refused at ``now_s``: at once, or after some patience where a call is missing.

        ``did_before``: this gateway has done it with this firmware, so that it is no lack that can be relied on.
        """
        if not isinstance(error, NotOffered):
            return replace(self, latch=error, probe_s=now_s + PROBE_S, odd=did_before)
        absences = self.absences + 1
        if absences < PATIENCE:
            return replace(self, absences=absences)
        return replace(self, absences=absences, latch=error, probe_s=now_s + PROBE_S, odd=False)

    def doubtful(self, now_s: float) -> bool:
        """Whether it is time to find out if what was refused is there, or allowed, after all."""
        return self.probe_s is not None and now_s >= self.probe_s

    def doubted(self) -> Pacing:
        """The pacing while it is tried once more: one more absence latches it again."""
        return replace(self, latch=None, probe_s=None, odd=False)

    def unlatched(self) -> Pacing:
        """The pacing once what was refused may be tried again; a pause that runs goes on."""
        return replace(self.doubted(), absences=0)

    def at_boundary(self) -> Pacing:
        """The pacing at a new boundary, which is worth a try while a person's work is waited for."""
        tried = self.doubted() if self.odd else self
        return replace(tried, resume_s=0.0) if self.ends_at_boundary else tried

    def hurried(self, latest_s: float) -> Pacing:
        """The pacing with a pause that ends at ``latest_s`` at the latest, unless it was asked for by the gateway."""
        return replace(self, resume_s=min(self.resume_s, latest_s))

    def recovered(self) -> Pacing:
        """The pacing once the gateway answers again; what was latched stays so."""
        if self.latch is None:
            return Pacing()
        return Pacing(latch=self.latch, absences=self.absences, probe_s=self.probe_s, odd=self.odd)


STEADY = Pacing()
"""Nothing went wrong."""


def _pause_s(error: GatewayError, failures: int, jitter: float) -> float:
    match error:
        case Throttled():
            return min(error.silence_s, LONGEST_SILENCE_S)
        case Standstill():
            return STANDSTILL_PAUSE_S
        case Unwilling() if error.times >= INSIST_AFTER:
            return min(SLOW_PAUSE_S * 2.0 ** min(error.times - INSIST_AFTER, 10), PROBE_S)
        case IdentityChanged():  # a handshake a minute disturbs nobody, and the right one may be back
            return LONGEST_PAUSE_S
        case NotOffered() if failures < PATIENCE:
            return _backed_off_s(failures, jitter)
        case Refused():
            return SLOW_PAUSE_S
        case _:
            return _backed_off_s(failures, jitter)


def _backed_off_s(failures: int, jitter: float) -> float:
    whole_s = min(LONGEST_PAUSE_S, 2 * FIRST_PAUSE_S * 2.0 ** min(failures, 10))
    return whole_s * (0.5 + jitter / 2)
