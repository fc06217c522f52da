"""pydantic's complaints in the owner's words.

pydantic knows the path and the kind; the sentence is ours. Its own text and its copy of the input are never
used, because the input may be a password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from scheduler.config.lines import KeyPath
from scheduler.config.problems import quoted
from scheduler.config.report import MANY, Report
from scheduler.config.schema import File
from scheduler.config.source import HIDDEN
from scheduler.config.words import did_you_mean

CREDENTIAL_HINT = (
    "give it in the variable TOU_GATEWAY__PASSWORD, or as a Docker secret or systemd credential "
    "called gateway_password"
)
_SECRET_KEYS = ("password", "passwd", "pwd", "secret", "token")
_SCHEDULER_HINT = (
    "use self_consumption, backup or autonomous; the gateway's README says of scheduler: for aggregation, "
    "seems not supported"
)
_MODES_OF_THE_APP = {
    "self powered": "self_consumption",
    "backup only": "backup",
    "time based": "autonomous",
    "time based control": "autonomous",
}
_YES_OR_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}

Said = tuple[str, str | None]
"""A sentence and a hint."""


def complain(report: Report, errors: Sequence[ErrorDetails], root: Any) -> None:
    """Put every complaint about ``root`` into the report."""
    suggested: set[KeyPath] = set()
    errors = errors[:MANY]
    for error in errors:
        if error["type"] == "extra_forbidden":
            path = error["loc"]
            hint = _key_hint(path)
            suggested.update(
                (*path[:-1], key) for key in _keys(path[:-1]) if hint == f"did you mean {key!r}?"
            )
            report.error(path, f"unknown key {called(report, path)}", hint, at_key=True)
    for error in errors:
        path = tuple(step for step in error["loc"] if step != "[key]")
        at_key = len(path) != len(error["loc"])
        if error["type"] == "missing":
            if path not in suggested:  # a misspelt key is one problem, not two
                report.error(path[:-1], f"{quoted(str(path[-1]))} is missing", _purpose(path))
        elif error["type"] != "extra_forbidden":
            found = path[-1] if at_key else value_at(root, path)
            report.error(path, *_sentence(error, path, found), at_key=at_key)


def called(report: Report, path: KeyPath) -> str:
    """The key at ``path`` in quotes, unless it may be a password that slipped into the place of a key."""
    return quoted(str(path[-1])) if report.shows_key(path) else HIDDEN


def empty_values(value: Any, path: KeyPath = ()) -> Iterator[KeyPath]:
    """Paths of the keys and entries after which nothing stands."""
    children: Any = value.items() if isinstance(value, dict) else enumerate(value)
    for step, child in children:
        if child is None:
            yield (*path, step)
        elif isinstance(child, dict | list):
            yield from empty_values(child, (*path, step))


def value_at(root: Any, path: KeyPath) -> Any:
    """The value at a path; of a path that leaves the tree, the last one on it.

    A single entry that was taken as a list leaves the tree.
    """
    value: Any = root
    for step in path:
        known = (
            step in value if isinstance(value, dict) else isinstance(value, list) and isinstance(step, int)
        )
        if not known:
            break
        value = value[step]
    return value


def _sentence(error: ErrorDetails, path: KeyPath, found: Any) -> Said:
    context = error.get("ctx", {})
    if path == ("gateway", "host") and "@" in str(found):
        return "this holds more than a host", f"leave out what stands before the '@'; {context.get('hint')}"
    if error["type"] == "sentence":
        return str(context["message"]), context["hint"]
    if error["type"] == "text_expected":
        return f"expected text like {context['example']!r}, found {_kind(found)}", None
    if error["type"] == "literal_error":
        return _unknown_word(path, found, str(context["expected"]))
    if error["type"] == "too_long":
        return f"more than {context['max_length']} entries", "that is more than a tariff or a rule needs"
    if error["type"] in _BOUNDS:
        word, bound = _BOUNDS[error["type"]]
        return f"{found:g} is {word} than {context[bound]:g}", None
    if error["type"] in _PLAIN:
        return _PLAIN[error["type"]]
    for types, expected, hint in _EXPECTED:
        if error["type"] in types:
            return f"expected {expected}, found {_kind(found)}", hint(found)
    return "this value cannot be used", None


def _unknown_word(path: KeyPath, found: Any, expected: str) -> Said:
    words = [word.strip("'") for word in expected.replace(" or ", ", ").split(", ")]
    name = str(path[-1])
    if name == "version":
        return "this version of the file is not known", "write 'version: 1'"
    if not isinstance(found, str):
        return f"expected {expected}, found {_kind(found)}", None
    if name == "mode" and found == "scheduler":
        return "mode 'scheduler' cannot be asked for", _SCHEDULER_HINT
    if name == "mode" and (ours := _MODES_OF_THE_APP.get(re.sub("[^a-z]+", " ", found.lower()))):
        return f"unknown mode {quoted(found)}", f"what the app calls so is {ours} here"
    likely = did_you_mean(found, words)
    # What is not like a user name may be the password.
    shown = HIDDEN if name == "username" and likely is None else quoted(found)
    return f"unknown {name} {shown}", likely or f"use {expected.replace(chr(39), '')}"


def _key_hint(path: KeyPath) -> str | None:
    name = re.split(r"[\s:=]", str(path[-1]))[0]
    if path[0] == "gateway" and did_you_mean(name, _SECRET_KEYS):
        return CREDENTIAL_HINT
    keys = _keys(path[:-1])
    return did_you_mean(name, keys) or (f"known here: {', '.join(keys)}" if keys else None)


def _model(path: KeyPath) -> type[BaseModel] | None:
    """The model of the mapping at ``path``."""
    model: type[BaseModel] | None = File
    for step in path:
        if model is None or isinstance(step, int):
            continue
        fields = {field.alias or name: field.annotation for name, field in model.model_fields.items()}
        if step in fields:
            model = _section(fields[step])
    return model


def _section(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_section(argument) for argument in getattr(annotation, "__args__", ()))
    return next((section for section in found if section is not None), None)


def _keys(path: KeyPath) -> list[str]:
    model = _model(path)
    fields = model.model_fields if model is not None else {}
    return [field.alias or name for name, field in fields.items() if name != "password"]


def _purpose(path: KeyPath) -> str | None:
    """What a missing key is for, from the schema's own description."""
    if path == ("version",):
        return "begin the file with 'version: 1'"
    model = _model(path[:-1])
    for name, field in (model.model_fields if model is not None else {}).items():
        if (field.alias or name) == path[-1]:
            section = _section(field.annotation)
            text = field.description or (section.__doc__ if section is not None else None)
            return f"{path[-1]}: {text}" if text else None
    return None


