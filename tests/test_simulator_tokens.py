"""Tokens that die: however the simulated gateway says so, the client and the loop log in once and go on."""

from __future__ import annotations

import pytest
from bench import BY_DAY, BY_NIGHT, bench, local
from days import Run, obeyed

from scheduler.model.events import PersonNeeded
from scheduler.model.evidence import Verdict

LOGIN = "POST /api/login/Basic"
DEATHS = ("token expires", "token is forgotten")
"""With 401, which clients expect, and with 403, which was reported of tokens that grew old."""

FIRMWARE = ("1.15", "1.21", "1.43.3", "1.45.2")
"""Where an installer may write."""


@pytest.mark.parametrize("firmware", FIRMWARE)
@pytest.mark.parametrize("death", DEATHS)
async def test_a_dead_token_costs_one_login(death: str, firmware: str) -> None:
    """One login, the battery started again, and the switch goes on."""
    b = bench(firmware=firmware)
    await b.procedure(BY_DAY).run()
    b.scenario(death)
    b.story.clear()

    came = await b.procedure(BY_NIGHT).run()

    assert came.record.verdict is Verdict.VERIFIED
    assert b.story.count(LOGIN) == 1
    assert b.device.obeyed.running


@pytest.mark.parametrize("death", DEATHS)
async def test_a_token_that_dies_while_the_gateway_is_busy_delays_no_switch_for_long(death: str) -> None:
    """Busy for two minutes at the boundary, with a dead token: switched within two minutes after that."""
    b = bench(local("07:30"))
    b.scenario(f"{death} at 07:54")
    b.scenario("is busy at 07:54")

    await Run(b).until(local("07:58"))

    assert obeyed(b) == ("self_consumption", 9.75, True)


@pytest.mark.parametrize("death", DEATHS)
async def test_tokens_that_die_again_and_again_make_no_storm(death: str) -> None:
    """Dead every three hours of a day: no person is called, no switch is missed, and logins are as many as deaths."""
    b = bench(local("06:30"))
    for hour in range(0, 24, 3):
        b.scenario(f"{death} at {hour:02}:30")
    run = Run(b)

    await run.until(local("22:10"))

    assert run.told(PersonNeeded) == []
    assert obeyed(b) == ("backup", 100.0, True)
    assert b.story.count(LOGIN) <= 1 + 6


async def test_a_token_that_grows_old_by_itself_is_replaced() -> None:
    """A day and a night without a word from anybody: the last switch is made with a new token like those before."""
    b = bench(local("21:30"))
    run = Run(b)

    await run.until(local("2026-07-02T22:10"))

    assert run.told(PersonNeeded) == []
    assert [record.verdict for record in run.records][-4:] == [Verdict.VERIFIED] * len(run.records[-4:])
    assert obeyed(b) == ("backup", 100.0, True)
    assert b.story.count(LOGIN) == 2
