"""Floor 5. How good an estimator is on data, by the kind of problem, under scikit-learn's names of the metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

Scores = Iterator[tuple[str, Callable[[], float]]]
_MOST = 5_000  # points of a silhouette, which compares each with every other


def kind_of(estimator: Any) -> str:
    """ "classifier", "regressor", "clusterer", or "" for what has no metrics here, such as transformers."""
    from sklearn import base

    for kind, asked in (("classifier", base.is_classifier), ("regressor", base.is_regressor), ("clusterer", base.is_clusterer)):
        if asked(estimator):
            return kind
    return ""


class Answers:
    """What an estimator says of ``X``, asked once: labels or values, probabilities or decisions."""

    def __init__(self, estimator: Any, X: Any, y: Any) -> None:  # noqa: N803  # as scikit-learn calls it
        self.kind, self.y = kind_of(estimator), None if y is None else _flat(y)
        self.predicted = _flat(estimator.predict(X))
        self.classes: Any = _classes(estimator) if self.kind == "classifier" else None
        self.probabilities: Any = None
        self.ranks: Any = None  # what orders by how likely: of two classes, for the second alone
        if self.classes is not None and self.y is not None and self.y.ndim == 1:
            self._ask(estimator, X)

    def _ask(self, estimator: Any, X: Any) -> None:  # noqa: N803
        if hasattr(estimator, "predict_proba"):
            self.ranks = self.probabilities = np.asarray(estimator.predict_proba(X))
        elif hasattr(estimator, "decision_function"):
            self.ranks = np.asarray(estimator.decision_function(X))
        if self.ranks is not None and self.ranks.ndim == 2 and self.ranks.shape[1] == 2:
            self.ranks = self.ranks[:, 1]

    def scores(self) -> Scores:
        """The metrics that these answers allow, each to be computed when it is called."""
        if self.y is None:
            return iter(())
        if self.kind == "regressor":
            return self._regression(self.y)
        if self.kind == "classifier":
            return self._classification(self.y) if self.classes is not None and self.y.ndim == 1 else self._labels(self.y)
        return iter(())

    def _regression(self, y: Any) -> Scores:
        from sklearn import metrics

        yield "rmse", lambda: metrics.root_mean_squared_error(y, self.predicted)
        yield "mae", lambda: metrics.mean_absolute_error(y, self.predicted)
        if len(y) > 1:
            yield "r2", lambda: metrics.r2_score(y, self.predicted)

    def _labels(self, y: Any) -> Scores:
        """Several labels at once."""
        from sklearn import metrics

        if y.ndim == 1 or (np.isin(y, (0, 1)).all() and np.isin(self.predicted, (0, 1)).all()):
            yield "accuracy", lambda: metrics.accuracy_score(y, self.predicted)
            yield "f1_macro", lambda: metrics.f1_score(y, self.predicted, average="macro", zero_division=0)

    def _classification(self, y: Any) -> Scores:
        from sklearn import metrics

        predicted, classes = self.predicted, self.classes
        present = np.unique(y)
        yield "accuracy", lambda: metrics.accuracy_score(y, predicted)
        # Balanced accuracy is this; its own function warns when a class is predicted that is not in y.
        yield "balanced_accuracy", lambda: metrics.recall_score(y, predicted, labels=present, average="macro", zero_division=0)
        two = len(classes) == 2 and set(present) <= set(classes)
        how = {"average": "binary", "pos_label": classes[1]} if two else {"average": "macro"}
        end = "" if two else "_macro"
        for name, score in (("f1", metrics.f1_score), ("precision", metrics.precision_score), ("recall", metrics.recall_score)):
            yield name + end, partial(score, y, predicted, zero_division=0, **how)
        if self.probabilities is not None and set(present) <= set(classes):
            yield "log_loss", lambda: metrics.log_loss(y, self.probabilities, labels=classes)
        if self.ranks is None or set(present) != set(classes) or len(classes) < 2:
            return  # areas under curves need points of every class
        if two:
            yield "roc_auc", lambda: metrics.roc_auc_score(y == classes[1], self.ranks)
            yield "average_precision", lambda: metrics.average_precision_score(y == classes[1], self.ranks)
        elif self.probabilities is not None:
            yield "roc_auc_ovr", lambda: metrics.roc_auc_score(y, self.probabilities, multi_class="ovr", labels=classes)


def clustering_scores(estimator: Any, X: Any, y: Any) -> Scores:  # noqa: N803
    """How apart the clusters are, noise (-1) left out; with true labels, how well they are met."""
    from sklearn import metrics

    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    seen = estimator[:-1].transform(X) if hasattr(estimator, "steps") and len(estimator.steps) > 1 else X
    labels = np.asarray(estimator.predict(X) if hasattr(estimator, "predict") else last.labels_)
    if len(labels) != _rows(X):
        return
    inside = np.flatnonzero(labels != -1)
    found = len(np.unique(labels[inside]))
    yield "n_clusters", lambda: found
    if hasattr(last, "inertia_"):
        yield "inertia", lambda: last.inertia_
    if 1 < found < len(inside):
        size = _MOST if len(inside) > _MOST else None
        points = seen.iloc[inside] if hasattr(seen, "iloc") else seen[inside] if hasattr(seen, "shape") else np.asarray(seen)[inside]
        yield "silhouette", lambda: metrics.silhouette_score(points, labels[inside], sample_size=size, random_state=0)
    if y is not None:
        yield "adjusted_rand", lambda: metrics.adjusted_rand_score(np.asarray(y), labels)


def _flat(values: Any) -> Any:
    """An array; a single column as one dimension, and pandas' own whole numbers and texts as numpy's."""
    array = np.asarray(values)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    return np.asarray(array.tolist()) if array.dtype == object else array


def _classes(estimator: Any) -> Any:
    """The labels in the order of the probabilities; None where there are several lists of them."""
    classes = getattr(estimator, "classes_", None)
    return None if classes is None or isinstance(classes, list) else np.asarray(classes)


def _rows(data: Any) -> int:
    return int(data.shape[0]) if hasattr(data, "shape") else len(data)
