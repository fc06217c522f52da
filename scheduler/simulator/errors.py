"""What can go wrong for the person who starts the simulated gateway.

Answers of the gateway that say no are not errors of ours; they live in `refusals.py`.
"""

from __future__ import annotations

from scheduler.model.errors import SchedulerError


class SimulatorError(SchedulerError):
    """The simulated gateway cannot be what was asked for. Its text says what is wrong and what to do."""
