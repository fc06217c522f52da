"""Which steps set the service up, change its password, or take it away, from what is there already.

Done twice, the second time has no steps. Asks nobody anything.
"""

from __future__ import annotations

import os
from pathlib import Path

from scheduler.app.manager import State
from scheduler.app.places import UNIT, Places, example, unit
from scheduler.app.step import Make, Remove, Run, Step, Write

RELOAD = Run(("systemctl", "daemon-reload"))


def install(
    places: Places,
    program: Path,
    state: State,
    *,
    host: str | None,
    secret: list[Step],
    start: bool,
) -> list[Step]:
    """What to do so that systemd runs this program at each boot; with ``start`` from now on, too.

    ``secret`` are the steps for its password. What a person has edited is left alone; a service that runs is started anew if
    anything of it changed.
    """
    service = Write(path=places.unit, content=unit(program))
    files: list[Step] = [service] if service.is_needed() else []
    if not places.configuration.exists():
        files.append(Write(path=places.configuration, content=example(host)))
    todo = _folders(places) + _memory(places) + files + secret
    if service.is_needed() or _is_said_above(places, secret) or state.is_outdated:
        todo.append(RELOAD)
    if not state.starts_at_boot:
        todo.append(Run(("systemctl", "enable", UNIT)))
    return todo + _into_force(state, changed=service.is_needed() or bool(secret), start=start)


def change_password(places: Places, state: State, secret: list[Step]) -> list[Step]:
    """What to do so that the service has the password of these steps."""
    todo = _folders(places) + secret
    if _is_said_above(places, secret):
        todo.append(RELOAD)
    return todo + _into_force(state, changed=bool(secret), start=False)


def uninstall(places: Places, state: State, *, purge: bool) -> list[Step]:
    """What to do so that systemd knows of no service of ours; with ``purge`` nothing of it is left, what a person wrote too."""
    todo: list[Step] = []
    if state.is_known:
        todo.append(Run(("systemctl", "disable", "--now", UNIT)))
    if state.has_failed:
        todo.append(Run(("systemctl", "reset-failed", UNIT)))
    gone = [places.unit, *([places.additions] if purge or not _others(places) else [places.decryption])]
    if purge:
        gone += [places.configuration.parent, *places.memory]
    files: list[Step] = [Remove(path=path) for path in gone if _is_there(path)]
    reload: list[Step] = [RELOAD] if state.is_known or _is_there(places.unit) else []
    return todo + files + reload


def left(places: Places) -> list[Path]:
    """What is there of the service's folders, whether systemd knows of it or not."""
    additions = [places.additions] if _others(places) else []
    return [path for path in (places.configuration.parent, places.memory[0], *additions) if _is_there(path)]


def _folders(places: Places) -> list[Step]:
    wanted = (places.unit.parent, places.configuration.parent)
    return [Make(path=folder) for folder in wanted if not folder.is_dir()]


def _memory(places: Places) -> list[Step]:
    """The service's memory is there from now on: whoever looked at the gateway before its first start kept a memory elsewhere.

    Of a login that was cut off, and that stopped the battery, the service would not know then. systemd takes a folder that is
    there over, with all that is in it, and gives it to the service's user (systemd.exec(5), DynamicUser=).
    """
    return [] if any(map(_is_there, places.memory)) else [Make(path=places.memory[0], mode=0o700)]


def _is_said_above(places: Places, secret: list[Step]) -> bool:
    """Whether these steps change what is said above the unit, which systemd must read anew."""
    return any(isinstance(step, Write | Remove) and step.path == places.decryption for step in secret)


def _into_force(state: State, *, changed: bool, start: bool) -> list[Step]:
    """A service that runs sees another unit or password only when it is started anew."""
    if state.is_active:
        return [Run(("systemctl", "restart", UNIT))] if changed else []
    return [Run(("systemctl", "start", UNIT))] if start else []


def _others(places: Places) -> bool:
    """Whether a person has said something above the unit (`systemctl edit`)."""
    return places.additions.is_dir() and any(path != places.decryption for path in places.additions.iterdir())


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)  # Path.exists() raises for what lies in a folder that one may not enter
