"""`trust`: what it shows, asks, saves and refuses, against a real TLS server."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import pty
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from doctor_bench import bench
from processes import command
from tls_peer import Made, Seen, always, make_certificate, response, serving
from typer.testing import CliRunner

from scheduler.cli import build
from scheduler.gateway.pin import spell

GATEWAY = make_certificate()

COMMAND = """
import typer
from scheduler.cli.trust import trust
app = typer.Typer(pretty_exceptions_enable=False, rich_markup_mode=None)
app.command()(trust)
app()
"""

CONFIGURATION = """
version: 1
site: {{name: Home, timezone: America/Los_Angeles}}
gateway:
  type: local
  host: 127.0.0.1
  port: {port}
  server_name: teg
  certificate: mine.pem
  username: installer
  email: me@example.com
tariff:
  name: Flat
  currency: USD
  periods:
    - {{name: all_day, hours: "00:00-24:00", import: 0.2, export: 0.1}}
rules:
  - {{name: Always, during: [all_day], set: {{mode: backup, reserve: 100}}}}
default: {{mode: self_consumption, reserve: 20}}
"""


@contextlib.contextmanager
def shown(made: Made = GATEWAY, host: str = "127.0.0.1") -> Iterator[Seen]:
    """A server in a thread that shows this certificate for as long as the block lasts."""
    loop = asyncio.new_event_loop()
    started = threading.Event()
    box: list[Seen] = []
    over = asyncio.Event()

    async def serve() -> None:
        async with serving(made, always(response()), host=host) as seen:
            box.append(seen)
            started.set()
            await over.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    started.wait(10)
    try:
        yield box[0]
    finally:
        loop.call_soon_threadsafe(over.set)
        thread.join()
        loop.close()


def run(*words: str | Path, cwd: Path, terminal: str | None = None) -> subprocess.CompletedProcess[str]:
    """`trust` with these words; ``terminal`` is what a person types there, None is no terminal."""
    if terminal is None:
        unset = {name: None for name in os.environ if name.startswith("TOU_")}
        with contextlib.chdir(cwd):
            done = CliRunner(env=unset).invoke(build(), ["trust", *map(str, words)])
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)
    environ = {k: v for k, v in os.environ.items() if not k.startswith("TOU_")}
    ours, theirs = pty.openpty()
    try:
        os.write(ours, terminal.encode())
        return subprocess.run(
            [sys.executable, "-c", COMMAND, *map(str, words)],
            cwd=cwd,
            env=environ,
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        os.close(ours)
        os.close(theirs)


def trusted(
    seen: Seen, *words: str | Path, cwd: Path, terminal: str | None = None
) -> subprocess.CompletedProcess[str]:
    """`trust` for the server, with `gateway.pem` as the file."""
    return run(
        "127.0.0.1", "--port", str(seen.port), "--out", "gateway.pem", *words, cwd=cwd, terminal=terminal
    )


def test_it_shows_and_saves_what_a_person_agrees_to(tmp_path: Path) -> None:
    """With --yes the facts are shown, the certificate is saved, and only the handshake was sent."""
    with shown() as seen:
        done = trusted(seen, "--yes", cwd=tmp_path)

    assert done.returncode == 0
    assert spell(GATEWAY.fingerprint) in done.stderr
    assert "teg, powerwall, powerpack" in done.stderr
    assert (tmp_path / "gateway.pem").read_bytes() == GATEWAY.pem
    assert done.stdout == ""
    assert seen.names == ["powerwall"]
    assert seen.bytes == 0


@pytest.mark.parametrize(("typed", "code", "saved"), [("y\n", 0, True), ("n\n", 1, False), ("\n", 1, False)])
def test_it_asks_at_a_terminal(tmp_path: Path, typed: str, code: int, *, saved: bool) -> None:
    """At a terminal it asks, and only a yes saves."""
    with shown() as seen:
        done = trusted(seen, cwd=tmp_path, terminal=typed)

    assert done.returncode == code
    assert (tmp_path / "gateway.pem").exists() is saved


def test_it_trusts_nothing_unasked(tmp_path: Path) -> None:
    """Without a terminal, --yes or --fingerprint nothing is saved."""
    with shown() as seen:
        done = trusted(seen, cwd=tmp_path)

    assert done.returncode == 2
    assert "--fingerprint" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spelling", [spell, bytes.hex], ids=["colons", "digits"])
def test_a_matching_fingerprint_is_a_yes(tmp_path: Path, spelling: object) -> None:
    """The right fingerprint, with colons or without, needs no question."""
    assert callable(spelling)
    with shown() as seen:
        done = trusted(seen, "--fingerprint", spelling(GATEWAY.fingerprint), cwd=tmp_path)

    assert done.returncode == 0
    assert (tmp_path / "gateway.pem").exists()


@pytest.mark.parametrize(("fingerprint", "code"), [("ab" * 32, 5), ("abc", 2), ("", 2)])
def test_another_fingerprint_saves_nothing(tmp_path: Path, fingerprint: str, code: int) -> None:
    """Another fingerprint is refused even with --yes, and what is no fingerprint is a usage error."""
    with shown() as seen:
        done = trusted(seen, "--yes", "--fingerprint", fingerprint, cwd=tmp_path)

    assert done.returncode == code
    assert list(tmp_path.iterdir()) == []


def test_trusting_again_changes_nothing(tmp_path: Path) -> None:
    """The same certificate is already trusted: no question, exit 0."""
    with shown() as seen:
        trusted(seen, "--yes", cwd=tmp_path)
        done = trusted(seen, cwd=tmp_path)

    assert done.returncode == 0
    assert "already trusted" in done.stderr


def test_another_certificate_needs_replace(tmp_path: Path) -> None:
    """Another certificate than the saved one is refused, and replaced only when told so."""
    other = make_certificate()
    with shown() as seen:
        trusted(seen, "--yes", cwd=tmp_path)
    with shown(other) as seen:
        looked = trusted(seen, "--show", "--json", cwd=tmp_path)
        refused = trusted(seen, "--yes", cwd=tmp_path)
        kept = (tmp_path / "gateway.pem").read_bytes()
        asked = trusted(seen, "--replace", cwd=tmp_path, terminal="n\n")
        replaced = trusted(seen, "--yes", "--replace", "--json", cwd=tmp_path)
        same = trusted(seen, "--show", cwd=tmp_path)

    assert refused.returncode == 5
    assert kept == GATEWAY.pem
    assert replaced.returncode == 0
    assert f"saved        gateway.pem: another, SHA-256 {spell(GATEWAY.fingerprint)}" in looked.stderr
    assert json.loads(looked.stdout)["saved_sha256"] == spell(GATEWAY.fingerprint)
    assert "in the place of the one that was saved before?" in asked.stderr
    assert json.loads(replaced.stdout)["saved_sha256"] == spell(GATEWAY.fingerprint)
    assert "saved        gateway.pem: the same" in same.stderr
    assert (tmp_path / "gateway.pem").read_bytes() == other.pem


def test_show_only_shows(tmp_path: Path) -> None:
    """With --show nothing is asked or saved, and --json prints the facts for programs."""
    with shown() as seen:
        done = trusted(seen, "--show", "--json", "--server-name", "", cwd=tmp_path)
    facts = json.loads(done.stdout)

    assert done.returncode == 0
    assert facts["schema"] == "tou-scheduler/trust"
    assert facts["version"] == 1
    assert facts["sha256"] == spell(GATEWAY.fingerprint)
    assert facts["outcome"] == "shown"
    assert facts["saved_sha256"] is None
    assert seen.names == [None]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", ["--yes", "--replace"])
def test_show_beside_what_saves_is_refused(tmp_path: Path, more: str) -> None:
    """Who asks for both wants one of them: that is said before anybody is asked, and nothing is saved."""
    done = run("127.0.0.1", "--port", "1", "--out", "gateway.pem", "--show", more, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "--show saves nothing" in done.stderr
    assert not (tmp_path / "gateway.pem").exists()


_NOBODY_ANSWERS = """
import socket, sys, threading
import scheduler.gateway.certificate as certificate
from functools import partial

