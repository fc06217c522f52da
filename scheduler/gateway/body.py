"""Strict JSON: the bytes of a body to plain values, or a Transient that says what is wrong with them.

What the fields mean lives in `wire.py`. Nothing here repeats what a body says: it may hold a secret.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, NoReturn

from scheduler.model.errors import Transient

DEPTH_LIMIT = 32
"""No documented answer nests deeper than 6; Python's parser ends in a RecursionError at about 1,000."""

_DIGITS_LIMIT = 30
_TEXT_LIMIT = 200
# A string that is not closed ends with the body, and nothing is tried twice: 256 KiB of \" took minutes otherwise.
_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
_HALF = re.compile(r"\\u[dD][89a-fA-F]")


def parse_object(body: bytes) -> Mapping[str, Any]:
    """The JSON object in ``body``; Transient for anything that is not exactly one sane object."""
    value = parse(body)
    if not isinstance(value, dict):
        raise Transient("the gateway's answer is JSON, but not an object")
    return value


def parse(body: bytes) -> Any:
    """The JSON value in ``body``; Transient for anything that is not exactly one sane value.

    Refused beyond what the standard refuses: NaN and the infinities, numbers too large for a float, a key that occurs
    twice, more than 32 levels, numbers of more than 30 digits, other encodings than UTF-8, and halves of characters
    (lone surrogates), which no file and no terminal takes.
    """
    # Raised after the handlers, not in them: Python's errors hold the whole body, and would be the context of ours.
    decoded: str | None = None
    with suppress(UnicodeDecodeError):
        decoded = body.decode("utf-8")
    if decoded is None:
        raise Transient("the gateway's answer is not UTF-8")
    # Fewer brackets than levels are allowed cannot nest too deep, whatever stands in texts: so nearly every answer.
    if decoded.count("{") + decoded.count("[") > DEPTH_LIMIT and _depth(decoded) > DEPTH_LIMIT:
        raise Transient(f"the gateway's answer nests deeper than {DEPTH_LIMIT} levels")
    with suppress(json.JSONDecodeError):
        value = _DECODER.decode(decoded)
        if _HALF.search(decoded) and not _is_text(value):
            raise Transient("the gateway's answer has half a character where text belongs")
        return value
    raise Transient("the gateway's answer is not JSON")


def number(fields: Mapping[str, Any], name: str) -> float:
    """The number under ``name``; Transient with the field's name if there is none."""
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Transient(f"the gateway's answer has no number under {name}")
    return float(value)


def flag(fields: Mapping[str, Any], name: str) -> bool:
    """The true or false under ``name``; Transient with the field's name if there is none."""
    value = fields.get(name)
    if not isinstance(value, bool):
        raise Transient(f"the gateway's answer has no true or false under {name}")
    return value


def text(fields: Mapping[str, Any], name: str) -> str:
    """The text under ``name`` without surrounding space; Transient if there is none, or none fit to be shown."""
    value = fields.get(name)
    if not isinstance(value, str) or not shown_safely(value.strip()):
        raise Transient(f"the gateway's answer has no plain text under {name}")
    return value.strip()


def mapping(fields: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object under ``name``; Transient with the field's name if there is none."""
    value = fields.get(name)
    if not isinstance(value, dict):
        raise Transient(f"the gateway's answer has no object under {name}")
    return value


def shown_safely(value: str) -> bool:
    """Whether a text from outside is short, not empty and free of control characters and lone surrogates."""
    return 0 < len(value) <= _TEXT_LIMIT and value.isprintable()


def _depth(document: str) -> int:
    depth = deepest = 0
    for bracket in _BRACKET.finditer(_STRING.sub("", document)):
        depth += 1 if bracket[0] in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _is_text(value: Any) -> bool:
    with suppress(UnicodeEncodeError):
        return bool(json.dumps(value, ensure_ascii=False).encode())
    return False


def _whole(digits: str) -> int:
    if len(digits) > _DIGITS_LIMIT:
        raise Transient(f"the gateway's answer has a number of more than {_DIGITS_LIMIT} digits")
    return int(digits)


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise Transient("the gateway's answer has a number that is too large")
    return value


def _constant(name: str) -> NoReturn:
    raise Transient(f"the gateway's answer has {name} where a number belongs")


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise Transient("the gateway's answer says the same thing twice")
    return fields


_DECODER = json.JSONDecoder(
    parse_int=_whole, parse_float=_finite, parse_constant=_constant, object_pairs_hook=_once_each
)
