"""Searching: what holds for every store, filter, order and page size, on both databases."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from prefect_ledger.database import Database
from prefect_ledger.entities import Run
from prefect_ledger.expressions import And, Comparison, NaN, Node, Not, Null, Operand, Or, Order, evaluate, unparse
from prefect_ledger.queries import Reader, plan
from tests.examples import examples
from tests.services_real.postgres import PostgresServer
from tests.stores.filling import Filled, Points, clear, fill
from tests.stores.questions import EXPERIMENTS, IDS, Answers, micros, nodes, orders, stores

LAW = settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
FEWER = settings(LAW, max_examples=examples(20))
# Few runs are there, so that the ways of a large store are only taken when its bounds are small.
BOUNDS = [
    plan.Bounds(),
    plan.Bounds(0, 1, 0, 3),
    plan.Bounds(0, 2, 1, 6),
    plan.Bounds(2, 4, 0, 8),
    plan.Bounds(0, 0, 0, 0),
    plan.Bounds(0, 1, 0, 99),
    plan.Bounds(0, 2, 1, 9),
    plan.Bounds(0, 0, 2, 99),
    plan.Bounds(0, 2, 0, 9, 99),
]
bounds = st.sampled_from(BOUNDS)


@pytest.fixture(scope="module")
def sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """One store for all examples of this file."""
    folder: Path = tmp_path_factory.mktemp("laws")
    database = Database(f"sqlite:///{folder}/ledger.db")
    yield database
    database.close()


@pytest.fixture(scope="module")
def postgresql(postgres: PostgresServer) -> Iterator[Database]:
    """The same on PostgreSQL."""
    with postgres.schema() as schema:
        database = Database(postgres.url(schema))
        yield database
        database.close()


def refilled(database: Database, runs: Sequence[Filled]) -> Reader:
    """A reader of a store that holds these runs and nothing else."""
    clear(database)
    fill(database, runs, {number: name for number, name in EXPERIMENTS.items() if number})
    return Reader(database)


def searched(reader: Reader, limits: plan.Bounds, **question: Any) -> Any:
    """The answer of a store in which so few runs are many."""
    before, plan.BOUNDS = plan.BOUNDS, limits
    try:
        return reader.search_runs(**question)
    finally:
        plan.BOUNDS = before


def matches(reader: Reader, node: Node | None) -> set[str]:
    """The runs that match in memory."""
    answers = [Answers(run, run.summaries, run.datasets) for run in reader.search_runs(lifecycle="all")]
    return {one.run.id for one in answers if evaluate(node, one) is True}


def law_of_filters(database: Database, runs: Sequence[Filled], node: Node, limits: plan.Bounds) -> None:
    reader = refilled(database, runs)
    found = [run.id for run in searched(reader, limits, filter=unparse(node), lifecycle="all")]
    assert len(found) == len(set(found))
    assert set(found) == matches(reader, node)


NAN_RUN = Filled(IDS[0], metrics={"a": Points((float("nan"),))}, tags={"a": None})
LOSS = Operand("metric", "a")


@LAW
@given(stores, nodes, bounds)
@example((NAN_RUN,), Not(Comparison(LOSS, "<", 1.0)), BOUNDS[0])
@example((NAN_RUN,), Not(Comparison(LOSS, "!=", 1.0)), BOUNDS[0])
@example((NAN_RUN,), Not(Or((Comparison(LOSS, "NOT IN", (1.0,)), Null(LOSS)))), BOUNDS[0])
@example((NAN_RUN,), And((NaN(LOSS), Null(Operand("tag", "a")), Null(Operand("metric", "a", "min")))), BOUNDS[1])
@example((Filled(IDS[1], name="ΑΣ İ"),), Comparison(Operand("attribute", "run_name"), "ILIKE", "ας i̇"), BOUNDS[0])
@pytest.mark.long
def test_sqlite_matches_as_memory_does(sqlite: Database, runs: tuple[Filled, ...], node: Node, limits: plan.Bounds) -> None:
    """A filter finds exactly the runs that it is true of in memory, whatever is missing, NaN or hostile."""
    law_of_filters(sqlite, runs, node, limits)


@FEWER
@given(stores, nodes, bounds)
@pytest.mark.long
def test_postgresql_matches_as_memory_does(postgresql: Database, runs: tuple[Filled, ...], node: Node, limits: plan.Bounds) -> None:
    """The same filter finds the same runs on PostgreSQL."""
    law_of_filters(postgresql, runs, node, limits)


def compared(one: Answers, other: Answers, order: Sequence[Order]) -> int:
    """Which of two runs comes first, said in Python: values, then NaN, then missing, in both directions."""
    for key in order:
        pair = [_sortable(answers.value(key.operand)) for answers in (one, other)]
        if pair[0] != pair[1]:
            (rank, value), (other_rank, other_value) = pair
            if rank != other_rank:
                return -1 if rank < other_rank else 1
            return -1 if (value < other_value) != key.descending else 1
    return 0


def _sortable(value: Any) -> tuple[int, Any]:
    if value is None:
        return 2, 0
    return (1, 0) if isinstance(value, float) and math.isnan(value) else (0, value)


LAST = (Order(Operand("attribute", "start_time"), descending=True), Order(Operand("attribute", "run_id")))


def in_order(runs: Sequence[Run], order: Sequence[Order]) -> list[str]:
    """The ids of these runs, sorted in memory."""
    answers = [Answers(run, run.summaries, []) for run in runs]

    def between(one: Answers, other: Answers) -> int:
        return compared(one, other, (*order, *LAST))

    return [one.run.id for one in sorted(answers, key=functools.cmp_to_key(between))]


def asked(order: Sequence[Order]) -> list[str]:
    """An order as a user writes it."""
    return [_named(key.operand) + (" DESC" if key.descending else "") for key in order]


def _named(operand: Operand) -> str:
    return unparse(Null(operand)).removesuffix(" is null")


def pages(reader: Reader, limits: plan.Bounds, size: int, **question: Any) -> Iterator[list[str]]:
    """The ids of one page after the other."""
    token: str | None = None
    while True:
        page = searched(reader, limits, limit=size, page=token, **question)
        assert len(page) <= size
        yield [run.id for run in page]
        token = page.next_page
        if token is None:
            return


def law_of_pages(
    database: Database, runs: Sequence[Filled], order: Sequence[Order], size: int, limits: plan.Bounds, node: Node | None
) -> None:
    reader = refilled(database, runs)
    question: dict[str, Any] = {"order_by": asked(order), "filter": "" if node is None else unparse(node)}
    expected = in_order(reader.search_runs(filter=question["filter"]), order)
    assert [run.id for run in searched(reader, limits, **question)] == expected
    assert [run for page in pages(reader, limits, size, **question) for run in page] == expected


@LAW
@given(stores, orders, st.integers(1, 5), bounds, st.none() | nodes)
@pytest.mark.long
def test_sqlite_pages_are_the_order_cut_up(
    sqlite: Database, runs: tuple[Filled, ...], order: tuple[Order, ...], size: int, limits: plan.Bounds, node: Node | None
) -> None:
    """Every order is MLflow's (values, NaN, missing; then the latest start, then the id), and its pages together are the whole."""
    law_of_pages(sqlite, runs, order, size, limits, node)


