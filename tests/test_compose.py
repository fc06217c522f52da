"""What can be said of the container's files without building anything: Dockerfile, .dockerignore and compose.yaml."""

from __future__ import annotations

import json
import re
import shlex
from typing import Any

import pytest
from docker_words import COMPOSE, order
from processes import ROOT, command
from readme import commands

from scheduler.config.settings import SECRET_NAME

SERVICE: dict[str, Any] = COMPOSE["services"]["tou-scheduler"]

# A comment may stand in the middle of an instruction, which a backslash carries on to the next line.
_TEXT = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
INSTRUCTIONS = [
    (name.upper(), rest)
    for line in re.sub(r"\\\n\s*", " ", _TEXT).splitlines()
    if line.strip()
    for name, _, rest in [line.strip().partition(" ")]
]


def instructions(name: str) -> list[str]:
    """What follows each instruction of this name in the Dockerfile, in order."""
    return [rest for its, rest in INSTRUCTIONS if its == name]


def seconds(duration: str) -> float:
    """A duration of a Dockerfile or of Compose, such as ``90s`` or ``2m``."""
    return float(duration[:-1]) * {"s": 1, "m": 60}[duration[-1]]


def environment() -> dict[str, str]:
    """The variables that the image sets for its processes."""
    final = instructions("ENV")[-1]
    return dict(word.split("=", 1) for word in shlex.split(final))


def newest_python() -> str:
    """The newest Python that the package says it runs on."""
    classified = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text())
    return max(classified, key=lambda version: int(version.partition(".")[2]))


def test_both_stages_are_built_on_one_base_that_can_be_pinned() -> None:
    """The base has a version, never `latest`, and one argument names another or its digest for both stages."""
    assert instructions("FROM") == ["${BASE} AS build", "${BASE}"]
    assert instructions("ARG")[:2] == [f"PYTHON={newest_python()}", "BASE=python:${PYTHON}-slim"]


def test_everything_that_is_installed_has_a_hash() -> None:
    """What pip installs is locked and has its hash, or is what the step before it built; never anything else."""
    steps = [step.strip() for run in instructions("RUN") for step in run.split("&&")]
    installs = [step for step in steps if re.search(r"\bpip\b.* (install|wheel|download) ", step)]

    assert len(installs) == 4
    for step in installs:
        built = "--no-deps" in step and ("--no-index" in step or "--no-build-isolation" in step)
        assert "--require-hashes" in step or built, step


def test_the_builder_gets_what_is_copied_and_nothing_else() -> None:
    """What the Dockerfile copies from the clone is what .dockerignore lets through, file by file and folder by folder."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    copied = {
        source.rstrip("/")
        for words in map(shlex.split, instructions("COPY"))
        if not words[0].startswith("--from")
        for source in words[:-1]
    }

    assert patterns[0] == "*"
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == copied
    assert {"**/__pycache__", "**/*.pem"} <= set(patterns)
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_the_program_is_process_1_and_no_shell_is() -> None:
    """Start and health check are lists of words, so a signal reaches the daemon; and the user is not root."""
    start = [json.loads(it) for name in ("ENTRYPOINT", "CMD") for it in instructions(name)]
    check = json.loads(instructions("HEALTHCHECK")[0].partition(" CMD ")[2])

    assert start == [["tou-scheduler"], ["run", "--stay", "--write-example"]]
    assert check == ["tou-scheduler", "status", "--probe"]
    assert instructions("USER") == ["1000:1000"]
    assert instructions("STOPSIGNAL") == ["SIGTERM"]


@pytest.mark.parametrize("words", [("run", "--stay", "--write-example"), ("status", "--probe")])
def test_the_program_knows_what_the_image_asks_of_it(words: tuple[str, ...], tmp_path: Any) -> None:
    """The verbs and options that the Dockerfile names are those of the command."""
    helped = command(words[0], "--help", cwd=tmp_path)

    assert helped.returncode == 0
    assert [word for word in words[1:] if word not in helped.stdout] == []


def test_the_health_check_leaves_time() -> None:
    """A Raspberry Pi under load may take its time, and a check has an end before the next one begins."""
    options = dict(re.findall(r"--([a-z-]+)=(\S+)", instructions("HEALTHCHECK")[0]))

    assert 10 <= seconds(options["timeout"]) < seconds(options["interval"])
    assert seconds(options["start-period"]) >= 75
    assert int(options["retries"]) >= 2


def test_nothing_of_the_engine_is_left_to_the_container() -> None:
    """No capability, no new privilege, no byte of the root file system, nobody's root, and nothing of the host."""
    assert SERVICE["cap_drop"] == ["ALL"]
    assert SERVICE["security_opt"] == ["no-new-privileges:true"]
    assert SERVICE["read_only"] is True
    assert SERVICE["user"] == "${RUN_AS:-1000:1000}"
    assert not set(SERVICE) & {"cap_add", "privileged", "network_mode", "pid", "ipc", "devices", "tmpfs"}


