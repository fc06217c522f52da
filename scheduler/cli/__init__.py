"""One verb per file, thin: words in, exit code out. The work is done below."""

from __future__ import annotations

import typer

from scheduler.cli.demo import demo
from scheduler.cli.explain import explain
from scheduler.cli.history import history
from scheduler.cli.once import once
from scheduler.cli.plan import plan
from scheduler.cli.run import run
from scheduler.cli.schema import schema
from scheduler.cli.simulator import simulator
from scheduler.cli.status import status
from scheduler.cli.trust import trust
from scheduler.cli.validate import validate
from scheduler.cli.version import version

VERBS = (validate, plan, explain, run, once, status, history, trust, simulator, demo, schema, version)
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
    )
    for verb in VERBS:
        app.command()(verb)
    return app


def main() -> None:
    """The entry point of the `tou-scheduler` command."""
    build()()