@FEWER
@given(stores, orders, st.integers(1, 5), bounds, st.none() | nodes)
@pytest.mark.long
def test_postgresql_pages_are_the_order_cut_up(
    postgresql: Database, runs: tuple[Filled, ...], order: tuple[Order, ...], size: int, limits: plan.Bounds, node: Node | None
) -> None:
    """The same order and the same pages on PostgreSQL."""
    law_of_pages(postgresql, runs, order, size, limits, node)


def law_of_insertion(database: Database, runs: Sequence[Filled], order: Sequence[Order], size: int, limits: plan.Bounds) -> None:
    first, later = runs[::2], list(runs[1::2])
    reader = refilled(database, first)
    there = {run.id for run in reader.search_runs()}
    seen: list[str] = []
    for page in pages(reader, limits, size, order_by=asked(order)):
        seen += page
        if later:
            fill(database, [later.pop()])
    assert len(seen) == len(set(seen))
    assert there <= set(seen)


@LAW
@given(stores, orders, st.integers(1, 3), bounds)
@pytest.mark.long
def test_sqlite_insertion_between_pages(
    sqlite: Database, runs: tuple[Filled, ...], order: tuple[Order, ...], size: int, limits: plan.Bounds
) -> None:
    """A run that is there from the first page to the last is on exactly one, whatever is inserted between; none is on two."""
    law_of_insertion(sqlite, runs, order, size, limits)


@FEWER
@given(stores, orders, st.integers(1, 3), bounds)
def test_postgresql_insertion_between_pages(
    postgresql: Database, runs: tuple[Filled, ...], order: tuple[Order, ...], size: int, limits: plan.Bounds
) -> None:
    """The same on PostgreSQL."""
    law_of_insertion(postgresql, runs, order, size, limits)


def test_microseconds_are_kept(sqlite: Database) -> None:
    """Times come back to the microsecond, before 1970 too."""
    run = refilled(sqlite, [Filled(IDS[0], started=-1, ended=1_750_000_000_123_457)]).run(IDS[0])
    assert (micros(run.started_at), micros(run.ended_at)) == (-1, 1_750_000_000_123_457)
