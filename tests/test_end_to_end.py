"""The command as users run it: real processes, real HTTPS, real files.

Each verb is a process here at least once; what is asked more often is asked within this one, which costs a tenth.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Done, run
from processes import PASSWORD, ROOT, Site, command, eventually, site, started
from tls_peer import make_certificate

from scheduler.cli.once import code_of
from scheduler.model.evidence import Verdict


def within(home: Site, *words: str, **more: str) -> Done:
    """What a command of ours says in this site, run within this process."""
    return run(*words, cwd=home.folder, **{"TOU_GATEWAY__PASSWORD": PASSWORD, **more})


def document(home: Site, *words: str) -> Any:
    """What it prints as JSON."""
    return json.loads(within(home, *words, "--json").stdout)


def status_of(home: Site) -> Done:
    """What `status` says now."""
    return within(home, "status", "--state-dir", "state")


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Site]:
    """A site whose gateway behaves."""
    with site(tmp_path) as it:
        yield it


def test_once_brings_the_gateway_to_what_should_be_now(home: Site) -> None:
    """The first `once` verifies, the second finds it already there; the records agree with `plan`."""
    first = home.json("once", "--state-dir", "state")
    second = document(home, "once", "--state-dir", "state")

    assert (first["schema"], first["version"], first["verdict"]) == ("tou-scheduler/switch", 1, "verified")
    assert second["verdict"] == "already"
    assert first["desired"]["mode"] == second["after"]["mode"]
    assert [first, second] == document(home, "history", "--state-dir", "state")
    segments = document(home, "plan", "--merge", "--days", "2")["segments"]
    assert first["desired"] in [{k: s[k] for k in ("mode", "reserve_percent")} for s in segments]


def test_curl_by_hand_reads_what_once_wrote(home: Site) -> None:
    """With the trusted certificate and the README's curl commands, the gateway shows the raw scale of our record."""
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not on this machine")
    record = document(home, "once", "--state-dir", "state")

    def ask(path: str, *words: str) -> dict[str, object]:
        there = ["--cacert", "config/powerwall.pem", "--resolve", f"powerwall:{home.port}:127.0.0.1"]
        answer = subprocess.run(
            [curl, "-s", "--fail", *there, *words, f"https://powerwall:{home.port}{path}"],
            cwd=home.folder,
            capture_output=True,
            check=True,
        )
        return json.loads(answer.stdout)

    login = {"username": "customer", "password": "56789", "email": "me@example.com", "force_sm_off": False}
    token = ask("/api/login/Basic", "-H", "Content-Type: application/json", "-d", json.dumps(login))["token"]
    seen = ask("/api/operation", "-H", f"Authorization: Bearer {token}")

    assert record["after"]["mode"] == seen["real_mode"]
    assert 0.95 * record["after"]["reserve_percent"] + 5 == pytest.approx(seen["backup_reserve_percent"])


def test_the_daemon_switches_and_status_and_history_show_it(home: Site) -> None:
    """While the daemon runs, `status` is fine and names its process, and the switch is in the history."""
    with home.daemon() as daemon:
        eventually(lambda: home.known.startswith("fine"))
        assert home.run("status", "--state-dir", "state").returncode == 0
        status = document(home, "status", "--state-dir", "state")
        assert daemon.pid == status["pid"]
        assert status["desired"]["mode"] == status["actual"]["mode"]
        assert home.json("history", "--state-dir", "state")[-1]["verdict"] == "verified"


def test_status_says_that_the_daemon_does_not_run(home: Site) -> None:
    """Without a daemon `status` exits 1 and says so; with one that was there it still shows what it knew."""
    never = status_of(home)
    with home.daemon():
        pass
    after = status_of(home)

    assert (never.returncode, after.returncode) == (1, 1)
    assert "no daemon runs with this state directory" in never.stdout
    assert "gateway" in after.stdout


def test_the_daemon_logs_one_line_for_each_change(home: Site) -> None:
    """Not on a terminal the log is JSON: one switch, no line for the cycles that changed nothing, no secret."""
    with home.daemon():
        eventually(lambda: any(line["event"] == "switch" for line in home.log))

    # The shipped file has a firmware moment, which is due at some hour of a real day.
    events = [line["event"] for line in home.log]
    assert [it for it in events if it not in {"moment_started", "moment_ended", "path"}] == [
        "started",
        "zone_differs",
        "restarted",
        "switch",
        "stopped",
    ]
    assert PASSWORD not in (home.folder / "run.err").read_text()


