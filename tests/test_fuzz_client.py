"""A made-up gateway behind the client: any status, any headers and any body, to any call, in any order."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import httpx
import pytest
from effort import CLIENT_BRIEF, CLIENT_LONG, soon
from fake_gateway import EMAIL, NOW, PASSWORD, TOKEN, gateway_of, write
from hostile import CANARY, bodies
from hypothesis import example, given
from hypothesis import strategies as st
from shapes_of import shape

from scheduler.gateway import calls
from scheduler.gateway.local import LocalGateway
from scheduler.model.errors import GatewayError, Refused, SessionExpired, Throttled
from scheduler.model.setpoint import Setpoint

LOGIN = shape("23.28/login.Basic")
THEIR_TOKEN = "Fict-_" * 14 + "io=="
SECRETS = (PASSWORD, EMAIL, TOKEN, THEIR_TOKEN, CANARY)

METHODS: dict[str, tuple[Callable[[LocalGateway], Awaitable[object]], str]] = {
    "identify": (LocalGateway.identify, "status"),
    "login": (LocalGateway.login, "login"),
    "repair": (lambda gateway: gateway.login(repair=True), "login"),
    "read": (LocalGateway.read, "operation"),
    "write": (write, "operation"),
    "write a part": (lambda gateway: gateway.write(Setpoint(reserve_percent=60)), "operation"),
    "commit": (LocalGateway.commit, "config.completed"),
    "is_running": (LocalGateway.is_running, "sitemaster"),
    "start": (LocalGateway.start, "sitemaster"),
    "stop": (LocalGateway.stop, "sitemaster"),
    "live": (LocalGateway.live, "system_status.soe"),
    "grid_faults": (LocalGateway.grid_faults, "system_status.grid_faults"),
    "power": (LocalGateway.power, "meters.aggregates"),
    "check_for_update": (LocalGateway.check_for_update, "system.update.status"),
    "update_status": (LocalGateway.update_status, "system.update.status"),
    "inspect": (lambda gateway: gateway.inspect(calls.SITE_INFO), "site_info"),
    "logout": (LocalGateway.logout, "status"),
}
"""Everything that the client can be asked, and the answers that belong to it."""

HEADERS = (
    ("retry-after", "NaN"),
    ("retry-after", "-1"),
    ("retry-after", "1e999"),
    ("retry-after", "9" * 5000),
    ("retry-after", "Wed, 21 Oct 2026 07:28:00 GMT"),
    ("retry-after", "\xb2"),
    ("retry-after", "120"),
    ("content-type", "text/plain; charset=utf-16"),
    ("content-type", "text/html; charset=" + "x" * 2000),
    ("content-type", f"application/{CANARY}"),
    ("content-encoding", "gzip"),
    ("content-encoding", "br, identity"),
    ("content-encoding", CANARY),
    ("content-length", "0"),
    ("content-length", "NaN"),
    ("content-length", "-1"),
    ("content-length", "9" * 400),
    ("transfer-encoding", "chunked"),
    ("set-cookie", f"AuthCookie={CANARY}; Path=/; Max-Age=NaN"),
    ("set-cookie", "=;;;=; Expires=Thu, 99 Foo 99999 99:99:99"),
    ("set-cookie", "a=b; Domain=\xff; Version=x"),
    ("www-authenticate", "Basic realm=" + CANARY),
    ("date", "NaN"),
    ("x", "\xff" * 3000),
)

REASONS = (b"", b"physical access", b"Cannot Start Wizard", b"RealMode must be either")


@dataclass
class Reply:
    """One answer: its status, headers and body, or None in place of a status for a connection that breaks."""

    status: int | None
    headers: list[tuple[str, str]]
    body: bytes


class Body(httpx.AsyncByteStream):
    """A body in pieces, which ends in a broken connection if it is to."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for start in range(0, len(self._content), 65_536):
            yield self._content[start : start + 65_536]


@dataclass
class Liar:
    """A gateway that gives the replies in their order, the last one for ever."""

    replies: list[Reply] = field(default_factory=list)
    requests: list[httpx.Request] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """The next answer."""
        self.requests.append(request)
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        if reply.status is None:
            raise httpx.ReadError(CANARY, request=request)
        headers = [(name.encode(), value.encode("latin-1")) for name, value in reply.headers]
        return httpx.Response(reply.status, headers=headers, stream=Body(reply.body))


@dataclass
class Turn:
    """What is asked next, how much later, and what is answered."""

    method: str
    minutes: int
    replies: list[Reply]


def turns(method: str) -> st.SearchStrategy[Turn]:
    """A call with one to three answers, some of them such as belong to it."""
    known = METHODS[method][1]
    content = st.just(LOGIN if known == "login" else b"{}") | bodies(known)
    content |= st.sampled_from(REASONS).map(lambda reason: b'{"error":"' + reason + CANARY.encode() + b'"}')
    status = st.sampled_from([200, 200, 200, 202, 401, 403, 429, 500, 502, None]) | st.integers(100, 599)
    reply = st.builds(Reply, status, st.lists(st.sampled_from(HEADERS), max_size=3), content)
    minutes = st.sampled_from([0, 1, 6, 2000])
    return st.builds(Turn, st.just(method), minutes, st.lists(reply, min_size=1, max_size=3))


