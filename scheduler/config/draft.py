"""What could be understood of a file, sound or not, so that one bad rule does not hide the other problems.

Only shapes; whether the parts agree with each other is checked in `names`, `coverage` and `outlook`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from scheduler.config.complaints import called, complain, empty_values
from scheduler.config.lines import KeyPath
from scheduler.config.report import Report
from scheduler.config.schema import Ask, File, Gateway, Holidays, Period, Rule, Season, Site

_EACH = "*"
_PARTS: tuple[tuple[tuple[str, ...], type[BaseModel]], ...] = (
    (("site",), Site),
    (("gateway",), Gateway),
    (("tariff", "holidays"), Holidays),
    (("tariff", "seasons", _EACH), Season),
    (("tariff", "periods", _EACH), Period),
    (("rules", _EACH), Rule),
    (("default",), Ask),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The sound parts. ``file`` is all of it, if all of it is sound.

    The names are those that the file mentions, sound or not: a reference to a broken period is not a problem
    of its own.
    """

    file: File | None
    site: Site | None
    gateway: Gateway | None
    holidays: Holidays | None
    seasons: Mapping[str, Season]
    periods: Mapping[int, Period]
    rules: Mapping[int, Rule]
    default: Ask | None
    keeps_every_reserve: bool
    season_names: tuple[str, ...]
    period_names: tuple[str, ...]


def draft(root: dict[str, Any], report: Report) -> Draft:
    """The sound parts of the settings; what is not sound goes into the report."""
    empty = set(empty_values(root))
    for path in empty:
        if report.full:
            break
        message = "this entry is empty"
        if isinstance(path[-1], str):
            message = f"nothing stands after {called(report, path)}"
        report.error(path, message, "write a value, or remove it", at_key=True)
    file = None
    try:
        file = File.model_validate(root)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        said = (any(e["loc"][:depth] in empty for depth in range(1, len(e["loc"]) + 1)) for e in errors)
        complain(report, [e for e, already in zip(errors, said, strict=True) if not already], root)
    sound: dict[KeyPath, Any] = {}
    # Of a file with so many problems nothing more is said: to know its sound parts would only keep the daemon busy.
    for pattern, model in () if report.full else _PARTS:
        for path, value in _within(root, pattern):
            with suppress(ValidationError):
                sound[path] = model.model_validate(value)

    def of(*parent: str) -> dict[Any, Any]:
        return {path[-1]: part for path, part in sound.items() if path[:-1] == parent}

    periods = [value for _, value in _within(root, ("tariff", "periods", _EACH)) if isinstance(value, dict)]
    names = [period.get("name") for period in periods]
    gateway = root.get("gateway")
    return Draft(
        file=file,
        site=sound.get(("site",)),
        gateway=sound.get(("gateway",)),
        holidays=sound.get(("tariff", "holidays")),
        seasons=of("tariff", "seasons"),
        periods=of("tariff", "periods"),
        rules=of("rules"),
        default=sound.get(("default",)),
        keeps_every_reserve=isinstance(gateway, dict) and gateway.get("reserve_gap") == "none",
        season_names=tuple(str(path[-1]) for path, _ in _within(root, ("tariff", "seasons", _EACH))),
        period_names=tuple(name for name in names if isinstance(name, str)),
    )


def _within(value: Any, pattern: tuple[str, ...], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value at a path of this pattern, with its path."""
    if not pattern:
        yield path, value
        return
    steps: Any = value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for step in steps:
        if pattern[0] in (step, _EACH):
            yield from _within(value[step], pattern[1:], (*path, step))
