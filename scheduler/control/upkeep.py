"""The steps of one moment at the gateway: rehearse, ask, poll, install, wait for its return. One step a call.

Each step that cannot be told apart afterwards is noted before it is taken, so that a run that is killed in it is taken up by
the next one. Whether an install may begin is `install`'s; when a moment is due, and that it ends in time, is `errands`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from scheduler.control.diary import Diary
from scheduler.control.firmware import POLL_S, Check, Outcome, Phase, at_work, conclude
from scheduler.control.install import Obstacle, Standing, must_be_over, obstacle, obstacle_there, opportunity
from scheduler.control.path import check_path
from scheduler.control.ports import MAY_HAVE_STOPPED, Clock, Gateway, Marks, Tell
from scheduler.control.session import Session
from scheduler.control.told import Told
from scheduler.model.errors import NotCapable, NotOffered, Refused, SessionExpired, Throttled, Transient
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
        self,
        gateway: Gateway,
        session: Session,
        clock: Clock,
        *,
        marks: Marks,
        tell: Tell,
        keep: Keep,
        told: Told,
        diary: Diary,
    ) -> None:
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._marks = marks
        self._tell = tell
        self._keep = keep
        self._told = told
        self._diary = diary

    async def step(self, check: Check, standing: Standing) -> Check:
        """The check after one more step, in every phase but `INSTALL`."""
        if check.phase is Phase.PATH:
            return await self._rehearse(check, standing)
        if check.phase is Phase.RETURN:
            return await self._rehearse_again(check, standing)
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
        found, is_open = await self._try_path(standing)
        if only:
            return check.ended(Outcome.PATH_OPEN if is_open else Outcome.PATH_SHUT, found)
        return self._at(check, Phase.ASK)

    async def _rehearse_again(self, check: Check, standing: Standing) -> Check:
        """Try the way to a switch on a gateway that is back, once the setpoint reads back: its firmware may be another."""
        if not standing.proven or check.rehearsed:
            return check
        found, is_open = await self._try_path(standing)
        if is_open:
            return replace(check, rehearsed=True)
        return check.ended(
            Outcome.INSTALLED_SHUT, f"the gateway is back, and a switch would not come through: {found}"
        )

    async def _try_path(self, standing: Standing) -> tuple[str, bool]:
        try:
            found = await check_path(self._gateway, self._session, self._marks, desired=standing.desired)
            is_open = True
        except Refused as error:
            found, is_open = str(error), False
        self._tell(PathChecked(at=self._clock.now(), is_open=is_open, message=found))
        return found, is_open

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
            return await self._install_or_wait(check, standing, message)
        waits = check.waits or f"{message}, and was not installed: {found.reason}"
        if found.lasting:
            return check.ended(outcome, f"{waits}; {opportunity(now, standing)}")
        return replace(self._later(check, RETRY_S), waits=waits)

    async def _obstacle(self, check: Check, standing: Standing) -> Obstacle | None:
        """Why an install may not begin now, after all that can be asked was asked."""
        found = obstacle(self._clock.now(), check.deadline, standing)
        if found is not None:
            return found
        if not (self._marks.kept and self._diary.kept):
            return Obstacle(
                "our memory cannot be read or written, and an install must not be forgotten", lasting=False
            )
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

    async def _install_or_wait(self, check: Check, standing: Standing, message: str) -> Check:
        """`_install`; where the gateway does not take it, the update waits, and that is told."""
        try:
            return await self._install(check, standing)
        except NotOffered as error:  # it may be busy, or starting up
            waits = f"{message}, and was not installed: {error}"
            return replace(self._at(_untold(check), Phase.POLL, RETRY_S), tries=check.tries + 1, waits=waits)
        except Refused as error:
            waits = f"{message}, and was not installed: {error}"
            return check.ended(Outcome.UPDATE_WAITING, waits, alert=True)

    async def _install(self, check: Check, standing: Standing) -> Check:
        """Tell the gateway to install: noted first, since nobody can tell afterwards whether an answer was lost.

        Without a login of its own, which would take time that the install was not given.
        """
        if check.tries >= TRIES:
            remedy = "see in the gateway's own page; it is tried again at the next moment"
            said = f"the gateway was told {TRIES} times to install its update, and did not begin"
            return check.ended(Outcome.FAILED, f"{said}; {remedy}")
        before, now = self._session.identity, self._clock.now()
        over = min(must_be_over(now, check.deadline, standing)[0], now + standing.budget)
        tried = replace(check, tries=check.tries + 1)
        told = self._at(replace(tried, since=now, until=over, before=before), Phase.INSTALL, POLL_S)
        owed = MAY_HAVE_STOPPED in self._marks
        self._marks.note(MAY_HAVE_STOPPED)
        self._told.note(now, over)
        if not (self._marks.kept and self._diary.kept):
            waits = "an update is ready to be installed, and was not: our memory cannot be read or written"
            return replace(self._untaken(check, RETRY_S, owed=owed), waits=waits)
        self._tell_install(told)
        try:
            await self._gateway.install_update()
        except (SessionExpired, Refused, Throttled) as error:
            moved = self._untaken(tried, POLL_S, owed=owed)
            if isinstance(error, SessionExpired) or (moved.since is not None and isinstance(error, Refused)):
                return moved
            raise
        except Transient:
            self._session.doubt.brace(self._told.left_s)
            return told  # whether it took it is seen by what it does
        self._session.doubt.brace(self._told.left_s)
        told = replace(told, accepted=True)
        self._keep(told)
        return told

    def _untaken(self, check: Check, after_s: float, *, owed: bool) -> Check:
        """It was not told, or did not take it: nothing is stopped by it, unless an earlier word of ours was taken."""
        if check.since is not None:
            self._told.note(check.since, check.ends)
            return self._at(check, Phase.INSTALL, after_s)
        self._told.forget()
        if not owed:
            self._marks.clear(MAY_HAVE_STOPPED)
        return self._at(_untold(check), Phase.POLL, after_s)

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

    async def await_return(self, check: Check, standing: Standing) -> Check:
        """Look whether a gateway that was told to install is back as another one. That it is gone is no failure."""
        identity = await self._session.identify()
        if identity != check.before:
            return self._at(replace(check, returned_at=self._clock.now()), Phase.RETURN)
        now = self._clock.now()
        if check.since is None or now - check.since < BEGINS_WITHIN:
            return self._later(check, POLL_S)
        status = await self._updater()
        if status.failed:
            self._told.forget()
            self._session.doubt.calm()
            said = f"{status.state} {', '.join(status.status)}".strip()
            remedy = "see in the gateway's own page; it is tried again at the next moment"
            return check.ended(Outcome.FAILED, f"the gateway could not install the update ({said}); {remedy}")
        # Nobody knows whether it was told: if there is the whole time for it yet, it is told once more.
        unknown = status.staged and not check.accepted and check.tries < TRIES
        if unknown and await self._obstacle(check, replace(standing, proven=True)) is None:
            return await self._install(check, standing)
        return self._later(check, RETRY_S)

    async def _updater(self) -> UpdateStatus:
        """What the updater of a gateway says that may be about to go away: started is only what a login of ours stopped."""
        logins = self._session.logins
        status = await self._session.call(self._gateway.update_status)
        if self._session.logins > logins:
            await self._session.release()
        return status

    def _at(self, check: Check, phase: Phase, after_s: float = 0.0) -> Check:
        """The check in another phase, which is noted before anything is done in it."""
        moved = self._later(replace(check, phase=phase), after_s)
        self._keep(moved)
        return moved

    def _later(self, check: Check, after_s: float) -> Check:
        return replace(check, look_s=self._clock.monotonic() + after_s)


def _untold(check: Check) -> Check:
    return replace(check, since=None, until=None, before=None)
