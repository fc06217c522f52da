"""The calls of the gateway's local API: one table that the client, `inspect` and `doctor` all go by.

What is documented, not how it is said: statuses are `answers.py`'s, bodies `wire.py`'s. Sources are the README of the
gateway and what its readers reported; a path that only the gateway's own page uses says so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import quote, unquote

from scheduler.gateway.habits import FIRST_WITH_LOGINS, FIRST_WITH_POST_STOP

Method = Literal["GET", "POST"]

EARLIEST = (1, 15)
"""The oldest firmware line of which anything was published; nothing is known to be missing on an older one."""

ALWAYS = (0, 0)

LAST_OF_README = (1, 50)
"""Inferred: the README of the gateway has it up to 1.45, a 21.39.1 has not, and 1.50 is nearer to the README."""

FIRST_OF_DUMP = (20, 0)
"""Inferred: a 21.39.1 has it, the README of the gateway (1.15 to 1.45) does not know it, and nothing between was reported."""

NAME = "{name}"
"""Stands in a path for what the person who asks has to say."""

_LARGE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One documented call.

    ``step`` is its name in the evidence; ``acts``: it changes something, so that a 403 speaks of the role and not of the
    session; ``login_since``: the firmware from which on it wants a login, None if none does; ``since`` and ``until``: the
    first and the last firmware line that has it, by major and minor, None where no end is known; ``limit_bytes``: the
    longest answer that is read.
    """

    step: str
    method: Method
    path: str
    about: str
    acts: bool = False
    login_since: tuple[int, int] | None = ALWAYS
    since: tuple[int, int] | None = None
    until: tuple[int, int] | None = None
    limit_bytes: int = 256 * 1024

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def name(self) -> str:
        """How a person asks for it: the path without `/api/`."""
        return self.path.removeprefix("/api/")

    def wants_login(self, firmware: tuple[int, int]) -> bool:
        """Whether this firmware answers it only to somebody who is logged in."""
        return self.login_since is not None and firmware >= self.login_since

    @property
    def firmware(self) -> str:
        """The firmware lines that have it, in words."""
        first = "{}.{}".format(*(self.since or EARLIEST)).removesuffix(".0")
        return f"{first} and later" if self.until is None else "{} to {}.{}".format(first, *self.until)

    def is_on(self, firmware: tuple[int, int]) -> bool:
        """Whether this firmware has it, as far as is known; what is not known may be asked for."""
        early = self.since is not None and firmware < self.since
        late = self.until is not None and firmware > self.until
        return not early and not late


def _get(path: str, about: str, **more: object) -> Call:
    step = "get_" + path.removesuffix("/" + NAME).replace("/", "_")
    return Call(**{"step": step, "method": "GET", "path": f"/api/{path}", "about": about} | more)  # type: ignore[arg-type]


STATUS = _get("status", "firmware, since when it runs, who it is", login_since=None)
LOGIN = Call(
    step="login",
    method="POST",
    path="/api/login/Basic",
    about="get a session; as installer up to 1.49 this stops the battery",
    acts=True,
    login_since=None,
)
LOGOUT = Call(
    step="logout", method="GET", path="/api/logout", about="end the session", acts=True, login_since=None
)
OPERATION = _get("operation", "operation mode and reserve, raw percent")
WRITE = Call(
    step="post_operation",
    method="POST",
    path="/api/operation",
    about="set operation mode and reserve; only the installer may",
    acts=True,
)
COMMIT = Call(
    step="config_completed",
    method="GET",
    path="/api/config/completed",
    about="put into force what was set",
    acts=True,
)
SITEMASTER = _get("sitemaster", "whether the battery is in service", login_since=FIRST_WITH_LOGINS)
RUN = Call(
    step="run_sitemaster",
    method="GET",
    path="/api/sitemaster/run",
    about="put the battery into service",
    acts=True,
)
STOP = Call(
    step="stop_sitemaster",
    method="GET",
    path="/api/sitemaster/stop",
    about="take the battery out of service",
    acts=True,
    until=(1, 50),
)
STOP_BY_POST = Call(
    step="stop_sitemaster",
    method="POST",
    path="/api/sitemaster/stop",
    about="take the battery out of service",
    acts=True,
    since=FIRST_WITH_POST_STOP,
)
CHARGE = _get(
    "system_status/soe",
    "state of charge, raw percent; 502 while stopped",
    login_since=FIRST_WITH_LOGINS,
    step="get_soe",
)
GRID = _get(
    "system_status/grid_status",
    "whether the house hangs on the grid; 502 while stopped",
    login_since=FIRST_WITH_LOGINS,
    step="get_grid_status",
)
FAULTS = _get(
    "system_status/grid_faults",
    "alerts of the grid; 502 while stopped",
    login_since=FIRST_WITH_LOGINS,
    step="get_grid_faults",
)
METERS = _get(
    "meters/aggregates",
    "what flows where, in watts; 502 while stopped",
    login_since=FIRST_WITH_LOGINS,
    step="get_aggregates",
)
CHECK = Call(
    step="check_update",
    method="GET",
    path="/api/system/update?force=true",
    about="look for new firmware (the gateway's own page)",
    acts=True,
)
INSTALL = Call(
    step="install_update",
    method="POST",
    path="/api/system/update",
    about="install what is staged; the gateway restarts (the gateway's own page)",
    acts=True,
)
UPDATE = _get(
    "system/update/status", "where the updater stands", login_since=(1, 25), step="get_update_status"
)
SITE_INFO = _get("site_info", "the site: name, time zone, limits, grid code", login_since=FIRST_WITH_LOGINS)
POWERWALLS = _get("powerwalls", "the batteries, their checks and updates", login_since=FIRST_WITH_LOGINS)

