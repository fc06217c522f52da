"""What the verbs that read a file only say of a person's hold: their answer is the file's, and the hold stands above it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduler.cli.common import say, state_dir_if_any

if TYPE_CHECKING:
    from scheduler.config.configuration import Configuration
    from scheduler.model.hold import Hold


def held(
    state: Path | None, configuration: Configuration, start: datetime, end: datetime, *, json: bool
) -> dict[str, Any] | None:
    """The hold that is in force now and has a say between these instants, as a document; None if there is none.

    Unless it is for ``json`` it is said, too, on stderr: what is printed stays the file's answer. A memory that cannot
    be read is no reason to fail, only to say that nobody knows.
    """
    from scheduler.daemon.clock import SystemClock
    from scheduler.plan.wallclock import WallClock
    from scheduler.plan.words import instant_text

    now, zone = SystemClock().now(), configuration.schedule.zone
    hold = _stored(state, configuration)
    if hold is None or not hold.in_force(now) or end <= min(hold.since, now) or hold.until <= start:
        return None
    if not json:
        until = instant_text(hold.until, WallClock(zone))
        say(
            f"note: a person holds {hold.setpoint} until {until} (`tou-scheduler resume` ends it); "
            "this is what the rules of the file say"
        )
    return hold.document(zone)


def _stored(state: Path | None, configuration: Configuration) -> Hold | None:
    from scheduler.app.kept import kept_in
    from scheduler.model.errors import StoreError
    from scheduler.store.holds import NAME, seen

    def unread(error: StoreError) -> None:
        say(f"note: whether a person holds something else cannot be seen: {error}")

    try:
        directory = state_dir_if_any(state)
    except StoreError as error:
        unread(error)
        return None
    return seen(kept_in(configuration, directory) / NAME, unread)
