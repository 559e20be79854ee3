"""Capture: what surrounds a run is known without running what it looks at, and without a secret in it."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect import flow, task

from prefect_ledger import capture
from prefect_ledger.capture import GitState, machine
from prefect_ledger.capture import repository as repository_module
from prefect_ledger.masking import MASK

LAW = settings(max_examples=100, deadline=None)


def in_child(code: str, *args: str, **environment: str) -> Any:
    """What a fresh process prints as JSON."""
    command = [sys.executable, "-c", f"import json, sys\nfrom prefect_ledger import capture\n{code}", *args]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=True)
    return json.loads(done.stdout)


# --- the process ---------------------------------------------------------------------------------------------------------


def test_the_environment_is_this_process() -> None:
    """Python, process, machine and folder are those of here, and the whole can be written as JSON."""
    found = capture.environment()
    assert found["pid"] == os.getpid()
    assert found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert found["cpus"] >= found["cpus_usable"] >= 1
    assert found["memory"] > 1 << 26
    assert found["hostname"] == os.uname().nodename
    assert Path(found["cwd"]).is_absolute()
    assert json.loads(json.dumps(found)) == found


def test_variables_are_those_of_a_list_and_none_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """What results hang on, and what was asked for; a secret among that is masked, whatever else is set stays untold."""
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setenv("SITE", "north")
    monkeypatch.setenv("API_KEY", "hunter2hunter2")
    monkeypatch.setenv("OTHER", "untold")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    found = capture.variables(("SITE", "API_KEY"))
    assert (found["OMP_NUM_THREADS"], found["SITE"]) == ("2", "north")
    assert "hunter2" not in found["API_KEY"]
    assert not {"OTHER", "MKL_NUM_THREADS"} & set(found)


def test_lock_files_are_named_with_their_content(tmp_path: Path) -> None:
    """Of the repository and of the folder of the code, not below; what cannot be read is left out."""
    code = tmp_path / "code"
    code.mkdir()
    (tmp_path / "uv.lock").write_text("a")
    (code / "requirements-dev.txt").write_text("b")
    (code / "pylock.toml").mkdir()
    (code / "below").mkdir()
    (code / "below" / "uv.lock").write_text("c")
    (tmp_path / "other.txt").write_text("d")
    shas = [hashlib.sha256(text).hexdigest() for text in (b"a", b"b")]
    assert capture.lock_files([tmp_path, code]) == {"uv.lock": shas[0], "code/requirements-dev.txt": shas[1]}
    assert capture.lock_files([tmp_path / "gone"]) == {}


def test_a_child_process_is_asked_anew() -> None:
    """After a fork the process id is the child's, though the parent's answer was kept."""
    code = (
        "import os; parent = capture.environment()['pid']; child = os.fork()\n"
        "if not child: print(json.dumps([parent, os.getppid(), capture.environment()['pid'], os.getpid()]))\n"
        "else: os.waitpid(child, 0)"
    )
    known, parent, told, child = in_child(code)
    assert (known, told) == (parent, child)


def test_what_one_caller_does_to_the_answer_stays_his() -> None:
    """Changing the answer does not change what the next one gets."""
    capture.environment()["pid"] = 0
    capture.packages()["numpy"] = "0"
    assert capture.environment()["pid"] == os.getpid()
    assert capture.packages()["numpy"] == metadata.version("numpy")


def test_the_command_line_is_masked() -> None:
    """The command that started the process is there as it could be typed again, without its secrets."""
    found = in_child("print(json.dumps(capture.environment()['command']))", "--api-key", "hunter2", "--url=redis://:pw1@h", "a b")
    assert found.startswith(sys.executable)
    assert found.endswith(f"--api-key '{MASK}' '--url=redis://:{MASK}@h' 'a b'")


def test_a_folder_that_is_gone_and_an_account_without_a_name_are_survived(tmp_path: Path) -> None:
    """A process whose working folder was deleted, under a uid nobody has, still describes itself."""
    code = (
        "import os, pwd, shlex; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])\n"
        "if os.geteuid() == 0: os.seteuid(54321)\n"
        "print(json.dumps(capture.environment()))"
    )
    (tmp_path / "gone").mkdir()
    found = in_child(code, str(tmp_path / "gone"))
    assert "cwd" not in found
    assert os.geteuid() != 0 or found["user"] == "uid 54321"


def test_graphics_cards_are_read_from_their_driver(tmp_path: Path) -> None:
    """Each card that the driver lists is there by its model; without a driver there is no list."""
    for n in range(2):
        (tmp_path / f"0000:0{n}:00.0").mkdir()
        (tmp_path / f"0000:0{n}:00.0" / "information").write_text("Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 11\n")
    assert machine._gpus(tmp_path) == ["NVIDIA H100 80GB HBM3"] * 2
    assert machine._gpus(tmp_path / "nothing") == []


# --- packages ------------------------------------------------------------------------------------------------------------


def test_packages_are_those_that_import_would_find() -> None:
    """Every distribution is there with its version, by canonical name, in order."""
    found = capture.packages()
    assert list(found) == sorted(found)
    for name in ("prefect", "numpy", "sqlmodel", "prefect-ledger", "pydantic-core"):
        assert found[name] == metadata.version(name)
    assert len(found) >= len({d.name.lower().replace("_", "-").replace(".", "-") for d in metadata.distributions() if d.name})


def test_odd_distributions_are_survived(tmp_path: Path) -> None:
    """Half removed, unreadable and twice installed distributions: the rest is listed, and the first of two counts."""
    for folder, name, text in (
        ("a", "Twice_Named", b"Metadata-Version: 2.1\nName: Twice_Named\nVersion: 2\n\nName: wrong\n"),
        ("b", "Twice_Named", b"Name: twice.named\nVersion: 1\n"),
        ("a", "broken", b""),
        ("a", "binary", b"Name: \xff\xfe\n"),
        ("a", "crlf", b"Name: crlf\r\nVersion: 3\r\n\r\nbody"),
    ):
        (tmp_path / folder / f"{name}-1.dist-info").mkdir(parents=True)
        (tmp_path / folder / f"{name}-1.dist-info" / "METADATA").write_bytes(text)
    (tmp_path / "a" / "empty-1.dist-info").mkdir()
    code = "sys.path[:0] = [sys.argv[1] + '/a', sys.argv[1] + '/b']; print(json.dumps(capture.packages()))"
    found = in_child(code, str(tmp_path))
    assert (found["twice-named"], found["crlf"]) == ("2", "3")
    assert not {"broken", "binary", "empty", "wrong"} & set(found)
    assert "prefect" in found


@LAW
@given(st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=6), st.randoms())
def test_the_digest_is_of_the_content(installed: dict[str, str], chance: Any) -> None:
    """The order of a package list does not change its digest; any version does."""
    items = list(installed.items())
    chance.shuffle(items)
    digest = capture.packages_digest(installed)
    assert capture.packages_digest(dict(items)) == digest
    assert len(digest) == 64
    for name, version in installed.items():
        assert capture.packages_digest({**installed, name: version + "x"}) != digest


# --- git -----------------------------------------------------------------------------------------------------------------


def run_git(folder: Path, *words: str) -> str:
    person = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main")
    return subprocess.run(["git", *person, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Path]:
    """A repository of one commit; answers about earlier ones are forgotten."""
    folder = tmp_path / "repo with space"
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main")
    (folder / "train.py").write_text("print(1)\n")
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "one")
    repository_module._git_known.clear()
    yield folder
    repository_module._git_known.clear()


def test_a_repository_is_described(repository: Path) -> None:
    """Commit, branch, remote and root are git's own, from any folder inside; credentials in the remote are masked."""
    run_git(repository, "remote", "add", "backup", "https://elsewhere/x.git")
    run_git(repository, "remote", "add", "origin", "https://bob:hunter2@example.com/org/repo.git")
    (repository / "sub").mkdir()
    expected = GitState(
        commit=run_git(repository, "rev-parse", "HEAD"),
        branch="main",
        dirty=False,
        remote=f"https://bob:{MASK}@example.com/org/repo.git",
        root=str(repository.resolve()),
    )
    assert capture.git(repository) == expected
    assert capture.git(repository / "sub") == expected
    assert "hunter2" not in json.dumps(asdict(expected))