def test_nothing_is_published_to_the_network() -> None:
    """A port would be published on this machine only; the daemon listens on none."""
    assert [port for port in SERVICE.get("ports", []) if not str(port).startswith("127.0.0.1:")] == []
    assert instructions("EXPOSE") == []


def test_the_folders_are_those_of_the_image() -> None:
    """Configuration and memory are mounted where the image looks for them, as folders, and never made by the engine."""
    mounted = {volume["target"]: volume for volume in SERVICE["volumes"]}

    assert set(mounted) == {environment()["TOU_CONFIG"].rpartition("/")[0], environment()["STATE_DIRECTORY"]}
    for volume in mounted.values():
        assert (volume["type"], volume["bind"]) == ("bind", {"create_host_path": False})
        assert volume["source"] == f".{volume['target']}"


def test_the_password_is_a_secret_in_a_file() -> None:
    """Compose hands over the file under the name that the program reads, and no password is in the environment."""
    assert SERVICE["secrets"] == [SECRET_NAME]
    assert COMPOSE["secrets"] == {SECRET_NAME: {"file": f"./secrets/{SECRET_NAME}"}}
    assert "environment" not in SERVICE
    assert "PASSWORD" not in _TEXT.upper()


def test_what_it_may_use_up_is_limited() -> None:
    """Logs, memory and processes have bounds; it is started anew unless a person stopped it, and may end in order."""
    options = SERVICE["logging"]["options"]

    assert SERVICE["logging"]["driver"] == "json-file"
    assert options["max-size"].endswith("m")
    assert int(options["max-size"][:-1]) * int(options["max-file"]) <= 20
    assert SERVICE["mem_limit"] == "256m"
    assert SERVICE["pids_limit"] == 64
    assert SERVICE["restart"] == "unless-stopped"
    assert seconds(SERVICE["stop_grace_period"]) > 10


def test_the_readme_says_what_docker_and_our_files_know() -> None:
    """Each `docker` line of the README has a subcommand and options that there are, and our names of image and service."""
    verbs = [order(line).verb for line in commands("Run in Docker") if line.startswith("docker")]

    assert {"build", "run", "compose up", "compose run", "compose exec", "compose logs"} == set(verbs)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("docker compose upp --detach", "compose upp"),
        ("docker compose up --detatch", "--detatch"),
        ("docker compose up tou-schedule", "tou-schedule"),
        ("docker compose run --rm tou-schedule trust", "tou-schedule"),
        ("docker compose exec", "None"),
        ("docker run --rm another demo", "another"),
        ("docker build --tag another .", "another"),
        ("docker build --tag tou-scheduler", "None"),
        ("docker", "docker"),
    ],
)
def test_a_slip_in_a_docker_line_is_found(line: str, wrong: str) -> None:
    """A word that is not Docker's, or not of our files, is named."""
    with pytest.raises(ValueError, match=wrong):
        order(line)
