"""One switch with everything around it: lock, memory, gateway, and an end when it is called off."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime, tzinfo
from pathlib import Path

from scheduler.app.installing import Installing, install_of
from scheduler.app.plug import connect, device_of
from scheduler.config.configuration import Configuration
from scheduler.control import once as control_once
from scheduler.control.agenda import Policy, agenda
from scheduler.control.calloff import unless_called_off
from scheduler.control.diary import Diary
from scheduler.control.ports import MAY_HAVE_STOPPED, Marks
from scheduler.control.told import Told
from scheduler.daemon.clock import SystemClock
from scheduler.model.errors import Refused
from scheduler.model.events import Switched
from scheduler.model.evidence import SwitchRecord
from scheduler.observe.record import Recorder
from scheduler.store import spare
from scheduler.store.lock import Lock
from scheduler.store.memory import Listener, Memory
from scheduler.store.note import Join, found_counts


def policy_of(configuration: Configuration) -> Policy:
    """The configuration as the loop needs it."""
    return Policy(
        schedule=configuration.schedule,
        on_drift=configuration.on_drift,
        verify_s=configuration.verify_every_s,
        digest=configuration.digest,
        trust_after_s=configuration.trust_after_s,
    )


def memory_of(
    configuration: Configuration,
    directory: Path,
    listeners: list[Listener],
    now: Callable[[], datetime],
    *,
    join: Join = found_counts,
) -> Memory:
    """What a state directory knows of the configuration's gateway, with the copy that lives in memory; ``join`` as `Memory` has it."""
    return Memory(
        directory,
        listeners,
        now,
        simulated=configuration.gateway.type == "simulated",
        join=join,
        shelter=spare.folder(os.environ),
    )


def keep_record(memory: Memory, stack: AsyncExitStack, zone: Callable[[], tzinfo]) -> None:
    """Have the journal keep what happens from now on, as soon as it can be used."""
    journal = memory.open_journal()
    stack.callback(journal.close)
    recorder = Recorder(journal, zone, memory.failed)
    memory.listen(recorder.tell)
    memory.retry_too(recorder.retry)


async def once(configuration: Configuration, directory: Path, *, stop: asyncio.Event) -> SwitchRecord:
    """Bring the gateway to what should be now; the evidence of it. ``stop`` set calls it off.

    StoreError if a daemon owns the state directory, Installing if the gateway is at an install that an earlier one told it
    to do, CalledOff. Without a trusted certificate the record says refused.
    """
    clock = SystemClock()
    with Lock(directory / "lock", "once"):
        memory = memory_of(configuration, directory, [], clock.now)
        async with AsyncExitStack() as stack:
            keep_record(memory, stack, lambda: configuration.schedule.zone)
            now, hold = clock.now(), memory.holds.load()
            plan = agenda(policy_of(configuration), now).under(hold, now)
            diary = Diary(memory.moments, device_of(configuration))
            install = install_of(configuration, diary, clock.now())
            stack.callback(_owe_on, memory.marker, Told(diary, clock), MAY_HAVE_STOPPED in memory.marker)
            try:
                gateway = await connect(configuration, memory, clock, stack)
                if install is not None and await install.lasts(gateway.identify):
                    raise Installing(install)
            except Refused as error:
                record = control_once.refused(plan, clock.now(), error)
            else:
                marks, tell = memory.marker, memory.tell
                switch = control_once.once(plan, gateway, clock=clock, marks=marks, tell=tell)
                came = await unless_called_off(
                    switch, stop, gateway=gateway, clock=clock, marks=marks, tell=tell
                )
                record = came.record
            memory.tell(Switched(at=record.at, record=record))
            return record


def _owe_on(marks: Marks, told: Told, owed: bool) -> None:  # noqa: FBT001 - as a callback it has no names
    """Note again what was ``owed`` to the battery, if the gateway may restart once more by our doing: that it runs proves nothing."""
    if owed and told.left_s > 0:
        marks.note(MAY_HAVE_STOPPED)
