"""The systemd unit as a file: what systemd itself says of it, and the promises that its lines make."""

from __future__ import annotations

import json
import shutil
import subprocess
from itertools import pairwise
from pathlib import Path

import pytest
from processes import ROOT
from small_faults import DEAD_FOR_S

from scheduler.app.places import Places, unit
from scheduler.app.pulse import LONGEST_CYCLE_S
from scheduler.app.rehearsal.world import DEAD_S
from scheduler.config import credential
from scheduler.daemon.deadman import LIMIT_S, LOOK_S
from scheduler.store import heartbeat

UNIT = ROOT / "deploy" / "systemd" / "tou-scheduler.service"
LINES = UNIT.read_text().splitlines()
MOST_EXPOSURE = 15
"""Tenths: 1.5 of the 10 that a unit without any fence has."""

needs_analyze = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None,
    reason="systemd-analyze is missing: apt install systemd brings it",
)


def analyze(*words: str) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze says, without asking the systemd of this machine."""
    return subprocess.run(["systemd-analyze", *words], capture_output=True, text=True, check=False)


def settings() -> dict[str, list[str]]:
    """The unit's settings, each with its values in order."""
    found: dict[str, list[str]] = {}
    for line in LINES:
        if "=" in line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(key, []).append(value)
    return found


@needs_analyze
def test_the_service_is_fenced_in() -> None:
    """By systemd's own measure the service is exposed to 1.5 of 10 at most."""
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(UNIT))
    assert done.returncode == 0, done.stdout + done.stderr


@needs_analyze
def test_a_unit_without_fences_would_not_pass(tmp_path: Path) -> None:
    """The measure can fail: the same service without its fences is over the threshold."""
    bare = tmp_path / UNIT.name
    bare.write_text("\n".join(line for line in LINES if line.startswith(("[", "Type=", "ExecStart="))))

    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSURE}", str(bare))

    assert done.returncode != 0


@needs_analyze
def test_systemd_understands_every_line(tmp_path: Path) -> None:
    """No setting is unknown or misspelt, by the systemd that is here; a program that exists stands in for ours."""
    copy = tmp_path / UNIT.name
    copy.write_bytes(unit(Path("/bin/true")))

    done = analyze("verify", "--recursive-errors=no", str(copy))

    assert (done.returncode, done.stderr) == (0, "")


@needs_analyze
def test_whatever_is_left_open_is_explained() -> None:
    """Each point that systemd still counts is named in a comment of the unit, with its reason."""
    done = analyze("security", "--offline=true", "--json=short", str(UNIT))
    checks = json.loads(done.stdout[done.stdout.index("[") :])
    opened = {check["name"].partition("=")[0] for check in checks if float(check["exposure"] or 0) > 0}

    assert "PrivateNetwork" in opened
    comments = "\n".join(line for line in LINES if line.startswith("#"))
    explained = {line.partition("=")[0] for above, line in pairwise(LINES) if above.startswith("#")}
    assert {name for name in opened if f"{name}=" not in comments} <= explained


def test_the_daemon_is_run_to_stay() -> None:
    """A broken file does not end the service, and nothing makes systemd give it up: it would stay down until a person comes."""
    said = settings()

    assert said["ExecStart"] == ["/opt/tou-scheduler/bin/tou-scheduler run --stay"]
    assert (said["Type"], said["Restart"]) == (["notify"], ["on-failure"])
    assert said["StartLimitIntervalSec"] == ["0"]
    assert "RestartPreventExitStatus" not in said


def test_l3_a_battery_does_not_wait_for_the_restart() -> None:
    """The pause before one is two seconds, as the searches for small faults and the rehearsals take it to be, and never longer."""
    (pause,) = settings()["RestartSec"]

    assert float(pause) == DEAD_FOR_S == DEAD_S[0]
    assert not {"RestartSteps", "RestartMaxDelaySec"} & set(settings())


def test_p5_l3_what_lies_in_memory_outlasts_the_daemon() -> None:
    """Heartbeat and copy of the marks have a folder of the service's own, for nobody else, that only a boot takes away."""
    said = settings()

    assert said["RuntimeDirectory"] == [heartbeat.OF_SERVICE.name]
    assert (said["RuntimeDirectoryMode"], said["RuntimeDirectoryPreserve"]) == (["0700"], ["yes"])


def test_the_watchdog_leaves_the_daemon_time_to_say_where_it_hangs() -> None:
    """The process ends itself first, with a line in the log; systemd's own watchdog is for one that cannot."""
    (watchdog,) = settings()["WatchdogSec"]

    assert int(watchdog) > LIMIT_S + LOOK_S


def test_a_start_has_time_for_the_slowest_gateway() -> None:
    """READY is waited for longer than the process lets any cycle take: a switch that is drawn out is not cut off at each start."""
    (start,) = settings()["TimeoutStartSec"]

    assert int(start) > LONGEST_CYCLE_S + LOOK_S


def test_a_stop_has_time_to_put_the_battery_back() -> None:
    """The daemon takes 10 s at most; a slow machine gets twice that before systemd kills it."""
    (stop,) = settings()["TimeoutStopSec"]

    assert int(stop) >= 20


def test_network_and_clock_are_waited_for_and_not_needed() -> None:
    """A house without a network still has a daemon: no setting makes another unit's failure ours."""
    said = settings()

    assert said["After"] == ["network-online.target time-sync.target"]
    assert said["Wants"] == ["network-online.target"]
    assert not {"Requires", "BindsTo", "Requisite", "PartOf"} & set(said)


def test_the_password_comes_from_where_it_is_put() -> None:
    """`service install` and the unit name the same files, and without one the daemon is started all the same."""
    places = Places(root=Path("/"))
    said = settings()

    assert said["LoadCredential"] == [f"{credential.NAME}:{places.plain}"]
    assert said["SetCredential"] == [f"{credential.NAME}:\\n"]
    assert said["Environment"] == [f"TOU_CONFIG={places.configuration}"]
