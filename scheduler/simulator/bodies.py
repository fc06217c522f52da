"""The gateway's answers as JSON values: one function per endpoint that only tells.

Shapes are those of the README of the gateway (1.15 to 1.45); where it shows none, those of a real 21.39.1. Who may
ask and what a request changes is not here.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any

from scheduler.model.reading import Grid
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.house import BATTERY_W, Meter
from scheduler.simulator.sessions import Role

NEVER = "0001-01-01T00:00:00Z"
"""How the gateway writes a time that has not come: Go's zero."""
VOLTS = 240.0
METER_TIMEOUT = 1_500_000_000

GRID_STATUS = {Grid.CONNECTED: "SystemGridConnected", Grid.ISLANDED: "SystemIslandedActive"}


def operation(device: SimulatedGateway) -> Any:
    """GET /api/operation: what is set, committed or not; the two freq_shift keys came with `real_mode`."""
    said: dict[str, Any] = {
        device.personality.operation_key: device.shown.mode,
        "backup_reserve_percent": device.shown.reserve_raw_percent,
    }
    if device.personality.operation_key == "real_mode":
        said |= {"freq_shift_load_shed_soe": 75, "freq_shift_load_shed_delta_f": -0.32}
    return said


def login(token: str, role: Role) -> Any:
    """POST /api/login/Basic."""
    return {
        "email": None,
        "firstname": "Tesla",
        "lastname": "Energy",
        "roles": [role.value],
        "token": token,
        "provider": "Basic",
    }


def status(device: SimulatedGateway) -> Any:
    """GET /api/status."""
    return {
        "start_time": device.start_time.astimezone(device.zone).strftime("%Y-%m-%d %H:%M:%S %z"),
        "up_time_seconds": go_duration(device.now() - device.start_time),
        "is_new": False,
        "version": device.firmware,
        "git_hash": device.personality.git_hash,
    }


def sitemaster(device: SimulatedGateway) -> Any:
    """GET /api/sitemaster: up to 1.49 with an uptime that ends in a comma, or is `log:` while stopped."""
    if not device.obeyed.running:
        return {"running": False, "uptime": "log:", "connected_to_tesla": False}
    up_s = int((device.now() - device.running_since).total_seconds())
    return {"running": True, "uptime": f"{up_s}s,", "connected_to_tesla": True}


def state_of_energy(device: SimulatedGateway) -> Any:
    """GET /api/system_status/soe, raw percent."""
    return {"percentage": device.charge_raw_percent()}


def grid_status(device: SimulatedGateway) -> Any:
    """GET /api/system_status/grid_status."""
    return {"grid_status": GRID_STATUS[device.obeyed.grid], "grid_services_active": False}


def grid_faults(_: SimulatedGateway) -> Any:
    """GET /api/system_status/grid_faults: this grid has none."""
    return []


def aggregates(device: SimulatedGateway) -> Any:
    """GET /api/meters/aggregates: watts and watt-hours, battery > 0 discharges, site > 0 imports."""
    power, house = device.power(), device.house
    return {
        "site": _meter(device, power.site_w, house.site),
        "battery": _meter(device, power.battery_w, house.battery),
        "load": _meter(device, power.load_w, house.load),
        "solar": _meter(device, power.solar_w, house.solar),
    }


def site_meter(device: SimulatedGateway) -> Any:
    """GET /api/meters/site."""
    return [_meter_device(device, 0, "site", device.power().site_w, device.house.site)]


def solar_meter(device: SimulatedGateway) -> Any:
    """GET /api/meters/solar."""
    return [_meter_device(device, 1, "solar", device.power().solar_w, device.house.solar)]


def meters(device: SimulatedGateway) -> Any:
    """GET /api/meters."""
    cts = [
        {"type": "solar", "valid": [False, False, True, True], "inverted": [False] * 4},
        {"type": "site", "valid": [True, True, False, False], "inverted": [False] * 4},
    ]
    return [{"serial": f"O{device.serial}", "short_id": device.serial[-5:], "connected": True, "cts": cts}]


def powerwalls(device: SimulatedGateway) -> Any:
    """GET /api/powerwalls: one battery."""
    block = {
        "Type": "",
        "PackagePartNumber": "3012170-05-B",
        "PackageSerialNumber": f"{device.serial}-1",
        "type": "ACPW",
        "grid_state": "Grid_Compliant" if device.obeyed.grid is Grid.CONNECTED else "Grid_Uncompliant",
        "grid_reconnection_time_seconds": 0,
        "under_phase_detection": False,
        "updating": False,
    }
    return powerwalls_status(device) | {"powerwalls": [block]}


def powerwalls_status(device: SimulatedGateway) -> Any:
    """GET /api/powerwalls/status, which is answered only while stopped."""
    running = "sitemanager process is running, run sitemanager flag enabled" if device.obeyed.running else ""
    return {
        "enumerating": False,
        "updating": False,
        "checking_if_offgrid": False,
        "running_phase_detection": False,
        "phase_detection_last_error": "no phase information",
        "bubble_shedding": False,
        "on_grid_check_error": running,
        "grid_qualifying": False,
        "grid_code_validating": False,
        "phase_detection_not_available": True,
    }