def test_dirty_means_that_tracked_files_differ(repository: Path) -> None:
    """A changed or staged file is dirty, a file that git does not know is not."""
    clean = capture.git(repository)
    assert clean is not None
    (repository / "data.csv").write_text("1\n")
    repository_module._git_known.clear()
    assert capture.git(repository) == clean
    (repository / "train.py").write_text("print(2)\n")
    repository_module._git_known.clear()
    assert capture.git(repository) == replace(clean, dirty=True)
    run_git(repository, "add", "train.py")
    repository_module._git_known.clear()
    assert capture.git(repository) == replace(clean, dirty=True)


def test_unusual_states_are_said(repository: Path, tmp_path: Path) -> None:
    """No branch checked out, no commit yet, no remote: the words are empty and the rest is there."""
    run_git(repository, "checkout", "-q", "--detach")
    state = capture.git(repository)
    assert state is not None
    assert (state.branch, state.remote, len(state.commit)) == ("", "", 40)
    (tmp_path / "new").mkdir()
    run_git(tmp_path / "new", "init", "-q", "-b", "trunk")
    assert capture.git(tmp_path / "new") == GitState("", "trunk", dirty=False, remote="", root=str((tmp_path / "new").resolve()))


def test_no_repository_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Outside a repository, in a folder that is not there, in a bare one and without git, the answer is None."""
    repository_module._git_known.clear()
    (tmp_path / "bare").mkdir()
    run_git(tmp_path / "bare", "init", "-q", "--bare")
    assert [capture.git(tmp_path / name) for name in ("", "nothing", "bare")] == [None, None, None]
    monkeypatch.setenv("PATH", "")
    repository_module._git_known.clear()
    assert capture.git(Path(__file__).parent) is None


def test_another_owners_repository_is_left_alone(repository: Path) -> None:
    """Where git refuses a folder of another owner, so do we."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    for path in (repository, *repository.rglob("*")):
        os.chown(path, 54321, 54321)
    assert in_child(
        "print(json.dumps(capture.git(sys.argv[1]) is None))",
        str(repository),
        HOME=str(repository.parent),
        SUDO_UID="0",
        GIT_CONFIG_NOSYSTEM="1",
    )


