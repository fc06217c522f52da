"""`once`: bring the gateway to what should be now, and stop."""

from __future__ import annotations

from typing import Any

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    StateOption,
    config_path,
    fail,
    fail_for,
    load_or_fail,
    print_json,
    state_dir,
)
from scheduler.model.errors import SchedulerError
from scheduler.model.evidence import Verdict
from scheduler.model.setpoint import Setpoint


def once(*, config: ConfigOption = None, state: StateOption = None, json: JsonOption = False) -> None:
    """Bring the gateway to what should be now, prove it, and stop."""
    from scheduler.app.once import once as bring
    from scheduler.control.calloff import CalledOff
    from scheduler.daemon.process import run_until_told
    from scheduler.observe.logs import configure

    configuration = load_or_fail(config_path(config))
    directory, zone = state_dir(state), configuration.schedule.zone
    configure()
    try:
        record = run_until_told(lambda stop: bring(configuration, directory, stop=stop))
    except CalledOff as error:
        fail(str(error), Exit.UNVERIFIED if error.left is None else Exit.UNREACHABLE)
    except SchedulerError as error:
        fail_for(error)
    document = record.document(zone)
    if json:
        print_json(document)
    else:
        show(document)
    raise typer.Exit(code_of(record.verdict))


def code_of(verdict: Verdict) -> Exit:
    """The exit code for a verdict."""
    if verdict.good:
        return Exit.FINE
    return {Verdict.REFUSED: Exit.REFUSED, Verdict.UNREACHABLE: Exit.UNREACHABLE}.get(
        verdict, Exit.UNVERIFIED
    )


def show(document: dict[str, Any]) -> None:
    """One evidence record for a person: the verdict, what was asked and read, and each exchange."""
    print(f"{document['verdict']}: {document['message']}")
    print(f"  asked   {words(document['desired'])} ({', '.join(document['rules'])})")
    print(f"  before  {words(document['before'])}")
    print(f"  after   {words(document['after'])}")
    for step in document["steps"]:
        print(f"  {step['step']:<20} {step['status'] or 'no answer':<10} {step['ms']:>6} ms")


def words(setpoint: dict[str, Any] | None) -> str:
    """A setpoint of a document, for a person."""
    if setpoint is None:
        return "not read"
    return str(Setpoint(**setpoint))
