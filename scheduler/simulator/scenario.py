"""Trouble in words: sentences such as "offline for 15 minutes" or "somebody uses the app at 16:05".

A sentence is one of those below, and with it, where it says so and in any order:

- ``by DURATION``: how late, or how slow for each byte, in real seconds, as in "answers late by 20s";
- ``to PATH``: only requests to this path, as in "answers 503 to /api/operation";
- ``for DURATION``, or ``for the next N requests``: how long, as in "resets for 5m" or "resets for the next 3 requests";
- ``at HH:MM``: from the next time on that the gateway's local clock passes it; every sentence takes this one.

A duration is a number with s, m or h, or with seconds, minutes or hours. Case and spaces do not matter. What each sentence
does lives in `usecases.py` or `updatecases.py`, and is told by the docstring that it has there. If the same is said to last
twice, it lasts until the later end; of how long checks, downloads and installs take, what was said last counts.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.mischief import Reach
from scheduler.simulator.sentences import (
    FOR,
    LONGEST,
    REACH,
    Said,
    Sentence,
    for_a_while,
    for_so_long,
    reaching,
    simply,
)
from scheduler.simulator.usecases import BUSY_FOR, BYTE_S, LATE_S, UseCases

UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}

_DURATION = r"\d{1,6} ?(?:s|seconds?|m|minutes?|h|hours?)"
_PARTS = tuple(
    re.compile(rf"(?:^| ){part}(?= |$)")
    for part in (
        rf"by (?P<by>{_DURATION})",
        r"to (?P<to>/\S*)",
        rf"for (?:(?P<lasting>{_DURATION})|(?P<counted>the next (?:(?P<requests>\d{{1,6}}) )?requests?))",
        r"at (?P<hour>\d{1,2}):(?P<minute>\d{2})",
    )
)
_HOW = "[...] may be left out, DURATION is as 15m or 15 minutes, PATH as /api/operation, VERSION as 1.50.1, and HH:MM as 16:05"


SENTENCES: dict[str, Sentence] = {
    "ignores writes": for_a_while(UseCases.ignores_writes),
    "ignores the next write": Sentence(
        UseCases.ignores_the_next_writes, lambda u, said: u.ignores_the_next_writes(said.count)
    ),
    "applies the previous one": for_a_while(UseCases.applies_the_previous_one),
    "one step late": for_a_while(UseCases.applies_the_previous_one),
    "clamps 81 to 99": for_a_while(UseCases.clamps),
    "float drift": for_a_while(UseCases.drifts),
    "forgets to start": simply(UseCases.forgets_to_start),
    "starts slowly": for_a_while(UseCases.starts_slowly),
    "stops slowly": for_a_while(UseCases.stops_slowly),
    "refuses the wizard": for_a_while(UseCases.refuses_the_wizard),
    "is busy": Sentence(UseCases.is_busy, lambda u, said: u.is_busy(said.lasting(BUSY_FOR)), FOR),
    "offline": for_so_long(UseCases.goes_offline),
    "token expires": simply(UseCases.token_expires),
    "token is forgotten": simply(UseCases.token_is_forgotten),
    "somebody uses the app": simply(UseCases.somebody_uses_the_app),
    "somebody stops it": simply(UseCases.somebody_stops_it),
    "has an update": simply(UseCases.has_an_update),
    "stages an update": simply(UseCases.stages_an_update),
    "the update brings": Sentence(
        UseCases.update_brings,
        lambda u, said: u.update_brings(said.version or ""),
        frozenset({"version"}),
        frozenset({"version"}),
    ),
    "the update is rolled back": simply(UseCases.update_is_rolled_back),
    "a check lasts": for_so_long(UseCases.check_lasts),
    "checks fail": for_a_while(UseCases.checks_fail),
    "updates begin late": simply(UseCases.updates_begin_late),
    "a download lasts": for_so_long(UseCases.download_lasts),
    "an install lasts": for_so_long(UseCases.install_lasts),
    "an install begins late": for_so_long(UseCases.install_begins_late),
    "installs fail": simply(UseCases.installs_fail),
    "installs what is staged": simply(UseCases.installs_what_is_staged),
    "upgrades itself": simply(UseCases.upgrades_itself),
    "stays stopped after an upgrade": simply(UseCases.stays_stopped),
    "reboots": simply(UseCases.reboots),
    "certificate replaced": simply(UseCases.certificate_is_replaced),
    "another serial": simply(UseCases.is_another_gateway),
    "the grid fails": for_a_while(UseCases.grid_fails),
    "the grid returns": simply(UseCases.grid_returns),
    "a grid fault appears": for_a_while(UseCases.grid_fault_appears),
    "the grid fault clears": simply(UseCases.grid_fault_clears),
    "answers late": Sentence(
        UseCases.answers_late,
        lambda u, said: u.answers_late(said.reach, seconds=said.by_s(LATE_S)),
        REACH | {"by"},
    ),
    "applies but answers late": Sentence(
        UseCases.applies_but_answers_late,
        lambda u, said: u.applies_but_answers_late(said.reach, seconds=said.by_s(LATE_S)),
        REACH | {"by"},
    ),
    "slow bytes": Sentence(
        UseCases.answers_slowly,
        lambda u, said: u.answers_slowly(said.reach, seconds=said.by_s(BYTE_S)),
        REACH | {"by"},
    ),
    "resets": reaching(UseCases.resets),
    "applies but resets": reaching(UseCases.applies_but_resets),
    "applies but answers 502": reaching(UseCases.applies_but_answers_502),
    "truncates": reaching(UseCases.truncates),
    "redirects elsewhere": reaching(UseCases.redirects),
    "answers html": reaching(UseCases.answers_html),
    "answers nonsense": reaching(UseCases.answers_nonsense),
    "answers nan": reaching(UseCases.answers_nan),
    "answers too much": reaching(UseCases.answers_too_much),
    "answers 401": reaching(UseCases.answers_401),
    "answers 403": reaching(UseCases.answers_403),
    "answers 429": reaching(UseCases.answers_429),
    "answers 429 with retry-after": Sentence(
        UseCases.answers_429,
        lambda u, said: u.answers_429(said.reach, retry_after=True),
        frozenset({"to", "for"}),
        FOR,
    ),
    "answers 500": reaching(UseCases.answers_500),
    "answers 502": reaching(UseCases.answers_502),
    "answers 503": reaching(UseCases.answers_503),
    "behaves again": simply(UseCases.behaves_again),
}
"""The sentences by their first words. "ignores the next write" takes a number, as in "ignores the next 3 writes"; "the update
brings" needs a version, as in "the update brings 1.50.1"."""


