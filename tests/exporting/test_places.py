"""Where an export goes: whole or not at all, and never in the place of something else."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_ledger import export_runs
from prefect_ledger.database import Database
from prefect_ledger.errors import InvalidValue, MissingExtra, OutputExists
from prefect_ledger.events import ParamsLogged, RunStarted
from prefect_ledger.exporting import tables
from prefect_ledger.exporting.job import Exported, Wanted, export
from prefect_ledger.tracking.ledger import Ledger
from tests.exporting.reading import by_arrow, by_lines
from tests.stores.folding import Point, fold

RUN, BASE = "00000000-0000-4000-8000-000000000001", 1_750_000_000_000_000
_STOPPED = """
import sys, time
from prefect_ledger.database import Database
from prefect_ledger.exporting.job import Wanted, export

def progress(runs, total):
    print("writing", flush=True)
    time.sleep(60)

export(Database(sys.argv[1]), Wanted(sys.argv[2], overwrite=True), progress)
"""


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """A store with one run."""
    one = Database(f"sqlite:///{tmp_path}/ledger.db")
    fold(one, RunStarted(RUN, BASE, 1), ParamsLogged(RUN, BASE, 1, values={"a": "1"}), Point((RUN, "loss", 1, "", 1), 0, BASE, 0.5))
    yield one
    one.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder."""
    made = tmp_path / "exports"
    made.mkdir()
    return made


def do(database: Database, to: Path | str, **wanted: Any) -> Exported:
    """Export."""
    return export(database, Wanted(to, **wanted))


def test_the_name_says_what_is_written(database: Database, folder: Path) -> None:
    """A format's ending is one file, of runs unless another table is named; any other name is a folder, of Parquet and of all."""
    assert dict(do(database, folder / "runs.parquet").rows) == {"runs": 1}
    assert dict(do(database, folder / "loss.jsonl", what=["series"]).rows) == {"series": 1}
    assert [row["value"] for row in by_lines(folder / "loss.jsonl")] == [0.5]
    done = do(database, folder / "all")
    assert {path.name for path in (folder / "all").iterdir()} == {f"{table}.parquet" for table in tables.TABLES}
    assert (done.runs, done.bytes) == (1, sum(path.stat().st_size for path in (folder / "all").iterdir()))
    assert set(do(database, folder / "some", what=["tags", "params"], format="csv").files) == {"params", "tags"}


@pytest.mark.parametrize(
    ("name", "wanted", "said"),
    [
        ("runs.csv.gz", {}, "says neither a format"),
        ("runs.csv", {"format": "json"}, "is named like csv, but json was asked for"),
        ("runs.csv", {"what": ["runs", "tags"]}, "is one file, and runs, tags are 2: name a folder"),
        ("out", {"what": ["points"]}, "it is one of runs, metrics, series"),
        ("out", {"what": "runs"}, "give a list"),
        ("out", {"format": "xlsx"}, "it is one of parquet, csv"),
        ("out", {"attempts": "first"}, "it is 'last' or 'all'"),
        ("nowhere/out", {}, "there is no folder"),
        ("s3://bucket/out", {}, "written to this machine"),
    ],
)
def test_what_cannot_be_is_refused_in_words(database: Database, folder: Path, name: str, wanted: dict[str, Any], said: str) -> None:
    """Nothing is guessed, and nothing is written."""
    with pytest.raises(InvalidValue, match=said):
        do(database, name if "://" in name else folder / name, **wanted)
    assert list(folder.iterdir()) == []


def test_a_place_that_is_no_path_is_refused_in_words(database: Database) -> None:
    """Such as None, where a name was forgotten."""
    with pytest.raises(InvalidValue, match="goes to a path, text or a Path, not NoneType"):
        do(database, None)  # type: ignore[arg-type]


def test_what_is_there_is_replaced_only_when_asked(database: Database, folder: Path) -> None:
    """A file or folder that is there stays without ``overwrite``; with it an export replaces an export, and nothing else."""
    for name in ("runs.csv", "all"):
        do(database, folder / name)
        with pytest.raises(OutputExists, match="is there already: give another place, or say --overwrite"):
            do(database, folder / name)
        do(database, folder / name, overwrite=True)
    do(database, folder / "all", what=["runs"], overwrite=True)
    assert [path.name for path in (folder / "all").iterdir()] == ["runs.parquet"]
    (folder / "home").mkdir()
    (folder / "home" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputExists, match=r"holds thesis\.tex, which is no part of an export"):
        do(database, folder / "home", overwrite=True)
    (folder / "link.csv").symlink_to(folder / "runs.csv")
    with pytest.raises(OutputExists, match="is a link"):
        do(database, folder / "link.csv", overwrite=True)
    assert (folder / "home" / "thesis.tex").read_text() == "years of work"


def test_an_export_that_fails_or_is_killed_leaves_what_was_there(database: Database, folder: Path) -> None:
    """Whatever ends it in the middle: the place has the export of before, whole; what was begun is hidden, and gone after the next one."""
    do(database, folder / "all", what=["runs"])

    def burst(_runs: int, _total: int) -> None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        export(database, Wanted(folder / "all", overwrite=True), burst)
    assert [path.name for path in folder.iterdir()] == ["all"]
    child = subprocess.Popen([sys.executable, "-c", _STOPPED, database.url, str(folder / "all")], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "writing\n"
    child.kill()
    child.wait()
    child.stdout.close()
    assert {path.name for path in (folder / "all").iterdir()} == {"runs.parquet"}
    assert all(path.name.startswith(".") for path in folder.iterdir() if path.name != "all")
    do(database, folder / "all", overwrite=True)
    assert [path.name for path in folder.iterdir()] == ["all"]


def test_parquet_without_pyarrow_says_what_to_install(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where pyarrow is not installed, CSV and JSON are written all the same."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"prefect-ledger\[data\]"):
        do(database, folder / "all")
    for format_ in ("csv", "json", "jsonl"):
        assert do(database, folder / format_, format=format_).rows["series"] == 1


def test_more_columns_than_anything_reads_are_refused(database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of very many different keys are no table of runs; the message names those that are."""
    monkeypatch.setattr(tables, "MOST_COLUMNS", 1)
    with pytest.raises(InvalidValue, match="ask for the tables params, metrics and tags, or for JSON"):
        do(database, folder / "runs.parquet")
    do(database, folder / "runs.json")
    do(database, folder / "params.parquet", what=["params"])


def test_what_this_process_logged_is_in_its_export(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """``export_runs`` brings in what was logged until now, of runs that are still open too, and tells how far it is."""
    run, told = fresh_ledger.start(experiment="churn"), list[tuple[int, int]]()
    run.log_metric("loss", 0.25, step=7)
    done = export_runs(tmp_path / "series.parquet", "churn", what=["series"], progress=lambda runs, total: told.append((runs, total)))
    [row] = by_arrow(done.files["series"])
    assert (row["run_id"], row["key"], row["step"], row["value"]) == (run.id, "loss", 7, 0.25)
    assert told[-1] == (1, 1)
