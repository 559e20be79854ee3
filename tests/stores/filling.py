"""Stores filled with rows in bulk, as the recorder leaves them, without any run that logged them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import sqlalchemy as sa

from prefect_ledger.database import Database, execute
from prefect_ledger.expressions import number_of
from prefect_ledger.summaries import SUMMARY_COLUMNS

TABLES = ("runs", "params", "metrics", "tags", "datasets", "dataset_uses", "experiment_tags", "attempts", "series", "chunks", "notes")
BASE = 1_750_000_000_000_000  # a moment in 2025, in microseconds


@dataclass(frozen=True)
class Points:
    """What a metric came to: its values in order of step."""

    values: tuple[float, ...]

    @property
    def row(self) -> tuple[Any, ...]:
        """The summary, in the order of ``SUMMARY_COLUMNS``."""
        real = [v for v in self.values if not math.isnan(v)]
        finite = [v for v in real if math.isfinite(v)]
        first, last = self.values[0], self.values[-1]
        low, high = (min(real), max(real)) if real else (None, None)
        mean = float(sum(map(Fraction, finite)) / len(finite)) if finite else None
        return (
            *(len(self.values), len(self.values) - len(real), len(finite), mean),
            *(low, None if low is None else self.values.index(low), high, None if high is None else self.values.index(high)),
            *(0, BASE, None if math.isnan(first) else first),
            *(len(self.values) - 1, BASE, None if math.isnan(last) else last),
            *(int(math.isnan(first)), int(math.isnan(last))),
        )


@dataclass(frozen=True)
class Filled:
    """One run and what it has. ``params`` and ``metrics`` of another attempt than ``attempt`` must not be seen."""

    id: str
    experiment: int | None = 0
    name: str = ""
    status: str = "COMPLETED"
    attempt: int = 1
    user: str = ""
    parent: str | None = None
    uri: str | None = None
    started: int | None = BASE
    ended: int | None = None
    lifecycle: str = "active"
    description: str = ""
    params: Mapping[str, str] = field(default_factory=dict)
    metrics: Mapping[str, Points] = field(default_factory=dict)
    tags: Mapping[str, str | None] = field(default_factory=dict)
    datasets: Sequence[tuple[str, str, str]] = ()
    stale_params: Mapping[str, str] = field(default_factory=dict)
    stale_metrics: Mapping[str, Points] = field(default_factory=dict)


def fill(database: Database, runs: Iterable[Filled], experiments: Mapping[int, str] | None = None) -> None:
    """Add rows for runs, and for experiments."""
    with database.write() as tx:
        add(tx, list(runs), experiments or {})


def add(tx: sa.Connection, runs: Sequence[Filled], experiments: Mapping[int, str]) -> None:
    """As :func:`fill`, in an open transaction."""
    _insert(tx, "experiments", "id, name, created, updated", [(number, name, BASE, BASE) for number, name in experiments.items()])
    _insert(
        tx,
        "runs",
        "id, experiment_id, name, status, attempt, user_id, parent_id, artifact_uri, started, ended, lifecycle, description",
        [
            (r.id, r.experiment, r.name, r.status, r.attempt, r.user, r.parent, r.uri, r.started, r.ended, r.lifecycle, r.description)
            for r in runs
        ],
    )
    of_attempts = [(r, r.attempt, r.params, r.metrics) for r in runs]
    of_attempts += [(r, r.attempt - 1, r.stale_params, {k: v for k, v in r.stale_metrics.items() if k not in r.metrics}) for r in runs]
    _insert(
        tx,
        "params",
        "run_id, key, attempt, value, number",
        [(r.id, key, attempt, value, number_of(value)) for r, attempt, params, _ in of_attempts for key, value in params.items()],
    )
    _insert(
        tx,
        "metrics",
        f"run_id, key, attempt, {', '.join(SUMMARY_COLUMNS)}",
        [(r.id, key, attempt, *points.row) for r, attempt, _, metrics in of_attempts for key, points in metrics.items()],
    )
    _insert(tx, "tags", "run_id, key, value, at", [(r.id, key, value, BASE) for r in runs for key, value in r.tags.items()])
    uses = [(r, *use) for r in runs for use in r.datasets]
    _insert(tx, "datasets", "name, digest", sorted({(name, digest) for _, name, digest, _ in uses}))
    _insert(tx, "dataset_uses", "run_id, name, digest, context, attempt, at", [(r.id, *use, r.attempt, BASE) for r, *use in uses])


def clear(database: Database) -> None:
    """Empty the store again, but for "Default"."""
    with database.write() as tx:
        for table in TABLES:
            execute(tx, f"DELETE FROM {table}")
        execute(tx, "DELETE FROM experiments WHERE id <> 0")


def _insert(tx: sa.Connection, table: str, columns: str, rows: Sequence[Sequence[Any]]) -> None:
    width = columns.count(",") + 1
    one = f"({', '.join('?' * width)})"
    for low in range(0, len(rows), 500):
        part = rows[low : low + 500]
        text = f"INSERT INTO {table} ({columns}) VALUES {', '.join([one] * len(part))} ON CONFLICT DO NOTHING"
        execute(tx, text, list(itertools.chain.from_iterable(part)))
