"""A rehearsal of a switch: is the gateway there, does it let us in, does it take a write? Changes nothing.

What is written is what was just read, so that the write says nothing new. Who changes the setpoint in the second between
is overruled by it.
"""

from __future__ import annotations

from scheduler.control.ports import UNCOMMITTED, Gateway, Marks
from scheduler.control.session import Session, standstill
from scheduler.model.errors import Transient
from scheduler.model.setpoint import Mode, Setpoint

WRITABLE = {Mode.SELF_CONSUMPTION, Mode.BACKUP}
"""Modes that every firmware takes; from 1.21 on it refuses to be told `autonomous` (powerwall2 issue 10)."""


async def check_path(gateway: Gateway, session: Session, marks: Marks, *, desired: Setpoint) -> str:
    """What was proven, in a sentence; the gateway's errors where the way is not open."""
    await session.identify()
    actual = await session.call(gateway.read)
    if await session.stands_still():
        raise standstill()
    if actual.mode not in WRITABLE and actual.mode != desired.mode:
        return f"the gateway can be read; it is in mode {actual.mode}, which is not written back"
    # What is written is there already: it lacks no commit that it did not lack before, so none is noted to be owed.
    await session.call(lambda: gateway.write(actual))
    await session.call(gateway.commit)
    marks.clear(UNCOMMITTED)
    after = await session.call(gateway.read)
    if not actual.is_met_by(after):
        raise Transient(f"{actual} was written as it was read, and the gateway then read {after}")
    return f"the gateway took {actual} as it already was, and reads it back"
