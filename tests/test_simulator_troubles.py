"""Answers that go wrong: what each sentence does to a request, in memory and over a real TLS port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from scheduler.simulator.api import application
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.mischief import Reach
from scheduler.simulator.scenario import SENTENCES, apply_scenario
from scheduler.simulator.server import serving
from scheduler.simulator.usecases import LATE_S, UseCases

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)  # 20:00 in Los Angeles
WRITE = {"real_mode": "backup", "backup_reserve_percent": 52.5}
TROUBLES = {words for words, sentence in SENTENCES.items() if "to" in sentence.takes}
"""The sentences about answers."""


class Stage:
    """A gateway, the hands of its clock, and an installer who is logged in."""

    def __init__(self) -> None:
        self.time = START
        self.device = SimulatedGateway(now=lambda: self.time)
        token, _ = self.device.login("installer", "ST123456789", stop_under_load=True)
        self.device.run()
        self.token = {"authorization": f"Bearer {token}"}

    def client(self) -> httpx.AsyncClient:
        """Somebody who asks in memory."""
        transport = httpx.ASGITransport(application(self.device))
        return httpx.AsyncClient(transport=transport, base_url="http://powerwall", headers=self.token)

    @contextlib.asynccontextmanager
    async def over_tls(self, directory: Path) -> AsyncIterator[httpx.AsyncClient]:
        """Somebody who asks over a real port."""
        async with (
            serving(self.device, directory=directory) as served,
            httpx.AsyncClient(  # who it is does not matter here
                base_url=served.url,
                verify=False,  # noqa: S501 - whom else could it be
                trust_env=False,
                headers=self.token,
                timeout=10,
            ) as client,
        ):
            yield client

    @property
    def obeyed_the_write(self) -> bool:
        """Whether the write has been taken."""
        return self.device.shown.mode == "backup"


@pytest.fixture
def stage() -> Stage:
    """A gateway in self_consumption, with its battery running."""
    return Stage()


def refusal(error: str, message: str) -> Callable[[httpx.Response], bool]:
    """Whether an answer is a refusal in these words."""
    return lambda answer: (
        answer.json() == {"code": answer.status_code, "error": error, "message": message}
        and answer.headers["content-type"] == "application/json"
    )


def empty(answer: httpx.Response) -> bool:
    """Whether an answer says nothing."""
    return answer.content == b""


def is_page(answer: httpx.Response) -> bool:
    """Whether an answer is a page of HTML."""
    return answer.headers["content-type"].startswith("text/html") and answer.text.startswith("<!DOCTYPE")


def is_no_json(answer: httpx.Response) -> bool:
    """Whether an answer cannot be read."""
    with contextlib.suppress(ValueError):
        json.loads(answer.content)
        return False
    return True


def echoes(answer: httpx.Response) -> bool:
    """Whether an answer is the one that belongs there."""
    return bool(answer.json() == WRITE)


@dataclass(frozen=True, kw_only=True)
class Expected:
    """What comes of POST /api/operation in memory: a status, an answer that looks like this, and a write or none."""

    status: int = 200
    looks: Callable[[httpx.Response], bool] = echoes
    obeyed: bool


IN_MEMORY = {
    "answers late by 0s": Expected(obeyed=True),
    "applies but answers late by 0s": Expected(obeyed=True),
    "slow bytes by 0s": Expected(obeyed=True),
    "resets": Expected(status=503, looks=empty, obeyed=False),
    "applies but resets": Expected(status=503, looks=empty, obeyed=True),
    "applies but answers 502": Expected(status=502, looks=empty, obeyed=True),
    "truncates": Expected(
        looks=lambda answer: int(answer.headers["content-length"]) > len(answer.content) > 0, obeyed=True
    ),
    "redirects elsewhere": Expected(
        status=301, looks=lambda answer: answer.headers["location"] == "https://192.0.2.1/", obeyed=False
    ),
    "answers HTML": Expected(looks=is_page, obeyed=False),
    "answers nonsense": Expected(looks=is_no_json, obeyed=True),
    "answers NaN": Expected(
        looks=lambda answer: (
            b":NaN" in answer.content and math.isnan(answer.json()["backup_reserve_percent"])
        ),
        obeyed=True,
    ),
    "answers too much": Expected(
        looks=lambda answer: echoes(answer) and len(answer.content) > 1024**2, obeyed=True
    ),
    "answers 401": Expected(status=401, looks=refusal("bad credentials", "Token Expired"), obeyed=False),
    "answers 403": Expected(
        status=403,
        looks=refusal("Unable to POST to resource", "User does not have adequate access rights"),
        obeyed=False,
    ),
    "answers 429 to /api/operation": Expected(
        status=429,
        looks=refusal("Api Limit reached for this endpoint", "API Limit Reached"),
        obeyed=False,
    ),
    "answers 429 with retry-after to /api/operation for 10m": Expected(
        status=429, looks=lambda answer: answer.headers["retry-after"] == "600", obeyed=False
    ),
    "answers 500 to /api/operation": Expected(
        status=500, looks=refusal("Cannot Start Wizard", "Unable to stop sitemaster"), obeyed=False
    ),
    "answers 502": Expected(status=502, looks=empty, obeyed=False),
    "answers 503": Expected(
        status=503,
        looks=refusal("current config mode is busy", "current config mode is busy"),
        obeyed=False,
    ),
}


def test_every_trouble_is_tried() -> None:
    """The table above holds each sentence about answers."""
    tried = {words for words in TROUBLES for said in IN_MEMORY if said.lower().startswith(words)}
    assert tried == TROUBLES
    assert len(IN_MEMORY) == len(TROUBLES)


@pytest.mark.parametrize("sentence", IN_MEMORY)
async def test_what_a_trouble_does_to_a_write(stage: Stage, sentence: str) -> None:
    """The answer is spoiled as the sentence says, and the write is obeyed or not as it says."""
    expected = IN_MEMORY[sentence]
    apply_scenario(stage.device, sentence)
    async with stage.client() as client:
        answer = await client.post("/api/operation", json=WRITE)
    assert answer.status_code == expected.status
    assert expected.looks(answer), answer.content[:200]
    assert stage.obeyed_the_write is expected.obeyed


@pytest.mark.parametrize(
    ("sentence", "refused", "answered"),
    [
        ("answers 401", "/api/operation", "/api/status"),
        ("answers 403", "/api/system/update", "/api/operation"),
        ("answers 429", "/api/login/Basic", "/api/operation"),
        ("answers 500", "/api/sitemaster/stop", "/api/operation"),
        ("answers 503 to /api/OPERATION", "/api/operation", "/api/status"),
    ],
)
async def test_a_trouble_is_about_some_requests(
    stage: Stage, sentence: str, refused: str, answered: str
) -> None:
    """A status comes where it belongs, or where a path says so, and other requests are answered as always."""
    apply_scenario(stage.device, sentence)
    async with stage.client() as client:
        method = "POST" if refused.endswith("Basic") else "GET"
        assert (await client.request(method, refused, json={})).status_code == int(sentence.split()[1])
        del client.headers["authorization"]
        headers = {} if answered == "/api/status" else stage.token
        assert (await client.get(answered, headers=headers)).status_code == 200


async def statuses(stage: Stage, count: int) -> list[int]:
    """What so many reads are answered with."""
    async with stage.client() as client:
        return [(await client.get("/api/operation")).status_code for _ in range(count)]


async def test_for_the_next_requests(stage: Stage) -> None:
    """So many requests are spoiled, requests to other paths not counted, and then it is over."""
    apply_scenario(stage.device, "answers 503 to /api/operation for the next 2 requests")
    async with stage.client() as client:
        assert (await client.get("/api/status")).status_code == 200
    assert await statuses(stage, 3) == [503, 503, 200]
    apply_scenario(stage.device, "answers 502 for the next request")
    assert await statuses(stage, 2) == [502, 200]


async def test_for_a_while(stage: Stage) -> None:
    """It lasts from its time of day on for as long as it says."""
    apply_scenario(stage.device, "answers 502 for 90 seconds at 20:30")
    assert await statuses(stage, 1) == [200]
    stage.time += timedelta(minutes=30)
    assert await statuses(stage, 1) == [502]
    stage.time += timedelta(seconds=89)
    assert await statuses(stage, 1) == [502]
    stage.time += timedelta(seconds=1)
    assert await statuses(stage, 1) == [200]


async def test_of_two_troubles_the_last_one_shows(stage: Stage) -> None:
    """What began last hides what began before, until it is over."""
    apply_scenario(stage.device, "answers 502")
    apply_scenario(stage.device, "answers 503 for the next request")
    assert await statuses(stage, 2) == [503, 502]


async def test_retry_after_counts_down(stage: Stage) -> None:
    """The header says how many seconds are left; without being asked for it is not there."""
    apply_scenario(stage.device, "answers 429 with retry-after for 10m")
    stage.time += timedelta(minutes=3, seconds=59, milliseconds=1)
    async with stage.client() as client:
        answer = await client.post("/api/login/Basic", json={})
        assert answer.headers["retry-after"] == "361"  # never too early
        stage.time += timedelta(milliseconds=999)
        answer = await client.post("/api/login/Basic", json={})
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "360")
        apply_scenario(stage.device, "answers 429 for 10m")
        assert "retry-after" not in (await client.post("/api/login/Basic", json={})).headers


async def test_every_number_becomes_nan_and_nothing_else(stage: Stage) -> None:
    """True and false, texts and shapes stay, however deep the numbers lie."""
    async with stage.client() as client:
        before = (await client.get("/api/meters/aggregates")).text
        UseCases(stage.device).answers_nan(Reach(path="/api/meters/aggregates"))
        after = (await client.get("/api/meters/aggregates")).text
        operation = (await client.get("/api/operation")).text
    numberless = json.loads(before, parse_float=lambda _: "n", parse_int=lambda _: "n")
    assert json.loads(after, parse_constant=lambda _: "n") == numberless
    assert "NaN" in after
    assert "NaN" not in operation


async def test_an_answer_without_a_body_has_nothing_to_spoil(stage: Stage) -> None:
    """A 202 stays a 202, whatever would happen to its body."""
    async with stage.client() as client:
        for sentence in ("truncates", "slow bytes", "answers nonsense", "answers NaN"):
            apply_scenario(stage.device, sentence)
            answer = await client.get("/api/sitemaster/run")
            assert (answer.status_code, answer.content) == (202, b"")


async def test_offline_stands_above_all(stage: Stage) -> None:
    """A gateway that is gone has no other trouble, and none is used up meanwhile."""
    apply_scenario(stage.device, "answers 502 for the next request")
    apply_scenario(stage.device, "offline for 1m")
    assert await statuses(stage, 1) == [503]
    stage.time += timedelta(minutes=1)
    assert await statuses(stage, 2) == [502, 200]


@pytest.mark.parametrize(
    ("sentence", "obeyed"), [("answers late", False), ("applies but answers late", True)]
)
async def test_late_is_too_late_for_a_deadline(
    stage: Stage, tmp_path: Path, sentence: str, *, obeyed: bool
) -> None:
    """The client gives up first. What is only late was never done, what was applied is; and the server ends at once."""
    apply_scenario(stage.device, sentence)
    began_s = time.perf_counter()
    async with stage.over_tls(tmp_path) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.post("/api/operation", json=WRITE, timeout=0.3)
        assert stage.obeyed_the_write is obeyed
        apply_scenario(stage.device, "behaves again")
        assert (await client.get("/api/status")).status_code == 200
    assert time.perf_counter() - began_s < LATE_S
    assert stage.obeyed_the_write is obeyed


async def test_late_answers_come_in_the_end(stage: Stage, tmp_path: Path) -> None:
    """Who waits is answered as always."""
    UseCases(stage.device).answers_late(seconds=0.2)
    async with stage.over_tls(tmp_path) as client:
        began_s = time.perf_counter()
        answer = await client.post("/api/operation", json=WRITE)
        assert time.perf_counter() - began_s >= 0.2
    assert answer.json() == WRITE
    assert stage.obeyed_the_write


async def test_slow_bytes_come_one_by_one(stage: Stage, tmp_path: Path) -> None:
    """No pause is long, yet the whole takes its time; who waits gets all of it."""
    UseCases(stage.device).answers_slowly(seconds=0.01)
    async with stage.over_tls(tmp_path) as client:
        began_s = time.perf_counter()
        async with client.stream("POST", "/api/operation", json=WRITE) as answer:
            pieces = [piece async for piece in answer.aiter_raw()]
        assert time.perf_counter() - began_s >= 0.01 * len(b"".join(pieces))
    assert json.loads(b"".join(pieces)) == WRITE
    assert len(pieces) > 10


@pytest.mark.parametrize(("sentence", "obeyed"), [("resets", False), ("applies but resets", True)])
async def test_resets_on_the_wire(stage: Stage, tmp_path: Path, sentence: str, *, obeyed: bool) -> None:
    """The connection is reset, not closed; the next one is answered."""
    apply_scenario(stage.device, f"{sentence} for the next request")
    async with stage.over_tls(tmp_path) as client:
        with pytest.raises(httpx.ReadError) as caught:
            await client.post("/api/operation", json=WRITE)
        assert (await client.get("/api/status")).status_code == 200
    causes: list[BaseException] = []
    cause: BaseException | None = caught.value
    while cause is not None and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__
    assert any(isinstance(cause, ConnectionResetError) for cause in causes)
    assert stage.obeyed_the_write is obeyed


async def test_truncated_on_the_wire(stage: Stage, tmp_path: Path) -> None:
    """Head and half of the body come, and then the end of the connection."""
    apply_scenario(stage.device, "truncates for the next request")
    came: list[bytes] = []
    async with stage.over_tls(tmp_path) as client:

        async def hear() -> None:
            async with client.stream("POST", "/api/operation", json=WRITE) as answer:
                came.append(answer.headers["content-length"].encode())
                async for piece in answer.aiter_raw():
                    came.append(piece)  # noqa: PERF401 - what came before the end is wanted

        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await hear()
        assert (await client.get("/api/status")).status_code == 200
    assert len(b"".join(came[1:])) == int(came[0]) // 2
    assert stage.obeyed_the_write


@pytest.mark.parametrize("sentence", ["answers HTML", "answers nonsense", "answers 502", "answers too much"])
async def test_whole_answers_on_the_wire(stage: Stage, tmp_path: Path, sentence: str) -> None:
    """Over a real port they are what they are in memory, and the connection is kept."""
    expected = IN_MEMORY[sentence]
    apply_scenario(stage.device, sentence)
    async with stage.over_tls(tmp_path) as client:
        answers = [await client.post("/api/operation", json=WRITE) for _ in range(2)]
        streams = {id(answer.extensions["network_stream"]) for answer in answers}
    assert all(answer.status_code == expected.status and expected.looks(answer) for answer in answers)
    assert len(streams) == 1


async def test_a_server_that_ends_does_not_wait_for_late_answers(stage: Stage, tmp_path: Path) -> None:
    """Whoever still waits for an hour's answer is hung up on, and the port is free well before the hour."""
    UseCases(stage.device).applies_but_answers_late(seconds=3600)
    async with httpx.AsyncClient(verify=False, trust_env=False, timeout=60) as client:  # noqa: S501 - as above
        async with serving(stage.device, directory=tmp_path) as served:
            asking = client.post(f"{served.url}/api/operation", json=WRITE, headers=stage.token)
            waiting = asyncio.create_task(asking)
            while not stage.obeyed_the_write:
                await asyncio.sleep(0.01)
        with pytest.raises(httpx.TransportError):
            await asyncio.wait_for(waiting, 30)
