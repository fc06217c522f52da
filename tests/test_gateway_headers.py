"""Headers that lie, over a real socket: what they say is believed only where nothing can come of it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable

import pytest
from fake_gateway import CALLS, EMAIL, NOW, PASSWORD, TOKEN, Ledger
from tls_peer import always, make_certificate, response, serving

from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import GatewayError, NotOffered, Throttled, Transient
from scheduler.model.setpoint import Setpoint

GATEWAY = make_certificate()
OPERATION = b'{"real_mode":"self_consumption","backup_reserve_percent":24}'
READ = Setpoint(mode="self_consumption", reserve_percent=20)


async def asked(
    answer: bytes, ask: Callable[[LocalGateway], Awaitable[object]] = LocalGateway.read
) -> object:
    """What a call comes to, or its error, if this is all that the gateway answers before it closes."""

    async def behave(number: int, writer: asyncio.StreamWriter) -> bool:
        await always(answer)(number, writer)
        return False

    async with serving(GATEWAY, behave) as seen:
        gateway = LocalGateway(
            Endpoint(
                host="127.0.0.1", port=seen.port, server_name="powerwall", fingerprint=GATEWAY.fingerprint
            ),
            Credentials(username="installer", password=PASSWORD, email=EMAIL),
            ledger=Ledger(),
            now=lambda: NOW,
        )
        try:
            return await ask(gateway)
        except GatewayError as error:
            return error
        finally:
            await gateway.close()


def head(headers: str, body: bytes = OPERATION) -> bytes:
    """An answer with these headers and no others."""
    return b"HTTP/1.1 200 OK\r\n" + headers.encode("latin-1") + b"\r\n" + body


@pytest.mark.parametrize(
    "said",
    [
        "application/json",
        "text/plain; charset=utf-8",
        "text/plain; charset=utf-16",
        "text/html",
        "image/png",
        "",
        "NaN",
        "\xff\xfe",
        "x" * 8000,
    ],
)
async def test_the_body_counts_and_not_what_it_is_called(said: str) -> None:
    """JSON is read as UTF-8 whatever its content type says: firmware 1.43.3 calls it plain text."""
    assert await asked(response(OPERATION, headers=f"content-type: {said}\r\n")) == READ


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(OPERATION, mtime=0)),
        ("deflate", zlib.compress(OPERATION)),
        ("br", OPERATION),
        ("identity, gzip", gzip.compress(OPERATION, mtime=0)),
        ("gzip", OPERATION),
        ("NaN", OPERATION),
    ],
)
async def test_what_was_not_asked_for_is_refused(coding: str, body: bytes) -> None:
    """An answer that says it is compressed is refused, whether or not it is."""
    outcome = await asked(response(body, headers=f"content-encoding: {coding}\r\n"))

    assert isinstance(outcome, Transient)
    assert "compressed" in str(outcome)


async def test_a_compressed_body_that_does_not_say_so_is_no_json() -> None:
    """Compressed bytes under no name are nonsense like any other."""
    outcome = await asked(response(gzip.compress(OPERATION, mtime=0)))

    assert isinstance(outcome, Transient)


@pytest.mark.parametrize(
    "headers",
    [
        "content-length: NaN\r\n",
        "content-length: -1\r\n",
        "content-length: 1e3\r\n",
        "content-length: 0x3c\r\n",
        "content-length: \r\n",
        f"content-length: {'9' * 400}\r\n",
        f"content-length: {len(OPERATION) + 1}\r\n",
        f"content-length: {len(OPERATION) - 1}\r\n",
        "content-length: 0\r\n",
        f"content-length: {len(OPERATION)}\r\ncontent-length: 3\r\n",
        f"content-length: {len(OPERATION)}, 3\r\n",
        "transfer-encoding: chunked\r\n",
        "transfer-encoding: gzip\r\n",
        f"content-length: {len(OPERATION)}\r\n: nameless\r\n",
        f"content-length: {len(OPERATION)}\r\nbad name: x\r\n",
        f"content-length: {len(OPERATION)}\r\nx: {'y' * 200_000}\r\n",
        f"content-length: {len(OPERATION)}\r\nx: \0\r\n",
    ],
    ids=lambda headers: headers[:40].replace("\r\n", " ").strip(),
)
async def test_a_length_that_lies_is_transient(headers: str) -> None:
    """A body that is not as long as it is said to be, or a head that is none, is never read as an answer."""
    outcome = await asked(head(headers))

    assert isinstance(outcome, Transient)
    assert len(str(outcome)) < 200


@pytest.mark.parametrize("headers", ["", f"content-length: {len(OPERATION)}\r\n" * 2])
async def test_a_length_that_is_left_out_or_said_twice_does_no_harm(headers: str) -> None:
    """Without a length the answer ends with the connection, and the same length twice is one."""
    assert await asked(head(headers)) == READ


async def test_what_is_left_over_is_not_taken_for_the_next_answer() -> None:
    """Bytes behind an answer, from a length that is too short, spoil at most one call and are never read as its answer."""

    async def twice(gateway: LocalGateway) -> object:
        first = await gateway.read()
        return first, await gateway.read()

    outcome = await asked(response(OPERATION) + OPERATION, twice)

    assert outcome == (READ, READ) or isinstance(outcome, Transient)


@pytest.mark.parametrize(
    ("said", "silence_s"),
    [
        ("600", 600.0),
        ("NaN", 300.0),
        ("-1", 300.0),
        ("0", 300.0),
        ("1e3", 300.0),
        ("1.5", 300.0),
        ("inf", 300.0),
        ("9" * 4000, 3600.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 300.0),
        ("\xb2", 300.0),
        ("600, 700", 300.0),
        ("", 300.0),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_how_long_to_keep_silent_is_never_absurd(said: str, silence_s: float) -> None:
    """However a gateway says for how long it wants peace, it gets five minutes to an hour."""
    outcome = await asked(
        head(f"retry-after: {said}\r\ncontent-length: 0\r\n", b"").replace(
            b"200 OK", b"429 Too Many Requests"
        )
    )

    assert isinstance(outcome, Throttled)
    assert outcome.silence_s == silence_s


@pytest.mark.parametrize("call", ["get_operation", "post_operation"])
@pytest.mark.parametrize(
    "location",
    [
        "/api/elsewhere",
        "https://elsewhere.example/",
        "//",
        "http:///x",
        "",
        "mailto:me",
        "https:x",
        "http://xn--zz/",
        "http://[::1",
    ],
)
async def test_where_a_redirect_leads_does_not_matter(location: str, call: str) -> None:
    """A redirect is not followed, so its address is not even looked at: a broken one is a redirect like any other."""
    answer = response(b"", status="301 Moved Permanently", headers=f"location: {location}\r\n")
    outcome = await asked(answer, CALLS[call][2])

    assert isinstance(outcome, NotOffered)
    assert "elsewhere (301)" in str(outcome)


async def test_cookies_that_lie_are_neither_kept_nor_fatal() -> None:
    """Set-Cookie headers full of nonsense change nothing about the answer."""
    cookies = "".join(
        f"set-cookie: {cookie}\r\n"
        for cookie in (
            "=;;;=",
            "a=b; Max-Age=NaN; Expires=Thu, 99 Foo 99999 99:99:99 GMT",
            f"AuthCookie={TOKEN}; Domain=.example; Version=x",
            "\xff=\xfe; Path=\xfd",
            "x" * 4000,
        )
    )

    assert await asked(response(OPERATION, headers=cookies)) == READ
