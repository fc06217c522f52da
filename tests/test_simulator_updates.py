"""The simulated gateway's updates over time, as clients see them: checks, installs, and as what it comes back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.model.reading import Grid
from scheduler.simulator.api import application
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.house import Obeyed
from scheduler.simulator.personality import personality
from scheduler.simulator.record import stopped_between, stretches
from scheduler.simulator.scenario import apply_scenario
from scheduler.simulator.server import serving
from scheduler.simulator.sessions import Role

START = datetime(2026, 7, 2, 3, 0, tzinfo=UTC)  # 20:00 in Los Angeles: no sun, much load
STEP_S = 5
GONE = "gone"
NONE = ("nonactionable",)
CHECKING, DOWNLOAD, DOWNLOADED = "/clear_update_status", "/download", "/update_downloaded"
STAGED, SUCCEEDED, FAILED = "/update_staged", "/update_succeeded", "/update_failed"
INSTALLER = {"username": "installer", "password": "ST123456789", "email": "me@example.com"}
CUSTOMER = {"username": "customer", "password": "56789", "email": "me@example.com"}

Seen = tuple[int, str, tuple[str, ...]]
"""Seconds since the start, the updater's state or `GONE`, and the words beside it."""


@dataclass
class Site:
    """A gateway, a clock that the test moves, and a client whose token is always good."""

    firmware: str = "1.45.2"
    time: datetime = START
    device: SimulatedGateway = field(init=False)
    client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        self.device = SimulatedGateway(now=lambda: self.time, personality=personality(self.firmware))
        transport = httpx.ASGITransport(application(self.device))
        self.client = httpx.AsyncClient(transport=transport, base_url="https://powerwall")

    def say(self, *sentences: str) -> None:
        """Let these be true."""
        for sentence in sentences:
            apply_scenario(self.device, sentence)

    def after(self, **span: float) -> SimulatedGateway:
        """The gateway, some time later."""
        self.time += timedelta(**span)
        self.device.now()
        return self.device

    async def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        """What an installer who is logged in already is answered."""
        token = self.device.sessions.open(Role.INSTALLER, self.time)
        headers = {"Authorization": f"Bearer {token}"}
        return await self.client.request(method, f"/api/{path}", headers=headers, **more)

    async def check(self) -> None:
        """Ask it to look for an update."""
        assert (await self.ask("GET", "system/update?force=true")).status_code == 200

    async def install(self) -> None:
        """Tell it to install."""
        assert (await self.ask("POST", "system/update")).status_code == 202

    async def update(self) -> Any:
        """Where the updater stands, None while nobody answers."""
        answer = await self.ask("GET", "system/update/status")
        return answer.json() if answer.status_code == 200 else None

    async def watch(self, **span: float) -> list[Seen]:
        """Each change of what the updater says, from now on, looked at every five seconds."""
        seen: list[Seen] = []
        until = self.time + timedelta(**span)
        while self.time <= until:
            says = await self.update()
            stands = (GONE, ()) if says is None else (says["state"], tuple(says["info"]["status"]))
            if not seen or seen[-1][1:] != stands:
                seen.append((round((self.time - START).total_seconds()), *stands))
            self.after(seconds=STEP_S)
        return seen

    @property
    def stops(self) -> list[tuple[int, bool]]:
        """Since when the battery was in service or not, by the gateway's own record, in seconds since the start."""
        seen: list[tuple[int, bool]] = []
        for at, obeyed in self.device.history:
            if not seen or seen[-1][1] != obeyed.running:
                seen.append((round((at - START).total_seconds()), obeyed.running))
        return seen


@pytest.fixture(name="site")
async def _site() -> AsyncIterator[Callable[..., Site]]:
    made: list[Site] = []

    def site(firmware: str = "1.45.2") -> Site:
        made.append(Site(firmware))
        return made[-1]

    yield site
    for one in made:
        await one.client.aclose()


