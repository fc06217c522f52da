"""What goes wrong at the moment, as values: habits of the device, and troubles of single answers.

`usecases.py` has a method for each, `scenario.py` the sentences; what a trouble does to bytes is in `troubled.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto

from starlette.responses import Response

from scheduler.simulator.updater import DOWNLOAD_TAKES

INSTALL_TAKES = timedelta(minutes=2)
"""How long the gateway is gone for an install unless told otherwise ("wait for 2 minutes", says its own page)."""

NEVER = datetime.max.replace(tzinfo=UTC)
"""When that ends which has no end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How far a trouble goes; what is left out does not limit it.

    ``path``: requests to this path only, whatever its case. ``requests``: so many of them. ``lasting``: for so long.
    """

    path: str | None = None
    requests: int | None = None
    lasting: timedelta | None = None


ENDLESS = Reach()
"""Whatever the trouble is about, for good."""


class Kind(Enum):
    """In which way an answer is spoiled. What "after" is about was obeyed before it went wrong."""

    INSTEAD = auto()
    """Nothing is done, and another answer is given."""
    LATE = auto()
    """Nothing is done for some seconds, and nothing at all if the client has hung up by then."""
    LATE_AFTER = auto()
    """It is done at once, and answered after some seconds."""
    SLOW = auto()
    """It is done, and the body of the answer comes byte by byte, with seconds between them."""
    OTHERWISE = auto()
    """It is done, and the answer says that it was not."""
    RESET = auto()
    """Nothing is done, and the connection is reset."""
    RESET_AFTER = auto()
    """It is done, and the connection is reset before the answer."""
    TRUNCATED = auto()
    """It is done, the whole length of the body is promised, and the connection ends in the middle of it."""
    GARBLED = auto()
    """It is done, and the answer has another body."""


@dataclass(slots=True, kw_only=True)
class Trouble:
    """One trouble of answers, as long as it lasts.

    ``names`` limits it to requests by ``METHOD path`` or path, in small letters; ``with_token`` to those that show a token.
    ``seconds`` are real ones. ``answer`` is called with the request's method and the instant, ``garble`` with the body.
    """

    kind: Kind
    until: datetime | None = None
    left: int | None = None
    names: frozenset[str] | None = None
    with_token: bool = False
    seconds: float = 0.0
    answer: Callable[[str, datetime], Response] = lambda _method, _now: Response(status_code=502)
    garble: Callable[[bytes], bytes] = bytes

    def befalls(self, name: str, *, token: bool, now: datetime) -> bool:
        """Whether a request of this name, with or without a token, has this trouble now."""
        if (
            self.left == 0
            or (self.until is not None and now >= self.until)
            or (self.with_token and not token)
        ):
            return False
        name = name.lower()
        return self.names is None or name in self.names or name.partition(" ")[2] in self.names


@dataclass(slots=True, kw_only=True)
class Mischief:
    """What goes wrong at the moment; all of it, in one place.

    ``certificate`` counts how often the certificate was replaced: `server.py` shows another one for each number.
    ``check_lasts`` is None where that goes by what the check finds. What is ``to_...`` befalls so many of the next ones.
    """

    ignores_writes: bool = False
    writes_to_ignore: int = 0
    runs_to_forget: int = 0
    starts_slowly: bool = False
    stops_slowly: bool = False
    one_step_late: bool = False
    clamps: bool = False
    drifts: bool = False
    refuses_wizard: bool = False
    stays_stopped: bool = False
    install_lasts: timedelta = INSTALL_TAKES
    install_begins_after: timedelta = timedelta()
    installs_to_fail: int = 0
    installs_to_roll_back: int = 0
    check_lasts: timedelta | None = None
    download_lasts: timedelta = DOWNLOAD_TAKES
    checks_to_delay: int = 0
    checks_fail_until: datetime | None = None
    busy_until: datetime | None = None
    offline_until: datetime | None = None
    certificate: int = 0
    troubles: list[Trouble] = field(default_factory=list)

    def take(self, name: str, *, token: bool, now: datetime) -> Trouble | None:
        """The trouble that befalls this request, counted; of several the one that began last."""
        for trouble in reversed(self.troubles):
            if trouble.befalls(name, token=token, now=now):
                if trouble.left is not None:
                    trouble.left -= 1
                return trouble
        return None
