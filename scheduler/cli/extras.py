"""Libraries that ours load only because they find them. They are kept out: they would cost each start a third of its time."""

from __future__ import annotations

import sys

_EXTRAS = ("rich", "h2", "httpx._main")


def spare_extras() -> None:
    """Say that `rich`, `h2` and the command line of httpx are not there: structlog and httpx load what they find.

    The daemon draws nothing on a terminal and speaks HTTP/1.1; it would pay 8 MB and 0.1 s for it, and so would every other
    verb. None in this place is Python's own word for a module that must not be found, and both libraries then do without.
    """
    for extra in _EXTRAS:
        sys.modules.setdefault(extra, None)  # type: ignore[arg-type]


def allow_rich() -> None:
    """Let `rich` be found from now on, for what draws a table on a terminal; whoever loaded it already keeps it."""
    if sys.modules.get("rich", sys) is None:
        del sys.modules["rich"]
