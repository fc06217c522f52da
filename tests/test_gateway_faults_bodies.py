"""The faults of a gateway, G9: bodies that are no JSON, not what they should be, or far too long, on every call that we read.

The table of all faults is in `test_gateway_faults.py`. After every test all that was put out is searched for secrets. What
one call makes of one body is also searched at random in `test_fuzz_client.py`; here it is the daemon that reads them.
"""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import logging
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from bench import local
from canary import SERIAL, Canary, watching
from days import obeyed
from faults import (
    CHARGE,
    FAULTS,
    GRID,
    LOGIN,
    METERS,
    READ,
    READ_BY_THE_DAEMON,
    SITEMASTER,
    STATUS,
    UPDATE,
    gaps_s,
    stage,
)
from starlette.responses import Response
from tls_peer import make_certificate, response, serving

from scheduler.gateway.local import LocalGateway
from scheduler.model.errors import Transient
from scheduler.model.events import GatewayBack, GatewayLost, PersonNeeded

SECRET = f'"{SERIAL}"'.encode()
NONSENSE: dict[str, bytes] = {
    "nothing": b"",
    "a word": SERIAL.encode(),
    "a page": b"<html><body>" + SERIAL.encode() + b"</body></html>",
    "cut short": b'{"din":' + SECRET + b',"percentage":6',
    "not UTF-8": b'{"version":"\xe4' + SECRET + b'"}',
    "UTF-16": '{"version":"1.45.2"}'.encode("utf-16"),
    "a byte order mark": b'\xef\xbb\xbf{"version":"1.45.2"}',
    "zero bytes": b"\0" * 64,
    "null": b"null",
    "a list of numbers": b"[1,2]",
    "a text": SECRET,
    "an empty object": b"{}",
    "NaN": b'{"percentage":NaN,"running":NaN,"backup_reserve_percent":NaN,"site":{"instant_power":NaN}}',
    "too large a number": b'{"percentage":1e999,"backup_reserve_percent":1e999,"real_mode":"backup"}',
    "5,000 digits": b'{"percentage":' + b"9" * 5000 + b"}",
    "the same key twice": b'{"running":true,"running":false,"version":"1","version":"2"}',
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "wrong types": b'{"version":1,"token":[],"real_mode":{},"running":"yes","percentage":"62","state":4,"grid_status":7}',
    "300 KiB": b" " * 300 * 1024,
}
"""Bodies that no call of ours may take. Some hold the serial number, which no error may repeat."""

METHODS: dict[str, Callable[[LocalGateway], Awaitable[object]]] = {
    STATUS: LocalGateway.identify,
    LOGIN: LocalGateway.login,
    READ: LocalGateway.read,
    SITEMASTER: LocalGateway.is_running,
    CHARGE: LocalGateway.live,
    GRID: LocalGateway.live,
    FAULTS: LocalGateway.grid_faults,
    METERS: LocalGateway.power,
    UPDATE: LocalGateway.update_status,
}
TAKEN = {(FAULTS, "null")}
"""What is an answer after all: no alerts are `[]` or null."""


@pytest.fixture(autouse=True)
def canary(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Canary]:
    """Search all that each test put out for secrets."""
    with watching(tmp_path, capfd, caplog, monkeypatch) as it:
        yield it


@pytest.mark.parametrize("call", READ_BY_THE_DAEMON)
async def test_g9_a_body_that_makes_no_sense_is_an_error_of_ours(canary: Canary, call: str) -> None:
    """Each body of the table on each call: Transient with a sentence that does not repeat it, and the client stays usable."""
    it = stage(canary)
    gateway = it.bench.gateway
    method = {  # looked up now: the canary listens to the class's methods
        name: getattr(LocalGateway, ask.__name__) for name, ask in METHODS.items()
    }[call]
    if call != LOGIN:
        await gateway.login()
        await gateway.start()
    for name, body in NONSENSE.items():
        if (call, name) in TAKEN:
            continue
        it.answers(200, call, body=body, left=1, headers={"content-type": "application/json; charset=utf-16"})
        with pytest.raises(Transient) as caught:
            await method(gateway)
        assert str(caught.value).startswith("the gateway"), name
        assert len(str(caught.value)) < 200
        it.bench.clock.passed_s += 3600  # logins have a budget
        await gateway.identify()


