"""What all tests have in common: they run beside a machine's own libraries as the program does, only sooner, and show their counts."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

if find_spec("sniffio") is None:
    # httpx asks for it at each request that stays within the process, and Python would search all its folders each time. None
    # in this place is its own word for a module that must not be found.
    sys.modules["sniffio"] = None  # type: ignore[assignment]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the tests counted (`record_property`), one line each: a search is worth what it looked through."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    counts = [
        f"{report.nodeid}: {name}: {value}"
        for report in reports
        if getattr(report, "when", None) == "call"
        for name, value in report.user_properties
    ]
    if counts:
        terminalreporter.section("counted")
    for line in sorted(counts):
        terminalreporter.write_line(line)
