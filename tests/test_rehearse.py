"""`rehearse`: short rehearsals, the same ones twice, and worlds that are broken on purpose, of which the invariants must speak."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from bench import readme_schedule
from processes import ROOT, command

from scheduler.app.rehearsal import performance
from scheduler.app.rehearsal.course import Course
from scheduler.app.rehearsal.facts import (
    COMMIT,
    LOGIN,
    READ,
    RUN,
    STATUS,
    WRITE,
    Exchange,
    Facts,
    Wish,
)
from scheduler.app.rehearsal.jury import Jury
from scheduler.app.rehearsal.kinds import KINDS
from scheduler.app.rehearsal.performance import Order, Performance, first_day, rehearse
from scheduler.app.rehearsal.plans import Library, Plans, edited, wish_of
from scheduler.app.rehearsal.process import Disk, DiskLedger, DiskMarks, DiskNote, Killed, Steps
from scheduler.app.rehearsal.record import Record
from scheduler.app.rehearsal.virtual import RehearsalClock, Stuck, run_virtually
from scheduler.model.errors import StoreError
from scheduler.model.events import Drifted, PersonNeeded, Switched
from scheduler.model.evidence import SwitchRecord, Verdict
from scheduler.model.setpoint import Setpoint
from scheduler.model.status import Status, unknown
from scheduler.simulator.house import Obeyed

SHIPPED = str(ROOT / "config" / "tou.yaml")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NIGHT = Wish("backup", 100.0)
DAY = Wish("self_consumption", 9.75)


def order(**changes: Any) -> Order:
    """A short rehearsal of the README's schedule, without a fault."""
    plain = Order(schedule=SCHEDULE, verify_s=300, seed=1, days=2, kinds=())
    return replace(plain, **changes)


SCHEDULE = readme_schedule()


