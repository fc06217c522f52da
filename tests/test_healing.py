"""How soon all is well after a fault: what the README promises is what a rehearsal judges by, and neither says more."""

from __future__ import annotations

import re

import pytest
from readme import sections

from scheduler.app.rehearsal.course import HEALED_S, UNWILLING_S
from scheduler.app.rehearsal.swarm import KINDS

PROMISED = {
    "upgrades itself": "of an upgrade",
    "429": "of a 429",
    "429 with retry-after": "of a 429",
    "ignores writes": "writes were taken and not kept",
    "ignores the next write": "writes were taken and not kept",
    "clock jumps": "the clock was hours wrong",
    "500": "let nobody in while power flowed",
    "refuses the wizard": "let nobody in while power flowed",
    "403": "where it refused us (403)",
}
"""The README's words for each kind of fault that may take longer than most."""

EVER_MORE_SELDOM = {"500", "refuses the wizard"}
"""What the gateway says then makes every login a risk; how long that is forgiven at most is `UNWILLING_S`, whatever is asked."""

FIGURE = re.compile(
    r"within (?P<seconds>\d+) s|(?P<minutes>\d+)(?: minutes)? (?:of|where) |(?P<hour>about an hour) "
)
HOUR_S = 3600.0


def promise() -> str:
    """The figures of the README's promise that a battery comes to the right setpoint."""
    rows = [
        row for row in sections()["Promises"].splitlines() if row.startswith("| Whatever goes wrong around")
    ]
    assert len(rows) == 1
    return rows[0].split(" | ")[1]


def seconds(figure: re.Match[str]) -> float:
    """A figure of the README in seconds."""
    if figure["hour"]:
        return HOUR_S
    return float(figure["seconds"] or 60 * int(figure["minutes"]))


def promised_s(words: str) -> float:
    """The figure that stands before these words."""
    said = promise()
    assert words in said, f"the README does not say {words!r}"
    *_, last = FIGURE.finditer(said[: said.index(words) + len(words) + 1])
    return seconds(last)


def test_l2_most_faults_heal_as_soon_as_the_readme_says_of_all() -> None:
    """The first figure of the promise is that of every fault without words of its own."""
    assert seconds(next(FIGURE.finditer(promise()))) == HEALED_S
    assert {kind.heals_s for name, kind in KINDS.items() if name not in PROMISED} == {HEALED_S}


@pytest.mark.parametrize("name", PROMISED)
def test_l2_a_fault_that_takes_longer_is_promised_as_it_is_judged(name: str) -> None:
    """Its own words in the README have the figure by which a rehearsal judges it; an hour is one to a few minutes."""
    said_s = promised_s(PROMISED[name])
    judged_s = UNWILLING_S[1] + HEALED_S if name in EVER_MORE_SELDOM else KINDS[name].heals_s

    assert judged_s > HEALED_S
    assert abs(judged_s - said_s) <= (180.0 if said_s == HOUR_S else 0.0)


def test_l2_the_readme_has_no_figure_that_nothing_is_judged_by() -> None:
    """Each of its figures is that of a kind of fault."""
    figures = {seconds(it) for it in FIGURE.finditer(promise())}
    judged = {promised_s(words) for words in PROMISED.values()} | {HEALED_S}

    assert figures == judged
    assert len(figures) > 1
