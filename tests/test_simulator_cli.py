"""The `simulator` verb: it starts, says where it is, ends when asked, and names what is wrong."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from commands import run

VERB = "import typer; from scheduler.cli.simulator import simulator; typer.run(simulator)"


async def start(*arguments: str) -> asyncio.subprocess.Process:
    """The verb in a process of its own."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        VERB,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


def refused(*arguments: str) -> str:
    """What it says on stderr when it ends with exit code 2 and prints nothing else; it is run within this process."""
    done = run("simulator", *arguments, cwd=Path.cwd())
    assert (done.returncode, done.stdout) == (2, ""), done.stderr
    return done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_it_serves_until_it_is_ended(tmp_path: Path, number: signal.Signals) -> None:
    """One line tells address, certificate and passwords; it answers there; a signal ends it with 0."""
    process = await start(
        "--port", "0", "--directory", str(tmp_path), "--charge", "20", "--serial", "TX98765"
    )
    assert process.stderr is not None
    line = (await process.stderr.readline()).decode()
    assert all(word in line for word in ("STX98765", "98765", str(tmp_path / "gateway.pem"), "SHA-256"))
    url = line.split(" at ")[1].split(",")[0]
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # noqa: S501 - whom else could it be
        charge = (await client.get(f"{url}/api/system_status/soe")).json()["percentage"]
        assert charge == pytest.approx(24, abs=0.5)
        process.send_signal(number)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (0, b"", b"")


async def test_scenarios_are_in_force_from_the_start(tmp_path: Path) -> None:
    """What was asked for on the command line goes wrong; each --scenario counts."""
    both = ("--scenario", "somebody stops it", "--scenario", "is busy")
    process = await start("--port", "0", "--directory", str(tmp_path), *both)
    assert process.stderr is not None
    url = (await process.stderr.readline()).decode().split(" at ")[1].split(",")[0]
    async with httpx.AsyncClient(verify=False, trust_env=False) as client:  # noqa: S501 - whom else could it be
        assert (await client.get(f"{url}/api/sitemaster")).json()["running"] is False
        assert (await client.post(f"{url}/api/login/Basic", json={})).status_code == 503
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


async def test_it_lists_the_scenarios(tmp_path: Path) -> None:
    """Each sentence stands on a line with what it takes, and below it what it means, or in JSON; nothing is served."""
    process = await start("--list-scenarios")
    out, err = await process.communicate()
    lines = out.decode().splitlines()
    assert (process.returncode, err) == (0, b"")
    at = lines.index("offline for DURATION [at HH:MM]")
    assert lines[at + 1] == "    Connections come to nothing for this long."
    process = await start("--list-scenarios", "--json")
    out, _ = await process.communicate()
    meanings = dict(zip(lines[::2], (line.strip() for line in lines[1::2]), strict=True))
    assert json.loads(out) == {
        "schema": "tou-scheduler/scenarios",
        "version": 1,
        "sentences": lines[::2],
        "meanings": meanings,
    }


async def test_plain_http_on_a_port_of_its_own(tmp_path: Path) -> None:
    """With --http-port its line and its document say where that is, and what answers there sends to HTTPS."""
    process = await start("--port", "0", "--http-port", "0", "--directory", str(tmp_path), "--json")
    assert process.stderr is not None
    assert process.stdout is not None
    line = (await process.stderr.readline()).decode()
    document = json.loads(await process.stdout.readuntil(b"}\n"))
    assert f"(plain HTTP on port {document['http_port']})" in line
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://127.0.0.1:{document['http_port']}/api/status")
    assert (answer.status_code, answer.headers["location"]) == (301, f"{document['url']}/api/status")
    process.terminate()
    await process.communicate()
    assert process.returncode == 0


def test_a_taken_port_for_plain_http_is_one_sentence(tmp_path: Path) -> None:
    """It names both ports and both options, and ends although the other port was free."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        said = refused("--port", "0", "--http-port", port, "--directory", str(tmp_path))
    assert said == (
        f"error: port 0 or {port} of 127.0.0.1 is taken; "
        "end the program that has it or choose another with --port or --http-port\n"
    )


async def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    """It names the port and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process = await start("--port", port, "--directory", str(tmp_path))
        out, said = await process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert said.decode() == (
        f"error: port {port} of 127.0.0.1 is taken; end the program that has it or choose another with --port\n"
    )


def test_mistakes_are_named(tmp_path: Path) -> None:
    """Firmware, scenario, time zone and directory: each mistake is one sentence with the way out."""
    (tmp_path / "file").write_text("")
    assert "take one of: 1.45.2" in refused("--firmware", "9.9")
    assert "\n  ignores writes [for DURATION]" in refused("--scenario", "explodes")
    assert "no time zone 'Mars'" in refused("--timezone", "Mars")
    assert "no time zone 'America'" in refused("--timezone", "America")
    for serial in ("", "T1234", "T" * 21, "T12345/78", "T12345 78"):
        assert "--serial is 6 to 20 letters and digits" in refused("--serial", serial)
    assert "port 8443 of 192.0.2.1:" in refused("--host", "192.0.2.1", "--directory", str(tmp_path))
    assert "--directory" in refused("--port", "0", "--directory", str(tmp_path / "file"))
