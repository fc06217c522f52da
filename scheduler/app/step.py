"""The steps in which the service is set up, changed or taken away: each can be shown before it is taken.

Which steps there are is not decided here.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from scheduler.app.command import ask
from scheduler.model.errors import StoreError
from scheduler.store import durable


class Step(Protocol):
    """One step: as text it says what it does. StoreError or CommandFailed if it cannot be taken."""

    def details(self) -> list[str]:
        """What else there is to show of it before it is taken, line by line; no secrets."""

    def take(self) -> None:
        """Take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Makes a folder, and the ones around it; everybody may read it unless its ``mode`` says otherwise."""

    path: Path
    mode: int = 0o755

    def __str__(self) -> str:
        return f"make the folder {self.path} ({self.mode:04o})"

    def details(self) -> list[str]:
        """Nothing."""
        return []

    def take(self) -> None:
        """Make it, whatever the umask."""
        try:
            self.path.mkdir(mode=self.mode, parents=True, exist_ok=True)
            self.path.chmod(self.mode)
        except OSError as error:
            raise StoreError(f"{self.path} could not be made: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """Writes a file in one step; a secret one is for its owner only, and its content is never shown."""

    path: Path
    content: bytes = field(repr=False)
    secret: str = ""  # what it is, in words

    @property
    def mode(self) -> int:
        """Who may read it."""
        return 0o600 if self.secret else 0o644

    def __str__(self) -> str:
        return f"write {self.path} ({self.mode:04o}{', ' if self.secret else ''}{self.secret})"

    def details(self) -> list[str]:
        """Its content."""
        return [] if self.secret else self.content.decode().splitlines()

    def is_needed(self) -> bool:
        """Whether the file is another one, or may be read by others than it should."""
        try:
            return self.path.read_bytes() != self.content or self.path.stat().st_mode & 0o777 != self.mode
        except OSError:
            return True

    def take(self) -> None:
        """Write it aside, and rename it."""
        durable.write(self.path, self.content)
        if not self.secret:
            try:
                self.path.chmod(self.mode)
            except OSError as error:
                raise StoreError(
                    f"{self.path} could not be made readable: {error.strerror or error}"
                ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Remove:
    """Removes a file, a link, or a folder with all that is in it."""

    path: Path

    def __str__(self) -> str:
        return f"remove {self.path}"

    def details(self) -> list[str]:
        """Nothing."""
        return []

    def take(self) -> None:
        """Remove it; nothing is followed."""
        try:
            if self.path.is_dir() and not self.path.is_symlink():
                shutil.rmtree(self.path)
            else:
                self.path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"{self.path} could not be removed: {error.strerror or error}") from error


@dataclass(frozen=True, slots=True)
class Run:
    """Runs a program of the system to its end."""

    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"run {' '.join(self.words)}"

    def details(self) -> list[str]:
        """Nothing."""
        return []

    def take(self) -> None:
        """Run it."""
        ask(*self.words)
