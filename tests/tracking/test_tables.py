"""log_table: rows of whatever library are read back as one table over steps; tables that none could keep are refused in words."""

from __future__ import annotations

import datetime as dt
import decimal
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prefect_ledger import get_run, log_table, open_run, start_run
from prefect_ledger.errors import ArtifactNotFound, InvalidName, InvalidValue, LedgerError, MissingExtra
from prefect_ledger.queries.logged_tables import Part, joined, parsed
from prefect_ledger.tracking.ledger import Ledger
from prefect_ledger.tracking.tabular import to_parquet, to_table

LAW = settings(max_examples=100, deadline=None)
STORED = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
numbers = st.integers(-(1 << 63), (1 << 63) - 1)
cells = {
    "int": numbers,
    "float": st.floats(width=64),
    "text": texts,
    "bool": st.booleans(),
    "bytes": st.binary(max_size=4),
    "time": st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)),  # noqa: DTZ001  # tables have times without zones
    "list": st.lists(numbers, min_size=1, max_size=3),
    "record": st.fixed_dictionaries({"a": numbers, "b": texts}),
}
names = st.sampled_from([*cells, "größe", "a b", "x.y/z"])


@st.composite
def tables(draw: st.DrawFn, rows: int | None = None) -> list[dict[str, Any]]:
    """Rows of a few columns, of which each has one type in every table; some cells are missing, in a column not all."""
    columns = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    count = draw(st.integers(1, 4)) if rows is None else rows
    out: list[dict[str, Any]] = [{} for _ in range(count)]
    for name in columns:
        kind = cells.get(name, numbers)
        for row in out[1:]:
            row[name] = draw(st.none() | kind)
        out[0][name] = draw(kind)
    return out


