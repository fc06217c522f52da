"""The loop by itself, with a gateway of a few lines under it, for faults by the million. No tests here.

No byte is sent and nobody waits: the loop's own methods run to their end at once, and time is a number. The ticks between two
instants at which something is due are left out, or most of them: they look at the plan, and it is the same all night. What the client makes of
bytes and statuses is not in here; `small_faults.py` has that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

from bench import BY_NIGHT, Marks, Moments, bench, local
from clockwork import VirtualClock
from days import Run
from dying import Killed
from small_faults import only

from scheduler.control.agenda import Agenda, Policy, agenda
from scheduler.control.loop import REST_S, Loop
from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED
from scheduler.gateway.local import LocalPace
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    NotCapable,
    NotLetIn,
    NotOffered,
    SessionExpired,
    Throttled,
    Transient,
    Unsteady,
)
from scheduler.model.evidence import Step, Verdict
from scheduler.model.reading import Alert, Grid, Identity, Live, Power, UpdateStatus
from scheduler.model.setpoint import Setpoint
from scheduler.model.status import Status

BEGINS = local("22:10")
DESIRED = BY_NIGHT
BEFORE = Setpoint(mode="self_consumption", reserve_percent=20)
CALL_S = 10.0
LATE_S = 12.0
DEAD_FOR_S = 2.0
SILENCE_S = 300.0
DOUBT_S = 60.0
OWED_S = 30.0
"""Each tick sees to what is owed; one in so many seconds is enough here."""
LONGEST_S = 1000.0
"""A night is not looked at longer than this after the last fault, and after a wait of `WRONG_S` that the last one began."""
WRONG_S = 3600.0
"""So long the battery may wait after the password was called wrong twice in a row: a third time would cost a day."""


class Outcome(Enum):
    """What becomes of one request. What "after" is about was done."""

    LOST = auto()
    LOST_AFTER = auto()
    SLOW = auto()
    SLOW_AFTER = auto()
    LATE_AFTER = auto()
    """Nobody answers in time, and it is done when nobody waits any more."""
    UNSTEADY = auto()
    EXPIRED = auto()
    """The session is over; for a login: the password is not the one."""
    NOT_CAPABLE = auto()
    NOT_OFFERED = auto()
    THROTTLED = auto()
    VOID = auto()
    """It is answered as if it were done, and is not."""
    KILLED_BEFORE = auto()
    KILLED_AFTER = auto()


LATCHING = frozenset({Outcome.NOT_CAPABLE, Outcome.NOT_OFFERED})
_AFTER = frozenset({Outcome.LOST_AFTER, Outcome.SLOW_AFTER, Outcome.KILLED_AFTER})
_SLOW = frozenset({Outcome.SLOW, Outcome.SLOW_AFTER, Outcome.LATE_AFTER})
_ERRORS: dict[Outcome, GatewayError] = {
    **dict.fromkeys(Outcome, Transient("no answer")),
    Outcome.UNSTEADY: Unsteady("it is busy"),
    Outcome.EXPIRED: SessionExpired("the session is over"),
    Outcome.NOT_CAPABLE: NotCapable("it does not do this", remedy="use another login"),
    Outcome.NOT_OFFERED: NotOffered("there is no such call", remedy="use another gateway"),
    Outcome.THROTTLED: Throttled("too many requests", silence_s=SILENCE_S),
}
_LOGIN_ERRORS: dict[Outcome, GatewayError] = _ERRORS | {
    Outcome.EXPIRED: BadCredentials("it does not know this password", remedy="give another one"),
    Outcome.NOT_CAPABLE: NotLetIn("it does not let this user in", remedy="check the user"),
}
_PACE = LocalPace()
_IDENTITY = Identity(firmware="1.45.2", start_time="long ago")
Came = TypeVar("Came")


@dataclass(kw_only=True)
class House:
    """A gateway whose logins stop the battery, a battery, and a record of what was promised and not kept.

    ``plan`` says what becomes of a request, by its number from 1 on. ``asked`` counts them; ``wrong`` is what was done that must
    never be, in words.
    """

    clock: VirtualClock
    marks: Marks
    plan: Mapping[int, Outcome]
    asked: int = 0
    shown: Setpoint = BEFORE
    obeyed: Setpoint = BEFORE
    running: bool = True
    stopped_at_s: float = 0.0
    stopped_s: float = 0.0
    session: bool = False
    silent_until_s: float = 0.0
    last_s: float = 0.0
    paused_s: float = 0.0
    refused: int = 0  # logins in a row whose password was called wrong
    read: Setpoint | None = None
    taken: bool = False
    logins: int = 0
    killed: int = 0
    dead: bool = False
    late: list[tuple[float, str]] = field(default_factory=list)
    struck: set[Outcome] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def do(self, deed: str) -> None:
        """Obey a request."""
        match deed:
            case "login":
                if self.running:
                    self.running, self.stopped_at_s = False, self.clock.passed_s
            case "commit":
                self.obeyed = self.shown
            case "start" if not self.running:
                self.running = True
                self.stopped_s = max(self.stopped_s, self.clock.passed_s - self.stopped_at_s)
            case "write":
                self.shown = DESIRED

    def catch_up(self) -> None:
        """Do what was late, if its time has come."""
        while self.late and self.late[0][0] <= self.clock.passed_s:
            self.do(self.late.pop(0)[1])

    def struck_by(self) -> Outcome | None:
        """Count one more request; what becomes of it."""
        if self.dead:
            raise Killed
        self.catch_up()
        self.asked += 1
        what = self.plan.get(self.asked)
        if what is not None:
            self.struck.add(what)
            self.last_s = self.clock.passed_s
        return what


class SmallGateway:
    """The port `Gateway` on a house. One a process."""

    pace = _PACE
    login_may_stop = True
    clock_ahead_s: float | None = None

    def __init__(self, house: House) -> None:
        self._house = house

    @property
    def has_session(self) -> bool:
        """Whether this process has one."""
        return self._house.session

    @property
    def silence_s(self) -> float:
        """How long it wants to be left alone."""
        return max(self._house.silent_until_s - self._house.clock.passed_s, 0.0)

    def _ask(self, deed: str, came: Came, *, token: bool = True) -> Came:
        """One request, as its outcome has it."""
        house = self._house
        if self.silence_s > 0 and not (deed in {"is_running", "start"} and MAY_HAVE_STOPPED in house.marks):
            house.wrong.append(f"I9: {deed} in a silence")
        what = house.struck_by()
        if what is None:
            if token and not house.session:
                raise SessionExpired("there is no session")
            house.do(deed)
            return came
        if what is Outcome.VOID:
            return came
        self._fail(what, deed)
        error = (_LOGIN_ERRORS if deed == "login" else _ERRORS)[what]
        error.__context__ = None
        raise error.with_traceback(None)  # raised a million times, it would keep every scene that it came by

    def _fail(self, what: Outcome, deed: str) -> None:
        house = self._house
        if what in _AFTER:
            house.do(deed)
        if what in _SLOW:
            house.clock.passed_s += CALL_S
            house.last_s = house.clock.passed_s
        if what is Outcome.LATE_AFTER:
            house.late.append((house.clock.passed_s + LATE_S - CALL_S, deed))
        if what is Outcome.EXPIRED:
            house.session = False
            house.refused += deed == "login"
        if what is Outcome.THROTTLED:
            house.silent_until_s = house.clock.passed_s + SILENCE_S
        house.paused_s += self._pause_s(what, deed)
        if what in {Outcome.KILLED_BEFORE, Outcome.KILLED_AFTER}:
            house.dead = True
            raise Killed

    def _pause_s(self, what: Outcome, deed: str) -> float:
        """How long nobody may log in after it, as is promised: a silence, a refused password, and one without a reason."""
        if what is Outcome.EXPIRED and deed == "login":
            return SILENCE_S if self._house.refused == 1 else WRONG_S
        if what is Outcome.THROTTLED:
            return SILENCE_S
        return DOUBT_S + self._house.paused_s if what in LATCHING and deed == "login" else 0.0

    async def identify(self) -> Identity:
        """Who it is."""
        return self._ask("identify", _IDENTITY, token=False)

    async def login(self, *, repair: bool = False) -> None:
        """Stop the battery, and let in."""
        house = self._house
        if self.silence_s > 0:
            raise Throttled("too many requests", silence_s=self.silence_s)
        if MAY_HAVE_STOPPED not in house.marks:
            house.wrong.append(f"P3b: a login (repair: {repair}) was not noted before it")
        house.session = False
        house.logins += 1
        self._ask("login", None, token=False)
        if house.refused:
            house.refused, house.last_s = 0, house.clock.passed_s
        house.session = True

    async def read(self) -> Setpoint:
        """What is shown."""
        house = self._house
        self._ask("read", None)
        house.read, house.taken = house.shown, False
        return house.shown

    async def write(self, change: Setpoint) -> None:
        """Show it."""
        house = self._house
        if UNCOMMITTED not in house.marks:
            house.wrong.append("P3b: a write was not noted before it")
        if house.read is None or DESIRED.is_met_by(house.read):
            house.wrong.append(f"I6: written although {house.read} was read last")
        if house.taken:
            house.wrong.append("I6: written although it was taken already, and nothing was read since")
        if not (
            change.mode in {None, DESIRED.mode} and change.reserve_percent in {None, DESIRED.reserve_percent}
        ):
            house.wrong.append(f"I1: {change} was written")
        self._ask("write", None)
        house.taken = True

    async def commit(self) -> None:
        """Obey what is shown."""
        self._ask("commit", None)

    async def is_running(self) -> bool:
        """Whether the battery is in service."""
        self._ask("is_running", None, token=False)
        return self._house.running

    async def start(self) -> None:
        """Put it into service."""
        if MAY_HAVE_STOPPED not in self._house.marks:
            self._house.wrong.append("I2: started without a mark")
        self._ask("start", None)

    async def live(self) -> Live:
        """Half full, on the grid."""
        return self._ask("live", Live(charge_percent=50.0, grid=Grid.CONNECTED), token=False)

    async def grid_faults(self) -> tuple[Alert, ...]:
        """None."""
        return self._ask("grid_faults", (), token=False)

    async def power(self) -> Power:
        """It charges where it obeys, and carries the house where it does not."""
        self._ask("power", None, token=False)
        battery_w = -3000.0 if DESIRED.is_met_by(self._house.obeyed) else 1000.0
        return Power(battery_w=battery_w, site_w=1000.0 - battery_w, load_w=1000.0, solar_w=0.0)

    async def check_for_update(self) -> None:
        """There is none."""

    async def update_status(self) -> UpdateStatus:
        """Nothing to do."""
        return UpdateStatus(state="/update_failed", status=("nonactionable",))

    async def install_update(self) -> None:
        """There is none."""

    def exchanges(self) -> tuple[Step, ...]:
        """Nobody keeps evidence here."""
        return ()

    async def close(self) -> None:
        """Nothing is open."""


def _policy() -> tuple[Policy, Agenda]:
    policy = Run(bench(BEGINS), only(DESIRED)).policy
    return policy, agenda(policy, BEGINS)


POLICY, AGENDA = _policy()
"""Compiled once: it is the same night in each trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A night, at its end, and what the daemon says of it."""

    house: House
    status: Status
    took_s: float


async def trial(plan: Mapping[int, Outcome]) -> Trial:
    """A switch from a start of the daemon on, until it is proven and all of the plan came to pass, or never will."""
    requests = max(plan, default=0)
    clock = VirtualClock(BEGINS)
    marks, note = Marks([], clock.now), Moments()
    house = House(clock=clock, marks=marks, plan=plan)
    reports: list[Status] = []
    loop = _loop(house, note, reports)
    while clock.passed_s < house.last_s + LONGEST_S + WRONG_S * (house.refused > 1) and not (
        house.asked >= requests and _is_over(house, reports)
    ):
        try:
            await loop.cycle()
        except Killed:
            clock.passed_s += DEAD_FOR_S
            house.last_s = clock.passed_s
            house.killed += 1
            house.dead, house.session, house.read, house.taken = False, False, None, False
            loop = _loop(house, note, reports)
        else:
            rest_s = max(REST_S, loop.due_s - clock.passed_s)
            clock.passed_s += min(rest_s, OWED_S) if house.marks else rest_s
            house.catch_up()
    await asyncio.sleep(0)  # so that the event loop forgets its timers
    return Trial(house=house, status=reports[-1], took_s=clock.passed_s)


def _loop(house: House, note: Moments, reports: list[Status]) -> Loop:
    return Loop(
        POLICY,
        SmallGateway(house),
        clock=house.clock,
        marks=house.marks,
        note=note,
        tell=lambda _event: None,
        arm=lambda _alarms: None,
        report=reports.append,
        jitter=lambda: 0.5,
        compiled=lambda _policy, _now: AGENDA,
    )


def _is_over(house: House, reports: list[Status]) -> bool:
    record = reports[-1].record if reports else None
    if house.marks or house.late or record is None or reports[-1].trouble is not None:
        return False
    return record.verdict is Verdict.NOT_EFFECTIVE or (
        DESIRED.is_met_by(house.obeyed) and record.verdict.good and house.running
    )


def broken(it: Trial) -> list[str]:
    """The promises that were broken in it, in words; I3 with the pauses that were asked for, and no other."""
    house, status = it.house, it.status
    found = list(house.wrong)
    verdict = None if status.record is None else status.record.verdict
    shut = status.trouble is not None and bool(house.struck & LATCHING)
    right = DESIRED.is_met_by(house.obeyed)
    unseen = Outcome.VOID in house.struck and verdict is Verdict.NOT_EFFECTIVE
    if not house.running:
        found.append("P1: the battery stands still in the end")
    if MAY_HAVE_STOPPED in house.marks or (house.marks and not shut):
        found.append(f"P1: marks are left: {sorted(house.marks)}")
    if not (right or shut or unseen):
        found.append(f"L2: it goes by {house.obeyed}, the verdict is {verdict}, the trouble {status.trouble}")
    if house.stopped_s > STOPPED_S + house.paused_s:
        found.append(f"I3: stopped by us for {house.stopped_s:.0f} s")
    if house.logins > 1 + house.killed + len(house.plan):
        found.append(f"I8: {house.logins} logins")
    return found


STOPPED_S = 120.0
