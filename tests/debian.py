"""Debian trees, and the wheels that we install into them: what the real proofs boot and build from. No tests here.

A tree costs two minutes and is kept in the user's cache directory, as the wheels are; what a test does to a tree is done
to a view of it that goes away. Needs root, Linux and debootstrap.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parent.parent
LOCKED = (ROOT / "requirements.txt", ROOT / "requirements-build.txt")
"""The lock files of what an installation needs."""

BOOTED = (
    "ca-certificates",
    "dbus",
    "git",
    "libnss-systemd",
    "make",
    "procps",
    "python3",
    "python3-venv",
    "systemd",
    "systemd-sysv",
    "systemd-timesyncd",
)
"""What a Raspberry Pi OS Lite has, as far as we touch it, and what the README says to install."""

PYTHONS = {"bookworm": "3.11", "trixie": "3.13"}
"""The Python of each suite."""

ROOM_BYTES = 2 << 30
"""A tree with its view and the wheels, amply."""

_CAP_SYS_ADMIN = 21


def lacking(*tools: str) -> str:
    """Why a proof that needs these tools, root and mounts cannot run here; empty if it can."""
    if not sys.platform.startswith("linux"):
        return "it needs Linux"
    if os.geteuid() != 0:
        return "it needs root: sudo make test-slow"
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        return f"{' and '.join(missing)} cannot be found: sudo make tools"
    if not _may_mount():
        return "root may not mount here: it needs a machine of its own, or a privileged container"
    free = shutil.disk_usage(_existing(cache())).free
    if free < ROOM_BYTES:
        return f"{cache()} has room for {free >> 20} MiB, and it needs {ROOM_BYTES >> 20}"
    return ""


def cache() -> Path:
    """The folder that outlives the tests: safe to remove when none runs."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tou-scheduler-tests"


def base(suite: str = "bookworm", include: tuple[str, ...] = BOOTED) -> Path:
    """A tree of a Debian suite, minimal but for the packages of ``include``; nobody may write to it.

    It is made at the first call, which takes minutes, and kept. SkipTest (so that a test is skipped) where the suite cannot be
    fetched; a CalledProcessError comes from a debootstrap that failed for another reason, with its last words as a note.
    """
    recipe = hashlib.sha256("\n".join(["1", suite, *sorted(include)]).encode()).hexdigest()[:12]
    tree = cache() / f"{suite}-{recipe}"
    with _locked(tree):
        if not tree.exists():
            aside = _aside(tree)
            _debootstrap(suite, include, aside)
            aside.rename(tree)
    return tree


@contextmanager
def overlay(lower: Path) -> Iterator[Path]:
    """A view of a tree that can be written to, and the tree keeps nothing of it. Gone with the block, mounts in it too."""
    folder = Path(tempfile.mkdtemp(prefix="tou-scheduler-overlay-"))
    try:
        for name in ("upper", "work", "view"):
            # The view's root has the mode of this one: a service that is not root must get through it.
            (folder / name).mkdir(mode=0o755)
        view = folder / "view"
        layers = f"lowerdir={lower},upperdir={folder / 'upper'},workdir={folder / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "-o", layers, "tou-scheduler", view], check=True)
        try:
            yield view
        finally:
            # Lazy: a process that somebody forgot in there must not keep the folder for ever.
            subprocess.run(["umount", "--recursive", "--lazy", view], check=True)
    finally:
        shutil.rmtree(folder)


def wheelhouse(python: str = PYTHONS["bookworm"]) -> Path:
    """A folder with a wheel of every locked package, for this processor and this version of Python (``3.11``).

    It is filled at the first call and kept for as long as the lock files stay as they are. An installation finds
    everything in it with PIP_NO_INDEX=1 and PIP_FIND_LINKS. SkipTest where the wheels cannot be
    fetched.
    """
    recipe = hashlib.sha256(b"\0".join(path.read_bytes() for path in LOCKED)).hexdigest()[:12]
    wheels = cache() / f"wheels-{python}-{recipe}"
    with _locked(wheels):
        if not wheels.exists():
            aside = _aside(wheels)
            _download(python, aside)
            aside.rename(wheels)
    return wheels


def _download(python: str, folder: Path) -> None:
    files = [word for path in LOCKED for word in ("-r", str(path))]
    words = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--python-version", python, *files]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise unittest.SkipTest(
            f"pip could not fetch the locked wheels for Python {python}: {_last(done.stderr)}"
        )
    # Who installs from here need not be root.
    folder.chmod(0o755)


def _debootstrap(suite: str, include: tuple[str, ...], tree: Path) -> None:
    mirror = _mirror()
    if mirror:
        _reach(f"{mirror}/dists/{suite}/Release")
    # In a mount namespace of its own: a debootstrap that is killed must not leave /proc mounted in a tree that
    # somebody removes later.
    with tempfile.TemporaryFile("w+") as said:
        words = ["debootstrap", "--variant=minbase", f"--include={','.join(include)}", suite, str(tree)]
        words += [mirror] if mirror else []
        done = subprocess.run(
            ["unshare", "--mount", "--propagation", "private", *words],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            check=False,
        )
        if done.returncode:
            said.seek(0)
            failed = subprocess.CalledProcessError(done.returncode, words)
            failed.add_note(said.read()[-2000:])
            raise failed
    for fetched in ("var/cache/apt/archives", "var/lib/apt/lists"):
        shutil.rmtree(tree / fetched)
        (tree / fetched / "partial").mkdir(parents=True)


def _mirror() -> str:
    """Where this machine's apt gets Debian from; empty if from nowhere: debootstrap knows a place of its own."""
    with suppress(OSError, subprocess.CalledProcessError):
        asked = subprocess.run(
            ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"],
            capture_output=True,
            text=True,
            check=True,
        )
        for line in asked.stdout.splitlines():
            if line.rstrip("/").endswith("/debian"):  # neither the security archive nor somebody else's
                return line.rstrip("/")
    return ""


def _reach(address: str) -> None:
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310 - it comes from apt's configuration
            answer.read(1)
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise unittest.SkipTest(
            f"no Debian tree is kept here yet, and apt's mirror does not have it: {error}"
        ) from None


def _may_mount() -> bool:
    status = Path("/proc/self/status").read_text()
    effective = next(line.split()[1] for line in status.splitlines() if line.startswith("CapEff:"))
    return bool(int(effective, 16) >> _CAP_SYS_ADMIN & 1)


def _aside(path: Path) -> Path:
    """Where it is made, before it gets its name: half of one that somebody's interrupt left there is removed."""
    aside = path.with_name(f"{path.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    return aside


def _existing(path: Path) -> Path:
    return path if path.exists() else _existing(path.parent)


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["it said nothing"])[-1]


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Nobody else, in any process, makes the same at the same time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
