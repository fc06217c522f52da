"""The small languages inside the file: hours, durations, dates, days, `45m before x ends`, hosts.

Each function takes the text of one value and gives what it means, or raises WordError. Where the text stood,
and whether the names in it exist, is not known here; see `names`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta
from difflib import get_close_matches
from functools import lru_cache
from ipaddress import IPv6Address
from typing import Literal, cast

from scheduler.config.problems import quoted
from scheduler.plan.calendar import MINUTES_PER_DAY, DateSpan, Hours, YearSpan
from scheduler.plan.rules import ClockTime, Relative

CLOCK = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
HOURS = rf"\s*{CLOCK}\s*-\s*(?:{CLOCK}|24:00)\s*"
DURATION = r"(?=[0-9])(?:[0-9]{1,4}h)?(?:[0-9]{1,5}m)?(?:[0-9]{1,6}s)?"
_DAY = r"[A-Za-z]{3,9} [0-9]{1,2}"
_DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
MONTH_DAY = _DAY
DATES = rf"\s*(?:{_DATE}(?:\s* to \s*{_DATE})?|{_DAY}(?:\s* to \s*{_DAY})?)\s*"
AT = rf"(?:{CLOCK}|(?:{DURATION} (?:before|after) )?\S.* (?:starts|ends))"
HOST = r"\[?[A-Za-z0-9._:%-]+\]?(?::[0-9]{1,5})?"

SERVER_NAME = r"(?:(?!.{254})[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*)?"

LONGEST_OFFSET = timedelta(hours=24)
LARGEST_PORT = 65535

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
KINDS_OF_DAY = ("weekdays", "weekends", "holidays")
DAYS = (*KINDS_OF_DAY, *(day[:3] for day in WEEKDAYS), *WEEKDAYS)
_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class WordError(ValueError):
    """The text means nothing here. ``hint`` says what would."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


_CLOSE_ENOUGH = 0.75  # less, and monday would be a suggestion for sunday


def did_you_mean(word: str, options: Iterable[str]) -> str | None:
    """A hint with the closest of the options, or None if none is close. Case does not count."""
    by_lower = {option.lower(): option for option in options}
    close = get_close_matches(word.lower(), by_lower, n=1, cutoff=_CLOSE_ENOUGH)
    return f"did you mean {quoted(by_lower[close[0]])}?" if close else None


@lru_cache(maxsize=4096)
def hours(text: str) -> Hours:
    """``HH:MM-HH:MM``; may cross midnight and may end at 24:00."""
    if not re.fullmatch(HOURS, text):
        raise WordError(f"{quoted(text)} is not a range of hours", _meant_hours(text) or _HOURS_HINT)
    start_text, _, end_text = (part.strip() for part in text.partition("-"))
    start, end = _minute(start_text), MINUTES_PER_DAY if end_text == "24:00" else _minute(end_text)
    if start == end:
        raise WordError(f"{quoted(text)} starts where it ends", "write '00:00-24:00' for the whole day")
    return Hours(start, end if end > start else end + MINUTES_PER_DAY)


_HOURS_HINT = "write it like '14:00-20:00'; hours are from 00:00 to 23:59, and can end at 24:00"


def _meant_hours(text: str) -> str | None:
    """A hint for hours in another notation: 2pm-8pm, 14-20, 14.00 to 20.00, dashes and quotes of a word processor."""
    plain = re.sub(r"[^0-9a-z:.-]", "", re.sub(r"\bto\b|[\u2012-\u2015\u2212]", "-", text.lower()))
    one = r"([0-9]{1,2})(?:[:.]([0-9]{2}))?(am|pm)?"
    found = re.fullmatch(f"{one}-{one}", plain)
    if found is None or (found[6] and not found[3]):
        return None
    times = []
    for shown, minute, half in (found.group(1, 2, 3), found.group(4, 5, 6)):
        hour = int(shown) % 12 + 12 * (half == "pm") if half else int(shown)
        times.append(f"{hour:02}:{minute or '00'}")
    meant = "-".join(times)
    return f"did you mean {quoted(meant)}?" if re.fullmatch(HOURS, meant) else None


def _minute(text: str) -> int:
    if not re.fullmatch(CLOCK, text):
        hint = "write it like '07:15'" + ("; only hours can end at 24:00" if text == "24:00" else "")
        raise WordError(f"{quoted(text)} is not a time of the day", hint)
    hour, _, minute = text.partition(":")
    return int(hour) * 60 + int(minute)


@lru_cache(maxsize=1024)
def duration(text: str) -> timedelta:
    """``5m``, ``1h30m``, ``90s``; ``0m`` is one, too."""
    if not re.fullmatch(DURATION, text):
        raise WordError(f"{quoted(text)} is not a duration", "write it like '5m', '1h30m' or '90s'")
    amounts = {unit: int(amount) for amount, unit in re.findall("([0-9]+)([hms])", text)}
    return timedelta(hours=amounts.get("h", 0), minutes=amounts.get("m", 0), seconds=amounts.get("s", 0))


