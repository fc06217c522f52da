"""The rules as values, as the compiler takes them: windows with a setpoint, moments with a thing to do.

Spellings of the file (``5m``, ``45m before x ends``) are gone by here; see `config/load.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from scheduler.model.setpoint import Setpoint
from scheduler.model.timeline import Condition, DriftPolicy
from scheduler.plan.calendar import EVERY_DAY, DayFilter, Hours
from scheduler.plan.tariff import Tariff

ZERO = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The selectors of a rule, ANDed; None means any.

    A day selector judges the day on which the rule's ``hours`` started, or the calendar day where it has
    none.
    """

    during: frozenset[str] | None = None
    hours: tuple[Hours, ...] | None = None
    on: DayFilter = EVERY_DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A rule that asks for a setpoint while its selectors hold, begun ``early`` and ended ``late``.

    ``early`` and ``late`` are elapsed time, so they are the same length on a day when the clocks change.
    """

    name: str
    line: int
    setpoint: Setpoint
    when: When = When()
    early: timedelta = ZERO
    late: timedelta = ZERO
    condition: Condition | None = None
    on_drift: DriftPolicy | None = None
    why: str = ""

    def __post_init__(self) -> None:
        if self.early < ZERO or self.late < ZERO:
            raise ValueError("early and late make a window longer, never shorter")


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time of the local day, in minutes after midnight."""

    minute: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Relative:
    """``offset`` after (before, if negative) each instant at which a tariff period of this name starts or
    ends.

    Elapsed time, as for ``early``. A period name that goes on under another price has not ended.
    """

    offset: timedelta
    period: str
    edge: Literal["starts", "ends"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentRule:
    """A rule that does something at each instant that ``at`` names, where its selectors hold.

    ``done_by`` is the first such instant after the moment, at most 48 h after it: one further away belongs to
    another moment, and this one has none.
    """

    name: str
    line: int
    at: ClockTime | Relative
    do: Literal["check_firmware", "check_path"]
    when: When = When()
    install: bool = False
    done_by: ClockTime | Relative | None = None
    condition: Condition | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """All that the compiler needs: zone, tariff, rules in order of the file, and what holds where no rule
    speaks.

    ``default_origin`` names what gave the default where that is not line ``default_line``: an environment
    variable.
    """

    zone: ZoneInfo
    tariff: Tariff
    rules: tuple[Window | MomentRule, ...]
    default: Setpoint
    default_line: int
    default_origin: str | None = None