def known_sentences() -> dict[str, str]:
    """Each sentence with what it takes, where brackets hold what may be left out, and what it makes happen."""
    return {_spelled(words, sentence): sentence.meaning for words, sentence in SENTENCES.items()}


def _spelled(words: str, sentence: Sentence) -> str:
    return f"{words}{sentence.grammar} [at HH:MM]"


def apply_scenario(device: SimulatedGateway, sentence: str) -> None:
    """Make a sentence true of the gateway, now or the next time its local clock passes the "at HH:MM" in it.

    SimulatorError for a sentence that is not known: it spells the one that begins like it, or lists all.
    """
    core, found = _taken_apart(" ".join(sentence.lower().split()))
    words, count = _counted(core)
    words, version = _versioned(words)
    known = SENTENCES.get(words)
    if known is None:
        raise _unknown(sentence, words)
    said = Said(
        by=_duration(found["by"]),
        reach=Reach(path=found["to"], lasting=_duration(found["lasting"]), requests=_requests(found)),
        count=count,
        version=version,
    )
    if not known.needs <= said.parts <= known.takes:
        raise _misspelled(sentence, words)
    if found["hour"] is None or found["minute"] is None:
        known.happen(UseCases(device), said)
        return
    hour, minute = int(found["hour"]), int(found["minute"])
    if hour >= 24 or minute >= 60:  # noqa: PLR2004 - hours and minutes
        raise SimulatorError(f"scenario {sentence!r}: there is no such time of day; write it as 16:05")
    at = next_passing(device.now(), time(hour, minute), device.zone)
    device.later(at, lambda: known.happen(UseCases(device), said))


def _taken_apart(sentence: str) -> tuple[str, dict[str, str | None]]:
    """The words that say what happens, and the parts around them, wherever they stand; each once."""
    found: dict[str, str | None] = {}
    for part in _PARTS:
        matched = part.search(sentence)
        found |= dict.fromkeys(part.groupindex) if matched is None else matched.groupdict()
        sentence = part.sub("", sentence, count=1).strip()
    return sentence, found


def next_passing(now: datetime, clock_time: time, zone: ZoneInfo) -> datetime:
    """The first instant after ``now`` at which clocks in ``zone`` show this time."""
    day = now.astimezone(zone).date()
    at = datetime.combine(day, clock_time, zone)
    if at.timestamp() <= now.timestamp():
        at = datetime.combine(day + timedelta(days=1), clock_time, zone)
    return datetime.fromtimestamp(at.timestamp(), now.tzinfo)


def _counted(words: str) -> tuple[str, int]:
    """The sentence that this is one of, and its number: "ignores the next 3 writes" has one."""
    counted = re.fullmatch(r"ignores the next (\d{1,6}) writes?", words)
    return (words, 1) if counted is None else ("ignores the next write", int(counted[1]))


def _versioned(words: str) -> tuple[str, str | None]:
    """The sentence that this is one of, and its version: "the update brings 1.50.1" has one."""
    versioned = re.fullmatch(r"the update brings (\d{1,4}(?:\.\d{1,4}){1,3})", words)
    return (words, None) if versioned is None else ("the update brings", versioned[1])


def _requests(found: dict[str, str | None]) -> int | None:
    return None if found["counted"] is None else int(found["requests"] or 1)


def _duration(text: str | None) -> timedelta | None:
    if text is None:
        return None
    number = re.sub(r"\D", "", text)
    unit = text.removeprefix(number).strip()[0]
    return min(int(number) * UNITS[unit], LONGEST)


def _unknown(sentence: str, words: str) -> SimulatorError:
    """The error for words that are no sentence: the longest one that they begin with is what was meant."""
    meant = [known for known in SENTENCES if words.startswith(f"{known} ")]
    if meant:
        return _misspelled(sentence, max(meant, key=len))
    known = "".join(f"\n  {line}" for line in known_sentences())
    return SimulatorError(f"unknown scenario {sentence!r}; the known ones are these, where {_HOW}:{known}")


def _misspelled(sentence: str, words: str) -> SimulatorError:
    right = _spelled(words, SENTENCES[words])
    return SimulatorError(f"scenario {sentence!r}: write it as {right!r}, where {_HOW}")
