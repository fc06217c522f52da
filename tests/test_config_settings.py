"""What stands above the file: environment variables, then secret files."""

import os
from pathlib import Path

import pytest

from scheduler.config.load import Configuration, load
from scheduler.config.problems import ConfigurationError, Problem, render

SHIPPED = Path(__file__).parent.parent / "config" / "tou.yaml"
CANARY = "hunter2-canary"


def problems_of(environ: dict[str, str], *directories: Path, path: Path = SHIPPED) -> tuple[Problem, ...]:
    """The problems for which these settings are refused."""
    with pytest.raises(ConfigurationError) as refused:
        load(path, environ=environ, secret_directories=directories)
    return refused.value.problems


def loaded(environ: dict[str, str], *directories: Path) -> Configuration:
    """The shipped file under these settings."""
    return load(SHIPPED, environ=environ, secret_directories=directories)


def test_environment_wins_over_the_file() -> None:
    """Each single value of the file can be set by a variable, in any case, and is read the way the file is."""
    found = loaded(
        {
            "TOU_SITE__NAME": "Hut",
            "tou_site__timezone": "Europe/Berlin",
            "TOU_GATEWAY__HOST": "10.0.0.1",
            "TOU_GATEWAY__PORT": "8443",
            "TOU_GATEWAY__FORCE_SM_OFF": "true",
            "TOU_DEFAULT__RESERVE": "12.5",
            "TOU_VERIFY_EVERY": "1m",
            "TOU_ON_DRIFT": "enforce",
            "TOU_GATEWAY__PASSWORD": "12345",
        }
    )
    assert (found.site_name, found.schedule.zone.key) == ("Hut", "Europe/Berlin")
    assert (found.gateway.host, found.gateway.port, found.gateway.force_sm_off) == ("10.0.0.1", 8443, True)
    assert found.schedule.default.given() == {"mode": "self_consumption", "reserve_percent": 12.5}
    assert (found.verify_every_s, found.on_drift) == (60, "enforce")
    assert found.gateway.password is not None
    assert found.gateway.password.reveal() == "12345"


def test_process_environment_is_read_when_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an environment handed in, the process's own counts, as it is at that moment."""
    monkeypatch.setenv("TOU_SITE__NAME", "Hut")
    assert load(SHIPPED).site_name == "Hut"


def test_secret_file_wins_over_the_environment(tmp_path: Path) -> None:
    """The first directory with a password has the last word; its line end is not part of the password."""
    first, second = tmp_path / "a", tmp_path / "b"
    second.mkdir()
    (second / "gateway_password").write_text(f" {CANARY} \n", encoding="utf-8")
    found = loaded({"TOU_GATEWAY__PASSWORD": "other"}, first, second)
    assert found.gateway.password is not None
    assert found.gateway.password.reveal() == f" {CANARY} "
    assert CANARY not in repr(found)
    first.mkdir()
    (first / "gateway_password").write_text("first\r\n", encoding="utf-8")
    found = loaded({}, first, second)
    assert found.gateway.password is not None
    assert found.gateway.password.reveal() == "first"


def test_systemd_credential_is_found(tmp_path: Path) -> None:
    """The directory of systemd's credentials, $CREDENTIALS_DIRECTORY, is looked into."""
    (tmp_path / "gateway_password").write_text(CANARY, encoding="utf-8")
    password = load(SHIPPED, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)}).gateway.password
    assert password is not None
    assert password.reveal() == CANARY


@pytest.mark.parametrize("content", ["", "\n", "\r\n"])
def test_systemd_credential_that_stands_in_for_none_is_none(tmp_path: Path, content: str) -> None:
    """The unit hands over an empty line where there is no password: then none is needed, or the environment's counts."""
    (tmp_path / "gateway_password").write_text(content, encoding="utf-8")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}

    assert load(SHIPPED, environ=environ).gateway.password is None
    password = load(SHIPPED, environ={**environ, "TOU_GATEWAY__PASSWORD": CANARY}).gateway.password
    assert password is not None
    assert password.reveal() == CANARY


@pytest.mark.parametrize("content", [b"\xff", b"x" * 5000, b" \n\n\xff"])
def test_systemd_credential_that_is_no_password_is_refused(tmp_path: Path, content: bytes) -> None:
    """Only line ends stand in for nothing: whatever else is no password is a mistake, and is told."""
    (tmp_path / "gateway_password").write_bytes(content)
    with pytest.raises(ConfigurationError, match="holds no password"):
        load(SHIPPED, environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no password"),
        (b"\n", "no password"),
        (b"\xff\xfe", "no password"),
        (b"x" * 5000, "no password"),
    ],
)
def test_secret_file_without_a_password_is_refused(tmp_path: Path, content: bytes, words: str) -> None:
    """An empty or senseless secret file is named; it does not silently leave the gateway without a password."""
    (tmp_path / "gateway_password").write_bytes(content)
    (problem,) = problems_of({}, tmp_path)
    assert (problem.file, problem.line) == (str(tmp_path / "gateway_password"), None)
    assert words in problem.message


