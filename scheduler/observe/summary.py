"""What stays wrong is said once an hour, in one line: a log that fell silent would look as if all were well."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from scheduler.model.evidence import Verdict
from scheduler.model.standing import StillWrong
from scheduler.model.status import Status

EVERY = timedelta(hours=1)
"""Pause between two lines on the same."""


class Summary:
    """A listener to the loop's reports. ``tell`` takes an event for each hour in which something was wrong all along."""

    def __init__(self, tell: Callable[[StillWrong], None]) -> None:
        self._tell = tell
        self._since: datetime | None = None
        self._said: datetime | None = None

    def report(self, status: Status) -> None:
        """Take the state of affairs."""
        wrong = list(dict.fromkeys(_wrong(status)))
        if not wrong:
            self._since = self._said = None
            return
        # With a clock that was set back it begins anew, too.
        if self._since is None or self._said is None or status.at < self._said:
            self._since = self._said = status.at
        elif status.at - self._said >= EVERY:
            self._said = status.at
            hours = round((status.at - self._since) / EVERY)
            message = f"for {hours} h now: {'; '.join(wrong)}"
            self._tell(StillWrong(at=status.at, since=self._since, message=message))


def _wrong(status: Status) -> list[str]:
    """Everything that is wrong, each in a sentence."""
    said = [status.trouble, status.plan_problem, status.memory_problem]
    record = status.record
    if record is not None and not record.verdict.good and record.verdict is not Verdict.DRIFTED:
        said.append(record.message)
    return [sentence for sentence in said if sentence]