socket.getaddrinfo = lambda *_given, **_more: threading.Event().wait()
certificate.fetch = partial(certificate.fetch, deadline_s=0.2)
sys.argv[1:] = ["trust", "powerwall.example", "--out", "gateway.pem"]
from scheduler.cli import main
main()
"""


def test_a_name_that_nobody_tells_is_not_waited_for_beyond_its_time(tmp_path: Path) -> None:
    """A look-up that hangs cannot be called off: it is left behind, and the command ends when it says so."""
    done = subprocess.run(
        [sys.executable, "-c", _NOBODY_ANSWERS],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )

    assert done.returncode == 3
    assert "no name server told the address of powerwall.example within 0.2 s" in done.stderr


def test_an_unreachable_gateway_is_exit_3(tmp_path: Path) -> None:
    """Nobody there: a sentence and exit 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    done = run("127.0.0.1", "--port", str(port), "--out", "gateway.pem", "--yes", cwd=tmp_path)

    assert done.returncode == 3
    assert done.stderr.startswith(
        f"error: 127.0.0.1:{port} refuses the connection; check HOST and --port (443"
    )


def test_a_place_that_cannot_be_written_is_exit_2(tmp_path: Path) -> None:
    """A directory that does not exist: a sentence, not a traceback."""
    with shown() as seen:
        done = trusted(seen, "--yes", "--out", "nowhere/gateway.pem", cwd=tmp_path)

    assert done.returncode == 2
    assert "nowhere/gateway.pem cannot be written" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_configuration_says_who_and_where(tmp_path: Path) -> None:
    """Host, port, name and file come from the configuration, whose certificate need not exist yet."""
    directory = tmp_path / "config"
    directory.mkdir()
    with shown() as seen:
        (directory / "tou.yaml").write_text(CONFIGURATION.format(port=seen.port), encoding="utf-8")
        done = run("--config", directory / "tou.yaml", "--yes", cwd=tmp_path)

    assert done.returncode == 0
    assert (directory / "mine.pem").read_bytes() == GATEWAY.pem
    assert seen.names == ["teg"]


