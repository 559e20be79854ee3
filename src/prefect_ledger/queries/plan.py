"""Floor 3. Where a search begins: which few runs are looked at first, so that its cost follows what it finds, not what there is.

A database guesses how many rows ``metrics.loss < 0.1`` leaves, for every key alike, and the price of a wrong guess is a lookup for each of
100,000 runs. So here the rows are counted, up to a bound. A rare condition narrows the search to its runs. Otherwise the runs that stand
first in the order are looked at: where they fill the page, no other run can be on it. A start only narrows; the whole filter holds anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from prefect_ledger.database import execute, rows
from prefect_ledger.expressions import And, Comparison, NaN, Node, Null, number_of
from prefect_ledger.queries.filters import Sql
from prefect_ledger.queries.walks import HEAD, METRIC_COLUMNS, Start, Walk

if TYPE_CHECKING:
    import sqlalchemy as sa

Rows: TypeAlias = list[tuple[Any, ...]]


class Bounds(NamedTuple):
    """So many runs are looked at without further thought; in the order of an index; for each row of a page; at a second look.

    And so many times those in the order of an index are read first, as a table that each of them is looked up in.
    """

    rare: int = 1_200
    window: int = 1_200
    each: int = 3
    many: int = 40_000  # beyond, the database's own plan is as good
    table: int = 4  # PostgreSQL alone: SQLite's lookups are as quick as building a table


BOUNDS = Bounds()
_MOST_COUNTED = 12
_SAFETY = 1.5  # a second walk is so much longer than the first one makes it seem necessary
_LOOKUPS = {
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "enable_bitmapscan": "off",
    "enable_sort": "off",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",  # it takes longer than what it is meant for
}
_TABLES = {"metric": "metrics", "param": "params", "tag": "tags"}
_INDEXED = {"run_id": "id", "parent_run_id": "parent_id", "status": "status"}
_RANGE = ("=", "<", "<=", ">", ">=", "IN")


def few_rows(tx: sa.Connection) -> None:
    """Tell PostgreSQL, which cannot know, that looking runs up one by one, in the order of an index, is cheapest in this transaction."""
    if tx.dialect.name == "postgresql":
        execute(tx, "; ".join(f"SET LOCAL {name} = {value}" for name, value in _LOOKUPS.items()))


def many_rows(tx: sa.Connection) -> None:
    """Let PostgreSQL plan as it thinks best again."""
    if tx.dialect.name == "postgresql":
        execute(tx, "; ".join(f"SET LOCAL {name} TO DEFAULT" for name in _LOOKUPS if name != "jit"))


def first_rows(tx: sa.Connection, parts: Sequence[Sql], walk: Walk | None, ask: Callable[[Start], Rows], wanted: int) -> Rows | None:
    """What ``ask`` finds where it is enough to look at few runs; None where all must be searched.

    ``parts`` are queries for ids, each of which has every match; ``wanted`` is how many rows fill the page.
    """
    bounds = BOUNDS
    few = bounds.each * wanted
    window = max(bounds.window, few) if walk is not None and walk.first.indexed else few  # an index's order is left when the page is full
    tables = walk is not None and walk.first.indexed and tx.dialect.name == "postgresql"
    tabled = bounds.table * min(window, bounds.window) if tables else 0
    rarest, edge = _look(tx, parts, walk, max(bounds.rare, tabled), window)
    if rarest.runs < bounds.rare and not (walk is not None and rarest.runs > few and walk.first.begins_with(rarest.start.ids)):
        return ask(rarest.start)
    needed = math.inf
    if walk is not None:
        among = None
        if rarest.runs < tabled and rarest.start.ids is not None and not walk.first.begins_with(rarest.start.ids):
            among = rarest.start.ids.plus(f" LIMIT {tabled}")  # which cuts nothing, but says that the table fits into memory
        found, looked = _walked(tx, walk, lambda start: ask(start._replace(among=among)), edge, (window, few), wanted)
        if len(found) >= wanted:
            return found
        needed = _SAFETY * looked * wanted / len(found) if found else math.inf
    most = bounds.many if needed > bounds.many else int(needed)  # beyond what the walk needs, nothing need be counted
    rarest, edge = _look(tx, parts, walk if needed <= bounds.many else None, most, most)
    if walk is not None and needed <= bounds.many and rarest.runs >= most:
        found, _ = _walked(tx, walk, ask, edge, (most, most), wanted)
        if len(found) >= wanted:
            return found
    return ask(rarest.start) if rarest.runs < most else None


def _walked(
    tx: sa.Connection, walk: Walk, ask: Callable[[Start], Rows], edge: Any, windows: tuple[int, int], wanted: int
) -> tuple[Rows, int]:
    """What stands first in the order, and among how many runs that was found; ``windows``: how far to go in its first key and second."""
    window, few = windows
    found = ask(walk.first.start(edge))
    if len(found) >= wanted or (beyond := walk.beyond(edge, few)) is None:
        return found, window
    before, then = rows(tx, beyond.text, beyond.params)[0]
    many = few if edge is None else min(few, window // 2)  # where no run ties, the window is full of those before the edge
    return (found, window) if before >= many or then is None else (ask(walk.both(edge, then)), few)


class _Rarest(NamedTuple):
    runs: int
    start: Start


def _look(tx: sa.Connection, parts: Sequence[Sql], walk: Walk | None, most: int, window: int) -> tuple[_Rarest, Any]:
    """The part with the fewest runs, counted up to ``most``, and the edge of the window."""
    counts = [Sql(f"SELECT COUNT(*) FROM ({part.text} LIMIT ?) AS found", (*part.params, most)) for part in parts]
    asked = [*counts, walk.first.edge(window) if walk is not None else Sql("SELECT NULL")]
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
    if not isinstance(node, Comparison) or operand.kind == "tag" or node.op not in _RANGE:
        return having_key
    if operand.kind == "metric":
        return _within(having_key.plus(f" AND {METRIC_COLUMNS[operand.aggregate]}"), node)
    return _of_text(having_key, node) if node.textual else _within(having_key.plus(" AND number"), node)


def _of_text(having_key: Sql, node: Comparison) -> Sql:
    """The index has texts by the number they read as, then by their head."""
    if node.op not in ("=", "IN"):
        return having_key
    texts = [str(value) for value in node.values]
    numbers = [number for text in texts if (number := number_of(text)) is not None]
    if not numbers:
        found = having_key.plus(" AND number IS NULL")
    elif len(numbers) == len(texts):
        found = having_key.plus(f" AND number IN ({', '.join('?' * len(numbers))})", *numbers)  # same text, same number
    else:
        return having_key
    return found.plus(f" AND head IN ({', '.join('?' * len(texts))})", *(text[:HEAD] for text in texts))


def _within(start: Sql, node: Comparison) -> Sql:
    if node.op == "IN":
        return start.plus(f" IN ({', '.join('?' * len(node.values))})", *node.values)
    return start.plus(f" {node.op} ?", node.right)
