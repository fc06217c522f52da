"""Public holidays as dates: the list from the `holidays` library, the observance from the tariff.

Which holidays count and what happens on a weekend differ by utility, so both are data. The only door to the
`holidays` library, which costs memory and time: it is loaded only when a date is asked for, and of it only
the country that is meant.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec, module_from_spec
from typing import Literal

from scheduler.plan.calendar import SATURDAY

_SUNDAY = 6
_DAY = timedelta(days=1)
_NAMED_YEARS = range(2015, 2041)
"""Years whose holidays make the list of known names: long enough for one that is new or that comes and
goes.
"""

_ENGLISH = "en_US"


@dataclass(frozen=True, slots=True, kw_only=True)
class HolidayRule:
    """Which holidays of which country count, and on which day one is kept that falls on a weekend.

    ``names`` None means all public holidays that the library knows for the place. Names are those of the
    library, in the place's own language or in American English; optional and bank holidays can be named, too.
    """

    country: str
    subdivision: str | None = None
    names: tuple[str, ...] | None = None
    saturday: Literal["none", "friday", "monday"] = "none"
    sunday: Literal["none", "monday"] = "none"


@lru_cache(maxsize=64)
def known_names(rule: HolidayRule) -> frozenset[str]:
    """The names that ``names`` may hold for this country and subdivision.

    LookupError, with a sentence and close matches, for a country or a subdivision that the library does not
    have.
    """
    by_day = _library(rule.country, rule.subdivision, tuple(_NAMED_YEARS), every_kind=True)
    return frozenset(name for names in by_day.values() for name in names)


def silent_names(rule: HolidayRule, years: Iterable[int]) -> frozenset[str]:
    """Those of the rule's ``names`` that have no day in any of these calendar years.

    A name can be right and yet silent: New Zealand's Queen's Birthday is the King's since 2023. LookupError
    as for `known_names`.
    """
    if rule.names is None:
        return frozenset()
    by_day = _library(rule.country, rule.subdivision, tuple(years), every_kind=True)
    return frozenset(rule.names).difference(*by_day.values())


def days_of(rule: HolidayRule, year: int) -> frozenset[date]:
    """The dates of this calendar year that are holidays: the days themselves and the days on which they are
    kept.

    LookupError as for `known_names`.
    """
    return frozenset(names_by_day(rule, year))


@lru_cache(maxsize=512)
def names_by_day(rule: HolidayRule, year: int) -> Mapping[date, str]:
    """What each holiday of this calendar year is called; a day that stands in for another one says so.

    LookupError as for `known_names`.
    """
    # An observed New Year can fall into the year before; one moved on past others, into the year after.
    years = (year - 1, year, year + 1)
    by_day = _library(rule.country, rule.subdivision, years, every_kind=rule.names is not None)
    called = {day: ", ".join(chosen) for day, names in by_day.items() if (chosen := _chosen(rule, names))}
    for day, name in list(called.items()):
        kept_on = _kept_on(rule, day, called)
        if kept_on is not None:
            called.setdefault(kept_on, f"{name}, observed")
    return {day: name for day, name in called.items() if day.year == year}


def _chosen(rule: HolidayRule, names: tuple[str, ...]) -> list[str]:
    return [name for name in names if rule.names is None or name in rule.names]


def _kept_on(rule: HolidayRule, day: date, taken: Iterable[date]) -> date | None:
    """The weekday on which a holiday of the weekend is kept, None if it is not kept on another day.

    Moved forward onto a day that is itself a holiday it goes on to the next weekday that is not: Christmas on
    a Sunday is kept on Tuesday 27 where Boxing Day is a holiday, as Ontario's utilities do.
    """
    moved = {SATURDAY: rule.saturday, _SUNDAY: rule.sunday}.get(day.weekday(), "none")
    if moved == "none":
        return None
    if moved == "friday":
        return day - _DAY
    day += _DAY
    while day.weekday() >= SATURDAY or day in taken:
        day += _DAY
    return day


def _library(
    country: str, subdivision: str | None, years: tuple[int, ...], *, every_kind: bool
) -> dict[date, tuple[str, ...]]:
    """Dates in order, each with its names: one name or more, in more than one language if ``every_kind``.

    That a date is only estimated, as those by the moon are, is no part of its name.
    """
    _spare_other_countries()
    # India warns of years that it does not know, Python prints that with a path. A filter about this library
    # alone, which stays: `catch_warnings` would switch those of the whole process, and not safely in threads.
    warnings.filterwarnings("ignore", module="holidays")
    from holidays import country_holidays  # noqa: PLC0415 - only for those whose tariff has holidays

    try:
        place = country_holidays(country, subdiv=subdivision, expand=False)
    except (NotImplementedError, KeyError):
        raise LookupError(_unknown_place(country, subdivision)) from None
    own_language = place.default_language or _ENGLISH
    names: dict[date, dict[str, None]] = {}
    # Without a language the library takes that of the machine, and names in the file would fail elsewhere.
    for language in {own_language: None, _ENGLISH: None} if every_kind else {own_language: None}:
        found = country_holidays(
            country,
            subdiv=subdivision,
            years=years,
            expand=False,
            observed=False,
            language=language,
            categories=place.supported_categories if every_kind else None,
        )
        estimated = found.tr(getattr(found, "estimated_label", "")).removeprefix("%s")
        for day, joined in found.items():
            called = (name.removesuffix(estimated) for name in joined.split("; "))
            names.setdefault(day, {}).update(dict.fromkeys(called))
    return {day: tuple(names[day]) for day in sorted(names)}


def _spare_other_countries() -> None:
    """Let one country be loaded without the 250 others, which cost 0.1 s, and 8 MB for as long as we run.

    The package `holidays.countries` imports all its modules when it is run. The library asks for a module of
    it by its full name and needs nothing of the package itself, so it is put in place without being run.
    """
    name = "holidays.countries"
    if name not in sys.modules and (spec := find_spec(name)) is not None:
        sys.modules[name] = module_from_spec(spec)


def _unknown_place(country: str, subdivision: str | None) -> str:
    from holidays import country_holidays, list_supported_countries  # noqa: PLC0415 - as in _library

    countries = list_supported_countries()
    if country not in countries:
        return f"no holidays are known for country '{country}'" + _suggestion(country, countries)
    place = country_holidays(country, expand=False)
    words = (*place.subdivisions, *place.subdivisions_aliases)
    return f"country '{country}' has no subdivision '{subdivision}'" + _suggestion(str(subdivision), words)


def _suggestion(word: str, known: Iterable[str]) -> str:
    by_lower_case = {name.lower(): name for name in known}
    close = get_close_matches(word.lower(), by_lower_case, n=3)
    if not close:
        return ""
    return "; did you mean " + " or ".join(f"'{by_lower_case[name]}'" for name in close) + "?"
