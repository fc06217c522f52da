"""Alarms by APScheduler, the only file that knows it. An alarm wakes the loop; it decides nothing and carries nothing.

Traps measured for 3.11.3, and so: the scheduler runs in UTC with date jobs in memory; `misfire_grace_time=None`, because
otherwise a job more than a second late is dropped; a job is a coroutine, because a plain function is run in a thread;
nothing that matters happens in a job, because jobs are cancelled on shutdown and their errors swallowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

AlarmTime = Callable[[datetime], datetime]
"""When an alarm for an instant must ring by the machine's wall clock."""


class Engine:
    """Arms one APScheduler job for each boundary and each moment; must be made in the running event loop."""

    def __init__(self, wake: Callable[[], None], alarm_time: AlarmTime) -> None:
        self._wake = wake
        self._alarm_time = alarm_time
        self._ringing = False
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
        )

    def start(self) -> None:
        """Begin to ring."""
        self._scheduler.start()
        self._ringing = True

    def arm(self, alarms: Mapping[str, datetime]) -> None:
        """Have exactly these alarms, by name; those armed already are left alone."""
        armed = self.armed
        for name in armed.keys() - alarms.keys():
            self._scheduler.remove_job(name)
        for name in alarms.keys() - armed.keys():
            self._scheduler.add_job(
                self._ring, DateTrigger(self._alarm_time(alarms[name]).astimezone(UTC)), id=name, name=name
            )

    async def _ring(self) -> None:
        if self._ringing:
            self._wake()

    @property
    def armed(self) -> Mapping[str, datetime]:
        """The alarms that are armed: name to the instant by the machine's wall clock."""
        return {job.id: job.trigger.run_date for job in self._scheduler.get_jobs()}

    def stop(self) -> None:
        """Ring no more."""
        if self._ringing:  # the scheduler itself says that it runs until the event loop has come round
            self._ringing = False
            self._scheduler.shutdown(wait=False)
