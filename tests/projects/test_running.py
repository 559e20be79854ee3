"""Projects that run: as runs of the ledger whose end is the program's, and of which nothing is left when they are cancelled."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from prefect_ledger import get_run, run_project, search_runs, start_run
from prefect_ledger.errors import EnvironmentFailed, InvalidValue, ProjectFailed, ProjectInvalid
from prefect_ledger.projects import ProjectRun, archives
from prefect_ledger.tracking.ledger import Ledger
from tests.cli.conftest import environment
from tests.projects.conftest import Write, git, repository

MLPROJECT = """
name: churn

python_env: python_env.yaml

entry_points:
  main:
    parameters:
      data_file: path
      regularization: {type: float, default: 0.1}
    command: "python train.py -r {regularization} {data_file}"
  validate:
    parameters:
      data_file: {type: path, default: data.csv}
    command: "python validate.py {data_file}"
"""
ENVIRONMENT = "python: '3.11'\nbuild_dependencies: []\ndependencies: []\n"
TRAIN = "import sys, os; print('trained', sys.argv[1:], open(sys.argv[-1]).read().strip()); print('warned', file=sys.stderr)"
VALIDATE = "import sys; print('validated', sys.argv[-1], sys.prefix)"


@pytest.fixture
def churn(project: Write) -> Path:
    """A project as MLflow documents it, with two entry points and an environment without packages."""
    return project(MLproject=MLPROJECT, python_env_yaml=ENVIRONMENT, train_py=TRAIN, validate_py=VALIDATE, data_csv="1,2\n")


def _log(run_id: str) -> str:
    return get_run(run_id).read_artifact("output.log").decode()


def test_an_mlproject_runs_from_a_folder_a_repository_at_a_tag_and_an_archive(
    fresh_ledger: Ledger, churn: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Both of its entry points, with one environment for all of them; each run says what it was."""
    repository(churn)
    git(churn, "tag", "v1")
    commit = git(churn, "rev-parse", "HEAD")
    (churn / "validate.py").write_text("raise SystemExit('a later version')")
    archives.pack(churn, tmp_path / "churn.zip")
    data = tmp_path / "rows.csv"
    data.write_text("7,8\n")

    local = run_project(churn, parameters={"data_file": data, "regularization": 0.5})
    tagged = run_project(f"git+file://{churn}", "validate", version="v1")
    packed = run_project(tmp_path / "churn.zip", parameters={"data_file": str(data)})

    assert f"trained ['-r', '0.5', '{data}'] 7,8\n" in _log(local.id)
    assert "warned\n" in _log(local.id)
    assert "validated" in _log(tagged.id)
    found = get_run(tagged.id)
    assert (found.status, found.experiment) == ("COMPLETED", "churn")
    assert found.tags["project.version"] == "v1"
    assert found.tags["project.commit"] == commit == found.facts["git"]["commit"]
    assert found.tags["project.entry_point"] == "validate"
    assert found.tags["project.uri"] == f"file://{churn}"
    assert get_run(packed.id).params == {"data_file": str(data), "regularization": "0.1"}
    assert get_run(local.id).tags["project.command"] == f"python train.py -r 0.5 {data}"
    keys = {get_run(one.id).facts["project_environment"]["key"] for one in (local, tagged, packed)}
    assert len(keys) == 1
    assert len(list((fresh_ledger.settings.home / "environments").iterdir())) == 1
    assert "trained" in capfd.readouterr().out


