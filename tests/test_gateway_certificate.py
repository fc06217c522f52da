"""Certificates: fetched without a word, kept whole, read again."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from tls_peer import LONG_AGO, always, make_certificate, response, serving

from scheduler.gateway import certificate
from scheduler.gateway.pin import read_fingerprint
from scheduler.gateway.reach import NoWay

GATEWAY = make_certificate()


@pytest.mark.parametrize("name", ["teg", None])
async def test_fetching_sends_nothing_but_the_handshake(name: str | None) -> None:
    """The certificate is fetched under the name asked for, without one byte of application data."""
    async with serving(GATEWAY, always(response())) as seen:
        fetched = await certificate.fetch("localhost", seen.port, name)

    assert fetched.fingerprint == GATEWAY.fingerprint
    assert seen.names == [name]
    assert seen.bytes == 0


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="this machine has no IPv6")
async def test_fetching_by_an_ipv6_address() -> None:
    """A bare IPv6 address works."""
    async with serving(GATEWAY, always(response()), host="::1") as seen:
        fetched = await certificate.fetch("::1", seen.port, None)

    assert fetched.fingerprint == GATEWAY.fingerprint


async def test_the_facts_are_those_of_the_certificate() -> None:
    """Subject, names and dates are shown, an expired certificate's too, and control characters are not."""
    made = make_certificate(not_after=LONG_AGO.replace(year=2002), common_name="evil\x1b[2Jname")
    async with serving(made, always(response())) as seen:
        fetched = await certificate.fetch("127.0.0.1", seen.port, "powerwall")

    assert fetched.names == ("teg", "powerwall", "powerpack", "192.168.91.1")
    assert (fetched.not_before, fetched.not_after) == (LONG_AGO, LONG_AGO.replace(year=2002))
    assert "O=Tesla" in fetched.subject
    assert "\x1b" not in fetched.subject


async def test_nobody_there_is_transient() -> None:
    """A closed port, an unknown name and a port without TLS are told apart, each with what to do."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    words = {
        "127.0.0.1": "refuses the connection",
        "nobody.invalid": "is unknown here",
        "x" * 70: "is unknown",
    }
    for host, says in words.items():
        with pytest.raises(NoWay, match=says) as caught:
            await certificate.fetch(host, port, None)
        assert caught.value.remedy
    async with await asyncio.start_server(_speak_http, "127.0.0.1", 0) as server:
        with pytest.raises(NoWay, match="does not speak TLS"):
            await certificate.fetch("127.0.0.1", server.sockets[0].getsockname()[1], None)


def _speak_http(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    writer.close()


async def test_a_peer_that_never_begins_is_given_up() -> None:
    """A peer that takes the connection and says nothing is given up at the deadline."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(NoWay, match=r"no handshake was over within 0\.2 s"):
            await certificate.fetch("127.0.0.1", port, None, deadline_s=0.2)


async def fetched() -> certificate.Certificate:
    """The gateway's certificate, fetched from a server."""
    async with serving(GATEWAY, always(response())) as seen:
        return await certificate.fetch("127.0.0.1", seen.port, "powerwall")


def test_what_was_saved_is_read_again(tmp_path: Path) -> None:
    """A saved certificate is readable for all, has the same fingerprint, and leaves no other file behind."""
    file = tmp_path / "powerwall.pem"
    certificate.save(asyncio.run(fetched()), file)

    assert read_fingerprint(file) == GATEWAY.fingerprint
    assert file.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [file]


def test_a_failed_save_leaves_what_was_there(tmp_path: Path) -> None:
    """Where the file cannot be replaced, the old content stays and no half file is left."""
    (tmp_path / "taken").mkdir()
    shown = asyncio.run(fetched())

    with pytest.raises(OSError, match="taken"):
        certificate.save(shown, tmp_path / "taken")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]
