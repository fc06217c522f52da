"""What is wrong with text that is no YAML at all, in words that a home owner can act on.

The parser finds the place; the sentences are ours, because its own speak of tokens and contexts.
"""

from __future__ import annotations

import re
from typing import Any

from scheduler.config.problems import Problem
from scheduler.config.source import Place, Source

# Everything that YAML allows in a file (yaml.org/spec/1.2.2, 5.1) is outside of this set.
_CONTROL = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")

_BRACKETS = "check the brackets"
_SAME_COLUMN = "begin keys of one mapping in the same column"

# Part of the parser's sentence, whether the place is where the thing began, our sentence, what to do.
_SENTENCES = (
    ("mapping values are not allowed", False, "a second ': ' on this line, or a line indented too far",
     f"put text that holds ': ' in quotes; {_SAME_COLUMN}"),
    ("unexpected end of stream", True, "a quote is opened here and never closed", "close it with the same quote"),
    ("expected ',' or '}'", True, "this '{' is not closed, or a comma is missing after it", _BRACKETS),
    ("expected ',' or ']'", True, "this '[' is not closed, or a comma is missing after it", _BRACKETS),
    ("expected key", False, "this line does not fit the lines above it", _SAME_COLUMN),
    ("expected <block end>", False, "this line does not fit the lines above it", _SAME_COLUMN),
    ("expected '-' indicator", False, "this line does not fit the list above it",
     "begin each entry of a list with '- ' in the same column"),
    ("block sequence entries are not allowed", False, "a list cannot begin here",
     "put the '- ' on a line of its own, below the key"),
    ("find expected ':'", True, "a key without ': '", "write 'key: value', with a space after the colon"),
    ("unknown escape character", False, "an unknown escape after the backslash",
     "use single quotes, in which a backslash is only a backslash"),
    ("undefined tag handle", False, "a tag (!) is not allowed", "write plain text, numbers, lists and mappings"),
    ("alphabetic or numeric character", False, "'*' or '&' cannot begin a value", "put the text in quotes"),
    ("expected node content", False, "a value is missing here", "check the brackets and commas"),
    ("document start", False, "this does not belong to what stands above it", "check brackets and indentation"),
)  # fmt: skip

_UNREADABLE = "this cannot be read as YAML"
_LOOK = "look at this line and the one above it; text with special characters needs quotes"


def control_character(source: Source) -> Problem | None:
    """The first character that no YAML file may hold, if there is one."""
    found = _CONTROL.search(source.text)
    if found is None:
        return None
    before = source.text[: found.start()]
    line_start = max(before.rfind("\n"), before.rfind("\r")) + 1
    place = Place(len(re.findall("\r\n|[\n\r\x85\u2028\u2029]", before)) + 1, found.start() - line_start + 1)
    message = f"the character U+{ord(found[0]):04X} is not allowed"
    return source.problem(message, place, hint="remove it; is this a text file?")


def syntax_problem(source: Source, error: Any) -> Problem:
    """The problem behind the parser's ``error`` (a yaml.MarkedYAMLError)."""
    said = f"{error.problem or ''}"
    mark = error.problem_mark or error.context_mark
    line_start = source.text[: mark.index].rpartition("\n")[2]
    if "\t" in line_start + source.text[mark.index : mark.index + 1] and not line_start.strip():
        place = Place(mark.line + 1, max(line_start.find("\t"), 0) + 1)
        return source.problem("a tab cannot indent", place, hint="use spaces")
    if "cannot start any token" in said:
        place = Place(mark.line + 1, mark.column + 1)
        character = source.text[mark.index : mark.index + 1]
        message = _UNREADABLE if source.hides(place.line) else f"{character!r} cannot begin a value"
        return source.problem(message, place, hint="put the text in quotes")
    for part, at_its_start, message, hint in _SENTENCES:
        if part in said:
            chosen = (error.context_mark if at_its_start else None) or mark
            return source.problem(message, Place(chosen.line + 1, chosen.column + 1), hint=hint)
    return source.problem(_UNREADABLE, Place(mark.line + 1, mark.column + 1), hint=_LOOK)
