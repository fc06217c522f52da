"""A firmware moment as values: where it stands, how it can end, and what an updater at rest means. No call is made here.

State names are the gateway's own (README of the gateway, GET /api/system/update/status). The final state of an updater
persists for days, so nothing is concluded from its name that a version or a start time does not say.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from scheduler.control.diary import WAITING, Section
from scheduler.model.instant import instant
from scheduler.model.reading import Identity, UpdateStatus
from scheduler.model.timeline import Moment

POLL_S = 10.0
"""Pause between two looks at a working updater; the gateway's own page looks more often."""

STALE_FOR = timedelta(minutes=1)
"""So long an answer that is the same as before the question may be the old one."""

UNKNOWN_FOR = timedelta(minutes=2)
"""So long `/update_unknown` may mean that it is at it, as the gateway's own page takes it; some rest in it for days."""


RESUMABLE = timedelta(days=7)
"""A moment further away than this is not taken up again."""


class Phase(StrEnum):
    """What a moment under way is at. Each is begun only once it has been noted."""

    PATH = "path"
    ASK = "ask"
    POLL = "poll"
    INSTALL = "install"
    RETURN = "return"


class Outcome(StrEnum):
    """How a moment ended."""

    UP_TO_DATE = "up_to_date"
    UPDATE_WAITING = "update_waiting"
    INSTALLED = "installed"
    INSTALLED_SHUT = "installed_shut"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"
    UNCLEAR = "unclear"
    NOT_AVAILABLE = "not_available"
    UNFINISHED = "unfinished"
    MISSED = "missed"
    PASSED_OVER = "passed_over"
    PATH_OPEN = "path_open"
    PATH_SHUT = "path_shut"

    @property
    def alarming(self) -> bool:
        """Whether a person should be told to act, and nothing else tells it: of a shut path something does."""
        return self in {Outcome.ROLLED_BACK, Outcome.FAILED, Outcome.UNFINISHED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A moment under way, or over once ``outcome`` is set.

    ``deadline`` is the instant at which it gives up, ``look_s`` the monotonic instant of the next look. ``asked_at`` and
    ``said_before``: when the updater was asked to look, and what it said until then. ``since``: when the gateway was told to
    install, and ``until`` it must be over; ``accepted``: it took that; ``before``: what ran then; ``tries``: how often it was
    told; ``gone``: it was seen to be away since. ``resumed``: it was begun by an earlier run of ours; ``waits``: why an update that is ready was not installed yet.
    """

    moment: Moment
    deadline: datetime
    phase: Phase = Phase.ASK
    look_s: float = 0.0
    asked_at: datetime | None = None
    said_before: UpdateStatus | None = None
    since: datetime | None = None
    until: datetime | None = None
    accepted: bool = False
    before: Identity | None = None
    tries: int = 0
    gone: bool = False
    resumed: bool = False
    waits: str = ""
    returned_at: datetime | None = None
    rehearsed: bool = False
    alert: bool = False
    outcome: Outcome | None = None
    message: str = ""

    @property
    def ends(self) -> datetime:
        """When it is over, done or not."""
        return self.until or self.deadline

    @property
    def installs(self) -> bool:
        """Whether the gateway was told to install: what becomes of it is looked at whatever a clock shows."""
        return self.phase in {Phase.INSTALL, Phase.RETURN}

    def is_of(self, now: datetime) -> bool:
        """Whether it can still be under way ``now``."""
        instants = [self.moment.at, self.deadline, self.since or now, self.ends]
        return all(abs(instant - now) < RESUMABLE for instant in instants)

    def carried(self, by: timedelta) -> Check:
        """The check after the wall clock was set ``by`` so much: as long under way as before, and as long yet to go.

        What the plan says of it stands: ``deadline`` is an instant of the plan.
        """

        def moved(instant: datetime | None) -> datetime | None:
            return None if instant is None else instant + by

        return replace(
            self,
            asked_at=moved(self.asked_at),
            since=moved(self.since),
            until=moved(self.until),
            returned_at=moved(self.returned_at),
        )

    def ended(self, outcome: Outcome, message: str, *, alert: bool = False) -> Check:
        """The check, over; ``alert``: a person should act, although the outcome is not always so bad."""
        return replace(self, outcome=outcome, message=message, alert=alert or outcome.alarming)

    def document(self) -> dict[str, Any]:
        """What must outlast us of it."""
        moment = self.moment
        return {
            "moment": {
                "at": moment.at.isoformat(),
                "do": moment.do,
                "rule": moment.rule,
                "line": moment.line,
                "install": moment.install,
                "done_by": None if moment.done_by is None else moment.done_by.isoformat(),
            },
            "phase": self.phase.value,
            "deadline": self.deadline.isoformat(),
            "since": None if self.since is None else self.since.isoformat(),
            "until": None if self.until is None else self.until.isoformat(),
            "accepted": self.accepted,
            "before": None if self.before is None else [self.before.firmware, self.before.start_time],
            "tries": self.tries,
            "gone": self.gone,
        }


def resumed(document: dict[str, Any]) -> Check | None:
    """The check that an earlier run of ours was at; None if there is none, or none that can be read."""
    try:
        return _read(document)
    except (KeyError, IndexError, OverflowError, TypeError, ValueError):
        return None


def _read(document: dict[str, Any]) -> Check:
    noted = document["moment"]
    before = document["before"]
    return Check(
        moment=Moment(
            at=instant(noted["at"]),
            do=str(noted["do"]),
            rule=str(noted["rule"]),
            line=int(noted["line"]),
            install=noted["install"] is True,
            done_by=None if noted["done_by"] is None else instant(noted["done_by"]),
        ),
        phase=Phase(document["phase"]),
        deadline=instant(document["deadline"]),
        since=None if document["since"] is None else instant(document["since"]),
        until=None if document["until"] is None else instant(document["until"]),
        accepted=document["accepted"] is True,
        before=None if before is None else Identity(firmware=str(before[0]), start_time=str(before[1])),
        tries=int(document.get("tries", 0)),
        gone=document.get("gone") is True,
        resumed=True,
    )


def at_work(status: UpdateStatus, *, before: UpdateStatus | None, asked: timedelta) -> bool:
    """Whether an updater that was ``asked`` so long ago may still come to another answer: look again.

    ``before`` is what it said until then. One that tells when its last news was is known to be old by that.
    """
    if status.working:
        return True
    if status.last_status_ms is not None and status == before and asked < STALE_FOR:
        return True
    return status.state == "/update_unknown" and not status.status and asked < UNKNOWN_FOR


def conclude(status: UpdateStatus) -> tuple[Outcome, str]:
    """What an updater at rest means, in a word and in a sentence."""
    said = f"{status.state} {', '.join(status.status)}".strip()
    if status.staged:
        return Outcome.UPDATE_WAITING, f"an update is ready to be installed ({said})"
    if status.failed:
        remedy = "see whether the gateway reaches the internet; it is asked again at the next moment"
        return Outcome.FAILED, f"the gateway could not check for an update ({said}); {remedy}"
    if "nonactionable" in status.status or status.state == "/update_succeeded":
        return Outcome.UP_TO_DATE, f"the gateway has the newest firmware that it is offered ({said})"
    return Outcome.UNCLEAR, f"the gateway does not say whether an update waits ({said})"


def waiting_after(
    outcome: Outcome, message: str, identity: Identity | None, now: datetime
) -> dict[str, Section]:
    """What is noted of a waiting update after an ``outcome`` at the gateway ``identity``; no section if it tells nothing."""
    if outcome is Outcome.UPDATE_WAITING:
        firmware = None if identity is None else identity.firmware
        return {WAITING: {"at": now.isoformat(), "message": message, "firmware": firmware}}
    over = {Outcome.UP_TO_DATE, Outcome.INSTALLED, Outcome.INSTALLED_SHUT}
    return {WAITING: {}} if outcome in over else {}