def test_sigterm_ends_the_daemon_with_exit_code_0(home: Site) -> None:
    """Told to stop, it stops within ten seconds, and says nothing bad."""
    with home.daemon() as daemon:
        daemon.send_signal(signal.SIGTERM)

        assert daemon.wait(timeout=10) == 0


def test_an_edited_file_is_taken_up_without_a_restart(home: Site) -> None:
    """Saving the file is enough; SIGHUP does it at once. The gateway follows."""
    with home.daemon() as daemon:
        home.edit("set: {mode: backup, reserve: 100}", "set: {mode: backup, reserve: 70}")
        home.edit("set: {mode: self_consumption, reserve: 5}", "set: {mode: self_consumption, reserve: 70}")
        daemon.send_signal(signal.SIGHUP)

        eventually(
            lambda: (
                json.loads((home.folder / "state" / "status.json").read_text())["actual"]["reserve_percent"]
                == 70
            )
        )
        assert "plan" in [line["event"] for line in home.log]


def test_a_broken_edit_changes_nothing_and_status_names_the_line(home: Site) -> None:
    """With a bad file the last good plan goes on; `status` exits 1 and says which line is wrong."""
    with home.daemon():
        home.edit("mode: backup", "mode: bakcup")

        eventually(lambda: "plan_rejected" in [line["event"] for line in home.log])
        eventually(lambda: "bakcup" in home.known)
        status = status_of(home)
        assert status.returncode == 1
        assert "tou.yaml:42" in status.stdout


def test_a_second_daemon_names_the_first_and_exits_3(home: Site) -> None:
    """One daemon a state directory: the second one says which process has it, and so does `once`."""
    with home.daemon() as daemon:
        second = home.run("run", "--state-dir", "state")
        once = within(home, "once", "--state-dir", "state")

    assert (second.returncode, once.returncode) == (3, 3)
    assert str(daemon.pid) in second.stderr
    assert str(daemon.pid) in once.stderr


def test_a_daemon_killed_in_the_middle_leaves_nothing_that_hinders_the_next(home: Site) -> None:
    """After SIGKILL the next daemon takes over the state directory and the gateway runs."""
    with home.daemon() as daemon:
        daemon.kill()
        daemon.wait()
    (home.folder / "state" / "status.json").unlink()

    with home.daemon():
        eventually(lambda: home.known.startswith("fine"))
        assert status_of(home).returncode == 0


def test_once_exits_3_when_nobody_answers(home: Site) -> None:
    """Unreachable is exit code 3, with a verdict and a sentence, and no traceback."""
    home.edit(f":{home.port} ", ":1 ")

    result = home.run("once", "--state-dir", "state")

    assert result.returncode == 3
    assert result.stdout.startswith("unreachable: ")
    assert "Traceback" not in result.stderr


def test_once_exits_5_with_a_wrong_password(home: Site) -> None:
    """A refused password is exit code 5, with the remedy."""
    result = within(home, "once", "--state-dir", "state", TOU_GATEWAY__PASSWORD="wrong")

    assert result.returncode == 5
    assert "password" in result.stdout
    assert "wrong" not in result.stdout + result.stderr


def test_once_exits_5_without_a_trusted_certificate(home: Site) -> None:
    """Without a certificate nothing is sent; the sentence says to run `trust`."""
    (home.folder / "config" / "powerwall.pem").unlink()

    result = within(home, "once", "--state-dir", "state")

    assert result.returncode == 5
    assert result.stdout.startswith("refused: ")
    assert "tou-scheduler trust" in result.stdout
    assert document(home, "once", "--state-dir", "state")["verdict"] == "refused"


def test_another_certificate_is_refused_before_a_password_is_sent(home: Site, tmp_path: Path) -> None:
    """When another gateway answers in its place, `once` exits 5 and says how to go on."""
    with_other = tmp_path / "other"
    with_other.mkdir()
    with site(with_other) as other:
        home.edit(f":{home.port} ", f":{other.port} ")

        result = within(home, "once", "--state-dir", "state")

    assert result.returncode == 5
    assert "another certificate" in result.stdout