@lru_cache(maxsize=4096)
def at(text: str) -> ClockTime | Relative:
    """``07:15``, ``PERIOD starts|ends`` or ``DURATION before|after PERIOD starts|ends``."""
    if relative := re.fullmatch(r"(?:(\S+) (before|after) )?(\S.*) (starts|ends)", text):
        amount, side, period, edge = relative.groups()
        if amount is None and re.match(r"[0-9]+[hms][0-9hms]* ", period):
            raise WordError(
                f"{quoted(text)} is not a moment", "write 'before' or 'after' behind the duration"
            )
        offset = duration(amount) if amount else timedelta(0)
        if offset > LONGEST_OFFSET:
            raise WordError(f"{quoted(amount)} is more than a day", "use at most 24h")
        signed = -offset if side == "before" else offset
        return Relative(offset=signed, period=period, edge=cast("Literal['starts', 'ends']", edge))
    if re.fullmatch(r"[0-9:]+", text):
        return ClockTime(_minute(text))
    raise WordError(f"{quoted(text)} is not a moment", "write it like '07:15' or '45m before on_peak starts'")


@lru_cache(maxsize=1024)
def month_day(text: str) -> tuple[int, int]:
    """``jun 1`` as (6, 1). February has 29 days here."""
    found = re.fullmatch(r"([A-Za-z]+) ([0-9]{1,2})", text)
    if found is None:
        raise WordError(f"{quoted(text)} is not a day of the year", "write it like 'jun 1'")
    name, day = found[1].lower(), int(found[2])
    months = [
        number
        for number, month in enumerate(MONTHS, start=1)
        if month.startswith(name) and len(name) >= len("may")
    ]
    if not months:
        raise WordError(
            f"unknown month {quoted(found[1])}", did_you_mean(name, MONTHS) or "write it like 'jun 1'"
        )
    if not 1 <= day <= _MONTH_DAYS[months[0] - 1]:
        raise WordError(f"{MONTHS[months[0] - 1].capitalize()} has no day {day}")
    return months[0], day


@lru_cache(maxsize=1024)
def calendar_date(text: str) -> date:
    """``2026-07-04``."""
    if not re.fullmatch(_DATE, text):
        raise WordError(f"{quoted(text)} is not a date", "write it like '2026-07-04'")
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise WordError(f"the calendar has no {text}") from None


@lru_cache(maxsize=4096)
def dates(text: str) -> YearSpan | DateSpan:
    """One date or ``A to B``, both of one year's (``2026-12-24``) or both of every year (``dec 24``)."""
    first, separator, last = (part.strip() for part in text.partition(" to "))
    return date_span(first, last if separator else first)


def date_span(first: str, last: str) -> YearSpan | DateSpan:
    """The days from one to another, both included."""
    with_year = first[:1].isdigit()
    if with_year != last[:1].isdigit():
        raise WordError("one end has a year and the other has none", "give both ends a year, or neither")
    if not with_year:
        return YearSpan(month_day(first), month_day(last))
    span = DateSpan(calendar_date(first), calendar_date(last))
    if span.last < span.first:
        raise WordError(f"{last} is before {first}")
    return span


@lru_cache(maxsize=64)
def day(text: str) -> str:
    """A kind of day (``weekdays``) or a day of the week, as its full English name."""
    name = text.lower()
    if name in KINDS_OF_DAY:
        return name
    for weekday in WEEKDAYS:
        if name in (weekday, weekday[:3]):
            return weekday
    raise WordError(
        f"unknown day {quoted(text)}",
        did_you_mean(text, DAYS) or "use weekdays, weekends, holidays, mon, tue ...",
    )


def host(text: str) -> tuple[str, int | None]:
    """A name or an address, and the port if there is one: ``powerwall``, ``[fe80::1]:443``."""
    name, port = text, ""
    if bracketed := re.fullmatch(r"\[(.*)\](?::([0-9]+))?", text):
        name, port = bracketed[1], bracketed[2] or ""
    elif text.count(":") == 1 and "/" not in text:
        name, _, port = text.partition(":")
        port = port or "none"
    if bracketed or ":" in name:
        try:
            IPv6Address(name)
        except ValueError:
            raise WordError(f"{quoted(text)} is not a host", _HOST_HINT) from None
    elif not re.fullmatch(
        r"(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_-]+)*\.?", name
    ):
        raise WordError(f"{quoted(text)} is not a host", _HOST_HINT)
    elif not all(map(_spells_a_name, name.split("."))):
        raise WordError(f"{quoted(text)} is not a host: what follows xn-- spells no name", _HOST_HINT)
    if port and not (port.isdigit() and 1 <= int(port) <= LARGEST_PORT):
        raise WordError(f"{quoted(text)} has no port from 1 to {LARGEST_PORT}", _HOST_HINT)
    return name, int(port) if port else None


def server_name(text: str) -> str:
    """The name that a gateway is asked for in the TLS handshake, or nothing: then it is asked for none."""
    if not re.fullmatch(SERVER_NAME, text):
        raise WordError(
            f"{quoted(text)} is not a server name",
            "write teg, powerwall or powerpack, or '' to ask for no name",
        )
    return text


def _spells_a_name(label: str) -> bool:
    """Whether a part of a name that claims to hold other letters than ASCII (RFC 3490, `xn--`) really does."""
    if not label.lower().startswith("xn--"):
        return True
    try:
        return bool(label.encode("ascii").decode("idna"))
    except UnicodeError:
        return False


_HOST_HINT = "give a name or an address without https://, like 'powerwall' or '192.168.1.20'"
