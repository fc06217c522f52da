"""A house with solar panels, a battery and the grid: simple physics that lose no energy.

Percentages are raw percent, the gateway's own scale. What the gateway shows and who may ask is not here; this is
only what flows. Nothing is random: the same calls give the same watts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.model.reading import Grid, Power

STEP = timedelta(seconds=60)
"""The longest stretch over which the flows count as constant."""
HOUR = timedelta(hours=1)

FULL_WH = 13_500 / 0.95
"""Energy at raw 100 %: the 13.5 kWh that the app shows are raw 5 % to 100 %."""

BATTERY_W = 5_000.0
BACKUP_CHARGE_W = 3_300.0
"""How fast `backup` charges (powerwall2 issue 14)."""
REFILL_W = 1_700.0
"""How fast the battery is brought back up to its reserve in the other modes."""

SOLAR_PEAK_W = 5_000.0
LOAD_BY_HOUR_W = (
    400, 350, 330, 320, 330, 450, 900, 1300, 1000, 700, 600, 600,
    700, 650, 650, 800, 1200, 1900, 2600, 2400, 2000, 1500, 900, 550,
)  # fmt: skip
"""What the house uses at each full hour, in watts; about 23 kWh a day."""


def raw_percent(shown_percent: float) -> float:
    """The gateway's scale from the app's (README of the gateway, POST /api/operation, "Tested values")."""
    return 0.95 * shown_percent + 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Obeyed:
    """What the battery goes by: mode and raw reserve in force, whether it is in service, and the grid."""

    mode: str
    reserve_raw_percent: float
    running: bool = True
    grid: Grid = Grid.CONNECTED


@dataclass(slots=True)
class Meter:
    """Energy counted in both directions, in watt-hours."""

    imported_wh: float = 0.0
    exported_wh: float = 0.0

    def count(self, inward_wh: float) -> None:
        """Add energy; negative went outward."""
        if inward_wh >= 0:
            self.imported_wh += inward_wh
        else:
            self.exported_wh -= inward_wh


@dataclass(slots=True, kw_only=True)
class House:
    """The house as of ``at``; ``charge_wh`` and the meters change in `advance` only.

    The battery is lossless: what goes in comes out. A longer ``step`` makes a coarser house, and a year of it cheap.
    """

    at: datetime
    zone: ZoneInfo
    charge_wh: float = FULL_WH / 2
    site: Meter = field(default_factory=Meter)
    solar: Meter = field(default_factory=Meter)
    battery: Meter = field(default_factory=Meter)
    load: Meter = field(default_factory=Meter)
    step: timedelta = STEP

    @property
    def charge_raw_percent(self) -> float:
        """State of charge in raw percent."""
        return 100 * self.charge_wh / FULL_WH

    def advance(self, to: datetime, obeyed: Obeyed) -> None:
        """Let time pass until ``to``. A clock that was set back is followed; what has flowed stays flowed."""
        while self.at < to:
            step = min(self.step, to - self.at)
            flows = self.flows(obeyed)
            hours = step / HOUR
            # The last step to empty or full may miss by float dust.
            self.charge_wh = min(max(self.charge_wh - flows.battery_w * hours, 0.0), FULL_WH)
            self.site.count(flows.site_w * hours)
            self.solar.count(-flows.solar_w * hours)
            self.battery.count(-flows.battery_w * hours)
            self.load.count(flows.load_w * hours)
            self.at += step
        self.at = to

    def flows(self, obeyed: Obeyed) -> Power:
        """What flows now, in watts: ``site + solar + battery == load``, whatever is obeyed."""
        local = self.at.astimezone(self.zone)
        load_w, solar_w = wanted_w(local), sunshine_w(local)
        if obeyed.grid is Grid.CONNECTED:
            battery_w = self._battery_w(obeyed, load_w - solar_w) if obeyed.running else 0.0
            site_w = load_w - solar_w - battery_w
            return Power(battery_w=battery_w, site_w=site_w, load_w=load_w, solar_w=solar_w)
        if not obeyed.running:
            return Power(battery_w=0.0, site_w=0.0, load_w=0.0, solar_w=0.0)
        battery_w = self._within_limits_w(load_w - solar_w)
        missing_w = load_w - solar_w - battery_w
        # Off the grid nothing else gives or takes: consumers are shed, or the panels throttled.
        load_w -= max(missing_w, 0.0)
        return Power(battery_w=battery_w, site_w=0.0, load_w=load_w, solar_w=load_w - battery_w)

    def _battery_w(self, obeyed: Obeyed, need_w: float) -> float:
        """What the battery gives (takes, if negative) on the grid.

        ``need_w`` is what the house uses beyond its solar; a surplus of the sun is a negative need.
        """
        if obeyed.mode == "backup":
            return self._within_limits_w(min(need_w, -BACKUP_CHARGE_W))
        # Every other mode: a simulated gateway has no tariff, so `autonomous` has nothing else to go by.
        above_reserve_wh = self.charge_wh - obeyed.reserve_raw_percent / 100 * FULL_WH
        wish_w = min(need_w, self._eased_w(max(above_reserve_wh, 0.0)))
        if above_reserve_wh < 0:
            wish_w = min(wish_w, -min(REFILL_W, self._eased_w(-above_reserve_wh)))
        return self._within_limits_w(wish_w)

    def _within_limits_w(self, wish_w: float) -> float:
        gives_w = min(BATTERY_W, self._eased_w(self.charge_wh))
        takes_w = min(BATTERY_W, self._eased_w(FULL_WH - self.charge_wh))
        return max(min(wish_w, gives_w), -takes_w)

    def _eased_w(self, distance_wh: float) -> float:
        """The most power that does not pass a limit within one step: the battery eases off in its last minute."""
        return distance_wh / (self.step / HOUR)


def wanted_w(local: datetime) -> float:
    """What the people in the house use at this local time, in watts: the same every day."""
    hour = local.hour
    share = (local.minute * 60 + local.second) / 3600
    return LOAD_BY_HOUR_W[hour] * (1 - share) + LOAD_BY_HOUR_W[(hour + 1) % 24] * share


def sunshine_w(local: datetime) -> float:
    """What the panels could give at this local time, in watts: an unclouded day of the northern half of the world."""
    season = math.sin(2 * math.pi * (local.timetuple().tm_yday - 80) / 365)
    half_day_h = 6 + 1.5 * season
    from_noon_h = local.hour + local.minute / 60 + local.second / 3600 - 12.5
    if abs(from_noon_h) >= half_day_h:
        return 0.0
    return SOLAR_PEAK_W * (0.8 + 0.2 * season) * math.cos(math.pi / 2 * from_noon_h / half_day_h)
