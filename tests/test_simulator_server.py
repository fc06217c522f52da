"""The simulated gateway on a real port: TLS, the certificate, hanging up, and other people's clients."""

from __future__ import annotations

import asyncio
import shutil
import ssl
import stat
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from cryptography import x509

from scheduler.simulator.certificate import kept_certificate
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.server import Served, serving

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)


@pytest.fixture
def device() -> SimulatedGateway:
    """A gateway whose clock stands still."""
    return SimulatedGateway(now=lambda: START)


def trusting(served: Served) -> httpx.AsyncClient:
    """A client that trusts this certificate alone and keeps its connections."""
    context = ssl.create_default_context(cafile=served.certificate)
    return httpx.AsyncClient(verify=context, base_url=served.url, trust_env=False)


async def test_it_answers_over_https_and_keeps_the_connection(
    device: SimulatedGateway, tmp_path: Path
) -> None:
    """A client that trusts the certificate is answered, twice over one connection."""
    async with serving(device, directory=tmp_path) as served, trusting(served) as client:
        answers = [await client.get("/api/status") for _ in range(2)]
        streams = {id(answer.extensions["network_stream"]) for answer in answers}
    assert [answer.status_code for answer in answers] == [200, 200]
    assert "server" not in answers[0].headers
    assert len(streams) == 1


async def test_a_client_that_does_not_know_the_certificate_refuses(
    device: SimulatedGateway, tmp_path: Path
) -> None:
    """Self-signed is self-signed."""
    async with serving(device, directory=tmp_path) as served, httpx.AsyncClient(trust_env=False) as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(f"{served.url}/api/status")


async def test_offline_means_no_answer_at_all(device: SimulatedGateway, tmp_path: Path) -> None:
    """Kept and new connections are both hung up on, without a byte of HTTP."""
    async with serving(device, directory=tmp_path) as served, trusting(served) as client:
        assert (await client.get("/api/status")).status_code == 200
        apply_scenario(device, "offline for 1 minute")
        for _ in range(2):
            with pytest.raises(httpx.TransportError):
                await client.get("/api/status")
    assert device.requests == {"GET /api/status": 1}


async def test_a_taken_port_is_an_error_of_the_system(device: SimulatedGateway, tmp_path: Path) -> None:
    """The second server on a port says so, and the first one goes on."""
    async with serving(device, directory=tmp_path) as served:
        with pytest.raises(OSError, match="in use"):
            async with serving(device, directory=tmp_path, port=served.port):
                pass
        async with trusting(served) as client:
            assert (await client.get("/api/status")).status_code == 200


async def test_the_port_is_free_again_afterwards(device: SimulatedGateway, tmp_path: Path) -> None:
    """A gateway can be stopped and started on its port, connections left open or not."""
    async with serving(device, directory=tmp_path) as first, trusting(first) as client:
        await client.get("/api/status")
        port = first.port
    async with serving(device, directory=tmp_path, port=port) as second, trusting(second) as client:
        assert (await client.get("/api/status")).status_code == 200
    assert second.sha256 == first.sha256


def test_the_certificate_is_kept_and_private(tmp_path: Path) -> None:
    """Made once, in a directory and with a key that only their owner can read, and the same ever after."""
    directory = tmp_path / "deep" / "simulator"
    first, second = (kept_certificate(directory, START) for _ in range(2))
    assert first == second
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    assert {entry.name for entry in directory.iterdir()} == {"gateway.pem", "gateway.key"}


def test_the_certificate_looks_like_a_gateways(tmp_path: Path) -> None:
    """The three names, an elliptic key, 25 years, issued by itself."""
    kept = kept_certificate(tmp_path, START)
    certificate = x509.load_pem_x509_certificate(kept.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["teg", "powerwall", "powerpack"]
    assert certificate.issuer == certificate.subject
    assert "O=Tesla" in certificate.subject.rfc4514_string()
    assert (certificate.not_valid_after_utc - START).days == 25 * 365


@pytest.mark.parametrize("broken", ["gateway.pem", "gateway.key"])
def test_a_broken_certificate_says_what_to_do(tmp_path: Path, broken: str) -> None:
    """What cannot be read is not silently replaced: somebody may have saved the pin of it."""
    kept_certificate(tmp_path, START)
    (tmp_path / broken).write_text("no PEM")
    with pytest.raises(SimulatorError, match="delete both"):
        kept_certificate(tmp_path, START)


def test_a_key_of_another_certificate_is_noticed(tmp_path: Path) -> None:
    """A pair that is none is named before a client meets it."""
    kept_certificate(tmp_path / "one", START)
    kept_certificate(tmp_path / "two", START)
    shutil.copy(tmp_path / "one" / "gateway.key", tmp_path / "two" / "gateway.key")
    with pytest.raises(SimulatorError, match="not the key"):
        kept_certificate(tmp_path / "two", START)


async def curl(served: Served, path: str, *arguments: str) -> str:
    """What curl prints when it is used as the README of the gateway says."""
    found = shutil.which("curl")
    if found is None:
        pytest.skip("curl is not installed")
    process = await asyncio.create_subprocess_exec(
        found,
        "--silent",
        "--show-error",
        "--noproxy",
        "*",
        "--cacert",
        str(served.certificate),
        "--resolve",
        f"powerwall:{served.port}:{served.host}",
        *arguments,
        f"https://powerwall:{served.port}{path}",
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    return out.decode()


async def test_a_session_with_curl(device: SimulatedGateway, tmp_path: Path) -> None:
    """The commands of the gateway's README work: log in, switch, commit, run, read back."""
    async with serving(device, directory=tmp_path) as served:
        body = '{"username":"","password":"ST123456789","force_sm_off":false}'
        said = await curl(
            served, "/api/login/Basic", "-X", "POST", "-H", "Content-Type: application/json", "-d", body
        )
        token = said.split('"token":"')[1].split('"')[0]
        bearer = ("--header", f"Authorization: Bearer {token}")
        body = '{"real_mode":"backup","backup_reserve_percent":24.6}'
        said = await curl(served, "/api/operation", *bearer, "-X", "POST", "-d", body)
        assert said == body
        await curl(served, "/api/config/completed", *bearer)
        code = await curl(served, "/api/sitemaster/run", *bearer, "--write-out", "%{http_code}")
        assert code == "202"
        assert '"real_mode":"backup"' in await curl(served, "/api/operation", *bearer)
        assert '"running":true' in await curl(served, "/api/sitemaster")
    assert (device.obeyed.mode, device.obeyed.reserve_raw_percent, device.obeyed.running) == (
        "backup",
        24.6,
        True,
    )
