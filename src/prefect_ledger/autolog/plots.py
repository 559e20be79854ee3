"""Floor 5. Figures of how an estimator does; without pyplot, so that no window system is asked and no global state is kept."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from prefect_ledger.autolog.scores import Answers

_MOST = 20  # classes that one figure can show
_DOTS = 5_000


def drawable() -> bool:
    """Whether matplotlib is installed."""
    return importlib.util.find_spec("matplotlib") is not None


def figures(answers: Answers) -> Iterator[tuple[str, Figure]]:
    """The figures for these answers, with their names."""
    y, classes = answers.y, answers.classes
    if y is None or y.ndim != 1 or not len(y):
        return
    if answers.kind == "regressor":
        yield "residuals", residuals(y, answers.predicted)
    if answers.kind != "classifier" or classes is None or not 2 <= len(classes) <= _MOST:
        return
    yield "confusion_matrix", confusion(y, answers.predicted, classes)
    if answers.ranks is not None:
        curves = [(name, truth, ranks) for name, truth, ranks in _one_against_all(answers) if 0 < truth.sum() < len(truth)]
        if curves:
            yield "roc", roc(curves)
            yield "precision_recall", precision_recall(curves)


def confusion(y: Any, predicted: Any, classes: Any) -> Figure:
    """How often each class was taken for which."""
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(y, predicted, labels=classes)
    figure, axes = _figure()
    axes.imshow(np.log1p(counts), cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            shade = "white" if count > counts.max() / 4 else "black"
            axes.text(column, row, str(count), ha="center", va="center", color=shade, fontsize=8)
    names = [_short(one) for one in classes]
    places = range(len(names))
    axes.set(xticks=places, yticks=places, xlabel="predicted", ylabel="true")
    axes.set_xticklabels(names, rotation=45 if max(map(len, names)) > 3 else 0)
    axes.set_yticklabels(names)
    return figure


def roc(curves: list[tuple[str, Any, Any]]) -> Figure:
    """True against false positives."""
    from sklearn.metrics import auc, roc_curve

    figure, axes = _figure()
    for name, truth, ranks in curves:
        false, true, _ = roc_curve(truth, ranks)
        axes.plot(false, true, label=f"{name}  {auc(false, true):.4f}")
    axes.plot([0, 1], [0, 1], ":", color="gray")
    axes.set(xlabel="false positive rate", ylabel="true positive rate")
    axes.legend(title="class, area", fontsize=7)
    return figure


def precision_recall(curves: list[tuple[str, Any, Any]]) -> Figure:
    """Precision against recall."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    figure, axes = _figure()
    for name, truth, ranks in curves:
        precision, recall, _ = precision_recall_curve(truth, ranks)
        axes.step(recall, precision, where="post", label=f"{name}  {average_precision_score(truth, ranks):.4f}")
    axes.set(xlabel="recall", ylabel="precision")
    axes.legend(title="class, average precision", fontsize=7)
    return figure


def residuals(y: Any, predicted: Any) -> Figure:
    """What was predicted, and how far from it the truth was."""
    some = slice(None, None, max(1, -(-len(y) // _DOTS)))
    figure, axes = _figure()
    axes.scatter(predicted[some], (y - predicted)[some], s=8, alpha=0.5)
    axes.axhline(0, color="gray", linestyle=":")
    axes.set(xlabel="predicted", ylabel="true - predicted")
    return figure


def bars(values: dict[str, float], label: str) -> Figure:
    """The greatest of ``values`` as bars."""
    first = list(values.items())[:_MOST][::-1]
    figure, axes = _figure()
    axes.barh([_short(name) for name, _ in first], [value for _, value in first])
    axes.set(xlabel=label)
    return figure


def _one_against_all(answers: Answers) -> Iterator[tuple[str, Any, Any]]:
    if answers.ranks.ndim == 1:
        yield _short(answers.classes[1]), answers.y == answers.classes[1], answers.ranks
    elif answers.ranks.shape[1] == len(answers.classes):
        for number, name in enumerate(answers.classes):
            yield _short(name), answers.y == name, answers.ranks[:, number]


def _figure() -> tuple[Figure, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 4.5), dpi=80)
    return figure, figure.subplots()


def _short(name: object) -> str:
    text = str(name).replace("$", r"\$")
    return text if len(text) <= 24 else f"{text[:23]}…"
