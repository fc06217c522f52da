"""What systemd says of the service, and what a person is told of it. Asks only; the steps are elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from scheduler.app.command import ask
from scheduler.app.places import UNIT

_PROPERTIES = (
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "NeedDaemonReload",
    "StatusText",
    "StateChangeTimestamp",
    "NRestarts",
    "Result",
    "ExecMainStatus",
    "MainPID",
)

_ENDS = {
    200: "its working directory cannot be entered",
    203: "its program cannot be started: `sudo tou-scheduler service install` writes down where it is now",
    226: "systemd could not fence it in (its journal says with what): is this a container that forbids namespaces?",
    238: "its state directory could not be made: is the disk full, or may it not be written to?",
    243: "systemd could not hand it the gateway's password: where it is encrypted and this machine's key "
    "(/var/lib/systemd/credential.secret) is another one or is lost, `sudo tou-scheduler service password` takes it once more",
    70: "its loop hung, and it ended itself",
}
"""What the exit statuses mean that systemd (systemd.exec(5)) and the daemon's dead man's handle give, and what to do."""


@dataclass(frozen=True, slots=True)
class State:
    """The service as systemd sees it: its properties by their own names (org.freedesktop.systemd1(5))."""

    properties: Mapping[str, str]

    @property
    def is_known(self) -> bool:
        """Whether systemd has read a unit of this name."""
        return self.properties.get("LoadState", "not-found") != "not-found"

    @property
    def is_active(self) -> bool:
        """Whether it runs, starts or reloads."""
        return self.properties.get("ActiveState") in {"active", "activating", "reloading"}

    @property
    def has_failed(self) -> bool:
        """Whether it ended by a failure, for good or until it is started anew."""
        return self.properties.get("ActiveState") == "failed"

    @property
    def starts_at_boot(self) -> bool:
        """Whether it is enabled."""
        return self.properties.get("UnitFileState") == "enabled"

    @property
    def is_outdated(self) -> bool:
        """Whether the files on the disk are others than those that systemd has read."""
        return self.properties.get("NeedDaemonReload") == "yes"

    @property
    def trouble(self) -> str | None:
        """Why it does not run, or did not lately, and what to do; None if systemd knows of nothing."""
        result = self.properties.get("Result", "success")
        if result in {"", "success"}:
            return None
        if result == "watchdog":
            return "it completed no cycle for too long, and systemd ended it"
        if result == "timeout":
            return "it took too long to start or to stop"
        status = int(self.properties.get("ExecMainStatus") or 0)
        return _ENDS.get(status, f"it ended with {result} {status}")


def look() -> State:
    """The service as it is now. CommandFailed if systemd cannot be asked."""
    said = ask("systemctl", "show", UNIT, f"--property={','.join(_PROPERTIES)}").decode(errors="replace")
    return State(dict(line.partition("=")[::2] for line in said.splitlines() if "=" in line))
