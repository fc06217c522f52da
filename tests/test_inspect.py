"""`inspect` as the command against the simulated gateway behind real TLS: what it reads, hides, bundles and leaves alone."""

from __future__ import annotations

import errno
import json
import os
import pwd
import re
import stat
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from commands import CUSTOMER, INSTALLER, Done, run
from fake_gateway import Fake, gateway_of
from processes import PASSWORD, ROOT, Site, command, site
from secrets_in import found

from scheduler.app.inspect import write_bundle
from scheduler.gateway.calls import find
from scheduler.model.errors import GatewayError, NotCapable, SessionExpired, StoreError, Transient
from scheduler.store.journal import Journal

SERIAL = "T123456789"
SECRETS = [
    SERIAL,
    PASSWORD,
    "56789",
    "me@example.com",
    "installer@example.com",
    "127.0.0.1",
    "91101",
    "Pasadena",
]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A site with firmware 1.45.2, as the README sets it up."""
    with site(tmp_path_factory.mktemp("house")) as it:
        yield it


def inspect(house: Site, *words: str, state: str = "mine", **more: str) -> Done:
    """The command with the customer's login unless told otherwise, and a state directory."""
    return run("inspect", *words, "--state-dir", state, cwd=house.folder, **{**CUSTOMER, **more})


def test_one_call_is_read_and_printed_as_json(house: Site) -> None:
    """What is open to everybody is read without a login, by its path with or without /api/."""
    done = inspect(house, "system_status/soe")
    again = inspect(house, "/api/system_status/soe", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout).keys() == {"percentage"}
    (answer,) = json.loads(again.stdout)["answers"]
    assert (answer["path"], answer["status"], answer["error"]) == ("/api/system_status/soe", 200, None)
    assert not (house.folder / "mine" / "logins.json").exists()


def test_serial_numbers_are_hidden_in_what_is_printed(house: Site) -> None:
    """The part number may be read, the serial number not."""
    done = inspect(house, "config")

    assert json.loads(done.stdout) == {"vin": "1232100-00-E--(serial 1)"}
    assert found(SECRETS, done.stdout + done.stderr) == []


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("system_status/soc",), "did you mean system_status/soe"),
        (("xyzzy",), "--list shows"),
        (("soe",), "did you mean system_status/soe?"),
        (("/api/Operation",), "did you mean operation?"),
        (("solars/brands/{name}",), "put one of those that `tou-scheduler inspect solars/brands` lists"),
        (("sitemaster/stop",), "only reads"),
        ((), "say one of"),
        (("config", "--all"), "say one of"),
        (("config", "--bundle", "b.json"), "--bundle goes with --all"),
        (("--all", "--bundle", "nowhere/b.json"), "there is no folder"),
    ],
)
def test_what_cannot_be_meant_is_said_with_what_could(house: Site, words: tuple[str, ...], says: str) -> None:
    """A slip of the pen gets a sentence and exit code 2, and nothing is asked of the gateway."""
    done = inspect(house, *words)

    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_a_maker_is_one_that_the_gateway_lists(house: Site) -> None:
    """The example of the list is one that the simulated gateway knows; after any other the way to the list is told."""
    (example,) = re.findall("such as '(solars/brands/[^']+)'", inspect(house, "--list").stdout)
    known = inspect(house, example, state="another")
    unknown = inspect(house, "solars/brands/Nobody", state="another")

    assert known.returncode == 0, known.stderr
    assert unknown.returncode == 5
    assert "`tou-scheduler inspect solars/brands` lists the makers that it knows" in unknown.stderr


def test_the_list_names_every_call_and_which_ones_act(house: Site) -> None:
    """`--list` is the table of the client itself, for people and for programs."""
    shown = inspect(house, "--list").stdout
    rows = {
        (row["verb"], row["path"]): row
        for row in json.loads(inspect(house, "--list", "--json").stdout)["calls"]
    }

    assert rows["GET", "/api/system_status/soe"]["login"] == "since 20.49"
    assert rows["GET", "/api/status"]["login"] == "never"
    assert rows["POST", "/api/operation"]["acts"] is True
    assert all(path in shown for _, path in rows)


