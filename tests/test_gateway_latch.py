"""What ends requests for longer than a process lives: a refused password, another serial number, the silence after a 429."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fake_gateway import NOW, PASSWORD, TOKEN, Fake, gateway_of, write
from processes import site

from scheduler.gateway.local import LocalGateway
from scheduler.gateway.note import NoNote, Notebook
from scheduler.model.errors import (
    BadCredentials,
    IdentityChanged,
    SessionExpired,
    StoreError,
    Throttled,
)
from scheduler.store.note import NoteFile

LOGIN = "POST /api/login/Basic"
SALT = "5a" * 16
"""A salt under which the passwords and serial numbers below have checks that differ, as 255 of 256 do."""
OTHER = "ST987654321"
DIN = "1232100-00-E--TG118123456789"
OTHER_DIN = "1232100-00-E--TG118987654321"


class Now:
    """A clock for the gateway."""

    def __init__(self) -> None:
        self.at = NOW

    def __call__(self) -> Any:
        """The time on it."""
        return self.at


class Steady:
    """A clock that nobody sets."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        """Its seconds."""
        return self.at_s


def unexpected(error: StoreError) -> None:
    """Memory does not fail in these tests."""
    pytest.fail(str(error))


@pytest.fixture
def note(tmp_path: Path) -> NoteFile:
    """A note in a file, with a known salt."""
    path = tmp_path / "gateway.json"
    path.write_text(json.dumps({"salt": SALT}))
    return NoteFile(path, unexpected)


async def refused(note: NoteFile, times: int = 3, *, clock: Now | None = None, **given: Any) -> Fake:
    """A gateway that refused our password so many times, each time to a new process."""
    clock, fake = clock or Now(), Fake()
    fake.says("POST", "/api/login/Basic", 401)
    for _ in range(times):
        gateway = gateway_of(fake, now=clock, note=note, **given)
        with pytest.raises(BadCredentials, match="does not know this password"):
            await gateway.login()
        await gateway.close()
    return fake


async def test_three_refusals_outlast_a_restart(note: NoteFile) -> None:
    """Three processes, one refusal each: the fourth sends nothing, and says the same with the remedy."""
    fake = await refused(note)
    sent = len(fake.requests)
    gateway = gateway_of(fake, note=note)

    for call in (LocalGateway.login, LocalGateway.identify, LocalGateway.read, write):
        with pytest.raises(
            BadCredentials, match=r"3 times.*correct gateway\.username.*within a day at the latest"
        ):
            await call(gateway)
    await gateway.close()

    assert sent == 3
    assert len(fake.requests) == 3


@pytest.mark.parametrize("given", [{"password": OTHER}, {"username": "customer"}])
async def test_another_secret_is_tried_at_once(note: NoteFile, given: dict[str, str]) -> None:
    """After the password or the user was corrected there is no file to remove and no time to wait."""
    fake = await refused(note)
    fake.odd.clear()
    gateway = gateway_of(fake, note=note, **given)

    await gateway.login()
    await gateway.close()

    assert gateway.has_session
    assert [entry["times"] for entry in note.load()["refused_password"].values()] == [3]


async def test_a_day_later_one_login_probes(note: NoteFile) -> None:
    """A gateway whose password was set to ours meanwhile is found within a day; one refusal ends it for another day."""
    clock = Now()
    fake = await refused(note, clock=clock)
    for hours, tried in ((23.9, 3), (0.2, 4), (0.1, 4), (23.8, 4), (0.2, 5)):
        clock.at += timedelta(hours=hours)
        gateway = gateway_of(fake, now=clock, note=note)
        for _ in range(2):
            with pytest.raises(BadCredentials):
                await gateway.login()
        await gateway.close()
        assert fake.lines.count(LOGIN) == tried

    clock.at += timedelta(hours=24)
    fake.odd.clear()
    gateway = gateway_of(fake, now=clock, note=note)
    await gateway.login()
    await gateway.close()

    assert gateway.has_session


async def test_a_refusal_of_the_future_begins_to_age(note: NoteFile) -> None:
    """After a clock that ran a year ahead was stepped back, the wait is a day and not a year."""
    clock = Now()
    clock.at += timedelta(days=365)
    fake = await refused(note, clock=clock)
    clock.at = NOW
    for hours, tried in ((0, 3), (23, 3), (1, 4)):
        clock.at += timedelta(hours=hours)
        gateway = gateway_of(fake, now=clock, note=note)
        with pytest.raises(BadCredentials):
            await gateway.login()
        await gateway.close()
        assert fake.lines.count(LOGIN) == tried


async def test_only_refusals_in_a_row_count_over_restarts(note: NoteFile) -> None:
    """A login that went well forgives the refusals before it."""
    fake = await refused(note, 2)
    fake.odd.clear()
    clock = Now()
    clock.at += timedelta(minutes=10)
    gateway = gateway_of(fake, now=clock, note=note)
    await gateway.login()
    await gateway.close()

    await refused(note, 2, clock=clock)
    fake = Fake()
    gateway = gateway_of(fake, note=note)
    await gateway.login()
    await gateway.close()

    assert gateway.has_session


@pytest.mark.parametrize(
    "entry",
    [
        None,
        3,
        [],
        {},
        {"check": 3},
        {"check": [3, NOW.isoformat()]},
        {"check": {"times": 3}},
        {"check": {"times": "3", "last": NOW.isoformat()}},
        {"check": {"times": True, "last": NOW.isoformat()}},
        {"check": {"times": 3, "last": "soon"}},
        {"check": {"times": 3, "last": "2026-07-01T07:55:00"}},
        {"check": {"times": 3, "last": 5}},
    ],
)
async def test_a_note_that_makes_no_sense_counts_as_none(note: NoteFile, entry: object) -> None:
    """Whatever stands where the refusals are kept, a login is possible unless it is exactly what we write."""
    check = Notebook(note).page().check("refused_password", "powerwall:443", "installer", PASSWORD)
    if isinstance(entry, dict) and "check" in entry:
        entry = {str(check): entry["check"]}
    note.save({"salt": SALT, "refused_password": entry, "gateway": entry, "silence": entry})
    gateway = gateway_of(Fake(), note=note)

    await gateway.identify()
    await gateway.login()
    await gateway.close()

    assert gateway.has_session


@pytest.mark.parametrize("salt", [None, 5, "", "5a", "zz" * 16])
async def test_what_was_checked_under_an_unknown_salt_counts_as_none(note: NoteFile, salt: object) -> None:
    """Neither refusals nor a serial number can be compared without their salt; a new one is kept with the first entry."""
    fake = await refused(note)
    says_din(fake, DIN)
    clock = Now()
    clock.at += timedelta(hours=1)
    note.save({**note.load(), "gateway": {"certificate": (b"\1" * 32).hex(), "check": 300}, "salt": salt})
    gateway = gateway_of(fake, note=note, now=clock)

    await gateway.identify()
    with pytest.raises(BadCredentials, match="does not know this password"):
        await gateway.login()
    await gateway.close()

    assert len(bytes.fromhex(note.load()["salt"])) == 16
    assert [entry["times"] for entry in note.load()["refused_password"].values()] == [1]
    assert note.load()["gateway"]["check"] < 256


class Slow(NoNote):
    """A note whose readers see it as it was until `wake`: other processes write in between."""

    def __init__(self) -> None:
        super().__init__()
        self.stale: dict[str, Any] | None = None

    def load(self) -> dict[str, Any]:
        """What was saved, or what was there before."""
        return super().load() if self.stale is None else dict(self.stale)


async def test_two_processes_that_begin_a_note_at_once_call_no_gateway_another_one() -> None:
    """The one that wrote last wins with salt and entry together, so that a restart knows the gateway again."""
    shared, fake = Slow(), Fake()
    says_din(fake, DIN)
    first, second = gateway_of(fake, note=shared), gateway_of(fake, note=shared)
    shared.stale = shared.load()
    for gateway in (first, second):
        await gateway.identify()
        await gateway.close()
    shared.stale = None
    third = gateway_of(fake, note=shared)

    identity = await third.identify()
    await third.close()

    assert identity.firmware.startswith("21.39.1")
    assert set(shared.load()) == {"salt", "gateway"}


async def test_the_note_gives_no_secret_away(note: NoteFile, tmp_path: Path) -> None:
    """Of password and serial number 8 bits each are kept, under one salt that never changes, and nothing more."""
    fake = await refused(note)
    fake.says("GET", "/api/status", 200, json.dumps({"version": "21.39.1", "din": DIN}).encode())
    gateway = gateway_of(fake, note=NoNote())  # to learn the serial number without the latch
    await gateway.identify()
    await gateway.close()
    other = gateway_of(fake, password=OTHER, note=note)
    await other.identify()
    await other.close()

    content = note.load()
    assert content["salt"] == SALT
    ((check, entry),) = content["refused_password"].items()
    assert set(entry) == {"times", "last"}
    assert set(content["gateway"]) == {"certificate", "check"}
    assert all(0 <= kept <= 255 for kept in (int(check), content["gateway"]["check"]))
    said = (tmp_path / "gateway.json").read_text()
    for secret in (PASSWORD, PASSWORD[-5:], DIN, DIN[-5:]):
        assert secret not in said


def test_a_changed_secret_is_noticed_nearly_always() -> None:
    """Of a thousand other passwords a few at most have the same check, which is what a thief would have to try."""
    page = Notebook(NoNote()).page()
    check = page.check("refused_password", "powerwall:443", "installer", PASSWORD)

    same = sum(
        page.check("refused_password", "powerwall:443", "installer", f"ST{n}") == check for n in range(1000)
    )

    assert same < 20


async def test_two_wrong_secrets_in_turns_escape_no_latch(note: NoteFile) -> None:
    """A daemon and a person beside it, each with another wrong password: three refusals for each, and no more."""
    clock, fake = Now(), Fake()
    fake.says("POST", "/api/login/Basic", 401)
    for _ in range(10):
        for password in (PASSWORD, OTHER):
            clock.at += timedelta(minutes=31)
            gateway = gateway_of(fake, password=password, note=note, now=clock)
            with pytest.raises(BadCredentials):
                await gateway.login()
            await gateway.close()

    assert fake.lines.count(LOGIN) == 6


async def test_the_right_password_of_one_does_not_free_the_wrong_one_of_another(note: NoteFile) -> None:
    """A person logs in beside a daemon whose password was refused three times: that one stays latched."""
    fake = await refused(note)
    fake.odd.clear()
    right = gateway_of(fake, password=OTHER, note=note)
    await right.login()
    await right.close()
    wrong = gateway_of(fake, note=note)

    with pytest.raises(BadCredentials, match="3 times"):
        await wrong.login()
    await wrong.close()

    assert fake.lines.count(LOGIN) == 4


async def test_of_many_wrong_secrets_the_latest_are_remembered(note: NoteFile) -> None:
    """The note does not grow for ever, and what was refused last is still latched."""
    clock = Now()
    for n in range(40):
        clock.at += timedelta(minutes=20)
        await refused(note, 1, clock=clock, password=f"wrong{n}")
    clock.at += timedelta(hours=2)
    await refused(note, 3, clock=clock, password=OTHER)
    gateway = gateway_of(Fake(), password=OTHER, note=note, now=clock)

    with pytest.raises(BadCredentials, match="3 times"):
        await gateway.login()
    await gateway.close()

    assert len(note.load()["refused_password"]) == 16


async def throttled(note: NoteFile, clock: Now, retry_after: str = "1200") -> None:
    """A process that was told 429, and is gone."""
    fake = Fake()
    fake.says("GET", "/api/system_status/soe", 429, **{"retry-after": retry_after})
    gateway = gateway_of(fake, note=note, now=clock)
    with pytest.raises(Throttled):
        await gateway.live()
    await gateway.close()


async def test_the_silence_after_a_429_is_kept_by_every_process(note: NoteFile) -> None:
    """Whatever call was answered so: no login leaves any process until it is over, and then one does."""
    clock, fake = Now(), Fake()
    await throttled(note, clock)
    for minutes, silence_s in ((0, 1200), (10, 600), (9, 60)):
        clock.at += timedelta(minutes=minutes)
        gateway = gateway_of(fake, note=note, now=clock)
        assert gateway.silence_s == silence_s
        with pytest.raises(Throttled, match=f"left alone for {silence_s} s more") as caught:
            await gateway.login()
        assert caught.value.silence_s == silence_s
        await gateway.close()
    assert fake.requests == []

    clock.at += timedelta(minutes=1)
    gateway = gateway_of(fake, note=note, now=clock)
    await gateway.login()
    await gateway.close()

    assert gateway.silence_s == 0
    assert fake.lines == [LOGIN]


@pytest.mark.parametrize("lasts_s", [None, "1200", True, -5, 0, 7200, math.inf, math.nan, [1200]])
async def test_a_silence_of_the_future_lasts_an_hour_at_most(note: NoteFile, lasts_s: object) -> None:
    """By the note of an older program, or of one that makes no sense, and a clock that ran a year ahead, it lasts an hour."""
    clock = Now()
    clock.at += timedelta(days=365)
    await throttled(note, clock)
    kept = note.load()
    kept["silence"] = {"at": kept["silence"]["at"], "until": kept["silence"]["until"]}
    if lasts_s is not None:
        kept["silence"]["lasts_s"] = lasts_s
    note.save(kept)
    clock.at = NOW
    left_s = []
    for minutes in (0, 30, 30):
        clock.at += timedelta(minutes=minutes)
        left_s.append(gateway_of(Fake(), note=note, now=clock).silence_s)

    assert left_s == [3600, 1800, 0]


@pytest.mark.parametrize("back", [timedelta(minutes=2), timedelta(minutes=30), timedelta(days=365)])
async def test_i9_a_clock_that_is_set_back_makes_no_silence_longer_than_it_was_to_last(
    note: NoteFile, back: timedelta
) -> None:
    """The next process, which knows the wall clock only, begins it anew, and not one of an hour."""
    clock = Now()
    await throttled(note, clock, retry_after="300")
    clock.at -= back
    left_s = []
    for minutes in (0, 4, 1):
        clock.at += timedelta(minutes=minutes)
        left_s.append(gateway_of(Fake(), note=note, now=clock).silence_s)

    assert left_s == [300, 60, 0]


@pytest.mark.parametrize("step_s", [-31_536_000, -1800, -120, 120, 1800, 31_536_000])
async def test_t2_i9_a_process_that_was_told_429_goes_by_the_steady_clock(
    note: NoteFile, step_s: float
) -> None:
    """However the wall clock is set meanwhile, its silence of five minutes is over after five; the others are told how much is left."""
    clock, steady, fake = Now(), Steady(), Fake()
    fake.says("GET", "/api/system_status/soe", 429)
    gateway = gateway_of(fake, note=note, now=clock, monotonic=steady)
    with pytest.raises(Throttled):
        await gateway.live()
    left_s = []
    for seconds, step in ((60, step_s), (239, 0.0), (1, 0.0)):
        steady.at_s += seconds
        clock.at += timedelta(seconds=seconds + step)
        left_s.append((gateway.silence_s, gateway_of(Fake(), note=note, now=clock).silence_s))
    await gateway.close()

    assert left_s == [(240, 240), (1, 1), (0, 0)]


async def test_t2_i9_a_silence_that_was_read_goes_by_the_steady_clock_too(note: NoteFile) -> None:
    """A daemon beside whoever was told 429 knows of it once it has seen the note; that it is over is not noted again."""
    clock, steady = Now(), Steady()
    await throttled(note, clock)
    gateway = gateway_of(Fake(), note=note, now=clock, monotonic=steady)
    first = gateway.silence_s
    clock.at += timedelta(hours=3)
    steady.at_s += 600
    second = gateway.silence_s
    steady.at_s += 600
    kept = note.load()
    last = gateway.silence_s

    assert (first, second, last) == (1200, 600, 0)
    assert note.load() == kept


async def test_i9_a_silence_costs_one_write(note: NoteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked each second for five minutes, with clocks that drift apart a little, it is noted once."""
    clock, steady, fake, saved = Now(), Steady(), Fake(), 0
    save = NoteFile.save

    def counted(it: NoteFile, content: dict[str, Any]) -> None:
        nonlocal saved
        saved += 1
        save(it, content)

    monkeypatch.setattr(NoteFile, "save", counted)
    fake.says("GET", "/api/system_status/soe", 429)
    gateway = gateway_of(fake, note=note, now=clock, monotonic=steady)
    with pytest.raises(Throttled):
        await gateway.live()
    for _ in range(310):
        clock.at += timedelta(seconds=1.0005)
        steady.at_s += 1
        assert gateway.silence_s <= 300
    await gateway.close()

    assert saved == 1