def update_status(device: SimulatedGateway) -> Any:
    """GET /api/system/update/status; ``current_time`` in milliseconds since 1970."""
    now = device.now()
    return {
        "state": device.updater.state(now),
        "info": {"status": list(device.updater.status(now))},
        "current_time": int(now.timestamp() * 1000),
    }


def site_info(device: SimulatedGateway) -> Any:
    """GET /api/site_info: flat up to 1.46."""
    return {
        "max_site_meter_power_kW": 1000000000,
        "min_site_meter_power_kW": -1000000000,
        "nominal_system_energy_kWh": 13.5,
        "nominal_system_power_kW": BATTERY_W / 1000,
        "site_name": "Home Energy Gateway",
        "timezone": device.zone.key,
        "grid_code": "60Hz_240V_s_UL1741SA:2016_California",
        "grid_voltage_setting": 240,
        "grid_freq_setting": 60,
        "grid_phase_setting": "Split",
        "country": "United States",
        "state": "California",
        "distributor": "*",
        "utility": "Southern California Edison",
        "retailer": "*",
        "region": "UL1741SA",
    }


def site_name(device: SimulatedGateway) -> Any:
    """GET /api/site_info/site_name."""
    return {"site_name": "Home Energy Gateway", "timezone": device.zone.key}


def registration(_: SimulatedGateway) -> Any:
    """GET /api/customer/registration."""
    return {
        "privacy_notice": True,
        "limited_warranty": True,
        "grid_services": None,
        "marketing": None,
        "registered": True,
        "timed_out_registration": False,
    }


def customer(_: SimulatedGateway) -> Any:
    """GET /api/customer."""
    return {
        "city": "Pasadena",
        "state": "California",
        "zip": "91101",
        "country": "US",
        "registered": True,
        "privacy_notice": True,
        "limited_warranty": True,
        "emailed_registration": True,
    }


def installer(device: SimulatedGateway) -> Any:
    """GET /api/installer; ``run_sitemaster`` is there only while running."""
    said = {
        "company": "Simulated Energy",
        "customer_id": "0000001",
        "phone": "5550100",
        "email": "installer@example.com",
    }
    return said | ({"run_sitemaster": True} if device.obeyed.running else {})


def config(device: SimulatedGateway) -> Any:
    """GET /api/config."""
    return {"vin": f"1232100-00-E--{device.serial}"}


def solars(_: SimulatedGateway) -> Any:
    """GET /api/solars."""
    brand, model = "SolarEdge Technologies", "SE5000 (240V) w/ -ER-US or A-US"
    return [{"brand": brand, "model": model, "power_rating_watts": 6000}]


def generators(_: SimulatedGateway) -> Any:
    """GET /api/generators: none."""
    return {"disconnect_type": "None", "generators": []}


def networks(_: SimulatedGateway) -> Any:
    """GET /api/networks: a cable."""
    return [
        {
            "id": 3,
            "name": "eth0",
            "connected": True,
            "is_dhcp": True,
            "ip_address": "192.0.2.10",
            "subnet": "255.255.255.0",
            "config": None,
        }
    ]


def go_duration(span: timedelta) -> str:
    """A duration as the gateway's language writes it: ``223h5m51.577762s``."""
    seconds = max(span.total_seconds(), 0.0)
    hours, rest = divmod(seconds, 3600)
    minutes, rest = divmod(rest, 60)
    tail = f"{rest:.6f}".rstrip("0").rstrip(".") + "s"
    if hours:
        return f"{hours:.0f}h{minutes:.0f}m{tail}"
    return f"{minutes:.0f}m{tail}" if minutes else tail


def _meter(device: SimulatedGateway, power_w: float, meter: Meter) -> dict[str, Any]:
    amperes = abs(power_w) / VOLTS
    return {
        "last_communication_time": _time(device.house.at, device),
        "instant_power": power_w,
        "instant_reactive_power": 0,
        "instant_apparent_power": math.fabs(power_w),
        "frequency": 60,
        "energy_exported": meter.exported_wh,
        "energy_imported": meter.imported_wh,
        "instant_average_voltage": VOLTS,
        "instant_total_current": amperes,
        "i_a_current": 0,
        "i_b_current": 0,
        "i_c_current": 0,
        "last_phase_voltage_communication_time": NEVER,
        "last_phase_power_communication_time": NEVER,
        "timeout": METER_TIMEOUT,
    }


def _meter_device(
    device: SimulatedGateway, number: int, location: str, power_w: float, meter: Meter
) -> dict[str, Any]:
    return {
        "id": number,
        "location": location,
        "type": "neurio",
        "cts": [location == "site"] * 2 + [location == "solar"] * 2,
        "inverted": [False] * 4,
        "connection": {"short_id": device.serial[-5:], "device_serial": f"O{device.serial}"},
        "Cached_readings": _meter(device, power_w, meter),
    }


def _time(at: datetime, device: SimulatedGateway) -> str:
    return at.astimezone(device.zone).isoformat(timespec="microseconds")
