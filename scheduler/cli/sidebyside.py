"""`demo --compare`: the same day twice, with the moments of the file and without them, side by side."""

from __future__ import annotations

import asyncio
import tempfile
from dataclasses import replace
from datetime import date
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

    def live(which: str, lived: Schedule) -> Lived:
        out(which)
        return _live(replace(configuration, schedule=lived), both, speed, troubles, out)

    out(_introduction(configuration, both, speed, troubles))
    comparison = Comparison(
        schedule=schedule,
        frame=both,
        troubles=troubles,
        with_moments=live("The day with its moments:", schedule),
        without_moments=live("\nThe same day without them:", without_moments(schedule)),
    )
    if as_json:
        print_json(comparison.document())
    return _conclude(comparison, out)


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
) -> Lived:
    """One of the two days. They are lived one after the other: side by side they would make each other late."""
    from scheduler.app.showday import ShowDay

    shown = ShowDay(configuration, both.begins, both.ends, speed, troubles, out=out, brief=True)
    with tempfile.TemporaryDirectory(prefix="tou-scheduler-demo-") as directory:
        witness = asyncio.run(shown.live(Path(directory)))
    return witness.account(both.segments, both.dear, both.ends)


def _conclude(comparison: Comparison, out: Callable[[str], None]) -> Exit:
    """Both days in a table, by the gateway's own record; whether the dearest hours were kept clear, as an exit code."""
    rows = [("", "with its moments", "without them"), *comparison.rows()]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    out("\nBoth days by the simulated gateway's own record, at the prices of the file:")
    for what, with_moments, without in rows:
        out(f"  {what:<{widths[0]}}  {with_moments:>{widths[1]}}  {without:>{widths[2]}}")
    currency = comparison.schedule.tariff.currency
    less = "less" if comparison.saved >= 0 else "more"
    cost = f"the day cost {abs(comparison.saved):.2f} {currency}".rstrip() + f" {less}"
    period = comparison.frame.period
    if not comparison.kept_clear:
        out(f"\nWith its moments {cost}.")
        say(
            f"The battery stood still in {period}, the dearest period, although the file has its moments. What came of them "
            "is told above; if it is that time ran out, this machine is slow for such a clock: try a lower --speed."
        )
        return Exit.UNVERIFIED
    out(f"\nWith its moments the battery did not stand still in {period}, the dearest period, and {cost}.")
    return Exit.FINE
