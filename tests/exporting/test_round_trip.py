"""What is exported, read back by pandas, polars, DuckDB and others: what was logged, exactly, and what a run says of itself."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger.database import Database
from prefect_ledger.events import Alerted, ArtifactLogged, DatasetLogged, ParamsLogged, ResultSeen, RunStarted, TagsSet
from prefect_ledger.exporting.job import Wanted, export
from prefect_ledger.queries import Reader, batches
from tests.exporting.reading import READERS, Rows, by_arrow, by_json, plain
from tests.stores.folding import Point, Said, fold, wipe
from tests.stores.questions import HOSTILE

A, B = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"
BASE = 1_750_000_000_000_000
_LAW = settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
FORMATS = ("parquet", "csv", "json", "jsonl")


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store."""
    one = Database(store_url)
    yield one
    one.close()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Database]:
    """An empty store that is quick to empty again."""
    one = Database(f"sqlite:///{tmp_path}/ledger.db")
    yield one
    one.close()


@dataclass(frozen=True)
class Logged:
    """A point, and what it belongs to."""

    run: str
    key: str
    attempt: int
    task: str
    turn: int
    step: int
    time: int
    value: float

    @property
    def point(self) -> Point:
        """As a drain hears it."""
        return Point((self.run, self.key, self.attempt, self.task, self.turn), self.step, self.time, self.value)

    @property
    def row(self) -> dict[str, Any]:
        """As the table has it."""
        return {
            "run_id": self.run,
            "key": self.key,
            "attempt": self.attempt,
            "task_run_id": self.task,
            "step": self.step,
            "time": self.time,
            "value": self.value,
        }


_TEXTS = st.one_of(st.sampled_from([*HOSTILE, "", "=1+1", "-0.5", " a ", "a,b", "x\r\ny", "system"]), st.text("abcé,\"'\n =", max_size=6))
_KEYS = _TEXTS.filter(bool)
_POINTS = st.builds(
    Logged,
    run=st.sampled_from([A, B]),
    key=st.one_of(st.sampled_from(["loss", "auc"]), _KEYS),
    attempt=st.integers(1, 2),
    task=st.sampled_from(["", "t1", "t2"]),
    turn=st.integers(1, 2),
    step=st.one_of(st.integers(0, 3), st.integers(-(2**63), 2**63 - 1)),
    time=st.one_of(st.integers(BASE, BASE + 3), st.integers(-62_135_596_800_000_000, 253_402_300_799_999_999)),
    value=st.floats(),
)


def counting(points: list[Logged], *, every_attempt: bool = False) -> Rows:
    """What is to be exported of these points: of each task run the last try, in order."""
    attempts = {run: max(p.attempt for p in points if p.run == run) for run in {p.run for p in points}}
    last: dict[tuple[Any, ...], int] = {}
    for p in points:
        last[p.run, p.key, p.attempt, p.task] = max(p.turn, last.get((p.run, p.key, p.attempt, p.task), 0))
    found = [p for p in points if p.turn == last[p.run, p.key, p.attempt, p.task] and (every_attempt or p.attempt == attempts[p.run])]
    return [p.row for p in sorted(found, key=lambda p: (p.run, p.key, p.attempt, p.task, p.step, p.time))]


def exported(database: Database, folder: Path, **wanted: Any) -> dict[str, Path]:
    """The files of an export into a folder."""
    return dict(export(database, Wanted(folder, overwrite=True, **wanted)).files)


@_LAW
@given(points=st.lists(_POINTS, min_size=1, max_size=30), cuts=st.integers(1, 3), every=st.booleans(), small=st.booleans())
def test_every_point_comes_back_as_it_was_logged(
    sqlite: Database, tmp_path: Path, points: list[Logged], cuts: int, every: bool, small: bool
) -> None:
    """Whatever steps, times and values, in whatever order and flushes, attempts and tries: each reader of each format has each point that
    counts, once, in order, to the last bit; also where stretches are so short that a run is cut."""
    wipe(sqlite)
    said: list[Said] = [RunStarted(run, run == A, 1) for run in sorted({p.run for p in points})]
    parts = [points[low::cuts] for low in range(cuts)]
    for number, part in enumerate(parts):
        fold(sqlite, *said, *(p.point for p in part), journal=f"j{number}")
    with pytest.MonkeyPatch.context() as patch:
        if small:
            patch.setattr(batches, "POINTS", 3)
            patch.setattr(batches, "RUNS", 1)
        came = [p for part in parts for p in part]  # of one step and time, who came first stands first
        expected = plain(counting(came, every_attempt=every))
        for format_ in FORMATS:
            files = exported(sqlite, tmp_path / "out", what=["series"], format=format_, attempts="all" if every else "last", watched=True)
            for read in READERS[format_]:
                found = plain(read(files["series"]))
                assert [{name: row[name] for name in expected[0]} for row in found] == expected, read


