"""House rules that no linter knows: sizes, docstrings, words that must not get out, modules that nobody uses."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from scheduler.cli import VERBS

ROOT = Path(__file__).parent.parent
FUNCTION_LINES = 50
FILE_LINES = 300
MADE = {
    ".git",
    ".venv",
    "__pycache__",
    "build",
    "dist",
    ".hypothesis",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".import_linter_cache",
}
"""What tools make: not ours to judge."""

ENTRIES = {"scheduler.cli", "scheduler.__main__"}
"""Modules that are run, not imported."""

# Put together here, so that this file does not hold them itself.
BANNED = {
    "a path of a workplace": r"(?<![A-Za-z])/" + r"work/",
    "a package registry": r"py" + r"pi\.org|pythonho" + r"sted|registry\.np" + r"mjs",
    "the address of an index in a file of versions": r"--(extra-)?ind" + r"ex-url",
}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def ours(folder: str) -> list[Path]:
    """The Python files below a folder."""
    return sorted(path for path in (ROOT / folder).rglob("*.py") if not MADE & set(path.parts))


def named(path: Path) -> str:
    """A path as the project's people call it."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The syntax of a file."""
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[Function]:
    """All functions of a file, at any depth."""
    return (node for node in ast.walk(tree(path)) if isinstance(node, Function))


def length(function: Function) -> int:
    """Lines from the ``def`` to the end; decorators are not its own."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def test_functions_are_short() -> None:
    """A function fits on a screen."""
    long = [
        f"{named(path)}:{function.lineno} {function.name} has {length(function)} lines"
        for path in ours("scheduler")
        for function in functions(path)
        if length(function) > FUNCTION_LINES
    ]

    assert long == []


def test_files_are_short() -> None:
    """A module is about one noun and can be read in one go."""
    lengths = {named(path): len(path.read_text().splitlines()) for path in ours("scheduler")}

    assert {name: lines for name, lines in lengths.items() if lines > FILE_LINES} == {}
    assert len(lengths) > 50, "the files were not found"


def test_every_module_says_what_it_is() -> None:
    """A docstring says what lives in a module, in at least a sentence."""
    dumb = [
        named(path)
        for path in ours("scheduler") + ours("tests")
        if not (ast.get_docstring(tree(path)) or "").strip().endswith((".", ":", "?", "!"))
        and len(ast.get_docstring(tree(path)) or "") < 20
    ]

    assert dumb == []


def test_every_test_says_what_must_be_true() -> None:
    """A test that fails is read by somebody who has not written it."""
    dumb = [
        f"{named(path)}:{function.lineno} {function.name}"
        for path in ours("tests")
        for function in functions(path)
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]

    assert dumb == []


def test_every_test_can_fail() -> None:
    """A test function asserts, expects an error, or calls a helper of the tests that does."""
    checks = {f.name for path in ours("tests") for f in functions(path) if _can_fail(f)}
    idle = [
        f"{named(path)}:{function.lineno} {function.name}"
        for path in ours("tests")
        for function in functions(path)
        if function.name.startswith("test_")
        if not _can_fail(function)
        if not any(name in checks or name.startswith("check_") for name in _called(function))
    ]

    assert idle == []


def _can_fail(function: Function) -> bool:
    return any(isinstance(node, ast.Assert | ast.Raise) for node in ast.walk(function)) or bool(
        _called(function) & {"raises", "fail"}
    )


def _called(function: Function) -> set[str]:
    return {
        node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    }


def texts() -> Iterator[tuple[Path, str]]:
    """Every file that goes to other people, as text."""
    for path in sorted(ROOT.rglob("*")):
        if (
            MADE & set(path.relative_to(ROOT).parts)
            or path.suffix in {".png", ".egg-info"}
            or not path.is_file()
        ):
            continue
        yield path, path.read_text(errors="replace")


def test_nothing_of_the_workplace_gets_out() -> None:
    """No path of somebody's machine, and no name of where packages were fetched from, is in any file."""
    found = [
        f"{named(path)}: {what}: {match.group()}"
        for path, content in texts()
        for what, pattern in BANNED.items()
        for match in re.finditer(pattern, content)
    ]

    assert found == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("requirements*.txt")), ids=lambda path: path.name)
def test_lock_files_name_versions_and_hashes_only(path: Path) -> None:
    """A lock file holds for every mirror: no address is in it, and every version comes with its hash."""
    lines = path.read_text().splitlines()
    pinned = [line for line in lines if re.match(r"[A-Za-z0-9]", line)]

    assert [line for line in lines if ":" + "//" in line] == []
    assert pinned
    assert [line for line in pinned if not re.fullmatch(r"[\w.-]+==\S+( ;.*)? \\", line)] == []


def test_no_module_is_forgotten() -> None:
    """Every module is imported by another one, or is a verb of the command line, or it is dead."""
    modules = {_module(path): path for path in ours("scheduler") if path.name != "__init__.py"}
    imported = {name for path in ours("scheduler") for name in _imports(path)}
    verbs = {f"scheduler.cli.{name}" for name in VERBS}

    assert sorted(set(modules) - imported - verbs - ENTRIES) == []


def _module(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