def test_secret_that_is_a_directory_is_refused(tmp_path: Path) -> None:
    """Docker makes a directory where the source of a secret is missing; that is said."""
    (tmp_path / "gateway_password").mkdir()
    (problem,) = problems_of({}, tmp_path)
    assert problem.message == "the secret cannot be read: is a directory"


def test_pipe_in_the_place_of_a_secret_is_not_waited_for(tmp_path: Path) -> None:
    """A secret that is a pipe without a writer is refused at once."""
    os.mkfifo(tmp_path / "gateway_password")
    (problem,) = problems_of({}, tmp_path)
    assert problem.message == "the secret holds no password"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("TOU_SITE__TIMEZON", "did you mean 'TOU_SITE__TIMEZONE'?"),
        ("TOU_GATEWAY", "name one value, like TOU_GATEWAY__..."),
        ("TOU_RULES__0__NAME", "rules and tariff are set in the file only, where each line can be shown"),
        ("TOU_TARIFF", "rules and tariff are set in the file only, where each line can be shown"),
        ("TOU_GATEWAY_PASSWORD", "did you mean 'TOU_GATEWAY__PASSWORD'?"),
        ("TOU_DEFAULT__CHARGE_BELOW", "unset it"),
        ("tou_version", "unset it"),
    ],
)
def test_unknown_variable_is_refused(name: str, hint: str) -> None:
    """A variable that would be ignored is an error with what was probably meant, and its value is not shown."""
    (problem,) = problems_of({name: CANARY})
    assert (problem.file, problem.message) == (name, "this environment variable is not a setting")
    assert problem.hint == hint


def test_foreign_variable_with_our_prefix_is_only_told() -> None:
    """Other programs may use the prefix: a name that resembles none of ours is a warning."""
    (warning,) = loaded({"TOU_XYZZY": CANARY}).warnings
    assert (warning.severity, warning.file) == ("warning", "TOU_XYZZY")
    assert warning.message == "this environment variable is not a setting"


def test_other_variables_are_nobody_s_business() -> None:
    """The name of the file, empty variables and those of other programs are no settings."""
    environ = {"TOU_CONFIG": "x.yaml", "TOU_GATEWAY__PASSWORD": "", "TOURIST": "x", "PATH": "/bin"}
    environ |= {"TOU_SCHEDULER_SERVICE_HOST": "10.0.0.1", "TOU_SCHEDULER_PORT": "tcp://10.0.0.1:80"}
    found = loaded(environ)
    assert (found.gateway.password, found.warnings) == (None, ())


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TOU_SITE__TIMEZONE", "Europe/Berln", "unknown time zone 'Europe/Berln'"),
        ("TOU_GATEWAY__PORT", "high", "expected a whole number, found text"),
        ("TOU_GATEWAY__PORT", "70000", "70000 is more than 65535"),
        ("TOU_GATEWAY__HOST", "http://x", "'http://x' is not a host"),
        ("TOU_GATEWAY__USERNAME", "root", "unknown username <hidden>"),
        (
            "TOU_GATEWAY__EMAIL",
            f"\n{CANARY}",
            "the text has line ends or control characters in it, or spaces around it",
        ),
        ("TOU_DEFAULT__RESERVE", "85", "most gateways do not keep a reserve of 85"),
        ("TOU_VERIFY_EVERY", "1s", "1s is out of range"),
    ],
)
def test_wrong_value_names_its_variable(name: str, value: str, message: str) -> None:
    """A problem with a value from the environment points at the variable and at no line of the file."""
    (problem,) = problems_of({name: value})
    assert (problem.file, problem.line, problem.message) == (name, None, message)


def test_all_sources_are_checked_at_once(tmp_path: Path) -> None:
    """Problems of environment, secrets and file come together, and no password is in any of them."""
    path = tmp_path / "tou.yaml"
    text = SHIPPED.read_text(encoding="utf-8").replace("  # password:", f"  password: {CANARY} #")
    path.write_text(text.replace("mode: backup", "mode: bakcup"), encoding="utf-8")
    (tmp_path / "gateway_password").write_text("", encoding="utf-8")
    environ = {"TOU_SITE__TIMEZONE": "Nowhere", "TOU_GATEWAY__PASSWORD": CANARY}
    problems = problems_of(environ, tmp_path, path=path)
    assert [problem.message for problem in problems] == [
        "the secret holds no password",
        "unknown time zone 'Nowhere'",
        "a password does not belong in this file",
        "unknown mode 'bakcup'",
    ]
    assert CANARY not in render(problems)


@pytest.mark.parametrize(("said", "limit_kw"), [("0", 0), ("4.6", 4.6), ("", None)])
def test_the_limit_of_the_export_is_a_number_of_kilowatts(said: str, limit_kw: float | None) -> None:
    """The gateway's own word is the key, in any case in the environment; without it there is no limit of ours."""
    found = loaded({"TOU_GATEWAY__MAX_PV_EXPORT_POWER_KW": said})
    assert found.gateway.max_pv_export_power_kw == limit_kw
