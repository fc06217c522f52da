"""Whether the system says that its clock is right: asked of systemd's marker, else of the kernel. Reads no clock itself.

A clock that nobody disciplines may be days off on a machine without a battery for it. What is done about it is not
decided here.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from scheduler.model.clock import RELEASED, Kept

MARKER = Path("/run/systemd/timesync/synchronized")
"""Touched by systemd-timesyncd once it has set the clock (systemd-timesyncd.service(8))."""

MOST_ERROR_S = 16.0
"""The kernel's own limit: a clock that nobody disciplines says this (NTP_PHASE_LIMIT, adjtimex(2)), and so does one that
somebody has just set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """What adjtimex(2) said: how far off the clock may be, in seconds.

    Its state and its bit STA_UNSYNC are not looked at: they tell whether the kernel may copy the time to the machine's
    battery clock, and chrony without `rtcsync` leaves it at no beside a clock that it keeps.
    """

    error_s: float

    @property
    def synchronised(self) -> bool:
        """Whether somebody keeps this clock, and kept it lately."""
        return self.error_s < MOST_ERROR_S


@cache
def _timex() -> type[Any]:
    """The beginning of struct timex of adjtimex(2), and room for the rest, which differs between machines."""
    import ctypes  # noqa: PLC0415 - a machine with systemd's marker is spared the memory

    class Timex(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset", ctypes.c_long),
            ("freq", ctypes.c_long),
            ("maxerror", ctypes.c_long),
            ("rest", ctypes.c_byte * 512),
        )

    return Timex


def ask_kernel() -> Kernel | None:
    """What the kernel says of its clock; None where it may not be asked (a systemd filter, a container) or cannot be."""
    import ctypes  # noqa: PLC0415 - see above

    try:
        library = ctypes.CDLL(None, use_errno=True)
        timex = _timex()()  # modes 0: only asks
        answer = library.adjtimex(ctypes.byref(timex))
    except (OSError, AttributeError):
        return None
    return None if answer < 0 else Kernel(error_s=timex.maxerror / 1e6)


def kept(now: datetime, marker: Path = MARKER, kernel: Callable[[], Kernel | None] = ask_kernel) -> Kept:
    """What the system says of a clock that shows ``now``: its marker counts, and where there is none the kernel's word.

    The marker stays once it is there, and is touched anew with each synchronisation: its time is the proof of the last.
    The kernel takes its word back once somebody sets the clock, and after some hours in which nobody kept it. Beside a
    marker it is asked by whoever needs it: a marker may be left over from a synchroniser that was replaced.
    """
    possible = now >= RELEASED

    def word() -> bool | None:
        said = kernel()
        return None if said is None else said.synchronised

    with contextlib.suppress(OSError):
        return Kept(synchronised=True, proof=marker.lstat().st_mtime_ns, possible=possible, kernel=word)
    return Kept(synchronised=word(), possible=possible, kernel=word)


def synchronised(marker: Path = MARKER, kernel: Callable[[], Kernel | None] = ask_kernel) -> bool | None:
    """Whether the system's clock is synchronised; None if nobody here can tell."""
    return kept(RELEASED, marker, kernel).synchronised
