"""Floor 3. A page of runs with the columns that somebody looks at, and nothing else that the runs have."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prefect_ledger.database import rows
from prefect_ledger.errors import InvalidFilter
from prefect_ledger.expressions import Operand, Order, parse_order
from prefect_ledger.queries import details, search
from prefect_ledger.queries.columns import RunColumns
from prefect_ledger.queries.details import NAN, RunFields
from prefect_ledger.queries.filters import Sql
from prefect_ledger.queries.search import listed

if TYPE_CHECKING:
    import sqlalchemy as sa

MOST_COLUMNS = 200
AMONG = {"sqlite": "IN (SELECT value FROM json_each(?))", "postgresql": "= ANY(?)"}
_BELOW = "SELECT parent_id, COUNT(*) FROM runs WHERE parent_id {among}{alive} GROUP BY parent_id"

_CHILDREN = "FROM runs c JOIN metrics m ON m.run_id = c.id AND m.key = ? AND m.attempt = c.attempt WHERE c.parent_id {among}{alive}"
_LATEST = f"""SELECT x.parent_id, x.value FROM (SELECT c.parent_id, m.{{column}} AS value, ROW_NUMBER() OVER
 (PARTITION BY c.parent_id ORDER BY c.started IS NULL, c.started DESC, c.id) AS place {_CHILDREN} AND m.{{column}} IS NOT NULL) x
 WHERE x.place = 1"""
_SUMMED = f"SELECT c.parent_id, {{column}} {_CHILDREN} AND {{inner}} IS NOT NULL GROUP BY c.parent_id"
_GATHERED = {
    "last": _LATEST.replace("{column}", "lv"),
    "first": _LATEST.replace("{column}", "fv"),
    **{
        name: _SUMMED.replace("{column}", f"{call}({inner})").replace("{inner}", inner)
        for name, call, inner in (("max", "MAX", "m.vmax"), ("min", "MIN", "m.vmin"), ("mean", "AVG", "m.mean"), ("count", "SUM", "m.n"))
    },
}


@dataclass(frozen=True, slots=True)
class Cells:
    """Runs in order, and beside each what was asked of it.

    ``values`` has for each column, as it was named, one value a run: a number (NaN where it is), a text, None where it is missing. Times
    are microseconds since 1970. ``below``: how many runs each has right below it. ``next_page`` leads to those that follow.
    """

    runs: list[RunFields]
    below: list[int]
    values: dict[str, list[Any]]
    next_page: str | None


def read_columns(names: Iterable[str]) -> dict[str, Operand]:
    """What columns mean that are named as a filter names them: ``params.depth``, ``max(metrics.auc)``, ``user_id``.

    Raises:
        InvalidFilter: one does not read so, or there are more than 200.
    """
    found = {name: _operand(name) for name in dict.fromkeys(names)}
    if len(found) > MOST_COLUMNS:
        raise InvalidFilter(f"{len(found)} columns, at most {MOST_COLUMNS} are shown")
    return found


def read(tx: sa.Connection, columns: dict[str, Operand], ids: Sequence[str], lifecycle: search.Lifecycle, next_page: str | None) -> Cells:
    """The cells of these runs, in their order; a run that is gone meanwhile is left out."""
    fields = details.fields(tx, ids)
    ids = [one.id for one in fields]
    counts = below(tx, ids, lifecycle)
    return Cells(fields, [counts.get(run, 0) for run in ids], _values(tx, columns, ids), next_page)


def below(tx: sa.Connection, ids: Sequence[str], lifecycle: search.Lifecycle) -> dict[str, int]:
    """How many runs stand right below each of these; those with none are left out."""
    alive = "" if lifecycle == "all" else " AND lifecycle = ?"
    text = _BELOW.format(among=AMONG[tx.dialect.name], alive=alive)
    return {run: int(count) for run, count in rows(tx, text, [one_parameter(tx, ids), *([lifecycle] if alive else [])])}


def gathered(
    tx: sa.Connection, columns: Mapping[str, Operand], parents: Sequence[str], lifecycle: search.Lifecycle
) -> dict[str, dict[str, float]]:
    """What the runs right below each of these come to in columns of metrics: by column, then by the id of the run above.

    ``max`` is the greatest of theirs, ``min`` the least, ``count`` the sum, ``mean`` the mean of their means; ``last`` and ``first`` are
    those of the run that started last. NaN and what is missing take no part.
    """
    alive = Sql("") if lifecycle == "all" else Sql(" AND c.lifecycle = ?", (lifecycle,))
    found: dict[str, dict[str, float]] = {}
    for name, operand in columns.items():
        if operand.kind == "metric":
            text = _GATHERED[operand.aggregate].format(among=AMONG[tx.dialect.name], alive=alive.text)
            values = rows(tx, text, [operand.key, one_parameter(tx, parents), *alive.params])
            found[name] = {run: float(value) for run, value in values}
    return found


def one_parameter(tx: sa.Connection, ids: Sequence[str]) -> Any:
    """Any number of texts as the one parameter that ``AMONG`` has."""
    return list(ids) if tx.dialect.name == "postgresql" else json.dumps(list(ids))


def _values(tx: sa.Connection, columns: dict[str, Operand], ids: Sequence[str]) -> dict[str, list[Any]]:
    if not columns:
        return {}
    asked = RunColumns()
    found = [asked.column(operand, textual=True) for operand in columns.values()]
    select = listed([part for column in found for part in ([column.value] if column.nan is None else [column.value, column.nan])], ", ")
    text = f"SELECT r.id, {select.text} FROM runs r{asked.joins.text} WHERE r.id {AMONG[tx.dialect.name]}"
    by_id = {row[0]: row[1:] for row in rows(tx, text, [*select.params, *asked.joins.params, one_parameter(tx, ids)])}
    values: dict[str, list[Any]] = {}
    at = 0
    for name, column in zip(columns, found, strict=True):
        values[name] = [_value(by_id.get(run), at, nan=column.nan is not None) for run in ids]
        at += 1 if column.nan is None else 2
    return values


def _value(row: Any, at: int, *, nan: bool) -> Any:
    if row is None:
        return None
    return NAN if row[at] is None and nan and row[at + 1] == 1 else row[at]


def _operand(name: str) -> Operand:
    match parse_order([name]):
        case [Order(operand, descending=False)]:
            return operand
    raise InvalidFilter("a column is one name: params.<key>, metrics.<key>, max(metrics.<key>), tags.<key> or an attribute", text=name)
