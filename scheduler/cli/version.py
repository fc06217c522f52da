"""`version`: which version of the program this is."""

from __future__ import annotations

import platform

from scheduler import __version__
from scheduler.cli.common import JsonOption, print_json


def version(*, json: JsonOption = False) -> None:
    """Print the version."""
    if json:
        print_json(
            {
                "schema": "tou-scheduler/version",
                "version": 1,
                "program": __version__,
                "python": platform.python_version(),
            }
        )
    else:
        print(f"tou-scheduler {__version__} (Python {platform.python_version()})")
