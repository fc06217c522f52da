"""Finds texts that are known, in every spelling in which they could stand in an answer, a log line or a header.

Pure. Thousands of texts cost no more than one: at each place the next few characters say which lengths are worth a look, and
one look-up a length settles it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORT = 5
"""A known text of so few characters is found as a word of its own only: within a longer one it would be chance."""

_HEAD = 3


class Known:
    """The search for these texts, whatever the case of their letters; the longest that fits counts.

    A short one that is among ``tails`` is found at the end of a word, too, such as that of a network's name.
    """

    def __init__(self, texts: Iterable[str], tails: Collection[str] = ()) -> None:
        spelled = [
            (_lower(spelling), _lower(text)) for text in texts for spelling in _spellings(text) if spelling
        ]
        self._tails = {_lower(tail) for tail in tails}
        self._meant = dict(reversed(spelled))
        self._head = min([_HEAD, *map(len, self._meant)])
        lengths: dict[str, set[int]] = {}
        for spelling in self._meant:
            lengths.setdefault(spelling[: self._head], set()).add(len(spelling))
        self._lengths = {head: sorted(found, reverse=True) for head, found in lengths.items()}

    def replace(self, text: str, by: Callable[[str], str]) -> str:
        """The text with each known one in it replaced by what ``by`` gives for it, in small letters and plainly spelled."""
        if not self._meant:
            return text
        lower, parts, done, at = _lower(text), list[str](), 0, 0
        last = len(lower) - self._head
        while at <= last:
            lengths = self._lengths.get(lower[at : at + self._head])
            end = at if lengths is None else self._end(lower, at, lengths)
            if end == at:
                at += 1
                continue
            parts += (text[done:at], by(self._meant[lower[at:end]]))
            done = at = end
        return "".join([*parts, text[done:]])

    def _end(self, lower: str, at: int, lengths: list[int]) -> int:
        """Where the longest known text that begins here ends; ``at`` if none does."""
        for length in lengths:
            word = lower[at : at + length]
            if word in self._meant and (length > SHORT or self._stands_alone(lower, at, word)):
                return at + length
        return at

    def _stands_alone(self, lower: str, at: int, word: str) -> bool:
        if _GOES_ON.match(lower, at + len(word)):
            return False
        before = lower[max(at - 2, 0) : at]
        if word not in self._tails:
            return _COMES_FROM.search(before) is None
        # A number that ends in the same digits is chance.
        return not (word.isdigit() and _IN_A_NUMBER.search(before))


_GOES_ON = re.compile(r"[^\W_]|\.\d")
_COMES_FROM = re.compile(r"[^\W_]\Z|\d\.\Z")
_IN_A_NUMBER = re.compile(r"\d\.?\Z")


def _lower(text: str) -> str:
    """In small letters, each character for itself: places in the text stay where they are."""
    lower = "".join(map(str.lower, text))
    if len(lower) == len(text):
        return lower
    return "".join(small if len(small := letter.lower()) == 1 else letter for letter in text)


def _spellings(text: str) -> Iterator[str]:
    yield text
    content = text.encode(errors="surrogatepass")
    yield from (quote(content, safe=""), quote_plus(content), repr(text)[1:-1], content.hex())
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    for offset, first in ((0, 0), (1, 2), (2, 3)):
        if offset and len(text) <= SHORT:
            return
        # The characters of base64 that depend on nothing else, for each place where the text may begin.
        coded = base64.b64encode(bytes(offset) + content).decode()
        core = coded[first : (offset + len(content)) * 8 // 6]
        yield from (core, core.replace("+", "-").replace("/", "_"))
