"""Runs the program's coroutine as a process that ends when it is told to. What it does is not known here.

`asyncio.run` ends only after the threads of its executor, and the interpreter after those of any pool. asyncio asks for
names in such threads, and an ask that hangs (a router that is away: 40 s and more) cannot be called off. So they are
threads here that nobody waits for. os._exit would be quicker and would lose what is not written out yet.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import traceback
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore, Thread
from typing import Any, ParamSpec, TypeVar

LOOKUPS = 8
"""How many names may be asked for at once; calls that were given up and still hang count."""

Result = TypeVar("Result")
Given = ParamSpec("Given")


class Lookups(ThreadPoolExecutor):
    """An executor whose threads end with the process: each call has its own, and ``shutdown`` waits for none.

    A call beyond `LOOKUPS` fails with OSError at once. A thread pool by descent only, because asyncio insists on one.
    """

    def __init__(self) -> None:
        super().__init__(max_workers=LOOKUPS)
        self._free = BoundedSemaphore(LOOKUPS)

    def submit(
        self, call: Callable[Given, Result], /, *args: Given.args, **kwargs: Given.kwargs
    ) -> Future[Result]:
        """Have it called in a thread of its own."""
        future: Future[Result] = Future()

        def work() -> None:
            try:
                result = call(*args, **kwargs)
            except BaseException as error:  # noqa: BLE001 - whoever waits for the future is told, whatever it is
                future.set_exception(error)
            else:
                future.set_result(result)
            finally:
                self._free.release()

        future.set_running_or_notify_cancel()
        if self._free.acquire(blocking=False):
            Thread(target=work, name="lookup", daemon=True).start()
        else:
            future.set_exception(OSError(errno.EAGAIN, "too many names are being asked for"))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: FBT001, FBT002
        """Nothing: no thread is waited for. The arguments are the parent's."""


def run(main: Coroutine[Any, Any, Result]) -> Result:
    """`asyncio.run`, but without waiting at the end for a name that was asked for."""
    with asyncio.Runner() as runner:
        runner.get_loop().set_default_executor(Lookups())
        return runner.run(main)


def run_until_told(work: Callable[[asyncio.Event], Coroutine[Any, Any, Result]]) -> Result:
    """`run` of ``work``, which is given the event that says that a signal asked this process to end."""

    async def main() -> Result:
        return await work(told_to_stop())

    return run(main())


def told_to_stop() -> asyncio.Event:
    """An event that is set once a signal asks this process to end. Made in the event loop that runs it."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


@contextlib.asynccontextmanager
async def beside(work: Coroutine[None, None, None], *, name: str | None = None) -> AsyncIterator[None]:
    """Have ``work`` run beside the block, as a task of this name, and end with it.

    If it fails, the block is called off and its error is raised: a process that lost a part of itself must not look well.
    """
    try:
        async with asyncio.TaskGroup() as both:
            task = both.create_task(work, name=name)
            yield
            task.cancel()
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None


def where(error: BaseException) -> str:
    """What kind of error it is, and the places that it came through, innermost first; never a value, which may be secret."""
    places = [f"{it.filename}:{it.lineno} ({it.name})" for it in traceback.extract_tb(error.__traceback__)]
    return f"{type(error).__name__} at {', from '.join(reversed(places))}"
