"""The file, what the environment says above it, and what secret files say above both.

Only which value wins and where it came from; whether it is right is decided by `schema`. Nothing here ever
puts a value into a message, because any of them may be a password.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from scheduler.config import lines
from scheduler.config.problems import Problem
from scheduler.config.schema import Ask, Gateway, Site
from scheduler.config.spelling import DriftWord
from scheduler.config.words import did_you_mean

PREFIX = "TOU_"
SECRET_NAME = "gateway_password"  # noqa: S105 - the name of a file, not what is in it
PASSWORD: lines.KeyPath = ("gateway", "password")

_NOT_SETTINGS = frozenset({"TOU_CONFIG"})  # names the file itself; the command line reads it
# The environment knows only text; these read it the way the file does.
_NOT_TEXT = frozenset({("gateway", "port"), ("gateway", "force_sm_off"), ("default", "reserve")})
_LONGEST_SECRET_BYTES = 4096
_RUN_SECRETS = Path("/run/secrets")


class Overridable(BaseSettings):
    """What the environment may say: single values. Tariff and rules need lines and stay in the file."""

    # pydantic-settings would take a host for JSON.
    model_config = SettingsConfigDict(env_prefix=PREFIX, env_nested_delimiter="__", enable_decoding=False)

    site: Site | None = None
    gateway: Gateway | None = None
    default: Ask | None = None
    on_drift: DriftWord | None = None
    verify_every: str | None = None


class _Environment(EnvSettingsSource):
    """pydantic-settings' own reader, for an environment that is handed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Overridable)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """The values that won. ``origins`` names the variable or secret of each that is not the file's."""

    root: dict[str, Any] = field(repr=False)  # the password is among them
    origins: dict[lines.KeyPath, str]


def settle(
    root: dict[str, Any], environ: Mapping[str, str] | None, secret_directories: Sequence[Path] | None
) -> tuple[Settled, list[Problem]]:
    """Lay environment and secrets over the file's values; later wins. Gives what is wrong with either, too.

    ``environ`` is the process's own unless given. ``secret_directories`` are $CREDENTIALS_DIRECTORY (systemd)
    and /run/secrets (Docker) unless given; of several secrets the first is taken.
    """
    environ = os.environ if environ is None else environ
    if secret_directories is None:
        credentials = environ.get("CREDENTIALS_DIRECTORY")
        secret_directories = [*([Path(credentials)] if credentials else []), _RUN_SECRETS]
    known = {_variable(path): path for path in _leaves(Overridable, ())}
    given = {
        name: value
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and name not in _NOT_SETTINGS
    }
    problems = [_unknown(name, known) for name in given if name.upper() not in known]
    # A container's composition passes variables on that are not set as empty ones.
    said = {name: value for name, value in given.items() if name.upper() in known and value}
    layers: dict[lines.KeyPath, tuple[Any, str]] = {}
    for path, value in _values(_Environment(said)(), ()):
        name = _variable(path)
        layers[path] = (lines.scalar(value) if path in _NOT_TEXT else value, name)
    for directory in secret_directories:
        secret, wrong = _secret(directory / SECRET_NAME)
        problems += wrong
        if secret is not None:
            layers[PASSWORD] = (secret, str(directory / SECRET_NAME))
        if secret is not None or wrong:
            break
    return Settled(
        root=_laid_over(root, layers), origins={p: origin for p, (_, origin) in layers.items()}
    ), problems


def _leaves(model: type[BaseModel], path: lines.KeyPath) -> Iterator[lines.KeyPath]:
    for name, about in model.model_fields.items():
        sections = [t for t in getattr(about.annotation, "__args__", ()) if isinstance(t, type)]
        section = next((t for t in sections if issubclass(t, BaseModel)), None)
        if section is None:
            yield (*path, name)
        else:
            yield from _leaves(section, (*path, name))


def _variable(path: lines.KeyPath) -> str:
    return PREFIX + "__".join(str(step) for step in path).upper()


def _unknown(name: str, known: Mapping[str, lines.KeyPath]) -> Problem:
    hint = did_you_mean(name, known)
    if name.upper().startswith(("TOU_RULES", "TOU_TARIFF")):
        hint = "rules and tariff are set in the file only, where each line can be shown"
    elif name.upper().removeprefix(PREFIX) in ("SITE", "GATEWAY", "DEFAULT"):
        hint = f"name one value, like {name.upper()}__..."
    return Problem(message="this environment variable is not a setting", file=name, hint=hint or "unset it")


def _values(nested: Mapping[str, Any], path: lines.KeyPath) -> Iterator[tuple[lines.KeyPath, Any]]:
    for name, value in nested.items():
        if isinstance(value, Mapping):
            yield from _values(value, (*path, name))
        else:
            yield (*path, name), value


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe in the place of a secret must not hold up the daemon."""
    return os.open(path, flags | os.O_NONBLOCK)


def _secret(path: Path) -> tuple[str | None, list[Problem]]:
    """What the secret file holds, without the line end that editors leave; None if there is no such file."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as stream:
            content = stream.read(_LONGEST_SECRET_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None, []
    except OSError as error:
        message = f"the secret cannot be read: {(error.strerror or 'unknown reason').lower()}"
        return None, [Problem(message=message, file=str(path), hint="let the user of the daemon read it")]
    try:
        text = content.decode("utf-8").rstrip("\r\n")
    except UnicodeDecodeError:
        text = ""
    if not text or len(content) > _LONGEST_SECRET_BYTES:
        hint = "write the password into it, on one line and nothing else"
        return None, [Problem(message="the secret holds no password", file=str(path), hint=hint)]
    return text, []


def _laid_over(root: dict[str, Any], layers: Mapping[lines.KeyPath, tuple[Any, str]]) -> dict[str, Any]:
    """A copy of ``root`` with the layers in it. What is no section is left as it is, to be refused."""
    result = dict(root)
    for path, (value, _) in layers.items():
        section = result
        for step in path[:-1]:
            inner = section.get(str(step), {})
            section[str(step)] = inner = dict(inner) if isinstance(inner, dict) else inner
            section = inner
            if not isinstance(section, dict):
                break
        else:
            section[str(path[-1])] = value
    return result
