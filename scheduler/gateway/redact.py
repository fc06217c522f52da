"""Hides what must not get out: secrets, serial numbers, addresses and people, in any JSON value and in any text.

Pure. By the names of keys, by shapes that speak for themselves, and by values that were seen elsewhere in the same document
or are given as known. What reveals something is tabled in `revealing.py`. A placeholder tells the kind, and the same value
has the same number throughout one document: `(serial 1)`, `(address 2)`.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any

from scheduler.gateway import revealing
from scheduler.gateway.known import Known
from scheduler.gateway.revealing import ADDRESS, GATHERED, HARMLESS, NETWORK, PASSWORD, SERIAL, TOKEN, kind_of

TAIL = 5
"""The customer's default password is so many last characters of the gateway's serial number (README, *Login*)."""

_FIRST_STAND_IN = 0xF0000
_STAND_INS = re.compile("[\U000f0000-\U0010ffff]")
_PATTERNS = re.compile(
    "|".join(f"(?P<{name.replace('-', '_')}>{shape})" for name, shape in revealing.PATTERNS.items())
)
_KIND_OF_SHAPE = {
    "url": PASSWORD,
    "e_mail": revealing.EMAIL,
    "mac": ADDRESS,
    "ip": ADDRESS,
    "access_point": NETWORK,
}


def hidden(document: Any, known: Iterable[tuple[str, str]] = ()) -> Any:
    """The JSON value without anything that reveals something; ``known`` are pairs of kind and text, such as a password.

    Dictionary keys and JSON within texts are searched, too. Two keys that become the same are told apart by a number.
    """
    gathered = _Gathered(known)
    gathered.look_at(document)
    return _Curtain(gathered.kinds, gathered.tails).value(document, None)


class _Gathered:
    """Values that are hidden wherever they stand, each with its kind."""

    def __init__(self, known: Iterable[tuple[str, str]]) -> None:
        self.kinds: dict[str, str] = {}
        self.tails: set[str] = set()
        for kind, text in known:
            self._take(kind, text)

    def look_at(self, value: Any, kind: str | None = None) -> None:
        """Gather from a JSON value, which stands under a key of ``kind``."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self.look_at(str(key))
                self.look_at(inner, _kind_under(value, str(key), kind))
        elif isinstance(value, list):
            for inner in value:
                self.look_at(inner, kind)
        elif isinstance(value, str):
            self._look_at_text(value, kind)
        elif kind is not None and _is_number(value):
            self._take_under(kind, str(value))

    def _look_at_text(self, text: str, kind: str | None) -> None:
        parsed = _json_in(text)
        if parsed is not None:
            self.look_at(parsed, kind)
        for match in revealing.SERIALS.finditer(text):
            self._take(SERIAL, match["serial"] or match[0])
        for match in revealing.LOGIN_IN_ADDRESS.finditer(text):
            self._take_under(PASSWORD, match["password"])
        for match in _freely(text):
            self._take_under(kind_of(match["word"]) or PASSWORD, _bare(match["rest"]))
        self._take_under(kind, text.strip())

    def _take_under(self, kind: str | None, text: str) -> None:
        if kind not in GATHERED or len(text) < GATHERED[kind] or HARMLESS.fullmatch(text):
            return
        if kind == SERIAL and not any(letter.isdigit() for letter in text):
            return  # "unknown" and the like
        self._take(kind, text)

    def _take(self, kind: str, text: str) -> None:
        din = revealing.DIN.fullmatch(text) if kind == SERIAL else None
        meter = revealing.METER.fullmatch(text) if kind == SERIAL else None
        text = (din or meter or {"serial": text})["serial"] or text
        if not text or text in self.kinds:
            return
        self.kinds[text] = kind
        if kind == SERIAL and len(text) > TAIL + 2:
            self.kinds.setdefault(text[-TAIL:], PASSWORD)
            self.kinds.setdefault(f"S{text}", PASSWORD)
            self.tails.add(text[-TAIL:])
        if kind == PASSWORD and (installers := revealing.INSTALLERS.fullmatch(text)):
            self._take(SERIAL, installers["serial"])


