"""What one rehearsal is of, as a value: a gateway, who asks it, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from scheduler.gateway.credentials import Credentials
from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.personality import PERSONALITIES, Personality


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What one rehearsal is of: where it begins, how long it takes, and who is asked as whom; ``every_tick``: without leaps."""

    start: datetime
    seconds: float
    firmware: str
    username: str
    drops_alarms: bool = False
    every_tick: bool = False

    @property
    def personality(self) -> Personality:
        """The habits of the gateway."""
        return PERSONALITIES[self.firmware]

    @property
    def can_switch(self) -> bool:
        """Whether it lets us. Firmware since 1.50 takes no installer, and a customer may not write: nothing is expected of them."""
        return not self.personality.installer_needs_switch and self.username == "installer"

    def credentials(self, device: SimulatedGateway) -> Credentials:
        """Who logs in to this gateway, with the right password."""
        sessions = device.sessions
        customer = self.username == "customer"
        return Credentials(
            username=self.username,
            password=sessions.customer_password if customer else sessions.installer_password,
            email="rehearsal@example.com",
        )
