"""A commit that was answered by somebody else: what was written reads back all the same, so that nothing else would tell."""

from __future__ import annotations

import pytest
from bench import BY_NIGHT, bench

from scheduler.control.ports import UNCOMMITTED
from scheduler.model.errors import Transient
from scheduler.model.evidence import Verdict

COMMIT = "GET /api/config/completed"
PAGE = b"<!DOCTYPE html><html><head><title>Powerwall</title></head><body></body></html>"


@pytest.mark.parametrize("firmware", ["1.45.2", "1.43.3", "1.15"])
async def test_g4_a_page_in_answer_to_a_commit_is_no_commit(firmware: str) -> None:
    """A page with 200 where a commit is answered means that nothing was put in force: the switch is not called verified."""
    b = bench(firmware=firmware)
    b.wire.first_answers[COMMIT] = [(200, b"\n " + PAGE)]

    came = await b.procedure(BY_NIGHT).run()

    assert isinstance(came.error, Transient)
    assert came.record.verdict is Verdict.UNREACHABLE
    assert UNCOMMITTED in b.marks, "the next try commits"
    assert (await b.procedure(BY_NIGHT).run()).record.verdict is Verdict.VERIFIED
    assert b.device.obeyed.mode == "backup"
