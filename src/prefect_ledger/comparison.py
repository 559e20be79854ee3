"""Floor 1. Runs beside one another: what they have in common, what differs, and which value is the best. Pure."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from prefect_ledger.entities import Run

Direction = Literal["lower", "higher"]
SECTIONS = ("run", "params", "metrics", "tags", "datasets", "git", "environment", "prefect", "packages")
_LOWER = frozenset(
    "loss losses error err errors rmse mse mae mape smape nll bce crossentropy entropy logloss perplexity ppl wer cer fid brier ece regret"
    " latency seconds secs ms time duration memory size cost deviance misclassified".split()
)
_HIGHER = frozenset(
    "acc accuracy auc auroc roc auprc ap map f1 f2 fbeta precision recall sensitivity specificity score r2 iou dice bleu rouge meteor"
    " kappa mcc ndcg mrr gain reward return throughput likelihood silhouette top1 top5".split()
)


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that runs have: ``values`` in the order of the runs, None where a run lacks it; ``best`` are places in it."""

    section: str
    key: str
    values: tuple[Any, ...]
    best: frozenset[int] = frozenset()
    direction: Direction | None = None

    @property
    def differs(self) -> bool:
        """Whether the runs do not all have the same value."""
        return any(not _same(self.values[0], value) for value in self.values[1:])


def direction(key: str, *, lower: Collection[str] = (), higher: Collection[str] = ()) -> Direction | None:
    """Which way a metric of this name gets better: as told, else guessed by the words in it, the last one first; None: no idea.

    Example:
        >>> direction("val.log_loss"), direction("val/accuracy"), direction("epoch")
        ('lower', 'higher', None)
    """
    if key in lower:
        return "lower"
    if key in higher:
        return "higher"
    for word in reversed(re.findall(r"[a-z]+[0-9]*", re.sub(r"([a-z])([A-Z])", r"\1 \2", key).lower())):
        if word in _LOWER:
            return "lower"
        if word in _HIGHER:
            return "higher"
    return None


def compare(
    runs: Sequence[Run],
    facts: Sequence[Mapping[str, Any]],
    datasets: Sequence[Mapping[str, str]],
    *,
    lower: Collection[str] = (),
    higher: Collection[str] = (),
) -> list[Row]:
    """Every row of every section, in the order of :data:`SECTIONS`, then by key. ``facts`` and ``datasets`` (digests by name) per run."""
    columns: dict[str, list[Mapping[str, Any]]] = {
        "run": [_attributes(run) for run in runs],
        "params": [run.params for run in runs],
        "metrics": [run.metrics for run in runs],
        "tags": [run.tags for run in runs],
        "datasets": list(datasets),
    }
    for section in SECTIONS[5:]:
        columns[section] = [dict(flat(found.get(section, {}))) for found in facts]
    rows = [Row(section, key, values) for section in SECTIONS for key, values in _beside(columns[section], keep=section == "run")]
    return [_judged(row, direction(row.key, lower=lower, higher=higher)) if row.section == "metrics" else row for row in rows]


def _attributes(run: Run) -> dict[str, Any]:
    return {
        "name": run.name,
        "experiment": run.experiment,
        "status": str(run.status),
        "reason": run.status_reason or None,
        "started": run.started_at,
        "duration": run.duration,
        "user": run.user or None,
        "attempt": run.attempt,
        "parent": run.parent_id,
    }


def _beside(columns: Sequence[Mapping[str, Any]], *, keep: bool) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each key with its value in every column; in the columns' own order (``keep``), else by key."""
    keys = list(dict.fromkeys(key for column in columns for key in column))
    for key in keys if keep else sorted(keys):
        yield key, tuple(column.get(key) for column in columns)


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The leaves of nested mappings, named ``a.b``."""
    if not isinstance(value, Mapping):
        if prefix:
            yield prefix, value
        return
    for key, item in value.items():
        yield from flat(item, f"{prefix}.{key}" if prefix else str(key))


def _judged(row: Row, towards: Direction | None) -> Row:
    numbers = [value for value in row.values if value is not None and not math.isnan(value)]
    if towards is None or len(set(numbers)) < 2:
        return row
    best = min(numbers) if towards == "lower" else max(numbers)
    return Row(row.section, row.key, row.values, frozenset(i for i, value in enumerate(row.values) if value == best), towards)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b):
        return True
    return bool(a == b)