def test_all_reads_what_only_tells_and_keeps_errors_beside_their_call(house: Site) -> None:
    """A call that this firmware refuses is a finding: its sentence stands beside it, and the others are read."""
    done = inspect(house, "--all", "--json")
    document = json.loads(done.stdout)
    answers = {answer["path"]: answer for answer in document["answers"]}

    assert done.returncode == 0, done.stderr
    assert (document["schema"], document["version"], document["firmware"]) == (
        "tou-scheduler/inspect",
        1,
        "1.45.2",
    )
    assert document["login_stopped_battery"] is False
    assert answers["/api/operation"]["answer"]["real_mode"] == "self_consumption"
    refused = answers["/api/powerwalls/status"]
    assert (refused["status"], refused["answer"]) == (409, None)
    assert "only while the battery is stopped" in refused["error"]
    assert found(SECRETS, done.stdout + done.stderr) == []


def test_all_does_not_ask_for_what_this_firmware_is_known_not_to_have(house: Site) -> None:
    """The table says it, so the gateway is not troubled; who names the call has it asked for all the same."""
    answers = {
        answer["path"]: answer
        for answer in json.loads(inspect(house, "--all", "--json", "--no-login", state="shy").stdout)[
            "answers"
        ]
    }
    one = inspect(house, "auth/toggle/supported")

    shut = answers["/api/auth/toggle/supported"]
    assert (shut["status"], shut["ms"]) == (None, None)
    assert shut["error"].startswith("not on this firmware (the table says 20 and later)")
    assert answers["/api/system_status"]["error"].startswith("not on this firmware")
    assert answers["/api/system_status/soe"]["status"] == 200
    assert one.returncode == 5
    assert "does not know GET /api/auth/toggle/supported (404)" in one.stderr
    assert "this gateway does not have it" in one.stderr
    assert "Tesla's app" not in one.stderr


@pytest.mark.parametrize(
    ("name", "firmware", "there", "words"),
    [
        ("system_status", (1, 50), False, "20 and later"),
        ("system_status", (20, 0), True, "20 and later"),
        ("system/networks", (1, 50), True, "1.15 to 1.50"),
        ("system/networks", (1, 51), False, "1.15 to 1.50"),
        ("operation", (1, 2), True, "1.15 and later"),
        ("operation", (99, 0), True, "1.15 and later"),
        ("solars/brands/ABB", (99, 0), True, "1.15 and later"),
    ],
)
def test_the_table_knows_which_firmware_has_a_call(
    name: str, firmware: tuple[int, int], *, there: bool, words: str
) -> None:
    """By numbers for `--all`, and in the words of `--list`; where no end is known, nothing is missing."""
    call = find(name)

    assert call is not None
    assert (call.is_on(firmware), call.firmware) == (there, words)


def test_a_budget_that_is_used_up_is_said_to_be_ours(house: Site) -> None:
    """Whoever reads call by call without a session learns whose limit it is, and how to read everything at once."""
    now = datetime.now(UTC)  # noqa: TID251 - the command goes by the machine's clock
    (house.folder / "spent").mkdir()
    (house.folder / "spent" / "logins.json").write_text(json.dumps([now.isoformat()] * 3))

    done = inspect(house, "operation", state="spent")

    assert done.returncode == 1
    assert "this program, its daemon and its commands together" in done.stderr
    assert "`tou-scheduler inspect --all` reads everything with one login" in done.stderr


def test_no_letter_ends_in_a_traceback(tmp_path: Path) -> None:
    """On a terminal that lacks a letter its escape is printed, and JSON stays JSON."""
    file = tmp_path / "tou.yaml"
    shipped = (ROOT / "config" / "tou.yaml").read_text()
    for old in ("Run the house from the battery", "Refill at night"):
        assert old in shipped
        shipped = shipped.replace(old, f"{old} Größe Ж 🏠")
    file.write_text(shipped)

    documents = command("plan", "--config", str(file), "--json", cwd=tmp_path, PYTHONIOENCODING="ascii")
    words = command("plan", "--config", str(file), cwd=tmp_path, PYTHONIOENCODING="ascii")

    assert (documents.returncode, words.returncode) == (0, 0), documents.stderr + words.stderr
    assert "Größe Ж 🏠" in json.dumps(json.loads(documents.stdout), ensure_ascii=False)
    assert "\\u0416" in words.stdout


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (rb"\ud83d\ude00", "\N{GRINNING FACE}"),
        (rb"\\ud800", "\\ud800"),
        (rb"\uD800", None),
        (rb"\ude00\ud83d", None),
    ],
)
async def test_half_a_character_is_no_text(text: bytes, value: str | None) -> None:
    """A lone surrogate, which no file and no terminal takes, makes a bad answer; a whole pair is a character."""
    fake = Fake()
    gateway = gateway_of(fake, username="customer")
    fake.says("GET", "/api/site_info", 200, b'{"site_name":"' + text + b'"}')
    call = find("site_info")
    assert call is not None

    if value is None:
        with pytest.raises(Transient, match="half a character where text belongs"):
            await gateway.inspect(call)
    else:
        assert await gateway.inspect(call) == {"site_name": value}


