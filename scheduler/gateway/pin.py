"""Who the gateway is: its address, the name it is asked for, and the SHA-256 of the certificate that was trusted.

The comparison happens inside the TLS handshake, so nothing of ours is ever sent to somebody else. Fetching and keeping
certificates lives in `certificate.py`; what is said over the connection in `http.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import ssl
from dataclasses import dataclass
from pathlib import Path

from scheduler.model.errors import IdentityChanged, Refused

FINGERPRINT_BYTES = hashlib.sha256().digest_size

_FILE_LIMIT_BYTES = 256 * 1024
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\s[^-]+-----END CERTIFICATE-----")

NO_NAME = "192.0.2.0"
"""An address (one kept for documentation) where a name belongs: OpenSSL then asks for no name at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where the gateway answers, and how it is known again.

    ``server_name`` is asked for in the handshake (SNI): gateways break off at any other than teg, powerwall or powerpack,
    and take none at all, which is None here. ``fingerprint`` is the SHA-256 of its certificate, 32 bytes.
    """

    host: str
    port: int = 443
    server_name: str | None
    fingerprint: bytes

    def __post_init__(self) -> None:
        if len(self.fingerprint) != FINGERPRINT_BYTES:
            raise ValueError("a fingerprint is the 32 bytes of a SHA-256")

    def __str__(self) -> str:
        return address(self.host, self.port)


def address(host: str, port: int) -> str:
    """Host and port for a person; IPv6 addresses in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def fingerprint_of(certificate: bytes) -> bytes:
    """The SHA-256 of a certificate in its binary form (DER)."""
    return hashlib.sha256(certificate).digest()


def spell(fingerprint: bytes) -> str:
    """A fingerprint as browsers and openssl show it: pairs of digits with colons."""
    return fingerprint.hex(":").upper()


def parse_fingerprint(text: str) -> bytes:
    """A SHA-256 fingerprint as a person copies it: colons, spaces and case do not matter; ValueError if it is none."""
    digits = re.sub(r"[:\s]", "", text)
    if not re.fullmatch(rf"[0-9A-Fa-f]{{{2 * FINGERPRINT_BYTES}}}", digits):
        raise ValueError("a SHA-256 fingerprint has 64 hexadecimal digits")
    return bytes.fromhex(digits)


def read_fingerprint(path: Path) -> bytes:
    """The fingerprint of the first certificate in a PEM file; Refused with the remedy if there is none.

    Text around it does not matter: `openssl s_client -showcerts`, which the README suggests, writes a lot of it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_LIMIT_BYTES)
    except OSError as error:
        remedy = "run `tou-scheduler trust` to fetch and save it"
        if isinstance(error, PermissionError):
            remedy = "let the user who runs this read it"
        raise Refused(
            f"the gateway's certificate cannot be read from {path} ({error.strerror})", remedy=remedy
        ) from error
    try:
        block = _PEM.search(content.decode("ascii", errors="replace"))
        return fingerprint_of(ssl.PEM_cert_to_DER_cert(block[0] if block else ""))
    except ValueError as error:
        raise Refused(
            f"there is no certificate in {path}",
            remedy="run `tou-scheduler trust --replace` to fetch it anew",
        ) from error


def unchecked_context() -> ssl.SSLContext:
    """A TLS context that believes any certificate. Alone it is fit only to look at one; see `pinned_context`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def pinned_context(endpoint: Endpoint) -> ssl.SSLContext:
    """A TLS context whose handshake fails with IdentityChanged for any other certificate.

    Names, issuer and dates are not looked at: nobody knows its authority, a Pi may boot in the past, and the
    fingerprint says more than all of them.
    """

    class Pinned(ssl.SSLObject):
        def do_handshake(self) -> None:
            super().do_handshake()
            seen = self.getpeercert(binary_form=True) or b""
            if not hmac.compare_digest(fingerprint_of(seen), endpoint.fingerprint):
                raise IdentityChanged(
                    f"what answers at {endpoint} shows another certificate than the one that was trusted",
                    remedy="if the gateway was replaced or reset, run `tou-scheduler trust --replace`",
                )

    context = unchecked_context()
    context.sslobject_class = Pinned
    return context
