"""A daemon's life in virtual time with all of its memory on a disk: marker, logins, notes, journal, status and log. No tests here."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from bench import LOS_ANGELES, Bench, bench, readme_schedule
from days import run_until

from scheduler.control.agenda import Policy
from scheduler.control.loop import Loop
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import GatewayError
from scheduler.model.events import Event
from scheduler.model.status import Status
from scheduler.model.timeline import DriftPolicy
from scheduler.observe.logs import configure, listener
from scheduler.observe.record import Recorder
from scheduler.observe.status import StatusFile
from scheduler.observe.summary import Summary
from scheduler.store.memory import Memory


class Lived:
    """A bench whose process remembers and tells as the daemon does; ``status`` is the last report, ``log`` all lines.

    ``told`` are the events; with ``keeps_events`` off they are not kept, for lives that are long.
    """

    def __init__(
        self,
        b: Bench,
        folder: Path,
        *,
        password: str,
        username: str,
        on_drift: DriftPolicy,
        keeps_events: bool,
    ) -> None:
        self.bench = b
        self.folder = folder
        self.log = io.StringIO()
        self.told: list[Event] = []
        self.status: Status | None = None
        self.watched: Callable[[Status], None] = lambda _: None
        self._credentials = Credentials(username=username, password=password, email="me@example.com")
        self._policy = Policy(schedule=readme_schedule(), on_drift=on_drift, verify_s=300, digest="d")
        self._keeps_events = keeps_events
        configure(stream=self.log)
        self.begin()

    def begin(self) -> None:
        """A process begins: it knows what is in the folder."""
        b = self.bench
        write = listener(lambda: LOS_ANGELES)
        self.memory = memory = Memory(self.folder, [write], b.clock.now)
        self.journal = memory.open_journal()
        recorder = Recorder(self.journal, lambda: LOS_ANGELES, memory.failed)
        memory.listen(recorder.tell)
        memory.retry_too(recorder.retry)
        if self._keeps_events:
            memory.listen(self.told.append)
        self._file = StatusFile(memory.write_status, lambda: LOS_ANGELES)
        self._summary = Summary(write)
        b.gateway = LocalGateway(
            Endpoint(host="gateway", server_name="powerwall", fingerprint=bytes(32)),
            self._credentials,
            ledger=memory.logins,
            now=b.clock.now,
            note=memory.note,
            transport=b.wire,
        )
        self.loop = Loop(
            self._policy,
            b.gateway,
            clock=b.clock,
            marks=memory.marker,
            note=memory.moments,
            tell=memory.tell,
            arm=lambda _: None,
            report=self._report,
            jitter=lambda: 0.5,
        )

    def _report(self, status: Status) -> None:
        self.memory.mend()
        self.status = replace(status, memory_problem=self.memory.problem)
        self._summary.report(self.status)
        self._file.report(self.status)
        self.watched(self.status)

    async def until(self, at: datetime) -> GatewayError | None:
        """Cycle until the clock shows ``at``; what the loop says at its end."""
        return await run_until(self.loop, self.bench, at)

    def die(self) -> None:
        """The process is gone, and nothing of it was put in order; `begin` makes the next one."""
        self.journal.close()

    def lines(self) -> list[dict[str, Any]]:
        """The lines of the log."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]


@contextmanager
def lived(
    folder: Path,
    start: datetime | None = None,
    *,
    username: str = "installer",
    password: str | None = None,
    on_drift: DriftPolicy = "yield",
    keeps_events: bool = True,
) -> Iterator[Lived]:
    """A gateway at self_consumption, reserve 20 % shown, and a process with an empty folder that runs the README's day."""
    root, ours = logging.getLogger(), logging.getLogger("tou_scheduler")
    before = (root.handlers, root.level, ours.level)
    b = bench(start, username=username)
    given = password or b.device.sessions.installer_password
    it = Lived(b, folder, password=given, username=username, on_drift=on_drift, keeps_events=keeps_events)
    try:
        yield it
    finally:
        it.die()
        root.handlers, root.level, ours.level = before
        structlog.reset_defaults()
