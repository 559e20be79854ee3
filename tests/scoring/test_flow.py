"""A source that is scored in parts: the flow, its tasks, and a folder that stands whole or not at all."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from prefect_ledger import get_run, search_runs, start_run
from prefect_ledger.entities import LoggedModel, RunStatus
from prefect_ledger.errors import InvalidValue, OutputExists, ScoringFailed
from prefect_ledger.flows.score import score_batch
from prefect_ledger.scoring.job import Job
from prefect_ledger.scoring.mapped import Mapped, Piece, score_mapped
from prefect_ledger.scoring.outputs import Output
from prefect_ledger.scoring.sources import Part
from prefect_ledger.tracking.datasets import describe
from tests.scoring.conftest import customers, hidden, written


def one_by_one(mapped: Mapped, parts: list[Part]) -> Iterator[Piece]:
    """Parts in this process, without Prefect."""
    return (mapped.score(part) for part in parts)


def test_the_flow_scores_in_parts(prefect_server: str, model: LoggedModel, expected: pd.DataFrame, tmp_path: Path) -> None:
    """A task for each part of about the wanted size; the flow's run has model, source and output; read as a folder, all rows in order."""
    place, _ = written("parquet", tmp_path / "in", customers())
    found = score_batch(model.uri, place, str(tmp_path / "out"), part_rows=650, chunk_rows=200)
    assert found["rows"] == 1_000
    assert [one.name for one in sorted((tmp_path / "out").iterdir())] == ["part-00000.parquet", "part-00001.parquet"]
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out"), expected)
    (seen,) = search_runs(experiment="scoring")
    run = get_run(seen.id)
    assert run.status == RunStatus.COMPLETED
    assert (run.params["model"], run.params["model_id"], run.tags["model_id"]) == (model.uri, model.id, model.id)
    assert run.metrics["rows"] == 1_000
    assert sorted(task.name for task in run.task_runs) == ["part-0", "part-1"]
    data = {one.context: one for one in run.datasets}
    assert (data["source"].digest, data["source"].rows) == (describe(place, name="source").digest, 1_000)
    assert (data["predictions"].digest, data["predictions"].rows) == (describe(tmp_path / "out", name="out").digest, 1_000)
    for number in (0, 1):
        said = pq.read_schema(tmp_path / "out" / f"part-0000{number}.parquet").metadata
        assert said[b"prefect_ledger.run_id"].decode() == run.id
        assert said[b"prefect_ledger.part"].decode() == str(number)


def test_a_part_that_fails_ends_the_flow(prefect_server: str, logged: Callable[..., str], tmp_path: Path) -> None:
    """The flow fails with the part, chunk and rows of the source; no try is made again, as none would help; and no folder is there."""
    place, _ = written("parquet", tmp_path / "in", customers())
    ref = logged(lambda data: data["age"] if data["customer_id"].min() < 700 else 1 / 0)
    with pytest.raises(ScoringFailed, match=r"chunk 1 of part 1 \(customers\.parquet\), rows 800 to 999: the model raised"):
        score_batch(ref, place, str(tmp_path / "out"), keep=[], part_rows=650, chunk_rows=200)
    assert not (tmp_path / "out").exists()
    assert hidden(tmp_path) == []
    (run,) = search_runs(experiment="scoring")
    assert run.status == RunStatus.FAILED
    assert {task.name: task.tries for task in get_run(run.id).task_runs} == {"part-0": 1, "part-1": 1}


@pytest.mark.parametrize(("kind", "count"), [("folder", 3), ("sqlite", 1)])
def test_other_sources_in_parts(kind: str, count: int, model: LoggedModel, expected: pd.DataFrame, tmp_path: Path) -> None:
    """Files of a folder are parts, a query is one."""
    place, query = written(kind, tmp_path / "in", customers())
    job = Job(model.uri, place, str(tmp_path / "out"), query)
    with start_run(experiment="scoring") as run:
        assert score_mapped(job, run, one_by_one, part_rows=400) == 1_000
    assert len(list((tmp_path / "out").iterdir())) == count
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out"), expected)
    assert all(one.digest for one in get_run(run.id).datasets)


