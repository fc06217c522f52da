"""YAML text to plain values that know their lines. The only door to the `yaml` library.

Scalars follow the core schema of YAML 1.2, so `12:30`, `off` and `2026-07-04` stay text. What could surprise
is refused: duplicate keys, aliases, tags, several documents, deep nesting. Built from the parser's events,
because libyaml's own composer overruns the stack on deep input. What the values mean is not here; see
`schema`.
"""

from __future__ import annotations

import re
import sys
from array import array
from collections.abc import Iterator
from typing import Any

import yaml

from scheduler.config.problems import ConfigurationError, Problem, quoted
from scheduler.config.source import Place, Source
from scheduler.config.syntax import control_character, syntax_problem

DEEPEST = 32
"""Levels of nesting; a configuration has six."""

MANY_PROBLEMS = 100
"""After so many a hostile file has had its say."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a Pi without libyaml has only the slow one

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NUMBER_STARTS = frozenset("+-.0123456789")

KeyPath = tuple[str | int, ...]
"""Keys and indexes from the root to a value."""


def scalar(text: str) -> Any:
    """What unquoted text means by YAML 1.2's core schema (yaml.org/spec/1.2.2, 10.3.2), in decimal only."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in _NUMBER_STARTS:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
    return text


class Tree:
    """A document as plain values, and where each of them stands.

    Nodes are numbered in the order of the text, keys included; places live in arrays by that number, because
    a tree of objects would take more memory than the values.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.root: Any = None
        self._line = array("I")
        self._column = array("I")
        self._width = array("I")
        self._after = array("I")  # the number of the node that follows this one and all within it
        self._children: dict[int, list[int]] = {}

    def add(self, event: Any) -> int:
        """Note where a node begins; returns its number."""
        start, end = event.start_mark, event.end_mark
        number = len(self._line)
        self._line.append(start.line)
        self._column.append(start.column)
        self._width.append(max(1, end.column - start.column) if end.line == start.line else 1)
        self._after.append(number + 1)
        return number

    def close(self, number: int, event: Any) -> None:
        """Note where the collection with this number ends."""
        self._after[number] = len(self._line)
        if event.end_mark.line == self._line[number]:
            self._width[number] = max(1, event.end_mark.column - self._column[number])

    def node(self, number: int) -> Place:
        """The place of the node with this number."""
        return Place(self._line[number] + 1, self._column[number] + 1, self._width[number])

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where the value at ``path`` stands, or its key; of a path that leaves the tree, its last value."""
        number, value = 0, self.root
        for depth, step in enumerate(path):
            if isinstance(value, dict) and step in value:
                index = 2 * list(value).index(step)
                last = depth == len(path) - 1
                number = self._within(number)[index if key and last else index + 1]
            elif isinstance(value, list) and isinstance(step, int) and step < len(value):
                number = self._within(number)[step]
            else:
                break
            value = value[step]
        return self.node(number)

    def _within(self, number: int) -> list[int]:
        if number not in self._children:
            self._children[number] = list(self._skip(number + 1, self._after[number]))
        return self._children[number]

    def _skip(self, number: int, end: int) -> Iterator[int]:
        while number < end:
            yield number
            number = self._after[number]


def parse(source: Source) -> Tree:
    """The values of the text.

    Raises ConfigurationError with every problem up to where reading on makes no sense.
    """
    if found := control_character(source):
        raise ConfigurationError([found])
    builder = _Builder(source)
    loader = _Loader(source.text)
    try:
        while not builder.enough and (event := loader.get_event()) is not None:
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        builder.problems.append(syntax_problem(source, error))
    finally:
        loader.dispose()
    if not builder.problems and not isinstance(builder.tree.root, dict):
        builder.refuse(*_NOT_A_MAPPING[builder.tree.root is None], Place(1, 1))
    if builder.problems:
        raise ConfigurationError(builder.problems)
    return builder.tree


