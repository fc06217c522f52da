"""Where the parts of the service lie, and what is in those that the program writes.

The files name each other by where they lie on the machine; ``root`` puts all of them below another folder.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from scheduler.app.shipped import shipped
from scheduler.config import credential

UNIT = "tou-scheduler.service"
_EXECUTABLE = re.compile(r"^ExecStart=\S+", re.MULTILINE)
_HOST = re.compile(r"^(  host: )powerwall( +)(?=#)", re.MULTILINE)
_KEPT_FROM_SERVICE = ("/home", "/root", "/run/user", "/tmp", "/var/tmp")  # noqa: S108 - nothing is put there
"""What ProtectHome= and PrivateTmp= keep from the service (systemd.exec(5))."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The files and folders of the service below ``root``."""

    root: Path

    @property
    def unit(self) -> Path:
        """What systemd reads."""
        return self._below("/etc/systemd/system") / UNIT

    @property
    def additions(self) -> Path:
        """The folder of what is said above the unit, by us and by `systemctl edit`."""
        return self.unit.with_name(f"{UNIT}.d")

    @property
    def decryption(self) -> Path:
        """What we say above it: that the password is encrypted."""
        return self.additions / "encrypted-password.conf"

    @property
    def configuration(self) -> Path:
        """The file that a person edits."""
        return self._below(credential.CONFIGURATION)

    @property
    def plain(self) -> Path:
        """The password as it is."""
        return self.configuration.with_name(credential.NAME)

    @property
    def encrypted(self) -> Path:
        """The password, encrypted."""
        return credential.encrypted_beside(self.plain)

    @property
    def memory(self) -> tuple[Path, Path]:
        """The state directory, and where it really is: with DynamicUser= the one is a link to the other."""
        return self._below("/var/lib/tou-scheduler"), self._below("/var/lib/private/tou-scheduler")

    @property
    def booted(self) -> Path:
        """Is there where systemd runs the machine (sd_booted(3))."""
        return self._below("/run/systemd/system")

    def _below(self, path: str | Path) -> Path:
        return self.root / Path(path).relative_to("/")


def unit(program: Path) -> bytes:
    """The shipped unit, to run this program."""
    word = str(program).replace("%", "%%")
    quoted = f'"{word}"' if re.search(r"\s", word) else word
    return _EXECUTABLE.sub(lambda _: f"ExecStart={quoted}", shipped(UNIT).decode(), count=1).encode()


def decryption() -> bytes:
    """The addition to the unit with which systemd decrypts the password."""
    encrypted = credential.encrypted_beside(credential.CONFIGURATION.with_name(credential.NAME))
    lines = [
        "# Written by `sudo tou-scheduler service`: the password is encrypted with this machine's key.",
        "[Service]",
        "LoadCredential=",
        f"LoadCredentialEncrypted={credential.NAME}:{encrypted}",
    ]
    return "\n".join([*lines, ""]).encode()


def example(host: str | None) -> bytes:
    """The shipped example of a configuration, with this gateway's name or address; it has been checked that it is one."""
    text = shipped("tou.yaml").decode()
    if host is not None:
        word = f'"{host}"' if ":" in host else host
        text = _HOST.sub(lambda found: f"{found[1]}{word:<{len('powerwall' + found[2]) - 1}} ", text, count=1)
    return text.encode()


def stable(program: Path) -> Path:
    """The path under which this program is found after an upgrade, too: the shipped unit's, if that is the same program.

    `make install` keeps each version in a folder of its own, and links lead to the one in force.
    """
    found = _EXECUTABLE.search(shipped(UNIT).decode())
    usual = Path(found[0].removeprefix("ExecStart=")) if found is not None else program
    return usual if usual.exists() and usual.samefile(program) else program


def kept_from_service(*paths: Path) -> Path | None:
    """The first of these paths that the unit keeps from the service, itself or where it leads; None if it may use them all."""
    for path in (it for given in paths for it in (given, given.resolve())):
        if any(path.is_relative_to(folder) for folder in _KEPT_FROM_SERVICE):
            return path
    return None
