"""Logging never ends the user's run: a store that is away or busy, a full disk, a folder that cannot be written are survived, and said."""

from __future__ import annotations

import contextlib
import json
import queue
import re
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger.channel import Channel
from prefect_ledger.database import Database, rows
from prefect_ledger.errors import StoreUnavailable
from prefect_ledger.events import DatasetLogged, RunStatusSeen, TagsSet
from prefect_ledger.journal import Journal
from prefect_ledger.recorder import Recorder
from prefect_ledger.recovery import recover
from prefect_ledger.settings import Settings
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning
from tests.services.scripts import Place, ended
from tests.services_real.postgres import postgres

PROGRAM = """
    import sys, time
    from prefect_ledger import start_run

    with start_run(experiment="trouble", tags={"n": sys.argv[1] if len(sys.argv) > 1 else "0"}) as run:
        run.log_param("depth", 6)
        for i in range(2_000):
            run.log_metric("loss", 0.5, step=i)
        time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
"""


def ledger_at(home: Path, **settings: object) -> Ledger:
    return Ledger(
        Settings.resolve(home=str(home), environ={"PREFECT_HOME": str(home)}, folder="/", capture_git=False, watch=False, **settings)
    )


@contextlib.contextmanager
def told() -> Iterator[list[str]]:
    """What the ledger says meanwhile, in whatever thread; filled when the block ends."""
    said: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield said
    said += [str(one.message) for one in caught if one.category is LedgerWarning]


# --- a store that is away -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def blocked(tmp_path: Path) -> Iterator[tuple[Place, Callable[[], None]]]:
    """A store whose folder is a file, until it is removed."""
    (tmp_path / "place").write_text("")
    yield Place(tmp_path / "ledger", f"sqlite:///{tmp_path}/place/ledger.db"), (tmp_path / "place").unlink


@contextlib.contextmanager
def stopped(tmp_path: Path) -> Iterator[tuple[Place, Callable[[], None]]]:
    """A PostgreSQL server that nobody started, until somebody does."""
    with postgres() as server:
        server.stop()
        yield Place(tmp_path / "ledger", server.url()), server.start


@pytest.mark.parametrize("store", [blocked, stopped])
@pytest.mark.long
def test_a_store_that_is_away_for_the_whole_run_costs_nothing_but_a_word(
    tmp_path: Path, store: Callable[[Path], contextlib.AbstractContextManager[tuple[Place, Callable[[], None]]]]
) -> None:
    """The program ends as if nothing were; the trouble is said once and what is held once; recovery brings everything in, once."""
    with store(tmp_path) as (place, bring_back):
        children = [place.start(PROGRAM, str(number), "4") for number in range(2)]  # seconds: time to import, and to ask in vain
        for done in map(ended, children):
            assert done.code == 0, done.err
            assert "Traceback" not in done.err
            assert done.err.count("the end of this process waits for it") == (store is stopped), done.err
            assert done.err.count("what is logged waits in") == 1, done.err
            assert done.err.count("records are not in the store") == 1, done.err
        assert len(place.waiting()) == 2
        with pytest.raises(StoreUnavailable):
            place.recover()
        bring_back()
        found = place.recover()
        assert (found.journals, found.points, found.crashed) == (2, 4_000, [])
        assert place.recover().journals == 0
        runs = sorted(place.runs(), key=lambda run: run.tags["n"])
        assert [(run.status, run.params, run.tags) for run in runs] == [("COMPLETED", {"depth": "6"}, {"n": str(n)}) for n in range(2)]
        assert [place.steps(run.id, "loss") for run in runs] == [list(range(2_000))] * 2


def test_a_store_that_comes_back_during_the_run_gets_everything(tmp_path: Path) -> None:
    """What was logged while the store was away goes in when it is back, by itself; reading while it is away says so."""
    (tmp_path / "place").write_text("")
    with told() as said:
        ledger = ledger_at(tmp_path / "ledger", store_url=f"sqlite:///{tmp_path}/place/ledger.db")
        run = ledger.start(experiment="trouble")
        for i in range(5_000):
            run.log_metric("loss", 0.5, step=i)
        for _ in range(3):
            with pytest.raises(StoreUnavailable):
                ledger.flush()
            with pytest.raises(StoreUnavailable):
                run.metric("loss")
    assert len(said) == 1
    assert "what is logged waits in" in said[0]
    (tmp_path / "place").unlink()
    run.log_metric("loss", 0.5, step=5_000)
    assert ledger.flush() == 0
    assert run.metric("loss").steps.tolist() == list(range(5_001))
    run.finish()
    ledger.close()
    assert list(ledger.settings.journal_folder.iterdir()) == []