CHECKS: dict[str, tuple[list[str], list[Seen]]] = {
    "nothing to do": ([], [(0, CHECKING, ()), (20, FAILED, NONE)]),
    "a long check": (["a check lasts for 5m"], [(0, CHECKING, ()), (300, FAILED, NONE)]),
    "an update": (
        ["has an update"],
        [(0, CHECKING, ()), (60, DOWNLOAD, ()), (120, DOWNLOADED, ()), (180, STAGED, ())],
    ),
    "an update that takes its time": (
        ["has an update", "a check lasts for 5m", "a download lasts for 10m"],
        [(0, CHECKING, ()), (300, DOWNLOAD, ()), (900, DOWNLOADED, ()), (960, STAGED, ())],
    ),
    "the last word on how long": (
        ["a check lasts for 5m", "a check lasts for 1m"],
        [(0, CHECKING, ()), (60, FAILED, NONE)],
    ),
    "staged before": (["stages an update"], [(0, CHECKING, ()), (20, STAGED, ())]),
    "no connection": (["checks fail"], [(0, CHECKING, ()), (20, FAILED, ("error",))]),
    "no connection, and an update": (
        ["has an update", "checks fail for 10s", "a check lasts for 2m"],
        [(0, CHECKING, ()), (120, FAILED, ("error",))],
    ),
    "no connection, and a short check": (
        ["has an update", "checks fail"],
        [(0, CHECKING, ()), (20, FAILED, ("error",))],
    ),
    "a late begin": (
        ["updates begin late"],
        [(0, "/update_unknown", NONE), (5, CHECKING, ()), (25, FAILED, NONE)],
    ),
    "a late begin, and an update": (
        ["updates begin late", "stages an update"],
        [(0, STAGED, ()), (5, CHECKING, ()), (25, STAGED, ())],
    ),
    "behaves again": (
        ["checks fail", "updates begin late", "a check lasts for 5m", "behaves again"],
        [(0, CHECKING, ()), (20, FAILED, NONE)],
    ),
}


@pytest.mark.parametrize("case", CHECKS)
async def test_a_check_walks(site: Callable[..., Site], case: str) -> None:
    """State and words over time are those of the table, from the request on."""
    sentences, expected = CHECKS[case]
    it = site("21.39")
    it.say(*sentences)
    await it.check()
    assert await it.watch(minutes=17) == expected


@pytest.mark.parametrize("case", CHECKS)
async def test_the_time_of_the_last_status_is_that_of_the_last_change(
    site: Callable[..., Site], case: str
) -> None:
    """Firmware 20 and later says when its updater last came to another state, to the millisecond; older ones do not."""
    sentences, expected = CHECKS[case]
    it, old = site("21.39"), site("1.45.2")
    for one in (it, old):
        one.say(*sentences)
        one.after(seconds=1)
    old_times = {key for key in (await old.update()) if key.endswith("_time")}
    assert old_times == {"current_time"}
    resting = (await it.update())["last_status_time"]
    await it.check()
    asked = it.time
    for at_s, state, _ in expected:
        it.time = asked + timedelta(seconds=at_s + 2)
        says = await it.update()
        changed = round((asked + timedelta(seconds=at_s)).timestamp() * 1000)
        late = at_s == 0 and state != CHECKING
        assert says["last_status_time"] == (resting if late else changed)
        assert says["current_time"] == round(it.time.timestamp() * 1000)


async def test_a_check_amid_another_one_changes_nothing(site: Callable[..., Site]) -> None:
    """Neither the walk nor its begin is put off by who asks twice; only the next checks are late ones."""
    it = site("21.39")
    it.say("has an update")
    await it.check()
    it.after(seconds=50)
    it.say("updates begin late", "updates begin late")
    await it.check()
    assert await it.watch(minutes=3) == [
        (50, CHECKING, ()),
        (60, DOWNLOAD, ()),
        (120, DOWNLOADED, ()),
        (180, STAGED, ()),
    ]
    states = []
    for _ in range(3):
        await it.check()
        states.append((await it.update())["state"])
        it.after(seconds=5)
        assert (await it.update())["state"] == CHECKING
        it.after(minutes=1)
    assert states == [STAGED, STAGED, CHECKING]


