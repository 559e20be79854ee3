"""The modes offline and disabled: what they keep, what they say, what they cost, and what they refuse."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import configure, start_run
from prefect_ledger.errors import InvalidSettings, NotOnline
from prefect_ledger.settings import Settings
from prefect_ledger.tracking import context
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.runs import ActiveRun
from prefect_ledger.tracking.silent import SilentRun
from tests.services.scripts import Ended, Place

STORE = "postgresql://nobody:hunter2secret@127.0.0.1:9/nothing"  # the port of nobody

EVERY_VERB = """
    import os, sys, threading
    import prefect_ledger as pl

    files = set(os.listdir("."))
    pl.log_metric("before", 1.0)
    run = pl.start_run(experiment=7, name=["no name"], tags=8)
    with run:
        assert pl.current_run() is run
        pl.log_metric("loss", "no number", step="no step")
        pl.log_metrics(None)
        pl.log_series("s", object())
        pl.log_params(3)
        pl.set_tags(3)
        pl.log_artifact("/no/such/file")
        pl.log_artifacts("/no/such/folder")
        pl.log_text(b"no text", "../../x")
        pl.log_dict({1: object()}, "x.json")
        pl.log_figure(None, "x.png")
        assert pl.log_model(None, "churn", register="churn").uri.startswith("models:/m-")
        for name in dir(run):
            verb = getattr(run, name)
            if not name.startswith("_") and callable(verb) and name not in ("for_task", "metric"):
                try:
                    verb()
                except pl.LedgerError as error:
                    assert "disabled" in str(error), name
    run.log_metric("after the end", 1.0)
    assert len(run.id) == 36 and run.finished and run.name
    pl.open_run("whatever").log_param("a", 1)
    print(sorted({"sqlalchemy", "numpy", "sqlmodel", "psycopg", "fsspec", "prefect"} & set(sys.modules)))
    from prefect_ledger.autolog import log_cross_validation, log_search, log_sklearn
    assert [log(object()) for log in (log_cross_validation, log_search)] == [None, None]
    assert log_sklearn(object(), None, run=run) is None
    from prefect_ledger import registry
    for read in (lambda: pl.get_run(run.id), pl.search_runs, lambda: run.metric("loss"), lambda: registry.create_model("churn")):
        try:
            read()
        except pl.LedgerError as error:
            assert "disabled" in str(error) and "PREFECT_LEDGER_MODE" in str(error), error
        else:
            raise AssertionError(read)
    assert [thread.name for thread in threading.enumerate()] == ["MainThread"]
    assert set(os.listdir(".")) == files
