"""A test bench: the real client on the simulated gateway in this process, on a clock that passes when slept on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
from clockwork import VirtualClock

from scheduler.control.session import Session
from scheduler.control.switch import Order, Procedure
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.note import NoNote
from scheduler.gateway.pin import Endpoint
from scheduler.model.events import Event
from scheduler.model.setpoint import Setpoint
from scheduler.plan.calendar import DayFilter, Hours, WeekDays
from scheduler.plan.rules import MomentRule, Relative, Schedule, When, Window
from scheduler.plan.tariff import Period, Tariff
from scheduler.simulator.api import application
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.personality import PERSONALITIES
from scheduler.simulator.scenario import apply_scenario

LOS_ANGELES = ZoneInfo("America/Los_Angeles")
MINUTE = timedelta(minutes=1)
BY_DAY = Setpoint(mode="self_consumption", reserve_percent=5)
BY_NIGHT = Setpoint(mode="backup", reserve_percent=100)


def local(text: str) -> datetime:
    """A time of day on a summer Wednesday in Los Angeles, or a whole local date and time."""
    return datetime.fromisoformat(text if "T" in text else f"2026-07-01T{text}").replace(tzinfo=LOS_ANGELES)


class Marks(set[str]):
    """Marks in memory, with everything that happened to them in ``story``; ``now`` tells when they are noted."""

    kept = True
    unread = False

    def __init__(self, story: list[str], now: Callable[[], datetime | None] = lambda: None) -> None:
        super().__init__()
        self.story = story
        self._now = now
        self._noted: dict[str, datetime | None] = {}

    def note(self, mark: str) -> None:
        """Note it."""
        self.story.append(f"note {mark}")
        self.add(mark)
        self._noted[mark] = self._now()

    def noted_at(self, mark: str) -> datetime | None:
        """When it was noted last."""
        return self._noted.get(mark)

    def clear(self, mark: str) -> None:  # type: ignore[override]  # the port's word
        """Forget it."""
        self.story.append(f"clear {mark}")
        self.discard(mark)


class Moments(NoNote):
    """A note of moments that is kept, as long as ``kept`` says so."""

    kept = True


class Ledger:
    """A login ledger in memory."""

    def __init__(self) -> None:
        self.instants: list[datetime] = []

    def load(self) -> list[datetime]:
        """All that is known."""
        return list(self.instants)

    def save(self, instants: list[datetime]) -> None:
        """Keep these."""
        self.instants = list(instants)


class Wire(httpx.AsyncBaseTransport):
    """Takes requests to the simulated gateway, notes each in ``story``, and breaks where told to.

    ``breaks`` maps ``METHOD path`` to the error to raise instead of an answer; ``late`` breaks after the gateway has acted;
    ``hangs`` holds those that are never answered; ``answers`` holds answers to give in the gateway's stead, ``first_answers`` those that are given once each; ``then`` is
    told of each request before it is answered.
    """

    def __init__(self, device: SimulatedGateway, story: list[str]) -> None:
        self._inner = httpx.ASGITransport(application(device))
        self._device = device
        self._story = story
        self.breaks: dict[str, Exception] = {}
        self.late: dict[str, Exception] = {}
        self.hangs: set[str] = set()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.first_answers: dict[str, list[tuple[int, bytes]]] = {}
        self.then: Callable[[str], None] = lambda _: None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One request."""
        call = f"{request.method} {request.url.path}"
        self._story.append(call)
        if self._device.offline:
            raise httpx.ConnectError("nobody answers")
        self.then(call)
        if call in self.hangs:
            await asyncio.Event().wait()
        if call in self.breaks:
            raise self.breaks[call]
        answer = self.first_answers[call].pop(0) if self.first_answers.get(call) else self.answers.get(call)
        if answer is not None:
            return httpx.Response(answer[0], content=answer[1])
        response = await self._inner.handle_async_request(request)
        if call in self.late:
            raise self.late[call]
        return response


