"""What a service manager is told: by the messages themselves, and by those of real daemons."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from processes import ROOT, Site, command, eventually, site, started

from scheduler.daemon.systemd import LONGEST_STATUS, Supervisor


class Manager:
    """A service manager's end of the socket: everything that it was told, in order."""

    def __init__(self, address: str) -> None:
        self.environ = {"NOTIFY_SOCKET": address}
        self._told: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)  # noqa: FBT003 - the library's word

    @property
    def told(self) -> list[str]:
        """All messages so far."""
        while True:
            try:
                self._told.append(self._socket.recv(8192).decode())
            except BlockingIOError:
                return list(self._told)

    def told_of(self, words: str) -> bool:
        """Whether some message holds these words."""
        return any(words in message for message in self.told)

    def close(self) -> None:
        """Be gone."""
        self._socket.close()


@contextmanager
def manager(address: str) -> Iterator[Manager]:
    """A service manager at this address."""
    it = Manager(address)
    try:
        yield it
    finally:
        it.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Site]:
    """A site whose gateway is simulated."""
    with site(tmp_path) as it:
        yield it


@pytest.mark.parametrize("abstract", [False, True], ids=["a path", "an abstract name"])
def test_what_is_told_is_the_protocol_of_systemd(tmp_path: Path, abstract: bool) -> None:  # noqa: FBT001 - a table
    """Each message is the word of sd_notify(3), at either kind of address, and a status is told once for each change."""
    with manager(f"@{tmp_path.name}-{tmp_path.parent.name}" if abstract else str(tmp_path / "notify")) as it:
        supervisor = Supervisor.named_in(it.environ)
        supervisor.status("off_peak: as it should be\nand\tfine")
        supervisor.status("off_peak: as it should be and fine")
        supervisor.ready()
        supervisor.alive()
        supervisor.reloading(12.5)
        supervisor.status("x" * 1000)
        supervisor.stopping()

        assert it.told == [
            "STATUS=off_peak: as it should be and fine",
            "READY=1",
            "WATCHDOG=1",
            "RELOADING=1\nMONOTONIC_USEC=12500000",
            f"STATUS={'x' * LONGEST_STATUS}",
            "STOPPING=1",
        ]


def test_what_a_busy_manager_has_no_room_for_is_told_later(tmp_path: Path) -> None:
    """READY and the last STATUS wait for a manager whose queue is full; a sign of life is not kept for it."""
    with manager(str(tmp_path / "notify")) as it:
        supervisor = Supervisor.named_in(it.environ)
        for _ in range(10_000):
            supervisor.alive()
        supervisor.ready()
        for minute in range(60):
            supervisor.status(f"{minute} minutes")
            supervisor.alive()
        full = len(it.told)
        assert it.told == ["WATCHDOG=1"] * full
        assert full < 10_000

        supervisor.alive()

        assert it.told[full:] == ["READY=1", "STATUS=59 minutes", "WATCHDOG=1"]


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "vsock:2:1"}])
def test_without_a_socket_nobody_is_told(environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside of systemd, and where it names a kind of socket that we do not speak, none is opened."""
    opened: list[object] = []
    monkeypatch.setattr(socket, "socket", lambda *kind: opened.append(kind))

    Supervisor.named_in(environ).ready()

    assert opened == []


def test_a_manager_that_is_gone_or_full_keeps_nobody_from_switching(tmp_path: Path) -> None:
    """A socket that nobody reads takes what it can, and then, and when it is gone, nothing is raised and nothing waits."""
    address = str(tmp_path / "notify")
    with manager(address) as it:
        supervisor = Supervisor.named_in(it.environ)
        for _ in range(10_000):
            supervisor.alive()
        kept = len(it.told)
    supervisor.alive()
    Path(address).unlink()
    supervisor.alive()

    assert 0 < kept < 10_000


def test_a_daemon_is_ready_after_its_first_cycle(home: Site, tmp_path: Path) -> None:
    """READY comes after the switch that was due is proven; the status says period, setpoint and the next change."""
    with (
        manager(str(tmp_path / "notify")) as it,
        started("run", "--stay", "--state-dir", "state", cwd=home.folder, **it.environ),
    ):
        eventually(lambda: "READY=1" in it.told)
        before_ready = it.told[: it.told.index("READY=1")]
        switches = [line for line in home.log if line["event"] == "switch"]
        alive = "WATCHDOG=1" in it.told

    status = next(message for message in before_ready if message.startswith("STATUS="))
    assert [line["verdict"] for line in switches] == ["verified"]
    assert "(verified); next at" in status
    assert "peak" in status
    assert alive


def test_a_reload_is_told_from_its_beginning_to_its_end(home: Site, tmp_path: Path) -> None:
    """SIGHUP is answered by RELOADING and then READY, whether the file is good or broken; a broken one is named with its line."""
    with (
        manager(str(tmp_path / "notify")) as it,
        started("run", "--stay", "--state-dir", "state", cwd=home.folder, **it.environ) as daemon,
    ):
        eventually(lambda: "READY=1" in it.told)
        daemon.send_signal(signal.SIGHUP)
        eventually(lambda: it.told.count("READY=1") == 2)
        home.edit("mode: backup", "mode: bakcup")
        eventually(lambda: it.told_of("unknown mode 'bakcup'"))
        told = it.told

    order = [message.partition("=")[0] for message in told if message.startswith(("READY", "RELOADING"))]
    assert order == ["READY", "RELOADING", "READY", "RELOADING", "READY"]
    assert any(m.startswith("STATUS=the file has a problem: ") and "tou.yaml:42:17" in m for m in told)


def test_the_end_is_told_and_ends_in_time(home: Site, tmp_path: Path) -> None:
    """SIGTERM is answered by STOPPING at once, and by exit code 0."""
    with (
        manager(str(tmp_path / "notify")) as it,
        started("run", "--stay", "--state-dir", "state", cwd=home.folder, **it.environ) as daemon,
    ):
        eventually(lambda: "READY=1" in it.told)
        daemon.send_signal(signal.SIGTERM)
        code = daemon.wait(timeout=10)
        told = it.told

    assert code == 0
    assert told[-1] == "STOPPING=1"


def test_a_simulated_gateway_is_served_like_a_real_one(tmp_path: Path) -> None:
    """The dry run of a file is ready, too, and `status --probe` is one sentence with the exit code of `status`."""
    text = (ROOT / "config" / "tou.yaml").read_text().replace("type: local ", "type: simulated ")
    (tmp_path / "tou.yaml").write_text(text)
    words = ("--config", "tou.yaml", "--state-dir", "state")
    with manager(str(tmp_path / "notify")) as it:
        with started("run", *words, cwd=tmp_path, **it.environ):
            eventually(lambda: "READY=1" in it.told)
            well = command("status", "--probe", "--state-dir", "state", cwd=tmp_path)
        gone = command("status", "--probe", "--state-dir", "state", cwd=tmp_path)

    assert (well.returncode, well.stdout.count("\n")) == (0, 1)
    assert well.stdout.startswith("fine: ")
    assert (gone.returncode, gone.stdout) == (
        1,
        "NOT FINE: no daemon runs with this state directory\n",
    )
