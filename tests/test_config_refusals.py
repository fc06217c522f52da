"""Broken files: each is refused with exactly the words beside it, whatever is wrong, and without a traceback."""

import os
from pathlib import Path

import pytest

from scheduler.config.load import Configuration, load
from scheduler.config.problems import ConfigurationError, Problem, document, render

HERE = Path(__file__).parent
BAD = HERE / "bad_configs"
SHIPPED = HERE.parent / "config" / "tou.yaml"
CANARY = "hunter2-canary"
MANY_SEASONS = (
    "tariff:\n  seasons:\n"
    + "".join(f"    s{n}: {{from: jan 1, to: dec 1}}\n" for n in range(366))
    + "  periods: [{name: a}]\nrules:\n"
    + "".join(f"  - {{name: r{n}, season: s{n % 366}, set: {{reserve: 1}}}}\n" for n in range(1000))
)


def said_of(path: Path) -> str:
    """All that is said of a file, warnings included."""
    try:
        return render(load(path, environ={}, secret_directories=[]).warnings)
    except ConfigurationError as error:
        return str(error)


def problems_of(path: Path) -> tuple[Problem, ...]:
    """The problems for which a file is refused."""
    with pytest.raises(ConfigurationError) as refused:
        load(path, environ={}, secret_directories=[])
    return refused.value.problems


@pytest.mark.parametrize("name", sorted(path.stem for path in BAD.glob("*.yaml")))
def test_bad_file_gets_its_expected_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each file of the corpus gets exactly the problems in the file beside it."""
    monkeypatch.chdir(BAD)
    assert said_of(Path(f"{name}.yaml")) + "\n" == Path(f"{name}.expected").read_text(encoding="utf-8")


def test_corpus_is_complete() -> None:
    """Every broken file has its expectation, every expectation its file, and only those called warns_ can be
    used.
    """
    files = {path.stem for path in BAD.glob("*.yaml")}
    assert files == {path.stem for path in BAD.glob("*.expected")}
    assert len(files) > 100
    for name in files:
        first = (BAD / f"{name}.expected").read_text(encoding="utf-8").split(":")[0]
        assert first == ("warning" if name.startswith("warns_") else "error"), name


def test_no_password_of_the_corpus_is_ever_shown() -> None:
    """A password in a file is in no message and in no excerpt, misspelt key or not."""
    with_password = [path for path in BAD.glob("*.yaml") if CANARY in path.read_text(encoding="latin-1")]
    assert len(with_password) >= 5
    for path in with_password:
        said = said_of(path)
        assert "error: " in said
        assert "canary" not in said
        assert "canary" not in str(document(path.name, problems_of(path)))


@pytest.mark.parametrize(
    "lines",
    [
        "  password: {canary}\n  port: many",
        "  password:\n    {canary}\n  port: many",
        "  password: >-\n\n    {canary}\n    {canary}\n  port: many",
        '  "password": "{canary}\n    {canary}"\n  port: many',
        "  ? password\n  : {canary}\n  port: many",
        "  password: &anchor {canary}\n  email: *anchor",
        "  password: *{canary}\n  port: many",
        "  password: !{canary} x\n  port: many",
        "  password: [{canary}\n  port: many",
        "  password: a: {canary}\n  port: many",
        "  Password: {canary}\n  port: many",
        "  passwd: {canary}\n  port: many",
        "  token: {canary}\n  port: many",
        "  e-mail: {canary}\n  port: many",
        "  email: {canary}\n  port: many",
        "  email: ' {canary}'\n  port: many",
        "  email: [{canary}]\n  port: many",
        "  password:{canary}\n  port: many",
        "  password {canary}\n  port: many",
        "  password= {canary}\n  port: many",
        "  pass: {canary}\n  port: many",
        "  pw: {canary}\n  port: many",
        "  passord: {canary}\n  port: many",
        "  geheim: {canary}\n  port: many",
        "  geheim: [{canary}, 1]\n  port: many",
        "  {canary}\n  port: many",
        "  # {canary}\n  port: many",
        "  port: many # {canary}",
        "  host: https://me:{canary}@powerwall",
        "  host: powerwall password: {canary}",
        "pass: {canary}\nport: many",
        "password {canary}\nport: many",
        "port: many\n#password {canary}\nhost: x",
    ],
)
def test_secret_is_hidden_however_it_is_written(tmp_path: Path, lines: str) -> None:
    """Neither the problem of a secret nor one of its neighbours shows it."""
    path = tmp_path / "tou.yaml"
    text = "version: 1\ngateway:\n  type: local\n" + lines.replace("{canary}", CANARY) + "\n"
    path.write_text(text, encoding="utf-8")
    said = said_of(path)
    assert "error: " in said
    assert "canary" not in said


@pytest.mark.parametrize(
    "gateway",
    [
        "{type: local, port: many, password:{canary}}",
        "{type: local, password:{canary}, port: many}",
        "{type: local, password: x,{canary}, port: many}",
        "{email: me@example.com, geheim: {canary}, port: many}",
        "{\n  type: local,\n  geheim: {canary},\n  port: many}",
        "{password:{canary}, password:{canary}}",
    ],
)
@pytest.mark.parametrize(
    "frame",
    [
        "version: 1\ngateway: %s\n",
        "{version: 1, gateway: %s}",
        "gatway: %s\n",
        "{password: %s, gateway: {canary}",
    ],
)
def test_secret_in_braces_is_hidden(tmp_path: Path, gateway: str, frame: str) -> None:
    """The same for a gateway that is written in braces, under a misspelt name, or inside other braces."""
    path = tmp_path / "tou.yaml"
    path.write_text((frame % gateway).replace("{canary}", CANARY), encoding="utf-8")
    said = said_of(path)
    assert "error: " in said
    assert "canary" not in said


def test_what_is_no_secret_is_still_shown(tmp_path: Path) -> None:
    """Outside of the gateway's section a line is shown as it stands, and inside of it what we know."""
    path = tmp_path / "tou.yaml"
    path.write_text("site: {colour: red, name: El Paso}\ngateway:\n  type: locale\n", encoding="utf-8")
    said = said_of(path)
    assert "site: {colour: red, name: El Paso}" in said
    assert "  type: locale" in said


