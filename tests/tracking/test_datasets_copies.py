"""Copies of datasets: what a run had copied comes back as it was, is stored once, stays while a run names it, and is whole or absent."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from prefect_ledger import collect_garbage, dataset, delete_runs, get_run, log_dataset, search_runs, start_run
from prefect_ledger.artifact_store import ArtifactStore
from prefect_ledger.cli import main
from prefect_ledger.cli.artifact_checks import digests
from prefect_ledger.copies import fetch, list_path, place_of
from prefect_ledger.errors import (
    ArtifactCorrupt,
    ArtifactNotFound,
    DatasetNotCopied,
    DatasetNotFound,
    InvalidValue,
    LedgerError,
    RunNotFound,
)
from prefect_ledger.garbage import Garbage
from prefect_ledger.integrity import check_artifacts
from prefect_ledger.listings import File, Link, Listing
from prefect_ledger.settings import Settings
from prefect_ledger.tracking import ledger as module
from prefect_ledger.tracking.datasets import describe
from prefect_ledger.tracking.ledger import Ledger, LedgerWarning
from prefect_ledger.tracking.snapshots import lacking
from tests.services_real.artifact_roots import an_artifact_root
from tests.tracking.test_datasets_folders import FILES, fill

DAY = 86_400


@pytest.fixture
def root(request: pytest.FixtureRequest, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty artifact root, in the environment: S3 beside PostgreSQL, else a folder."""
    return an_artifact_root(request, tmp_path, monkeypatch)


