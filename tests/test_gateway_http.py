"""The connection: deadlines, bounds, one socket, and what is never done twice."""

from __future__ import annotations

import asyncio
import gzip
import socket
import time
from types import SimpleNamespace

import pytest
from tls_peer import Behaviour, always, make_certificate, response, serving

from scheduler.gateway.calls import Method
from scheduler.gateway.http import BODY_LIMIT_BYTES, Answer, Connection
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import Transient

GATEWAY = make_certificate()


def connected(port: int, *, host: str = "127.0.0.1", deadline_s: float = 10.0) -> Connection:
    """A connection to a server in these tests."""
    endpoint = Endpoint(host=host, port=port, server_name="powerwall", fingerprint=GATEWAY.fingerprint)
    return Connection(endpoint, deadline_s=deadline_s)


async def asked_once(
    behaviour: Behaviour, *, method: Method = "GET", deadline_s: float = 10.0
) -> tuple[Answer | Transient, list[str]]:
    """What came of one request to a server of this behaviour, and the request lines that it saw."""
    async with serving(GATEWAY, behaviour) as seen:
        connection = connected(seen.port, deadline_s=deadline_s)
        try:
            async with asyncio.timeout(20):  # or a call without a deadline would keep the test for ever
                return await connection.exchange(method, "/api/operation"), seen.lines
        except Transient as error:
            return error, seen.lines
        finally:
            await connection.close()


async def drip_body(_number: int, writer: asyncio.StreamWriter) -> bool:
    """Promise much, and send a byte now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.02)


async def drip_head(_number: int, writer: asyncio.StreamWriter) -> bool:
    """Send headers without end, a byte now and then."""
    writer.write(b"HTTP/1.1 200 OK\r\nx: ")
    while True:
        writer.write(b"y")
        await writer.drain()
        await asyncio.sleep(0.02)


async def hang_up(_number: int, _writer: asyncio.StreamWriter) -> bool:
    """Close without an answer."""
    return False


async def keep_silent(_number: int, _writer: asyncio.StreamWriter) -> bool:
    """Say nothing, and stay."""
    return True


@pytest.mark.parametrize("behaviour", [drip_body, drip_head, keep_silent])
async def test_the_deadline_is_a_total_one(behaviour: Behaviour) -> None:
    """A server that drips or says nothing is given up when the deadline of the whole call is over."""
    outcome, _ = await asked_once(behaviour, deadline_s=0.3)

    assert isinstance(outcome, Transient)
    assert "no complete answer within 0.3 s" in str(outcome)


async def test_the_deadline_counts_during_the_handshake() -> None:
    """A peer that takes the connection and never begins TLS is given up like any other."""
    listener = socket.create_server(("127.0.0.1", 0))
    connection = connected(listener.getsockname()[1], deadline_s=0.3)
    try:
        with pytest.raises(Transient, match="did not take the connection in time"):
            await connection.exchange("GET", "/api/status")
    finally:
        await connection.close()
        listener.close()


async def test_the_connection_is_usable_after_a_deadline() -> None:
    """A call that was given up leaves the connection fit for the next call."""

    async def slow_at_first(number: int, writer: asyncio.StreamWriter) -> bool:
        return await (keep_silent if number == 1 else always(response()))(number, writer)

    async with serving(GATEWAY, slow_at_first) as seen:
        connection = connected(seen.port, deadline_s=0.5)
        with pytest.raises(Transient):
            await connection.exchange("GET", "/api/status")
        answer = await connection.exchange("GET", "/api/status")
        await connection.close()

    assert answer.status == 200


@pytest.mark.parametrize("turns", range(10))
async def test_a_call_cut_at_any_moment_leaves_the_connection_usable(turns: int) -> None:
    """A call that is called off just as its answer is complete does not keep the only connection for ever."""
    answered = asyncio.Event()

    async def behave(number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(response())
        await writer.drain()
        if number == 2:
            answered.set()
        return True

    async with serving(GATEWAY, behave) as seen:
        connection = connected(seen.port, deadline_s=5.0)
        await connection.exchange("GET", "/api/status")
        cut = asyncio.create_task(connection.exchange("POST", "/api/operation", body={}))
        await answered.wait()
        for _ in range(turns):
            await asyncio.sleep(0)
        cut.cancel()
        await asyncio.wait({cut})
        after = await connection.exchange("GET", "/api/sitemaster")
        await connection.close()
    assert after.status == 200


@pytest.mark.parametrize(("size", "taken"), [(BODY_LIMIT_BYTES, True), (BODY_LIMIT_BYTES + 1, False)])
async def test_a_body_is_at_most_256_kib(size: int, *, taken: bool) -> None:
    """A body of 256 KiB is taken, one byte more is not."""
    outcome, _ = await asked_once(always(response(b" " * size)))

    assert isinstance(outcome, Answer) is taken


async def test_an_endless_chunked_body_is_cut_off() -> None:
    """A body without a length is cut off at the same limit."""

    async def flood(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    outcome, _ = await asked_once(flood)

    assert isinstance(outcome, Transient)
    assert "more than 256 KiB" in str(outcome)


async def test_a_redirect_is_an_answer_like_any_other() -> None:
    """A redirect is handed back and not followed."""
    headers = "location: /api/elsewhere\r\n"
    outcome, lines = await asked_once(always(response(status="301 Moved Permanently", headers=headers)))

    assert isinstance(outcome, Answer)
    assert outcome.status == 301
    assert lines == ["GET /api/operation"]


async def test_compression_is_neither_asked_for_nor_taken() -> None:
    """A compressed body, be it a bomb, is refused before it is unpacked."""
    bomb = gzip.compress(b" " * 50_000_000)
    async with serving(GATEWAY, always(response(bomb, headers="content-encoding: gzip\r\n"))) as seen:
        connection = connected(seen.port)
        with pytest.raises(Transient, match="compressed"):
            await connection.exchange("GET", "/api/status")
        await connection.close()

    assert b"accept-encoding: identity" in seen.requests[0].lower()


async def test_many_calls_use_one_connection() -> None:
    """Calls in a row share one connection and one handshake."""
    async with serving(GATEWAY, always(response())) as seen:
        connection = connected(seen.port)
        for _ in range(20):
            await connection.exchange("GET", "/api/status")
        await connection.close()

    assert seen.connections == 1
    assert len(seen.requests) == 20


async def test_the_connection_is_kept_between_two_looks_of_the_daemon(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Five minutes pass from one call to the next: the handshake is not made anew, which httpx would do after 5 s."""
    later_s = 0.0
    monkeypatch.setattr(
        "httpcore._async.http11.time", SimpleNamespace(monotonic=lambda: time.monotonic() + later_s)
    )
    async with serving(GATEWAY, always(response())) as seen:
        connection = connected(seen.port)
        await connection.exchange("GET", "/api/status")
        later_s = 300.0
        await connection.exchange("GET", "/api/status")
        await connection.close()

    assert seen.connections == 1


