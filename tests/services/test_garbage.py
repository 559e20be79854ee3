"""Clearing away: what nobody can want goes, on both databases, in folders and on S3; what somebody may want stays, whoever is at work."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import collect_garbage, create_experiment, delete_experiment, restore_experiment, start_run
from prefect_ledger.database import rows
from prefect_ledger.errors import ExperimentNotFound, InvalidValue
from prefect_ledger.garbage import Garbage, judge
from prefect_ledger.integrity import check_artifacts
from prefect_ledger.removal_store import Known, condemn, doomed
from prefect_ledger.tables import METADATA
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning
from prefect_ledger.transfer import Found, part_name
from tests.services_real.artifact_roots import an_artifact_root
from tests.services_real.s3 import S3Server, uploads

NOBODY = "00000000-0000-4000-8000-000000000000"


both_roots = pytest.mark.parametrize("root", ["folder", "s3"], indirect=True)


@pytest.fixture
def root(request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty artifact root, in the environment: of the kind that is asked for, else S3 beside PostgreSQL and a folder beside SQLite."""
    return an_artifact_root(request, tmp_path, monkeypatch)


@pytest.fixture
def one(root: str, fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The ledger of this process, with that root and a temporary folder of its own, so that nobody else's is cleared away."""
    assert fresh_ledger.settings.artifact_root == root
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # after the servers, which put theirs into the real one
    return fresh_ledger


def logged(experiment: str, texts: dict[str, str], *, finish: bool = True) -> str:
    """A run with these artifacts and something of everything else; its id."""
    run = start_run(experiment=experiment)
    run.log_params({"depth": 6})
    run.log_metric("loss", 0.5)
    run.set_tag("team", "risk")
    run.record_dataset("train", "ab" * 32)
    for path, text in texts.items():
        run.log_text(text, path)
    if finish:
        run.finish()
    return run.id


def at_once(*, dry_run: bool = False, **more: Any) -> Garbage:
    """Collect without any grace."""
    return collect_garbage(**{"dry_run": dry_run, "retention_days": 0, "grace_days": 0, **more})


def rows_of(ledger: Ledger, run: str) -> dict[str, int]:
    """How many rows speak of a run, by table."""
    with ledger.database.read() as tx:
        counts = {}
        for table in METADATA.sorted_tables:
            for column in {"run_id", "id"} & set(table.columns.keys()) if table.name == "runs" else {"run_id"} & set(table.columns.keys()):
                counts[table.name] = rows(tx, f"SELECT COUNT(*) FROM {table.name} WHERE {column} = ?", [run])[0][0]
        return {name: count for name, count in counts.items() if count}


def bytes_left(ledger: Ledger) -> list[str]:
    return sorted(file.path for file in ledger.artifacts.everything())


# --- deleted runs ------------------------------------------------------------------------------------------------------


@pytest.mark.long
def test_a_deleted_run_goes_with_all_it_had(store_url: str, one: Ledger) -> None:
    """A dry run names run and size and changes nothing; then rows and bytes are gone, the experiment's name is free, others are whole."""
    doomed_run, kept = logged("old", {"a.txt": "hello", "d/b.txt": "world!"}), logged("new", {"a.txt": "stays"})
    delete_experiment("old")
    had = rows_of(one, doomed_run)
    assert {"runs", "artifacts", "params", "metrics", "tags", "series", "dataset_uses"} <= had.keys()
    before = bytes_left(one)
    found = at_once(dry_run=True)
    assert [(run.id, run.experiment, run.files, run.size) for run in found.runs] == [(doomed_run, "old", 2, 11)]
    assert (found.experiments, found.strays, found.size) == (["old"], [], 11)
    assert (rows_of(one, doomed_run), bytes_left(one)) == (had, before)
    done = at_once()
    assert ([run.id for run in done.runs], done.experiments, done.left) == ([doomed_run], ["old"], [])
    assert rows_of(one, doomed_run) == {}
    with one.database.read() as tx:
        assert rows(
            tx, "SELECT COUNT(*) FROM chunks c LEFT JOIN series s ON s.id = c.series_id WHERE c.series_id IS NOT NULL AND s.id IS NULL"
        )[0] == (0,)
    assert len(bytes_left(one)) == 1
    assert rows_of(one, kept)["artifacts"] == 1
    assert check_artifacts(one.database, one.artifacts).problems == []
    create_experiment("old")
    assert at_once().nothing


def test_one_run_in_the_way_keeps_no_other(root: str, one: Ledger, tmp_path: Path) -> None:
    """A run whose folder is a link is left whole, and said, every time; the others go, and when the link is gone it goes too."""
    odd, plain = logged("old", {"a.txt": "hello"}), logged("old", {"a.txt": "world"})
    delete_experiment("old")
    folder = next(Path(root).glob(f"*/{odd}"))
    elsewhere = folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(elsewhere)
    had = rows_of(one, odd)
    assert [odd in sentence for sentence in at_once(dry_run=True).left] == [True]
    done = at_once()
    assert [run.id for run in done.runs] == [plain]
    assert [odd in sentence and "is a link" in sentence for sentence in done.left] == [True]
    assert rows_of(one, odd) == had
    assert restore_experiment("old").lifecycle == "active"
    delete_experiment("old")
    folder.unlink()
    assert [run.id for run in at_once().runs] == [odd]
    assert (elsewhere / "artifacts" / "a.txt").read_text() == "hello"


def test_what_gc_has_begun_to_erase_is_not_restored_in_silence(root: str, one: Ledger) -> None:
    """Where a run was emptied and its folder could not go, the others go, and restoring the experiment says what does not come back."""
    emptied, plain = logged("old", {"a.txt": "hello"}), logged("old", {})
    delete_experiment("old")
    with one.database.write() as tx:
        (run,) = (run for run in doomed(tx, 1 << 62, {}, 1 << 62) if run.id == emptied)
        assert condemn(tx, run)
    folder = next(Path(root).glob(f"*/{emptied}"))
    folder.rename(folder.with_suffix(".kept"))
    folder.symlink_to(folder.with_suffix(".kept"))
    assert [run.id for run in at_once().runs] == [plain]
    with pytest.warns(LedgerWarning, match="one run of experiment 'old' cannot be restored: gc has taken away what was logged"):
        restore_experiment("old")
    page = subprocess.run(
        [sys.executable, "-m", "prefect_ledger.cli", "runs", "show", emptied], capture_output=True, text=True, check=True, timeout=120
    ).stdout
    assert "erasing: gc has taken away what it had logged" in " ".join(page.split())


def test_runs_stay_as_long_as_their_experiment_wants(one: Ledger) -> None:
    """Thirty days for all, other days for an experiment by its tag or by argument; an argument wins."""
    create_experiment("tagged", tags={"retention_days": "0"})
    ids = {name: logged(name, {}) for name in ("plain", "tagged", "named")}
    for name in ids:
        delete_experiment(name)

    def going(**more: Any) -> set[str]:
        return {run.experiment for run in collect_garbage(grace_days=0, **more).runs}

    assert going() == {"tagged"}
    assert going(retention={"named": 0}) == {"tagged", "named"}
    assert going(retention={"tagged": 1}) == set()
    assert going(retention_days=0) == set(ids)
    with pytest.raises(ExperimentNotFound):
        going(retention={"nobody": 1})
    with pytest.raises(InvalidValue):
        going(retention_days=-1)


def test_a_run_that_was_heard_of_lately_stays(one: Ledger) -> None:
    """A deleted run whose last word is younger than the grace time may be alive somewhere, and stays."""
    logged("old", {"a": "x"})
    delete_experiment("old")
    assert collect_garbage(dry_run=False, retention_days=0, grace_days=1).nothing


def test_a_run_restored_in_between_stays(store_url: str, one: Ledger) -> None:
    """Between the look and the deed a run is restored: it is not touched."""
    run = logged("old", {"a.txt": "hello"})
    delete_experiment("old")
    had = rows_of(one, run)
    far = 1 << 62
    with one.database.read() as tx:
        [seen] = doomed(tx, far, {}, far)
    restore_experiment("old")
    with one.database.write() as tx:
        assert not condemn(tx, seen)
    assert rows_of(one, run) == had


def test_what_a_killed_gc_began_is_ended_by_the_next(store_url: str, one: Ledger) -> None:
    """A run whose rows went and whose bytes did not is found again, and its bytes go."""
    run = logged("old", {"a.txt": "hello"})
    delete_experiment("old")
    far = 1 << 62
    with one.database.read() as tx:
        [seen] = doomed(tx, far, {}, far)
    with one.database.write() as tx:
        assert condemn(tx, seen)
    assert len(bytes_left(one)) == 1
    with pytest.warns(LedgerWarning, match="one run of experiment 'old' cannot be restored"):
        restore_experiment("old")  # too late for this run, and it must not come back as a husk
    assert [found.id for found in collect_garbage(dry_run=False).runs] == [run]
    assert (rows_of(one, run), bytes_left(one)) == ({}, [])


def test_several_at_once_do_no_harm(store_url: str, one: Ledger) -> None:
    """Four that collect the same garbage at once leave none of it, and nothing else is missing."""
    gone = [logged("old", {"a": "x" * 100, "b": "y"}) for _ in range(6)]
    logged("new", {"a": "stays"})
    one.artifacts.put_bytes(one.artifacts.uri(1, logged("new", {})), "stray", b"z")
    delete_experiment("old")
    errors: list[BaseException] = []

    def collect() -> None:
        try:
            at_once()
        except BaseException as error:  # noqa: BLE001  # told below
            errors.append(error)

    threads = [threading.Thread(target=collect) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert [rows_of(one, run) for run in gone] == [{}] * 6
    assert len(bytes_left(one)) == 1
    assert check_artifacts(one.database, one.artifacts).problems == []


def test_a_run_whose_bytes_lie_elsewhere_is_left_and_said(one: Ledger, tmp_path: Path) -> None:
    """When the root is another one than the run was logged into, the run stays, and the message says what to do."""
    run = logged("old", {"a": "x"})
    delete_experiment("old")
    with one.database.write() as tx:
        for table, column in (("artifacts", "uri"), ("runs", "artifact_uri")):
            tx.exec_driver_sql(f"UPDATE {table} SET {column} = replace({column}, '{one.artifacts.root}', '/elsewhere')")
    found = at_once()
    assert found.runs == []
    assert "/elsewhere" in found.left[0]
    assert rows_of(one, run)["runs"] == 1


# --- bytes without a row -------------------------------------------------------------------------------------------------


def test_bytes_without_a_row_go_when_they_are_old(store_url: str, one: Ledger) -> None:
    """Of a run that ended: what it logged stays, what it did not goes, unfinished writes too; nothing goes within the grace time."""
    run = logged("e", {"kept.txt": "kept"})
    one.flush()
    base = one.reader.run(run).artifact_uri or ""
    one.artifacts.put_bytes(base, "stray.bin", b"12345")
    place = one.artifacts._place
    place.put(f"{place.where(base)}/{part_name()}", memoryview(b"part"), lambda _: None)
    assert collect_garbage(dry_run=False).nothing
    found = at_once(dry_run=True)
    assert sorted((stray.size, stray.why) for stray in found.strays) == [(4, "unfinished"), (5, "no row")]
    assert len(bytes_left(one)) == 3
    assert at_once().size == 9
    assert [path.rpartition("/")[2] for path in bytes_left(one)] == ["kept.txt"]


@both_roots
def test_a_run_that_is_open_keeps_all_its_bytes(one: Ledger) -> None:
    """Bytes of an open run, whose rows may be on their way, stay however old they are."""
    run = logged("e", {"kept.txt": "kept"}, finish=False)
    one.flush()
    one.artifacts.put_bytes(one.reader.run(run).artifact_uri or "", "stray", b"1")
    assert at_once().nothing
    assert len(bytes_left(one)) == 2


@both_roots
def test_bytes_of_unknown_runs_go_only_when_asked(one: Ledger) -> None:
    """Another ledger's runs in the same root are counted and left; asked for, they go; what is no run's is never touched."""
    logged("e", {"a": "x"})
    one.artifacts.put_bytes(one.artifacts.uri(5, NOBODY), "theirs", b"123")
    one.artifacts._place.put(f"{one.artifacts._place.top}/readme.txt", memoryview(b"mine"), lambda _: None)
    found = at_once()
    assert (found.unknown_runs, found.unknown_size, found.nothing) == (1, 3, True)
    assert len(bytes_left(one)) == 3
    assert [stray.why for stray in at_once(unknown_runs=True).strays] == ["unknown run"]
    assert sorted(path.rpartition("/")[2] for path in bytes_left(one)) == ["a", "readme.txt"]


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        (Known(open=False, seen=5, uris=("s3://b/1/r/artifacts/a",)), ["b"]),
        (Known(open=False, seen=5, uris=("/moved/root/1/r/artifacts/a", "/moved/root/1/r/artifacts/b")), []),
        (Known(open=False, seen=10, uris=()), []),
        (Known(open=True, seen=5, uris=()), []),
        (Known(open=False, seen=5, uris=("elsewhere",)), []),
        (None, ["a", "b"]),
    ],
)
def test_in_doubt_bytes_stay(known: Known | None, expected: list[str]) -> None:
    """Old bytes go unless they are logged under any spelling of the root, the run may live, or its rows speak of another layout."""
    files = [Found(f"1/r/artifacts/{name}", 1, at) for name, at in (("a", 1), ("b", 9), ("young", 10), ("ageless", None))]
    assert [stray.path.rpartition("/")[2] for stray in judge("r", files, known, 10)] == expected


