"""What a gateway answers to calls that only tell, and a bundle of it for somebody who helps.

Asks one call after the other on one visit. An error is an answer, too, and stands beside its call; what ends the whole look
is told apart. Nothing is written to the gateway, and nothing is hidden here: see `gateway/redact.py`.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from scheduler import __version__
from scheduler.app.kept import kept_in, status_in
from scheduler.app.visit import Doubt, Visit, visit
from scheduler.config.configuration import Configuration
from scheduler.gateway.calls import Call
from scheduler.gateway.habits import version_of
from scheduler.gateway.revealing import ADDRESS, EMAIL, HARMLESS, NAME, PASSWORD
from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    IdentityChanged,
    NotOffered,
    StoreError,
    Throttled,
)
from scheduler.model.evidence import Step
from scheduler.store import durable, journal

LOGINS = 2
"""So many logins one look may make: a gateway that forgets each session would get one for every call."""

SILENT = 2
"""So many calls in a row may have no answer at all; then the gateway is gone, and the rest is not asked."""

BUNDLED_SWITCHES = 50
BUNDLED_EVENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of one call: a JSON value, or an error. ``status`` is None without an answer, ``ms`` if it was not asked."""

    call: Call
    value: Any = None
    error: GatewayError | None = None
    status: int | None = None
    ms: int | None = None

    def document(self) -> dict[str, Any]:
        """For other programs; ``error`` is a sentence or null."""
        return {
            "path": self.call.path,
            "status": self.status,
            "ms": self.ms,
            "answer": self.value,
            "error": None if self.error is None else str(self.error),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What came of a look at the gateway.

    ``firmware`` is None if it was not told; ``restarted``: a login stopped the battery, and it was started again;
    ``trouble`` ended the look, or kept the battery from being left as it was found.
    """

    firmware: str | None
    answers: tuple[Answer, ...]
    restarted: bool
    trouble: GatewayError | None


async def look(
    configuration: Configuration,
    directory: Path,
    calls: Sequence[Call],
    *,
    stop: asyncio.Event,
    login: bool = True,
    whatever: bool = True,
    doubt: Callable[[Doubt], None],
) -> Look:
    """Ask the gateway these reading calls; with ``login``, log in where that is needed and disturbs nobody.

    ``whatever``: also those that its firmware is known not to have, which else are told as that, and not asked.
    ``doubt`` as in `visit`. StoreError if the state directory cannot be used, Interrupted if ``stop`` is set.
    """
    reader = _Reader(calls, whatever=whatever)
    try:
        await visit(configuration, directory, reader.read, stop=stop, login=login, doubt=doubt)
    except GatewayError as error:
        return reader.look(error)
    return reader.look(None)


class _Reader:
    """Asks the calls in the order in which the least is disturbed, and remembers what came of each."""

    def __init__(self, calls: Sequence[Call], *, whatever: bool) -> None:
        self._calls = calls
        self._whatever = whatever
        self._answers: dict[Call, Answer] = {}
        self._firmware: str | None = None
        self._over: GatewayError | None = None
        self._silent = 0
        self._logins = 0
        self._restarted = False

    def look(self, trouble: GatewayError | None) -> Look:
        """What is known now; calls that were not asked have ``trouble``, or what ended the asking, for an error."""
        trouble = trouble or self._over
        return Look(
            firmware=self._firmware,
            answers=tuple(self._answers.get(call, Answer(call=call, error=trouble)) for call in self._calls),
            restarted=self._restarted,
            trouble=trouble,
        )

    async def read(self, guest: Visit) -> None:
        """Ask everything, unless the gateway turns out to be gone, to be another one, or to want to be left alone."""
        try:
            self._firmware = (await guest.session.identify()).firmware
        except GatewayError as error:
            self._note(guest, error, guest.gateway.exchanges()[-1:])
        known = version_of(self._firmware)
        if known is not None and not self._whatever:
            self._answers = {call: _missing(call) for call in self._calls if not call.is_on(known)}
        version = known or (0, 0)
        for call in sorted(self._calls, key=lambda call: call.wants_login(version)):
            if self._over is not None:
                return
            if call not in self._answers:
                self._answers[call] = await self._ask(guest, call)

    async def _ask(self, guest: Visit, call: Call) -> Answer:
        value, failure = None, None
        guest.gateway.exchanges()  # those of the call before are told
        try:
            value = await guest.ask(call)
        except GatewayError as error:
            failure = error
        steps = guest.gateway.exchanges()
        own = [step for step in steps if step.step == call.step]
        self._note(guest, failure, steps)
        status, ms = (own[-1].status, own[-1].ms) if own else (None, None)
        return Answer(call=call, value=value, error=failure, status=status, ms=ms)

    def _note(self, guest: Visit, error: GatewayError | None, steps: Sequence[Step]) -> None:
        logins = sum(step.step == "login" for step in steps)
        self._logins += logins
        self._restarted = self._restarted or any(step.step == "run_sitemaster" for step in steps)
        shut_out = logins and not guest.gateway.has_session
        if shut_out or self._logins >= LOGINS or isinstance(error, BadCredentials | Throttled):
            guest.forgo_login()
        gone = bool(steps) and steps[-1].status is None
        self._silent = self._silent + 1 if gone else 0
        limited = any(step.status == 429 for step in steps)  # noqa: PLR2004 - the status reads best as a number
        if isinstance(error, IdentityChanged) or limited or self._silent >= SILENT:
            self._over = error


def _missing(call: Call) -> Answer:
    error = NotOffered(
        f"not on this firmware (the table says {call.firmware})",
        remedy=f"to ask for it all the same: `tou-scheduler inspect {call.name}`",
    )
    return Answer(call=call, error=error)


def bundle(configuration: Configuration, directory: Path, seen: Look, now: datetime) -> dict[str, Any]:
    """Everything that helps to find a fault, as one JSON document. Still with everything in it that must be hidden."""
    problems: list[str] = [] if seen.trouble is None else [str(seen.trouble)]

    def tried(read: Callable[[], Any]) -> Any:
        try:
            return read()
        except (StoreError, ValueError, OSError) as error:
            problems.append(str(error))
            return None

    kept = kept_in(configuration, directory)
    return {
        "schema": "tou-scheduler/bundle",
        "version": 1,
        "at": now.isoformat(timespec="seconds"),
        "program": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "firmware": seen.firmware,
        "configuration": {
            "digest": configuration.digest,
            "text": tried(lambda: configuration.path.read_text(encoding="utf-8")),
            "warnings": [str(warning) for warning in configuration.warnings],
        },
        "answers": [answer.document() for answer in seen.answers],
        "switches": tried(lambda: journal.switches(kept / "journal.sqlite", last=BUNDLED_SWITCHES)),
        "events": tried(lambda: journal.events(kept / "journal.sqlite", last=BUNDLED_EVENTS)),
        "status": tried(lambda: status_in(directory, now)),
        "problems": problems,
    }


def write_bundle(path: Path, content: bytes) -> None:
    """Write it, for its owner only; StoreError if there is such a file already, or if it cannot be written."""
    durable.create(path, content)


def known_of(configuration: Configuration) -> list[tuple[str, str]]:
    """What the configuration gives us to hide, as pairs of kind and text."""
    settings = configuration.gateway
    pairs = [(EMAIL, settings.email), (NAME, configuration.site_name), (NAME, _home())]
    if settings.password is not None:
        pairs.append((PASSWORD, settings.password.reveal()))
    if not settings.host.isalpha():  # a plain word may stand anywhere and mean nothing
        pairs.append((ADDRESS, settings.host))
    return [(kind, text) for kind, text in pairs if not HARMLESS.fullmatch(text)]


def _home() -> str:
    """The home directory of whoever asks: people's names are in it, and it is in the paths of messages."""
    try:
        home = str(Path.home())
    except RuntimeError:  # a user without a home
        return ""
    return home if home not in {"/", "/root"} else ""
