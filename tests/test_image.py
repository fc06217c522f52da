"""The container image, really built and really run: what the README says under *Run in Docker*, without an engine."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from docker_words import SERVICE, Order, order
from image import TOLD, Folders, Image, built, container, lacking
from processes import PASSWORD, ROOT, site
from readme import commands

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(lacking()), reason=lacking() or "it can be run")]


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image of this clone."""
    with built() as it:
        yield it


def test_an_engine_is_told_how_to_run_it(image: Image) -> None:
    """User, start, stop, health check, folders and labels are in the image's own configuration."""
    config = image.config

    assert config["User"] == "1000:1000"
    assert config["Entrypoint"] == ["tou-scheduler"]
    assert config["Cmd"] == ["run", "--stay", "--write-example"]
    assert config["StopSignal"] == "SIGTERM"
    assert config["Healthcheck"]["Test"] == ["CMD", "tou-scheduler", "status", "--probe"]
    assert not config.get("Volumes"), "a memory that nobody mounted would be kept where nobody looks"
    assert image.environment["TOU_CONFIG"] == "/config/tou.yaml"
    labels = {name.rpartition(".")[2]: value for name, value in config["Labels"].items()}
    assert {name: labels[name.lower()] for name in TOLD} == TOLD
    assert labels["title"] == "tou-scheduler"
    assert labels["licenses"] == "MIT"


def test_the_image_holds_the_program_and_nothing_that_built_it(image: Image) -> None:
    """No pip, no build tool, no compiler, no cache, no test and no file of a clone is in it; all bytecode is."""
    program = image.tree / "opt/tou-scheduler"
    (packages,) = (program / "lib").glob("python3*/site-packages")
    names = {path.name.partition("-")[0].lower() for path in packages.iterdir()}
    sources = [path for path in packages.rglob("*.py") if path.is_file()]
    bare = [path for path in sources if not [*(path.parent / "__pycache__").glob(f"{path.stem}.*.pyc")]]
    print(  # noqa: T201 - a figure for people: pytest -s shows it
        f"{image.bytes / 1e6:.0f} MB, {(image.bytes - image.base_bytes) / 1e6:.0f} MB of them above the base"
    )

    assert {"scheduler", "cryptography", "pydantic_core", "yaml"} <= names
    assert not names & {"pip", "setuptools", "wheel", "hatchling", "editables", "pytest", "tests"}
    assert bare == []
    for gone in ("build", "src", "root/.cache", "opt/tou-scheduler/bin/pip", "usr/bin/gcc", "usr/bin/cc"):
        assert not (image.tree / gone).exists(), gone
    assert not [path for path in (image.tree / "tmp").iterdir() if "pip" in path.name]
    assert sorted(path.name for path in (packages / "scheduler" / "shipped").iterdir()) == [
        "tou-scheduler.service",
        "tou.yaml",
    ]
    assert image.bytes - image.base_bytes < 120e6


def test_the_demo_runs_in_it(image: Image, tmp_path: Path) -> None:
    """Without any file of a person's, the image shows a morning against the simulated gateway."""
    folders = Folders.made(tmp_path)

    shown = image.run("tou-scheduler", "demo", "--hours", "2", "--speed", "1200", volumes=folders.volumes)

    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "The day went as planned" in shown.stdout


def test_once_ends_with_a_verified_switch(image: Image, tmp_path: Path) -> None:
    """As the image's user, with a configuration and a secret, `once` switches the gateway; another program finds it so."""
    with site(tmp_path) as here:
        folders = Folders.made(tmp_path, password=PASSWORD)

        done = image.run("tou-scheduler", "once", "--json", volumes=folders.volumes)
        seen = here.json("once", "--state-dir", "elsewhere")
        checked = image.run("tou-scheduler", "status", "--probe", volumes=folders.volumes)

    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["verdict"] == "verified"
    assert seen["verdict"] == "already"
    assert {path.stat().st_uid for path in folders.data.rglob("*")} == {1000}
    assert (checked.returncode, checked.stdout) == (1, "NOT FINE: no daemon runs with this state directory\n")


