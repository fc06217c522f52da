"""What must be true of every switch, whatever went wrong in it: the broken promises of a scene of `small_faults.py`, in words. No tests here."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from faults import COMMIT, LOGIN, READ, RUN, SITEMASTER, STATUS, UPDATE, WRITE
from small_faults import (
    BEFORE_RAW,
    BEGINS,
    CLAMPED,
    CLAMPED_RAW,
    DESIRED_RAW,
    LATCHING,
    UNSEEN,
    Asked,
    Scene,
)

from scheduler.control.ports import MAY_HAVE_STOPPED
from scheduler.gateway.budget import ALLOWANCES, REPAIRS
from scheduler.gateway.http import DEADLINE_S
from scheduler.model.events import EffectJudged, PersonNeeded
from scheduler.model.evidence import Verdict
from scheduler.simulator.record import stretches

SILENCE_S = 300.0
STOPPED_ALIVE_S = 15.0
STOPPED_ONCE_KILLED_S = 60.0
STOPPED_S = 120.0
HEALED_S = 120.0
"""I3 and L2 of the promises: how long the battery may be stopped by us, and until when after the last fault all is right."""

METERS_S = 240.0
"""Until when what shows and is not in force is right: two looks at the meters find it, the first one two minutes later."""

DOUBT_S = 60.0
"""So long nobody logs in after a login that was refused without a reason, while a battery waits for one."""

PAUSED_S = 300.0
"""How long nothing is tried after an answer that speaks of a person, such as a 401 to the password."""

TICK_S = 15.0


def broken(scene: Scene) -> list[str]:
    """All promises that this scene broke, each with its name; empty where it kept all."""
    found = [
        *_end(scene),
        *_lateness(scene),
        *_standstills(scene),
        *_writes(scene),
        *_logins(scene),
        *_silences(scene),
        *_requests(scene),
        *_orders(scene),
    ]
    return [f"{scene}: {it}" for it in found]


def _end(scene: Scene) -> Iterator[str]:
    """The battery runs and goes by what is desired; or a person is told, in a sentence with a remedy, and it runs as it did."""
    b, home = scene.bench, scene.home
    obeyed = b.device.obeyed
    shut = scene.is_latched
    if not obeyed.running:
        yield "P1: the battery stands still in the end"
    if MAY_HAVE_STOPPED in b.marks or (b.marks and not shut):
        yield f"P1: marks are left: {sorted(b.marks)}"
    raw = (obeyed.mode, obeyed.reserve_raw_percent)
    # Where the second commit of late firmware brings it in, or where it was refused us to say it again, a clamp stays.
    clamped = (home.obeys_late or shut) and scene.struck_by({CLAMPED}) and raw == CLAMPED_RAW
    if raw not in {DESIRED_RAW, BEFORE_RAW} and not clamped:
        yield f"I1: the battery goes by {raw}"
    excused = scene.struck_by(LATCHING) or _patient_until(scene) > b.clock.now()
    if home.refused is not None and home.refused not in (scene.trouble or "") and not excused:
        yield f"G3: that this home does not let itself be switched is not told, but {scene.trouble}"
    elif home.refused is not None and raw != BEFORE_RAW:
        yield f"G3: a home that does not let itself be switched goes by {raw}"
    elif home.refused is None and shut and not scene.struck_by(LATCHING):
        yield f"G3: a person is asked for without a reason: {scene.trouble}"
    if home.refused is not None or shut or clamped:
        return
    unseen = scene.verdict is Verdict.NOT_EFFECTIVE and (home.obeys_late or scene.struck_by(UNSEEN))
    if raw != DESIRED_RAW and not unseen:
        yield f"L2: the battery goes by {raw}, the verdict is {scene.verdict}, and the trouble is {scene.trouble}"
    if scene.verdict is Verdict.NOT_EFFECTIVE and not scene.told(EffectJudged):
        yield "G11: that the battery does not obey was not told"


def _lateness(scene: Scene) -> Iterator[str]:
    """L2: right within two minutes after the last fault, or after the pause that an answer asked for."""
    if scene.home.refused is not None or scene.is_latched or scene.verdict is Verdict.NOT_EFFECTIVE:
        return
    now = scene.bench.clock.now()
    right = (
        max(start, scene.healed)
        for start, end, obeyed in stretches(scene.bench.device.history, BEGINS, now + timedelta(seconds=1))
        if obeyed.running and (obeyed.mode, obeyed.reserve_raw_percent) == DESIRED_RAW and end > scene.healed
    )
    since = next(right, None)
    by_meters = scene.told(EffectJudged) and (scene.home.obeys_late or scene.struck_by(UNSEEN))
    found = timedelta(seconds=METERS_S if by_meters else HEALED_S)
    # The meters are not asked in a silence either, so what only they can tell is found out after it.
    patient_until = _patient_until(scene) + (found if by_meters else timedelta())
    if since is not None and since > max(scene.healed + found, patient_until):
        yield f"L2: right {(since - scene.healed).total_seconds():.1f} s after the last fault"


def _patient_until(scene: Scene) -> datetime:
    """Until when nothing may be tried at all, because of what was answered, and a minute more for what is done then."""
    slow = (it for it in scene.asked if it.seen in {403, 429} or (it.call == LOGIN and it.seen == 401))
    pauses = (it.ended + timedelta(seconds=PAUSED_S + 60) for it in slow)
    return max(pauses, default=BEGINS)


def _silent_until(scene: Scene) -> datetime:
    """Until when nobody may log in to start the battery, and a minute more for what is done then."""
    asked_s = {429: PAUSED_S}
    asked_of_login_s = {401: PAUSED_S, 403: DOUBT_S, **asked_s}
    pauses = (
        (it.ended, (asked_of_login_s if it.call == LOGIN else asked_s).get(it.seen or 0))
        for it in scene.asked
    )
    ends = (since + timedelta(seconds=pause_s + 60) for since, pause_s in pauses if pause_s is not None)
    return max(ends, default=BEGINS)


def _standstills(scene: Scene) -> Iterator[str]:
    """I3: never out of service for longer than what went wrong explains."""
    many = len(scene.struck) + len(scene.killed)
    allowed_s = (STOPPED_ALIVE_S, STOPPED_ONCE_KILLED_S, STOPPED_S)[
        min(max(many + bool(scene.killed), 1), 3) - 1
    ]
    for start, end, obeyed in stretches(scene.bench.device.history, BEGINS, scene.bench.clock.now()):
        if not obeyed.running and end > max(start + timedelta(seconds=allowed_s), _silent_until(scene)):
            yield f"I3: stopped by us for {(end - start).total_seconds():.1f} s, and {allowed_s:.0f} s are allowed"


def _writes(scene: Scene) -> Iterator[str]:
    """I1 and I6: what is written is what is desired, only where something else was read in this process, and once a reading.

    A home that obeys late needs each write said twice, the second one after its commit.
    """
    read: tuple[object, object] | None = None
    before: Asked | None = None
    taken = False
    for it in scene.asked:
        if before is not None and it.life != before.life:
            read, taken = None, False
        if it.call == READ and it.seen == 200:
            read, taken = _operation(it.says) or read, False
        if it.call == WRITE:
            wrote = _operation(it.says)
            if wrote != DESIRED_RAW:
                yield f"I1: {wrote} was written"
            again = scene.home.obeys_late and before is not None and before.call == COMMIT
            if not again and (read is None or read == DESIRED_RAW):
                yield f"I6: written at {it.at.time()} although {read} was read last"
            if not again and taken:
                yield f"I6: written at {it.at.time()} although it was taken already, and nothing was read since"
            taken = taken or it.seen in {200, 202}
        before = it


def _operation(body: bytes) -> tuple[object, object] | None:
    """Mode and raw reserve in what was sent or answered; None where it says nothing of them."""
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said.get("real_mode", said.get("mode")), said.get("backup_reserve_percent")


def _logins(scene: Scene) -> Iterator[str]:
    """I8 and I10: within the budget, and never without a reason.

    A reason is a process that has no session yet, a login that came to nothing, or a 401. Old firmware says 403 to a dead
    token as well: to that, too, one login is allowed.
    """
    logins = [it for it in scene.asked if it.call == LOGIN]
    for allowance in ALLOWANCES:
        most = allowance.count + REPAIRS
        for first, beyond in zip(logins, logins[most:], strict=False):
            if beyond.at - first.at < allowance.window:
                yield f"I8: more than {most} logins in {allowance.words}"
    for before, it in itertools.pairwise(logins):
        between = [a for a in scene.asked if before.at <= a.at <= it.at and a is not before and a is not it]
        came_to_nothing = before.seen != 200 or before.spoilt is not None
        if it.life == before.life and not came_to_nothing and not any(a.seen in {401, 403} for a in between):
            yield f"I10: a login at {it.at.time()} without a reason"


def _silences(scene: Scene) -> Iterator[str]:
    """I9: after a 429 nothing is asked for five minutes, but what a battery needs that may be stopped by us."""
    for refused in scene.asked:
        if refused.seen != 429 or refused.ended in scene.killed:  # who is killed then has not noted it
            continue
        for it in scene.asked:
            loud = not (it.call in {SITEMASTER, RUN} and it.may_be_stopped)
            if loud and refused.ended < it.at < refused.ended + timedelta(seconds=SILENCE_S):
                yield f"I9: {it.call} at {it.at.time()}, and the 429 came at {refused.ended.time()}"


def _requests(scene: Scene) -> Iterator[str]:
    """I4 and I11: one after the other, none longer than ten seconds, and no storm of them."""
    for it in scene.asked:
        if it.ended - it.at > timedelta(seconds=DEADLINE_S, milliseconds=1):
            yield f"I11: {it.call} took {(it.ended - it.at).total_seconds():.1f} s"
    for before, it in itertools.pairwise(scene.asked):
        if it.at < before.ended:
            yield f"I4: {it.call} was sent while {before.call} was under way"
    for a, b in zip(scene.asked, scene.asked[MOST_IN_A_MINUTE:], strict=False):
        if b.at - a.at < timedelta(minutes=1):
            yield f"I11: more than {MOST_IN_A_MINUTE} requests in the minute from {a.at.time()} on"


MOST_IN_A_MINUTE = 120
"""Far below what hurts a gateway; a battery that is waited for is looked at once a second."""


def _orders(scene: Scene) -> Iterator[str]:
    """I2 and P3b: noted before it is done, started only where it was noted, and never stopped by command."""
    stops = scene.home.username == "installer" and scene.home.refused is None
    for it in scene.asked:
        if it.call == LOGIN and json.loads(it.says)["force_sm_off"]:
            yield "I2: force_sm_off was sent"
        if it.call.endswith("/stop"):
            yield "I2: the battery was told to stop"
        if it.call == RUN and not it.may_be_stopped:
            yield "I2: started without a mark"
        if it.call == LOGIN and stops and not it.may_be_stopped:
            yield "P3b: a login that can stop the battery was not noted before it"
        if it.call == WRITE and not it.may_lack_commit:
            yield "P3b: a write was not noted before it"
    for told in scene.told(PersonNeeded):
        if "; " not in told.message:
            yield f"G3: a person is not told what to do: {told.message}"
    calls = Counter(it.call for it in scene.asked)
    if calls[UPDATE] > calls[LOGIN] * 3 + 3 or calls[STATUS] > len(scene.asked) / 2 + 10:
        yield f"I11: asked in circles: {calls}"
