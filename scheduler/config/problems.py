"""What is wrong with a configuration: the problem as a value, its form for people and its form for programs.

Where problems come from is not here. An excerpt has lost its secrets before it gets here; see `source`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["error", "warning"]

SCREEN_COLUMNS = 100
"""Excerpts wider than this are cut around the caret, unless the caller knows the screen better."""

_CUT = "…"
_LONGEST_QUOTE = 60


def quoted(text: str) -> str:
    """Text of the file inside a message: in quotes, on one line, not longer than a person reads."""
    return repr(text if len(text) <= _LONGEST_QUOTE else text[: _LONGEST_QUOTE - 1] + _CUT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, where it is, and what to do about it.

    ``line`` and ``column`` count from 1, in characters; ``width`` is how many characters are meant. All are
    None or 1 when ``file`` names an environment variable, a secret file, or a file that could not be read.
    ``excerpt`` holds the line above (where there is one) and the line itself.
    """

    severity: Severity = "error"
    message: str
    file: str
    line: int | None = None
    column: int | None = None
    width: int = 1
    hint: str | None = None
    excerpt: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """``file:line:column``, or the name alone."""
        if self.line is None:
            return self.file
        return f"{self.file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


class ConfigurationError(Exception):
    """The configuration cannot be used. ``problems`` are all that were found, in order of the file."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(problems)
        self.problems = tuple(problems)

    def __str__(self) -> str:
        return render(self.problems)

    @property
    def first_error(self) -> Problem:
        """The first problem that must be mended; warnings may stand before it."""
        return next((p for p in self.problems if p.severity == "error"), self.problems[0])

    @property
    def summary(self) -> str:
        """The first error on one line, and how many more there are: what fits into a log."""
        more = sum(p.severity == "error" for p in self.problems) - 1
        return f"{self.first_error} (and {more} more)" if more > 0 else str(self.first_error)


def render(problems: Iterable[Problem], *, screen_columns: int = SCREEN_COLUMNS) -> str:
    """The problems for a person: place and sentence, lines with a caret, hint. No newline at the end."""
    return "\n".join(line for problem in problems for line in _lines(problem, screen_columns))


def document(file: str, problems: Sequence[Problem]) -> dict[str, Any]:
    """The problems of ``file`` for other programs: what ``validate --json`` prints."""
    return {
        "schema": "tou-scheduler/validate",
        "version": 1,
        "file": file,
        "ok": all(problem.severity != "error" for problem in problems),
        "problems": [
            {
                "severity": problem.severity,
                "message": problem.message,
                "file": problem.file,
                "line": problem.line,
                "column": problem.column,
                "hint": problem.hint,
            }
            for problem in problems
        ],
    }


def _lines(problem: Problem, screen_columns: int) -> list[str]:
    shown = [f"{problem.severity}: {problem}"]
    gutter = 1
    if problem.line is not None and problem.column is not None and problem.excerpt:
        gutter = len(str(problem.line))
        room = max(20, screen_columns - gutter - 4)
        column = problem.column - 1
        start = 0 if len(problem.excerpt[-1]) <= room else max(0, column - room // 3)
        first = problem.line - len(problem.excerpt) + 1
        shown += [
            f" {first + i:>{gutter}} | {_cut(text, start, room)}".rstrip()
            for i, text in enumerate(problem.excerpt)
        ]
        carets = "^" * max(1, min(problem.width, start + room - column))
        shown.append(f" {'':{gutter}} | {' ' * (column - start)}{carets}")
    if problem.hint is not None:
        shown.append(f" {'':{gutter}} = {problem.hint}")
    return shown


def _cut(text: str, start: int, room: int) -> str:
    """``room`` characters of ``text`` from ``start``, with a mark where something is missing."""
    plain = "".join(c if c.isprintable() else " " for c in text)
    piece = plain[start : start + room]
    if start and piece:
        piece = _CUT + piece[1:]
    if start + room < len(plain):
        piece = piece[:-1] + _CUT
    return piece
