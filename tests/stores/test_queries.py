"""The reader: one run, and everything that belongs to it, from rows that were folded in as a drain does."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from prefect_ledger.database import Database
from prefect_ledger.entities import Artifact, Attempt, Dataset, RunStatus, TaskRun
from prefect_ledger.errors import ArtifactNotFound, InvalidName, MetricNotFound, RunNotFound
from prefect_ledger.events import (
    ArtifactLogged,
    DatasetLogged,
    Event,
    Noted,
    ParamsLogged,
    RunAttached,
    RunDescribed,
    RunStarted,
    RunStatusSeen,
    TagsSet,
    TaskRunSeen,
)
from prefect_ledger.queries import Reader
from tests.stores.filling import BASE, Filled, Points, fill
from tests.stores.folding import Point, fold
from tests.stores.questions import HOSTILE

RUN, CHILD, OTHER = "8f2c51aa-0000-4000-8000-000000000001", "8f2c51aa-0000-4000-8000-000000000002", "8f2c51ab-0000-4000-8000-000000000003"


@pytest.fixture
def database(store_url: str) -> Iterator[Database]:
    """An empty store."""
    found = Database(store_url)
    yield found
    found.close()


@pytest.fixture
def reader(database: Database) -> Reader:
    """A reader of it."""
    return Reader(database)


def moment(micros: int) -> datetime:
    """That many microseconds after BASE."""
    return datetime.fromtimestamp((BASE + micros) // 1_000_000, UTC).replace(microsecond=(BASE + micros) % 1_000_000)


def started(run: str = RUN, at: int = 0, **more: Any) -> RunStarted:
    """A run began."""
    return RunStarted(run=run, at=BASE + at, **more)


def points(key: str, *values: float, attempt: int = 1, task: str = "", turn: int = 1, run: str = RUN) -> list[Point]:
    """Points of one series, one a step."""
    return [Point((run, key, attempt, task, turn), step, BASE + step, value) for step, value in enumerate(values)]


def test_a_run_is_what_was_said_of_it(database: Database, reader: Reader) -> None:
    """Every field of a run comes back: names, times to the microsecond, parameters, last values, tags without removed ones."""
    fold(
        database,
        started(experiment="churn", name="first", kind="flow", user="ada", parent=OTHER, artifact_uri="memory://a/b"),
        ParamsLogged(run=RUN, at=BASE, attempt=1, values={"depth": "6", "model.name": "xgb"}),
        TagsSet(run=RUN, at=BASE, values={"team": "risk", "gone": "x"}),
        TagsSet(run=RUN, at=BASE + 1, values={"gone": None}),
        *points("loss", 3.0, 1.0, 2.0),
        *points("odd", 1.0, math.nan),
        RunStatusSeen(run=RUN, at=BASE + 2_500_001, status="FAILED", attempt=1, reason="ValueError: no"),
    )
    run = reader.run(RUN)
    assert (run.id, run.name, run.experiment, run.kind, run.user, run.parent_id) == (RUN, "first", "churn", "flow", "ada", OTHER)
    assert (run.status, run.status_reason, run.attempt, run.lifecycle) == (RunStatus.FAILED, "ValueError: no", 1, "active")
    assert (run.started_at, run.ended_at, run.duration) == (moment(0), moment(2_500_001), 2.500001)
    assert run.artifact_uri == "memory://a/b"
    assert run.params == {"depth": "6", "model.name": "xgb"}
    assert run.tags == {"team": "risk"}
    assert run.metrics["loss"] == 2.0
    assert math.isnan(run.metrics["odd"])
    for values in (run.params, run.metrics, run.tags):
        with pytest.raises(TypeError):
            values["x"] = "1"  # type: ignore[index]


def test_only_the_last_attempt_counts(database: Database, reader: Reader) -> None:
    """What an earlier attempt logged is not the run's any more, though its series can be asked for by attempt."""
    fold(
        database,
        started(),
        ParamsLogged(run=RUN, at=BASE, attempt=1, values={"depth": "6", "old": "1"}),
        *points("loss", 3.0),
        *points("only.first", 1.0),
        DatasetLogged(run=RUN, at=BASE, attempt=1, name="old", digest="1"),
        started(at=5, attempt=2),
        ParamsLogged(run=RUN, at=BASE + 5, attempt=2, values={"depth": "7"}),
        *points("loss", 0.5, 0.25, attempt=2),
        DatasetLogged(run=RUN, at=BASE, attempt=2, name="new", digest="2"),
    )
    run = reader.run(RUN)
    assert (run.attempt, run.params, run.metrics) == (2, {"depth": "7"}, {"loss": 0.25})
    assert set(run.summaries) == {"loss"}
    assert [dataset.name for dataset in run.datasets] == ["new"]
    assert list(run.metric("loss")) == [(0, 0.5), (1, 0.25)]
    assert list(run.metric("loss", attempt=1)) == [(0, 3.0)]
    with pytest.raises(MetricNotFound, match=r"'only.first' not in attempt 2, but in attempt 1"):
        run.metric("only.first")
    assert [found.id for found in reader.search_runs(filter="params.depth = 6 or params.old = '1' or min(metrics.loss) > 1")] == []