async def test_a_post_is_sent_once() -> None:
    """A POST whose connection was dropped is not repeated: it may have been obeyed."""
    outcome, lines = await asked_once(hang_up, method="POST")

    assert isinstance(outcome, Transient)
    assert "dropped the connection" in str(outcome)
    assert lines == ["POST /api/operation"]


async def test_a_get_is_repeated_once() -> None:
    """A GET whose connection was dropped is asked once more, and then no more."""
    outcome, lines = await asked_once(hang_up)

    assert isinstance(outcome, Transient)
    assert lines == ["GET /api/operation"] * 2


async def test_a_connection_closed_while_idle_costs_nothing() -> None:
    """A gateway that closes after each answer is simply connected to again."""

    async def answer_and_close(number: int, writer: asyncio.StreamWriter) -> bool:
        await always(response())(number, writer)
        return False

    async with serving(GATEWAY, answer_and_close) as seen:
        connection = connected(seen.port)
        answers = [await connection.exchange("GET", "/api/status") for _ in range(5)]
        await connection.close()

    assert [answer.status for answer in answers] == [200] * 5


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{}", id="shorter than said"),
        pytest.param(b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n{}", id="negative length"),
    ],
)
async def test_broken_http_is_transient(answer: bytes) -> None:
    """A peer that does not keep to HTTP is one of the things that may pass."""

    async def behave(number: int, writer: asyncio.StreamWriter) -> bool:
        await always(answer)(number, writer)
        return False

    outcome, _ = await asked_once(behave)

    assert isinstance(outcome, Transient)


async def test_a_closed_port_is_said_in_words() -> None:
    """Nobody listening is Transient, and the text names the address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connection = connected(port)

    with pytest.raises(Transient, match=rf"127\.0\.0\.1:{port} cannot be reached"):
        await connection.exchange("GET", "/api/status")
    await connection.close()


@pytest.mark.parametrize("host", ["nobody.invalid", "x" * 70, "xn--zz"])
async def test_an_unknown_name_is_said_in_words(host: str) -> None:
    """A name that does not resolve, or cannot, is Transient and points to the configuration."""
    connection = connected(443, host=host)

    with pytest.raises(Transient, match=r"check gateway\.host"):
        await connection.exchange("GET", "/api/status")
    await connection.close()


async def test_a_peer_that_speaks_no_tls_is_said_in_words() -> None:
    """A plain HTTP server on the port is a broken handshake, not a crash."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(response())
        writer.close()

    async with await asyncio.start_server(plain, "127.0.0.1", 0) as server:
        connection = connected(server.sockets[0].getsockname()[1])
        with pytest.raises(Transient, match="TLS handshake"):
            await connection.exchange("GET", "/api/status")
        await connection.close()


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy for the machine is not one for the house."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    outcome, _ = await asked_once(always(response()))

    assert isinstance(outcome, Answer)


async def test_the_token_is_shown_in_both_ways_and_the_gateways_cookies_are_not_kept() -> None:
    """A request carries the token it is given as cookie and bearer, and nothing that an answer planted."""
    planted = response(headers="set-cookie: AuthCookie=dead; Path=/\r\n")
    async with serving(GATEWAY, always(planted)) as seen:
        connection = connected(seen.port)
        await connection.exchange("GET", "/api/operation", token="alive")
        await connection.exchange("GET", "/api/status")
        await connection.close()
    with_token, without = (request.lower() for request in seen.requests)

    assert b"cookie: authcookie=alive" in with_token
    assert b"authorization: bearer alive" in with_token
    assert b"cookie" not in without
    assert b"authorization" not in without
