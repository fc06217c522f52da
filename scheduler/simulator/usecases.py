"""What can befall the simulated gateway, one method each: tests call these, `scenario.py` maps its sentences to them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.responses import Response

from scheduler.model.reading import Grid
from scheduler.simulator import refusals
from scheduler.simulator.device import Setting
from scheduler.simulator.faults import GridFault
from scheduler.simulator.house import raw_percent
from scheduler.simulator.mischief import ENDLESS, NEVER, Kind, Mischief, Reach, Trouble
from scheduler.simulator.refusals import Refusal
from scheduler.simulator.responses import moved, refused
from scheduler.simulator.updatecases import UpdateCases

BUSY_FOR = timedelta(minutes=2)
LATE_S = 12.0
"""Longer than the 10 s within which a client of ours wants its answer."""
BYTE_S = 1.0
LARGE_BYTES = 2 * 1024 * 1024
"""Twice the longest answer that a client of ours reads."""
ELSEWHERE = "192.0.2.1"
"""Where nobody lives: an address that is kept for documentation."""
OTHER_SERIAL = "T987654321"
APP_SETTING = Setting(mode="backup", reserve_raw_percent=raw_percent(50))
"""What somebody sets in the app: backup, and a reserve that the app shows as 50 %."""
PAGE = "<!DOCTYPE html><html><head><title>Powerwall</title></head><body></body></html>"
NONSENSE = b"\x00\xff{not JSON"
LOGIN = "post /api/login/basic"
STOPS = ("get /api/sitemaster/stop", "post /api/sitemaster/stop")
"""Both verbs: an update may change which of them stops it."""
GRID = "grid"
"""Under which name `SimulatedGateway.ends` holds when an outage ends; habits are there under their own."""


@dataclass(frozen=True, slots=True)
class UseCases(UpdateCases):
    """What can befall a gateway. What lasts takes how long; troubles of answers take a `Reach`."""

    def ignores_writes(self, lasting: timedelta | None = None) -> None:
        """Writes are answered as if they had been taken."""
        self._habit("ignores_writes", lasting)

    def ignores_the_next_writes(self, count: int = 1) -> None:
        """The next write is answered as if it had been taken, or so many."""
        self.device.mischief.writes_to_ignore += count

    def applies_the_previous_one(self, lasting: timedelta | None = None) -> None:
        """A commit puts in force what the one before it should have (powerwall2 issue 26)."""
        self._habit("one_step_late", lasting, after=lambda: self.device.personality.one_step_late)

    def clamps(self, lasting: timedelta | None = None) -> None:
        """A reserve that the app would show as 81 to 99 % is taken, and kept as 80 % (pypowerwall issue 200)."""
        self._habit("clamps", lasting)

    def drifts(self, lasting: timedelta | None = None) -> None:
        """A reserve of raw 24 reads as 24.000019999999996, as those of a 21.39.1 did."""
        self._habit("drifts", lasting)

    def forgets_to_start(self) -> None:
        """The next sitemaster/run is accepted, and that is all."""
        self.device.mischief.runs_to_forget += 1

    def starts_slowly(self, lasting: timedelta | None = None) -> None:
        """The battery runs only two seconds after each sitemaster/run."""
        self._habit("starts_slowly", lasting)

    def stops_slowly(self, lasting: timedelta | None = None) -> None:
        """The battery stops only two seconds after the answer to a login that stops it."""
        self._habit("stops_slowly", lasting)

    def refuses_the_wizard(self, lasting: timedelta | None = None) -> None:
        """Nothing stops the battery while power flows, except by force_sm_off."""
        self._habit("refuses_wizard", lasting)

    def is_busy(self, lasting: timedelta = BUSY_FOR) -> None:
        """Whatever changes something is refused with 503, for two minutes unless told otherwise."""
        until = self.device.now() + lasting
        self.device.mischief.busy_until = max(until, self.device.mischief.busy_until or until)

    def goes_offline(self, lasting: timedelta) -> None:
        """Connections come to nothing for this long."""
        self.device.go_offline(lasting)

    def token_expires(self) -> None:
        """All tokens are too old from now on, and the gateway says so with 401."""
        self.device.sessions.expire(self.device.now())

    def token_is_forgotten(self) -> None:
        """No token is known any more: 403, as for one that grew old by itself."""
        self.device.sessions.forget()

    def somebody_uses_the_app(self) -> None:
        """Backup and a reserve of 50 % are set and in force, and it was not us."""
        self.device.use_app(APP_SETTING)

    def somebody_stops_it(self) -> None:
        """The battery is taken out of service, by no login of ours."""
        self.device.stop(under_load=True)

    def reboots(self) -> None:
        """It is gone for two minutes, then as before, but with a new start time and without memory of tokens."""
        self.device.restarts.reboot()

    def certificate_is_replaced(self) -> None:
        """It has a new key and a new certificate from now on; connections of the old one end."""
        self.device.mischief.certificate += 1

    def is_another_gateway(self, serial: str = OTHER_SERIAL) -> None:
        """One of another serial answers, with its own passwords and the same certificate."""
        self.device.become(serial)

    def grid_fails(self, lasting: timedelta | None = None) -> None:
        """The house is on its own."""
        self.device.switch_grid(Grid.ISLANDED)
        self._last(GRID, lasting, self.grid_returns)

    def grid_returns(self) -> None:
        """The house hangs on the grid again."""
        self.device.switch_grid(Grid.CONNECTED)
        self.device.ends.pop(GRID, None)

    def grid_fault_appears(self, lasting: timedelta | None = None) -> None:
        """An alert stands among the grid's faults."""
        fault = GridFault(at=self.device.now())
        self.device.grid_faults.append(fault)

        def clear() -> None:
            if fault in self.device.grid_faults:
                self.device.grid_faults.remove(fault)

        if lasting is not None:
            self.device.later(self.device.now() + lasting, clear)

    def grid_fault_clears(self) -> None:
        """The grid has no faults any more."""
        self.device.grid_faults.clear()

    def answers_late(self, reach: Reach = ENDLESS, *, seconds: float = LATE_S) -> None:
        """Nothing is done for some real seconds, and nothing at all if the client has hung up by then."""
        self._begin(reach, Kind.LATE, seconds=seconds)

    def applies_but_answers_late(self, reach: Reach = ENDLESS, *, seconds: float = LATE_S) -> None:
        """What was asked for is done at once, and answered after some real seconds."""
        self._begin(reach, Kind.LATE_AFTER, seconds=seconds)

    def answers_slowly(self, reach: Reach = ENDLESS, *, seconds: float = BYTE_S) -> None:
        """Bodies come byte by byte, with real seconds between them."""
        self._begin(reach, Kind.SLOW, seconds=seconds)

    def resets(self, reach: Reach = ENDLESS) -> None:
        """Connections are reset instead of an answer, and nothing is done."""
        self._begin(reach, Kind.RESET)

    def applies_but_resets(self, reach: Reach = ENDLESS) -> None:
        """What was asked for is done, and then the connection is reset."""
        self._begin(reach, Kind.RESET_AFTER)

    def truncates(self, reach: Reach = ENDLESS) -> None:
        """Bodies are promised whole, and the connection ends in the middle of them."""
        self._begin(reach, Kind.TRUNCATED)

    def answers_html(self, reach: Reach = ENDLESS) -> None:
        """Nothing is done, and a page comes with 200 where JSON belongs."""
        page = {"content-type": "text/html; charset=utf-8"}
        self._begin(reach, Kind.INSTEAD, answer=lambda _method, _now: Response(PAGE, headers=page))

    def redirects(self, reach: Reach = ENDLESS, *, host: str = ELSEWHERE) -> None:
        """Nothing is done, and 301 points to another host."""
        self._begin(reach, Kind.INSTEAD, answer=lambda method, _now: moved(f"https://{host}/", method))

    def answers_nonsense(self, reach: Reach = ENDLESS) -> None:
        """What was asked for is done, and the body is no JSON."""
        self._begin(reach, Kind.GARBLED, garble=lambda _: NONSENSE)

    def answers_nan(self, reach: Reach = ENDLESS) -> None:
        """What was asked for is done, and every number of the answer is NaN."""
        self._begin(reach, Kind.GARBLED, garble=_without_numbers)

    def answers_too_much(self, reach: Reach = ENDLESS, *, size_bytes: int = LARGE_BYTES) -> None:
        """What was asked for is done, and the body is as it should be, but for as many spaces behind it."""
        self._begin(reach, Kind.GARBLED, garble=lambda body: body + b" " * size_bytes)

    def answers_401(self, reach: Reach = ENDLESS) -> None:
        """Whatever shows a token is told that it is too old, and new tokens do not help."""
        self._refuse(reach, lambda _: refusals.token_expired(), with_token=True)

    def answers_403(self, reach: Reach = ENDLESS) -> None:
        """What an installer may do is refused as if the role were too low."""
        names = frozenset(name.lower() for name in self.device.personality.installer_only)
        self._refuse(reach, refusals.no_access, names=names)

    def answers_429(self, reach: Reach = ENDLESS, *, retry_after: bool = False) -> None:
        """Logins are refused; with a Retry-After header that counts down if asked for, which wants a duration."""
        until = self._until(reach)

        def answer(_method: str, now: datetime) -> Response:
            response = refused(refusals.too_many_logins())
            if retry_after and until is not None:
                response.headers["retry-after"] = str(math.ceil((until - now).total_seconds()))
            return response

        self._begin(reach, Kind.INSTEAD, names=frozenset({LOGIN}), answer=answer)

    def answers_500(self, reach: Reach = ENDLESS) -> None:
        """Logins and stops are refused because the wizard cannot start, whoever asks and whatever flows."""
        names = frozenset({LOGIN, *STOPS})
        self._refuse(reach, lambda _: refusals.cannot_start_wizard(), names=names)

    def answers_502(self, reach: Reach = ENDLESS) -> None:
        """Everything is refused without a body."""
        self._refuse(reach, lambda _: refusals.stopped())

    def applies_but_answers_502(self, reach: Reach = ENDLESS) -> None:
        """What was asked for is done, and the answer is a 502 without a body, as of a proxy whose server went away."""
        self._begin(reach, Kind.OTHERWISE)

    def answers_503(self, reach: Reach = ENDLESS) -> None:
        """Everything is refused because somebody else configures."""
        self._refuse(reach, lambda _: refusals.busy())

    def behaves_again(self) -> None:
        """Nothing goes wrong any more. What has happened, such as a stop or a new certificate, stays so."""
        device = self.device
        kept = device.mischief.certificate
        device.mischief = Mischief(one_step_late=device.personality.one_step_late, certificate=kept)
        # An outage has happened like a stop: it still ends when it was to end.
        device.ends = {what: until for what, until in device.ends.items() if what == GRID}

    def _refuse(
        self,
        reach: Reach,
        refusal: Callable[[str], Refusal],
        *,
        names: frozenset[str] | None = None,
        with_token: bool = False,
    ) -> None:
        self._begin(
            reach,
            Kind.INSTEAD,
            names=names,
            with_token=with_token,
            answer=lambda method, _now: refused(refusal(method)),
        )

    def _begin(self, reach: Reach, kind: Kind, **more: Any) -> None:
        """Let a trouble begin. A path in its reach stands above what it is about by itself."""
        if reach.path is not None:
            more["names"] = frozenset({reach.path.lower()})
        trouble = Trouble(kind=kind, until=self._until(reach), left=reach.requests, **more)
        self.device.mischief.troubles.append(trouble)

    def _until(self, reach: Reach) -> datetime | None:
        return None if reach.lasting is None else self.device.now() + reach.lasting

    def _habit(
        self, habit: str, lasting: timedelta | None, *, after: Callable[[], bool] = lambda: False
    ) -> None:
        """Give the gateway a habit, and the value that it has ``after`` so long; without a duration it stays."""
        setattr(self.device.mischief, habit, True)
        self._last(habit, lasting, lambda: setattr(self.device.mischief, habit, after()))

    def _last(self, what: str, lasting: timedelta | None, end: Callable[[], None]) -> None:
        """Let ``end`` happen after so long, or never. If the same was begun more than once, only the latest end counts."""
        device = self.device
        until = NEVER if lasting is None else device.now() + lasting
        device.ends[what] = max(until, device.ends.get(what, until))

        def end_if_due() -> None:
            if device.ends.get(what) == until:
                del device.ends[what]
                end()

        if until < NEVER:
            device.later(until, end_if_due)


def _without_numbers(body: bytes) -> bytes:
    """The same JSON with NaN, which is none of JSON's words, for each number."""
    return json.dumps(_unnumbered(json.loads(body)), separators=(",", ":")).encode()


def _unnumbered(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _unnumbered(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_unnumbered(inner) for inner in value]
    return math.nan if isinstance(value, int | float) and not isinstance(value, bool) else value