class Found(NoNote):
    """A note that cannot be read at first: what is saved meanwhile is forgotten once it is found."""

    def __init__(self) -> None:
        super().__init__()
        self.save({"salt": SALT})
        self.file = self.load()
        self.save({})

    def find(self) -> None:
        """It can be read."""
        self.save(self.file)


async def test_p5_i9_a_silence_outlasts_a_note_that_is_read_late() -> None:
    """It was asked for while the note could not be read: whoever was asked, and every process after it, keeps it."""
    clock, fake, note = Now(), Fake(), Found()
    fake.says("GET", "/api/system_status/soe", 429, **{"retry-after": "1200"})
    gateway = gateway_of(fake, note=note, now=clock)
    with pytest.raises(Throttled):
        await gateway.live()
    clock.at += timedelta(minutes=1)

    note.find()
    left_s = [it.silence_s for it in (gateway, gateway_of(fake, note=note, now=clock))]
    clock.at += timedelta(minutes=20)
    await gateway.close()

    assert left_s == [1140, 1140]
    assert gateway.silence_s == 0
    assert note.load()["salt"] == SALT


@pytest.mark.parametrize("before", [0, 2])
async def test_p5_refusals_outlast_a_note_that_is_read_late(before: int) -> None:
    """Those of meanwhile and those that were found in it count together, for every process after the next one."""
    note, fake = Found(), Fake()
    found = NoNote()
    found.save(note.file)
    await refused(found, before)  # type: ignore[arg-type]  # a note as good as a file's
    note.file = found.load()
    fake.says("POST", "/api/login/Basic", 401)
    gateway = gateway_of(fake, note=note)
    for _ in range(2):
        with pytest.raises(BadCredentials, match="does not know"):
            await gateway.login()

    note.find()
    for _ in range(3):
        with pytest.raises(BadCredentials):
            await gateway.login()
    await gateway.close()

    assert fake.lines.count(LOGIN) == (3 if before == 0 else 2)