@pytest.fixture
def one(root: str, fresh_ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """The ledger of this process with that root, in a folder of the test, with a temporary folder of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return fresh_ledger


def tree(folder: Path) -> dict[str, str]:
    """What lies below a folder: contents of files, targets of links."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        elif path.is_file():
            found[name] = path.read_text()
    return found


def stored(ledger: Ledger) -> list[str]:
    """The content that lies below the root, by place."""
    return sorted(file.path for file in ledger.artifacts.everything() if file.path.startswith("datasets/"))


def copied(*paths: str | Path, **more: Any) -> str:
    """A run that had these copied; its id."""
    with start_run(experiment="e") as run:
        for path in paths:
            log_dataset(path, copy=True, **more)
    return run.id


def garbage(*, dry_run: bool = False, **more: Any) -> Garbage:
    """Collect without any grace."""
    return collect_garbage(**{"dry_run": dry_run, "retention_days": 0, "grace_days": 0, **more})


# --- there and back ------------------------------------------------------------------------------------------------------


def test_what_was_copied_comes_back(store_url: str, one: Ledger) -> None:
    """A nested folder with links and an empty file, and a file alone: by run and name, digest, its beginning, and the run's own list."""
    fill(Path("data"), {"a.csv": b"a", "sub/b.csv": b"bb", "sub/same.csv": b"a", "empty": b""})
    Path("data/here").symlink_to("sub")
    Path("data/file").symlink_to("a.csv")
    Path("train.csv").write_text("age\n40\n")
    run = copied("data", "train.csv")
    shutil.move("data", "moved")
    Path("train.csv").unlink()
    folder = dataset(f"{run}/data")
    assert folder == one.settings.home / "datasets" / get_run(run).datasets[0].digest / "data"
    expected = {"a.csv": "a", "empty": "", "file": "a", "here": "-> sub", "sub/b.csv": "bb", "sub/same.csv": "a"}
    assert tree(folder) == expected
    assert describe(folder, name="d").digest == get_run(run).datasets[0].digest
    assert dataset(f"runs:/{run[:8]}/train.csv").read_text() == "age\n40\n"
    used = get_run(run).datasets[0]
    assert dataset(used.digest) == dataset(used.digest[:8]) == dataset(used) == folder
    assert dataset(used, "deep/er/data") == Path("deep/er/data").absolute()
    assert tree(Path("deep/er/data")) == expected
    Path("deep/empty").mkdir()
    assert dataset(f"{run}/data", "deep/empty") == Path("deep/empty").absolute()
    assert dataset(f"{run}/train.csv", "deep") == Path("deep/train.csv").absolute()
    assert dataset(f"{run}/train.csv", "deep/other.csv").read_text() == "age\n40\n"


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(FILES)
def test_there_and_back_is_the_same(one: Ledger, files: dict[str, bytes]) -> None:
    """Whatever the folder holds."""
    with tempfile.TemporaryDirectory() as top:
        data = Path(top, "data")
        fill(data, files)
        back = dataset(f"{copied(data)}/data", Path(top, "back"))
        assert {path.relative_to(back).as_posix(): path.read_bytes() for path in back.rglob("*") if path.is_file()} == files


def test_what_was_changed_in_its_place_is_fetched_anew(one: Ledger) -> None:
    """The copy below the home is checked each time it is asked for, and what somebody did to it does not last."""
    fill(Path("data"), {"a": b"1", "b": b"2"})
    run = copied("data")
    folder = dataset(f"{run}/data")
    (folder / "a").write_bytes(b"9")
    assert tree(dataset(f"{run}/data")) == {"a": "1", "b": "2"}
    (folder / "b").unlink()
    assert tree(dataset(f"{run}/data")) == {"a": "1", "b": "2"}
    (folder / "c").touch()
    assert tree(dataset(f"{run}/data")) == {"a": "1", "b": "2"}
    shutil.rmtree(folder)
    folder.write_text("a file")
    assert tree(dataset(f"{run}/data")) == {"a": "1", "b": "2"}
    shutil.rmtree(folder)
    folder.symlink_to(Path("data").absolute())
    assert tree(dataset(f"{run}/data")) == {"a": "1", "b": "2"}
    assert not folder.is_symlink()
    assert tree(Path("data")) == {"a": "1", "b": "2"}


def test_several_that_get_the_same_at_once(one: Ledger) -> None:
    """Each has it whole, at one place."""
    fill(Path("data"), {f"{n}": b"x" * n for n in range(50)})
    run = copied("data")
    found: list[Path] = []
    threads = [threading.Thread(target=lambda: found.append(dataset(f"{run}/data"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1
    assert tree(found[0]) == tree(Path("data"))


# --- stored once, and as long as a run names it ----------------------------------------------------------------------------


def test_content_is_stored_once(store_url: str, one: Ledger) -> None:
    """However many runs and folders have it, and under however many names; another run adds what is new alone."""
    fill(Path("data"), {"a": b"1", "again": b"1", "b": b"2"})
    copied("data")
    first = stored(one)
    assert len(first) == 2
    copied("data")
    Path("data").rename("other")
    fill(Path("other"), {"c": b"3"})
    copied("other")
    assert len(stored(one)) == 3
    assert set(first) < set(stored(one))


def test_garbage_is_what_no_run_names(store_url: str, one: Ledger) -> None:
    """While a run that is kept names it content stays; when the last is taken it goes, a dry run saying so first."""
    fill(Path("data"), {"a": b"1", "shared": b"2"})
    fill(Path("other"), {"b": b"33", "shared": b"2"})
    first, again, third = copied("data"), copied("data"), copied("other")
    assert garbage().nothing
    delete_runs(first)
    assert [run.id for run in garbage().runs] == [first]
    assert len(stored(one)) == 3
    assert tree(dataset(f"{again}/data", "one")) == tree(Path("data"))
    delete_runs(again)
    only = {f"datasets/{sha[:2]}/{sha}" for sha in [File("a", 1, describe("data/a", name="a").digest).sha256]}
    dry = garbage(dry_run=True)
    assert ({stray.path for stray in dry.strays}, dry.strays[0].why) == (only, "data that no run names")
    assert len(stored(one)) == 3
    assert {stray.path for stray in garbage().strays} == only
    assert tree(dataset(f"{third}/other", "two")) == tree(Path("other"))
    delete_runs(third)
    garbage()
    assert stored(one) == []


def test_grace_and_other_ledgers_keep_content(one: Ledger, root: str) -> None:
    """What is young stays, what a run names that this store never heard of stays, and what is logged again becomes young."""
    fill(Path("data"), {"a": b"1"})
    run = copied("data")
    (place,) = stored(one)
    delete_runs(run)
    young, old = time.time() + DAY, time.time() - 9 * DAY
    os.utime(Path(root, place), (young, young))
    assert [taken.id for taken in garbage().runs] == [run]
    assert stored(one) == [place]
    os.utime(Path(root, place), (old, old))
    copied("data")
    assert Path(root, place).stat().st_mtime > old + DAY
    theirs = Path(root, "123", "5f0c51aa-0000-4000-8000-000000000000", "artifacts", list_path(describe("data", name="d").digest))
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(one.artifacts.peek(next(file.path for file in one.artifacts.everything() if file.path.endswith(".json"))))
    delete_runs(*[found.id for found in search_runs()])
    garbage()
    assert stored(one) == [place]
    theirs.write_text("damaged")
    found = garbage()
    assert stored(one) == [place]
    assert "no copy of data is taken until it goes" in found.left[0]
    theirs.unlink()
    garbage()
    assert stored(one) == []


# --- what is not whole -----------------------------------------------------------------------------------------------------

KILLED = """
import os, signal, sys
from prefect_ledger import start_run
left = int(sys.argv[1])
def hear(event, args):
    global left
    if event == "os.rename" and str(args[1]).startswith(os.environ["PREFECT_LEDGER_ARTIFACT_ROOT"]):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hear)
with start_run(experiment="e") as run:
    print(run.id, flush=True)
    run.log_dataset("data", copy=True)
"""


def killed(moves: int) -> subprocess.CompletedProcess[str]:
    """A process that has ``data`` copied and is killed before one more file than ``moves`` takes its name below the root."""
    return subprocess.run([sys.executable, "-c", KILLED, str(moves)], env={**os.environ}, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("moves", [1, 3, *(pytest.param(n, marks=pytest.mark.soak) for n in (0, 2, 4, 5, 6))])
def test_a_killed_copy_does_not_look_whole(one: Ledger, moves: int) -> None:
    """Wherever it was killed: there is no dataset, or a whole one; the next run copies the rest, and nothing is left when that goes."""
    fill(Path("data"), {f"{n}": f"{n}".encode() for n in range(4)})
    done = killed(moves)
    assert done.returncode == (0 if moves > 4 else -9), done.stderr
    run = done.stdout.strip()
    digest = describe("data", name="d").digest
    if moves <= 4:
        assert len(stored(one)) == min(moves + 1, 4)  # with one that is unfinished, where that is not the list itself
        with pytest.raises((RunNotFound, DatasetNotFound, DatasetNotCopied)):
            dataset(digest)
    else:
        assert tree(dataset(digest)) == tree(Path("data"))
    again = copied("data")
    assert tree(dataset(f"{again}/data", "back")) == tree(Path("data"))
    one.flush()
    delete_runs(again)
    if moves > 4:
        delete_runs(run)
    garbage(unknown_runs=True)
    assert stored(one) == []


@pytest.mark.soak
def test_copies_killed_at_any_moment(store_url: str, one: Ledger) -> None:
    """Thirty times, on a folder and on S3, by another process: what can be got is whole, and the last run has all of it."""
    rnd = random.Random(7)
    fill(Path("data"), {f"{n % 5}/{n}": rnd.randbytes(rnd.choice([10, 1000, 300_000])) for n in range(120)})
    program = 'from prefect_ledger import start_run\nwith start_run(experiment="e") as run:\n    run.log_dataset("data", copy=True)\n'
    digest = describe("data", name="d").digest
    for turn in range(30):
        (Path("data") / "0" / "0").write_bytes(rnd.randbytes(1000))
        child = subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PREFECT_LEDGER_STORE_URL": store_url})
        time.sleep(rnd.uniform(0.5, 2.5))
        child.kill()
        child.wait()
        digest = describe("data", name="d").digest
        try:
            back = dataset(digest, f"back{turn}")
        except (DatasetNotFound, DatasetNotCopied):
            continue
        assert describe(back, name="d").digest == digest
    run = copied("data")
    assert describe(dataset(f"{run}/data", "last"), name="d").digest == digest


def test_a_damaged_copy_names_the_file(store_url: str, one: Ledger) -> None:
    """Content that was changed or deleted behind our back: nothing appears at the place, and the file is named."""
    fill(Path("data"), {"sub/a.csv": b"1", "b.csv": b"2"})
    run = copied("data")
    sha = describe("data/sub/a.csv", name="a").digest
    one.artifacts.put_bytes(f"{one.artifacts.root}/datasets/{sha[:2]}", sha, b"9")
    with pytest.raises(ArtifactCorrupt, match=r"dataset 'data', .*: the copy is damaged: sub/a\.csv: artifact .*not what was logged"):
        dataset(f"{run}/data", "back")
    assert not Path("back").exists()
    one.artifacts.remove([place_of(sha)])
    with pytest.raises(ArtifactNotFound, match=r"the copy is damaged: sub/a\.csv"):
        dataset(f"{run}/data", "back")
    assert not Path("back").exists()
    assert [path.name for path in Path().iterdir()] == ["data"]
    copied("data")  # as it says
    assert tree(dataset(f"{run}/data", "back")) == tree(Path("data"))


def test_a_file_that_changes_before_it_is_copied_is_refused(one: Ledger) -> None:
    """Nothing stands under a digest that is not its own, and no run names what was not there."""
    from prefect_ledger.tracking import folders
    from prefect_ledger.tracking.snapshots import copying

    fill(Path("data"), {"a": b"1", "b": b"2"})
    read = folders.read(Path("data"))
    Path("data/b").write_bytes(b"9")
    with start_run(experiment="e") as run:
        with pytest.raises(InvalidValue, match=r"dataset 'data': .*/b was written to while it was copied"):
            run._keep(copying(one, "data", read, None), kind="dataset")
        Path("data/b").unlink()
        with pytest.raises(InvalidValue, match=r"dataset 'data': .*/b has gone since it was read"):
            run._keep(copying(one, "data", read, None), kind="dataset")
    assert [place[-64:] for place in stored(one)] == [describe("data/a", name="a").digest]
    assert get_run(run.id).artifacts == []


def test_links_that_leave_through_others_are_refused(tmp_path: Path) -> None:
    """Each of them alone stays inside; together they do not."""
    hostile = Listing((), (Link("here", "."), Link("out", "here/here/../../../etc")), name="data")
    odd = Listing((), (Link("a/here", ".."), Link("out", "a/here/../x")), name="data")
    for listing in (hostile, odd):
        with pytest.raises(InvalidValue, match=r"is not to be trusted|leads out"):
            fetch(ArtifactStore(str(tmp_path / "root")), Listing.from_json(listing.to_json()), tmp_path / "to")
        assert not (tmp_path / "to").exists()


# --- what is said ------------------------------------------------------------------------------------------------------------


def test_what_was_not_copied_is_said(store_url: str, one: Ledger) -> None:
    """Where it was, and whether it is there and still the same; and what means nothing, or several things."""
    fill(Path("data"), {"a": b"1"})
    with start_run(experiment="e") as run:
        log_dataset("data")
        log_dataset([{"x": 1}], "rows", source="warehouse")
        log_dataset(Path("data/a"), "twice")
        Path("data/a").write_text("2")
        log_dataset(Path("data/a"), "twice")
    cases: list[tuple[str, type[LedgerError], str]] = [
        (f"{run.id}/data", DatasetNotCopied, rf"it is changed: it has the digest \w+ now, not \w+, at {Path('data').absolute()}"),
        (f"{run.id}/rows", DatasetNotCopied, "it was warehouse, which is no file"),
        (f"{run.id}/twice", DatasetNotFound, "several datasets 'twice'"),
        (f"{run.id}/nope", DatasetNotFound, "has no dataset 'nope'; it has data, rows, twice"),
        ("0123456789abcdef", DatasetNotFound, "no run has a dataset"),
        ("5f0c51aa-0000-4000-8000-000000000000/data", RunNotFound, "5f0c51aa"),
        ("short", InvalidValue, "means no dataset"),
        ("%_%_%_%_", InvalidValue, "means no dataset"),
    ]
    for ref, error, said in cases:
        with pytest.raises(error, match=said):
            dataset(ref)
    Path("data/a").write_text("1")
    with pytest.raises(DatasetNotCopied, match=r"still there, unchanged, at .*copy=True\) keeps a copy"):
        dataset(f"{run.id}/data")
    shutil.rmtree("data")
    with pytest.raises(DatasetNotCopied, match="gone"):
        dataset(f"{run.id}/data")
    with start_run(experiment="e") as run:
        run.record_dataset("one", "abcdef01" + "0" * 56)
        run.record_dataset("other", "abcdef01" + "1" * 56)
    with pytest.raises(DatasetNotFound, match=r"several digests begin with abcdef01: abcdef01.*, abcdef01"):
        dataset("abcdef01")


def test_nothing_that_is_there_is_lost(one: Ledger) -> None:
    """A file, a folder with something in it, or a link at the place is refused."""
    Path("train.csv").write_text("1")
    fill(Path("data"), {"a": b"1"})
    run = copied("train.csv", "data")
    fill(Path("full"), {"x": b"1", "train.csv": b"mine"})
    Path("link").symlink_to("nowhere")
    for name, to in (("train.csv", "train.csv"), ("train.csv", "full"), ("data", "full"), ("data", "train.csv"), ("data", "link")):
        with pytest.raises(InvalidValue, match="is there already"):
            dataset(f"{run}/{name}", to)
    with pytest.raises(InvalidValue, match="cannot be written"):
        dataset(f"{run}/data", "train.csv/below")
    assert Path("full/train.csv").read_text() == "mine"


def test_what_cannot_be_copied_is_refused(one: Ledger) -> None:
    """Frames, links that are absolute, and a word that is no switch: before anything is stored."""
    fill(Path("data"), {"sub/a": b"1"})
    Path("data/link").symlink_to(Path("data/sub").absolute())
    with start_run(experiment="e") as run:
        with pytest.raises(InvalidValue, match=r"copy=True is for files and folders, not for a list"):
            log_dataset([{"x": 1}], copy=True)
        with pytest.raises(InvalidValue, match=r"dataset 'data': link is a link to /.*make it a relative one"):
            log_dataset("data", copy=True)
        with pytest.raises(InvalidValue, match="copy is True or False"):
            log_dataset("data", copy="yes")  # type: ignore[arg-type]
        log_dataset("data")
    assert len(get_run(run.id).datasets) == 1
    assert stored(one) == []


def test_the_run_goes_on_while_the_root_is_away(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data is recorded, and a note says that it was not copied."""
    from prefect_ledger.tracking import keeping

    (tmp_path / "file").write_text("in the way")
    (tmp_path / "train.csv").write_text("1")
    monkeypatch.setattr(keeping, "_away", {})
    before = module._ledger
    module._ledger = Ledger(Settings.resolve(capture_git=False, capture_packages=False, artifact_root=f"{tmp_path}/file/root"))
    try:
        with pytest.warns(LedgerWarning, match="not copied"):
            run = copied(tmp_path / "train.csv")
        found = get_run(run)
        assert [data.name for data in found.datasets] == ["train.csv"]
        assert "not copied, since the artifact root is away" in found.notes[0]
    finally:
        module._ledger.close()
        module._ledger = before


def test_a_rerun_is_told_what_is_not_as_it_was(one: Ledger) -> None:
    """Data that is gone or changed, and how its copy is got; what is as it was is not worth a word."""
    fill(Path("data"), {"a": b"1"})
    fill(Path("other"), {"a": b"1"})
    Path("same.csv").write_text("1")
    with start_run(experiment="e") as run:
        log_dataset("data", copy=True)
        log_dataset("other/a", "lost")
        log_dataset("same.csv")
        log_dataset([{"x": 1}], "rows")
    assert lacking(get_run(run.id)) == []
    Path("data/a").write_text("2")
    shutil.rmtree("other")
    changed, gone = lacking(get_run(run.id))
    assert changed.startswith("the data 'data' that the run used is changed")
    assert changed.endswith(f": prefect-ledger datasets get {run.id[:8]}/data TO gets its copy")
    assert gone.startswith("the data 'lost' that the run used is gone (or on another machine)")


def test_the_command_line_gets_and_lists(one: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    """As tables for people and JSON for scripts; what is not to be had is an error of one line."""
    fill(Path("data"), {"a": b"1"})
    run = copied("data")
    with start_run(experiment="e") as other:
        log_dataset([{"x": 1}], "rows")
    assert main(["datasets", "get", f"{run[:8]}/data", "back"]) == 0
    assert capsys.readouterr().out.strip() == str(Path("back").absolute())
    assert main(["datasets", "list", "--json"]) == 0
    found = {one["name"]: one for one in json.loads(capsys.readouterr().out)["datasets"]}
    assert {name: (data["copied"], data["runs"], data["rows"]) for name, data in found.items()} == {
        "data": (True, 1, None),
        "rows": (False, 1, 1),
    }
    assert main(["datasets", "list"]) == 0
    assert "1 file, 1 B" in capsys.readouterr().out
    assert main(["datasets", "get", found["data"]["digest"][:8], "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith("/data")
    assert main(["datasets", "get", f"{other.id[:8]}/rows"]) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_backup_takes_copies_along(one: Ledger, tmp_path: Path) -> None:
    """No row speaks of their content, and it is in the archive all the same."""
    import zipfile

    from prefect_ledger.backups.backup import backup

    fill(Path("data"), {"a": b"1", "b": b"2"})
    copied("data")
    one.flush()
    done = backup(one.settings, tmp_path / "b.zip", artifacts=True)
    assert done.troubles == []
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        assert {f"artifacts/{place}" for place in stored(one)} < set(archive.namelist())


def test_content_that_is_not_what_was_copied_is_found(store_url: str, one: Ledger) -> None:
    """By doctor's reading of all artifacts: each dataset of each run that has it is named, with the files; what is whole is read once."""
    fill(Path("data"), {"sub/a.csv": b"first", "b.csv": b"second", "c.csv": b"first"})
    fill(Path("other"), {"b.csv": b"second"})
    runs = sorted([copied("data"), copied("data"), copied("other")])
    one.flush()
    seen, coming = list[int](), list[int]()
    found = check_artifacts(one.database, one.artifacts, progress=seen.append, more=coming.append)
    assert (found.problems, found.contents, found.contents_size, sum(coming)) == ([], 2, 11, 11)
    assert sum(seen) == found.size + found.contents_size
    sha = describe("data/sub/a.csv", name="a").digest
    one.artifacts.put_bytes(f"{one.artifacts.root}/datasets/{sha[:2]}", sha, b"1irst")
    found = check_artifacts(one.database, one.artifacts)
    assert [problem.run for problem in found.problems] == [run for run in runs if get_run(run).datasets[0].name == "data"]
    for problem in found.problems:
        assert problem.kind == "copy"
        assert re.match(r"dataset 'data', \w{12}: the copy is damaged: (c|sub/a)\.csv \(at .* are 5 bytes with sha256", problem.text)
    one.artifacts.remove([place_of(sha), place_of(describe("data/b.csv", name="b").digest)])
    found = check_artifacts(one.database, one.artifacts)
    assert [problem.run for problem in found.problems] == runs
    assert found.problems[0].text.count("nothing is at") == (2 if "'data'" in found.problems[0].text else 1)
    copied("data")
    assert check_artifacts(one.database, one.artifacts).problems == []


def test_many_damaged_files_are_counted(one: Ledger) -> None:
    """Three are named: a copy that is gone as a whole does not fill the page. What only looks like a list is left alone."""
    fill(Path("data"), {f"{number}.csv": str(number).encode() for number in range(20)})
    copied("data")
    with start_run(experiment="e") as run:
        run.log_text("no list", list_path("ab" * 32))
    one.flush()
    one.artifacts.remove(stored(one))
    [problem] = check_artifacts(one.database, one.artifacts).problems
    assert (problem.text.count("nothing is at"), problem.text.endswith(", and 17 more")) == (3, True)


def test_doctor_names_the_dataset_and_the_run(one: Ledger) -> None:
    """And says what to do; while all is whole it says how much was read."""
    fill(Path("data"), {"a": b"1", "b": b"2"})
    run = copied("data")
    one.flush()
    checks = {check.name: check for check in digests(one.settings)}
    assert (checks["copies"].verdict, checks["copies"].details) == ("ok", {"contents": 2, "bytes": 2, "damaged": 0})
    one.artifacts.remove([place_of(describe("data/a", name="a").digest)])
    checks = {check.name: check for check in digests(one.settings)}
    assert (checks["copies"].verdict, checks["copy"].verdict, checks["digests"].verdict) == ("wrong", "wrong", "ok")
    assert f"of run {run}: dataset 'data', " in checks["copy"].found
    assert "copy=True" in checks["copy"].remedy