@_LAW
@given(
    params=st.dictionaries(_KEYS, _TEXTS, max_size=4),
    tags=st.dictionaries(_KEYS, _TEXTS, max_size=4),
    metrics=st.dictionaries(_KEYS, st.floats(), max_size=4),
    name=_TEXTS,
)
def test_runs_come_back_with_all_they_have(
    sqlite: Database, tmp_path: Path, params: dict[str, str], tags: dict[str, str], metrics: dict[str, float], name: str
) -> None:
    """Params, last values and tags of hostile names and texts stand in columns of their own, in the long tables, and in JSON as objects; a
    run without a key has nothing there, not an empty text."""
    wipe(sqlite)
    fold(
        sqlite,
        *(RunStarted(A, BASE, 1, name=name), RunStarted(B, BASE - 1, 1), ParamsLogged(A, BASE, 1, values=params)),
        TagsSet(A, BASE, values=tags),
        *(Point((A, key, 1, "", 1), 0, BASE, value) for key, value in metrics.items()),
    )
    sides: list[tuple[str, dict[str, Any]]] = [("params", params), ("metrics", metrics), ("tags", tags)]
    files = exported(sqlite, tmp_path / "out", what=["all"], watched=True)
    [mine, other] = plain(by_arrow(files["runs"]))
    wide = {f"{side}.{key}": value for side, values in sides for key, value in values.items() if side != "metrics" or key[:7] != "system."}
    assert {k: v for k, v in mine.items() if k.startswith(("params.", "metrics.", "tags."))} == plain([wide])[0]
    assert all(other[key] is None for key in wide)
    assert (mine["run_id"], mine["name"], other["run_id"]) == (A, name, B)
    for side, values in (sides[0], sides[2]):
        assert {row["key"]: row["value"] for row in by_arrow(files[side])} == values
    assert plain([{row["key"]: row["last"] for row in by_arrow(files["metrics"])}]) == plain([metrics])
    [of_json, _] = by_json(exported(sqlite, tmp_path / "json", what=["runs"], format="json")["runs"])
    assert (of_json["params"], of_json["tags"]) == (params, tags)
    assert plain([{k: float(v) for k, v in of_json["metrics"].items()}]) == plain([metrics])


def full(database: Database) -> None:
    """Two runs: one of two attempts with all kinds of things, one whose task took from the cache what the other had computed."""
    fold(
        database,
        *(RunStarted(A, BASE, 1, name="first", experiment="churn"), RunStarted(B, BASE + 5, 1, name="second")),
        *(ParamsLogged(A, BASE, 1, values={"lr": "0.1"}), RunStarted(A, BASE + 9, 2), ParamsLogged(A, BASE + 9, 2, values={"lr": "0.2"})),
        *(Point((A, "loss", 1, "", 1), 0, BASE, 9.0), *(Point((A, "loss", 2, "", 1), s, BASE + s, 1 / (s + 1)) for s in range(5))),
        *(Point((A, "loss", 2, "t1", turn), s, BASE + s, s * turn) for turn in (1, 2) for s in range(3)),
        *(Point((A, "system.cpu", 2, "", 1), 0, BASE, 50.0), Point((A, "nan", 2, "", 1), 0, BASE, math.nan)),
        *(
            ResultSeen(A, BASE, 2, "t1", "k"),
            ResultSeen(B, BASE + 6, 1, "t9", "k", cached=True),
            Point((B, "own", 1, "", 1), 3, BASE, -0.0),
        ),
        ArtifactLogged(A, BASE, 2, path="a.txt", uri="file:///a", size=3, sha256="ab" * 32, task="t1"),
        ArtifactLogged(A, BASE, 1, path="a.txt", uri="file:///old", size=1, sha256="cd" * 32),
        DatasetLogged(A, BASE, 2, name="train", digest="12" * 32, context="fit", source="s3://x", rows=7),
        Alerted(A, BASE + 9, 2, "late", "loss is NaN", "error", task="t1"),
        Alerted(A, BASE, 1, "early"),
        Alerted(B, BASE, 1, "=1+1", "one\ntwo", "warning"),
    )


