"""Does the battery behave as the setpoint says? A judgement of watts, not of words.

A read-back proves what the gateway shows; only the meters show what it does (powerwall2 issues 22 and 26). Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from scheduler.model.reading import Grid, Live, Power
from scheduler.model.setpoint import Mode, Setpoint

NOISE_W = 150.0
"""Less than this is nothing: idle consumption and meter noise."""

IMPORT_W = 300.0
"""Importing more than this while the battery should carry the house is a sign."""

NEAR_PERCENT = 2.0
"""Within this of a limit the battery may taper or rest."""

FULL_PERCENT = 95.0
"""From here on "no charge" is no failure: the battery tapers, and lets a full charge sink a little."""


class Effect(StrEnum):
    """What the meters say of a setpoint."""

    SEEN = "seen"
    CONTRADICTED = "contradicted"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The effect, and the reason in a sentence."""

    effect: Effect
    reason: str


def judge(setpoint: Setpoint, power: Power, live: Live) -> Judgement:
    """What ``power`` and ``live`` say about whether the battery obeys ``setpoint``.

    UNCLEAR wherever a resting battery would look the same: solar carries the house, the battery is full or at its
    reserve, the grid is away, or the mode leaves the choice to Tesla.
    """
    if live.grid is Grid.ISLANDED:
        return Judgement(
            Effect.UNCLEAR, "the house is off the grid, so the battery carries it whatever the mode"
        )
    if setpoint.mode == Mode.BACKUP:
        return _judge_charging(100.0, power, live, hold=True)
    if setpoint.mode != Mode.SELF_CONSUMPTION:
        return Judgement(
            Effect.UNCLEAR, "in this mode the gateway decides by itself when to charge and discharge"
        )
    if setpoint.reserve_percent is None:
        return Judgement(Effect.UNCLEAR, "without a reserve of ours nothing can be expected of the battery")
    if live.charge_percent < setpoint.reserve_percent - NEAR_PERCENT:
        return _judge_charging(setpoint.reserve_percent, power, live, hold=False)
    if live.charge_percent > setpoint.reserve_percent + NEAR_PERCENT:
        return _judge_carrying(power)
    return _judge_resting(power)


def _judge_charging(target_percent: float, power: Power, live: Live, *, hold: bool) -> Judgement:
    """``hold``: a battery that only keeps its charge may obey as well, unless solar power leaves the house."""
    if power.battery_w > NOISE_W:
        return Judgement(
            Effect.CONTRADICTED, f"it discharges {power.battery_w:.0f} W instead of keeping its charge"
        )
    if power.battery_w < -NOISE_W:
        return Judgement(Effect.SEEN, f"it charges {-power.battery_w:.0f} W")
    if live.charge_percent >= min(target_percent - NEAR_PERCENT, FULL_PERCENT):
        return Judgement(Effect.SEEN, f"it rests at {live.charge_percent:.0f} %")
    if hold and power.site_w > -IMPORT_W:
        return Judgement(Effect.UNCLEAR, "it keeps its charge; charging it from the grid may not be allowed")
    return Judgement(Effect.CONTRADICTED, f"it rests at {live.charge_percent:.0f} % instead of charging")


def _judge_carrying(power: Power) -> Judgement:
    if power.battery_w > NOISE_W:
        return Judgement(Effect.SEEN, f"it gives {power.battery_w:.0f} W to the house")
    if power.site_w > IMPORT_W:
        return Judgement(
            Effect.CONTRADICTED, f"{power.site_w:.0f} W come from the grid instead of from the battery"
        )
    return Judgement(Effect.UNCLEAR, "the house needs nothing from the battery now")


def _judge_resting(power: Power) -> Judgement:
    if power.battery_w > IMPORT_W:
        return Judgement(
            Effect.CONTRADICTED, f"it gives {power.battery_w:.0f} W although it is at its reserve"
        )
    return Judgement(
        Effect.UNCLEAR, "the battery is at its reserve, where resting and charging are both right"
    )
