"""`service`: what it writes, asks and runs, below a folder of its own and with stand-ins for systemd's programs."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from unittest.mock import patch

import pytest
from commands import Done, run
from processes import COMMAND, PATIENCE_S, ROOT, environment

from scheduler.app.places import Places, example, kept_from_service, stable, unit
from scheduler.app.step import Write
from scheduler.cli import common
from scheduler.config import credential
from scheduler.config.load import load
from scheduler.config.problems import ConfigurationError
from scheduler.config.settings import PASSWORD, settle

SECRET = "hunter2-canary"

SYSTEMCTL = """
import json, sys
from pathlib import Path
here = Path(__file__).parent
with (here / "asked").open("a") as asked:
    asked.write(" ".join(["systemctl", *sys.argv[1:]]) + "\\n")
state = json.loads((here / "state").read_text())
verb = sys.argv[1]
if (here / "broken").exists() and verb in (here / "broken").read_text():
    sys.exit("Failed to do it: no reason")
if verb == "show":
    print("\\n".join(f"{key}={value}" for key, value in state.items()))
elif verb == "enable":
    state |= {"UnitFileState": "enabled", "LoadState": "loaded"}
elif verb in ("start", "restart"):
    state |= {"ActiveState": "active", "SubState": "running"}
elif verb == "disable":
    state = {"LoadState": "not-found", "ActiveState": "inactive"}
(here / "state").write_text(json.dumps(state))
"""

CREDS = """
import base64, sys
from pathlib import Path
here = Path(__file__).parent
with (here / "asked").open("a") as asked:
    asked.write(" ".join(["systemd-creds", *sys.argv[1:]]) + "\\n")
key = here / "key"
if not key.exists():
    sys.exit("Failed to determine local credential key: No such file or directory")
source = sys.argv[-2]
given = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
head = key.read_bytes() + b":"
if sys.argv[1] == "encrypt":
    sys.stdout.buffer.write(head + base64.b85encode(given))
elif given.startswith(head):
    sys.stdout.buffer.write(base64.b85decode(given.removeprefix(head)))
else:
    sys.exit("Failed to decrypt credential: Bad message")
