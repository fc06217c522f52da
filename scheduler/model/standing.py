"""Facts about how things stand, beside those of `events`: what lasts, and what is over."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler.model.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBack(Event):
    """Our memory, which failed, can be written again; what was kept in mind meanwhile is written."""

    name = "memory_back"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StillWrong(Event):
    """Something is wrong ``since`` an instant, and nothing has changed about it for an hour: the message says what."""

    name = "still_wrong"
    level = "warning"
    since: datetime
    message: str