def test_a_retried_run_without_metrics_has_none(database: Database, reader: Reader) -> None:
    """A metric of the first attempt is not shown as the second's, which has logged nothing yet."""
    fold(database, started(), *points("loss", 3.0), started(at=1, attempt=2))
    run = reader.run(RUN)
    assert (run.attempt, run.metrics, run.summaries) == (2, {}, {})
    assert reader.search_runs(filter="metrics.loss = 3 or metrics.loss is not null") == []


def test_task_runs_are_merged_or_told_apart(database: Database, reader: Reader) -> None:
    """A series has the points of all task runs, of each its last try, unless one task run is named."""
    fold(
        database,
        started(),
        *points("loss", 1.0),
        *points("loss", 2.0, 3.0, task="t1"),
        *points("loss", 9.0, task="t2", turn=1),
        *points("loss", 4.0, task="t2", turn=2),
    )
    run = reader.run(RUN)
    assert sorted(run.metric("loss").values) == [1.0, 2.0, 3.0, 4.0]
    assert list(run.metric("loss", task_run_id="t1")) == [(0, 2.0), (1, 3.0)]
    assert list(run.metric("loss", task_run_id="")) == [(0, 1.0)]
    with pytest.raises(MetricNotFound, match="task run 't3', but in attempt 1, attempt 1, task run t1"):
        run.metric("loss", task_run_id="t3")


def test_a_series_keeps_every_point(database: Database, reader: Reader) -> None:
    """Steps, values (infinities and NaN too) and times come back as they were logged."""
    values = [0.1, math.nan, math.inf, -math.inf, -0.0, 5e-324]
    fold(database, started(), *points("odd", *values))
    series = reader.metric(RUN, "odd")
    assert np.array_equal(series.values, np.array(values), equal_nan=True)
    assert series.steps.tolist() == [0, 1, 2, 3, 4, 5]
    assert series.timestamps.tolist() == [BASE + i for i in range(6)]


def test_a_missing_metric_offers_near_ones(database: Database, reader: Reader) -> None:
    """The error names keys that are near, or what there is, or says that there is nothing."""
    fold(database, started(), *points("train.loss", 1.0), *points("auc", 1.0), started(run=OTHER))
    with pytest.raises(MetricNotFound, match=r"no metric 'tran.loss'; did you mean 'train.loss'\?"):
        reader.metric(RUN, "tran.loss")
    with pytest.raises(MetricNotFound, match=r"no metric .*; it has 'auc', 'train.loss'"):
        reader.metric(RUN, "zzz")
    with pytest.raises(MetricNotFound, match="it has none"):
        reader.metric(OTHER, "loss")
    fold(database, *points("system.cpu_percent", 1.0), *points("system.memory_percent", 1.0, run=OTHER))
    with pytest.raises(MetricNotFound, match=r"it has 'auc', 'train.loss'$"):
        reader.metric(RUN, "zzz")
    with pytest.raises(MetricNotFound, match="it has none"):
        reader.metric(OTHER, "zzz")
    with pytest.raises(MetricNotFound, match=r"did you mean 'system.cpu_percent'"):
        reader.metric(RUN, "cpu_percent")
    wrong: tuple[Any, ...] = ("a\0b", "\ud800", "", None, 7)
    for key in wrong:
        with pytest.raises(MetricNotFound):
            reader.metric(RUN, key)


def test_summaries_say_more_than_the_last_value(database: Database, reader: Reader) -> None:
    """First, last, min, max, mean and count with their steps; NaN only counted, and None where there is nothing else."""
    fold(database, started(), *points("loss", 3.0, 1.0, math.nan, 2.0), *points("none", math.nan))
    loss, none = reader.summaries(RUN)["loss"], reader.summaries(RUN)["none"]
    assert (loss.count, loss.nan, loss.first, loss.last, loss.min, loss.max, loss.mean) == (4, 1, 3.0, 2.0, 1.0, 3.0, 2.0)
    assert (loss.first_step, loss.last_step, loss.min_step, loss.max_step) == (0, 3, 1, 0)
    assert (none.count, none.nan, none.min, none.max, none.mean, none.min_step) == (1, 1, None, None, None, None)
    assert math.isnan(none.first)
    assert math.isnan(none.last)


