"""The faults of a gateway, G14 and G15: names that lead nowhere or elsewhere, and certificates and TLS that are not what they were.

The table of all faults is in `test_gateway_faults.py`. Over real TLS; after every test all that was put out is searched for
secrets.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from bench import Bench, local
from canary import EMAIL, OTHER_SERIAL, SERIAL, Canary, watching
from clockwork import VirtualClock
from days import Run
from fake_gateway import Ledger
from fault_way import (
    CALL_S,
    GATEWAY,
    LOGGED_IN,
    PATIENCE_S,
    STATUS,
    TOKEN,
    MarkSet,
    client,
    device,
    took_s,
    way,
)
from tls_peer import LONG_AGO, Made, always, make_certificate, response
from tls_peer import serving as peer

from scheduler.control.session import Session
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import IdentityChanged, Transient
from scheduler.model.events import GatewayBack, PersonNeeded
from scheduler.model.evidence import Verdict
from scheduler.simulator.server import serving


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


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> dict[str, Callable[[], str]]:
    """What the names of this machine lead to in the test; a name that is not there is unknown."""
    known: dict[str, Callable[[], str]] = {}
    real = socket.getaddrinfo

    def resolve(host: str | bytes | None, *args: object, **kwargs: object) -> object:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name in known:
            return real(known[name](), *args, **kwargs)  # type: ignore[arg-type]  # as it was called
        if name.endswith(".test"):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *args, **kwargs)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    return known


async def test_g14_a_name_that_is_unknown_for_a_while(
    tmp_path: Path, canary: Canary, names: dict[str, Callable[[], str]]
) -> None:
    """Transient, in words that name the setting; once the name is known again the client finds its way by itself."""
    async with serving(device(), directory=tmp_path / "gateway") as served:
        gateway = client(served.port, bytes.fromhex(served.sha256), host="powerwall.test")
        _, error = await took_s(gateway.identify)
        assert isinstance(error, Transient)
        assert "its name is unknown here; if this lasts, check gateway.host" in str(error)

        names["powerwall.test"] = lambda: "127.0.0.1"
        assert (await gateway.identify()).firmware == "1.45.2"
        await gateway.close()


async def test_g14_a_name_that_is_lost_leads_to_where_it_led_last(
    tmp_path: Path, canary: Canary, names: dict[str, Callable[[], str]]
) -> None:
    """With the router's names gone the gateway is reached where it was, also by a connection that must be made anew."""
    known = device()
    async with serving(known, directory=tmp_path / "gateway") as served:
        names["powerwall.test"] = lambda: "127.0.0.1"
        gateway = client(served.port, bytes.fromhex(served.sha256), host="powerwall.test")
        await gateway.login()
        del names["powerwall.test"]
    async with serving(known, directory=tmp_path / "gateway", port=served.port):
        assert (await gateway.read()).mode is not None
    _, error = await took_s(gateway.identify)
    await gateway.close()

    assert isinstance(error, Transient)
    assert "its name is unknown here" in str(error)


async def test_g14_a_name_that_nobody_tells_in_time_leads_to_where_it_led_last(
    tmp_path: Path, canary: Canary, names: dict[str, Callable[[], str]]
) -> None:
    """A name server that is silent, as one on a router that is off, keeps nobody from the gateway, within the deadline of the call."""
    known, answered = device(), threading.Event()

    def hang() -> str:
        answered.wait(PATIENCE_S)
        return "127.0.0.1"

    async with serving(known, directory=tmp_path / "gateway") as served:
        names["powerwall.test"] = lambda: "127.0.0.1"
        gateway = client(served.port, bytes.fromhex(served.sha256), host="powerwall.test")
        await gateway.login()
        names["powerwall.test"] = hang
    async with serving(known, directory=tmp_path / "gateway", port=served.port):
        assert (await gateway.read()).mode is not None
    seconds, error = await took_s(gateway.identify)
    answered.set()
    await gateway.close()

    assert isinstance(error, Transient)
    assert "did not take the connection in time" in str(error)
    assert seconds <= CALL_S + 1.0


