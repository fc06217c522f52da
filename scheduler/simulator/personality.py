"""How one firmware line behaves: habits as values. What is done with them is the device's and the API's business.

Where a habit was never documented for a version, the nearest older evidence counts, and the comment says so. What an
answer looks like goes by the version alone: bodies ask `since`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from scheduler.simulator.errors import SimulatorError
from scheduler.simulator.updater import NOTHING, SUCCEEDED, UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Personality:
    """The habits of one firmware line. Requests are named ``METHOD path``."""

    firmware: str
    """The version as GET /api/status tells it."""
    next_firmware: str
    """The version that an update brings unless it is told to be another one. The habits stay: nobody must expect others of it."""
    operation_key: Literal["mode", "real_mode"]
    """Under which name the operation mode is told and taken."""
    writable_modes: frozenset[str]
    """Modes that POST /api/operation takes; others are answered with 500."""
    open_reads: frozenset[str]
    """What anybody may ask without a token."""
    installer_only: frozenset[str]
    """What a customer's token is not enough for."""
    any_username: bool
    """Whether a login goes by the password alone."""
    bad_login: str
    """What a login with a wrong password is told."""
    installer_login_stops: bool
    """Whether a login as installer stops the battery until GET /api/sitemaster/run."""
    installer_needs_switch: bool
    """Whether a login as installer is refused unless somebody turns the Powerwall off and on."""
    stop_method: Literal["GET", "POST"]
    """The verb of /api/sitemaster/stop; the other one is answered with 405."""
    commit_status: int
    """What GET /api/config/completed answers: 202 comes with nothing, 200 with the body of /api/status."""
    plain_text: frozenset[str]
    """Answers that hold JSON and call it text/plain."""
    one_step_late: bool
    """Whether a commit puts in force what the commit before it should have (powerwall2 issue 26)."""
    resting_update: str
    """Where the updater stands if nobody has asked it to look."""

    def since(self, major: int, minor: int = 0) -> bool:
        """Whether this line is that version or a later one."""
        return _version(self.firmware) >= (major, minor)


@cache
def _version(firmware: str) -> tuple[int, int]:
    major, minor = firmware.split(".")[:2]
    return int(major), int(minor)


_OPEN = frozenset(
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
)
"""README of the gateway: all that stands above "the below API calls require authentication", less what it corrects."""

_OPEN_ON_1_15 = frozenset(
    {
        "GET /api/config/completed",
        "GET /api/sitemaster/run",
        "GET /api/sitemaster/stop",
        "GET /api/system/update/status",
    }
)
"""README of the gateway: those that it marks with "UPDATE: you need to be authenticated"."""

_README = Personality(
    firmware="1.45.2",
    next_firmware="1.46.0",
    # powerwall2 issue 10: `mode` alone is refused since 1.21, and so is autonomous.
    operation_key="real_mode",
    writable_modes=frozenset({"self_consumption", "backup"}),
    open_reads=_OPEN,
    # Operation: powerwall2 issue 18. Updates: the page with that button belongs to the installer's wizard.
    installer_only=frozenset({"POST /api/operation", "GET /api/system/update", "POST /api/system/update"}),
    any_username=False,
    bad_login="bad credentials",
    installer_login_stops=True,
    installer_needs_switch=False,
    stop_method="GET",
    # powerwall2 issue 26, seen on 1.43.3.
    commit_status=200,
    plain_text=frozenset({"GET /api/config/completed", "POST /api/operation"}),
    one_step_late=False,
    resting_update=NOTHING,
)

_1_50 = replace(
    _README,
    firmware="1.50.1 c58c2df3",
    next_firmware="1.50.2 0d4a7c11",
    # powerwall2 issue 34. What the next lines say of 1.50 nobody reported: reads, stop verb and commit are the README's.
    installer_login_stops=False,
    installer_needs_switch=True,
)

_21_39 = replace(
    _1_50,
    firmware="21.39.1 7759c368",
    next_firmware="21.44.1 0b9e21f7",
    # powerwall2 issue 41: since 20.49 nearly every read wants a login. The last two only exist without one.
    open_reads=frozenset(
        {
            "GET /api/status",
            "GET /api/auth/toggle/supported",
            "POST /api/auth/toggle/start",
            "POST /api/auth/toggle/login",
        }
    ),
    # powerwall2 issue 57.
    stop_method="POST",
    plain_text=frozenset(),
    resting_update=UNKNOWN,
)

PERSONALITIES = {
    "1.45.2": _README,
    "1.15": replace(
        _README,
        firmware="1.15.0",
        next_firmware="1.16.0",
        operation_key="mode",
        writable_modes=frozenset({"self_consumption", "backup", "autonomous"}),
        open_reads=_OPEN | _OPEN_ON_1_15,
        # README of the gateway, Wizard: "whatever you like"; its words for a wrong password: powerwall2 issue 1.
        any_username=True,
        bad_login="Invalid Credentials",
        commit_status=202,
        plain_text=frozenset(),
    ),
    "1.21": replace(
        _README,
        firmware="1.21.0",
        next_firmware="1.22.0",
        # powerwall2 issue 12: on 1.25 this one wanted a login. When the other three began to is not known.
        open_reads=_OPEN | {"GET /api/system/update/status"},
        commit_status=202,
        plain_text=frozenset(),
    ),
    "1.43.3": replace(
        _README,
        firmware="1.43.3",
        next_firmware="1.43.4",
        one_step_late=True,
    ),
    "1.50.1": _1_50,
    "21.39": _21_39,
    "23.28": replace(
        _21_39,
        firmware="23.28.2 27626f98",
        next_firmware="23.36.3 5c1e09d4",
        resting_update=SUCCEEDED,
    ),
}
"""The personalities by firmware version; how a version is called is `scheduler.model.firmware`'s."""


def personality(firmware: str) -> Personality:
    """The habits of this firmware version; SimulatorError with those that exist if there are none for it."""
    try:
        return PERSONALITIES[firmware]
    except KeyError:
        known = ", ".join(PERSONALITIES)
        raise SimulatorError(
            f"no simulated gateway for firmware {firmware!r}; take one of: {known}"
        ) from None
