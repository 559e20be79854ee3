"""What a model answered, beside what is kept, in a file that stands whole or not at all, and the run that tells of it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from sklearn.linear_model import LinearRegression

from prefect_ledger import get_run, save_model, score, search_runs, start_run
from prefect_ledger.entities import LoggedModel, RunStatus
from prefect_ledger.errors import InvalidValue, OutputExists, ScoringFailed, SignatureMismatch, UntrustedModel
from prefect_ledger.scoring.ahead import ahead
from prefect_ledger.scoring.choice import is_id
from prefect_ledger.tracking.datasets import describe
from tests.scoring.conftest import FEATURES, customers, hidden, written

Logged = Callable[..., str]


@pytest.fixture
def place(tmp_path: Path) -> str:
    return written("parquet", tmp_path / "in", customers())[0]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.parquet"


def test_the_run_and_the_file_say_where_answers_come_from(model: LoggedModel, place: str, out: Path) -> None:
    """From the run one finds model, source and output with their digests; from the output's metadata the model and the run."""
    done = score(model.uri, place, str(out), name="nightly")
    run = get_run(done.run_id)
    assert (run.experiment, run.name, run.status) == ("scoring", "nightly", RunStatus.COMPLETED)
    assert run.params["model_id"] == run.tags["model_id"] == model.id
    assert run.params["model_digest"] == model.digest
    assert (run.metrics["rows"], done.rows) == (1_000, 1_000)
    found = {one.context: one for one in run.datasets}
    assert found["source"].digest == describe(place, name="source").digest
    assert (found["predictions"].digest, found["predictions"].rows) == (describe(out, name="out").digest, 1_000)
    assert dict(found["predictions"].schema) == {"customer_id": "int64", "prediction": "double"}
    said = {key.decode().removeprefix("prefect_ledger."): text.decode() for key, text in pq.read_schema(out).metadata.items()}
    assert {key: said[key] for key in ("model_id", "model_name", "model_digest", "model_uri", "run_id", "source")} == {
        "model_id": model.id,
        "model_name": "spend",
        "model_digest": model.digest,
        "model_uri": model.uri,
        "run_id": run.id,
        "source": place,
    }


def test_a_model_in_a_folder_has_a_digest_too(fitted: Any, place: str, out: Path, tmp_path: Path, home: Path, fresh_ledger: object) -> None:
    """A model that no ledger knows is told by its place and the digest of its files; one that runs code is opened only when trusted."""
    save_model(fitted, tmp_path / "model", input_example=customers(3)[FEATURES])
    done = score(str(tmp_path / "model"), place, str(out), experiment="elsewhere")
    assert len(get_run(done.run_id).params["model_digest"]) == 64
    save_model(lambda data: data["age"], tmp_path / "code")
    with pytest.raises(UntrustedModel):
        score(str(tmp_path / "code"), place, str(out), overwrite=True)
    assert score(str(tmp_path / "code"), place, str(out), overwrite=True, trust=True).rows == 1_000


# --- answers ---------------------------------------------------------------------------------------------------------


ANSWERS: dict[str, tuple[Callable[[Any], Any], dict[str, str]]] = {
    "array": (lambda data: data["age"].to_numpy(), {"prediction": "double"}),
    "series": (lambda data: data["age"] > 40, {"prediction": "bool"}),
    "texts": (lambda data: np.where(data["age"] > 40, "old", "young"), {"prediction": "string"}),
    "one column": (lambda data: data[["age"]].to_numpy(), {"prediction": "double"}),
    "columns": (lambda data: data[["age", "visits"]].to_numpy("float32"), {"prediction_0": "float", "prediction_1": "float"}),
    "frame": (
        lambda data: data[["age", "visits"]].rename(columns={"age": "mean"}),
        {"prediction_mean": "double", "prediction_visits": "int64"},
    ),
    "records": (lambda data: [{"low": 1, "high": 2.5}] * len(data), {"prediction_low": "int64", "prediction_high": "double"}),
    "mapping": (lambda data: {"low": [1] * len(data), "who": ["a"] * len(data)}, {"prediction_low": "int64", "prediction_who": "string"}),
    "categories": (lambda data: data["age"].gt(40).map({True: "old", False: "young"}).astype("category"), {"prediction": "large_string"}),
    "lists": (lambda data: [[1, 2]] * len(data), {"prediction": "list<element: int64>"}),
    "cubes": (lambda data: np.zeros((len(data), 2, 3)), {"prediction": "fixed_size_list<element: double>[6]"}),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_every_kind_of_answer_becomes_columns(kind: str, logged: Logged, place: str, out: Path) -> None:
    """One value a row is the column prediction; several are columns of their own, by their names or places."""
    answer, wanted = ANSWERS[kind]
    score(logged(answer), place, str(out), keep=[], chunk_rows=300)
    found = {field.name: str(field.type) for field in pq.read_schema(out)}
    if kind == "categories":  # what texts are stored as is the framework's
        found = {name: kind.replace("large_", "") for name, kind in found.items()}
        wanted = {"prediction": "string"}
    assert found == wanted
    assert pq.read_metadata(out).num_rows == 1_000


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda data: np.zeros(3), r"chunk 0, rows 0 to 299: the model answered with 3 rows to 300"),
        (lambda data: 1.5, r"float that is no table: one value"),
        (lambda data: [object()] * len(data), r"that is no table"),
        (lambda data: 1 / 0, r"chunk 0, rows 0 to 299: the model raised ZeroDivisionError: division by zero"),
        (lambda data: data["age"] if data["customer_id"].min() < 800 else 1 / 0, r"chunk 3, rows 900 to 999: the model raised"),
        (
            lambda data: data["age"] if data["customer_id"].min() < 800 else ["no"] * len(data),
            r"from row 900 on, the output has other columns than before: prediction was double, now string",
        ),
        (
            lambda data: data["age"] if data["customer_id"].min() < 800 else data[["age", "visits"]],
            r"from row 900 on, .*: prediction_age, prediction_visits, not prediction",
        ),
    ],
)
def test_a_model_that_fails_is_told_with_its_rows(answer: Callable[[Any], Any], said: str, logged: Logged, place: str, out: Path) -> None:
    """Which chunk and rows it was stands in the error and in the run, which FAILED; nothing stands where the output should be."""
    with pytest.raises(ScoringFailed, match=said):
        score(logged(answer), place, str(out), keep=[], columns=["customer_id", "age", "visits"], chunk_rows=300)
    assert not out.exists()
    assert hidden(out.parent) == []
    (run,) = search_runs(experiment="scoring")
    assert run.status == RunStatus.FAILED
    assert "ScoringFailed" in run.status_reason