async def test_a_login_that_is_taken_forgets_the_refusals_of_a_lost_note() -> None:
    """Only refusals in a row count, also where the note in which they stood is gone."""
    clock, note, fake = Now(), Found(), Fake()
    gateway = gateway_of(fake, note=note, now=clock)
    fake.says("POST", "/api/login/Basic", 401)
    for _ in range(2):
        with pytest.raises(BadCredentials):
            await gateway.login()
    fake.odd.clear()
    clock.at += timedelta(hours=1)
    await gateway.login()
    note.find()
    fake.says("POST", "/api/login/Basic", 401)

    for _ in range(2):
        with pytest.raises(BadCredentials, match="does not know"):
            await gateway.login()
    await gateway.close()

    assert fake.lines.count(LOGIN) == 5


async def test_the_silence_of_one_gateway_is_not_another_ones(note: NoteFile) -> None:
    """Where the configuration names another gateway, that one was never too busy."""
    await throttled(note, Now())
    entry = note.load()["silence"]
    note.save({**note.load(), "silence": entry | {"at": "elsewhere:443"}})

    assert entry["at"] == "powerwall:443"
    assert gateway_of(Fake(), note=note).silence_s == 0


def test_once_sends_no_refused_password_a_fourth_time(tmp_path: Path) -> None:
    """As people meet it: a third refusal, a run that asks nothing, and then the right password simply works."""
    with site(tmp_path) as home:
        (tmp_path / "state").mkdir()
        note = NoteFile(tmp_path / "state" / "gateway.json", unexpected)
        note.save({"salt": SALT})
        checks = {
            word: Notebook(note).page().check("refused_password", f"127.0.0.1:{home.port}", "installer", word)
            for word in (PASSWORD, "wrong", "worse")
        }
        wrong = next(word for word in ("wrong", "worse") if checks[word] != checks[PASSWORD])
        entry = {str(checks[wrong]): {"times": 2, "last": NOW.isoformat()}}
        note.save({"salt": SALT, "refused_password": entry})
        words = ("once", "--state-dir", "state", "--json")
        runs = [home.run(*words, TOU_GATEWAY__PASSWORD=wrong) for _ in range(2)]
        right = home.json("once", "--state-dir", "state")

    third, fourth = (json.loads(run.stdout) for run in runs)
    assert [run.returncode for run in runs] == [5, 5]
    assert "login" in [step["step"] for step in third["steps"]]
    assert fourth["steps"] == []
    assert "3 times" in fourth["message"]
    assert right["verdict"] == "verified"


