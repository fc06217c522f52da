"""The status file: what the daemon knew at the end of a cycle, for `status` and for monitors.

Written anew only when something but the time changed, or when it grows old, because a Raspberry Pi lives on an SD card.
Which file, and how it is written, is the app's business.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from scheduler.model.hold import Hold
from scheduler.model.status import Status

OLD = timedelta(minutes=5)
"""A status file is never older than this while the daemon lives."""

SILENT_S = 90.0
"""A daemon that completed no cycle for so long hangs; it ends itself before, if it can."""

STALE = timedelta(minutes=15)
"""An older one, or one so far ahead, means that the daemon hangs: it looks again soon after the clock was put back."""

_FORGETTING = "switching goes on, but what it must remember is not on the disk"


class StatusFile:
    """A listener to the loop's reports, with times in ``zone``, which a reload may change."""

    def __init__(self, write: Callable[[bytes], None], zone: Callable[[], tzinfo]) -> None:
        self._write = write
        self._zone = zone
        self._last: Status | None = None

    def report(self, status: Status) -> None:
        """Take the state of affairs, and write it if that tells anything new."""
        last = self._last
        if last is not None and replace(status, at=last.at) == last and abs(status.at - last.at) < OLD:
            return
        self._last = status
        self._write(json.dumps(status.document(self._zone()), indent=2, ensure_ascii=False).encode())


def parse(content: bytes, now: datetime) -> dict[str, Any]:
    """The document in a status file; ValueError if it is none that can be judged and shown."""
    try:
        document: dict[str, Any] = json.loads(content)
        judge(document, running=True, now=now)
        text(document)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise ValueError("it is damaged, or another version wrote it") from error
    return document


def sentence(status: Status, zone: tzinfo) -> str:
    """What the daemon is at, in one line for a service manager: what is wrong, else period, setpoint and the next change."""
    if status.plan_problem is not None:
        return f"the file has a problem: {status.plan_problem}"
    document = status.document(zone)
    if status.installing_since is None and status.trouble is not None:
        return status.trouble
    if status.memory_problem is not None:
        return f"{_FORGETTING}: {status.memory_problem}"
    verdict = document["verdict"] or "not proven yet"
    words = f"{document['period'] or 'no period'}: {_words(document['desired'])} ({verdict})"
    if status.installing_since is not None:
        words += f", the gateway installs its firmware since {_clock(document['installing_since'], document)}"
    if document["next_boundary"]:
        words += (
            f"; next at {_clock(document['next_boundary'], document)}: {_words(document['next_desired'])}"
        )
    return words


def judge(
    document: dict[str, Any] | None, *, running: bool, now: datetime, silent_s: float | None = None
) -> tuple[bool, str]:
    """Whether all is well by a status document, and the reason in a sentence, for people and monitors.

    ``silent_s`` is how long ago a cycle was completed, in seconds, None if only the document can tell.
    """
    if not running:
        return False, "no daemon runs with this state directory"
    if silent_s is not None and silent_s > SILENT_S:
        return False, f"the daemon hangs: its last cycle was completed {silent_s:.0f} s ago"
    if document is None:
        return False, (
            "the daemon runs and has not completed a cycle yet"
            if silent_s is None
            else "the daemon works, but has not written its status yet, or cannot: is the disk full?"
        )
    age = now - datetime.fromisoformat(document["at"])
    if age < -STALE:
        minutes = round(-age.total_seconds() / 60)
        return False, (
            f"the status is of {minutes} minutes from now: the clock was put back, and the daemon has not written it since"
        )
    if age > STALE:
        minutes = round(age.total_seconds() / 60)
        return False, (
            f"the daemon runs, but its last completed cycle was {minutes} minutes ago"
            if silent_s is None
            else f"the daemon works, but cannot write its status, which is {minutes} minutes old: is the disk full?"
        )
    return _judge(document)


def _judge(document: dict[str, Any]) -> tuple[bool, str]:
    """The same by a document that is new enough."""
    if document["installing_since"]:
        return (
            True,
            f"the gateway installs its firmware since {_clock(document['installing_since'], document)}, and is gone for it",
        )
    if document["trouble"]:
        return False, document["trouble"]
    if document["configuration"]["problem"]:
        return False, f"the file has a problem, an older plan goes on: {document['configuration']['problem']}"
    if forgetting := (document.get("memory") or {}).get("problem"):
        return False, f"{_FORGETTING}: {forgetting}"
    if document["verdict"] is None:
        return False, "no switch has come to a verdict yet"
    if document["verdict"] not in {"already", "verified", "effective", "drifted"}:
        return False, document["verdict_message"]
    return True, document["verdict_message"]


def text(document: dict[str, Any]) -> list[tuple[str, str]]:
    """The screen of `status` as pairs of label and words."""
    read = document["actual"]
    rows = [
        ("period", document["period"] or "none"),
        ("wanted", _words(document["desired"]) + _because(document["rules"])),
        (
            "gateway",
            "not read yet"
            if read is None
            else f"{_words(read)} (read at {_clock(document['read_at'], document)})",
        ),
        ("verdict", document["verdict"] or "none yet"),
    ]
    if held := document.get("hold"):
        rows.append(
            (
                "hold",
                f"{_words(held)} until {_clock(held['until'], document)}; `tou-scheduler resume` ends it",
            )
        )
    if document["next_boundary"]:
        rows.append(
            ("next", f"{_clock(document['next_boundary'], document)}: {_words(document['next_desired'])}")
        )
    if document["next_moment"]:
        rows.append(("moment", _clock(document["next_moment"], document)))
    plan = document["configuration"]
    older = " (an older one: the file has a problem)" if plan["digest"] and plan["problem"] else ""
    rows.append(("plan", (plan["digest"][:12] or "none") + older))
    installing = document["installing_since"]
    beside_it = f" (an install was begun {_clock(installing, document)})" if installing else ""
    rows.append(("firmware", (document["firmware"] or "unknown") + beside_it))
    if clock := document.get("clock"):
        rows.append(("clock", clock))
    return rows


def waiting(hold: Hold) -> tuple[str, str]:
    """The row of a hold while no daemon runs, with its end on this machine's clock, since nobody told the site's zone."""
    until = hold.until.astimezone()
    words = f"{hold.setpoint} until {until:%a %d %b %H:%M %Z}, for `once` and the next daemon"
    return "hold", f"{words}; `tou-scheduler resume` ends it"


def _words(setpoint: dict[str, Any]) -> str:
    mode, reserve = setpoint["mode"], setpoint["reserve_percent"]
    parts = [mode] if mode else []
    if reserve is not None:
        parts.append(f"reserve {reserve:g} %")
    return ", ".join(parts) or "left alone"


def _because(rules: list[str]) -> str:
    return f" ({', '.join(rules)})" if rules else ""


def _clock(instant: str, document: dict[str, Any]) -> str:
    """The site's local time; with the zone's word for it where clocks are put back and it comes twice."""
    shown = datetime.fromisoformat(instant)
    with contextlib.suppress(LookupError, OSError, ValueError):  # an older version did not say which zone
        shown = shown.astimezone(ZoneInfo(document["timezone"]))
    is_twice = shown.replace(fold=0).utcoffset() != shown.replace(fold=1).utcoffset()
    return shown.strftime("%a %d %b %H:%M %Z" if is_twice else "%a %d %b %H:%M")
