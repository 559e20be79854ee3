"""Other processes log to a run, however they were started: nothing is lost, nothing doubled, nobody hangs, and the run is its owner's."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from prefect_ledger.database import Database
from tests.services.scripts import Place, ended

PROGRAM = str(Path(__file__).parent / "fork_program.py")


def started(place: Place, way: str) -> subprocess.Popen[str]:
    """The program as a file, which processes that are spawned can import."""
    return subprocess.Popen(
        [sys.executable, PROGRAM, way],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=place.environment,
        cwd=place.home.parent,
    )


LONG = [pytest.param(way, marks=pytest.mark.soak) for way in ("spawn-pool-terminated", "spawn-executor", "forkserver-process")]


@pytest.mark.parametrize("way", ["fork-process", "fork-pool", "fork-pool-terminated", "fork-executor", "spawn-process", *LONG])
def test_what_other_processes_log_arrives(tmp_path: Path, way: str) -> None:
    """Processes of multiprocessing and concurrent.futures, forked and spawned, through the inherited handle or by the run's id: when
    they are gone, all they logged is in their parent's run, which is still RUNNING and ends with the parent."""
    place = Place(tmp_path / "ledger")
    done = ended(started(place, way))
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    found = json.loads(done.out)
    assert found["steps"] == list(range(3 * 300))
    assert found["params"] == [f"p{n}" for n in range(3)]
    assert found["tags"] == [f"t{n}" for n in range(3)]
    assert (found["status"], found["end"], found["attempts"], found["notes"]) == ("RUNNING", "COMPLETED", 1, [])
    assert found["parent"] == [0, 1]
    assert place.waiting() == []


LOCKED = """
    import os, sys, time
    from prefect_ledger import start_run
    from prefect_ledger.tracking.ledger import ledger

    run = start_run(experiment="forks")
    assert ledger().flush(100) == 0
    print("ready", flush=True)
    sys.stdin.readline()
    run.log_metric("loss", 0.5, step=0)
    time.sleep(1)  # by now the recorder waits for the lock
    before = time.monotonic()
    for number in range(10):
        if os.fork() == 0:
            run.log_metric("loss", 0.5, step=1 + number)
            os._exit(0)
        assert os.wait()[1] == 0
    print(time.monotonic() - before, flush=True)
    sys.stdin.readline()
    run.finish()
"""


@pytest.mark.long
def test_forks_wait_once_for_a_store_that_is_locked(tmp_path: Path) -> None:
    """While somebody holds the database the first fork waits for it, in vain, and those that follow do not wait again; nothing is lost."""
    place = Place(tmp_path / "ledger")
    child = place.start(LOCKED)
    assert child.stdout is not None
    assert child.stdin is not None
    assert child.stdout.readline() == "ready\n", ended(child).err
    with contextlib.closing(sqlite3.connect(tmp_path / "ledger" / "ledger.db", isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        child.stdin.write("go\n")
        child.stdin.flush()
        seconds = float(child.stdout.readline())
        holder.execute("COMMIT")
    done = ended(child)  # closes its input
    assert done.code == 0, done.err
    assert seconds < 15  # not a measurement: ten waits of two seconds are twenty
    (run,) = place.runs()
    place.recover()
    assert place.steps(run.id, "loss") == list(range(11))


def _many_forks(place: Place) -> None:
    database = Database(place.settings.store_url)
    database.prepare()
    database.close()
    done = ended(started(place, "many-forks"), seconds=240)
    assert done.code == 0, done.err
    found = json.loads(done.out)
    assert found["steps"] == list(range(1_000))
    assert set(found["params"]) == {f"p{n}" for n in range(200)} | {"q0", "q1"}
    assert (found["status"], found["end"], found["notes"]) == ("RUNNING", "COMPLETED", [])


@pytest.mark.long
def test_two_hundred_forks_while_the_recorder_works(tmp_path: Path) -> None:
    """Forked at any moment, with threads logging and the recorder in the store, no child hangs, and each child's values arrive once."""
    _many_forks(Place(tmp_path / "ledger"))


@pytest.mark.soak
@pytest.mark.parametrize("turn", range(5))
def test_a_thousand_forks_while_the_recorder_works(tmp_path: Path, store_url: str, turn: int) -> None:
    """As above, five times on each database."""
    _many_forks(Place(tmp_path / "ledger", store_url))


WORKER = """
    import os, sys, time
    from prefect_ledger import start_run
    run = start_run(experiment="forks")
    for i in range(1_000):
        run.log_metric("loss", 0.5, step=i)
    if os.fork() == 0:
        if sys.argv[1] == "logs":
            run.log_metric("loss", 0.5, step=1_000)
        print("forked", flush=True)
        sys.stdin.readline()
        run.log_metric("loss", 0.5, step=1_001)
        sys.exit()
    time.sleep(60)
"""


@pytest.mark.parametrize("worker", ["silent", "logs"])
def test_a_killed_parents_journal_is_free_though_a_worker_lives(tmp_path: Path, worker: str) -> None:
    """The parent is killed while a forked worker lives: its journal is adopted at once, by a recovery or by the worker, and the run is
    CRASHED; the worker goes on, what it logs arrives, and its process is not harmed by others using the store."""
    place = Place(tmp_path / "ledger")
    command = [sys.executable, "-c", textwrap.dedent(WORKER), worker]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=place.environment
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "forked\n"
    child.kill()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    if worker == "silent":
        found = place.recover()
        assert (found.journals, found.alive, len(found.crashed)) == (1, 0, 1)
        assert len(place.steps(place.runs()[0].id, "loss")) == 1_000
    else:
        place.recover()
    done = child.communicate("end\n", timeout=60)  # until the worker has ended too
    assert done == ("", "")
    place.recover()
    (run,) = place.runs()
    assert place.steps(run.id, "loss") == [*range(1_000), *([1_000] if worker == "logs" else []), 1_001]
    assert run.status == "CRASHED"
    assert place.waiting() == []