def test_without_a_configuration_it_says_what_to_give(tmp_path: Path) -> None:
    """With neither a usable configuration nor HOST and --out, it says so and exits 2."""
    done = run("--config", "missing.yaml", "--yes", cwd=tmp_path)

    assert done.returncode == 2
    assert "give HOST and --out FILE" in done.stderr
    assert "Traceback" not in done.stderr


needs_ipv6 = pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")

WAYS = {
    "by name": ("127.0.0.1", "localhost:{port}", (), "powerwall"),
    "by address, for a name": ("127.0.0.1", "127.0.0.1:{port}", ("--server-name", "teg"), "teg"),
    "by address, for no name": ("127.0.0.1", "127.0.0.1:{port}", ("--server-name", ""), None),
    "IPv6 with its port": ("::1", "[::1]:{port}", ("--server-name", ""), None),
    "IPv6 in brackets": ("::1", "[::1]", ("--port", "{port}"), "powerwall"),
    "IPv6 alone": ("::1", "::1", ("--port", "{port}"), "powerwall"),
}
"""Where the server listens, what a person writes, and the name that must be asked for."""


@needs_ipv6
@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_write_the_gateway_leads_to_it(tmp_path: Path, way: str) -> None:
    """By name, by address and by IPv6, with a server name and without: the right one is asked for, nothing else is sent."""
    listens, host, more, name = WAYS[way]
    with shown(host=listens) as seen:
        words = [word.format(port=seen.port) for word in (host, *more)]
        done = run(*words, "--out", "gateway.pem", "--yes", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "gateway.pem").read_bytes() == GATEWAY.pem
    assert (seen.names, seen.bytes) == ([name], 0)


def test_everybody_may_read_what_is_saved(tmp_path: Path) -> None:
    """The certificate is no secret, and the daemon may run as another user: mode 0644, whatever the umask."""
    before = os.umask(0o077)
    try:
        with shown() as seen:
            trusted(seen, "--yes", cwd=tmp_path)
    finally:
        os.umask(before)

    assert stat.S_IMODE((tmp_path / "gateway.pem").stat().st_mode) == 0o644