@dataclass
class Bench:
    """Everything between a switch and a house, real but for the wire and the time."""

    clock: VirtualClock
    device: SimulatedGateway
    wire: Wire
    gateway: LocalGateway
    marks: Marks
    session: Session
    story: list[str]
    events: list[Event] = field(default_factory=list)
    moments: Moments = field(default_factory=Moments)
    ledger: Ledger = field(default_factory=Ledger)
    note: NoNote = field(default_factory=NoNote)

    def procedure(self, desired: Setpoint, *, until: datetime | None = None) -> Procedure:
        """A switch to ``desired``, due now."""
        now = self.clock.now()
        order = Order(desired=desired, boundary=now, until=until or now + timedelta(hours=4), rules=("Test",))
        return Procedure(
            order, gateway=self.gateway, session=self.session, clock=self.clock, marks=self.marks
        )

    def scenario(self, sentence: str) -> None:
        """Let something happen to the gateway."""
        apply_scenario(self.device, sentence)

    def restart(self) -> None:
        """Lose everything that lives in the process; the marks, the login ledger and the notes live on disk."""
        self.gateway = self._new_gateway()
        self.session = Session(self.gateway, self.clock, self.marks, self.events.append)

    _new_gateway: Callable[[], LocalGateway] = field(default=lambda: None)  # type: ignore[assignment, return-value]


def bench(
    start: datetime | None = None,
    *,
    username: str = "installer",
    password: str | None = None,
    clock: VirtualClock | None = None,
    firmware: str = "1.45.2",
) -> Bench:
    """A bench whose gateway is at self_consumption, reserve 20 % shown, and running."""
    clock = clock or VirtualClock(start or local("12:00"))
    device = SimulatedGateway(now=clock.now, zone=LOS_ANGELES, personality=PERSONALITIES[firmware])
    story: list[str] = []
    wire = Wire(device, story)
    ledger, note = Ledger(), NoNote()
    default = (
        device.sessions.installer_password if username == "installer" else device.sessions.customer_password
    )

    def new_gateway() -> LocalGateway:
        return LocalGateway(
            Endpoint(host="gateway", server_name="powerwall", fingerprint=bytes(32)),
            Credentials(username=username, password=password or default, email="me@example.com"),
            ledger=ledger,
            now=clock.now,
            note=note,
            transport=wire,
        )

    events: list[Event] = []
    gateway = new_gateway()
    marks = Marks(story, clock.now)
    return Bench(
        clock=clock,
        device=device,
        wire=wire,
        gateway=gateway,
        marks=marks,
        session=Session(gateway, clock, marks, events.append),
        story=story,
        events=events,
        ledger=ledger,
        note=note,
        _new_gateway=new_gateway,
    )


def readme_schedule() -> Schedule:
    """The use case of the gateway's README on Southern California Edison's three periods."""
    return Schedule(
        zone=LOS_ANGELES,
        tariff=Tariff(
            periods=(
                Period(
                    name="on_peak",
                    line=1,
                    hours=(Hours(14 * 60, 20 * 60),),
                    on=DayFilter(days=WeekDays(weekdays=True)),
                    import_price=0.45,
                    export_price=0.04,
                ),
                Period(
                    name="off_peak",
                    line=2,
                    hours=(Hours(8 * 60, 22 * 60),),
                    import_price=0.28,
                    export_price=0.04,
                ),
                Period(
                    name="super_off_peak",
                    line=3,
                    hours=(Hours(22 * 60, 32 * 60),),
                    import_price=0.13,
                    export_price=0.04,
                ),
            )
        ),
        rules=(
            Window(
                name="Run the house from the battery",
                line=10,
                setpoint=BY_DAY,
                when=When(during=frozenset({"off_peak", "on_peak"})),
                early=5 * MINUTE,
                late=5 * MINUTE,
            ),
            Window(
                name="Refill at night",
                line=11,
                setpoint=BY_NIGHT,
                when=When(during=frozenset({"super_off_peak"})),
            ),
            MomentRule(
                name="Firmware before the day begins",
                line=12,
                at=Relative(offset=-45 * MINUTE, period="super_off_peak", edge="ends"),
                do="check_firmware",
                install=True,
                done_by=Relative(offset=-5 * MINUTE, period="super_off_peak", edge="ends"),
            ),
        ),
        default=Setpoint(mode="self_consumption", reserve_percent=20),
        default_line=20,
    )


def utc(text: str) -> datetime:
    """An instant in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