async def test_g14_where_a_lost_name_led_somebody_else_may_live_now(
    tmp_path: Path, canary: Canary, names: dict[str, Callable[[], str]]
) -> None:
    """Another device at the last good address is asked for nothing, and nobody is told to trust it: the name is what is lost."""
    known, other = device(), device(OTHER_SERIAL)
    async with serving(known, directory=tmp_path / "known") as served:
        names["powerwall.test"] = lambda: "127.0.0.1"
        gateway = client(served.port, bytes.fromhex(served.sha256), host="powerwall.test")
        await gateway.login()
    del names["powerwall.test"]
    async with serving(other, directory=tmp_path / "other", port=served.port):
        for ask in (gateway.identify, gateway.read):
            with pytest.raises(Transient, match="its name is unknown here"):
                await ask()
        await gateway.close()

    assert other.requests.total() == 0


async def test_g14_a_name_server_that_does_not_answer(
    tmp_path: Path, canary: Canary, names: dict[str, Callable[[], str]]
) -> None:
    """A call waits for the name as long as for everything else, and no longer."""
    answered = threading.Event()

    def hang() -> str:
        answered.wait(PATIENCE_S)
        return "127.0.0.1"

    async with serving(device(), directory=tmp_path / "gateway") as served:
        names["powerwall.test"] = hang
        gateway = client(served.port, bytes.fromhex(served.sha256), host="powerwall.test")
        seconds, error = await took_s(gateway.identify)
        answered.set()
        await gateway.close()

    assert isinstance(error, Transient)
    assert seconds <= CALL_S + 1.0


async def test_g14_a_name_that_leads_to_another_device(
    tmp_path: Path, canary: Canary, names: dict[str, Callable[[], str]]
) -> None:
    """The name, or the address behind it, is another gateway's now: the certificate decides, and it is asked for nothing."""
    known, other = device(), device(OTHER_SERIAL)
    async with (
        serving(known, directory=tmp_path / "known") as served,
        serving(other, directory=tmp_path / "other", host="127.0.0.2", port=served.port),
    ):
        names["powerwall.test"] = lambda: "127.0.0.2"
        gateway = client(served.port, bytes.fromhex(served.sha256), host="powerwall.test", deadline_s=5.0)
        for ask in (gateway.identify, gateway.login, gateway.read):
            with pytest.raises(IdentityChanged, match="another certificate than the one that was trusted"):
                await ask()
        assert other.requests.total() == 0

        names["powerwall.test"] = lambda: "127.0.0.1"
        await gateway.login()
        await gateway.close()

    assert known.requests["POST /api/login/Basic"] == 1
    assert other.requests.total() == 0


def real_bench(port: int, fingerprint: bytes, canary: Canary) -> Bench:
    """A bench in virtual time whose client goes over real TLS to this port."""
    clock = VirtualClock(local("12:00"))
    story: list[str] = []
    ledger = Ledger()

    def new_gateway() -> LocalGateway:
        return LocalGateway(
            Endpoint(host="127.0.0.1", port=port, server_name="powerwall", fingerprint=fingerprint),
            Credentials(username="installer", password=f"S{SERIAL}", email=EMAIL),
            ledger=ledger,
            now=clock.now,
        )

    marks = MarkSet()
    gateway = new_gateway()
    return Bench(
        clock=clock,
        device=device(),
        wire=None,  # type: ignore[arg-type]  # there is a real one
        gateway=gateway,
        marks=marks,  # type: ignore[arg-type]  # they tell no story
        session=Session(gateway, clock, marks, canary.events.append),
        story=story,
        events=canary.events,
        _new_gateway=new_gateway,
    )


