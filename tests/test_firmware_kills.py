"""A firmware moment whose process is killed, at every step that it takes: it ends in the same place."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
import urllib.request
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench import BY_DAY, Bench, bench, local
from days import Run
from dying import Steps, lives
from processes import Site, eventually, site

from scheduler.model.events import MomentEnded
from scheduler.simulator.record import stretches

LOGIN = "POST /api/login/Basic"
RUN = "GET /api/sitemaster/run"
INSTALL = "POST /api/system/update"
BEGINS, BOUNDARY, ENDS = local("07:14"), local("07:55"), local("07:59")
INSTALL_TAKES = timedelta(minutes=2)
NEW = "1.46.0"
DAY_RAW = ("self_consumption", 9.75)
"""What the battery goes by from the boundary on, in the gateway's own scale."""

SOON_S, LATE_S = 5.0, 600.0
"""How long after a kill the next process begins: a service manager's way, and a person's."""

POLL_S = 10.0
BUSY_S = 60.0
"""So long a switch or a standstill may take beside what a kill costs."""

LATE = timedelta(seconds=30)
STAGED = ("stages an update", f"an install begins late for {LATE.seconds}s")
"""An update that lies there already; who is begun anew after the install was asked for finds the gateway as it was."""
CHECKED = ("has an update", "stays stopped after an upgrade")
"""One that must be checked for and downloaded; whoever asked for the install must start the battery after it."""

TOUCHY = (INSTALL, "save", "note", "clear")
"""What is never left out: the install itself, and what must be durable."""


@dataclass(frozen=True, slots=True)
class Morning:
    """What happened on the wire and to the battery, and when processes were killed."""

    bench: Bench
    steps: list[str]
    killed: list[datetime]
    reached: dict[str, list[datetime]]
    dead_for_s: float


def morning(sentences: tuple[str, ...], *deadly: int, dead_for_s: float = SOON_S) -> Morning:
    """A morning with an update in which processes are killed at these steps, numbered over restarts from 1 on."""
    b = bench(BEGINS)
    for sentence in sentences:
        b.scenario(sentence)
    reached: dict[str, list[datetime]] = defaultdict(list)
    b.wire.then = lambda call: reached[call].append(b.clock.now())
    steps = Steps(b, lambda number, _: number in deadly)
    until = ENDS + timedelta(seconds=dead_for_s * len(deadly))
    killed = asyncio.run(lives(lambda: Run(b), steps, until=until, pause_s=POLL_S, dead_for_s=dead_for_s))
    return Morning(b, steps.taken, killed, reached, dead_for_s)


def wrong(day: Morning) -> list[str]:
    """All that is not as it must be after such a morning, in words."""
    b = day.bench
    b.device.now()
    obeyed, noted, installs = b.device.obeyed, b.moments.load(), day.reached[INSTALL]
    outcomes = {event.outcome for event in b.events if isinstance(event, MomentEnded)}
    return [
        *([] if b.device.firmware == NEW else [f"the firmware is {b.device.firmware}"]),
        *([] if obeyed.running else ["the battery stands still"]),
        *([] if (obeyed.mode, obeyed.reserve_raw_percent) == DAY_RAW else [f"the battery goes by {obeyed}"]),
        *([] if len(installs) == 1 else [f"the gateway was told to install at {installs}"]),
        *([] if "current" not in noted and len(noted["done"]) == 1 else [f"it is noted that {noted}"]),
        *([] if outcomes == {"installed"} else [f"the moment ended as {outcomes}"]),
        *([] if not b.marks else [f"marks are left: {set(b.marks)}"]),
        *_late(day),
        *_logins(day),
        *_standstills(day),
    ]


def _late(day: Morning) -> list[str]:
    """The boundary was obeyed late: a kill just before it, or in its switch, costs its pause."""
    since = next((at for at, o in day.bench.device.history if o.mode == BY_DAY.mode and at >= BOUNDARY), None)
    near = sum(at > BOUNDARY - timedelta(seconds=day.dead_for_s + POLL_S) for at in day.killed)
    allowed = timedelta(seconds=BUSY_S + near * day.dead_for_s)
    return [] if since is not None and since - BOUNDARY <= allowed else [f"07:55 is obeyed since {since}"]


