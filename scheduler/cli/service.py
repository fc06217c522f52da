"""`service`: set the daemon up under systemd, look at it, give it another password, take it away."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from scheduler.cli.common import Exit, fail, say
from scheduler.cli.service_state import RootOption, logs, places_below, status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.app.manager import State
    from scheduler.app.places import Places
    from scheduler.app.step import Step

service = typer.Typer(no_args_is_help=True, help="Set the daemon up under systemd, look at it, take it away.")
service.command()(status)
service.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(logs)

DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Print every file and every command, and do nothing. Needs no root.")
]
HostOption = Annotated[
    str | None,
    typer.Option(
        "--host", help="The gateway's name or address, for the example configuration; else it is asked for."
    ),
]


_IN_PLACE = "everything is in place already; nothing was changed"
_NOT_HERE = "there is no service here; nothing was changed"


@service.command()
def install(
    *,
    host: HostOption = None,
    start: Annotated[
        bool, typer.Option("--start", help="Start it now, and not only at the next boot.")
    ] = False,
    dry_run: DryRunOption = False,
    root: RootOption = None,
) -> None:
    """Write the unit, an example configuration where there is none, and the gateway's password; start it at each boot.

    Asks for the password, at a terminal or as one line of its input, unless it is kept already. Run again it changes only what
    has become another.
    """
    from scheduler.app import password
    from scheduler.app.installation import install as plan

    places = places_below(root)
    program, hidden = _program()
    host = _checked(host) if host is not None else None
    if dry_run:
        if hidden is not None:
            say(f"note: {hidden}")
        nothing_kept = not (places.encrypted.exists() or places.plain.exists())
        secret = password.shown(places) if nothing_kept else []
        _show(plan(places, program, _seen(), host=host, secret=secret, start=start), _IN_PLACE)
        return
    if hidden is not None and root is None:
        fail(hidden, Exit.USAGE)
    state = _own(places, root, "install")
    if places.configuration.exists():
        if host is not None:
            say(f"{places.configuration} is there already and stays as it is: --host was not written into it")
    elif host is None:
        host = _asked_host()
    secret = _secret(places)
    steps = plan(places, program, state, host=host, secret=secret, start=start)
    _take(steps, _IN_PLACE)
    _say_next(places, started=start or state.is_active)


@service.command()
def uninstall(
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove configuration, certificate, password and memory, too.")
    ] = False,
    dry_run: DryRunOption = False,
    root: RootOption = None,
) -> None:
    """Stop the service and remove it. What you wrote and what it remembers is kept, unless --purge."""
    from scheduler.app.installation import left
    from scheduler.app.installation import uninstall as plan

    places = places_below(root)
    if dry_run:
        _show(plan(places, _seen(), purge=purge), _NOT_HERE)
        return
    steps = plan(places, _own(places, root, "uninstall"), purge=purge)
    _take(steps, _NOT_HERE)
    kept = left(places)
    if kept:
        say(
            f"kept: {', '.join(map(str, kept))}; `sudo tou-scheduler service uninstall --purge` removes that, too"
        )
    if steps:
        say("the gateway keeps the mode and the reserve that it has now")


@service.command("password")
def change_password(*, root: RootOption = None) -> None:
    """Give the service another password of the gateway; a service that runs is started anew with it.

    Asks for it at a terminal, or takes one line of its input.
    """
    from scheduler.app import password
    from scheduler.app.installation import change_password as plan

    places = places_below(root)
    state = _own(places, root, "password")
    secret = password.steps(places, _asked_password(), fresh=True)
    _take(plan(places, state, secret), _IN_PLACE)


def _program() -> tuple[Path, str | None]:
    """This program as systemd can start it, and why the service cannot have it if it lies where that may not look."""
    from scheduler.app.places import kept_from_service, stable

    called = shutil.which(sys.argv[0])  # a shell and sudo give the whole path
    if called is None or Path(called).name != "tou-scheduler":
        fail("how this program was called does not tell where it is; call it as `tou-scheduler`", Exit.USAGE)
    program = stable(Path(called).absolute())
    hidden = kept_from_service(program, Path(sys.executable))
    if hidden is None:
        return program, None
    return program, (
        "the service may not look into people's folders, and this program or its Python is in one: "
        f"{hidden}; `sudo make install` puts it below /opt"
    )


def _seen() -> State:
    """The service as systemd sees it; as if there were none where systemd cannot be asked."""
    from scheduler.app.command import CommandFailed
    from scheduler.app.manager import State, look

    try:
        return look()
    except CommandFailed:
        return State({})


def _own(places: Places, root: Path | None, verb: str) -> State:
    """The service as systemd sees it, for root who is about to change it."""
    from scheduler.app.command import CommandFailed
    from scheduler.app.manager import look

    if root is None and os.geteuid() != 0:
        fail(f"this takes root: sudo tou-scheduler service {verb}", Exit.USAGE)
    if not places.booted.is_dir():
        fail(
            "systemd does not run this system; under whatever does, have it run `tou-scheduler run --stay`",
            Exit.USAGE,
        )
    try:
        return look()
    except CommandFailed as error:
        fail(str(error), Exit.NO)


def _checked(host: str) -> str:
    from scheduler.config.words import WordError
    from scheduler.config.words import host as read

    try:
        read(host)
    except WordError as error:
        fail(f"--host: {error}", Exit.USAGE)
    return host


def _asked_host() -> str | None:
    """What a person at a terminal says; None if nobody is there."""
    from scheduler.config.words import WordError
    from scheduler.config.words import host as read

    def host(text: str) -> str:
        try:
            read(text)
        except WordError as error:
            raise typer.BadParameter(str(error)) from None
        return text

    if not sys.stdin.isatty():
        return None
    answer: str = typer.prompt(
        "The gateway's name or address", default="powerwall", value_proc=host, err=True
    )
    return answer


def _secret(places: Places) -> list[Step]:
    """The steps for the password: the one that is kept, or else the one that a person gives."""
    from scheduler.app import password
    from scheduler.config.credential import Locked
    from scheduler.model.errors import StoreError

    try:
        kept = password.kept(places)
    except Locked as error:
        say(f"{error}; it is asked for once more")
        kept = None
    except StoreError as error:
        fail(str(error), Exit.NO)
    if kept is None or password.problem(kept) is not None:
        return password.steps(places, _asked_password(), fresh=True)
    return password.steps(places, kept, fresh=False)


def _asked_password() -> bytes:
    """The gateway's password, typed unseen at a terminal, or one line of what is piped in."""
    from getpass import getpass

    from scheduler.app import password

    if sys.stdin.isatty():
        given = getpass("The gateway's password (nothing is shown): ").encode()
    else:
        given = sys.stdin.buffer.readline(password.LONGEST_BYTES + 2).rstrip(b"\r\n")
    problem = password.problem(given)
    if problem is not None:
        fail(f"{problem}; nothing was changed", Exit.USAGE)
    return given


