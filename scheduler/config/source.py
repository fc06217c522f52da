"""A configuration file as text: opened with care, its secrets hidden from every excerpt.

What the text means is not here; see `lines`.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from scheduler.config.problems import ConfigurationError, Problem, Severity
from scheduler.config.words import did_you_mean

LARGEST_BYTES = 1024 * 1024
"""10,000 rules fit; whatever is larger is not a configuration."""

HIDDEN = "<hidden>"

# YAML 1.1 and libyaml end a line at each of these; the line numbers of the parser and ours must agree.
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
# Anything that may be meant for a password, wherever it stands: nothing after it is shown.
_SECRET = re.compile(
    r"""(?ix) pas+w | passo
    | (?: ^ | [{,?\#] | -\s ) \s* ["']? (?: pass | p?wd | pw | \w*secret | \w*token | serial | e-?mail ) (?![a-z])
    | (?: pass | pwd | pw | secret | token | serial | e-?mail ) [\w'"-]{0,40} \s{0,40} [:=]"""
)
_ADDRESS = re.compile(rb"[\w.%+-]{1,64}@[\w.-]{1,255}")
_KEY_REST = re.compile(r"""[\w'"-]*\s{0,40}:?""")

# The section where a password is likely to stand under a key that nobody foresaw, its name misspelt or not.
_GATEWAY = re.compile(r"""(?i)(?:^|[{,])\s*["']?(?:gat\w{0,12}|g\w{0,8}w\w{0,8}y)["']?\s*:(?=\s|$)\s*\{?""")
_PAIR = re.compile(
    r"""\s*\{?\s*["']?(?P<key>[\w-]+)["']?\s*:
    (?:\s+ (?P<value> "[^"]*" | '[^']*' | [^\s,{}\[\]"'\#&*!|>@]+ (?:@[^\s,{}\[\]"'\#]+)? ) )?
    \s* (?: , | \}+\s*$ | $ | (?=\#) )""",
    re.VERBOSE,
)
_SHOWN = re.compile(
    "type|host|port|server_name|certificate|username|force_sm_off|max_pv_export_power_kW|reserve_gap|firmware"
)
USERS = ("installer", "customer")
"""The user names that there are; anything else may be a password in the wrong place."""

_NOWHERE = 1 << 20
"""Deeper than any line is indented: outside of every section."""


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
        if line >= len(self._lines):  # the parser's end of the text may lie behind all of its lines
            line = len(self._lines)
            while line > 1 and not self._lines[line - 1].strip():
                line -= 1
            if line < place.line:
                column, width = len(self._lines[line - 1]) + 1, 1
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
        """Whether something of this line (from 1) is hidden, so that no message may quote from it."""
        return line <= len(self._shown) and self._shown[line - 1] != self._lines[line - 1]

    def shows(self, line: int, text: str) -> bool:
        """Whether this text of this line (from 1) may be quoted in a message."""
        return not self.hides(line) or text in self._shown[line - 1]

    @cached_property
    def _lines(self) -> list[str]:
        return _LINE_END.split(self.text)

    @cached_property
    def _shown(self) -> list[str]:
        """The lines as they may be shown."""
        shown: list[str] = []
        gateway_indent = secret_indent = _NOWHERE
        for line in self._lines:
            indent = len(line) - len(line.lstrip())
            if not line.strip(" \t,]}"):
                shown.append(line)
                continue
            in_gateway = indent > gateway_indent or (line[indent] == "#" and gateway_indent < _NOWHERE)
            if not in_gateway:
                gateway_indent = _NOWHERE
            header = None if in_gateway else _GATEWAY.search(line)
            if header is not None:
                gateway_indent = indent
                shown.append(_public(line[: header.end()]) + _known_pairs(line[header.end() :]))
            elif in_gateway:
                shown.append(_known_pairs(line))
            elif indent > secret_indent or (indent == secret_indent and line[indent] == ":"):
                shown.append(" " * indent + HIDDEN)
            else:
                secret_indent = indent if _SECRET.search(line) else _NOWHERE
                shown.append(_public(line))
        return shown


def keepable(content: bytes) -> bytes:
    """The content of a configuration for a copy of ours: without e-mail addresses. A gateway takes any to log in."""
    return _ADDRESS.sub(b"hidden@example.com", content)


def _known_pairs(text: str) -> str:
    """As much of a line of the gateway's section as is keys that we know, each with a single word.

    An e-mail address keeps its width, so that a mark below the line still points at what it means; and so does a user
    name that is none, because it may be the password.
    """
    shown, at = "", 0
    while at < len(text) and (pair := _PAIR.match(text, at)):
        start, end = pair.span("value")
        if pair["key"] == "email" or (pair["key"] == "username" and not _is_user(pair["value"])):
            shown += (
                f"{text[at:start]}{'*' * (end - start)}{text[end : pair.end()]}" if pair["value"] else pair[0]
            )
        elif _SHOWN.fullmatch(pair["key"]) and not re.search(r"[\s@]", pair["value"] or ""):
            shown += pair[0]
        else:
            break
        at = pair.end()
    rest = text[at:].rstrip()
    if shown and rest.startswith("#"):
        return shown
    name = re.match(r"""\s*(?:["']?[\w-]+["']?\s*:(?=\s|$)\s?)?""", rest)
    named = name[0] if name else ""
    return shown + named + (HIDDEN if rest != named else "")


def _is_user(value: str | None) -> bool:
    word = (value or "").strip("\"'")
    return not word or word in USERS or did_you_mean(word, USERS) is not None


def _public(text: str) -> str:
    """A text up to the first word that may be the name of a secret."""
    if not (secret := _SECRET.search(text)):
        return text
    name = _KEY_REST.match(text, secret.end())
    end = name.end() if name else secret.end()
    return f"{text[:end].rstrip()} {HIDDEN}" if text[end:].strip() else text


def read(path: Path, kept: bytes | None = None) -> Source:
    """The text of the file at ``path``, or what was ``kept`` of it.

    Raises ConfigurationError if it is no regular file, cannot be read, is over 1 MiB or not UTF-8. A device
    or a pipe is never waited for.
    """
    file = str(path)
    content = _read_bytes(path) if kept is None else kept
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
            "there is no such file", "give its name with --config, or copy config/tou.yaml from the project"
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
