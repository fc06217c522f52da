"""The real daemon on real disks that are full, read-only or worn out; mounted for the test, which wants root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from processes import Site, eventually, site, started

from scheduler.model.errors import StoreError
from scheduler.store.lock import Held, Lock, holder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
]


@contextmanager
def disk(folder: Path, options: str = "size=512k") -> Iterator[Callable[[str], None]]:
    """A small disk of its own at this folder; what is given remounts it with other options."""
    folder.mkdir(exist_ok=True)
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tou-scheduler", folder], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip("nothing can be mounted here")
    try:
        yield lambda others: _said("mount", "-o", f"remount,{others}", str(folder))
    finally:
        _said("umount", "--lazy", str(folder))


def _said(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)


def fill(folder: Path) -> None:
    """Leave no byte free."""
    with (folder / "filler").open("wb", buffering=0) as file:
        for size in (4096, 1):
            try:
                while True:
                    file.write(b"x" * size)
            except OSError:
                continue


def probe(home: Site) -> str:
    """What a health check is told."""
    return home.run("status", "--probe", "--state-dir", "state").stdout


def switched(home: Site) -> bool:
    """Whether the daemon has proven a switch, by its own log."""
    return any(line.get("verdict") in {"verified", "effective", "already"} for line in home.log)


@contextmanager
def running(home: Site) -> Iterator[Any]:
    """The daemon, which is still there at the end of the block, and then ends in order."""
    with started("run", "--state-dir", "state", cwd=home.folder) as process:
        yield process
        assert process.poll() is None, "it must not end for a disk"
    assert process.returncode == 0


def test_p5_on_a_full_disk_it_switches_says_so_and_recovers(tmp_path: Path) -> None:
    """Not one byte can be written from the start: the switch is proven all the same, health says what is wrong, and all is well once there is room."""
    with site(tmp_path) as home, disk(home.folder / "state"):
        fill(home.folder / "state")
        with running(home):
            eventually(lambda: switched(home))
            said = probe(home)
            (home.folder / "state" / "filler").unlink()
            eventually(lambda: probe(home).startswith("fine"))
        names = [line["event"] for line in home.log]
        kept = home.json("history", "--state-dir", "state")

    assert said.startswith("NOT FINE: ")
    assert "memory_failed" in names
    assert "memory_back" in names
    assert any(it["verdict"] in {"verified", "effective", "already"} for it in kept), "history was only late"


def test_p5_on_a_disk_that_is_read_only_from_the_start_it_switches(tmp_path: Path) -> None:
    """A card that wears out comes up read-only: the daemon starts all the same, switches, says so, and is the only one."""
    with site(tmp_path) as home, disk(home.folder / "state") as remount:
        (home.folder / "state" / "marker.json").write_text("[]")
        remount("ro")
        with running(home) as daemon:
            eventually(lambda: switched(home))
            said = probe(home)
            second = home.run("run", "--state-dir", "state")
            remount("rw")
            eventually(lambda: probe(home).startswith("fine"))
            third = home.run("run", "--state-dir", "state")
            assert daemon.poll() is None
        kept = (home.folder / "state" / "marker.json").read_text()

    assert said.startswith("NOT FINE: ")
    assert second.returncode == third.returncode == 3
    assert kept == "[]"


def test_p9_the_lock_of_a_read_only_disk_is_one_lock(tmp_path: Path) -> None:
    """Whoever holds it, and whether the disk can be written by now: there is one holder, and whoever looks sees that there is."""
    with disk(tmp_path / "state") as remount:
        path = tmp_path / "state" / "lock"
        remount("ro")
        assert holder(path) is None
        with Lock(path):
            assert holder(path) == 0
            with pytest.raises(Held), Lock(path):
                pass
            remount("rw")
            with pytest.raises(Held), Lock(path):
                pass
        assert holder(path) is None
        with Lock(path):
            assert holder(path) == os.getpid()
        remount("ro")
        with Lock(path):
            pass


def test_p5_a_disk_that_is_taken_away_under_way_stops_nothing(tmp_path: Path) -> None:
    """The folder is gone under a running daemon, as when a network disk goes: it goes on, and keeps its memory where there is one again."""
    with site(tmp_path) as home, running(home):
        eventually(lambda: switched(home))
        shutil.move(home.folder / "state", home.folder / "elsewhere")
        text = home.configuration.read_text()
        home.configuration.write_text(
            text.replace("reserve: 100}", "reserve: 77}").replace("reserve: 5}", "reserve: 7}")
        )
        eventually(lambda: [line["event"] for line in home.log].count("switch") >= 2)
        last = [line for line in home.log if line["event"] == "switch"][-1]

    assert last["verdict"] in {"verified", "effective"}


def test_p4_a_state_directory_that_is_a_file_is_one_sentence(tmp_path: Path) -> None:
    """A mistake of a person's, and no fault of a disk: it is refused by name."""
    (tmp_path / "state").write_text("")

    with pytest.raises(StoreError, match="could not be opened"), Lock(tmp_path / "state" / "lock"):
        pass
