"""The parts put together, in this process: what an edit may lead to."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from commands import run
from processes import PASSWORD, ROOT, eventually, site

from scheduler.app.daemon import Daemon
from scheduler.app.plug import connect
from scheduler.config.load import load
from scheduler.daemon.clock import FastClock, SystemClock
from scheduler.model.events import Event
from scheduler.store.lock import VISIT, Lock
from scheduler.store.memory import Memory


async def test_an_edit_during_the_demo_does_not_lead_to_the_house(tmp_path: Path) -> None:
    """The demo runs by a clock of its own: whatever the file says by then, its gateway stays the simulated one."""
    file = tmp_path / "tou.yaml"
    file.write_text((ROOT / "config" / "tou.yaml").read_text())
    loaded = load(file, environ={}, secret_directories=[])
    configuration = replace(loaded, gateway=replace(loaded.gateway, type="simulated"))
    told: list[Event] = []
    answered, prepared = asyncio.Event(), asyncio.Event()

    def tell(event: Event) -> None:
        told.append(event)
        if event.name in {"plan", "plan_rejected"}:
            answered.set()

    clock = FastClock(datetime(2026, 7, 1, 19, tzinfo=UTC), 60)
    daemon = Daemon(configuration, tmp_path / "state", [tell], clock)
    running = asyncio.create_task(daemon.run(prepare=lambda _: prepared.set()))
    await prepared.wait()
    await asyncio.sleep(0)
    file.write_text(file.read_text().replace("reserve: 100", "reserve: 70"))
    daemon.reload()
    await answered.wait()
    daemon.stop.set()
    await running

    # A real gateway would have been refused: there is no certificate of it.
    assert [event.name for event in told if event.name.startswith("plan")] == ["plan"]


async def test_an_edit_while_a_visit_is_waited_for_is_taken_up(tmp_path: Path) -> None:
    """What is edited after the file was read, and before the daemon owns its memory, is in force soon after the start."""
    file = tmp_path / "tou.yaml"
    file.write_text((ROOT / "config" / "tou.yaml").read_text().replace("type: local ", "type: simulated "))
    told: list[Event] = []
    (tmp_path / "state").mkdir()
    with Lock(tmp_path / "state" / "lock", VISIT):
        configuration = load(file, environ={}, secret_directories=[])
        daemon = Daemon(configuration, tmp_path / "state", [told.append], SystemClock())
        running = asyncio.create_task(daemon.run())
        await asyncio.sleep(0.1)
        file.write_text(file.read_text().replace("reserve: 100", "reserve: 70"))
        waiting = list(told)
    while "plan" not in [event.name for event in told]:
        await asyncio.sleep(0.05)
    daemon.stop.set()
    await running

    assert waiting == []


async def test_a_reload_while_a_visit_is_waited_for_is_not_lost(tmp_path: Path) -> None:
    """SIGHUP in that time is obeyed as soon as the daemon runs: a file that is broken by then is told at once."""
    file = tmp_path / "tou.yaml"
    file.write_text((ROOT / "config" / "tou.yaml").read_text().replace("type: local ", "type: simulated "))
    told: list[Event] = []
    (tmp_path / "state").mkdir()
    with Lock(tmp_path / "state" / "lock", VISIT):
        configuration = load(file, environ={}, secret_directories=[])
        daemon = Daemon(configuration, tmp_path / "state", [told.append], SystemClock())
        running = asyncio.create_task(daemon.run())
        await asyncio.sleep(0.1)
        file.write_text("version: 1")
        daemon.reload()
    while "plan_rejected" not in [event.name for event in told]:
        await asyncio.sleep(0.05)
    names = [event.name for event in told]
    daemon.stop.set()
    await running

    assert names[0] == "started"


def test_a_dry_run_leaves_no_trace_in_the_memory_of_the_house(tmp_path: Path) -> None:
    """Three dry runs use up no login budget, write no history and leave no mark for the real gateway of that directory."""
    text = (ROOT / "config" / "tou.yaml").read_text()
    (tmp_path / "dry.yaml").write_text(text.replace("type: local ", "type: simulated "))
    for _ in range(4):  # one more than the login budget of a real gateway
        result = run("once", "--config", "dry.yaml", "--state-dir", "state", cwd=tmp_path)
        assert result.returncode == 0, result.stdout + result.stderr

    assert not (tmp_path / "state" / "logins.json").exists()
    assert not (tmp_path / "state" / "marker.json").exists()
    said = run("history", "--state-dir", "state", cwd=tmp_path).stdout
    assert "no switch has been recorded in" in said
    assert "those of a simulated gateway are shown with --state-dir state/simulated" in said
    dry = run("history", "--state-dir", "state/simulated", "--json", cwd=tmp_path)
    assert len(json.loads(dry.stdout)) == 4


def test_the_kind_of_gateway_does_not_change_under_a_running_daemon(tmp_path: Path) -> None:
    """Each kind has its own memory, so that an edit of `type` is refused until the next start."""
    with site(tmp_path) as home, home.daemon():
        home.edit("type: local ", "type: simulated ")

        eventually(lambda: "plan_rejected" in [line["event"] for line in home.log])
        assert "restart" in [line for line in home.log if line["event"] == "plan_rejected"][-1]["message"]


class Set(SystemClock):
    """The machine's clock, set forward by hand."""

    ahead = timedelta(0)

    def now(self) -> datetime:
        """As it was set."""
        return super().now() + self.ahead


async def test_t2_i9_the_client_of_a_configuration_goes_by_the_clock_that_nobody_sets(tmp_path: Path) -> None:
    """A silence that it knows of does not end because the clock is set forward while it lasts."""
    with site(tmp_path) as home:
        configuration = load(home.configuration, environ={"TOU_GATEWAY__PASSWORD": PASSWORD})
        clock = Set()
        memory = Memory(tmp_path, [], clock.now)
        until = (clock.now() + timedelta(minutes=5)).isoformat()
        at = f"{configuration.gateway.host}:{configuration.gateway.port}"
        memory.note.save({"salt": "5a" * 16, "silence": {"at": at, "until": until, "lasts_s": 300}})
        async with AsyncExitStack() as stack:
            gateway = await connect(configuration, memory, clock, stack)
            before = gateway.silence_s
            clock.ahead = timedelta(hours=25)
            after = gateway.silence_s

    assert 290 < after <= before <= 300
