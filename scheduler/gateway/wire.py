"""What the gateway says and is told: bodies of its local API to values of the model, and back.

The only file that knows the raw percent scale. No connection and no HTTP status here; strict JSON lives in `body.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scheduler.gateway.body import flag, mapping, number, parse, parse_object, shown_safely, text
from scheduler.model.errors import Transient
from scheduler.model.reading import Alert, Grid, Identity, Live, Power, UpdateStatus
from scheduler.model.setpoint import Mode, Setpoint

_RAW_PER_SHOWN = 0.95
_RAW_AT_ZERO = 5.0

_GRID = {
    "SystemGridConnected": Grid.CONNECTED,
    "SystemIslandedReady": Grid.ISLANDED,
    "SystemIslandedActive": Grid.ISLANDED,
    "SystemTransitionToIsland": Grid.ISLANDED,
    # The README: the grid is restored but not yet in sync. The house still runs on its own.
    "SystemTransitionToGrid": Grid.ISLANDED,
    "SystemMicroGridFaulted": Grid.ISLANDED,
    "SystemWaitForUser": Grid.ISLANDED,
}
_EXPORT = "max_pv_export_power_kW"
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,4096}")
_ALERT = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
_ALERTS_KEPT = 50
_MOST_W = 10e6
"""Ten megawatts: no house has them, and a Powerpack's site hardly."""


def to_raw(shown_percent: float) -> float:
    """The gateway's raw percent for the app's shown percent.

    Pairs measured on real gateways: 0 -> 5, 5 -> 9.75, 20 -> 24, 35 -> 38.25, 60 -> 62, 100 -> 100. Rounded to nine
    decimals, because 0.95 is no exact float and the gateway should be told 38.25, not 38.249999999999996.
    """
    return round(_RAW_PER_SHOWN * shown_percent + _RAW_AT_ZERO, 9)


