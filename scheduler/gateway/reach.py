"""The way to the gateway, step by step: its name, its port, its TLS, its first answer. Each step fails in its own words.

For a person who looks for what is wrong. The client itself goes the whole way at once (`http.py`). Until the certificate
has been compared with the one that was trusted, nothing but a TLS handshake is sent.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from scheduler.gateway import calls, wire
from scheduler.gateway.answers import Standing, error_of
from scheduler.gateway.dates import read_date
from scheduler.gateway.http import DEADLINE_S, Connection
from scheduler.gateway.pin import NO_NAME, Endpoint, address, unchecked_context
from scheduler.model.errors import Transient
from scheduler.model.reading import Identity

NAMES = ("teg", "powerwall", "powerpack")
"""What gateways may be asked for; at any other name they break off (README of the gateway, *A note about HTTPS*)."""

_NO_ROUTE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.EADDRNOTAVAIL, errno.ENETDOWN, errno.EHOSTDOWN}
_NO_TLS = {"WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"}
"""How OpenSSL calls an answer that is no TLS at all; versions of it differ."""


class NoWay(Transient):
    """A step on the way that failed. ``remedy`` says what to do about it, in a sentence."""

    def __init__(self, message: str, *, remedy: str) -> None:
        super().__init__(message)
        self.remedy = remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What a handshake shows: the certificate in its binary form (DER), and the version of TLS in words."""

    certificate: bytes = field(repr=False)
    protocol: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """The first answer, GET /api/status: who the gateway is, and its clock as of that answer, if it told it."""

    identity: Identity
    clock: datetime | None


async def resolve(host: str, port: int, *, deadline_s: float = DEADLINE_S) -> tuple[str, ...]:
    """The addresses of this name, in the system's order of preference; NoWay if there are none."""
    by_hand = f"or give the name its address by a line such as `192.168.1.20 {host}` in /etc/hosts"
    try:
        async with asyncio.timeout(deadline_s):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise NoWay(
            f"no name server told the address of {host} within {deadline_s:g} s",
            remedy=f"check this machine's network, put the address into gateway.host, {by_hand}",
        ) from None
    except (OSError, UnicodeError) as error:
        raise NoWay(f"the name {host} is unknown here", remedy=f"correct gateway.host, {by_hand}") from error
    return tuple(dict.fromkeys(_spoken(entry[4]) for entry in found))


def _spoken(found: tuple[Any, ...]) -> str:
    """An address as it was looked up; a link-local one of IPv6 with its interface, without which nothing can be reached."""
    host = str(found[0])
    interface = found[3] if len(found) > 3 else 0  # noqa: PLR2004 - only IPv6 has a fourth field, the index of its interface
    if not interface or "%" in host:
        return host
    try:
        return f"{host}%{socket.if_indextoname(interface)}"
    except OSError:  # it is gone: its number does as well
        return f"{host}%{interface}"


async def open_port(addresses: Sequence[str], port: int, *, deadline_s: float = DEADLINE_S) -> str:
    """The first of the addresses that takes a connection on this port; NoWay if none does."""
    failed: tuple[str, OSError] | None = None
    try:
        async with asyncio.timeout(deadline_s):
            for one in addresses:
                try:
                    _, writer = await asyncio.open_connection(one, port)
                except OSError as refused:
                    if failed is None or isinstance(refused, ConnectionRefusedError):
                        failed = one, refused
                else:
                    await _hang_up(writer)
                    return one
    except TimeoutError:
        if failed is None:
            failed = ", ".join(addresses), TimeoutError()
    where, why = failed or ("no address", OSError())
    raise _closed(address(where, port), why, deadline_s) from None


async def handshake(host: str, port: int, server_name: str | None) -> Shown:
    """The certificate that is shown there, whoever it is; OSError (ssl.SSLError is one) if there is none.

    ``server_name`` None asks for no name. Not a byte is sent beyond the handshake.
    """
    _, writer = await asyncio.open_connection(
        host, port, ssl=unchecked_context(), server_hostname=server_name or NO_NAME
    )
    tls = writer.get_extra_info("ssl_object")
    shown = Shown(certificate=tls.getpeercert(binary_form=True) or b"", protocol=tls.version() or "TLS")
    await _hang_up(writer)
    return shown


async def shake_hands(
    where: str, port: int, server_name: str | None, *, deadline_s: float = DEADLINE_S
) -> Shown:
    """`handshake` with this address within the deadline; NoWay tells apart who speaks no TLS and who minds the name."""
    try:
        async with asyncio.timeout(deadline_s):
            return await handshake(where, port, server_name)
    except TimeoutError:
        raise NoWay(
            f"{address(where, port)} took the connection, but no handshake was over within {deadline_s:g} s",
            remedy="check gateway.host and gateway.port; if both are right, restart the gateway",
        ) from None
    except (OSError, ValueError) as error:  # a name that cannot be one is a ValueError
        raise _broken(address(where, port), server_name, error) from error


async def greet(endpoint: Endpoint) -> Greeting:
    """The first answer of the gateway whose certificate was trusted, without a login; its errors as the client's."""
    connection = Connection(endpoint)
    try:
        answer = await connection.exchange(calls.STATUS.method, calls.STATUS.path)
    finally:
        await connection.close()
    error = error_of(answer, calls.STATUS, Standing.STRANGER)
    if error is not None:
        raise error
    return Greeting(identity=wire.identity(answer.body), clock=read_date(answer.date))


async def _hang_up(writer: asyncio.StreamWriter) -> None:
    """At once: a peer that does not answer the good-bye of TLS must not use up the deadline."""
    writer.transport.abort()
    with suppress(OSError):
        await writer.wait_closed()


def _closed(where: str, error: OSError, deadline_s: float) -> NoWay:
    if isinstance(error, ConnectionRefusedError):
        return NoWay(
            f"{where} refuses the connection",
            remedy="check gateway.host and gateway.port (443 unless you changed it); "
            "a gateway that starts up refuses for a minute or two",
        )
    if error.errno in _NO_ROUTE:
        return NoWay(
            f"no way leads to {where} from here ({(error.strerror or 'no route').lower()})",
            remedy="connect this machine to the gateway's network, and check gateway.host "
            "and that the gateway is on",
        )
    if isinstance(error, TimeoutError):
        return NoWay(
            f"{where} did not answer within {deadline_s:g} s",
            remedy="check that the gateway is on, that gateway.host is its address, "
            "and that no firewall stands in between",
        )
    return NoWay(
        f"{where} cannot be reached ({(error.strerror or type(error).__name__).lower()})",
        remedy="check gateway.host and gateway.port",
    )


def _broken(where: str, server_name: str | None, error: Exception) -> NoWay:
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return NoWay(
            f"what answers at {where} does not speak TLS",
            remedy="check gateway.port: it is that of HTTPS, 443 unless you changed it",
        )
    asked = f"when asked for the name {server_name}" if server_name else "though it was asked for no name"
    if server_name is None or server_name.lower() in NAMES:
        remedy = "check gateway.host and gateway.port; a gateway that starts up may need a minute"
    else:
        remedy = f"set gateway.server_name to one of {', '.join(NAMES)}, or to '' for none"
    return NoWay(f"{where} broke off the TLS handshake {asked}", remedy=remedy)