"""


def every_path(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.mark.parametrize(
    "more",
    [
        {"PREFECT_LEDGER_STORE_URL": STORE},
        {"PREFECT_LEDGER_STORE_URL": "nonsense"},
        {"PREFECT_LEDGER_BLOCK": "nowhere", "PREFECT_LEDGER_WATCH_SECONDS": "x"},
    ],
)
def test_disabled_takes_everything_and_leaves_nothing(tmp_path: Path, more: dict[str, str]) -> None:
    """With any settings, every verb returns at once whatever it is given; no thread, file, connection or heavy import comes of it, reading
    says what to do, and the process has nothing to say at its end."""
    place = Place(tmp_path / "ledger", more={"PREFECT_LEDGER_MODE": "disabled", **more})
    done = place.run(EVERY_VERB, options=("-W", "error"))
    assert (done.code, done.err, done.out) == (0, "", "[]\n")
    assert every_path(tmp_path) == []


def test_every_verb_of_a_run_is_silent_by_itself() -> None:
    """No public method of a run, and none that is added to it, is what it was: it does nothing, gives something harmless, or refuses."""
    own = {"for_task", "log_model", "log_prepared_model", "finish", "end"}
    for name, verb in inspect.getmembers(ActiveRun, callable):
        if not name.startswith("_"):
            assert getattr(SilentRun, name) is not verb, name
            assert (name in vars(SilentRun)) is True, name
    assert own <= vars(SilentRun).keys()


@pytest.fixture
def no_ledger(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """This process has no ledger yet, and has its own again afterwards."""
    monkeypatch.setattr(module, "_ledger", None)
    monkeypatch.setattr(context, "anywhere", None)


def test_a_program_can_be_disabled_and_enabled_again(home: Path, no_ledger: None) -> None:
    """``configure(mode=...)`` switches this process over, in both directions."""
    configure(mode="disabled")
    with start_run(experiment="e") as run:
        run.log_metric("loss", 0.5)
    assert not home.exists()
    configure(capture_git=False, capture_packages=False, watch=False)
    with start_run(experiment="e") as run:
        run.log_metric("loss", 0.5)
    assert module.ledger().flush() == 0
    assert [found.id for found in module.ledger().reader.search_runs()] == [run.id]
    configure(mode="disabled")


def test_a_mode_that_there_is_not_is_refused_in_words() -> None:
    """A misspelt mode is no mode: the message names its source and says which there are."""
    with pytest.raises(InvalidSettings, match=r"mode = 'offlin' \(from environment PREFECT_LEDGER_MODE\): say online, offline or disabled"):
        Settings.resolve(environ={"PREFECT_LEDGER_MODE": "offlin", "PREFECT_HOME": "/p"}, folder="/")


@pytest.mark.parametrize("source", ["argument", "environment", "prefect.toml", "pyproject.toml"])
def test_the_mode_is_a_setting_as_others(tmp_path: Path, source: str) -> None:
    """It is said by argument, environment, prefect.toml or pyproject.toml, and its origin is known."""
    environ, given = {"PREFECT_HOME": "/p"}, dict[str, Any]()
    if source == "argument":
        given["mode"] = "offline"
    elif source == "environment":
        environ["PREFECT_LEDGER_MODE"] = "Offline"
    else:
        table = "integrations.ledger" if source == "prefect.toml" else "tool.prefect.integrations.ledger"
        (tmp_path / source).write_text(f'[{table}]\nmode = "offline"\n')
    found = Settings.resolve(environ=environ, folder=tmp_path, **given)
    assert found.mode == "offline"
    assert source in found.origin["mode"]


# --- offline --------------------------------------------------------------------------------------------------------------

OFFLINE = """
    import json, sys, threading
    from prefect_ledger import LedgerError, get_run, log_model, registry, start_run
    from prefect_ledger.tracking.ledger import ledger

    with start_run(experiment="away", name="plane") as run:
        run.log_param("depth", 6)
        for i in range(int(sys.argv[1])):
            run.log_metric("loss", 0.5, step=i)
        run.log_text("hello", "notes/a.txt")
        log_model(lambda data: [2 * x for x in data], "double", register="double")
        for ask in (lambda: run.metric("loss"), lambda: get_run(run.id), lambda: registry.create_model("churn")):
            try:
                ask()
            except LedgerError as error:
                assert "offline" in str(error) and "prefect-ledger sync" in str(error) and "hunter2" not in str(error), error
            else:
                raise AssertionError(ask)
        for _ in range(200):  # the thread beside has let go of what is full
            if len(ledger().journal.segments) <= 1:
                break
            threading.Event().wait(0.05)
        held = sum(segment.size for segment in ledger().journal.segments.values())
    print(json.dumps({"id": run.id, "held": held, "asks": "psycopg" in sys.modules}))
