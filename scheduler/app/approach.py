"""The first steps of `doctor`: name, port, TLS, certificate, clock, and the one answer that the gateway gives to everybody.

Nothing but a handshake is sent until the certificate has been recognised, and no login is made here at all.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime

from scheduler.app.findings import Report, Said, failed, not_tried, passed, since_ms
from scheduler.app.plug import endpoint_of
from scheduler.config.configuration import GatewaySettings
from scheduler.control.trust import AGREES_S, apart
from scheduler.gateway import reach
from scheduler.gateway.pin import address, fingerprint_of, read_fingerprint
from scheduler.model.clock import RELEASED
from scheduler.model.errors import GatewayError

SAME_S = 3.0
"""An answer's date is in whole seconds, and servers keep it for a moment: closer than this nothing can be told."""

_HAVE_IT_SET = (
    "have it synchronised: `timedatectl set-ntp true`; `timedatectl`, or with chrony `chronyc tracking`, "
    "shows whether it is"
)


class Approach:
    """The way to the gateway of these settings, and what each step has found for those after it.

    ``vouched`` says whether the system vouches for its clock, None if it cannot tell; ``wait_s`` is after how many seconds
    the file trusts it all the same, None if it does not. After the walk ``greeting`` is what
    the gateway said of itself, None if it did not, and ``firmware`` is the finding to be told of that in its place.
    """

    def __init__(
        self,
        settings: GatewaySettings,
        report: Report,
        *,
        now: Callable[[], datetime],
        vouched: Callable[[], bool | None],
        wait_s: float | None = None,
    ) -> None:
        self.greeting: reach.Greeting | None = None
        self.firmware = not_tried("the gateway was not asked")
        self._settings = settings
        self._report = report
        self._now = now
        self._vouched = vouched
        self._wait_s = wait_s
        self._addresses: tuple[str, ...] = ()
        self._address = ""
        self._certificate = b""

    async def walk(self) -> None:
        """Take the steps, each only if those that it needs went well."""
        take = self._report.take
        named = await take("name", self._name)
        opened = await take("tcp", self._tcp, unless=None if named else "there is no address to go to")
        shown = await take("tls", self._tls, unless=None if opened else "nothing took a connection")
        known = await take(
            "certificate", self._recognise, unless=None if shown else "no certificate was shown"
        )
        if known:
            await self._greet()
        await take("clock", self._clock)

    async def _name(self) -> Said:
        host = self._settings.host
        self._addresses = await reach.resolve(host, self._settings.port)
        if self._addresses == (host,):
            return passed(f"{host} is an address")
        return passed(f"{host} is {', '.join(self._addresses)}")

    async def _tcp(self) -> Said:
        self._address = await reach.open_port(self._addresses, self._settings.port)
        return passed(f"{address(self._address, self._settings.port)} takes connections")

    async def _tls(self) -> Said:
        name = self._settings.server_name or None
        shown = await reach.shake_hands(self._address, self._settings.port, name)
        self._certificate = shown.certificate
        return passed(f"{shown.protocol}, asked for {f'the name {name}' if name else 'no name'}")

    async def _recognise(self) -> Said:
        file = self._settings.certificate
        if not file.exists():
            return failed(
                f"none is trusted yet: {file} does not exist; nothing was sent",
                "run `tou-scheduler trust` at home, on a network that you trust",
            )
        if read_fingerprint(file) != fingerprint_of(self._certificate):
            return failed(
                "another one than the one that was trusted; nothing was sent",
                "`tou-scheduler trust --show` shows it; if the gateway was replaced or reset, "
                "run `tou-scheduler trust --replace`",
            )
        return passed(f"the one that was trusted, as saved in {file.name}")

    async def _greet(self) -> None:
        began_s = time.perf_counter()
        try:
            self.greeting = await reach.greet(endpoint_of(self._settings))
        except GatewayError as error:
            self.firmware = self._report.failed_by(error, ms=since_ms(began_s))
            return
        identity = self.greeting.identity
        since = f", running since {identity.start_time}" if identity.start_time else ""
        self.firmware = passed(f"{identity.firmware}{since}", ms=since_ms(began_s))

    async def _clock(self) -> Said:
        gateways, now = None if self.greeting is None else self.greeting.clock, self._now()
        if now < RELEASED:
            return failed(
                f"it shows {now:%Y-%m-%d}, which cannot be; nothing is switched by it", _HAVE_IT_SET
            )
        off_s = None if gateways is None else (now - gateways).total_seconds()
        asked = self.greeting is not None
        return judge_clock(vouched=self._vouched(), off_s=off_s, asked=asked, wait_s=self._wait_s)


def judge_clock(
    *, vouched: bool | None, off_s: float | None, asked: bool = True, wait_s: float | None = None
) -> Said:
    """Whether this machine's clock may be believed, as `control/trust.py` has it. ``off_s``: how far ahead of the gateway's.

    It is None if that is not known. ``asked``: the gateway answered; if it did not, and the system does not vouch for the
    clock, nothing can be said of it. ``wait_s``: after how long the file trusts it all the same, None if it does not.
    """
    says = {
        True: "the system says that its clock is synchronised",
        False: "the system says that its clock is not synchronised",
        None: "the system does not say whether its clock is synchronised",
    }[vouched]
    if not asked and not vouched and wait_s is None:
        return not_tried(f"{says}, and the gateway, whose clock would show it, was not asked")
    if off_s is None:
        says += "; the gateway's own is not known"
    elif abs(off_s) < SAME_S:
        says += "; it agrees with the gateway's own"
    else:
        says += f"; it is {abs(off_s):.0f} s {'ahead of' if off_s > 0 else 'behind'} the gateway's own"
    if vouched or (off_s is not None and abs(off_s) <= AGREES_S):
        return passed(says)
    if wait_s is not None:
        beside = None if off_s is None else apart(off_s)
        warning = "" if beside is None else f"; warning: everything is switched {beside} time"
        return passed(f"{says}; the file trusts it all the same{warning}")
    return failed(
        f"{says}; nothing is switched by it",
        f"{_HAVE_IT_SET}; where nothing can do that, write `trust_clock_after: 10m` into the file",
    )
