"""A configuration file as text: opened with care, its secrets hidden from every excerpt.

What the text means is not here; see `lines`.
"""

from __future__ import annotations

import os
import re
import stat
import string
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from scheduler.config.problems import ConfigurationError, Problem, Severity

LARGEST_BYTES = 1024 * 1024
"""10,000 rules fit; whatever is larger is not a configuration."""

HIDDEN = "<hidden>"

# YAML 1.1 and libyaml end a line at each of these; the line numbers of the parser and ours must agree.
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# The key may be misspelt, which is just when its line is shown.
_SECRET_KEY = re.compile(
    r"""(?ix) (?: pas+[wp] | pwd | secret | token | serial | e-?mail ) [\w'"-]{0,40} \s{0,40} (:) (?=\s|["']|$)"""
)
_KEY_CHARACTERS = "'\"-_" + string.ascii_letters
_SECRET_QUESTION = re.compile(r"(?i)^\s*\?\s.*(?:pas+[wp]|pwd|secret|token|serial|e-?mail)")


class Place(NamedTuple):
    """Where something stands: line and column from 1, and how many characters are meant."""

    line: int
    column: int
    width: int = 1


@dataclass(frozen=True)
class Source:
    """The text of a file, the name under which it was asked for, and the SHA-256 of its bytes."""

    file: str
    text: str
    digest: str

    def problem(
        self, message: str, place: Place, *, hint: str | None = None, severity: Severity = "error"
    ) -> Problem:
        """A problem at a place of this file, with its excerpt."""
        line, column, width = place
        excerpt = tuple(self._shown[max(0, line - 2) : line])
        room = len(excerpt[-1]) - column + 1 if excerpt else 1
        return Problem(
            severity=severity,
            message=message,
            file=self.file,
            line=line,
            column=column,
            width=max(1, min(width, room)),
            hint=hint,
            excerpt=excerpt,
        )

    def hides(self, line: int) -> bool:
        """Whether this line (from 1) holds a secret, so that no message may quote from it."""
        return line <= len(self._shown) and HIDDEN in self._shown[line - 1]

    @cached_property
    def _shown(self) -> list[str]:
        """The lines as they may be shown."""
        shown: list[str] = []
        deeper_than = -1  # while a secret goes on over several lines: how far its key is indented
        for line in _LINE_END.split(self.text):
            indent = len(line) - len(line.lstrip())
            if deeper_than >= 0 and (indent > deeper_than or not line.strip()):
                shown.append(" " * indent + HIDDEN if line.strip() else "")
                continue
            deeper_than = -1
            if key := _SECRET_KEY.search(line):
                inside_braces = "{" in line[: key.start()] or "[" in line[: key.start()]
                start = len(line[: key.start()].rstrip(_KEY_CHARACTERS))
                deeper_than = indent if inside_braces else start
                rest = line[key.end(1) :].strip()
                shown.append(f"{line[: key.end(1)]} {HIDDEN}" if rest and rest[0] != "#" else line)
            elif _SECRET_QUESTION.match(line):
                deeper_than = indent - 1
                shown.append(" " * indent + HIDDEN)
            else:
                shown.append(line)
        return shown


def read(path: Path) -> Source:
    """The text of the file at ``path``.

    Raises ConfigurationError if it is no regular file, cannot be read, is over 1 MiB or not UTF-8. A device
    or a pipe is never waited for.
    """
    file = str(path)
    content = _read_bytes(path)
    digest = sha256(content).hexdigest()
    try:
        return Source(file, content.decode("utf-8-sig"), digest)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8-sig", errors="replace")
        lines = _LINE_END.split(before)
        place = Place(len(lines), len(lines[-1]) + 1)
        # Latin-1 gives every byte a character, so that the line can still be shown.
        source = Source(file, content.decode("latin-1"), digest)
        hint = "save the file as UTF-8"
        raise ConfigurationError([source.problem("this is not UTF-8 text", place, hint=hint)]) from None


def _read_bytes(path: Path) -> bytes:
    def refusal(message: str, hint: str | None = None) -> ConfigurationError:
        return ConfigurationError([Problem(message=message, file=str(path), hint=hint)])

    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        raise refusal(
            "there is no such file", "give its name with --config, or write one with `tou-scheduler init`"
        ) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise refusal(f"the file cannot be opened: {(reason or 'not a file name').lower()}") from None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise refusal("this is not a regular file", "name the configuration file itself")
    with os.fdopen(descriptor, "rb") as stream:
        try:
            content = stream.read(LARGEST_BYTES + 1)
        except OSError as error:
            raise refusal(
                f"the file cannot be read: {(error.strerror or 'unknown reason').lower()}"
            ) from None
    if len(content) > LARGEST_BYTES:
        raise refusal(
            "the file is larger than 1 MiB", "a configuration is a few kilobytes; is this another file?"
        )
    return content
