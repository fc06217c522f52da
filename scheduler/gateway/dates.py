"""Instants as HTTP tells them. No request is known here."""

from __future__ import annotations

from datetime import datetime
from email.utils import parsedate_to_datetime


def read_date(header: str | None) -> datetime | None:
    """The instant of an HTTP Date header, in UTC; None for none, or for nonsense."""
    try:
        said = parsedate_to_datetime(header or "")
    except (ValueError, OverflowError):
        return None
    return said if said.tzinfo is not None else None
