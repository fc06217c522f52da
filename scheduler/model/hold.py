"""A person's hold: a setpoint above the rules that has an end always. A value, its public form, and the facts about it.

How a person says it is `app/holds.py`'s business, and what it does to the plan `control/agenda.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from scheduler.model.events import Event
from scheduler.model.instant import instant_of
from scheduler.model.setpoint import Mode, Setpoint

HOLD = "hold"
"""The name under which a hold appears among the rules of an evidence record."""

LONGEST = timedelta(days=7)
"""No hold lasts longer: one that was forgotten must not rule a house for a season."""

PUT_BACK = timedelta(hours=3)
"""A clock that is put back by so much leaves a hold in force; one that begins further ahead was asked for by a wrong clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """What a person asks for from ``since`` until ``until``, both aware; a field that it leaves alone is the rules'."""

    setpoint: Setpoint
    since: datetime
    until: datetime

    def in_force(self, now: datetime) -> bool:
        """Whether it counts at ``now``, by the clock of the wall alone.

        A clock that is put back a little takes nobody's word away, and lengthens none by more than `PUT_BACK`.
        """
        return self.since <= now + PUT_BACK and now < self.until

    def document(self, zone: tzinfo | None = None) -> dict[str, Any]:
        """The public form, with times in ``zone``; also what is kept in a file."""
        since, until = (at if zone is None else at.astimezone(zone) for at in (self.since, self.until))
        return {
            **self.setpoint.document(),
            "since": since.isoformat(timespec="seconds"),
            "until": until.isoformat(timespec="seconds"),
        }


def hold_of(document: object) -> Hold | None:
    """The hold in a document of this or another run; None if there is none, or nothing that could be one.

    A file may have been edited by hand: what no command would have stored is not carried out.
    """
    if not isinstance(document, dict):
        return None
    mode, reserve = document.get("mode"), document.get("reserve_percent")
    since, until = (instant_of(document.get(name)) for name in ("since", "until"))
    if since is None or until is None or mode is reserve is None:
        return None
    if not timedelta(0) < until - since <= LONGEST:
        return None
    if mode is not None and mode not in list(Mode):
        return None
    if reserve is not None and not _is_percent(reserve):
        return None
    return Hold(setpoint=Setpoint(mode=mode, reserve_percent=reserve), since=since, until=until)


def _is_percent(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 100  # noqa: PLR2004 - percent


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBegan(Event):
    """A person's hold is in force, until ``until`` at the latest."""

    name = "hold_began"
    held: Setpoint
    since: datetime
    until: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldEnded(Event):
    """A person's hold is over, by its own end or by a person's word: the rules speak again."""

    name = "hold_ended"
    held: Setpoint
    until: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignWriter(Event):
    """What is to be enforced was changed by somebody again and again: it is left so for a while. ``times`` counts the last hour."""

    name = "foreign_writer"
    level = "error"
    expected: Setpoint
    found: Setpoint
    times: int
    message: str