async def test_a_failed_check_is_made_good_by_the_next_one(site: Callable[..., Site]) -> None:
    """When the connection is there again the same update is found, and a check that failed loses nothing that was staged."""
    it = site()
    it.say("has an update", "checks fail for 1m")
    await it.check()
    it.after(minutes=2)
    await it.check()
    assert (await it.watch(minutes=4))[-1][1] == STAGED
    it.say("checks fail for 1m")
    await it.check()
    assert (await it.watch(minutes=1))[-1][1:] == (FAILED, ("error",))
    it.say("installs what is staged")
    assert it.device.offline


async def test_a_download_tells_how_far_it_is(site: Callable[..., Site]) -> None:
    """Firmware 20 and later tells bytes, their rate and times while it downloads, and no rate before and after it."""
    it, old = site("21.39"), site("1.45.2")
    for one in (it, old):
        one.say("has an update", "a download lasts for 10m")
        await one.check()
    assert (await it.update())["estimated_bytes_per_second"] is None
    done = []
    for minutes in (1, 5, 4):
        it.after(minutes=minutes)
        says = await it.update()
        done.append(says["info"]["bytes_downloaded"] / says["info"]["bytes_total"])
        assert says["start_time"] == round((START + timedelta(minutes=1)).timestamp() * 1000)
        assert says["last_download_status_time"] == says["current_time"]
        assert says["estimated_bytes_per_second"] * 600 == pytest.approx(says["info"]["bytes_total"])
    assert done == pytest.approx([0, 0.5, 0.9])
    it.after(minutes=1)
    says = await it.update()
    assert (says["state"], says["info"], says["estimated_bytes_per_second"]) == (
        DOWNLOADED,
        {"status": []},
        None,
    )
    old.after(minutes=5)
    assert (await old.update()).keys() == {"state", "info", "current_time"}


OLD, NEW = "1.45.2", "1.46.0"
BACK = (SUCCEEDED, NONE)
ERROR = (FAILED, ("error",))

# Sentences; what the updater says; then firmware, seconds at which it started, and the stops of the battery.
INSTALLS: dict[str, tuple[list[str], list[Seen], tuple[str, int, list[tuple[int, bool]]]]] = {
    "by default": ([], [(0, GONE, ()), (120, *BACK)], (NEW, 120, [(0, False), (120, True)])),
    "long": (
        ["an install lasts for 20m"],
        [(0, GONE, ()), (1200, *BACK)],
        (NEW, 1200, [(0, False), (1200, True)]),
    ),
    "long once, then as before": (
        ["an install lasts for 20m", "behaves again"],
        [(0, GONE, ()), (120, *BACK)],
        (NEW, 120, [(0, False), (120, True)]),
    ),
    "late": (
        ["an install begins late for 90s"],
        [(0, STAGED, ()), (90, GONE, ()), (210, *BACK)],
        (NEW, 210, [(90, False), (210, True)]),
    ),
    "rolled back": (
        ["the update is rolled back", "an install lasts for 15m"],
        [(0, GONE, ()), (900, *ERROR)],
        (OLD, 900, [(0, False), (900, True)]),
    ),
    "failed": (["installs fail"], [(0, *ERROR)], (OLD, 0, [])),
    "failed late": (
        ["an install begins late for 90s", "installs fail"],
        [(0, STAGED, ()), (90, *ERROR)],
        (OLD, 0, []),
    ),
    "never back": (["an install lasts for 9h"], [(0, GONE, ())], (OLD, 0, [(0, False)])),
    "stopped": (
        ["stays stopped after an upgrade"],
        [(0, GONE, ()), (120, *BACK)],
        (NEW, 120, [(0, False)]),
    ),
    "no connection any more": (
        ["checks fail"],
        [(0, GONE, ()), (120, *BACK)],
        (NEW, 120, [(0, False), (120, True)]),
    ),
}


