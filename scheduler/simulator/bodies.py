"""The gateway's answers about itself as JSON values: setting, login, versions, site controller, charge, grid.

Shapes are those of the README of the gateway (1.15 to 1.45) and of a real 21.39.1; what is known of others is said where
it differs. Who may ask and what a request changes is not here.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

from scheduler.model.reading import Grid
from scheduler.simulator.device import POWER_FLOWS_W, SimulatedGateway
from scheduler.simulator.faults import GridFault
from scheduler.simulator.house import FULL_WH
from scheduler.simulator.sessions import Role

NEVER = "0001-01-01T00:00:00Z"
"""How the gateway writes a time that has not come: Go's zero."""

GRID_STATUS = {Grid.CONNECTED: "SystemGridConnected", Grid.ISLANDED: "SystemIslandedActive"}

GATEWAY_PART = "1232100-00-E"
"""A Gateway 2."""
BATTERY_PART = "3012170-05-B"
"""A Powerwall 2."""


def operation(device: SimulatedGateway) -> Any:
    """GET /api/operation: what is set, committed or not; the two freq_shift keys came with `real_mode`."""
    said: dict[str, Any] = {
        device.personality.operation_key: device.shown.mode,
        "backup_reserve_percent": device.shown.reserve_raw_percent,
    }
    if device.personality.operation_key == "real_mode":
        shed_percent = 65 if device.personality.since(23) else 75
        said |= {"freq_shift_load_shed_soe": shed_percent, "freq_shift_load_shed_delta_f": -0.32}
    return said


def login(device: SimulatedGateway, token: str, role: Role, email: str) -> Any:
    """POST /api/login/Basic: old firmware knows no e-mail address and no time of the login."""
    said = {
        "email": None,
        "firstname": "Tesla",
        "lastname": "Energy",
        "roles": [role.value],
        "token": token,
        "provider": "Basic",
    }
    if device.personality.since(20, 49):
        said |= {"email": email, "loginTime": local_time(device.now(), device)}
    return said


def status(device: SimulatedGateway) -> Any:
    """GET /api/status: it grew with the firmware; `can_reboot` is a boolean here, and words elsewhere."""
    since = device.personality.since
    said: dict[str, Any] = {"din": din(device)} if since(20) else {}
    said |= {
        "start_time": device.start_time.astimezone(device.zone).strftime("%Y-%m-%d %H:%M:%S %z"),
        "up_time_seconds": go_duration(device.now() - device.start_time),
        "is_new": False,
        "version": device.firmware if since(1, 20) else f"{device.firmware}\n",
        "git_hash": git_hash(device),
    }
    if since(1, 50):
        said |= {"commission_count": device.commission_count, "device_type": "teg", "sync_type": "v2.1"}
    if since(20):
        said |= {"cellular_disabled": False}
    if since(23):
        said |= {"teg_type": "unknown", "can_reboot": _can_reboot(device) == "Yes"}
    elif since(20):
        said |= {"leader": "", "followers": None}
    return said


def sitemaster(device: SimulatedGateway) -> Any:
    """GET /api/sitemaster: up to 1.49 with an uptime that ends in a comma, or is `log:` while stopped."""
    running = device.obeyed.running
    if device.personality.since(1, 50):
        said: dict[str, Any] = {
            "status": "StatusUp" if running else "StatusDown",
            "running": running,
            "connected_to_tesla": True,
            "power_supply_mode": False,
        }
        return said | ({"can_reboot": _can_reboot(device)} if device.personality.since(20) else {})
    if not running:
        return {"running": False, "uptime": "log:", "connected_to_tesla": False}
    up_s = int((device.now() - device.running_since).total_seconds())
    return {"running": True, "uptime": f"{up_s}s,", "connected_to_tesla": True}


def state_of_energy(device: SimulatedGateway) -> Any:
    """GET /api/system_status/soe, raw percent."""
    return {"percentage": device.charge_raw_percent()}


def grid_status(device: SimulatedGateway) -> Any:
    """GET /api/system_status/grid_status."""
    return {"grid_status": GRID_STATUS[device.obeyed.grid], "grid_services_active": False}


def grid_faults(device: SimulatedGateway) -> Any:
    """GET /api/system_status/grid_faults: the alerts that the device holds, most often none."""
    return [_fault(device, fault) for fault in device.grid_faults]


def testing(_: SimulatedGateway) -> Any:
    """GET /api/system/testing: the installer's test, never run here."""
    return {
        "running": False,
        "status": "TestNotRun",
        "charge_tests": None,
        "meter_results": None,
        "inverter_results": None,
        "hysteresis": 0,
        "error": "",
        "errors": None,
        "tests": None,
    }


