"""The install that the gateway was told last: until when what it does then is our doing. Outlasts us.

Some gateways restart more than once for one update, and come back with the battery stopped.
"""

from __future__ import annotations

from datetime import datetime

from scheduler.control.diary import TOLD, Diary, instant_of
from scheduler.control.ports import Clock


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
        return since if section.get("open") is True or self.left_s > 0 else None

    @property
    def left_s(self) -> float:
        """For how many seconds more a stop of the battery is put down to it; zero if it is not."""
        section = self._diary.section(TOLD)
        since, until = instant_of(section.get("since")), instant_of(section.get("until"))
        now = self._clock.now()
        if since is None or until is None or not since <= now:
            return 0.0
        return max((until - now).total_seconds(), 0.0)

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