@pytest.mark.parametrize("case", INSTALLS)
async def test_an_install_goes(site: Callable[..., Site], case: str) -> None:
    """What clients see over 25 minutes, version and start, and since when the battery stands still, are the table's."""
    sentences, expected, (firmware, started_s, stops) = INSTALLS[case]
    it = site()
    it.say("stages an update", *sentences)
    await it.install()
    assert await it.watch(minutes=25) == expected
    assert it.device.firmware == firmware
    assert it.device.start_time == START + timedelta(seconds=started_s)
    assert it.stops == [(0, True), *stops]


async def test_the_next_install_is_only_the_next_one(site: Callable[..., Site]) -> None:
    """After one that failed and one that was rolled back the update is found again, and the third install is good."""
    it = site()
    it.say("has an update", "installs fail", "the update is rolled back")
    versions, states = [], []
    for _ in range(3):
        await it.check()
        assert (await it.watch(minutes=4))[-1][1] == STAGED
        await it.install()
        states.append((await it.watch(minutes=3))[-1][1:])
        versions.append(it.device.firmware)
    assert states == [ERROR, ERROR, BACK]
    assert versions == [OLD, OLD, NEW]


async def test_to_be_told_twice_installs_once(site: Callable[..., Site]) -> None:
    """Neither in the moment before it goes away nor while it is gone does a second order change anything."""
    it = site()
    it.say("stages an update", "an install begins late for 90s")
    await it.install()
    it.after(seconds=60)
    await it.install()
    assert await it.watch(minutes=4) == [(60, STAGED, ()), (90, GONE, ()), (210, *BACK)]
    it.say("upgrades itself")
    it.after(minutes=1)
    it.say("upgrades itself")
    it.after(minutes=1)
    assert not it.device.offline


async def test_it_installs_by_itself_what_was_left_staged(site: Callable[..., Site]) -> None:
    """Staged at 06:00 and installed at 17:00, nobody being asked: the battery stands still for the whole of it."""
    it = site()
    it.say("stages an update at 06:00", "installs what is staged at 17:00", "an install lasts for 15 minutes")
    morning = START + timedelta(hours=10)
    it.after(hours=10, minutes=1)
    assert (await it.update())["state"] == STAGED
    it.after(hours=11)
    assert await it.update() is None
    it.after(hours=1)
    went = morning + timedelta(hours=11)
    assert [(at, obeyed.running) for at, obeyed in it.device.history[1:]] == [
        (went, False),
        (went + timedelta(minutes=15), True),
    ]
    assert stopped_between(it.device.history, START, it.time) == timedelta(minutes=15)


@pytest.mark.parametrize(
    "before",
    [
        [],
        ["stages an update at 20:05", "upgrades itself at 20:10"],
        ["stages an update at 20:05", "installs what is staged at 20:10"],
    ],
)
def test_it_installs_nothing_by_itself_where_nothing_is_staged(
    site: Callable[..., Site], before: list[str]
) -> None:
    """Never staged, or installed in the morning already: nothing happens at 17:00, at which it would have."""
    it = site()
    it.say(*before, "installs what is staged at 20:30")
    it.after(minutes=29)
    so_far = list(it.device.history)
    it.after(minutes=30)
    assert it.device.history == so_far


async def test_what_is_not_staged_yet_is_not_installed(site: Callable[..., Site]) -> None:
    """While it is looked for and downloaded, neither an order nor the gateway itself installs it; nor an order amid a check."""
    it = site()
    it.say("has an update")
    await it.check()
    for _ in range(3):
        await it.install()
        it.say("installs what is staged")
        assert not it.device.offline
        it.after(minutes=1)
    await it.check()
    await it.install()
    assert not it.device.offline
    assert (await it.watch(minutes=1))[-1][1] == STAGED
    await it.install()
    assert not it.device.obeyed.running


