"""Floor 4. The area under the ROC curve, and its paired bootstrap.

With the negatives of a model in the order of their scores, the area is a sum over the positives of the weight of negatives below each,
those of the same score by half. Sorting is done once a model; a resample is then a count of how often each row was drawn, a cumulative
sum and a lookup, all in whole numbers, so that no order of summing shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue
from prefect_ledger.gates.draws import drawn

Whole = NDArray[np.int64]


class Ranks:
    """Where the positives of one model's scores stand among its negatives."""

    def __init__(self, positives: NDArray[Any], negatives: NDArray[Any]) -> None:
        self.order = np.argsort(negatives, kind="stable")
        ordered = negatives[self.order]
        self.low = np.searchsorted(ordered, positives, "left")
        self.high = np.searchsorted(ordered, positives, "right")
        self.tied = bool((self.low != self.high).any())
        self.below = np.zeros(len(negatives) + 1, dtype=np.int64)

    def twice(self, positives: Whole, negatives: Whole) -> int:
        """Twice the number of pairs that stand right, of rows with these weights; ties count one."""
        np.cumsum(negatives[self.order], out=self.below[1:])
        if self.tied:
            return int(positives @ (self.below[self.low] + self.below[self.high]))
        return 2 * int(positives @ self.below[self.low])


def areas(positive: NDArray[np.bool_], scores: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """The area of each of the models' scores.

    Raises:
        InvalidValue: there are rows of one class alone.
    """
    sides = [_ranks(positive, one) for one in scores]
    ones, zeros = int(positive.sum()), int(positive.size - positive.sum())
    weights = np.ones(ones, dtype=np.int64), np.ones(zeros, dtype=np.int64)
    return np.array([one.twice(*weights) / (2 * ones * zeros) for one in sides])


def resampled_areas(positive: NDArray[np.bool_], scores: Sequence[NDArray[Any]], resamples: int, seed: int) -> NDArray[np.float64]:
    """The areas of ``resamples`` bootstrap samples of the rows, the same samples for each of the scores; of shape (scores, resamples).

    Rows are drawn with replacement from all, so that the share of positives varies too. A sample of one class alone has no area; it is
    drawn again.

    Raises:
        InvalidValue: there are rows of one class alone.
    """
    sides = [_ranks(positive, one) for one in scores]
    rows, ones = positive.size, int(positive.sum())
    zeros, source = rows - ones, drawn(seed)
    found = np.empty((len(sides), resamples))
    for place in range(resamples):
        count = 0
        while not 0 < count < rows:
            count = int(source.binomial(rows, ones / rows))
        positives, negatives = _hits(source, ones, count), _hits(source, zeros, rows - count)
        for side, one in enumerate(sides):
            found[side, place] = one.twice(positives, negatives) / (2 * count * (rows - count))
    return found


def _hits(source: np.random.RandomState, rows: int, count: int) -> Whole:
    """How often each of the rows is hit by ``count`` draws; a float times the rows is quicker than whole numbers with their rejections."""
    return np.bincount((source.random_sample(count) * rows).astype(np.intp), minlength=rows)


def _ranks(positive: NDArray[np.bool_], scores: NDArray[Any]) -> Ranks:
    if positive.all() or not positive.any():
        raise InvalidValue("the targets are all of one class, where auc takes both")
    return Ranks(scores[positive], scores[~positive])