def test_a_column_of_another_type_is_named_with_its_rows(model: LoggedModel, tmp_path: Path, out: Path) -> None:
    """What the signature does not allow is refused by column and types, and the rows are said."""
    customers(10).assign(income="much").to_parquet(tmp_path / "in.parquet")
    with pytest.raises(SignatureMismatch, match=r"chunk 0, rows 0 to 9: .*'income'") as found:
        score(model.uri, str(tmp_path / "in.parquet"), str(out))
    assert found.value.field == "income"


# --- columns ---------------------------------------------------------------------------------------------------------


def test_what_is_kept_is_what_was_said(model: LoggedModel, place: str, out: Path) -> None:
    """Left out, the ids; else names and patterns; or nothing."""
    for keep, wanted in (
        (None, ["customer_id"]),
        (["city", "cust*"], ["customer_id", "city"]),
        (["*"], list(customers().columns)),
        ([], []),
    ):
        score(model.uri, place, str(out), keep=keep, overwrite=True)
        assert pq.read_schema(out).names == [*wanted, "prediction"]


def test_names_that_look_like_ids() -> None:
    """Ids are told by their names alone."""
    ids = ["id", "ID", "Id", "customer_id", "customerId", "id_order", "uuid", "order.uuid", "key", "row key", "userID"]
    assert [name for name in ids if not is_id(name)] == []
    assert [name for name in ("paid", "idle", "grid", "keyboard", "monkey", "identity", "amount") if is_id(name)] == []


def test_the_model_is_given_its_columns(logged: Logged, place: str, out: Path) -> None:
    """Without a signature it is given all that is not kept, or those that are said, in their order."""
    ref = logged(lambda data: [",".join(data.columns)] * len(data))
    for columns, wanted in ((None, "age,city,income,visits"), (["visits", "customer_id"], "visits,customer_id")):
        score(ref, place, str(out), columns=columns, overwrite=True)
        assert set(pd.read_parquet(out)["prediction"]) == {wanted}


def test_a_model_of_arrays_is_given_all_that_is_not_kept(fitted: Any, fresh_ledger: object, out: Path, tmp_path: Path) -> None:
    """A signature of tensors names no columns: the frame's columns in their order are the array's."""
    data = customers(20)
    with start_run(experiment="models") as run:
        ref = run.log_model(
            LinearRegression().fit(data[FEATURES].to_numpy(), data["age"]), "arrays", input_example=data[FEATURES].to_numpy()
        ).uri
    data[["customer_id", *FEATURES]].to_parquet(tmp_path / "in.parquet")
    score(ref, str(tmp_path / "in.parquet"), str(out))
    found = pd.read_parquet(out)
    assert found.columns.tolist() == ["customer_id", "prediction"]
    np.testing.assert_allclose(found["prediction"], data["age"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"keep": ["citi"]}, r"no column of the source is meant by keeping 'citi'; it has 'city'"),
        ({"columns": ["ages"]}, r"the source has no column 'ages'; it has 'age'"),
        ({"keep": "city"}, r"keep is a list of columns' names"),
        ({"keep": ["city"], "prediction": "city"}, r"a column 'city' is kept, and the answers are called so too"),
        ({"chunk_rows": 0}, r"chunks of 0 rows: give 1 or more"),
        ({"prediction": ""}, r"needs a name"),
    ],
)
def test_options_that_mean_nothing_are_refused(options: Any, said: str, model: LoggedModel, place: str, out: Path) -> None:
    """Columns that are not there, and names that are taken."""
    with pytest.raises(InvalidValue, match=said):
        score(model.uri, place, str(out), **options)


