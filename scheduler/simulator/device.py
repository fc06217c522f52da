"""The simulated gateway's state and what can be done to it, by requests and by other people.

What is *shown* as set and what the battery *obeys* are two things here, as on the real one. JSON and HTTP live in
`bodies.py` and `api.py`, the watts in `house.py`, the sentences that cause trouble in `scenario.py`.
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.model.reading import Grid, Power
from scheduler.simulator import refusals
from scheduler.simulator.faults import GridFault
from scheduler.simulator.house import FULL_WH, House, Obeyed, raw_percent
from scheduler.simulator.mischief import Mischief
from scheduler.simulator.personality import PERSONALITIES, Personality
from scheduler.simulator.restarts import Restarts
from scheduler.simulator.sessions import Role, Sessions
from scheduler.simulator.updater import Updater

LOWEST_RESERVE = 5.0
HIGHEST_RESERVE = 100.0
"""Raw percent. Values beyond are taken as these (BJReplay's scripts rely on it); no error was ever documented."""

CLAMPED_TO = raw_percent(80)
"""What becomes of reserves from 81 to 99 % of the app's scale (pypowerwall issue 200: since 25.18.4)."""

START_TAKES = timedelta(seconds=2)
"""How long a battery that starts slowly takes: a 21.x gateway was up again so soon after the call."""

STOP_TAKES = timedelta(seconds=2)
"""How long a battery that stops slowly takes: a 21.x gateway was down so soon after the call."""

POWER_FLOWS_W = 100.0
"""From this much battery power on, a gateway that is picky about it does not let itself be stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What /api/operation speaks of: a mode, and the reserve in raw percent."""

    mode: str
    reserve_raw_percent: float


def drifted(reserve_raw_percent: float) -> float:
    """A reserve as a gateway tells it that counts in narrower floats: 5 was read as 5.000019999999999 (a 21.39.1)."""
    return math.nextafter(reserve_raw_percent + 0.00002, 0)


class SimulatedGateway:
    """A gateway with a house behind it. Time passes when somebody looks: ``now`` is asked at every access.

    ``history`` is what the battery really went by, each entry from its instant on; ``requests`` counts the requests
    that the API answered, by ``METHOD path``; ``ends`` is until when what lasts will last, by what it is;
    ``connection_tested`` is when the test of the connection ends that was begun last, None once that was told.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime],
        personality: Personality = PERSONALITIES["1.45.2"],
        zone: ZoneInfo | None = None,
        serial: str = "T123456789",
        charge_raw_percent: float = 50.0,
        setting: Setting = Setting(mode="self_consumption", reserve_raw_percent=24.0),
    ) -> None:
        self._now = now
        start = now()
        self.personality = personality
        self.serial = serial
        self.zone = zone or ZoneInfo("America/Los_Angeles")
        self.firmware = personality.firmware
        self.start_time = start
        self.running_since = start
        self.house = House(at=start, zone=self.zone, charge_wh=FULL_WH * charge_raw_percent / 100)
        self.sessions = Sessions(
            serial, any_username=personality.any_username, bad_login=personality.bad_login
        )
        self.updater = Updater(born=start, resting=personality.resting_update)
        self.mischief = Mischief(one_step_late=personality.one_step_late)
        self.restarts = Restarts(self)
        self.requests: Counter[str] = Counter()
        self.grid_faults: list[GridFault] = []
        self.commission_count = 0
        self.login_stops: datetime | None = None
        self.connection_tested: datetime | None = None
        self.ends: dict[str, datetime] = {}
        self._set = self._committed = setting
        self.obeyed = Obeyed(mode=setting.mode, reserve_raw_percent=setting.reserve_raw_percent)
        self.history = [(start, self.obeyed)]
        self._agenda: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._catching_up = False
        self._starts: datetime | None = None

    def now(self) -> datetime:
        """The present instant, after everything until then has happened.

        For what happens on the way, the present is the instant at which it happens.
        """
        if self._catching_up:
            return self.house.at
        now = self._now()
        if now == self.house.at and not (self._agenda and self._agenda[0][0] <= now):
            return now
        self._catching_up = True
        try:
            while self._agenda and self._agenda[0][0] <= now:
                at, _, happen = heapq.heappop(self._agenda)
                self.house.advance(at, self.obeyed)
                happen()
        finally:
            self._catching_up = False
        self.house.advance(now, self.obeyed)
        return now

    def later(self, at: datetime, happen: Callable[[], None]) -> None:
        """Let something happen at an instant, before anything that is looked at after it."""
        heapq.heappush(self._agenda, (at, next(self._order), happen))

    @property
    def next_happening(self) -> datetime | None:
        """When something happens next that is known already, but for tokens that grow old; None if nothing is."""
        return self._agenda[0][0] if self._agenda else None

    @property
    def shown(self) -> Setting:
        """What the gateway tells to be set, committed or not."""
        if not self.mischief.drifts:
            return self._set
        return replace(self._set, reserve_raw_percent=drifted(self._set.reserve_raw_percent))

    @property
    def offline(self) -> bool:
        """Whether connections to the gateway come to nothing."""
        self.now()
        return self.restarts.gone or self._lasts(self.mischief.offline_until)

    @property
    def busy(self) -> bool:
        """Whether it says that somebody else configures."""
        return self._lasts(self.mischief.busy_until)

    def power(self) -> Power:
        """What flows now, in watts."""
        self.now()
        return self.house.flows(self.obeyed)

    def charge_raw_percent(self) -> float:
        """State of charge now, in raw percent."""
        self.now()
        return self.house.charge_raw_percent

    def login(self, username: str, password: str, *, stop_under_load: bool) -> tuple[str, Role]:
        """A token and its role. As installer this stops the battery (README of the gateway, Login).

        ``stop_under_load`` is the request's force_sm_off. Refusal for a wrong password, and where it may not stop.
        """
        now = self.now()
        role = self.sessions.check(username, password, now)
        if role is Role.INSTALLER and self.personality.installer_needs_switch:
            raise refusals.physical_access(role.value)
        if role is Role.INSTALLER and self.personality.installer_login_stops:
            self._stop_for_login(now, under_load=stop_under_load)
        return self.sessions.open(role, now), role

    def _stop_for_login(self, now: datetime, *, under_load: bool) -> None:
        self._mind_the_load(under_load=under_load)
        if self.mischief.stops_slowly:
            self.login_stops = now + STOP_TAKES
            self.later(self.login_stops, self.fall_out)
        else:
            self.login_stops = now
            self.fall_out()

    def write(self, mode: str | None, reserve_raw_percent: float | None) -> Setting:
        """Set what is given; the answer is what the gateway claims to have set. The battery waits for `commit`."""
        self.now()
        if mode is not None and mode not in self.personality.writable_modes:
            raise refusals.no_such_mode(self.personality.operation_key)
        claimed = self._set
        if mode is not None:
            claimed = replace(claimed, mode=mode)
        if reserve_raw_percent is not None:
            within = min(max(reserve_raw_percent, LOWEST_RESERVE), HIGHEST_RESERVE)
            claimed = replace(claimed, reserve_raw_percent=within)
        if self.mischief.ignores_writes:
            return claimed
        if self.mischief.writes_to_ignore > 0:
            self.mischief.writes_to_ignore -= 1
        elif reserve_raw_percent is None:
            self._set = claimed
        else:
            self._set = replace(claimed, reserve_raw_percent=self._kept(claimed.reserve_raw_percent))
        return claimed

    def _kept(self, reserve_raw_percent: float) -> float:
        """What becomes of a reserve that was taken."""
        if self.mischief.clamps and CLAMPED_TO < reserve_raw_percent < HIGHEST_RESERVE:
            return CLAMPED_TO
        return reserve_raw_percent

    def commit(self) -> None:
        """Put what is shown into force (README of the gateway, note 2), or what was to be the last time."""
        self.now()
        self.commission_count += 1
        due = self._committed if self.mischief.one_step_late else self._set
        self._committed = self._set
        self.obey(mode=due.mode, reserve_raw_percent=due.reserve_raw_percent)

    def run(self) -> None:
        """Put the battery into service."""
        self.now()
        if self.mischief.runs_to_forget > 0:
            self.mischief.runs_to_forget -= 1
        elif not self.mischief.starts_slowly:
            self._start()
        elif not self.obeyed.running and self._starts is None:
            self._starts = self.house.at + START_TAKES
            self.later(self._starts, self._start_late)

    def _start(self) -> None:
        if not self.obeyed.running:
            self.obey(running=True)
            self.running_since = self.house.at

    def _start_late(self) -> None:
        if self._starts == self.house.at:  # else it was stopped meanwhile, or restarted
            self._starts = None
            self._start()

    def stop(self, *, under_load: bool = False) -> None:
        """Take the battery out of service; Refusal 500 if it is picky and power flows."""
        self._mind_the_load(under_load=under_load)
        self.fall_out()

    def _mind_the_load(self, *, under_load: bool) -> None:
        flows = abs(self.power().battery_w) >= POWER_FLOWS_W
        if self.mischief.refuses_wizard and flows and not under_load:
            raise refusals.cannot_start_wizard()

    def fall_out(self) -> None:
        """Be out of service, also where the battery is about to start."""
        self._starts = None
        self.obey(running=False)

    def adopt(self, personality: Personality) -> None:
        """Have this firmware and its habits; what was said to go wrong for a while or for good goes on."""
        self.personality = personality
        self.firmware = personality.firmware
        self.sessions.any_username = personality.any_username
        self.sessions.bad_login = personality.bad_login
        self.mischief.one_step_late = personality.one_step_late or "one_step_late" in self.ends

    def start_anew(self, *, running: bool) -> None:
        """Be there again after a restart: with a new start time, and without memory of tokens."""
        self.start_time = self.running_since = self.now()
        self.sessions.forget()
        self._starts = None
        self.obey(running=running)

    def obey(self, **changes: object) -> None:
        """Let the battery go by something else from now on, named as the fields of `Obeyed`; its record keeps it."""
        obeyed = replace(self.obeyed, **changes)  # type: ignore[arg-type]  # names and types are those of Obeyed
        if obeyed != self.obeyed:
            self.obeyed = obeyed
            self.history.append((self.house.at, obeyed))

    def become(self, serial: str) -> None:
        """Be another gateway, of this serial, with its own passwords, and behind the same certificate."""
        self.serial = self.sessions.serial = serial
        self.sessions.forget()

    def go_offline(self, lasting: timedelta) -> None:
        """Let connections come to nothing for at least this long."""
        until = self.now() + lasting
        self.mischief.offline_until = max(until, self.mischief.offline_until or until)

    def use_app(self, setting: Setting) -> None:
        """Somebody sets this in the app: shown and obeyed at once, as the app needs no commit."""
        self.now()
        self._set = self._committed = setting
        self.obey(mode=setting.mode, reserve_raw_percent=setting.reserve_raw_percent)

    def switch_grid(self, grid: Grid) -> None:
        """Connect the house to the grid, or cut it off."""
        self.now()
        self.obey(grid=grid)

    def _lasts(self, until: datetime | None) -> bool:
        return until is not None and self.now() < until
