"""The install that the gateway was told last: until when what it does then is our doing. Outlasts us.

Some gateways restart more than once for one update, and come back with the battery stopped.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from scheduler.control.diary import TOLD, Diary
from scheduler.control.ports import Clock
from scheduler.model.instant import instant_of


class Told:
    """``since`` is when it was told, None if that no longer explains a restart."""

    def __init__(self, diary: Diary, clock: Clock) -> None:
        self._diary = diary
        self._clock = clock

    @property
    def since(self) -> datetime | None:
        """When it was told, while its time is not over, or while it did not yet come back as another one."""
        section = self._diary.section(TOLD)
        since = instant_of(section.get("since"))
        still = since is not None and (section.get("open") is True or self.left_s > 0)
        return min(since, self._clock.now()) if since is not None and still else None

    @property
    def left_s(self) -> float:
        """For how many seconds more a stop of the battery is put down to it; zero if it is not."""
        section = self._diary.section(TOLD)
        since, until = instant_of(section.get("since")), instant_of(section.get("until"))
        now = self._clock.now()
        if since is None or until is None:
            return 0.0
        # One that is noted in times to come was told by a clock that was ahead: it counts as told just now.
        return max((until - max(now, since)).total_seconds(), 0.0)

    def settle(self) -> None:
        """Note one that is noted in times to come as told just now, so that its time goes by."""
        now = self._clock.now()
        since = instant_of(self._diary.section(TOLD).get("since"))
        if since is not None and since > now:
            self.carry(now - since)

    def carry(self, by: timedelta) -> None:
        """The wall clock was set ``by`` so much: what is noted happened so much later or earlier by it."""
        section = self._diary.section(TOLD)
        since, until = instant_of(section.get("since")), instant_of(section.get("until"))
        if since is not None and until is not None:
            moved = {"since": (since + by).isoformat(), "until": (until + by).isoformat()}
            self._diary.put(TOLD, section | moved)

    def note(self, since: datetime, until: datetime) -> None:
        """It is being told; its time is over at ``until``."""
        self._diary.put(TOLD, {"since": since.isoformat(), "until": until.isoformat(), "open": True})

    def came(self) -> None:
        """Another version or start answers: from now on only its time counts."""
        section = self._diary.section(TOLD)
        if section.get("open") is True:
            self._diary.put(TOLD, section | {"open": False})

    def same(self, answered_at: datetime) -> None:
        """It answered as before then: once its time is over, what it does later is not our doing."""
        section = self._diary.section(TOLD)
        until = instant_of(section.get("until"))
        if section.get("open") is True and until is not None and answered_at >= until:
            self._diary.put(TOLD, section | {"open": False})

    def forget(self) -> None:
        """It did not take it, or could not do it."""
        self._diary.put(TOLD, {})
