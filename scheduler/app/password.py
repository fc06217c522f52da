"""The gateway's password as it is kept for the service: encrypted by systemd-creds where that works, else for root alone.

A person is asked for it elsewhere; what is here knows how it is kept, and what to do so that it is.
"""

from __future__ import annotations

import shutil

from scheduler.app.command import CommandFailed, ask
from scheduler.app.places import Places, decryption
from scheduler.app.step import Make, Remove, Step, Write
from scheduler.config import credential
from scheduler.store import durable

LONGEST_BYTES = 4096
"""More than any gateway takes; the daemon reads no more."""


def kept(places: Places) -> bytes | None:
    """The password that is kept, None if there is none. Locked if it cannot be had back, StoreError if it cannot be read."""
    if places.encrypted.exists():
        return credential.decrypt(places.encrypted)
    content = durable.read(places.plain)
    return content.rstrip(b"\r\n") if content is not None else None


def problem(password: bytes) -> str | None:
    """What is wrong with a password that a person gave, None if nothing."""
    if not password:
        return "no password was given"
    if len(password) > LONGEST_BYTES:
        return f"a password has no more than {LONGEST_BYTES} bytes"
    try:
        text = password.decode()
    except UnicodeDecodeError:
        return "the password is no UTF-8 text"
    return None if text.isprintable() else "there are control characters in the password"


def seal(password: bytes) -> bytes | None:
    """The password encrypted for this machine, None where systemd-creds cannot: it is not there, or has no place for a key.

    With the machine's own key and not with a TPM: the registers of that change with an update of the machine's firmware, and
    the daemon could not be started any more.
    """
    if shutil.which("systemd-creds") is None:
        return None
    name = f"--name={credential.NAME}"
    try:
        sealed = ask("systemd-creds", "encrypt", "--with-key=host", name, "-", "-", given=password)
        opened = ask("systemd-creds", "decrypt", name, "-", "-", given=sealed)
    except CommandFailed:
        return None
    return sealed if opened == password else None


def steps(places: Places, password: bytes, *, fresh: bool) -> list[Step]:
    """What to do so that this password is kept in the best way that works here; nothing if it is, unless it is ``fresh``."""
    sealed = None
    if fresh or not places.encrypted.exists():
        sealed = seal(password)
        if sealed is None:
            return _as_it_is(places, password, fresh=fresh)
    todo: list[Step] = []
    if sealed is not None:
        todo.append(Write(path=places.encrypted, content=sealed, secret="the gateway's password, encrypted"))  # noqa: S106 - what it is, in words
    return todo + _beside_encrypted(places)


def shown(places: Places) -> list[Step]:
    """The steps for a password that nobody knows yet, to be shown only."""
    words = "the gateway's password, which is asked for"
    if shutil.which("systemd-creds") is None:
        return [Write(path=places.plain, content=b"", secret=words)]
    return [
        Write(path=places.encrypted, content=b"", secret=f"{words}, encrypted if that works here"),
        *_beside_encrypted(places),
    ]


def _beside_encrypted(places: Places) -> list[Step]:
    """What belongs to an encrypted password: systemd is told, and it lies nowhere else."""
    addition = Write(path=places.decryption, content=decryption())
    todo: list[Step] = []
    if addition.is_needed():
        todo += [Make(path=places.additions)] if not places.additions.is_dir() else []
        todo.append(addition)
    return [*todo, *([Remove(path=places.plain)] if places.plain.exists() else [])]


def _as_it_is(places: Places, password: bytes, *, fresh: bool) -> list[Step]:
    content = password + b"\n" if fresh else durable.read(places.plain) or b""
    file = Write(path=places.plain, content=content, secret="the gateway's password")  # noqa: S106 - what it is, in words
    stale = [Remove(path=path) for path in (places.decryption, places.encrypted) if path.exists()]
    return [*([file] if file.is_needed() else []), *stale]
