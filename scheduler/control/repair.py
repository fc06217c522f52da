"""Puts the battery back into service while the gateway wants silence: the one thing that does not wait for its end."""

from __future__ import annotations

from scheduler.control.pacing import LONGEST_PAUSE_S
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks
from scheduler.control.session import Session


class Repair:
    """What is owed to a battery that a login of ours may have stopped. A start needs no login while there is a session."""

    def __init__(self, gateway: Gateway, session: Session, clock: Clock, marks: Marks) -> None:
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._marks = marks
        self._due_s = 0.0

    async def attend(self) -> None:
        """Start it if it may stand still, at most once a minute; what goes wrong is tried again a minute later."""
        now_s = self._clock.monotonic()
        if MAY_HAVE_STOPPED in self._marks and self._gateway.has_session and now_s >= self._due_s:
            self._due_s = now_s + LONGEST_PAUSE_S
            await self._session.release()