"""


def test_offline_asks_nothing_and_says_once_where_all_lies(tmp_path: Path) -> None:
    """Values, artifacts and models stay here, in one folder; the database's driver is not imported, reading says what to do, and the
    end of the process says where all lies and which command brings it in."""
    place = Place(tmp_path / "ledger", STORE, more={"PREFECT_LEDGER_MODE": "offline"})
    done = place.run(OFFLINE, "1000", options=("-W", "error"))
    assert done.code == 0, done.err
    assert json.loads(done.out)["asks"] is False
    folder = place.settings.journal_folder.parent
    assert done.err.count("\n") == 1
    assert done.err.startswith(
        f"prefect-ledger is offline: 1 run of this process waits in {folder}; prefect-ledger sync brings it into the"
    )
    assert "hunter2" not in done.err
    assert [path for path in every_path(tmp_path / "ledger") if path.is_file() and folder not in path.parents] == []
    assert not (tmp_path / "ledger" / "ledger.db").exists()


@pytest.mark.long
def test_an_offline_journal_is_bounded_by_the_disk_alone(tmp_path: Path) -> None:
    """Segments that are full are not held in memory: after three million points, no more than the one being written and one more."""
    place = Place(tmp_path / "ledger", more={"PREFECT_LEDGER_MODE": "offline"})
    done = place.run(OFFLINE, "3000000")
    assert done.code == 0, done.err
    assert json.loads(done.out)["held"] <= 32 << 20
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.seg")) > 90 << 20


def test_offline_artifacts_have_no_root_yet(home: Path, no_ledger: None) -> None:
    """Where artifacts will lie is chosen when they are brought in, so a run says that it is not known."""
    configure(mode="offline", artifact_root="s3://team/experiments")
    run = start_run(experiment="e")
    assert run.artifact_uri.startswith("offline:")
    with pytest.raises(NotOnline):
        _ = module.ledger().artifacts
    configure(mode="disabled")


FORKS = """
    import multiprocessing, os, signal
    from prefect_ledger import start_run

    def work(run, number):
        for i in range(1_000):
            run.log_metric(f"child {number}", 0.5, step=i)
        if number == 1:
            os.kill(os.getpid(), signal.SIGKILL)

    with start_run(experiment="away") as run:
        run.log_metric("loss", 0.5)
        children = [multiprocessing.get_context("fork").Process(target=work, args=(run, number)) for number in range(2)]
        for child in children:
            child.start()
        for child in children:
            child.join()
        run.log_metric("loss", 0.5)
"""


def test_forked_children_of_an_offline_run_have_journals_of_their_own(tmp_path: Path) -> None:
    """What forked children logged, one of them killed, comes in with their parent's run, and the end is told once, by the parent."""
    place = Place(tmp_path / "ledger", more={"PREFECT_LEDGER_MODE": "offline"})
    done = place.run(FORKS)
    assert (done.code, done.err.count("\n"), done.err.count("prefect-ledger is offline: 1 run")) == (0, 1, 1), done.err
    assert place.run("import sys; from prefect_ledger.cli import main; sys.exit(main(['sync']))").code == 0
    (run,) = Place(tmp_path / "ledger").runs()
    assert run.status == "COMPLETED"
    assert {key: found.count for key, found in run.summaries.items()} == {"loss": 2, "child 0": 1_000, "child 1": 1_000}


# --- flows ----------------------------------------------------------------------------------------------------------------

FLOW = """
import os, signal, sys
from prefect.task_runners import ProcessPoolTaskRunner
from prefect_ledger import configure, current_run, log_metric, tracked_flow, tracked_task

@tracked_task(retries=1)
def step(i: int) -> int:
    log_metric("square", i * i, step=i)
    return os.getpid()

@tracked_flow
def child() -> float:
    log_metric("loss", 0.5)
    return 1.0

@tracked_flow(experiment="modes", task_runner=ProcessPoolTaskRunner(max_workers=1))
def train(kill: bool = False) -> dict[str, float]:
    log_metric("loss", 0.25)
    child()
    print(current_run().id, flush=True)
    if kill:
        os.kill(os.getpid(), signal.SIGKILL)
    pids = {future.result() for future in [step.submit(i) for i in range(2)]}
    assert os.getpid() not in pids
    return {"auc": 0.9}

if __name__ == "__main__":
    if sys.argv[1:] == ["configure"]:
        configure(mode="disabled")
    assert train("kill" in sys.argv) == {"auc": 0.9}
"""


def run_flow(place: Place, tmp_path: Path, *arguments: str) -> Ended:
    """Run the flow above."""
    return run_script(place, tmp_path, FLOW, *arguments)