@pytest.mark.long
def test_a_server_that_is_stopped_and_started_during_the_run_gets_everything_once(tmp_path: Path) -> None:
    """PostgreSQL is stopped in the middle, also while it is being written to; when it is back, every value is there once."""
    logged, stop = 0, threading.Event()

    def log() -> None:
        nonlocal logged
        while not stop.is_set():
            run.log_metric("loss", float(logged), step=logged)
            logged += 1
            if logged % 100 == 0:
                time.sleep(0.001)

    with postgres() as server, told() as said:
        ledger = ledger_at(tmp_path / "ledger", store_url=server.url())
        run = ledger.start(experiment="trouble")
        assert ledger.recorder is not None
        ledger.recorder._interval = 0.01
        thread = threading.Thread(target=log)
        thread.start()
        assert ledger.flush() == 0
        for _ in range(2):
            server.stop()
            with pytest.raises(StoreUnavailable):
                ledger.flush()
            server.start()
            assert ledger.flush() == 0
        stop.set()
        thread.join()
        assert run.metric("loss").steps.tolist() == list(range(logged))
        run.finish()
        ledger.close()
        database = Database(server.url())
        with database.read() as tx:
            assert rows(tx, "SELECT n, lv FROM metrics") == [(logged, float(logged - 1))]
            assert rows(tx, "SELECT status FROM runs") == [("COMPLETED",)]
        database.close()
    assert len(said) == 1
    assert "cannot be used now" in said[0]


AT_THE_END = """
    import sys
    from prefect_ledger import start_run
    from prefect_ledger.tracking.ledger import ledger

    with start_run(experiment="trouble") as run:
        assert ledger().flush(100) == 0
        print("ready", flush=True)
        sys.stdin.readline()
        for i in range(1_000):
            run.log_metric("loss", 0.5, step=i)
"""


@pytest.mark.long
def test_a_server_that_comes_back_while_a_program_ends_gets_everything(tmp_path: Path) -> None:
    """The server goes away shortly before the program's end and comes back shortly after: the end waits for it, says so, and all is in."""
    with postgres() as server:
        place = Place(tmp_path / "ledger", server.url())
        child = place.start(AT_THE_END)
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == "ready\n"
        server.stop()
        child.stdin.write("go\n")
        child.stdin.flush()
        said = ""
        while "the end of this process waits for it" not in said and (line := child.stderr.readline()):
            said += line
        server.start()
        done = ended(child)
        assert (done.code, "records are not in the store" in done.err) == (0, False), said + done.err
        (run,) = place.runs()
        assert run.status == "COMPLETED"
        assert place.steps(run.id, "loss") == list(range(1_000))
        assert place.waiting() == []


def test_a_server_that_has_been_away_for_long_is_not_waited_for(tmp_path: Path) -> None:
    """At the end a store that has refused for longer than the end would wait is tried once more, and what is held is said."""
    with postgres() as server, told() as said:
        server.stop()
        ledger = ledger_at(tmp_path / "ledger", store_url=server.url())
        run = ledger.start(experiment="trouble")
        with pytest.raises(StoreUnavailable):
            ledger.flush()
        assert ledger.recorder is not None
        assert ledger.recorder._refused_at is not None
        ledger.recorder._refused_at -= 60
        run.finish()
        ledger.close()
    assert [sentence for sentence in said if "the end of this process waits" in sentence] == []
    assert "records are not in the store" in said[-1]


