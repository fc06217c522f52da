"""The plan by local days, in words for people: what to show, not how it is drawn. The JSON lives in
`document`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from scheduler.model.timeline import Segment, Timeline
from scheduler.plan import words
from scheduler.plan.wallclock import WallClock

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a day: a stretch of a segment, or a moment, for which period and prices are empty."""

    is_moment: bool
    time: str
    what: str
    period: str
    import_price: str
    export_price: str
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
            times = _Times(zone=zone, end_of_day=end_of_day, named=bool(shift))
            yield Day(
                title=words.day_name(day),
                note=_shift_note(shift),
                entries=tuple(_entries(shown, start_of_day, times, merge=merge)),
            )
        day += _DAY


@dataclass(frozen=True, slots=True, kw_only=True)
class _Times:
    """How the times of one day are written: with the name of the zone's time where the clocks change."""

    zone: ZoneInfo
    end_of_day: datetime
    named: bool

    def text(self, instant: datetime) -> str:
        if instant == self.end_of_day:
            return "24:00"
        shown = instant.astimezone(self.zone)
        return f"{shown:%H:%M %Z}" if self.named else f"{shown:%H:%M}"

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
        for moment in timeline.moments_between(start, end):
            yield Entry(
                is_moment=True,
                time=times.text(moment.at),
                what=words.deed(moment, times.zone),
                period="",
                import_price="",
                export_price="",
                rules=f"{moment.rule} (line {moment.line})",
            )


def _stretch(segment: Segment, time: str, *, merge: bool) -> Entry:
    claims = segment.spoken().claims
    if len(claims) == 1:
        rules = [f"{claim.name} (line {claim.line})" for claim, _ in claims]
    else:
        rules = [f"{claim.name} (line {claim.line}): {words.fields(gave)}" for claim, gave in claims]
    return Entry(
        is_moment=False,
        time=time,
        what=words.asked(segment),
        period="" if merge else segment.period or "none",
        import_price="" if merge else _price(segment.import_price),
        export_price="" if merge else _price(segment.export_price),
        rules="; ".join(rules),
    )


def _price(price: float | None) -> str:
    return "" if price is None else f"{price:g}"
