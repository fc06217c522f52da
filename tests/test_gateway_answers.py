"""What each status of the gateway means to each call: who has to act, and what becomes of the session."""

from __future__ import annotations

import httpx
import pytest
from fake_gateway import ACTING, CALLS, Fake, gateway_of, write

from scheduler.model.errors import (
    BadCredentials,
    GatewayError,
    NotCapable,
    NotLetIn,
    NotOffered,
    SessionExpired,
    Throttled,
    Transient,
    Unsteady,
    Unwilling,
)

STATUSES: list[tuple[int, type[GatewayError]]] = [
    (301, NotOffered),
    (302, NotOffered),
    (304, NotOffered),
    (400, NotOffered),
    (401, SessionExpired),
    (404, NotOffered),
    (405, NotOffered),
    (408, Transient),
    (409, NotOffered),
    (410, NotOffered),
    (415, NotOffered),
    (417, NotOffered),
    (418, NotOffered),
    (422, NotOffered),
    (424, Transient),
    (429, Throttled),
    (500, Transient),
    (502, Unsteady),
    (503, Unsteady),
    (504, Transient),
]


@pytest.mark.parametrize("step", CALLS)
@pytest.mark.parametrize(("status", "kind"), STATUSES)
async def test_what_a_status_means_within_a_session(step: str, status: int, kind: type[GatewayError]) -> None:
    """With a token that was good once, each status is exactly one of our errors, and only 401 ends the session."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.identify()
    await gateway.read()
    method, path, call = CALLS[step]
    fake.says(method, path, status)

    with pytest.raises(GatewayError) as caught:
        await call(gateway)
    await gateway.close()

    assert type(caught.value) is kind
    assert gateway.has_session is (status != 401)


@pytest.mark.parametrize("step", CALLS)
@pytest.mark.parametrize("status", [401, 403])
async def test_without_a_token_a_login_is_wanted(step: str, status: int) -> None:
    """Without a token, 401 and 403 mean that a login is needed."""
    fake = Fake()
    gateway = gateway_of(fake)
    method, path, call = CALLS[step]
    fake.says(method, path, status)

    with pytest.raises(SessionExpired):
        await call(gateway)
    await gateway.close()


@pytest.mark.parametrize("step", sorted(ACTING))
async def test_a_403_where_something_is_done_is_the_role(step: str) -> None:
    """A 403 on a call that acts is final, keeps the token, and never leads to a login."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.read()
    method, path, call = CALLS[step]
    fake.says(method, path, 403)

    with pytest.raises(NotCapable, match="installer"):
        await call(gateway)
    await gateway.close()

    assert gateway.has_session
    assert fake.lines.count("POST /api/login/Basic") == 1


