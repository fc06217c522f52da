"""A gateway's certificate: fetched for a person to look at, and kept as a PEM file.

It is fetched without a pin, and nothing is said there: the handshake is all. Whether a certificate is to
be trusted is a person's word, asked for by the `trust` command. The daemon needs only the file's fingerprint, which
`pin.py` reads without the library that is needed here.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography import x509

from scheduler.gateway.http import DEADLINE_S
from scheduler.gateway.pin import address, fingerprint_of
from scheduler.gateway.reach import open_port, resolve, shake_hands
from scheduler.model.errors import Refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What a person looks at before trusting, in printable text; ``fingerprint`` is the SHA-256 that is pinned."""

    pem: str
    subject: str
    names: tuple[str, ...]
    not_before: datetime
    not_after: datetime
    fingerprint: bytes


async def fetch(
    host: str, port: int, server_name: str | None, *, deadline_s: float = DEADLINE_S
) -> Certificate:
    """The certificate that is shown at this address, to whoever asks; NoWay with the step that failed if there is none.

    ``server_name`` None asks for no name. Not a byte is sent beyond the handshake, and each of the three steps ends within
    ``deadline_s`` seconds.
    """
    addresses = await resolve(host, port, deadline_s=deadline_s)
    where = await open_port(addresses, port, deadline_s=deadline_s)
    shown = await shake_hands(where, port, server_name, deadline_s=deadline_s)
    return _parse(shown.certificate, address(host, port))


def save(certificate: Certificate, path: Path) -> None:
    """Put the certificate there as PEM, readable for all, whole or not at all; OSError if it cannot be written."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(certificate.pem)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _parse(binary: bytes, where: str) -> Certificate:
    try:
        parsed = x509.load_der_x509_certificate(binary)
        return Certificate(
            pem=ssl.DER_cert_to_PEM_cert(binary),
            subject=_printable(parsed.subject.rfc4514_string()),
            names=_names(parsed),
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            fingerprint=fingerprint_of(binary),
        )
    except ValueError as error:
        raise Refused(
            f"the certificate of {where} cannot be read", remedy="check that this is the gateway's address"
        ) from error


def _names(parsed: x509.Certificate) -> tuple[str, ...]:
    """The names and addresses it is made out to; none if it has no such extension."""
    try:
        extension = parsed.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return ()
    names = extension.value.get_values_for_type(x509.DNSName)
    addresses = extension.value.get_values_for_type(x509.IPAddress)
    return tuple(_printable(str(name)) for name in (*names, *addresses))


def _printable(text: str) -> str:
    """Text of a stranger, fit for a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)
