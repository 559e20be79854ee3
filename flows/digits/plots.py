"""Figures of a classifier; without pyplot, so that no window system is asked and no global state is kept."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from .data import CLASSES


def confusion(labels: NDArray[Any], predicted: NDArray[Any], title: str) -> Figure:
    """How often each digit was taken for which."""
    counts = np.zeros((len(CLASSES), len(CLASSES)), int)
    np.add.at(counts, (labels, predicted), 1)
    figure = Figure(figsize=(4.5, 4.5), dpi=80)
    axes = figure.subplots()
    axes.imshow(np.log1p(counts), cmap="Blues")
    for row, column in zip(*np.nonzero(counts), strict=True):
        shade = "white" if row == column else "black"
        axes.text(column, row, str(counts[row, column]), ha="center", va="center", color=shade, fontsize=8)
    axes.set(xticks=CLASSES, yticks=CLASSES, xlabel="predicted", ylabel="true", title=title)
    return figure


def roc(labels: NDArray[Any], probabilities: NDArray[Any]) -> Figure:
    """One curve for each digit against all others."""
    from sklearn.metrics import auc, roc_curve

    figure = Figure(figsize=(4.5, 4.5), dpi=80)
    axes = figure.subplots()
    for digit in CLASSES:
        false, true, _ = roc_curve(labels == digit, probabilities[:, digit])
        axes.plot(false, true, label=f"{digit}  {auc(false, true):.4f}")
    axes.set(xlabel="false positives", ylabel="true positives", title="ROC, one against all", xlim=(-0.01, 0.2))
    axes.legend(title="digit, AUC", fontsize=7)
    return figure
