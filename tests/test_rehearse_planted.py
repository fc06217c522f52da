"""`rehearse` with programs that are broken on purpose: what they do wrong while faults last, and between them, is found."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bench import readme_schedule

from scheduler.app.rehearsal import performance
from scheduler.app.rehearsal.performance import Order, rehearse
from scheduler.app.rehearsal.process import Disk
from scheduler.app.rehearsal.world import World
from scheduler.control import decide
from scheduler.control.decide import Enforce
from scheduler.control.session import Session
from scheduler.control.switch import Procedure
from scheduler.control.trust import Trust
from scheduler.model.errors import Transient
from scheduler.model.status import Status

SCHEDULE = readme_schedule()


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most boundaries have a fault."""
    monkeypatch.setattr(performance, "CHANCE", 0.9)


def broken(*kinds: str, days: float, runs: int = 2) -> set[str]:
    """The IDs of what broke in a few rehearsals with these faults."""
    order = Order(schedule=SCHEDULE, verify_s=300, seed=1, days=days, kinds=kinds)
    return {it.identifier for run in range(runs) for it in rehearse(order, run).broken}


DOUBTFUL = ("boots without time", "killed", "token expires")


def test_i3_a_program_that_starts_no_battery_by_a_clock_that_nobody_trusts_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Repairs need no clock: one that waits for it leaves a battery standing that it stopped, which no fault excuses."""
    kept = broken(*DOUBTFUL, days=4)
    trusts: list[Trust] = []
    made, start = Trust.__init__, Session.ensure_running

    def make(self: Trust, *args: object) -> None:
        made(self, *args)  # type: ignore[arg-type]  # whatever it is made of
        trusts.append(self)

    async def ensure_running(self: Session) -> None:
        if trusts[-1].belief.trusted:
            await start(self)

    monkeypatch.setattr(Trust, "__init__", make)
    monkeypatch.setattr(Session, "ensure_running", ensure_running)

    assert (kept, broken(*DOUBTFUL, days=4)) == (set(), {"I3"})


def test_l1_a_program_that_waits_for_its_disk_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that takes nothing excuses nothing, for as long as that lasts: all is switched from memory as ever."""
    kept = broken("disk takes nothing", days=4)
    disks: list[Disk] = []
    made, attempt = Disk.__init__, Procedure._attempt  # noqa: SLF001 - the place of the planted bug

    def make(self: Disk, *args: object) -> None:
        made(self, *args)  # type: ignore[arg-type]  # whatever it is made of
        disks.append(self)

    async def wait(self: Procedure) -> bool:
        if disks[-1].broken:
            raise Transient("the disk takes nothing")
        return await attempt(self)

    monkeypatch.setattr(Disk, "__init__", make)
    monkeypatch.setattr(Procedure, "_attempt", wait)

    assert (kept, broken("disk takes nothing", days=4)) == (set(), {"L1", "L6"})


def test_i19_a_status_that_shows_what_is_wished_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the plan goes to and fro between two setpoints, each of which was read before."""
    kinds = ("ignores writes", "somebody uses the app")
    kept, report = broken(*kinds, days=4), World._report  # noqa: SLF001 - the place of the planted bug

    def show(self: World, status: Status) -> None:
        report(self, status if status.actual is None else replace(status, actual=status.desired))

    monkeypatch.setattr(World, "_report", show)

    assert (kept, broken(*kinds, days=4)) == (set(), {"I19"})


def test_i6_a_program_that_writes_twice_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both writes are of what the plan wants and differ from what was read; but the first one was taken, and nobody looked."""
    kept, write = broken(days=2, runs=1), Procedure._write  # noqa: SLF001 - the place of the planted bug

    async def twice(self: Procedure) -> bool:
        return await write(self) and await write(self)

    monkeypatch.setattr(Procedure, "_write", twice)

    assert (kept, broken(days=2, runs=1)) == (set(), {"I6"})


def test_g12_a_program_that_fights_a_person_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What somebody sets in the app is set back at the next look, though the plan lets it stand."""
    kept = broken("somebody uses the app", days=4)

    monkeypatch.setattr(decide, "_answer", lambda _view, found: Enforce(found))

    assert (kept, broken("somebody uses the app", days=4)) == (set(), {"G12"})