class _Curtain:
    """One document's placeholders, and the search for what they stand for."""

    def __init__(self, kinds: Mapping[str, str], tails: Collection[str]) -> None:
        self._kinds: dict[str, str] = {}
        for text, kind in kinds.items():
            self._kinds.setdefault(text.lower(), kind)
        self._known = Known(kinds, tails)
        self._placeholders: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()

    def value(self, value: Any, kind: str | None) -> Any:
        """A JSON value that stands under a key of ``kind``."""
        if isinstance(value, dict):
            return self._object(value, kind)
        if isinstance(value, list):
            return [self.value(inner, kind) for inner in value]
        if isinstance(value, str):
            return self._string(value, kind)
        if _is_number(value):
            return self._number(value, kind)
        return value

    def _object(self, value: dict[Any, Any], kind: str | None) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        for key, inner in value.items():
            shown = unique = self._text(str(key))
            number = 1
            while unique in fields:
                number += 1
                unique = f"{shown} ({number})"
            fields[unique] = self.value(inner, _kind_under(value, str(key), kind))
        return fields

    def _number(self, value: float, kind: str | None) -> Any:
        if kind is not None:
            return self._placeholder(kind, str(value))
        return value if self._text(str(value)) == str(value) else self._text(str(value))

    def _string(self, text: str, kind: str | None) -> str:
        parsed = _json_in(text)
        if parsed is not None:
            shown = self.value(parsed, kind)
            return self._text(text) if shown == parsed else json.dumps(shown, ensure_ascii=False)
        if kind is None:
            return self._text(text)
        if HARMLESS.fullmatch(text.strip()):
            return text
        if kind == SERIAL:
            # A part number, and how a meter is built in, may be read beside the serial number.
            shown = self._text(text)
            if re.fullmatch(r"(\d{7}-\d{2}-[A-Z]--)?\(serial \d+\)(synchrometer[A-Z])?", shown):
                return shown
        return self._placeholder(kind, text.strip())

    def _text(self, text: str) -> str:
        standing: dict[str, str] = {}

        def stand_in(placeholder: str) -> str:
            return standing.setdefault(placeholder, chr(_FIRST_STAND_IN + len(standing)))

        def of_known(meant: str) -> str:
            return stand_in(self._placeholder(SERIAL, meant))

        def of_shape(match: re.Match[str]) -> str:
            return self._shape(match, stand_in)

        def of_line(match: re.Match[str]) -> str:
            rest = _bare(match["rest"])
            kind = kind_of(match["word"]) or PASSWORD
            return match["word"] + match["between"] + stand_in(self._placeholder(kind, rest))

        # What is known first: then no shape can cut it in two. One character stands for it meanwhile, so that the rest
        # of an e-mail address around it is still seen.
        shown = _STAND_INS.sub("?", text)
        shown = _each(_freely(shown), shown, of_line)
        shown = self._known.replace(shown, of_known)
        shown = _PATTERNS.sub(of_shape, shown)
        placeholders = {character: placeholder for placeholder, character in standing.items()}
        return _STAND_INS.sub(lambda match: placeholders[match[0]], shown)

    def _shape(self, match: re.Match[str], stand_in: Callable[[str], str]) -> str:
        shape, text = match.lastgroup or "", match[0]
        if shape == "said":
            value = match["quoted"]
            bare = value.strip("\\\"'")
            rest = _STAND_INS.sub("", bare)
            # A port may stand behind an address that is hidden already.
            if HARMLESS.fullmatch(rest) or re.fullmatch(r":\d{1,5}", rest):
                return text
            kind = kind_of(match["key"]) or TOKEN
            return match["key"] + value.replace(bare, stand_in(self._placeholder(kind, bare)))
        if din := revealing.DIN.fullmatch(text) if shape == "din" else None:
            return din["part"] + stand_in(self._placeholder(SERIAL, din["serial"]))
        if shape == "url":
            return stand_in(self._placeholder(PASSWORD, text[:-1])) + "@"
        if HARMLESS.fullmatch(text) or (shape == "ip" and not revealing.is_address(text)):
            return text
        return stand_in(self._placeholder(_KIND_OF_SHAPE.get(shape, shape), text))

    def _placeholder(self, kind: str, text: str) -> str:
        value = text.lower()
        kind = self._kinds.get(value, kind)
        if (kind, value) not in self._placeholders:
            self._counts[kind] += 1
            self._placeholders[kind, value] = f"({kind} {self._counts[kind]})"
        return self._placeholders[kind, value]


def _kind_under(fields: Mapping[Any, Any], key: str, inherited: str | None) -> str | None:
    """The kind of what stands under ``key``; decoded alerts tell name and value apart: `{"name": …, "value": …}`."""
    kind = kind_of(key)
    if kind is None and key == "value":
        names = (fields.get(name) for name in ("name", "key", "id"))
        kind = next((found for name in names if isinstance(name, str) and (found := kind_of(name))), None)
    return inherited if kind is None else kind


def _freely(text: str) -> Iterator[re.Match[str]]:
    """The words in a text of several lines, which is a file that a person wrote, after which anything may stand."""
    if "\n" in text:
        for match in revealing.FREELY.finditer(text):
            if not HARMLESS.fullmatch(_bare(match["rest"])):
                yield match


def _bare(rest: str) -> str:
    """The rest of a line without what does not belong to a value."""
    return rest.strip().strip("\"'").strip()


def _each(matches: Iterable[re.Match[str]], text: str, by: Callable[[re.Match[str]], str]) -> str:
    """The text with each of these matches in it replaced."""
    parts, done = list[str](), 0
    for match in matches:
        parts += (text[done : match.start()], by(match))
        done = match.end()
    return "".join([*parts, text[done:]])


def _json_in(text: str) -> Any:
    """The object or list that a text holds as JSON, else None."""
    if text.lstrip()[:1] not in {"{", "["}:
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