def test_error_sums_itself_up(tmp_path: Path) -> None:
    """The summary is the first error that stops the file, however many warnings stand before it."""
    path = tmp_path / "tou.yaml"
    text = SHIPPED.read_text(encoding="utf-8").replace("username: installer", "username: customer")
    path.write_text(text.replace("mode: backup", "mode: bakcup"), encoding="utf-8")
    with pytest.raises(ConfigurationError) as refused:
        load(path, environ={}, secret_directories=[])
    error = refused.value
    assert [problem.severity for problem in error.problems] == ["warning", "error"]
    assert error.first_error == error.problems[1]
    assert error.summary == f"{error.first_error.place}: unknown mode 'bakcup'"
    path.write_text("version: 2\n", encoding="utf-8")
    (first, *others) = problems_of(path)
    with pytest.raises(ConfigurationError) as refused:
        load(path, environ={}, secret_directories=[])
    assert refused.value.summary == f"{first} (and {len(others)} more)"


@pytest.mark.parametrize(
    ("end", "place"),
    [
        ("site: {name: ", "2:14"),
        ("site: {name: \n", "2:14"),
        ("site: {name: \n\n\n", "2:14"),
        ("a: 'x", "2:4"),
    ],
)
def test_file_cut_short_points_at_its_last_line(tmp_path: Path, end: str, place: str) -> None:
    """What ends too early is shown where it ends, not on a line behind the file."""
    path = tmp_path / "tou.yaml"
    path.write_text(f"version: 1\n{end}", encoding="utf-8")
    (problem,) = problems_of(path)
    assert problem.place == f"{path}:{place}"
    assert problem.excerpt == ("version: 1", end.split("\n", maxsplit=1)[0])


