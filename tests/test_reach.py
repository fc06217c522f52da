"""The steps on the way to the gateway: each failure is told apart from the others, and ends within its deadline."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable

import pytest
from tls_peer import always, make_certificate, response, serving

from scheduler.gateway import reach
from scheduler.gateway.dates import read_date
from scheduler.gateway.reach import NoWay

SOON_S = 0.05


async def hang(*_args: object, **_more: object) -> None:
    """What never comes to an end."""
    await asyncio.Event().wait()


def fails(error: OSError) -> Callable[..., Awaitable[None]]:
    """What ends in this error."""

    async def fail(*_args: object, **_more: object) -> None:
        raise error

    return fail


CLOSED = {
    "refused": (fails(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused")), "refuses", "443"),
    "no route": (fails(OSError(errno.EHOSTUNREACH, "No route to host")), "no way leads to", "network"),
    "no network": (fails(OSError(errno.ENETUNREACH, "Network is unreachable")), "no way leads to", "network"),
    "no answer": (hang, "did not answer within", "firewall"),
    "kernel's timeout": (fails(TimeoutError(errno.ETIMEDOUT, "timed out")), "did not answer", "firewall"),
    "else": (fails(OSError(errno.EPERM, "Operation not permitted")), "not permitted", "gateway.host"),
}
"""What happens to the connection, what is said of it, and a word of the remedy."""


@pytest.mark.parametrize("trouble", CLOSED)
async def test_a_closed_port_says_why(monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    """Refused, no route and no answer are different sentences, with different things to do."""
    happens, says, remedy = CLOSED[trouble]
    monkeypatch.setattr(asyncio, "open_connection", happens)

    with pytest.raises(NoWay, match=says) as caught:
        await reach.open_port(["192.0.2.7"], 443, deadline_s=SOON_S)

    assert "192.0.2.7:443" in str(caught.value)
    assert remedy in caught.value.remedy


async def test_the_next_address_is_tried() -> None:
    """A name with several addresses is reached if one of them answers."""
    async with serving(make_certificate(), always(response())) as seen:
        assert await reach.open_port(["127.0.0.2", "127.0.0.1"], seen.port) == "127.0.0.1"


async def test_a_refusal_is_the_better_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of several failures the refusal is told: somebody is there."""

    async def either(host: str, *_args: object, **_more: object) -> None:
        raise ConnectionRefusedError if host == "192.0.2.2" else OSError(errno.ENETUNREACH, "unreachable")

    monkeypatch.setattr(asyncio, "open_connection", either)

    with pytest.raises(NoWay, match=r"192\.0\.2\.2:443 refuses"):
        await reach.open_port(["192.0.2.1", "192.0.2.2", "192.0.2.3"], 443)


async def test_a_name_server_that_is_silent_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up that hangs ends, and the address by hand is the way around it."""
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", hang)

    with pytest.raises(NoWay, match="no name server told") as caught:
        await reach.resolve("powerwall", 443, deadline_s=SOON_S)

    assert "/etc/hosts" in caught.value.remedy


@pytest.mark.parametrize("name", ["x" * 70, "xn--a", "nobody.invalid"])
async def test_a_name_that_cannot_be_is_unknown(name: str) -> None:
    """A name that never reaches the resolver is unknown in the same words."""
    with pytest.raises(NoWay, match="is unknown here"):
        await reach.resolve(name, 443)


async def test_an_address_has_no_name_to_look_up() -> None:
    """Addresses of both kinds resolve to themselves, by which they are told from names."""
    for it in ("127.0.0.1", "::1"):
        assert await reach.resolve(it, 443) == (it,)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (("fe80::1", 443, 0, 1), f"fe80::1%{socket.if_indextoname(1)}"),
        (("fe80::1", 443, 0, 2**30), f"fe80::1%{2**30}"),
        (("fe80::1%eth0", 443, 0, 1), "fe80::1%eth0"),
        (("fd00::1", 443, 0, 0), "fd00::1"),
        (("192.0.2.1", 443), "192.0.2.1"),
    ],
)
async def test_a_link_local_address_keeps_its_interface(
    monkeypatch: pytest.MonkeyPatch, found: tuple[object, ...], expected: str
) -> None:
    """Without its interface an address of IPv6 that counts on one wire only leads nowhere."""

    async def look_up(*_args: object, **_more: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", found)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", look_up)

    assert await reach.resolve("powerwall", 443) == (expected,)


async def test_a_port_that_says_nothing_has_a_deadline() -> None:
    """Whoever takes the connection and never answers the handshake is given up in time, and told apart."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        pytest.raises(NoWay, match="no handshake was over within") as caught,
    ):
        await reach.shake_hands("127.0.0.1", silent.getsockname()[1], "powerwall", deadline_s=SOON_S)

    assert "gateway.port" in caught.value.remedy


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("powerwall", "may need a minute"), (None, "may need a minute"), ("other", "teg, powerwall, powerpack")],
)
async def test_who_hangs_up_minds_the_name(name: str | None, remedy: str) -> None:
    """A handshake that is broken off is put down to the server name only where another one would do better."""

    def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(NoWay, match="broke off the TLS handshake") as caught:
            await reach.shake_hands("127.0.0.1", port, name)

    assert remedy in caught.value.remedy


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Wed, 01 Jul 2026 07:00:00 GMT", "2026-07-01T07:00:00+00:00"),
        ("Wed, 01 Jul 2026 00:00:00 -0700", "2026-07-01T00:00:00-07:00"),
        ("Wed, 01 Jul 2026 07:00:00 -0000", None),
        ("Wed, 99 Jul 2026 07:00:00 GMT", None),
        ("yesterday", None),
        ("", None),
        (None, None),
    ],
)
def test_dates_of_answers_are_read_or_left(header: str | None, expected: str | None) -> None:
    """A date with a zone is an instant; anything else is no clock."""
    read = read_date(header)

    assert (None if read is None else read.isoformat()) == expected
