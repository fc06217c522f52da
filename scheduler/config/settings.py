"""The file, what the environment says above it, and what secret files say above both.

Only which value wins and where it came from; whether it is right is decided by `schema`. Nothing here ever
puts a value into a message, because any of them may be a password.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict

from scheduler.config import credential, lines
from scheduler.config.problems import Problem
from scheduler.config.schema import Ask, File, Gateway, Site
from scheduler.config.spelling import DriftWord
from scheduler.config.words import did_you_mean

PREFIX = "TOU_"
SECRET_NAME = credential.NAME
PASSWORD: lines.KeyPath = ("gateway", "password")

# The command line reads the one, which names the file. Kubernetes gives the others to all neighbours of a
# service that is called tou-scheduler.
_NO_SETTING = re.compile(r"TOU_CONFIG|TOU_SCHEDULER_.*", re.IGNORECASE)
# The environment knows only text; these read it the way the file does.
_NOT_TEXT = frozenset(
    {
        ("gateway", "port"),
        ("gateway", "force_sm_off"),
        ("gateway", "max_pv_export_power_kW"),
        ("default", "reserve"),
    }
)
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
    trust_clock_after: str | None = None


_SECTIONS: dict[str, type[BaseModel]] = {"site": Site, "gateway": Gateway, "default": Ask}
_PATHS: list[lines.KeyPath] = [
    *((name, key) for name, section in _SECTIONS.items() for key in section.model_fields),
    *((name,) for name in Overridable.model_fields if name not in _SECTIONS),
]


class _Environment(EnvSettingsSource):
    """pydantic-settings' own reader, for an environment that is handed in."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        super().__init__(Overridable)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._environ.items()}


def settle(
    root: dict[str, Any],
    environ: Mapping[str, str] | None,
    secret_directories: Sequence[Path] | None,
    configuration: Path | None = None,
) -> tuple[dict[str, Any], dict[lines.KeyPath, str], list[Problem]]:
    """Lay environment and secrets over the file's values; later wins.

    Gives the values that won, the name of the variable or secret of each that is not the file's, and what is wrong.

    ``environ`` is the process's own unless given. ``secret_directories`` are $CREDENTIALS_DIRECTORY (systemd)
    and /run/secrets (Docker) unless given; of several secrets the first is taken, and systemd's counts only if there is
    something in it. Where nothing gives a password, and
    ``configuration`` is the service's file, root has the service's, unless ``secret_directories`` are given.
    """
    environ = os.environ if environ is None else environ
    if secret_directories is None:
        secret_directories = [it for it in _secret_directories(environ) if not _stands_in(it, environ)]
    else:
        configuration = None
    known = {_variable(path): path for path in _PATHS}
    given = {
        name: value
        for name, value in environ.items()
        if name.upper().startswith(PREFIX) and not _NO_SETTING.fullmatch(name)
    }
    problems = [_unknown(name, known) for name in given if name.upper() not in known]
    # A container's composition passes variables on that are not set as empty ones.
    said = {name: value for name, value in given.items() if name.upper() in known and value}
    layers: dict[lines.KeyPath, tuple[Any, str]] = {}
    nested = _Environment(said)()
    for name in said:
        path = known[name.upper()]
        value: Any = nested
        for step in path:
            value = value[step]
        layers[path] = (lines.scalar(value) if path in _NOT_TEXT else value, name)
    secret, file, wrong = _first_secret(secret_directories)
    if secret is None and not wrong and PASSWORD not in layers and configuration is not None:
        secret, file, wrong = _service_secret(configuration)
    if secret is not None:
        layers[PASSWORD] = (secret, str(file))
    problems += wrong
    return _laid_over(root, layers), {path: origin for path, (_, origin) in layers.items()}, problems


def secret_files() -> list[Path]:
    """Where a password may lie for this process, the first one counts; none of them need exist."""
    return [directory / SECRET_NAME for directory in _secret_directories(os.environ)]


