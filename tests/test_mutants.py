"""The planted bugs are kept fit: each applies to the tree as it is, says what it breaks, and names tests that exist.

Whether they are caught is `make mutants`' business; here is what would let them rot.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mutants import ROOT, Mutant, Tried, Unfit, apply, caught, copy, imports_its_own, main, mutants, read

needs_git = pytest.mark.skipif(
    shutil.which("git") is None, reason="patches are applied by git, which is not here"
)
PATCH = """A planted bug of this test that lets a hello be a goodbye instead.
Breaks: I1
Asked: test_hello.py
--- a/scheduler/__init__.py
+++ b/scheduler/__init__.py
@@ -1 +1 @@
-HELLO = "hello"
+HELLO = {by!r}
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A small tree with a package and a test of it."""
    it = tmp_path / "tree"
    (it / "scheduler").mkdir(parents=True)
    (it / "tests").mkdir()
    (it / "scheduler" / "__init__.py").write_text('HELLO = "hello"\n')
    (it / "tests" / "test_hello.py").write_text(
        'from scheduler import HELLO\n\ndef test_hello():\n    assert HELLO != "goodbye"\n'
    )
    return it


def mutant(tmp_path: Path, text: str = PATCH, by: str = "goodbye") -> Mutant:
    """The planted bug of this test."""
    path = tmp_path / "01-hello.patch"
    path.write_text(text.format(by=by))
    return read(path)


def test_m3_there_are_enough_planted_bugs() -> None:
    """At least 30 bugs are planted, as the promise says, each in a file of its own number."""
    found = mutants()

    assert len(found) >= 30
    assert [it.name.partition("-")[0] for it in found] == [
        f"{number:02}" for number in range(1, len(found) + 1)
    ]


@needs_git
@pytest.mark.parametrize("it", mutants(), ids=lambda it: it.name)
def test_m3_a_planted_bug_applies_and_names_its_tests(it: Mutant) -> None:
    """It applies to the tree as it is, changes the product only, and the tests that it names are there."""
    apply(it, ROOT, only_check=True)

    changed = [line.split()[1] for line in it.path.read_text().splitlines() if line.startswith("+++ ")]
    assert changed
    assert all(name.startswith("b/scheduler/") for name in changed)
    assert [name for name in it.asked if not (ROOT / "tests" / name).is_file()] == []


def test_a_patch_without_its_header_is_refused(tmp_path: Path) -> None:
    """Somebody must be able to read what a planted bug breaks and who should notice."""
    with pytest.raises(Unfit, match="does not begin with"):
        mutant(tmp_path, PATCH.partition("\n")[2])


@needs_git
def test_a_bug_that_a_test_notices_is_caught_by_name(tree: Path, tmp_path: Path) -> None:
    """The package of the tree is the one that is tested, and the test that fails is named."""
    assert imports_its_own(tree)

    assert caught(mutant(tmp_path), tree) == "test_hello.py::test_hello"


@needs_git
def test_a_bug_that_nobody_notices_survives(tree: Path, tmp_path: Path) -> None:
    """Tests that pass with the bug in place catch nothing."""
    assert caught(mutant(tmp_path, by="hi"), tree) is None


@needs_git
def test_a_patch_that_does_not_apply_is_an_error(tree: Path, tmp_path: Path) -> None:
    """A bug that was never planted is not caught."""
    (tree / "scheduler" / "__init__.py").write_text('HELLO = "other"\n')

    with pytest.raises(Unfit, match="does not apply"):
        caught(mutant(tmp_path), tree)


@needs_git
def test_tests_that_cannot_be_collected_are_an_error(tree: Path, tmp_path: Path) -> None:
    """A name that is not there fails every test and proves nothing."""
    (tree / "tests" / "test_hello.py").write_text("from scheduler import GOODBYE\n")

    with pytest.raises(Unfit, match="pytest ended with 2"):
        caught(mutant(tmp_path), tree)


def test_a_survivor_and_an_error_are_told_apart_from_a_catch(tmp_path: Path) -> None:
    """The line of each says what came of it, so that a run can be read."""
    it = mutant(tmp_path)

    assert str(Tried(mutant=it, seconds=1, caught_by="test_x.py::test_y")) == (
        "01-hello: caught by test_x.py::test_y (1.0 s)"
    )
    assert "SURVIVED test_hello.py" in str(Tried(mutant=it, seconds=1))
    assert "ERROR" in str(Tried(mutant=it, seconds=1, unfit="ERROR it does not apply"))


def test_nothing_chosen_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A name that no planted bug has must not look as if all were caught."""
    assert main(["no-such-bug", "--no-clean-run"]) == 1
    assert "0 of 0" in capsys.readouterr().out


def test_the_copy_leaves_out_what_tools_made(tree: Path, tmp_path: Path) -> None:
    """Compiled files of the unbroken package must not get into the copy that is broken."""
    (tree / "scheduler" / "__pycache__").mkdir()
    (tree / "scheduler" / "__pycache__" / "x.pyc").write_bytes(b"")

    copy(tree, tmp_path / "copy")

    assert (tmp_path / "copy" / "scheduler" / "__init__.py").is_file()
    assert not (tmp_path / "copy" / "scheduler" / "__pycache__").exists()
