"""The world of one rehearsal: a gateway, a disk, clocks and alarms, and one process of the program after the other in it.

What goes wrong in it is decided by a script (`swarm.py`), what came of it is in its `Record`.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from random import Random

from scheduler.app.rehearsal.aim import HOLD, Aim
from scheduler.app.rehearsal.course import HEALED_S, STARTED_S
from scheduler.app.rehearsal.facts import LOGIN, READ, Exchange, Facts
from scheduler.app.rehearsal.hours import Alarms, Hours
from scheduler.app.rehearsal.leaps import Ahead, Leaps
from scheduler.app.rehearsal.person import Person
from scheduler.app.rehearsal.plans import Plans
from scheduler.app.rehearsal.process import Disk, DiskLedger, DiskMarks, DiskNote, Killed, Steps
from scheduler.app.rehearsal.record import Record
from scheduler.app.rehearsal.setting import Setting
from scheduler.app.rehearsal.virtual import RehearsalClock, grained
from scheduler.control.loop import Loop
from scheduler.gateway.inside import Inside, Reply
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.clock import Kept
from scheduler.model.events import Event, InstallStarted
from scheduler.model.status import Status
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.inside import Answerer
from scheduler.simulator.usecases import UseCases

COARSE = timedelta(hours=1)
"""The step of the house: its flows only matter to a look at the meters."""

DEAD_S = (2.0, 2.0, 5.0, 15.0, 60.0, 300.0, 600.0)
"""How long it may take until a killed process is followed by another; systemd takes the first."""

RETURNED_S = 240.0
"""So soon after an install that we asked for the gateway is back all must be well: it starts up meanwhile."""

NOTICED = timedelta(seconds=2)
"""A clock that is set by less was not set."""

DEVICE = "rehearsal"


class World:
    """One rehearsal. Made in the virtual loop that it runs in."""

    def __init__(self, setting: Setting, plans: Plans, random: Random) -> None:
        self._setting = setting
        self._loop = asyncio.get_running_loop()
        self._random = random
        self._plans = plans
        self.clock = RehearsalClock(setting.start)
        self.clock.leap = self._leap
        self.device = SimulatedGateway(now=self.clock.true, personality=setting.personality, zone=plans.zone)
        self.device.house.step = COARSE
        self.device.mischief.starts_slowly = self.device.mischief.stops_slowly = True
        self.usecases = UseCases(self.device)
        self._answerer = Answerer(self.device)
        self.steps = Steps(self._died)
        self._disk = Disk(self.steps)
        # The check of 8 bits goes by a salt, and a rehearsal by nothing that is drawn anew.
        self._disk.files["gateway"] = {"salt": bytes(16).hex()}
        self._credentials = setting.credentials(self.device)
        self.facts = Facts(
            start=setting.start,
            mode=self.device.obeyed.mode,
            raw_percent=self.device.obeyed.reserve_raw_percent,
            wishes=plans.wishes(),
            cannot_tell=setting.firmware in {"1.15", "1.21"},
            commits_twice=setting.personality.one_step_late,
            secrets=(self._credentials.password or "",),
            digests=[plans.policy.digest],
        )
        self.record = Record(self.device, self.facts)
        self.course = self.record.course
        self.counts = self.record.counts
        self._leaps = Leaps(self.facts, every_tick=setting.every_tick, drops_alarms=setting.drops_alarms)
        self.hours = Hours(self.clock, setting.seconds)
        self._aim = Aim(
            plans,
            self.device,
            self.record,
            self._disk,
            clock=self.clock,
            hours=self.hours,
            can_switch=setting.can_switch,
            rings=not setting.drops_alarms,
        )
        self._alarms = Alarms(self.clock, self.hours, dropped=setting.drops_alarms)
        self._marks = DiskMarks(self._disk, self.clock.now)
        self._program: Loop | None = None
        self.person = self._somebody()
        self._running: asyncio.Task[object] | None = None
        self._stop = asyncio.Event()
        self._dead_s = DEAD_S[0]

    def _somebody(self) -> Person:
        return Person(
            self._plans,
            self._aim,
            self.record,
            self.usecases,
            clock=self.clock,
            hours=self.hours,
            disk=self._disk,
            device=DEVICE,
            program=lambda: self._program,
        )

    @property
    def now_s(self) -> float:
        """Seconds since the rehearsal began."""
        return self._loop.time()

    # What a script does.

    def log(self, what: str) -> None:
        """Write a line of the trace."""
        self.record.log(what, self.now_s)

    def kill(self) -> None:
        """Kill the process of the moment, wherever it is."""
        if not self.steps.dead and self._running is not None:
            self.steps.kill("at rest, or while it waits")
            self._running.cancel()

    def restart(self) -> None:
        """Tell the process of the moment to stop."""
        self._stop.set()

    def keep_clock(self, *, kept: bool) -> None:
        """Let the system say that it keeps this machine's clock right, or that it does not."""
        self.clock.said = Kept(synchronised=kept)
        if kept:
            self.facts.trusted = True
            self.course.excuse(self.now_s + HEALED_S)

    def step_clock(self, by: timedelta, *, kept: bool) -> None:
        """Let this machine's clock be wrong by so much, from now on and in all; ``kept``: the system stands by it."""
        self._look()
        self.keep_clock(kept=kept)
        # Who sets it to and fro between two looks of the program sets nothing.
        if not kept and abs(by - self.clock.seen_step) > NOTICED:
            self.facts.trusted = False
        self.facts.stepped_s = self.now_s
        self.clock.step = by
        self._aim.take()
        self._alarms.aim()

    def break_disk(self, *, broken: bool) -> None:
        """Let the disk take nothing from now on, or again."""
        self._disk.broken = self.facts.forgets = broken
        self.facts.forgot_s = self.now_s

    # The life of the processes.

    async def live(self) -> None:
        """Until the end; one process after the other."""
        ends_s = self._setting.seconds
        self._aim.take()
        self.hours.at(ends_s, self.restart)
        while self.now_s < ends_s:
            self._stop.clear()
            self._dead_s = DEAD_S[0]
            self._begin()
            await self._run()
            if self.now_s < ends_s:
                self.course.excuse(self.now_s + self._dead_s + STARTED_S)
                await asyncio.sleep(grained(self._dead_s))
        self._look()

    def _begin(self) -> None:
        facts, clock, disk = self.facts, self.clock, self._disk
        self.log("begins")
        self.counts["processes"] += 1
        self.steps.begin()
        self._leaps.begin()
        facts.process += 1
        facts.began_s = self.now_s
        if facts.forgets:
            facts.forgot_s = self.now_s
        facts.owed = self._marks = DiskMarks(disk, clock.now)
        gateway = LocalGateway(
            Endpoint(host=DEVICE, server_name="powerwall", fingerprint=bytes(32)),
            self._credentials,
            ledger=DiskLedger(disk),
            now=clock.now,
            monotonic=clock.monotonic,
            note=DiskNote(disk, "gateway"),
            line=Inside(self._ask),
        )
        self._program = Loop(
            self._plans.policy,
            gateway,
            clock=clock,
            marks=self._marks,
            note=DiskNote(disk, "moments"),
            tell=self._tell,
            arm=self._alarms.arm,
            report=self._report,
            jitter=lambda: self._random.randrange(64) / 64,
            device=DEVICE,
            hold=lambda: disk.files.get(HOLD),
            compiled=self._plans.agenda,
        )
        self._alarms.wake = self._program.wake

    async def _run(self) -> None:
        program = self._program
        assert program is not None  # noqa: S101 - for the type
        self._running = asyncio.create_task(program.run(self._stop), name="program")
        try:
            with suppress(Killed):
                await self._running
        except asyncio.CancelledError:
            if not self.steps.dead:
                raise
        except Exception as error:  # noqa: BLE001 - whatever ends the program is what is looked for
            sentence = "the program does not end by an error of its own"
            self.record.jury.charge("P0", sentence, f"{type(error).__name__}: {error}")
        self._alarms.disarm()
        self._running = None

    def _died(self) -> None:
        """The process of the moment is dead from now on: until the next one has begun everything is excused."""
        self.counts["killed"] += 1
        self.log("killed")
        self._dead_s = self._random.choice(DEAD_S)
        self._look()
        self.course.excuse(self.now_s + self._dead_s + STARTED_S)
        self.facts.fault_s = self.facts.died_s = self.now_s

    def _look(self) -> None:
        self.record.look_at_battery()
        self.course.reach(self.now_s)

    # What the program sees of the world.

    async def _ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        name = f"{method} {path.partition('?')[0]}"
        self.steps.take(f"before {name}")
        now_s = self.now_s
        token = "authorization" in headers
        exchange = Exchange(at_s=now_s, name=name, body=body, with_token=token, process=self.facts.process)
        self.record.sent(exchange)
        try:
            exchange.status, said, exchange.answer = await self._answerer.ask(method, path, headers, body)
            if exchange.status == 429:  # noqa: PLR2004 - too many
                exchange.retry_after = dict(said).get(b"retry-after", b"").decode()
        finally:
            self.record.over(exchange, self.now_s)
            if name == LOGIN:
                self.course.login(exchange.status, self.now_s)
        if name == READ:
            self._leaps.read(self.now_s)
        self.steps.answered(exchange)
        self.steps.take(f"after {name}")
        return exchange.status, said, exchange.answer

    def _tell(self, event: Event) -> None:
        self._leaps.told(event)
        if isinstance(event, InstallStarted):
            mischief = self.device.mischief
            lasts = mischief.install_begins_after + mischief.install_lasts
            self.course.excuse(self.now_s + lasts.total_seconds() + RETURNED_S)
        self.record.told(event, self.now_s)

    def _report(self, status: Status) -> None:
        if status.trouble is not None:
            self._aim.excuse_budget(self._disk.files.get("logins", ()))
        self.record.shown(status, self.now_s, can_switch=self._setting.can_switch)
        self._leaps.shown(status, self.now_s)

    def _leap(self, seconds: float) -> float:
        self.steps.rest()
        looked = self._leaps.looked
        conditional = self._plans.conditional  # what an `if` asks changes by itself
        if self._program is None or looked is None or conditional:
            return seconds
        now_s = self.now_s
        # While the clock is not trusted nothing is switched.
        ready_s = self._program.ready_s if self.facts.trusted else math.inf
        ahead = Ahead(
            happens_s=min(self._aim.next_happening_s(looked), ready_s) - now_s,
            rings_s=self._alarms.next_s - now_s,
            expires_s=self._aim.next_expiry_s() - now_s,
            due_s=self._program.due_s - now_s,
            look_s=self._plans.policy.verify_s,
        )
        return self._leaps.length_s(seconds, now_s, ahead, self._marks)
