"""Whether the clock may be believed, and whether somebody set it.

Believed is a clock that the system keeps synchronised, then one that was (holdover) until somebody sets it, else one that
the file says to trust after a while, else one that agrees with the gateway's own, whatever the system says of it. What is
not done by a clock that is not believed is `attendant`'s business.

Holdover is not kept over a restart: nobody watched meanwhile whether the clock was set. systemd's marker lasts until the
machine's restart, the kernel's word as long as its error is small, and where neither speaks the first look asks the
gateway's own clock, so that a restart waits less than a minute; longer only where the two clocks do not agree, and nobody knows.
"""

from __future__ import annotations

from collections.abc import Hashable
from datetime import datetime, timedelta

from scheduler.control.ports import Clock, Tell
from scheduler.model.clock import UNSEEN, Belief, ClockDoubted, ClockStepped, ClockTrusted, Kept

STEP_S = 2.0
"""A wall clock that moved by more than this against the steady one was set."""

SLEW = 0.0005
"""The kernel slews a clock by at most 500 ppm: that much more is allowed for the time since the last look."""

LOOK_S = 5.0
"""The longest pause between two looks at the two clocks."""

SETTLE_S = 10.0
"""So long a clock that was set must stay as it is before anything is switched by it."""

MOST_SETTLE_S = 40.0
"""It grows up to this while one step follows the other: a clock that is set to and fro switches nothing to and fro."""

AGREES_S = 120.0
"""A clock that the system does not vouch for is believed this close to the gateway's own. Tariffs go by minutes, and the
gateway, which sets its clock by the network, is a witness of its own."""

STANDS = timedelta(minutes=1)
"""A clock that is set back by no more takes no boundary back: the plan waits until it has caught up."""

CORRECTION = timedelta(hours=3)
"""A clock that is set back so far was wrong before: what was done by it is done again at its true time."""

QUIET_S = 600.0
"""Steps that follow one another faster are told together."""

DOUBTED = "not trusted"

_REMEDY = (
    "have it synchronised (`timedatectl`, or with chrony `chronyc tracking`, shows whether it is), or, where nothing can "
    "do that, write `trust_clock_after: 10m` into the file"
)


