"""The steps of one moment at the gateway: rehearse, ask, poll, install, wait for its return. One step a call.

Each step that cannot be told apart afterwards is noted before it is taken, so that a run that is killed in it is taken up by
the next one. Whether an install may begin is `install`'s; when a moment is due, and that it ends in time, is `errands`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from scheduler.control.firmware import POLL_S, Check, Outcome, Phase, at_work, conclude
from scheduler.control.install import Obstacle, Standing, must_be_over, obstacle, obstacle_there, opportunity
from scheduler.control.path import check_path
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks, Tell
from scheduler.control.session import Session
from scheduler.model.errors import NotCapable, NotOffered, Refused, SessionExpired, Transient
from scheduler.model.events import InstallStarted, PathChecked
from scheduler.model.reading import UpdateStatus

RETRY_S = 60.0
"""Pause after a failure, and while an obstacle may go away; a switch is not kept waiting for it."""

BEGINS_WITHIN = timedelta(minutes=2)
"""So long a gateway may answer as before after it was told to install, and nothing is asked of its updater."""

TRIES = 2
"""So often a gateway is told to install in one moment: the first time may have got lost, or found a session that was over."""

Keep = Callable[[Check], None]
"""Notes where the moment stands, durably before it returns."""


class Upkeep:
    """Takes the next step of a check; errors of the gateway that may go away pass through."""

    def __init__(
        self, gateway: Gateway, session: Session, clock: Clock, *, marks: Marks, tell: Tell, keep: Keep
    ) -> None:
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self._keep = keep

    async def step(self, check: Check, standing: Standing) -> Check:
        """The check after one more step, in every phase but `INSTALL` and `RETURN`."""
        if check.phase is Phase.PATH:
            return await self._rehearse(check, standing)
        try:
            if check.phase is Phase.ASK:
                return await self._ask(check)
            return await self._poll(check, standing)
        except NotCapable as error:
            return check.ended(Outcome.NOT_AVAILABLE, str(error))
        except Refused as error:
            return check.ended(Outcome.FAILED, str(error))

    async def _rehearse(self, check: Check, standing: Standing) -> Check:
        only = check.moment.do == "check_path"
        if not only and standing.refusal is not None:
            return self._at(check, Phase.ASK)  # it was told when it was found, and a person knows
        try:
            found, is_open = (
                await check_path(self._gateway, self._session, self._marks, desired=standing.desired),
                True,
            )
        except Refused as error:
            found, is_open = str(error), False
        self._tell(PathChecked(at=self._clock.now(), is_open=is_open, message=found))
        if only:
            return check.ended(Outcome.PATH_OPEN if is_open else Outcome.PATH_SHUT, found)
        return self._at(check, Phase.ASK)

    async def _ask(self, check: Check) -> Check:
        said = await self._session.call(self._gateway.update_status)
        if not said.staged:  # asking anew might take a staged one away
            with suppress(NotOffered):  # then it looks by itself, and what it found can be read
                await self._session.call(self._gateway.check_for_update)
        return self._at(replace(check, asked_at=self._clock.now(), said_before=said), Phase.POLL, POLL_S)

    async def _poll(self, check: Check, standing: Standing) -> Check:
        status = await self._session.call(self._gateway.update_status)
        now = self._clock.now()
        if at_work(status, before=check.said_before, asked=now - (check.asked_at or check.moment.at)):
            return self._later(check, POLL_S)
        outcome, message = conclude(status)
        if outcome is not Outcome.UPDATE_WAITING:
            return check.ended(outcome, message)
        if not check.moment.install:
            return check.ended(outcome, f"{message}; {opportunity(now, standing)}, with install: true")
        found = await self._obstacle(check, standing)
        if found is None:
            return await self._install(check, standing)
        waits = check.waits or f"{message}, and was not installed: {found.reason}"
        if found.lasting:
            return check.ended(outcome, f"{waits}; {opportunity(now, standing)}")
        return replace(self._later(check, RETRY_S), waits=waits)

    async def _obstacle(self, check: Check, standing: Standing) -> Obstacle | None:
        """Why an install may not begin now, after all that can be asked was asked."""
        found = obstacle(self._clock.now(), check.deadline, standing)
        if found is not None:
            return found
        await self._session.identify()
        actual = await self._session.call(self._gateway.read)
        await self._session.ensure_running()  # a login for this may have stopped it
        if await self._session.stands_still():
            return Obstacle("the battery is stopped, and not by us", lasting=False)
        live = await self._session.observe(self._gateway.live)
        # What was asked took its time.
        return obstacle(self._clock.now(), check.deadline, standing) or obstacle_there(
            standing, actual, live.grid
        )

    async def _install(self, check: Check, standing: Standing) -> Check:
        """Tell the gateway to install: noted first, since nobody can tell afterwards whether an answer was lost.

        Without a login of its own, which would take time that the install was not given.
        """
        if check.tries >= TRIES:
            remedy = "see in the gateway's own page; it is tried again at the next moment"
            said = f"the gateway was told {TRIES} times to install its update, and did not begin"
            return check.ended(Outcome.FAILED, f"{said}; {remedy}")
        check = replace(check, tries=check.tries + 1)
        before, now = self._session.identity, self._clock.now()
        over, _ = must_be_over(now, check.deadline, standing)
        told = self._at(replace(check, since=now, until=over, before=before), Phase.INSTALL, POLL_S)
        owed = MAY_HAVE_STOPPED in self._marks
        self._marks.note(MAY_HAVE_STOPPED)
        self._tell_install(told)
        try:
            await self._gateway.install_update()
        except (SessionExpired, Refused) as error:
            if not owed:  # it did not take it, so nothing is stopped by it
                self._marks.clear(MAY_HAVE_STOPPED)
            if isinstance(error, Refused):
                raise
            return self._at(replace(check, since=None, until=None, before=None), Phase.POLL, POLL_S)
        except Transient:
            return told  # whether it took it is seen by what it does
        told = replace(told, accepted=True)
        self._keep(told)
        return told

    def _tell_install(self, told: Check) -> None:
        firmware = "" if told.before is None else told.before.firmware
        self._tell(
            InstallStarted(
                at=self._clock.now(),
                rule=told.moment.rule,
                before=firmware,
                done_by=told.ends,
                message=f"the gateway is told to install its update (it runs {firmware})",
            )
        )

    async def await_return(self, check: Check) -> Check:
        """Look whether a gateway that was told to install is back as another one. That it is gone is no failure."""
        identity = await self._session.identify()
        if identity != check.before:
            return self._at(check, Phase.RETURN)
        now = self._clock.now()
        if check.since is None or now - check.since < BEGINS_WITHIN:
            return self._later(check, POLL_S)
        status = await self._updater()
        if status.failed:
            said = f"{status.state} {', '.join(status.status)}".strip()
            remedy = "see in the gateway's own page; it is tried again at the next moment"
            return check.ended(Outcome.FAILED, f"the gateway could not install the update ({said}); {remedy}")
        if status.staged and not check.accepted:
            # Nobody knows whether it was told. It is looked at anew, with the whole time that an install is given.
            return self._at(replace(check, since=None, until=None, before=None), Phase.POLL)
        return self._later(check, RETRY_S)

    async def _updater(self) -> UpdateStatus:
        """What the updater of a gateway says that may be about to go away: the battery is seen to, and stays noted."""
        status = await self._session.call(self._gateway.update_status)
        await self._session.release()
        self._marks.note(MAY_HAVE_STOPPED)
        return status

    def _at(self, check: Check, phase: Phase, after_s: float = 0.0) -> Check:
        """The check in another phase, which is noted before anything is done in it."""
        moved = self._later(replace(check, phase=phase), after_s)
        self._keep(moved)
        return moved

    def _later(self, check: Check, after_s: float) -> Check:
        return replace(check, look_s=self._clock.monotonic() + after_s)