@pytest.mark.parametrize(
    "every",
    [pytest.param(1, marks=pytest.mark.slow, id="at each byte"), pytest.param(29, id="at each 29th byte")],
)
def test_shipped_file_cut_anywhere_gives_problems_or_a_configuration(tmp_path: Path, every: int) -> None:
    """A file that was written only in part is refused with a place, or is whole enough to be used; it never
    crashes.
    """
    content = SHIPPED.read_bytes()
    path = tmp_path / "tou.yaml"
    lengths = range(0, len(content), every)
    refused: list[ConfigurationError] = []
    for length in lengths:
        path.write_bytes(content[:length])
        try:
            assert isinstance(load(path, environ={}, secret_directories=[]), Configuration)
        except ConfigurationError as error:
            refused.append(error)
    assert all(problem.line for error in refused for problem in error.problems)
    assert all(str(error).startswith("error: ") for error in refused)
    assert len(refused) > len(lengths) - 100 / every  # the rest are cuts inside the last comment


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000, "nested deeper than 32 levels"),
        ("{a: " * 100_000, "nested deeper than 32 levels"),
        ("- " * 100_000, "nested deeper than 32 levels"),
        ("? " * 100_000, "nested deeper than 32 levels"),
        ("a: &a [x]\nb: [" + "*a, " * 100_000 + "]", "an alias (*) is not allowed"),
        ("a: 1\n" * 100_000, "duplicate key 'a'; it stands in line 1 already"),
        ("x" * 1_000_000, "the file must be a mapping"),
        ("secret" * 170_000, "the file must be a mapping"),
        ("gw" * 500_000, "the file must be a mapping"),
        ("a: 1\na: " + "{x: y, " * 20 + "gw" * 500_000, "duplicate key 'a'"),
        ("rules:\n  " + "password " * 110_000, "expected a list, found text"),
        ("rules: [{at: " + "5m before x " * 80_000 + "}]", "'name' is missing"),
        ("version: " + "9" * 1_000_000, "this version of the file is not known"),
        ("version: " + "9" * 10 + "e99999", "this version of the file is not known"),
        ("rules: [" + "{}, " * 20_000 + "]", "'site' is missing"),
        ("rules: [" + "~, " * 30_000 + "]", "this entry is empty"),
        ("tariff: {periods: [" + "{name: a, season: b}, " * 10_000 + "]}", "there is no season 'b'"),
        ("tariff: {periods: [{hours: [" + "1:00-2:00, " * 90_000 + "]}]}", "'name' is missing"),
        ("a: " + "x" * (1024 * 1024), "the file is larger than 1 MiB"),
        (MANY_SEASONS, "more than 50 entries"),
        ("".join(f"k{n}: 1\n" for n in range(10_000)), "unknown key 'k0'"),
        # As long as a file may be, which takes seconds.
        pytest.param("rules: [" + "{}, " * 200_000 + "]", "'site' is missing", marks=pytest.mark.slow),
        pytest.param("rules: [" + "~, " * 300_000 + "]", "this entry is empty", marks=pytest.mark.slow),
        pytest.param(
            "".join(f"k{n}: 1\n" for n in range(80_000)), "unknown key 'k0'", marks=pytest.mark.slow
        ),
    ],
)
def test_hostile_text_is_refused_in_a_few_words(tmp_path: Path, text: str, words: str) -> None:
    """Files made to exhaust memory, stack or patience get a bounded answer."""
    path = tmp_path / "tou.yaml"
    path.write_text(text, encoding="utf-8")
    problems = problems_of(path)
    assert any(words in problem.message for problem in problems)
    assert len(problems) <= 501
    assert len(render(problems[:1])) < 1000


def test_unreadable_files_are_refused(tmp_path: Path) -> None:
    """What is no readable regular file gets a sentence without a line, and a pipe is not waited for."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    cases = {
        tmp_path: "this is not a regular file",
        pipe: "this is not a regular file",
        Path("/dev/zero"): "this is not a regular file",
        tmp_path / "missing.yaml": "there is no such file",
        tmp_path / "missing" / "tou.yaml": "there is no such file",
        loop: "the file cannot be opened: too many levels of symbolic links",
        tmp_path / "nul\0.yaml": "the file cannot be opened: not a file name",
    }
    for path, words in cases.items():
        (problem,) = problems_of(path)
        assert (problem.message, problem.line, problem.file) == (words, None, str(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_without_permission_is_refused(tmp_path: Path) -> None:
    """A file that may not be read is refused with the system's reason."""
    path = tmp_path / "tou.yaml"
    path.write_text("version: 1\n", encoding="utf-8")
    path.chmod(0)
    (problem,) = problems_of(path)
    assert problem.message == "the file cannot be opened: permission denied"


def test_problem_without_a_line_is_rendered_with_its_name() -> None:
    """A problem of the environment names the variable, and its hint stands below."""
    problem = Problem(message="this environment variable is not a setting", file="TOU_X", hint="unset it")
    assert render([problem]) == "error: TOU_X: this environment variable is not a setting\n   = unset it"


@pytest.mark.parametrize("columns", [20, 40, 80])
@pytest.mark.parametrize("column", [1, 30, 200, 389])
def test_long_line_is_cut_around_the_caret(columns: int, column: int) -> None:
    """No line of an excerpt is wider than the screen, and the caret stays under what it means."""
    line = "".join(
        chr(0x4E00 + n) for n in range(400)
    )  # every character another one, so that places can be told
    problem = Problem(message="m", file="f", line=7, column=column, width=10, excerpt=("above", line))
    _, _, shown, carets = render([problem], screen_columns=columns).splitlines()
    assert max(len(shown), len(carets)) <= max(columns, 26)
    assert shown[carets.index("^")] in (line[column - 1], "…")
    assert carets.count("^") >= 1
