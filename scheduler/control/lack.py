"""What this gateway does not do: noted when a switch meets it, and doubted once an hour where a call is merely missing.

A gateway that starts up answers as one that never had the call: 404. When it is given up is `pacing`'s.
"""

from __future__ import annotations

from scheduler.control.ports import Clock, Gateway
from scheduler.control.session import Session
from scheduler.control.state import State
from scheduler.model.errors import NotCapable, NotOffered, SessionExpired


class Lack:
    """The latch in ``state`` of one gateway."""

    def __init__(self, state: State, gateway: Gateway, session: Session, clock: Clock) -> None:
        self._state = state
        self._gateway = gateway
        self._session = session
        self._clock = clock

    def note(self, error: NotCapable) -> None:
        """Note that the gateway does not do what a switch needs, and log in no more for what is not there."""
        state = self._state
        if state.pacing.latch is not None:
            return
        state.pacing = state.pacing.latched(error, self._clock.monotonic())
        if isinstance(error, NotOffered) and state.pacing.latch is not None:
            self._session.bar(error)

    async def doubt(self) -> None:
        """Ask, without a login, whether what was missing may be there after all; if so it is tried once more.

        NotOffered if it is not. Nothing is done before an hour has gone by since the last time.
        """
        state = self._state
        if not state.pacing.doubtful(self._clock.monotonic()):
            return
        doubted = state.pacing.doubted()
        try:
            await self._gateway.read()
        except NotOffered as error:
            state.pacing = doubted.latched(error, self._clock.monotonic())
            raise
        except SessionExpired:
            pass  # it is there, and wants a login
        state.pacing = doubted
        self._session.forgive()