@pytest.mark.parametrize("root", ["s3"], indirect=True)
def test_an_upload_that_was_never_finished_is_given_up(s3: S3Server, root: str, one: Ledger) -> None:
    """Parts that a killed process left on S3 go when they are old; those of now, and those of others, do not."""
    bucket, run = root.split("/")[2], logged("e", {"a": "x"})
    client = s3.client()
    client.create_multipart_upload(Bucket=bucket, Key=f"root/0/{run}/artifacts/large")
    client.create_multipart_upload(Bucket=bucket, Key="somebody/else")
    assert collect_garbage(dry_run=False).uploads == []
    assert at_once(dry_run=True).uploads == [f"0/{run}/artifacts/large"]
    assert len(uploads(s3, bucket)) == 2
    at_once()
    assert uploads(s3, bucket) == ["somebody/else"]


# --- beside those who work -----------------------------------------------------------------------------------------------

LOGGING = """
import sys
from prefect_ledger import start_run
for turn in range(4):
    with start_run(experiment="busy") as run:
        for n in range(25):
            run.log_text(f"{turn} {n}", f"d/{n}.txt")
        print(run.id, flush=True)
"""


@both_roots
@pytest.mark.long
def test_runs_that_log_meanwhile_lose_nothing(root: str, one: Ledger) -> None:
    """While another process logs runs full of artifacts, collecting without any grace again and again takes none of their bytes."""
    logged("busy", {"first": "x"})
    one.flush()
    child = subprocess.Popen(
        [sys.executable, "-c", LOGGING], stdout=subprocess.PIPE, env={**os.environ, "PREFECT_LEDGER_CAPTURE_CHANGES": "off"}
    )
    try:
        while child.poll() is None:
            assert at_once().nothing
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()
    assert child.returncode == 0
    found = check_artifacts(one.database, one.artifacts)
    assert (found.artifacts, found.problems) == (101, [])


