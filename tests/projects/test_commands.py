"""Values in commands: each stays one word, and none is ever read by a shell."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger.errors import InvalidName, InvalidValue
from prefect_ledger.projects import commands, values
from prefect_ledger.projects.spec import EntryPoint, Parameter
from tests.examples import examples

HOSTILE = [
    "$(touch owned)",
    "`touch owned`",
    "a'b",
    'a"b',
    "a\nb",
    "a b",
    "",
    "; touch owned",
    "*",
    "{x}",
    "\\",
    "$HOME",
    "-rf",
    "%s é",
    "#",
]
_WORDS = "import json, sys; print(json.dumps(sys.argv[1:]))"
SHOW = f"{shlex.quote(sys.executable)} -c {shlex.quote(_WORDS)}".replace("{", "{{").replace("}", "}}")


def words_of(command: commands.Command) -> list[str]:
    """What the program at the end of ``command`` was given."""
    done = subprocess.run(command.words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def point(command: str, *names: str, in_shell: bool = True) -> EntryPoint:
    return EntryPoint("main", command, tuple(Parameter(name) for name in names), in_shell=in_shell)


def printf(command: str, value: str) -> str:
    """What a shell's command prints that has ``value`` in its place."""
    made = commands.make(point(command, "x"), {"x": value}, {})
    done = subprocess.run(made.words, capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.decode("utf-8", "surrogateescape")


_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30) | st.sampled_from(HOSTILE)


@settings(max_examples=examples(60), deadline=None)
@given(
    _TEXT,
    st.sampled_from(
        ["printf %s {x}", 'printf %s "{x}"', "printf %s '{x}'", "f() {{ printf %s {x}; }}; f 1", 'printf %s "$(printf %s {x}; printf .)"']
    ),
)
def test_a_value_is_one_word_in_whatever_quotes_its_place_stands(value: str, command: str) -> None:
    """The shell's own quotes around a place neither open the value nor add to it."""
    said = printf(command, value)
    assert said == (f"{value}." if command.endswith('.)"') else value)


@settings(max_examples=examples(40), deadline=None)
@given(_TEXT, st.text(st.sampled_from("'\"`$()#\\ \nabc;&|{}<>"), max_size=12), st.text(st.sampled_from("'\"`$()#\\ \nabc"), max_size=6))
def test_a_command_that_is_read_wrongly_still_runs_no_value(value: str, before: str, behind: str) -> None:
    """Whatever stands around a place, the text that the shell reads is the same for every value: there is nothing of it in there."""
    command = f"{before}{{x}}{behind}".replace("{x}", "\0").replace("{", "{{").replace("}", "}}").replace("\0", "{x}")
    one, two = (commands.make(point(command, "x"), {"x": text}, {}).words for text in (value, "plain"))
    assert (one[2], one[4]) == (two[2], value)


def test_commands_as_mlflow_has_them_give_the_program_what_mlflow_gives() -> None:
    """Declared values stand in their places, others behind as ``--name value``."""
    command = commands.make(point(f"{SHOW} --alpha {{alpha}} {{data}}", "alpha", "data"), {"alpha": "0.5", "data": "a b"}, {"depth": "3"})
    assert words_of(command) == ["--alpha", "0.5", "a b", "--depth", "3"]


@pytest.mark.parametrize("value", HOSTILE)
def test_no_shell_is_asked_where_the_project_asks_for_none(value: str) -> None:
    """Words of a native command are split before values are put in, and given to the system as they are."""
    command = commands.make(point(f"{SHOW} --x={{x}}", "x", in_shell=False), {"x": value}, {"y": value})
    assert command.words[0] == sys.executable
    assert words_of(command) == [f"--x={value}", "--y", value]


def test_more_than_nine_values_are_all_there() -> None:
    """The tenth argument of a shell is written otherwise than the first nine."""
    names = [f"p{number}" for number in range(12)]
    command = point(f"{SHOW} " + " ".join(f"{{{name}}}" for name in names), *names)
    assert words_of(commands.make(command, {name: f"v {name}" for name in names}, {})) == [f"v {name}" for name in names]


def test_quotes_in_comments_and_nested_shells_are_seen_through() -> None:
    """A comment's apostrophe opens nothing, and what stands in ``$( )`` has quotes of its own."""
    assert printf("# it's {x} it's\nprintf %s {x}", "a  b") == "a  b"
    assert printf("printf %s \"`printf %s '{x}'`\"", "a  b") == "a  b"
    assert printf("printf '%s' {x}#{x}", "a  b") == "a  b#a  b"


def test_what_is_shown_hides_secrets_by_the_name_of_their_parameter() -> None:
    """The recorded command has no value of a parameter that is called like a secret, declared or not."""
    for shell in (True, False):
        made = commands.make(
            point("run {user} {api_key}", "user", "api_key", in_shell=shell), {"user": "bob", "api_key": "hunter22"}, {"token": "s3cr3tx"}
        )
        assert "bob" in made.shown
        assert "hunter22" not in made.shown
        assert "s3cr3tx" not in made.shown


@pytest.mark.parametrize(
    "command", ["run {x.y}", "run {x[0]}", "run {x!r}", "run {x:>9}", "run {}", "run {0}", "run ${HOME}", "run {x", "run {y}"]
)
def test_places_that_name_no_parameter_are_refused(command: str) -> None:
    """What ``str.format`` would look up in a value, or fail on, is said before anything runs."""
    assert commands.problems(point(command, "x"))


def test_values_are_checked_by_their_types_all_at_once() -> None:
    """Whoever mends a call mends it once."""
    typed = (
        Parameter("n", "int"),
        Parameter("rate", "float"),
        Parameter("on", "bool"),
        Parameter("where", "uri"),
        Parameter("solver", choices=("lbfgs", "saga")),
        Parameter("must"),
        Parameter("may", default="x"),
    )
    given_ = {"n": "1.5", "rate": "fast", "on": "maybe", "where": "here", "solver": "saaga", "odd": 1}
    with pytest.raises(InvalidValue) as caught:
        values.settle(EntryPoint("main", (), typed, extra=False), given_)
    said = str(caught.value)
    for part in (
        "'n' is a whole number",
        "'rate' is a number",
        "'on' is true or false",
        "'where' is a URI",
        "'solver' is one of",
        "no value for must",
    ):
        assert part in said
    assert "no parameter 'odd'" in said
    good = {"n": 3, "rate": "1e-3", "on": True, "where": "s3://b/x", "solver": "saga", "must": 0.1}
    assert values.settle(EntryPoint("main", (), typed), {**good, "extra": 5})[0] == {
        "n": "3",
        "rate": "1e-3",
        "on": "true",
        "where": "s3://b/x",
        "solver": "saga",
        "must": "0.1",
        "may": "x",
    }


@pytest.mark.parametrize("name", ["a b", "-x", "x=y", "$(id)", "", "é", "x\n"])
def test_names_of_parameters_are_no_words_of_a_shell(name: str) -> None:
    """What becomes ``--name`` is a plain name."""
    with pytest.raises(InvalidName, match="name is letters"):
        values.settle(EntryPoint("main", ()), {name: "1"})


def test_a_nul_is_refused() -> None:
    """No command of the system can carry one."""
    with pytest.raises(InvalidValue, match="NUL"):
        commands.make(point("run {x}", "x"), {"x": "a\0b"}, {})