def _logins(day: Morning) -> list[str]:
    """More logins than one for each process and one for the new firmware, or more than three in five minutes.

    Two more than three may start a battery that was left stopped, if they do so at once.
    """
    logins = day.reached[LOGIN]
    crowded = [
        at
        for number, at in enumerate(logins)
        for fourth in logins[number + 3 : number + 4]
        if fourth - at < timedelta(minutes=5) and fourth not in day.reached[RUN]
    ] + [at for at, sixth in zip(logins, logins[5:], strict=False) if sixth - at < timedelta(minutes=5)]
    most = 3 + len(day.killed)
    return [
        *([] if len(logins) <= most else [f"{len(logins)} logins"]),
        *(f"more than 3 logins in the 5 minutes from {at} on" for at in crowded),
    ]


def _standstills(day: Morning) -> list[str]:
    """Standstills that are not the install's own, and last longer than the kills and the work after them explain."""
    spare = timedelta(seconds=BUSY_S + len(day.killed) * day.dead_for_s)
    installs = {at + late for at in day.reached[INSTALL] for late in (timedelta(), LATE)}
    return [
        f"the battery stood still from {start} to {end}"
        for start, end, o in stretches(day.bench.device.history, BEGINS, day.bench.clock.now())
        if not o.running and end - start > spare + (INSTALL_TAKES if start in installs else timedelta())
    ]


def ends_elsewhere(
    sentences: tuple[str, ...],
    *,
    every: int | None = 1,
    dead_for_s: float = SOON_S,
    again_after: int | None = None,
) -> tuple[int, list[str]]:
    """How many kills were tried, and which of them do not end in the same place, in words.

    ``every``: at each step, or at each of so many and those that are `TOUCHY`, or None at the first of each kind; ``again_after``: the next process is killed that
    many steps later.
    """
    quiet = morning(sentences)
    assert wrong(quiet) == []
    found = []
    if every is None:
        numbers = [quiet.steps.index(kind) for kind in dict.fromkeys(quiet.steps)]
    else:
        numbers = [n for n, step in enumerate(quiet.steps) if n % every == 0 or step.endswith(TOUCHY)]
    for number in numbers:
        deadly = [number + 1] if again_after is None else [number + 1, number + 1 + again_after]
        day = morning(sentences, *deadly, dead_for_s=dead_for_s)
        assert len(day.killed) == len(deadly)
        found += [f"killed {quiet.steps[number]} (step {number + 1}): {it}" for it in wrong(day)]
    return len(numbers), found


def test_the_morning_has_the_steps_that_are_told_apart() -> None:
    """Undisturbed, both mornings end well, and every kind of step is among those that are killed in below."""
    for sentences in (STAGED, CHECKED):
        day = morning(sentences)

        assert wrong(day) == []
        assert len(day.steps) > 200
        for what in (
            LOGIN,
            INSTALL,
            "POST /api/operation",
            "GET /api/config/completed",
            "GET /api/sitemaster/run",
        ):
            assert {f"before {what}", f"after {what}"} <= set(day.steps)
        for what in ("note", "clear", "save"):
            assert any(step.startswith("after") and step.endswith(f" {what}") for step in day.steps)


def test_killed_at_a_step_it_ends_in_the_same_place() -> None:
    """Killed at the first step of each kind and begun anew five seconds later, the morning ends as the undisturbed one does."""
    tried, found = ends_elsewhere(STAGED, every=None)

    assert found == []
    assert tried > 25


@pytest.mark.slow
@pytest.mark.parametrize("sentences", [STAGED, CHECKED], ids=["staged", "checked"])
def test_killed_at_many_steps_it_ends_in_the_same_place(sentences: tuple[str, ...]) -> None:
    """The same at every twenty-fifth step, and at all at which the install is asked for or something is written."""
    tried, found = ends_elsewhere(sentences, every=25)

    assert found == []
    assert tried > 70