def test_the_daemon_needs_two_folders_and_nothing_else(image: Image, tmp_path: Path) -> None:
    """Without a writable root file system and any capability it switches, is healthy, and ends when it is told to."""
    with site(tmp_path):
        folders = Folders.made(tmp_path, password=PASSWORD)
        with container(image, folders) as it:
            it.told("fine: ")
            status = it.run(
                "sh", "-c", "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs):' /proc/1/status; touch /tmp/here"
            )
            it.tell(signal.SIGTERM)
            code = it.ended(within_s=10)
            said = it.said

    lines = status.stdout.split()
    assert lines == ["1000", "CapEff:", "0" * 16, "CapBnd:", "0" * 16, "NoNewPrivs:", "1"]
    assert "Read-only file system" in status.stderr
    assert code == 0, said
    assert '"verdict": "verified"' in said
    assert PASSWORD not in said


def test_any_user_will_do(image: Image, tmp_path: Path) -> None:
    """A user whom the image has never heard of runs the daemon, if the folders are theirs; and nothing is written beside."""
    user = 4711
    with site(tmp_path):
        folders = Folders.made(tmp_path, user=user, password=PASSWORD)
        with container(image, folders, user=user, writable=True) as it:
            begun = max(path.lstat().st_ctime_ns for path in [it.view, *it.view.iterdir()])
            it.told("fine: ")
            doctor = it.run("tou-scheduler", "doctor")
            it.tell(signal.SIGTERM)
            code = it.ended()
            written = [path for path in it.view.rglob("*") if path.lstat().st_ctime_ns > begun]
            said = it.said

    assert code == 0, said
    assert doctor.returncode == 0, doctor.stdout
    assert {path.stat().st_uid for path in folders.data.rglob("*")} == {user}
    assert written == []


def test_the_first_start_writes_an_example_and_waits(image: Image, tmp_path: Path) -> None:
    """With empty folders it writes a file to begin with, says what to do, stays up, and ends when it is told to."""
    folders = Folders.made(tmp_path)
    with container(image, folders) as it:
        complaint = it.told("no plan is in force")
        it.tell(signal.SIGTERM)
        code = it.ended(within_s=10)
        said = it.said

    assert "an example was written to /config/tou.yaml: put your tariff" in said
    assert (folders.config / "tou.yaml").read_bytes() == (ROOT / "config" / "tou.yaml").read_bytes()
    assert complaint.startswith("NOT FINE: ")
    assert code == 0


def typed(lines: list[str], home: Path) -> tuple[Path, list[Order]]:
    """Have bash run the lines that are not docker's, as a person types them in their clone.

    Returned are the folder in which they end, where the orders of Compose belong, and all orders to docker.
    """
    script = [line for line in lines if not line.startswith("docker ")]
    done = subprocess.run(
        ["bash", "-euc", "\n".join([*script, "pwd"])],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        input=f"{PASSWORD}\n",
        capture_output=True,
        text=True,
        check=True,
    )
    return Path(done.stdout.splitlines()[-1]), [order(line) for line in lines if line.startswith("docker ")]


def mounted(folder: Path) -> Folders:
    """The folders that the compose.yaml in there mounts, all of them made before, and of the image's user."""
    compose = yaml.safe_load((folder / "compose.yaml").read_text())
    sources = {it["target"]: folder / it["source"] for it in compose["services"][SERVICE]["volumes"]}
    secret = folder / compose["secrets"]["gateway_password"]["file"]
    assert [path for path in (*sources.values(), secret) if not path.exists()] == []
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    # The person is user 1000; whoever runs this test is not.
    made = Folders.made(folder)
    assert made.volumes == {**sources, "/run/secrets": secret.parent}
    return made


