"""A process that can be killed between any two of its steps, and the disk that outlives it.

A step is a request that is sent or answered, or a durable write that begins or is done. The disk is the one thing of the world
that is a double here: files in a dictionary, with the promises of the ports that lie on it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Any

from scheduler.app.rehearsal.facts import Exchange
from scheduler.model.errors import StoreError


class Killed(BaseException):
    """The process is dead: no handler of errors runs in it that would do anything yet."""


class Steps:
    """The steps of the process of the moment. A dead one takes no more, whatever its handlers try, until `begin`.

    ``killed`` counts the steps at which one was killed, by their names.
    """

    def __init__(self, died: Callable[[], None]) -> None:
        self.killed: Counter[str] = Counter()
        self.dead = False
        self._died = died
        self._left: int | None = None
        self._upon: tuple[Callable[[Exchange], bool], Callable[[], None]] | None = None

    def begin(self) -> None:
        """Let a new process take steps."""
        self.dead, self._left = False, None

    def kill_after(self, steps: int) -> None:
        """Let the process of the moment die once it has taken so many steps more."""
        self._left = steps

    def upon(self, such: Callable[[Exchange], bool], act: Callable[[], None]) -> None:
        """Act at the next answer that is such a one, before the process hears of it, whichever process that is then."""
        self._upon = such, act

    def wait_no_more(self) -> None:
        """Forget what was to be done upon an answer that has not come."""
        self._upon = None

    def answered(self, exchange: Exchange) -> None:
        """An answer is on its way to the process."""
        if self._upon is not None and self._upon[0](exchange):
            act, self._upon = self._upon[1], None
            act()

    def take(self, step: str) -> None:
        """One step; Killed where it is the last."""
        if self.dead:
            raise Killed(step)
        if self._left is None:
            return
        self._left -= 1
        if self._left <= 0:
            self.kill(step)
            raise Killed(step)

    def rest(self) -> None:
        """Killed where the process is dead, which waits for nothing."""
        if self.dead:
            raise Killed("at rest")

    def kill(self, where: str) -> None:
        """Let the process of the moment be dead from now on; ``where`` it was then."""
        self.killed[where] += 1
        self.dead = True
        self._died()


class Disk:
    """Files by name. While it is ``broken`` nothing that is written is kept, and what lies there stays.

    ``memory`` is the machine's storage in memory: it takes what the disk does not, and outlives the process.
    """

    def __init__(self, steps: Steps) -> None:
        self.files: dict[str, Any] = {}
        self.memory: dict[str, Any] = {}
        self.broken = False
        self._steps = steps

    def write(self, name: str, content: Any) -> bool:
        """Keep this under its name; whether the disk took it."""
        self._steps.take(f"before writing {name}")
        if self.broken:
            return False
        self.files[name] = content
        self._steps.take(f"after writing {name}")
        return True


class DiskMarks:
    """The port's marks, as a process knows them that read them from the disk, or from memory what the disk did not take.

    No killed process takes them along: a battery that a login of ours stopped is known to the next one, whatever the disk does.
    Here the machine itself never goes with its memory.
    """

    unread = False

    def __init__(self, disk: Disk, now: Callable[[], datetime]) -> None:
        self._disk = disk
        self._now = now
        spare = disk.memory.get("marks")
        self._marks: dict[str, datetime] = dict(disk.files.get("marks", {}) if spare is None else spare)
        self.kept = spare is None

    def note(self, mark: str) -> None:
        """Note it, durably before this returns."""
        self._keep(self._marks | {mark: self._now()})

    def clear(self, mark: str) -> None:
        """Forget it."""
        self._keep({noted: at for noted, at in self._marks.items() if noted != mark})

    def noted_at(self, mark: str) -> datetime | None:
        """When it was noted last."""
        return self._marks.get(mark)

    def __contains__(self, mark: object) -> bool:
        return mark in self._marks

    def __len__(self) -> int:
        return len(self._marks)

    def _keep(self, marks: dict[str, datetime]) -> None:
        self._marks = marks
        if self.kept and marks == self._disk.files.get("marks", {}):
            return
        self.kept = self._disk.write("marks", marks)
        if self.kept:
            self._disk.memory.pop("marks", None)
        else:
            # A second copy that a restart of the process leaves in place: without it the next process takes the battery
            # for one that somebody else stopped.
            self._disk.memory["marks"] = marks


class DiskNote:
    """A small object on the disk; what the disk does not take this process still knows."""

    place = "the disk of the rehearsal"

    def __init__(self, disk: Disk, name: str) -> None:
        self._disk = disk
        self._name = name
        self._unsaved: dict[str, Any] | None = None

    @property
    def kept(self) -> bool:
        """Whether all that was saved is kept durably."""
        return self._unsaved is None

    def load(self) -> dict[str, Any]:
        """What is kept."""
        return dict(self._disk.files.get(self._name, {}) if self._unsaved is None else self._unsaved)

    def save(self, content: dict[str, Any]) -> None:
        """Keep exactly this, durably before this returns."""
        self._unsaved = dict(content)
        if self._disk.write(self._name, dict(content)):
            self._unsaved = None


class DiskLedger:
    """The logins on the disk; StoreError where it does not take them."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk

    def load(self) -> list[datetime]:
        """All that is known."""
        return list(self._disk.files.get("logins", ()))

    def save(self, instants: list[datetime]) -> None:
        """Keep these."""
        if not self._disk.write("logins", tuple(instants)):
            raise StoreError("the disk takes nothing")