@pytest.mark.parametrize("call", READ_BY_THE_DAEMON)
async def test_g9_the_daemon_backs_off_from_nonsense_and_goes_on(
    canary: Canary, caplog: pytest.LogCaptureFixture, call: str
) -> None:
    """An hour of nonsense, another one each time: few requests, told at most once, no traceback, and well again after it."""
    it = stage(canary, local("12:00"))
    run = it.run()
    await run.until(local("12:02"))
    bodies = itertools.cycle(NONSENSE.values())

    def answer(_method: str, _now: datetime) -> Response:
        return Response(next(bodies), 200, media_type="application/json")

    it.trouble(call, lasting=timedelta(hours=1), answer=answer)
    it.bench.scenario("token expires")
    await run.until(local("13:10"))

    assert len(it.times()) <= 600
    assert it.count(LOGIN) <= 10 + 1 + 2, (
        "the budget of an hour, the first one, and two that may start the battery"
    )
    assert len(run.told(GatewayLost)) == len(run.told(GatewayBack)) <= 1
    assert run.told(PersonNeeded) == []
    assert obeyed(it.bench) == ("self_consumption", 9.75, True)
    assert run.reports[-1].trouble is None
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []
    if call in {READ, LOGIN, SITEMASTER}:
        during = [at for at in it.times(call) if local("12:07") < at < local("13:00")]
        assert min(gap for gap in gaps_s(during) if gap > 0) >= 5


def bomb(kind: str) -> tuple[str, bytes]:
    """The headers and the first bytes of a body that is far too long."""
    if kind == "gzip":
        packed = gzip.compress(bytes(100 * 1024 * 1024), compresslevel=9)
        return f"content-encoding: gzip\r\ncontent-length: {len(packed)}\r\n", packed
    if kind == "length":
        return f"content-length: {100 * 1024 * 1024}\r\n", b""
    return "transfer-encoding: chunked\r\n", b""


CHILD = """
import asyncio, json, sys
from datetime import UTC, datetime
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint
from scheduler.model.errors import Transient

def resident(what):
    line = next(l for l in open("/proc/self/status") if l.startswith(what))
    return int(line.split()[1]) * 1024

class Ledger:
    def load(self): return []
    def save(self, instants): pass

async def main(port, fingerprint):
    gateway = LocalGateway(
        Endpoint(host="127.0.0.1", port=port, server_name="powerwall", fingerprint=bytes.fromhex(fingerprint)),
        Credentials(username="customer", password="x", email=""),
        ledger=Ledger(), now=lambda: datetime(2026, 7, 1, tzinfo=UTC),
    )
    await gateway.identify()
    before, errors = resident("VmHWM"), []
    for _ in range(5):
        try:
            await gateway.read()
        except Transient as error:
            errors.append(str(error))
    print(json.dumps({"grown": resident("VmHWM") - before, "errors": errors}))
    await gateway.close()

asyncio.run(main(int(sys.argv[1]), sys.argv[2]))
"""


@pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="the memory of a process is read from Linux"
)
@pytest.mark.parametrize("kind", ["length", "chunked", "gzip"])
async def test_g9_a_body_without_end_costs_no_memory(kind: str) -> None:
    """100 MiB in one answer, five times: an error each time, and the client's process grows by less than 5 MB at its peak."""
    made = make_certificate()
    headers, start = bomb(kind)

    async def behave(number: int, writer: asyncio.StreamWriter) -> bool:
        if number == 1:
            writer.write(
                response(
                    json.dumps({"version": "1.45.2", "start_time": ""}).encode().replace(b'""', b'"2026"')
                )
            )
            await writer.drain()
            return True
        writer.write(f"HTTP/1.1 200 OK\r\n{headers}\r\n".encode() + start)
        await writer.drain()
        piece = b"10000\r\n" + b" " * 0x10000 + b"\r\n" if kind == "chunked" else b" " * 0x10000
        for _ in range(0 if kind == "gzip" else 1600):
            if writer.is_closing():  # the client has had enough
                break
            writer.write(piece)
            await writer.drain()
        return True

    async with serving(made, behave) as seen:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", CHILD, str(seen.port), made.fingerprint.hex(), stdout=subprocess.PIPE
        )
        out, _ = await asyncio.wait_for(child.communicate(), 60)
    said = json.loads(out)

    assert len(said["errors"]) == 5
    assert all("KiB in one answer" in error or "compressed" in error for error in said["errors"])
    assert said["grown"] < 5_000_000