async def test_after_an_install_there_is_nothing_more(site: Callable[..., Site]) -> None:
    """The next check finds nothing, unless the install came to nothing: then it finds the same."""
    it = site()
    for sentence, then in (("installs fail", STAGED), ("the update brings 1.45.2", FAILED)):
        it.say("stages an update", sentence)
        await it.install()
        it.after(minutes=2)
        await it.check()
        it.after(minutes=3)
        assert (await it.update())["state"] == then
        assert it.device.firmware == OLD


def test_an_order_that_something_else_carried_out_is_over(site: Callable[..., Site]) -> None:
    """Told to install, and upgraded before it began to: it does not go away a second time."""
    it = site()
    it.say("stages an update", "an install begins late for 90s", "an install lasts for 30s")
    it.device.restarts.install()
    it.say("upgrades itself")
    it.after(minutes=5)
    assert it.stops == [(0, True), (0, False), (30, True)]


async def test_a_failed_install_leaves_nothing_staged(site: Callable[..., Site]) -> None:
    """What came to nothing is not installed by itself later, and an order to install it does nothing."""
    it = site()
    it.say("stages an update", "installs fail")
    await it.install()
    it.say("installs what is staged")
    await it.install()
    assert not it.device.offline
    assert it.device.firmware == OLD


def test_a_reboot_does_not_shorten_an_install(site: Callable[..., Site]) -> None:
    """Of two things that take it away the later end counts, and a reboot stays one of two minutes."""
    it = site()
    it.say("an install lasts for 15m", "upgrades itself")
    it.after(minutes=1)
    it.say("reboots")
    assert it.after(minutes=13).offline
    device = it.after(minutes=1)
    assert (device.offline, device.firmware) == (False, NEW)
    it.say("reboots")
    assert it.after(seconds=119).offline
    assert not it.after(seconds=1).offline


def test_an_install_goes_on_when_it_behaves_again(site: Callable[..., Site]) -> None:
    """What has begun has happened: it is gone until its time, and an order that was given is carried out."""
    it = site()
    it.say("an install lasts for 15m", "upgrades itself")
    it.after(minutes=1)
    it.say("behaves again")
    assert it.after(minutes=13).offline
    device = it.after(minutes=1)
    assert (device.offline, device.firmware, device.obeyed.running) == (False, NEW, True)
    it.say("stages an update", "an install begins late for 90s")
    it.device.restarts.install()
    it.say("behaves again")
    assert not it.after(seconds=89).offline
    assert it.after(seconds=1).offline


def test_a_reboot_before_an_install_begins_does_not_forget_it(site: Callable[..., Site]) -> None:
    """It goes away for the reboot at once, and the install that was ordered before adds its own time."""
    it = site()
    it.say("stages an update", "an install begins late for 90s")
    it.device.restarts.install()
    it.say("reboots")
    it.after(minutes=4)
    assert it.stops == [(0, True), (0, False), (210, True)]
    assert it.device.firmware == NEW


@pytest.mark.parametrize(
    ("sentences", "upgrades"),
    [
        (["upgrades itself at 20:10"], [(10, 12, OLD, NEW)]),
        (["upgrades itself at 20:10", "reboots at 20:30"], [(10, 12, OLD, NEW)]),
        (
            ["upgrades itself at 20:10", "the update brings 21.39 at 20:20", "upgrades itself at 20:30"],
            [(10, 12, OLD, NEW), (30, 32, NEW, "21.39.1 7759c368")],
        ),
        (["reboots at 20:09", "upgrades itself at 20:10"], [(9, 12, OLD, NEW)]),
        (["upgrades itself at 20:10", "reboots at 20:11"], [(10, 13, OLD, NEW)]),
        (["somebody stops it at 20:05", "upgrades itself at 20:10"], [(10, 12, OLD, NEW)]),
        (["the update is rolled back", "upgrades itself at 20:10"], []),
        (["installs fail", "upgrades itself at 20:10"], []),
        (["the update brings 1.45.2", "upgrades itself at 20:10"], []),
        (["reboots at 20:10"], []),
    ],
)
def test_every_change_of_firmware_is_kept(
    site: Callable[..., Site], sentences: list[str], upgrades: list[tuple[int, int, str, str]]
) -> None:
    """Since when it was gone and until when, in minutes, and what ran before and after; what changes nothing is not there."""
    it = site()
    it.say(*sentences)
    kept = it.after(hours=1).restarts.upgrades
    assert [(one.gone_at, one.back_at, one.before, one.after) for one in kept] == [
        (minutes(gone), minutes(back), before, after) for gone, back, before, after in upgrades
    ]


