"""What the daemon does without: libraries that would cost a Raspberry Pi memory for nothing."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from processes import ROOT, command, site


def loaded_by(errors: str) -> set[str]:
    """The modules that a process wrote to have loaded, or to have tried."""
    return set(re.findall(r"^import time:.*\| +(\S+)$", errors, re.MULTILINE))


def packages(loaded: set[str]) -> set[str]:
    """The packages of these: a name alone may be an attempt that found nothing; what was loaded has parts."""
    return {name.partition(".")[0] for name in loaded if "." in name}


def test_the_daemon_loads_only_what_it_uses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Up to its first completed cycle `run` loads no terminal, server or certificate library."""
    with site(tmp_path) as here:
        monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")  # Python then writes each import to stderr
        with here.daemon() as process:
            assert process.poll() is None
        loaded = loaded_by((tmp_path / "run.err").read_text())

    assert {"scheduler.control.loop", "httpx", "structlog", "holidays"} <= loaded
    without = {"rich", "click", "pygments", "cryptography", "starlette", "uvicorn", "hpack"}
    assert packages(loaded) & without == set()


def test_a_visit_loads_only_what_it_uses(tmp_path: Path) -> None:
    """Every other verb does without what the daemon does without; that `plan` still draws its table is held elsewhere."""
    text = (ROOT / "config" / "tou.yaml").read_text().replace("type: local ", "type: simulated ")
    (tmp_path / "tou.yaml").write_text(text)
    words = ("--config", "tou.yaml", "--state-dir", "state")

    done = command("once", *words, cwd=tmp_path, PYTHONPROFILEIMPORTTIME="1")

    assert done.returncode == 0, done.stdout
    loaded = loaded_by(done.stderr)
    assert {"httpx", "structlog.dev"} <= loaded
    assert packages(loaded) & {"rich", "pygments", "hpack"} == set()


def test_a_country_can_be_loaded_alone() -> None:
    """The library loads only the country that a tariff names, with the same holidays as ever."""
    program = """
import sys
if sys.argv[1] == "alone":
    from scheduler.plan.holidays import HolidayRule, known_names
    known_names(HolidayRule(country="US"))
    assert "holidays.countries.canada" not in sys.modules
else:
    import holidays.countries
import holidays
for country in sorted(holidays.list_supported_countries()):
    print(country, sorted(holidays.country_holidays(country, years=2026).items()))
"""

    def told(how: str) -> str:
        return subprocess.run(
            [sys.executable, "-c", program, how], capture_output=True, text=True, check=True
        ).stdout

    alone = told("alone")

    assert alone.count("\n") > 200, "the library's countries were not found"
    assert alone == told("together")
