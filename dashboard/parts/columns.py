"""Which columns a table of runs has: those that were chosen, else those that tell runs apart."""

from __future__ import annotations

from prefect_ledger.expressions import Null, Operand, unparse
from prefect_ledger.queries.census import Census, Key

MOST_PARAMS, MOST_METRICS, MOST_TAGS = 5, 6, 1
_RARE = 0.05  # of the runs: a key that fewer have stands in no column that nobody chose


def name_of(operand: Operand) -> str:
    """The operand as a filter, an order or the choice of a column writes it.

    Example:
        >>> name_of(Operand("metric", "val auc", "max"))
        'max(metrics.`val auc`)'
    """
    return unparse(Null(operand)).removesuffix(" is null")


def telling(census: Census) -> list[str]:
    """Columns where nobody chose any: parameters, metrics and tags that differ, those that most runs have; training's metrics last."""
    often = [key for key in census.keys if key.runs >= census.runs * _RARE and (not key.same or census.runs == 1)]
    params, metrics, tags = (_of_kind(often, kind) for kind in ("param", "metric", "tag"))
    metrics = sorted(metrics, key=lambda key: "train" in key.operand.key.lower())
    chosen = params[:MOST_PARAMS] + metrics[:MOST_METRICS] + tags[:MOST_TAGS]
    return [name_of(key.operand) for key in chosen]


def _of_kind(keys: list[Key], kind: str) -> list[Key]:
    return [key for key in keys if key.operand.kind == kind]