def test_what_is_over_in_a_moment_is_not_said_and_does_not_use_up_the_word(tmp_path: Path) -> None:
    """An error of one moment, of whatever kind, is tried again at once and in silence; the outage that follows is said."""
    database = Database(f"sqlite:///{tmp_path}/place/ledger.db")
    strange = [KeyError(140539777246912)]

    def connect() -> Database:
        if strange:
            raise strange.pop()
        return database

    (tmp_path / "place").write_text("")
    said: queue.SimpleQueue[str] = queue.SimpleQueue()
    journal = Journal(tmp_path / "journals", on_trouble=said.put)
    journal.say(TagsSet(run="8f2c51aa-3b1e-4c58-9b7e-0d6a5f3c2e11", at=1, values={"a": "1"}))
    recorder = Recorder(journal, connect)
    recorder.start()
    assert "what is logged waits in" in said.get(timeout=60)
    (tmp_path / "place").unlink()
    assert recorder.finish(60) == (0, 0)
    database.close()
    assert strange == []
    assert said.empty()


def test_open_run_with_a_whole_id_needs_no_store(tmp_path: Path) -> None:
    """A worker that is given a run's id logs while the store is away; a prefix of an id needs the store."""
    (tmp_path / "place").write_text("")
    run_id = "8f2c51aa-3b1e-4c58-9b7e-0d6a5f3c2e11"
    with told() as said:
        ledger = ledger_at(tmp_path / "ledger", store_url=f"sqlite:///{tmp_path}/place/ledger.db")
        run = ledger.attach(run_id)
        run.log_metric("loss", 0.5)
        with pytest.raises(StoreUnavailable):
            ledger.attach("1" * 8)
        assert ledger.attach(run_id[:8]) is run
        with pytest.raises(StoreUnavailable):
            ledger.flush()
    assert len(said) == 1
    (tmp_path / "place").unlink()
    assert ledger.flush() == 0
    assert ledger.reader.run(run_id).metrics == {"loss": 0.5}
    ledger.close()


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_file_that_goes_away_takes_only_what_it_had(tmp_path: Path, how: str) -> None:
    """The SQLite file is removed, or an older copy put in its place: it is said once, and what is logged from then on is in the new one."""
    with told() as said:
        ledger = ledger_at(tmp_path / "ledger")
        store = tmp_path / "ledger" / "ledger.db"
        run = ledger.start(experiment="trouble")
        run.log_metric("loss", 0.0, step=0)
        assert ledger.flush() == 0
        with contextlib.closing(sqlite3.connect(store)) as source, contextlib.closing(sqlite3.connect(tmp_path / "older.db")) as copy:
            source.backup(copy)
        run.log_metric("loss", 1.0, step=1)
        run.log_metric("other", 1.0, step=1)
        assert ledger.flush() == 0
        for file in store.parent.glob("ledger.db*"):
            file.unlink()
        if how == "replaced":
            shutil.move(tmp_path / "older.db", store)
        for step in range(2, 50):
            run.log_metric("loss", float(step), step=step)
            run.log_metric("other", float(step), step=step)
        run.finish()
        ledger.close()
    assert [sentence for sentence in said if how in sentence] == said
    assert len(said) == 1
    place = Place(tmp_path / "ledger")
    assert place.steps(run.id, "loss") == [*([0] if how == "replaced" else []), *range(2, 50)]
    assert place.steps(run.id, "other") == list(range(2, 50))
    (found,) = place.runs()
    assert found.status == "COMPLETED"


# --- a store that is busy ---------------------------------------------------------------------------------------------


@pytest.mark.long
def test_flush_and_close_keep_their_deadline_while_the_store_is_locked(tmp_path: Path) -> None:
    """Somebody holds the database for long: flush says how many records are held, close leaves them to recovery, both in their time."""
    ledger = ledger_at(tmp_path / "ledger")
    ledger.database.prepare()
    run = ledger.start(experiment="trouble")
    assert ledger.flush() == 0
    recorder = ledger.recorder
    assert recorder is not None
    path = tmp_path / "ledger" / "ledger.db"
    with sqlite3.connect(path, isolation_level=None) as holder:
        holder.execute("BEGIN IMMEDIATE")
        for i in range(500):
            run.log_metric("loss", 0.5, step=i)
        assert ledger.flush(0.2) >= 500
        with pytest.warns(LedgerWarning, match=r"^about [\d,]+ records are not in the store"):
            ledger.close(0.2)
        # A thread that still waits for the database must not take what is logged from here on for the old journal's.
        run2 = ledger.start(experiment="again")
        run2.log_metric("loss", 1.0, step=0)
        holder.execute("COMMIT")
    holder.close()
    recorder._thread.join(60)
    assert ledger.flush() == 0
    assert ledger.reader.metric(run.id, "loss").steps.tolist() == list(range(500))
    assert ledger.reader.metric(run2.id, "loss").steps.tolist() == [0]
    run2.finish()
    ledger.close()
    assert [run.status for run in Place(tmp_path / "ledger").runs()] == ["COMPLETED", "COMPLETED"]


