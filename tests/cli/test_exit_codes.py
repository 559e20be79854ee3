"""What scripts rely on: exit codes, one line of error, and streams kept apart."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Cli, environment, process

Filled = tuple[Cli, dict[str, str]]


@pytest.mark.parametrize(
    "words", [["nonsense"], ["runs", "nonsense"], ["runs", "list", "--nonsense"], ["runs", "list", "--limit", "x"], ["runs", "show"]]
)
def test_wrong_usage_exits_with_two(words: list[str], cli: Cli) -> None:
    """What the parser refuses is code 2, said on stderr."""
    done = cli(*words)
    assert done.returncode == 2
    assert done.stderr.strip()
    assert not done.stdout


@pytest.mark.parametrize(
    "words",
    [
        ["runs", "show", "00000000"],
        ["runs", "show", "no id"],
        ["runs", "list", "--filter", "metrics.auc >"],
        ["runs", "list", "--limit", "0"],
        ["runs", "list", "--page", "nonsense"],
        ["runs", "list", "-e", "nowhere"],
        ["runs", "compare", "00000000"],
        ["experiments", "show", "nowhere"],
    ],
)
def test_errors_exit_with_one_and_without_a_traceback(words: list[str], filled: Filled) -> None:
    """What the ledger refuses is code 1 and a sentence on stderr."""
    done = filled[0](*words)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr
    assert not done.stdout


def test_a_filter_that_does_not_parse_is_pointed_at(filled: Filled) -> None:
    """The error shows the filter with a mark below the place."""
    error = filled[0]("runs", "list", "-f", "metrics.auc >> 1").stderr.splitlines()
    assert error[1].index(">> 1") + 1 == error[2].index("^")


def test_settings_that_cannot_be_used_are_said_with_their_source(tmp_path: Path) -> None:
    """A wrong variable is named."""
    done = process("runs", "list", home=tmp_path / "ledger", PREFECT_LEDGER_STORE_URL="mysql://x")
    assert done.returncode == 1
    assert "PREFECT_LEDGER_STORE_URL" in done.stderr


def test_a_reader_that_goes_away_is_no_error_to_talk_about(filled: Filled, tmp_path: Path) -> None:
    """``| head`` ends the command without a traceback."""
    cli, ids = filled
    where = cli("db", "status", "--json").stdout
    home = Path(where.split("sqlite:///")[1].split('"')[0]).parent
    program = [str(Path(sys.executable).with_name("prefect-ledger")), "runs", "show", ids["deep"], "--packages"]
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as gone:
        done = subprocess.run(program, env=environment(home), stdout=gone, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert done.stderr == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
@pytest.mark.parametrize("command", [["runs", "list"], ["runs", "list", "--json"], ["db", "status"]])
def test_a_full_disk_is_said(filled: Filled, command: list[str]) -> None:
    """Output that has no room ends the command with a sentence and code 1, without a traceback."""
    cli, _ = filled
    home = Path(cli("db", "status", "--json").stdout.split("sqlite:///")[1].split('"')[0]).parent
    program = [str(Path(sys.executable).with_name("prefect-ledger")), *command]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(program, env=environment(home), stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_needs_none_of_the_heavy_packages() -> None:
    """``--help`` is quick because it loads neither a database library, nor numpy, nor Prefect."""
    script = """
import sys
from prefect_ledger.cli import main
assert main(["--help"]) == 0
assert main(["runs", "list", "--help"]) == 0
loaded = {"sqlalchemy", "sqlmodel", "alembic", "numpy", "pandas", "fsspec", "prefect", "pydantic"} & set(sys.modules)
assert not loaded, loaded
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "For example:" in done.stdout
    assert "prefect-ledger runs list --json" in done.stdout


def test_every_command_has_an_example_in_its_help() -> None:
    """Nobody has to guess how a command is typed."""
    import cyclopts

    from prefect_ledger.cli import app

    def leaves(one: cyclopts.App, path: tuple[str, ...]) -> list[tuple[str, ...]]:
        names = [name for name in one if not name.startswith("-")]
        return [leaf for name in names for leaf in leaves(one[name], (*path, name))] if names else [path]

    for path in leaves(app, ()):
        one = app
        for name in path:
            one = one[name]
        about = one.default_command.__doc__ if one.default_command else ""
        assert f"    prefect-ledger {' '.join(path)}" in (about or ""), path


def test_the_installed_command_hands_its_code_to_the_shell(tmp_path: Path) -> None:
    """What scripts get is what main() returned, on the streams it wrote to."""
    assert process("runs", "list", "--nonsense", home=tmp_path / "ledger").returncode == 2
    done = process("runs", "show", "00000000", home=tmp_path / "ledger")
    assert done.returncode == 1
    assert done.stderr.startswith("error: no run")
    assert not done.stdout


def test_the_version_is_printed(cli: Cli) -> None:
    """``--version`` says the package's."""
    import prefect_ledger

    assert cli("--version").stdout.strip() == prefect_ledger.__version__


def test_completion_is_installed_where_the_shell_looks(tmp_path: Path) -> None:
    """``--install-completion`` writes a script that knows the commands."""
    done = process("--install-completion", "--shell", "bash", home=tmp_path / "ledger", HOME=str(tmp_path))
    assert done.returncode == 0, done.stderr
    [script] = tmp_path.glob(".local/share/bash-completion/completions/prefect-ledger")
    assert {"recover", "experiments", "--order-by"} <= set(script.read_text().replace('"', " ").replace("'", " ").split())
