"""The pin: who is talked to, whatever names and dates the certificate carries, and who is told nothing."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from tls_peer import FAR_AHEAD, LONG_AGO, Made, always, make_certificate, response, serving

from scheduler.gateway.http import Connection
from scheduler.gateway.pin import Endpoint, parse_fingerprint, read_fingerprint, spell
from scheduler.model.errors import IdentityChanged, Refused

GATEWAY = make_certificate()


def endpoint(
    port: int, *, made: Made = GATEWAY, host: str = "127.0.0.1", name: str | None = "powerwall"
) -> Endpoint:
    """The endpoint of a server in these tests."""
    return Endpoint(host=host, port=port, server_name=name, fingerprint=made.fingerprint)


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_an_impostor_receives_nothing(tls: ssl.TLSVersion) -> None:
    """Another certificate, made out to the same names, ends the handshake before one byte of ours is sent."""
    impostor = make_certificate()
    async with serving(impostor, always(response()), tls=tls) as seen:
        connection = Connection(endpoint(seen.port))
        try:
            with pytest.raises(IdentityChanged, match="trust --replace"):
                await connection.exchange(
                    "POST", "/api/login/Basic", token="secret", body={"password": "secret"}
                )
        finally:
            await connection.close()

    assert seen.names == ["powerwall"]
    assert seen.bytes == 0


async def test_the_impostor_is_refused_every_time() -> None:
    """A connection that met an impostor meets him again on the next try: nothing of the first handshake is kept."""
    async with serving(make_certificate(), always(response())) as seen:
        connection = Connection(endpoint(seen.port))
        try:
            for _ in range(3):
                with pytest.raises(IdentityChanged):
                    await connection.exchange("GET", "/api/status")
        finally:
            await connection.close()

    assert seen.bytes == 0
    assert len(seen.names) == 3


@pytest.mark.parametrize(
    "dates",
    [
        pytest.param({"not_before": LONG_AGO, "not_after": LONG_AGO.replace(year=2002)}, id="expired"),
        pytest.param(
            {"not_before": FAR_AHEAD, "not_after": FAR_AHEAD.replace(year=2100)}, id="not yet valid"
        ),
    ],
)
async def test_dates_do_not_matter_once_it_is_pinned(dates: dict[str, object]) -> None:
    """The pinned certificate is good before and after its dates: a Pi without a clock can still switch."""
    made = make_certificate(**dates)
    async with serving(made, always(response())) as seen:
        connection = Connection(endpoint(seen.port, made=made))
        answer = await connection.exchange("GET", "/api/status")
        await connection.close()

    assert answer.status == 200


@pytest.mark.parametrize("name", ["teg", "powerwall", None])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_the_name_asked_for_is_the_configured_one(host: str, name: str | None) -> None:
    """The handshake asks for the server name and for nothing else, be the host an address or a name."""
    async with serving(GATEWAY, always(response())) as seen:
        connection = Connection(endpoint(seen.port, host=host, name=name))
        await connection.exchange("GET", "/api/status")
        await connection.close()

    assert seen.names == [name]


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_an_ipv6_address_is_an_address() -> None:
    """A gateway can be reached by its IPv6 address."""
    async with serving(GATEWAY, always(response()), host="::1") as seen:
        connection = Connection(endpoint(seen.port, host="::1", name=None))
        answer = await connection.exchange("GET", "/api/status")
        await connection.close()

    assert answer.status == 200
    assert f"[::1]:{seen.port}" in str(endpoint(seen.port, host="::1"))


@pytest.mark.parametrize("fingerprint", [b"", b"\0" * 31, b"\0" * 64])
def test_no_endpoint_without_a_whole_fingerprint(fingerprint: bytes) -> None:
    """An endpoint cannot be made with anything but the 32 bytes of a SHA-256."""
    with pytest.raises(ValueError, match="32 bytes"):
        Endpoint(host="powerwall", server_name=None, fingerprint=fingerprint)


def test_fingerprints_are_read_as_people_copy_them() -> None:
    """Colons, spaces and case of a fingerprint do not matter."""
    shown = spell(GATEWAY.fingerprint)

    for text in (shown, shown.lower(), shown.replace(":", ""), f" {shown.replace(':', ' ')}\n"):
        assert GATEWAY.fingerprint == parse_fingerprint(text)


@pytest.mark.parametrize("text", ["", "ab", "zz" * 32, "ab" * 33, "sha256:" + "ab" * 32])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    """Anything but 64 hexadecimal digits is no fingerprint."""
    with pytest.raises(ValueError, match="64 hexadecimal digits"):
        parse_fingerprint(text)


def test_the_first_certificate_of_a_file_counts(tmp_path: Path) -> None:
    """Text before a certificate, Windows line ends and further certificates do not matter."""
    file = tmp_path / "powerwall.pem"
    file.write_bytes(b"subject=/O=Tesla\xe9\n" + GATEWAY.pem.replace(b"\n", b"\r\n") + make_certificate().pem)

    assert read_fingerprint(file) == GATEWAY.fingerprint


@pytest.mark.parametrize("content", [None, b"", b"nonsense", b"\xff\xfe\x00", GATEWAY.key, GATEWAY.pem[:200]])
def test_no_certificate_is_refused_with_the_remedy(tmp_path: Path, content: bytes | None) -> None:
    """A missing or broken file says which command mends it."""
    file = tmp_path / "powerwall.pem"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(Refused, match="tou-scheduler trust"):
        read_fingerprint(file)


def test_a_directory_is_no_certificate(tmp_path: Path) -> None:
    """A directory in the file's place is refused in the same words."""
    with pytest.raises(Refused, match="tou-scheduler trust"):
        read_fingerprint(tmp_path)
