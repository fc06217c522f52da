"""The loaded configuration: frozen values for the rest of the program, nothing of the file's spelling left.

How they come about is not here; see `load`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Literal

from scheduler.config.problems import Problem
from scheduler.model.timeline import DriftPolicy
from scheduler.plan.rules import Schedule


class Secret:
    """Text that no print, log line or repr shows.

    Only ``reveal`` gives it away, so that a search finds every use.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one who must send it."""
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewaySettings:
    """Which gateway, how to reach it and as whom. ``certificate`` is absolute and may not exist yet;
    an empty ``server_name`` asks for no name.

    With ``type`` simulated only ``firmware``, ``username`` and ``force_sm_off`` count, and the password if one is
    given; the user is the installer unless told otherwise. ``max_pv_export_power_kw`` is said with every write, in kW.
    """

    type: Literal["local", "simulated"]
    host: str
    port: int
    server_name: str
    certificate: Path
    username: Literal["installer", "customer"]
    email: str
    password: Secret | None
    force_sm_off: bool
    max_pv_export_power_kw: float | None
    firmware: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All that the program is told. ``digest`` is the SHA-256 of the file's bytes, in hexadecimal.

    ``keeps_every_reserve``: the file says that this gateway has no gap of `shapes.GAP`.
    ``tariff_source`` and ``tariff_effective`` say where the prices come from and since when they hold, for people.
    ``trust_clock_after_s`` is what the file says of a clock that nothing synchronises, None if nothing.
    """

    path: Path
    digest: str
    site_name: str
    schedule: Schedule
    gateway: GatewaySettings
    on_drift: DriftPolicy
    verify_every_s: float
    tariff_source: str
    tariff_effective: date | None
    warnings: tuple[Problem, ...]
    trust_clock_after_s: float | None = None
    keeps_every_reserve: bool = False

    @property
    def trust_after_s(self) -> float | None:
        """After how many seconds the clock is trusted whoever keeps it: at once where the gateway is only simulated."""
        return 0.0 if self.gateway.type == "simulated" else self.trust_clock_after_s
