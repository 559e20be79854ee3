"""log_dataset: whatever data a run used is known by name, digest, rows and schema, as the annotation ``Dataset`` records it."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.sparse as sp  # type: ignore[import-untyped]
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger import get_run, log_dataset, start_run
from prefect_ledger.errors import InvalidName, InvalidValue, LedgerError, RunFinished
from prefect_ledger.tracking.datasets import describe
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.marks import Dataset
from prefect_ledger.tracking.products import prepare

STORED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
FRAME = pd.DataFrame({"age": [40, 31], "town": ["Bern", None]})


@STORED
@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers() | st.text() | st.floats() | st.none(), min_size=1), min_size=1))
def test_what_was_described_is_what_is_read_back(fresh_ledger: Ledger, rows: list[dict[str, Any]]) -> None:
    """By the verb and by the annotation alike: equal data is one dataset, with the digest that ``describe`` finds."""
    expected = describe(rows, name="d", context="train")
    with start_run(experiment="e") as run:
        log_dataset(rows, "d", context="train")
        prepare(Dataset("d", context="train"), rows)(run)
    (found,) = get_run(run.id).datasets
    assert (found.name, found.digest, found.context, found.rows) == ("d", expected.digest, "train", len(rows))
    assert found.source == "records"
    assert dict(found.schema) == dict(expected.schema)


def test_every_kind_of_data_is_taken(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """Frames, tables, arrays, sparse matrices, rows, files and folders; each names itself where it can."""
    (tmp_path / "train.csv").write_text("a\n1\n")
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "one.png").write_bytes(b"1")
    everything: list[tuple[Any, str, int | None, str]] = [
        (FRAME, "dataset", 2, "pandas.DataFrame"),
        (FRAME["age"], "age", 2, "pandas.Series"),
        (pl.DataFrame({"a": [1]}), "dataset", 1, "polars.DataFrame"),
        (pl.Series("z", [1]), "z", 1, "polars.Series"),
        (pa.table({"a": [1, 2, 3]}), "dataset", 3, "pyarrow.Table"),
        (np.zeros((4, 2)), "dataset", 4, "numpy.ndarray"),
        (sp.eye(3, format="csr"), "dataset", 3, "scipy.csr_matrix"),
        (str(tmp_path / "train.csv"), "train.csv", None, str(tmp_path / "train.csv")),
        (tmp_path / "pictures", "pictures", None, str(tmp_path / "pictures")),
    ]
    with start_run(experiment="e") as run:
        for data, *_ in everything:
            run.log_dataset(data)
    found = get_run(run.id).datasets
    assert [(one.name, one.rows) for one in found] == [(name, rows) for _, name, rows, _ in everything]
    assert [one.source.replace("_array", "_matrix") for one in found] == [source for *_, source in everything]
    assert found[-2].digest == hashlib.sha256(b"a\n1\n").hexdigest()


def test_where_it_came_from_can_be_said(fresh_ledger: Ledger) -> None:
    """In words of one's own, in which secrets are masked."""
    with start_run(experiment="e") as run:
        run.log_dataset(FRAME, "people", source="postgresql://ada:hunter2@db/people")
    (found,) = get_run(run.id).datasets
    assert "hunter2" not in found.source
    assert found.source.startswith("postgresql://")


def test_a_digest_that_is_known_already_is_recorded(fresh_ledger: Ledger) -> None:
    """Such as a data catalogue's, without the data."""
    with start_run(experiment="e") as run:
        run.record_dataset("lake.people", "ab" * 32, rows=7, schema={"age": "int"}, source="lake")
    (found,) = get_run(run.id).datasets
    assert (found.name, found.digest, found.rows, dict(found.schema)) == ("lake.people", "ab" * 32, 7, {"age": "int"})


def test_what_is_no_data_is_refused_and_leaves_nothing(fresh_ledger: Ledger, tmp_path: Path) -> None:
    """At the caller's line, in words."""

    class Odd:
        pass

    wrong: list[tuple[type[LedgerError], str, dict[str, Any]]] = [
        (InvalidValue, "no file or folder", {"data": "s3://lake/people.parquet"}),
        (InvalidValue, "no file or folder", {"data": tmp_path / "gone"}),
        (InvalidValue, "not data that can be described", {"data": 5}),
        (InvalidValue, "column 'a'.*Odd in data has no digest", {"data": pd.DataFrame({"a": [Odd()]})}),
        (InvalidValue, "context", {"data": FRAME, "context": 5}),
        (InvalidValue, "source is text", {"data": FRAME, "source": tmp_path}),
        (InvalidName, "dataset key", {"data": FRAME, "name": "a\nb"}),
        (InvalidName, "dataset key", {"data": FRAME, "name": 5}),
    ]
    with start_run(experiment="e") as run:
        for error, said, given_ in wrong:
            with pytest.raises(error, match=said):
                run.log_dataset(**given_)
    with pytest.raises(RunFinished):
        run.log_dataset(FRAME)
    assert get_run(run.id).datasets == []


def test_links_that_lead_out_of_a_folder_are_refused(tmp_path: Path) -> None:
    """To a file, a folder or nothing; what they lead to can change without the folder. Links within it are fine."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "x").write_text("x")
    data = tmp_path / "data"
    (data / "sub").mkdir(parents=True)
    (data / "a.txt").write_text("a")
    (data / "sub" / "again.txt").symlink_to("../a.txt")
    (data / "here").symlink_to("sub")
    assert describe(data, name="d").schema == {"bytes": 2, "files": 2}
    for target in ("../outside/x", "../outside", "/etc/hostname", "../gone"):
        (data / "out").symlink_to(target)
        with pytest.raises(InvalidValue, match=r"dataset 'd': .*out links to .*, which is outside of"):
            describe(data, name="d")
        (data / "out").unlink()
    (tmp_path / "link").symlink_to(data)
    assert describe(tmp_path / "link", name="d") != describe(data, name="d")
    assert describe(tmp_path / "link", name="d").digest == describe(data, name="d").digest


def test_a_file_that_is_written_to_meanwhile_is_refused(tmp_path: Path) -> None:
    """A digest of half the old and half the new would be of no file that ever was."""
    file, done = tmp_path / "growing.bin", threading.Event()
    file.write_bytes(bytes(32 << 20))

    def write() -> None:
        with file.open("ab") as sink:
            while not done.is_set():
                sink.write(b"more")
                sink.flush()

    def read() -> None:
        for _ in range(1000):
            describe(file, name="d")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with pytest.raises(InvalidValue, match=r"dataset 'd': .*growing\.bin was written to while it was read"):
            read()
    finally:
        done.set()
        writer.join()