HOOKS: dict[str, Callable[[Path, str], object]] = {
    "fsmonitor": lambda repo, program: run_git(repo, "config", "core.fsmonitor", program),
    "hooks": lambda repo, program: run_git(repo, "config", "core.hooksPath", str(Path(program).parent)),
    "filter": lambda repo, program: run_git(repo, "config", "filter.evil.clean", program),
    "process": lambda repo, program: run_git(repo, "config", "filter.evil.process", program),
}


@pytest.mark.parametrize("kind", HOOKS)
def test_a_hostile_repository_runs_nothing(repository: Path, tmp_path: Path, kind: str) -> None:
    """Programs that a repository's own settings name are not started when its state is asked for."""
    ran, program = tmp_path / "ran", tmp_path / "bin" / "post-index-change"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    program.chmod(0o755)
    (repository / ".gitattributes").write_text("*.py filter=evil\n")
    run_git(repository, "add", ".")
    run_git(repository, "commit", "-q", "-m", "two")
    HOOKS[kind](repository, str(program))
    (repository / "train.py").write_text("print(3)\n")  # so that git has to look into it
    state = capture.git(repository)
    assert state is not None
    assert state.dirty is True
    assert not ran.exists()
    run_git(repository, "status")
    assert ran.exists()  # so the trap was a real one