async def test_a_403_on_a_read_is_a_dead_token_once() -> None:
    """A read that a good token may no longer do wants one login; refused straight after it, it is the role."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.read()
    fake.says("GET", "/api/operation", 403)
    with pytest.raises(SessionExpired):
        await gateway.read()
    assert not gateway.has_session
    await gateway.login()

    with pytest.raises(NotCapable):
        await gateway.read()
    await gateway.close()

    assert gateway.has_session


async def test_a_read_that_stays_forbidden_costs_one_login_only() -> None:
    """Other calls that go well in between do not turn a lasting 403 into a login each time."""
    fake = Fake()
    gateway = gateway_of(fake)
    fake.says("GET", "/api/system/update/status", 403)
    outcomes = []
    for _ in range(5):
        if not gateway.has_session:
            await gateway.login()
            await gateway.read()
        with pytest.raises((SessionExpired, NotCapable)) as caught:
            await gateway.update_status()
        outcomes.append(type(caught.value))
    await gateway.close()

    assert outcomes == [SessionExpired, NotCapable, NotCapable, NotCapable, NotCapable]
    assert fake.lines.count("POST /api/login/Basic") == 2


@pytest.mark.parametrize(
    ("status", "body", "kind", "words"),
    [
        (401, b'{"code":401,"error":"bad credentials","message":"Login Error"}', BadCredentials, "password"),
        (401, b"", BadCredentials, "password"),
        (
            401,
            b'{"error":"roles [Provider_Engineer] require physical access","message":"Login Error"}',
            NotCapable,
            "customer",
        ),
        (403, b"", NotLetIn, "username"),
        (404, b"", NotOffered, "POST /api/login/Basic"),
        (429, b"", Throttled, "429"),
        (
            500,
            b'{"code":500,"error":"Cannot Start Wizard","message":"Unable to stop sitemaster"}',
            Unwilling,
            "force_sm_off",
        ),
        (500, b"", Transient, "500"),
        (503, b'{"error":"current config mode is busy"}', Unsteady, "busy"),
        (200, b"<html>", Transient, "not JSON"),
        (200, b"{}", Transient, "token"),
    ],
)
async def test_what_a_status_means_to_a_login(
    status: int, body: bytes, kind: type[GatewayError], words: str
) -> None:
    """Each answer to a login is one of our errors, says what to do, and leaves no session."""
    fake = Fake()
    gateway = gateway_of(fake)
    fake.says("POST", "/api/login/Basic", status, body)

    with pytest.raises(GatewayError, match=words) as caught:
        await gateway.login()
    await gateway.close()

    assert type(caught.value) is kind
    assert not gateway.has_session


@pytest.mark.parametrize(
    ("retry_after", "silence_s"),
    [
        (None, 300),
        ("1", 300),
        ("600", 600),
        ("99999999", 3600),
        ("9" * 5000, 3600),
        ("-5", 300),
        ("\u0663", 300),
        ("Wed, 01 Jul 2099 07:55:00 GMT", 300),
    ],
)
async def test_silence_after_a_429_has_bounds(retry_after: str | None, silence_s: float) -> None:
    """After a 429 the silence lasts 300 s to an hour, whatever Retry-After says."""
    fake = Fake()
    gateway = gateway_of(fake)
    headers = {} if retry_after is None else {"retry-after": retry_after}
    fake.odd["GET", "/api/operation"] = httpx.Response(
        429, headers={k: v.encode() for k, v in headers.items()}
    )

    with pytest.raises(Throttled) as caught:
        await gateway.read()
    await gateway.close()

    assert caught.value.silence_s == silence_s


async def test_a_mode_that_the_firmware_does_not_take_is_said() -> None:
    """The 500 for a mode like autonomous points to the rule, and latches nothing: other rules may go on."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    fake.says(
        "POST", "/api/operation", 500, b'{"error":"RealMode must be either self_consumption or backup"}'
    )

    with pytest.raises(Transient, match="in the rule"):
        await write(gateway)
    await gateway.close()


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (404, b"", "does not know POST /api/operation .*starting up"),
        (405, b"", "not with POST .*starting up"),
        (400, b"", "as we say it"),
        (409, b'{"code":409,"error":"Sitemaster is current running"}', "only while the battery is stopped"),
        (409, b"", "stands against POST /api/operation"),
        (410, b"", "no longer has"),
        (417, b"", "toggled a switch"),
        (301, b"", "elsewhere"),
    ],
)
async def test_what_is_not_offered_is_said_in_words_and_never_answered_with_a_login(
    status: int, body: bytes, words: str
) -> None:
    """Each has its own sentence and a remedy, keeps the session, and costs nothing but the request itself."""
    fake = Fake()
    gateway = gateway_of(fake)
    await gateway.login()
    await gateway.read()
    asked = len(fake.requests)
    fake.says("POST", "/api/operation", status, body)

    with pytest.raises(NotOffered, match=words) as caught:
        await write(gateway)
    await gateway.close()

    assert len(caught.value.remedy) > 20
    assert gateway.has_session
    assert len(fake.requests) == asked + 1