class Steps:
    """Notices that the wall clock was set, for whoever keeps instants of it. A slew, however long, is no step."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._origin, self._looked_s = clock.origin(), clock.monotonic()

    def pending(self) -> timedelta:
        """How far it was set since `moved` was last asked, forwards or backwards; zero if it was not."""
        by = self._clock.origin() - self._origin
        passed_s = max(self._clock.monotonic() - self._looked_s, 0.0)
        return by if abs(by.total_seconds()) > STEP_S + SLEW * passed_s else timedelta(0)

    def moved(self) -> timedelta:
        """`pending`, and from now on what follows counts."""
        by = self.pending()
        self._origin, self._looked_s = self._clock.origin(), self._clock.monotonic()
        return by


class Trust:
    """The clock of one run of ours, looked at in each cycle. ``belief`` is what the last look came to."""

    def __init__(self, clock: Clock, tell: Tell) -> None:
        self._clock = clock
        self._tell = tell
        self._steps = Steps(clock)
        self._proven = False
        self._proof: Hashable = None
        self._spent: Hashable = None
        self._ahead_s: float | None = None
        self._set_s: float | None = None
        self._settle_s = SETTLE_S
        self._doubted_s: float | None = None
        self._told = False
        self._unsaid: list[float] = []
        self._quiet_until_s = 0.0
        self._latest = clock.now()
        self.belief = UNSEEN

    def look(self, wait_s: float | None = None) -> timedelta:
        """Look at both clocks and at what the system says; how far the wall clock was set since the last look.

        ``wait_s`` is after how many seconds without a step the file says to trust it whoever keeps it, None if it does not.
        """
        by, kept = self._steps.moved(), self._clock.kept()
        if by:
            # What was proven of the time before is spent: only a synchronisation since then counts.
            self._proven, self._spent, self._ahead_s = False, self._proof, None
            now_s = self._clock.monotonic()
            again = self._set_s is not None and now_s - self._set_s < QUIET_S
            self._settle_s = min(2 * self._settle_s, MOST_SETTLE_S) if again else SETTLE_S
            self._set_s = now_s
            self._unsaid.append(by.total_seconds())
        self._proof = kept.proof
        stale = kept.proof is not None and kept.proof == self._spent
        # The marker may be one of a synchroniser that was replaced, whose successor speaks through the kernel alone.
        word = kept.kernel() if stale else kept.synchronised
        if word:
            self._proven, self._spent = True, None
        self.belief = self._judge(kept, wait_s, word=word, stale=stale)
        self._speak()
        return by

    def stepped(self) -> timedelta:
        """How far the wall clock was set since the last look; zero if it was not."""
        return self._steps.pending()

    def compare(self, ahead_s: float | None) -> None:
        """Take note of how far the clock is ahead of the gateway's own, in seconds, by an answer that just came, if it told."""
        if ahead_s is not None and not self._steps.pending():
            self._ahead_s = ahead_s

    def now(self) -> datetime:
        """The instant to look at the plan at: the wall clock, which stands still where it is set back by up to `STANDS`."""
        now = self._clock.now()
        if not now < self._latest <= now + STANDS:
            self._latest = now
        return self._latest

    async def rest(self, seconds: float) -> None:
        """Sleep so long, or until the clock is found set, or for one look while it is not believed."""
        until_s = self._clock.monotonic() + seconds
        while (left_s := until_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(min(left_s, LOOK_S))
            if not self.belief.trusted or self._steps.pending():
                return

    def _judge(self, kept: Kept, wait_s: float | None, *, word: bool | None, stale: bool) -> Belief:
        now_s = self._clock.monotonic()
        steady_s = now_s if self._set_s is None else now_s - self._set_s
        if not kept.possible:
            self._proven = False
            shown = f"the machine's clock shows {self._clock.now():%Y-%m-%d}, which cannot be"
            return _doubted(shown)
        if self._set_s is not None and steady_s < self._settle_s:
            why = "the machine's clock was set a moment ago, and nothing is switched by one that moves"
            return Belief(DOUBTED, why, "it may be trusted again within a minute")
        if self._proven:
            if word:
                return Belief("synchronised", telling="the clock is synchronised")
            return Belief("holdover", telling="the clock was synchronised, and nobody set it since")
        if wait_s is not None and steady_s >= wait_s:
            beside = "" if self._apart is None else f", {self._apart}"
            after = _span(wait_s)
            return Belief(
                f"trusted after {after}{beside}", telling=f"the file trusts the clock after {after}{beside}"
            )
        if self._ahead_s is not None and self._apart is None:
            return Belief(
                "agrees with the gateway", telling="the clock agrees with the gateway's own within 2 minutes"
            )
        return _doubted(self._doubt(word=word, stale=stale), wait_s)

    @property
    def _apart(self) -> str | None:
        """How far the clock is from the gateway's own, where that is too far."""
        return None if self._ahead_s is None else apart(self._ahead_s)

    def _doubt(self, *, word: bool | None, stale: bool) -> str:
        if stale:
            why = "the machine's clock was set, and the system has not synchronised it since"
        elif word is not None:
            why = "the system says that the machine's clock is not synchronised"
        elif self._apart is None:
            return "nobody can tell whether the machine's clock is right"
        else:
            return f"the machine's clock is {self._apart}, and nobody can tell which is right"
        return why if self._apart is None else f"{why}; it is {self._apart}"

    def _speak(self) -> None:
        """Tell what has changed: a step, a doubt that lasts, and its end."""
        now, now_s = self._clock.now(), self._clock.monotonic()
        if self._unsaid and now_s >= self._quiet_until_s:
            self._quiet_until_s = now_s + QUIET_S
            steps, self._unsaid = self._unsaid, []
            self._tell(ClockStepped(at=now, by_s=round(sum(steps), 1), message=_step_in_words(steps)))
        if self.belief.trusted:
            if self._told:
                self._tell(ClockTrusted(at=now, message=f"{self.belief.telling}: switching goes on"))
            self._doubted_s, self._told = None, False
            return
        if self._doubted_s is None:
            self._doubted_s = now_s
        # What is over by itself, as after a synchroniser's own step, is told to nobody.
        if now_s - self._doubted_s > self._settle_s and not self._told:
            self._told = True
            self._tell(ClockDoubted(at=now, message=f"{self.belief.why}; {self.belief.remedy}"))


def apart(ahead_s: float) -> str | None:
    """How far a clock that is so many seconds ahead of the gateway's own is from it, in words; None where the two agree."""
    if abs(ahead_s) <= AGREES_S:
        return None
    return f"{_long(timedelta(seconds=abs(ahead_s)))} {'ahead of' if ahead_s > 0 else 'behind'} the gateway's"


def _doubted(why: str, wait_s: float | None = None) -> Belief:
    remedy = _REMEDY if wait_s is None else f"it is trusted once nobody set it for {_span(wait_s)}"
    return Belief(DOUBTED, f"{why}, and nothing is switched until it is right", remedy)


def _step_in_words(steps: list[float]) -> str:
    by = timedelta(seconds=sum(steps))
    if len(steps) > 1:
        return f"the machine's clock was set {len(steps)} times; the plan was looked at again each time"
    if by > timedelta(0):
        return f"the machine's clock was set forward by {_long(by)}; the plan was looked at again"
    if by <= -CORRECTION:
        return (
            f"the machine's clock was set back by {_long(-by)}, so it was wrong before; the plan was looked at again, and "
            "what was done by the wrong time is done again at the right one"
        )
    return f"the machine's clock was set back by {_long(-by)}; the plan was looked at again, and what was done is not done again"


def _long(by: timedelta) -> str:
    seconds = by.total_seconds()
    for unit, length_s in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length_s:
            return f"{seconds / length_s:.0f} {unit}"
    return f"{seconds:.0f} s"


def _span(seconds: float) -> str:
    """A duration as the file writes it."""
    whole = round(seconds)
    parts = [
        f"{amount}{unit}"
        for amount, unit in ((whole // 3600, "h"), (whole % 3600 // 60, "m"), (whole % 60, "s"))
        if amount
    ]
    return "".join(parts) or "0s"
