"""What a person must do is told when it becomes another thing, and not each time that two of them take turns."""

from __future__ import annotations

from bench import bench, local
from days import Run

from scheduler.control.failures import AGAIN_S, Failures
from scheduler.control.state import State
from scheduler.model.errors import BadCredentials, NotLetIn, Refused, Transient
from scheduler.model.events import Event, GatewayLost, PersonNeeded

LOGIN = "POST /api/login/Basic"
SHUT = b'{"code":401,"error":"roles [Provider_Engineer] require physical access","message":"Login Error"}'
PASSWORD = BadCredentials("the gateway does not know this password", remedy="correct the password")
USER = NotLetIn("the gateway does not let this user log in", remedy="check the user")


class Told:
    """Failures on a bench, and what is told of them."""

    def __init__(self) -> None:
        self.bench = bench(local("09:00"))
        now = self.bench.clock.now()
        self.events: list[Event] = []
        self.failures = Failures(
            State(started=now, boundary=now),
            self.bench.gateway,
            self.bench.clock,
            marks=self.bench.marks,
            tell=self.events.append,
            jitter=lambda: 0.5,
        )

    def meet(self, error: Refused | Transient, *, after_s: float = 300.0) -> None:
        """The gateway fails so, after a while."""
        self.bench.clock.passed_s += after_s
        self.failures.note(error)

    @property
    def remedies(self) -> list[str]:
        """What a person was told to do, in order."""
        said = [event.message for event in self.events if isinstance(event, PersonNeeded)]
        return [message.partition("; ")[2] for message in said]


async def test_c7_another_thing_to_do_is_told_while_the_first_is_open() -> None:
    """A wrong password, and then firmware that lets nobody in: the second remedy is told as well, each once."""
    b = bench(local("09:00"))
    b.wire.answers[LOGIN] = (401, b"")
    run = Run(b)
    await run.until(local("09:02"))
    assert len(run.told(PersonNeeded)) == 1

    b.wire.answers[LOGIN] = (401, SHUT)
    await run.until(local("12:00"))

    first, second = run.told(PersonNeeded)
    assert "correct gateway.username or the password" in first.message
    assert "toggles a switch" in second.message
    assert run.reports[-1].trouble == second.message


def test_c7_remedies_that_take_turns_are_told_once_an_hour_each() -> None:
    """Six hours in which each failure asks for another thing than the one before: one line an hour for each, not twelve."""
    told = Told()
    for _ in range(36):
        told.meet(PASSWORD)
        told.meet(USER)

    assert told.remedies[:2] == ["correct the password", "check the user"]
    assert 6 < len(told.remedies) <= 2 * 6 * 3600 / AGAIN_S


def test_c7_the_thing_to_do_that_lasts_is_told_last() -> None:
    """After another one that came between: not at once again, but once its hour is over, and then no more."""
    told = Told()
    for error in (PASSWORD, USER, *[PASSWORD] * 40):
        told.meet(error)

    assert told.remedies == ["correct the password", "check the user", "correct the password"]


def test_c7_one_thing_to_do_is_told_once_however_it_is_worded() -> None:
    """A sentence that counts, with the same remedy, is no news; an outage in between is, as ever."""
    told = Told()
    for number in range(40):
        told.meet(BadCredentials(f"refused {number} times", remedy="correct the password"))
    assert told.remedies == ["correct the password"]

    told.meet(Transient("it does not answer"))
    told.meet(PASSWORD)

    assert [type(event) for event in told.events] == [PersonNeeded, GatewayLost, PersonNeeded]