def test_an_export_says_what_a_run_says(database: Database, tmp_path: Path) -> None:
    """In both databases, points, metrics, artifacts and datasets are those of ``get_run``: the last attempt, the last try, and what came
    from the cache by link; what was watched of the machine is left out."""
    full(database)
    reader = Reader(database)
    files = exported(database, tmp_path / "out")
    series, summaries = by_arrow(files["series"]), by_arrow(files["metrics"])
    for run in reader.search_runs():
        mine = sorted({row["key"] for row in series if row["run_id"] == run.id})
        assert mine == sorted(reader.summaries(run.id)) == sorted(row["key"] for row in summaries if row["run_id"] == run.id)
        for key in mine:
            found = reader.metric(run.id, key)
            rows = [row for row in series if (row["run_id"], row["key"]) == (run.id, key)]
            assert sorted(repr((r["step"], r["time"], r["value"])) for r in rows) == sorted(
                repr(row) for row in zip(found.steps.tolist(), found.timestamps.tolist(), found.values.tolist(), strict=True)
            )
            [summary], told = [r for r in summaries if (r["run_id"], r["key"]) == (run.id, key)], reader.summaries(run.id)[key]
            assert repr((summary["last"], summary["min"], summary["max"], summary["mean"], summary["points"])) == repr(
                (told.last, told.min, told.max, told.mean, told.count)
            )
        paths = [(row["path"], row["sha256"], row["logged_by"]) for row in by_arrow(files["artifacts"]) if row["run_id"] == run.id]
        assert paths == [(one.path, one.sha256, one.run_id) for one in reader.artifacts(run.id)]
        alerts = [tuple(row.values())[2:] for row in by_arrow(files["alerts"]) if row["run_id"] == run.id]
        assert alerts == [(one.level, one.title, one.text, one.attempt, one.task_run_id) for one in reader.alerts(run.id)]
    assert [(row["name"], row["context"], row["rows"]) for row in by_arrow(files["datasets"])] == [("train", "fit", 7)]
    assert [(row["title"], row["time"]) for row in by_arrow(files["alerts"])] == [("=1+1", BASE), ("early", BASE), ("late", BASE + 9)]
    assert [row["value"] for row in by_arrow(files["params"])] == ["0.2"]
    watched = by_arrow(exported(database, tmp_path / "watched", what=["series"], watched=True)["series"])
    assert {row["key"] for row in watched} - {row["key"] for row in series} == {"system.cpu"}
    every = by_arrow(exported(database, tmp_path / "every", what=["series"], attempts="all")["series"])
    assert next((row["attempt"], row["value"]) for row in every if row["key"] == "loss" and row["run_id"] == A) == (1, 9.0)


def test_an_export_is_of_the_runs_that_are_asked_for(database: Database, tmp_path: Path) -> None:
    """Filter, experiment, order and lifecycle are search_runs'; there is no limit to how many."""
    full(database)

    def ids(**wanted: Any) -> list[str]:
        rows = by_json(exported(database, tmp_path / "out", what=["runs"], format="json", **wanted)["runs"])
        return [row["run_id"] for row in rows]

    assert ids(filter="metrics.own = 0") == [B]
    assert ids(experiment="churn") == [A]
    assert ids(order_by="run_name") == [A, B]
    assert ids(lifecycle="deleted") == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "RUNS", 1)
        patch.setattr("prefect_ledger.queries.search.LIMIT", 1)
        assert sorted(ids()) == [A, B]