KILLED = """
import os, signal
from prefect_ledger import start_run
from prefect_ledger.recorder import Recorder
Recorder.start = lambda self: None
run = start_run(experiment="e")
run.log_text("kept", "kept.txt")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_waits_in_a_dead_journal_is_heard_first(root: str, one: Ledger) -> None:
    """An artifact whose row is still in a killed process's journal is heard of first, unless it is a dry run, and its bytes stay."""
    start_run(experiment="e").finish()
    one.flush()
    assert one.recorder is not None
    one.recorder.finish(30)  # its thread would adopt what the other leaves
    one.recorder = None
    assert subprocess.run([sys.executable, "-c", KILLED], env={**os.environ}, check=False).returncode == -9
    assert len(at_once(dry_run=True).journals) == 1
    found = at_once()
    assert (len(found.journals), found.strays) == (1, [])
    assert len(bytes_left(one)) == 1
    assert check_artifacts(one.database, one.artifacts).problems == []


def test_left_temporary_folders_go(one: Ledger, tmp_path: Path) -> None:
    """Folders with the names that we give them go when they are old; those of others, and that of spare journals, stay."""
    ours = Path(tempfile.mkdtemp(prefix="prefect-ledger-"))
    for name in ("prefect-ledger-0", "prefect-ledgerish", "other-abcdefgh"):
        (tmp_path / name).mkdir()
    assert collect_garbage(dry_run=False).folders == []
    assert at_once(dry_run=True).folders == [str(ours)]
    at_once()
    assert not ours.exists()
    assert all((tmp_path / name).exists() for name in ("prefect-ledger-0", "prefect-ledgerish", "other-abcdefgh"))


# --- digests ---------------------------------------------------------------------------------------------------------------


def test_every_artifact_is_read_and_compared(store_url: str, one: Ledger) -> None:
    """A changed artifact and a missing one are found among many, with run, path and digests; the others are counted."""
    run = logged("e", {f"f{n}": str(n) for n in range(30)})
    one.flush()
    base = one.reader.run(run).artifact_uri or ""
    one.artifacts.put_bytes(base, "f3", b"changed")
    one.artifacts.remove([f"{base}/f7".removeprefix(f"{one.artifacts.root}/")])
    seen: list[int] = []
    found = check_artifacts(one.database, one.artifacts, progress=seen.append)
    assert (found.artifacts, [(p.path, p.kind, p.run) for p in found.problems]) == (30, [("f3", "changed", run), ("f7", "missing", run)])
    assert sum(seen) > 0
