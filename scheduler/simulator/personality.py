"""How one firmware line behaves: habits as values. What is done with them is the device's and the API's business.

Where a habit was never documented for a version, the nearest older evidence counts, and the comment says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from scheduler.simulator.errors import SimulatorError


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """The habits of one firmware line. Requests are named ``METHOD path``."""

    firmware: str
    git_hash: str
    next_firmware: str
    """The version that an update brings. The habits stay: this is the same simulated gateway."""
    operation_key: Literal["mode", "real_mode"]
    """Under which name the operation mode is told and taken."""
    writable_modes: frozenset[str]
    """Modes that POST /api/operation takes; others are answered with 500."""
    open_reads: frozenset[str]
    """What anybody may ask without a token."""
    installer_only: frozenset[str]
    """What a customer's token is not enough for."""
    installer_login_stops: bool
    """Whether a login as installer stops the battery until GET /api/sitemaster/run."""
    stop_method: Literal["GET", "POST"]
    """The verb of /api/sitemaster/stop; the other one is answered with 405."""
    commit_status: int
    """What GET /api/config/completed answers: 202 comes with nothing, 200 with the body of /api/status."""
    plain_text: frozenset[str]
    """Answers that hold JSON and call it text/plain."""
    one_step_late: bool
    """Whether a commit puts in force what the commit before it should have (powerwall2 issue 26)."""


PERSONALITIES = {
    "1.45.2": Personality(
        firmware="1.45.2",
        git_hash="5a4c9b1e2f70d3868b1f0a97c6d24e8f13b5702c",
        next_firmware="1.46.0",
        # powerwall2 issue 10: `mode` alone is refused since 1.21, and so is autonomous.
        operation_key="real_mode",
        writable_modes=frozenset({"self_consumption", "backup"}),
        # README of the gateway: all that stands above "the below API calls require authentication".
        open_reads=frozenset(
            {
                "GET /api/customer/registration",
                "GET /api/meters/aggregates",
                "GET /api/meters/site",
                "GET /api/meters/solar",
                "GET /api/powerwalls",
                "GET /api/site_info",
                "GET /api/site_info/site_name",
                "GET /api/sitemaster",
                "GET /api/status",
                "GET /api/system_status/grid_faults",
                "GET /api/system_status/grid_status",
                "GET /api/system_status/soe",
            }
        ),
        # Operation: powerwall2 issue 18. Updates: the page with that button belongs to the installer's wizard.
        installer_only=frozenset(
            {"POST /api/operation", "GET /api/system/update", "POST /api/system/update"}
        ),
        installer_login_stops=True,
        stop_method="GET",
        # powerwall2 issue 26, seen on 1.43.3.
        commit_status=200,
        plain_text=frozenset({"GET /api/config/completed", "POST /api/operation"}),
        one_step_late=False,
    ),
}
"""The personalities by firmware version."""


def personality(firmware: str) -> Personality:
    """The habits of this firmware version; SimulatorError with those that exist if there are none for it."""
    try:
        return PERSONALITIES[firmware]
    except KeyError:
        known = ", ".join(PERSONALITIES)
        raise SimulatorError(
            f"no simulated gateway for firmware {firmware!r}; take one of: {known}"
        ) from None
