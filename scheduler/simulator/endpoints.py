"""The simulated gateway's endpoints: which request does what, on which firmware.

State changes are calls of `device.py`, bodies come from the `bodies.py` of their subject; who may ask, and how the
answers look on the wire, is `api.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from scheduler.model.reading import Grid
from scheduler.simulator import (
    battery_bodies,
    bodies,
    meter_bodies,
    network_bodies,
    refusals,
    site_bodies,
    update_bodies,
)
from scheduler.simulator.call import Call
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.refusals import Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Status, a JSON value (None: no body at all), and the token of a login, empty otherwise."""

    status: int = 200
    says: Any = None
    token: str = ""


Endpoint = Callable[[SimulatedGateway, Call], Answer]
Body = Callable[[SimulatedGateway], Any]

READS: dict[str, Body] = {
    "/api/config": site_bodies.config,
    "/api/customer": site_bodies.customer,
    "/api/customer/registration": site_bodies.registration,
    "/api/generators": site_bodies.generators,
    "/api/generators/disconnect_types": site_bodies.disconnect_types,
    "/api/installer": site_bodies.installer,
    "/api/installer/companies": site_bodies.companies,
    "/api/meters": meter_bodies.meters,
    "/api/meters/aggregates": meter_bodies.aggregates,
    "/api/meters/readings": meter_bodies.readings,
    "/api/meters/site": meter_bodies.site_meter,
    "/api/meters/solar": meter_bodies.solar_meter,
    "/api/networks": network_bodies.networks,
    "/api/networks/wifi_security_types": network_bodies.wifi_security_types,
    "/api/operation": bodies.operation,
    "/api/powerwalls": battery_bodies.powerwalls,
    "/api/site_info": site_bodies.site_info,
    "/api/site_info/site_name": site_bodies.site_name,
    "/api/sitemaster": bodies.sitemaster,
    "/api/solars": site_bodies.solars,
    "/api/solars/brands": site_bodies.brands,
    "/api/status": bodies.status,
    "/api/system/testing": bodies.testing,
    "/api/system/update/status": update_bodies.update_status,
    "/api/system_status/grid_faults": bodies.grid_faults,
    "/api/system_status/grid_status": bodies.grid_status,
    "/api/system_status/soe": bodies.state_of_energy,
} | {f"/api/solars/brands/{brand}": site_bodies.models_of(brand) for brand in site_bodies.BRANDS}
"""What only tells, by path, on every firmware."""

READS_UNTIL_20: dict[str, Body] = {
    "/api/site_info/grid_codes": site_bodies.grid_codes,
    "/api/system/networks": network_bodies.configured,
}
"""What only the README of the gateway knows (1.15 to 1.45); 1.50.1 is nearer to it than to 21.39."""

READS_SINCE_20: dict[str, Body] = {
    "/api/auth/toggle/supported": site_bodies.toggle_supported,
    "/api/autoconfig/status": site_bodies.autoconfig,
    "/api/meters/status": meter_bodies.meters_status,
    "/api/networks/client_protocols": network_bodies.client_protocols,
    "/api/site_info/grid_regions": site_bodies.grid_regions,
    "/api/synchrometer/ct_voltage_references": meter_bodies.voltage_references,
    "/api/system/networks/conn_tests": network_bodies.connection_tests,
    "/api/system/networks/ping_test": network_bodies.ping_test,
    "/api/system_status": bodies.system_status,
    "/api/troubleshooting/problems": site_bodies.problems,
}
"""What a 21.39.1 tells beyond that, less /api/devices/vitals.

Real gateways have that one from about 21.13 to 23.44. It is protobuf, and its schema is not documented, so ours do not."""

ISLAND_MODES = {"intentional_reconnect_failsafe": Grid.ISLANDED, "backup": Grid.CONNECTED}


def endpoints_of(device: SimulatedGateway) -> dict[str, Endpoint]:
    """What this gateway answers, by ``METHOD path``."""
    acts: dict[str, Endpoint] = {
        "POST /api/login/Basic": _login,
        "GET /api/logout": _logout,
        "POST /api/operation": _write,
        "GET /api/config/completed": _commit,
        "GET /api/sitemaster/run": _run,
        f"{device.personality.stop_method} /api/sitemaster/stop": _stop,
        "GET /api/system/update": _check_for_update,
        "POST /api/system/update": _install,
        "GET /api/powerwalls/status": _powerwalls_status,
    }
    since_20 = device.personality.since(20)
    if not since_20:
        acts["POST /api/system/networks/conn_tests"] = _test_connection
    if since_20:
        acts |= {
            "POST /api/auth/toggle/start": lambda *_: Answer(status=202),
            "POST /api/auth/toggle/login": _refusing(refusals.switch_not_turned()),
            "POST /api/v2/islanding/mode": _islanding,
            "GET /api/powerwalls/phase_usages": _refusing(refusals.no_phases()),
            "GET /api/synchrometer/ct_voltage_references/options": _voltage_options,
        }
        for kind in meter_bodies.BUILT_IN:
            meter = f"GET /api/meters/{meter_bodies.serial_of(device, kind)}"
            acts[f"{meter}/cts"] = _telling(_saying(meter_bodies.clamps_of(kind)))
            acts[f"{meter}/ct_config"] = _refusing(refusals.not_a_neurio(kind))
    reads = READS | (READS_SINCE_20 if since_20 else READS_UNTIL_20)
    return acts | {f"GET {path}": _telling(body) for path, body in reads.items()}