def to_shown(raw_percent: float) -> float:
    """The app's shown percent for the gateway's raw percent.

    Rounded to six decimals: coarser than `to_raw`, so that going there and back gives the same number for ever.
    """
    return round((raw_percent - _RAW_AT_ZERO) / _RAW_PER_SHOWN, 6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An answer of GET /api/operation: the setpoint, and how this gateway spells it.

    ``mode_keys`` is `mode` up to firmware 1.20 and `real_mode` since 1.21. ``raw_reserve`` is the reserve as it was said.
    ``max_pv_export_power_kw`` is None where the gateway says no number: nothing that is decided hangs on it.
    """

    setpoint: Setpoint
    mode_keys: tuple[str, ...]
    raw_reserve: float
    max_pv_export_power_kw: float | None = None


def operation(body: bytes) -> Operation:
    """GET /api/operation (README; since 1.21 with `real_mode` in place of `mode`)."""
    fields = parse_object(body)
    keys = tuple(key for key in ("real_mode", "mode") if key in fields)
    if not keys:
        raise Transient("the gateway's answer has neither mode nor real_mode")
    raw, export = number(fields, "backup_reserve_percent"), fields.get(_EXPORT)
    return Operation(
        setpoint=Setpoint(mode=text(fields, keys[0]), reserve_percent=_shown(raw, "backup_reserve_percent")),
        mode_keys=keys,
        raw_reserve=raw,
        max_pv_export_power_kw=number(fields, _EXPORT) if type(export) in {int, float} else None,
    )


def operation_body(
    change: Setpoint, known: Operation | None, *, max_pv_export_power_kw: float | None = None
) -> dict[str, Any]:
    """The body of POST /api/operation that asks for ``change``; ``known`` is the last answer to GET.

    `max_pv_export_power_kW` is left out unless it is given, as the README says one may.
    """
    # Fields that are left alone are said again as they were read. Firmware since 1.21 answers a body without
    # `real_mode` with 500 "RealMode must be either ..." (powerwall2 issue 10), so it takes a missing field as an empty
    # one, and a missing reserve might be taken as 0. All clients known to work send both.
    mode, raw = change.mode, None if change.reserve_percent is None else to_raw(change.reserve_percent)
    if known is not None:
        # A mode that no rule can ask for (`site_control`) was set by somebody else's means and is not ours to write.
        if mode is None and known.setpoint.mode in set(Mode):
            mode = known.setpoint.mode
        if change.reserve_percent in {None, known.setpoint.reserve_percent}:
            raw = known.raw_reserve  # not by way of the other scale, which would add float dust
    keys = known.mode_keys if known is not None else ("real_mode", "mode")
    body: dict[str, Any] = {} if mode is None else dict.fromkeys(keys, str(mode))
    if raw is not None:
        body["backup_reserve_percent"] = raw
    if max_pv_export_power_kw is not None:
        body[_EXPORT] = max_pv_export_power_kw
    return body


def login_body(*, username: str, password: str, email: str, force_sm_off: bool) -> dict[str, Any]:
    """The body of POST /api/login/Basic; ``force_sm_off`` stops the battery even while power flows."""
    return {"username": username, "password": password, "email": email, "force_sm_off": force_sm_off}


def token(body: bytes) -> str:
    """The token in the answer to a login; Transient unless it is fit for a header."""
    value = parse_object(body).get("token")
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise Transient("the gateway's answer to the login has no usable token")
    return value


def roles(body: bytes) -> tuple[str, ...]:
    """The roles in the answer to a login, in the gateway's words (`Home_Owner`); none if it names none."""
    said = parse_object(body).get("roles")
    if not isinstance(said, list):
        return ()
    return tuple(role for role in said if isinstance(role, str) and shown_safely(role))


def identity(body: bytes) -> Identity:
    """GET /api/status; firmware 1.15 ends its version with a line feed."""
    fields = parse_object(body)
    start_time = text(fields, "start_time") if "start_time" in fields else ""
    return Identity(firmware=text(fields, "version"), start_time=start_time)


def din(body: bytes) -> str | None:
    """The serial number in GET /api/status, told since firmware 20; None where it is not. A secret: see `note.py`."""
    value = parse_object(body).get("din")
    return value if isinstance(value, str) and shown_safely(value) else None


def grid_faults(body: bytes) -> tuple[Alert, ...]:
    """GET /api/system_status/grid_faults: the first 50 alerts, each name once; `[]` and null where there are none.

    `decoded_alert` and the `ecu_` fields hold serial numbers and are not read. An alert whose name is no plain word is left
    out: the others are worth hearing without it.
    """
    value = [] if (value := parse(body)) is None else value
    if not isinstance(value, list) or not all(isinstance(alert, dict) for alert in value):
        raise Transient("the gateway's answer has no list of alerts")
    known: dict[str, bool] = {}
    for alert in value:
        name = alert.get("alert_name")
        if isinstance(name, str) and _ALERT.fullmatch(name):
            known[name] = known.get(name, False) or alert.get("alert_is_fault") is True
    return tuple(Alert(name=name, is_fault=fault) for name, fault in list(known.items())[:_ALERTS_KEPT])


def committed(body: bytes) -> None:
    """GET /api/config/completed: nothing up to firmware 1.42, the status since. Transient for a page: then it was not done.

    A commit is the one call whose doing nothing shows nowhere: what was written reads back whether it is in force or not.
    """
    if body.lstrip().startswith(b"<"):
        raise Transient("a page came in answer to the commit, so that it was hardly done")


def running(body: bytes) -> bool:
    """GET /api/sitemaster: whether the battery is in service. `uptime` ("802459s,", "log:") is not read."""
    return flag(parse_object(body), "running")


def live(charge_body: bytes, grid_body: bytes) -> Live:
    """GET /api/system_status/soe (raw percent) and GET /api/system_status/grid_status."""
    raw = number(parse_object(charge_body), "percentage")
    grid = _GRID.get(text(parse_object(grid_body), "grid_status"))
    if grid is None:
        raise Transient("the gateway's answer has an unknown word under grid_status")
    return Live(charge_percent=_shown(raw, "percentage"), grid=grid)


def power(body: bytes) -> Power:
    """GET /api/meters/aggregates: `instant_power` in watts. A house without solar may have no `solar` meter.

    Transient with the field's name for more than 10 MW.
    """
    fields = parse_object(body)
    return Power(
        battery_w=_watts(fields, "battery"),
        site_w=_watts(fields, "site"),
        load_w=_watts(fields, "load"),
        solar_w=0.0 if fields.get("solar") is None else _watts(fields, "solar"),
    )


def update_status(body: bytes) -> UpdateStatus:
    """GET /api/system/update/status. No body seen during a download is published: `info` may be missing."""
    fields = parse_object(body)
    info: Mapping[str, Any] = {} if fields.get("info") is None else mapping(fields, "info")
    words = info.get("status") or []
    if not isinstance(words, list) or not all(isinstance(word, str) and shown_safely(word) for word in words):
        raise Transient("the gateway's answer has no list of words under status")
    last = fields.get("last_status_time")
    last_ms = last if isinstance(last, int) and not isinstance(last, bool) else None
    return UpdateStatus(state=text(fields, "state"), status=tuple(words), last_status_ms=last_ms)


def _watts(fields: Mapping[str, Any], meter: str) -> float:
    watts = number(mapping(fields, meter), "instant_power")
    if abs(watts) > _MOST_W:
        raise Transient(f"the gateway's answer has no believable watts under {meter}.instant_power")
    return watts


def _shown(raw_percent: float, name: str) -> float:
    """A raw percent that was read, as the app shows it: below raw 5 the app says 0."""
    if not 0.0 <= raw_percent <= 100.5:  # noqa: PLR2004 - percent, and a little for float dust at full
        raise Transient(f"the gateway's answer has no percentage under {name}")
    return min(max(to_shown(raw_percent), 0.0), 100.0)
