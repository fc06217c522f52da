"""A TLS server for tests that shows any certificate, counts what reaches it, and misbehaves as told. No tests here."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import ipaddress
import ssl
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

UTC = dt.UTC
LONG_AGO = dt.datetime(2001, 1, 1, tzinfo=UTC)
FAR_AHEAD = dt.datetime(2099, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Made:
    """A certificate of ours with its key, and its SHA-256."""

    pem: bytes
    key: bytes
    fingerprint: bytes


def make_certificate(
    *,
    not_before: dt.datetime = LONG_AGO,
    not_after: dt.datetime = FAR_AHEAD,
    common_name: str = "0123456789abcdef",
    names: tuple[str, ...] = ("teg", "powerwall", "powerpack"),
) -> Made:
    """A self-signed certificate in the manner of a gateway's: EC P-256, a hexadecimal name, three alternatives."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tesla"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
    alternatives = [x509.DNSName(n) for n in names] + [x509.IPAddress(ipaddress.ip_address("192.168.91.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(not_before)
        .not_valid_after(not_after)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Made(
        pem=made.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        fingerprint=made.fingerprint(hashes.SHA256()),
    )


@dataclass(kw_only=True)
class Seen:
    """What reached the server: connections, names asked for, bytes of application data, requests."""

    port: int = 0
    connections: int = 0
    names: list[str | None] = field(default_factory=list)
    bytes: int = 0
    requests: list[bytes] = field(default_factory=list)

    @property
    def lines(self) -> list[str]:
        """The request lines, without the version."""
        return [request.split(b" HTTP/", 1)[0].decode() for request in self.requests]


Behaviour = Callable[[int, asyncio.StreamWriter], Awaitable[bool]]
"""Called with the number of the request, from 1, and where to answer; False ends the connection."""


def response(body: bytes = b"{}", *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole HTTP response."""
    head = f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n{headers}\r\n"
    return head.encode() + body


def always(answer: bytes) -> Behaviour:
    """The behaviour of one who gives this answer to everything."""

    async def behave(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(answer)
        await writer.drain()
        return True

    return behave


@contextlib.asynccontextmanager
async def serving(
    made: Made,
    behaviour: Behaviour,
    *,
    host: str = "127.0.0.1",
    tls: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3,
) -> AsyncIterator[Seen]:
    """A server on a free port for as long as the block lasts."""
    seen = Seen()
    talks: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.connections += 1
        task = asyncio.current_task()
        assert task is not None
        talks[task] = writer
        with contextlib.suppress(OSError):
            await _converse(seen, behaviour, reader, writer)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        del talks[task]

    server = await asyncio.start_server(talk, host, 0, ssl=_context(made, seen, tls))
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for writer in talks.values():
            writer.transport.abort()
        await asyncio.gather(*talks, return_exceptions=True)
        await server.wait_closed()


async def _converse(
    seen: Seen, behaviour: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    request = b""
    while chunk := await reader.read(65536):
        seen.bytes += len(chunk)
        request += chunk
        while (whole := _whole(request)) is not None:
            seen.requests.append(request[:whole])
            request = request[whole:]
            if not await behaviour(len(seen.requests), writer):
                return


def _whole(request: bytes) -> int | None:
    """The length of the first request in these bytes, if it is complete."""
    head, found, rest = request.partition(b"\r\n\r\n")
    if not found:
        return None
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return len(head) + 4 + length if len(rest) >= length else None


def _context(made: Made, seen: Seen, tls: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = tls
    with tempfile.TemporaryDirectory() as directory:
        chain = Path(directory) / "chain.pem"
        chain.write_bytes(made.key + made.pem)
        context.load_cert_chain(chain)
    context.sni_callback = lambda _socket, name, _context: seen.names.append(name)
    return context