async def test_an_install_starts_everything_anew(site: Callable[..., Site]) -> None:
    """Start time and both uptimes count from its return."""
    it = site()
    it.after(hours=5)
    it.say("upgrades itself")
    it.after(minutes=3)
    status = (await it.ask("GET", "status")).json()
    assert (status["start_time"], status["up_time_seconds"]) == ("2026-07-02 01:02:00 -0700", "1m0s")
    assert (await it.ask("GET", "sitemaster")).json()["uptime"] == "60s,"


async def test_another_gateway_has_meters_of_its_own(site: Callable[..., Site]) -> None:
    """Paths that hold a serial number are those of the gateway that answers now."""
    it = site("21.39")
    paths = [f"meters/J{serial}synchrometerX/cts" for serial in ("T123456789", "T987654321")]
    before = [(await it.ask("GET", path)).status_code for path in paths]
    it.say("another serial")
    after = [(await it.ask("GET", path)).status_code for path in paths]
    assert (before, after) == ([200, 404], [404, 200])


async def test_tokens_are_forgotten_by_an_install(site: Callable[..., Site]) -> None:
    """A token from before is refused with 403, and a new login works."""
    it = site()
    token = (await it.client.post("/api/login/Basic", json=CUSTOMER)).json()["token"]
    it.client.cookies.clear()
    headers = {"Authorization": f"Bearer {token}"}
    assert (await it.client.get("/api/operation", headers=headers)).status_code == 200
    it.say("upgrades itself")
    it.after(minutes=2)
    assert (await it.client.get("/api/operation", headers=headers)).status_code == 403
    assert (await it.client.post("/api/login/Basic", json=CUSTOMER)).status_code == 200


async def test_1_50_1_takes_the_way_to_write_away(site: Callable[..., Site]) -> None:
    """After 1.45.2 -> 1.50.1 an installer must come to the switch, a customer cannot write, and the answers are the new ones."""
    it = site()
    it.say("stages an update", "the update brings 1.50.1")
    await it.install()
    it.after(minutes=2)
    it.client.cookies.clear()
    status = (await it.client.get("/api/status")).json()
    assert (status["version"], status["device_type"]) == ("1.50.1 c58c2df3", "teg")
    refused = await it.client.post("/api/login/Basic", json=INSTALLER)
    assert (refused.status_code, refused.json()["error"]) == (
        401,
        "roles [Provider_Engineer] require physical access",
    )
    token = (await it.client.post("/api/login/Basic", json=CUSTOMER)).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    written = await it.client.post("/api/operation", json={"real_mode": "backup"}, headers=headers)
    assert written.status_code == 403
    assert it.device.obeyed.running
    assert it.device.personality == personality("1.50.1")


async def test_an_update_may_bring_other_endpoints(site: Callable[..., Site]) -> None:
    """After 1.45.2 -> 21.39 what only the new one has is there, what only the old one had is not, and stop is a POST."""
    it = site()
    asked = ("GET system/networks", "GET system_status", "GET sitemaster/stop", "POST sitemaster/stop")

    async def answers() -> list[int]:
        return [(await it.ask(*name.split(" "), json={})).status_code for name in asked]

    assert await answers() == [200, 404, 204, 405]
    it.say("answers 500 for 1h", "the update brings 21.39", "upgrades itself")
    it.after(minutes=2)
    # The trouble from before finds the stop under its new verb.
    assert await answers() == [404, 200, 500, 500]
    it.say("behaves again")
    assert await answers() == [404, 200, 405, 204]