@pytest.mark.long
def test_eight_programs_write_to_one_sqlite_file(tmp_path: Path) -> None:
    """Eight processes at once lose nothing, and "database is locked" reaches nobody."""
    place = Place(tmp_path / "ledger")
    children = [place.start(PROGRAM, str(number), "0.5") for number in range(8)]
    done = [ended(child) for child in children]
    assert [(one.code, one.err) for one in done] == [(0, "")] * 8
    runs = place.runs()
    assert sorted(run.tags["n"] for run in runs) == [str(n) for n in range(8)]
    assert {run.status for run in runs} == {"COMPLETED"}
    assert all(place.steps(run.id, "loss") == list(range(2_000)) for run in runs)
    assert place.waiting() == []


def test_two_programs_that_disagree_on_a_parameter(tmp_path: Path) -> None:
    """Two processes log one parameter of one run with two values: the first that is stored stays, the other is a note on the run."""
    place = Place(tmp_path / "ledger")
    run_id = "8f2c51aa-3b1e-4c58-9b7e-0d6a5f3c2e11"
    program = """
        import sys
        from prefect_ledger import open_run
        open_run(sys.argv[1]).log_params({"depth": sys.argv[2], "same": 1})
    """
    for value in ("6", "7"):
        assert place.run(program, run_id, value) == ended(place.start("pass"))
    with place.reader() as reader:
        run = reader.run(run_id)
        assert run.params == {"depth": "6", "same": "1"}
        (note,) = run.notes
    assert all(word in note for word in ("depth", "'6'", "'7'"))


# --- what no store takes ------------------------------------------------------------------------------------------------


def test_a_poisoned_event_cannot_block_the_recorder(fresh_ledger: Ledger, store_url: str) -> None:
    """What the store refuses is noted on its run; what was logged before and after it arrives."""
    run = fresh_ledger.start(experiment="trouble")
    run.log_metric("before", 1.0)
    run.say(DatasetLogged(run=run.id, at=1, attempt=1, name="d", digest="1", rows=2**62, context="c", schema={"x": "int"}))
    run.say(RunStatusSeen(run=run.id, at=1, status="EXPLODED password=Tr0ub4dor", attempt=1))
    run.log_metric("after", 1.0)
    assert fresh_ledger.flush() == 0
    found = fresh_ledger.reader.run(run.id)
    assert found.metrics == {"before": 1.0, "after": 1.0}
    assert found.status == "RUNNING"
    assert len(found.notes) == 1
    assert "EXPLODED password=********" in found.notes[0]


# --- a journal that cannot be kept ----------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_journal_folder_that_cannot_be_written_is_replaced(tmp_path: Path) -> None:
    """A private folder in the temporary one is used and it is said once; what a killed program left there is recovered too."""
    (tmp_path / "file").write_text("")
    (tmp_path / "tmp").mkdir()
    place = Place(tmp_path / "ledger", more={"PREFECT_LEDGER_JOURNAL_ROOT": str(tmp_path / "file" / "j"), "TMPDIR": str(tmp_path / "tmp")})
    done = place.run(PROGRAM)
    assert done.code == 0, done.err
    assert done.err.count("cannot be used") == 1, done.err
    (run,) = place.runs()
    assert place.steps(run.id, "loss") == list(range(2_000))

    killed = place.run(PROGRAM + "        import os; os._exit(1)\n")
    assert killed.code == 1
    recovering = "import sys; from prefect_ledger.cli import main; sys.exit(main(['recover']))"
    assert place.run(recovering).code == 0
    assert [(run.status, len(place.steps(run.id, "loss"))) for run in place.runs()] == [("COMPLETED", 2_000), ("CRASHED", 2_000)]


