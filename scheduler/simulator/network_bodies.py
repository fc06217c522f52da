"""The gateway's answers about its networks as JSON values; addresses are those that documents are free to use.

Shapes are those of the README of the gateway (1.15 to 1.45) and of a real 21.39.1.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from scheduler.simulator.bodies import NEVER, local_time
from scheduler.simulator.device import SimulatedGateway

ADDRESS, ROUTER, MASK = "192.0.2.10", "192.0.2.1", "255.255.255.0"
WIFI = "Example Home"
CONNECTION_TESTS = ("Config Syncer Test", "Gle GET Test", "Hermes Status Test", "Synergy Data Test")
CONNECTION_TEST_TAKES = timedelta(seconds=30)
"""How long it really takes was never told."""


def networks(device: SimulatedGateway) -> Any:
    """GET /api/networks: a cable; since 20 the kinds of network rather than the sockets."""
    if device.personality.since(20):
        return [_cable(), _wifi()]
    return [
        {
            "id": 3,
            "name": "eth0",
            "connected": True,
            "is_dhcp": True,
            "ip_address": ADDRESS,
            "subnet": MASK,
            "config": None,
        }
    ]


def configured(_: SimulatedGateway) -> Any:
    """GET /api/system/networks."""
    return [
        {"network_name": "default_gsm", "interface": "GsmType", "security_type": "NONE", "dhcp": None},
        {"network_name": "default_eth", "interface": "EthType", "security_type": "NONE", "dhcp": True},
    ]


def wifi_security_types(_: SimulatedGateway) -> Any:
    """GET /api/networks/wifi_security_types."""
    return ["NONE", "WEP", "WPAorWPA2_Personal"]


def connection_tests(_: SimulatedGateway) -> Any:
    """GET /api/system/networks/conn_tests: not run."""
    check = {
        "name": "Network device",
        "status": "not_run",
        "start_time": None,
        "end_time": None,
        "results": None,
        "debug": None,
        "checks": None,
    }
    return {
        "name": "Network connection",
        "category": "Network",
        "disruptive": False,
        "inputs": None,
        "checks": [check],
        "alert": False,
    }


def tested_connection(device: SimulatedGateway, done: datetime | None) -> Any:
    """POST /api/system/networks/conn_tests: no results until the test is done, and then when that was; all is well."""
    if done is None or device.now() < done:
        return {"results": None, "timestamp": NEVER}
    results = {name: {"pass": True, "error": ""} for name in CONNECTION_TESTS}
    return {"results": results, "timestamp": local_time(done, device)}


def ping_test(_: SimulatedGateway) -> Any:
    """GET /api/system/networks/ping_test."""
    return {"Error": {}}


def client_protocols(_: SimulatedGateway) -> Any:
    """GET /api/networks/client_protocols: none is on."""
    return {"dnp3": False, "m2m": False, "mtls": False, "modbus": False, "allow_public_ip": False}


def _cable() -> dict[str, Any]:
    return {
        "network_name": "ethernet_tesla_internal_default",
        "interface": "EthType",
        "dhcp": True,
        "enabled": True,
        "extra_ips": [{"ip": "192.0.2.2", "netmask": 24}],
        "active": False,
        "primary": False,
        "lastTeslaConnected": False,
        "lastInternetConnected": False,
    }


def _wifi() -> dict[str, Any]:
    return {
        "network_name": WIFI,
        "interface": "WifiType",
        "security_type": "WPA2_Personal",
        "dhcp": True,
        "username": "",
        "enabled": True,
        "active": True,
        "primary": True,
        "lastTeslaConnected": True,
        "lastInternetConnected": True,
        "iface_network_info": {
            "network_name": WIFI,
            "ip_networks": [{"ip": ADDRESS, "mask": MASK}],
            "gateway": ROUTER,
            "interface": "WifiType",
            "state": "DeviceStateReady",
            "state_reason": "DeviceStateReasonNone",
            "signal_strength": 53,
            "hw_address": "02:00:00:00:00:01",
        },
    }
