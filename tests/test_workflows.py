"""The workflows that test and release us: what they may do, whose code they run, and that the verbs they call exist."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
FILES = sorted((ROOT / ".github" / "workflows").glob("*"))
IDS = [path.name for path in FILES]

WRITES = {
    ("image.yaml", "push"): {"packages", "id-token", "attestations"},
    ("release.yaml", "attest"): {"id-token", "attestations"},
    ("release.yaml", "publish"): {"id-token"},
    ("release.yaml", "image"): {"packages", "id-token", "attestations"},
    ("release.yaml", "announce"): {"contents"},
}
"""Which job may write what, and no other may write anything."""

BASE_PYTHON = re.findall(r"^ARG PYTHON=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)[0]
"""The Python of the image's base."""

PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
OURS = re.compile(r"uses: \$/\.github/workflows/[\w-]+\.yaml")


def workflow(path: Path) -> dict[str, Any]:
    """A workflow as plain text values: YAML 1.1 would read its `on` as true and its `3.10` as 3.1."""
    document: dict[str, Any] = yaml.load(path.read_text(), Loader=yaml.BaseLoader)  # noqa: S506 - it makes text only
    return document


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    """Its jobs by their names."""
    found: dict[str, dict[str, Any]] = workflow(path)["jobs"]
    assert found
    return found


def commands(path: Path) -> str:
    """Every shell command that it runs."""
    return "\n".join(step.get("run", "") for job in jobs(path).values() for step in job.get("steps", []))


def test_there_are_workflows_for_changes_images_and_releases() -> None:
    """The three that we promise, and no file that nobody would look for."""
    assert IDS == ["ci.yaml", "image.yaml", "release.yaml"]


