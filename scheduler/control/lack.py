"""What this gateway does not do: noted when a switch meets it, and doubted once an hour.

A gateway that starts up answers as one that never had the call: 404. One that forgot a session, or whose rules changed for
a while, answers as one that never let this role write: 403. When something is given up is `pacing`'s.
"""

from __future__ import annotations

from scheduler.control.ports import Clock, Gateway
from scheduler.control.session import Session
from scheduler.control.state import State
from scheduler.control.switch import Came
from scheduler.model.errors import IdentityChanged, NotCapable, NotLetIn, NotOffered, SessionExpired


class Lack:
    """The latch in ``state`` of one gateway."""

    def __init__(self, state: State, gateway: Gateway, session: Session, clock: Clock) -> None:
        self._state = state
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._wrote_on: str | None = None

    @property
    def _firmware(self) -> str | None:
        return None if self._session.identity is None else self._session.identity.firmware

    def learn(self, came: Came) -> None:
        """Note what a switch showed. A refusal after a write that was taken is no lack of this firmware or this role."""
        if came.wrote:
            self._wrote_on = self._firmware
        if isinstance(came.error, NotCapable):
            self.note(came.error)

    def note(self, error: NotCapable) -> None:
        """Note that the gateway does not do what a switch needs, and log in no more for what is not there."""
        state = self._state
        if state.pacing.latch is not None:
            return
        did_before = self._wrote_on is not None and self._wrote_on == self._firmware
        state.pacing = state.pacing.latched(error, self._clock.monotonic(), did_before=did_before)
        if isinstance(error, NotOffered) and state.pacing.latch is not None:
            self._session.bar(error)

    async def doubt(self) -> None:
        """Ask, without a login, whether what was refused may be there after all; if so it is tried once more.

        NotCapable if it is not. Nothing is done before an hour has gone by since the last time, nor without a session for
        what a session was refused: none is made for it. A login itself that was refused without a reason is tried once more.
        """
        state, latch = self._state, self._state.pacing.latch
        if not state.pacing.doubtful(self._clock.monotonic()):
            return
        missing = isinstance(latch, NotOffered)
        doubted = state.pacing.doubted()
        if not missing and not self._gateway.has_session:
            # One login an hour is worth a switch that would be missed for ever.
            if isinstance(latch, NotLetIn):
                state.pacing = doubted
            return
        try:
            await self._gateway.read()
        except IdentityChanged:
            return  # a look finds out when the known gateway is back
        except NotCapable as error:
            state.pacing = doubted.latched(error, self._clock.monotonic())
            raise
        except SessionExpired:
            if not missing:
                return
            # it is there, and wants a login
        state.pacing = doubted
        self._session.forgive()
