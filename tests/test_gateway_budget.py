"""The login budget: its three bounds, its memory, and clocks that jump."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.gateway.budget import LoginBudget
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
    assert not spent(budget, START + timedelta(seconds=299.9))
    assert spent(budget, START + timedelta(seconds=300))


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
