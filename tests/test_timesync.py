"""Whether the system says that its clock is right: by systemd's marker, else by the kernel."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from scheduler.daemon.timesync import MOST_ERROR_S, Kernel, ask_kernel, synchronised


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (Kernel(error_s=0.02), True),
        (Kernel(error_s=MOST_ERROR_S - 0.001), True),
        (Kernel(error_s=MOST_ERROR_S), False),  # as once somebody has set the clock
        (None, None),
    ],
)
def test_the_kernel_is_believed_as_far_as_it_vouches(
    tmp_path: Path, kernel: Kernel | None, *, expected: bool | None
) -> None:
    """Without a marker the kernel decides: kept, and kept lately. If it may not be asked, nobody knows."""
    assert synchronised(tmp_path / "none", lambda: kernel) is expected


def test_the_marker_of_systemd_is_enough(tmp_path: Path) -> None:
    """systemd-timesyncd's marker counts, and the kernel, which a systemd filter may forbid, is not asked."""
    marker = tmp_path / "synchronized"
    marker.touch()

    def ask() -> Kernel:
        raise AssertionError("the kernel was asked")

    assert synchronised(marker, ask) is True


def test_the_kernel_here_can_be_asked() -> None:
    """What this machine's kernel says of its error is no nonsense: it lies within the bound of adjtimex(2)."""
    said = ask_kernel()

    assert said is None or 0 <= said.error_s <= MOST_ERROR_S + 1


@pytest.mark.parametrize(
    ("state", "status"),
    [
        (0, 0x0001),
        (4, 0x0001),  # in a leap second
        (5, 0x0040),  # chrony without `rtcsync`, or a battery clock in local time
        (5, 0x0041),
    ],
)
def test_t1_the_answer_of_the_kernel_is_read_from_its_places(
    monkeypatch: pytest.MonkeyPatch, state: int, status: int
) -> None:
    """The error alone counts, from where struct timex of this machine has it, whatever state and status are; nothing is set."""

    class Head(ctypes.Structure):
        _fields_ = (
            ("modes", ctypes.c_uint),
            ("offset_freq", ctypes.c_long * 2),
            ("maxerror", ctypes.c_long),
            ("esterror", ctypes.c_long),
            ("status", ctypes.c_int),
        )

    asked: list[int] = []

    class Library:
        def adjtimex(self, pointer: object) -> int:
            head = ctypes.cast(pointer, ctypes.POINTER(Head)).contents  # type: ignore[arg-type]
            asked.append(head.modes)
            head.maxerror, head.status = 1_500_000, status
            return state

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: Library())

    said = ask_kernel()

    assert said == Kernel(error_s=1.5)
    assert said.synchronised
    assert asked == [0]


@pytest.mark.parametrize("trouble", ["refused", "missing"])
def test_a_kernel_that_may_not_be_asked_is_no_error(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """EPERM of a systemd filter and a library without the call both mean that nobody knows."""

    class Library:
        def __getattr__(self, name: str) -> object:
            if trouble == "missing":
                raise AttributeError(name)
            return lambda _pointer: -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: Library())

    assert ask_kernel() is None
