"""What people install: the wheel, the sdist, the bill of materials, and the tools that install them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import debian
import pytest
import wheels
from packaging.metadata import Metadata
from packaging.utils import canonicalize_name
from trove_classifiers import classifiers

from scheduler import __version__
from scheduler.app import shipped as module
from scheduler.app.shipped import NotShipped, shipped, shipped_path

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
SHIPPED = {
    "tou.yaml": ROOT / "config" / "tou.yaml",
    "tou-scheduler.service": ROOT / "deploy" / "systemd" / "tou-scheduler.service",
}


def build(source: Path, into: Path, *, epoch: int | None = None) -> dict[str, Path]:
    """Wheel and sdist of a source tree, as `make package` builds them; by their kind."""
    environ = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    if epoch is not None:
        environ["SOURCE_DATE_EPOCH"] = str(epoch)
    done = subprocess.run(
        [BIN / "hatchling", "build", "--directory", into],
        cwd=source,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return {"wheel": next(into.glob("*.whl")), "sdist": next(into.glob("*.tar.gz"))}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What is published."""
    return build(ROOT, tmp_path_factory.mktemp("dist"), epoch=1_750_000_000)


@pytest.fixture(scope="module")
def unpacked(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sdist, as somebody has it who builds from it."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(built["sdist"]) as archive:
        archive.extractall(folder, filter="data")
    return folder / f"tou_scheduler-{__version__}"


@pytest.fixture(scope="module")
def metadata(built: dict[str, Path]) -> Metadata:
    """What an index and an installer read of the wheel; an error in it is an error here."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        return Metadata.from_email(archive.read(f"tou_scheduler-{__version__}.dist-info/METADATA"))


def test_the_wheel_holds_the_package_and_nothing_else(built: dict[str, Path]) -> None:
    """Every module, the mark that it is typed, the two shipped files and the metadata; no test, no cache, no certificate."""
    modules = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "scheduler").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(built["wheel"]) as archive:
        held = set(archive.namelist())
    about = {name for name in held if name.startswith(f"tou_scheduler-{__version__}.dist-info/")}

    assert held - about == modules | {f"scheduler/shipped/{name}" for name in SHIPPED}
    assert "scheduler/py.typed" in held
    assert {name.rpartition("/")[2] for name in about} == {
        "METADATA",
        "WHEEL",
        "RECORD",
        "entry_points.txt",
        "LICENSE",
    }


def test_the_wheel_ships_the_files_of_the_clone(built: dict[str, Path]) -> None:
    """Example and unit in the wheel are those of the repository, byte for byte, and those that a clone gives out."""
    with zipfile.ZipFile(built["wheel"]) as archive:
        for name, path in SHIPPED.items():
            assert archive.read(f"scheduler/shipped/{name}") == path.read_bytes() == shipped(name)


def test_a_damaged_installation_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where neither the package nor a clone has the file, there is one sentence with what to do."""
    monkeypatch.setattr(module, "_PACKAGE", tmp_path)
    monkeypatch.setattr(module, "_IN_CLONE", {"tou.yaml": tmp_path / "config" / "tou.yaml"})

    with pytest.raises(NotShipped, match=r"tou\.yaml, which comes with .* install tou-scheduler again"):
        shipped_path("tou.yaml")


def test_two_builds_give_the_same_bytes(built: dict[str, Path], tmp_path: Path) -> None:
    """A tree with other dates, other modes and another place gives the same wheel and sdist for the same commit time."""
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(ROOT, elsewhere, ignore=shutil.ignore_patterns(".venv", ".git", ".*_cache", "build"))
    for path in elsewhere.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)  # the habit of somebody with umask 077
        os.utime(path, (1_000_000_000, 1_000_000_000))

    again = build(elsewhere, tmp_path / "dist", epoch=1_750_000_000)

    assert again["sdist"].read_bytes() == built["sdist"].read_bytes()
    assert again["wheel"].read_bytes() == built["wheel"].read_bytes()


def test_the_sdist_builds_the_same_wheel(built: dict[str, Path], unpacked: Path, tmp_path: Path) -> None:
    """Who builds from the sdist, as distributions do, gets the wheel that was published."""
    again = build(unpacked, tmp_path, epoch=1_750_000_000)

    assert again["wheel"].read_bytes() == built["wheel"].read_bytes()


def test_the_sdist_holds_what_its_tests_and_its_installation_need(unpacked: Path) -> None:
    """Tests, configuration, deployment, lock files and the Makefile's verbs are in it; what tools made is not."""
    held = {path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()}
    tests = {f"tests/{path.relative_to(ROOT / 'tests')}" for path in (ROOT / "tests").rglob("*.py")}

    assert tests <= held
    assert {"Makefile", "Dockerfile", "deploy/install.sh", "deploy/uninstall.sh", ".ci/run"} <= held
    assert {path.name for path in ROOT.glob("requirements*.txt")} <= held
    assert [name for name in held if re.search(r"\.pem$|\.pyc$|(^|/)\.(venv|git)/|_cache/", name)] == []