def test_a_file_is_compared_although_a_local_filter_is_off(repository: Path) -> None:
    """A file that was only touched stays clean, with no lock and no change of the index left behind."""
    index = repository / ".git" / "index"
    before = index.read_bytes()
    os.utime(repository / "train.py", (1, 1))
    state = capture.git(repository)
    assert state is not None
    assert state.dirty is False
    assert index.read_bytes() == before


def test_variables_of_another_git_do_not_mislead(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inside a hook of another repository, the folder's own is described."""
    (tmp_path / "other").mkdir()
    run_git(tmp_path / "other", "init", "-q")
    root = str(repository.resolve())
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "other"))
    state = capture.git(repository)
    assert state is not None
    assert state.root == root


def test_a_git_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A git that never answers is ended with all it started, and the answer is None."""
    pids = tmp_path / "pids"
    (tmp_path / "git").write_text(f"#!/bin/sh\nsleep 600 &\necho $! $$ >> {pids}\nwait\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(repository_module, "GIT_SECONDS", 0.3)
    repository_module._git_known.clear()
    assert capture.git(tmp_path) is None
    for pid in pids.read_text().split():
        until = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and " Z " not in Path(f"/proc/{pid}/stat").read_text():
            assert time.monotonic() < until
            time.sleep(0.01)


def test_a_large_tree_still_has_its_commit(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When looking through the files takes too long, commit and branch are said and dirty is not known."""
    real = subprocess.run(["which", "git"], capture_output=True, text=True, check=True).stdout.strip()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "git").write_text(f'#!/bin/sh\ncase "$*" in *porcelain*) exec sleep 600;; esac\nexec {real} "$@"\n')
    (tmp_path / "bin" / "git").chmod(0o755)
    expected = run_git(repository, "rev-parse", "HEAD")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    monkeypatch.setattr(repository_module, "GIT_SECONDS", 1.0)
    assert capture.git(repository) == GitState(expected, "main", dirty=None, remote="", root=str(repository.resolve()))


def test_the_same_folder_is_not_asked_again_at_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within seconds the first answer is given again, from all threads, without git."""
    first = capture.git(repository)
    monkeypatch.setenv("PATH", "")
    answers: list[GitState | None] = []
    threads = [threading.Thread(target=lambda: answers.append(capture.git(str(repository)))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert first is not None
    assert answers == [first] * 4


# --- exceptions ----------------------------------------------------------------------------------------------------------


def caught(raises: Callable[[], object]) -> BaseException:
    try:
        raises()
    except BaseException as error:  # noqa: BLE001  # every kind is what is tested
        return error
    raise AssertionError("nothing was raised")


def connect(url: str) -> NoReturn:
    raise ConnectionError(f"cannot reach {url}")


def test_an_exception_is_told_without_its_secrets() -> None:
    """Type, message and traceback are there, with what led to it, and no credential is."""

    def outer() -> None:
        try:
            connect("postgresql://bob:hunter2@db/runs")
        except ConnectionError as error:
            raise RuntimeError("password='hunter2'") from error

    found = capture.exception(caught(outer))
    assert found["type"] == "RuntimeError"
    assert found["message"] == f"password='{MASK}'"
    assert "in connect" in found["traceback"]
    assert "direct cause" in found["traceback"]
    assert "hunter2" not in json.dumps(found)


def test_a_long_traceback_keeps_head_and_tail() -> None:
    """Of a long text the beginning and the end are kept, within the limit; what was cut is counted."""

    def deep(n: int, text: str) -> None:
        if n:
            deep(n - 1, text)
        raise ValueError(text)

    for text in ("start " + "x" * 50_000 + " the end", "start " + "x" * 5_000_000):
        found = capture.exception(caught(functools.partial(deep, 3, text)))
        assert len(found["traceback"]) == capture.TRACEBACK_LIMIT
        assert len(found["message"]) == capture.MESSAGE_LIMIT
        assert found["traceback"].startswith("Traceback (most recent call last)")
        assert "characters left out" in found["traceback"]
        assert found["traceback"].rstrip().endswith(("the end", "…"))


@LAW
@given(st.integers(0, 40_000), st.integers(0, 40_000))
def test_a_secret_at_a_cut_does_not_survive(before: int, after: int) -> None:
    """Wherever in a long message the secret lies, also where the text is cut, none of it is kept."""
    secret = "Zq9" * 200
    found = capture.exception(ValueError(f"{'x ' * before} api_key='{secret}' {'y ' * after}"))
    assert "Zq9" not in found["message"] + found["traceback"]


class Mute(Exception):
    """An exception that cannot be put into words."""

    def __str__(self) -> str:
        raise RuntimeError("no words")


class Group(ExceptionGroup[Exception]):
    """A group of the user's own."""