def is_running(home: Site) -> bool:
    """Whether the battery is in service, as the gateway tells anybody."""
    context = ssl.create_default_context(cafile=str(home.folder / "config" / "powerwall.pem"))
    # What is saved is the gateway's own certificate, and another one signed it: curl stops there by itself.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    with urllib.request.urlopen(f"https://127.0.0.1:{home.port}/api/sitemaster", context=context) as answer:
        return bool(json.load(answer)["running"])


@pytest.mark.parametrize("name", [signal.SIGINT, signal.SIGTERM])
def test_once_called_off_leaves_the_battery_running(tmp_path: Path, name: signal.Signals) -> None:
    """Ctrl-C while the battery stands still after our login puts it back into service, and says what may be undone."""
    with site(tmp_path, "forgets to start") as home:
        with started("once", "--state-dir", "state", cwd=home.folder) as once:
            marker = home.folder / "state" / "marker.json"
            eventually(marker.exists)
            for _ in range(10):  # by then it has tried to start it, in vain
                eventually(lambda: not is_running(home))
            once.send_signal(name)

            assert once.wait(timeout=30) == 4
        said = (home.folder / "once.err").read_text()
        assert "called off; the battery runs" in said
        assert "Traceback" not in said
        assert is_running(home)
        # What was written was not read back: the next run owes its commit.
        assert [noted["mark"] for noted in json.loads(marker.read_text())] == ["uncommitted"]


def told(home: Site, event: str) -> list[dict[str, object]]:
    """The lines of this event in the daemon's log."""
    return [line for line in home.log if line["event"] == event]


def test_trusting_the_new_certificate_mends_a_running_daemon(home: Site) -> None:
    """The remedy that is printed for a changed certificate works without a restart."""
    pem = home.folder / "config" / "powerwall.pem"
    right = pem.read_text()
    pem.write_bytes(make_certificate().pem)
    with home.daemon():
        eventually(lambda: "another certificate" in home.known)

        assert home.run("trust", "--yes", "--replace").returncode == 0
        eventually(lambda: home.known.startswith("fine"))
        assert status_of(home).returncode == 0

        assert pem.read_text() == right
        assert len(told(home, "plan")) == 1


def test_a_certificate_that_comes_later_clears_the_problem(home: Site) -> None:
    """An edit that names a certificate which is not there yet is refused, said once, and taken up after `trust`."""
    with home.daemon():
        home.edit("certificate: powerwall.pem", "certificate: other.pem")
        eventually(lambda: told(home, "plan_rejected"))
        eventually(lambda: "other.pem" in home.known)

        assert within(home, "trust", "--yes").returncode == 0
        eventually(lambda: home.known.startswith("fine"))
        assert status_of(home).returncode == 0

        assert (len(told(home, "plan_rejected")), len(told(home, "plan"))) == (1, 1)


