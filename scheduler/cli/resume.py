"""`resume`: end a person's hold before its time; the rules speak again."""

from __future__ import annotations

from scheduler.cli.common import JsonOption, StateOption, fail_for, say, state_dir
from scheduler.cli.hold import tell


def resume(*, state: StateOption = None, json: JsonOption = False) -> None:
    """End a hold now: the rules speak again. Needs no configuration, so that a broken file does not keep a hold alive."""
    from scheduler.app import holds
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.errors import SchedulerError

    directory = state_dir(state)
    try:
        lifted = holds.lift(directory, SystemClock().now())
    except SchedulerError as error:
        fail_for(error)
    if not json:
        say("nothing was held" if lifted is None else f"ended: the hold of {lifted.setpoint}")
    tell(directory, None, zone=None, json=json)