def test_they_are_workflows() -> None:
    """Each keeps to the published schema of its language, which check-jsonschema carries along."""
    for kind, paths in (
        ("vendor.github-workflows", FILES),
        ("vendor.dependabot", [ROOT / ".github" / "dependabot.yml"]),
    ):
        done = subprocess.run(
            [BIN / "check-jsonschema", "--builtin-schema", kind, *paths],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing_in_them() -> None:
    """No injection, no credential left behind, no cache that another branch could poison, no permission too many."""
    done = subprocess.run(
        [BIN / "zizmor", "--offline", "--no-progress", "--no-config", ROOT / ".github"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    assert "No findings to report" in done.stdout


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_is_permitted_but_what_is_said_here(path: Path) -> None:
    """A workflow starts with no permission at all; a job reads the clone, and writes only what it is for."""
    assert workflow(path)["permissions"] == {}
    for name, job in jobs(path).items():
        given = job["permissions"]
        assert {it for it, how in given.items() if how != "read"} == WRITES.get((path.name, name), set()), (
            name
        )
        assert {it for it, how in given.items() if how == "read"} <= {"contents"}, name


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_somebody_elses_code_is_pinned(path: Path) -> None:
    """A tag can be moved to other code; a commit cannot. The version stands beside it, for people and for updates."""
    used = [line.strip().removeprefix("- ") for line in path.read_text().splitlines() if "uses:" in line]

    assert used
    assert [line for line in used if not PINNED.fullmatch(line) and not OURS.fullmatch(line)] == []


def test_one_action_has_one_pin() -> None:
    """The same action at two commits would be an update that was half made."""
    pins = {
        (match[1], match[2])
        for path in FILES
        for match in re.finditer(r"uses: ([\w./-]+)@(.+)", path.read_text())
    }

    assert len({action for action, _ in pins}) == len(pins)


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_secret_and_no_host_is_named(path: Path) -> None:
    """Trusted publishing and the workflow's own token need no secret; where images go is the repository's to say."""
    text = path.read_text()

    assert "secrets." not in text
    assert "pull_request_target" not in text
    assert re.findall(r"https?:|\b[\w-]+\.(?:io|com|org|dev)\b", text) == []


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_nothing_runs_for_ever_or_twice(path: Path) -> None:
    """Every job has an end in minutes, and a workflow has one run for one branch or tag; a release is never cut off."""
    document = workflow(path)

    assert document["concurrency"]["group"]
    assert document["concurrency"]["cancel-in-progress"] != "true" or path.name == "ci.yaml"
    for name, job in jobs(path).items():
        assert "uses" in job or 0 < int(job["timeout-minutes"]) <= 90, name


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_the_verbs_they_call_exist(path: Path) -> None:
    """`make` knows each verb that a workflow calls."""
    verbs = set(re.findall(r"\bmake ([a-z-]+)", commands(path)))
    for verb in sorted(verbs):
        done = subprocess.run(
            ["make", "--dry-run", verb], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert verbs == {
        "ci.yaml": {"check", "test", "tools", "wheels", "test-slow", "mutants", "package", "sbom"},
        "image.yaml": set(),
        "release.yaml": {"package", "sbom"},
    }.get(path.name)


def test_changes_are_tested_on_what_is_promised() -> None:
    """Each promised Python, a Raspberry Pi's processor with those of both Debians, and the hardening of the unit."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    matrix = jobs(FILES[0])["test"]["strategy"]["matrix"]

    assert matrix["python"] == promised
    assert {(it["python"], it["machine"]) for it in matrix["include"]} == {
        ("3.11", "ubuntu-24.04-arm"),
        ("3.13", "ubuntu-24.04-arm"),
    }
    assert "systemd-analyze security --offline=true --threshold=15 deploy/systemd/" in commands(FILES[0])


def test_m3_every_week_the_tests_are_tested_and_the_long_proofs_run() -> None:
    """On one day of each week, whether anything changed or not: the planted bugs, and all that is too slow for every look."""
    (scheduled,) = workflow(FILES[0])["on"]["schedule"]
    assert re.fullmatch(r"\d+ \d+ \* \* [0-6]", scheduled["cron"])
    found = jobs(FILES[0])

    assert found["mutants"]["if"] == "${{ github.event_name == 'schedule' }}"
    assert [step["run"] for step in found["mutants"]["steps"] if "run" in step] == ["make mutants"]
    assert "if" not in found["proofs"]
    assert any("make test-slow" in step.get("run", "") for step in found["proofs"]["steps"])


def test_a_skipped_proof_fails_the_job(tmp_path: Path) -> None:
    """The step after the proofs ends with an error that names each proof that was skipped, and with none if none was."""
    step = next(it for it in jobs(FILES[0])["proofs"]["steps"] if it.get("name") == "No proof was skipped")
    (tmp_path / "build").mkdir()
    for content, code in (("", 0), ('<skipped message="it needs root"/>', 1)):
        case = f'<testcase classname="tests.test_boot" name="test_it_boots">{content}</testcase>'
        (tmp_path / "build" / "slow.xml").write_text(
            f"<testsuites><testsuite>{case}</testsuite></testsuites>"
        )
        done = subprocess.run(
            ["bash", "-e", "-c", step["run"]], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == code, done.stderr
        assert ("test_it_boots: it needs root" in done.stderr) == bool(code)


def test_a_release_builds_both_machines_with_their_papers() -> None:
    """The image is for amd64 and arm64, with provenance and a bill of materials, and it is attested by its digest."""
    steps = jobs(FILES[1])["push"]["steps"]
    pushed = next(it["with"] for it in steps if it.get("uses", "").startswith("docker/build-push-action@"))
    attested = next(it["with"] for it in steps if it.get("uses", "").startswith("actions/attest@"))

    assert pushed["platforms"] == "linux/amd64,linux/arm64"
    assert (pushed["provenance"], pushed["sbom"], pushed["push"]) == ("mode=max", "true", "true")
    assert attested["subject-digest"] == "${{ steps.image.outputs.digest }}"
    arguments = re.findall(r"^ARG (\w+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {line.partition("=")[0] for line in pushed["build-args"].splitlines()} <= set(arguments)


def test_what_is_published_was_attested_first() -> None:
    """Package and image wait for the attestation, and only a person's approval of the environment lets them out."""
    release = jobs(FILES[2])

    assert workflow(FILES[2])["on"] == {"push": {"tags": ["v[0-9]+.[0-9]+.[0-9]+"]}}
    assert "attest" in release["publish"]["needs"]
    assert "attest" in release["image"]["needs"]
    assert release["publish"]["environment"] == jobs(FILES[1])["push"]["environment"] == "release"
    signed = [
        step["with"] for step in release["attest"]["steps"] if step["uses"].startswith("actions/attest@")
    ]
    assert [it["subject-path"] for it in signed] == ["dist/*", "dist/*"]
    assert signed[1]["sbom-path"] == "sbom.json"


@pytest.mark.parametrize(
    ("answer", "image"),
    [
        (f"sha256:{'0f' * 32}", f"python:{BASE_PYTHON}-slim@sha256:{'0f' * 32}"),
        ("<no value>", None),
        ("", None),
    ],
)
def test_a_release_is_built_on_a_base_with_a_digest(answer: str, image: str | None, tmp_path: Path) -> None:
    """What the registry says the Dockerfile's base is goes to the build with its digest; without one the job ends."""
    steps = jobs(FILES[1])["push"]["steps"]
    (step,) = (it for it in steps if it.get("id") == "base")
    docker = tmp_path / "docker"
    docker.write_text(f"#!/bin/sh\n[ \"$5\" = {{{{.Manifest.Digest}}}} ] && echo '{answer}'\n")
    docker.chmod(0o755)
    output = tmp_path / "output"
    output.touch()
    done = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        cwd=ROOT,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "GITHUB_OUTPUT": str(output)},
        capture_output=True,
        text=True,
        check=False,
    )
    pushed = next(it for it in steps if it.get("id") == "image")

    assert (done.returncode == 0) == (image is not None), done.stderr
    assert output.read_text() == (f"image={image}\n" if image else "")
    assert "BASE=${{ steps.base.outputs.image }}" in pushed["with"]["build-args"].splitlines()
    assert steps.index(step) < steps.index(pushed)


def test_a_release_holds_our_own_files_only() -> None:
    """Each file that is taken from the run is named: other steps leave records of theirs beside ours."""
    taken = [
        step.get("with", {}).get("name")
        for job in jobs(FILES[2]).values()
        for step in job.get("steps", [])
        if step.get("uses", "").startswith("actions/download-artifact@")
    ]

    assert sorted(taken) == ["dist", "dist", "dist", "sbom", "sbom"]
