"""What this gateway does not have or does not allow: given up, doubted once an hour, and never answered with a login."""

from __future__ import annotations

import pytest
from bench import bench, local
from days import Run, obeyed

from scheduler.model.events import GatewayBack, PersonNeeded
from scheduler.model.evidence import Verdict

LOGIN = "POST /api/login/Basic"
READ = "GET /api/operation"
WRITE = "POST /api/operation"


@pytest.mark.parametrize("status", [404, 409, 302])
async def test_a_write_that_is_not_there_is_tried_for_a_quarter_of_an_hour_and_then_once_an_hour(
    status: int,
) -> None:
    """Told once as a person's business, a dozen more writes in six hours, and not one more login."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (status, b"")
    run = Run(b)
    await run.until(local("09:30"))
    patient, logins = b.story.count(WRITE), b.story.count(LOGIN)

    await run.until(local("15:30"))

    assert 10 <= patient <= 21
    assert 4 <= b.story.count(WRITE) - patient <= 7
    assert (logins, b.story.count(LOGIN)) == (1, 1)
    assert len(run.told(PersonNeeded)) == 1
    assert {r.verdict for r in run.records} == {Verdict.REFUSED}
    assert obeyed(b)[2]


async def test_a_write_that_was_wrongly_given_up_is_found_within_an_hour() -> None:
    """The gateway has it again after three hours: without a restart, an edit or a login, the switch is made."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (404, b"")
    run = Run(b)
    await run.until(local("12:00"))
    b.wire.answers.clear()

    await run.until(local("13:01"))

    assert run.records[-1].verdict is Verdict.VERIFIED
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert b.story.count(LOGIN) == 1
    assert len(run.told(GatewayBack)) == 1


async def test_other_firmware_and_a_restart_forgive_at_once() -> None:
    """Once the gateway was updated the write is tried at the next look, not at the next full hour."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (404, b"")
    run = Run(b)
    await run.until(local("10:00"))
    b.scenario("upgrades itself")
    b.wire.answers.clear()

    await run.until(local("10:15"))

    assert run.records[-1].verdict is Verdict.VERIFIED


async def test_an_edit_forgives_at_once() -> None:
    """Whoever edited the file wants it tried."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (404, b"")
    run = Run(b)
    await run.until(local("10:00"))
    b.wire.answers.clear()
    run.loop.adopt(run.policy, None, "")

    await run.until(local("10:06"))

    assert run.records[-1].verdict is Verdict.VERIFIED


async def test_a_given_up_write_is_not_tried_at_each_boundary() -> None:
    """A boundary leaves its evidence at once: refused, by what is known, without a write before the hour is over."""
    b = bench(local("20:30"))
    b.wire.answers[WRITE] = (405, b"")
    run = Run(b)
    await run.until(local("21:50"))
    b.story.clear()

    await run.until(local("22:10"))

    assert run.records[-1].desired.mode == "backup"
    assert run.records[-1].verdict is Verdict.REFUSED
    assert b.story.count(WRITE) <= 1


async def test_a_login_that_is_not_there_is_not_asked_for_again_and_again() -> None:
    """404 to the login: the budget paces the patience, and after it there is at most one try an hour."""
    b = bench(local("09:00"))
    b.wire.answers[LOGIN] = (404, b"")
    run = Run(b)
    await run.until(local("12:00"))
    early = b.story.count(LOGIN)

    await run.until(local("18:00"))

    assert early <= 21
    assert 4 <= b.story.count(LOGIN) - early <= 7
    assert obeyed(b)[2]