def known_login() -> Turn:
    """A login that goes well, so that there is a session to be spoiled."""
    return Turn("login", 0, [Reply(200, [], LOGIN)])


conversations = st.tuples(
    st.booleans(), st.lists(st.one_of([turns(method) for method in METHODS]), min_size=1, max_size=6)
).map(lambda drawn: [known_login()] * drawn[0] + drawn[1])


async def check_conversation(conversation: list[Turn]) -> None:
    """Ask all of it; each turn is judged by itself."""
    now = NOW
    liar = Liar()

    def clock() -> datetime:
        return now

    gateway = gateway_of(liar, now=clock)  # type: ignore[arg-type]  # it answers requests like the other fake
    try:
        for turn in conversation:
            now += timedelta(minutes=turn.minutes)
            liar.replies, liar.requests = list(turn.replies), []
            with soon():
                await check_turn(gateway, turn, liar)
    finally:
        await gateway.close()


async def check_turn(gateway: LocalGateway, turn: Turn, liar: Liar) -> None:
    """One call gives a value or one of our errors, and leaves a sane session and sane steps."""
    had_session = gateway.has_session
    error: GatewayError | None = None
    try:
        await METHODS[turn.method][0](gateway)
    except GatewayError as caught:
        error = caught
        check_error(caught)
    steps = gateway.exchanges()

    assert len(steps) <= len(liar.requests) <= 2 * len(steps)
    for step in steps:
        assert step.step in {call.step for call in calls.CALLS}
        assert step.status is None or 100 <= step.status <= 599
        assert step.ms >= 0
    if turn.method in {"login", "repair"} and steps:
        assert gateway.has_session is (error is None)
    elif turn.method == "logout" and error is None:
        assert not gateway.has_session
    elif turn.method == "identify":  # without the token, so it says nothing of it
        assert gateway.has_session is had_session
    elif isinstance(error, SessionExpired):  # given up, unless another call has shown since that it lives
        assert gateway.has_session is (had_session and steps[-1].status in range(200, 300))
    else:
        assert gateway.has_session is had_session
    assert gateway.has_session or gateway.roles == ()
    for request in liar.requests:
        check_request(request)


def check_error(error: GatewayError) -> None:
    """An error is a short sentence that repeats no secret and nothing of the answer."""
    said = str(error)
    assert 10 < len(said) < 400
    assert said.isprintable()
    assert [secret for secret in SECRETS if secret in said + repr(error)] == []
    if isinstance(error, Throttled):
        assert math.isfinite(error.silence_s)
        assert error.silence_s > 0
    if isinstance(error, Refused):
        assert error.remedy


def check_request(request: httpx.Request) -> None:
    """A request goes to the gateway and to nobody else, and shows the session's token or none."""
    assert request.url.host == "powerwall"
    assert request.url.path.startswith("/api/")
    shown = request.headers.get("cookie", "")
    assert CANARY not in shown
    assert "\n" not in shown
    assert request.headers.get("authorization", "") == shown.replace("AuthCookie=", "Bearer ")


@CLIENT_BRIEF
@given(conversations)
@example([known_login(), Turn("read", 0, [Reply(401, [], b"{}"), Reply(200, [], b"{}")])])
def test_the_client_lets_nothing_but_its_own_errors_out(conversation: list[Turn]) -> None:
    """Whatever a gateway answers to whatever it is asked, the client says so in its own errors and stays usable."""
    asyncio.run(check_conversation(conversation))


@pytest.mark.slow
@CLIENT_LONG
@given(conversations)
def test_the_client_lets_nothing_but_its_own_errors_out_in_a_long_search(conversation: list[Turn]) -> None:
    """The same with 5,000 conversations."""
    asyncio.run(check_conversation(conversation))


async def check_statuses(method: str, statuses: Iterable[int]) -> None:
    """One method takes each of these statuses, with and without a body."""
    for status in statuses:
        for body in (b"", f'{{"error":"{CANARY}"}}'.encode()):
            await check_conversation([known_login(), Turn(method, 6, [Reply(status, [], body)])])


@pytest.mark.parametrize("method", METHODS)
async def test_every_kind_of_status_is_an_answer_or_an_error_of_ours(method: str) -> None:
    """Each method of the client takes statuses of each kind, and those around them, and never crashes."""
    await check_statuses(
        method, (100, 199, 204, 299, 300, 399, 400, 401, 403, 404, 408, 417, 429, 500, 502, 599)
    )


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
async def test_every_status_is_an_answer_or_an_error_of_ours(method: str) -> None:
    """Each method of the client takes each status from 100 to 599, and never crashes."""
    await check_statuses(method, range(100, 600))