def test_artifacts_are_the_last_of_each_path(database: Database) -> None:
    """Of each path what the last attempt that logged it logged, sorted by path; bytes come through the way that was given."""

    def artifact(path: str, attempt: int, at: int = 0, **more: Any) -> ArtifactLogged:
        uri = f"memory://{attempt}/{path}"
        return ArtifactLogged(run=RUN, at=BASE + at, attempt=attempt, path=path, uri=uri, size=3, sha256="0" * 64, **more)

    fold(database, started(), artifact("b.txt", 1), artifact("a.txt", 1, task="t1", kind="text", metadata={"media": "text/plain"}))
    fold(database, started(at=1, attempt=2), artifact("b.txt", 2, at=7), journal="journal-1")
    reader = Reader(database, read_artifact=lambda found: found.uri.encode())
    expected = [
        Artifact(RUN, "a.txt", "memory://1/a.txt", 3, "0" * 64, "text", 1, "t1", moment(0), {"media": "text/plain"}),
        Artifact(RUN, "b.txt", "memory://2/b.txt", 3, "0" * 64, "file", 2, "", moment(7)),
    ]
    run = reader.run(RUN)
    assert run.artifacts == expected
    assert run.read_artifact("b.txt") == b"memory://2/b.txt"
    with pytest.raises(ArtifactNotFound, match=r"it has: a.txt, b.txt"):
        run.read_artifact("c.txt")
    with pytest.raises(ArtifactNotFound, match=r"memory://2/b\.txt"):
        Reader(database).run(RUN).read_artifact("b.txt")


def test_steps_attempts_datasets_notes_and_facts(database: Database, reader: Reader) -> None:
    """What else belongs to a run comes back as values, in the order of its time."""
    packages = {"numpy": "2.4"}
    fold(
        database,
        started(),
        TaskRunSeen(run=RUN, at=BASE + 9, id="t2", name="second", state="FAILED", tries=2, started=BASE + 5, ended=BASE + 9),
        TaskRunSeen(run=RUN, at=BASE + 3, id="t1", name="first", state="COMPLETED", cached=True, started=BASE + 1, ended=BASE + 3),
        TaskRunSeen(run=RUN, at=BASE + 3, id="t0", name="waiting", state="PENDING"),
        RunStatusSeen(run=RUN, at=BASE + 9, status="FAILED", attempt=1, exception={"type": "ValueError"}),
        started(at=10, attempt=2),
        DatasetLogged(run=RUN, at=BASE + 12, attempt=2, name="late", digest="2"),
        DatasetLogged(
            run=RUN, at=BASE + 11, attempt=2, name="train", digest="1", context="train", source="s3://x", rows=5, schema={"a": "int"}
        ),
        Noted(run=RUN, at=BASE, text="one"),
        Noted(run=RUN, at=BASE + 1, text="two"),
        RunDescribed(run=RUN, at=BASE, facts={"git": {"commit": "abc"}}, packages=packages),
    )
    run = reader.run(RUN)
    assert run.task_runs == [
        TaskRun("t1", RUN, "first", "COMPLETED", 1, 1, True, moment(1), moment(3)),
        TaskRun("t2", RUN, "second", "FAILED", 1, 2, False, moment(5), moment(9)),
        TaskRun("t0", RUN, "waiting", "PENDING", 1, 1),
    ]
    assert run.attempts == [
        Attempt(RUN, 1, RunStatus.FAILED, moment(0), moment(9), {"type": "ValueError"}),
        Attempt(RUN, 2, RunStatus.RUNNING, moment(10)),
    ]
    assert run.datasets == [Dataset("train", "1", "train", "s3://x", 5, {"a": "int"}), Dataset("late", "2")]
    assert run.notes == ["one", "two"]
    assert run.facts == {"git": {"commit": "abc"}, "packages": packages}


def test_children_are_as_alive_as_their_parent(database: Database, reader: Reader) -> None:
    """Children come in the order they started; a deleted one only to a parent that is deleted too."""
    family = [Filled(RUN), Filled(OTHER, parent=RUN, started=BASE + 9), Filled(CHILD, parent=RUN, started=BASE + 1)]
    fill(database, family)
    assert [child.id for child in reader.run(RUN).children] == [CHILD, OTHER]
    gone = "8f2c51ad-0000-4000-8000-000000000009"
    fill(database, [Filled(gone, parent=RUN, lifecycle="deleted")])
    assert [child.id for child in reader.run(RUN).children] == [CHILD, OTHER]
    assert reader.run(CHILD).children == []


