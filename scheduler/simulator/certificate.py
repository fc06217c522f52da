"""The simulated gateway's certificate and key: made once, kept in a directory, used again.

A client that saved the certificate trusts it as long as the directory stays. Sockets are the server's business.
"""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from scheduler.simulator.errors import SimulatorError

CERTIFICATE_FILE = "gateway.pem"
KEY_FILE = "gateway.key"
NAMES = ("teg", "powerwall", "powerpack")
"""The names in every gateway's certificate (README of the gateway, "A note about HTTPS")."""
ADDRESSES = ("127.0.0.1", "::1")
"""Real ones hold their own address; this one lives on this machine."""
VALID_FOR = timedelta(days=25 * 365)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptCertificate:
    """Where certificate and key lie, and the certificate's SHA-256 in hex."""

    certificate: Path
    key: Path
    sha256: str


def replaced_certificate(directory: Path, now: datetime) -> KeptCertificate:
    """A new pair in the place of the one in ``directory``, which is gone then; OSError if it cannot be written."""
    certificate, key = directory / CERTIFICATE_FILE, directory / KEY_FILE
    certificate.unlink(missing_ok=True)
    _make(certificate, key, now)
    return kept_certificate(directory, now)


def kept_certificate(directory: Path, now: datetime) -> KeptCertificate:
    """The certificate and key in ``directory``, made there if it has none.

    SimulatorError if what lies there is no such pair. OSError if the directory cannot be written.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = directory / CERTIFICATE_FILE, directory / KEY_FILE
    if not (certificate.exists() and key.exists()):
        _make(certificate, key, now)
    return KeptCertificate(certificate=certificate, key=key, sha256=_fingerprint(certificate, key))


def _fingerprint(certificate: Path, key: Path) -> str:
    try:
        read = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), password=None)
    except (ValueError, TypeError):
        raise SimulatorError(
            f"{certificate} and {key} are not a certificate and its key; delete both to have new ones made"
        ) from None
    if private.public_key() != read.public_key():
        raise SimulatorError(f"{key} is not the key of {certificate}; delete both to have new ones made")
    return read.fingerprint(hashes.SHA256()).hex()


def _make(certificate: Path, key: Path, now: datetime) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    # The key first: a certificate without its key would be taken for a pair by nobody, and made anew.
    _write(key, pem)
    shown = _chain(private, now)
    _write(certificate, b"".join(one.public_bytes(serialization.Encoding.PEM) for one in shown))


def _chain(private: ec.EllipticCurvePrivateKey, now: datetime) -> tuple[x509.Certificate, x509.Certificate]:
    """The gateway's certificate, and that of the authority which signed it and has no other use: its key is forgotten.

    So on real gateways (pypowerwall PR 260). Both are shown, and kept in one file: a client that trusts this file can
    follow the chain to its end.
    """
    authority = ec.generate_private_key(ec.SECP256R1())
    serial = x509.SubjectKeyIdentifier.from_public_key(private.public_key()).digest.hex()
    subject, issuer = _name(serial), _name(f"{serial} CA")
    names = [x509.DNSName(n) for n in NAMES]
    addresses = [x509.IPAddress(ipaddress.ip_address(a)) for a in ADDRESSES]
    root = (
        _certificate(issuer, issuer, authority, authority, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    leaf = (
        _certificate(subject, issuer, private, authority, now)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return leaf.sign(authority, hashes.SHA256()), root.sign(authority, hashes.SHA256())


def _name(common_name: str) -> x509.Name:
    """The name that real gateways have, but for the last part."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "California"),
            x509.NameAttribute(NameOID.LOCALITY_NAME, "Palo Alto"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tesla"),
            x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Tesla Energy Products"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    authority: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.CertificateBuilder:
    """What both certificates have in common."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back: the client's clock need not agree to the second.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False
        )
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _write(path: Path, content: bytes) -> None:
    """Readable by its owner only from the first byte on, and never half written."""
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)
