"""Floor 3. Where a search begins: which few runs are looked at first, so that its cost follows what it finds, not what there is.

A database guesses how many rows ``metrics.loss < 0.1`` leaves, for every key alike, and the price of a wrong guess is a lookup for each of
100,000 runs. So here the rows are counted, up to a bound. A rare condition narrows the search to its runs. Otherwise the runs that stand
first in the order are looked at: where they fill the page, no other run can be on it. A start only narrows; the whole filter holds anyway.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from prefect_ledger.database import execute, rows
from prefect_ledger.expressions import And, Comparison, NaN, Node, Null, Operand, number_of
from prefect_ledger.queries.filters import Sql
from prefect_ledger.queries.page import Place

if TYPE_CHECKING:
    import sqlalchemy as sa

Rows: TypeAlias = list[tuple[Any, ...]]


class Bounds(NamedTuple):
    """So many runs are looked at without further thought; at the first look (or so many for each row of the page); at the second."""

    rare: int = 1_500
    some: int = 5_000
    each: int = 4
    many: int = 40_000  # beyond, the database's own plan is as good


BOUNDS = Bounds()
_MOST_COUNTED = 12
_LOOKUPS = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "max_parallel_workers_per_gather": "0",
}
_TABLES = {"metric": "metrics", "param": "params", "tag": "tags"}
_INDEXED = {"run_id": "id", "parent_run_id": "parent_id", "status": "status"}
_RANGE = ("=", "<", "<=", ">", ">=", "IN")


class Start(NamedTuple):
    """What narrows a search: a query for ids; or a bound (sign and value) of what is ordered by, which an index has in that order."""

    ids: Sql | None = None
    bound: tuple[str, float] | None = None


class Walk(NamedTuple):
    """Runs in the order of an index over ``value``, those that have one."""

    value: str
    source: Sql
    descending: bool

    def edge(self, count: int) -> Sql:
        """The value of the run that ``count`` others stand before; NULL where there are no more."""
        order = f" ORDER BY {self.value}{' DESC' if self.descending else ''} LIMIT 1 OFFSET ?"
        return Sql(f"SELECT {self.value} FROM {self.source.text}{order}", (*self.source.params, count))

    def before(self, edge: float | None) -> Start:
        """The runs before the edge; where there is none, all that have a value."""
        sign = ">" if self.descending else "<"
        if edge is None:
            return Start(bound=(f"{sign}=", -math.inf if self.descending else math.inf))
        return Start(bound=(sign, edge))


@contextlib.contextmanager
def few_rows(tx: sa.Connection) -> Iterator[None]:
    """Tell PostgreSQL, which cannot know, that looking runs up one by one, in the order of an index, is cheapest here."""
    if tx.dialect.name != "postgresql":
        yield
        return
    execute(tx, "; ".join(f"SET LOCAL {name} = {value}" for name, value in _LOOKUPS.items()))
    yield  # after an error the transaction is over, and these settings with it
    execute(tx, "; ".join(f"SET LOCAL {name} TO DEFAULT" for name in _LOOKUPS))


def first_rows(tx: sa.Connection, parts: Sequence[Sql], walk: Walk | None, ask: Callable[[Start], Rows], wanted: int) -> Rows | None:
    """What ``ask`` finds where it is enough to look at few runs; None where all must be searched.

    ``parts`` are queries for ids, each of which has every match; ``wanted`` is how many rows fill the page.
    """
    bounds = BOUNDS
    window = max(bounds.some, bounds.each * wanted)
    rarest, edge = _look(tx, parts, walk, bounds.some, window)
    if rarest.runs < bounds.rare:
        return ask(rarest.start)
    needed = math.inf
    if walk is not None:
        found = ask(walk.before(edge))
        if len(found) >= wanted:
            return found
        if edge is not None and found:
            needed = 1.5 * window * wanted / len(found)
    if rarest.runs < bounds.some:
        return ask(rarest.start)
    rarest, edge = _look(tx, parts, walk if needed < bounds.many else None, bounds.many, int(min(needed, bounds.many)))
    if walk is not None and edge is not None and needed < rarest.runs:
        found = ask(walk.before(edge))
        if len(found) >= wanted:
            return found
    return ask(rarest.start) if rarest.runs < bounds.many else None


class _Rarest(NamedTuple):
    runs: int
    start: Start


def _look(tx: sa.Connection, parts: Sequence[Sql], walk: Walk | None, most: int, window: int) -> tuple[_Rarest, float | None]:
    """The part with the fewest runs, counted up to ``most``, and the edge of the window."""
    counts = [Sql(f"SELECT COUNT(*) FROM ({part.text} LIMIT ?) AS found", (*part.params, most)) for part in parts]
    asked = [*counts, walk.edge(window) if walk is not None else Sql("SELECT NULL")]
    text = ", ".join(f"({one.text})" for one in asked)
    (*found, edge) = rows(tx, f"SELECT {text}", [value for one in asked for value in one.params])[0]
    count, part = min(zip(found, parts, strict=True), key=lambda pair: pair[0], default=(most, Sql("")))
    return _Rarest(count, Start(ids=part)), edge


def narrowing(node: Node | None, experiments: Sequence[int] | None) -> list[Sql]:
    """For each part of a filter that an index can answer: the ids of the runs that satisfy it, and perhaps of some more."""
    found = []
    if experiments:
        found.append(Sql(f"SELECT id FROM runs WHERE experiment_id IN ({', '.join('?' * len(experiments))})", tuple(experiments)))
    found += [part for item in _conjuncts(node) if (part := _ids(item)) is not None]
    return found[:_MOST_COUNTED]


def walk(operand: Operand, *, descending: bool, experiments: Sequence[int] | None, place: Place | None) -> Walk | None:
    """The index that has the runs after ``place`` in the order of ``operand``; None where no index has, or none of them has a value."""
    if operand.kind == "metric" and operand.aggregate == "last":
        found = Walk("lv", Sql("metrics WHERE key = ? AND lv IS NOT NULL", (operand.key,)), descending)
    elif operand.kind == "attribute" and operand.key == "start_time":
        source = Sql("runs WHERE started IS NOT NULL")
        if experiments is not None and len(experiments) == 1:
            source = source.plus(" AND experiment_id = ?", *experiments)
        found = Walk("started", source, descending)
    else:
        return None
    if place is None:
        return found
    value, kind = place[0]
    return None if kind else found._replace(source=found.source.plus(f" AND {found.value} {'<=' if descending else '>='} ?", value))


def _conjuncts(node: Node | None) -> Iterator[Node]:
    if isinstance(node, And):
        for item in node.items:
            yield from _conjuncts(item)
    elif node is not None:
        yield node


def _ids(node: Node) -> Sql | None:
    if not isinstance(node, Comparison | NaN | Null) or (isinstance(node, Null) and not node.negated):
        return None
    operand = node.left
    if operand.kind == "attribute":
        column = _INDEXED.get(operand.key)
        if column is None or not isinstance(node, Comparison) or node.op not in ("=", "IN"):
            return None
        return _within(Sql(f"SELECT id FROM runs WHERE {column}"), node)
    if operand.kind == "dataset":
        if operand.key != "name" or not isinstance(node, Comparison) or node.op not in ("=", "IN"):
            return None
        return _within(Sql("SELECT run_id FROM dataset_uses WHERE name"), node)
    having_key = Sql(f"SELECT run_id FROM {_TABLES[operand.kind]} WHERE key = ?", (operand.key,))
    if not isinstance(node, Comparison) or operand.kind == "tag" or operand.aggregate != "last":
        return having_key
    if operand.kind == "metric" or not node.textual:
        return _within(having_key.plus(" AND lv" if operand.kind == "metric" else " AND number"), node) if node.op in _RANGE else having_key
    numbers = [number_of(str(value)) for value in node.values] if node.op in ("=", "IN") else [None]
    if any(number is None for number in numbers):
        return having_key
    return having_key.plus(f" AND number IN ({', '.join('?' * len(numbers))})", *numbers)  # same text, same number


def _within(start: Sql, node: Comparison) -> Sql:
    if node.op == "IN":
        return start.plus(f" IN ({', '.join('?' * len(node.values))})", *node.values)
    return start.plus(f" {node.op} ?", node.right)
