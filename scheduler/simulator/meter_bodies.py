"""The gateway's answers about its meters as JSON values: what flows, what has flowed, and where the clamps sit.

Shapes are those of the README of the gateway and its samples (1.15 to 1.45, a meter of another maker) and of a real
21.39.1 (two meters in the gateway itself).
"""

from __future__ import annotations

import math
from typing import Any

from scheduler.simulator.bodies import NEVER, din, git_hash, local_time
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.house import Meter

VOLTS = 240.0
METER_TIMEOUT = 1_500_000_000
CTS = 4
"""Clamps that a meter has."""
BUILT_IN = ("synchrometerX", "synchrometerY")

AT_SITE = [True, True, False, False]
AT_SOLAR = [False, False, True, True]


def aggregates(device: SimulatedGateway) -> Any:
    """GET /api/meters/aggregates: watts and watt-hours, battery > 0 discharges, site > 0 imports."""
    power, house = device.power(), device.house
    said = {
        "site": _meter(device, power.site_w, house.site),
        "battery": _meter(device, power.battery_w, house.battery),
        "load": _meter(device, power.load_w, house.load),
        "solar": _meter(device, power.solar_w, house.solar),
    }
    if device.personality.since(20):
        for name, meters in {"site": len(BUILT_IN), "battery": 1, "solar": 1}.items():
            said[name]["num_meters_aggregated"] = meters
    return said


def site_meter(device: SimulatedGateway) -> Any:
    """GET /api/meters/site."""
    return [_meter_device(device, 0, "site", device.power().site_w, device.house.site)]


def solar_meter(device: SimulatedGateway) -> Any:
    """GET /api/meters/solar."""
    return [_meter_device(device, 1, "solar", device.power().solar_w, device.house.solar)]


def meters(device: SimulatedGateway) -> Any:
    """GET /api/meters: serial numbers are cut, and their order turned, while a 21.39.1 is stopped."""
    if not device.personality.since(20):
        clamps = [_clamp("solar", AT_SOLAR), _clamp("site", AT_SITE)]
        serial = f"O{device.serial}"
        return [{"serial": serial, "short_id": device.serial[-5:], "connected": True, "cts": clamps}]
    return [
        {
            "serial": serial_of(device, kind) if device.obeyed.running else kind,
            "short_id": din(device),
            "type": kind,
            "cts": clamps_of(kind),
        }
        for kind in (BUILT_IN if device.obeyed.running else BUILT_IN[::-1])
    ]


def readings(device: SimulatedGateway) -> Any:
    """GET /api/meters/readings: while running, a 21.39.1 only says that it runs."""
    if not device.personality.since(20):
        return {f"O{device.serial}": _neurio_reading(device)}
    return {
        serial_of(device, kind) if device.obeyed.running else kind: _built_in_reading(device)
        for kind in BUILT_IN
    }


def meters_status(_: SimulatedGateway) -> Any:
    """GET /api/meters/status."""
    return {"status": "", "errors": None}


def voltage_references(_: SimulatedGateway) -> Any:
    """GET /api/synchrometer/ct_voltage_references: the phase that each clamp goes by."""
    return {"ct1": "Phase1", "ct2": "Phase2", "ct3": "Phase1"}


def voltage_reference_options(_: SimulatedGateway) -> Any:
    """GET /api/synchrometer/ct_voltage_references/options, which is answered only while stopped."""
    return {"ct1": ["Phase1"], "ct2": ["Phase2"], "ct3": ["Phase1", "Phase2"]}


def serial_of(device: SimulatedGateway, kind: str) -> str:
    """The serial number of a meter in the gateway."""
    return f"J{device.serial}{kind}"


def clamps_of(kind: str) -> list[dict[str, Any]]:
    """What the clamps of a meter in the gateway measure."""
    site = _clamp("site", AT_SITE) | {"real_power_scale_factor": 1}
    solar = _clamp("solar", [False, False, True, False]) | {"real_power_scale_factor": 2}
    return [site] if kind == BUILT_IN[0] else [solar, site]


def _clamp(measures: str, valid: list[bool]) -> dict[str, Any]:
    return {"type": measures, "valid": valid, "inverted": [False] * CTS}


def _meter(device: SimulatedGateway, power_w: float, meter: Meter) -> dict[str, Any]:
    amperes = abs(power_w) / VOLTS
    said: dict[str, Any] = {
        "last_communication_time": local_time(device.house.at, device),
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
    return said | ({"instant_average_current": amperes} if device.personality.since(20) else {})


def _meter_device(
    device: SimulatedGateway, number: int, location: str, power_w: float, meter: Meter
) -> dict[str, Any]:
    """One meter in detail. Nobody published this of a meter in the gateway: it has the shape of the other maker's."""
    built_in = device.personality.since(20)
    serial = serial_of(device, BUILT_IN[number]) if built_in else f"O{device.serial}"
    details = {
        "v_l1n": VOLTS / 2,
        "v_l2n": VOLTS / 2,
        "real_power_a": power_w / 2,
        "real_power_b": power_w / 2,
        "serial_number": serial,
        "version": git_hash(device)[:14],
    }
    return {
        "id": number,
        "location": location,
        "type": BUILT_IN[number] if built_in else "neurio_tcp",
        "cts": AT_SITE if location == "site" else AT_SOLAR,
        "inverted": [False] * CTS,
        "connection": {
            "short_id": din(device) if built_in else device.serial[-5:],
            "device_serial": serial,
        },
        "Cached_readings": _meter(device, power_w, meter) | details,
    }


def _neurio_reading(device: SimulatedGateway) -> dict[str, Any]:
    power = device.power()
    watts = (power.site_w / 2, power.site_w / 2, power.solar_w / 2, power.solar_w / 2)
    return {
        "error": "",
        "data": {
            "IP": f"Neurio-{device.serial[-5:]}",
            "sensorId": "0x0000000000000001",
            "firmwareVersion": "Tesla-0.0.7",
            "f_Hz": 60,
            "cts": [_reading(number, watts[number - 1]) for number in range(1, CTS + 1)],
        },
    }


def _built_in_reading(device: SimulatedGateway) -> dict[str, Any]:
    if device.obeyed.running:
        return {
            "error": "run sitemanager flag enabled, sitemanager process is running",
            "data": {"firmwareVersion": "", "cts": [_reading(0, 0, volts=0) for _ in range(CTS)]},
        }
    watts = (device.power().site_w / 2, device.power().site_w / 2, 0.0)
    clamps = [_reading(number, watts[number - 1]) for number in range(1, CTS)]
    return {
        "error": "",
        "data": {
            "firmwareVersion": git_hash(device)[:14],
            "cts": [*clamps, _reading(0, 0, volts=0)],
        },
    }


def _reading(number: int, watts: float, *, volts: float = VOLTS / 2) -> dict[str, Any]:
    return {"ct": number, "v_V": volts, "p_W": watts, "q_VAR": 0, "eExp_Ws": 0, "eImp_Ws": 0}
