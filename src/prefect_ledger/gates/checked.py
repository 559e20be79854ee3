"""Floor 4. Rows as metrics take them: of one length, of the right kind, without a gap; or a sentence that says what is wrong with them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.evidence import Holdout

Values = NDArray[np.float64]

_CUT = 0.5


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


def classes(target: NDArray[Any], metric: str, what: str = "the targets") -> NDArray[np.bool_]:
    """Where the target is 1.

    Raises:
        InvalidValue: it has other values than 0 and 1.
    """
    found = numbers(target, what, metric)
    if not np.isin(found, (0.0, 1.0)).all():
        raise InvalidValue(f"{what} have other values than 0 and 1, which {metric} takes")
    return np.asarray(found == 1.0)


def probabilities(target: NDArray[Any], found: NDArray[Any], metric: str) -> tuple[NDArray[np.bool_], Values]:
    """Where the target is 1, and predictions from 0 to 1.

    Raises:
        InvalidValue: they are something else.
    """
    positive, values = classes(target, metric), numbers(found, "the predictions", metric)
    if values.size and (values.min() < 0 or values.max() > 1):
        raise InvalidValue(f"the predictions lie between {values.min():g} and {values.max():g}, where {metric} takes probabilities")
    return positive, values


def cut(wanted: Values, given: Values) -> Values:
    """Predictions as labels: of a target of 0 and 1, those between are probabilities, and 1 from a half on."""
    if np.isin(wanted, (0.0, 1.0)).all() and not np.isin(given, (0.0, 1.0)).all() and given.min() >= 0 and given.max() <= 1:
        return (given >= _CUT).astype(np.float64)
    return given
