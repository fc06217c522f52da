"""Facts about a process that ends itself because something in it went wrong, to be started anew."""

from __future__ import annotations

from dataclasses import dataclass

from scheduler.model.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed(Event):
    """A bug of ours: a cycle, or what goes on beside the cycles, died by it. The message says of which kind, and where."""

    name = "failed"
    level = "error"
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Hung(Event):
    """No cycle was completed for too long; the message says where it hung."""

    name = "hung"
    level = "error"
    message: str