def test_only_parts_are_replaced(model: LoggedModel, tmp_path: Path) -> None:
    """A folder is overwritten when that is said and it holds parts alone; one with anything else is left as it is."""
    place, _ = written("parquet", tmp_path / "in", customers())
    job = Job(model.uri, place, str(tmp_path / "out"), overwrite=True)
    for part_rows in (300, 2_000):
        with start_run(experiment="scoring") as run:
            score_mapped(job, run, one_by_one, part_rows=part_rows)
    assert [one.name for one in (tmp_path / "out").iterdir()] == ["part-00000.parquet"]
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with start_run(experiment="scoring") as run, pytest.raises(OutputExists, match=r"holds notes\.txt"):
        score_mapped(job, run, one_by_one)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"
    assert hidden(tmp_path) == []


def test_parts_end_early_when_another_failed(model: LoggedModel, tmp_path: Path) -> None:
    """Once a part failed, those that still work end at their next chunk."""
    place, _ = written("parquet", tmp_path / "in", customers())

    def over(mapped: Mapped, parts: list[Part]) -> Iterator[Piece]:
        mapped.stop()
        with pytest.raises(ScoringFailed, match="part 1 was left: another part failed"):
            mapped.score(parts[1])
        if parts:
            raise OSError("the other one")
        yield Piece(0, 0)

    with start_run(experiment="scoring") as run, pytest.raises(OSError, match="the other one"):
        score_mapped(Job(model.uri, place, str(tmp_path / "out")), run, over, part_rows=300)
    assert not (tmp_path / "out").exists()


def test_csv_files_of_other_types_are_no_one_folder(logged: Callable[..., str], tmp_path: Path) -> None:
    """Parts whose columns are not those of the first one are refused, as nobody could read the folder as one."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.csv").write_text("id,x\n1,2\n")
    (tmp_path / "in" / "b.csv").write_text("id,x\none,2\n")
    job = Job(logged(lambda data: data["x"]), str(tmp_path / "in"), str(tmp_path / "out"))
    with start_run(experiment="scoring") as run, pytest.raises(ScoringFailed, match="part 1 has other columns than part 0: id string"):
        score_mapped(job, run, one_by_one)


def test_nothing_is_no_output(model: LoggedModel, tmp_path: Path) -> None:
    """A query without rows gives no folder."""
    place, _ = written("sqlite", tmp_path / "in", customers(3))
    job = Job(model.uri, place, str(tmp_path / "out"), "SELECT * FROM customers WHERE 0")
    with start_run(experiment="scoring") as run, pytest.raises(InvalidValue, match="has no rows"):
        score_mapped(job, run, one_by_one)
    assert not (tmp_path / "out").exists()


_KILLED = """
import os, sys
from prefect_ledger import start_run
from prefect_ledger.scoring.job import Job
from prefect_ledger.scoring.mapped import score_mapped
def over(mapped, parts):
    yield mapped.score(parts[0])
    os.kill(os.getpid(), 9)
with start_run(experiment="models") as run:
    ref = run.log_model(lambda data: data["age"], "age").uri
with start_run(experiment="scoring") as run:
    score_mapped(Job(ref, *sys.argv[1:]), run, over, part_rows=300)
"""


@pytest.mark.long
def test_killed_between_two_parts_leaves_no_folder(home: Path, tmp_path: Path) -> None:
    """With one part written and the others not, nothing stands where the folder should be, nor where a glob for Parquet would find it."""
    place, _ = written("parquet", tmp_path / "in", customers())
    program: list[Any] = [sys.executable, "-c", _KILLED, place, str(tmp_path / "out")]
    done = subprocess.run(program, env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == -9, done.stderr
    assert not (tmp_path / "out").exists()
    left, lock = hidden(tmp_path)
    assert lock == f"{left}.lock"
    assert [one.name for one in (tmp_path / left).iterdir()] == ["part-00000.parquet"]
    assert list(tmp_path.glob("*.parquet")) == []
    with Output(str(tmp_path / "out"), folder=True).aside() as path:
        (path / "part-00000.parquet").touch()
    assert hidden(tmp_path) == []  # whoever writes there next takes away what was left
