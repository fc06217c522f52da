"""What decides is pure: model, plan and control read no clock, draw no chance and touch no file, socket or thread."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "scheduler"
FLOORS = ("model", "plan", "control")
OF_THE_WORLD = {
    "concurrent",
    "http",
    "multiprocessing",
    "os",
    "pathlib",
    "random",
    "secrets",
    "select",
    "selectors",
    "signal",
    "socket",
    "sqlite3",
    "ssl",
    "subprocess",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
READS = {("datetime", "now"), ("datetime", "utcnow"), ("datetime", "today"), ("date", "today")}
CLOCKS = {"time", "time_ns", "monotonic", "monotonic_ns", "clock_gettime", "sleep"}

ALLOWED = {("control/loop.py", "import random")}
"""The loop's default for the jitter of its pauses, which every test and rehearsal replaces."""


def impure(source: str) -> Iterator[str]:
    """What in this source reaches into the world."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or ""]
        else:
            names = []
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                if (node.value.id, node.attr) in READS:
                    yield f"{node.value.id}.{node.attr}"
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open":
                yield "open"
        yield from (f"import {name}" for name in names if name.partition(".")[0] in OF_THE_WORLD)


def test_m2_the_core_reads_no_clock_and_touches_nothing() -> None:
    """Every decision comes from its arguments, so that a rehearsal with the same seed decides the same."""
    files = [path for floor in FLOORS for path in sorted((PACKAGE / floor).rglob("*.py"))]
    found = {
        (path.relative_to(PACKAGE).as_posix(), what) for path in files for what in impure(path.read_text())
    }

    assert len(files) > 30
    assert found - ALLOWED == set()


def test_m2_the_machines_clock_is_read_in_one_place() -> None:
    """Only `daemon/clock.py` asks what time it is; who measures how long an exchange took counts from no epoch."""
    found = set()
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Attribute) or not isinstance(node.value, ast.Name):
                continue
            it = (node.value.id, node.attr)
            if it in READS or (it[0] == "time" and it[1] in CLOCKS):
                found.add(path.relative_to(PACKAGE).as_posix())

    assert found == {"daemon/clock.py"}


@pytest.mark.parametrize(
    "source", ["import time", "from random import random", "import os.path", "datetime.now()", "open('x')"]
)
def test_an_impure_line_is_found(source: str) -> None:
    """The two above would notice each of these."""
    assert list(impure(source))
