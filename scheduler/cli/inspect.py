"""`inspect`: read any documented call of the gateway, and bundle what helps to find a fault. Secrets are hidden."""

from __future__ import annotations

import difflib
import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from scheduler.cli.common import (
    ConfigOption,
    Exit,
    JsonOption,
    StateOption,
    config_path,
    fail,
    fail_called_off,
    fail_for,
    load_or_fail,
    print_json,
    say,
    say_doubt,
    state_dir,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.app.inspect import Answer, Look
    from scheduler.config.configuration import Configuration
    from scheduler.gateway.calls import Call
    from scheduler.model.errors import GatewayError


_MAKERS = "solars/brands"
"""The call that lists what its own kind of call wants to be told."""


def inspect(
    name: Annotated[
        str | None, typer.Argument(help="A call that only tells, such as system_status/soe; see --list.")
    ] = None,
    *,
    show_list: Annotated[bool, typer.Option("--list", help="Print the documented calls, and end.")] = False,
    show_all: Annotated[bool, typer.Option("--all", help="Read all calls that only tell.")] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(help="With --all: write what was read, and our own records, into this file."),
    ] = None,
    no_login: Annotated[
        bool, typer.Option("--no-login", help="Read only what is told to everybody.")
    ] = False,
    config: ConfigOption = None,
    state: StateOption = None,
    json: JsonOption = False,
) -> None:
    """Read what the gateway tells, with serial numbers, addresses and secrets hidden. Never writes to it.

    A login is made where a call wants one. As installer on firmware up to 1.49 that stops the battery for a moment.
    """
    if sum((name is not None, show_list, show_all)) != 1:
        fail("say one of NAME, --list and --all", Exit.USAGE)
    if bundle is not None and not show_all:
        fail("--bundle goes with --all", Exit.USAGE)
    if show_list:
        _print_calls(as_json=json)
        return
    calls = _wanted(name)
    if bundle is not None:
        _check_place(bundle)
    configuration = load_or_fail(config_path(config))
    directory = state_dir(state)
    seen = _look(configuration, directory, calls, login=not no_login, whatever=not show_all)
    if bundle is not None:
        _write(bundle, configuration, directory, seen)
    elif json or show_all:
        _print_look(configuration, seen, as_json=json)
    else:
        _print_one(configuration, seen.answers[0])
    raise typer.Exit(_conclude(seen, alone=not show_all))


def _print_calls(*, as_json: bool) -> None:
    from scheduler.gateway.calls import CALLS

    if as_json:
        rows = [
            {
                "path": call.path,
                "verb": call.method,
                "acts": call.acts,
                "login": _login_words(call),
                "firmware": call.firmware,
                "about": call.about,
            }
            for call in CALLS
        ]
        print_json({"schema": "tou-scheduler/calls", "version": 1, "calls": rows})
        return
    width = max(len(call.path) for call in CALLS)
    print(f"{'path':<{width}}  verb  login        firmware        meaning")
    for call in CALLS:
        acts = " (acts: not for inspect)" if call.acts else ""
        print(
            f"{call.path:<{width}}  {call.method:<4}  {_login_words(call):<11}  {call.firmware:<14}  {call.about}{acts}"
        )


def _login_words(call: Call) -> str:
    from scheduler.gateway.calls import ALWAYS

    if call.login_since is None:
        return "never"
    return "always" if call.login_since == ALWAYS else "since {}.{}".format(*call.login_since)


def _wanted(name: str | None) -> Sequence[Call]:
    """The calls to ask; a name that is none ends the program with the nearest ones."""
    from scheduler.gateway.calls import find, readable

    if name is None:
        return readable()
    call = find(name)
    if call is None:
        _fail_for_name(name)
    return (call,)


def _fail_for_name(name: str) -> NoReturn:
    from scheduler.gateway.calls import CALLS, NAME, readable

    wanted = name.strip().strip("/").removeprefix("api/")
    if wanted in {call.name for call in CALLS if call.acts}:
        fail(f"{name} changes something, and inspect only reads; --list shows what it can read", Exit.USAGE)
    if NAME in wanted:
        fail(
            f"put one of those that `tou-scheduler inspect {_MAKERS}` lists in the place of {NAME}",
            Exit.USAGE,
        )
    near = _near(wanted.lower(), [call.name for call in readable()])
    hint = f"did you mean {' or '.join(near)}?" if near else "--list shows those that are"
    fail(f"{name!r} is not a documented call; {hint}", Exit.USAGE)


