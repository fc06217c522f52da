"""When a login that was refused for good is worth another try: values, without a clock."""

from __future__ import annotations

import pytest

from scheduler.control.bar import DOUBTED_S, Bar
from scheduler.model.errors import NotCapable, NotLetIn

SHUT = NotCapable("it wants a switch to be toggled", remedy="use the app")
NO_REASON = NotLetIn("it does not let this user in", remedy="check the user")


def allowed(bar: Bar, now_s: float, *, stopped: bool) -> bool:
    """Whether a login may be tried."""
    try:
        bar.hold(now_s, stopped=stopped)
    except NotCapable:
        return False
    return True


def test_i8_nothing_is_tried_where_the_reason_is_known() -> None:
    """A login that wants a person at the Powerwall is not tried again, not even for a battery that stands still."""
    bar = Bar()
    bar.put(SHUT, 0.0)

    assert not any(allowed(bar, now_s, stopped=stopped) for now_s in (0.0, 1e6) for stopped in (False, True))
    bar.lift()
    assert allowed(bar, 0.0, stopped=False)


def test_i3_a_refusal_without_a_reason_is_doubted_for_a_battery_that_stands_still() -> None:
    """After a minute for a stopped battery; for everything else after an hour, or no switch would ever be made again."""
    bar = Bar()
    bar.put(NO_REASON, 100.0)

    assert not allowed(bar, 159.0, stopped=True)
    assert allowed(bar, 160.0, stopped=True)
    assert not allowed(bar, 3699.0, stopped=False)
    assert allowed(bar, 3700.0, stopped=False)


def test_i8_a_refusal_that_lasts_costs_few_logins() -> None:
    """403 for a day and a battery that stands still all along: at most thirty logins, ten in an hour, three in five minutes."""
    bar, tried = Bar(), list[float]()
    for now_s in range(0, 86_400, 15):
        if allowed(bar, float(now_s), stopped=True):
            tried.append(float(now_s))
            bar.put(NO_REASON, float(now_s))

    assert len(tried) <= 30
    assert all(b - a >= 300 for a, b in zip(tried, tried[3:], strict=False))
    assert all(b - a >= 3600 for a, b in zip(tried, tried[10:], strict=False))
    assert tried[-1] - tried[-2] == pytest.approx(DOUBTED_S[1], abs=15)