def test_a_run_is_found_by_its_beginning(database: Database, reader: Reader) -> None:
    """36 characters, 32 digits, capital letters, or 8 and more characters; several runs are listed, none is said."""
    fill(database, [Filled(RUN), Filled(CHILD), Filled(OTHER, lifecycle="deleted")])
    for text in (OTHER, OTHER.replace("-", ""), OTHER.upper(), "8f2c51ab", "8f2c51ab-0", "8f2c51ab0000"):
        assert reader.run(text).id == OTHER
    with pytest.raises(RunNotFound, match=f"several runs begin with '8f2c51aa': {RUN}, {CHILD}; give more"):
        reader.run("8f2c51aa")
    with pytest.raises(RunNotFound, match="no run has an id that begins with 'ffffffff'"):
        reader.run("ffffffff")
    wrong: tuple[object, ...] = ("8f2c51a", "", "8f2c51a%", "' or 1=1", "8f2c51aa'--", 7, None)
    for one in wrong:
        with pytest.raises(InvalidName):
            reader.run(one)


def test_at_most_five_of_many_runs_are_listed(database: Database, reader: Reader) -> None:
    """A prefix that many runs have lists five and says that there are more."""
    fill(database, [Filled(f"8f2c51aa-0000-4000-8000-{i:012d}") for i in range(9)])
    with pytest.raises(RunNotFound, match="and others") as refused:
        reader.run("8f2c51aa")
    assert str(refused.value).count("8f2c51aa-0000") == 5


def test_a_placeholder_is_a_run(database: Database, reader: Reader) -> None:
    """A run of which only a worker was heard can be read, and is not taken for a later attempt than the first."""
    fold(database, TagsSet(run=RUN, at=BASE, values={"a": "b"}))
    run = reader.run(RUN)
    assert (run.experiment, run.experiment_id, run.attempt, run.started_at, run.tags) == (None, None, 1, None, {"a": "b"})
    assert [found.id for found in reader.search_runs(filter="experiment is null and attempt = 1")] == [RUN]
    fold(database, RunAttached(run=RUN, at=BASE, experiment="later"), journal="journal-1")
    assert reader.run(RUN).experiment == "later"


def test_every_text_is_only_text(database: Database, reader: Reader) -> None:
    """Whatever a name, key or value holds is stored and found as it is, and never as SQL."""
    ids = [f"8f2c51aa-0000-4000-8000-{i:012d}" for i in range(len(HOSTILE))]
    for run, text in zip(ids, HOSTILE, strict=True):
        said: list[Event] = [
            started(run, experiment=f"experiment {text}", name=text, user=text, artifact_uri=text),
            ParamsLogged(run=run, at=BASE, attempt=1, values={text: text}),
            TagsSet(run=run, at=BASE, values={text: text}),
            DatasetLogged(run=run, at=BASE, attempt=1, name=text, digest=text, context=text),
            ArtifactLogged(run=run, at=BASE, attempt=1, path=text, uri=text, size=0, sha256=hashlib.sha256().hexdigest()),
            Noted(run=run, at=BASE, text=text),
        ]
        fold(database, *said, *points(text, 1.0, run=run), journal=run)
    for run, text in zip(ids, HOSTILE, strict=True):
        _check_text(reader, run, text)


def _check_text(reader: Reader, run_id: str, text: str) -> None:
    where, run = f"experiment {text}", reader.run(run_id)
    assert (run.name, run.user, run.artifact_uri, run.experiment) == (text, text, text, where)
    assert (run.params, run.tags, run.metrics) == ({text: text}, {text: text}, {text: 1.0})
    assert list(run.metric(text).values) == [1.0]
    assert (run.datasets[0].name, run.artifacts[0].path, run.notes) == (text, text, [text])
    key, value = "`" + text.replace("`", "``") + "`", "'" + text.replace("'", "''") + "'"
    for question in (
        f"params.{key} = {value}",
        f"tags.{key} in ({value}, 'x')",
        f"metrics.{key} >= 1",
        f"run_name = {value} and user_id = {value} and artifact_uri = {value}",
        f"datasets.name = {value} and datasets.digest = {value} and datasets.context = {value}",
        f"experiment like 'experiment%' and experiment = 'experiment {value[1:]}",
    ):
        assert [found.id for found in reader.search_runs(None, question, [f"params.{key}", f"metrics.{key} desc"])] == [run_id]
        assert [found.id for found in reader.search_runs(where, question)] == [run_id]
    with pytest.raises(MetricNotFound):
        reader.metric(run_id, text + "x")


def test_metrics_of_a_run_not_there(reader: Reader) -> None:
    """Asking for what belongs to no run finds nothing, and says so for a metric."""
    assert (reader.artifacts(RUN), reader.notes(RUN), reader.children(RUN), reader.facts(RUN)) == ([], [], [], {})
    with pytest.raises(MetricNotFound, match="it has none"):
        reader.metric(RUN, "loss")


def test_points_helper_agrees_with_the_store(database: Database, reader: Reader) -> None:
    """Rows that tests insert in bulk are the rows that folding makes."""
    fold(database, started(), *points("loss", 3.0, math.nan, 1.0))
    fill(database, [Filled(OTHER, metrics={"loss": Points((3.0, math.nan, 1.0))})])
    assert reader.summaries(RUN) == reader.summaries(OTHER)
