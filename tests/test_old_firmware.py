"""Old firmware end to end: `mode` in place of `real_mode`, a commit that says nothing, a commit that comes one step late."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import BY_NIGHT, Bench, bench, local
from days import Run, obeyed

from scheduler.control.ports import UNCOMMITTED
from scheduler.control.switch import Procedure
from scheduler.model.events import EffectJudged
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.setpoint import Setpoint

WRITE = "POST /api/operation"
COMMIT = "GET /api/config/completed"


async def switched(b: Bench, procedure: Procedure) -> SwitchRecord:
    """The evidence of one switch, whose gateway was asked before who it is."""
    await b.session.identify()
    return (await procedure.run()).record


@pytest.mark.parametrize("firmware", ["1.15", "1.21", "1.45.2"])
async def test_a_day_on_each_old_firmware(firmware: str) -> None:
    """Its own key for the mode, its own answer to a commit, a login that stops: the night's charge is made, and it runs."""
    b = bench(local("21:30"), firmware=firmware)
    run = Run(b)

    await run.until(local("22:10"))

    assert [r.verdict for r in run.records] == [Verdict.VERIFIED, Verdict.VERIFIED]
    assert obeyed(b) == ("backup", 100.0, True)


async def test_a_late_commit_is_said_twice() -> None:
    """On 1.43.3 the battery obeys at once, by the gateway's own history, and the evidence shows both rounds."""
    b = bench(local("12:00"), firmware="1.43.3")

    record = await switched(b, b.procedure(BY_NIGHT))

    assert record.verdict is Verdict.VERIFIED
    assert obeyed(b) == ("backup", 100.0, True)
    steps = [step.step for step in record.steps]
    at = steps.index("post_operation")
    assert steps[at : at + 4] == ["post_operation", "config_completed"] * 2
    assert (b.story.count(WRITE), b.story.count(COMMIT)) == (2, 2)
    assert len([o for _, o in b.device.history if o.mode == "backup" and o.running]) == 1


async def test_a_late_commit_that_is_owed_is_said_twice_too() -> None:
    """We died between write and commit: what is shown is written and committed until it is in force."""
    b = bench(local("12:00"), firmware="1.43.3")
    await b.session.identify()
    await b.session.call(b.gateway.read)
    b.marks.note(UNCOMMITTED)
    await b.session.call(lambda: b.gateway.write(BY_NIGHT))
    b.restart()

    record = await switched(b, b.procedure(BY_NIGHT))

    assert record.verdict is Verdict.VERIFIED
    assert (b.story.count(WRITE), b.story.count(COMMIT)) == (2, 2)
    assert UNCOMMITTED not in b.marks
    assert obeyed(b) == ("backup", 100.0, True)


async def test_a_second_write_that_fails_keeps_the_commit_owed() -> None:
    """Half of it done is not done: the mark stays until both rounds were taken."""
    b = bench(local("12:00"), firmware="1.43.3")
    b.wire.first_answers[WRITE] = [(200, b"{}")]
    b.wire.then = lambda call: b.wire.answers.update({WRITE: (500, b"")}) if call == COMMIT else None

    record = await switched(b, b.procedure(BY_NIGHT))

    assert record.verdict is Verdict.UNREACHABLE
    assert UNCOMMITTED in b.marks


async def test_a_write_that_was_lost_is_not_said_again_by_a_later_switch() -> None:
    """A commit that is owed, of what is shown already, brings in what is shown, and not what failed to be written hours ago."""
    b = bench(local("12:00"), firmware="1.43.3")
    b.wire.answers[WRITE] = (500, b"")
    await switched(b, b.procedure(BY_NIGHT))
    shown = obeyed(b)
    b.wire.answers.clear()
    said = len(b.story)

    record = await switched(b, b.procedure(Setpoint(mode="self_consumption", reserve_percent=20)))

    assert record.verdict is Verdict.VERIFIED
    assert record.attempts == 1
    assert obeyed(b) == shown
    assert COMMIT in b.story[said:]


async def test_the_day_of_a_late_gateway_is_proven_by_its_meters() -> None:
    """A night on 1.43.3: verified, then effective, as on any other firmware."""
    b = bench(local("21:30"), firmware="1.43.3")
    run = Run(b)

    await run.until(local("22:20"))

    assert run.records[-1].desired == BY_NIGHT
    assert [e.record.verdict for e in run.told(EffectJudged)][-1] is Verdict.EFFECTIVE
    assert obeyed(b) == ("backup", 100.0, True)


async def test_a_late_commit_that_nobody_knows_of_is_told_by_the_meters() -> None:
    """Where the firmware is not known for it nothing is said twice, and the meters show that it does not obey."""
    b = bench(local("21:30"))
    b.device.mischief = replace(b.device.mischief, one_step_late=True)
    run = Run(b)

    await run.until(local("22:30"))

    assert Verdict.NOT_EFFECTIVE in [e.record.verdict for e in run.told(EffectJudged)]
    assert b.story.count(WRITE) == b.story.count(COMMIT) == 2
