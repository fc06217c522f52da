"""The plan by local days, in words for people: what to show, not how it is drawn. The JSON lives in
`document`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from scheduler.model.timeline import Segment, Timeline
from scheduler.plan import words
from scheduler.plan.wallclock import WallClock

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a day: a stretch of a segment, what an ``if`` would make of it, or a moment.

    A stretch tells what holds while every ``if`` is false; its cases follow. Only it has period and prices.
    """

    kind: Literal["stretch", "case", "moment"]
    time: str = ""
    what: str
    period: str = ""
    import_price: str = ""
    export_price: str = ""
    rules: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A local day; ``note`` says what is unusual about its clock and is mostly empty."""

    title: str
    note: str
    entries: tuple[Entry, ...]


def agenda(timeline: Timeline, zone: ZoneInfo, *, merge: bool = False) -> Iterator[Day]:
    """The days of a plan. With ``merge`` stretches are cut only where what is asked for changes, prices left
    out.
    """
    clock = WallClock(zone)
    shown = timeline.merged() if merge else timeline
    day, end = clock.day(timeline.start), clock.day(timeline.end)
    while day <= end:
        start_of_day, end_of_day = clock.instant(day, 0), clock.instant(day + _DAY, 0)
        if max(start_of_day, timeline.start) < min(end_of_day, timeline.end):
            shift = clock.shift(day)
            times = _Times(clock=clock, end_of_day=end_of_day, named=bool(shift))
            yield Day(
                title=words.day_name(day),
                note=_shift_note(shift),
                entries=tuple(_entries(shown, start_of_day, times, merge=merge)),
            )
        day += _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """How the times of one day are written: with the name of the zone's time where the clocks change."""

    clock: WallClock
    end_of_day: datetime
    named: bool

    def text(self, instant: datetime) -> str:
        return "24:00" if instant == self.end_of_day else words.time_text(instant, self.clock)

    def range_text(self, start: datetime, end: datetime) -> str:
        return f"{self.text(start)}{' to ' if self.named else '-'}{self.text(end)}"


def _shift_note(shift: timedelta) -> str:
    if not shift:
        return ""
    minutes = abs(shift) // timedelta(minutes=1)
    hours, rest = divmod(minutes, 60)
    length = " ".join(part for part in (f"{hours} h" if hours else "", f"{rest} min" if rest else "") if part)
    return f"The clocks are put {'forward' if shift > timedelta(0) else 'back'} by {length}."


def _entries(timeline: Timeline, start_of_day: datetime, times: _Times, *, merge: bool) -> Iterator[Entry]:
    for segment in timeline.segments_between(start_of_day, times.end_of_day):
        start, end = max(segment.start, start_of_day), min(segment.end, times.end_of_day)
        yield _stretch(segment, times.range_text(start, end), merge=merge)
        for condition, spoken in segment.cases():
            yield Entry(kind="case", what=words.case_text(condition, spoken), rules=words.givers(spoken))
        for moment in timeline.moments_between(start, end):
            yield Entry(
                kind="moment",
                time=times.text(moment.at),
                what=words.deed(moment, times.clock),
                rules=f"{moment.rule} (line {moment.line})",
            )


def _stretch(segment: Segment, time: str, *, merge: bool) -> Entry:
    ordinary = segment.ordinary()
    return Entry(
        kind="stretch",
        time=time,
        what=str(ordinary.setpoint),
        period="" if merge else segment.period or "none",
        import_price="" if merge else _price(segment.import_price),
        export_price="" if merge else _price(segment.export_price),
        rules=words.givers(ordinary),
    )


def _price(price: float | None) -> str:
    return "" if price is None else f"{price:g}"
