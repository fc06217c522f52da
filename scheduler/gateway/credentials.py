"""Who logs in to a gateway. Where a password comes from, and when one is sent, is not known here."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """Who logs in. ``force_sm_off`` asks the gateway to stop the battery for it even while power flows."""

    username: str
    password: str | None = field(repr=False)
    email: str = field(default="", repr=False)
    force_sm_off: bool = False
