"""The login budget: its three bounds, its memory, and clocks that jump."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from fake_gateway import Fake, gateway_of
from hypothesis import given
from hypothesis import strategies as st

from scheduler.gateway.budget import LoginBudget
from scheduler.gateway.note import NoNote, Notebook
from scheduler.model.errors import StoreError, Throttled

START = datetime(2026, 7, 1, 12, tzinfo=UTC)


class Ledger:
    """A ledger in memory that can fail."""

    def __init__(self, instants: list[datetime] | None = None) -> None:
        self.instants = instants or []
        self.readable = self.writable = True

    def load(self) -> list[datetime]:
        """What was saved."""
        if not self.readable:
            raise StoreError("the disk cannot be read")
        return list(self.instants)

    def save(self, instants: list[datetime]) -> None:
        """Keep these."""
        if not self.writable:
            raise StoreError("the disk is full")
        self.instants = instants


def spent(budget: LoginBudget, now: datetime) -> bool:
    """Whether a login was allowed at this instant."""
    try:
        budget.spend(now)
    except Throttled:
        return False
    return True


@pytest.mark.parametrize(
    ("every", "window", "count"),
    [
        (timedelta(seconds=1), timedelta(minutes=5), 3),
        (timedelta(minutes=2), timedelta(hours=1), 10),
        (timedelta(minutes=10), timedelta(days=1), 30),
    ],
)
def test_each_bound_holds(every: timedelta, window: timedelta, count: int) -> None:
    """Whoever asks again and again gets 3 logins in 5 minutes, 10 in an hour, 30 in a day."""
    budget = LoginBudget(Ledger())
    asked = [START + every * n for n in range(int(window / every))]

    assert sum(spent(budget, now) for now in asked) == count


@given(st.lists(st.integers(min_value=0, max_value=40_000), min_size=1, max_size=200))
def test_no_window_ever_holds_more(offsets_s: list[int]) -> None:
    """However the requests fall, no window of any length holds more than its bound."""
    budget = LoginBudget(Ledger())
    asked = sorted(START + timedelta(seconds=offset) for offset in offsets_s)
    allowed = [now for now in asked if spent(budget, now)]

    for window, count in ((timedelta(minutes=5), 3), (timedelta(hours=1), 10), (timedelta(days=1), 30)):
        assert all(sum(now - window < other <= now for other in allowed) <= count for now in allowed)


def test_the_time_to_wait_is_exact() -> None:
    """The silence asked for ends at the instant of the next allowed login, not before."""
    budget = LoginBudget(Ledger())
    for n in range(3):
        budget.spend(START + timedelta(seconds=n))
    with pytest.raises(Throttled) as caught:
        budget.spend(START + timedelta(seconds=10))

    assert caught.value.silence_s == 290
    assert str(caught.value) == (
        "this program, its daemon and its commands together, has logged in 3 times in 5 minutes and waits 290 s, "
        "so that the gateway does not lock it out"
    )
    assert not spent(budget, START + timedelta(seconds=299.9))
    assert spent(budget, START + timedelta(seconds=300))


@pytest.mark.parametrize(
    ("past_s", "ahead", "wait_s"),
    [([], 1, 0), ([0, 0, 0], 1, 0), ([0, 0, 0, 0], 1, 300), ([60, 0, 0, 0], 1, 240), ([0, 0, 0, 0], 0, 0)],
)
def test_what_is_left_for_an_undo_is_known_before(past_s: list[int], ahead: int, wait_s: int) -> None:
    """Two logins beyond the budget are there to start the battery; one that is made first takes its share."""
    budget = LoginBudget(Ledger([START - timedelta(seconds=past) for past in past_s]))

    assert budget.undo_wait_s(START, ahead=ahead) == wait_s


@pytest.mark.parametrize(
    ("every", "words"),
    [(timedelta(minutes=6), "10 times in an hour"), (timedelta(hours=0.8), "30 times in a day")],
)
def test_the_sentence_names_the_bound_that_is_reached(every: timedelta, words: str) -> None:
    """Whoever waits an hour, or a day, reads which bound it is."""
    count = int(words.partition(" ")[0])
    budget = LoginBudget(Ledger([START - every * (n + 0.5) for n in range(count)]))

    with pytest.raises(Throttled, match=words):
        budget.spend(START)


def test_the_budget_survives_a_restart() -> None:
    """A new process with the same ledger has the same budget."""
    ledger = Ledger()
    for n in range(3):
        LoginBudget(ledger).spend(START + timedelta(seconds=n))

    assert not spent(LoginBudget(ledger), START + timedelta(seconds=10))


def test_the_login_is_written_down_before_it_is_sent() -> None:
    """What `spend` allows is in the ledger when it returns."""
    ledger = Ledger()
    LoginBudget(ledger).spend(START)

    assert ledger.instants == [START]


def test_logins_of_the_future_count_as_now_and_then_age() -> None:
    """After a clock that ran ahead was stepped back, the wait is five minutes and not a year."""
    ledger = Ledger([START + timedelta(days=365)] * 3)

    assert not spent(LoginBudget(ledger), START)
    assert not spent(LoginBudget(ledger), START + timedelta(seconds=299))
    assert spent(LoginBudget(ledger), START + timedelta(seconds=300))


class Clocks:
    """A wall clock that is set by hand, and a steady one."""

    def __init__(self) -> None:
        self.now = START
        self.steady_s = 1000.0

    def monotonic(self) -> float:
        """The steady one, in seconds."""
        return self.steady_s

    def pass_s(self, seconds: float) -> None:
        """Time goes by."""
        self.now += timedelta(seconds=seconds)
        self.steady_s += seconds


@pytest.mark.parametrize("step", [timedelta(hours=25), timedelta(days=-2), timedelta(minutes=6)], ids=str)
def test_t2_i8_a_clock_that_is_set_gives_no_login_back(step: timedelta) -> None:
    """However often it is set within a minute, a process logs in three times; it waits five minutes and not longer, and so do the others."""
    clocks, ledger = Clocks(), Ledger()
    budget = LoginBudget(ledger, monotonic=clocks.monotonic)
    count = 0
    for _ in range(4):
        for _ in range(5):
            count += spent(budget, clocks.now)
            clocks.pass_s(4)
        clocks.now += step
    ahead_s = budget.undo_wait_s(clocks.now, ahead=2)
    spent(budget, clocks.now)  # the ledger knows from now on
    others = spent(LoginBudget(Ledger(list(ledger.instants))), clocks.now)
    clocks.pass_s(300 - 80 - 1)
    early = spent(budget, clocks.now)
    clocks.pass_s(1)

    assert count == 3
    assert ahead_s == 220
    assert not others
    assert not early
    assert spent(budget, clocks.now)


@pytest.mark.parametrize("hours", [25, -25])
def test_t2_i8_logins_that_another_process_forgot_after_a_step_count(hours: int) -> None:
    """A visitor, who knows the wall clock only, drops them from the ledger, or has them count as of now: none of them counts twice."""
    clocks, ledger = Clocks(), Ledger()
    budget = LoginBudget(ledger, monotonic=clocks.monotonic)
    for _ in range(3):
        budget.spend(clocks.now)
        clocks.pass_s(10)
    clocks.now += timedelta(hours=hours)
    spent(LoginBudget(ledger), clocks.now)

    assert not spent(budget, clocks.now)
    assert len(ledger.instants) == (4 if hours > 0 else 3), "the visitor's own, if it had one, and ours"


def test_t2_i8_a_login_that_was_given_back_stays_so_after_a_step() -> None:
    """It is no login of this process any more, whatever the clock is set to."""
    clocks, ledger = Clocks(), Ledger()
    budget = LoginBudget(ledger, monotonic=clocks.monotonic)
    for _ in range(3):
        budget.spend(clocks.now)
        budget.refund()
        clocks.pass_s(1)
    clocks.now += timedelta(hours=25)

    assert [spent(budget, clocks.now) for _ in range(4)] == [True, True, True, False]


async def test_t2_i8_the_client_logs_in_three_times_however_the_clock_is_set() -> None:
    """A machine without a clock of its own boots a day behind, is refused by a gateway that starts up, and is set right then."""
    clocks, fake = Clocks(), Fake()
    gateway = gateway_of(fake, now=lambda: clocks.now, monotonic=clocks.monotonic)
    for _ in range(3):
        for _ in range(3):
            with suppress(Throttled):
                await gateway.login()
            clocks.pass_s(5)
        clocks.now += timedelta(hours=25)
    await gateway.close()

    assert fake.lines.count("POST /api/login/Basic") == 3


def test_i8_own_logins_age_by_a_day_and_no_ledger_is_touched_without_a_step() -> None:
    """Clocks that are slewed are not set: what was noted stays as it is, and a day later nothing of it is left."""
    clocks, ledger = Clocks(), Ledger()
    budget = LoginBudget(ledger, monotonic=clocks.monotonic)
    budget.spend(clocks.now)
    clocks.pass_s(3600)
    clocks.now += timedelta(seconds=0.4)
    budget.spend(clocks.now)
    noted = list(ledger.instants)
    clocks.pass_s(86_400)
    budget.spend(clocks.now)

    assert noted == [START, START + timedelta(seconds=3600.4)]
    assert ledger.instants == [clocks.now]


def test_old_logins_are_forgotten() -> None:
    """The ledger does not grow: logins of more than a day ago are dropped."""
    ledger = Ledger([START - timedelta(days=2)] * 500)
    LoginBudget(ledger).spend(START)

    assert ledger.instants == [START]


@pytest.mark.parametrize(("readable", "writable"), [(True, False), (False, True), (False, False)])
def test_a_broken_ledger_neither_blocks_nor_forgets(*, readable: bool, writable: bool) -> None:
    """Without its ledger this process still logs in, and still no more than it may."""
    ledger = Ledger()
    ledger.readable, ledger.writable = readable, writable
    budget = LoginBudget(ledger)

    assert [spent(budget, START + timedelta(seconds=n)) for n in range(5)] == [True, True, True, False, False]
    assert spent(budget, START + timedelta(seconds=301))


def refunded(note: NoNote, every: timedelta, lasting: timedelta) -> int:
    """How many logins leave a new process each time, all of them answered by a gateway too busy to look."""
    ledger, sent = Ledger(), 0
    for n in range(int(lasting / every)):
        budget = LoginBudget(ledger, Notebook(note))
        if spent(budget, START + every * n):
            sent += 1
            budget.refund()
    return sent


@pytest.mark.parametrize(
    ("every", "lasting", "count"),
    [
        (timedelta(seconds=5), timedelta(minutes=5), 10 + 3),
        (timedelta(seconds=20), timedelta(hours=1), 10 + 10),
        (timedelta(minutes=5), timedelta(days=1), 30 + 30),
    ],
)
def test_so_many_logins_are_given_back_over_restarts(
    every: timedelta, lasting: timedelta, count: int
) -> None:
    """Ten an hour and thirty a day, whichever process had them: a busy gateway meets no storm of short-lived ones."""
    assert refunded(NoNote(), every, lasting) == count


@pytest.mark.parametrize("entry", [None, 5, {}, {"at": 5}, {"at": [None, "soon", 3, START.isoformat()]}])
def test_a_note_on_refunds_that_makes_no_sense_is_none(entry: object) -> None:
    """What cannot be understood of it counts as nothing given back."""
    note, ledger = NoNote(), Ledger()
    note.save({"salt": "5a" * 16, "refunded_logins": entry})
    budget = LoginBudget(ledger, Notebook(note))

    budget.spend(START)
    budget.refund()

    assert ledger.instants == []
