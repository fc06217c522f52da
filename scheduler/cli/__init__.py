"""One verb per file, thin: words in, exit code out. The work is done below."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from scheduler import __version__
from scheduler.cli.common import Exit, say, say_all
from scheduler.cli.demo import demo
from scheduler.cli.doctor import doctor
from scheduler.cli.explain import explain
from scheduler.cli.firmware import firmware
from scheduler.cli.history import history
from scheduler.cli.inspect import inspect
from scheduler.cli.once import once
from scheduler.cli.plan import plan
from scheduler.cli.run import run
from scheduler.cli.schema import schema
from scheduler.cli.service import service
from scheduler.cli.simulator import simulator
from scheduler.cli.sitemaster import sitemaster
from scheduler.cli.status import status
from scheduler.cli.trust import trust
from scheduler.cli.validate import validate
from scheduler.cli.version import version

VERBS = (
    validate,
    plan,
    explain,
    run,
    once,
    status,
    history,
    firmware,
    trust,
    doctor,
    inspect,
    sitemaster,
    simulator,
    demo,
    schema,
    version,
)
"""In the order in which a person needs them."""


def build() -> typer.Typer:
    """The command line with all its verbs."""
    app = typer.Typer(
        name="tou-scheduler",
        help="Runs a Tesla Powerwall by the clock of the electricity tariff and proves every switch.",
        no_args_is_help=True,
        add_completion=False,
        # A traceback is for a bug of ours; a pretty one would print local variables, passwords among them.
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for verb in VERBS:
        app.command()(verb)
    app.add_typer(service, name="service")
    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"tou-scheduler {__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """What stands before any verb."""


def main() -> None:
    """The entry point of the `tou-scheduler` command."""
    say_all()
    try:
        try:
            build()()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        say(f"error: the output could not be written: {error.strerror}")
        os._exit(Exit.NO)  # Python would try to write it once more, and print a traceback
