"""The views for SQL: they say what searches and runs say, alike in both databases, and without reading everything."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from prefect_ledger import get_run, migrations, registry
from prefect_ledger.database import SCHEMA, Database, execute, rows
from prefect_ledger.errors import StoreUnavailable
from prefect_ledger.events import ArtifactLogged, DatasetLogged, ResultSeen, RunStarted, RunStatusSeen, TagsSet, TaskRunSeen
from prefect_ledger.names import experiment_id
from prefect_ledger.queries import Reader
from prefect_ledger.roles import VIEWS
from prefect_ledger.tracking.ledger import Ledger
from tests.registry.helpers import ALICE, logged
from tests.stores.filling import BASE, Filled, Points, clear, fill
from tests.stores.folding import Point, fold
from tests.stores.questions import HOSTILE

A, B, C = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
PAGE = Path(__file__).parents[2] / "docs" / "sql.md"
_LAW = settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
_TEXTS = st.one_of(st.sampled_from(HOSTILE), st.text("abé'\"\\\n\x01", max_size=4))
_FLOATS = st.floats(allow_nan=True, allow_infinity=True)


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store."""
    one = Database(store_url)
    one.prepare()
    yield one
    one.close()


def read(database: Database, text: str, *params: Any) -> list[dict[str, Any]]:
    """Rows by name; JSON and times as Python has them, yes and no as such."""
    with database.read() as tx:
        found = execute(tx, text, params)
        names = list(found.keys())
        return [{name: _read(name, value) for name, value in zip(names, row, strict=True)} for row in found.all()]


def _read(name: str, value: Any) -> Any:
    if name in ("params", "metrics", "tags", "aliases") and isinstance(value, str):
        return json.loads(value, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    if (name.endswith("_at") or name == "at") and isinstance(value, str):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value)
        return datetime.fromisoformat(value)
    return bool(value) if name in ("deleted", "last_is_nan", "first_is_nan") else value


