"""The gateway's answers about the site as JSON values: grid code, people, solar inverters, networks.

Shapes are those of the README of the gateway (1.15 to 1.45) and of a real 21.39.1. People and companies are invented,
and so are the few brands that stand for the gateway's long lists.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scheduler.simulator.bodies import din
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.house import BATTERY_W

NAME = "Home Energy Gateway"
GRID_CODE = {
    "grid_code": "60Hz_240V_s_UL1741SA:2016_California",
    "grid_voltage_setting": 240,
    "grid_freq_setting": 60,
    "grid_phase_setting": "Split",
}
OTHER_GRID_CODE = {
    "grid_code": "50Hz_230V_1_VDE4105:2011_Germany",
    "grid_voltage_setting": 230,
    "grid_freq_setting": 50,
    "grid_phase_setting": "Single",
}
POINTS = [
    {
        "name": "vf_limit_under_voltage_1_grid_following",
        "units": "V_pu",
        "min": 0.8,
        "max": 0.9,
        "file_value": 0.88,
        "override": None,
        "value": 0.88,
    }
]
"""What may be changed of a grid code; only some of the real ones have such points."""
WHERE = {
    "country": "United States",
    "state": "California",
    "distributor": "*",
    "utility": "Southern California Edison",
    "retailer": "*",
    "region": "UL1741SA",
}

BRANDS = {"Example Solar": ("EX-3000", 3000), "Sunny Sample": ("Sample 5.0", 5000)}
"""Invented makers of inverters, each with a model and its watts."""


def site_info(device: SimulatedGateway) -> Any:
    """GET /api/site_info: up to 1.46 the grid code lies flat in it; 23.x leaves out the measured frequency."""
    since = device.personality.since
    said: dict[str, Any] = {
        "max_site_meter_power_kW": 1000000000,
        "min_site_meter_power_kW": -1000000000,
        "nominal_system_energy_kWh": 13.5,
        "nominal_system_power_kW": BATTERY_W / 1000,
        **site_name(device),
    }
    if not since(1, 47):
        return said | GRID_CODE | WHERE
    said |= {
        "max_system_energy_kWh": 13.5,
        "max_system_power_kW": BATTERY_W / 1000,
        "grid_code": GRID_CODE | WHERE,
    }
    return said | ({"panel_max_current": 100} if since(23) else {"measured_frequency": 60.02})


def site_name(device: SimulatedGateway) -> Any:
    """GET /api/site_info/site_name."""
    return {"site_name": NAME, "timezone": device.zone.key}


def grid_codes(_: SimulatedGateway) -> Any:
    """GET /api/site_info/grid_codes: those to choose from, by country, state and rule."""
    return {
        "Germany": {"*": {"VDE4105": [OTHER_GRID_CODE]}},
        "United States": {"California": {"UL1741SA": [GRID_CODE]}},
    }


def grid_regions(_: SimulatedGateway) -> Any:
    """GET /api/site_info/grid_regions: the same as a table in text, with the settings of each code."""
    rows = (
        "grid_code,country,state,distributor,utility,retailer,standard",
        f"{OTHER_GRID_CODE['grid_code']},Germany,*,*,*,*,VDE4105",
        f"{GRID_CODE['grid_code']},United States,California,*,Southern California Edison,*,UL1741SA",
    )
    codes = {
        code["grid_code"]: code | {"grid_customizable_points": POINTS}
        for code in (OTHER_GRID_CODE, GRID_CODE)
    }
    return {"regions": "\n".join(rows), "grid_code_settings": codes}


def registration(device: SimulatedGateway) -> Any:
    """GET /api/customer/registration: what nobody was asked is null, in the README's years."""
    asked = True if device.personality.since(20) else None
    return {
        "privacy_notice": True,
        "limited_warranty": True,
        "grid_services": asked,
        "marketing": asked,
        "registered": True,
        "timed_out_registration": False,
    }


def customer(device: SimulatedGateway) -> Any:
    """GET /api/customer: the address of old is gone since 20, and in 23.28 nearly all the rest."""
    if device.personality.since(23):
        return {"registered": True}
    agreed = {"registered": True, "privacy_notice": True, "limited_warranty": True}
    if device.personality.since(20):
        return agreed | {"marketing": True, "grid_services": True}
    address = {"city": "Pasadena", "state": "California", "zip": "91101", "country": "US"}
    return address | agreed | {"emailed_registration": True}


def installer(device: SimulatedGateway) -> Any:
    """GET /api/installer; ``run_sitemaster`` is there only while running."""
    said: dict[str, Any] = {
        "company": "Simulated Energy",
        "customer_id": "0000001",
        "phone": "5550100",
        "email": "installer@example.com",
    }
    if device.personality.since(20):
        said |= {
            "location": "Outdoor",
            "mounting": "Floor",
            "wiring": "Side",
            "backup_configuration": "Partial Home",
            "solar_installation": "Existing",
            "solar_installation_type": "PV Panel",
            "has_cellular_modem_to_wifi": True,
            "verified_config": True,
            "installation_types": ["Residential"],
        }
    return said | ({"run_sitemaster": True} if device.obeyed.running else {})


def companies(device: SimulatedGateway) -> Any:
    """GET /api/installer/companies: the country came later."""
    said = [
        {"company": "Simulated Energy", "customer_id": "0000001"},
        {"company": "Example Electric", "customer_id": "0000002"},
    ]
    country = {"country": "US"} if device.personality.since(20) else {}
    return [company | country for company in said]


def config(device: SimulatedGateway) -> Any:
    """GET /api/config."""
    return {"vin": din(device)}


def solars(_: SimulatedGateway) -> Any:
    """GET /api/solars."""
    brand = next(iter(BRANDS))
    return [{"brand": brand, "model": BRANDS[brand][0], "power_rating_watts": BRANDS[brand][1]}]


def brands(_: SimulatedGateway) -> Any:
    """GET /api/solars/brands."""
    return list(BRANDS)


def models_of(brand: str) -> Callable[[SimulatedGateway], Any]:
    """GET /api/solars/brands/BRAND, for one of `BRANDS`."""
    model, watts = BRANDS[brand]
    said = [{"brand": brand, "model": model, "description": f"{watts} W", "power_rating_watts": watts}]
    return lambda _: said


def generators(_: SimulatedGateway) -> Any:
    """GET /api/generators: none."""
    return {"disconnect_type": "None", "generators": []}


def disconnect_types(_: SimulatedGateway) -> Any:
    """GET /api/generators/disconnect_types."""
    return ["DownstreamATS"]


def autoconfig(_: SimulatedGateway) -> Any:
    """GET /api/autoconfig/status."""
    return {
        "status": "not_applicable",
        "running": False,
        "retry_possible": False,
        "have_registered": False,
        "have_timezone": False,
        "have_gridcode": False,
        "grid_availability": "",
    }


def toggle_supported(device: SimulatedGateway) -> Any:
    """GET /api/auth/toggle/supported: not while stopped."""
    return {"toggle_auth_supported": device.obeyed.running}


def problems(_: SimulatedGateway) -> Any:
    """GET /api/troubleshooting/problems: none."""
    return {"problems": []}
