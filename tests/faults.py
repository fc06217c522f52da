"""A stage for the faults of a gateway: the real client with real memory on a disk, and a record of when it asked what. No tests here."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench import LOS_ANGELES, Bench, Marks, Wire, local
from canary import EMAIL, SERIAL, Canary
from clockwork import VirtualClock
from days import Run
from starlette.responses import Response

from scheduler.control.session import Session
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.events import Event
from scheduler.model.timeline import DriftPolicy
from scheduler.observe.record import Recorder
from scheduler.plan.rules import Schedule
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.mischief import Kind, Trouble
from scheduler.simulator.personality import PERSONALITIES
from scheduler.store.memory import Memory

STATUS = "GET /api/status"
LOGIN = "POST /api/login/Basic"
READ = "GET /api/operation"
WRITE = "POST /api/operation"
COMMIT = "GET /api/config/completed"
SITEMASTER = "GET /api/sitemaster"
RUN = "GET /api/sitemaster/run"
CHARGE = "GET /api/system_status/soe"
GRID = "GET /api/system_status/grid_status"
FAULTS = "GET /api/system_status/grid_faults"
METERS = "GET /api/meters/aggregates"
UPDATE = "GET /api/system/update/status"

READ_BY_THE_DAEMON = (STATUS, LOGIN, READ, SITEMASTER, CHARGE, GRID, FAULTS, METERS, UPDATE)
"""The calls whose bodies the daemon reads. Of the others only the status counts."""


class _Told(list[Event]):
    """Events, each kept in the journal of a state directory as well."""

    def __init__(self, canary: Canary, recorder: Recorder) -> None:
        super().__init__()
        self._canary = canary
        self._recorder = recorder

    def append(self, event: Event) -> None:
        super().append(event)
        self._canary.events.append(event)
        self._recorder.tell(event)


@dataclass(kw_only=True)
class Stage:
    """A bench that can be restarted with its memory, and every request on it with its instant."""

    bench: Bench
    canary: Canary
    asked: list[tuple[datetime, str]] = field(default_factory=list)

    @property
    def device(self) -> SimulatedGateway:
        """The gateway."""
        return self.bench.device

    def run(self, schedule: Schedule | None = None, *, on_drift: DriftPolicy = "yield") -> Run:
        """A loop on it, with the README's day unless there is another schedule."""
        run = Run(self.bench, schedule, on_drift=on_drift)
        self.canary.reports.append(run.reports)
        return run

    def count(self, call: str, *, since: datetime | None = None) -> int:
        """How often this was asked, since then."""
        return sum(1 for at, name in self.asked if name == call and (since is None or at >= since))

    def times(self, *calls: str) -> list[datetime]:
        """When one of these was asked; any call if none is named."""
        return [at for at, name in self.asked if not calls or name in calls]

    def bursts(self) -> list[datetime]:
        """When it began to ask after a pause of at least three seconds."""
        times = self.times()
        return [
            b
            for a, b in zip([None, *times], times, strict=False)
            if a is None or b - a >= timedelta(seconds=3)
        ]

    def trouble(
        self, *names: str, left: int | None = None, lasting: timedelta | None = None, **more: object
    ) -> None:
        """Let answers to these calls be spoiled; more is `Trouble`'s."""
        self.device.mischief.troubles.append(
            Trouble(
                names=frozenset(name.lower() for name in names) or None,
                left=left,
                until=None if lasting is None else self.bench.clock.now() + lasting,
                **{"kind": Kind.INSTEAD, **more},  # type: ignore[arg-type]
            )
        )

    def answers(
        self,
        status: int,
        *names: str,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
        left: int | None = None,
        lasting: timedelta | None = None,
    ) -> None:
        """Let these calls be answered so, and do nothing."""
        self.trouble(
            *names,
            left=left,
            lasting=lasting,
            answer=lambda _method, _now: Response(body, status, headers=headers),
        )

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        self.bench.scenario("behaves again")


def stage(
    canary: Canary,
    start: datetime | None = None,
    *,
    firmware: str = "1.45.2",
    username: str = "installer",
    password: str | Callable[[], str] | None = None,
) -> Stage:
    """A stage whose gateway is at self_consumption, reserve 20 % shown, and running; its memory is below the canary's folder."""
    clock = VirtualClock(start or local("12:00"))
    device = SimulatedGateway(
        now=clock.now, zone=LOS_ANGELES, personality=PERSONALITIES[firmware], serial=SERIAL
    )
    story: list[str] = []
    wire = Wire(device, story)
    memory = Memory(canary.folder / "state", [], clock.now)
    journal = memory.open_journal()
    assert journal is not None
    canary.at_end.append(journal.close)
    events = _Told(canary, Recorder(journal, lambda: LOS_ANGELES, memory.failed))
    memory.listen(events.append)
    default = (
        device.sessions.installer_password if username == "installer" else device.sessions.customer_password
    )

    def new_gateway() -> LocalGateway:
        given = password() if callable(password) else password
        return LocalGateway(
            Endpoint(host="gateway", server_name="powerwall", fingerprint=bytes(32)),
            Credentials(username=username, password=given or default, email=EMAIL),
            ledger=memory.logins,
            note=memory.note,
            now=clock.now,
            transport=wire,
        )

    gateway, marks = new_gateway(), Marks(story)
    it = Stage(
        bench=Bench(
            clock=clock,
            device=device,
            wire=wire,
            gateway=gateway,
            marks=marks,
            session=Session(gateway, clock, marks, events.append),
            story=story,
            events=events,
            _new_gateway=new_gateway,
        ),
        canary=canary,
    )
    wire.then = lambda call: it.asked.append((clock.now(), call))
    return it


def obeyed_since(device: SimulatedGateway, mode: str, *, after: datetime) -> datetime:
    """The instant after ``after`` from which on the battery went by this mode, by the gateway's own record, and ran."""
    history = [(at, setting) for at, setting in device.history if at >= after]
    return next(at for at, setting in history if setting.mode == mode and setting.running)


def gaps_s(times: Iterable[datetime]) -> list[float]:
    """Seconds between one and the next."""
    times = list(times)
    return [(b - a).total_seconds() for a, b in itertools.pairwise(times)]
