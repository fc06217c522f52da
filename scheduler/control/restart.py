"""Watches for restarts of the gateway: told when there was one, how long the battery stood still around it, what that cost.

A restart shows by another version or start time, never by the name of a state of its updater. Nothing is decided by it and
nothing is risked for it: no login is made for it, and what cannot be read is left for the next cycle.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

from scheduler.control.agenda import Agenda
from scheduler.control.diary import IDENTITY, Diary
from scheduler.control.loss import WH_PER_KWH, Loss, loss
from scheduler.control.ports import Clock, Gateway, Tell
from scheduler.control.session import Session
from scheduler.model.errors import NotCapable, SessionExpired, Throttled, Transient
from scheduler.model.events import FirmwareChanged, StoodStill
from scheduler.model.reading import Identity, Power

PATIENCE_S = 600.0
"""How long meters that fail after a standstill are asked again, before it is told without them."""

RETRY_S = 60.0
"""Pause between two such questions."""


@dataclass(slots=True, kw_only=True)
class _Standstill:
    """A standstill that was not told yet; instants of the monotonic clock, in seconds.

    ``since_s`` is when the battery was last seen well before it, and ``until_s`` when it was first seen well after it, None
    until then. ``least_s`` is how long it surely lasted, from the first sign of it to the last, and ``before_w`` what the
    battery gave when it was last seen well. ``meters_s`` is when the meters are asked what it gives after it.
    """

    since_s: float
    before_w: float | None
    least_s: float = 0.0
    until_s: float | None = None
    meters_s: float | None = None


class Restarts:
    """What is known of the restarts of one gateway. `learn` comes before `well`, `look` and `settle` in a cycle."""

    def __init__(self, gateway: Gateway, session: Session, clock: Clock, tell: Tell, diary: Diary) -> None:
        self._gateway = gateway
        self._session = session
        self._clock = clock
        self._tell = tell
        self._diary = diary
        self._identity: Identity | None = None
        self._well: tuple[float, float | None] | None = None
        self._gone: tuple[float, float] | None = None
        self._standstill: _Standstill | None = None

    @property
    def identity(self) -> Identity | None:
        """Firmware and start time as they were last learnt; None until they are in this run."""
        return self._identity

    @property
    def due_s(self) -> float | None:
        """When `settle` has something to do next, by the monotonic clock; None if nobody knows."""
        return None if self._standstill is None else self._standstill.meters_s

    def learn(self, identity: Identity, *, installing_since: datetime | None) -> bool:
        """Take note of what the gateway says that it is; True if that is another version or start than before.

        It is told, and at the first time of a run compared with what the diary holds. ``installing_since`` is when we
        told it to install, None if we did not.
        """
        watched = self._identity is not None
        before = self._identity or self._remembered()
        self._identity = identity
        if identity == before:
            return False
        self._remember(identity)
        if before is None:
            return False
        self._tell_change(before, identity, installing_since, watched=watched)
        if watched:
            self._open()
        return True

    def well(self, power_w: float | None) -> None:
        """The gateway answered just now and the battery is in service; ``power_w`` is what it gives, None if not known."""
        self._end()
        self._well = (self._clock.monotonic(), power_w)
        self._gone = None

    def missed(self) -> None:
        """An attempt to reach the gateway failed just now."""
        now_s = self._clock.monotonic()
        self._gone = (now_s if self._gone is None else self._gone[0], now_s)

    async def look(self) -> Power | None:
        """`well`, with the watts where they can be read without a login: those that were read. Throttled passes through.

        For a cycle in which the gateway was read and the battery not found stopped. If the meters fail it may have stopped
        since: then nothing is noted.
        """
        try:
            power = await self._power()
        except Throttled:
            raise
        except Transient:
            return None
        self.well(None if power is None else power.battery_w)
        return power

    async def settle(self, agenda: Agenda) -> None:
        """Tell the standstill around a restart once it is over, and the meters show again what the battery gives.

        For each cycle in which the gateway answers. Whether the battery runs is asked without a login; Throttled passes
        through.
        """
        standstill = self._standstill
        if standstill is None:
            self._gone = None  # it answers, and it is no other than before: that was no restart
            return
        if standstill.until_s is None and await self._runs():
            self._end()
        now_s = self._clock.monotonic()
        if standstill.until_s is None or standstill.meters_s is None or now_s < standstill.meters_s:
            return
        try:
            power = await self._power()
            after_w = None if power is None else power.battery_w
        except Throttled:
            raise
        except Transient:
            if now_s < standstill.until_s + self._gateway.pace.effect_grace_s + PATIENCE_S:
                standstill.meters_s = now_s + RETRY_S
                return
            after_w = None
        self._standstill = None
        self._tell_standstill(standstill, standstill.until_s, after_w, agenda)

    def _remembered(self) -> Identity | None:
        kept = self._diary.section(IDENTITY)
        firmware, start_time = kept.get("firmware"), kept.get("start_time")
        if not isinstance(firmware, str) or not isinstance(start_time, str):
            return None
        return Identity(firmware=firmware, start_time=start_time)

    def _remember(self, identity: Identity) -> None:
        since = self._clock.now().isoformat(timespec="seconds")
        self._diary.put(
            IDENTITY, {"firmware": identity.firmware, "start_time": identity.start_time, "since": since}
        )

    def _open(self) -> None:
        """A restart was noticed: a standstill is open, or the one before it, not told yet, goes on."""
        if self._standstill is not None:
            self._standstill.until_s = self._standstill.meters_s = None
        elif self._well is not None:
            since_s, before_w = self._well
            self._standstill = _Standstill(since_s=since_s, before_w=before_w)

    def _end(self) -> None:
        """The battery is in service: the standstill that is open, if one is, ends now."""
        standstill = self._standstill
        if standstill is None or standstill.until_s is not None:
            return
        if self._gone is not None:
            standstill.least_s += self._gone[1] - self._gone[0]
            self._gone = None
        standstill.until_s = self._clock.monotonic()
        # A battery takes its time until it gives again what it is told to.
        standstill.meters_s = standstill.until_s + self._gateway.pace.effect_grace_s

    async def _runs(self) -> bool:
        """Whether the battery is known to be in service; one that is seen to be stopped counts as gone."""
        try:
            await self._session.ensure_running()
            running = await self._gateway.is_running()
        except Throttled:
            raise
        except (Transient, NotCapable, SessionExpired):
            return False  # not known: the next look that goes well says so too
        if not running:
            self.missed()
        return running

    async def _power(self) -> Power | None:
        """What flows now, in watts; None where it is not to be had without a login."""
        try:
            await self._session.ensure_running()
            return await self._gateway.power()
        except (NotCapable, SessionExpired):
            return None

    def _tell_change(
        self, before: Identity, after: Identity, installing_since: datetime | None, *, watched: bool
    ) -> None:
        now = self._clock.now()
        took_s: float | None = None
        if watched and installing_since is not None:
            took_s = round(max((now - installing_since).total_seconds(), 0.0), 1)
        elif watched and self._well is not None:
            took_s = round(self._clock.monotonic() - self._well[0], 1)
        self._tell(
            FirmwareChanged(
                at=now,
                before=before.firmware,
                after=after.firmware,
                by_us=installing_since is not None,
                took_s=took_s,
                message=_change_in_words(before, after, by_us=installing_since is not None, watched=watched),
            )
        )

    def _tell_standstill(
        self, standstill: _Standstill, until_s: float, after_w: float | None, agenda: Agenda
    ) -> None:
        now, now_s = self._clock.now(), self._clock.monotonic()
        # Counted back from now, so that a step of the wall clock meanwhile moves both ends and not one.
        since, until = (now - timedelta(seconds=now_s - at_s) for at_s in (standstill.since_s, until_s))
        boundary = _first_boundary(agenda, since, until)
        lost = loss(
            agenda.fine, since, until, before_w=standstill.before_w, after_w=after_w, boundary=boundary
        )
        most_s = until_s - standstill.since_s
        currency = agenda.policy.schedule.tariff.currency
        self._tell(
            StoodStill(
                at=now,
                since=since,
                until=until,
                at_least_s=round(standstill.least_s, 1),
                at_most_s=round(most_s, 1),
                boundary=boundary,
                lost_wh=None if lost.wh is None else round(lost.wh, 1),
                cost=None if lost.cost is None else round(lost.cost, 4),
                currency=currency,
                message=_standstill_in_words(
                    standstill.least_s, most_s, lost, currency, hit=boundary is not None
                ),
            )
        )


def _first_boundary(agenda: Agenda, since: datetime, until: datetime) -> datetime | None:
    starts = (segment.start for segment in agenda.coarse.segments[1:])
    return next((start for start in starts if since < start <= until), None)


def _change_in_words(before: Identity, after: Identity, *, by_us: bool, watched: bool) -> str:
    same = before.firmware == after.firmware
    what = (
        f"the gateway was restarted (firmware {after.firmware})"
        if same
        else f"the gateway went from firmware {before.firmware} to {after.firmware}"
    )
    # Who restarted it is not known: it may have been a person or a power cut.
    who = "as we told it to" if by_us else "not by us" if same else "by itself"
    meanwhile = "" if watched else ", while nobody watched"
    return f"{what}, {who}{meanwhile}; what it can do is found out anew"


def _standstill_in_words(least_s: float, most_s: float, lost: Loss, currency: str, *, hit: bool) -> str:
    least, most = int(least_s / 60), ceil(most_s / 60)
    if least < 1:
        lasted = f"for at most {_in_minutes(most)}"
    elif least == most:
        lasted = f"for {_in_minutes(most)}"
    else:
        lasted = f"for {least} to {_in_minutes(most)}"
    said = f"the battery stood still {lasted} around the restart of the gateway"
    if hit:
        said += ", with a boundary within"
    if lost.cost is not None:
        return f"{said}; that cost {_money(lost.cost, currency)}"
    if lost.wh is not None:
        return f"{said}; it would have given at most {lost.wh / WH_PER_KWH:.1f} kWh"
    return said


def _in_minutes(minutes: int) -> str:
    return "a minute" if minutes <= 1 else f"{minutes} minutes"


def _money(cost: float, currency: str) -> str:
    if cost == 0:
        return "nothing"
    return f"{cost:.2f} {currency}".rstrip() + " at most"
