"""Instants as our files have them: aware, in the form of ISO 8601. What a text without an offset means, nobody could say."""

from __future__ import annotations

from datetime import datetime, tzinfo

SAME_S = 1.0
"""So many seconds two clocks may differ by without either having been set: they are read one after the other, and slewed."""


def instant(text: str) -> datetime:
    """The aware instant that this text says. ValueError if it says none, TypeError if it is no text."""
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError(f"{text} has no offset")
    return at


def instant_of(value: object) -> datetime | None:
    """The same of whatever a file holds; None for anything else."""
    try:
        return instant(value) if isinstance(value, str) else None
    except ValueError:
        return None


def instants_of(values: object) -> list[datetime]:
    """The instants in a list of a file; what makes no sense in it is none."""
    return [at for at in map(instant_of, values) if at is not None] if isinstance(values, list) else []


def local(at: datetime | None, zone: tzinfo) -> str | None:
    """The instant as documents for other programs have it: by the clocks of ``zone``, with its offset, to the second."""
    return None if at is None else at.astimezone(zone).isoformat(timespec="seconds")
