"""The simulated gateway on a real port: TLS, the certificate, hanging up, and other people's clients."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import shutil
import socket
import ssl
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from scheduler.simulator import server
from scheduler.simulator.certificate import kept_certificate
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.personality import PERSONALITIES
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.server import Served, serving
from scheduler.simulator.tls import Handshakes

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


async def test_it_listens_where_the_name_leads(
    device: SimulatedGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Host names and scoped addresses are looked up, and the whole of what was found is listened on."""
    asked: list[object] = []

    async def look_up(host: object, port: int, **_more: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)
    async with serving(device, directory=tmp_path, host="fe80::1%eth0") as served:
        with socket.create_connection(("127.0.0.1", served.port), timeout=5):
            assert asked == ["fe80::1%eth0"]


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
    """Three names, a P-256 key, 25 years, a hexadecimal number in the subject, and the same with CA in the issuer."""
    kept = kept_certificate(tmp_path, START)
    certificate, authority = x509.load_pem_x509_certificates(kept.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["teg", "powerwall", "powerpack"]
    of_all = "OU=Tesla Energy Products,O=Tesla,L=Palo Alto,ST=California,C=US"
    number = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    assert re.fullmatch("[0-9a-f]+", str(number))
    assert certificate.subject.rfc4514_string() == f"CN={number},{of_all}"
    assert certificate.issuer.rfc4514_string() == f"CN={number} CA,{of_all}"
    assert authority.subject == authority.issuer == certificate.issuer
    certificate.verify_directly_issued_by(authority)
    public = certificate.public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    assert public.curve.name == "secp256r1"
    assert (certificate.not_valid_after_utc - START).days == 25 * 365
    assert certificate.fingerprint(hashes.SHA256()).hex() == kept.sha256


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


async def handshake(served: Served, name: str, *, at_most: ssl.TLSVersion | None = None) -> tuple[str, str]:
    """The version of TLS, and the SHA-256 of the certificate that is shown to who asks for this name."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if at_most is not None:
        context.maximum_version = at_most
    _, writer = await asyncio.open_connection(served.host, served.port, ssl=context, server_hostname=name)
    tls = writer.get_extra_info("ssl_object")
    shown = hashlib.sha256(tls.getpeercert(binary_form=True)).hexdigest()
    writer.transport.abort()
    return tls.version(), shown


@pytest.mark.parametrize("name", ["teg", "powerwall", "powerpack", "PowerWall", "127.0.0.1"])
async def test_its_own_names_and_none_at_all_are_taken(
    device: SimulatedGateway, tmp_path: Path, name: str
) -> None:
    """Who asks for one of the three names, or by an address and so for none, is shown the certificate."""
    async with serving(device, directory=tmp_path) as served:
        assert (await handshake(served, name))[1] == served.sha256


@pytest.mark.parametrize("name", ["localhost", "gateway.lan", "powerwall.local"])
async def test_another_name_breaks_the_handshake(device: SimulatedGateway, tmp_path: Path, name: str) -> None:
    """Any other name is answered with an alert of TLS, and the next handshake is none the worse."""
    async with serving(device, directory=tmp_path) as served:
        with pytest.raises(ssl.SSLError, match=r"(?i)unrecognized.name"):
            await handshake(served, name)
        assert (await handshake(served, "teg"))[1] == served.sha256


@pytest.mark.parametrize(
    ("at_most", "spoken"), [(ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")]
)
async def test_tls_is_1_2_or_1_3(
    device: SimulatedGateway, tmp_path: Path, at_most: ssl.TLSVersion, spoken: str
) -> None:
    """It speaks the newest version that both know, and nothing below 1.2."""
    async with serving(device, directory=tmp_path) as served:
        assert (await handshake(served, "powerwall", at_most=at_most))[0] == spoken
    assert Handshakes(device, tmp_path).context.minimum_version is ssl.TLSVersion.TLSv1_2


async def test_the_certificate_is_replaced_while_it_runs(device: SimulatedGateway, tmp_path: Path) -> None:
    """Kept connections end, new ones are shown a new certificate, twice the same, and so after a restart."""
    async with serving(device, directory=tmp_path) as served:
        async with trusting(served) as client:
            assert (await client.get("/api/status")).status_code == 200
            apply_scenario(device, "certificate replaced")
            with pytest.raises(httpx.TransportError):
                await client.get("/api/status")
            with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.get("/api/status")
        shown = {(await handshake(served, "powerwall"))[1] for _ in range(2)}
        assert len(shown) == 1
        assert shown != {served.sha256}
        async with trusting(served) as client:
            assert (await client.get("/api/status")).status_code == 200
    async with serving(device, directory=tmp_path) as again:
        assert {again.sha256} == shown


async def test_the_certificate_is_replaced_at_its_time(tmp_path: Path) -> None:
    """With "at 20:30" the old one is shown until then, and the new one from then on."""
    now = [START]
    device = SimulatedGateway(now=lambda: now[0])
    apply_scenario(device, "certificate replaced at 20:30")
    async with serving(device, directory=tmp_path) as served:
        assert (await handshake(served, "powerwall"))[1] == served.sha256
        now[0] += timedelta(minutes=30)
        assert (await handshake(served, "powerwall"))[1] != served.sha256


async def test_plain_http_sends_to_https(device: SimulatedGateway, tmp_path: Path) -> None:
    """A read is sent to the same path and query on the other port, in Go's words, a write without a word; no more is said."""
    async with (
        serving(device, directory=tmp_path, http_port=0) as served,
        httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{served.http_port}") as client,
    ):
        answer = await client.get("/api/system/update?force=true")
        target = f"{served.url}/api/system/update?force=true"
        assert (answer.status_code, answer.headers["location"]) == (301, target)
        assert answer.text == f'<a href="{target}">Moved Permanently</a>.\n\n'
        assert answer.headers["content-type"].startswith("text/html")
        posted = await client.post("/api/operation", json={}, headers={"host": "powerwall"})
        assert (posted.status_code, posted.content) == (301, b"")
        assert posted.headers["location"] == f"https://powerwall:{served.port}/api/operation"
        apply_scenario(device, "offline for 1m")
        with pytest.raises(httpx.TransportError):
            await client.get("/api/status")
    assert device.requests == {}


async def test_firmware_1_15_answers_plain_http(tmp_path: Path) -> None:
    """What TLS says, plain HTTP says as well."""
    device = SimulatedGateway(now=lambda: START, personality=PERSONALITIES["1.15"])
    async with (
        serving(device, directory=tmp_path, http_port=0) as served,
        httpx.AsyncClient(trust_env=False) as client,
        trusting(served) as over_tls,
    ):
        answer = await client.get(f"http://127.0.0.1:{served.http_port}/api/status")
        assert answer.status_code == 200
        assert answer.json() == (await over_tls.get("/api/status")).json()


async def test_plain_http_where_tls_belongs_is_told_so(device: SimulatedGateway, tmp_path: Path) -> None:
    """The client has a whole answer in Go's words at once; nothing was asked, and the next handshake is none the worse."""
    async with (
        serving(device, directory=tmp_path) as served,
        httpx.AsyncClient(trust_env=False, timeout=2) as client,
        trusting(served) as over_tls,
    ):
        for method, body in (("GET", b""), ("POST", b"x" * 100_000)):
            answer = await client.request(method, f"http://127.0.0.1:{served.port}/api/status", content=body)
            assert (answer.status_code, answer.headers["connection"]) == (400, "close")
            assert answer.text == "Client sent an HTTP request to an HTTPS server.\n"
        assert (await over_tls.get("/api/status")).status_code == 200
    assert device.requests == {"GET /api/status": 1}


@pytest.mark.parametrize(
    ("said", "within_s"), [(b"SSH-2.0-OpenSSH_9.2\r\n", 60), (b"", 0.2), (b"\x16\x03\x01", 0.2)]
)
async def test_who_does_not_speak_tls_is_hung_up_on(
    device: SimulatedGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, within_s: float
) -> None:
    """Nonsense ends at once, silence and half a greeting when the handshake has taken too long."""
    monkeypatch.setattr(server, "HANDSHAKE_S", within_s)
    async with serving(device, directory=tmp_path) as served:
        reader, writer = await asyncio.open_connection(served.host, served.port)
        writer.write(said)
        assert await asyncio.wait_for(reader.read(), 10) == b""
        writer.close()


async def test_offline_hangs_up_before_anything_is_asked(device: SimulatedGateway, tmp_path: Path) -> None:
    """A new connection ends by itself, although the client says nothing."""
    async with serving(device, directory=tmp_path) as served:
        apply_scenario(device, "offline for 1 minute")
        context = ssl.create_default_context(cafile=served.certificate)
        with contextlib.suppress(ConnectionError):
            reader, writer = await asyncio.open_connection(
                served.host, served.port, ssl=context, server_hostname="powerwall"
            )
            assert await asyncio.wait_for(reader.read(), 10) == b""
            writer.transport.abort()
    assert device.requests == {}


async def test_a_connection_is_kept_for_a_client_that_polls(
    device: SimulatedGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept for as long as is said, a quarter of an hour, and no longer: the server ends it and not the client."""
    assert server.KEEP_ALIVE_S == 900
    monkeypatch.setattr(server, "KEEP_ALIVE_S", 0.3)
    async with serving(device, directory=tmp_path, http_port=0) as served:
        assert served.http_port is not None
        reader, writer = await asyncio.open_connection(served.host, served.http_port)
        writer.write(b"GET /api/status HTTP/1.1\r\nHost: powerwall\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"connection: close" not in head.lower()
        await asyncio.wait_for(reader.read(), 10)
        writer.close()


async def test_without_a_port_for_it_there_is_no_plain_http(device: SimulatedGateway, tmp_path: Path) -> None:
    """None is opened unless asked for."""
    async with serving(device, directory=tmp_path) as served:
        assert served.http_port is None


def has_ipv6() -> bool:
    """Whether this machine has the address ::1."""
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
async def test_ipv6(device: SimulatedGateway, tmp_path: Path) -> None:
    """It answers at ::1, with an address as clients write it, and so does plain HTTP."""
    async with (
        serving(device, directory=tmp_path, host="::1", http_port=0) as served,
        trusting(served) as client,
    ):
        assert served.url == f"https://[::1]:{served.port}"
        assert (await client.get("/api/status")).status_code == 200
        answer = await client.get(f"http://[::1]:{served.http_port}/api/status")
        assert answer.headers["location"] == f"{served.url}/api/status"


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
