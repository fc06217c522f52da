"""Bodies that no gateway should send, made of those that gateways do send. No tests here."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from hypothesis import strategies as st
from shapes_of import shape, shapes

CANARY = "cAnArY"
"""Stands in bodies for what must not be repeated: a password, a serial number."""

ODD_NUMBERS = (
    "NaN",
    "-Infinity",
    "1e999",
    "-1e999",
    "-0",
    "1e308",
    "5e-324",
    "9" * 30,
    "9" * 31,
    "9" * 5000,
    "-" + "9" * 400,
    "0." + "1" * 100_000,
    "1e-" + "9" * 5000,
    "01",
    "+1",
    "0x10",
)

ODD_TEXTS = (
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0000"',
    '"\\u001b[2J"',
    '"\\u202e"',
    '"\\u00e4"',
    '""',
    '" "',
    f'"{CANARY}\\r\\nX: y"',
    f'"{"x" * 100_000}"',
    '"\x00"',
    '"not closed',
)

ODD_VALUES = (
    *ODD_NUMBERS,
    *ODD_TEXTS,
    f'"{CANARY}"',
    f'{{"{CANARY}":"{CANARY}"}}',
    f'["{CANARY}"]',
    "null",
    "true",
    "[]",
    "{}",
    "[[]]",
    "[" * 40 + "]" * 40,
    '{"a":1,"a":2}',
    CANARY,
)
"""JSON, or nearly, to stand where a value belongs."""

MONSTERS: dict[str, bytes] = {
    "nothing": b"",
    "a line feed": b"\n",
    "a page": f"<html><a href='https://{CANARY}'>Moved Permanently</a>.</html>".encode(),
    "100,000 brackets": b"[" * 100_000,
    "100,000 brackets, closed": b"[" * 100_000 + b"]" * 100_000,
    "40,000 objects": b'{"a":' * 40_000,
    "brackets the wrong way round": b"]" * 100_000 + b"[" * 100_000,
    "quotes without end": b'"' * 262_143,
    "escaped quotes without end": b'\\"' * 131_072,
    "a string of escaped quotes without end": b'"' + b'\\"' * 131_071,
    "quotes and backslashes": b'"\\' * 131_072,
    "brackets in strings without end": b'"' + b'["' * 131_071,
    "a long string": b'{"version":"' + b"x" * 260_000 + b'"}',
    "a long key": b'{"' + b"x" * 260_000 + b'":1}',
    "many keys": b"{" + b",".join(b'"%d":0' % key for key in range(20_000)) + b"}",
    "the same key often": b"{" + b",".join([b'"a":0'] * 40_000) + b"}",
    "many numbers": b"[" + b"0," * 131_000 + b"0]",
    "a long whole number": b'{"percentage":' + b"9" * 260_000 + b"}",
    "a long fraction": b'{"percentage":0.' + b"1" * 260_000 + b"}",
    "a long exponent": b'{"percentage":1e' + b"9" * 260_000 + b"}",
    "many surrogates": b'{"version":"' + b"\\ud800" * 40_000 + b'"}',
    "spaces": b" " * 262_144,
    "zero bytes": b"\0" * 262_144,
    "not UTF-8": b"\xff" * 262_144,
}
"""As long as an answer may be, and built to keep a reader busy."""


@cache
def bodies(*names: str) -> st.SearchStrategy[bytes]:
    """Hostile bodies, most of them made of the known answers of these names."""
    seeds = [shape(name) for name in shapes() if not names or name.split("/")[-1].startswith(names)]
    assert seeds, names
    known = st.sampled_from(seeds)
    return st.one_of(
        known.flatmap(_bent),
        known.flatmap(_bent),
        known.flatmap(_damaged),
        known.flatmap(_recoded),
        st.sampled_from(list(MONSTERS.values())),
        st.binary(max_size=200),
        _any_json().map(lambda value: json.dumps(value).encode()),
    )


def texts() -> st.SearchStrategy[str]:
    """Texts that somebody may type, or have typed by mistake."""
    return st.text(st.characters(codec=None), max_size=60) | st.sampled_from(
        [" ", "/", "..", "../..", "%00", "%2e%2e", "\x00", "\r\nX: y", "\ud800", "\U0001f600", "x" * 100_000]
    )


@cache
def _any_json() -> st.SearchStrategy[Any]:
    return st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=8,
    )


def _damaged(body: bytes) -> st.SearchStrategy[bytes]:
    """Cut short, with bytes put in or taken out, or with another document behind."""
    place = st.integers(0, len(body))
    piece = st.sampled_from(
        [b"", b"\0", b"\xff", b'"', b"\\", b"{", b"}", b",", b"\xef\xbb\xbf", b"\xed\xa0\x80"]
    )
    return st.one_of(
        place.map(lambda end: body[:end]),
        st.tuples(place, place, piece | st.binary(max_size=8)).map(
            lambda cut: body[: min(cut[:2])] + cut[2] + body[max(cut[:2]) :]
        ),
        st.tuples(place, piece).map(lambda put: body[: put[0]] + put[1] + body[put[0] :]),
        piece.map(lambda more: body + more),
        st.just(body + body),
    )


def _recoded(body: bytes) -> st.SearchStrategy[bytes]:
    codecs = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7", "cp037")
    return st.sampled_from([body.decode().encode(codec, "replace") for codec in codecs])


def _bent(body: bytes) -> st.SearchStrategy[bytes]:
    """The same document with some of its values dropped, doubled, swapped or put in another's place."""
    document = json.loads(body)
    count = sum(1 for _ in _places(document))
    if not count:
        return st.just(body)
    change = st.tuples(st.integers(0, count - 1), st.integers(0, count - 1), st.sampled_from(_CHANGES))
    odd = st.lists(st.sampled_from(ODD_VALUES), min_size=3, max_size=3)
    changes = st.lists(change, min_size=1, max_size=3)
    return st.tuples(changes, odd).map(lambda how: _with(document, *how))


Place = tuple[Any, Any]
"""An object or list, and the key or index of one of its members."""


def _places(value: Any) -> Iterator[Place]:
    members = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for key, member in members:
        yield value, key
        yield from _places(member)


def _with(document: Any, changes: list[tuple[int, int, Callable[..., None]]], odd: list[str]) -> bytes:
    document = copy.deepcopy(document)
    for number, (first, second, change) in enumerate(changes):
        places = list(_places(document))
        if places:
            change(places[first % len(places)], places[second % len(places)], f"\0{number}\0")
    text = json.dumps(document, ensure_ascii=False)
    for number, value in enumerate(odd):
        # The mark is a text of its own in the document, and the odd value takes its place with quotes and all.
        text = text.replace(json.dumps(f"\0{number}\0"), value)
    return text.encode("utf-8", "surrogatepass")


def _drop(place: Place, _other: Place, _mark: str) -> None:
    del place[0][place[1]]


def _replace(place: Place, _other: Place, mark: str) -> None:
    place[0][place[1]] = mark


def _insert(place: Place, _other: Place, mark: str) -> None:
    holder, key = place
    if isinstance(holder, dict):
        holder[CANARY] = mark
    else:
        holder.insert(key, mark)


def _swap(place: Place, other: Place, _mark: str) -> None:
    # Copies: a value must not come to lie within itself.
    mine, others = copy.deepcopy(place[0][place[1]]), copy.deepcopy(other[0][other[1]])
    place[0][place[1]], other[0][other[1]] = others, mine


_CHANGES = (_drop, _replace, _replace, _insert, _swap)