def test_it_is_saved_beside_the_configuration(tmp_path: Path) -> None:
    """HOST on the command line wins over the file's; where to save and which name to ask for are still the file's."""
    directory = tmp_path / "config"
    directory.mkdir()
    with shown() as seen:
        text = CONFIGURATION.format(port=1).replace("host: 127.0.0.1", "host: nobody.invalid")
        (directory / "tou.yaml").write_text(text)
        done = run(f"127.0.0.1:{seen.port}", "--yes", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert (directory / "mine.pem").read_bytes() == GATEWAY.pem
    assert seen.names == ["teg"]


@pytest.mark.parametrize(("host", "port"), [("localhost", 443), ("127.0.0.1", 9), ("localhost:8", 8)])
def test_the_files_port_is_that_of_its_own_gateway(tmp_path: Path, host: str, port: int) -> None:
    """Another HOST without a port is asked on 443, the file's own on the file's."""
    (tmp_path / "tou.yaml").write_text(CONFIGURATION.format(port=9))

    done = run(host, "--show", "--config", "tou.yaml", cwd=tmp_path)

    assert done.returncode == 3
    assert f":{port} refuses the connection" in done.stderr


def test_a_simulated_gateway_needs_no_trust(tmp_path: Path) -> None:
    """The file's gateway is in this program: there is nothing to fetch, and a sentence says so."""
    text = CONFIGURATION.format(port=9).replace("type: local", "type: simulated")
    (tmp_path / "tou.yaml").write_text(text)

    done = run("--config", "tou.yaml", "--yes", cwd=tmp_path)

    assert done.returncode == 2
    assert "is simulated, and trusted as it is" in done.stderr


def test_a_file_that_asks_for_no_name_is_obeyed(tmp_path: Path) -> None:
    """`server_name: ""` in the file means that no name is asked for, and --json says so."""
    with shown() as seen:
        text = CONFIGURATION.format(port=seen.port).replace("server_name: teg", 'server_name: ""')
        (tmp_path / "tou.yaml").write_text(text)
        done = run("--config", "tou.yaml", "--yes", "--json", cwd=tmp_path)

    assert done.returncode == 0, done.stderr
    assert seen.names == [None]
    assert json.loads(done.stdout)["server_name"] is None


def test_a_name_that_is_refused_says_which_names_go(tmp_path: Path) -> None:
    """Where there is no TLS, or another name is wanted, the sentence says what to ask for; exit 3."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        def hang_up() -> None:
            for _ in ("the port", "the handshake"):
                listener.accept()[0].close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        words = ("--port", str(port), "--out", "gateway.pem", "--server-name", "mine", "--yes")
        done = run("127.0.0.1", *words, cwd=tmp_path)
        thread.join()

    assert done.returncode == 3
    assert "set --server-name to one of teg, powerwall, powerpack" in done.stderr
    assert not (tmp_path / "gateway.pem").exists()


@pytest.mark.parametrize("verb", ["once", "doctor"])
def test_another_certificate_later_stops_everything(tmp_path: Path, verb: str) -> None:
    """After `trust`, another certificate at the same place gets not one byte of ours from any command that would act."""
    (tmp_path / "mine.pem").write_bytes(GATEWAY.pem)
    with shown(make_certificate()) as seen:
        (tmp_path / "tou.yaml").write_text(CONFIGURATION.format(port=seen.port))
        done = command(verb, "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path)

    assert done.returncode in {1, 5}
    assert "trust --replace" in done.stdout
    assert seen.bytes == 0
    assert seen.names


@needs_ipv6
@pytest.mark.parametrize(
    ("host", "server_name"),
    [('"::1"\n  port: {port}', ""), ('"[::1]:{port}"', "powerwall")],
    ids=["bare, for no name", "in brackets, for a name"],
)
async def test_once_works_at_an_ipv6_address(tmp_path: Path, host: str, server_name: str) -> None:
    """A gateway at ::1, written either way, with a server name or none, is switched end to end."""
    async with bench(tmp_path, host="::1") as it:
        text = CONFIGURATION.format(port=0).replace("  port: 0\n", "")
        text = text.replace("server_name: teg", f'server_name: "{server_name}"')
        text = text.replace("host: 127.0.0.1", "host: " + host.format(port=it.served.port))
        text = text.replace("mine.pem", str(it.served.certificate))
        (tmp_path / "site.yaml").write_text(text)
        words = ("once", "--config", "site.yaml", "--state-dir", "state")
        done = await asyncio.to_thread(command, *words, cwd=tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert it.device.obeyed.mode == "backup"


@pytest.mark.parametrize("name", [".teg", "a..b", "x" * 64, "https://powerwall", "::1"])
def test_what_is_no_server_name_is_a_usage_error(tmp_path: Path, name: str) -> None:
    """A server name that OpenSSL would stumble over is refused in the words of the configuration."""
    done = run("127.0.0.1", "--show", "--server-name", name, cwd=tmp_path)

    assert done.returncode == 2
    assert "is not a server name" in done.stderr
