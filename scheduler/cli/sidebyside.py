"""`demo --compare`: the same day twice, with the moments of the file and without them, side by side."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from scheduler.cli.common import Exit, fail, print_json, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.app.sidebyside import Comparison, Frame
    from scheduler.app.witness import Lived
    from scheduler.config.configuration import Configuration
    from scheduler.plan.rules import Schedule

DAY = date(2026, 12, 2)
"""A Wednesday on which the sun is down by 17:00: in summer it would carry the house through a standstill of that hour."""


def compare_days(
    configuration: Configuration,
    day: date,
    speed: float,
    scenarios: list[str] | None,
    *,
    as_json: bool,
) -> Exit:
    """Live the day twice and show both; whether the battery worked in the dearest hours of the one with the moments."""
    from scheduler.app.sidebyside import TROUBLES, Comparison, Incomparable, frame, without_moments
    from scheduler.observe.logs import configure

    configure()
    schedule, out = configuration.schedule, say if as_json else print
    troubles = scenarios or list(TROUBLES)
    try:
        both = frame(schedule, day)
    except Incomparable as error:
        fail(str(error), Exit.USAGE)

    def live(which: str, lived: Schedule) -> tuple[Lived, bool]:
        out(which)
        return _live(replace(configuration, schedule=lived), both, speed, troubles, out)

    out(_introduction(configuration, both, speed, troubles))
    ours, out_of_time = live("The day with its moments:", schedule)
    other, _ = live("\nThe same day without them:", without_moments(schedule))
    comparison = Comparison(
        schedule=schedule, frame=both, troubles=troubles, with_moments=ours, without_moments=other
    )
    if as_json:
        print_json(comparison.document())
    return _conclude(comparison, out, out_of_time=out_of_time)


def _introduction(configuration: Configuration, both: Frame, speed: float, troubles: list[str]) -> str:
    begins, ends = (at.astimezone(configuration.schedule.zone) for at in (both.begins, both.ends))
    seconds = (both.ends - both.begins).total_seconds() / speed
    return (
        f"The same day twice, from {begins:%A %Y-%m-%d %H:%M %Z} to {ends:%H:%M}, with {configuration.path}:\n"
        "once with its moments, and once with them taken out.\n"
        f"What goes wrong with the gateway, in both: {'; '.join(troubles)}.\n"
        "Plan, loop, alarms, client and HTTPS are those of every day; the gateway and its house are simulated,\n"
        f"and all of them go by one clock that runs {speed:g} times faster: each day takes {seconds:.0f} s.\n"
    )


def _live(
    configuration: Configuration,
    both: Frame,
    speed: float,
    troubles: list[str],
    out: Callable[[str], None],
) -> tuple[Lived, bool]:
    """One of the two days, and whether a moment of it ran out of time.

    They are lived one after the other: side by side they would make each other late.
    """
    from scheduler.app.showday import ShowDay

    shown = ShowDay(configuration, both.begins, both.ends, speed, troubles, out=out, brief=True)
    with tempfile.TemporaryDirectory(prefix="tou-scheduler-demo-") as directory:
        witness = asyncio.run(shown.live(Path(directory)))
    return witness.account(both.segments, both.dear, both.ends), shown.out_of_time()


def _conclude(comparison: Comparison, out: Callable[[str], None], *, out_of_time: bool) -> Exit:
    """Both days in a table, by the gateway's own record; whether the dearest hours were kept clear, as an exit code."""
    rows = [("", "with its moments", "without them"), *comparison.rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    out("\nBoth days by the simulated gateway's own record, at the prices of the file:")
    for what, with_moments, without in rows:
        out(f"  {what:<{widths[0]}}  {with_moments:>{widths[1]}}  {without:>{widths[2]}}")
    currency = comparison.schedule.tariff.currency
    less = "less" if comparison.saved >= 0 else "more"
    cost = f"the day cost {abs(comparison.saved):.2f} {currency}".rstrip() + f" {less}"
    cost += ", what is left in the battery counted"
    stood = f"{_stood(comparison.with_moments.still_dear)} in {comparison.frame.period}, the dearest period"
    if comparison.kept_clear:
        out(f"\nWith its moments the battery {stood}, and {cost}.")
        return Exit.FINE
    out(f"\nWith its moments {cost}.")
    hint = (
        "; one ran out of time: if this machine is slow for such a clock, try a lower --speed"
        if out_of_time
        else ""
    )
    say(f"The battery {stood}, although the file has its moments. What came of them is told above{hint}.")
    return Exit.UNVERIFIED


def _stood(still: timedelta) -> str:
    """How long the battery stood still, in words that are never "60 s" for less than a minute, nor "0 s" for more than none."""
    if not still:
        return "did not stand still"
    if still < timedelta(minutes=1):
        return f"stood still for {max(int(still.total_seconds()), 1)} s"
    return f"stood still for {still / timedelta(minutes=1):.1f} min"