def small_disk(folder: Path, size: str = "3m") -> list[str]:
    """The words before a command that give it a file system of ``size`` of its own at ``folder``."""
    words = [
        "unshare",
        "--user",
        "--map-root-user",
        "--mount",
        "sh",
        "-c",
        f'mount -t tmpfs -o size={size} tmpfs "{folder}" && exec "$@"',
        "sh",
    ]
    probe = subprocess.run([*words, "true"], capture_output=True, text=True, check=False) if shutil.which("unshare") else None
    if probe is None or probe.returncode != 0:
        pytest.skip(f"no file system can be mounted here without rights: {probe.stderr.strip() if probe else 'no unshare'}")
    return words


FULL = """
    import sys
    from prefect_ledger import start_run

    with start_run(experiment="full") as run:
        try:
            run.log_text("x" * 1_000_000, "filler.txt")
        except OSError:  # artifacts have no place to wait in: that they could not be written is for the caller to hear
            pass
        for i in range(400_000):
            run.log_metric("loss", 0.5, step=i)
        run.log_param("done", True)
"""


def test_a_full_disk_under_the_journal_does_not_end_the_run(tmp_path: Path) -> None:
    """The journals lie on a file system that is full long before the run ends: values pass through memory into the store, all of them."""
    journals = tmp_path / "journals"
    journals.mkdir()
    place = Place(tmp_path / "ledger", more={"PREFECT_LEDGER_JOURNAL_ROOT": str(journals)})
    done = ended(place.start(FULL, before=small_disk(journals)))
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert done.err.count("takes nothing more") <= 1
    (run,) = place.runs()
    assert (run.status, run.params) == ("COMPLETED", {"done": "True"})
    assert place.steps(run.id, "loss") == list(range(400_000))


FULL_BEFORE = """
    import contextlib, os, sys
    from prefect_ledger import start_run

    with contextlib.suppress(OSError), open(os.path.join(os.environ["PREFECT_LEDGER_JOURNAL_ROOT"], "filler"), "wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    os.truncate(filler.name, os.path.getsize(filler.name) - 8 * 4096)  # room for a folder and a lock
    run = start_run(experiment="full")
    for i in range(1_000):
        run.log_metric("loss", 0.5, step=i)
    os.kill(os.getpid(), 9)
"""


def test_a_place_that_takes_no_segment_is_passed_over(tmp_path: Path) -> None:
    """Where journals would lie no segment can be made, for want of room or of shared mappings: another folder has them, and SIGKILL
    loses nothing."""
    journals, spare = tmp_path / "journals", tmp_path / "spare"
    journals.mkdir()
    spare.mkdir()
    blocked = f"sqlite:///{tmp_path}/place/ledger.db"
    place = Place(tmp_path / "ledger", blocked, more={"PREFECT_LEDGER_JOURNAL_ROOT": str(journals), "TMPDIR": str(spare)})
    (tmp_path / "place").write_text("")  # the store is away, so that only the journal can have the values
    done = ended(place.start(FULL_BEFORE, before=small_disk(journals)))
    assert done.code == -9, done.err
    (tmp_path / "place").unlink()
    assert place.run("import sys; from prefect_ledger.cli import main; sys.exit(main(['recover']))").code == 0
    (run,) = place.runs()
    assert (run.status, place.steps(run.id, "loss")) == ("CRASHED", list(range(1_000)))


FULL_THEN_LARGER = """
    import json, os, subprocess, sys
    from pathlib import Path

    done = subprocess.run([sys.executable, "-c", sys.argv[1]], capture_output=True, text=True)
    home = Path(os.environ["PREFECT_LEDGER_HOME"])
    subprocess.run(["mount", "-o", "remount,size=200m", str(home)], check=True)
    from prefect_ledger.cli import main
    from tests.services.scripts import Place
    assert main(["recover"]) == 0
    place = Place(home)
    (run,) = place.runs()
    found = {"code": done.returncode, "err": done.stderr, "status": run.status, "params": dict(run.params)}
    found["steps"] = len(place.steps(run.id, "m"))
    left = [str(path) for root in (home / "journals", Path(os.environ["TMPDIR"])) for path in root.rglob("*.seg")]
    print("\\n" + json.dumps(found | {"left": left}))
"""

