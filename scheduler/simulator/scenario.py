"""Trouble in words: sentences such as "offline for 15 minutes" or "somebody uses the app at 16:05".

What the trouble does lives in `device.py`; here are its names. Case and spaces do not matter.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler.model.reading import Grid
from scheduler.simulator.device import Setting, SimulatedGateway
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.house import raw_percent

BUSY_FOR = timedelta(minutes=2)
APP_SETTING = Setting(mode="backup", reserve_raw_percent=raw_percent(50))
"""What somebody sets in the app: backup, and a reserve that the app shows as 50 %."""

LONGEST_OFFLINE = timedelta(days=366)
UNITS = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": timedelta(hours=1)}

_DURATION = re.compile(r"(\d{1,6}) (second|minute|hour)s?")
_AT = re.compile(r"(.+) at (\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class UseCases:
    """What can befall a gateway, one method each: tests call these, sentences are mapped to them."""

    device: SimulatedGateway

    def ignores_writes(self) -> None:
        """From now on writes are answered as if they had been taken."""
        self.device.mischief.writes_to_ignore = math.inf

    def ignores_the_next_write(self) -> None:
        """The same, once."""
        self.device.mischief.writes_to_ignore += 1

    def applies_the_previous_one(self) -> None:
        """A commit puts in force what the one before it should have (powerwall2 issue 26)."""
        self.device.mischief.one_step_late = True

    def goes_offline(self, lasting: timedelta) -> None:
        """Connections come to nothing for this long."""
        self.device.go_offline(lasting)

    def token_expires(self) -> None:
        """All tokens are too old from now on."""
        self.device.sessions.expire(self.device.now())

    def somebody_uses_the_app(self) -> None:
        """Backup and a reserve of 50 % are set and in force, and it was not us."""
        self.device.use_app(APP_SETTING)

    def somebody_stops_it(self) -> None:
        """The battery is taken out of service, by no login of ours."""
        self.device.stop(under_load=True)

    def is_busy(self) -> None:
        """Whatever changes something is refused with 503 for two minutes."""
        self.device.mischief.busy_until = self.device.now() + BUSY_FOR

    def forgets_to_start(self) -> None:
        """The next sitemaster/run is accepted, and that is all."""
        self.device.mischief.runs_to_forget += 1

    def refuses_the_wizard(self) -> None:
        """From now on nothing stops the battery while power flows, except by force_sm_off."""
        self.device.mischief.refuses_wizard = True

    def has_an_update(self) -> None:
        """The next check for updates finds one."""
        self.device.updater.available = True

    def upgrades_itself(self) -> None:
        """It installs new firmware now, unasked."""
        self.device.upgrade()

    def grid_fails(self) -> None:
        """The house is on its own."""
        self.device.switch_grid(Grid.ISLANDED)

    def grid_returns(self) -> None:
        """The house hangs on the grid again."""
        self.device.switch_grid(Grid.CONNECTED)


SENTENCES: dict[str, Callable[[UseCases], None]] = {
    "ignores writes": UseCases.ignores_writes,
    "ignores the next write": UseCases.ignores_the_next_write,
    "applies the previous one": UseCases.applies_the_previous_one,
    "token expires": UseCases.token_expires,
    "somebody uses the app": UseCases.somebody_uses_the_app,
    "somebody stops it": UseCases.somebody_stops_it,
    "is busy": UseCases.is_busy,
    "forgets to start": UseCases.forgets_to_start,
    "refuses the wizard": UseCases.refuses_the_wizard,
    "has an update": UseCases.has_an_update,
    "upgrades itself": UseCases.upgrades_itself,
    "the grid fails": UseCases.grid_fails,
    "the grid returns": UseCases.grid_returns,
}
"""The sentences without a number; "offline for DURATION" is the one with."""


def apply_scenario(device: SimulatedGateway, sentence: str) -> None:
    """Make a sentence true of the gateway, now or the next time its local clock passes the "at HH:MM" behind it.

    SimulatorError for a sentence that is not known; it lists those that are.
    """
    words = " ".join(sentence.lower().split())
    armed = _AT.fullmatch(words)
    happen = _meaning(armed[1] if armed else words, sentence)
    if armed is None:
        happen(UseCases(device))
        return
    if int(armed[2]) >= 24 or int(armed[3]) >= 60:  # noqa: PLR2004 - hours and minutes
        raise SimulatorError(f"scenario {sentence!r}: there is no such time of day; write it as 16:05")
    at = next_passing(device.now(), time(int(armed[2]), int(armed[3])), device.zone)
    device.later(at, lambda: happen(UseCases(device)))


def next_passing(now: datetime, clock_time: time, zone: ZoneInfo) -> datetime:
    """The first instant after ``now`` at which clocks in ``zone`` show this time."""
    day = now.astimezone(zone).date()
    at = datetime.combine(day, clock_time, zone)
    if at.timestamp() <= now.timestamp():
        at = datetime.combine(day + timedelta(days=1), clock_time, zone)
    return datetime.fromtimestamp(at.timestamp(), now.tzinfo)


def _meaning(words: str, sentence: str) -> Callable[[UseCases], None]:
    if words in SENTENCES:
        return SENTENCES[words]
    duration = _DURATION.fullmatch(words.removeprefix("offline for "))
    if words.startswith("offline for ") and duration is not None:
        lasting = min(int(duration[1]) * UNITS[duration[2]], LONGEST_OFFLINE)
        return lambda usecases: usecases.goes_offline(lasting)
    known = ", ".join(f'"{s}"' for s in [*SENTENCES, "offline for 15 minutes"])
    raise SimulatorError(
        f'unknown scenario {sentence!r}; the known ones are {known}, each with or without a time such as "at 16:05"'
    )