def at(micros: int) -> datetime:
    """That time."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)


def test_columns_are_what_the_page_says(database: Database) -> None:
    """Every view has the columns of its table in docs/sql.md, in that order, and there is no other view."""
    sections = re.findall(r"^## `(\w+)`.*?\n(.*?)(?=^## )", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    told = {
        name: re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|", body, re.MULTILINE))) for name, body in sections
    }
    found = {}
    with database.read() as tx:
        for view in VIEWS:
            found[view] = list(execute(tx, f"SELECT * FROM {view}").keys())
    assert found == told
    assert sorted(told) == sorted(VIEWS)


@_LAW
@given(
    runs=st.lists(
        st.builds(
            dict,
            name=_TEXTS,
            params=st.dictionaries(_TEXTS, _TEXTS, max_size=3),
            tags=st.dictionaries(_TEXTS, st.one_of(st.none(), _TEXTS), max_size=3),
            metrics=st.dictionaries(
                _TEXTS.filter(bool), st.lists(_FLOATS, min_size=1, max_size=3).map(lambda v: Points(tuple(v))), max_size=3
            ),
            lifecycle=st.sampled_from(["active", "deleted"]),
            experiment=st.sampled_from([0, 7, None]),
        ),
        max_size=3,
    )
)
def test_views_say_what_a_search_says(database: Database, runs: list[dict[str, Any]]) -> None:
    """Whatever names, texts and numbers: params, tags and last values, also NaN and infinities, are those of search_runs, of the last
    attempt, in both databases alike: to the last bit, but in the objects of SQLite, which writes numbers near the greatest a bit off."""
    clear(database)
    stale: dict[str, Any] = {"stale_params": {"stale": "1"}, "stale_metrics": {"stale": Points((1.0,))}}
    fill(database, [Filled(f"{n:08}-0000-4000-8000-000000000000", attempt=2, **stale, **run) for n, run in enumerate(runs)], {7: "churn"})
    wide = {row["run_id"]: row for row in read(database, "SELECT * FROM runs_wide")}
    metrics = read(database, "SELECT * FROM latest_metrics")
    spoken = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
    reader = Reader(database)
    found = reader.search_runs(lifecycle="all")
    assert sorted(wide) == sorted(run.id for run in found)
    for run in found:
        row = wide[run.id]
        assert (row["params"], row["tags"]) == (dict(run.params), dict(run.tags))
        said = {key: spoken.get(value, value) for key, value in row["metrics"].items()}
        assert said == pytest.approx(dict(run.metrics), rel=1e-14, abs=0, nan_ok=True)
        assert (row["name"] or "", row["experiment"], row["deleted"], row["attempt"]) == (
            run.name,
            run.experiment,
            run.lifecycle != "active",
            2,
        )
        mine = {one["key"]: one for one in metrics if one["run_id"] == run.id}
        told = dict(reader.summaries(run.id)) | dict(reader.watched(run.id))
        assert sorted(mine) == sorted(told)
        for key, one in mine.items():
            summary = told[key]
            last = math.nan if one["last_is_nan"] else one["last_value"]
            assert repr((last, one["min_value"], one["max_value"], one["mean_value"])) == repr(
                (summary.last, summary.min, summary.max, summary.mean)
            )
            assert (one["points"], one["nan_points"], one["deleted"]) == (summary.count, summary.nan, row["deleted"])


def test_times_are_exact(database: Database) -> None:
    """Every microsecond from the year 1 to 9999 is what it is; what no calendar has is nothing, and hinders no row."""
    exact = [BASE, 0, -1, -1_000_001, -62_135_596_800_000_000, 253_402_300_799_999_999]
    times = [*exact, 2**62, -(2**62), -62_135_596_800_000_001, 253_402_300_800_000_000]
    fold(database, RunStarted(A, BASE, 1), *(Point((A, str(micros), 1, "", 1), 0, micros, 0.5) for micros in times))
    found = {int(row["key"]): row["last_at"] for row in read(database, "SELECT key, last_at FROM latest_metrics")}
    assert found == {micros: at(micros) if micros in exact else None for micros in times}


def test_a_run_tells_when_it_was(database: Database) -> None:
    """Start, end and the seconds between; an open run has no end."""
    fold(database, RunStarted(A, BASE, 1), RunStatusSeen(A, BASE + 2_500_000, "COMPLETED", 1), RunStarted(B, BASE, 1, parent=A))
    found = {row["run_id"]: row for row in read(database, "SELECT * FROM runs_wide")}
    assert (found[A]["started_at"], found[A]["ended_at"], found[A]["seconds"]) == (at(BASE), at(BASE + 2_500_000), 2.5)
    assert (found[A]["started_us"], found[A]["ended_us"], found[A]["status"]) == (BASE, BASE + 2_500_000, "COMPLETED")
    assert (found[B]["ended_at"], found[B]["seconds"], found[B]["parent_run_id"], found[B]["deleted_at"]) == (None, None, A, None)


def test_versions_and_lineage(fresh_ledger: Ledger, store_url: str) -> None:
    """What is registered, and how it came to be: data, runs, models, versions, runs that asked a model, runs within runs, and the cache."""
    database, one = fresh_ledger.database, logged()
    for _ in range(2):
        registry.register_model("churn", one if _ == 0 else logged(), by=ALICE)
    registry.transition("churn", 1, "staging", by=ALICE)
    for alias in ("champion", "best"):
        registry.set_alias("churn", alias, 1, by=ALICE)
    fresh_ledger.flush()
    fold(
        database,
        *(RunStarted(A, BASE, 1, name="scores"), TagsSet(A, BASE, values={"model_id": one.id}), RunStarted(B, BASE, 1, parent=A)),
        DatasetLogged(A, BASE, 1, name="customers", digest="ab" * 32, context="source"),
        DatasetLogged(A, BASE, 1, name="answers", digest="cd" * 32, context="predictions"),
        *(
            TaskRunSeen(A, BASE, "t1", "fit", "COMPLETED"),
            ResultSeen(A, BASE, 1, "t1", "k"),
            ResultSeen(B, BASE, 1, "t9", "k", cached=True),
        ),
        ArtifactLogged(A, BASE, 1, path="a", uri="file:///a", size=1, sha256="ab" * 32, task="t1"),
    )
    first, second = read(database, "SELECT * FROM model_versions_now WHERE model = 'churn' ORDER BY version")
    assert (first["version"], first["stage"], first["aliases"], first["logged_id"]) == (1, "staging", ["best", "champion"], one.id)
    assert (first["run_id"], first["digest"], first["source"]) == (one.run_id, one.digest, f"runs:/{one.run_id}/{one.path}")
    assert (first["author"], first["deleted"], second["aliases"], second["stage"]) == ("alice", False, [], "none")
    registry.delete_version("churn", 2, by=ALICE)
    assert [row["deleted"] for row in read(database, "SELECT deleted FROM model_versions_now ORDER BY version")] == [False, True]
    columns = "source_kind, source_name, source_id, relation, detail, target_kind, target_name, target_id"
    found = {tuple(row.values()) for row in read(database, f"SELECT {columns} FROM lineage WHERE run_id IN (?, ?, ?)", A, B, one.run_id)}
    assert found == {
        ("dataset", "customers", "ab" * 32, "used by", "source", "run", "scores", A),
        ("run", "scores", A, "wrote", "predictions", "dataset", "answers", "cd" * 32),
        ("run", get_run(one.run_id).name, one.run_id, "logged", one.path, "model", "churn", one.id),
        ("model", "churn", one.id, "became", "staging", "version", "churn", "1"),
        ("model", "churn", one.id, "asked by", None, "run", "scores", A),
        ("run", "scores", A, "parent of", None, "run", None, B),
        ("run", "scores", A, "computed for", "t9", "run", None, B),
    }
    assert all(isinstance(row["at"], datetime) for row in read(database, "SELECT at FROM lineage"))


_QUESTIONS = [
    ("SELECT * FROM runs_wide WHERE run_id = ?", A),
    ("SELECT name, status FROM runs_wide WHERE experiment = ?", "few"),
    ("SELECT name FROM runs_wide WHERE parent_run_id = ?", A),
    ("SELECT * FROM latest_metrics WHERE run_id = ?", A),
    ("SELECT run_id, last_value FROM latest_metrics WHERE key = ? AND last_value > 0.9", "auc"),
    ("SELECT * FROM lineage WHERE run_id = ?", A),
    ("SELECT * FROM lineage WHERE source_kind = 'dataset' AND source_name = ?", "customers"),
    ("SELECT * FROM lineage WHERE relation = 'logged' AND target_id = ?", "m-1"),
]
_LARGE = {"runs", "params", "tags", "metrics", "series", "chunks", "dataset_uses", "models", "cache_hits"}
_FEW = 6_000  # instructions of SQLite: a look at each of the runs below takes more


def test_a_question_about_one_thing_reads_no_whole_table(database: Database) -> None:
    """By a run, an experiment, a metric's key or a dataset, an index leads there, in both databases."""
    if database.dialect == "sqlite":
        _fill_many(database)
        for text, value in _QUESTIONS:
            assert 0 < _instructions(database, text, value) < _FEW, text
        return
    with database.write() as tx:
        execute(tx, "SET LOCAL enable_seqscan = off")
        for text, value in _QUESTIONS:
            plan = [row[0] for row in rows(tx, f"EXPLAIN {text.replace('?', repr(value))}")]
            assert set(re.findall(r"Seq Scan on (\w+)", "\n".join(plan))) & _LARGE == set(), plan