"""

JOURNALCTL = """
import sys
print(*sys.argv[1:])
"""


class Machine:
    """A folder in the place of the system, and what stands in for systemd's programs, which notes what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "root"
        self.tools = folder / "tools"
        self.tools.mkdir()
        (self.root / "run" / "systemd" / "system").mkdir(parents=True)
        self.state()
        self.places = Places(root=self.root)
        self.tool("systemctl", SYSTEMCTL)
        self.tool("journalctl", JOURNALCTL)

    def tool(self, name: str, program: str) -> None:
        """Have a program of this name."""
        path = self.tools / name
        path.write_text(f"#!{sys.executable} -IS\n{program}")
        path.chmod(0o755)

    def encrypts(self) -> None:
        """Have systemd-creds, with a key for this machine."""
        self.tool("systemd-creds", CREDS)
        (self.tools / "key").write_text("first")

    def state(self, **properties: str) -> None:
        """What systemctl says of the service; without anything there is none."""
        document = {"LoadState": "not-found", "ActiveState": "inactive", **properties}
        (self.tools / "state").write_text(json.dumps(document))

    def asked(self) -> list[str]:
        """What the programs were asked since the last look, systemctl's questions left out."""
        record = self.tools / "asked"
        lines = record.read_text().splitlines() if record.exists() else []
        record.unlink(missing_ok=True)
        return [line for line in lines if not line.startswith("systemctl show")]

    def service(self, *words: str, typed: bytes = b"") -> Done:
        """Run `tou-scheduler service` here, within this process."""
        below = ("service", words[0], "--root", str(self.root), *words[1:])
        with patch.object(sys, "argv", [COMMAND]):
            return run(*below, cwd=self.root, typed=typed, PATH=str(self.tools))

    def process(self, *words: str, typed: bytes = b"") -> Done:
        """The same as users run it, in a process of its own."""
        done = subprocess.run(
            [COMMAND, "service", words[0], "--root", str(self.root), *words[1:]],
            env={**environment(), "PATH": str(self.tools)},
            input=typed,
            capture_output=True,
            timeout=60,
            check=False,
        )
        return Done(returncode=done.returncode, stdout=done.stdout.decode(), stderr=done.stderr.decode())

    def install(self, *words: str, typed: bytes = f"{SECRET}\n".encode()) -> Done:
        """Install, which must go well."""
        done = self.service("install", *words, typed=typed)
        assert done.returncode == 0, done.stderr
        return done

    def files(self) -> dict[str, tuple[str, int, str]]:
        """Every file below the root: its mode, when it was written, and a hash of its content."""
        return {
            str(path.relative_to(self.root)): (
                stat.filemode(path.stat().st_mode),
                path.stat().st_mtime_ns,
                hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "",
            )
            for path in sorted(self.root.rglob("*"))
        }

    def holds(self, secret: str) -> list[Path]:
        """The files in which this stands."""
        return [
            path for path in self.root.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine without a service, and without systemd-creds."""
    return Machine(tmp_path)


def mode(path: Path) -> int:
    """Who may read it."""
    return stat.S_IMODE(path.stat().st_mode)


def test_install_writes_what_the_service_needs(machine: Machine) -> None:
    """Unit, example and password lie where systemd and the daemon look, and only the password is for root alone."""
    done = machine.process("install", "--host", "10.0.0.9", typed=f"{SECRET}\n".encode())
    places = machine.places

    assert done.returncode == 0
    assert f"\nExecStart={COMMAND} run --stay\n" in places.unit.read_text()
    assert (mode(places.unit), mode(places.configuration), mode(places.configuration.parent)) == (
        0o644,
        0o644,
        0o755,
    )
    assert (places.plain.read_text(), mode(places.plain)) == (f"{SECRET}\n", 0o600)
    assert load(places.configuration, environ={}).gateway.host == "10.0.0.9"
    assert machine.asked() == ["systemctl daemon-reload", "systemctl enable tou-scheduler.service"]
    assert SECRET not in done.stdout + done.stderr


def test_install_says_what_is_left_to_do(machine: Machine) -> None:
    """A person reads the next steps in their order, and those that are done are not among them."""
    first = machine.install().stderr
    steps = [line.split()[:3] for line in first.partition("next:\n")[2].splitlines()]
    assert [step[:3] for step in steps] == [
        ["edit", str(machine.places.configuration) + ":", "your"],
        ["sudo", "tou-scheduler", "trust:"],
        ["sudo", "tou-scheduler", "doctor:"],
        ["sudo", "systemctl", "start"],
    ]

    machine.places.configuration.with_name("powerwall.pem").write_text("trusted")
    later = machine.install("--start").stderr.partition("next:\n")[2]
    assert "trust" not in later
    assert "start" not in later


def test_install_twice_changes_nothing(machine: Machine) -> None:
    """The second time no file is touched, nothing is asked, no command is run but questions, and that is said."""
    machine.encrypts()
    machine.install()
    machine.asked()
    before = machine.files()

    done = machine.install(typed=b"")

    assert machine.files() == before
    assert [line for line in machine.asked() if not line.startswith("systemd-creds decrypt")] == []
    assert "everything is in place already; nothing was changed" in done.stderr


def test_password_is_encrypted_where_that_works(machine: Machine) -> None:
    """Then it stands nowhere as it is: not in a file, not in what was said, not in a command's words."""
    machine.encrypts()

    done = machine.install()

    places = machine.places
    assert mode(places.encrypted) == 0o600
    assert places.decryption.read_text().splitlines()[-3:] == [
        "[Service]",
        "LoadCredential=",
        "LoadCredentialEncrypted=gateway_password:/etc/tou-scheduler/gateway_password.cred",
    ]
    assert machine.holds(SECRET) == []
    assert SECRET not in "".join([done.stdout, done.stderr, *machine.asked()])


def test_password_that_lay_there_as_it_is_gets_encrypted(machine: Machine) -> None:
    """On a system that can by now, it is taken over without a question, and removed as it is."""
    machine.install()
    assert machine.holds(SECRET) == [machine.places.plain]
    machine.encrypts()
    machine.asked()

    machine.install(typed=b"")

    assert machine.holds(SECRET) == []
    assert credential_of(machine) == SECRET
    assert "systemctl daemon-reload" in machine.asked()


def credential_of(machine: Machine) -> str:
    """The password, as the stand-in decrypts it."""
    words = ["decrypt", "--name=gateway_password", str(machine.places.encrypted), "-"]
    return subprocess.run(
        [machine.tools / "systemd-creds", *words], capture_output=True, text=True, check=True
    ).stdout


def test_password_is_kept_as_it_is_where_encryption_fails(machine: Machine) -> None:
    """A systemd-creds that has no place for a key is no reason to be without a service."""
    machine.encrypts()
    (machine.tools / "key").unlink()

    machine.install()

    assert machine.places.plain.read_text() == f"{SECRET}\n"
    assert not machine.places.encrypted.exists()
    assert not machine.places.decryption.exists()


def test_what_cannot_be_decrypted_is_not_relied_on(machine: Machine) -> None:
    """Encryption is tried both ways first: a password that nobody gets back would end the service at its next start."""
    machine.tool("systemd-creds", CREDS.replace("b85decode(given.removeprefix(head))", "b85decode(b'')"))
    (machine.tools / "key").write_text("first")

    machine.install()

    assert machine.places.plain.read_text() == f"{SECRET}\n"
    assert not machine.places.encrypted.exists()


def test_a_secret_step_shows_nothing_of_it() -> None:
    """Whoever prints a step, or an error that holds one, prints no password."""
    step = Write(path=Path("x"), content=SECRET.encode(), secret="the password")

    assert step.details() == []
    assert SECRET not in f"{step} {step!r}"


def test_lost_key_is_said_and_the_password_asked_for_once_more(machine: Machine) -> None:
    """After another system was set up on the machine, a person learns why, and one answer mends it."""
    machine.encrypts()
    machine.install()
    (machine.tools / "key").write_text("second")

    refused = machine.service("install")
    assert refused.returncode == 2
    assert "/var/lib/systemd/credential.secret, is another one than it was encrypted with" in refused.stderr

    machine.install(typed=b"another\n")
    assert credential_of(machine) == "another"


def test_dry_run_shows_all_of_it_and_does_nothing(machine: Machine) -> None:
    """Every file is printed whole and every command, no password is asked for, and nothing is written."""
    machine.encrypts()
    before = machine.files()

    done = machine.service("install", "--dry-run", "--start", "--host", "[::1]", typed=SECRET.encode())

    assert done.returncode == 0, done.stderr
    assert machine.files() == before
    assert machine.asked() == []
    for content in (unit(Path(COMMAND)), example("[::1]")):
        assert textwrap.indent(content.decode(), "    ") in done.stdout
    assert f"write {machine.places.encrypted} (0600, " in done.stdout
    assert "run systemctl enable tou-scheduler.service\nrun systemctl start" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_dry_run_needs_neither_root_nor_systemd(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who only wants to know what it would do may be anybody, anywhere."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", [COMMAND])

    done = run("service", "install", "--dry-run", cwd=machine.root, PATH=str(machine.root))

    assert done.returncode == 0
    assert "write /etc/systemd/system/tou-scheduler.service (0644)" in done.stdout


@pytest.mark.parametrize("words", [("install",), ("uninstall",), ("password",)])
def test_who_is_not_root_is_told_so(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """One sentence with the command to type, before anything is asked or written."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(sys, "argv", [COMMAND])
    monkeypatch.setattr("scheduler.app.places.kept_from_service", lambda *_: None)

    done = run("service", *words, cwd=machine.root)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: this takes root: sudo tou-scheduler service {words[0]}\n"


@pytest.mark.parametrize("words", [("install",), ("uninstall",), ("password",)])
def test_without_systemd_it_is_said_what_to_do(machine: Machine, words: tuple[str, ...]) -> None:
    """In a container, or under another manager, nothing is written, and the command to run is named."""
    (machine.root / "run" / "systemd" / "system").rmdir()
    before = machine.files()

    done = machine.service(*words, typed=b"x\n")

    assert (done.returncode, machine.files()) == (2, before)
    assert done.stderr.startswith("error: systemd does not run this system; ")
    assert "`tou-scheduler run --stay`" in done.stderr


def test_missing_systemctl_is_a_sentence(machine: Machine) -> None:
    """No traceback for a program that is not there."""
    (machine.tools / "systemctl").unlink()
    (machine.tools / "journalctl").unlink()

    for words in (("install",), ("status",)):
        done = machine.service(*words, typed=b"x\n")
        assert done.returncode == 1
        assert (
            done.stderr == "error: systemctl is not here; the service needs a system that is run by systemd\n"
        )


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        (b"", "no password was given"),
        (b"\n", "no password was given"),
        (b"\x1b[A\n", "control characters"),
        (b"\xff\n", "no UTF-8 text"),
        (b"x" * 5000, "no more than 4096 bytes"),
    ],
)
def test_what_is_no_password_is_refused(machine: Machine, typed: bytes, words: str) -> None:
    """Nothing is written for it: half a service would be worse than none."""
    before = machine.files()

    done = machine.service("install", typed=typed)

    assert (done.returncode, machine.files(), machine.asked()) == (2, before, [])
    assert words in done.stderr
    assert "nothing was changed" in done.stderr


def test_what_a_person_wrote_is_never_written_over(machine: Machine) -> None:
    """A configuration that is there stays as it is, and a host that was given for the example is not lost in silence."""
    places = machine.places
    places.configuration.parent.mkdir(parents=True)
    places.configuration.write_text("version: 2\n")

    done = machine.install("--host", "10.0.0.9")

    assert places.configuration.read_text() == "version: 2\n"
    assert "--host was not written into it" in done.stderr
    assert f"mend {places.configuration}: " in done.stderr


def test_a_host_that_is_none_is_refused(machine: Machine) -> None:
    """It is checked by the words of the configuration before anything is written."""
    before = machine.files()

    done = machine.service("install", "--host", "http://powerwall", typed=b"x\n")

    assert (done.returncode, machine.files()) == (2, before)
    assert done.stderr.startswith("error: --host: 'http://powerwall' is not a host")


def test_a_service_that_runs_sees_what_changed(machine: Machine) -> None:
    """A unit of an older version is replaced, and the daemon is started anew with it; a start is no second one."""
    machine.install("--start")
    assert machine.asked()[-1] == "systemctl start tou-scheduler.service"
    machine.places.unit.write_text("[Service]\n")

    machine.install("--start", typed=b"")

    assert machine.asked() == ["systemctl daemon-reload", "systemctl restart tou-scheduler.service"]


def test_what_failed_half_way_is_finished_the_next_time(machine: Machine) -> None:
    """A systemctl that fails ends it with its last words, and running it again does the rest."""
    (machine.tools / "broken").write_text("enable")

    failed = machine.service("install", typed=b"x\n")
    assert failed.returncode == 1
    assert (
        "`systemctl enable tou-scheduler.service` ended with 1: Failed to do it: no reason" in failed.stderr
    )
    assert "can be run again" in failed.stderr

    (machine.tools / "broken").unlink()
    machine.asked()
    machine.install(typed=b"")
    assert machine.asked() == ["systemctl enable tou-scheduler.service"]


@pytest.mark.parametrize("active", ["active", "inactive"])
def test_another_password_is_in_force_at_once(machine: Machine, active: str) -> None:
    """A password is handed over at the start only: a daemon that runs is started anew, one that does not is left alone."""
    machine.encrypts()
    machine.install()
    machine.state(LoadState="loaded", UnitFileState="enabled", ActiveState=active)
    machine.asked()

    done = machine.process("password", typed=b"another\n")

    assert done.returncode == 0, done.stderr
    assert credential_of(machine) == "another"
    restarts = [line for line in machine.asked() if line.startswith("systemctl")]
    assert restarts == (["systemctl restart tou-scheduler.service"] if active == "active" else [])


def test_questions_at_a_terminal(machine: Machine) -> None:
    """A person is asked for the host, once more if it is none, and for the password, which is not shown."""
    master, slave = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "service", "install", "--root", str(machine.root)],
        env={**environment(), "PATH": str(machine.tools)},
        stdin=slave,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        os.close(slave)
        patience = threading.Timer(PATIENCE_S, process.kill)
        patience.start()
        assert process.stderr is not None
        said = ""
        try:
            for question, answer in [
                ("[powerwall]:", "no host"),
                ("[powerwall]:", "::1"),
                ("shown): ", SECRET),
            ]:
                asked = ""
                while not asked.endswith(question):
                    letter = process.stderr.read(1).decode()
                    assert letter, said + asked
                    asked += letter
                os.write(master, f"{answer}\n".encode())
                said += asked
            said += process.stderr.read().decode()
        finally:
            patience.cancel()
            process.kill()
            os.close(master)

    assert "'no host' is not a host" in said
    assert load(machine.places.configuration, environ={}).gateway.host == "::1"
    assert machine.places.plain.read_text() == f"{SECRET}\n"
    assert SECRET not in said


def test_uninstall_keeps_what_a_person_wrote(machine: Machine) -> None:
    """Unit and addition go, configuration, password and memory stay, and it is said where they are."""
    machine.encrypts()
    machine.install("--start")
    memory = machine.places.memory[0]
    machine.asked()

    done = machine.process("uninstall")

    assert done.returncode == 0, done.stderr
    assert machine.asked() == [
        "systemctl disable --now tou-scheduler.service",
        "systemctl daemon-reload",
    ]
    assert not machine.places.unit.exists()
    assert not machine.places.additions.exists()
    assert machine.places.configuration.exists()
    assert f"kept: {machine.places.configuration.parent}, {memory};" in done.stderr
    assert "there is no service here" in machine.service("uninstall").stderr


def test_uninstall_leaves_the_additions_of_others(machine: Machine) -> None:
    """What `systemctl edit` made is a person's, and is kept until it is purged."""
    machine.encrypts()
    machine.install()
    override = machine.places.additions / "override.conf"
    override.write_text("[Service]\n")

    assert str(machine.places.additions) in machine.service("uninstall").stderr
    assert override.exists()
    assert not machine.places.decryption.exists()

    machine.service("uninstall", "--purge")
    assert not machine.places.additions.exists()


def test_the_memory_is_there_before_the_first_start(machine: Machine) -> None:
    """A visit before it must leave its marks where the service will look: the folder is made, for root alone, and goes again."""
    made, private = machine.places.memory
    shown = machine.service("install", "--dry-run").stdout

    machine.install()

    assert Path("/") / made.relative_to(machine.root) == common._STATE_OF_SERVICE  # noqa: SLF001 - where the verbs look
    assert f"make the folder {made} (0700)" in shown
    assert (made.is_dir(), mode(made)) == (True, 0o700)
    machine.service("uninstall", "--purge")
    assert not made.exists()
    # Where systemd keeps it already a folder in the place of its link would be in its way.
    private.mkdir(parents=True)
    machine.install()
    assert not made.exists()


def test_purge_leaves_nothing(machine: Machine) -> None:
    """Only what was there before the first installation is left, also of the memory behind systemd's link."""
    (machine.root / "etc" / "systemd" / "system").mkdir(parents=True)
    machine.encrypts()
    machine.install()
    link, behind = machine.places.memory
    link.rmdir()
    behind.mkdir(parents=True)
    (behind / "journal.sqlite").write_text("x")
    link.symlink_to(behind)

    dry = machine.service("uninstall", "--purge", "--dry-run")
    assert f"remove {behind}" in dry.stdout
    assert behind.exists()

    done = machine.service("uninstall", "--purge")
    assert "kept" not in done.stderr
    assert [name for name, (_, _, content) in machine.files().items() if content] == []
    assert not link.is_symlink()
    assert not machine.places.configuration.parent.exists()


def test_status_shows_what_systemd_and_the_daemon_say(machine: Machine) -> None:
    """One screen: state, sentence and restarts of the service, then the daemon's own status; the code is for monitors."""
    machine.install("--start")
    machine.state(
        LoadState="loaded",
        UnitFileState="enabled",
        ActiveState="active",
        SubState="running",
        StatusText="on_peak: reserve 5 %",
        NRestarts="3",
        Result="success",
    )

    done = machine.process("status")

    assert done.stdout.splitlines()[:4] == [
        "service   active (running) since boot",
        "at boot   started",
        "restarts  3, by systemd since somebody last started it",
        "says      on_peak: reserve 5 %",
    ]
    assert "NOT FINE: no daemon runs with this state directory" in done.stdout
    assert done.returncode == 1
    machine_readable = machine.service("status", "--json")
    document = json.loads(machine_readable.stdout)
    assert (document["installed"], document["active"], document["trouble"]) == (True, True, None)
    assert (document["fine"], document["daemon"]["running"]) == (False, False)
    assert machine_readable.returncode == 1


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_status_that_cannot_be_seen_is_not_fine(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """A user who may not enter the memory cannot know that all is well, and a monitor of his must not read that it is."""
    machine.install("--start")
    monkeypatch.setattr("scheduler.cli.service_state._may_enter", lambda _: False)

    done = run(
        "service", "status", "--root", str(machine.root), *words, cwd=machine.root, PATH=str(machine.tools)
    )

    assert done.returncode == 1
    assert ("with sudo only" in done.stderr) is (words == ())
    if words:
        assert json.loads(done.stdout)["daemon"] is None


@pytest.mark.parametrize(
    ("result", "status", "words"),
    [
        ("exit-code", "243", "`sudo tou-scheduler service password` takes it once more"),
        ("exit-code", "203", "`sudo tou-scheduler service install` writes down where it is now"),
        ("exit-code", "70", "its loop hung"),
        ("watchdog", "6", "it completed no cycle for too long"),
        ("timeout", "15", "it took too long"),
        ("signal", "9", "it ended with signal 9"),
    ],
)
def test_status_says_why_it_does_not_run(machine: Machine, result: str, status: str, words: str) -> None:
    """Each way in which a start can fail is a sentence with what to do, and no number to look up."""
    machine.state(
        LoadState="loaded",
        ActiveState="activating",
        SubState="auto-restart",
        Result=result,
        ExecMainStatus=status,
    )

    done = run("service", "status", "--root", str(machine.root), cwd=machine.root, PATH=str(machine.tools))

    (trouble,) = [line for line in done.stdout.splitlines() if line.startswith("trouble")]
    assert words in trouble
    assert done.returncode == 1


def test_status_without_a_service_says_how_to_have_one(machine: Machine) -> None:
    """Nothing is there yet, and that is no riddle."""
    done = machine.service("status")

    assert (done.returncode, done.stdout) == (1, "")
    assert "`sudo tou-scheduler service install` sets it up" in done.stderr


def test_logs_are_journalctl_with_our_unit(machine: Machine) -> None:
    """Whatever follows is journalctl's own, and its output is not touched."""
    done = subprocess.run(
        [COMMAND, "service", "logs", "-f", "-n", "50", "--since", "today"],
        env={**environment(), "PATH": str(machine.tools)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "--unit=tou-scheduler.service -f -n 50 --since today\n"


@pytest.mark.parametrize(
    "host", ["powerwall", "10.0.0.9", "::1", "[fe80::1]:443", "gateway.home.arpa:8443", "teg"]
)
def test_the_example_takes_any_host(tmp_path: Path, host: str) -> None:
    """Whatever is a host in the configuration can be given, and the rest of the example stays as it is shipped."""
    file = tmp_path / "tou.yaml"
    file.write_bytes(example(host))
    reference = tmp_path / "reference.yaml"
    shipped = (ROOT / "config" / "tou.yaml").read_text()
    reference.write_text(shipped.replace("host: powerwall ", f"host: '{host}' "))

    it, wanted = (load(path, environ={}).gateway for path in (file, reference))

    assert (it.host, it.port) == (wanted.host, wanted.port)
    differing = [
        a for a, b in zip(file.read_text().splitlines(), shipped.splitlines(), strict=True) if a != b
    ]
    assert len(differing) == (host != "powerwall")


@pytest.mark.parametrize(
    ("program", "line"),
    [
        ("/opt/a b/tou-scheduler", 'ExecStart="/opt/a b/tou-scheduler" run --stay'),
        ("/opt/50%/tou-scheduler", "ExecStart=/opt/50%%/tou-scheduler run --stay"),
    ],
)
def test_the_unit_runs_whatever_program_is_asked_for(program: str, line: str) -> None:
    """Spaces and percent signs mean something to systemd, and are spelt so that they mean themselves."""
    assert line in unit(Path(program)).decode().splitlines()


def test_the_program_is_named_by_a_path_that_outlives_an_upgrade(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`make install` has links that lead to the version in force: the unit's own one is taken where it is the same program."""
    release = tmp_path / "releases" / "1" / "tou-scheduler"
    release.parent.mkdir(parents=True)
    release.touch()
    usual = tmp_path / "bin" / "tou-scheduler"
    usual.parent.mkdir()
    monkeypatch.setattr(
        "scheduler.app.places.shipped", lambda _: f"[Service]\nExecStart={usual} run\n".encode()
    )

    assert stable(release) == release
    usual.symlink_to(release)
    assert stable(release) == usual


def test_a_program_in_somebodys_folder_is_not_for_the_service(tmp_path: Path) -> None:
    """The unit's fences keep homes from it: that is noticed before systemd fails to start it, and links do not hide it."""
    link = tmp_path / "python"
    link.symlink_to("/root/.pyenv/bin/python")

    assert kept_from_service(Path("/opt/tou-scheduler/bin/tou-scheduler")) is None
    assert kept_from_service(Path("/opt/x"), Path("/home/pi/.venv/bin/python")) == Path(
        "/home/pi/.venv/bin/python"
    )
    assert kept_from_service(Path("/homes/x")) is None
    assert kept_from_service(link) is not None


class House:
    """The service's configuration in a folder, as root has it."""

    def __init__(self, folder: Path) -> None:
        self.configuration = folder / "tou.yaml"
        self.configuration.write_bytes((ROOT / "config" / "tou.yaml").read_bytes())
        self.plain = folder / "gateway_password"

    def password(self, path: Path | None = None, **environ: str) -> str | None:
        """The password that this program has with that file."""
        root, _, problems = settle({}, environ, None, path or self.configuration)
        assert problems == []
        found: str | None = root.get(PASSWORD[0], {}).get(PASSWORD[1])
        return found


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """The service's folder, and we are root."""
    folder = tmp_path / "etc"
    folder.mkdir()
    it = House(folder)
    monkeypatch.setattr(credential, "CONFIGURATION", it.configuration)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return it


def test_root_has_the_services_password(house: House) -> None:
    """`sudo tou-scheduler doctor` beside the service needs no word about where the password lies."""
    house.plain.write_text(f"{SECRET}\n")

    assert house.password() == SECRET


def test_root_has_the_services_password_decrypted(
    house: House, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it is encrypted systemd-creds gives it, by the name that it was encrypted with."""
    machine.encrypts()
    words = [machine.tools / "systemd-creds", "encrypt", "--name=gateway_password", "-", "-"]
    sealed = subprocess.run(words, input=SECRET.encode(), capture_output=True, check=True).stdout
    credential.encrypted_beside(house.plain).write_bytes(sealed)
    monkeypatch.setenv("PATH", str(machine.tools))
    machine.asked()

    assert house.password() == SECRET
    assert machine.asked() == [
        f"systemd-creds decrypt --name=gateway_password {credential.encrypted_beside(house.plain)} -"
    ]


def test_the_services_password_is_the_last_to_be_looked_for(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever else gives one stands above it, another file than the service's does not get it, and neither does a user."""
    house.plain.write_text(SECRET)
    given = tmp_path / "credentials"
    given.mkdir()
    (given / "gateway_password").write_text("handed over")
    other = tmp_path / "tou.yaml"
    other.write_bytes(house.configuration.read_bytes())

    assert house.password(TOU_GATEWAY__PASSWORD="said") == "said"
    assert house.password(CREDENTIALS_DIRECTORY=str(given)) == "handed over"
    assert house.password(other) is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert house.password() is None


def test_a_password_that_cannot_be_decrypted_is_a_problem(
    house: House, monkeypatch: pytest.MonkeyPatch, machine: Machine
) -> None:
    """Why, and what to do, is said with the problems of the file, whether the key or the program is lost."""
    credential.encrypted_beside(house.plain).write_text("first:x")
    monkeypatch.setenv("PATH", str(machine.tools))

    for words in (
        "systemd-creds, which decrypts it, is not here",
        "is another one than it was encrypted with",
    ):
        _, _, (problem,) = settle({}, {}, None, house.configuration)
        assert words in problem.message
        assert problem.hint == "`sudo tou-scheduler service password` takes it once more"
        machine.encrypts()
        (machine.tools / "key").write_text("second")


def test_the_configuration_is_loaded_with_the_services_password(house: House) -> None:
    """The file's own path decides: what is loaded from it as root has its password, and an empty one is refused."""
    house.plain.write_text(SECRET)
    password = load(house.configuration).gateway.password
    assert password is not None
    assert password.reveal() == SECRET

    house.plain.write_text("\n")
    with pytest.raises(ConfigurationError):
        load(house.configuration)