# --- the output ------------------------------------------------------------------------------------------------------


def test_what_stands_there_is_replaced_only_when_that_is_said(model: LoggedModel, place: str, out: Path) -> None:
    """An output is not overwritten by itself; with overwrite it is, and when scoring fails the old one stays as it was."""
    out.write_text("mine")
    with pytest.raises(OutputExists, match="--overwrite"):
        score(model.uri, place, str(out))
    with pytest.raises(InvalidValue):
        score(model.uri, place, str(out), keep=["nothing"], overwrite=True)
    assert out.read_text() == "mine"
    score(model.uri, place, str(out), overwrite=True)
    assert pq.read_metadata(out).num_rows == 1_000


def test_a_source_is_never_written_over(model: LoggedModel, place: str, out: Path) -> None:
    """Neither the file that is read, nor anything in the folder that is read, nor a folder where a file is meant."""
    for source, output in ((place, place), (str(Path(place).parent), str(Path(place).parent / "more.parquet"))):
        with pytest.raises(InvalidValue, match="would be a part of the source"):
            score(model.uri, source, output, overwrite=True)
    out.mkdir()
    with pytest.raises(OutputExists, match="is a folder"):
        score(model.uri, place, str(out), overwrite=True)
    with pytest.raises(InvalidValue, match="there is no folder"):
        score(model.uri, place, str(out.parent / "none" / "out.parquet"))


def test_a_source_that_changes_meanwhile_gives_no_output(logged: Logged, place: str, out: Path) -> None:
    """When the file is another one at the end than at the beginning, nobody could say what was scored: it is refused."""

    def answer(data: pd.DataFrame) -> Any:
        os.utime(place, ns=(1, 1))
        return data["age"]

    with pytest.raises(InvalidValue, match="changed while it was scored"):
        score(logged(answer), place, str(out))
    assert not out.exists()


_KILLED = """
import os, sys
from prefect_ledger import score, start_run
place, out = sys.argv[1:]
def answer(data):
    if data["customer_id"].min() > 500:
        os.kill(os.getpid(), 9)
    return data["age"]
with start_run(experiment="models") as run:
    ref = run.log_model(answer, "killer").uri
print(ref, flush=True)
score(ref, place, out, columns=["customer_id", "age"], chunk_rows=100)
"""


@pytest.mark.long
def test_killed_half_way_leaves_nothing_that_looks_whole(home: Path, place: str, out: Path) -> None:
    """SIGKILL in the middle: no output, no Parquet file by name; the next one that writes there takes away what was left."""
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, place, str(out)], env=dict(os.environ), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == -9, done.stderr
    assert not out.exists()
    assert len(hidden(out.parent)) == 1
    assert list(out.parent.glob("*.parquet")) == []
    more = (
        "import sys; from prefect_ledger import score, search_runs; score(*sys.argv[1:], keep=[], chunk_rows=2000);"
        "print([run.status.value for run in search_runs(experiment='scoring')])"
    )
    again = subprocess.run(
        [sys.executable, "-c", more, done.stdout.strip(), place, str(out)],
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert again.returncode == 0, again.stderr
    assert "CRASHED" in again.stdout
    assert hidden(out.parent) == []
    assert pq.read_metadata(out).num_rows == 1_000


# --- reading ahead ---------------------------------------------------------------------------------------------------


def test_an_error_is_raised_when_its_turn_comes() -> None:
    """What was read before it is given out first."""

    def things() -> Iterator[int]:
        yield 1
        yield 2
        raise OSError("gone")

    found: list[int] = []
    with pytest.raises(OSError, match="gone"):
        found.extend(ahead(things(), lambda n: 10 * n))
    assert found == [10, 20]


def test_closed_early_nothing_goes_on() -> None:
    """Whoever takes no more has the reading end, and what is read from closed in the thread that read it."""
    closed: list[int] = []

    def things() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.get_ident())

    chunks = ahead(things(), str)
    assert next(chunks) == "1"
    chunks.close()
    assert len(closed) == 1
    assert not any(thread.ident == closed[0] for thread in threading.enumerate())


def test_progress_tells_rows_done_and_rows_there(model: LoggedModel, place: str, out: Path) -> None:
    """After each chunk, how many rows are done and, of Parquet, how many there are."""
    told: list[tuple[int, int | None]] = []
    score(model.uri, place, str(out), chunk_rows=400, progress=lambda rows, total: told.append((rows, total)))
    assert told[-1] == (1_000, 1_000)
    assert [rows for rows, _ in told] == sorted(rows for rows, _ in told)


def test_parameters_reach_the_model(fresh_ledger: object, place: str, out: Path) -> None:
    """What is said as params the model is asked with."""

    class Times:
        def predict(self, data: Any, params: Any = None) -> Any:
            return data["age"] * 0 + params["by"]

    with start_run(experiment="models") as run:
        ref = run.log_model(Times(), "times").uri
    score(ref, place, str(out), params={"by": 3})
    assert set(pd.read_parquet(out)["prediction"]) == {3.0}
