"""The configuration file as a service reads it: what it must never be ended by."""

from __future__ import annotations

from pathlib import Path

import pytest
from processes import ROOT

from scheduler.app import file
from scheduler.config.load import load
from scheduler.config.problems import ConfigurationError

SHIPPED = ROOT / "config" / "tou.yaml"


@pytest.mark.parametrize("home", ["~nobodyx", "~é"])
def test_a_certificate_of_a_user_who_is_not_there_is_a_missing_file(tmp_path: Path, home: str) -> None:
    """A name after the tilde that nobody has: the path stays as it was written, below the file's folder, and is told as missing."""
    path = tmp_path / "tou.yaml"
    text = SHIPPED.read_text(encoding="utf-8")
    path.write_text(text.replace("certificate: powerwall.pem", f"certificate: {home}/powerwall.pem"), "utf-8")

    assert load(path).gateway.certificate == tmp_path / home / "powerwall.pem"


def test_c1_a_bug_that_a_file_provokes_is_a_problem_of_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where, and nothing of the error's own words, which may be secret: the last good plan goes on as with any broken file."""

    def fails(*_words: object, **_more: object) -> None:
        raise RuntimeError("hunter2")

    monkeypatch.setattr(file, "load", fails)

    with pytest.raises(ConfigurationError) as caught:
        file.read(SHIPPED)

    said = str(caught.value)
    assert "a bug of ours: RuntimeError at " in said
    assert str(SHIPPED) in said
    assert "hunter2" not in said