def _show(steps: Sequence[Step], nothing: str) -> None:
    """Print what would be done, in full."""
    if not steps:
        say(nothing)
    for step in steps:
        print(step)
        for line in step.details():
            print(f"    {line}".rstrip())


def _take(steps: Sequence[Step], nothing: str) -> None:
    """Take the steps in their order, and say each."""
    from scheduler.model.errors import SchedulerError

    for step in steps:
        say(str(step))
        try:
            step.take()
        except SchedulerError as error:
            _fail_at(error)
    if not steps:
        say(nothing)


def _fail_at(error: Exception) -> NoReturn:
    fail(f"{error}; what came before is done, and the command can be run again", Exit.NO)


def _say_next(places: Places, *, started: bool) -> None:
    """What is left to a person to do."""
    from scheduler.config.load import load
    from scheduler.config.problems import ConfigurationError

    file = places.configuration
    steps = [f"edit {file}: your tariff and rules; `sudo tou-scheduler validate {file}` checks it"]
    try:
        gateway = load(file, environ={}, secret_directories=()).gateway
    except ConfigurationError as error:
        steps = [f"mend {file}: {error.summary}", "sudo tou-scheduler trust"]
    else:
        if gateway.type == "local" and not os.path.exists(gateway.certificate):  # noqa: PTH110 - Path's raises if one may not look there
            steps.append("sudo tou-scheduler trust: look at the gateway's certificate, at home, and save it")
    steps.append("sudo tou-scheduler doctor: tries the way to the gateway, and the password")
    if not started:
        steps.append("sudo systemctl start tou-scheduler")
    say("next:")
    for step in steps:
        say(f"  {step}")
