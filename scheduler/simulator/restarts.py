"""What takes the gateway away for a while: installs and reboots, and as what it comes back.

The battery stands still from the instant at which the gateway goes away. The walk to a staged update is `updater.py`'s.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING

from scheduler.simulator.personality import PERSONALITIES
from scheduler.simulator.updater import STAGED

if TYPE_CHECKING:
    from scheduler.simulator.device import SimulatedGateway

REBOOT_TAKES = timedelta(minutes=2)
"""How long the gateway is gone for a reboot."""


class Fate(Enum):
    """What becomes of the install that is under way."""

    NONE_UNDER_WAY = auto()
    UPGRADED = auto()
    ROLLED_BACK = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgrade:
    """A change of firmware: since when the gateway was gone, when it was back, and what ran ``before`` and ``after``."""

    gone_at: datetime
    back_at: datetime
    before: str
    after: str


@dataclass(slots=True)
class Restarts:
    """When this gateway goes away and comes back. Of what overlaps the later end counts, and it comes back once.

    ``upgrades`` are the changes of its firmware, in order; an install that brings what ran before is none.
    """

    device: SimulatedGateway = field(repr=False)
    upgrades: list[Upgrade] = field(default_factory=list)
    _fate: Fate = Fate.NONE_UNDER_WAY
    _gone_at: datetime | None = None
    _back_at: datetime | None = None

    @property
    def gone(self) -> bool:
        """Whether it is away."""
        return self._back_at is not None

    def install(self) -> None:
        """Install what is staged, being told to; it may answer for a moment longer.

        In any other state nothing happens: the gateway's own page has no button for it then.
        """
        now = self.device.now()
        if self.device.updater.state(now) == STAGED:
            self.device.later(now + self.device.mischief.install_begins_after, self.install_staged)
            # Without a delay it begins before this returns.
            self.device.now()

    def install_staged(self) -> None:
        """Install at once what is staged; if nothing is, nothing happens."""
        if self.device.updater.has_staged(self.device.now()):
            self.upgrade()

    def upgrade(self) -> None:
        """Be gone for an install, and come back with what it is to come to; one that is under way is enough."""
        now, mischief = self.device.now(), self.device.mischief
        if self._fate is not Fate.NONE_UNDER_WAY:
            return
        if mischief.installs_to_fail > 0:
            mischief.installs_to_fail -= 1
            self.device.updater.failed(now)
            return
        self._fate = Fate.UPGRADED
        if mischief.installs_to_roll_back > 0:
            mischief.installs_to_roll_back -= 1
            self._fate = Fate.ROLLED_BACK
        self._go_away(mischief.install_lasts)

    def reboot(self) -> None:
        """Be gone, and come back as before, without a token."""
        self._go_away(REBOOT_TAKES)

    def _go_away(self, lasting: timedelta) -> None:
        now = self.device.now()
        back_at = now + lasting
        self.device.fall_out()
        self._gone_at = self._gone_at or now
        self._back_at = max(back_at, self._back_at or back_at)
        self.device.later(self._back_at, self._come_back)

    def _come_back(self) -> None:
        """Be there again, unless it went away once more in the meantime."""
        now = self.device.now()
        if self._back_at != now:
            return
        gone_at, before = self._gone_at or now, self.device.firmware
        fate, self._fate, self._gone_at, self._back_at = self._fate, Fate.NONE_UNDER_WAY, None, None
        if fate is Fate.UPGRADED:
            self._take_update()
            after = self.device.firmware
            if after != before:
                self.upgrades.append(Upgrade(gone_at=gone_at, back_at=now, before=before, after=after))
        elif fate is Fate.ROLLED_BACK:
            self.device.updater.failed(now)
        installed = fate is not Fate.NONE_UNDER_WAY
        self.device.start_anew(running=not (installed and self.device.mischief.stays_stopped))

    def _take_update(self) -> None:
        """Have the version that the update brings; habits are only known of those that can be simulated."""
        version = self.device.updater.brings or self.device.personality.next_firmware
        if version in PERSONALITIES:
            self.device.adopt(PERSONALITIES[version])
        else:
            self.device.firmware = version
        self.device.updater.installed(self.device.now())