@pytest.mark.parametrize("error", [Mute("x"), Group("g", [Mute(), KeyError("k")]), SystemExit(3), KeyboardInterrupt(), StopIteration(5)])
def test_every_exception_can_be_told(error: BaseException) -> None:
    """Exceptions without words, groups and those that end a program give three texts that can be stored."""
    found = capture.exception(error)
    assert set(found) == {"type", "message", "traceback"}
    assert found["type"].endswith(type(error).__qualname__)
    assert json.loads(json.dumps(found)) == found


def test_exceptions_that_lead_to_each_other_end() -> None:
    """A circle of causes, and a recursion without an end, are told in bounded texts."""
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one

    def endless() -> None:
        endless()

    assert "two" in capture.exception(one)["traceback"]
    assert len(capture.exception(caught(endless))["traceback"]) <= capture.TRACEBACK_LIMIT


# --- functions -----------------------------------------------------------------------------------------------------------


class Trainer:
    """Something with methods."""

    def fit(self) -> None: ...

    @classmethod
    def load(cls) -> None: ...


def plain() -> None: ...


@functools.wraps(plain)
def wrapping() -> None: ...


@flow
def a_flow() -> None: ...


@task
def a_task() -> None: ...


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (plain, "plain"),
        (wrapping, "plain"),
        (functools.partial(functools.partial(plain)), "plain"),
        (Trainer.fit, "Trainer.fit"),
        (Trainer().fit, "Trainer.fit"),
        (Trainer.load, "Trainer.load"),
        (a_flow, "a_flow"),
        (a_task, "a_task"),
    ],
)
def test_a_function_is_found_where_it_was_written(function: object, name: str) -> None:
    """Behind wrappers, partials, methods, flows and tasks, file and line are those of the function the user wrote."""
    found = capture.source(function)
    assert found["name"] == f"{__name__}.{name}"
    assert found["file"] == str(Path(__file__).resolve())
    lines = Path(__file__).read_text().splitlines()[found["line"] - 1 :][:2]
    assert any(f"def {name.rpartition('.')[2]}(" in line for line in lines)


class Tease:
    """An object whose every property is a trap."""

    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def test_what_has_no_place_has_none() -> None:
    """Builtins, classes, typed-in functions and odd objects have what can be known of them, and never raise."""
    scope: dict[str, Any] = {"__name__": "typed"}
    exec("def typed(): ...", scope)
    assert capture.source(len) == {"name": "builtins.len"}
    assert capture.source(Trainer) == {"name": f"{__name__}.Trainer"}
    assert capture.source(scope["typed"]) == {"name": "typed.typed"}
    assert capture.source(3) == capture.source(Tease()) | {}
    looped = functools.partial(plain)
    looped.__wrapped__ = looped  # type: ignore[attr-defined]  # a loop nobody should make
    assert capture.source(looped) is not None


def test_capture_is_imported_quickly() -> None:
    """Importing it loads nothing that it may never need."""
    heavy = {"subprocess", "importlib.metadata", "traceback", "numpy", "prefect", "psutil", "pynvml", "sqlalchemy"}
    code = "import sys; before = set(sys.modules); import prefect_ledger.capture; print(sorted(set(sys.modules) - before))"
    loaded = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert [name for name in sorted(heavy) if f"'{name}'" in loaded] == []
