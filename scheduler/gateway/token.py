"""What one login gave: the token, the roles, and how far it is to be believed. When one is asked for is `access.py`'s."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

FIRST_WAIT = timedelta(minutes=1)
"""So long a token of which nothing came yet is used all the same where it is refused. Ours: nobody measured it."""

DOUBLED_TIMES = 3
"""So often that becomes twice as long, with each token in a row that came to nothing."""


@dataclass(slots=True)
class Token:
    """A token, when it was given, and whether any answer came of it yet: ``proven``.

    ``in_vain`` are the tokens in a row before it that came to nothing.
    """

    text: str = field(repr=False)
    since: datetime
    roles: tuple[str, ...] = ()
    in_vain: int = 0
    proven: bool = False

    def is_awaited(self, now: datetime) -> bool:
        """Whether it is so new that the gateway may yet learn to know it.

        Each login may stop a battery, and a gateway that does not know the token that it just gave would not know the next.
        """
        wait = FIRST_WAIT * 2 ** min(self.in_vain, DOUBLED_TIMES)
        return not self.proven and timedelta() <= now - self.since < wait
