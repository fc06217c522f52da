"""One switch of a daemon, with a fault at any of its requests and its process killed at any of its steps. No tests here.

The client is the real one, and so is the loop; what fails is what is sent and what comes back. Time is the loop's own, so that
a call that nobody answers lasts as long as it may. What must be true of every such switch is in `broken_promises.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import httpx
from bench import Bench, bench, local, readme_schedule
from days import Kind, Run
from dying import Killed, Steps
from faults import COMMIT, LOGIN, READ, RUN, WRITE
from virtual_loop import LoopClock

from scheduler.control.ports import MAY_HAVE_STOPPED, UNCOMMITTED
from scheduler.model.events import FoundStopped, GatewayLost, PersonNeeded
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.plan.rules import Schedule, Window
from scheduler.simulator.device import SimulatedGateway

DESIRED = Setpoint(mode="backup", reserve_percent=90)
DESIRED_RAW = ("backup", 90.5)
"""What the battery must go by in the end, in the gateway's own scale."""

BEFORE_RAW = ("self_consumption", 24.0)
CLAMPED_RAW = ("backup", 81.0)
BEGINS = local("22:10")
DEAD_FOR_S = 2.0
"""How long after a kill the next process begins: what the unit of systemd says."""

NEVER_ANSWERED_S = 3600.0
LATE_S = 12.0
"""When a request arrives whose client has hung up: later than the deadline of a call."""

JUDGED_S = 200.0
"""After so long the meters were looked at twice, and have contradicted if they ever do."""

LONGEST_S = 900.0
"""A scene that is not over so long after the last fault never will be: what lasts longer is a pause of an hour."""

Obey = Callable[[], Awaitable[httpx.Response]]
Spoil = Callable[[SimulatedGateway, Obey], Awaitable[httpx.Response]]
"""What becomes of one request, by the gateway and by what lets it obey."""


def _instead(status: int, **headers: str) -> Spoil:
    """Nothing is done, and this is answered."""

    async def spoil(_device: SimulatedGateway, _obey: Obey) -> httpx.Response:
        return httpx.Response(status, headers=headers)

    return spoil


def _lost(error: httpx.HTTPError, *, obeyed: bool) -> Spoil:
    """The connection ends in an error, after it was done or without."""

    async def spoil(_device: SimulatedGateway, obey: Obey) -> httpx.Response:
        if obeyed:
            await obey()
        raise error

    return spoil


def _silent(*, obeyed: bool, late: bool = False) -> Spoil:
    """No answer ever comes; it is done at once, or when the client has hung up, or not at all."""

    async def spoil(_device: SimulatedGateway, obey: Obey) -> httpx.Response:
        if obeyed:
            await obey()
        if late:
            arriving = asyncio.create_task(_after(LATE_S, obey))
            _ARRIVING.add(arriving)
            arriving.add_done_callback(_ARRIVING.discard)
        await asyncio.sleep(NEVER_ANSWERED_S)
        raise AssertionError("nobody waits so long for an answer")

    return spoil


_ARRIVING: set[asyncio.Task[None]] = set()
"""Requests on their way: the event loop alone would forget them."""


async def _after(seconds: float, obey: Obey) -> None:
    await asyncio.sleep(seconds)
    await obey()


def _says(body: Callable[[bytes], bytes]) -> Spoil:
    """It is done, and the answer has another body."""

    async def spoil(_device: SimulatedGateway, obey: Obey) -> httpx.Response:
        answer = await obey()
        return httpx.Response(answer.status_code, content=body(await answer.aread()))

    return spoil


def _odd(name: str, value: object) -> Spoil:
    """The gateway has a habit of its mischief while it does this one thing."""

    async def spoil(device: SimulatedGateway, obey: Obey) -> httpx.Response:
        before = getattr(device.mischief, name)
        setattr(device.mischief, name, value)
        try:
            return await obey()
        finally:
            setattr(device.mischief, name, before)

    return spoil


def _applied_after(seconds: float) -> Spoil:
    """It is answered at once with 200, and done so much later."""

    async def spoil(_device: SimulatedGateway, obey: Obey) -> httpx.Response:
        arriving = asyncio.create_task(_after(seconds, obey))
        _ARRIVING.add(arriving)
        arriving.add_done_callback(_ARRIVING.discard)
        return httpx.Response(200, content=b"{}")

    return spoil


