"""What must outlast us of one gateway: which firmware was seen, which moments are under way or done, what is proven of its setpoint.

Sections of one small note, each written by whoever owns it. What they mean is not known here; losing them costs a check
that is made once more, never a switch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from scheduler.control.ports import Note

IDENTITY = "identity"
"""Written by `restart`: ``firmware``, ``start_time`` and ``since``, the instant at which this firmware was seen first."""

CURRENT = "current"
"""Written by `errands`: the moment under way."""

DONE = "done"
"""Written by `errands`: the instants at which moments ended, by their keys."""

WAITING = "waiting"
"""Made by `firmware`: an update that was found and not installed: ``at``, ``message``, and the ``firmware`` it waited beside."""

HELD = "held"
"""Written by `held`: the hold that was told as begun, and not as ended yet."""

OWNED = "owned"
"""Written by `ownership`: the setpoint that was proven last, for which target, and what somebody made of it since."""

TOLD = "told"
"""Written by `told`: the install that the gateway was told last."""

DEVICE = "device"

Section = dict[str, Any]


class Diary:
    """The note as we know it. Only one process may write to it; nothing is written that is there already.

    ``device`` names the gateway: what was noted of another one counts for nothing.
    """

    def __init__(self, note: Note, device: str) -> None:
        self._note = note
        self.device = device
        content = note.load()
        self._content = content if content.get(DEVICE, device) == device else {}

    @property
    def kept(self) -> bool:
        """Whether all of it outlasts us."""
        return self._note.kept

    def section(self, name: str) -> Section:
        """What stands under this name; empty if nothing does, or something else than an object."""
        return _section(self._content, name)

    def put(self, name: str, section: Section) -> None:
        """Let this stand there, durably before this returns; nothing, if it is empty."""
        self.put_together({name: section})

    def put_together(self, sections: Mapping[str, Section]) -> None:
        """`put` of several sections, by their names, in one write: whoever is killed leaves all of them or none."""
        if self.kept and all(section == self.section(name) for name, section in sections.items()):
            return
        merged = {**self._content, **sections}
        # While a file may hold what is not known here, it must be said that a section is over.
        left = {name: section for name, section in merged.items() if section or not self.kept}
        self._content = left | {DEVICE: self.device}
        self._note.save(dict(self._content))


def joined(found: dict[str, Any], saved: dict[str, Any]) -> dict[str, Any]:
    """The note, where one was ``found`` in a file that could not be read before, and another was ``saved`` meanwhile.

    What was saved is newer, and of what was done nothing is forgotten; of another gateway nothing counts that was found.
    """
    if found.get(DEVICE, saved.get(DEVICE)) != saved.get(DEVICE):
        return saved
    done = _section(found, DONE) | _section(saved, DONE)
    return found | saved | ({DONE: done} if done else {})


def _section(content: Mapping[str, Any], name: str) -> Section:
    section = content.get(name)
    return dict(section) if isinstance(section, dict) else {}
