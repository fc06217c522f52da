"""Nothing secret gets out: the search finds what is planted, and real processes in trouble put out nothing that it finds."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

import pytest
from bench import local
from canary import EMAIL, SERIAL, WRONG, Canary, watching
from days import Run
from faults import stage
from processes import COMMAND, PATIENCE_S, ROOT, environment, eventually
from secrets_in import found

from scheduler.daemon.clock import SystemClock
from scheduler.model.errors import Transient
from scheduler.model.events import GatewayLost
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.personality import PERSONALITIES
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.server import Served, serving

ENCODERS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "url": lambda secret: quote(secret, safe=""),
    "base64": lambda secret: base64.b64encode(f"x:{secret}".encode()).decode(),
    "json": json.dumps,
    "repr": repr,
    "hex": lambda secret: secret.encode().hex(),
}


def plant_in_an_error(canary: Canary, text: str) -> None:
    """As the message of an error."""
    canary.caught(Transient(text))


def plant_in_a_cause(canary: Canary, text: str) -> None:
    """In what an error was raised from."""
    error = Transient("harmless")
    error.__cause__ = ValueError(text)
    canary.caught(error)


def plant_in_a_hidden_context(canary: Canary, text: str) -> None:
    """In what was being handled when an error was raised, which `from None` hides from a traceback."""
    error = Transient("harmless")
    error.__context__, error.__cause__ = ValueError(text), None
    assert error.__suppress_context__
    canary.caught(error)


def plant_in_an_attribute(canary: Canary, text: str) -> None:
    """Beside the message of an error."""
    error = Transient("harmless")
    error.document = text  # type: ignore[attr-defined]  # errors of Python's own have such things
    canary.caught(error)


def plant_in_an_event(canary: Canary, text: str) -> None:
    """In what is logged and kept in the journal."""
    canary.events.append(GatewayLost(at=local("12:00"), message=f"it said {text}."))


def plant_in_a_file(canary: Canary, text: str) -> None:
    """Somewhere below the test's folder."""
    (canary.folder / "deep").mkdir()
    (canary.folder / "deep" / "state.json").write_bytes(b"\xff" + text.encode())


CHANNELS: dict[str, tuple[str, Callable[[Canary, str], None]]] = {
    "an error": ("errors", plant_in_an_error),
    "a cause": ("errors", plant_in_a_cause),
    "a hidden context": ("errors", plant_in_a_hidden_context),
    "an attribute": ("errors", plant_in_an_attribute),
    "an event in the log": ("events", plant_in_an_event),
    "an event in the journal": ("journal", plant_in_an_event),
    "a file": ("files", plant_in_a_file),
}