def system_status(device: SimulatedGateway) -> Any:
    """GET /api/system_status: watts, watt-hours, and the battery blocks; 23.28 says four things more."""
    power, remaining_wh = device.power(), round(device.house.charge_wh)
    full_wh = round(FULL_WH)
    said: dict[str, Any] = {
        "command_source": "Configuration",
        "battery_target_power": round(power.battery_w),
        "battery_target_reactive_power": 0,
        "nominal_full_pack_energy": full_wh,
        "nominal_energy_remaining": remaining_wh,
        "max_power_energy_remaining": 0,
        "max_power_energy_to_be_charged": 0,
        "max_charge_power": 5000,
        "max_discharge_power": 5000,
        "max_apparent_power": 5000,
        "instantaneous_max_discharge_power": 12000,
        "instantaneous_max_charge_power": 5130,
        "grid_services_power": 0,
        "system_island_state": GRID_STATUS[device.obeyed.grid],
        "available_blocks": 1,
        "battery_blocks": [_block(device, power.battery_w, remaining_wh, full_wh)],
        "ffr_power_availability_high": 5800,
        "ffr_power_availability_low": 5130,
        "load_charge_constraint": 0,
        "max_sustained_ramp_rate": 1250000,
        "grid_faults": grid_faults(device),
        "can_reboot": _can_reboot(device),
        "smart_inv_delta_p": 0,
        "smart_inv_delta_q": 0,
        "last_toggle_timestamp": local_time(device.start_time, device),
        "solar_real_power_limit": -1,
        "score": 10000,
        "blocks_controlled": 1,
        "primary": True,
        "auxiliary_load": 0,
        "all_enable_lines_high": True,
        "inverter_nominal_usable_power": 5800,
        "expected_energy_remaining": 0,
    }
    if device.personality.since(23):
        said |= {
            "instantaneous_max_apparent_power": 5800,
            "hardware_capability_charge_power": 0,
            "hardware_capability_discharge_power": 0,
            "available_charger_blocks": 0,
        }
    return said


def din(device: SimulatedGateway) -> str:
    """The gateway's part and serial number."""
    return f"{GATEWAY_PART}--{device.serial}"


def git_hash(device: SimulatedGateway) -> str:
    """The source of this firmware, in hex: it begins with what stands behind the version, and the rest is made up."""
    known = device.firmware.partition(" ")[2]
    return known + hashlib.sha256(device.firmware.encode()).hexdigest()[len(known) : 40]


def battery_serial(device: SimulatedGateway) -> str:
    """The serial number of the one battery."""
    return f"{device.serial}-1"


def local_time(at: datetime, device: SimulatedGateway) -> str:
    """An instant as the gateway writes it: local, with its offset."""
    return at.astimezone(device.zone).isoformat(timespec="microseconds")


def milliseconds(at: datetime) -> int:
    """An instant as the gateway writes it where it counts: milliseconds since 1970."""
    return int(at.timestamp() * 1000)


def go_duration(span: timedelta) -> str:
    """A duration as the gateway's language writes it: ``223h5m51.577762s``."""
    seconds = max(span.total_seconds(), 0.0)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    tail = f"{rest:.6f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours:.0f}h{minutes:.0f}m{tail}"
    return f"{minutes:.0f}m{tail}" if minutes else tail


def _block(device: SimulatedGateway, power_w: float, remaining_wh: int, full_wh: int) -> dict[str, Any]:
    """One battery in the system status: it gives what the battery's meter counts."""
    connected = device.obeyed.grid is Grid.CONNECTED
    battery = device.house.battery
    return {
        "Type": "",
        "PackagePartNumber": BATTERY_PART,
        "PackageSerialNumber": battery_serial(device),
        "disabled_reasons": [],
        "pinv_state": "PINV_GridFollowing" if connected else "PINV_GridForming",
        "pinv_grid_state": "Grid_Compliant" if connected else "Grid_Uncompliant",
        "nominal_energy_remaining": remaining_wh,
        "nominal_full_pack_energy": full_wh,
        "p_out": round(power_w),
        "q_out": 340,
        "v_out": 247.3,
        "f_out": 59.984,
        "i_out": round(power_w / 247.3, 1),
        "energy_charged": round(battery.imported_wh),
        "energy_discharged": round(battery.exported_wh),
        "off_grid": not connected,
        "vf_mode": not connected,
        "wobble_detected": False,
        "charge_power_clamped": False,
        "backup_ready": True,
        "OpSeqState": "Active",
        "version": git_hash(device)[:14],
    }


def _fault(device: SimulatedGateway, fault: GridFault) -> dict[str, Any]:
    kind = "Fault" if fault.is_fault else "Warning"
    alert = fault.name.rpartition("_")[0]  # such as PINV_a006
    decoded = [
        {"name": "PINV_alertID", "value": fault.name},
        {"name": "PINV_alertType", "value": kind},
        {"name": f"{alert}_frequency", "value": fault.frequency_hz, "units": "Hz"},
    ]
    return {
        "timestamp": milliseconds(fault.at),
        "alert_name": fault.name,
        "alert_is_fault": fault.is_fault,
        "decoded_alert": json.dumps(decoded, separators=(",", ":")),
        "alert_raw": 432406325129904128,
        "git_hash": git_hash(device)[:14],
        "site_uid": din(device),
        "ecu_type": "TEPINV",
        "ecu_package_part_number": BATTERY_PART,
        "ecu_package_serial_number": battery_serial(device),
    }


def _can_reboot(device: SimulatedGateway) -> str:
    """The gateway's own words. From how much power on it says "too high" is not known."""
    if not device.obeyed.running:
        return ""
    if device.obeyed.grid is Grid.ISLANDED:
        return "Backup Mode"
    return "Power flow is too high" if abs(device.power().battery_w) >= POWER_FLOWS_W else "Yes"