# Another serial number behind the certificate that was trusted.


def says_din(fake: Fake, din: str | None) -> None:
    """From now on the gateway says this serial number, or none."""
    status = {"version": "21.39.1 7759c368"} | ({} if din is None else {"din": din})
    fake.says("GET", "/api/status", 200, json.dumps(status).encode())


async def test_another_serial_number_gets_no_credentials(note: NoteFile) -> None:
    """Neither the password nor the token is sent any more, and the sentence tells how to accept it, without the number."""
    fake = Fake()
    gateway = gateway_of(fake, note=note)
    says_din(fake, DIN)
    await gateway.identify()
    await gateway.login()
    sent = len(fake.requests)
    says_din(fake, OTHER_DIN)

    for call in (LocalGateway.identify, LocalGateway.login, LocalGateway.read, write):
        with pytest.raises(IdentityChanged, match=r"trust --replace.*gateway\.json") as caught:
            await call(gateway)
        assert OTHER_DIN[-5:] not in str(caught.value)
        assert DIN[-5:] not in str(caught.value)
    await gateway.close()

    assert len(fake.requests) == sent + 1
    assert TOKEN not in str(fake.requests[-1].headers)


async def test_the_known_gateway_is_taken_again_when_it_is_back(note: NoteFile) -> None:
    """It is looked at with a call that carries no secret; once the known serial number answers, all goes on."""
    fake = Fake()
    gateway = gateway_of(fake, note=note)
    says_din(fake, DIN)
    await gateway.identify()
    says_din(fake, OTHER_DIN)
    with pytest.raises(IdentityChanged):
        await gateway.identify()
    says_din(fake, None)
    await gateway.identify()
    with pytest.raises(IdentityChanged):
        await gateway.login()
    says_din(fake, DIN)
    await gateway.identify()
    await gateway.login()
    await gateway.close()

    assert gateway.has_session


