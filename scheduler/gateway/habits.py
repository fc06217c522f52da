"""What is known of a firmware line before it is asked: how a login, a write and a commit go on it.

A table by version, with the source of each fact. Whoever can ask the gateway instead does so: a habit decides only what
cannot be found out without doing harm.
"""

from __future__ import annotations

from dataclasses import dataclass

FIRST_WITHOUT_INSTALLER = (1, 50)
"""From here on an installer's login wants somebody to toggle a switch on the Powerwall (powerwall2 issue 34)."""

FIRST_WITH_LOGINS = (20, 49)
"""From here on nearly every read wants a login (powerwall2 issue 41)."""

LATE_COMMITS = (1, 43)
"""This line puts in force what the commit before it should have (powerwall2 issue 26, seen on 1.43.3)."""

FIRST_WITH_POST_STOP = (20, 0)
"""From here on the site controller is stopped by POST; a GET is answered with 405 (powerwall2 issue 57, seen on 21.x)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Habits:
    """How one firmware line behaves.

    ``login_stops``: an installer's login stops the battery; ``takes_installer``: it takes one without a person at the
    switch; ``reads_want_login``: nearly every read does; ``commits_late``: a commit must be said twice;
    ``stops_by_post``: how the site controller is stopped.
    """

    login_stops: bool
    takes_installer: bool
    reads_want_login: bool
    commits_late: bool
    stops_by_post: bool


def habits_of(firmware: str | None) -> Habits:
    """The habits of a firmware by its version text; for one that is not known (None, nonsense), the careful ones."""
    version = version_of(firmware)
    old = version is None or version < FIRST_WITHOUT_INSTALLER
    return Habits(
        login_stops=old,
        takes_installer=old,
        reads_want_login=version is not None and version >= FIRST_WITH_LOGINS,
        commits_late=version == LATE_COMMITS,
        stops_by_post=version is not None and version >= FIRST_WITH_POST_STOP,
    )


def version_of(firmware: str | None) -> tuple[int, int] | None:
    """Major and minor of a version such as "1.45.2" or "21.39.1 7759c368"; None if it cannot be told."""
    major, _, rest = (firmware or "").strip().partition(" ")[0].partition(".")
    try:
        return int(major), int(rest.partition(".")[0] or 0)
    except ValueError:
        return None
