"""The simulated gateway's side of a TLS handshake: whose name it takes, and which certificate it shows.

Files live in `certificate.py`. A handshake that asks for another name than the gateway's is ended with an alert, as on
real ones; one that asks for no name at all is fine. Who speaks plain HTTP is told so, in Go's words.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from scheduler.simulator.certificate import NAMES, KeptCertificate, kept_certificate, replaced_certificate
from scheduler.simulator.device import SimulatedGateway


class Handshakes:
    """The context of all handshakes of one server; a certificate that is replaced is seen by the next one."""

    def __init__(self, device: SimulatedGateway, directory: Path) -> None:
        self._device = device
        self._directory = directory
        self._number = device.mischief.certificate
        self.kept: KeptCertificate = kept_certificate(directory, device.now())
        """What was shown first."""
        self.context = self._current = _context(self.kept)
        self.context.sni_callback = self._choose

    def _choose(self, tls: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
        if name is not None and name.lower() not in NAMES:
            return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
        self._device.now()
        if self._number != self._device.mischief.certificate:
            self._number = self._device.mischief.certificate
            self._current = _context(replaced_certificate(self._directory, self._device.now()))
        tls.context = self._current
        return None


PLAIN_HTTP = b"Client sent an HTTP request to an HTTPS server.\n"
NO_TLS = b"HTTP/1.0 400 Bad Request\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b" % (
    len(PLAIN_HTTP),
    PLAIN_HTTP,
)
"""What Go answers to plain HTTP where TLS belongs, but for the length: a client that knows it need not wait for the end."""


class _Alerting(ssl.SSLObject):
    """The server's side of a connection that tells the client why it fails: asyncio alone hangs up without the alert."""

    failed = False
    outgoing: ssl.MemoryBIO

    def do_handshake(self) -> None:
        """A step of the handshake."""
        try:
            super().do_handshake()
        except ssl.SSLWantReadError:
            raise
        except ssl.SSLError as problem:
            if problem.reason == "HTTP_REQUEST" and not self.failed:
                self.outgoing.write(NO_TLS)
            if self.failed or not self.outgoing.pending:
                raise
            # As if there were more to hear: then what is to be said goes out first, and that is the alert.
            self.failed = True
            raise ssl.SSLWantReadError from None


class _Context(ssl.SSLContext):
    """A context whose connections know the way to the client, past TLS."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - as the library has it
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """A connection over these two buffers."""
        wrapped = super().wrap_bio(incoming, outgoing, server_side, server_hostname, session)
        if isinstance(wrapped, _Alerting):
            wrapped.outgoing = outgoing
        return wrapped


def _context(kept: KeptCertificate) -> ssl.SSLContext:
    context = _Context(ssl.PROTOCOL_TLS_SERVER)
    context.sslobject_class = _Alerting
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(kept.certificate, kept.key)
    return context