def _near(wanted: str, names: Sequence[str]) -> list[str]:
    """At most three names that a person may mean: first those that end so, whatever the case, then those like it."""
    ends = [name for name in names if f"/{name}".endswith(f"/{wanted}")]
    return list(dict.fromkeys([*ends, *difflib.get_close_matches(wanted, names, n=3)]))[:3]


def _check_place(bundle: Path) -> None:
    """Before the gateway is asked for anything; `write_bundle` has the last word."""
    if bundle.exists():
        fail(f"{bundle} is there already, and nothing is written over it; choose another name", Exit.USAGE)
    if not bundle.parent.is_dir():
        fail(f"there is no folder {bundle.parent} to write {bundle.name} into", Exit.USAGE)


def _look(
    configuration: Configuration, directory: Path, calls: Sequence[Call], *, login: bool, whatever: bool
) -> Look:
    from scheduler.app.inspect import look
    from scheduler.app.visit import Interrupted
    from scheduler.daemon.process import run_until_told
    from scheduler.model.errors import SchedulerError
    from scheduler.observe.logs import configure

    configure()
    try:
        return run_until_told(
            lambda stop: look(
                configuration, directory, calls, stop=stop, login=login, whatever=whatever, doubt=say_doubt
            )
        )
    except Interrupted as error:
        fail_called_off(error)
    except SchedulerError as error:
        fail_for(error)


def _print_one(configuration: Configuration, answer: Answer) -> None:
    if answer.error is None:
        print_json(_hide(answer.value, configuration))


def _print_look(configuration: Configuration, seen: Look, *, as_json: bool) -> None:
    document = {
        "schema": "tou-scheduler/inspect",
        "version": 1,
        "firmware": seen.firmware,
        "login_stopped_battery": seen.restarted,
        "answers": [answer.document() for answer in seen.answers],
    }
    shown = _hide(document, configuration)
    if as_json:
        print_json(shown)
        return
    for answer in shown["answers"]:
        status = "no answer" if answer["status"] is None else answer["status"]
        took = "not asked" if answer["ms"] is None else f"{status}, {answer['ms']} ms"
        print(f"{answer['path']} ({took})")
        if answer["error"] is None:
            print_json(answer["answer"])
        else:
            print(f"  {answer['error']}")


def _write(path: Path, configuration: Configuration, directory: Path, seen: Look) -> None:
    from scheduler.app.inspect import bundle, write_bundle
    from scheduler.daemon.clock import SystemClock
    from scheduler.model.errors import StoreError

    document = _hide(bundle(configuration, directory, seen, SystemClock().now()), configuration)
    try:
        text = jsonlib.dumps(document, indent=2, ensure_ascii=False) + "\n"
        # Half a character, which UTF-8 has not, stands there as its escape: that is JSON, too.
        write_bundle(path, text.encode(errors="backslashreplace"))
    except StoreError as error:
        fail(str(error), Exit.USAGE)
    say(f"saved: {path}; look it through before you give it to anybody")


def _hide(document: Any, configuration: Configuration) -> Any:
    from scheduler.app.inspect import known_of
    from scheduler.gateway.redact import hidden

    return hidden(document, known_of(configuration))


def _conclude(seen: Look, *, alone: bool) -> Exit:
    """Say what went wrong, and whether the battery was touched; the exit code. An error of one call among all is a finding."""
    from scheduler.model.errors import Throttled

    if seen.restarted and seen.trouble is None:
        say("the login stopped the battery for a moment; it runs again")
    if seen.trouble is not None:
        say(f"error: {seen.trouble}")
        return _code(seen.trouble, answered=False)
    answer = seen.answers[0]
    if alone and answer.error is not None:
        said = "no answer" if answer.status is None else answer.status
        say(f"error: {answer.call.path} ({said}): {answer.error}")
        if isinstance(answer.error, Throttled):
            say("`tou-scheduler inspect --all` reads everything with one login")
        if answer.status == 404 and answer.call.name.startswith(f"{_MAKERS}/"):  # noqa: PLR2004 - reads best as a number
            say(f"`tou-scheduler inspect {_MAKERS}` lists the makers that it knows")
        return _code(answer.error, answered=answer.status is not None)
    return Exit.FINE


def _code(error: GatewayError, *, answered: bool) -> Exit:
    from scheduler.app.installing import Installing
    from scheduler.model.errors import Refused

    if isinstance(error, Refused):
        return Exit.REFUSED
    if isinstance(error, Installing):
        return Exit.UNREACHABLE  # what it answered was that it wants a login, and none is made
    return Exit.NO if answered else Exit.UNREACHABLE
