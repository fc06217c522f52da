"""The files that come with the program: the example configuration and the systemd unit.

A wheel carries them inside the package, where hatch puts them (pyproject.toml, `force-include`). In a clone, and in an
editable install of it, they lie where people look for them. Nothing is written here.
"""

from __future__ import annotations

from pathlib import Path

from scheduler.model.errors import SchedulerError

_PACKAGE = Path(__file__).parent.parent
_CLONE = _PACKAGE.parent
_IN_CLONE = {
    "tou.yaml": _CLONE / "config" / "tou.yaml",
    "tou-scheduler.service": _CLONE / "deploy" / "systemd" / "tou-scheduler.service",
}


class NotShipped(SchedulerError):
    """A file that belongs to the program is not there: its installation is damaged."""


def shipped_path(name: str) -> Path:
    """Where the shipped file of this name lies: `tou.yaml` or `tou-scheduler.service`.

    It belongs to the program and may be read only; whoever wants another one writes a copy. Raises :class:`NotShipped` where
    the installation lacks it, with what to do.
    """
    # A wheel is always unpacked when it is installed, so that a path serves a person, too: problems name file and line.
    for path in (_PACKAGE / "shipped" / name, _IN_CLONE[name]):
        if path.is_file():
            return path
    raise NotShipped(
        f"{name}, which comes with tou-scheduler, is not in {_PACKAGE}; install tou-scheduler again"
    )


def shipped(name: str) -> bytes:
    """The content of the shipped file of this name, byte for byte; raises as :func:`shipped_path` does."""
    return shipped_path(name).read_bytes()