def test_a_corrected_password_file_mends_a_running_daemon(
    home: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A secret that was wrong is read anew when its file is, and is in no line of the log."""
    secret = tmp_path / "credentials" / "gateway_password"
    secret.parent.mkdir()
    secret.write_text("not-the-one")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(secret.parent))
    with home.daemon():
        eventually(lambda: "password" in home.known)

        secret.write_text(PASSWORD)
        eventually(lambda: home.known.startswith("fine"))

    log = (home.folder / "run.err").read_text()
    assert PASSWORD not in log
    assert "not-the-one" not in log


def test_another_time_zone_is_shown_without_a_restart(home: Site) -> None:
    """After an edit of the zone, log, status and history show its times, and the machine's difference is said again."""
    with home.daemon():
        assert len(told(home, "zone_differs")) == 1
        home.edit("timezone: America/Los_Angeles", "timezone: Asia/Tokyo")
        home.edit("reserve: 100", "reserve: 70")
        home.edit("reserve: 5}", "reserve: 70}")
        eventually(lambda: [line for line in told(home, "switch") if "70 %" in str(line["desired"])])

        assert [str(line["at"])[-6:] for line in (told(home, "plan")[-1], told(home, "switch")[-1])] == [
            "+09:00"
        ] * 2
        assert "Asia/Tokyo" in str(told(home, "zone_differs")[-1]["message"])
        eventually(lambda: document(home, "status", "--state-dir", "state")["at"].endswith("+09:00"))
        assert document(home, "history", "--state-dir", "state")[-1]["at"].endswith("+09:00")


def test_a_reload_that_changes_nothing_is_not_told(home: Site) -> None:
    """Only what is new is said: three signals without an edit are no line, an edit is one."""
    with home.daemon() as daemon:
        for _ in range(3):
            daemon.send_signal(signal.SIGHUP)
        home.edit("reserve: 100", "reserve: 70")

        eventually(lambda: told(home, "plan"))
        for _ in range(3):
            daemon.send_signal(signal.SIGHUP)
        home.edit("mode: backup", "mode: bakcup")
        eventually(lambda: told(home, "plan_rejected"))

        assert len(told(home, "plan")) == 1


def test_the_daemon_ends_while_the_resolver_hangs(
    home: Site, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A router that is away does not keep the service from stopping: nobody waits for the name."""
    hangs = "import socket, threading\nsocket.getaddrinfo = lambda *_, **__: threading.Event().wait()\n"
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(hangs)
    home.edit(f"host: 127.0.0.1:{home.port} ", "host: powerwall ")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"), prepend=os.pathsep)
    with home.daemon() as daemon:
        daemon.send_signal(signal.SIGTERM)
        try:
            assert daemon.wait(timeout=20) == 0
        finally:
            daemon.kill()


@pytest.mark.parametrize("content", ["[]", "{}", '{"at":1}', "{"])
def test_a_damaged_status_is_said(home: Site, content: str) -> None:
    """`status` exits 1 with a sentence, and with `--json` with a document that says the same."""
    state = home.folder / "state"
    state.mkdir()
    (state / "status.json").write_text(content)

    shown, told = status_of(home), document(home, "status", "--state-dir", "state")

    assert (shown.returncode, shown.stderr) == (1, "")
    assert "cannot be read" in shown.stdout
    assert (told["schema"], told["fine"]) == ("tou-scheduler/status", False)
    assert "cannot be read" in told["reason"]


def simulated(folder: Path) -> None:
    """The shipped file as a dry run."""
    text = (ROOT / "config" / "tou.yaml").read_text()
    (folder / "tou.yaml").write_text(text.replace("type: local ", "type: simulated "))


def test_a_status_file_that_cannot_be_removed_does_not_stop_the_daemon(tmp_path: Path) -> None:
    """Memory that fails is said in the log, and the daemon goes on."""
    simulated(tmp_path)
    (tmp_path / "state" / "status.json").mkdir(parents=True)

    with started("run", "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path) as daemon:
        log = tmp_path / "run.err"
        eventually(lambda: '"event": "switch"' in log.read_text() or daemon.poll() is not None)

        assert daemon.poll() is None
        assert "status.json could not be removed" in log.read_text()


@pytest.mark.parametrize("verb", ["once", "run"])
def test_a_simulated_gateway_that_cannot_be_kept_is_said(tmp_path: Path, verb: str) -> None:
    """With a file where its certificate belongs, both end with a sentence."""
    simulated(tmp_path)
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "simulated").write_text("")

    ended = command(verb, "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path)

    assert ended.returncode == 2
    assert "the simulated gateway cannot be kept in state/simulated" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("verb", ["once", "run"])
def test_a_broken_certificate_of_the_simulated_gateway_is_said(tmp_path: Path, verb: str) -> None:
    """What is kept of the simulated gateway and cannot be used is for the person to mend: exit code 2."""
    simulated(tmp_path)
    assert within(Site(tmp_path), "once", "--config", "tou.yaml", "--state-dir", "state").returncode == 0
    for file in (tmp_path / "state" / "simulated").iterdir():
        file.write_text("nonsense")

    ended = command(verb, "--config", "tou.yaml", "--state-dir", "state", cwd=tmp_path)

    assert ended.returncode == 2
    assert "state/simulated" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("verdict", list(Verdict))
def test_the_exit_code_of_once_follows_the_verdict(verdict: Verdict) -> None:
    """0 where the gateway reads back what was asked, 3 unreachable, 5 refused, 4 for everything not verified."""
    wanted = {"unreachable": 3, "refused": 5, "already": 0, "verified": 0, "effective": 0}

    assert wanted.get(verdict.value, 4) == code_of(verdict)


def test_a_simulated_gateway_needs_no_hardware(tmp_path: Path) -> None:
    """`type: simulated` turns the shipped file into a dry run: `once` verifies, with no certificate and no password."""
    text = (ROOT / "config" / "tou.yaml").read_text()
    (tmp_path / "tou.yaml").write_text(text.replace("type: local ", "type: simulated "))

    result = within(Site(tmp_path), "once", "--config", "tou.yaml", "--state-dir", "state", "--json")

    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["verdict"] == "verified"
