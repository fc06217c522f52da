"""The gateway that a configuration asks for, ready to be talked to: a real one, or a simulated one in this process."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from scheduler.config.configuration import Configuration, GatewaySettings
from scheduler.control.ports import Clock
from scheduler.gateway.credentials import Credentials
from scheduler.gateway.local import LocalGateway
from scheduler.gateway.pin import Endpoint, read_fingerprint
from scheduler.model.errors import StoreError
from scheduler.store.memory import Memory

if TYPE_CHECKING:
    from scheduler.simulator.device import SimulatedGateway

Plug = tuple[GatewaySettings, Endpoint | ZoneInfo]
"""What makes a gateway another one: see `identity_of`."""


def endpoint_of(settings: GatewaySettings) -> Endpoint:
    """Where the gateway is, with the certificate that was trusted; Refused with the remedy if there is none."""
    return Endpoint(
        host=settings.host,
        port=settings.port,
        server_name=settings.server_name or None,
        fingerprint=read_fingerprint(settings.certificate),
    )


async def connect(
    configuration: Configuration,
    memory: Memory,
    clock: Clock,
    stack: AsyncExitStack,
    *,
    exchanged: Callable[[], None] = lambda: None,
) -> LocalGateway:
    """The gateway that the configuration asks for; what it needs is put away when ``stack`` is closed.

    ``exchanged`` is called at the end of each exchange with it. Refused if the certificate was not trusted yet; StoreError or SimulatorError if a simulated one cannot be started.
    """
    settings = configuration.gateway
    if settings.type == "simulated":
        _, gateway = await simulate(configuration, memory, clock, stack)
        return gateway
    password = None if settings.password is None else settings.password.reveal()
    gateway = LocalGateway(
        endpoint_of(settings),
        _credentials(settings, password),
        ledger=memory.logins,
        note=memory.note,
        now=clock.now,
        monotonic=clock.monotonic,
        max_pv_export_power_kw=settings.max_pv_export_power_kw,
        exchanged=exchanged,
    )
    stack.push_async_callback(gateway.close)
    return gateway


async def simulate(
    configuration: Configuration, memory: Memory, clock: Clock, stack: AsyncExitStack
) -> tuple[SimulatedGateway, LocalGateway]:
    """A simulated gateway in this process, over HTTPS like a real one, and the client that is logged in to it."""
    from scheduler.simulator.device import SimulatedGateway
    from scheduler.simulator.personality import personality
    from scheduler.simulator.server import serving

    settings = configuration.gateway
    device = SimulatedGateway(
        now=clock.now, personality=personality(settings.firmware), zone=configuration.schedule.zone
    )
    try:
        served = await stack.enter_async_context(serving(device, directory=memory.simulated))
    except OSError as error:
        raise StoreError(
            f"the simulated gateway cannot be kept in {memory.simulated}: {error.strerror or error}"
        ) from error
    passwords = {
        "installer": device.sessions.installer_password,
        "customer": device.sessions.customer_password,
    }
    endpoint = Endpoint(
        host=served.host, port=served.port, server_name="powerwall", fingerprint=bytes.fromhex(served.sha256)
    )
    gateway = LocalGateway(
        endpoint,
        _credentials(settings, passwords[settings.username]),
        ledger=_NoLedger(),
        now=clock.now,
        monotonic=clock.monotonic,
        max_pv_export_power_kw=settings.max_pv_export_power_kw,
    )
    stack.push_async_callback(gateway.close)
    return device, gateway


def _credentials(settings: GatewaySettings, password: str | None) -> Credentials:
    return Credentials(
        username=settings.username,
        password=password,
        email=settings.email,
        force_sm_off=settings.force_sm_off,
    )


class _NoLedger:
    """Remembers no login: a gateway that ends with us locks nobody out, and a dry run may be run as often as one likes."""

    def load(self) -> list[datetime]:
        return []

    def save(self, instants: list[datetime]) -> None:
        """Forget them."""


def identity_of(configuration: Configuration) -> Plug:
    """What makes it another gateway: its settings, or another certificate in the same file."""
    settings = configuration.gateway
    return (settings, configuration.schedule.zone if settings.type == "simulated" else endpoint_of(settings))


def device_of(configuration: Configuration) -> str:
    """Which gateway it is, in words: the same one with another password or certificate has the same."""
    gateway = configuration.gateway
    return "a simulated gateway" if gateway.type == "simulated" else f"{gateway.host}:{gateway.port}"