@pytest.mark.parametrize("encoding", ENCODERS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_what_is_planted_is_found(tmp_path: Path, channel: str, encoding: str) -> None:
    """Each channel, each encoding, a long secret and one of five characters: found, and in that channel."""
    name, plant = CHANNELS[channel]
    for number, secret in enumerate((f"S{SERIAL}", SERIAL[-5:])):
        folder = tmp_path / str(number)
        folder.mkdir()
        canary = Canary(folder)
        assert canary.hits({}) == {}

        text = ENCODERS[encoding](secret)
        if len(secret) == 5 and encoding == "base64":
            text = base64.b64encode(secret.encode()).decode()
        plant(canary, text)

        assert any(hit.startswith(f"{secret} (") for hit in canary.hits({}).get(name, []))


@pytest.mark.parametrize("encoding", ENCODERS)
def test_each_encoding_is_told_by_its_name(tmp_path: Path, encoding: str) -> None:
    """A password that every encoding spells in its own way, in what a test said itself."""
    hits = Canary(tmp_path).hits({"stdout": f"password={ENCODERS[encoding](WRONG)};"})

    assert f"{WRONG} ({encoding})" in hits["stdout"]


async def test_what_is_planted_in_a_status_is_found(tmp_path: Path) -> None:
    """The document of `status` and its screen are searched."""
    canary = Canary(tmp_path)
    it = stage(canary)
    run: Run = it.run()
    await run.until(local("12:01"))
    assert canary.hits({}) == {}
    run.reports[-1] = replace(run.reports[-1], trouble=f"the password S{SERIAL} is wrong")
    hits = canary.hits({})
    canary.at_end[0]()

    assert f"S{SERIAL} (raw)" in hits["status"]


PUT_OUT: dict[str, tuple[str, Callable[[str], object]]] = {
    "printed": ("stdout", lambda token: sys.stdout.write(f"{EMAIL} {token}")),
    "five characters": ("stderr", lambda _: sys.stderr.write(f"password: {SERIAL[-5:]}")),
    "a token": ("stderr", lambda token: sys.stderr.write(f"{token}\n")),
    "logged": ("log records", lambda token: logging.getLogger("httpx").warning("Cookie: %s", token)),
}


@pytest.mark.parametrize("what", PUT_OUT)
async def test_a_test_that_puts_a_secret_out_fails(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    what: str,
) -> None:
    """The search that ends each test of a fault sees what is printed and logged, and tokens as they are given out."""
    channel, put_out = PUT_OUT[what]

    async def test() -> None:
        with watching(tmp_path, capfd, caplog, monkeypatch) as canary:
            await stage(canary).bench.gateway.login()
            put_out(canary.secrets[-1])

    with pytest.raises(AssertionError, match=channel):
        await test()


def test_nothing_is_found_by_chance() -> None:
    """A megabyte each of random hexadecimal, base64 and numbers holds no secret, and no sentence of ours does."""
    seeded = random.Random(20261121)
    noise = seeded.randbytes(1_000_000)
    canary = Canary(Path())
    sentences = (ROOT / "README.md").read_text()

    for text in (noise.hex(), base64.b64encode(noise).decode(), " ".join(map(str, noise)), sentences):
        assert found(canary.secrets, text) == []


@dataclass
class House:
    """A configuration, and a simulated gateway on a real port in this process, so that its tokens are known.

    ``searched`` is where everything is that must hold no secret; the configuration, which names the owner, is elsewhere.
    """

    folder: Path
    searched: Path
    device: SimulatedGateway
    loop: asyncio.AbstractEventLoop
    password: str

    @property
    def file(self) -> Path:
        """The configuration."""
        return self.folder / "config" / "tou.yaml"

    def run(self, *words: str, password: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end, and keep what it said."""
        done = subprocess.run(
            [COMMAND, *words],
            cwd=self.folder,
            env=environment(TOU_GATEWAY__PASSWORD=password or self.password),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        self.keep(done.stdout + done.stderr)
        return done

    def keep(self, said: str) -> None:
        """Have this searched."""
        assert said.strip(), "there is nothing to search"
        (self.searched / f"{len(list(self.searched.iterdir()))}.said").write_text(said)

    def scenario(self, sentence: str) -> None:
        """Let something happen to the gateway."""
        self.loop.call_soon_threadsafe(apply_scenario, self.device, sentence)

    @contextmanager
    def daemon(self, password: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """The daemon beside the block; what it says, and how it looks in the list of processes, is kept."""
        with (
            (self.searched / "daemon.out").open("ab") as out,
            (self.searched / "daemon.err").open("ab") as err,
        ):
            process = subprocess.Popen(
                [COMMAND, "run", "--state-dir", str(self.searched / "state")],
                cwd=self.folder,
                env=environment(TOU_GATEWAY__PASSWORD=password or self.password),
                stdout=out,
                stderr=err,
                stdin=subprocess.DEVNULL,
            )
            try:
                yield process
                command_line = Path(f"/proc/{process.pid}/cmdline")
                if command_line.exists():
                    self.keep(command_line.read_text())
            finally:
                process.send_signal(signal.SIGTERM)
                process.wait(timeout=PATIENCE_S)

    def logged(self) -> list[str]:
        """The names of the events that the daemon has logged so far."""
        return [json.loads(line)["event"] for line in (self.searched / "daemon.err").read_text().splitlines()]

    def wait_for(self, event: str, times: int = 1) -> None:
        """Wait until the daemon has logged it so often."""
        eventually(lambda: self.logged().count(event) >= times)


@contextmanager
def house(folder: Path, firmware: str, username: str) -> Iterator[House]:
    """A house whose gateway has this firmware, and whose file names this user."""
    device = SimulatedGateway(now=SystemClock().now, personality=PERSONALITIES[firmware], serial=SERIAL)
    ready = threading.Event()
    where: list[tuple[asyncio.AbstractEventLoop, asyncio.Event, Served]] = []

    async def serve() -> None:
        ended = asyncio.Event()
        async with serving(device, directory=folder / "gateway") as served:
            where.append((asyncio.get_running_loop(), ended, served))
            ready.set()
            await ended.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(PATIENCE_S)
    loop, ended, served = where[0]
    passwords = {
        "installer": device.sessions.installer_password,
        "customer": device.sessions.customer_password,
    }
    home = House(
        folder=folder / "home",
        searched=folder / "searched",
        device=device,
        loop=loop,
        password=passwords[username],
    )
    home.file.parent.mkdir(parents=True)
    text = (ROOT / "config" / "tou.yaml").read_text()
    for old, new in {
        "host: powerwall ": f"host: 127.0.0.1:{served.port} ",
        "email: me@example.com": f"email: {EMAIL}",
        "username: installer": f"username: {username}",
    }.items():
        assert old in text
        text = text.replace(old, new)
    home.file.write_text(text)
    try:
        yield home
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(PATIENCE_S)


@pytest.fixture
def canary(
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Canary]:
    """Gather the tokens that the gateway gives out, and search what was put out at the end."""
    (tmp_path / "searched").mkdir()
    with watching(tmp_path / "searched", capfd, caplog, monkeypatch) as it:
        yield it


def test_real_processes_put_out_no_secret(tmp_path: Path, canary: Canary) -> None:
    """Every command against a gateway in trouble, and the daemon beside them, with all that they write."""
    with house(tmp_path, "1.45.2", "installer") as home:
        state = ("--state-dir", str(home.searched / "state"))
        home.run("trust", "--yes")
        for words in (("doctor",), ("once", "--json")):
            home.run(*words, *state)
        with home.daemon():
            home.wait_for("started")
            eventually((home.searched / "state" / "status.json").exists)
            home.scenario("token expires")
            home.scenario("answers 503 for the next 2 requests")
            for words in (("status", "--json"), ("history", "--json")):
                home.run(*words, *state)
            bundle = ("--bundle", str(home.searched / "bundle.json"))
            home.run("inspect", "--all", "--no-login", *bundle, *state)
        home.scenario("answers nonsense to /api/operation for the next 3 requests")
        home.run("once", *state)

    assert len(canary.secrets) > len(Canary(tmp_path).secrets), "tokens were given out"
    assert (home.searched / "bundle.json").stat().st_size > 1000
    assert "switch" in home.logged()


def test_a_wrong_password_is_put_out_by_nobody(tmp_path: Path, canary: Canary) -> None:
    """Refused by the gateway on every way in, until nothing is sent any more; and in places of the file where none belongs."""
    with house(tmp_path, "1.45.2", "installer") as home:
        state = ("--state-dir", str(home.searched / "state"))
        home.run("trust", "--yes")
        refused = home.run("doctor", *state, password=WRONG)
        home.run("once", *state, password=WRONG)
        home.run("inspect", "--all", *state, password=WRONG)
        with home.daemon(password=WRONG) as daemon:
            home.wait_for("person_needed")
            home.run("status", *state)
            assert daemon.poll() is None, "it waits for a person, and does not end"
        assert daemon.returncode == 0
        home.run("history", "--json", *state)
        text = home.file.read_text()
        home.file.write_text(text.replace("gateway:\n", f"gateway:\n  password: S{SERIAL}\n", 1))
        assert home.run("validate").returncode != 0
        assert home.run("run", *state).returncode != 0
        assert home.device.requests["POST /api/login/Basic"] <= 4

    assert "password" in refused.stdout + refused.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("firmware", "username"), [("21.39", "customer"), ("23.28", "installer"), ("1.15", "customer")]
)
def test_real_processes_on_other_firmware(
    tmp_path: Path, canary: Canary, firmware: str, username: str
) -> None:
    """The same commands where reads want a login, where none is let in, and where all is open, under more troubles."""
    with house(tmp_path, firmware, username) as home:
        state = ("--state-dir", str(home.searched / "state"))
        home.run("trust", "--yes")
        with home.daemon():
            home.wait_for("switch")
            home.run("status", "--json", *state)
        for sentence in (
            "answers nonsense to /api/operation for the next 3 requests",
            "answers 429 to /api/sitemaster for the next request",
            "truncates to /api/status for the next request",
            "resets to /api/login/basic for the next request",
            "another serial",
            "certificate replaced",
            "answers html for the next 4 requests",
            "redirects elsewhere for the next 4 requests",
            "answers too much for the next 4 requests",
        ):
            home.scenario(sentence)
            for words in (("doctor",), ("once", "--json"), ("inspect", "--all", "--json")):
                home.run(*words, *state)
            home.scenario("behaves again")
        home.run("trust", "--show")
        home.run("history", "--json", *state)
        text = home.file.read_text()
        for place in ("installer_password", "passwort", "secret", "token"):
            home.file.write_text(text.replace("gateway:\n", f"gateway:\n  {place}: S{SERIAL}\n", 1))
            assert home.run("validate").returncode != 0

    assert (home.searched / "state" / "journal.sqlite").exists()
