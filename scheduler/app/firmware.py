"""What is known of the gateway's firmware by our own memory, and what the gateway says when a person has it look for an update.

The memory is read beside a running daemon. Asking is a visit like any other, and is kept there unless a daemon owns it.
Nothing is installed here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

from scheduler.app import prospect
from scheduler.app.installing import diary_of
from scheduler.app.kept import kept_in
from scheduler.app.visit import Doubt, Visit, visit
from scheduler.config.configuration import Configuration
from scheduler.control.diary import CURRENT, IDENTITY, WAITING
from scheduler.control.firmware import POLL_S, Check, Outcome, at_work, conclude, resumed, waiting_after
from scheduler.control.ports import Clock
from scheduler.daemon.clock import SystemClock
from scheduler.model.errors import NotCapable, NotOffered, SessionExpired, StoreError, Throttled, Transient
from scheduler.model.events import FirmwareChanged, InstallStarted, MomentEnded, PathChecked, StoodStill
from scheduler.model.instant import instant_of, local
from scheduler.model.reading import Identity, UpdateStatus
from scheduler.model.timeline import Moment
from scheduler.store import journal
from scheduler.store.lock import holder

LONGEST = timedelta(minutes=10)
"""So long an updater is waited for; whoever wants to know then asks once more."""

SILENT = 3
"""So many looks in a row may fail; then the gateway is gone."""

_EVENTS = {event.name for event in (FirmwareChanged, StoodStill, InstallStarted, PathChecked)}
_MOMENTS = {"check_firmware", "check_path"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """An update that was found ``at`` an instant and not installed; ``firmware`` is what ran then, None if not known."""

    at: datetime
    message: str
    firmware: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of asking now. ``identity`` is who answered, None if it does not say.

    ``by_itself``: the updater could not be asked to look, and this is what it said all the same. ``kept``: our memory has it.
    """

    identity: Identity | None
    outcome: Outcome
    message: str
    by_itself: bool = False
    kept: bool = False

    @property
    def answered(self) -> bool:
        """Whether it is known now if an update waits, as far as it can be known where the updater cannot be asked to look."""
        enough = {Outcome.UP_TO_DATE, Outcome.UPDATE_WAITING}
        return self.outcome in enough or (self.by_itself and self.outcome is Outcome.UNCLEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What is known of the firmware; None for what is not.

    ``known_since`` is when this version, started at this time, was seen first; ``started`` is that time in the gateway's own
    words. ``running``: a daemon runs, so what is under way goes on. ``events`` are documents of the journal, newest last.
    ``next_install`` is the moment that would install what waits.
    """

    firmware: str | None
    known_since: datetime | None
    started: str | None
    waiting: Waiting | None
    under_way: Check | None
    running: bool
    events: tuple[dict[str, Any], ...]
    next_install: Moment | None = None

    def after(self, checked: Checked, now: datetime) -> Known:
        """What is known once the gateway was asked: what it says now counts more than what was noted."""
        known = self
        identity = checked.identity
        if identity is not None and (identity.firmware, identity.start_time) != (self.firmware, self.started):
            known = replace(
                self, firmware=identity.firmware, started=identity.start_time or None, known_since=None
            )
        waiting = known.waiting if _still_waits(known.waiting, known.firmware) else None
        if checked.outcome is Outcome.UP_TO_DATE:
            waiting = None
        elif checked.outcome is Outcome.UPDATE_WAITING:
            waiting = Waiting(at=now, message=checked.message, firmware=known.firmware)
        return replace(known, waiting=waiting)

    def document(self, zone: tzinfo) -> dict[str, Any]:
        """For other programs, with times in ``zone``: its keys are a promise."""
        return {
            "schema": "tou-scheduler/firmware",
            "version": 1,
            "firmware": self.firmware,
            "known_since": local(self.known_since, zone),
            "started": self.started,
            "waiting": None if self.waiting is None else _waiting_document(self.waiting, zone),
            "next_install": None if self.next_install is None else prospect.document(self.next_install, zone),
            "under_way": None if self.under_way is None else self._under_way_document(self.under_way, zone),
            "events": list(self.events),
        }

    def _under_way_document(self, check: Check, zone: tzinfo) -> dict[str, Any]:
        return {
            "do": check.moment.do,
            "rule": check.moment.rule,
            "line": check.moment.line,
            "at": local(check.moment.at, zone),
            "phase": check.phase.value,
            "since": local(check.since, zone),
            "ends": local(check.ends, zone),
            "running": self.running,
        }


def recall(
    configuration: Configuration, directory: Path, *, last: int, damaged: Callable[[StoreError], None]
) -> Known:
    """What a state directory knows of the configuration's gateway, with the newest ``last`` events; ``damaged`` is told of a note that counts as empty.

    StoreError if note or journal cannot be read at all.
    """

    def failed(error: StoreError) -> None:
        if isinstance(error.__cause__, OSError):
            raise error
        damaged(error)

    kept = kept_in(configuration, directory)
    diary = diary_of(configuration, kept, failed)
    identity = diary.section(IDENTITY)
    firmware = _text(identity, "firmware")
    waiting = _waiting(diary.section(WAITING))
    if firmware is None and waiting is not None:
        firmware = waiting.firmware  # no daemon has seen it yet, and a person asked
    events = [event for event in journal.events(kept / "journal.sqlite") if _is_about_firmware(event)]
    return Known(
        firmware=firmware,
        known_since=instant_of(identity.get("since")),
        started=_text(identity, "start_time"),
        waiting=waiting if _still_waits(waiting, firmware) else None,
        under_way=resumed(diary.section(CURRENT)),
        running=holder(directory / "lock") is not None,
        events=tuple(events[-last:]),
        next_install=prospect.next_install(configuration.schedule, SystemClock().now()),
    )


async def check(
    configuration: Configuration,
    directory: Path,
    *,
    stop: asyncio.Event,
    doubt: Callable[[Doubt], None],
) -> Checked:
    """Have the gateway look for an update now, and wait for what it finds; ``stop`` and ``doubt`` as in `visit`.

    GatewayError, StoreError, or Interrupted as there, too: NotCapable beside a daemon whose battery the login would stop,
    Installing while the gateway is at an install.
    """
    clock = SystemClock()

    async def work(guest: Visit) -> Checked:
        guest.refuse_install()
        checked = await ask(guest, clock)
        return replace(checked, kept=_keep(checked, guest, clock.now())) if guest.alone else checked

    return await visit(configuration, directory, work, stop=stop, doubt=doubt)


def _keep(checked: Checked, guest: Visit, now: datetime) -> bool:
    """Have our memory know of it, as of a moment of the file; whether what waits is noted."""
    outcome, message = checked.outcome, checked.message
    guest.tell(
        MomentEnded(
            at=now, do="check_firmware", rule="by hand", due=now, outcome=outcome.value, message=message
        )
    )
    guest.diary.put_together(waiting_after(outcome, message, checked.identity, now))
    return guest.diary.kept


async def ask(guest: Visit, clock: Clock) -> Checked:
    """Have the gateway look, unless an update is staged: to ask anew might take that away.

    A login that stopped the battery is undone before anything is waited for. Where there is no such call, or this login may
    not make it, what the updater says of itself is told as that.
    """
    with suppress(NotCapable, SessionExpired):  # then the worst is assumed of a login
        await guest.session.identify()
    said = await guest.observe(guest.gateway.update_status)
    remark = ""
    if not said.staged:
        try:
            await guest.observe(guest.gateway.check_for_update)
        except NotCapable as error:
            remark = f"; that is what it found by itself, since {_why_not(guest, error)}"
        else:
            found = await _at_rest(guest, clock, said)
            if found is None:
                minutes = LONGEST // timedelta(minutes=1)
                message = f"the gateway is still at it after {minutes} minutes; ask once more in a while"
                return Checked(identity=guest.session.identity, outcome=Outcome.UNFINISHED, message=message)
            said = found
    outcome, message = conclude(said)
    return Checked(
        identity=guest.session.identity,
        outcome=outcome,
        message=f"{message}{remark}",
        by_itself=bool(remark),
    )


def _why_not(guest: Visit, error: NotCapable) -> str:
    """Why the updater was not made to look, in words that follow *since*."""
    if isinstance(error, NotOffered):
        return "this firmware cannot be asked to look"
    if not guest.may_login:
        return "a login to have it look would stop the daemon's battery"
    return "this login may not have it look"


async def _at_rest(guest: Visit, clock: Clock, before: UpdateStatus) -> UpdateStatus | None:
    """What the updater says once it is done with what it was asked just now; None if that takes too long."""
    began_s, failures = clock.monotonic(), 0
    while (passed := timedelta(seconds=clock.monotonic() - began_s)) < LONGEST:
        await clock.sleep(POLL_S)
        try:
            status = await guest.observe(guest.gateway.update_status)
        except Throttled:
            raise
        except Transient:
            failures += 1
            if failures >= SILENT:
                raise
            continue
        failures = 0
        if not at_work(status, before=before, asked=passed + timedelta(seconds=POLL_S)):
            return status
    return None


def _still_waits(waiting: Waiting | None, firmware: str | None) -> bool:
    """Whether what was found beside one version is not in yet, as far as can be told."""
    return waiting is not None and (None in {waiting.firmware, firmware} or waiting.firmware == firmware)


def _is_about_firmware(event: dict[str, Any]) -> bool:
    name = event.get("event")
    return name in _EVENTS or (name == MomentEnded.name and event.get("do") in _MOMENTS)


def _waiting(section: dict[str, Any]) -> Waiting | None:
    at, message = instant_of(section.get("at")), _text(section, "message")
    if at is None or message is None:
        return None
    return Waiting(at=at, message=message, firmware=_text(section, "firmware"))


def _waiting_document(waiting: Waiting, zone: tzinfo) -> dict[str, Any]:
    return {"at": local(waiting.at, zone), "message": waiting.message, "firmware": waiting.firmware}


def _text(section: dict[str, Any], key: str) -> str | None:
    """What stands there, if it is a text that is not empty: the note may be another version's."""
    value = section.get(key)
    return value if isinstance(value, str) and value else None
