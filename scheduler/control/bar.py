"""A login that was refused for good: not tried again, but where no reason was given, since a gateway that is busy says that too.

No clock, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.model.errors import NotCapable, NotLetIn, NotOffered

DOUBTED_S = (60.0, 3600.0)
"""A refusal without a reason is doubted after the first of these; each pause is twice the one before, up to the second, which
is the pause where no battery waits for it."""


@dataclass(slots=True)
class Bar:
    """Why no login is tried, None where nothing speaks against it. Instants are of the monotonic clock, in seconds."""

    error: NotCapable | None = None
    since_s: float = 0.0
    doubt_s: float = 0.0
    pause_s: float = DOUBTED_S[0]

    def lift(self) -> None:
        """Let a login be tried again."""
        self.error, self.pause_s = None, DOUBTED_S[0]

    def put(self, error: NotCapable, now_s: float) -> None:
        """Let none be tried, because of this."""
        self.error, self.since_s, self.doubt_s = error, now_s, now_s + self.pause_s
        self.pause_s = min(2 * self.pause_s, DOUBTED_S[1])

    def hold(self, now_s: float, *, stopped: bool) -> None:
        """Raise what speaks against a login now.

        A refusal that gave no reason is doubted once an hour, or each switch to come would be missed. ``stopped``: it is to
        start a battery that we may have stopped, which stands still until a login is taken: then it is doubted sooner.
        """
        doubt_s = self.doubt_s if stopped else self.since_s + DOUBTED_S[1]
        doubtful = isinstance(self.error, NotLetIn) and now_s >= doubt_s
        doubtful |= stopped and isinstance(self.error, NotOffered)  # it was there when it stopped the battery
        if self.error is not None and not doubtful:
            raise self.error.with_traceback(None)  # or each time would be kept with it
