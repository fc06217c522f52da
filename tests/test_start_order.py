"""The order of a start: the lock before all that is kept, the certificate before any request, and ready last of all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from beside import Gateway, gateway
from processes import ROOT

from scheduler.app import plug, stay
from scheduler.app.daemon import Daemon
from scheduler.app.pulse import Pulse
from scheduler.app.stay import Standby
from scheduler.config.configuration import Configuration
from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.daemon.clock import SystemClock
from scheduler.daemon.reload import Contents
from scheduler.gateway.local import LocalGateway
from scheduler.model.errors import StoreError
from scheduler.model.events import Event
from scheduler.model.status import Status
from scheduler.store import durable, memory
from scheduler.store.lock import Held, Lock

SHIPPED = (ROOT / "config" / "tou.yaml").read_text()
BROKEN = "version: 1"
PASSWORD = "ST123456789"


class Noted(Pulse):
    """The pulse of a daemon, noting its first completed cycle."""

    def __init__(self, clock: SystemClock, story: list[str]) -> None:
        super().__init__(clock, lambda _: None)
        self._story = story

    def cycle(self, status: Status, zone: tzinfo) -> None:
        """Note it."""
        self._story.append("ready")
        super().cycle(status, zone)


class Start:
    """A daemon that stays up, in this process, whose file is broken; what it told, and the steps of its start."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.state.mkdir()
        self.file = folder / "tou.yaml"
        self.file.write_text(BROKEN)
        self.story: list[str] = []
        self.told: list[Event] = []
        self.stop = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[asyncio.Task[Any]]:
        """Run it for the block."""
        clock = SystemClock()

        def make(configuration: Configuration, problem: str | None, seen: Contents) -> Daemon:
            return Daemon(
                configuration,
                self.state,
                [self.told.append],
                clock,
                stop=self.stop,
                pulse=pulse,
                problem=problem,
                seen=seen,
            )

        with Noted(clock, self.story) as pulse:
            it = Standby(
                self.file,
                self.state,
                make,
                stop=self.stop,
                pulse=pulse,
                clock=clock,
                listeners=[self.told.append],
            )
            task = asyncio.create_task(it.run())
            try:
                yield task
            finally:
                self.stop.set()
                await asyncio.wait({task})

    async def tells(self, name: str) -> None:
        """Wait until an event of this name was told."""
        async with asyncio.timeout(20):
            while name not in [event.name for event in self.told]:
                await asyncio.sleep(0.01)

    def note(self, patch: pytest.MonkeyPatch, owner: Any, name: str, step: Callable[..., str | None]) -> None:
        """Have each call of this function in the story, by what ``step`` makes of its arguments."""
        original = getattr(owner, name)

        def noted(*what: Any, **more: Any) -> Any:
            word = step(*what)
            if word is not None and word not in self.story:
                self.story.append(word)
            return original(*what, **more)

        patch.setattr(owner, name, noted)


@pytest.fixture(name="at_home")
def _at_home(tmp_path: Path) -> Iterator[Gateway]:
    with gateway(tmp_path / "gateway") as it:
        yield it


async def test_p1_the_order_of_a_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_home: Gateway
) -> None:
    """After a crash and with a broken file: nothing that is kept is read before the lock is held, nothing is asked before the certificate is known, the battery is seen to before anything is switched, and only then is the daemon ready."""
    it = Start(tmp_path)
    at_home.ask(lambda device: device.stop())
    kept = SHIPPED.replace("host: powerwall ", f"host: {at_home.host} ").replace(
        "powerwall.pem", str(at_home.certificate)
    )
    (it.state / "configuration.yaml").write_text(kept)
    (it.state / "marker.json").write_text(json.dumps([MAY_HAVE_STOPPED]))
    monkeypatch.setenv("TOU_GATEWAY__PASSWORD", PASSWORD)
    files = {"configuration.yaml": "last good configuration", "marker.json": "marks"}
    it.note(monkeypatch, Lock, "__enter__", lambda *_: "lock")
    it.note(monkeypatch, durable, "read", lambda path, *_: files.get(path.name, path.name))
    it.note(monkeypatch, plug, "read_fingerprint", lambda *_: "certificate")
    for name, step in (("is_running", "sitemaster"), ("start", "run"), ("read", "reconcile")):
        it.note(monkeypatch, LocalGateway, name, lambda *_, step=step: step)

    async with it.running():
        async with asyncio.timeout(20):
            while "ready" not in it.story:
                await asyncio.sleep(0.01)

    order = ["lock", "last good configuration", "certificate", "sitemaster", "run", "reconcile", "ready"]
    assert [step for step in it.story if step in order] == order
    assert it.story[0] == "lock"
    assert it.story.index("marks") < it.story.index("certificate")


async def test_p9_a_second_daemon_touches_nothing_of_the_firsts(tmp_path: Path) -> None:
    """Whoever is refused the lock has put no file of its holder aside, however damaged it finds it, and told nothing."""
    it = Start(tmp_path)
    names = ("configuration.yaml", "marker.json", "status.json")
    for name in names:
        (it.state / name).mkdir()
    with Lock(it.state / "lock"):
        async with it.running() as task:
            with pytest.raises(Held):
                await task

    assert {path.name for path in it.state.iterdir()} == {"lock", *names}
    assert it.told == []


async def test_p5_a_last_good_plan_that_cannot_be_read_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a broken file and one read that fails no plan is in force; as soon as the read works, the kept one is, by itself."""
    it = Start(tmp_path)
    (it.state / "configuration.yaml").write_text(SHIPPED.replace("type: local ", "type: simulated "))
    read, broken = durable.read, [True]

    def reads(path: Path, *, follow: bool = True) -> bytes | None:
        if path.name == "configuration.yaml" and broken:
            raise StoreError(f"{path} could not be read: Input/output error")
        return read(path, follow=follow)

    monkeypatch.setattr(durable, "read", reads)
    monkeypatch.setattr(stay, "TICK_S", 0.05)
    monkeypatch.setattr(memory, "RETRY", timedelta(0))
    async with it.running():
        await it.tells("no_plan")
        broken.clear()
        await it.tells("switch")

    names = [event.name for event in it.told]
    assert names.count("no_plan") == 1
    assert names.index("memory_failed") < names.index("no_plan") < names.index("plan_rejected")
