"""A configuration of one's own and simulated gateways behind real TLS, for tests of `doctor` and `trust`. No tests here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scheduler.app.doctor import examine
from scheduler.app.findings import Finding
from scheduler.config.configuration import Configuration, Secret
from scheduler.config.load import load
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.personality import personality
from scheduler.simulator.server import Served, serving

STEPS = (
    "name",
    "tcp",
    "tls",
    "certificate",
    "clock",
    "login",
    "role",
    "firmware",
    "allowed",
    "sitemaster",
    "operation",
)
"""The walk, in the order in which a person reads it."""

PASSWORDS = {"installer": "ST123456789", "customer": "56789"}

TEXT = """\
version: 1
site: {name: Home, timezone: America/Los_Angeles}
gateway:
  type: local
  host: 127.0.0.1
  username: installer
  email: me@example.com
tariff:
  name: Flat
  currency: USD
  periods:
    - {name: all_day, hours: "00:00-24:00", import: 0.2, export: 0.1}
rules:
  - {name: Always, during: [all_day], set: {mode: backup, reserve: 100}}
default: {mode: self_consumption, reserve: 20}
"""
"""A file whose plan asks for one setpoint, whatever the time."""


def configured(folder: Path, **gateway: Any) -> Configuration:
    """The configuration in a folder, with these settings of the gateway in the place of the file's."""
    file = folder / "tou.yaml"
    file.write_text(TEXT)
    loaded = load(file, environ={}, secret_directories=[])
    return replace(loaded, gateway=replace(loaded.gateway, **gateway))


def device_of(firmware: str) -> SimulatedGateway:
    """A simulated gateway of this firmware, by the machine's own clock."""
    return SimulatedGateway(now=lambda: datetime.now(UTC), personality=personality(firmware))  # noqa: TID251 - real TLS takes real time


@dataclass(kw_only=True)
class Bench:
    """A simulated gateway behind real TLS, and the configuration that leads to it."""

    folder: Path
    device: SimulatedGateway
    served: Served
    configuration: Configuration

    async def examine(
        self, *, tell: Callable[[Finding], None] = lambda _: None, **gateway: Any
    ) -> dict[str, Finding]:
        """What `doctor` finds, by step, with these settings instead; the system vouches for its clock."""
        changed = replace(self.configuration, gateway=replace(self.configuration.gateway, **gateway))
        return await examined(changed, self.folder / "state", tell=tell)


@asynccontextmanager
async def bench(
    folder: Path, firmware: str = "1.45.2", username: str = "installer", host: str = "127.0.0.1"
) -> AsyncIterator[Bench]:
    """A gateway of this firmware whose certificate is trusted, and a configuration for this user."""
    device = device_of(firmware)
    async with serving(device, directory=folder / "gateway", host=host) as served:
        it = configured(
            folder,
            host=served.host,
            port=served.port,
            certificate=served.certificate,
            username=username,
            password=Secret(PASSWORDS[username]),
        )
        yield Bench(folder=folder, device=device, served=served, configuration=it)


async def examined(
    configuration: Configuration,
    directory: Path,
    *,
    tell: Callable[[Finding], None] = lambda _: None,
    stop: asyncio.Event | None = None,
) -> dict[str, Finding]:
    """What `doctor` finds, by step; the system vouches for its clock."""
    findings = await examine(
        configuration, directory, tell=tell, stop=stop or asyncio.Event(), vouched=lambda: True
    )
    assert [finding.step for finding in findings if finding.step != "leaving"] == list(STEPS)
    return {finding.step: finding for finding in findings}


def signs(found: dict[str, Finding]) -> str:
    """The outcomes of all steps in a word: a letter each, `+` passed, `x` failed, `-` not tried."""
    return "".join({"passed": "+", "failed": "x", "not_tried": "-"}[found[step].outcome] for step in STEPS)