def test_half_a_character_of_our_own_records_stands_in_a_bundle_as_json(house: Site, tmp_path: Path) -> None:
    """Whatever an older version has noted, the bundle can be written and read."""
    directory = tmp_path / "state"
    with closing(Journal(directory / "journal.sqlite")) as book:
        book.add_event({"event": "odd", "message": "half \ud800"})

    done = inspect(house, "--all", "--no-login", "--bundle", str(tmp_path / "b.json"), state=str(directory))

    assert done.returncode == 0, done.stderr
    assert json.loads((tmp_path / "b.json").read_bytes())["events"][-1]["message"] == "half \ud800"


def test_without_a_login_only_what_is_open_is_told(house: Site) -> None:
    """`--no-login` sends no password, and says what it missed."""
    done = inspect(house, "operation", "--no-login", state="shy")

    assert done.returncode == 5
    assert "no login is made" in done.stderr
    assert not (house.folder / "shy" / "logins.json").exists()


def test_a_bundle_is_whole_private_and_never_written_over_another(house: Site) -> None:
    """It holds answers, file, records and versions, for its owner's eyes, without anything that must be hidden."""
    run("once", "--state-dir", "bundled", cwd=house.folder, **INSTALLER)
    file = house.folder / "bundle.json"

    done = inspect(house, "--all", "--bundle", "bundle.json", state="bundled")
    again = inspect(house, "--all", "--bundle", "bundle.json", state="untouched")

    assert done.returncode == 0, done.stderr
    document = json.loads(file.read_text())
    assert (document["schema"], document["version"], document["firmware"]) == (
        "tou-scheduler/bundle",
        1,
        "1.45.2",
    )
    assert len(document["configuration"]["digest"]) == 64
    assert "name: Refill at night" in document["configuration"]["text"]
    assert document["switches"][-1]["verdict"] in {"verified", "effective", "already"}
    assert "restarted" in {event["event"] for event in document["events"]}
    assert document["problems"] == []
    assert found(SECRETS, file.read_bytes()) == []
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert again.returncode == 2
    assert "nothing is written over it" in again.stderr
    assert not (house.folder / "untouched").exists()
    assert list(house.folder.glob(".bundle*")) == []


def test_a_file_that_came_meanwhile_is_not_written_over(tmp_path: Path) -> None:
    """Whoever was quicker keeps their file."""
    (tmp_path / "b.json").write_text("theirs")

    with pytest.raises(StoreError, match="nothing is written over it"):
        write_bundle(tmp_path / "b.json", b"{}")

    assert [path.read_text() for path in tmp_path.iterdir()] == ["theirs"]


def test_a_bundle_that_cannot_be_written_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk leaves no piece of a bundle behind, and a sentence instead of a traceback."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.fsync", full)

    with pytest.raises(StoreError, match="No space left"):
        write_bundle(tmp_path / "b.json", b"{}")

    assert list(tmp_path.iterdir()) == []


def test_a_command_of_roots_shuts_no_daemon_out_of_its_memory(house: Site) -> None:
    """Run with sudo it leaves lock, marks, logins and journal to the owner of the state directory."""
    if os.geteuid() != 0:
        pytest.skip("only root can write into a directory of somebody else's")
    state = house.folder / "daemons"
    state.mkdir(mode=0o700)
    nobody = pwd.getpwnam("nobody")
    os.chown(state, nobody.pw_uid, nobody.pw_gid)

    done = inspect(house, "operation", state="daemons", **INSTALLER)

    left = {path.name: (path.stat().st_uid, path.stat().st_gid) for path in state.iterdir()}
    assert done.returncode == 0, done.stderr
    assert {"lock", "marker.json", "logins.json", "journal.sqlite"} <= left.keys()
    assert set(left.values()) == {(nobody.pw_uid, nobody.pw_gid)}


