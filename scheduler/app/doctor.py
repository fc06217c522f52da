"""The walk of `doctor`: from the gateway's name to its operation mode, each step with what to do if it fails.

Looks and never writes: no request but readings and one login. A login that stops the battery is undone by `visit`, and
none is made that could disturb a daemon, or while the gateway installs its firmware. How findings are shown is the command's business.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from scheduler.app.allowance import INSTALLER_ROLE, allowance, role_in_words
from scheduler.app.approach import Approach
from scheduler.app.doubt import MayRestart
from scheduler.app.findings import (
    PASSWORD_PLACES,
    Finding,
    Outcome,
    Report,
    Said,
    failed,
    not_tried,
    passed,
    to_remember,
)
from scheduler.app.installing import install_under_way
from scheduler.app.once import policy_of
from scheduler.app.visit import Doubt, Interrupted, Visit, visit
from scheduler.config.configuration import Configuration, GatewaySettings, Secret
from scheduler.control.agenda import agenda
from scheduler.control.calloff import ended
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.daemon.clock import SystemClock
from scheduler.daemon.timesync import synchronised
from scheduler.gateway.habits import habits_of
from scheduler.model.errors import (
    GatewayError,
    NotCapable,
    Refused,
    SessionExpired,
    Standstill,
    StoreError,
    Transient,
)

_BY_HAND = "start it in the gateway's own page, or, while no daemon runs, with `tou-scheduler sitemaster run`"
_AGAIN = "run this again in a minute; if it stays so, restart the gateway"


async def examine(
    configuration: Configuration,
    directory: Path,
    *,
    tell: Callable[[Finding], None],
    stop: asyncio.Event,
    vouched: Callable[[], bool | None] = synchronised,
) -> list[Finding]:
    """Take all steps, telling each finding as it comes; all of them in the end.

    ``vouched`` says whether the system vouches for its clock, None if it cannot tell. Interrupted once ``stop`` is set;
    StoreError or SimulatorError if a simulated gateway cannot be started.
    """
    clock, wait_s = SystemClock(), configuration.trust_after_s
    async with AsyncExitStack() as stack:
        if configuration.gateway.type == "simulated":
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tou-scheduler-doctor-")))
            there = await stack.enter_async_context(_simulated(configuration, folder / "gateway"))
            configuration, directory = replace(configuration, gateway=there), folder / "memory"
        install = install_under_way(configuration, directory, clock.now())
        report = Report(tell, username=configuration.gateway.username, install=install)
        approach = Approach(configuration.gateway, report, now=clock.now, vouched=vouched, wait_s=wait_s)
        await _unless(stop, approach.walk())
        report.answered(None if approach.greeting is None else approach.greeting.identity)
        await _Inside(configuration, approach, report).walk(directory, stop)
    return report.findings


@asynccontextmanager
async def _simulated(configuration: Configuration, directory: Path) -> AsyncIterator[GatewaySettings]:
    """A simulated gateway on a port of its own, and the settings that lead to it: it is met like a real one."""
    from scheduler.simulator.device import SimulatedGateway
    from scheduler.simulator.personality import personality
    from scheduler.simulator.server import serving

    settings = configuration.gateway
    device = SimulatedGateway(
        now=SystemClock().now,
        personality=personality(settings.firmware),
        zone=configuration.schedule.zone,
    )
    installer = settings.username == "installer"
    sessions = device.sessions
    password = sessions.installer_password if installer else sessions.customer_password
    async with AsyncExitStack() as stack:
        try:
            served = await stack.enter_async_context(serving(device, directory=directory))
        except OSError as error:
            raise StoreError(f"the simulated gateway cannot be kept: {error.strerror or error}") from error
        yield replace(
            settings,
            type="local",
            host=served.host,
            port=served.port,
            server_name="powerwall",
            certificate=served.certificate,
            password=Secret(password),
        )


async def _unless(stop: asyncio.Event, work: Awaitable[None]) -> None:
    """Have the work done, or Interrupted at once: before the gateway was asked for anything, nothing is owed to it."""
    working = await ended(work, stop)
    if working.cancelled():
        raise Interrupted(None, logins=0, restarted=False)
    working.result()


class _Inside:
    """The steps at a gateway that was recognised: login, role, firmware, what they allow, sitemaster, operation."""

    def __init__(self, configuration: Configuration, approach: Approach, report: Report) -> None:
        self._configuration = configuration
        self._settings = configuration.gateway
        self._approach = approach
        self._report = report
        self._owed = False

    async def walk(self, directory: Path, stop: asyncio.Event) -> None:
        """Take them; ``directory`` keeps the count of logins and what is owed to the battery."""
        if self._approach.greeting is None:
            self._report.add("login", not_tried("nothing is sent to a gateway whose firmware is not known"))
            self._close("the gateway has not told its firmware")
            return
        doubts: list[Doubt] = []
        try:
            await visit(
                self._configuration,
                directory,
                self._look_round,
                stop=stop,
                login=self._report.leave_alone is None,
                doubt=doubts.append,
            )
        except StoreError as error:
            self._report.add("login", failed(str(error), to_remember(error)))
            self._close("nobody is logged in")
        except GatewayError as error:
            if self._report.outcome("login") is None:
                self._report.add("login", self._report.failed_by(error))
                self._close("nobody is logged in")
            else:
                says = f"the battery may stand still after our login: {self._report.failed_by(error).says}"
                self._report.add("leaving", failed(says, _BY_HAND))
        else:
            self._tell_leaving(doubts)

    def _tell_leaving(self, doubts: list[Doubt]) -> None:
        """How the battery was left, where there is more to say than that nothing was changed."""
        if doubts and isinstance(doubts[0], MayRestart):
            self._report.add("leaving", passed(f"the battery runs; {doubts[0]}: a daemon sees to it then"))
        elif doubts:
            says, remedy = f"the battery runs, but {doubts[0]}", "`tou-scheduler sitemaster run` makes sure"
            self._report.add("leaving", failed(says, remedy))
        elif self._owed:
            self._report.add("leaving", passed("the battery was started once more, and is in service again"))

    def _close(self, reason: str) -> None:
        """The steps after a login where nothing could be asked any more."""
        self._report.add("role", not_tried(reason))
        self._report.add("firmware", self._approach.firmware)
        for step in ("allowed", "sitemaster", "operation"):
            self._report.add(step, not_tried(reason))

    async def _look_round(self, guest: Visit) -> None:
        try:
            with suppress(Transient, SessionExpired, NotCapable):  # the login meets it, too
                await guest.session.identify()
        except Refused as error:  # another gateway, or one that has refused the password too often
            self._report.add("login", self._report.failed_by(error))
            self._close("nothing more is sent until that is mended")
            return
        guest.gateway.exchanges()
        take = self._report.take
        await take("login", lambda: self._login(guest))
        role = _role(guest) if guest.gateway.has_session else not_tried("nobody is logged in")
        self._report.add("role", role)
        self._report.add("firmware", self._approach.firmware)
        self._report.add("allowed", self._allowed(guest))
        await take("sitemaster", lambda: self._sitemaster(guest))
        await take("operation", lambda: self._operation(guest))

    async def _login(self, guest: Visit) -> Said:
        username = self._settings.username
        if self._settings.password is None:
            return failed(f"there is no password for the {username}", f"put it into {PASSWORD_PLACES}")
        if self._report.leave_alone is not None:
            return not_tried("the gateway installs its firmware, and no login is made meanwhile")
        if not guest.may_login:
            return not_tried(
                f"a daemon owns the battery, and a login as {username} would stop it for a moment; "
                "stop the daemon to have it tried"
            )
        try:
            await guest.act(_nothing)
        except Standstill:
            return not_tried(
                f"the battery is stopped, and not by us; a login as {username} stops it, too, "
                "and nobody could tell any more who did"
            )
        try:
            await guest.session.ensure_running()
        except GatewayError as error:
            return failed(f"the login stopped the battery, and it may stand still: {error}", _BY_HAND)
        started = "run_sitemaster" in [step.step for step in guest.gateway.exchanges()]
        who = "that" if self._report.back is None else "that or the install"
        stopped = f"; {who} stopped the battery for a moment, and it runs again" if started else ""
        return passed(f"as {username}{stopped}")

    def _allowed(self, guest: Visit) -> Said:
        greeting = self._approach.greeting
        firmware = "" if greeting is None else greeting.identity.firmware
        shut_out = self._report.outcome("login") is Outcome.FAILED and not guest.gateway.has_session
        if shut_out and habits_of(firmware).takes_installer:
            return not_tried("nobody is logged in, and the role decides it")
        roles = guest.gateway.roles
        return allowance(
            firmware,
            installer=INSTALLER_ROLE in roles if roles else self._settings.username == "installer",
        )

    async def _operation(self, guest: Visit) -> Said:
        try:
            found = await guest.gateway.read()
        except SessionExpired as error:
            return self._untold(error) or not_tried("it is told only to somebody who is logged in")
        now = SystemClock().now()
        segment = agenda(policy_of(self._configuration), now).coarse.at(now)
        otherwise = segment.otherwise()
        other = "" if otherwise is None else f", or where its `if` is false for {otherwise.spoken().setpoint}"
        return passed(f"the gateway has {found}; the plan asks for {segment.spoken().setpoint} now{other}")

    async def _sitemaster(self, guest: Visit) -> Said:
        try:
            running = await guest.gateway.is_running()
        except SessionExpired as error:
            return self._untold(error) or not_tried(
                "this firmware tells it only to somebody who is logged in"
            )
        self._owed = not running and MAY_HAVE_STOPPED in guest.marks
        if running:
            return passed("the battery is in service")
        if self._report.leave_alone is not None:
            return failed("the battery is out of service, as it is in an install", self._report.leave_alone)
        return _out_of_service(guest, self._report.back)

    def _untold(self, error: SessionExpired) -> Said | None:
        """What is amiss where a gateway that let us in does not answer all the same; None if it never did."""
        if self._report.outcome("login") is not Outcome.PASSED:
            return None
        return failed(f"the login was accepted, and yet {error}", _AGAIN)


def _out_of_service(guest: Visit, back: str | None) -> Said:
    if MAY_HAVE_STOPPED in guest.marks:
        by, first = ("our login", "") if back is None else ("the install", f"{back}; start the daemon, or ")
        return failed(
            f"the battery is out of service: {by} stopped it, and it has not started again yet",
            f"{first}run `tou-scheduler sitemaster run`",
        )
    if not guest.alone:
        return failed(
            "the battery is out of service; the daemon's login may have stopped it a moment ago",
            f"run this again in a minute; if it stays so, somebody else stopped it: {_BY_HAND}",
        )
    return failed(
        "the battery is out of service, and not by us: somebody may be working on it",
        f"when the work is done, {_BY_HAND}",
    )


def _role(guest: Visit) -> Said:
    roles = guest.gateway.roles
    return passed(role_in_words(roles) if roles else "the gateway named none")


async def _nothing() -> None:
    """What is asked when only the login is wanted."""