def test_the_way_from_empty_folders_to_a_switch(image: Image, tmp_path: Path) -> None:
    """Each line of the README, or what runs in its stead: the daemon waits, is given an address, trusts, and switches."""
    (tmp_path / "gateway").mkdir()
    folder, (build, demo, up, trust, *looks) = typed(commands("Run in Docker"), tmp_path)
    with site(tmp_path / "gateway") as here:
        folders = mounted(folder)
        shown = image.run(*image.config["Entrypoint"], *demo.words, volumes={})
        with container(image, folders, *up.words) as it:
            it.told("no plan is in force")
            file = folders.config / "tou.yaml"
            file.write_text(file.read_text().replace("host: powerwall ", f"host: 127.0.0.1:{here.port} "))
            # Here is no terminal to answer at.
            with container(image, folders, *trust.words, "--yes") as once:
                trusted = once.ended(), once.said
            it.told("fine: ")
            looked = [it.run(*look.words) for look in looks if look.verb == "compose exec"]
            history = it.run("tou-scheduler", "history", "--json")
            logs = it.said

    verbs = [it.verb for it in (build, demo, up, trust, *looks)]
    assert verbs == ["build", "run", "compose up", "compose run", *["compose exec"] * 2, "compose logs"]
    assert (shown.returncode, "The day went as planned" in shown.stdout) == (0, True), shown.stderr
    assert trusted[0] == 0, trusted[1]
    assert (folders.config / "powerwall.pem").stat().st_uid == 1000
    assert [look.returncode for look in looked] == [0, 0], looked
    assert json.loads(history.stdout)[-1]["verdict"] == "verified"
    assert '"verdict": "verified"' in logs


def test_a_configuration_that_may_not_be_written_is_no_reason_to_end(image: Image, tmp_path: Path) -> None:
    """With /config read-only and empty it says that it could not write the example, and waits for a file."""
    folders = Folders.made(tmp_path)
    folders.read_only.add("/config")
    with container(image, folders) as it:
        complaint = it.told("no plan is in force")
        under_way, said = it.under_way, it.said

    assert under_way
    assert "no example could be written" in said
    assert "/config/tou.yaml" in complaint
    assert [*folders.config.iterdir()] == []


def test_a_memory_that_is_not_its_own_is_said(image: Image, tmp_path: Path) -> None:
    """With /data somebody else's it ends with a sentence on it, and no traceback."""
    folders = Folders.made(tmp_path)
    folders.data.chmod(0o755)
    with container(image, folders, user=4711) as it:
        code = it.ended()
        said = it.said

    assert code not in {0, 1}
    assert "/data" in said
    assert "Traceback" not in said


def test_the_zone_of_the_container_does_not_matter(image: Image, tmp_path: Path) -> None:
    """Whatever TZ says, the plan is the same: it goes by the zone of the file."""
    plans = []
    with site(tmp_path):
        folders = Folders.made(tmp_path, password=PASSWORD)
        for zone in ("", "Asia/Tokyo", "America/New_York"):
            words = ("plan", "--from", "2026-11-01", "--days", "2", "--json")
            with container(image, folders, *words, TZ=zone) as it:
                assert it.ended() == 0, it.said
                plans.append(json.loads(it.said))

    assert plans[0] == plans[1] == plans[2]
    assert plans[0]["timezone"] == "America/Los_Angeles"


HANGS = """
import signal, time
signal.signal(signal.SIGUSR1, lambda *_: time.sleep(1e6))
"""
"""A sitecustomize: told by a signal, the program hangs in the thread of its event loop."""


def test_a_daemon_that_hangs_is_found_out_and_ends_itself(image: Image, tmp_path: Path) -> None:
    """Stopped in its middle it is unhealthy until it goes on; with a loop that hangs it says where, and ends itself."""
    # No engine starts anew what is merely unhealthy. Both take more than a minute, and so they do it side by side.
    for name in ("sleeper", "hangs"):
        (tmp_path / name).mkdir()
    with site(tmp_path / "sleeper"):
        asleep = Folders.made(tmp_path / "sleeper", password=PASSWORD)
        folders = Folders.made(tmp_path / "hangs")
        (folders.config / "sitecustomize.py").write_text(HANGS)
        with container(image, asleep) as sleeper, container(image, folders, PYTHONPATH="/config") as hangs:
            sleeper.told("fine: ")
            sleeper.tell(signal.SIGSTOP)
            hangs.told("no plan is in force")
            hangs.tell(signal.SIGUSR1)

            complaint = sleeper.told("NOT FINE: ")
            sleeper.tell(signal.SIGCONT)
            recovered = sleeper.told("fine: ")
            code = hangs.ended()
            said = hangs.said

    assert "hangs" in complaint
    assert recovered
    assert code == 70
    assert "no sign of life for" in said
    assert "sitecustomize.py" in said