def _fill_many(database: Database) -> None:
    """One run that is asked about, among very many."""
    other = [Filled(f"{n:08}-0000-4000-8000-00000000000a", 7, parent=B, params={"a": "1"}, tags={"t": "1"}) for n in range(1_500)]
    other = [replace(one, metrics={"loss": Points((0.5,))}, datasets=[("d", "ab", "c")]) for one in other]
    fill(database, [*other, Filled(A, 8, metrics={"auc": Points((0.95,))}, datasets=[("customers", "ab", "c")])], {7: "many", 8: "few"})
    with database.write() as tx:
        of_model = "SELECT 'm-' || id, id, 1, 'm', 'p', 'ab', 'python', 1, 1 FROM runs"
        execute(tx, f"INSERT INTO models (id, run_id, attempt, name, path, digest, flavor, size, at) {of_model}")
        of_hit = "SELECT id, id, 1, 'k', 1, id FROM runs"
        execute(tx, f"INSERT INTO cache_hits (task_run_id, run_id, attempt, storage_key, at, source_run_id) {of_hit}")


def _instructions(database: Database, text: str, value: str) -> int:
    """How many of SQLite's instructions a question takes, to the hundred."""
    count = 0

    def step() -> int:
        nonlocal count
        count += 100
        return 0

    with database.read() as tx:
        driver: Any = tx.connection.driver_connection
        driver.set_progress_handler(step, 100)
        rows(tx, text, [value])
        driver.set_progress_handler(None, 0)
    return count + 1


def test_nothing_is_written_through_a_view(database: Database) -> None:
    """A view takes no row and gives none away."""
    for statement in (f"{verb} {view}{rest}" for view in VIEWS for verb, rest in (("DELETE FROM", ""), ("INSERT INTO", " DEFAULT VALUES"))):
        with pytest.raises((DBAPIError, StoreUnavailable)), database.write() as tx:
            execute(tx, statement)


def test_a_ledger_from_before_the_views_works_and_gets_them(store_url: str) -> None:
    """A store without them is read and written as before, and has them after an upgrade, of what was in it."""
    before = Database(store_url)
    with before._engine.connect() as tx, tx.begin():
        migrations.upgrade(tx, "0004")
    fold(before, RunStarted(A, BASE, 1, experiment="churn"))
    assert before.version() == 4
    assert before.upgrade() == (4, SCHEMA)
    assert [row["experiment_id"] for row in read(before, "SELECT * FROM runs_wide")] == [experiment_id("churn")]
    before.close()