def _kind(found: Any) -> str:
    names: dict[type, str] = {bool: "true or false", str: "text", dict: "a mapping", list: "a list"}
    return "nothing" if found is None else names.get(type(found), "a number")


def _no_hint(_found: Any) -> str | None:
    return None


def _number_hint(found: Any) -> str | None:
    """The number in `$0.45`, `100%`, `0,45` or a number in quotes."""
    number = re.fullmatch(r"[^\w.,-]*(-?[0-9]*[.,]?[0-9]+)[^\w.,-]*", str(found))
    if number is None or not isinstance(found, str):
        return None
    return f"write the number alone, with a decimal point and without $, % or quotes: {number[1].replace(',', '.')}"


def _quotes_hint(found: Any) -> str | None:
    return "put it in quotes" if isinstance(found, bool | int | float) else None


def _yes_or_no_hint(found: Any) -> str | None:
    word = _YES_OR_NO.get(str(found).lower())
    return f"write {word}" if word else None


_BOUNDS = {"less_than_equal": ("more", "le"), "greater_than_equal": ("less", "ge")}
_PLAIN: dict[str, Said] = {
    "too_short": ("the list is empty", "name at least one"),
    "string_too_short": ("the text is empty", "leave the key out, or write something"),
    "string_too_long": ("the text is too long", None),
    "string_pattern_mismatch": (
        "the text has line ends or control characters in it, or spaces around it",
        "write it on one line",
    ),
    "finite_number": ("the number is too large", None),
    "int_from_float": ("expected a whole number, found a fraction", None),
}
_EXPECTED: tuple[tuple[set[str], str, Callable[[Any], str | None]], ...] = (
    ({"string_type"}, "text", _quotes_hint),
    ({"float_type"}, "a number", _number_hint),
    ({"int_type"}, "a whole number", _number_hint),
    ({"bool_type"}, "true or false", _yes_or_no_hint),
    ({"list_type"}, "a list", _no_hint),
    ({"model_type", "model_attributes_type", "dict_type"}, "a mapping", _no_hint),
)