def rehearsed(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    """`tou-scheduler rehearse` in a process of its own."""
    return command("rehearse", "--config", SHIPPED, "--jobs", "1", *words, cwd=ROOT, **more)


def test_l1_two_days_without_faults_meet_every_boundary_at_once() -> None:
    """Where nothing goes wrong every boundary is met, with one write each and one at the moment, and nothing breaks."""
    done = rehearse(order(), 0)

    assert done.broken == ()
    assert done.lateness.missed == 0
    assert max(done.lateness.calm_s) <= 1
    assert done.counts["writes"] == 2 * 2 + 1 + 2, "each boundary, the start, and the path check of each day"


def test_a_long_rehearsal_meets_other_kinds_of_faults_each_month() -> None:
    """What goes wrong in three months is more than the kinds that go together in the first."""
    first, longer = (set(rehearse(order(seed=7, days=days, kinds=None), 0).kinds) for days in (30, 90))

    assert first < longer


def test_a_file_is_rehearsed_as_it_stands(tmp_path: Path) -> None:
    """A mode that few gateways take, and rules that leave a person's change alone: they are kept, and no promise breaks."""
    file = tmp_path / "tou.yaml"
    shipped = Path(SHIPPED).read_text(encoding="utf-8")
    night = "set: {mode: backup, reserve: 100}"
    assert shipped.count(night) == 1
    file.write_text(
        shipped.replace(night, "set: {mode: autonomous, reserve: 100}\n    on_drift: yield")
        + "\non_drift: enforce\n",
        encoding="utf-8",
    )

    done = command(
        *("rehearse", "--config", str(file), "--days", "8", "--runs", "3", "--json"),
        *("--faults", "somebody uses the app"),
        cwd=ROOT,
    )

    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads(done.stdout)
    assert set(document["firmware"]) == {"1.15"}
    assert document["faults"]["somebody uses the app"] > 0


@pytest.mark.parametrize("run", range(3))
def test_l2_a_swarm_breaks_nothing(run: int) -> None:
    """Whatever goes wrong in a few days near boundaries, no promise breaks."""
    done = rehearse(order(kinds=None, days=6, seed=4), run)

    assert done.broken == (), done.broken[:3]
    assert done.counts["boundaries"] >= 10


def test_m1_two_processes_have_the_same_trace() -> None:
    """The same seed gives the same trace and the same document, whatever order Python's hashes have."""
    said = [rehearsed("--days", "4", "--seed", "5", "--json", PYTHONHASHSEED=seed) for seed in ("1", "2")]
    documents = [json.loads(done.stdout) for done in said]
    for document in documents:
        document.pop("seconds")
        document.pop("years_per_second")

    assert [done.returncode for done in said] == [0, 0], said[0].stderr
    assert documents[0] == documents[1]
    assert documents[0]["schema"] == "tou-scheduler/rehearsal"


def test_rehearsals_begin_on_days_of_the_whole_year() -> None:
    """A few dozen short ones meet every month, not one January after the other; the same number begins on the same day."""
    begun = [rehearse(order(days=0.1), run).start for run in range(72)]

    assert {it.month for it in begun} == set(range(1, 13))
    assert min(begun) >= BEGAN
    assert max(begun) < BEGAN + timedelta(days=365)
    assert [rehearse(order(days=0.1), run).start for run in range(3)] == begun[:3]


@pytest.mark.parametrize(
    "change", [datetime(2026, 3, 8, 10, tzinfo=UTC), datetime(2026, 11, 1, 9, tzinfo=UTC)], ids=str
)
def test_i18_a_month_meets_a_change_of_the_clocks_and_breaks_no_promise(change: datetime) -> None:
    """Some rehearsal of thirty days holds each change of California's clocks well within it, with faults around, and all is kept."""
    runs = (run for run in range(200) if 5 < (change - first_day(order(), run)).days < 25)
    done = rehearse(order(kinds=None, days=30), next(runs))

    assert timedelta(days=5) < change - done.start < timedelta(days=25)
    assert done.broken == (), done.broken[:3]


def test_another_seed_is_another_rehearsal() -> None:
    """Chance decides what goes wrong, and the seed decides over chance."""
    traces = {rehearse(order(kinds=None, seed=seed), 0).trace for seed in (1, 2, 3)}

    assert len(traces) == 3


@pytest.mark.parametrize("seed", [2, 3])
def test_leaps_change_nothing(seed: int) -> None:
    """What is leapt over would have changed nothing: the same writes, logins and setpoints at the same instants without leaps."""
    leaping, ticking = (
        rehearse(order(kinds=None, days=0.7, seed=seed, every_tick=every_tick), 0)
        for every_tick in (False, True)
    )

    assert leaping.essence == ticking.essence
    assert leaping.counts["cycles"] < ticking.counts["cycles"] / 5


def test_a_boundary_that_falls_into_a_cycle_is_not_leapt_over() -> None:
    """Where no alarm rings, a boundary that came while a cycle was under way is taken up at the next tick, as without leaps.

    In this rehearsal one of them comes while a battery is started that a login stopped.
    """
    done = rehearse(order(kinds=None, days=30, seed=2026), 598)

    assert done.broken == (), done.broken[:3]


@pytest.mark.parametrize("kind", KINDS)
def test_m4_each_kind_of_fault_happens_and_heals(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kind of fault at every boundary of a few days breaks no promise, and is counted."""
    monkeypatch.setattr(performance, "CHANCE", 0.7)

    done = rehearse(order(kinds=(kind,), days=2, seed=6), 0)

    assert done.broken == (), done.broken[:3]
    assert done.counts[f"fault {kind}"] or kind in performance.HIDDEN_FROM_LATE_COMMITS


def test_kills_come_at_steps_of_a_switch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes are killed between any two steps, requests and durable writes alike, and each is followed by another."""
    monkeypatch.setattr(performance, "CHANCE", 1.0)

    done = rehearse(order(kinds=("killed",), days=8), 0)

    assert done.broken == ()
    assert len(done.killed) >= 4
    assert done.counts["processes"] == done.counts["killed"] + 1


# Worlds that are broken on purpose.


def test_a_broken_promise_names_seed_run_instant_and_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A program that switches a minute and a half too late is found: exit 1, with all that is needed to see it again."""
    import typer

    from scheduler.cli.rehearse import rehearse as verb

    late(monkeypatch)

    with pytest.raises(typer.Exit) as ended:
        verb(config=Path(SHIPPED), days=2, seed=1, faults="none", runs=1, jobs=1)

    said = capsys.readouterr().out
    assert ended.value.exit_code == 1
    begins = rehearse(order(days=0.1), 0).start
    assert (
        f"BROKEN L1 in run 0 of seed 1 at {boundary_after(begins) + timedelta(minutes=1):%FT%T+00:00}" in said
    )
    assert "again: tou-scheduler rehearse --days 2 --seed 1 --faults 'none'" in said
    assert "--run 0" in said


def boundary_after(start: datetime) -> datetime:
    """The first boundary of the README's schedule after that: 07:55 or 22:05 in California."""
    local = start.astimezone(SCHEDULE.zone)
    edges = [local.replace(hour=hour, minute=minute) for hour, minute in ((7, 55), (22, 5))]
    return min(edge for edge in edges if edge > local).astimezone(UTC)


def late(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this program go by a plan whose boundaries are 90 s late."""
    whole = performance.Plans.agenda

    def shifted(self: performance.Plans, policy: Any, now: datetime) -> Any:
        agenda = whole(self, policy, now)
        by = timedelta(seconds=90)

        def moved(timeline: Any) -> Any:
            segments = tuple(replace(s, start=s.start + by, end=s.end + by) for s in timeline.segments)
            return type(timeline)(segments, timeline.moments)

        return replace(
            agenda, fine=moved(agenda.fine), coarse=moved(agenda.coarse), rules=moved(agenda.rules)
        )

    monkeypatch.setattr(performance.Plans, "agenda", shifted)


def test_a_lost_process_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug that ends the program is a broken promise, and the rehearsal goes on with the next process."""
    whole = Record.shown
    count = 0

    def shown(self: Record, status: Status, now_s: float, *, can_switch: bool) -> None:
        nonlocal count
        count += 1
        if count == 5:
            raise RuntimeError("a bug")
        whole(self, status, now_s, can_switch=can_switch)

    monkeypatch.setattr(Record, "shown", shown)

    done = rehearse(order(days=1), 0)

    assert [it.identifier for it in done.broken] == ["P0"]
    assert "RuntimeError" in done.broken[0].seen
    assert done.counts["processes"] == 2


def facts(**changes: Any) -> Facts:
    """A world in which all is well by day."""
    known = Facts(
        start=BEGAN,
        now_s=1000.0,
        wish=DAY,
        wishes={DAY, NIGHT},
        mode="self_consumption",
        raw_percent=9.75,
        read=DAY,
        digests=["a"],
        process=1,
        began_s=1000.0,
        secrets=("hunter2",),
    )
    for name, value in changes.items():
        setattr(known, name, value)
    return known


def exchange(name: str, at_s: float = 1000.0, **more: Any) -> Exchange:
    """A request of the first process."""
    known: dict[str, Any] = {"body": b"", "with_token": True, "process": 1}
    return Exchange(at_s=at_s, name=name, **{**known, **more})


def write(mode: str, raw: float) -> Exchange:
    """A write of both fields."""
    return exchange(WRITE, body=json.dumps({"real_mode": mode, "backup_reserve_percent": raw}).encode())


def status(**changes: Any) -> Status:
    """What a cycle shows while all is well."""
    return replace(unknown(BEGAN, BEGAN), **{"plan_digest": "a"} | changes)


def record(took_ms: int) -> SwitchRecord:
    """A switch that took so long."""
    return SwitchRecord(
        verdict=Verdict.VERIFIED,
        at=BEGAN,
        boundary=BEGAN,
        rules=(),
        desired=Setpoint(),
        before=None,
        after=None,
        attempts=1,
        firmware=None,
        steps=(),
        message="",
        took_ms=took_ms,
    )


def forced_login(jury: Jury) -> None:
    """A login that insists on stopping the battery."""
    jury.over(exchange(STATUS, status=200))
    jury.sent(exchange(LOGIN, body=b'{"force_sm_off": true}'))


def two_at_once(jury: Jury) -> None:
    """Two requests are under way."""
    jury.sent(exchange(STATUS))
    jury.sent(exchange(READ))


def many_logins(jury: Jury) -> None:
    """Six logins in 5 minutes."""
    for number in range(6):
        jury.over(exchange(LOGIN, 1000.0 + number, status=401))


def after_429(jury: Jury) -> None:
    """A question 299 s after a 429."""
    jury.over(exchange(READ, 1000.0, status=429, over_s=1000.0))
    jury.sent(exchange(READ, 1299.0))


def login_anew(jury: Jury) -> None:
    """A login while there is a session, after nothing but a 404."""
    jury.over(exchange(STATUS, status=200))
    jury.over(exchange(LOGIN, status=200, answer=b'{"token":"x"}'))
    jury.over(exchange(READ, status=404))
    jury.sent(exchange(LOGIN, 1100.0, body=b"{}"))


def login_after_write(jury: Jury) -> None:
    """A login in answer to a 403 on a write, and nobody asked whether the session lives."""
    jury.over(exchange(STATUS, status=200))
    jury.over(exchange(LOGIN, status=200, answer=b'{"token":"x"}'))
    jury.over(exchange(WRITE, status=403))
    jury.sent(exchange(LOGIN, 1100.0, body=b"{}"))


def many_requests(jury: Jury) -> None:
    """601 requests in an hour."""
    for number in range(601):
        jury.sent(it := exchange(STATUS, 1000.0 + number))
        jury.over(it)


def many_cycles(jury: Jury) -> None:
    """22 cycles in ten seconds."""
    for _ in range(22):
        jury.shown(status())


def many_events(jury: Jury) -> None:
    """401 events in an hour."""
    for _ in range(401):
        jury.told(PersonNeeded(at=BEGAN, message="again"))


def written_twice(jury: Jury) -> None:
    """The same write after its commit, once with a reading between and once without."""
    taken = replace(write("backup", 100.0), status=200)
    asked = [
        taken,
        exchange(COMMIT, status=200),
        exchange(READ, status=200),
        taken,
        exchange(COMMIT, status=200),
    ]
    for it in asked:
        jury.sent(it)
        jury.over(it)
    assert jury.broken == []
    jury.sent(taken)


def a_wish_shown(jury: Jury) -> None:
    """The day's setpoint was read, and the night's is shown."""
    jury.over(exchange(READ, status=200))
    jury.shown(status(actual=Setpoint(mode="self_consumption", reserve_percent=5)))
    assert jury.broken == []
    jury.shown(status(actual=Setpoint(mode="backup", reserve_percent=100)))


def a_reading_of_another_process(jury: Jury) -> None:
    """The process before this one read what is shown, and this one read nothing."""
    jury.over(exchange(READ, status=200))
    jury.shown(status(actual=Setpoint(mode="self_consumption", reserve_percent=5)))


BAD: dict[str, tuple[str, dict[str, Any], Callable[[Jury], None]]] = {
    "a reserve that no rule asks for": ("I1", {}, lambda jury: jury.sent(write("backup", 50.0))),
    "a mode that no rule asks for": ("I1", {}, lambda jury: jury.sent(write("autonomous", 100.0))),
    "a reserve that is none": ("I1", {}, lambda jury: jury.sent(write("backup", float("nan")))),
    "a stop": ("I2", {}, lambda jury: jury.sent(exchange("POST /api/sitemaster/stop"))),
    "a forced login": ("I2", {}, forced_login),
    "a start without the mark": ("I2", {}, lambda jury: jury.sent(exchange(RUN))),
    "two requests at once": ("I4", {}, two_at_once),
    "a write by a clock that nobody trusts": (
        "I5",
        {"trusted": False},
        lambda jury: jury.sent(write("backup", 100.0)),
    ),
    "a commit by a clock that nobody trusts": (
        "I5",
        {"trusted": False},
        lambda jury: jury.sent(exchange(COMMIT)),
    ),
    "a write that was taken and is not read": ("I6", {}, written_twice),
    "a write of what is there": ("I6", {}, lambda jury: jury.sent(write("self_consumption", 9.75))),
    "a password before anything else": ("I7", {}, lambda jury: jury.sent(exchange(LOGIN, body=b"{}"))),
    "six logins in five minutes": ("I8", {}, many_logins),
    "a question after a 429": ("I9", {}, after_429),
    "a login after a 404": ("I10", {}, login_anew),
    "a login after a 403 on a write": ("I10", {}, login_after_write),
    "a call of 11 s": ("I11", {}, lambda jury: jury.over(exchange(READ, 1000.0, over_s=1011.0))),
    "a switch of 5 minutes": (
        "I11",
        {},
        lambda jury: jury.told(Switched(at=BEGAN, record=record(300_000))),
    ),
    "601 requests in an hour": ("I11", {}, many_requests),
    "a password in an event": (
        "I12",
        {},
        lambda jury: jury.told(PersonNeeded(at=BEGAN, message="it is hunter2")),
    ),
    "an earlier plan": ("I13", {"digests": ["a", "b"]}, lambda jury: jury.shown(status())),
    "a loop that spins": ("I14", {}, many_cycles),
    "a log that floods": ("I16", {}, many_events),
    "a drift that was our own": (
        "I17",
        {"wished_s": 900.0},
        lambda jury: jury.told(
            Drifted(
                at=BEGAN, expected=Setpoint(mode="backup"), found=Setpoint(mode="autonomous"), policy="yield"
            )
        ),
    ),
    "a wish that is shown as read": ("I19", {"read_s": 1000.0}, a_wish_shown),
    "what an earlier process read": ("I19", {"process": 2, "read_s": 1000.0}, a_reading_of_another_process),
    "a hang": ("I20", {"began_s": 0.0}, lambda jury: jury.shown(status())),
}


@pytest.mark.parametrize("what", BAD)
def test_each_invariant_speaks_of_a_bad_trace(what: str) -> None:
    """An invariant that is told what must not happen says so, with its ID; and only that one does."""
    identifier, changes, happen = BAD[what]
    jury = Jury(facts(**changes))

    happen(jury)

    assert {it.identifier for it in jury.broken} == {identifier}
    assert all(it.sentence and it.seen for it in jury.broken)


def course(**changes: Any) -> tuple[Facts, Course, Jury]:
    """A course on which all is well until now."""
    known = facts(**{"now_s": 0.0, "began_s": 0.0, "fault_s": -1e6, **changes})
    jury = Jury(known)
    it = Course(known, jury)
    it.wish(DAY, 0.0)
    it.battery(Obeyed(mode="self_consumption", reserve_raw_percent=9.75), 0.0)
    return known, it, jury


def test_l1_a_setpoint_that_does_not_come_is_found() -> None:
    """60 s after a boundary without its setpoint, and not before, the promise is broken."""
    _, it, jury = course()
    it.wish(NIGHT, 1000.0)

    it.reach(1060.0)
    before = list(jury.broken)
    it.reach(1060.5)

    assert before == []
    assert [(b.identifier, b.at_s) for b in jury.broken] == [("L1", 1060.0)]


def test_l2_what_does_not_heal_is_found() -> None:
    """A fault excuses a wrong setpoint for as long as its kind takes to heal, and not longer."""
    _, it, jury = course()
    it.fault(1000.0)
    it.wish(NIGHT, 1000.0)
    it.healed(1600.0, 120.0)

    it.reach(1720.0)
    before = list(jury.broken)
    it.reach(1721.0)

    assert before == []
    assert [(b.identifier, b.at_s) for b in jury.broken] == [("L2", 1720.0)]


def stopped_at(at_s: float, it: Course, known: Facts) -> None:
    """A login of ours stops the battery."""
    known.by_us_s = at_s
    it.battery(Obeyed(mode="self_consumption", reserve_raw_percent=9.75, running=False), at_s)


def test_i3_a_standstill_of_ours_is_found() -> None:
    """A battery that our login stopped stands still for 15 s at most."""
    known, it, jury = course()
    stopped_at(1000.0, it, known)

    it.reach(1016.0)

    assert [b.identifier for b in jury.broken] == ["I3"]
    assert it.stopped_s["us"] == 16.0


def standstills(jury: Jury) -> list[float]:
    """When a standstill became too long."""
    return [it.at_s for it in jury.broken if it.identifier == "I3"]


def test_i3_what_excuses_a_setpoint_for_long_excuses_no_standstill() -> None:
    """Somebody set it, and a fault heals in an hour: the battery runs 120 s after the fault's end all the same."""
    known, it, jury = course()
    it.fault(1000.0)
    stopped_at(1010.0, it, known)
    it.stand(judged=True)
    it.healed(1600.0, 3720.0)

    it.reach(1720.0)
    before = standstills(jury)
    it.reach(1721.0)

    assert before == []
    assert standstills(jury) == [1720.0]


def test_i3_whoever_follows_a_killed_process_has_sixty_seconds_to_start_the_battery() -> None:
    """While nobody is there nothing is expected, and 60 s after the next start it is."""
    known, it, jury = course()
    stopped_at(1000.0, it, known)
    known.died_s = 1001.0
    it.reach(1600.0)
    known.began_s = 1600.0

    it.reach(1660.0)
    before = standstills(jury)
    it.reach(1661.0)

    assert before == []
    assert standstills(jury) == [1660.0]


def test_i3_a_silence_that_the_gateway_wants_excuses_a_standstill_until_it_is_over() -> None:
    """After a 429 nobody logs in, and without a session nobody can start the battery: two minutes after that it runs."""
    known, it, jury = course()
    stopped_at(1000.0, it, known)
    it.silence(1300.0)

    it.reach(1420.0)
    before = standstills(jury)
    it.reach(1421.0)

    assert before == []
    assert standstills(jury) == [1420.0]


def test_i3_what_does_not_keep_us_from_the_gateway_excuses_no_standstill() -> None:
    """A clock that was set goes on being wrong: the battery runs 120 s after that began all the same."""
    known, it, jury = course()
    it.fault(1000.0, hinders=False)
    stopped_at(1010.0, it, known)

    it.reach(1120.0)
    before = standstills(jury)
    it.reach(1121.0)

    assert before == []
    assert standstills(jury) == [1120.0]


@pytest.mark.parametrize(("trusted", "broken"), [(True, [("L2", 1480.0)]), (False, [])])
def test_l2_what_does_not_keep_us_from_the_gateway_excuses_no_setpoint_for_long(
    *, trusted: bool, broken: list[tuple[str, float]]
) -> None:
    """By a clock that was set and that the system stands by, all is well again soon; by one that nobody trusts nothing is."""
    known, it, jury = course(trusted=trusted)
    it.fault(1000.0, 480.0, hinders=False)
    it.wish(NIGHT, 1000.0)

    it.reach(1480.0)
    before = list(jury.broken)
    it.reach(5000.0)

    assert before == []
    assert [(b.identifier, b.at_s) for b in jury.broken] == broken
    assert (known.faults, known.hindered) == (1, 0)


@pytest.mark.parametrize(
    ("answers", "until_s"),
    [
        ({1050.0: 500, 1250.0: None, 1450.0: 500}, 1920.0),
        ({1050.0: 500, 1550.0: None}, 1840.0),
        ({1050.0: 500, 1250.0: None, 1450.0: 200}, 1720.0),
        ({}, 1720.0),
    ],
    ids=["again and again", "with a gap in which none could be tried", "let in", "never"],
)
def test_i3_logins_that_failed_for_long_are_tried_again_later(
    answers: dict[float, int | None], until_s: float
) -> None:
    """After a fault the battery runs within 120 s, and half of the time more for which the logins had failed in a row."""
    known, it, jury = course()
    it.fault(1000.0)
    stopped_at(1010.0, it, known)
    for at_s, answer in answers.items():
        it.login(answer, at_s)
    it.healed(1600.0, 120.0)

    it.reach(until_s)
    before = list(jury.broken)
    it.reach(until_s + 1)

    assert before == []
    assert {(b.identifier, b.at_s) for b in jury.broken} == {("I3", until_s), ("L2", until_s)}


@pytest.mark.parametrize(
    ("changes", "restarted_s", "wrote", "broken"),
    [
        ({}, 0.0, DAY, ["G12"]),
        ({}, 0.0, NIGHT, []),
        ({}, 960.0, DAY, []),
        ({"stepped_s": 960.0}, 0.0, DAY, []),
        ({"forgot_s": 960.0}, 0.0, DAY, []),
        ({"met_s": -1.0}, 0.0, DAY, []),
    ],
    ids=["set back", "written as it is", "a restart", "a set clock", "a full disk", "never ours"],
)
def test_g12_what_somebody_set_is_not_set_back_before_the_next_boundary(
    changes: dict[str, Any], restarted_s: float, wrote: Wish, broken: list[str]
) -> None:
    """Once ours was read back what somebody sets is theirs, unless something hides that it was a person."""
    known, it, jury = course()
    for name, value in {"now_s": 1000.0, "met_s": 950.0, **changes}.items():
        setattr(known, name, value)
    it.battery(Obeyed(mode="backup", reserve_raw_percent=100.0), 1000.0)
    it.stand(judged=True)

    it.write(wrote, restarted_s)

    assert [b.identifier for b in jury.broken] == broken
    it.wish(replace(DAY, raw_percent=20.0), 2000.0)
    it.write(DAY, restarted_s)
    assert [b.identifier for b in jury.broken] == broken, "the boundary ends it"


@pytest.mark.parametrize(("under_way", "broken"), [(False, ["G12"]), (True, [])])
def test_g12_what_stood_before_a_moment_stands_through_it(*, under_way: bool, broken: list[str]) -> None:
    """A moment that begins later hides no write over what somebody set; only what is set while it is under way is not judged."""
    known, it, jury = course()
    known.now_s, known.met_s = 1000.0, 950.0
    if under_way:
        it.moment(begins=True)
    it.battery(Obeyed(mode="backup", reserve_raw_percent=100.0), 1000.0)
    it.stand(judged=True)
    it.moment(begins=not under_way)

    it.write(DAY, 0.0)

    assert [b.identifier for b in jury.broken] == broken


def test_a_plan_is_compiled_by_what_it_says_and_not_by_its_place() -> None:
    """Two plans that share what was compiled each get their own, though both are the first of their rehearsal."""
    library = Library()
    end = BEGAN + timedelta(days=2)
    first, second = (Plans(plans, "yield", 300, library) for plans in ((SCHEDULE,), (edited(SCHEDULE),)))
    for plans in (first, second):
        plans.cover(BEGAN, end)

    wishes = [plans.wish(BEGAN + timedelta(hours=18)) for plans in (first, second)]
    by_day = [
        plans.agenda(plans.policy, BEGAN).fine.at(BEGAN + timedelta(hours=18)).spoken().setpoint
        for plans in (first, second)
    ]

    assert wishes[0] != wishes[1]
    assert [wish_of(setpoint) for setpoint in by_day] == wishes


def test_i18_flips_are_found() -> None:
    """A setpoint that goes to and fro at one boundary, as where the clocks change, is found even if the last one is right."""
    _, it, jury = course(wished_s=0.0)
    it.wish(NIGHT, 1000.0)
    for number, mode in enumerate(("backup", "self_consumption", "backup")):
        raw = 100.0 if mode == "backup" else 9.75
        it.battery(Obeyed(mode=mode, reserve_raw_percent=raw), 1000.0 + number)

    it.wish(DAY, 5000.0)

    assert [b.identifier for b in jury.broken] == ["I18"]


def test_l6_a_trouble_that_stays_is_found() -> None:
    """A trouble that is still shown 2 minutes after its cause is gone breaks a promise; one that is over does not."""
    _, it, jury = course()
    it.fault(1000.0)
    it.trouble("the gateway is gone", 1100.0)
    it.healed(1200.0, 120.0)
    it.trouble("the gateway is gone", 1319.0)
    before = list(jury.broken)

    it.trouble("the gateway is gone", 1321.0)

    assert before == []
    assert [b.identifier for b in jury.broken] == ["L6"]


# The parts of the world.


def test_virtual_time_is_exact_and_never_waits() -> None:
    """Many short rests come to the same instant as one long one, and a year of them takes no time."""

    async def rest() -> float:
        clock = RehearsalClock(BEGAN)
        for _ in range(4 * 24):
            await clock.sleep(900.0)
        await clock.sleep(365 * 86400.0 - 86400.0)
        assert clock.now() == BEGAN + timedelta(days=365)
        return clock.monotonic()

    assert run_virtually(rest()) == 365 * 86400.0


def test_t2_what_a_program_has_seen_of_its_clock_is_what_it_last_asked_about() -> None:
    """A clock that is set is another one from the program's next look on, and not a fixed time later."""

    async def look() -> tuple[timedelta, timedelta, timedelta]:
        clock = RehearsalClock(BEGAN)
        clock.step = timedelta(seconds=90)
        before = clock.seen_step
        clock.kept()
        after = clock.seen_step
        clock.step = timedelta()
        return before, after, clock.seen_step

    by = timedelta(seconds=90)
    assert run_virtually(look()) == (timedelta(), by, by)


def test_a_world_in_which_nobody_acts_is_stuck() -> None:
    """A task that waits for what nobody does ends with an error and not with a hang."""
    import asyncio

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(Stuck):
        run_virtually(wait())


def test_p1_a_dead_process_does_nothing_any_more() -> None:
    """After its last step a process takes no other one, and what it wrote before it stays."""
    died: list[bool] = []
    steps = Steps(lambda: died.append(True))
    disk = Disk(steps)
    marks = DiskMarks(disk, lambda: BEGAN)
    marks.note("kept")
    steps.kill_after(1)

    with pytest.raises(Killed):
        marks.note("lost")
    with pytest.raises(Killed):
        marks.note("lost as well")

    assert died == [True]
    steps.begin()
    assert "kept" in DiskMarks(disk, lambda: BEGAN)
    assert "lost" not in DiskMarks(disk, lambda: BEGAN)


def test_i13_a_plan_that_is_adopted_within_a_cycle_counts_from_the_next_one_on() -> None:
    """A cycle that was under way at an edit still shows the plan before it, once; the cycle after that may not."""
    known = facts()
    jury = Jury(known)
    jury.shown(status())
    known.digests.append("b")
    jury.shown(status())
    assert jury.broken == []

    jury.shown(status())

    assert [broken.identifier for broken in jury.broken] == ["I13"]


def test_p5_a_broken_disk_keeps_nothing_and_says_so() -> None:
    """What a disk does not take is known to the process, and gone with it; but for the marks, which lie in memory as well."""
    disk = Disk(Steps(lambda: None))
    disk.broken = True
    marks, note = DiskMarks(disk, lambda: BEGAN), DiskNote(disk, "moments")
    marks.note("it")
    note.save({"a": 1})

    assert ("it" in marks, marks.kept) == (True, False)
    assert (note.load(), note.kept) == ({"a": 1}, False)
    with pytest.raises(StoreError):
        DiskLedger(disk).save([BEGAN])
    assert DiskNote(disk, "moments").load() == {}
    after = DiskMarks(disk, lambda: BEGAN)
    assert ("it" in after, after.kept) == (True, False)
    disk.broken = False
    after.clear("it")
    assert (len(DiskMarks(disk, lambda: BEGAN)), after.kept) == (0, True)


def test_a_number_of_rehearsals_beside_a_single_one_is_refused() -> None:
    """Which of both was meant nobody can know."""
    done = rehearsed("--days", "1", "--runs", "3", "--run", "1")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: --runs is not for --run, which is one rehearsal: leave one of them out\n"


def test_a_plan_that_nothing_can_be_said_of_is_not_called_kept(tmp_path: Path) -> None:
    """Where every rule has an `if` no boundary is judged: that is said, with exit 2, and is no promise kept."""
    file = tmp_path / "tou.yaml"
    shipped = Path(SHIPPED).read_text(encoding="utf-8")
    file.write_text(shipped.replace("    set: {", "    if: {grid: connected}\n    set: {"), encoding="utf-8")

    done = command("rehearse", "--config", str(file), "--days", "0.5", "--faults", "none", cwd=ROOT)

    assert done.returncode == 2
    assert done.stderr.startswith(
        "error: no boundary was judged, since what this plan asks for always hangs on an `if`"
    )


def test_an_unknown_fault_is_refused() -> None:
    """A kind that does not exist ends with exit 2 and the list of those that do."""
    done = rehearsed("--days", "1", "--faults", "earthquake")

    assert done.returncode == 2
    assert "there is no 'earthquake'" in done.stderr
    assert "killed at rest" in done.stderr


def test_a_performance_is_complete() -> None:
    """What comes of a rehearsal names its firmware, its faults and the hash of its trace."""
    done = rehearse(order(kinds=("offline",), days=1), 0)

    assert isinstance(done, Performance)
    assert done.kinds == ("offline",)
    assert len(done.trace) == 32
