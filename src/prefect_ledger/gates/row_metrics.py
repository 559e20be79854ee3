"""Floor 4. Metrics of predictions for rows: each row's own value where the metric is a mean of rows, and what data they take."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.evidence import Holdout
from prefect_ledger.gates.ranks import areas
from prefect_ledger.gates.wording import near

Values = NDArray[np.float64]

_CLIP = float(np.finfo(np.float64).eps)  # a probability of 0 that came true is not infinitely wrong
_CUT = 0.5


@dataclass(frozen=True, slots=True)
class Metric:
    """``rows`` gives each row's value, from target and predictions; None for the area under the ROC curve, which rows have no part of."""

    name: str
    greater: bool
    rows: Callable[[NDArray[Any], NDArray[Any]], Values] | None

    @property
    def better(self) -> str:
        """The difference of two models, oriented so that greater is better."""
        return f"candidate - champion of {self.name}" if self.greater else f"champion - candidate of {self.name}"

    def oriented(self, candidate: Any, champion: Any) -> Any:
        """:attr:`better`, computed."""
        return candidate - champion if self.greater else champion - candidate

    def value(self, target: NDArray[Any], predictions: NDArray[Any]) -> float:
        """The metric of all rows.

        Raises:
            InvalidValue: it cannot be taken of these.
        """
        if self.rows is not None:
            found = float(self.rows(target, predictions).mean())
        else:
            found = float(areas(classes(target, self.name), [numbers(predictions, "the predictions", self.name)])[0])
        if not math.isfinite(found):
            raise InvalidValue(f"{self.name} of these rows is too large for a float")
        return found


def named(name: str) -> Metric:
    """The metric of this name.

    Raises:
        InvalidValue: there is none.
    """
    if name not in METRICS:
        raise InvalidValue(f"gates know no metric {name!r} of rows{near(name, METRICS)}; known: {', '.join(METRICS)}")
    return METRICS[name]


def predictions(holdout: Holdout | None, side: str, min_rows: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Targets, and the predictions of ``side`` for the same rows.

    Raises:
        InvalidValue: they are not there, not of the same rows, or fewer than ``min_rows``.
    """
    if holdout is None:
        raise InvalidValue("the evidence has no holdout, which this gate is judged on")
    found = getattr(holdout, side)
    if found is None:
        raise InvalidValue(f"the holdout {holdout.name!r} has no predictions of the {side}")
    target, found = column(holdout.target, "the target"), column(found, f"the predictions of the {side}")
    if len(target) != len(found):
        raise InvalidValue(f"the holdout {holdout.name!r} has {len(target):,} targets and {len(found):,} predictions of the {side}")
    if len(target) < max(1, min_rows):
        raise InvalidValue(f"the holdout {holdout.name!r} has {len(target):,} rows, where {max(1, min_rows):,} are the least")
    return target, found


def column(values: NDArray[Any], what: str) -> NDArray[Any]:
    """One value for each row; also of an array with a second dimension of one."""
    if values.ndim == 2 and values.shape[1] == 1:
        return values[:, 0]
    if values.ndim != 1:
        raise InvalidValue(f"{what} have the shape {values.shape}, where one value for each row is wanted")
    return values


def numbers(values: NDArray[Any], what: str, metric: str) -> Values:
    """``values`` as floats.

    Raises:
        InvalidValue: they are texts or times, or not all finite.
    """
    if values.dtype.kind not in "biuf":
        kind = "texts" if values.dtype.kind in "UO" else f"of the type {values.dtype}"
        raise InvalidValue(f"{what} are {kind}, where {metric} takes numbers")
    found = values.astype(np.float64)
    if odd := int(found.size - np.isfinite(found).sum()):
        raise InvalidValue(f"{what} have {odd:,} of {found.size:,} values that are not finite (NaN or infinite): {metric} cannot be judged")
    return found


def classes(target: NDArray[Any], metric: str) -> NDArray[np.bool_]:
    """Where the target is 1.

    Raises:
        InvalidValue: it has other values than 0 and 1.
    """
    found = numbers(target, "the targets", metric)
    if not np.isin(found, (0.0, 1.0)).all():
        raise InvalidValue(f"the targets have other values than 0 and 1, which {metric} takes")
    return np.asarray(found == 1.0)


def _probabilities(target: NDArray[Any], found: NDArray[Any], metric: str) -> tuple[NDArray[np.bool_], Values]:
    positive, values = classes(target, metric), numbers(found, "the predictions", metric)
    if values.size and (values.min() < 0 or values.max() > 1):
        raise InvalidValue(f"the predictions lie between {values.min():g} and {values.max():g}, where {metric} takes probabilities")
    return positive, values


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
    if np.isin(wanted, (0.0, 1.0)).all() and not np.isin(given, (0.0, 1.0)).all() and given.min() >= 0 and given.max() <= 1:
        given = (given >= _CUT).astype(np.float64)  # probabilities
    return np.asarray(wanted == given, dtype=np.float64)


def _log_loss(target: NDArray[Any], found: NDArray[Any]) -> Values:
    positive, values = _probabilities(target, found, "log_loss")
    values = np.clip(values, _CLIP, 1 - _CLIP)
    return np.asarray(-np.log(np.where(positive, values, 1 - values)), dtype=np.float64)


def _brier(target: NDArray[Any], found: NDArray[Any]) -> Values:
    positive, values = _probabilities(target, found, "brier")
    return np.asarray((positive - values) ** 2, dtype=np.float64)


def _differences(target: NDArray[Any], found: NDArray[Any], metric: str) -> Values:
    return numbers(target, "the targets", metric) - numbers(found, "the predictions", metric)


METRICS = {
    one.name: one
    for one in (
        Metric("accuracy", greater=True, rows=_accuracy),
        Metric("auc", greater=True, rows=None),
        Metric("log_loss", greater=False, rows=_log_loss),
        Metric("brier", greater=False, rows=_brier),
        Metric("squared_error", greater=False, rows=lambda target, found: _differences(target, found, "squared_error") ** 2),
        Metric("absolute_error", greater=False, rows=lambda target, found: np.abs(_differences(target, found, "absolute_error"))),
    )
}
