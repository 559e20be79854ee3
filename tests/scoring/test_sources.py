"""Every form of source gives the same rows in the same order, and says what is wrong with it in terms of what its owner can change."""

from __future__ import annotations

import sqlite3
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from prefect_ledger import get_run, score
from prefect_ledger.entities import LoggedModel
from prefect_ledger.errors import InvalidValue, MissingExtra, SignatureMismatch
from prefect_ledger.scoring import files
from prefect_ledger.scoring.sources import cut, source
from prefect_ledger.tracking.datasets import describe
from tests.scoring.conftest import customers, written

KINDS = ("parquet", "folder", "csv", "gzip", "sqlite")


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_gives_every_row_its_answer(kind: str, model: LoggedModel, expected: pd.DataFrame, tmp_path: Path) -> None:
    """Files, folders and queries, in chunks that divide nothing evenly: each id stands beside the answer to its own row, in order."""
    place, query = written(kind, tmp_path / "in", customers())
    done = score(model.uri, place, str(tmp_path / "out.parquet"), query=query, chunk_rows=170)
    pd.testing.assert_frame_equal(pd.read_parquet(done.output), expected)
    assert done.rows == 1_000
    (data,) = [one for one in get_run(done.run_id).datasets if one.context == "source"]
    assert (data.rows, data.digest, set(data.schema)) == (1_000, done.digest, set(customers().columns))
    if query is None:
        assert done.digest == describe(place, name="again").digest  # as whoever logs the same file as a dataset says it


def test_postgresql_gives_every_row_its_answer(model: LoggedModel, expected: pd.DataFrame, postgres_url: str, tmp_path: Path) -> None:
    """A query on PostgreSQL, with numerics, dates, UUIDs and a column of nothing but NULL; its password is told to nobody."""
    engine = sa.create_engine(postgres_url)
    with engine.begin() as conn:
        customers().to_sql("customers", conn, index=False)
    engine.dispose()
    query = (
        "SELECT customer_id, age::numeric(20, 12) AS age, income, visits, NULL::text AS empty_key,"
        " gen_random_uuid() AS uuid, DATE '2026-01-01' + visits::int AS day_key FROM customers WHERE city LIKE '%' ORDER BY 1"
    )
    done = score(model.uri, postgres_url, str(tmp_path / "out.parquet"), query=query)
    found = pd.read_parquet(done.output)
    pd.testing.assert_frame_equal(found[["customer_id", "prediction"]], expected)
    assert found["empty_key"].isna().all()
    assert found["uuid"].str.len().eq(36).all()
    password = sa.make_url(postgres_url).password
    said = get_run(done.run_id)
    assert password is None or all(password not in text for text in (*said.params.values(), *(one.source for one in said.datasets)))


def test_a_query_cannot_write(model: LoggedModel, tmp_path: Path, postgres_url: str) -> None:
    """Whoever scores changes nothing in the database: neither file nor server lets the query."""
    place, _ = written("sqlite", tmp_path / "in", customers(10))
    for url, query, said in (
        (place, "DELETE FROM customers", "readonly"),
        (postgres_url, "SELECT lo_create(0)", "read-only"),
    ):
        with pytest.raises(InvalidValue, match=said):
            score(model.uri, url, str(tmp_path / "out.parquet"), query=query)
    with sqlite3.connect(tmp_path / "in" / "shop.db") as database:
        assert database.execute("SELECT count(*) FROM customers").fetchone() == (10,)
    database.close()


