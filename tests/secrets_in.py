"""Looks for secrets in what the program puts out, in every spelling in which they could get there. No tests here."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

SHORT = 5
"""A secret of so few characters is looked for as a word of its own: within a longer number it would be chance."""


def found(secrets: Iterable[str], said: str | bytes) -> list[str]:
    """The secrets that are in ``said``, each with its encoding: raw, URL-quoted, base64, JSON, repr or hexadecimal.

    Letters count whatever their case. Base64 is found in the middle of a longer text, too, and in both alphabets.
    """
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    folded = text.casefold()
    return [
        f"{secret} ({encoding})"
        for secret in dict.fromkeys(secrets)
        for encoding, spelling in _spellings(secret)
        if _stands_in(spelling, text if encoding == "base64" else folded, encoding)
    ]


def _spellings(secret: str) -> Iterator[tuple[str, str]]:
    content = secret.encode()
    yield "raw", secret
    yield "url", quote(secret, safe="")
    yield "url", quote_plus(secret)
    for ascii_only in (True, False):
        yield "json", json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
    yield "repr", repr(secret)[1:-1]
    yield "hex", content.hex()
    for core in _cores(content):
        yield "base64", core
        yield "base64", core.replace("+", "-").replace("/", "_")


def _cores(content: bytes) -> Iterator[str]:
    """The characters of base64 that depend on nothing but ``content``, for each place where it may begin."""
    for offset, first in ((0, 0), (1, 2), (2, 3)):
        if offset and len(content) <= SHORT:
            return
        coded = base64.b64encode(bytes(offset) + content).decode()
        yield coded[first : (offset + len(content)) * 8 // 6]


def _stands_in(spelling: str, text: str, encoding: str) -> bool:
    if encoding != "base64":
        spelling = spelling.casefold()
    if len(spelling) > SHORT or spelling not in text:
        return spelling in text
    return re.search(rf"(?<![^\W_])(?<!\d\.){re.escape(spelling)}(?![^\W_]|\.\d)", text) is not None
