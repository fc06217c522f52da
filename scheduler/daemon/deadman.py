"""The dead man's handle: a process that shows no sign of life any more says where it hangs, and ends itself.

Whoever started it starts it anew: systemd would notice by itself, Docker restarts nothing that merely stands still. What such
a sign is, is not known here.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

LIMIT_S = 75.0
"""Nobody is silent for so long: an attempt of a switch has 45 s, a start waits for a person's visit for 30 s, and systemd for 90 s."""

LOOK_S = 10.0

SPEAK_S = 2.0
"""So long the last words may take."""

HUNG = 70
"""The exit code of a process that hung, or met a bug of its own: an internal error of software (sysexits.h)."""


class DeadMan:
    """A thread that ends the process ``limit_s`` seconds after the last `beat`, from `begin` on.

    ``clock_s`` is a monotonic clock; ``say`` takes the sentence on where it hangs, ``end`` the exit code.
    """

    def __init__(
        self,
        clock_s: Callable[[], float],
        say: Callable[[str], None],
        *,
        limit_s: float = LIMIT_S,
        look_s: float = LOOK_S,
        end: Callable[[int], None] = os._exit,
    ) -> None:
        self._clock_s = clock_s
        self._say = say
        self._limit_s = limit_s
        self._look_s = look_s
        self._end = end
        self._beat_s = 0.0
        self._over = threading.Event()
        self._main: int | None = None
        self._work: Callable[[], list[Any]] = list

    def watch(self, work: Callable[[], list[Any]]) -> None:
        """Name what runs on the event loop, so that it can be said where it waits. Called in the thread that runs it."""
        self._work = work

    def begin(self) -> None:
        """Hold the handle from now on, in the thread of the event loop."""
        self._beat_s = self._clock_s()
        self._main = threading.get_ident()
        threading.Thread(target=self._hold, name="dead man", daemon=True).start()

    def beat(self) -> None:
        """A sign of life."""
        self._beat_s = self._clock_s()

    def release(self) -> None:
        """The work is over: let go of it."""
        self._over.set()

    def _hold(self) -> None:
        looked_s = self._clock_s()
        while not self._over.wait(self._look_s):
            now_s = self._clock_s()
            if now_s - looked_s > 2 * self._look_s:
                # All of the process stood still, by SIGSTOP or in a debugger: it begins anew.
                self._beat_s = max(self._beat_s, now_s)
            looked_s = now_s
            if now_s - self._beat_s > self._limit_s:
                self._give_up(now_s - self._beat_s)
                return

    def _give_up(self, silent_s: float) -> None:
        """End, and say so before if that can be done: whoever hangs may hold what is needed to write a line."""
        last_words = threading.Thread(target=self._speak, args=(silent_s,), name="last words", daemon=True)
        try:
            last_words.start()
            last_words.join(SPEAK_S)
        finally:
            self._end(HUNG)

    def _speak(self, silent_s: float) -> None:
        self._say(f"no sign of life for {silent_s:.0f} s: {self._where()}; this process ends itself")

    def _where(self) -> str:
        """Where the event loop is, and where what runs on it waits; files and lines only, never a value."""
        frame = sys._current_frames().get(self._main or 0)  # noqa: SLF001 - there is no other way to another thread's frame
        places = [] if frame is None else [f"the event loop is at {_place(frame)}"]
        for work in self._work():
            waits = innermost(work)
            places += [] if waits is None else [f"{work.__qualname__} waits at {_place(waits)}"]
        return ", ".join(places) or "nobody knows where"


def innermost(work: Any) -> FrameType | None:
    """The frame in which a coroutine waits, through all that it awaits; None if it has none."""
    frame: FrameType | None = None
    it: Any = work
    while it is not None:
        frame = getattr(it, "cr_frame", None) or getattr(it, "gi_frame", None) or frame
        it = getattr(it, "cr_await", None) or getattr(it, "gi_yieldfrom", None)
    return frame


def _place(frame: FrameType) -> str:
    code = frame.f_code
    return f"{code.co_filename}:{frame.f_lineno} ({code.co_name})"
