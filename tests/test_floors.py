"""The floors of the architecture hold, and an import that breaks them is caught: shown on a copy of the package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FLOORS = "floors: cli > app > rim > control > plan > model"
DEVICES = "gateway, store and simulator never import control or plan"
WORLD = "model, plan and control stay away from the world"


@pytest.fixture(name="copy", scope="module")
def _copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package and its contracts, where they can be broken."""
    copy = tmp_path_factory.mktemp("copy")
    shutil.copytree(ROOT / "scheduler", copy / "scheduler", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(copy: Path) -> tuple[int, list[str]]:
    """The exit code of import-linter, and which contracts it says are broken."""
    command = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run(
        [command, "--config", copy / "pyproject.toml", "--no-cache", "--no-logo"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert any(line.startswith("Contracts: ") for line in lines), done.stdout + done.stderr
    return done.returncode, [line.split(" BROKEN")[0] for line in lines if " BROKEN" in line]


def test_the_floors_hold(copy: Path) -> None:
    """Unchanged, every contract is kept."""
    assert lint(copy) == (0, [])


@pytest.mark.parametrize(
    ("module", "imported", "contract"),
    [
        ("model/setpoint.py", "scheduler.control.decide", FLOORS),
        ("model/errors.py", "scheduler.plan.rules", FLOORS),
        ("plan/rules.py", "scheduler.control.ports", FLOORS),
        ("control/decide.py", "scheduler.gateway.wire", FLOORS),
        ("control/loop.py", "scheduler.app", FLOORS),
        ("store/durable.py", "scheduler.gateway.wire", FLOORS),
        ("observe/logs.py", "scheduler.store.durable", FLOORS),
        ("simulator/house.py", "scheduler.gateway.wire", FLOORS),
        ("daemon/clock.py", "scheduler.cli.common", FLOORS),
        ("app/once.py", "scheduler.cli.common", FLOORS),
        ("gateway/wire.py", "scheduler.control.ports", DEVICES),
        ("simulator/house.py", "scheduler.plan.calendar", DEVICES),
        ("store/marker.py", "scheduler.control.ports", DEVICES),
        ("model/reading.py", "os", WORLD),
        ("model/setpoint.py", "tenacity", "model needs no library"),
        ("plan/compile.py", "pathlib", WORLD),
        ("control/switch.py", "socket", WORLD),
        ("control/loop.py", "apscheduler", "one door for apscheduler: daemon.engine"),
        ("app/once.py", "yaml", "one door for yaml: config.lines"),
        ("config/load.py", "yaml", "one door for yaml: config.lines"),
        ("gateway/wire.py", "pydantic", "one door for pydantic: config"),
        ("cli/common.py", "httpx", "one door for httpx: gateway"),
        ("observe/record.py", "sqlite3", "one door for sqlite3: store"),
    ],
)
def test_an_import_that_breaks_a_floor_is_caught(
    copy: Path, module: str, imported: str, contract: str
) -> None:
    """One line in the wrong place, and the check fails and names the contract."""
    path = copy / "scheduler" / module
    before = path.read_text()
    path.write_text(f"{before}\nimport {imported}\n")
    try:
        code, broken = lint(copy)
    finally:
        path.write_text(before)

    assert code != 0
    assert contract in broken


def test_every_door_is_used(copy: Path) -> None:
    """Each library is really imported where its door is: a contract about a library that nobody uses would be idle."""
    doors = {
        "apscheduler": "daemon/engine.py",
        "yaml": "config/lines.py",
        "pydantic": "config/schema.py",
        "httpx": "gateway/http.py",
        "sqlite3": "store/journal.py",
    }
    for library, door in doors.items():
        assert re.search(
            rf"^(import|from) {library}\b", (copy / "scheduler" / door).read_text(), re.MULTILINE
        )
