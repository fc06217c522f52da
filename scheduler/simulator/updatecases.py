"""What can befall the simulated gateway by updates of its firmware, one method each; `usecases.py` has the rest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from scheduler.simulator.device import SimulatedGateway
from scheduler.simulator.mischief import NEVER


@dataclass(frozen=True, slots=True)
class UpdateCases:
    """What can come of updates. What lasts takes how long."""

    device: SimulatedGateway

    def has_an_update(self) -> None:
        """The next check for updates finds one."""
        self.device.updater.available = True

    def stages_an_update(self) -> None:
        """An update is downloaded and staged now, unasked."""
        self.device.updater.stage_now(self.device.now())

    def installs_what_is_staged(self) -> None:
        """It installs now what is staged, unasked; if nothing is, nothing happens."""
        self.device.restarts.install_staged()

    def upgrades_itself(self) -> None:
        """It installs new firmware now, unasked."""
        self.device.restarts.upgrade()

    def update_brings(self, version: str) -> None:
        """The next update is this version; one that can be simulated comes with its habits, others change none."""
        self.device.updater.brings = version

    def install_lasts(self, lasting: timedelta) -> None:
        """From now on an install keeps it away for so long, and not for two minutes."""
        self.device.mischief.install_lasts = lasting

    def install_begins_late(self, lasting: timedelta) -> None:
        """From now on it answers as before for so long after it was told to install, and only then goes away."""
        self.device.mischief.install_begins_after = lasting

    def check_lasts(self, lasting: timedelta) -> None:
        """From now on a check takes so long until it has found an update, or none."""
        self.device.mischief.check_lasts = lasting

    def download_lasts(self, lasting: timedelta) -> None:
        """From now on the download of an update takes so long, and not a minute."""
        self.device.mischief.download_lasts = lasting

    def checks_fail(self, lasting: timedelta | None = None) -> None:
        """Checks that begin meanwhile find nothing out, and say so with /update_failed and error."""
        mischief = self.device.mischief
        until = NEVER if lasting is None else self.device.now() + lasting
        mischief.checks_fail_until = max(until, mischief.checks_fail_until or until)

    def updates_begin_late(self) -> None:
        """After the next request for a check the updater shows its old state for five seconds more."""
        self.device.mischief.checks_to_delay += 1

    def installs_fail(self) -> None:
        """The next install comes to nothing without taking it away: /update_failed and error."""
        self.device.mischief.installs_to_fail += 1

    def update_is_rolled_back(self) -> None:
        """The next install takes it away as ever, and it comes back with the firmware that it had: /update_failed and error."""
        self.device.mischief.installs_to_roll_back += 1

    def stays_stopped(self) -> None:
        """After an upgrade the battery is not started (as some were after 21.20)."""
        self.device.mischief.stays_stopped = True
