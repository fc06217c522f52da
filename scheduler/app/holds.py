"""A person's hold from the word to the deed: what was asked for, until when, where it is kept, and what the daemon says to it.

The hold is written whether a daemon runs or not; the daemon reads the file and switches, see `app/daemon.py`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from scheduler.app.kept import kept_in, status_in
from scheduler.app.once import policy_of
from scheduler.config import words
from scheduler.config.configuration import Configuration
from scheduler.config.problems import quoted
from scheduler.config.shapes import not_kept
from scheduler.control.agenda import agenda
from scheduler.control.ports import Clock
from scheduler.control.trust import DOUBTED
from scheduler.model.errors import SchedulerError, StoreError
from scheduler.model.hold import LONGEST, Hold, hold_of
from scheduler.model.setpoint import Mode, Setpoint
from scheduler.plan.wallclock import WallClock, first_instant, occurrences
from scheduler.store.holds import NAME, HoldFile
from scheduler.store.lock import holder
from scheduler.store.memory import SIMULATED

SILENCE_S = 2.0
"""So long it is waited for without a word."""

PATIENCE_S = 45.0
"""How long a daemon is waited for: it sees the hold within 5 s, and a switch over a slow gateway takes its time."""

_POLL_S = 0.2
_EXAMPLES = "write it like 18:30, '2026-07-01 18:30', 2h or 1d"
_LENGTH = rf"(?=[0-9])(?:(?P<days>[0-9]{{1,3}})d)?(?P<rest>{words.DURATION})?"


class Senseless(SchedulerError):
    """What was asked for can be no hold; the sentence says what to write instead."""


def asked(mode: str | None, reserve: float | None, configuration: Configuration) -> Setpoint:
    """The setpoint that a person asks for, by the rules of the file; Senseless if a file could not ask for it."""
    if mode is None and reserve is None:
        raise Senseless("say what to hold: --mode, --reserve, or both")
    if mode is not None and mode not in list(Mode):
        hint = words.did_you_mean(mode, [*map(str, Mode)]) or f"use one of {', '.join(Mode)}"
        raise Senseless(f"--mode: unknown mode {quoted(mode)}; {hint}")
    if reserve is not None:
        if not 0 <= reserve <= 100:  # noqa: PLR2004 - percent
            raise Senseless(f"--reserve: {reserve:g} is no percentage; use 0 to 100")
        unkept = None if configuration.keeps_every_reserve else not_kept(reserve)
        if unkept is not None:
            raise Senseless(f"--reserve: {unkept[0]}; {unkept[1]}")
    return Setpoint(mode=mode, reserve_percent=reserve)


def made(setpoint: Setpoint, until: str | None, configuration: Configuration, now: datetime) -> Hold:
    """The hold that begins ``now``, until the next boundary of the plan if nothing is said; Senseless if there is no such end."""
    since = now.astimezone(UTC).replace(microsecond=0)
    zone = configuration.schedule.zone
    end = _next_boundary(configuration, now) if until is None else _until(until, since, zone)
    if end <= now:
        raise Senseless(f"--until: {_shown(end, zone)} is over; {_EXAMPLES}")
    if end - since > LONGEST:
        raise Senseless(
            f"--until: {_shown(end, zone)} is more than {LONGEST.days} days ahead; change the file for what lasts longer"
        )
    return Hold(setpoint=setpoint, since=since, until=end)


def _next_boundary(configuration: Configuration, now: datetime) -> datetime:
    following = agenda(policy_of(configuration), now).following(now)
    if following is None or following.start - now > LONGEST:
        raise Senseless(
            f"the plan has no boundary in the next {LONGEST.days} days; say how long with --until"
        )
    return following.start


def _until(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The instant that a person means: a duration, the next such time of day, or a date and time, all on the site's clock.

    A day of a duration has 24 hours, also where the clocks change.
    """
    try:
        if length := re.fullmatch(_LENGTH, text):
            return now + timedelta(days=int(length["days"] or 0)) + words.duration(length["rest"] or "0s")
        if re.fullmatch(rf"{words.CLOCK}|24:00", text):
            return _next_at(text, now, zone)
        if ":" not in text:
            day = date.fromisoformat(text)
        else:
            given = datetime.fromisoformat(text)
            ends = _shown_at(given, zone) if given.tzinfo is None else (given.astimezone(UTC),)
            return next((end for end in ends if end > now), ends[-1]).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise Senseless(f"--until: {quoted(text)} is not a time; {_EXAMPLES}") from None
    raise Senseless(
        f"--until: {quoted(text)} is a day without a time; write it like '{day} 18:30', "
        f"or '{day} 00:00' for where it begins"
    )


def _next_at(text: str, now: datetime, zone: ZoneInfo) -> datetime:
    """The next instant at which the clock shows this time of day, for the second time, too, or the end of the gap that skips it."""
    hour, _, minute = text.partition(":")
    today, at = WallClock(zone).day(now), time(int(hour) % 24, int(minute))
    # Yesterday, too: clocks may be put back over midnight.
    days = (today + timedelta(days=number) for number in (-1, 0, 1, 2))
    ends = (end for day in days for end in _shown_at(datetime.combine(day, at), zone))
    return min(end for end in ends if end > now)


def _shown_at(shown: datetime, zone: ZoneInfo) -> tuple[datetime, ...]:
    """The instants at which the clock shows this naive time, or the end of the gap that skips it, in order."""
    return occurrences(zone, shown) or (first_instant(zone, shown),)


def _shown(instant: datetime, zone: ZoneInfo) -> str:
    return instant.astimezone(zone).isoformat(sep=" ", timespec="minutes")


def keep(hold: Hold, configuration: Configuration, directory: Path) -> None:
    """Store it in the place of any other. StoreError if it cannot be."""
    HoldFile(kept_in(configuration, directory) / NAME, lambda _: None).save(hold)


def lift(directory: Path, now: datetime) -> Hold | None:
    """Have no hold any more, whatever kind of gateway it was for; the one that was in force. StoreError if it cannot be."""
    lifted = None
    for folder in (directory, directory / SIMULATED):
        unread: list[StoreError] = []
        file = HoldFile(folder / NAME, unread.append)
        hold = file.load()
        if hold is not None or unread:
            file.save(None)
        if hold is not None and hold.in_force(now):
            lifted = hold
    return lifted


async def answer(
    directory: Path, hold: Hold | None, clock: Clock, *, waiting: Callable[[], None]
) -> dict[str, Any] | None:
    """The daemon's status once it goes by this hold, or by none, and has come to a verdict, or after `PATIENCE_S`.

    A clock that it does not trust is an answer, too: nothing is switched until somebody has done something about it.
    ``waiting`` is called once it is clear that this lasts. None if no daemon runs with this state directory.
    """
    end_s = clock.monotonic() + PATIENCE_S
    speak_s: float | None = clock.monotonic() + SILENCE_S
    found: dict[str, Any] | None = None
    while holder(directory / "lock") is not None:
        if speak_s is not None and clock.monotonic() >= speak_s:
            speak_s = None
            waiting()
        with suppress(StoreError, ValueError):
            found = status_in(directory, clock.now()) or found
        follows = found is not None and hold_of(found.get("hold")) == hold
        came = follows and found is not None and (found["verdict"] or found.get("clock") == DOUBTED)
        if found is not None and (came or clock.monotonic() >= end_s):
            return found if follows else found | {"verdict": None, "verdict_message": None}
        if clock.monotonic() >= end_s:
            return {"verdict": None, "trouble": "the daemon has not said anything yet"}
        await clock.sleep(_POLL_S)
    return None
