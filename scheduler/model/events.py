"""Facts about the running daemon: one small vocabulary that log, journal and status listen to.

Frozen values only; who listens is none of their business. ``name`` is stable: people filter logs by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Literal

from scheduler.model.evidence import SwitchRecord
from scheduler.model.reading import Grid
from scheduler.model.setpoint import Setpoint

Level = Literal["info", "warning", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened ``at`` an instant."""

    name: ClassVar[str]
    level: ClassVar[Level] = "info"
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Started(Event):
    """The daemon begins; the message says with what."""

    name = "started"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped(Event):
    """The daemon ends because it was told to."""

    name = "stopped"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Switched(Event):
    """A switch came to a verdict."""

    name = "switch"
    record: SwitchRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectJudged(Event):
    """The meters were looked at: the record's verdict was raised or lowered."""

    name = "effect"
    record: SwitchRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Drifted(Event):
    """What we verified was changed by somebody else. ``policy`` says what we do about it."""

    name = "drift"
    level = "warning"
    expected: Setpoint
    found: Setpoint
    policy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentStarted(Event):
    """A moment came due and is being done."""

    name = "moment_started"
    do: str
    rule: str
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class MomentEnded(Event):
    """A moment is over. ``outcome`` is a word of `control/firmware.py`, ``message`` a sentence.

    ``alert``: a person should act, and the message says how.
    """

    name = "moment_ended"
    do: str
    rule: str
    due: datetime
    outcome: str
    alert: bool = False
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PathChecked(Event):
    """The way to a switch was tried before it is needed; ``is_open`` tells whether a switch would come through."""

    name = "path"
    is_open: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallStarted(Event):
    """The gateway is told to install what it has staged. It is expected back by ``done_by``."""

    name = "install_started"
    rule: str
    before: str
    done_by: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirmwareChanged(Event):
    """Another version, or the same one started anew, answers than the last time.

    ``by_us``: we told it to install. ``took_s``: seconds from that, or from its last answer, to the first one of the new
    start; None if nobody watched meanwhile.
    """

    name = "firmware"
    level = "warning"
    before: str
    after: str
    by_us: bool = False
    took_s: float | None = None
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoodStill(Event):
    """The battery was out of service around a restart of the gateway, from ``since`` at the earliest until ``until``.

    ``at_least_s`` and ``at_most_s`` bound how long, in seconds. ``boundary`` is the first change of the setpoint that this
    hit, None if it hit none. ``lost_wh`` is what the battery would have given the house meanwhile, by its watts before and
    after, and ``cost`` what that came to at the tariff's prices; both are upper bounds, None if nobody saw the watts or the
    tariff has no prices.
    """

    name = "stood_still"
    level = "warning"
    since: datetime
    until: datetime
    at_least_s: float
    at_most_s: float
    boundary: datetime | None
    lost_wh: float | None
    cost: float | None
    currency: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayLost(Event):
    """The gateway no longer answers as it should; said once until it does."""

    name = "gateway_lost"
    level = "warning"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayBack(Event):
    """The gateway answers again."""

    name = "gateway_back"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridChanged(Event):
    """The house was cut off from the grid, or connected to it again."""

    name = "grid"
    level = "warning"
    before: Grid
    after: Grid
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFault(Event):
    """An alert of the grid came or went, under the gateway's own word. ``state`` is what it is from now on."""

    name = "grid_fault"
    level = "warning"
    alert: str
    state: Literal["on", "off"]
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonNeeded(Event):
    """The gateway refuses something until a person acts; the message says what to do."""

    name = "person_needed"
    level = "error"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStopped(Event):
    """The battery stands still and we did not stop it: somebody may be working on it."""

    name = "found_stopped"
    level = "error"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftInstalling(Event):
    """We end while the gateway may restart because we told it to install; ``gone``: it is not back yet."""

    name = "left_installing"
    level = "warning"
    gone: bool
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftStopped(Event):
    """We end, and could not see to it that the battery runs."""

    name = "left_stopped"
    level = "error"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Restarted(Event):
    """The battery stood still because of our login; we started it again."""

    name = "restarted"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChanged(Event):
    """Another configuration is in force."""

    name = "plan"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRejected(Event):
    """The configuration file has problems; the last good plan goes on."""

    name = "plan_rejected"
    level = "error"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPlan(Event):
    """Nothing can be done with the files, and no earlier plan is known: nobody switches until they are mended."""

    name = "no_plan"
    level = "error"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanWarning(Event):
    """The configuration can be used, and something about it is odd."""

    name = "plan_warning"
    level = "warning"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneDiffers(Event):
    """The machine goes by another time zone than the site; the site's counts."""

    name = "zone_differs"
    level = "warning"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryFailed(Event):
    """Our own memory could not be written; switching goes on."""

    name = "memory_failed"
    level = "error"
    message: str
