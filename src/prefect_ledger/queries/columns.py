"""Floor 3. Where a run's metrics, parameters, tags, attributes and datasets are found in SQL.

Every statement about runs reads ``FROM runs r`` and then :attr:`RunColumns.joins`. Only what the last attempt logged counts.
"""

from __future__ import annotations

from prefect_ledger.expressions import Operand
from prefect_ledger.queries.filters import Column, Sql

_METRIC = {  # aggregate: value, NaN flag
    "last": ("lv", "lnan"),
    "first": ("fv", "fnan"),
    "min": ("vmin", None),
    "max": ("vmax", None),
    "mean": ("mean", None),
    "count": ("n", None),
}
_ATTRIBUTES = {
    "run_id": "r.id",
    "run_name": "NULLIF(r.name, '')",
    "user_id": "NULLIF(r.user_id, '')",
    "status": "r.status",
    "start_time": "r.started",
    "end_time": "r.ended",
    "duration": "(CAST(r.ended - r.started AS DOUBLE PRECISION) / 1000000)",
    "artifact_uri": "r.artifact_uri",
    "experiment_id": "r.experiment_id",
    "parent_run_id": "r.parent_id",
    "description": "NULLIF(r.description, '')",
    "attempt": "CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END",
}
_TABLES = {
    "metric": "metrics {a} ON {a}.run_id = r.id AND {a}.key = ? AND {a}.attempt = r.attempt",
    "param": "params {a} ON {a}.run_id = r.id AND {a}.key = ? AND {a}.attempt = r.attempt",
    "tag": "tags {a} ON {a}.run_id = r.id AND {a}.key = ?",
}
_DATASETS = "SELECT 1 FROM dataset_uses d WHERE d.run_id = r.id AND d.attempt = r.attempt"
MOST_JOINS = 40  # SQLite joins 64 tables at most


class RunColumns:
    """The columns one search has asked for so far: the first ``most_joins`` are of joined tables, others are looked up run by run."""

    def __init__(self, most_joins: int = MOST_JOINS) -> None:
        self._most_joins = most_joins
        self._joined: dict[str, tuple[str, Sql]] = {}

    @property
    def joins(self) -> Sql:
        """The joins that the columns given out need."""
        found = Sql("")
        for _, join in self._joined.values():
            found = found.plus(f" LEFT JOIN {join.text}", *join.params)
        return found

    def column(self, operand: Operand, *, textual: bool) -> Column:
        """The column of an operand of a run."""
        if operand.kind == "attribute":
            if operand.key == "experiment":
                return Column(self._of("experiment", "experiments {a} ON {a}.id = r.experiment_id", "name"))
            return Column(Sql(_ATTRIBUTES[operand.key]))
        if operand.kind == "dataset":
            return Column(Sql(f"d.{operand.key}"), among=Sql(_DATASETS))
        name, table = f"{operand.kind}.{operand.key}", _TABLES[operand.kind]
        if operand.kind == "metric":
            value, nan = _METRIC[operand.aggregate]
            return Column(self._of(name, table, value, operand.key), self._of(name, table, nan, operand.key) if nan else None)
        return Column(self._of(name, table, "value" if textual or operand.kind == "tag" else "number", operand.key))

    def _of(self, name: str, table: str, column: str, *params: str) -> Sql:
        if name not in self._joined:
            if len(self._joined) >= self._most_joins:
                source, _, place = table.format(a="x").partition(" ON ")
                return Sql(f"(SELECT x.{column} FROM {source} WHERE {place})", params)
            alias = f"j{len(self._joined)}"
            self._joined[name] = alias, Sql(table.format(a=alias), params)
        return Sql(f"{self._joined[name][0]}.{column}")