UNTIL_FULL = """
from prefect_ledger import start_run
run = start_run()
for i in range(400_000):
    run.log_metric("m", 0.5, step=i)
run.log_param("done", True)
run.finish()
"""


def _until_full(home: Path, temporary: Path, disk: Path) -> dict[str, Any]:
    """What is in the store after a program filled ``disk``, the disk was made larger, and ``recover`` ran."""
    for folder in (disk, *([] if temporary.is_relative_to(disk) else [temporary])):
        folder.mkdir()
    place = Place(home, more={"TMPDIR": str(temporary)})
    done = ended(place.start(FULL_THEN_LARGER, UNTIL_FULL, before=small_disk(disk, "4m")))
    assert done.code == 0, done.err
    found: dict[str, Any] = json.loads(done.out.splitlines()[-1])
    assert found["code"] == 0
    assert "Traceback" not in found["err"]
    assert found["left"] == []
    return found


@pytest.mark.long
def test_a_full_disk_under_store_and_journal_loses_nothing_while_another_has_room(tmp_path: Path) -> None:
    """Store and journal share a disk, as they do by default, and it fills up: the journal goes on in the temporary folder, the end says
    that what is held waits, and with room on the disk all of it comes in."""
    found = _until_full(tmp_path / "disk", tmp_path / "tmp", tmp_path / "disk")
    assert (found["status"], found["params"], found["steps"]) == ("COMPLETED", {"done": "True"}, 400_000)
    assert "is used beside it" in found["err"]
    assert "values are lost" not in found["err"]


def test_half_a_journal_is_not_taken_for_a_whole_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A journal that goes on in a temporary folder which cannot be read here is left as it is, and said; where it can, all comes in."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    journal = Journal(tmp_path / "journals", segment_bytes=1 << 16, first_bytes=1 << 16)
    channel = Channel(journal, "8f2c51aa-3b1e-4c58-9b7e-0d6a5f3c2e11")
    channel.log_metric("loss", 0.5, step=0)
    with monkeypatch.context() as full:
        full.setattr(journal, "_folders", lambda: list(Journal._folders(journal))[1:])
        for step in range(1, 4_000):
            channel.log_metric("loss", 0.5, step=step)
    journal.close(reached=(1, 0))
    database = Database(f"sqlite:///{tmp_path}/ledger.db")
    (tmp_path / "tmp").rename(tmp_path / "away")
    found = recover(tmp_path / "journals", database)
    assert (found.journals, found.points, len(found.broken)) == (0, 0, 1)
    (tmp_path / "away").rename(tmp_path / "tmp")
    found = recover(tmp_path / "journals", database)
    assert (found.journals, found.points, found.broken) == (1, 4_000, [])
    assert [path for path in (*(tmp_path / "tmp").rglob("*"), *(tmp_path / "journals").rglob("*")) if path.is_file()] == []
    database.close()


@pytest.mark.long
def test_what_a_full_disk_takes_is_counted_to_the_last_value(tmp_path: Path) -> None:
    """With no other folder either, what memory held and no disk took is said to be lost at the end: its number, and what is in the store
    after a recovery, are all that was logged."""
    found = _until_full(tmp_path / "disk", tmp_path / "disk", tmp_path / "disk")
    (lost,) = re.findall(r"(\d+) values are lost", found["err"])
    assert 0 < int(lost) < 400_000
    assert 0 <= found["steps"] + int(lost) - 400_000 < 10  # the run's end and its parameter are values too


@pytest.mark.long
def test_a_full_disk_under_everything_does_not_end_the_run(tmp_path: Path) -> None:
    """Store, journals and artifacts share a file system that fills up: the program ends with exit code 0, and says what is not kept."""
    home = tmp_path / "ledger"
    home.mkdir()
    place = Place(home, more={"TMPDIR": str(home)})
    done = ended(place.start(FULL, before=small_disk(home)))
    assert done.code == 0, done.err
    assert "Traceback" not in done.err
    assert "LedgerWarning" in done.err