@pytest.mark.parametrize("query", ["ATTACH DATABASE 'new.db' AS other", "VACUUM INTO 'new.db'"])
def test_a_query_makes_no_file(query: str, model: LoggedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite would open, and so make, other files, also where its own is read only: a query is refused that asks for one."""
    monkeypatch.chdir(tmp_path)
    place, _ = written("sqlite", tmp_path / "in", customers(10))
    with pytest.raises(InvalidValue, match="authoriz"):
        score(model.uri, place, "out.parquet", query=query)
    assert not Path("new.db").exists()


def test_the_digest_of_a_query_is_of_its_rows(model: LoggedModel, tmp_path: Path) -> None:
    """The same rows have the same digest in chunks of any size; other rows have another."""
    place, query = written("sqlite", tmp_path / "in", customers())
    out = str(tmp_path / "out.parquet")
    digests = {score(model.uri, place, out, query=query, chunk_rows=rows, overwrite=True).digest for rows in (99, 1_000)}
    assert len(digests) == 1
    assert score(model.uri, place, out, query=f"{query} LIMIT 999", overwrite=True).digest not in digests


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (None, r"there is no file or folder"),
        (lambda path: path.write_text(""), r"is empty: there is nothing to score"),
        (lambda path: path.write_text("age,income,visits\n"), r"has no rows: there is nothing to score"),
        (lambda path: path.write_text("age,income,visits\n1,2,3\n4,5\n"), r"Row #3: Expected 3 columns, got 2"),
        (lambda path: path.write_text("age,income,visits\n1,2,3\n4,5,many\n"), r"column #2.*Row #3.*invalid value 'many'"),
        (lambda path: path.write_text("age,age,visits\n1,2,3\n"), r"two columns of one name"),
        (lambda path: path.write_bytes(b"age,income,visits\n1,2,\xff\xfe\n"), r"cannot be read"),
        (lambda path: path.mkdir(), r"holds no file that ends in"),
    ],
)
def test_a_source_that_cannot_be_scored_says_why(make: object, said: str, model: LoggedModel, tmp_path: Path) -> None:
    """Missing, empty or broken sources are refused by the place and the row, and leave no output behind."""
    place = tmp_path / "in.csv"
    if callable(make):
        make(place)
    with pytest.raises(InvalidValue, match=f"(?s){said}"):
        score(model.uri, str(place), str(tmp_path / "out.parquet"))
    assert [one.name for one in tmp_path.iterdir() if "out" in one.name] == []


def test_an_empty_or_broken_parquet_file_is_refused(model: LoggedModel, tmp_path: Path) -> None:
    """No rows, or bytes that are no Parquet: said before a run begins."""
    customers(0).to_parquet(tmp_path / "empty.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 nothing")
    for name, said in (("empty", "has no rows"), ("broken", "cannot be read")):
        with pytest.raises(InvalidValue, match=said):
            score(model.uri, str(tmp_path / f"{name}.parquet"), str(tmp_path / "out.parquet"))


def test_files_of_a_folder_must_be_alike(model: LoggedModel, tmp_path: Path) -> None:
    """A later file without a column of the first one is named, and so is the column."""
    place, _ = written("folder", tmp_path / "in", customers())
    pq.write_table(pa.table({"customer_id": [1], "age": [1.0]}), Path(place) / "z.parquet")
    with pytest.raises(InvalidValue, match=r"z\.parquet lacks the column 'income', which a\.parquet has"):
        score(model.uri, place, str(tmp_path / "out.parquet"))


def test_sqlite_columns_of_two_types_are_refused_by_name(model: LoggedModel, tmp_path: Path) -> None:
    """SQLite keeps text among numbers; the column and the rows are said, and how the query makes it one type."""
    place, query = written("sqlite", tmp_path / "in", customers(10))
    with sqlite3.connect(tmp_path / "in" / "shop.db") as database:
        database.execute("UPDATE customers SET income = 'much' WHERE customer_id = 9")
    database.close()
    with pytest.raises(InvalidValue, match=r"column 'income' of the query, rows 0 to 9: .*CAST\(income AS DOUBLE PRECISION\)"):
        score(model.uri, place, str(tmp_path / "out.parquet"), query=query)


@pytest.mark.parametrize(
    ("place", "query", "said"),
    [
        ("sqlite:///shop.db", None, "say what to read from it"),
        ("sqlite:///none.db", "SELECT 1", "there is no SQLite file none.db"),
        ("customers.csv", "SELECT 1", "is no database that takes a query"),
        ("s3://bucket/customers.parquet", None, "copy it here first"),
        ("postgresql://user:hunter2@127.0.0.1:1/none", "SELECT 1", r"postgresql://user:\*+@127.0.0.1:1/none does not answer"),
    ],
)
def test_places_that_are_no_source_are_refused(
    place: str, query: str | None, said: str, model: LoggedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is meant by a place is told by its form; a password in it is not repeated."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidValue, match=said) as found:
        score(model.uri, place, str(tmp_path / "out.parquet"), query=query)
    assert "hunter2" not in str(found.value)


def test_what_is_not_installed_is_named(model: LoggedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pyarrow, the extra that brings it is said."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtra, match=r"prefect-ledger\[data\]"):
        score(model.uri, "customers.csv", str(tmp_path / "out.parquet"))


def test_types_of_text_are_those_of_the_signature(model: LoggedModel, tmp_path: Path) -> None:
    """Whole numbers in a CSV file are doubles where the model wants doubles, also when only later rows have a point."""
    rows = "".join(f"{n},{30 + n % 3},{n % 7},1\n" for n in range(50)) + "50,30.5,2.25,3\n"
    (tmp_path / "in.csv").write_text(f"id,age,income,visits\n{rows}")
    assert score(model.uri, str(tmp_path / "in.csv"), str(tmp_path / "out.parquet"), chunk_rows=10).rows == 51


def test_line_breaks_within_quotes_are_no_ends_of_rows(
    model: LoggedModel, expected: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A text of a CSV file may have commas, quotes and line breaks, wherever the pieces end that are read at once."""
    monkeypatch.setattr(files, "_BLOCK", 300)
    place, _ = written("csv", tmp_path / "in", customers())
    done = score(model.uri, place, str(tmp_path / "out.parquet"), keep=["customer_id", "city"])
    found = pd.read_parquet(done.output)
    pd.testing.assert_frame_equal(found[["customer_id", "prediction"]], expected)
    assert found["city"].tolist() == customers()["city"].tolist()


def test_a_missing_column_is_named_before_anything_is_read(model: LoggedModel, tmp_path: Path) -> None:
    """The signature's column that the source lacks is said, beside those that are called alike."""
    customers(5).rename(columns={"income": "incom"}).to_csv(tmp_path / "in.csv", index=False)
    with pytest.raises(SignatureMismatch, match=r"lacks the column 'income'.*it has 'incom'") as found:
        score(model.uri, str(tmp_path / "in.csv"), str(tmp_path / "out.parquet"))
    assert found.value.field == "income"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), max_size=12), st.integers(1, 10))
def test_cut_keeps_every_row_once_and_in_order(sizes: list[int], rows: int) -> None:
    """However tables come, they are cut into tables of the wanted size, the last one smaller, with the same rows in the same order."""
    numbers = iter(range(1_000))
    tables = [pa.table({"n": pa.array([next(numbers) for _ in range(size)], pa.int64())}) for size in sizes]
    found = [table["n"].to_pylist() for table in cut(iter(tables), rows)]
    assert [n for part in found for n in part] == list(range(sum(sizes)))
    assert all(len(part) == rows for part in found[:-1])
    assert all(0 < len(part) <= rows for part in found)


def test_parts_of_parquet_cover_it(tmp_path: Path) -> None:
    """Row groups are put together into parts of about the wanted size: each group in one part, each part knows where it begins."""
    place, _ = written("parquet", tmp_path / "in", customers())  # row groups of 300, 300, 300 and 100
    parts = source(place).parts(650)
    assert [(part.groups, part.rows, part.start) for part in parts] == [((0, 1), 600, 0), ((2, 3), 400, 600)]
