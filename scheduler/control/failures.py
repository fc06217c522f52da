"""What follows from a failure of the gateway: a pause as it asks for, one sentence for a person, and a look before all else.

How long a pause is, is `pacing`'s, who must act `trouble`'s.
"""

from __future__ import annotations

from collections.abc import Callable

from scheduler.control.pacing import LONGEST_PAUSE_S
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks, Tell
from scheduler.control.state import State
from scheduler.control.trouble import Trouble, trouble_of
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    IdentityChanged,
    NotCapable,
    NotLetIn,
    Throttled,
)
from scheduler.model.events import GatewayBack, PersonNeeded

AGAIN_S = 3600.0
"""A remedy that others took turns with is told again after so long at the soonest."""


class Failures:
    """Notes in ``state`` what goes wrong at the gateway, and that it is over. ``jitter`` is in [0, 1)."""

    def __init__(
        self,
        state: State,
        gateway: Gateway,
        clock: Clock,
        *,
        marks: Marks,
        tell: Tell,
        jitter: Callable[[], float],
    ) -> None:
        self._state = state
        self._gateway = gateway
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self._jitter = jitter
        self._remedy: str | None = None
        self._told_s: dict[str, float] = {}

    def pause_s(self) -> float:
        """How long nothing is to be asked: our own pause, or a silence that whatever process of ours was asked for."""
        left_s = self._state.pacing.resume_s - self._clock.monotonic()
        silence_s = self._gateway.silence_s if left_s <= 0 else 0.0
        if silence_s > 0:
            self.note(Throttled("the gateway wants fewer requests (429)", silence_s=silence_s))
        return max(left_s, silence_s)

    def note(self, error: GatewayError) -> None:
        """Pause as the error asks for, and say it once, and again when somebody else must act than before, or otherwise."""
        state = self._state
        now_s = self._clock.monotonic()
        # What a role may not do hides the failures of calls, but not that another gateway answers.
        other = isinstance(error, IdentityChanged)
        before, state.trouble = state.trouble, trouble_of((None if other else state.pacing.latch) or error)
        state.pacing = state.pacing.after(error, now_s, self._jitter())
        lasting = isinstance(error, Throttled | BadCredentials | NotCapable) and not isinstance(
            error, NotLetIn
        )
        if MAY_HAVE_STOPPED in self._marks and not lasting:
            state.pacing = state.pacing.hurried(now_s + LONGEST_PAUSE_S)
        state.verify_s = now_s  # look before anything else when the pause is over
        changed = (
            before is None or before.kind is not state.trouble.kind or (other and before != state.trouble)
        )
        if changed or self._asks_otherwise(before, state.trouble):
            if state.trouble.kind is PersonNeeded:
                self._remedy = state.trouble.remedy
                self._told_s[self._remedy] = now_s
            self._tell(state.trouble.event(self._clock.now()))

    def _asks_otherwise(self, before: Trouble | None, after: Trouble) -> bool:
        """Whether a person must do another thing than was told last, which is not told because remedies take turns."""
        if before is None or after.kind is not PersonNeeded:
            return False
        now_s = self._clock.monotonic()
        self._told_s = {it: told_s for it, told_s in self._told_s.items() if now_s - told_s < AGAIN_S}
        last = before.remedy if self._remedy is None else self._remedy
        return after.remedy != last and after.remedy not in self._told_s

    def over(self) -> None:
        """Note that a whole cycle went well; what was refused for good still is."""
        state = self._state
        before = state.trouble
        state.pacing = state.pacing.recovered()
        state.trouble = None if state.pacing.latch is None else trouble_of(state.pacing.latch)
        if before is not None and state.trouble is None:
            self._tell(GatewayBack(at=self._clock.now(), message="the gateway answers as it should again"))
