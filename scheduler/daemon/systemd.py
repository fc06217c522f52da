"""What systemd is told of the service: ready, what it is at, reloading, stopping, and that it lives (sd_notify(3)).

Datagrams to a socket that systemd names; where it names none, nobody is told. When what is true is not decided here. The
libraries for it are not kept up or want a compiler, and the whole protocol is a line of text.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Self

LONGEST_STATUS = 400
"""Characters of a status; systemd shows it in one line."""


class Supervisor:
    """The service manager at this ``address``, or nobody. No call of it blocks or fails: it is told, and not asked.

    A busy manager's queue may hold no more than ten datagrams (net.unix.max_dgram_qlen). What does not fit waits for the next
    call: without its READY a service is ended although it works.
    """

    def __init__(self, address: str | None = None) -> None:
        self._address = address
        self._status = ""
        self._owed: dict[str, str] = {}

    @classmethod
    def named_in(cls, environ: Mapping[str, str]) -> Self:
        """The one that $NOTIFY_SOCKET names: a path, or with ``@`` a name in Linux's abstract space; else nobody."""
        address = environ.get("NOTIFY_SOCKET", "")
        return cls(address if address[:1] in {"/", "@"} else None)

    def ready(self) -> None:
        """The service does its work, or does it again after a reload."""
        self._tell("READY=1")

    def alive(self) -> None:
        """The work goes on; said less often than the unit's WatchdogSec, the service is ended and started anew.

        It is soon said again, so it is not owed to anybody.
        """
        if self._settle():
            self._send("WATCHDOG=1")

    def status(self, sentence: str) -> None:
        """What the service is at, for `systemctl status`; said once for each change."""
        line = " ".join(sentence.split())[:LONGEST_STATUS]
        if line != self._status:
            self._status = line
            self._tell(f"STATUS={line}")

    def reloading(self, monotonic_s: float) -> None:
        """The files are taken up, as of now by the monotonic clock, in seconds; `ready` follows when that is over."""
        self._tell(f"RELOADING=1\nMONOTONIC_USEC={round(monotonic_s * 1_000_000)}")

    def stopping(self) -> None:
        """The service ends."""
        self._tell("STOPPING=1")

    def _tell(self, message: str) -> None:
        word = message.partition("=")[0]
        self._owed.pop(word, None)  # of each word only the last is still true
        self._owed[word] = message
        self._settle()

    def _settle(self) -> bool:
        """Say what is owed, in order; whether nothing is any more."""
        for word, message in list(self._owed.items()):
            if not self._send(message):
                return False
            del self._owed[word]
        return True

    def _send(self, message: str) -> bool:
        """Whether the manager has room for it; one that is gone has."""
        if self._address is None:
            return True
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # A manager that is gone or busy is no reason to switch late.
        kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
        try:
            with socket.socket(socket.AF_UNIX, kind) as it:
                it.sendto(message.encode(), address)
        except (FileNotFoundError, ConnectionRefusedError):
            return True
        except OSError:
            return False
        return True
