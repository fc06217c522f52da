"""Puts the battery into service, or takes it out, because a person says so; proved by reading back.

What is owed to the battery (`MAY_HAVE_STOPPED`) is seen to here as well: a stop that a person asked for is never noted as one
of ours, or the next start of the daemon would undo it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scheduler.app.visit import Doubt, Visit, visit
from scheduler.config.configuration import Configuration
from scheduler.control.doubt import STOPS_S
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock
from scheduler.daemon.clock import SystemClock
from scheduler.model.errors import NotCapable, Refused, SessionExpired, Throttled, Unsteady

READ_BACK_S = 30.0
"""How long the gateway may take to do as it was told; a 21.x gateway took 2 s either way."""

POLL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Whether the battery was in service before and is now, and whether that is what was asked for."""

    before: bool
    after: bool
    as_asked: bool


async def set_service(
    configuration: Configuration,
    directory: Path,
    *,
    wanted: bool | None,
    stop: asyncio.Event,
    doubt: Callable[[Doubt], None],
) -> Outcome:
    """Have the battery in service if ``wanted``, out of service if not, or only look if that is None.

    ``doubt`` as in `visit`. Interrupted if ``stop`` is set, once the battery has been seen to; GatewayError and StoreError
    otherwise, among them Installing where it is not only looked at while the gateway is at an install.
    """

    async def work(guest: Visit) -> Outcome:
        if wanted is not None:
            guest.refuse_install()
        with suppress(NotCapable, SessionExpired):  # then the worst is assumed of a login
            await guest.session.identify()
        service = Service(guest, SystemClock())
        before = await service.is_running(repair=wanted is True)
        # A battery that runs, and that a login of ours may yet stop, is started all the same by who wants it to run. Against
        # a restart that may come that would not help.
        unsure = wanted is True and MAY_HAVE_STOPPED in guest.marks and guest.to_come is None
        if wanted is None or (wanted is before and not unsure):
            return Outcome(before=before, after=before, as_asked=True)
        as_asked = await (service.put_in() if wanted else service.take_out())
        return Outcome(before=before, after=wanted if as_asked else not wanted, as_asked=as_asked)

    return await visit(configuration, directory, work, stop=stop, doubt=doubt)


class Service:
    """Whether the battery is in service, on one visit to its gateway."""

    def __init__(self, guest: Visit, clock: Clock) -> None:
        self._guest = guest
        self._clock = clock

    async def is_running(self, *, repair: bool = False) -> bool:
        """Whether it is in service; read without a login where that is possible, ``repair`` as in `Visit.observe`."""
        return await self._guest.observe(self._guest.gateway.is_running, repair=repair)

    async def put_in(self) -> bool:
        """Put it into service; whether it reads back so.

        It is noted first that the battery is to run: whatever happens then, this visit or the next start sees to it. A
        login that was refused has stopped nothing, and leaves no such note. While the gateway may restart by our doing the note
        stays.
        """
        guest = self._guest
        owed = MAY_HAVE_STOPPED in guest.marks
        guest.marks.note(MAY_HAVE_STOPPED)
        try:
            await guest.act(guest.gateway.start, repair=True)
        except (Refused, Throttled, Unsteady):
            if not owed and not guest.gateway.has_session:
                guest.marks.clear(MAY_HAVE_STOPPED)
            raise
        runs = await self._reads_back(running=True) and await self._goes_on_running()
        if guest.to_come is None and (runs or not (owed or guest.gateway.login_may_stop)):
            guest.marks.clear(MAY_HAVE_STOPPED)
        return runs

    async def _goes_on_running(self) -> bool:
        """Whether it runs, once the stop of our own login, which may come later than its answer, would have come."""
        guest = self._guest
        if guest.session.logins:
            await self._clock.sleep(min(guest.session.doubt.left_s, STOPS_S))
            if not await guest.act(guest.gateway.is_running, repair=True):
                await guest.act(guest.gateway.start, repair=True)
                return await self._reads_back(running=True)
        return True

    async def take_out(self) -> bool:
        """Take it out of service; whether it reads back so.

        Until it does, a login of ours that stopped it stays noted: after a crash it is started again, and the person, who
        was not told that it is out, says it once more. Then the note is cleared, so that nobody starts it. Throttled where the
        login budget, or a gateway that wants silence, would leave no login to start it again.
        """
        guest = self._guest
        wait_s = guest.gateway.undo_wait_s
        if wait_s > 0:
            raise Throttled(
                f"a battery that is stopped now could not be started again for {math.ceil(wait_s)} s, "
                "because too many logins were made lately; stop it after that",
                silence_s=wait_s,
            )
        await guest.act(guest.gateway.stop)
        if not await self._reads_back(running=False):
            return False
        guest.marks.clear(MAY_HAVE_STOPPED)
        return True

    async def _reads_back(self, *, running: bool) -> bool:
        gateway = self._guest.gateway
        deadline_s = self._clock.monotonic() + READ_BACK_S
        while await self._guest.act(gateway.is_running, repair=running) is not running:
            if self._clock.monotonic() >= deadline_s:
                return False
            await self._clock.sleep(POLL_S)
        return True
