"""Trouble in words: sentences such as "offline for 15 minutes" or "somebody uses the app at 16:05".

A sentence is one of those below, and with it, where it says so and in any order:

- ``by DURATION``: how late, or how slow for each byte, in real seconds, as in "answers late by 20s";
- ``to PATH``: only requests to this path, as in "answers 503 to /api/operation";
- ``for DURATION``, or ``for the next N requests``: how long, as in "resets for 5m" or "resets for the next 3 requests";
- ``at HH:MM``: from the next time on that the gateway's local clock passes it; every sentence takes this one.

A duration is a number with s, m or h, or with seconds, minutes or hours. Case and spaces do not matter. What each sentence
does lives in `usecases.py`, and is told by the docstring that it has there. If the same is said to last twice, it lasts until
the later end.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.mischief import ENDLESS, Reach
from scheduler.simulator.usecases import BUSY_FOR, BYTE_S, LATE_S, UseCases

LONGEST = timedelta(days=366)
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
_HOW = "[...] may be left out, DURATION is as 15m or 15 minutes, PATH as /api/operation, and HH:MM as 16:05"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What stands behind a sentence's first words; ``count`` is the number among them, if they have one."""

    by: timedelta | None = None
    reach: Reach = ENDLESS
    count: int = 1

    @property
    def parts(self) -> set[str]:
        """Which parts are there, by their first words."""
        found = {"by": self.by, "to": self.reach.path, "for": self.reach.lasting, "next": self.reach.requests}
        return {part for part, value in found.items() if value is not None}

    def lasting(self, otherwise: timedelta) -> timedelta:
        """How long."""
        return otherwise if self.reach.lasting is None else self.reach.lasting

    def by_s(self, otherwise: float) -> float:
        """How late, in seconds."""
        return otherwise if self.by is None else self.by.total_seconds()


@dataclass(frozen=True, slots=True)
class Sentence:
    """What a sentence makes happen by which use-case, which parts it takes, and which it cannot do without."""

    use_case: Callable[..., None]
    happen: Callable[[UseCases, Said], None]
    takes: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()

    @property
    def meaning(self) -> str:
        """What happens, in words: the use-case's own."""
        return " ".join((self.use_case.__doc__ or "").split())

    @property
    def grammar(self) -> str:
        """What may or must follow, as a person reads it."""
        lasting = "for DURATION | for the next N requests" if "next" in self.takes else "for DURATION"
        spelled = {"by": "by DURATION", "to": "to PATH", "for": lasting}
        parts = ((part, text) for part, text in spelled.items() if part in self.takes)
        return "".join(f" {text}" if part in self.needs else f" [{text}]" for part, text in parts)


_FOR = frozenset({"for"})
_REACH = frozenset({"to", "for", "next"})


def _simply(happen: Callable[[UseCases], None]) -> Sentence:
    return Sentence(happen, lambda usecases, _: happen(usecases))


def _lasting(happen: Callable[[UseCases, timedelta | None], None]) -> Sentence:
    return Sentence(happen, lambda usecases, said: happen(usecases, said.reach.lasting), _FOR)


def _reaching(happen: Callable[[UseCases, Reach], None]) -> Sentence:
    return Sentence(happen, lambda usecases, said: happen(usecases, said.reach), _REACH)


SENTENCES: dict[str, Sentence] = {
    "ignores writes": _lasting(UseCases.ignores_writes),
    "ignores the next write": Sentence(
        UseCases.ignores_the_next_writes, lambda u, said: u.ignores_the_next_writes(said.count)
    ),
    "applies the previous one": _lasting(UseCases.applies_the_previous_one),
    "one step late": _lasting(UseCases.applies_the_previous_one),
    "clamps 81 to 99": _lasting(UseCases.clamps),
    "float drift": _lasting(UseCases.drifts),
    "forgets to start": _simply(UseCases.forgets_to_start),
    "refuses the wizard": _lasting(UseCases.refuses_the_wizard),
    "is busy": Sentence(UseCases.is_busy, lambda u, said: u.is_busy(said.lasting(BUSY_FOR)), _FOR),
    "offline": Sentence(
        UseCases.goes_offline, lambda u, said: u.goes_offline(said.lasting(LONGEST)), _FOR, _FOR
    ),
    "token expires": _simply(UseCases.token_expires),
    "token is forgotten": _simply(UseCases.token_is_forgotten),
    "somebody uses the app": _simply(UseCases.somebody_uses_the_app),
    "somebody stops it": _simply(UseCases.somebody_stops_it),
    "has an update": _simply(UseCases.has_an_update),
    "upgrades itself": _simply(UseCases.upgrades_itself),
    "stays stopped after an upgrade": _simply(UseCases.stays_stopped),
    "reboots": _simply(UseCases.reboots),
    "certificate replaced": _simply(UseCases.certificate_is_replaced),
    "another serial": _simply(UseCases.is_another_gateway),
    "the grid fails": _lasting(UseCases.grid_fails),
    "the grid returns": _simply(UseCases.grid_returns),
    "a grid fault appears": _lasting(UseCases.grid_fault_appears),
    "the grid fault clears": _simply(UseCases.grid_fault_clears),
    "answers late": Sentence(
        UseCases.answers_late,
        lambda u, said: u.answers_late(said.reach, seconds=said.by_s(LATE_S)),
        _REACH | {"by"},
    ),
    "applies but answers late": Sentence(
        UseCases.applies_but_answers_late,
        lambda u, said: u.applies_but_answers_late(said.reach, seconds=said.by_s(LATE_S)),
        _REACH | {"by"},
    ),
    "slow bytes": Sentence(
        UseCases.answers_slowly,
        lambda u, said: u.answers_slowly(said.reach, seconds=said.by_s(BYTE_S)),
        _REACH | {"by"},
    ),
    "resets": _reaching(UseCases.resets),
    "applies but resets": _reaching(UseCases.applies_but_resets),
    "truncates": _reaching(UseCases.truncates),
    "redirects elsewhere": _reaching(UseCases.redirects),
    "answers html": _reaching(UseCases.answers_html),
    "answers nonsense": _reaching(UseCases.answers_nonsense),
    "answers nan": _reaching(UseCases.answers_nan),
    "answers too much": _reaching(UseCases.answers_too_much),
    "answers 401": _reaching(UseCases.answers_401),
    "answers 403": _reaching(UseCases.answers_403),
    "answers 429": _reaching(UseCases.answers_429),
    "answers 429 with retry-after": Sentence(
        UseCases.answers_429,
        lambda u, said: u.answers_429(said.reach, retry_after=True),
        frozenset({"to", "for"}),
        _FOR,
    ),
    "answers 500": _reaching(UseCases.answers_500),
    "answers 502": _reaching(UseCases.answers_502),
    "answers 503": _reaching(UseCases.answers_503),
    "behaves again": _simply(UseCases.behaves_again),
}
"""The sentences by their first words. "ignores the next write" takes a number, as in "ignores the next 3 writes"."""


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
    known = SENTENCES.get(words)
    if known is None:
        raise _unknown(sentence, words)
    said = Said(
        by=_duration(found["by"]),
        reach=Reach(path=found["to"], lasting=_duration(found["lasting"]), requests=_requests(found)),
        count=count,
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