@pytest.mark.parametrize(
    ("old", "brings", "word", "late"),
    [
        ("1.15", "1.21", "bad credentials", False),
        ("1.21", "1.43.3", "bad credentials", True),
        ("1.43.3", "1.45.2", "bad credentials", False),
        ("1.21", "1.15", "Invalid Credentials", False),
        ("1.43.3", "1.44", "bad credentials", True),
    ],
)
async def test_every_habit_comes_with_the_version(
    site: Callable[..., Site],
    old: str,
    brings: str,
    word: str,
    late: bool,  # noqa: FBT001 - a table
) -> None:
    """Logins and commits follow; a version that cannot be simulated keeps the habits of the one before it."""
    it = site(old)
    it.say(f"the update brings {brings}", "upgrades itself")
    it.after(minutes=2)
    wrong = await it.client.post("/api/login/Basic", json=CUSTOMER | {"password": "wrong"})
    anybody = await it.client.post("/api/login/Basic", json=CUSTOMER | {"username": "anybody"})
    assert (wrong.status_code, wrong.json()["error"]) == (401, word)
    assert anybody.status_code == (200 if brings == "1.15" else 401)
    key = it.device.personality.operation_key
    await it.ask("POST", "operation", json={key: "backup"})
    await it.ask("GET", "config/completed")
    assert it.device.obeyed.mode == ("self_consumption" if late else "backup")
    assert it.device.firmware.startswith(brings)


@pytest.mark.parametrize(
    ("sentence", "still"), [("one step late for 10m", True), ("one step late for 3m", False)]
)
def test_what_was_said_to_go_wrong_outlasts_an_install(
    site: Callable[..., Site],
    sentence: str,
    still: bool,  # noqa: FBT001 - a table
) -> None:
    """A habit by sentence ends in its time, whatever firmware came meanwhile, and leaves what the new firmware does."""
    it = site("1.43.3")
    it.say(sentence, "the update brings 1.45.2", "upgrades itself")
    assert it.after(minutes=2).mischief.one_step_late
    assert it.after(minutes=2).mischief.one_step_late is still
    assert not it.after(minutes=10).mischief.one_step_late


async def test_the_update_after_the_next_is_the_usual_one(site: Callable[..., Site]) -> None:
    """What an update brings is said of one update, also when it is rolled back before it comes in."""
    it = site()
    it.say("the update brings 1.50.1", "the update is rolled back", "upgrades itself")
    assert it.after(minutes=2).firmware == OLD
    it.say("upgrades itself")
    assert it.after(minutes=2).firmware == "1.50.1 c58c2df3"
    it.say("upgrades itself")
    assert it.after(minutes=2).firmware == personality("1.50.1").next_firmware


async def test_the_plain_port_closes_with_the_firmware_that_has_tls(tmp_path: Path) -> None:
    """1.15 answers plain HTTP; after an update to 1.21 the same port sends to HTTPS."""
    now = [START]
    device = SimulatedGateway(now=lambda: now[0], personality=personality("1.15"))
    async with (
        serving(device, directory=tmp_path, http_port=0) as served,
        httpx.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{served.http_port}") as client,
    ):
        assert (await client.get("/api/status")).json()["version"] == "1.15.0\n"
        apply_scenario(device, "the update brings 1.21")
        apply_scenario(device, "upgrades itself")
        now[0] += timedelta(minutes=2)
        assert (await client.get("/api/status")).status_code == 301


