"""`make install` and `make uninstall`: what they refuse, what they leave behind, and that an upgrade is all or nothing."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import debian
import pytest

ROOT = Path(__file__).parent.parent
NEEDED = ("scheduler", "config", "deploy", "Makefile", "pyproject.toml", "README.md", "LICENSE")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a test installs to: PREFIX and BINDIR below a folder of its own."""

    folder: Path

    @property
    def prefix(self) -> Path:
        """Instead of /opt/tou-scheduler."""
        return self.folder / "opt" / "tou-scheduler"

    @property
    def command(self) -> Path:
        """Instead of /usr/local/bin/tou-scheduler."""
        return self.folder / "bin" / "tou-scheduler"

    @property
    def releases(self) -> set[str]:
        """The installations that lie there, in force or not."""
        return {path.name for path in (self.prefix / "releases").iterdir()}

    @property
    def current(self) -> str:
        """The one in force."""
        return (self.prefix / "current").readlink().name

    def make(self, verb: str, clone: Path = ROOT, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a verb of a clone's Makefile for this place; nothing of the network is used but for ``more``."""
        words = {"PREFIX": str(self.prefix), "BINDIR": str(self.command.parent), "PYTHON": sys.executable}
        environ = os.environ | {"UNITS": str(self.folder), "PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull}
        return subprocess.run(
            ["make", "--silent", verb, *(f"{name}={value}" for name, value in (words | more).items())],
            cwd=clone,
            env=environ | {"PIP_FIND_LINKS": more.get("WHEELS", "")},
            umask=0o077,  # the habit of a careful root; the service's user must get in all the same
            capture_output=True,
            text=True,
            check=False,
        )

    def version(self) -> str:
        """What the installed command says of itself, run in an environment without anything of ours."""
        done = subprocess.run(
            [self.command, "version"],
            cwd=self.folder,
            env={"PATH": os.defpath},
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.split()[1]


def clone_with(version: str, folder: Path) -> Path:
    """A clone of this repository in which the package has another version."""
    clone = folder / version
    clone.mkdir()
    for name in (*NEEDED, *(path.name for path in ROOT.glob("requirements*.txt"))):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, clone / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, clone / name)
    for file in (clone / "pyproject.toml", clone / "scheduler" / "__init__.py"):
        text = file.read_text()
        assert text.count('version = "0.1.0"') + text.count('__version__ = "0.1.0"') >= 1
        file.write_text(text.replace('"0.1.0"', f'"{version}"', 1))
    return clone


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """An empty place."""
    return Place(tmp_path)


def test_a_python_that_is_too_old_is_refused(place: Place) -> None:
    """Nothing is made, and the sentence names the version that is needed and how to name another Python."""
    old = place.folder / "python3.9"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    done = place.make("install", PYTHON=str(old))

    assert done.returncode != 0
    assert (
        f"error: Python 3.11 or later is needed; {old} is none. PYTHON=/path/to/it names one." in done.stderr
    )
    assert not place.prefix.exists()


def stand_ins(place: Place, processor: str, compiler: str) -> dict[str, str]:
    """A Python that says it has 32 bits, and a ``uname`` and a ``cc`` that come first on the path; the rest is this machine's."""
    tools = place.folder / "tools"
    tools.mkdir()
    python = f'#!/bin/sh\ncase "$*" in *maxsize*) exit 1 ;; esac\nexec {sys.executable} "$@"\n'
    for name, program in {
        "python3": python,
        "uname": f"#!/bin/sh\necho {processor}\n",
        "cc": f"#!/bin/sh\n{compiler}\n",
    }.items():
        (tools / name).write_text(program)
        (tools / name).chmod(0o755)
    return {"PYTHON": str(tools / "python3"), "PATH": f"{tools}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    ("processor", "compiler", "words"),
    [
        ("armv6l", "exit 0", "A 64-bit one is needed"),
        ("i686", "exit 0", "A 64-bit one is needed"),
        ("armv7l", "exit 1", "apt install gcc libc6-dev libffi-dev python3-dev, and this once more"),
        ("aarch64", "exit 1", "the 64-bit Raspberry Pi OS"),
    ],
)
def test_a_system_of_32_bits_is_refused(place: Place, processor: str, compiler: str, words: str) -> None:
    """Minutes of compiling that must fail are not begun: what is missing is said, and nothing is made."""
    done = place.make("install", **stand_ins(place, processor, compiler))

    assert done.returncode != 0
    assert "error: this is a 32-bit system, " in done.stderr
    assert words in done.stderr
    assert not place.prefix.exists()


def test_a_system_of_32_bits_that_can_compile_may_go_on(place: Place) -> None:
    """With a compiler and the headers that it needs, the next question is asked."""
    done = place.make("install", **stand_ins(place, "armv7l", "grep -q ffi.h"), PREFIX="/proc/tou-scheduler")

    assert "Run it as root: sudo make install" in done.stderr
    assert "32-bit" not in done.stderr


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_who_may_not_write_there_is_told_to_be_root(verb: str, place: Place) -> None:
    """Not even root may write below /proc: the sentence is that for everybody else."""
    done = place.make(verb, PREFIX="/proc/tou-scheduler")

    assert done.returncode != 0
    assert {"install": "Run it as root: sudo make install", "uninstall": "there is no tou-scheduler"}[
        verb
    ] in done.stderr


@pytest.mark.parametrize("prefix", ["opt/tou-scheduler", "/opt/tou scheduler"])
def test_a_prefix_that_cannot_work_is_refused(prefix: str, place: Place) -> None:
    """A path that depends on where one stands, or one that no unit and no first line of a script can name."""
    done = place.make("install", PREFIX=prefix)

    assert done.returncode != 0
    assert "error: PREFIX must be a " in done.stderr


def test_what_somebody_else_installed_there_stays(place: Place) -> None:
    """A virtual environment that was made by hand in that place is not written over."""
    place.prefix.mkdir(parents=True)
    (place.prefix / "pyvenv.cfg").write_text("home = /usr/bin\n")

    done = place.make("install")

    assert done.returncode != 0
    assert f"error: {place.prefix} was not made by make install." in done.stderr
    assert [path.name for path in place.prefix.iterdir()] == ["pyvenv.cfg"]


def test_two_at_once_are_refused(place: Place) -> None:
    """While one installs, another one says so and touches nothing."""
    place.prefix.mkdir(parents=True)
    with (place.prefix / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)

        done = place.make("install")

    assert done.returncode != 0
    assert f"error: another make install is under way in {place.prefix}" in done.stderr
    assert place.releases == set()


@pytest.mark.slow
def test_an_installation_that_fails_leaves_nothing(place: Place) -> None:
    """Without the network pip finds no package: the exit code says so, and there is no half of a program."""
    done = place.make("install", WHEELS=str(place.folder))

    assert done.returncode != 0
    assert "No matching distribution found" in done.stderr
    assert place.releases == set()
    assert not place.command.exists()


def test_uninstall_removes_only_what_install_made(place: Place) -> None:
    """A stranger's file in that place stays, and so does a command that leads elsewhere; both are said or seen."""
    (place.prefix / "releases" / "one" / "bin").mkdir(parents=True)
    (place.prefix / "bin").mkdir()
    (place.prefix / "current").symlink_to("releases/one")
    (place.prefix / "notes.txt").write_text("mine")
    place.command.parent.mkdir()
    place.command.symlink_to("/usr/bin/true")

    done = place.make("uninstall")

    assert done.returncode == 0, done.stderr
    assert [path.name for path in place.prefix.iterdir()] == ["notes.txt"]
    assert "holds other files, too; those stay" in done.stdout
    assert place.command.readlink() == Path("/usr/bin/true")


@pytest.mark.parametrize("through", ["bin", "current/bin", "link"])
def test_uninstall_keeps_what_a_service_runs(through: str, place: Place) -> None:
    """A unit that starts this program would fail at the next boot: the service goes first."""
    (place.prefix / "releases").mkdir(parents=True)
    (place.prefix / "current").symlink_to("releases")
    place.command.parent.mkdir()
    program = place.command if through == "link" else place.prefix / through / "tou-scheduler"
    (place.folder / "tou-scheduler.service").write_text(f"[Service]\nExecStart={program} run --stay\n")

    done = place.make("uninstall")

    assert done.returncode != 0
    assert "First: sudo tou-scheduler service uninstall" in done.stderr
    assert (place.prefix / "current").exists()


@pytest.fixture(scope="module")
def wheelhouse() -> str:
    """The locked packages, for pip to find."""
    return str(debian.wheelhouse(f"{sys.version_info.major}.{sys.version_info.minor}"))


@pytest.fixture(scope="module")
def installed(wheelhouse: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A place where the program is installed."""
    place = Place(tmp_path_factory.mktemp("installed"))
    done = place.make("install", WHEELS=wheelhouse)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"is installed in {place.prefix}; {place.command} is its command." in done.stdout
    yield place
    done = place.make("uninstall")
    assert done.returncode == 0, done.stderr
    assert not place.prefix.exists()
    assert not os.path.lexists(place.command)


@pytest.mark.slow
def test_the_installed_program_needs_no_clone(installed: Place) -> None:
    """The command says its version, and lies where unit and README name it: in PREFIX/bin and in BINDIR."""
    assert installed.version() == "0.1.0"
    assert installed.command.readlink() == installed.prefix / "bin" / "tou-scheduler"
    script = (installed.prefix / "bin" / "tou-scheduler").resolve()
    assert script.is_relative_to(installed.prefix / "releases" / installed.current)
    assert str(ROOT) not in script.read_text()


@pytest.mark.slow
def test_the_services_user_can_run_it_and_never_needs_to_write(installed: Place) -> None:
    """Whatever root's umask: everybody may read all of it, and every module of ours and others' is compiled."""
    release = installed.prefix / "releases" / installed.current
    files = [path for path in release.rglob("*") if not path.is_symlink()]
    modules = [path for path in (release / "lib").rglob("*.py") if "__pycache__" not in path.parts]
    tag = sys.implementation.cache_tag

    closed = [path for path in files if not path.stat().st_mode & stat.S_IROTH]
    plain = [
        path for path in modules if not (path.parent / "__pycache__" / f"{path.stem}.{tag}.pyc").exists()
    ]

    assert len(modules) > 500
    assert closed == []
    assert plain == []


@pytest.mark.slow
def test_nothing_that_only_builds_is_installed(installed: Place) -> None:
    """Neither pip nor the build's own packages are in it, and the file in PREFIX is the README."""
    site = next((installed.prefix / "current" / "lib").glob("python3*/site-packages"))
    held = {path.name.partition("-")[0] for path in site.glob("*.dist-info")}

    assert {"tou_scheduler", "httpx", "pydantic"} <= held
    assert held & {"pip", "setuptools", "hatchling", "pathspec", "pytest"} == set()
    assert (installed.prefix / "README.md").read_bytes() == (ROOT / "README.md").read_bytes()


@pytest.mark.slow
def test_an_upgrade_is_all_or_nothing(installed: Place, wheelhouse: str, tmp_path: Path) -> None:
    """A failed one leaves the old version in force and no trace; a good one swaps, and keeps what may still run."""
    first = installed.current
    newer = clone_with("9.9.9", tmp_path)

    failed = installed.make("install", clone=newer, WHEELS=str(tmp_path))

    assert failed.returncode != 0
    assert (installed.version(), installed.releases) == ("0.1.0", {first})

    # Somebody's daemon goes on from the first one, with a library of it in memory.
    python = installed.prefix / "releases" / first / "bin" / "python"
    waits = "import pydantic_core, sys; print('ready', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [python, "-c", waits], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as daemon:
        assert daemon.stdout is not None
        assert daemon.stdout.readline() == "ready\n"
        for version in ("9.9.9", "9.9.9"):
            done = installed.make("install", clone=newer, WHEELS=wheelhouse)
            assert done.returncode == 0, done.stderr
            assert installed.version() == version
        during = installed.releases
        daemon.communicate("")
    before = installed.current
    done = installed.make("install", WHEELS=wheelhouse)

    assert first in during
    assert len(during) == 3
    assert done.returncode == 0, done.stderr
    assert installed.version() == "0.1.0"
    assert installed.releases == {before, installed.current}
