"""The container image, built as the Dockerfile says and run as an engine runs it, where there is no engine. No tests here.

buildah builds it on a Debian tree under the name that the Dockerfile asks for, so nothing is pulled. A container is a
process of the image in namespaces of its own, with the image's environment and user, over a root file system that it may
not write; only the network is the machine's, because the simulated gateway is there. Needs root and `lacking() == ""`.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import debian
from processes import ROOT, eventually

DOCKERFILE = ROOT / "Dockerfile"
NAME = "localhost/tou-scheduler"
TOLD = {"VERSION": "1.2.3", "REVISION": "abcdef", "CREATED": "2026-07-01T00:00:00Z"}
"""What a builder tells the image of itself."""

TOOLS = ("debootstrap", "buildah", "unshare", "nsenter", "setpriv", "mount")

_BASE_PACKAGES = ("python3", "python3-venv")
_PIP = "[global]\nno-index = true\nfind-links = /wheelhouse\n"


def lacking() -> str:
    """Why no image can be built and run here; empty if it can."""
    return debian.lacking(*TOOLS)


def python() -> str:
    """The version of Python that the Dockerfile asks for, such as ``3.13``."""
    said = re.search(r"^ARG PYTHON=(\S+)$", DOCKERFILE.read_text(), re.MULTILINE)
    assert said is not None, "the Dockerfile names no version of Python"
    return said[1]


@dataclass(frozen=True)
class Image:
    """The built image: its ``config`` as an engine reads it, its root file system as a ``tree`` to look at.

    ``bytes`` is what its files hold, ``base_bytes`` how much of that is the base's.
    """

    buildah: tuple[str, ...]
    working: str
    tree: Path
    config: dict[str, Any]
    bytes: int
    base_bytes: int

    @property
    def environment(self) -> dict[str, str]:
        """The variables that every process of the image begins with."""
        return dict(variable.split("=", 1) for variable in self.config["Env"])

    def run(self, *words: str, volumes: dict[str, Path]) -> subprocess.CompletedProcess[str]:
        """Run a command of the image as its user with `buildah run`, to its end, with these folders mounted."""
        mounts = [f"--volume={source}:{target}" for target, source in volumes.items()]
        return subprocess.run(
            [*self.buildah, "run", "--isolation=chroot", *mounts, self.working, "--", *words],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )


@contextmanager
def built() -> Iterator[Image]:
    """Build the image; what that took is gone with the block. It takes a minute, and more where no base is kept yet."""
    with _scratch() as folder:
        buildah = (
            "buildah",
            "--storage-driver=vfs",
            f"--root={folder / 'storage'}",
            f"--runroot={folder / 'run'}",
        )
        base = _base(buildah)
        _build(buildah, folder)
        working = _said(*buildah, "from", "--pull-never", NAME)
        tree = Path(_said(*buildah, "mount", working))
        yield Image(
            buildah=buildah,
            working=working,
            tree=tree,
            config=json.loads(_said(*buildah, "inspect", "--type=image", NAME))["Docker"]["config"],
            bytes=_bytes(tree),
            base_bytes=_bytes(base),
        )


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder that is gone with the block: in memory if there is plenty, since a disk is slow to forget so many files."""
    folder = Path(tempfile.mkdtemp(prefix="tou-scheduler-image-"))
    in_memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") > 2 * debian.ROOM_BYTES
    if in_memory:
        _said("mount", "-t", "tmpfs", "-o", f"size={debian.ROOM_BYTES}", "tou-scheduler", str(folder))
    try:
        yield folder
    finally:
        if in_memory:
            _said("umount", "--lazy", str(folder))
        shutil.rmtree(folder)


def _base(buildah: tuple[str, ...]) -> Path:
    """A Debian tree with the Python that the Dockerfile asks for, under the name by which it asks."""
    tree = debian.base(_suite(), _BASE_PACKAGES)
    _said(*buildah, "from", "--name=base", "scratch")
    _said("cp", "--archive", f"{tree}/.", _said(*buildah, "mount", "base"))
    _said(*buildah, "commit", "--quiet", "--rm", "base", f"localhost/python:{python()}-slim")
    return tree


def _build(buildah: tuple[str, ...], folder: Path) -> None:
    pip = folder / "pip.conf"
    pip.write_text(_PIP)
    wheels = debian.wheelhouse(debian.PYTHONS[_suite()])
    # The Dockerfile knows nothing of these two: pip finds its wheels as it finds them on any machine, by its own file.
    offline = [f"--volume={wheels}:/wheelhouse:ro", f"--volume={pip}:/etc/pip.conf:ro"]
    told = [f"--build-arg={name}={value}" for name, value in TOLD.items()]
    how = ["--isolation=chroot", "--pull-never", "--format=docker", *offline, *told]
    _said(*buildah, "bud", *how, f"--tag={NAME}", f"--file={DOCKERFILE}", str(ROOT))


def _suite() -> str:
    return next((suite for suite, its in debian.PYTHONS.items() if its == python()), "bookworm")


