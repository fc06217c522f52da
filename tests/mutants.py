"""Planted bugs: each patch in `mutants/` breaks one promise of the product, and the fast tests that it names must notice.

`make mutants` applies one after the other to a copy of the tree and asks its tests. A bug counts as caught when one of
them fails; a patch that does not apply, tests that cannot be collected, and a run that does not end are errors, and so
are tests that fail without any bug. Exit code 0 only if every bug is caught.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

ROOT = Path(__file__).parent.parent
FOLDER = Path(__file__).with_suffix("")
LONGEST_S = 300.0
"""So long the tests of one planted bug may take; on an idle machine none takes a quarter of it."""

NOT_OURS = shutil.ignore_patterns(
    ".git", ".venv", "__pycache__", "build", "dist", ".hypothesis", ".*_cache", "*.pyc"
)
FAILED = re.compile(r"^FAILED (.+?)(?: - .*)?$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A planted bug: what is broken in a ``sentence``, the rows that it ``breaks``, and the test files that are ``asked``."""

    path: Path
    sentence: str
    breaks: tuple[str, ...]
    asked: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its file without the ending."""
        return self.path.stem


class Unfit(Exception):
    """A planted bug that cannot be tried, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of a planted bug: the test that caught it, None if it survived, and why it could not be tried, if so."""

    mutant: Mutant
    seconds: float
    caught_by: str | None = None
    unfit: str | None = None

    def __str__(self) -> str:
        outcome = self.unfit or (
            f"caught by {self.caught_by}" if self.caught_by else f"SURVIVED {' '.join(self.mutant.asked)}"
        )
        return f"{self.mutant.name}: {outcome} ({self.seconds:.1f} s)"


def read(path: Path) -> Mutant:
    """The mutant in a patch; Unfit if its first three lines are not a sentence, ``Breaks:`` and ``Asked:``."""
    lines = path.read_text().splitlines()[:3]
    found = re.fullmatch(
        r"(?P<sentence>[A-Z].{20,}\.)\nBreaks: (?P<breaks>[A-Z]\d+b?(?: [A-Z]\d+b?)*)\nAsked: (?P<asked>test_\w+\.py(?: test_\w+\.py)*)",
        "\n".join(lines),
    )
    if found is None:
        raise Unfit(f"{path.name} does not begin with a sentence, Breaks: and Asked:")
    return Mutant(
        path=path,
        sentence=found["sentence"],
        breaks=tuple(found["breaks"].split()),
        asked=tuple(found["asked"].split()),
    )


def mutants(folder: Path = FOLDER) -> list[Mutant]:
    """All planted bugs, in the order of their numbers."""
    return [read(path) for path in sorted(folder.glob("*.patch"))]


def apply(mutant: Mutant, tree: Path, *, only_check: bool = False) -> None:
    """Apply the patch to the tree, or see whether it would apply; Unfit with the words of git if it does not."""
    done = subprocess.run(
        ["git", "apply", *(["--check"] if only_check else []), str(mutant.path)],
        cwd=tree,
        env={**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unfit(f"the patch does not apply: {done.stderr.strip()}")


def copy(tree: Path, to: Path) -> None:
    """A copy of the tree without what tools made."""
    shutil.copytree(tree, to, ignore=NOT_OURS, symlinks=True)


def environment(tree: Path) -> dict[str, str]:
    """That of a process which imports the package of this tree, whatever is installed, and leaves no compiled files there."""
    return {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}


def python(tree: Path, *words: str, longest_s: float = LONGEST_S) -> subprocess.CompletedProcess[str]:
    """Python run in the tree on the package there; TimeoutExpired if it takes longer than ``longest_s``.

    Whatever it leaves running is ended: a bug may keep what a test has started from its end.
    """
    command = [sys.executable, *words]
    with subprocess.Popen(
        command,
        cwd=tree,
        env=environment(tree),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, complained = process.communicate(timeout=longest_s)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    return subprocess.CompletedProcess(command, process.returncode, said, complained)


def pytest(tree: Path, *words: str, longest_s: float = LONGEST_S) -> subprocess.CompletedProcess[str]:
    """The fast tests of the tree run there, with a folder of their own: runs that share one clean up under each other."""
    folder = f"--basetemp={tree.parent / 'pytest'}"
    return python(
        tree, "-m", "pytest", "-q", "--no-header", folder, "-m", "not slow", *words, longest_s=longest_s
    )


def imports_its_own(tree: Path) -> bool:
    """Whether a process of the tree imports the package of the tree, and not the one that is installed."""
    said = python(tree, "-c", "import scheduler; print(scheduler.__file__)").stdout.strip()
    return bool(said) and Path(said).is_relative_to(tree)


def try_out(mutant: Mutant, clean: Path) -> Tried:
    """Plant the bug in a copy of the clean tree and ask its tests."""
    began_s = time.perf_counter()
    with TemporaryDirectory(prefix="mutant-") as directory:
        tree = Path(directory) / "tree"
        shutil.copytree(clean, tree, symlinks=True)
        try:
            caught_by = caught(mutant, tree)
        except (Unfit, subprocess.TimeoutExpired) as error:
            return Tried(mutant=mutant, seconds=time.perf_counter() - began_s, unfit=f"ERROR {error}")
    return Tried(mutant=mutant, seconds=time.perf_counter() - began_s, caught_by=caught_by)


def caught(mutant: Mutant, tree: Path) -> str | None:
    """The first test that fails with the bug in the tree; None if none does. Unfit if it cannot be told."""
    apply(mutant, tree)
    compiled = python(tree, "-m", "compileall", "-q", "scheduler")
    if compiled.returncode:
        raise Unfit(f"it is no Python: {compiled.stdout.strip()}")
    asked = [f"tests/{name}" for name in mutant.asked]
    done = pytest(tree, "-x", *asked)
    if done.returncode == 0:
        return None
    failed = FAILED.search(done.stdout)
    if done.returncode != 1 or failed is None:
        raise Unfit(f"pytest ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-500:]}")
    return failed[1].removeprefix("tests/")


def clean_run(clean: Path, asked: Sequence[str], jobs: int) -> None:
    """Run all tests that will be asked without any bug; Unfit if one fails: it would catch everything."""
    if not imports_its_own(clean):
        raise Unfit("the copy does not import its own package, so nothing could be tried")
    files = [f"tests/{name}" for name in asked]
    done = pytest(clean, "-n", str(jobs), *files, longest_s=4 * LONGEST_S)
    if done.returncode:
        raise Unfit(f"without any bug the tests must pass:\n{done.stdout[-4000:]}")


def main(words: Sequence[str] | None = None) -> int:
    """Try all planted bugs, or those whose names begin as said, and print what came of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="only the bugs whose names begin like one of these")
    parser.add_argument("--jobs", type=int, default=2, help="so many at a time")
    parser.add_argument("--no-clean-run", action="store_true", help="trust that the tests pass without a bug")
    asked_for = parser.parse_args(words)
    chosen = [m for m in mutants() if not asked_for.names or m.name.startswith(tuple(asked_for.names))]
    with TemporaryDirectory(prefix="mutants-") as directory:
        clean = Path(directory) / "tree"
        copy(ROOT, clean)
        # By content, not by time: a file that is patched within the same second is compiled anew.
        python(clean, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash", "scheduler")
        if not asked_for.no_clean_run:
            try:
                clean_run(clean, sorted({name for m in chosen for name in m.asked}), asked_for.jobs)
            except (Unfit, subprocess.TimeoutExpired) as error:
                print(error)  # noqa: T201 - a program that prints
                return 2
        tried: list[Tried] = []
        with ThreadPoolExecutor(asked_for.jobs) as pool:
            for under_way in as_completed(pool.submit(try_out, mutant, clean) for mutant in chosen):
                tried.append(under_way.result())
                print(tried[-1], flush=True)  # noqa: T201 - the same
    caught_ones = [it for it in tried if it.caught_by and not it.unfit]
    print(f"{len(caught_ones)} of {len(tried)} planted bugs are caught")  # noqa: T201 - the same
    return 0 if tried and len(caught_ones) == len(tried) else 1


if __name__ == "__main__":
    sys.exit(main())