def test_an_install_that_was_taken_is_not_asked_for_again() -> None:
    """A gateway that took it and begins three minutes later is waited for by the next process, too."""
    sentences = ("stages an update", "an install begins late for 3 minutes")
    steps = morning(sentences).steps
    noted = steps.index("after Moments save", steps.index(f"after {INSTALL}"))

    day = morning(sentences, noted + 1)

    assert len(day.killed) == len(day.reached[INSTALL]) == 1
    assert day.bench.device.firmware == NEW


@pytest.mark.slow
@pytest.mark.parametrize("dead_for_s", [SOON_S, LATE_S])
@pytest.mark.parametrize("sentences", [STAGED, CHECKED], ids=["staged", "checked"])
def test_killed_at_any_step_it_ends_in_the_same_place(sentences: tuple[str, ...], dead_for_s: float) -> None:
    """The same at every single step, also where nobody is there to begin it anew for ten minutes."""
    tried, found = ends_elsewhere(sentences, dead_for_s=dead_for_s)

    assert found == []
    assert tried > 200


@pytest.mark.slow
@pytest.mark.parametrize("again_after", [1, 2, 5, 20])
@pytest.mark.parametrize("sentences", [STAGED, CHECKED], ids=["staged", "checked"])
def test_killed_twice_it_ends_in_the_same_place(sentences: tuple[str, ...], again_after: int) -> None:
    """Killed at any step, and the next process at its first, second, fifth or twentieth step: the same."""
    tried, found = ends_elsewhere(sentences, again_after=again_after)

    assert found == []
    assert tried > 200


NOW_AND_HERE = """\
version: 1
site: {{name: Home, timezone: UTC}}
gateway:
  type: local
  host: 127.0.0.1:{port}
  server_name: powerwall
  certificate: powerwall.pem
  username: installer
  email: me@example.com
tariff:
  name: One price
  effective: 2018-04-01
  currency: USD
  periods:
    - {{name: always, hours: "00:00-24:00", import: 0.2, export: 0.04}}
rules:
  - name: Firmware now
    at: "{minute}"
    do: check_firmware
    install: true
default: {{mode: backup, reserve: 100}}
"""


def asked(home: Site, path: str) -> Any:
    """What the gateway tells anybody."""
    context = ssl.create_default_context(cafile=str(home.folder / "config" / "powerwall.pem"))
    # What is saved is the gateway's own certificate, and another one signed it.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    with urllib.request.urlopen(f"https://127.0.0.1:{home.port}{path}", context=context) as answer:
        return json.load(answer)


@pytest.mark.slow
def test_a_real_daemon_killed_while_the_gateway_installs_is_followed_by_one_that_ends_it(
    tmp_path: Path,
) -> None:
    """SIGKILL in the wait for the install; the next daemon finds the new version, and the battery in service."""
    with site(tmp_path, "stages an update", "an install lasts for 20s") as home:
        minute = time.strftime("%H:%M", time.gmtime())  # a moment of just now, which is due for half an hour
        home.configuration.write_text(NOW_AND_HERE.format(port=home.port, minute=minute))
        moments = home.folder / "state" / "moments.json"
        with home.daemon() as daemon:
            eventually(lambda: any(line["event"] == "install_started" for line in home.log))
            daemon.kill()
            daemon.wait()
        killed_in = json.loads(moments.read_text())["current"]["phase"]
        with home.daemon():
            noted = eventually(lambda: (it := json.loads(moments.read_text())).get("done") and it)
            ended = [line for line in home.log if line["event"] == "moment_ended"]

        assert killed_in == "install"
        assert "current" not in noted
        assert noted["identity"]["firmware"] == asked(home, "/api/status")["version"] == NEW
        assert [line["outcome"] for line in ended] == ["installed"]
        assert asked(home, "/api/sitemaster")["running"] is True