@pytest.mark.parametrize("format_", FORMATS)
def test_nothing_found_is_a_table_without_rows(sqlite: Database, tmp_path: Path, format_: str) -> None:
    """An export of no runs has every file, each with its columns where the format has such."""
    files = exported(sqlite, tmp_path / "out", what=["series", "params"], format=format_)
    for read in READERS[format_]:
        assert read(files["series"]) == []
    if format_ == "csv":
        assert files["params"].read_text() == "run_id,key,value\n"


def test_csv_tells_nothing_from_an_empty_text(sqlite: Database, tmp_path: Path) -> None:
    """What is missing is an empty cell, an empty text is a quoted one, and DuckDB tells them apart."""
    import duckdb

    fold(sqlite, RunStarted(A, BASE, 1, name=""), RunStarted(B, BASE, 1, name="b"), TagsSet(A, BASE, values={"t": ""}))
    path = exported(sqlite, tmp_path / "out", what=["runs"], format="csv")["runs"]
    found = duckdb.sql(f"SELECT run_id, \"tags.t\" FROM read_csv('{path}', all_varchar=true, allow_quoted_nulls=false) ORDER BY 1")
    assert found is not None
    assert found.fetchall() == [(A, ""), (B, None)]


def test_a_spreadsheet_runs_no_formula_that_somebody_logged(sqlite: Database, tmp_path: Path) -> None:
    """With ``spreadsheet``, text that begins like a formula has an apostrophe before it, keys too, and numbers stay numbers; without it,
    text is what was logged."""
    texts = {"a": "=HYPERLINK(1)", "b": "+1+1", "c": "@SUM(1)", "d": "-2+3", "e": "-0.5", "f": "\t=1", "=g": "x", "h": "a=1"}
    fold(sqlite, RunStarted(A, BASE, 1), ParamsLogged(A, BASE, 1, values=texts))

    def read(**wanted: Any) -> dict[str, str]:
        path = exported(sqlite, tmp_path / "out", what=["params"], format="csv", **wanted)["params"]
        with path.open(encoding="utf-8", newline="") as file:
            return {row["key"]: row["value"] for row in csv.DictReader(file)}

    assert read() == texts
    assert read(spreadsheet=True) == {k.replace("=g", "'=g"): f"'{v}" if k in "abcdf" else v for k, v in texts.items()}


def test_points_of_the_edges_of_time_and_step(sqlite: Database, tmp_path: Path) -> None:
    """The least and the greatest step and time there are come back from Parquet, and are text in CSV and JSON that says them."""
    edges = [-(2**63) + 1, -1, 0, 2**63 - 1]
    one = Logged(A, "k", 1, "", 1, 0, 0, 0.5)
    points = [replace(one, step=edge, time=edge) for edge in edges]
    fold(sqlite, RunStarted(A, BASE, 1), *(p.point for p in points))
    found = by_arrow(exported(sqlite, tmp_path / "out", what=["series"])["series"])
    assert [(row["step"], row["time"]) for row in found] == [(edge, edge) for edge in edges]
    text = exported(sqlite, tmp_path / "csv", what=["series"], format="csv")["series"].read_text()
    assert "-290308-12-21T19:59:05.224193Z" in text
    assert "294247-01-10T04:00:54.775807Z" in text


def test_the_columns_are_what_the_page_says(sqlite: Database, tmp_path: Path) -> None:
    """Every table has the columns that docs/export.md names, in their order; runs those that search_runs gives as a table."""
    fold(sqlite, RunStarted(A, BASE, 1))
    files = exported(sqlite, tmp_path / "out", format="csv")
    found = {table: path.read_text(encoding="utf-8").splitlines()[0].split(",") for table, path in files.items()}
    page = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")
    told: dict[str, list[str]] = {}
    for tables, columns in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| [^|]*\| (.*) \|$", page, re.MULTILINE):
        for table in re.findall(r"\w+", tables):
            told[table] = re.findall(r"`(\w+)`", columns)
    spread = {"first", "last", "min", "max"}
    told["metrics"] = [name for name in told["metrics"] if not name.startswith("_")]
    assert {table: columns for table, columns in found.items() if table != "metrics"} == {t: c for t, c in told.items() if t != "metrics"}
    assert set(found["metrics"]) == {*told["metrics"], *(f"{name}_step" for name in spread)}
    assert found["runs"] == list(Reader(sqlite).search_runs(as_="arrow").column_names)
