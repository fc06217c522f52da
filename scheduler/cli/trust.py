"""`trust`: show the gateway's certificate, and save it once a person says that it is the right one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from scheduler.cli.common import ConfigOption, Exit, JsonOption, config_path, fail, print_json, say
from scheduler.gateway.pin import address, parse_fingerprint, read_fingerprint, spell
from scheduler.model.errors import GatewayError, Refused

if TYPE_CHECKING:
    from scheduler.gateway.certificate import Certificate

_PORT = 443
_SERVER_NAME = "powerwall"
_FILE = "powerwall.pem"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the gateway is, and where its certificate is to be kept."""

    host: str
    port: int
    server_name: str | None
    file: Path


def trust(
    host: Annotated[str | None, typer.Argument(help="The gateway; else the configuration's.")] = None,
    *,
    port: Annotated[int | None, typer.Option(min=1, max=65535, help="Its port; else 443.")] = None,
    server_name: Annotated[
        str | None, typer.Option(help="The name to ask it for: teg, powerwall or powerpack; '' for none.")
    ] = None,
    config: ConfigOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Trust what is shown, without asking.")] = False,
    fingerprint: Annotated[
        str | None, typer.Option(help="Trust exactly the certificate with this SHA-256, without asking.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show it and save nothing.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Put it in the place of another one.")] = False,
    out: Annotated[
        Path | None, typer.Option(help="The file to save it in; else the configuration's.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Show the gateway's certificate and save it, so that only this gateway is ever talked to.

    Do this once, at home, on a network that you trust.
    """
    from scheduler.daemon import process
    from scheduler.gateway.certificate import fetch
    from scheduler.gateway.reach import NoWay

    if show and (yes or replace):
        fail("--show saves nothing: leave out --yes and --replace, or --show", Exit.USAGE)
    wanted = _wanted(fingerprint)
    place = _place(host, port, server_name, config, out)
    try:
        shown = process.run(fetch(place.host, place.port, place.server_name))
    except NoWay as error:
        fail(f"{error}; {error.remedy if host is None else _for_words(error.remedy)}", Exit.UNREACHABLE)
    except GatewayError as error:
        fail(str(error), Exit.REFUSED if isinstance(error, Refused) else Exit.UNREACHABLE)
    saved = _saved_fingerprint(place.file)
    _present(shown, place, saved)
    if wanted is not None and shown.fingerprint != wanted:
        fail("this is not the certificate with that fingerprint; nothing was saved", Exit.REFUSED)
    outcome = "shown" if show else _settle(shown, place, agreed=yes or wanted is not None, replace=replace)
    if json:
        print_json(_document(shown, place, outcome, saved))


def _for_words(remedy: str) -> str:
    """What to do, for who gave the gateway on the command line and not in a file."""
    words = {"gateway.host": "HOST", "gateway.port": "--port", "gateway.server_name": "--server-name"}
    for key, word in words.items():
        remedy = remedy.replace(key, word)
    return remedy


def _wanted(fingerprint: str | None) -> bytes | None:
    if fingerprint is None:
        return None
    try:
        return parse_fingerprint(fingerprint)
    except ValueError as error:
        fail(f"--fingerprint: {error}", Exit.USAGE)


def _place(
    host: str | None, port: int | None, server_name: str | None, config: Path | None, out: Path | None
) -> _Place:
    """What the command line says, completed from the configuration; read only if something is missing."""
    name = _SERVER_NAME if server_name is None else _named(server_name) or None
    if host is not None:
        host, port = _address(host, port)
        if out is not None or not config_path(config).exists():
            return _Place(host=host, port=port or _PORT, server_name=name, file=out or Path(_FILE))
    known = _configured(config_path(config), wants_gateway=host is None)
    if host not in {None, known.host}:  # the file's port is that of its own gateway
        port = port or _PORT
    return _Place(
        host=host or known.host,
        port=port or known.port,
        server_name=known.server_name if server_name is None else name,
        file=out or known.file,
    )


def _named(server_name: str) -> str:
    """The server name as in the configuration; '' for none."""
    from scheduler.config.words import WordError
    from scheduler.config.words import server_name as read

    try:
        return read(server_name)
    except WordError as error:
        fail(f"--server-name: {error}", Exit.USAGE)


def _address(host: str, port: int | None) -> tuple[str, int | None]:
    """HOST as in the configuration: a name or an address, perhaps with a port."""
    from scheduler.config.words import WordError
    from scheduler.config.words import host as read

    try:
        name, its_port = read(host)
    except WordError as error:
        fail(f"HOST: {error}", Exit.USAGE)
    return name, port or its_port


def _configured(path: Path, *, wants_gateway: bool) -> _Place:
    """The gateway of a configuration; its certificate need not exist yet. ``wants_gateway``: it must be a real one."""
    from scheduler.config.load import load
    from scheduler.config.problems import ConfigurationError, render

    try:
        gateway = load(path).gateway
    except ConfigurationError as error:
        say(render(error.problems))
        fail("the configuration cannot be used; without one, give HOST and --out FILE", Exit.USAGE)
    if wants_gateway and gateway.type == "simulated":
        fail(
            "the gateway of this configuration is simulated, and trusted as it is; give HOST for another one",
            Exit.USAGE,
        )
    return _Place(
        host=gateway.host,
        port=gateway.port,
        server_name=gateway.server_name or None,
        file=gateway.certificate,
    )


def _present(shown: Certificate, place: _Place, saved: bytes | None) -> None:
    say(f"the certificate of {address(place.host, place.port)}")
    say(f"  subject      {shown.subject or '(empty)'}")
    say(f"  names        {', '.join(shown.names) or '(none)'}")
    say(f"  valid        {shown.not_before:%Y-%m-%d} to {shown.not_after:%Y-%m-%d}")
    say(f"  SHA-256      {spell(shown.fingerprint)}")
    if saved is not None:
        what = "the same" if saved == shown.fingerprint else f"another, SHA-256 {spell(saved)}"
        say(f"  saved        {place.file}: {what}")
    elif place.file.exists():
        say(f"  saved        {place.file}: no certificate")


def _settle(shown: Certificate, place: _Place, *, agreed: bool, replace: bool) -> str:
    """Save it if it may be saved; how that went, in a word."""
    from scheduler.gateway.certificate import save

    present = place.file.exists()
    if present and _saved_fingerprint(place.file) == shown.fingerprint:
        say(f"already trusted: {place.file}")
        return "already_trusted"
    if present and not replace:
        fail(
            f"{place.file} holds another certificate; if the gateway was replaced or reset, use --replace",
            Exit.REFUSED,
        )
    if not agreed:
        _ask(replace=present)
    try:
        save(shown, place.file)
    except OSError as error:
        fail(f"{place.file} cannot be written: {error.strerror}", Exit.USAGE)
    say(f"saved: {place.file}")
    return "replaced" if present else "trusted"


def _saved_fingerprint(file: Path) -> bytes | None:
    """The fingerprint of what was saved before; None if that is no certificate, or nothing."""
    try:
        return read_fingerprint(file)
    except Refused:
        return None


def _ask(*, replace: bool) -> None:
    if not sys.stdin.isatty():
        fail(
            "there is no terminal to ask at; use --fingerprint SHA256, or --yes to trust it unseen",
            Exit.USAGE,
        )
    question = "Is this your gateway, and is it to be trusted"
    if replace:
        question += " from now on, in the place of the one that was saved before"
    if not typer.confirm(f"{question}?", default=False, err=True):
        fail("not trusted; nothing was saved", Exit.NO)


def _document(shown: Certificate, place: _Place, outcome: str, saved: bytes | None) -> dict[str, Any]:
    return {
        "schema": "tou-scheduler/trust",
        "version": 1,
        "host": place.host,
        "port": place.port,
        "server_name": place.server_name,
        "subject": shown.subject,
        "names": list(shown.names),
        "not_before": shown.not_before.isoformat(),
        "not_after": shown.not_after.isoformat(),
        "sha256": spell(shown.fingerprint),
        "file": str(place.file),
        "saved_sha256": None if saved is None else spell(saved),
        "outcome": outcome,
    }
