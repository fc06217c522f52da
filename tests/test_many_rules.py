"""The largest file that is taken: 10,000 rules. Its exact figures are `make bench`'s; here is that nothing grows by its square."""

from __future__ import annotations

import time
from datetime import date, timedelta
from pathlib import Path

from benchmarks import RULES, many_rules
from effort import soon

from scheduler.config.load import load
from scheduler.plan.compile import compile_plan
from scheduler.plan.wallclock import WallClock

LONGEST_S = 20.0
"""Of processor time: an idle machine needs one; by their square it would be many minutes."""

A_LOOK_S = 0.001


def test_c5_ten_thousand_rules_are_loaded_in_seconds_and_looked_up_in_a_moment(tmp_path: Path) -> None:
    """Each of 10,000 rules holds for its own minute of a week, and to find the one that holds now takes less than 1 ms."""
    path = tmp_path / "tou.yaml"
    path.write_text(many_rules())

    with soon(LONGEST_S):
        schedule = load(path, environ={}, secret_directories=[]).schedule
        clock = WallClock(schedule.zone)
        first = clock.instant(date(2026, 7, 6), 0)  # a Monday
        timeline = compile_plan(schedule, first, first + timedelta(days=7))
    began_s = time.process_time()
    found = [timeline.at(first + number * timedelta(minutes=1)) for number in range(RULES)]
    took_s = time.process_time() - began_s

    named = [segment.spoken().claims[0][0].name for segment in found]
    assert named == [f"Minute {number}" for number in range(RULES)]
    assert took_s / RULES < A_LOOK_S
