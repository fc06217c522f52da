"""The JSON Schema for editors: in step with the program, and of the same opinion about files."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import typer
from typer.testing import CliRunner

from scheduler.cli.schema import schema
from scheduler.config.lines import parse
from scheduler.config.load import load
from scheduler.config.problems import ConfigurationError
from scheduler.config.schema import json_schema
from scheduler.config.source import read

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "config" / "tou.yaml"
BAD = HERE / "bad_configs"

# What only the program can see: names that lead nowhere, keys that contradict each other across the file.
SEEN_BY_SHAPE = [
    "at_clock", "days_unknown", "gateway_firmware_local", "gateway_firmware_unknown", "gateway_host_missing",
    "if_empty", "set_empty", "too_many_seasons", "hours_of_people", "prices_with_signs", "mode_of_the_app",
    "do_unknown", "do_unknown_far", "duration_number", "durations", "gateway_type", "holidays_observance",
    "hours_spelling", "if_unknown", "install_on_check_path", "lists_and_mappings", "missing_keys", "misspelt_required_key", "mode_scheduler",
    "mode_unknown", "moment_keys_on_window", "moment_without_at", "names_with_spaces", "neither_set_nor_do",
    "nothing_given", "on_drift_unknown", "password_in_file", "periods_empty", "reserve_range", "rules_not_a_list",
    "seasons", "set_and_do", "unknown_keys", "version_text", "version_unknown", "window_keys_on_moment",
    "wrong_types", "yes_is_not_true",
]  # fmt: skip


def validator() -> jsonschema.Draft202012Validator:
    """A validator of the emitted schema."""
    return jsonschema.Draft202012Validator(json_schema())


def tree_of(path: Path) -> Any:
    """The values of a file as an editor sees them."""
    return parse(read(path)).root


def test_schema_is_a_schema() -> None:
    """The emitted document is itself sound JSON Schema."""
    jsonschema.Draft202012Validator.check_schema(json_schema())


def test_shipped_schema_is_what_the_command_prints() -> None:
    """config/schema.json is the output of `tou-scheduler schema`, to the byte."""
    app = typer.Typer()
    app.command()(schema)
    result = CliRunner().invoke(app, [])
    assert result.exit_code == 0
    assert result.stdout == (SHIPPED.parent / "schema.json").read_text(encoding="utf-8")
    assert json.loads(result.stdout) == json_schema()


def test_shipped_file_is_accepted() -> None:
    """An editor finds nothing wrong with the file that people start from."""
    assert list(validator().iter_errors(tree_of(SHIPPED))) == []


@pytest.mark.parametrize("name", SEEN_BY_SHAPE)
def test_wrong_shape_is_refused(name: str) -> None:
    """What is wrong by its shape alone is underlined in an editor, too."""
    assert list(validator().iter_errors(tree_of(BAD / f"{name}.yaml")))


def test_editor_is_never_stricter_than_the_program() -> None:
    """Whatever the schema refuses, the program refuses; a file that loads is never underlined."""
    for path in sorted(BAD.glob("*.yaml")):
        try:
            tree = tree_of(path)
            load(path, environ={}, secret_directories=[])
        except ConfigurationError:
            continue
        assert list(validator().iter_errors(tree)) == [], path.name


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("rules", 0, "days"), "Weekdays"),
        (("rules", 0, "days"), ["SAT", "sunday"]),
        (("rules", 0, "hours"), "8:00-24:00"),
        (("rules", 0, "hours"), ["08:00-09:00", "22:00-06:00"]),
        (("rules", 0, "dates"), ["2026-07-04", "dec 24 to jan 2", {"from": "may 1", "to": "may 3"}]),
        (("rules", 0, "hours"), " 16:00 -  21:00 "),
        (("rules", 0, "dates"), " dec 24  to  jan 2 "),
        (("rules", 0, "early"), "1h30m"),
        (("rules", 0, "if"), {"grid": "islanded"}),
        (("rules", 2, "at"), "7:15"),
        (("rules", 2, "at"), "off_peak starts"),
        (("rules", 2), {"name": "Path", "at": "off_peak starts", "do": "check_path", "done_by": "21:00"}),
        (("gateway", "host"), "[fe80::1]:443"),
        (("verify_every",), "90s"),
    ],
)
def test_every_spelling_is_accepted(path: tuple[str | int, ...], value: Any) -> None:
    """The schema knows all spellings that the program knows."""
    tree: Any = tree_of(SHIPPED)
    section = tree
    for step in path[:-1]:
        section = section[step]
    section[path[-1]] = value
    assert list(validator().iter_errors(tree)) == []


def test_every_key_is_described() -> None:
    """An editor can explain each key, and none of them is a password."""
    found = json_schema()
    for name, section in found["$defs"].items():
        for key, about in section["properties"].items():
            assert key != "password"
            assert about.get("description") or "$ref" in str(about), f"{name}.{key}"
