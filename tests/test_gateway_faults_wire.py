"""The faults of a gateway on the wire, over real TLS and real sockets: G4 (redirects), G7, G8.

The table of all faults is in `test_gateway_faults.py`. After every test all that was put out is searched for secrets. The
deadlines are scaled down here, from 10 s to less than one; with the real ones in the slow suite.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from bench import BY_NIGHT
from canary import Canary, watching
from fault_way import (
    CALL_S,
    GATEWAY,
    LOGGED_IN,
    PATIENCE_S,
    STATUS,
    TOKEN,
    MarkSet,
    Quick,
    Way,
    client,
    took_s,
    way,
)
from tls_peer import Behaviour, always, make_certificate, response
from tls_peer import serving as peer
from toxic_proxy import ToxicProxy

from scheduler.control.session import Session
from scheduler.control.switch import Order, Procedure
from scheduler.daemon.clock import SystemClock
from scheduler.model.errors import NotCapable, Transient
from scheduler.model.evidence import Verdict
from scheduler.simulator.scenario import apply_scenario


@pytest.fixture(autouse=True)
def canary(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Canary]:
    """Search all that each test put out for secrets."""
    with watching(tmp_path, capfd, caplog, monkeypatch) as it:
        it.secrets.append(TOKEN)
        yield it


TOXICS: dict[str, Callable[[ToxicProxy], object]] = {
    "latency": lambda proxy: setattr(proxy.down, "latency_s", 20.0),
    "bandwidth": lambda proxy: setattr(proxy.down, "bytes_per_s", 10.0),
    "bandwidth up": lambda proxy: setattr(proxy.up, "bytes_per_s", 10.0),
    "sliced": lambda proxy: (
        setattr(proxy.down, "slice_bytes", 1),
        setattr(proxy.down, "slice_pause_s", 0.1),
    ),
    "half-open down": lambda proxy: setattr(proxy.down, "half_open", True),
    "half-open up": lambda proxy: setattr(proxy.up, "half_open", True),
    "cut off": lambda proxy: setattr(proxy.down, "limit_bytes", 60),
    "reset": lambda proxy: setattr(proxy, "resets", True),
    "blackhole": lambda proxy: setattr(proxy, "blackhole", True),
}


@pytest.mark.parametrize("warm", [True, False], ids=["within a session", "from the handshake on"])
@pytest.mark.parametrize("toxic", TOXICS)
async def test_g7_a_call_ends_in_time_whatever_is_wrong_with_the_way(
    tmp_path: Path, canary: Canary, toxic: str, *, warm: bool
) -> None:
    """Each thing that can be wrong with a way: the call ends by its deadline as Transient, and the next one after it is well."""
    async with way(tmp_path) as it:
        if warm:
            await it.gateway.login()
            await it.gateway.read()
        TOXICS[toxic](it.proxy)

        seconds, error = await took_s(it.gateway.read if warm else it.gateway.identify)

        assert isinstance(error, Transient)
        assert seconds <= CALL_S + 1.0
        it.proxy.heal()
        it.proxy.reset_now()
        again, error = await took_s(it.gateway.is_running)
        assert error is None, error
        assert again <= CALL_S


async def test_g7_an_end_that_is_kept_back_costs_nothing(tmp_path: Path, canary: Canary) -> None:
    """The gateway closes after each answer and the client learns of it late: every call is answered all the same."""
    async with way(tmp_path) as it:
        it.proxy.down.slow_close_s = 5.0
        it.proxy.up.slow_close_s = 5.0
        for _ in range(3):
            seconds, error = await took_s(it.gateway.identify)
            assert error is None
            assert seconds <= CALL_S
            it.proxy.close_now()

        assert it.device.requests["GET /api/status"] >= 3


def switch(it: Way) -> Procedure:
    """A switch to the night's setpoint, by the machine's own clock."""
    clock = SystemClock()
    marks = MarkSet()
    order = Order(
        desired=BY_NIGHT, boundary=clock.now(), until=datetime(2099, 1, 1, tzinfo=UTC), rules=("Night",)
    )
    session = Session(it.gateway, clock, marks, lambda _: None)
    return Procedure(order, gateway=it.gateway, session=session, clock=clock, marks=marks)


async def test_g7_an_attempt_of_a_switch_ends_in_time(tmp_path: Path, canary: Canary) -> None:
    """Every answer comes just before the deadline of its call: the attempt as a whole is given up, and said so."""
    async with way(tmp_path, deadline_s=2.0, kind=Quick) as it:
        await it.gateway.login()
        it.device.mischief.writes_to_ignore = 1
        it.proxy.down.latency_s = 0.9

        async with asyncio.timeout(PATIENCE_S):
            came = await switch(it).run()

        assert came.record.verdict is Verdict.UNREACHABLE
        assert "the attempt was not over after 2 s" in came.record.message
        it.proxy.heal()
        came = await switch(it).run()
        assert came.record.verdict.good
        assert it.device.obeyed.mode == "backup"


@pytest.mark.slow
@pytest.mark.parametrize("toxic", ["half-open down", "blackhole"])
async def test_g7_with_the_real_deadlines(tmp_path: Path, canary: Canary, toxic: str) -> None:
    """10 s for a call and 45 s for a switch, as the program has them."""
    async with way(tmp_path, deadline_s=10.0) as it:
        await it.gateway.login()
        TOXICS[toxic](it.proxy)
        began = asyncio.get_running_loop().time()

        seconds, error = await took_s(it.gateway.read)
        came = await switch(it).run()

        assert isinstance(error, Transient)
        assert seconds <= 10.5
        assert asyncio.get_running_loop().time() - began <= 10.5 + 45 + 0.5
        assert came.record.verdict is Verdict.UNREACHABLE


async def reset_after_the_answer(number: int, writer: asyncio.StreamWriter) -> bool:
    """Answer whole, and throw the connection away in the same moment; every second time."""
    writer.write(response(STATUS))
    await writer.drain()
    if number % 2:
        plain = writer.get_extra_info("socket")
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    return not number % 2


async def test_g7_a_reset_between_the_head_and_the_body_is_no_bug_of_ours(
    canary: Canary, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a connection that is reset as soon as the head was read nobody knows where it led; the call ends, and so does the next."""
    ask = httpx.AsyncHTTPTransport.handle_async_request
    gone = 0

    async def and_wait(it: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        nonlocal gone
        answer = await ask(it, request)
        with suppress(TimeoutError):
            async with asyncio.timeout(CALL_S / 5):
                while answer.extensions["network_stream"].get_extra_info("server_addr") is not None:
                    await asyncio.sleep(0.001)
                gone += 1
        return answer

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", and_wait)
    async with peer(GATEWAY, reset_after_the_answer) as seen:
        gateway = client(seen.port, GATEWAY.fingerprint)
        errors = [(await took_s(gateway.identify))[1] for _ in range(4)]
        await gateway.close()

    assert gone > 0
    assert all(error is None or isinstance(error, Transient) for error in errors)
    assert len(seen.requests) > gone


def dripping(part: str, pause_s: float) -> Behaviour:
    """A server that says its head or its body byte by byte and would take minutes for it."""
    whole = response(STATUS)
    split = 9 if part == "head" else whole.index(b"\r\n\r\n") + 4

    async def behave(_number: int, writer: asyncio.StreamWriter) -> bool:
        writer.write(whole[:split])
        for byte in whole[split:]:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(pause_s)
        return True

    return behave


@pytest.mark.parametrize("part", ["head", "body"])
async def test_g8_a_byte_now_and_then_does_not_keep_a_call(canary: Canary, part: str) -> None:
    """Each byte would start a timeout of a read anew; the deadline is that of the whole call."""
    async with peer(GATEWAY, dripping(part, CALL_S / 5)) as seen:
        gateway = client(seen.port, GATEWAY.fingerprint)
        seconds, error = await took_s(gateway.identify)
        await gateway.close()

    assert isinstance(error, Transient)
    assert "no complete answer within 0.5 s" in str(error)
    assert seconds <= CALL_S + 1.0


async def test_g8_the_simulated_gateways_slow_bytes(tmp_path: Path, canary: Canary) -> None:
    """The same by its own sentence, at a byte a second: Transient, and well again when it behaves."""
    async with way(tmp_path) as it:
        await it.gateway.login()
        apply_scenario(it.device, "slow bytes by 1s to /api/operation for the next request")
        seconds, error = await took_s(it.gateway.read)

        assert isinstance(error, Transient)
        assert seconds <= CALL_S + 1.0
        assert (await it.gateway.read()).mode == "self_consumption"


@pytest.mark.slow
@pytest.mark.parametrize("part", ["head", "body"])
async def test_g8_a_byte_a_second_with_the_real_deadline(canary: Canary, part: str) -> None:
    """10 s, as the program has them."""
    async with peer(GATEWAY, dripping(part, 1.0)) as seen:
        gateway = client(seen.port, GATEWAY.fingerprint, deadline_s=10.0)
        seconds, error = await took_s(gateway.identify)
        await gateway.close()

    assert isinstance(error, Transient)
    assert 9.5 <= seconds <= 10.5


@pytest.mark.parametrize("scheme", ["https", "http"])
@pytest.mark.parametrize(
    "status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect", "308 Permanent Redirect"]
)
async def test_g4_a_redirect_leads_nobody_elsewhere(canary: Canary, scheme: str, status: str) -> None:
    """Another server waits where the redirect points to: it gets no connection, on no call, and no login is tried for it."""
    async with peer(make_certificate(), always(response())) as elsewhere:
        place = f"{scheme}://127.0.0.1:{elsewhere.port}/api/operation"
        away = response(status=status, headers=f"location: {place}\r\n")

        async def behave(number: int, writer: asyncio.StreamWriter) -> bool:
            return await always(response(LOGGED_IN) if number == 1 else away)(number, writer)

        async with peer(GATEWAY, behave) as seen:
            gateway = client(seen.port, GATEWAY.fingerprint, deadline_s=5.0)
            await gateway.login()
            for ask in (gateway.read, gateway.identify, gateway.commit, gateway.login):
                _, error = await took_s(ask)
                assert isinstance(error, NotCapable)
                assert "we do not follow" in str(error)
            _, error = await took_s(lambda: gateway.write(BY_NIGHT))
            await gateway.close()

    assert isinstance(error, NotCapable)
    assert elsewhere.connections == 0
    assert len(seen.requests) == 6
    assert seen.connections == 1
