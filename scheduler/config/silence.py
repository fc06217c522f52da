"""Warnings about rules: one that can never speak, and a firmware moment in the dearest hours.

Judged on wall-clock days (`dayclass`), which is exact but for the two days a year when the clocks change.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from functools import cache

from scheduler.config.dayclass import DayClass, bits, choices, own_minutes, spilt_minutes
from scheduler.config.problems import quoted
from scheduler.config.report import Report
from scheduler.plan.calendar import MINUTES_PER_DAY
from scheduler.plan.rules import ClockTime, MomentRule, Relative, When, Window
from scheduler.plan.tariff import Period

_WHOLE_DAY = bits(0, MINUTES_PER_DAY)


def check_rules(
    rules: Mapping[int, Window | MomentRule],
    periods: Sequence[Period],
    classes: Sequence[DayClass],
    report: Report,
) -> None:
    """Put the warnings about these rules, by their index in the file, into the report."""
    earlier = _Earlier()
    judge = _Judge(periods, classes)
    for index, rule in rules.items():
        if isinstance(rule, MomentRule):
            found, dear = judge.moment(rule.at, rule.when)
            silent = None if found else "its selectors never hold at that moment, or there is no such moment"
            if dear is not None:
                hint = "the gateway is gone for minutes while it installs: choose a cheaper hour"
                report.warn(("rules", index, "at"), f"this moment falls into {dear}", hint)
        else:
            meets = judge.window(rule.when)
            silent = earlier.silencer_of(rule) if meets else "its selectors never hold together"
            earlier.note(rule)
        if silent is not None:
            report.warn(("rules", index), f"rule {quoted(rule.name)} never speaks", silent)


class _Judge:
    """Looks through all kinds of day; rules that say the same are judged once."""

    def __init__(self, periods: Sequence[Period], classes: Sequence[DayClass]) -> None:
        self._classes = classes
        self._dearest = _dearest(periods, classes)
        self.window = cache(self._window)
        self.moment = cache(self._moment)

    def _window(self, when: When) -> bool:
        """Whether the selectors ever hold together."""
        return any(_minutes(when, day) for day in self._classes)

    def _moment(self, at: ClockTime | Relative, when: When) -> tuple[bool, str | None]:
        """Whether there is such a moment at all, and where one lies in the dearest hours, in words."""
        found = False
        for day in self._classes:
            for minute in _instants(at, day):
                if not _holds(when, day, minute):
                    continue
                found = True
                name = _period_at(day, minute)
                if name is not None and name in self._dearest[day.season]:
                    return True, f"{quoted(name)}, the dearest period, for example on {day.example()}"
        return found, None


class _Earlier:
    """Unconditional windows seen so far, by their selectors and the field that they give."""

    def __init__(self) -> None:
        self._windows: dict[tuple[When, str], Window] = {}

    def note(self, window: Window) -> None:
        if window.condition is None:
            for field in window.setpoint.given():
                known = self._windows.get((window.when, field))
                if known is None or (window.early >= known.early and window.late >= known.late):
                    self._windows[window.when, field] = window

    def silencer_of(self, window: Window) -> str | None:
        """Which windows together say all that this one asks for, whenever it would; None if it has a say."""
        winners = [self._winner(window, field) for field in window.setpoint.given()]
        known = {winner.line: winner.name for winner in winners if winner is not None}
        if None in winners:
            return None
        named = " and ".join(f"{quoted(known[line])} in line {line}" for line in sorted(known))
        verbs = ("comes", "gives") if len(known) == 1 else ("come", "give")
        return f"{named} {verbs[0]} first and {verbs[1]} all that it asks for"

    def _winner(self, window: Window, field: str) -> Window | None:
        same = self._windows.get((window.when, field))
        if same is not None and same.early >= window.early and same.late >= window.late:
            return same
        return self._windows.get((When(), field))


def _minutes(when: When, day: DayClass) -> int:
    """The minutes of such a day on which the selectors hold, as bits."""
    today = any(
        days & day.monthdays and kinds >> (day.weekday * 2 + day.holiday) & 1
        for days, kinds in choices(when.on)
    )
    if when.hours is None:
        mask = _WHOLE_DAY if today else 0
    else:
        mask = own_minutes(when.hours) if today else 0
        spilt = spilt_minutes(when.hours)
        if spilt and _fits_before(when, day):
            mask |= spilt
    if when.during is not None and mask:
        mask &= day.today.minutes_of(when.during)
    return mask


def _fits_before(when: When, day: DayClass) -> bool:
    """Whether the day selectors can take the day before such a day."""
    before = day.monthdays >> 1 | (day.monthdays & 1) << 365
    kind = (day.weekday - 1) % 7 * 2 + day.holiday_before
    return any(days & before and kinds >> kind & 1 for days, kinds in choices(when.on))


def _instants(at: ClockTime | Relative, day: DayClass) -> Iterator[int]:
    """The minutes that ``at`` names, counted from the day's midnight; may lie on a neighbouring day."""
    if isinstance(at, ClockTime):
        yield at.minute
        return
    name = frozenset({at.period})
    mask = day.today.minutes_of(name)
    earlier = mask << 1 | day.before.minutes_of(name) >> (MINUTES_PER_DAY - 1)
    edges = (mask & ~earlier if at.edge == "starts" else earlier & ~mask) & _WHOLE_DAY
    offset = at.offset // timedelta(minutes=1)
    while edges:
        lowest = edges & -edges
        yield lowest.bit_length() - 1 + offset
        edges ^= lowest


def _period_at(day: DayClass, minute: int) -> str | None:
    """The period at a minute of such a day or of the day before; None on the day after, which is not known."""
    if minute >= MINUTES_PER_DAY:
        return None
    return (day.before if minute < 0 else day.today).name_at(minute % MINUTES_PER_DAY)


def _holds(when: When, day: DayClass, minute: int) -> bool:
    """Whether the selectors hold at this minute; on a neighbouring day they are taken to hold."""
    return not 0 <= minute < MINUTES_PER_DAY or bool(_minutes(when, day) >> minute & 1)


def _dearest(periods: Sequence[Period], classes: Sequence[DayClass]) -> dict[int, frozenset[str]]:
    """By season, the names of the periods with its highest import price; none where all cost the same."""
    prices: dict[int, dict[str, float]] = {}
    for season, painted in {(day.season, id(day.today)): (day.season, day.today) for day in classes}.values():
        for index in set(painted.owner):
            price = periods[index].import_price if index >= 0 else None
            if price is not None:
                by_name = prices.setdefault(season, {})
                by_name[periods[index].name] = max(price, by_name.get(periods[index].name, price))
    return {
        season: frozenset(name for name, price in by_name.items() if price == max(by_name.values()))
        if min(by_name.values()) < max(by_name.values())
        else frozenset()
        for season, by_name in ({day.season: prices.get(day.season, {"": 0.0}) for day in classes}).items()
    }