@pytest.mark.long
def test_python_in_a_project_logs_into_its_run_below_the_one_that_started_it(fresh_ledger: Ledger, project: Write) -> None:
    """A script knows nothing of it: its first ``start_run`` is the project's run, which is a child of the run open here."""
    folder = project(
        main_py="""
        from prefect_ledger import log_metric, run_project, start_run
        with start_run() as run:
            log_metric("loss", 0.25)
            run_project(".", "inner.py", echo=False)
        """,
        inner_py="from prefect_ledger import log_metric; log_metric('inner', 1.0)",
        pyproject_toml='[tool.prefect.integrations.ledger]\nhome = "/elsewhere"\n',
    )
    with start_run(experiment="outer") as outer:
        done = run_project(folder, env_manager="local", echo=False)
    found = get_run(done.id)
    assert (found.experiment, found.status, found.summaries["loss"].last) == ("outer", "COMPLETED", 0.25)
    (child,) = get_run(outer.id).children
    assert child.id == done.id
    (inner,) = found.children
    assert (inner.status, inner.summaries["inner"].last) == ("COMPLETED", 1.0)


@pytest.mark.parametrize(
    ("script", "status", "reason", "code"),
    [
        ("raise SystemExit(3)", "FAILED", "exit code 3", 3),
        ("raise ValueError('x')", "FAILED", "exit code 1", 1),
        ("import os; os.kill(os.getpid(), 9)", "CRASHED", "SIGKILL", -9),
    ],
)
def test_the_end_of_the_program_is_the_end_of_the_run(
    script: str, status: str, reason: str, code: int, fresh_ledger: Ledger, project: Write
) -> None:
    """Whoever waits is told by an exception, which says where to look."""
    with pytest.raises(ProjectFailed, match=r"output\.log") as caught:
        run_project(project(main_py=script), echo=False)
    found = get_run(caught.value.run_id)
    assert (found.status, caught.value.exit_code) == (status, code)
    assert reason in found.status_reason


def test_a_signal_that_a_shell_tells_of_is_one_too(fresh_ledger: Ledger, project: Write) -> None:
    """Where a shell stands between, it says so by a number."""
    folder = project(MLproject="entry_points: {main: {command: 'python die.py; exit $?'}}", die_py="import os; os.kill(os.getpid(), 9)")
    with pytest.raises(ProjectFailed) as caught:
        run_project(folder, echo=False)
    assert get_run(caught.value.run_id).status == "CRASHED"


_TREE = """
import os, subprocess, sys, time
nap = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(600)"
children = [
    subprocess.Popen([sys.executable, "-c", nap], stdout=subprocess.PIPE),
    subprocess.Popen([sys.executable, "-c", nap], stdout=subprocess.PIPE, start_new_session=True),
]
for child in children:
    child.stdout.readline()
open("pids.part", "w").write(" ".join(str(one) for one in [os.getpid(), *(child.pid for child in children)]))
os.rename("pids.part", "pids")
time.sleep(600)
"""


def _pids(folder: Path) -> list[int]:
    while not (folder / "pids").exists():
        time.sleep(0.01)
    return [int(word) for word in (folder / "pids").read_text().split()]


def _gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def test_cancel_ends_the_whole_tree(fresh_ledger: Ledger, project: Write) -> None:
    """Also what left the session, and what does not listen when it is asked to end."""
    folder = project(main_py=_TREE)
    started = run_project(folder, wait=False, echo=False)
    assert started.status == "RUNNING"
    assert not started.wait(0.0)
    pids = _pids(folder)
    started.cancel("no longer wanted", grace=0.2)
    assert _gone(pids)
    assert (started.status, started.wait()) == ("CANCELLED", True)
    assert (get_run(started.id).status, get_run(started.id).status_reason) == ("CANCELLED", "no longer wanted")
    started.cancel()
    assert get_run(started.id).status == "CANCELLED"


def test_an_interrupt_of_whoever_waits_cancels(fresh_ledger: Ledger, project: Write) -> None:
    """Ctrl-C reaches the program, which has a session of its own, and is then what it always is."""
    folder = project(main_py=_TREE.replace("signal.signal(signal.SIGTERM, signal.SIG_IGN); ", ""))
    pids: list[int] = []

    def interrupt() -> None:
        pids.extend(_pids(folder))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_project(folder, echo=False)
    thread.join()
    assert _gone(pids)
    (found,) = search_runs()
    assert (found.status, found.status_reason) == ("CANCELLED", "interrupted from the keyboard")