@pytest.mark.parametrize(
    ("sentence", "right"),
    [
        ("the update brings", "the update brings VERSION [at HH:MM]"),
        ("the update brings joy at 17:00", "the update brings VERSION [at HH:MM]"),
        ("the update brings 2", "the update brings VERSION [at HH:MM]"),
        ("an install lasts", "an install lasts for DURATION [at HH:MM]"),
        ("an install lasts for the next 3 requests", "an install lasts for DURATION [at HH:MM]"),
        ("an install begins late", "an install begins late for DURATION [at HH:MM]"),
        ("a check lasts long", "a check lasts for DURATION [at HH:MM]"),
        ("a download lasts to /api/status", "a download lasts for DURATION [at HH:MM]"),
        ("checks fail by 5s", "checks fail [for DURATION] [at HH:MM]"),
        ("installs fail for 5m", "installs fail [at HH:MM]"),
    ],
)
def test_a_sentence_about_updates_is_spelled_out(
    site: Callable[..., Site], sentence: str, right: str
) -> None:
    """One that lacks a part or has one too many is answered with the way to write it."""
    with pytest.raises(SimulatorError, match="write it as") as caught:
        site().say(sentence)
    assert repr(right) in str(caught.value)


@pytest.mark.parametrize("grid", Grid)
@pytest.mark.parametrize("sentences", [[], ["the update is rolled back"], ["stays stopped after an upgrade"]])
def test_no_energy_is_made_or_lost_by_an_install(
    site: Callable[..., Site], sentences: list[str], grid: Grid
) -> None:
    """Whatever comes of it, what went in went out, and the battery moved nothing while it stood still."""
    it = site()
    it.device.switch_grid(grid)
    it.say(*sentences, "an install lasts for 15m at 20:05", "upgrades itself at 20:10")
    charged = []
    for _ in range(12):
        it.after(minutes=5)
        charged.append(it.device.charge_raw_percent())
    house = it.device.house
    came_wh = house.site.imported_wh + house.solar.exported_wh + house.battery.exported_wh
    went_wh = house.site.exported_wh + house.load.imported_wh + house.battery.imported_wh
    assert came_wh == pytest.approx(went_wh, abs=1e-6)
    assert charged[1] == charged[2] == charged[3] == charged[4]
    assert charged[0] > charged[1]
    assert (charged[5] < charged[4]) is ("stays stopped after an upgrade" not in sentences)


RUNS = Obeyed(mode="backup", reserve_raw_percent=100)
RESTS = Obeyed(mode="backup", reserve_raw_percent=100, running=False)


def minutes(number: int) -> datetime:
    """An instant that many minutes after the start."""
    return START + timedelta(minutes=number)


def test_a_record_is_cut_to_what_is_asked_for() -> None:
    """Stretches lie within what was asked for, in order; the last one lasts, and before the first nothing is known."""
    history = [(minutes(0), RUNS), (minutes(10), RESTS), (minutes(10), RUNS), (minutes(30), RESTS)]
    assert list(stretches(history, minutes(-5), minutes(40))) == [
        (minutes(0), minutes(10), RUNS),
        (minutes(10), minutes(30), RUNS),
        (minutes(30), minutes(40), RESTS),
    ]
    assert list(stretches(history, minutes(5), minutes(30))) == [
        (minutes(5), minutes(10), RUNS),
        (minutes(10), minutes(30), RUNS),
    ]
    assert list(stretches(history, minutes(50), minutes(50))) == []
    assert list(stretches([], minutes(0), minutes(9))) == []


@given(
    changes=st.lists(st.tuples(st.integers(0, 60), st.booleans()), max_size=8),
    start=st.integers(-5, 70),
    lasts=st.integers(0, 70),
)
def test_a_standstill_is_counted_as_by_the_minute(
    changes: list[tuple[int, bool]], start: int, lasts: int
) -> None:
    """The time out of service is the number of minutes at which the latest entry says so."""
    changes.sort(key=lambda change: change[0])
    history = [(minutes(at), RUNS if runs else RESTS) for at, runs in changes]
    stopped = 0
    for minute in range(start, start + lasts):
        latest = [runs for at, runs in changes if at <= minute]
        stopped += bool(latest) and not latest[-1]
    found = stopped_between(history, minutes(start), minutes(start + lasts))
    assert found == timedelta(minutes=stopped)
