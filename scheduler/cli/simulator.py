"""`simulator`: the simulated gateway on its own, for people and for other people's clients."""

from __future__ import annotations

import asyncio
import errno
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from scheduler.cli.common import Exit, JsonOption, StateOption, fail, print_json, say, users_state_dir
from scheduler.model.errors import SchedulerError
from scheduler.model.firmware import SIMULATED

if TYPE_CHECKING:
    from scheduler.simulator.device import SimulatedGateway
    from scheduler.simulator.server import Served


HttpPortOption = Annotated[
    int | None,
    typer.Option(
        help="A port for plain HTTP: firmware 1.15 answers there, later firmware sends to HTTPS.",
        min=0,
        max=65535,
    ),
]
ListOption = Annotated[
    bool, typer.Option("--list-scenarios", help="Print what --scenario takes and what that does, and end.")
]
ChargeOption = Annotated[
    float,
    typer.Option(help="The battery's charge at the start, in percent as the app shows it.", min=0, max=100),
]
DirectoryOption = Annotated[
    Path | None,
    typer.Option(help="Where its certificate and key are kept; else 'simulator' in the state directory."),
]


def simulator(
    *,
    firmware: Annotated[
        str, typer.Option(help=f"Which firmware it behaves like: {', '.join(SIMULATED)}.")
    ] = SIMULATED[0],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="The port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8443,
    http_port: HttpPortOption = None,
    serial: Annotated[str, typer.Option(help="Its serial; passwords follow from it.")] = "T123456789",
    scenario: Annotated[
        list[str] | None,
        typer.Option(help='What goes wrong, such as "offline for 15 minutes at 16:05". May be repeated.'),
    ] = None,
    list_scenarios: ListOption = False,
    timezone: Annotated[str, typer.Option(help="Where the house stands.")] = "America/Los_Angeles",
    charge: ChargeOption = 50.0,
    directory: DirectoryOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Run the simulated gateway until it is interrupted."""
    from scheduler.daemon.clock import SystemClock
    from scheduler.simulator.device import SimulatedGateway
    from scheduler.simulator.house import raw_percent
    from scheduler.simulator.personality import personality
    from scheduler.simulator.scenario import apply_scenario, known_sentences

    if list_scenarios:
        _print_scenarios(known_sentences(), as_json=json)
        return
    ports = _Ports(host=host, https=port, http=http_port)
    try:
        device = SimulatedGateway(
            now=SystemClock().now,
            personality=personality(firmware),
            zone=_zone(timezone),
            serial=_serial(serial),
            charge_raw_percent=raw_percent(charge),
        )
        for sentence in scenario or ():
            apply_scenario(device, sentence)
        kept = directory or (state or users_state_dir()) / "simulator"
        asyncio.run(_serve(device, ports, kept, as_json=json))
    except SchedulerError as problem:
        fail(str(problem), Exit.USAGE)
    except OSError as problem:
        fail(_sentence(problem, ports), Exit.USAGE)


def _serial(serial: str) -> str:
    if not re.fullmatch("[A-Za-z0-9]{6,20}", serial):
        fail("--serial is 6 to 20 letters and digits, like T123456789", Exit.USAGE)
    return serial


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        fail(f"there is no time zone {name!r}; write it as America/Los_Angeles", Exit.USAGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ports:
    """Where to listen."""

    host: str
    https: int
    http: int | None

    def __str__(self) -> str:
        if self.http is None:
            return f"port {self.https} of {self.host}"
        return f"port {self.https} or {self.http} of {self.host}"


def _print_scenarios(meanings: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "schema": "tou-scheduler/scenarios",
                "version": 1,
                "sentences": list(meanings),
                "meanings": meanings,
            }
        )
    else:
        print("\n".join(f"{sentence}\n    {meaning}" for sentence, meaning in meanings.items()))


def _sentence(problem: OSError, ports: _Ports) -> str:
    if problem.filename is not None:
        return f"cannot use {problem.filename}: {problem.strerror}; choose another place with --directory"
    options = "--port" if ports.http is None else "--port or --http-port"
    if problem.errno == errno.EADDRINUSE:
        return f"{ports} is taken; end the program that has it or choose another with {options}"
    # Python's words behind the bracket would say host and port once more.
    reason = (problem.strerror or "unknown reason").partition(" (")[0]
    return f"cannot listen on {ports}: {reason}; choose others with --host and {options}"


async def _serve(device: SimulatedGateway, ports: _Ports, directory: Path, *, as_json: bool) -> None:
    from scheduler.simulator.server import serving

    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    async with serving(
        device, host=ports.host, port=ports.https, http_port=ports.http, directory=directory
    ) as served:
        plain = "" if served.http_port is None else f" (plain HTTP on port {served.http_port})"
        say(
            f"Simulated gateway {device.firmware} at {served.url}{plain}, certificate {served.certificate}"
            f" (SHA-256 {served.sha256}), installer's password {device.sessions.installer_password},"
            f" customer's password {device.sessions.customer_password}; Ctrl+C ends it."
        )
        if as_json:
            print_json(_document(device, served))
            sys.stdout.flush()
        await ended.wait()


def _document(device: SimulatedGateway, served: Served) -> dict[str, str | int | None]:
    return {
        "schema": "tou-scheduler/simulator",
        "version": 1,
        "firmware": device.firmware,
        "url": served.url,
        "http_port": served.http_port,
        "certificate": str(served.certificate),
        "sha256": served.sha256,
        "installer_password": device.sessions.installer_password,
        "customer_password": device.sessions.customer_password,
    }