@pytest.mark.parametrize("wait", [True, False])
def test_an_interrupt_while_a_program_begins_cancels(
    wait: bool, fresh_ledger: Ledger, project: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the program's start and the handle that could cancel it, Ctrl-C is kept until it can."""
    folder = project(main_py="import time; time.sleep(600)")
    begun: list[int] = []
    attend = ProjectRun.attend

    def interrupted(handle: ProjectRun) -> None:
        begun.append(handle._process.pid)
        signal.raise_signal(signal.SIGINT)
        attend(handle)

    monkeypatch.setattr(ProjectRun, "attend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_project(folder, echo=False, wait=wait)
    assert begun
    assert _gone(begun)
    (found,) = search_runs()
    assert (found.status, found.status_reason) == ("CANCELLED", "interrupted from the keyboard")
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.long
def test_an_exit_code_that_is_lost_is_not_taken_for_success(home: Path, project: Write) -> None:
    """Where the process ignores SIGCHLD, the system throws exit codes away: the run is FAILED, and says why."""
    folder = project(main_py="raise SystemExit(3)")
    script = "import signal; signal.signal(signal.SIGCHLD, signal.SIG_IGN); from prefect_ledger import *; "
    script += (
        "started = run_project('.', env_manager='local', echo=False, wait=False); started.wait(); print(started.status, started.exit_code, "
    )
    script += "get_run(started.id).status_reason)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=environment(home), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stdout.startswith("FAILED None how it ended is not known"), done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGHUP, marks=pytest.mark.soak)])
def test_a_process_that_is_told_to_end_takes_its_project_along(number: signal.Signals, home: Path, project: Write) -> None:
    """The run is CANCELLED, no process is left, and the exit code is the signal's."""
    folder = project(main_py=_TREE.replace("signal.signal(signal.SIGTERM, signal.SIG_IGN); ", ""))
    script = "from prefect_ledger import run_project; run_project('.', echo=False)"
    process = subprocess.Popen([sys.executable, "-c", script], cwd=folder, env=environment(home))
    pids = _pids(folder)
    process.send_signal(number)
    assert process.wait(60) == 128 + number
    assert _gone(pids)
    done = subprocess.run(
        [sys.executable, "-c", "from prefect_ledger import search_runs; print([run.status.value for run in search_runs()])"],
        env=environment(home),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "['CANCELLED']"


def test_what_a_program_leaves_running_ends_with_it(fresh_ledger: Ledger, project: Write) -> None:
    """A child that holds the program's streams does not hold up the run's end."""
    child = "import time; print('up', flush=True); time.sleep(600)"
    folder = project(
        main_py=f"import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', {child!r}]); open('pids', 'w').write(str(p.pid))"
    )
    done = run_project(folder, echo=False)
    assert done.status == "COMPLETED"
    assert _gone(_pids(folder))


def test_output_is_kept_masked_and_bounded(fresh_ledger: Ledger, project: Write) -> None:
    """Secrets by their looks and those that were given as parameters are hidden; of too much the middle is left out."""
    script = """
    import sys
    print("password=hunter2x", sys.argv[-1], "\\xe9")
    for line in range(200_000):
        print(f"line {line} of very many")
    print("the end")
    """
    done = run_project(project(main_py=script), parameters={"api_key": "s3cr3t-value"}, echo=False)
    text = _log(done.id)
    assert "hunter2x" not in text
    assert "s3cr3t-value" not in text
    assert "letters left out" in text
    assert text.startswith("password=")
    assert text.endswith("the end\n")
    assert len(text) < 4_400_000
    assert all(line.startswith(("line ", "password", "the end", "…")) for line in text.splitlines())
    assert get_run(done.id).params["api_key"] == "********"
    assert "s3cr3t" not in get_run(done.id).tags["project.command"]


def test_what_is_wrong_is_said_before_a_run_begins(fresh_ledger: Ledger, churn: Path) -> None:
    """A description, a parameter, a path or a manager that cannot be leaves no run."""
    with pytest.raises(InvalidValue, match="no value for data_file"):
        run_project(churn)
    with pytest.raises(InvalidValue, match="there is no file or folder"):
        run_project(churn, parameters={"data_file": "none.csv"})
    with pytest.raises(InvalidValue, match="cannot make"):
        run_project(churn, "validate", env_manager="docker")
    (churn / "MLproject").write_text("entry_pints: {}")
    with pytest.raises(ProjectInvalid):
        run_project(churn)
    assert search_runs() == []


def test_an_environment_that_cannot_be_built_is_the_runs_end(fresh_ledger: Ledger, project: Write) -> None:
    """It is recorded, and nothing runs without it."""
    with pytest.raises(EnvironmentFailed):
        run_project(project(main_py="open('ran', 'w')", requirements_txt="packaging==0.0.0.1\n"), echo=False)
    (found,) = search_runs()
    assert found.status == "FAILED"
    assert "EnvironmentFailed" in found.status_reason


def test_a_program_that_is_not_there_is_the_runs_end(fresh_ledger: Ledger, project: Write) -> None:
    """Said by its name."""
    folder = project(pyproject_toml='[tool.prefect-ledger.project.entry-points]\nmain = "no-such-program x"\n')
    with pytest.raises(EnvironmentFailed, match="no-such-program"):
        run_project(folder, env_manager="local")
    assert search_runs()[0].status == "FAILED"


def test_paths_from_elsewhere_are_copied_for_the_run(fresh_ledger: Ledger, churn: Path, tmp_path: Path) -> None:
    """Through whatever reads artifacts; the copy is gone afterwards, and the parameter says where it came from."""
    import fsspec

    with fsspec.open("memory://projects/rows.csv", "w") as file:
        file.write("9,9\n")
    done = run_project(churn, parameters={"data_file": "memory://projects/rows.csv"}, echo=False)
    text = _log(done.id)
    assert "9,9" in text
    assert not Path(text.partition("'-r', '0.1', '")[2].partition("'")[0]).exists()
    assert get_run(done.id).params["data_file"] == "memory://projects/rows.csv"
    with pytest.raises(InvalidValue, match="cannot be copied here"):
        run_project(churn, parameters={"data_file": "memory://projects/none.csv"}, echo=False)


def test_the_second_run_begins_at_once(fresh_ledger: Ledger, project: Write, capsys: pytest.CaptureFixture[str]) -> None:
    """With everything built and loaded, little lies between the call and the program's first line; how much is printed."""
    folder = project(main_py="import time; print(time.time())", requirements_txt="packaging>=24\n")
    run_project(folder, echo=False)
    called = time.time()
    done = run_project(folder, echo=False)
    begun = float(_log(done.id))
    bare = time.time()
    own = subprocess.run([sys.executable, "-I", "-c", "import time; print(time.time())"], capture_output=True, text=True, check=True)
    with capsys.disabled():
        print(
            f"\n  from the call to the program's first line {begun - called:.3f} s, of which a bare start {float(own.stdout) - bare:.3f} s"
        )
    assert begun > called


def test_nothing_is_recorded_where_the_ledger_is_disabled(home: Path, project: Write) -> None:
    """The project runs all the same, and what it logs is kept nowhere."""
    folder = project(main_py="from prefect_ledger import log_metric; log_metric('x', 1.0); print('ran')")
    script = "from prefect_ledger import run_project; print(run_project('.').status)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env=environment(home, PREFECT_LEDGER_MODE="disabled"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["ran", "COMPLETED"], done.stderr
    assert not (home / "ledger.db").exists()