def run_script(place: Place, tmp_path: Path, text: str, *arguments: str) -> Ended:
    """Run a program from a file, as a pool's processes want it."""
    (place.home / "prefect").mkdir(parents=True)
    script = tmp_path / "train.py"
    script.write_text(text)
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, env=place.environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    return Ended(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("how", [pytest.param("environment", marks=pytest.mark.soak), "configure"])
@pytest.mark.long
def test_a_disabled_flow_is_a_flow_as_ever(tmp_path: Path, prefect_server: str, how: str) -> None:
    """Tracked flows, sub-flows and tasks in other processes run under Prefect and give back what they do, and nothing is kept of them."""
    more = {"PREFECT_API_URL": prefect_server, "PREFECT_LOGGING_LEVEL": "ERROR"}
    place = Place(tmp_path / "ledger", more={**more, **({"PREFECT_LEDGER_MODE": "disabled"} if how == "environment" else {})})
    done = run_flow(place, tmp_path, *([how] if how == "configure" else []))
    assert (done.code, done.err, len(done.out)) == (0, "", 37)
    assert [path for path in every_path(tmp_path) if "prefect" not in path.parts] == [tmp_path / "ledger", tmp_path / "train.py"]


@pytest.mark.parametrize("status", ["COMPLETED", pytest.param("CRASHED", marks=pytest.mark.soak)])
@pytest.mark.long
def test_an_offline_flow_comes_in_as_it_ended(tmp_path: Path, prefect_server: str, status: str) -> None:
    """What a flow, its sub-flow and its tasks in other processes logged offline is one run with a child when it was brought in."""
    more = {"PREFECT_API_URL": prefect_server, "PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_LEDGER_MODE": "offline"}
    place = Place(tmp_path / "ledger", more=more)
    done = run_flow(place, tmp_path, *(["kill"] if status == "CRASHED" else []))
    assert (done.code, done.err.count("prefect-ledger is offline")) == ((0, 1) if status == "COMPLETED" else (-9, 0)), done.err
    assert "2 runs of this process wait" in done.err or status == "CRASHED"
    assert place.run("import sys; from prefect_ledger.cli import main; sys.exit(main(['sync']))").code == 0
    online = Place(tmp_path / "ledger")
    runs = {run.parent_id: run for run in online.runs()}
    run = runs[None]
    assert (run.id, run.status, runs[run.id].status) == (done.out.strip(), status, "COMPLETED")
    assert run.metrics == {"loss": 0.25} | ({"square": 1.0, "auc": 0.9} if status == "COMPLETED" else {})
    if status == "COMPLETED":
        assert online.steps(run.id, "square") == [0, 1]
    assert every_path(place.settings.journal_folder) == []


LONG_LIVED = """
import sys
from distributed import LocalCluster
from prefect_dask.task_runners import DaskTaskRunner
from prefect_ledger import configure, current_run, log_metric, search_runs, tracked_flow, tracked_task

@tracked_task
def step(i: int) -> str:
    log_metric("square", i * i, step=i)
    return current_run().id

def train() -> list[str]:
    return [future.result() for future in [step.submit(i) for i in range(2)]]

if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None) as cluster:
        runner = DaskTaskRunner(address=cluster.scheduler_address)
        ids = []
        for mode in ("disabled", "online", "disabled"):
            configure(mode=mode, watch=False, capture_git=False, capture_packages=False)
            ids += tracked_flow(train, name="modes", task_runner=runner)()
        configure(mode="online")
        (run,) = search_runs("modes")
        assert [run.id] * 2 == ids[2:4], (run.id, ids)
        assert len(set(ids)) == 3, ids
        assert run.metrics == {"square": 1.0}
"""


@pytest.mark.soak
def test_a_long_lived_worker_is_disabled_for_the_flows_that_are(tmp_path: Path, prefect_server: str) -> None:
    """A Dask worker that did the tasks of a disabled flow records those of the next flow, whose process is online, and then none again."""
    place = Place(tmp_path / "ledger", more={"PREFECT_API_URL": prefect_server, "PREFECT_LOGGING_LEVEL": "ERROR"})
    done = run_script(place, tmp_path, LONG_LIVED)
    assert done.code == 0, done.err
