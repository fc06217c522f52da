"""Log lines: one for each event, console for a terminal and JSON otherwise. Event names are an interface.

A listener only; what happened is in `model/events.py`.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import fields
from datetime import datetime, tzinfo
from typing import Any, TextIO

import structlog

from scheduler.model.events import Drifted, EffectJudged, Event, MomentEnded, PathChecked, Switched
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.instant import local
from scheduler.observe.outlet import Outlet
from scheduler.observe.volume import Volume

Tell = Callable[[Event], None]

PRIORITIES = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
"""Those of syslog(3), by the names of levels."""


def configure(*, stream: TextIO | None = None, as_json: bool | None = None) -> None:
    """Send structlog and the standard library's logging to ``stream`` (stderr) in one form.

    Lines with a priority if the stream is systemd's journal; else JSON unless it is a terminal, or as ``as_json`` says. Libraries speak from WARNING on: httpx would print
    whole URLs, APScheduler each job. Tracebacks are plain: a rich one prints local variables, secrets among them.
    """
    stream = stream or sys.stderr
    if as_json is None:
        as_json = not stream.isatty()
    renderer: Any
    finish: list[Any]
    if is_journal(stream, os.environ):
        finish = [structlog.processors.format_exc_info, for_the_journal]
    elif as_json:
        renderer = structlog.processors.JSONRenderer(serializer=json.dumps, ensure_ascii=False)
        finish = [structlog.processors.format_exc_info, renderer]
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
            pad_event_to=14,
            sort_keys=False,
        )
        finish = [_for_a_screen, renderer]
    shared: list[Any] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=not stream.isatty(), key="logged_at"),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = Outlet(stream, _say_lost)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("tou_scheduler").setLevel(logging.INFO)


def _say_lost(lines: int) -> None:
    message = f"{lines} lines of the log were lost: they could not be written at once"
    structlog.stdlib.get_logger("tou_scheduler").warning("lines_lost", lines=lines, message=message)


def is_journal(stream: TextIO, environ: Mapping[str, str]) -> bool:
    """Whether this stream leads to systemd's journal: $JOURNAL_STREAM says which one does (systemd.exec(5))."""
    try:
        it = os.fstat(stream.fileno())
    except (OSError, ValueError):  # no file behind it
        return False
    return environ.get("JOURNAL_STREAM") == f"{it.st_dev}:{it.st_ino}"


def for_the_journal(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> str:
    """One entry as the journal takes it: priority, event and message, and what else there is as key=value.

    Each line begins with its priority (sd-daemon(3)). The journal has the time itself, and `history` the details.
    """
    entry.pop("logged_at", None)
    entry.pop("at", None)
    priority = PRIORITIES.get(str(entry.pop("level", "info")), 6)
    event, message, traceback = (entry.pop(key, "") for key in ("event", "message", "exception"))
    said = f"{event}: {message}" if message else str(event)
    rest = " ".join(
        f"{key}={json.dumps(it, ensure_ascii=False)}"
        for key, it in entry.items()
        if it is not None and it != ""
    )
    lines = [f"{said} ({rest})" if rest else said, *str(traceback).splitlines()]
    return "\n".join(f"<{priority}>{line}" for text in lines for line in text.splitlines() or [""])


def _for_a_screen(_logger: object, _name: str, entry: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """One time is enough for a person: that of the event, and of the line where it has none."""
    logged_at = entry.pop("logged_at", None)
    return {"timestamp": entry.pop("at", logged_at), **entry}


def listener(zone: Callable[[], tzinfo]) -> Tell:
    """A listener that writes each event as one line, with times in ``zone``, which a reload may change.

    What is too much for a log is left out, and it is said how much (`volume`); the journal has all of it.
    """
    log = structlog.stdlib.get_logger("tou_scheduler")
    volume = Volume()

    def tell(event: Event) -> None:
        facts = line(event, zone())
        if not volume.admits(event.at, event.name, facts):
            return
        log.log(_level(event), event.name, **facts)
        if left_out := volume.left_out():
            message = (
                f"{left_out} lines were left out before this one: too often the same, or too much at once"
            )
            log.warning("lines_left_out", lines=left_out, message=message)

    return tell


def line(event: Event, zone: tzinfo) -> dict[str, Any]:
    """The keys and values of an event's line, in order. Nothing here is secret: events hold no credentials."""
    if isinstance(event, Switched | EffectJudged):
        return _switch_line(event.record, zone)
    return {field.name: _plain(getattr(event, field.name), zone) for field in fields(event)}


def _switch_line(record: SwitchRecord, zone: tzinfo) -> dict[str, Any]:
    return {
        "at": _plain(record.at, zone),
        "verdict": record.verdict.value,
        "desired": str(record.desired),
        "before": None if record.before is None else str(record.before),
        "after": None if record.after is None else str(record.after),
        "boundary": _plain(record.boundary, zone),
        "rules": ", ".join(record.rules),
        "attempts": record.attempts,
        "took_ms": record.took_ms,
        "message": record.message,
    }


def _plain(value: object, zone: tzinfo) -> object:
    if isinstance(value, datetime):
        return local(value, zone)
    if value is None or isinstance(value, int | float):
        return value
    return str(value)


def _level(event: Event) -> int:
    if isinstance(event, Drifted) and event.policy == "notify":
        return logging.ERROR
    if (isinstance(event, MomentEnded) and event.alert) or (
        isinstance(event, PathChecked) and not event.is_open
    ):
        return logging.ERROR
    if isinstance(event, Switched | EffectJudged) and not event.record.verdict.good:
        soft = event.record.verdict in {Verdict.SUPERSEDED, Verdict.DRIFTED}
        return logging.WARNING if soft else logging.ERROR
    return {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}[event.level]
