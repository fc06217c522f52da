"""What could be understood of a file, sound or not, so that one bad rule does not hide the other problems.

Only shapes; whether the parts agree with each other is checked in `names` and `crosscheck`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from scheduler.config.complaints import complain, empty_values
from scheduler.config.problems import quoted
from scheduler.config.report import Report
from scheduler.config.schema import Ask, File, Gateway, Holidays, Period, Rule, Season, Site

Part = TypeVar("Part", bound=BaseModel)


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
        last = path[-1]
        message = f"nothing stands after {quoted(last)}" if isinstance(last, str) else "this entry is empty"
        report.error(path, message, "write a value, or remove it", at_key=True)
    file = None
    try:
        file = File.model_validate(root)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        said = (any(e["loc"][:depth] in empty for depth in range(1, len(e["loc"]) + 1)) for e in errors)
        complain(report, [e for e, already in zip(errors, said, strict=True) if not already], root)
    if file is not None:
        tariff = file.tariff
        return Draft(
            file=file,
            site=file.site,
            gateway=file.gateway,
            holidays=tariff.holidays,
            seasons=tariff.seasons or {},
            periods=dict(enumerate(tariff.periods)),
            rules=dict(enumerate(file.rules)),
            default=file.default,
            keeps_every_reserve=file.gateway.reserve_gap == "none",
            season_names=tuple(tariff.seasons or ()),
            period_names=tuple(period.name for period in tariff.periods),
        )
    return _salvage(root)


def _salvage(root: dict[str, Any]) -> Draft:
    tariff = root.get("tariff")
    tariff = tariff if isinstance(tariff, dict) else {}
    seasons, periods = tariff.get("seasons"), tariff.get("periods")
    seasons = seasons if isinstance(seasons, dict) else {}
    periods = periods if isinstance(periods, list) else []
    rules = root.get("rules")
    rules = rules if isinstance(rules, list) else []
    gateway = root.get("gateway")
    names = (period.get("name") for period in periods if isinstance(period, dict))
    return Draft(
        file=None,
        site=_part(Site, root.get("site")),
        gateway=_part(Gateway, gateway),
        holidays=_part(Holidays, tariff.get("holidays")),
        seasons={name: s for name, value in seasons.items() if (s := _part(Season, value)) is not None},
        periods={i: p for i, value in enumerate(periods) if (p := _part(Period, value)) is not None},
        rules={i: r for i, value in enumerate(rules) if (r := _part(Rule, value)) is not None},
        default=_part(Ask, root.get("default")),
        keeps_every_reserve=isinstance(gateway, dict) and gateway.get("reserve_gap") == "none",
        season_names=tuple(seasons),
        period_names=tuple(name for name in names if isinstance(name, str)),
    )


def _part(model: type[Part], value: Any) -> Part | None:
    try:
        return model.model_validate(value)
    except ValidationError:
        return None
