"""The firmware moment in its simplest true form: ask for an update, poll until the updater rests, report.

One look per call, so that a check never stands in the way of a switch. Nothing is installed here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from scheduler.control.ports import Gateway
from scheduler.control.session import Session
from scheduler.model.errors import NotCapable, Refused
from scheduler.model.reading import UpdateStatus
from scheduler.model.timeline import Moment

POLL_S = 10.0
"""Pause between two looks at a working updater; the gateway's own page looks more often."""


class Outcome(StrEnum):
    """How a firmware moment ended."""

    UP_TO_DATE = "up_to_date"
    UPDATE_WAITING = "update_waiting"
    FAILED = "failed"
    UNCLEAR = "unclear"
    NOT_AVAILABLE = "not_available"
    UNFINISHED = "unfinished"
    MISSED = "missed"
    PASSED_OVER = "passed_over"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A firmware moment under way, or over once ``outcome`` is set.

    ``deadline`` is the instant at which it gives up, ``look_s`` the monotonic instant of the next look.
    """

    moment: Moment
    deadline: datetime
    asked: bool = False
    look_s: float = 0.0
    outcome: Outcome | None = None
    message: str = ""


async def advance(check: Check, *, gateway: Gateway, session: Session, now: datetime, now_s: float) -> Check:
    """The check after one more step: ask first, then look at the updater each `POLL_S` until it rests.

    Transient errors pass through: the loop pauses and calls again, until ``deadline``.
    """
    if now >= check.deadline:
        return replace(check, outcome=Outcome.UNFINISHED, message="the check was not over in time")
    try:
        if not check.asked:
            await session.call(gateway.check_for_update)
            return replace(check, asked=True, look_s=now_s + POLL_S)
        status = await session.call(gateway.update_status)
    except NotCapable as error:
        return replace(check, outcome=Outcome.NOT_AVAILABLE, message=str(error))
    except Refused as error:
        return replace(check, outcome=Outcome.FAILED, message=str(error))
    if status.working:
        return replace(check, look_s=now_s + POLL_S)
    outcome, message = conclude(status, install=check.moment.install)
    return replace(check, outcome=outcome, message=message)


def conclude(status: UpdateStatus, *, install: bool) -> tuple[Outcome, str]:
    """What an updater at rest means. Its final state persists for days, so `/update_succeeded` is no news."""
    said = f"{status.state} {', '.join(status.status)}".strip()
    if status.staged:
        wanted = "; this version of tou-scheduler does not install it" if install else ""
        return Outcome.UPDATE_WAITING, f"an update is ready to be installed ({said}){wanted}"
    if status.failed:
        return Outcome.FAILED, f"the gateway could not check for an update ({said})"
    if "nonactionable" in status.status or status.state == "/update_succeeded":
        return Outcome.UP_TO_DATE, f"the gateway has the newest firmware that it is offered ({said})"
    return Outcome.UNCLEAR, f"the gateway does not say whether an update waits ({said})"
