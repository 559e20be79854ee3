"""Floor 5. Which features a boosted model uses, as JSON and as a figure."""

from __future__ import annotations

from typing import Any

from prefect_ledger.autolog import plots
from prefect_ledger.autolog.writer import Writer


def log_importance(writer: Writer, scores: dict[str, Any], kind: str, *, draw: bool) -> None:
    """Log ``scores`` of features, the greatest first, as ``importance/<kind>.json`` and ``plots/importance.<kind>.png``."""
    values = {str(name): _number(score) for name, score in scores.items()}
    ordered = dict(sorted(values.items(), key=lambda one: -one[1]))
    if not ordered:
        return
    writer.run.log_dict(ordered, writer.path(f"importance/{kind}.json"))
    if draw and plots.drawable():
        writer.run.log_figure(plots.bars(ordered, kind), writer.path(f"plots/importance.{kind}.png"))


def _number(score: Any) -> float:
    """One number for each feature; a linear model of several classes has one for each class."""
    return float(sum(map(abs, score))) if isinstance(score, list) else float(score)
