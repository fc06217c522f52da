"""References: every time zone, season, period and holiday that the file names must exist.

Only whether names lead somewhere; what the parts say together is in `coverage` and `outlook`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from zoneinfo import ZoneInfo, available_timezones

from scheduler.config.draft import Draft
from scheduler.config.lines import KeyPath
from scheduler.config.problems import quoted
from scheduler.config.report import Report
from scheduler.config.schema import Holidays, Rule
from scheduler.config.words import did_you_mean
from scheduler.model.timeline import DEFAULT
from scheduler.plan.holidays import HolidayRule, known_names, names_by_day
from scheduler.plan.rules import Relative

_MOST_TOLD = 8
_MOST_HOLIDAYS_TOLD = 20
_NO_SUMMER_TIME = {"EST": "America/New_York", "MST": "America/Denver", "HST": "America/Adak"}
_NO_PLACES = ("localtime", "posixrules", "Factory")


def check_names(draft: Draft, report: Report) -> None:
    """Put every reference that leads nowhere into the report, and probable mistakes as warnings."""
    if draft.site is not None and zone(draft.site.timezone) is None:
        _unknown_zone(report, draft.site.timezone)
    elif draft.site is not None and draft.site.timezone in _NO_SUMMER_TIME:
        place = _NO_SUMMER_TIME[draft.site.timezone]
        message = f"{draft.site.timezone} is never on summer time"
        report.warn(("site", "timezone"), message, f"where clocks change, name the place, like {place}")
    if draft.holidays is not None:
        _check_holidays(report, draft.holidays)
    for path, name, known, kind in _references(draft):
        if name not in known and not report.full:
            hint = did_you_mean(name, known) or _known(kind, known)
            report.error(path, f"there is no {kind} {quoted(name)}", hint)
    _check_unused_seasons(draft, report)
    _check_twins(draft, report)


def zone(key: str) -> ZoneInfo | None:
    """The time zone of this name (IANA, like Europe/Berlin), or None if there is none.

    Names that mean another place on each machine, or none at all, are no time zones of a tariff.
    """
    if key in _NO_PLACES:
        return None
    try:
        return ZoneInfo(key)
    except (OSError, ValueError, LookupError):  # a directory, a path, or not there
        return None


def holiday_rule(section: Holidays) -> HolidayRule:
    """The section as the plan takes it."""
    return HolidayRule(
        country=section.country,
        subdivision=section.subdivision,
        names=tuple(section.names) if section.names is not None else None,
        saturday=section.saturday,
        sunday=section.sunday,
    )


def _unknown_zone(report: Report, key: str) -> None:
    zones = available_timezones().difference(_NO_PLACES)
    by_city = {name.rpartition("/")[2]: name for name in sorted(zones)}
    # "Did you mean UTC?" would move the plan of somebody who wrote UTC-8 by eight hours.
    hint = did_you_mean(key, (name for name in zones if "/" in name))
    if hint is None:
        city = key.rpartition("/")[2].replace(" ", "_")
        close = next((name for last, name in by_city.items() if last.lower() == city.lower()), None)
        hint = f"did you mean {close!r}?" if close else "name it like America/Los_Angeles"
    report.error(("site", "timezone"), f"unknown time zone {quoted(key)}", hint)


def _check_holidays(report: Report, section: Holidays) -> None:
    rule = holiday_rule(section)
    path: KeyPath = ("tariff", "holidays")
    try:
        known = known_names(rule)
    except LookupError as error:
        report.error((*path, "country" if _is_unknown(rule.country) else "subdivision"), str(error.args[0]))
        return
    for index, name in enumerate(section.names or ()):
        if name not in known:
            hint = did_you_mean(name, known) or _public(rule, known)
            report.error((*path, "names", index), f"unknown holiday {quoted(name)}", hint)


def _public(rule: HolidayRule, known: frozenset[str]) -> str:
    """The public holidays of the place, if they are few enough to read."""
    place = HolidayRule(country=rule.country, subdivision=rule.subdivision)
    public = known.intersection(names_by_day(place, 2026).values())
    if not 0 < len(public) <= _MOST_HOLIDAYS_TOLD:
        return "name it as the library `holidays` does, like Independence Day"
    return f"known here: {', '.join(sorted(public))}"


def _is_unknown(country: str) -> bool:
    try:
        known_names(HolidayRule(country=country))
    except LookupError:
        return True
    return False


def _references(draft: Draft) -> Iterator[tuple[KeyPath, str, Collection[str], str]]:
    """Every mention of a season or a period: where, which, of which, and the word for it."""
    seasons, periods = draft.season_names, frozenset(draft.period_names)
    for index, period in draft.periods.items():
        for n, name in enumerate(period.season or ()):
            yield ("tariff", "periods", index, "season", n), name, seasons, "season"
    for index, rule in draft.rules.items():
        for n, name in enumerate(rule.season or ()):
            yield ("rules", index, "season", n), name, seasons, "season"
        for path, name in _periods_named(rule, ("rules", index)) if periods else ():
            yield path, name, periods, "period"


def _periods_named(rule: Rule, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    for n, name in enumerate(rule.during or ()):
        yield (*path, "during", n), name
    if isinstance(rule.at, Relative):
        yield (*path, "at"), rule.at.period
    if isinstance(rule.done_by, Relative):
        yield (*path, "done_by"), rule.done_by.period


def _known(kind: str, known: Collection[str]) -> str:
    """What there is, in words; not more than a screen of it."""
    if not known:
        return f"the tariff has no {kind}s"
    return f"known here: {', '.join(sorted(known)[:_MOST_TOLD])}" + (
        " and more" if len(known) > _MOST_TOLD else ""
    )


def _check_unused_seasons(draft: Draft, report: Report) -> None:
    """A season left out while others are used is probably a mistake; seasons that nobody uses yet are not."""
    used = {name for period in draft.periods.values() for name in period.season or ()}
    used.update(name for rule in draft.rules.values() for name in rule.season or ())
    if draft.file is None or not used:
        return
    for name in draft.season_names:
        if name not in used:
            hint = "name it in a period or a rule, or remove it"
            report.warn(("tariff", "seasons", name), f"season {quoted(name)} is not used", hint, at_key=True)


def _check_twins(draft: Draft, report: Report) -> None:
    first = {DEFAULT: report.line(("default",))} if draft.default is not None else {}
    for index, rule in draft.rules.items():
        line = report.line(("rules", index))
        if first.setdefault(rule.name, line) != line:
            message = f"the name {quoted(rule.name)} is taken already, in line {first[rule.name]}"
            report.warn(
                ("rules", index, "name"), message, "plan and history show the name: give each its own"
            )