ANY: dict[str, Spoil] = {
    "obeyed, and the answer is lost": _lost(httpx.RemoteProtocolError("lost"), obeyed=True),
    "obeyed, and never answered": _silent(obeyed=True),
    "obeyed late, and never answered": _silent(obeyed=False, late=True),
    "obeyed, and answered with nonsense": _says(lambda _body: b"<html>Powerwall</html>"),
    "obeyed, and the JSON is cut": _says(lambda body: body[: len(body) // 2]),
    "no connection": _lost(httpx.ConnectError("refused"), obeyed=False),
    "reset": _lost(httpx.ReadError("reset"), obeyed=False),
    "never answered": _silent(obeyed=False),
    "500": _instead(500),
    "502": _instead(502),
    "503": _instead(503),
    "401": _instead(401),
    "403": _instead(403),
    "404": _instead(404),
    "429": _instead(429),
    "302": _instead(302, location="http://192.0.2.1/"),
}
"""What can become of any request."""

CLAMPED = "200, and clamped"
VOID = "200, and not put in force"
PREVIOUS = "200, and the previous one is put in force"
SPECIAL: dict[str, dict[str, Spoil]] = {
    WRITE: {
        "200, and not applied": _odd("writes_to_ignore", 1),
        CLAMPED: _odd("clamps", value=True),
        "200, and applied after 3 s": _applied_after(3.0),
        "200, and applied after 30 s": _applied_after(30.0),
    },
    COMMIT: {
        VOID: _instead(200),
        PREVIOUS: _odd("one_step_late", value=True),
        "200, and in force after 30 s": _applied_after(30.0),
    },
    RUN: {
        "200, and not started": _odd("runs_to_forget", 1),
        "200, and started after 3 s": _applied_after(3.0),
    },
}
"""What else can become of these."""

UNSEEN = frozenset({VOID, PREVIOUS, "200, and applied after 3 s"})
"""What reads back as desired while the battery goes by something else: only the meters tell, and a person is told."""

LATCHING = frozenset({"403", "404", "302"})
"""What may mean that a person must act: it is told, and tried again within the hour."""


def outcomes(call: str) -> dict[str, Spoil]:
    """What can become of this request."""
    return {**ANY, **SPECIAL.get(call, {})}


@dataclass(slots=True)
class Asked:
    """One request: when it was sent and its end was known, in which process, and what came back.

    ``seen`` is the status, None where no answer came, and ``ended`` the same instant as ``at`` until its end is known.
    ``may_be_stopped`` and ``may_lack_commit`` were noted at the time. ``says`` is what was sent or, for a reading, what came back.
    """

    call: str
    at: datetime
    life: int
    ended: datetime
    may_be_stopped: bool
    may_lack_commit: bool
    spoilt: str | None = None
    seen: int | None = None
    says: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """Who logs in where, and what the daemon can come to there.

    ``refused`` is a part of the sentence that a person is told where nothing can be switched. ``obeys_late``: a commit puts in
    force what the one before it should have, so that after a fault the meters may have to tell.
    """

    firmware: str
    username: str = "installer"
    refused: str | None = None
    obeys_late: bool = False

    def __str__(self) -> str:
        return f"{self.username} on {self.firmware}"


@dataclass(kw_only=True)
class Scene:
    """What happened in one switch: faults by the number of the request, kills by the number of the step, both from 1 on."""

    home: Home
    faults: Mapping[int, str]
    kills: frozenset[int]
    bench: Bench
    asked: list[Asked] = field(default_factory=list)
    struck: list[Asked] = field(default_factory=list)
    killed: list[datetime] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    trouble: str | None = None
    record: SwitchRecord | None = None

    @property
    def healed(self) -> datetime:
        """When the last of all this was over."""
        return max([BEGINS, *self.killed, *(it.ended for it in self.struck)])

    @property
    def verdict(self) -> Verdict | None:
        """What the switch came to last."""
        return None if self.record is None else self.record.verdict

    @property
    def is_latched(self) -> bool:
        """Whether the status says at the end what a person must do, and this was told."""
        told = [
            event
            for event in self.bench.events
            if isinstance(event, PersonNeeded | GatewayLost | FoundStopped)
        ]
        return self.trouble is not None and bool(told) and isinstance(told[-1], PersonNeeded)

    def told(self, kind: type[Kind]) -> list[Kind]:
        """The events of one kind."""
        return [event for event in self.bench.events if isinstance(event, kind)]

    def struck_by(self, names: Collection[str]) -> bool:
        """Whether any of these faults was met."""
        return any(it.spoilt in names for it in self.struck)

    def __str__(self) -> str:
        faults = [f"request {n} ({self._call(n)}): {what}" for n, what in self.faults.items()]
        kills = [
            f"killed at step {n} ({self.steps[n - 1] if n <= len(self.steps) else '-'})" for n in self.kills
        ]
        return f"{self.home}: {'; '.join([*faults, *kills]) or 'nothing'}"

    def _call(self, number: int) -> str:
        return self.asked[number - 1].call if number <= len(self.asked) else "-"


class _Worse:
    """Stands between the client and the gateway, spoils requests as the scene says, and keeps a list of all."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._send = scene.bench.wire.handle_async_request
        scene.bench.wire.handle_async_request = self._request  # type: ignore[method-assign]  # the same, made worse

    async def _request(self, request: httpx.Request) -> httpx.Response:
        scene, clock = self._scene, self._scene.bench.clock
        call = f"{request.method} {request.url.path}"
        now, marks = clock.now(), scene.bench.marks
        it = Asked(call, now, len(scene.killed), now, MAY_HAVE_STOPPED in marks, UNCOMMITTED in marks)
        scene.asked.append(it)
        if call in {WRITE, LOGIN}:
            it.says = request.content
        what = scene.faults.get(len(scene.asked))
        spoil = outcomes(call).get(what or "")
        try:
            if spoil is None:
                answer = await self._send(request)
            else:
                it.spoilt = what
                scene.struck.append(it)
                answer = await spoil(scene.bench.device, lambda: self._send(request))
            it.seen = answer.status_code
            if call == READ:
                it.says = await answer.aread()
            return answer
        finally:
            it.ended = clock.now()


def only(setpoint: Setpoint) -> Schedule:
    """A schedule that asks for this all day long."""
    return replace(readme_schedule(), rules=(Window(name="Always", line=9, setpoint=setpoint),))


SCHEDULE = only(DESIRED)


async def play(
    home: Home,
    faults: Mapping[int, str],
    kills: frozenset[int] = frozenset(),
    *,
    longest_s: float = LONGEST_S,
) -> Scene:
    """A switch from a start of the daemon on, until it is proven or cannot be any more."""
    asyncio.get_running_loop().set_exception_handler(lambda *_: None)  # a killed task is missed by nobody
    b = bench(BEGINS, firmware=home.firmware, username=home.username, clock=LoopClock(BEGINS))
    scene = Scene(home=home, faults=faults, kills=kills, bench=b)
    over = False
    _Worse(scene)
    steps = Steps(b, lambda number, _: over or number in kills)
    scene.steps = steps.taken
    longest = timedelta(seconds=longest_s)
    while not over:
        run = Run(b, SCHEDULE)
        process = asyncio.create_task(run.loop.run(asyncio.Event()))
        while not process.done() and not over:
            await asyncio.wait({process}, timeout=5.0)
            over = not process.done() and (b.clock.now() - scene.healed >= longest or _is_over(scene, run))
        if over:
            process.cancel()
        with suppress(Killed, asyncio.CancelledError):
            await process
        if not over:
            scene.killed.append(b.clock.now())
            await steps.stay_dead(DEAD_FOR_S)
            b.restart()
            steps.begin()
    scene.trouble, scene.record = run.reports[-1].trouble, run.reports[-1].record
    b.device.now()
    return scene


def _is_over(scene: Scene, run: Run) -> bool:
    """Whether the switch is proven by the meters, or they contradict it for good, and nothing is owed."""
    b = scene.bench
    if b.marks or not run.reports or run.reports[-1].trouble is not None or run.reports[-1].record is None:
        return False
    record = run.reports[-1].record
    long_ago = b.clock.now() - max(record.at, scene.healed) > timedelta(seconds=JUDGED_S)
    return record.verdict in {Verdict.EFFECTIVE, Verdict.NOT_EFFECTIVE} or (
        record.verdict is Verdict.ALREADY and long_ago
    )
