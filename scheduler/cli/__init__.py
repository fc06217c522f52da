"""One verb per file, thin: words in, exit code out. The work is done below."""

from __future__ import annotations

import errno
import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from scheduler import __version__
from scheduler.cli.common import Exit, say, say_all
from scheduler.cli.extras import spare_extras

VERBS = (
    "validate",
    "plan",
    "explain",
    "run",
    "once",
    "hold",
    "resume",
    "status",
    "history",
    "firmware",
    "trust",
    "doctor",
    "inspect",
    "sitemaster",
    "simulator",
    "demo",
    "rehearse",
    "schema",
    "version",
    "service",
)
"""In the order in which a person needs them: each is a function, or a command line of its own, in the module of its name."""


def build(*verbs: str) -> typer.Typer:
    """The command line with these verbs, or with all of them where none is named.

    A daemon that runs for years would else keep every other verb in its memory, and each start would wait for all of them.
    """
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
    for name in verbs or VERBS:
        verb = getattr(import_module(f"scheduler.cli.{name}"), name)
        if isinstance(verb, typer.Typer):
            app.add_typer(verb, name=name)
        else:
            app.command()(verb)
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
    spare_extras()
    try:
        try:
            build(*(verb for verb in VERBS if verb in sys.argv[1:2]))()
        finally:
            sys.stdout.flush()
    except OSError as error:
        if error.errno != errno.ENOSPC or error.filename is not None:
            raise
        say(f"error: the output could not be written: {error.strerror}")
        os._exit(Exit.NO)  # Python would try to write it once more, and print a traceback