async def test_firmware_that_says_no_serial_number_is_taken_as_it_is(note: NoteFile) -> None:
    """Up to 1.50 there is none: the certificate is the proof, and nothing is noted."""
    fake = Fake()
    gateway = gateway_of(fake, note=note)
    says_din(fake, None)
    await gateway.identify()
    await gateway.login()
    await gateway.close()

    assert "gateway" not in note.load()


def removed(note: NoteFile) -> None:
    """A person removes the file, as the remedy says."""
    Path(note.place).unlink()


def kept(_: NoteFile) -> None:
    """Nobody does anything."""


@pytest.mark.parametrize(
    ("act", "fingerprint", "taken"),
    [(kept, b"\1" * 32, False), (removed, b"\1" * 32, True), (kept, b"\2" * 32, True)],
    ids=["same certificate", "note removed", "another certificate was trusted"],
)
async def test_another_serial_number_is_noticed_over_a_restart(
    note: NoteFile, act: Callable[[NoteFile], None], fingerprint: bytes, *, taken: bool
) -> None:
    """A restart proves nothing; what a person did does: a newly trusted certificate, or the note removed."""
    fake = Fake()
    says_din(fake, DIN)
    first = gateway_of(fake, note=note)
    await first.identify()
    await first.close()
    says_din(fake, OTHER_DIN)
    act(note)
    second = gateway_of(fake, note=note, fingerprint=fingerprint)

    if taken:
        await second.identify()
        await second.login()
    else:
        with pytest.raises(IdentityChanged):
            await second.identify()
        with pytest.raises(IdentityChanged):
            await second.login()
    await second.close()

    assert second.has_session is taken


async def test_an_expired_session_does_not_lead_the_password_to_another_gateway(note: NoteFile) -> None:
    """Where our token is unknown, a login would follow; before it the gateway is asked who it is."""
    fake = Fake()
    says_din(fake, DIN)
    gateway = gateway_of(fake, note=note)
    await gateway.identify()
    await gateway.login()
    await gateway.read()
    says_din(fake, OTHER_DIN)
    fake.says("GET", "/api/operation", 401)
    with pytest.raises(SessionExpired):
        await gateway.read()

    with pytest.raises(IdentityChanged):
        await gateway.identify()
    with pytest.raises(IdentityChanged):
        await gateway.login()
    await gateway.close()

    assert fake.lines.count(LOGIN) == 1
