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
    "experiment": "e.name",
    "parent_run_id": "r.parent_id",
    "attempt": "CASE WHEN r.attempt < 1 THEN 1 ELSE r.attempt END",
}
_TABLES = {
    "metric": "metrics {a} ON {a}.run_id = r.id AND {a}.key = ? AND {a}.attempt = r.attempt",
    "param": "params {a} ON {a}.run_id = r.id AND {a}.key = ? AND {a}.attempt = r.attempt",
    "tag": "tags {a} ON {a}.run_id = r.id AND {a}.key = ?",
}
_DATASETS = "SELECT 1 FROM dataset_uses d WHERE d.run_id = r.id AND d.attempt = r.attempt"
_EXPERIMENT = "experiments e ON e.id = r.experiment_id"
_MOST_JOINS = 40  # SQLite joins 64 tables at most; what comes after is asked for one value at a time


class RunColumns:
    """The columns that one search has asked for so far."""

    def __init__(self) -> None:
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
                self._joined.setdefault("experiment", ("e", Sql(_EXPERIMENT)))
            return Column(Sql(_ATTRIBUTES[operand.key]))
        if operand.kind == "dataset":
            return Column(Sql(f"d.{operand.key}"), among=Sql(_DATASETS))
        if operand.kind == "metric":
            value, nan = _METRIC[operand.aggregate]
            return Column(self._of(operand, value), self._of(operand, nan) if nan else None)
        return Column(self._of(operand, "value" if textual or operand.kind == "tag" else "number"))

    def _of(self, operand: Operand, column: str) -> Sql:
        name = f"{operand.kind}.{operand.key}"
        if name not in self._joined:
            table = _TABLES[operand.kind]
            if len(self._joined) >= _MOST_JOINS:
                source, _, place = table.format(a="x").partition(" ON ")
                return Sql(f"(SELECT x.{column} FROM {source} WHERE {place})", (operand.key,))
            alias = f"j{len(self._joined)}"
            self._joined[name] = alias, Sql(table.format(a=alias), (operand.key,))
        return Sql(f"{self._joined[name][0]}.{column}")