def same(one: Any, other: Any) -> bool:
    """Equal, where NaN is NaN."""
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (math.isnan(one) and math.isnan(other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def wide(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every row with every column."""
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


@STORED
@given(st.lists(st.tuples(st.integers(-3, 3), tables()), min_size=1, max_size=5))
def test_a_table_comes_back_as_one_over_its_steps(fresh_ledger: Ledger, logged: list[tuple[int, list[dict[str, Any]]]]) -> None:
    """All rows of all calls, by step and then in the order of logging, with every column that any call had; what was missing is null."""
    with start_run(experiment="e") as run:
        for step, rows in logged:
            run.log_table(rows, "words", step=step)
    expected = [{"step": step, **row} for step, rows in sorted(logged, key=lambda one: one[0]) for row in rows]
    found = get_run(run.id).table("words", as_="arrow")
    assert found.column_names[0] == "step"
    assert same(sorted_keys(found.to_pylist()), sorted_keys(wide(expected)))
    for step in {step for step, _ in logged}:
        part = get_run(run.id).table("words", as_="arrow", step=step)
        assert same(sorted_keys(part.to_pylist()), sorted_keys(wide([row for at, rows in logged if at == step for row in rows])))


def sorted_keys(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The order of columns is that of their first call, which the expectation need not know."""
    return [dict(sorted(row.items())) for row in rows]


@LAW
@given(tables())
def test_what_a_table_is_given_as_does_not_matter(rows: list[dict[str, Any]]) -> None:
    """A list of dicts, a dict of columns, arrow's tables and batches, and polars' frames hold the same."""
    full = wide(rows)
    columns = {name: [row[name] for row in full] for name in full[0]}
    expected = to_table(rows, stepped=False)
    for given_ in (columns, expected, expected.to_batches()[0], pl.from_arrow(expected), Stream(expected), pa.table(expected)):
        found = parsed(to_parquet(to_table(given_, stepped=True)))
        assert same(found.to_pylist(), full)


class Stream:
    """A table of a library that nobody here knows, which speaks arrow's language."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


EVERY = pd.DataFrame(
    {
        "int": [1, 2, 3],
        "float": [0.5, np.nan, -np.inf],
        "text": ["x", None, "ü"],
        "time": pd.to_datetime(np.array(["2020", "2021", "NaT"], "M8[ns]")),
        "zoned": pd.to_datetime(["2020", "2021", "2022"]).tz_localize("Europe/Berlin"),
        "delta": pd.to_timedelta(["1 day", None, "2 s"]),
        "category": pd.Categorical(["u", "v", "u"]),
        "nullable": pd.array([1, None, 3], dtype="Int64"),
        "maybe": pd.array([True, None, False], dtype="boolean"),
        "period": pd.period_range("2020", periods=3, freq="M"),
        "decimal": [decimal.Decimal("1.5"), None, decimal.Decimal("2.5")],
        "list": [[1.0], [2.0, 3.0], []],
    }
)


def test_a_frame_comes_back_with_its_types(fresh_ledger: Ledger) -> None:
    """Under a path, under a name, and over steps, where every step has the same columns."""
    with start_run(experiment="e") as run:
        log_table(EVERY, "results/every.parquet")
        log_table(EVERY, "every")
        for step in range(2):
            log_table(EVERY, "steps", step=step)
    found = get_run(run.id)
    lists = EVERY.assign(list=pd.Series([np.array(item) for item in EVERY["list"]]))
    for name in ("results/every.parquet", "every"):
        pd.testing.assert_frame_equal(found.table(name), lists)
    both = pd.concat([lists.assign(step=step) for step in range(2)], ignore_index=True)
    pd.testing.assert_frame_equal(found.table("steps"), both[["step", *EVERY.columns]])
    (one,) = (one for one in found.artifacts if one.path == "results/every.parquet")
    assert (one.kind, dict(one.metadata)) == ("table", {"media": "application/vnd.apache.parquet", "rows": 3, "columns": 12})
    pd.testing.assert_frame_equal(pd.read_parquet(one.uri), lists)


def test_categories_that_differ_from_step_to_step_are_one_column(fresh_ledger: Ledger) -> None:
    """Whatever number each call gave a category, its word is what is read back."""
    with start_run(experiment="e") as run:
        for step, words in enumerate((["a", "b"], ["b", "c"])):
            run.log_table(pd.DataFrame({"w": pd.Categorical(words)}), "same", step=step)
            run.log_table(pd.DataFrame({"w": pd.Categorical(words), f"x{step}": [1, 2]}), "other", step=step)
    for name in ("same", "other"):
        assert list(get_run(run.id).table(name)["w"]) == ["a", "b", "b", "c"]


def test_an_index_that_says_something_becomes_a_column() -> None:
    """One that only counts the rows is left out, as is a name that is a number made text."""
    plain = pd.DataFrame({"a": [1, 2]})
    assert to_table(plain, stepped=False).column_names == ["a"]
    assert to_table(plain.iloc[1:], stepped=False).column_names == ["index", "a"]
    assert to_table(plain.rename_axis("id").set_axis(["x", "y"]), stepped=False).to_pydict() == {"index": ["x", "y"], "a": [1, 2]}
    assert to_table(plain.set_index(pd.MultiIndex.from_tuples([(1, "u"), (2, "v")], names=["n", "t"])), stepped=False).column_names == [
        "n",
        "t",
        "a",
    ]
    assert to_table(pd.Series([1], name="s"), stepped=False).column_names == ["s"]
    assert to_table(pd.DataFrame([[1, 2]]), stepped=False).column_names == ["0", "1"]


def test_a_table_without_steps_grows(fresh_ledger: Ledger) -> None:
    """Each call adds its rows, the same rows too; of a path the last call counts."""
    with start_run(experiment="e") as run:
        for number in (1, 2, 2):
            run.log_table({"n": [number]}, "grows")
            run.log_table({"n": [number]}, "last.parquet")
    found = get_run(run.id)
    assert found.table("grows", as_="arrow").to_pydict() == {"n": [1, 2, 2]}
    assert found.table("last.parquet", as_="arrow").to_pydict() == {"n": [2]}


def test_steps_and_none_are_told_apart(fresh_ledger: Ledger) -> None:
    """Rows without a step come first, with null in its place."""
    with start_run(experiment="e") as run:
        run.log_table({"n": [5]}, "t", step=5)
        run.log_table({"n": [0]}, "t")
    assert get_run(run.id).table("t", as_="arrow").to_pylist() == [{"step": None, "n": 0}, {"step": 5, "n": 5}]


def test_numbers_widen_and_nulls_take_the_others_type(fresh_ledger: Ledger) -> None:
    """A column that was empty or whole at one step may be more at the next."""
    with start_run(experiment="e") as run:
        for step, value in enumerate([None, 1, 0.5, np.float32(2)]):
            run.log_table({"n": [value]}, "t", step=step)
    table = get_run(run.id).table("t", as_="arrow")
    assert (table.schema.field("n").type, table["n"].to_pylist()) == (pa.float64(), [None, 1.0, 0.5, 2.0])


class Odd:
    """Nothing that a table keeps."""


REFUSED: list[tuple[str, Callable[[], Any], str]] = [
    ("an object", lambda: {"a": [1], "b": [Odd()]}, "column 'b' holds a .*Odd, which no table keeps"),
    ("an object in a frame", lambda: pd.DataFrame({"a": [1], "b": [Odd()]}), "column 'b' holds a .*Odd"),
    ("mixed", lambda: {"a": [1, "x"]}, "column 'a' mixes int and str"),
    ("mixed in a frame", lambda: pd.DataFrame({"a": [1, "x"]}), "column 'a' mixes int and str"),
    ("mixed rows", lambda: [{"a": 1}, {"a": "x"}], "column 'a' mixes int and str"),
    ("complex", lambda: {"a": np.array([1j])}, "column 'a' holds a numpy.complex128"),
    ("too large", lambda: {"a": [1 << 70]}, "column 'a' holds a int.*too large"),
    ("half a letter", lambda: {"a": ["\ud800"]}, "column 'a' holds a str.*surrogates"),
    ("an empty record", lambda: {"a": [{}]}, "column 'a' of the type struct<> cannot be kept in Parquet"),
    ("two axes", lambda: {"a": np.zeros((2, 2))}, "column 'a' has 2 dimensions"),
    ("a scalar", lambda: {"a": 1}, r"column 'a' is a int.*\[value\]"),
    ("a text", lambda: {"a": "abc"}, "column 'a' is a str"),
    ("a generator", lambda: {"a": (n for n in [1])}, "column 'a' is a generator"),
    ("lengths", lambda: {"a": [1], "b": [1, 2]}, "different lengths: 'a' 1, 'b' 2"),
    ("twins", lambda: pd.DataFrame([[1, 2]], columns=["a", "a"]), "two columns 'a'"),
    ("twins as text", lambda: {1: [1], "1": [2]}, "two columns '1'"),
    ("twins of arrow", lambda: pa.table([[1], [2]], names=["a", "a"]), "two columns 'a'"),
    ("levels", lambda: pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "one level"),
    ("its index again", lambda: pd.DataFrame({"a": [1]}, index=pd.Index(["x"], name="a")), r"reset_index\(drop=True\)"),
    ("no columns", lambda: pd.DataFrame(index=[1, 2]).reset_index(drop=True), "without columns"),
    ("no rows", list, "without columns"),
    ("lazy", lambda: pl.LazyFrame({"a": [1]}), r"LazyFrame: collect\(\) it first"),
    ("a column alone", lambda: pl.Series([1]), "not a polars"),
    ("a number", lambda: 5, "not a builtins.int"),
    ("rows of lists", lambda: [[1, 2]], "not a builtins.list"),
    ("too many columns", lambda: {str(n): [n] for n in range(10_001)}, "at most 10,000 columns"),
    ("objects of polars", lambda: pl.DataFrame({"a": pl.Series([Odd()], dtype=pl.Object)}), "column 'a' holds a .*Odd"),
    ("its own step", lambda: {"step": [1]}, "column 'step' is where"),
]


@pytest.mark.parametrize("case", [pytest.param((make, said), id=name) for name, make, said in REFUSED])
def test_what_no_table_keeps_is_refused(case: tuple[Callable[[], Any], str]) -> None:
    """In words that name the column and what was found in it."""
    with pytest.raises(InvalidValue, match=case[1]):
        to_parquet(to_table(case[0](), stepped=True))


def test_a_refused_table_leaves_nothing(fresh_ledger: Ledger) -> None:
    """No artifact, and no memory of what its columns were."""
    wrong: list[tuple[type[LedgerError], dict[str, Any]]] = [
        (InvalidValue, {"data": {"a": [Odd()]}, "name": "t"}),
        (InvalidValue, {"data": {"a": ["text"], "b": [{}]}, "name": "t"}),
        (InvalidValue, {"data": {"a": [1]}, "name": "t", "step": 0.5}),
        (InvalidValue, {"data": {"a": [1]}, "name": "t.parquet", "step": 1}),
        (InvalidName, {"data": {"a": [1]}, "name": "t.json"}),
        (InvalidName, {"data": {"a": [1]}, "name": "../t"}),
        (InvalidName, {"data": {"a": [1]}, "name": 5}),
        (InvalidName, {"data": {"a": [1]}, "name": "../t.parquet"}),
    ]
    with start_run(experiment="e") as run:
        for error, given_ in wrong:
            with pytest.raises(error):
                run.log_table(**given_)
        assert get_run(run.id).artifacts == []
        run.log_table({"a": [1]}, "t", step=0)
    assert len(get_run(run.id).artifacts) == 1


def test_a_type_that_changes_is_said_at_the_callers_line(fresh_ledger: Ledger) -> None:
    """By the process that logged the other before; the table stays readable."""
    with start_run(experiment="e") as run:
        run.log_table({"a": [1], "b": [1]}, "t", step=0)
        with pytest.raises(InvalidValue, match="table 't': the column 'a' is string here, and was int64"):
            run.log_table({"a": ["x"]}, "t", step=1)
        run.log_table({"a": ["x"]}, "u", step=1)
    assert get_run(run.id).table("t", as_="arrow").to_pylist() == [{"step": 0, "a": 1, "b": 1}]


def test_a_type_that_another_process_changed_is_said_when_it_is_read(fresh_ledger: Ledger) -> None:
    """Both were kept, and each can be read by its step."""
    with start_run(experiment="e") as run:
        run.log_table({"a": [1]}, "t", step=0)
    other = open_run(run.id)
    other._shared.tables.clear()  # as it is in another process
    other.log_table({"a": ["x"]}, "t", step=1)
    found = get_run(run.id)
    with pytest.raises(InvalidValue, match="the column 'a' is string here, and was int64"):
        found.table("t")
    assert [found.table("t", as_="arrow", step=step)["a"].to_pylist() for step in (0, 1)] == [[1], ["x"]]


def test_what_is_not_there_is_said_with_what_is(fresh_ledger: Ledger) -> None:
    """Another name, another step, another form."""
    with start_run(experiment="e") as run:
        run.log_table({"a": [1]}, "words", step=3)
        run.log_table({"a": [1]}, "last.parquet")
        run.log_text("no table", "note.txt")
    found = get_run(run.id)
    with pytest.raises(ArtifactNotFound, match=r"no table 'word'; it has: 'last\.parquet', 'words'"):
        found.table("word")
    with pytest.raises(ArtifactNotFound, match="nothing of the table 'words' at step 4: it was logged between 3 and 3"):
        found.table("words", step=4)
    with pytest.raises(InvalidValue, match="'pandas' or 'arrow'"):
        found.table("words", as_="polars")  # type: ignore[arg-type]
    with pytest.raises(InvalidName, match="the name of a table is text, not int: 5"):
        found.table(5)  # type: ignore[arg-type]


def test_names_that_look_like_tokens_stay_two(fresh_ledger: Ledger) -> None:
    """Two tables and two series of pictures whose names are hidden elsewhere, for how they look, are two, and found by their names."""
    names = ("sk-learn-gradient-boosting-1", "sk-learn-gradient-boosting-2")
    with start_run(experiment="e") as run:
        for value, name in enumerate(names):
            run.log_table({"a": [value]}, name)
            run.log_image(np.zeros((2, 2)), key=name, step=value)
    found = get_run(run.id)
    assert [found.table(name, as_="arrow")["a"].to_pylist() for name in names] == [[0], [1]]
    assert [[one.step for one in found.images(name)] for name in names] == [[0], [1]]


def test_parts_that_have_a_step_of_their_own_are_read_apart() -> None:
    """What was logged without steps may have such a column, until it is logged by steps as well."""
    own = pa.table({"step": [7]})
    assert joined("t", [Part(None, own)]) == own
    with pytest.raises(InvalidValue, match="has a column 'step' of its own"):
        joined("t", [Part(None, own), Part(1, pa.table({"a": [1]}))])


def test_without_pyarrow_the_extra_is_named(fresh_ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without the extra says how to get it."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with start_run(experiment="e") as run, pytest.raises(MissingExtra, match=r"log_table needs the package 'pyarrow'.*\[data\]"):
        run.log_table({"a": [1]}, "t")


def test_a_file_that_is_called_a_table_and_is_none(fresh_ledger: Ledger) -> None:
    """A Parquet file that somebody logged reads as a table; anything else under such a name says what it is."""
    with start_run(experiment="e") as run:
        run.log_bytes(to_parquet(pa.table({"a": [1]})), "mine.parquet")
        run.log_bytes(b"nothing of the sort", "odd.parquet")
    assert get_run(run.id).table("mine.parquet", as_="arrow").to_pylist() == [{"a": 1}]
    with pytest.raises(InvalidValue, match=r"'odd\.parquet' is no Parquet file"):
        get_run(run.id).table("odd.parquet")


@pytest.mark.parametrize("make", [dict, lambda columns: [dict.fromkeys(columns, 1)]])
def test_a_column_whose_name_is_no_text_for_files_is_refused(make: Callable[[Any], Any]) -> None:
    """A name that no encoding takes, as half a character is, is refused in words, whatever the table is made of."""
    with pytest.raises(InvalidValue, match=r"column '\\udc00'"):
        to_table(make({"\udc00": [1]}), stepped=False)
