"""Floor 4. Metrics of predictions for rows, and their paired bootstrap: means of rows, shares of labels, the area under the ROC curve."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.checked import Values, classes, cut, numbers, probabilities
from prefect_ledger.gates.draws import resampled_counts, resampled_means
from prefect_ledger.gates.ranks import areas, resampled_areas
from prefect_ledger.gates.wording import near

Rows = NDArray[Any]

_CLIP = float(np.finfo(np.float64).eps)  # a probability of 0 that came true is not infinitely wrong
_ENOUGH = 0.99  # of the resamples must have a value


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric by its name; ``greater`` where greater is better."""

    usual: ClassVar[int] = 10_000  # resamples where nobody says how many

    name: str
    greater: bool

    @property
    def better(self) -> str:
        """The difference of two models, oriented so that greater is better."""
        return f"candidate - champion of {self.name}" if self.greater else f"champion - candidate of {self.name}"

    def oriented(self, candidate: Any, champion: Any) -> Any:
        """:attr:`better`, computed."""
        return candidate - champion if self.greater else champion - candidate

    def value(self, target: Rows, predictions: Rows) -> float:
        """The metric of all rows.

        Raises:
            InvalidValue: it cannot be taken of these.
        """
        found = self.taken(target, predictions)
        if not math.isfinite(found):
            raise InvalidValue(f"{self.name} of these rows is too large for a float")
        return found

    def taken(self, target: Rows, predictions: Rows) -> float:
        """As :meth:`value`, perhaps not finite."""
        raise NotImplementedError

    def resampled(self, target: Rows, candidate: Rows, champion: Rows, resamples: int, seed: int) -> tuple[Values, float]:
        """:attr:`better` of resampled rows, and what share of the variance was drawn as a normal.

        Raises:
            InvalidValue: it cannot be taken of these.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Mean(Metric):
    """The mean of what ``rows`` gives for each row."""

    rows: Callable[[Rows, Rows], Values]

    def taken(self, target: Rows, predictions: Rows) -> float:
        """The mean."""
        return float(self.rows(target, predictions).mean())

    def resampled(self, target: Rows, candidate: Rows, champion: Rows, resamples: int, seed: int) -> tuple[Values, float]:
        """A difference of means is a mean of differences."""
        return resampled_means(self.oriented(self.rows(target, candidate), self.rows(target, champion)), resamples, seed)


@dataclass(frozen=True, slots=True)
class Area(Metric):
    """The area under the ROC curve."""

    usual: ClassVar[int] = 1_000  # each takes as long as dozens of a mean

    def taken(self, target: Rows, predictions: Rows) -> float:
        """The area."""
        return float(areas(classes(target, self.name), [numbers(predictions, "the predictions", self.name)])[0])

    def resampled(self, target: Rows, candidate: Rows, champion: Rows, resamples: int, seed: int) -> tuple[Values, float]:
        """Both areas of the same rows."""
        scores = [numbers(one, "the predictions", self.name) for one in (candidate, champion)]
        found = resampled_areas(classes(target, self.name), scores, resamples, seed)
        return self.oriented(found[0], found[1]), 0.0


@dataclass(frozen=True, slots=True)
class Share(Metric):
    """What ``of`` makes of how many rows are right and wrong: true negatives, false positives, false negatives, true positives."""

    of: Callable[[Values, Values, Values, Values], Values]

    def taken(self, target: Rows, predictions: Rows) -> float:
        """The share."""
        counts = np.bincount(self._cells(target, predictions), minlength=4).astype(np.float64)
        found = float(self.of(*counts))
        if math.isnan(found):
            raise InvalidValue(f"{self.name} of these rows divides by zero: there are no positives that it could count")
        return found

    def resampled(self, target: Rows, candidate: Rows, champion: Rows, resamples: int, seed: int) -> tuple[Values, float]:
        """Rows are of sixteen kinds, four for each model, so that counts of these are drawn; those without a value are left out."""
        kinds = np.bincount(4 * self._cells(target, candidate) + self._cells(target, champion), minlength=16)
        drawn = resampled_counts(kinds, resamples, seed).reshape(resamples, 4, 4).astype(np.float64)
        found = self.oriented(self.of(*drawn.sum(axis=2).T), self.of(*drawn.sum(axis=1).T))
        found = found[~np.isnan(found)]
        if len(found) < _ENOUGH * resamples:
            raise InvalidValue(
                f"{self.name} has no value in {resamples - len(found):,} of {resamples:,} resamples: there are too few positives"
            )
        return found, 0.0

    def _cells(self, target: Rows, predictions: Rows) -> NDArray[np.int64]:
        positive, given = classes(target, self.name), numbers(predictions, "the predictions", self.name)
        labels = cut(positive.astype(np.float64), given)
        return 2 * positive.astype(np.int64) + classes(labels, self.name, "the predictions")


def named(name: str) -> Metric:
    """The metric of this name.

    Raises:
        InvalidValue: there is none.
    """
    if name not in METRICS:
        raise InvalidValue(f"gates know no metric {name!r} of rows{near(name, METRICS)}; known: {', '.join(METRICS)}")
    return METRICS[name]


def _accuracy(target: NDArray[Any], found: NDArray[Any]) -> Values:
    texts = [values.dtype.kind in "UO" for values in (target, found)]
    if all(texts):
        for values, what in ((target, "targets"), (found, "predictions")):
            if odd := sum(one is None for one in values.tolist()):
                raise InvalidValue(f"the {what} have {odd:,} missing labels: accuracy cannot be judged")
        return np.asarray(target == found, dtype=np.float64)
    if any(texts):
        raise InvalidValue(
            f"the {'targets' if texts[0] else 'predictions'} are text labels and the others numbers: accuracy compares like with like"
        )
    wanted, given = numbers(target, "the targets", "accuracy"), numbers(found, "the predictions", "accuracy")
    return np.asarray(wanted == cut(wanted, given), dtype=np.float64)


def _log_loss(target: NDArray[Any], found: NDArray[Any]) -> Values:
    positive, values = probabilities(target, found, "log_loss")
    values = np.clip(values, _CLIP, 1 - _CLIP)
    return np.asarray(-np.log(np.where(positive, values, 1 - values)), dtype=np.float64)


def _brier(target: NDArray[Any], found: NDArray[Any]) -> Values:
    positive, values = probabilities(target, found, "brier")
    return np.asarray((positive - values) ** 2, dtype=np.float64)


def _differences(target: NDArray[Any], found: NDArray[Any], metric: str) -> Values:
    return numbers(target, "the targets", metric) - numbers(found, "the predictions", metric)


METRICS: dict[str, Metric] = {
    one.name: one
    for one in (
        Mean("accuracy", greater=True, rows=_accuracy),
        Share("balanced_accuracy", greater=True, of=lambda tn, fp, fn, tp: (tp / (tp + fn) + tn / (tn + fp)) / 2),
        Share("precision", greater=True, of=lambda _tn, fp, _fn, tp: tp / (tp + fp)),
        Share("recall", greater=True, of=lambda _tn, _fp, fn, tp: tp / (tp + fn)),
        Share("f1", greater=True, of=lambda _tn, fp, fn, tp: 2 * tp / (2 * tp + fp + fn)),
        Area("auc", greater=True),
        Mean("log_loss", greater=False, rows=_log_loss),
        Mean("brier", greater=False, rows=_brier),
        Mean("squared_error", greater=False, rows=lambda target, found: _differences(target, found, "squared_error") ** 2),
        Mean("absolute_error", greater=False, rows=lambda target, found: np.abs(_differences(target, found, "absolute_error"))),
    )
}