def test_an_installer_is_told_that_the_login_stopped_the_battery(house: Site) -> None:
    """On firmware up to 1.49 it does, for a moment; afterwards the battery runs and no mark is left."""
    state = house.folder / "installers"
    done = inspect(house, "operation", state="installers", **INSTALLER)

    assert done.returncode == 0, done.stderr
    assert "stopped the battery for a moment; it runs again" in done.stderr
    assert json.loads((state / "marker.json").read_text()) == []
    assert json.loads(inspect(house, "sitemaster").stdout)["running"] is True


def test_a_wrong_password_is_tried_once_and_the_open_calls_are_read(house: Site) -> None:
    """`--all` does not send a refused password again for each call that wants a login."""
    state = house.folder / "wrong"
    done = inspect(house, "--all", "--json", state="wrong", TOU_GATEWAY__PASSWORD="nonsense9")
    answers = {answer["path"]: answer for answer in json.loads(done.stdout)["answers"]}

    assert len(json.loads((state / "logins.json").read_text())) == 1
    assert answers["/api/system_status/soe"]["status"] == 200
    assert any("password" in (answer["error"] or "") for answer in answers.values())
    assert found(["nonsense9"], done.stdout + done.stderr) == []


@pytest.mark.parametrize(("dead", "expected"), [(False, NotCapable), (True, SessionExpired)])
async def test_a_403_of_one_call_does_not_cost_the_session_unless_it_is_dead(
    *, dead: bool, expected: type[GatewayError]
) -> None:
    """The update status tells a role that may not from a token that is not known any more."""
    fake = Fake()
    gateway = gateway_of(fake, username="customer")
    await gateway.login()
    await gateway.is_running()
    fake.says("GET", "/api/networks", 403)
    if dead:
        fake.says("GET", "/api/system/update/status", 403)
    call = find("networks")
    assert call is not None

    with pytest.raises(expected):
        await gateway.inspect(call)

    assert gateway.has_session is not dead
    assert fake.lines[-1] == "GET /api/system/update/status"


def test_a_role_that_may_not_read_everything_reads_the_rest(tmp_path: Path) -> None:
    """Three calls are answered with 403; one login is made, and every other call is answered."""
    forbidden = ("/api/networks", "/api/solars", "/api/generators")
    with site(tmp_path, *(f"answers 403 to {path}" for path in forbidden), firmware="21.39") as house:
        done = inspect(house, "--all", "--json")
    answers = {answer["path"]: answer["status"] for answer in json.loads(done.stdout)["answers"]}

    assert {path for path, status in answers.items() if status == 403} == set(forbidden)
    assert answers["/api/system/testing"] == 200
    assert len(json.loads((tmp_path / "mine" / "logins.json").read_text())) == 1


def test_a_gateway_that_wants_to_be_left_alone_is(tmp_path: Path) -> None:
    """After a 429 nothing more is asked: the calls that were not have its sentence, and the exit code is not 0."""
    with site(tmp_path, "answers 429 to /api/sitemaster") as house:
        done = inspect(house, "--all", "--json")
    answers = json.loads(done.stdout)["answers"]

    assert done.returncode == 3
    assert sum(answer["status"] == 429 for answer in answers) == 1
    assert any(answer["status"] is None and "429" in answer["error"] for answer in answers)


def test_a_gateway_that_is_away_is_a_sentence_and_still_makes_a_bundle(tmp_path: Path, house: Site) -> None:
    """Nobody answers: exit code 3, in a moment; our own records are bundled all the same."""
    away = {"TOU_GATEWAY__HOST": "127.0.0.1:9"}

    one = inspect(house, "config", **away)
    every = inspect(house, "--all", "--bundle", str(tmp_path / "b.json"), **away)

    assert (one.returncode, one.stdout) == (3, "")
    assert "cannot be reached" in one.stderr
    assert every.returncode == 3
    document = json.loads((tmp_path / "b.json").read_text())
    assert document["firmware"] is None
    assert all(answer["status"] is None and answer["error"] for answer in document["answers"])
    assert found(["127.0.0.1"], (tmp_path / "b.json").read_text()) == []


def test_beside_a_daemon_nothing_is_done_that_could_stop_its_battery(house: Site) -> None:
    """The installer's login is not made; what is open is read while the daemon runs."""
    with house.daemon():
        shut = inspect(house, "operation", state="state", **INSTALLER)
        free = inspect(house, "sitemaster", state="state", **INSTALLER)

    assert shut.returncode == 5
    assert "stop the daemon first" in shut.stderr
    assert json.loads(free.stdout)["running"] is True