CALLS: tuple[Call, ...] = (
    LOGIN,
    LOGOUT,
    STATUS,
    OPERATION,
    WRITE,
    COMMIT,
    SITEMASTER,
    RUN,
    STOP,
    STOP_BY_POST,
    CHARGE,
    GRID,
    FAULTS,
    METERS,
    _get("meters/site", "the grid's meter in detail", login_since=FIRST_WITH_LOGINS),
    _get("meters/solar", "the solar meter in detail", login_since=FIRST_WITH_LOGINS),
    _get("meters", "the meters and their current transformers"),
    _get("meters/readings", "each current transformer; errors while running are normal"),
    CHECK,
    INSTALL,
    UPDATE,
    SITE_INFO,
    _get("site_info/site_name", "the site's name and time zone", login_since=FIRST_WITH_LOGINS),
    _get("site_info/grid_codes", "the grid codes to choose from; 502 on some firmware", until=LAST_OF_README),
    POWERWALLS,
    _get("powerwalls/status", "what the batteries are busy with; 409 while running on 1.15"),
    _get("solars", "the solar inverters"),
    _get("solars/brands", "the makers of inverters that it knows"),
    _get(f"solars/brands/{NAME}", "the models of one maker, such as 'solars/brands/Example Solar'"),
    _get("generators", "generators"),
    _get("generators/disconnect_types", "how a generator may be disconnected"),
    _get("customer", "the owner's registration"),
    _get("customer/registration", "the owner's registration in short", login_since=FIRST_WITH_LOGINS),
    _get("installer", "who installed it, and how"),
    _get("installer/companies", "all installers that it knows; long", limit_bytes=_LARGE_BYTES),
    _get("config", "the gateway's part and serial number"),
    _get("networks", "the network interfaces"),
    _get("networks/wifi_security_types", "the kinds of Wi-Fi security that it knows"),
    _get("system/networks", "the configured networks", until=LAST_OF_README),
    _get("system/networks/conn_tests", "the last test of the connection", since=FIRST_OF_DUMP),
    _get("system/testing", "the last test of the installation"),
    _get("system_status", "the state of the whole system; 502 while stopped", since=FIRST_OF_DUMP),
    _get("auth/toggle/supported", "whether the switch can let the installer in", login_since=None, since=FIRST_OF_DUMP),
)  # fmt: skip
"""All that is documented, in the order in which a person would want it."""


def readable() -> tuple[Call, ...]:
    """The calls that only tell, and need nothing said: what `inspect --all` asks."""
    return tuple(call for call in CALLS if not call.acts and NAME not in call.path)


def find(name: str) -> Call | None:
    """The reading call that a person means by ``name``, with or without `/api/`; None if there is no such call."""
    wanted = unquote(name.strip().strip("/").removeprefix("api/"))
    for call in CALLS:
        if call.acts:
            continue
        if call.name == wanted and NAME not in wanted:
            return call
        head, slot, _ = call.name.partition(NAME)
        said = wanted.removeprefix(head)
        # Dots alone would lead elsewhere, half a character cannot be said in an address, and the slot is no name.
        if slot and wanted.startswith(head) and said.isprintable() and said.strip(".") and said != NAME:
            return replace(call, path=call.path.replace(NAME, quote(said, safe="")))
    return None