def _telling(body: Body) -> Endpoint:
    return lambda device, _: Answer(says=body(device))


def _saying(says: Any) -> Body:
    return lambda _: says


def _refusing(refusal: Refusal) -> Endpoint:
    def refuse(*_: object) -> Answer:
        raise Refusal(refusal.code, refusal.error, refusal.message)

    return refuse


def _login(device: SimulatedGateway, call: Call) -> Answer:
    fields = call.json_or_form()
    said = [fields.get(name) or "" for name in ("username", "password", "email")]
    if not all(isinstance(value, str) for value in said):
        raise refusals.malformed("username, password and email must be strings")
    username, password, email = said
    forced = str(fields.get("force_sm_off", False)).lower() == "true"
    token, role = device.login(username, password, stop_under_load=forced)
    return Answer(says=bodies.login(device, token, role, email), token=token)


def _logout(device: SimulatedGateway, call: Call) -> Answer:
    for token in call.tokens:
        device.sessions.close(token)
    return Answer(status=204)


def _write(device: SimulatedGateway, call: Call) -> Answer:
    """Keys that are left out or null are left alone; a mode under the wrong key alone is no mode at all."""
    key = device.personality.operation_key
    fields = call.json_object()
    mode, reserve = fields.get(key), fields.get("backup_reserve_percent")
    if mode is None and {"mode", "real_mode"} & fields.keys():
        raise refusals.no_such_mode(key)
    if mode is not None and not isinstance(mode, str):
        raise refusals.malformed(f"{key} must be a string")
    if reserve is not None and (isinstance(reserve, bool) or not isinstance(reserve, int | float)):
        raise refusals.malformed("backup_reserve_percent must be a number")
    claimed = device.write(mode, reserve)
    return Answer(says={key: claimed.mode, "backup_reserve_percent": claimed.reserve_raw_percent})


def _commit(device: SimulatedGateway, _: Call) -> Answer:
    device.commit()
    committed = device.personality.commit_status
    return Answer(status=committed, says=bodies.status(device) if committed == 200 else None)  # noqa: PLR2004


def _run(device: SimulatedGateway, _: Call) -> Answer:
    device.run()
    return Answer(status=202)


def _stop(device: SimulatedGateway, call: Call) -> Answer:
    device.stop(under_load=bool(call.body) and call.json_object().get("force") is True)
    return Answer(status=204)


def _check_for_update(device: SimulatedGateway, call: Call) -> Answer:
    """Without ``force=true`` nothing is known to happen; nobody uses the body, so it is the updater's status."""
    if call.query.get("force") == "true":
        device.updater.check(device.now(), device.mischief)
    return Answer(says=update_bodies.update_status(device))


def _install(device: SimulatedGateway, _: Call) -> Answer:
    device.restarts.install()
    return Answer(status=202)


def _test_connection(device: SimulatedGateway, _: Call) -> Answer:
    """Begin the test, or tell how the one that was begun goes on; what was told ended is begun anew (README of the gateway)."""
    now = device.now()
    done = device.connection_tested
    if done is None:
        device.connection_tested = now + network_bodies.CONNECTION_TEST_TAKES
    elif done <= now:
        device.connection_tested = None
    return Answer(says=network_bodies.tested_connection(device, done))


def _powerwalls_status(device: SimulatedGateway, _: Call) -> Answer:
    """While running this was refused in the README's years; a 21.39.1 answers."""
    if device.obeyed.running and not device.personality.since(20):
        raise refusals.running()
    return Answer(says=battery_bodies.powerwalls_status(device))


def _voltage_options(device: SimulatedGateway, _: Call) -> Answer:
    if device.obeyed.running:
        raise refusals.only_while_stopped(
            "Failed to read Synchrometer Y CT available pairings. Please try again or reboot Gateway"
        )
    return Answer(says=meter_bodies.voltage_reference_options(device))


def _islanding(device: SimulatedGateway, call: Call) -> Answer:
    """Cut the house off the grid, or connect it. What another mode is answered with was never captured."""
    mode = call.json_object().get("island_mode")
    if mode not in ISLAND_MODES:
        raise refusals.malformed(f"island_mode must be one of {', '.join(ISLAND_MODES)}")
    device.switch_grid(ISLAND_MODES[mode])
    return Answer(says={"island_mode": mode})
