"""The few words of Docker that the README says, read as strictly as Docker itself reads them. No tests here."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import Any

import yaml
from processes import ROOT

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "docker" / "compose.yaml").read_text())
(SERVICE,) = COMPOSE["services"]
IMAGE = COMPOSE["services"][SERVICE]["image"].removeprefix("${IMAGE:-").removesuffix("}")
"""What compose.yaml calls the image unless somebody says otherwise."""

OPTIONS: dict[str, set[str]] = {
    "build": {"--tag"},
    "run": {"--rm"},
    "compose up": {"--detach"},
    "compose run": {"--rm"},
    "compose exec": set(),
    "compose logs": {"--follow"},
}
"""The options that the README needs of each subcommand, out of Docker's own references of its command line."""

_WITH_A_VALUE = {"--tag"}
_OF = {"build": ".", "run": IMAGE, "compose run": SERVICE, "compose exec": SERVICE}
"""What a subcommand is about: its first word that is no option."""


@dataclass(frozen=True)
class Order:
    """One command line: its ``verb`` (``compose up``), its ``options`` with their values, the ``words`` for the container."""

    verb: str
    options: dict[str, str]
    words: tuple[str, ...]


def order(line: str) -> Order:
    """Read a line that begins with ``docker``; a ValueError names the word that Docker or our files do not know."""
    docker, *rest = shlex.split(line)
    if docker != "docker" or not rest:
        raise ValueError(f"{line!r} is no command of docker")
    many = 2 if rest[0] == "compose" else 1
    verb, rest = " ".join(rest[:many]), rest[many:]
    if verb not in OPTIONS:
        raise ValueError(f"docker {verb} is no subcommand that is known here")
    options: dict[str, str] = {}
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option not in OPTIONS[verb]:
            raise ValueError(f"docker {verb} has no option {option} that is known here")
        options[option] = rest.pop(0) if option in _WITH_A_VALUE and rest else ""
    about = rest.pop(0) if rest else None
    if about != _OF.get(verb):
        raise ValueError(f"docker {verb} is about {about!r} here; {_OF.get(verb)!r} is what our files know")
    if options.get("--tag", IMAGE) != IMAGE:
        raise ValueError(f"compose.yaml asks for the image {IMAGE}, not for {options['--tag']}")
    return Order(verb, options, tuple(rest))
