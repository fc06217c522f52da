"""What a search counted is shown at the end of the run, however many workers shared it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = """
def test_many(record_property):
    record_property("pairs", 21722)
    record_property("kills", 40)

def test_none():
    pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_was_counted_is_printed_at_the_end(tmp_path: Path, workers: str) -> None:
    """One line for each count, with the test that made it; none for a test that counted nothing."""
    shutil.copy(Path(__file__).with_name("conftest.py"), tmp_path)
    (tmp_path / "test_it.py").write_text(COUNTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", workers, "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    lines = [line for line in done.stdout.splitlines() if line.startswith("test_it.py::")]
    assert lines == ["test_it.py::test_many: kills: 40", "test_it.py::test_many: pairs: 21722"]