async def test_g15_a_certificate_that_changed_ends_all_talk_and_is_told_once(
    tmp_path: Path, canary: Canary
) -> None:
    """The daemon before an impostor for three hours: not one byte beyond the handshake, told once, and nothing forgotten."""
    async with peer(make_certificate(), always(response(STATUS))) as impostor:
        b = real_bench(impostor.port, GATEWAY.fingerprint, canary)
        run = Run(b)
        canary.reports.append(run.reports)

        await run.until(local("15:00"))
        await b.gateway.close()

    assert impostor.bytes == 0
    assert len(impostor.names) >= 10
    assert len(run.told(PersonNeeded)) == 1
    assert "trust --replace" in (run.reports[-1].trouble or "")
    assert run.told(GatewayBack) == []
    assert {record.verdict for record in run.records} == {Verdict.REFUSED}
    assert run.reports[-1].desired == run.reports[0].desired


async def test_g15_a_certificate_that_is_replaced_under_a_session(tmp_path: Path, canary: Canary) -> None:
    """Within a session the gateway has another certificate from one call to the next: no token and no password go there."""
    async with way(tmp_path, deadline_s=5.0) as it:
        await it.gateway.login()
        await it.gateway.read()
        asked = it.device.requests.total()
        it.device.mischief.certificate += 1

        for ask in (it.gateway.read, it.gateway.login, it.gateway.identify):
            with pytest.raises(IdentityChanged):
                await ask()

        assert it.device.requests.total() == asked


@pytest.mark.parametrize(
    "made", [make_certificate(not_before=LONG_AGO, not_after=LONG_AGO.replace(year=2002))], ids=["expired"]
)
async def test_g15_the_trusted_certificate_is_good_beyond_its_dates(canary: Canary, made: Made) -> None:
    """Expired but the same: the client logs in and reads as ever."""

    async def behave(number: int, writer: asyncio.StreamWriter) -> bool:
        return await always(response(STATUS if number == 1 else LOGGED_IN))(number, writer)

    async with peer(made, behave) as seen:
        gateway = client(seen.port, made.fingerprint, deadline_s=5.0)
        identity = await gateway.identify()
        await gateway.login()
        await gateway.close()

    assert identity.firmware == "1.45.2"
    assert seen.lines == ["GET /api/status", "POST /api/login/Basic"]


@pytest.mark.parametrize("name", ["TLSv1", "TLSv1_1"])
async def test_g15_old_tls_is_refused_before_a_byte_is_said(canary: Canary, name: str) -> None:
    """A server with the trusted certificate that speaks TLS 1.0 or 1.1 alone, as others can: nothing is said to it."""
    version = ssl.TLSVersion[name]
    said: list[bytes] = []
    handshakes: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handshakes.append(writer.get_extra_info("ssl_object").version())
        said.append(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(
        talk, "127.0.0.1", 0, ssl=old_context(version, ssl.PROTOCOL_TLS_SERVER, GATEWAY)
    )
    port = server.sockets[0].getsockname()[1]
    try:
        # The server does speak it: with somebody who takes anything.
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=old_context(version, ssl.PROTOCOL_TLS_CLIENT), server_hostname="powerwall"
        )
        writer.write(b"x")
        while not said:
            await asyncio.sleep(0.01)
        writer.close()
        gateway = client(port, GATEWAY.fingerprint, deadline_s=2.0)
        for ask in (gateway.identify, gateway.login):
            _, error = await took_s(ask)
            assert isinstance(error, Transient)
            assert "broke off the TLS handshake" in str(error)
        await gateway.close()
    finally:
        server.close()
        await server.wait_closed()

    assert handshakes == [name.replace("_", ".")]
    assert said == [b"x"]


def old_context(version: ssl.TLSVersion, protocol: int, made: Made | None = None) -> ssl.SSLContext:
    """A context for this version alone, as careless as it takes."""
    context = ssl.SSLContext(protocol)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = version
        context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    if made is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        with tempfile.TemporaryDirectory() as folder:
            chain = Path(folder) / "chain.pem"
            chain.write_bytes(made.key + made.pem)
            context.load_cert_chain(chain)
    return context