def _secret_directories(environ: Mapping[str, str]) -> list[Path]:
    credentials = environ.get("CREDENTIALS_DIRECTORY")
    return [*([Path(credentials)] if credentials else []), _RUN_SECRETS]


def _stands_in(directory: Path, environ: Mapping[str, str]) -> bool:
    """Whether this is systemd's directory, and only the empty line is in it with which the unit stands in for no password."""
    if directory != Path(environ.get("CREDENTIALS_DIRECTORY") or "/"):
        return False
    try:
        return not _content(directory / SECRET_NAME).rstrip(b"\r\n")
    except OSError:
        return False


def _variable(path: lines.KeyPath) -> str:
    return PREFIX + "__".join(map(str, path)).upper()


def _unknown(name: str, known: Mapping[str, lines.KeyPath]) -> Problem:
    """An error if it was probably meant for us; else a warning, since other programs may use such names, too."""
    hint = did_you_mean(name, known)
    section = name.upper().removeprefix(PREFIX).partition("__")[0].lower()
    if section in ("rules", "tariff"):
        hint = "rules and tariff are set in the file only, where each line can be shown"
    elif name.upper() == PREFIX + section.upper() and section in _SECTIONS:
        hint = f"name one value, like {name.upper()}__..."
    message = "this environment variable is not a setting"
    if hint or section in File.model_fields:
        return Problem(message=message, file=name, hint=hint or "unset it")
    return Problem(severity="warning", message=message, file=name, hint="it is ignored")


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe in the place of a secret must not hold up the daemon."""
    return os.open(path, flags | os.O_NONBLOCK)


def _content(path: Path) -> bytes:
    """The file's bytes, one more than a password may have at most."""
    with open(path, "rb", opener=_open_without_waiting) as stream:
        return stream.read(_LONGEST_SECRET_BYTES + 1)


def _secret(path: Path) -> tuple[str | None, list[Problem]]:
    """What the secret file holds, without the line end that editors leave; None if there is no such file."""
    try:
        content = _content(path)
    except (FileNotFoundError, NotADirectoryError):
        return None, []
    except OSError as error:
        message = f"the secret cannot be read: {(error.strerror or 'unknown reason').lower()}"
        return None, [Problem(message=message, file=str(path), hint="let the user of the daemon read it")]
    return _password(content, path)


def _first_secret(directories: Sequence[Path]) -> tuple[str | None, Path | None, list[Problem]]:
    """What the first of these directories holds that has a secret file, good or bad, and its path."""
    for file in [directory / SECRET_NAME for directory in directories]:
        secret, wrong = _secret(file)
        if secret is not None or wrong:
            return secret, file, wrong
    return None, None, []


def _service_secret(configuration: Path) -> tuple[str | None, Path | None, list[Problem]]:
    """The service's password and its file, for root who uses the service's configuration; nobody else can read it."""
    if os.geteuid() != 0 or configuration.absolute() != credential.CONFIGURATION:
        return None, None, []
    plain = credential.CONFIGURATION.with_name(SECRET_NAME)
    encrypted = credential.encrypted_beside(plain)
    if not encrypted.exists():
        secret, wrong = _secret(plain)
        return secret, plain, wrong
    try:
        secret, wrong = _password(credential.decrypt(encrypted), encrypted)
    except credential.Locked as error:
        hint = "`sudo tou-scheduler service password` takes it once more"
        secret, wrong = None, [Problem(message=str(error), file=str(encrypted), hint=hint)]
    return secret, encrypted, wrong


def _password(content: bytes, path: Path) -> tuple[str | None, list[Problem]]:
    """The password in what a secret file holds."""
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
    for (name, *key), (value, _) in layers.items():
        section = result.get(str(name), {})
        if not key:
            result[str(name)] = value
        elif isinstance(section, dict):
            result[str(name)] = {**section, key[0]: value}
    return result