_NOT_A_MAPPING = {
    True: ("the file is empty", "copy config/tou.yaml from the project"),
    False: (
        "the file must be a mapping",
        "begin with 'version: 1', then site, gateway, tariff, rules and default",
    ),
}
_KEY_MISSING = object()


class _Builder:
    """Takes events one by one and keeps the open collections on a list instead of the call stack."""

    def __init__(self, source: Source) -> None:
        self.tree = Tree(source)
        self.problems: list[Problem] = []
        self.enough = False
        self._documents = 0
        self._open: list[tuple[Any, int]] = []  # each open collection and its number
        self._keys: list[Any] = []  # for each of them: the key that waits for its value
        self._key_lines: list[dict[str, int]] = []

    def refuse(self, message: str, hint: str | None, place: Place) -> None:
        """One more problem at this place."""
        self.problems.append(self.tree.source.problem(message, place, hint=hint))
        self.enough = self.enough or len(self.problems) >= MANY_PROBLEMS

    def take(self, event: Any) -> None:
        """The next event of the parser."""
        if type(event) is yaml.ScalarEvent:
            number = self._number(event)
            self._put(scalar(event.value) if event.implicit[0] else event.value, number)
        elif isinstance(event, yaml.MappingStartEvent):
            self._enter({}, self._number(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            self._enter([], self._number(event))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._keys.pop()
            self._key_lines.pop()
            self.tree.close(self._open.pop()[1], event)
        elif isinstance(event, yaml.AliasEvent):
            number = self.tree.add(event)
            self.refuse("an alias (*) is not allowed", "write the value out", self.tree.node(number))
            self._put(None, number)
        elif isinstance(event, yaml.DocumentStartEvent):
            self._documents += 1
            if self._documents > 1:
                mark: Any = event.start_mark
                self.refuse(
                    "a second document begins here",
                    "one file holds one configuration: remove the '---'",
                    Place(mark.line + 1, mark.column + 1, 3),
                )
                self.enough = True

    def _number(self, event: Any) -> int:
        number = self.tree.add(event)
        if event.anchor is not None:
            self.refuse(
                "an anchor (&) is not allowed",
                "write the value out where it is needed",
                self.tree.node(number),
            )
        if getattr(event, "tag", None) is not None:
            self.refuse(
                "a tag (!) is not allowed",
                "write plain text, numbers, lists and mappings",
                self.tree.node(number),
            )
        return number

    def _enter(self, collection: Any, number: int) -> None:
        self._put(collection, number)
        self._open.append((collection, number))
        self._keys.append(_KEY_MISSING)
        self._key_lines.append({})
        if len(self._open) > DEEPEST:
            message = f"nested deeper than {DEEPEST} levels"
            self.refuse(message, "is a bracket missing that closes another?", self.tree.node(number))
            self.enough = True

    def _put(self, value: Any, number: int) -> None:
        if not self._open:
            if self._documents == 1:
                self.tree.root = value
            return
        parent = self._open[-1][0]
        if isinstance(parent, list):
            parent.append(value)
        elif self._keys[-1] is _KEY_MISSING:
            self._keys[-1] = self._key(value, parent, number)
        else:
            parent[self._keys[-1]] = value
            self._keys[-1] = _KEY_MISSING

    def _key(self, value: Any, parent: dict[str, Any], number: int) -> str:
        place = self.tree.node(number)
        if not isinstance(value, str):
            number_like = isinstance(value, int | float) and not isinstance(value, bool)
            hint = "put the key in quotes"
            if number_like:
                hint += "; if it is part of a number, that has a decimal point: 0.45"
            self.refuse("a key must be text", hint, place)
            return f"\0{number}"  # its own name, so that the value after it is still looked at
        first = self._key_lines[-1].setdefault(value, place.line)
        if value in parent:
            name = f"key {quoted(value)}" if self.tree.source.shows(place.line, value) else "key"
            self.refuse(
                f"duplicate {name}; it stands in line {first} already",
                "remove one of them, or begin a new entry with '- '",
                place,
            )
        return sys.intern(value)