@pytest.mark.slow
def test_tests_of_the_sdist_pass_in_it(unpacked: Path) -> None:
    """All tests can be collected from an unpacked sdist, and those that read the most files pass: no file was left behind."""
    for words in (
        ["--collect-only", "-m", ""],
        ["tests/test_config_load.py", "tests/test_shapes.py"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", *words],
            cwd=unpacked,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_the_metadata_is_what_an_index_shows(metadata: Metadata) -> None:
    """Name, version, license, Python, classifiers that exist, and the whole README as its description."""
    assert (metadata.name, str(metadata.version)) == ("tou-scheduler", __version__)
    assert (str(metadata.requires_python), metadata.license_expression) == (">=3.11", "MIT")
    assert metadata.license_files == ["LICENSE"]
    assert metadata.description_content_type == "text/markdown"
    assert metadata.description == (ROOT / "README.md").read_text()
    assert set(metadata.classifiers or []) <= classifiers
    assert {f"Programming Language :: Python :: {it}" for it in ("3.11", "3.12", "3.13")} <= set(
        metadata.classifiers or []
    )


def test_what_the_wheel_asks_for_is_locked(metadata: Metadata) -> None:
    """Each dependency of the wheel is in the lock file, in a version that it allows."""
    locked = _locked()
    asked = [need for need in metadata.requires_dist or [] if need.marker is None]

    assert len(asked) >= 10
    for need in asked:
        assert need.specifier.contains(locked[canonicalize_name(need.name)]), need


def test_the_bill_of_materials_is_the_lock_file() -> None:
    """`make sbom` names every locked version with its hashes and no other, and no component says where it was fetched."""
    # The environment that runs the tests is current enough: -o keeps make from installing anything into it.
    done = subprocess.run(
        ["make", f"VENV={sys.prefix}", "-o", f"{sys.prefix}/.dev", "sbom"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    bill = json.loads((ROOT / "build" / "sbom.json").read_text())

    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", "tou-scheduler")
    assert {part["name"]: part["version"] for part in bill["components"]} == _locked()
    hashes = re.findall(r"sha256:(\w+)", (ROOT / "requirements.txt").read_text())
    assert sorted(_hashes(bill)) == sorted(hashes)
    assert "://" not in json.dumps(bill["components"])


def _locked() -> dict[str, str]:
    """The versions of the runtime's lock file."""
    pinned = re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    assert len(pinned) > 20
    return dict(pinned)


def _hashes(bill: dict[str, Any]) -> Iterator[str]:
    for part in bill["components"]:
        for reference in part["externalReferences"]:
            yield from (it["content"] for it in reference["hashes"])


@pytest.mark.slow
@pytest.mark.parametrize("machine", wheels.MACHINES)
@pytest.mark.parametrize("python", wheels.PYTHONS)
def test_every_locked_package_has_a_wheel(machine: str, python: str) -> None:
    """A Raspberry Pi of either Debian, and a server, never have to compile anything."""
    if wheels.unreachable():
        pytest.skip(
            f"pip reaches no package index here, and it is needed to ask one: {wheels.unreachable()[:200]}"
        )

    assert wheels.lacking(machine, python) == ""


def test_a_package_without_a_wheel_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof of the wheels can fail: where pip finds none, it says which package that is."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)

    assert "No matching distribution found for" in wheels.lacking("aarch64", "3.11")


@pytest.mark.slow
@pytest.mark.parametrize("tool", ["pip", "pipx", "uv"])
def test_people_install_the_wheel(tool: str, built: dict[str, Path], tmp_path: Path) -> None:
    """pip, pipx and uv each make a command of the wheel and the locked packages that runs far from the clone."""
    command = _install(tool, built["wheel"], tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    environ = {"PATH": os.defpath, "HOME": str(empty), "LANG": "C.UTF-8"}

    said = subprocess.run(
        [command, "version"], cwd=empty, env=environ, capture_output=True, text=True, check=False
    )
    shown = subprocess.run(
        [command, "demo", "--hours", "0.5", "--speed", "600"],
        cwd=empty,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert said.stdout.startswith(f"tou-scheduler {__version__} "), said.stderr
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert f"with {tmp_path}" in shown.stdout
    assert "/scheduler/shipped/tou.yaml" in shown.stdout
    assert list(empty.iterdir()) == []


def _install(tool: str, wheel: Path, folder: Path) -> Path:
    """The command, installed below a folder, without any network, as this tool's user would install it."""
    house = debian.wheelhouse(HERE)
    pins = ROOT / "requirements.txt"
    bin_ = folder / "bin"
    environ = os.environ | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(house),
        "PIPX_HOME": str(folder / "pipx"),
        "PIPX_BIN_DIR": str(bin_),
        "PIPX_MAN_DIR": str(folder / "man"),
        "UV_NO_CONFIG": "1",
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(house),
        "UV_CACHE_DIR": str(folder / "cache"),
        "UV_TOOL_DIR": str(folder / "tools"),
        "UV_TOOL_BIN_DIR": str(bin_),
    }
    python = ["--python", sys.executable]
    uv_words = ["--no-index", "--constraint", str(pins)]
    words = {
        "pip": [
            [sys.executable, "-m", "venv", folder],
            [bin_ / "pip", "install", "--require-hashes", "--requirement", pins],
            [bin_ / "pip", "install", "--no-deps", wheel],
        ],
        "pipx": [
            [BIN / "pipx", "install", "--backend", "uv", *python, f"--pip-args={' '.join(uv_words)}", wheel]
        ],
        "uv": [[BIN / "uv", "tool", "install", *python, *uv_words, wheel]],
    }
    for line in words[tool]:
        done = subprocess.run(line, cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    return bin_ / "tou-scheduler"


def test_the_promised_pythons_are_tested() -> None:
    """The classifiers, `make test-pythons` and the floor of the metadata speak of the same versions."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    promised = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    tested = re.search(r"^\t@for version in (.*); do", (ROOT / "Makefile").read_text(), re.MULTILINE)

    assert tested is not None
    assert promised == tested[1].split()
    assert project["requires-python"] == f">={promised[0]}"