def _said(*words: str) -> str:
    done = subprocess.run(words, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, f"{shlex.join(words)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout.strip()


def _bytes(tree: Path) -> int:
    return sum(path.lstat().st_size for path in tree.rglob("*") if not path.is_symlink())


@dataclass
class Folders:
    """What a person mounts: configuration, memory and secrets, as one user's."""

    config: Path
    data: Path
    secrets: Path
    read_only: set[str] = field(default_factory=set)

    @classmethod
    def made(cls, folder: Path, *, user: int = 1000, password: str | None = None) -> Folders:
        """Folders below ``folder``, where those that are not there yet are made; all of it then belongs to ``user``."""
        it = cls(folder / "config", folder / "data", folder / "secrets")
        for path in (it.config, it.data, it.secrets):
            path.mkdir(exist_ok=True)
        if password is not None:
            secret = it.secrets / "gateway_password"
            secret.touch(mode=0o600)
            secret.write_text(f"{password}\n")
        for top in (it.config, it.data, it.secrets):
            for path in (top, *top.rglob("*")):
                os.chown(path, user, user)
        return it

    @property
    def volumes(self) -> dict[str, Path]:
        """Each folder under the name that it has in the container."""
        return {"/config": self.config, "/data": self.data, "/run/secrets": self.secrets}


class Container:
    """A process of the image under way, PID 1 of its own: what `docker run` starts, and what `docker exec` does in it.

    ``view`` is its root file system as the machine sees it, without what is mounted there.
    """

    def __init__(
        self, image: Image, user: int, view: Path, log: Path, process: subprocess.Popen[str]
    ) -> None:
        self.view = view
        self._image = image
        self._user = user
        self._log = log
        self._process = process
        self._first = int(eventually(lambda: _child(process.pid)))

    @property
    def said(self) -> str:
        """What its first process wrote so far, on both streams."""
        return self._log.read_text()

    @property
    def under_way(self) -> bool:
        """Whether its first process has not ended."""
        return self._process.poll() is None

    def tell(self, number: signal.Signals) -> None:
        """Send its first process a signal, as an engine does."""
        os.kill(self._first, number)

    def ended(self, within_s: float = 120) -> int:
        """The exit code of its first process, which must end by itself."""
        return self._process.wait(timeout=within_s)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the image beside the first process, to its end."""
        spaces = ["--mount", "--pid", "--ipc", "--uts", "--root", "--wd"]
        return subprocess.run(
            [_tool("nsenter"), f"--target={self._first}", *spaces, "--", *_as(self._user), *words],
            env=self._image.environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def told(self, word: str) -> str:
        """The sentence of the health check, once it has this word in it; waits for that for two minutes and a half."""
        deadline = time.monotonic() + 150
        while word not in (sentence := self.check().stdout):
            assert self.under_way, self.said
            assert time.monotonic() < deadline, f"{word!r} is not in {sentence!r}\n{self.said}"
            time.sleep(0.2)  # noqa: TID251 - another process's time goes by, not a clock of ours
        return sentence

    def check(self) -> subprocess.CompletedProcess[str]:
        """Run the image's own health check."""
        how, *words = self._image.config["Healthcheck"]["Test"]
        assert how == "CMD", "the health check asks for a shell"
        return self.run(*words)

    def remove(self) -> None:
        """Have it gone, whatever it does."""
        if self.under_way:
            os.kill(self._first, signal.SIGKILL)
        self._process.wait(timeout=30)


@contextmanager
def container(
    image: Image,
    folders: Folders,
    *words: str,
    user: int = 1000,
    writable: bool = False,
    **variables: str,
) -> Iterator[Container]:
    """A container from these words to the end of the block; without words it does what the image does by itself.

    It may use nothing that compose.yaml takes away: no capability, no new privilege, and unless ``writable`` no byte of
    the root file system.
    """
    command = [*image.config["Entrypoint"], *(words or image.config["Cmd"])]
    with debian.overlay(image.tree) as view, tempfile.NamedTemporaryFile("w") as log:
        (view / "run" / "secrets").mkdir(exist_ok=True)
        script = [*_mounts(view, folders, writable=writable)]
        script.append(f"exec chroot {view} {shlex.join([*_as(user), *command])}")
        alone = ["--mount", "--propagation=private", "--pid", "--ipc", "--uts", "--fork", "--kill-child"]
        process = subprocess.Popen(
            [_tool("unshare"), *alone, "/bin/sh", "-euc", "\n".join(script)],
            env={**image.environment, **variables},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            it = Container(image, user, view, Path(log.name), process)
        except BaseException:
            process.kill()
            process.wait(timeout=30)
            raise
        try:
            yield it
        finally:
            it.remove()


def _mounts(view: Path, folders: Folders, *, writable: bool) -> Iterator[str]:
    yield f"mount -t proc proc {view}/proc"
    yield f"mount -t tmpfs -o mode=1777,size=64m shm {view}/dev/shm"  # noqa: S108 - the container's own
    for target, source in folders.volumes.items():
        yield f"mount --bind {shlex.quote(str(source))} {view}{target}"
        if target in folders.read_only:
            yield f"mount -o remount,bind,ro {view}{target}"
    if not writable:
        yield f"mount -o remount,bind,ro {view}"


def _as(user: int) -> list[str]:
    """Words before a command that make it this user's, with nothing left of root."""
    drop = ["--clear-groups", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs"]
    return ["/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", *drop, "--"]


def _tool(name: str) -> str:
    # The image's own PATH is in force when it is started, and need not be this machine's.
    found = shutil.which(name)
    assert found is not None, f"{name} is gone"
    return found


def _child(pid: int) -> str:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()
