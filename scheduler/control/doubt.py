"""Until when what a gateway shows proves nothing: that the battery runs, or that a login is refused.

No requests: who logs in, and what follows from a doubt, is `session.py`'s.
"""

from __future__ import annotations

from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Marks

LATE_STOP_S = 60.0
"""How long after a login without an answer the battery may still be stopped by it. Ours: nobody measured it."""

STOPS_S = 3.0
"""How long after the answer to a login its stop may take. Ours: a 21.x gateway that was told to stop took 2 s."""

CREDIBLE_S = 86400.0
"""A mark that seems older may have been noted by a clock that was wrong: nobody knows when."""

LOOK_AGAIN_S = 1.0
"""So soon after the battery was seen to run it is not looked at again for the sake of a mark that is kept a little longer."""

YOUNG_S = 600.0
"""So long after a restart a gateway may refuse a login, or a call, without a reason and mean nothing by it. Ours."""


class Doubt:
    """What is doubted of one gateway, by the monotonic clock.

    A mark that is found speaks of a login that was never answered, unless it is said to be ``answered``.
    """

    def __init__(self, clock: Clock, marks: Marks, *, answered: bool) -> None:
        self._clock = clock
        self._marks = marks
        self._until_s = self._young_until_s = 0.0
        self._ran = (-1, 0.0)
        if MAY_HAVE_STOPPED in marks:
            self._until_s = clock.monotonic() + self._left_of(STOPS_S if answered else LATE_STOP_S)

    def _left_of(self, whole_s: float) -> float:
        """How long yet the battery may be stopped by the login that was noted: all of it if nobody knows, as of times to come."""
        noted_at = self._marks.noted_at(MAY_HAVE_STOPPED)
        age_s = 0.0 if noted_at is None else (self._clock.now() - noted_at).total_seconds()
        return whole_s - (age_s if 0 <= age_s <= CREDIBLE_S else 0.0)

    @property
    def left_s(self) -> float:
        """For how many seconds more it proves nothing that the battery runs; zero if it does."""
        return max(self._until_s - self._clock.monotonic(), 0.0)

    @property
    def ends_s(self) -> float | None:
        """Until when a stop by a login of ours may yet come, by the monotonic clock; None if none may."""
        return self._until_s if MAY_HAVE_STOPPED in self._marks and self.left_s else None

    def runs(self, logins: int) -> None:
        """The battery was seen to run, after so many logins of ours."""
        self._ran = logins, self._clock.monotonic()

    def seen(self, logins: int) -> bool:
        """Whether nothing is learnt by looking again: it ran a moment ago, no login came since, and a stop may yet come."""
        before, ran_s = self._ran
        return before == logins and self.left_s > 0 and self._clock.monotonic() < ran_s + LOOK_AGAIN_S

    @property
    def young(self) -> bool:
        """Whether the gateway has just been restarted, so that it means nothing by a refusal."""
        return self._clock.monotonic() < self._young_until_s

    def restarted(self) -> None:
        """The gateway has been restarted."""
        self._young_until_s = self._clock.monotonic() + YOUNG_S

    def brace(self, seconds: float) -> None:
        """The gateway restarts within so many seconds, by our doing, and perhaps more than once."""
        until_s = self._clock.monotonic() + seconds
        self._until_s = max(self._until_s, until_s)
        self._young_until_s = max(self._young_until_s, until_s)

    def calm(self) -> None:
        """It does not restart by our doing after all."""
        self._until_s = self._young_until_s = 0.0

    def login(self) -> float:
        """A login that can stop the battery begins. What to say to `refused` or `answered`, unless its answer is lost."""
        before_s, self._until_s = self._until_s, self._clock.monotonic() + LATE_STOP_S
        return before_s

    def refused(self, before_s: float) -> None:
        """It was answered with a no, and has stopped nothing."""
        self._until_s = before_s

    def answered(self, before_s: float) -> None:
        """It was let in, and its stop may yet come."""
        self._until_s = max(before_s, self._clock.monotonic() + STOPS_S)