async def test_a_token_that_dies_while_the_write_is_given_up_costs_no_login_before_the_probe() -> None:
    """What is looked at meanwhile is not worth a login that would stop the battery."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (404, b"")
    run = Run(b)
    await run.until(local("09:40"))
    b.scenario("token expires")
    b.story.clear()
    await run.until(local("09:58"))
    assert b.story.count(LOGIN) == 0
    b.wire.answers.clear()

    await run.until(local("11:00"))

    assert run.records[-1].verdict is Verdict.VERIFIED
    assert b.story.count(LOGIN) == 1


async def test_a_reading_that_was_wrongly_given_up_is_no_trouble_for_longer_than_an_hour() -> None:
    """Nothing was to be switched meanwhile, and still the alarm ends once the gateway answers as it should."""
    b = bench(local("09:00"))
    run = Run(b)
    await run.until(local("09:20"))
    b.wire.answers[READ] = (404, b"")
    await run.until(local("10:10"))
    b.wire.answers.clear()

    await run.until(local("11:20"))

    assert len(run.told(PersonNeeded)) == 1
    assert len(run.told(GatewayBack)) == 1
    assert run.reports[-1].trouble is None
    assert b.story.count(LOGIN) == 1


async def test_a_write_that_is_forbidden_is_tried_once_an_hour() -> None:
    """A role that may never write: told once, a write an hour, and not one more login in six hours."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (403, b"")
    run = Run(b)

    await run.until(local("15:30"))

    assert 6 <= b.story.count(WRITE) <= 8
    assert b.story.count(LOGIN) == 1
    assert len(run.told(PersonNeeded)) == 1
    assert {r.verdict for r in run.records} == {Verdict.REFUSED}


async def test_a_write_that_was_wrongly_forbidden_is_made_within_an_hour() -> None:
    """It is allowed again after three hours: without a restart, an edit or a login, the switch is made."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (403, b"")
    run = Run(b)
    await run.until(local("12:00"))
    b.wire.answers.clear()

    await run.until(local("13:02"))

    assert run.records[-1].verdict is Verdict.VERIFIED
    assert obeyed(b) == ("self_consumption", 9.75, True)
    assert b.story.count(LOGIN) == 1
    assert len(run.told(GatewayBack)) == 1


async def test_a_forbidden_write_is_doubted_only_while_there_is_a_session() -> None:
    """The token dies while the write is given up: the doubt makes no login, and waits for the look that does."""
    b = bench(local("09:00"))
    b.wire.answers[WRITE] = (403, b"")
    run = Run(b)
    await run.until(local("09:59"))
    b.wire.answers[LOGIN] = (503, b"")
    b.scenario("token expires")
    written = b.story.count(WRITE)

    await run.until(local("10:30"))

    assert b.story.count(WRITE) == written
    b.wire.answers.clear()
    await run.until(local("11:30"))
    assert run.records[-1].verdict is Verdict.VERIFIED


@pytest.mark.parametrize("call", [WRITE, "GET /api/config/completed"])
async def test_what_was_allowed_before_is_tried_at_the_next_boundary(call: str) -> None:
    """Forbidden once in the morning, ten minutes before a boundary: the boundary is on time, not the hour waited for."""
    b = bench(local("21:30"))
    run = Run(b, on_drift="enforce")
    await run.until(local("21:50"))
    b.wire.first_answers[call] = [(403, b"")] * 2
    b.scenario("somebody uses the app at 21:51")
    await run.until(local("22:03"))
    assert run.records[-1].verdict is Verdict.REFUSED

    await run.until(local("22:06"))

    assert run.records[-1].verdict in {Verdict.VERIFIED, Verdict.REFUSED}
    assert b.story.count(call) >= 3
    assert b.story.count(LOGIN) == 1


async def test_what_was_never_allowed_is_not_tried_at_a_boundary() -> None:
    """A customer's boundary leaves its evidence at once, without a write."""
    b = bench(local("21:50"), username="customer")
    run = Run(b)
    await run.until(local("22:03"))
    written = b.story.count(WRITE)

    await run.until(local("22:10"))

    assert run.records[-1].desired.mode == "backup"
    assert run.records[-1].verdict is Verdict.REFUSED
    assert b.story.count(WRITE) == written == 1


@pytest.mark.parametrize("firmware", ["1.15", "1.45.2"])
async def test_a_login_that_was_refused_for_a_while_is_tried_once_an_hour(firmware: str) -> None:
    """One odd 403 to the first login of a process costs an hour and not every switch to come; while it lasts, a login an hour."""
    b = bench(local("09:00"), firmware=firmware)
    b.wire.answers[LOGIN] = (403, b"")
    run = Run(b)
    await run.until(local("13:30"))
    assert 4 <= b.story.count(LOGIN) <= 6
    assert len(run.told(PersonNeeded)) == 1
    b.wire.answers.clear()

    await run.until(local("14:31"))

    assert run.records[-1].verdict.good
    assert obeyed(b) == ("self_consumption", 9.75, True)
