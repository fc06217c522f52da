"""A canary: secrets that cannot be mistaken for anything else, and a search for them in all that a test put out. No tests here.

The serial number's last five characters are a password of their own. Here they are letters beyond hexadecimal in an order
that no word has, so that neither a digest nor a sentence can hold them by chance; as a secret of five characters they are
looked for as a word of their own (`secrets_in.SHORT`). In base64 they are six given characters, which a megabyte of random
base64 holds once in some 70,000 times; in hexadecimal ten given digits, once in a million times. All other secrets are longer.
"""

from __future__ import annotations

import asyncio
import functools
import io
import json
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from secrets_in import found

from scheduler.gateway.local import LocalGateway
from scheduler.model.events import Event
from scheduler.model.status import Status
from scheduler.observe import logs
from scheduler.observe import status as screen
from scheduler.observe.record import Recorder
from scheduler.observe.status import StatusFile
from scheduler.simulator.sessions import Role, Sessions
from scheduler.store.journal import Journal

SERIAL = "TG7KXQWVJZPN"
"""Of the gateway that was trusted."""
OTHER_SERIAL = "TH4MXZVQJYWKR"
"""Of another one."""
EMAIL = "canary.owner@example.com"
WRONG = "wr0ng pass/wörd+\"x'"
"""A password that no gateway knows, with characters that each encoding spells in its own way."""

SECRETS = (
    SERIAL,
    f"S{SERIAL}",
    SERIAL[-5:],
    OTHER_SERIAL,
    f"S{OTHER_SERIAL}",
    OTHER_SERIAL[-5:],
    EMAIL,
    WRONG,
)
"""What is secret before anything happens: serial numbers, the passwords that follow from them, and the owner's address."""

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
CALLS = (
    "identify",
    "login",
    "read",
    "write",
    "commit",
    "is_running",
    "start",
    "live",
    "grid_faults",
    "power",
    "check_for_update",
    "update_status",
)
"""The client's methods: an error that comes out of one of them is written down, whoever catches it."""


class Canary:
    """What is secret in this test, and all that was put out so far, by channel."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secrets: list[str] = list(SECRETS)
        self.events: list[Event] = []
        self.reports: list[list[Status]] = []
        self.at_end: list[Callable[[], None]] = []
        self._errors: dict[str, None] = {}

    def caught(self, error: BaseException) -> None:
        """An error came out of the client: its traceback and its texts, and those of all causes and contexts."""
        seen: set[int] = set()
        waiting: list[BaseException | None] = [error]
        while waiting:
            one = waiting.pop()
            if one is None or id(one) in seen:
                continue
            seen.add(id(one))
            said = f"{one!r} {one!s} {one.args!r} {vars(one)!r}"
            if said not in self._errors:
                self._errors[said] = None
                self._errors["".join(traceback.format_exception(one))] = None
            waiting += [one.__cause__, one.__context__]

    def put_out(self, said: dict[str, str]) -> dict[str, list[str | bytes]]:
        """Everything that was put out, by channel: what the test ``said`` itself, and what is gathered here."""
        return {
            **{channel: [text] for channel, text in said.items()},
            "errors": list(self._errors),
            "events": [rendered(self.events, as_json=as_json) for as_json in (True, False)],
            "journal": [journal_of(self.events, self.folder / "canary.sqlite")],
            "status": [text for reports in self.reports for text in statuses(reports)],
            "files": [content for _, content in files_below(self.folder)],
        }

    def hits(self, said: dict[str, str]) -> dict[str, list[str]]:
        """The secrets that got out, by channel; empty where all went well."""
        hits = {
            channel: sorted({hit for text in dict.fromkeys(texts) for hit in found(self.secrets, text)})
            for channel, texts in self.put_out(said).items()
        }
        return {channel: those for channel, those in hits.items() if those}


def rendered(events: list[Event], *, as_json: bool) -> str:
    """The log of these events as the program writes it."""
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        logs.configure(stream=stream, as_json=as_json)
        tell = logs.listener(lambda: LOS_ANGELES)
        for event in events:
            tell(event)
    finally:
        root.handlers, root.level = handlers, level
    return stream.getvalue()


def journal_of(events: list[Event], file: Path) -> bytes:
    """The journal of these events as it lies on the disk, its write-ahead log included."""
    if not events:
        return b""
    book = Journal(file)
    recorder = Recorder(book, lambda: LOS_ANGELES, failed=_never)
    for event in events:
        recorder.tell(event)
    content = b"".join(part.read_bytes() for part in sorted(file.parent.glob(f"{file.name}*")))
    book.close()
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
    return content


def statuses(reports: list[Status]) -> list[str | bytes]:
    """What `status` has to read and to show after each of these cycles."""
    written: list[bytes] = []
    file = StatusFile(written.append, _zone)
    for report in reports:
        file.report(report)
    shown: list[str | bytes] = list(written)
    for content in written:
        document = json.loads(content)
        at = datetime.fromisoformat(document["at"])
        shown += [str(screen.judge(document, running=True, now=at)), str(screen.text(document))]
    return shown


def files_below(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """The files below a folder, their names among their content."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            yield path, str(path.relative_to(folder)).encode() + b"\n" + path.read_bytes()


@contextmanager
def watching(
    folder: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Canary]:
    """Gather what is put out and what becomes secret while the block lasts, and fail if the one holds the other."""
    canary = Canary(folder)
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(Sessions, "open", _telling(Sessions.open, canary.secrets))
    for name in CALLS:
        monkeypatch.setattr(LocalGateway, name, _listening(getattr(LocalGateway, name), canary))
    try:
        yield canary
    finally:
        for end in canary.at_end:
            end()
    out, err = capfd.readouterr()
    # As the program would write them: a formatter of the standard library's, with tracebacks.
    records = "\n".join(logging.Formatter("%(name)s %(message)s").format(r) for r in caplog.records)
    hits = canary.hits({"stdout": out, "stderr": err, "log records": records})
    assert hits == {}, hits


Open = Callable[[Sessions, Role, datetime], str]
Ask = Callable[..., Awaitable[Any]]


def _telling(opens: Open, secrets: list[str]) -> Open:
    @functools.wraps(opens)
    def wrapper(sessions: Sessions, role: Role, now: datetime) -> str:
        token = opens(sessions, role, now)
        secrets.append(token)
        return token

    return wrapper


def _listening(ask: Ask, canary: Canary) -> Ask:
    @functools.wraps(ask)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        try:
            return await ask(*args, **kwargs)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            canary.caught(error)
            raise

    return wrapper


def _zone() -> tzinfo:
    return UTC


def _never(error: Exception) -> None:
    raise AssertionError(error)
