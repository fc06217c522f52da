"""Whether the system says that its clock is right: by systemd's marker, else by the kernel."""

from __future__ import annotations

import ctypes
from pathlib import Path

import pytest

from scheduler.daemon.timesync import MOST_ERROR_S, Kernel, ask_kernel, synchronised

UNSYNCHRONISED = 0x0040
PLL = 0x0001


@pytest.mark.parametrize(
    ("kernel", "expected"),
    [
        (Kernel(state=0, status=PLL, error_s=0.02), True),
        (Kernel(state=4, status=PLL, error_s=0.5), True),  # in a leap second
        (Kernel(state=0, status=PLL, error_s=MOST_ERROR_S - 0.001), True),
        (Kernel(state=0, status=PLL, error_s=MOST_ERROR_S), False),
        (Kernel(state=0, status=UNSYNCHRONISED, error_s=0.02), False),
        (Kernel(state=0, status=UNSYNCHRONISED | PLL, error_s=0.02), False),
        (Kernel(state=5, status=PLL, error_s=0.02), False),
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
    """What this machine's kernel says has the shape of adjtimex(2): a state from 0 to 5, and an error that is no nonsense."""
    said = ask_kernel()

    assert said is None or (0 <= said.state <= 5 and 0 <= said.error_s <= MOST_ERROR_S + 1)


@pytest.mark.parametrize("status", [PLL, UNSYNCHRONISED | PLL])
def test_the_answer_of_the_kernel_is_read_from_its_places(
    monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """State, status and error come from where struct timex of this machine has them, and nothing is set."""

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
            return 3

    monkeypatch.setattr(ctypes, "CDLL", lambda *_args, **_more: Library())

    assert ask_kernel() == Kernel(state=3, status=status, error_s=1.5)
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
