"""The gateway's answers about its batteries as JSON values, with the checks that they went through.

Shapes are those of a sample of the README of the gateway (1.40) and of a real 21.39.1, running and stopped.
"""

from __future__ import annotations

from typing import Any

from scheduler.model.reading import Grid
from scheduler.simulator.bodies import BATTERY_PART, battery_serial, din, git_hash, local_time
from scheduler.simulator.device import SimulatedGateway

NOT_WHILE_RUNNING = (
    "Cannot perform this action with site controller running. From landing page, either"
    ' "STOP SYSTEM" or "RUN WIZARD" to proceed.'
)

BATTERY_CHECKS = ("CAN connectivity", "Enable switch", "Internal communications", "Firmware up-to-date")
BATTERY_UPDATES = ("Powerwall firmware", "Battery firmware", "Inverter firmware", "Grid code")
SYNC_CHECKS = ("CAN connectivity", "Firmware up-to-date")
SYNC_UPDATES = ("Synchronizer firmware", "Islanding configuration", "Grid code")


def powerwalls(device: SimulatedGateway) -> Any:
    """GET /api/powerwalls: one battery, and the box that connects the house to the grid."""
    since_20 = device.personality.since(20)
    block: dict[str, Any] = {"Type": ""} if since_20 else {}
    block |= {
        "PackagePartNumber": BATTERY_PART,
        "PackageSerialNumber": battery_serial(device),
        "type": "ACPW" if since_20 else "acpw",
        "grid_state": _grid_state(device),
        "grid_reconnection_time_seconds": 0,
        "under_phase_detection": False,
        "updating": False,
        "commissioning_diagnostic": _commissioning(device, BATTERY_CHECKS, "running"),
        "update_diagnostic": _updates(device, BATTERY_UPDATES),
    }
    sync = {
        "updating": False,
        "commissioning_diagnostic": _commissioning(device, SYNC_CHECKS, "pass"),
        "update_diagnostic": _updates(device, SYNC_UPDATES if since_20 else SYNC_UPDATES[::2]),
    }
    if since_20:
        block |= {"bc_type": None, "in_config": True}
        more: dict[str, Any] = {"gateway_din": din(device), "sync": sync, "msa": None, "states": None}
    else:
        more = {"has_sync": True, "sync": sync, "states": [], "phase_detection_attempt": 0}
    return powerwalls_status(device) | {"powerwalls": [block]} | more


def powerwalls_status(device: SimulatedGateway) -> Any:
    """GET /api/powerwalls/status: what the batteries are busy with. Whether they see the grid is known when stopped."""
    running = device.obeyed.running
    said: dict[str, Any] = {
        "enumerating": False,
        "updating": False,
        "checking_if_offgrid": False,
        "running_phase_detection": False,
        "phase_detection_last_error": "no phase information",
        "bubble_shedding": False,
        "on_grid_check_error": (
            "sitemanager process is running, run sitemanager flag enabled" if running else ""
        ),
        "grid_qualifying": False,
        "grid_code_validating": False,
    }
    if device.personality.since(20):
        said |= {"phase_detection_not_available": True}
        said |= {} if running else {"is_on_grid": device.obeyed.grid is Grid.CONNECTED}
    return said


def _grid_state(device: SimulatedGateway) -> str:
    """While running this is "uncompliant" on a sound grid, too: the checks need a stopped system."""
    sound = device.obeyed.grid is Grid.CONNECTED and not device.obeyed.running
    return "Grid_Compliant" if sound else "Grid_Uncompliant"


def _commissioning(device: SimulatedGateway, names: tuple[str, ...], stopped: str) -> dict[str, Any]:
    """The checks of a commissioning: while running they all fail; ``stopped`` is how they are otherwise."""
    diagnostic = {"name": "Commissioning", "category": "InternalComms", "disruptive": False}
    return diagnostic | _checks(device, [_check(device, name, stopped) for name in names])


def _check(device: SimulatedGateway, name: str, stopped: str) -> dict[str, Any]:
    now = local_time(device.house.at, device)
    running = device.obeyed.running
    said: dict[str, Any] = {
        "name": name,
        "status": "fail" if running else stopped,
        "start_time": now,
        "end_time": None if not running and stopped == "running" else now,
    }
    said |= {"message": NOT_WHILE_RUNNING} if running else {}
    commit = git_hash(device)
    firmware = not running and stopped == "pass" and name == SYNC_CHECKS[-1]
    found = {"/etc/commit": commit, "SYNC.git_hash": commit[:14], "readyForFWUpdate": True}
    said |= {"results": found if firmware else {}}
    return said | ({"debug": {}, "checks": None} if device.personality.since(20) else {})


def _updates(device: SimulatedGateway, names: tuple[str, ...]) -> dict[str, Any]:
    """The parts of an update of the batteries: none was ever run here."""
    more = {"debug": None, "checks": None} if device.personality.since(20) else {}
    parts = [
        {
            "name": name,
            "status": "not_run",
            "start_time": None,
            "end_time": None,
            "progress": 0,
            "results": None,
        }
        | more
        for name in names
    ]
    diagnostic = {"name": "Firmware Update", "category": "InternalComms", "disruptive": True}
    return diagnostic | _checks(device, parts)


def _checks(device: SimulatedGateway, checks: list[dict[str, Any]]) -> dict[str, Any]:
    if device.personality.since(20):
        return {"inputs": None, "checks": checks, "alert": False}
    return {"checks": checks}
