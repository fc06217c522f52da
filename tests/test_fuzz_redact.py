"""Made-up answers under the redaction: it never fails, never takes long, and never lets out what it was told to hide."""

from __future__ import annotations

import json
from typing import Any

import pytest
from effort import BRIEF, LONG, soon
from hostile import CANARY, MONSTERS, bodies
from hypothesis import given

from scheduler.gateway import body
from scheduler.gateway.redact import hidden
from scheduler.gateway.revealing import PASSWORD
from scheduler.model.errors import Transient

SERIAL = "TG100000000001"
"""The serial number of the gateway in all shapes that have one."""


def check_redaction(said: bytes) -> None:
    """What comes out is JSON again, or text, without the password that was named."""
    known = [(PASSWORD, CANARY)]
    with soon(5.0):  # it is for a person who waits, not for the daemon
        text = hidden(said.decode(errors="replace"), known)
    assert CANARY.lower() not in text.lower()
    assert SERIAL not in text
    try:
        document: Any = body.parse(said)
    except Transient:
        return
    shown = json.dumps(hidden(document, known), ensure_ascii=False, allow_nan=False)
    assert CANARY.lower() not in shown.lower()
    assert SERIAL not in shown


@BRIEF
@given(bodies())
def test_no_answer_gets_past_the_redaction(said: bytes) -> None:
    """An answer made of a real one by cutting, swapping and putting in nonsense is shown without its secrets."""
    check_redaction(said)


@pytest.mark.slow
@LONG
@given(bodies())
def test_no_answer_gets_past_the_redaction_in_a_long_search(said: bytes) -> None:
    """The same with 20,000 answers."""
    check_redaction(said)


@pytest.mark.parametrize("monster", MONSTERS)
def test_no_answer_breaks_the_redaction(monster: str) -> None:
    """A body of the largest size, built to be slow to read, is redacted like any other."""
    check_redaction(MONSTERS[monster])
