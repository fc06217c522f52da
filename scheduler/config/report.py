"""Where the checks put what they find: a path into the settings becomes a place that the owner can go to.

What is wrong is decided elsewhere; this only knows whether a value stood in the file, the environment or a
secret.
"""

from __future__ import annotations

from collections.abc import Mapping

from scheduler.config.lines import KeyPath, Tree
from scheduler.config.problems import Problem, Severity

MANY = 500
"""Nobody mends more than this before looking again, and a hostile file should not keep the daemon busy."""


class Report:
    """Collects problems, and remembers which parts of the settings are broken."""

    def __init__(self, tree: Tree, origins: Mapping[KeyPath, str]) -> None:
        self._tree = tree
        self._origins = origins
        self._problems: list[Problem] = []
        self._broken: set[KeyPath] = set()
        self._noted: dict[Severity, int] = {"error": 0, "warning": 0}
        self.failed = False

    def error(self, path: KeyPath, message: str, hint: str | None = None, *, at_key: bool = False) -> None:
        """The value at ``path`` (or its key) cannot be used."""
        self.failed = True
        self._broken.update(path[:depth] for depth in range(len(path) + 1))
        self._note("error", path, message, hint, at_key=at_key)

    def warn(self, path: KeyPath, message: str, hint: str | None = None, *, at_key: bool = False) -> None:
        """The value at ``path`` can be used, but is probably not meant so."""
        self._note("warning", path, message, hint, at_key=at_key)

    def add(self, problem: Problem) -> None:
        """A problem found elsewhere, which has its place already."""
        self.failed = self.failed or problem.severity == "error"
        self._problems.append(problem)

    @property
    def full(self) -> bool:
        """Whether there is no use in looking for more."""
        return self._noted["error"] >= MANY

    def is_broken(self, path: KeyPath) -> bool:
        """Whether there is an error at ``path`` or within it."""
        return path in self._broken

    def line(self, path: KeyPath) -> int:
        """The line of the value at ``path``, from 1."""
        return self._tree.place(path).line

    def origin(self, path: KeyPath) -> str | None:
        """The variables that set something at ``path`` or within it, if any did."""
        names = {name for at, name in self._origins.items() if at[: len(path)] == path}
        return ", ".join(sorted(names)) or None

    def shows_key(self, path: KeyPath) -> bool:
        """Whether an excerpt would show the key at ``path``, so that a message may name it, too."""
        return self._tree.source.shows(self._tree.place(path, key=True).line, str(path[-1]))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """All of them, in order of the file; those of the environment come first."""
        return tuple(sorted(self._problems, key=lambda p: (p.line or 0, p.column or 0)))

    def _note(
        self, severity: Severity, path: KeyPath, message: str, hint: str | None, *, at_key: bool
    ) -> None:
        if self._noted[severity] >= MANY:
            return
        self._noted[severity] += 1
        origin = next(
            (self._origins[path[:n]] for n in range(len(path), 0, -1) if path[:n] in self._origins), None
        )
        if origin is not None:
            problem = Problem(severity=severity, message=message, file=origin, hint=hint)
        else:
            place = self._tree.place(path, key=at_key)
            problem = self._tree.source.problem(message, place, hint=hint, severity=severity)
        self._problems.append(problem)
