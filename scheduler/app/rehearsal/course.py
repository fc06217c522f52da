"""What the battery did, against what it should have done: lateness, standstills, and the promises of liveness.

A wrong setpoint is excused while something keeps us from the gateway, and for a while after it, as long as its kind takes to
heal; of what does not keep us from it only the beginning and the end excuse one. Whatever is not excused breaks a promise, at
the instant at which the excuse ran out.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from scheduler.app.rehearsal.facts import EARLY_S, Facts, Wish
from scheduler.app.rehearsal.jury import Jury
from scheduler.simulator.house import Obeyed

ON_TIME_S = 60.0
"""L1: so soon after a boundary the battery has its setpoint."""

HEALED_S = 120.0
"""L2 and L6: so soon after the last fault all is as it should be, and no trouble is shown any more."""

THROTTLED_S = 360.0
"""L2: the same after a 429, whose silence is at least 300 s."""

STARTED_S = 60.0
"""L3: so soon after its start a process that follows a killed one has brought everything to what should be."""

UNWILLING_S = (300.0, 3600.0)
"""So long nothing is asked after the third login in a row that was refused because power flows, twice as long after each
further one, and at most so long: each may stop a battery, and only a person can have it insist."""

UNTRIED_S, LONGEST_S = 120.0, 7200.0
"""The shortest and the longest pause after a login that failed, while a battery may wait for it; and as soon after its end as the
shortest one is another tried, if that can be."""

SPOKEN_S = 600.0
"""So long after a boundary the meters have said whether the battery obeys."""

STOPPED_S = 15.0
"""I3: so long a login of ours may keep the battery stopped, where nothing goes wrong."""


@dataclass(slots=True, kw_only=True)
class Lateness:
    """How late each boundary was met, in seconds: where nothing went wrong, and where something did; and those never met."""

    calm_s: list[float] = field(default_factory=list)
    faulty_s: list[float] = field(default_factory=list)
    missed: int = 0


class Course:
    """Follows the wishes, the battery and the faults; everything is told in order of time."""

    def __init__(self, facts: Facts, jury: Jury) -> None:
        self._facts = facts
        self._jury = jury
        self.lateness = Lateness()
        self.stopped_s: Counter[str] = Counter()
        self.flips = 0
        self._late = self._stands = self._moment = False
        self._stood: tuple[float, Wish] | None = None
        self._wrong_s = 0.0
        self._charged: set[str] = set()
        self._at_s = 0.0
        self._flips_of_wish = 0
        self._trouble_s: float | None = None
        self._edge_s = 0.0
        self._unwilling = 0
        self._silent_s = 0.0
        self._refused_s: tuple[float, float] | None = None

    @property
    def _deadline_s(self) -> float:
        facts = self._facts
        # Nothing is written by a clock that is not trusted.
        nobody_can = facts.hindered or self._stands or not facts.trusted
        return math.inf if nobody_can else facts.excused_s

    @property
    def _patience_s(self) -> float:
        """L2: how soon after the last fault all must be well. Logins that fail one after the other are tried ever more seldom."""
        first_s, latest_s = self._refused_s or (0.0, 0.0)
        return HEALED_S + (latest_s - first_s) / 2

    def reach(self, now_s: float) -> None:
        """Time passes until now, and all stays as it was meanwhile."""
        facts = self._facts
        if not facts.running:
            whose = "others" if facts.by_us_s is None else "us"
            self.stopped_s[whose] += max(now_s - self._at_s, 0.0)  # type: ignore[assignment]  # a counter of seconds
        if not facts.met:
            deadline_s = max(self._wrong_s + ON_TIME_S, self._deadline_s)
            if now_s > deadline_s:
                self._charge_wrong(deadline_s)
        if facts.by_us_s is not None:
            deadline_s = self._start_deadline_s(facts.by_us_s)
            if now_s > deadline_s:
                said = f"stopped since {facts.by_us_s:.0f} s"
                sentence = f"a login of ours stops the battery for at most {STOPPED_S:g} s, and for {HEALED_S:g} s after a fault"
                self._charge("I3", sentence, deadline_s, said)
        self._at_s = max(self._at_s, now_s)
        facts.now_s = max(facts.now_s, now_s)

    def _start_deadline_s(self, stopped_s: float) -> float:
        """Until when a battery that a login of ours stopped then must run again. What excuses a setpoint does not excuse this."""
        facts = self._facts
        if facts.hindered or facts.died_s >= facts.began_s:  # nothing gets through, or nobody is there
            return math.inf
        return max(
            stopped_s + STOPPED_S,
            facts.fault_s + self._patience_s,
            facts.began_s + STARTED_S,
            self._silent_s + HEALED_S,
        )

    def _charge_wrong(self, deadline_s: float) -> None:
        facts = self._facts
        calm = facts.fault_s < facts.wished_s - HEALED_S
        seen = f"{facts.mode}, {facts.raw_percent:g} raw, {'running' if facts.running else 'stopped'}"
        if calm:
            sentence = f"the battery has the setpoint of the plan within {ON_TIME_S:g} s of a boundary"
            self._charge("L1", sentence, deadline_s, f"{seen} instead of {facts.wish}", key="L")
        else:
            sentence = "once nothing goes wrong any more, the battery has the setpoint of the plan in the time promised"
            self._charge("L2", sentence, deadline_s, f"{seen} instead of {facts.wish}", key="L")

    def _charge(self, identifier: str, sentence: str, at_s: float, seen: str, key: str = "") -> None:
        if (key or identifier) not in self._charged:
            self._charged.add(key or identifier)
            self._jury.charge(identifier, sentence, seen, at_s)

    def wish(self, wish: Wish | None, now_s: float) -> None:
        """From now on the battery should have this."""
        self.reach(now_s)
        facts = self._facts
        # A boundary, or the end of a hold, may ask for what was asked for before: what somebody set need not outlast it.
        self._edge_s, self._stood = now_s, None
        if wish == facts.wish:
            return
        if self._late:
            self.lateness.missed += 1
        calm = facts.fault_s < facts.wished_s and self._deadline_s < facts.wished_s
        if calm and facts.wish is not None and self._flips_of_wish > 1:
            sentence = (
                "the setpoint changes once at a boundary, also where the clocks change, and not to and fro"
            )
            self._jury.charge("I18", sentence, f"{self._flips_of_wish} changes since {facts.wished_s:.0f} s")
        if self._stands:
            self._stands = False
            self.excuse(now_s + ON_TIME_S)
        facts.wish, facts.wished_s, self._flips_of_wish = wish, now_s, 0
        self._late = not facts.met
        self._turned(now_s)
        if wish is not None and facts.met:
            self._met(now_s)

    def battery(self, obeyed: Obeyed, at_s: float) -> None:
        """From then on the battery goes by this."""
        self.reach(at_s)
        facts = self._facts
        if (obeyed.mode, obeyed.reserve_raw_percent) != (facts.mode, facts.raw_percent):
            self.flips += 1
            self._flips_of_wish += 1
        facts.mode, facts.raw_percent = obeyed.mode, obeyed.reserve_raw_percent
        facts.running = obeyed.running
        if facts.running:
            facts.by_us_s = None
            self._charged.discard("I3")
        if self._late and facts.met:
            self._met(at_s)
        self._turned(at_s)

    def _turned(self, at_s: float) -> None:
        """Note since when it is wrong, if it is."""
        if self._facts.met:
            self._wrong_s = math.inf
            self._charged.discard("L")
        else:
            self._wrong_s = min(self._wrong_s, at_s)

    def _met(self, at_s: float) -> None:
        facts = self._facts
        calm = not facts.faults and facts.excused_s < facts.wished_s
        times = self.lateness.calm_s if calm else self.lateness.faulty_s
        times.append(at_s - facts.wished_s)
        self._late = False

    def fault(self, now_s: float, within_s: float = HEALED_S, *, hinders: bool = True) -> None:
        """Something begins to go wrong; unless it ``hinders`` us all is to be well within so long, though it goes on."""
        self.reach(now_s)
        self._facts.faults += 1
        self._facts.hindered += hinders
        self._facts.fault_s = now_s
        self.excuse(now_s + within_s)

    def healed(self, now_s: float, within_s: float, *, hinders: bool = True) -> None:
        """Something no longer goes wrong, and all is to be well within so long."""
        self.reach(now_s)
        self._facts.faults -= 1
        self._facts.hindered -= hinders
        self._facts.fault_s = now_s
        self.excuse(now_s + max(within_s, self._patience_s))

    def excuse(self, until_s: float) -> None:
        """Until then a wrong setpoint has a reason."""
        self._facts.excused_s = max(self._facts.excused_s, until_s)

    def login(self, status: int | None, now_s: float) -> None:
        """A login was answered so, or not at all (None). 500 is that of a gateway that lets nobody in while power flows."""
        if status == 200:  # noqa: PLR2004 - fine
            self._refused_s = None
        else:
            first_s, latest_s = self._refused_s or (now_s, now_s)
            may_s = latest_s + min(max((latest_s - first_s) / 2, UNTRIED_S), LONGEST_S)
            # What is beyond was a time in which no login could be tried, and says nothing about them.
            self._refused_s = first_s + max(now_s - may_s - UNTRIED_S, 0.0), now_s
            self.excuse(self._facts.fault_s + self._patience_s)
        self._unwilling = self._unwilling + 1 if status == 500 else 0  # noqa: PLR2004 - see above
        if self._unwilling >= 3:  # noqa: PLR2004 - see `UNWILLING_S`
            first_s, most_s = UNWILLING_S
            self.excuse(now_s + min(first_s * 2.0 ** (self._unwilling - 3), most_s) + HEALED_S)

    def silence(self, until_s: float) -> None:
        """The gateway wants to be left alone until then: without a session nobody can start the battery before."""
        self._silent_s = max(self._silent_s, until_s)
        self.excuse(until_s + ON_TIME_S)

    def stand(self, *, judged: bool) -> None:
        """What somebody set stands until something else is wished; ``judged``: no rule that speaks sets it back.

        Before ours was read back nobody can tell theirs from ours, and a switch goes on; where the gateway obeys a step late
        it goes on until the meters have spoken.
        """
        facts = self._facts
        self._stands = True
        judged = judged and not (facts.commits_twice and facts.now_s < self._edge_s + SPOKEN_S)
        judged = judged and not self._moment and facts.met_s >= self._edge_s and not facts.met
        self._stood = (facts.met_s, Wish(facts.mode, facts.raw_percent)) if judged else None

    def moment(self, *, begins: bool) -> None:
        """A moment begins or ends. What is set while it tries the way may be written over, and nobody can tell; not what stood before."""
        self._moment = begins

    def write(self, wrote: Wish, restarted_s: float) -> None:
        """This is asked for, of a gateway that restarted then. A clock that is set, a disk that takes nothing and a gateway that
        restarts may each hide that it was a person: then nothing is judged.
        """
        facts = self._facts
        if not self._stands or self._stood is None:
            return
        proven_s, stood = self._stood
        hidden = max(facts.stepped_s, facts.forgot_s, restarted_s) >= proven_s
        if not hidden and not wrote.is_met(stood.mode or "", stood.raw_percent or 0.0):
            sentence = "what somebody sets stands until the next boundary, unless the plan sets it back"
            self._jury.charge("G12", sentence, f"{wrote} was written over {stood}")

    def trouble(self, sentence: str | None, now_s: float) -> None:
        """What the status shows to be wrong at the end of a cycle."""
        self.reach(now_s)
        if sentence is None:
            self._charged.discard("L6")
        elif now_s > max(self._deadline_s, self._facts.fault_s + HEALED_S, EARLY_S):
            promise = f"a trouble that is shown is gone within {HEALED_S:g} s of its cause"
            self._charge("L6", promise, now_s, sentence)
