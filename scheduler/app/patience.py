"""The daemon's way to its state directory: a person's short visit is waited for, another daemon is not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

from scheduler.store.lock import VISIT, Held, Lock

PATIENCE_S = 30.0
"""How long a visit may keep a daemon from starting; most take a second or two."""

_POLL_S = 0.2


@asynccontextmanager
async def own(path: Path, stop: asyncio.Event) -> AsyncIterator[None]:
    """The lock, held for the block; not held if ``stop`` was set while a visit was waited for.

    Held at once if another daemon has it, and after `PATIENCE_S` if a visit still does.
    """
    with ExitStack() as stack:
        end_s = asyncio.get_running_loop().time() + PATIENCE_S
        while not stop.is_set():
            try:
                stack.enter_context(Lock(path))
                break
            except Held as held:
                if held.work != VISIT or asyncio.get_running_loop().time() >= end_s:
                    raise
            await asyncio.sleep(_POLL_S)
        yield
