"""``prefect-ledger project``: what is typed, what is said, and with which code it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prefect_ledger.projects import reading
from tests.cli.conftest import Cli, command, document, environment
from tests.projects.conftest import Write, repository


@pytest.fixture
def cli(tmp_path: Path) -> Cli:
    """The command on an empty ledger of this test."""
    return lambda *args, **more: command(*args, home=tmp_path / "ledger", **more)


def test_a_project_is_begun_checked_run_and_packed(cli: Cli, tmp_path: Path) -> None:
    """Each with one command, and the next one is said."""
    folder = tmp_path / "churn"
    done = cli("project", "init", str(folder), "--name", 'customer "churn"')
    assert "train.py" in done.stdout
    assert f"project run {folder}" in done.stderr
    assert reading.load(folder).name == 'customer "churn"'
    checked = document(cli("project", "check", str(folder), "--json"))
    assert checked["problems"] == []
    assert checked["entry_points"]["main"]["parameters"]["depth"] == {"type": "int", "default": "6", "choices": []}
    ran = cli("project", "run", str(folder), "-P", "depth=8", "-t", "team=risk", "--env-manager", "local")
    assert (ran.returncode, ran.stdout) == (0, "training with depth 8 and rate 0.1\n")
    assert "COMPLETED" in ran.stderr
    assert cli("project", "pack", str(folder), "-o", str(tmp_path / "x.zip")).returncode == 0
    assert cli("project", "pack", str(folder), "-o", str(tmp_path / "x.zip")).returncode == 1
    packed = document(cli("project", "run", str(tmp_path / "x.zip"), "--env-manager", "local", "--json"))
    assert (packed["status"], packed["exit_code"]) == ("COMPLETED", 0)
    runs = document(cli("runs", "list", "--json", "--filter", "tags.team = 'risk'"))["runs"]
    assert len(runs) == 1


def test_init_keeps_what_is_there(cli: Cli, project: Write) -> None:
    """A ``pyproject.toml`` keeps its tables and comments, a script its text; a second time is refused, and so is beside an MLproject."""
    folder = project(pyproject_toml='# mine\n[project]\nname = "x"\n', train_py="print('mine')")
    assert cli("project", "init", str(folder)).returncode == 0
    assert (folder / "pyproject.toml").read_text().startswith('# mine\n[project]\nname = "x"\n\n[tool.prefect-ledger.project]')
    assert (folder / "train.py").read_text() == "print('mine')"
    assert "describes a project already" in cli("project", "init", str(folder)).stderr
    other = project("other", MLproject="name: x")
    assert cli("project", "init", str(other)).returncode == 1
    broken = project("broken", pyproject_toml="x = ")
    assert "no TOML" in cli("project", "init", str(broken)).stderr
    assert (broken / "pyproject.toml").read_text() == "x = "


def test_check_says_everything_at_once_and_exits_with_one(cli: Cli, project: Write) -> None:
    """What is wrong, and beside it what may be meant."""
    folder = project(
        MLproject="""
        nmae: x
        conda_env: conda.yaml
        entry_points:
          main:
            parameters: {rate: {type: float, default: fast}, data: {type: path, default: none.csv}}
            command: "python train.py {rate} {data} {more}"
        """,
        conda_yaml="dependencies: [python=3.11, r-base, pytorch=2.1]",
    )
    done = cli("project", "check", str(folder), "--env-manager", "uv")
    assert done.returncode == 1
    for part in ("did you mean 'name'", "{more}", "only conda can give r-base"):
        assert part in done.stderr
    for part in ("'rate' is a number", "no file or folder 'none.csv'", "no file 'train.py'", "as torch==2.1.*"):
        assert part in done.stdout
    assert done.stderr.count("wrong: ") == 3


def test_what_the_program_ends_with_is_told_to_scripts(cli: Cli, project: Write) -> None:
    """With ``--json`` stdout is one document, and what the program says goes to stderr."""
    folder = project(main_py="print('out'); raise SystemExit(7)")
    done = cli("project", "run", str(folder), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout) | {"run_id": ""} == {"run_id": "", "status": "FAILED", "exit_code": 7}
    assert "out\n" in done.stderr
    assert "output.log" in done.stderr


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-P", "depth"], "write NAME=VALUE"),
        (["-P", "a=1", "-P", "a=2"], "given twice"),
        (["-e", "mian"], "did you mean 'main'"),
        (["--env-manager", "poetry"], "there are uv, virtualenv, conda, docker, local"),
        (["--version", "v9"], "no branch, tag or commit 'v9'"),
    ],
)
def test_mistakes_are_said_in_a_sentence(words: list[str], sentence: str, cli: Cli, project: Write) -> None:
    """With what to write instead, and nothing is run."""
    folder = repository(project(main_py="open('ran', 'w')"))
    done = cli("project", "run", str(folder), *words)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert not (folder / "ran").exists()


def test_what_a_url_would_run_is_refused(cli: Cli, tmp_path: Path) -> None:
    """Before anything else happens."""
    done = cli("project", "run", f"ext::sh -c 'touch {tmp_path}/owned'")
    assert done.returncode == 1
    assert "git would run" in done.stderr
    assert not (tmp_path / "owned").exists()


@pytest.mark.soak  # the interrupt of the library is shown every day; this is the command as it is typed
def test_ctrl_c_ends_the_command_as_it_ends_others(project: Write, tmp_path: Path) -> None:
    """Code 130, and the program is gone."""
    folder = project(main_py="import os, time; open('part', 'w').write(str(os.getpid())); os.rename('part', 'pid'); time.sleep(600)")
    words = [str(Path(sys.executable).with_name("prefect-ledger")), "project", "run", str(folder)]
    process = subprocess.Popen(words, env=environment(tmp_path / "ledger"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not (folder / "pid").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int((folder / "pid").read_text()), 0)
