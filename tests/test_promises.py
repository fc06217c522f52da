"""The table of promises is complete, true of the tests that there are, and written anew when they change."""

from __future__ import annotations

import pytest
from promises import ELSEWHERE, LEFT_OUT, ROWS, SECTIONS, TABLE, Incomplete, all_tests, held, rows_of, table


def test_the_table_is_the_one_that_would_be_written() -> None:
    """Whoever adds or renames a test with an ID runs `make promises`: the table in the tree is never a stale one."""
    assert TABLE.read_text() == table(), "run `make promises`"


def test_every_row_has_a_test_or_a_reason() -> None:
    """No promise is forgotten, and what is left out says why in a sentence."""
    found = held()

    assert [row for row in ROWS if not found[row] and row not in LEFT_OUT] == []
    assert [reason for reason in LEFT_OUT.values() if not reason.endswith(".") or len(reason) < 15] == []


def test_a_row_that_is_held_in_part_says_which_part_is_not() -> None:
    """Whoever reads that a row is held reads beside it what the matrix has and the tests do not."""
    lines = {line.split("|")[1].strip(): line for line in table().splitlines() if line.startswith("| ")}
    narrower = {row for row, line in lines.items() if "*Narrower than the matrix:* " in line}

    assert narrower == {"P11", "P12", "C5", "L5", "L7", "M4"}
    assert {row for row, line in lines.items() if "*Left out:* " in line} == set(LEFT_OUT) - narrower
    assert [row for row in narrower if "`test_" not in lines[row]] == []


def test_the_matrix_is_all_there() -> None:
    """Each row that the matrix of faults has is in the table, and no other."""
    numbers = {"P": 12, "G": 16, "T": 7, "C": 9, "S": 12, "I": 20, "L": 7, "M": 5}
    wanted = {f"{letter}{number}" for letter, last in numbers.items() for number in range(1, last + 1)}

    assert set(ROWS) == wanted | {"P3b"}
    assert {row[0] for row in ROWS} == set(SECTIONS)
    assert set(ELSEWHERE) | set(LEFT_OUT) <= set(ROWS)


def test_a_name_tells_its_rows() -> None:
    """One ID or more at the beginning of a name count; a word that only looks like one further on does not."""
    assert rows_of("test_x.py::test_p3b_a_mark_is_durable") == ("P3b",)
    assert rows_of("test_x.py::test_i3_l3_it_runs_again") == ("I3", "L3")
    assert rows_of("test_x.py::test_a_p5_is_no_row_here") == ()


def test_a_row_without_a_test_or_a_reason_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table with a hole is not written."""
    monkeypatch.setitem(ROWS, "P99", "Nobody holds this.")

    with pytest.raises(Incomplete, match="P99"):
        table()


def test_a_test_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table that names a test which was renamed or removed is not written."""
    monkeypatch.setitem(ELSEWHERE, "P1", "test_switch.py::test_that_was_renamed")

    with pytest.raises(Incomplete, match="test_that_was_renamed"):
        table()


def test_slow_tests_are_told_apart() -> None:
    """Who reads the table sees which promise `make test` alone does not prove."""
    assert all_tests()["test_boot.py::test_it_is_fenced_in"].speed == "slow"
    assert all_tests()["test_dst.py::test_t3_every_clock_change_of_every_zone_until_2037"].speed == "slow"
    assert (
        all_tests()[
            "test_config_refusals.py::test_shipped_file_cut_anywhere_gives_problems_or_a_configuration"
        ].speed
        == "partly slow"
    )
    assert all_tests()["test_switch.py::test_a_warm_switch_is_four_round_trips"].speed == ""
