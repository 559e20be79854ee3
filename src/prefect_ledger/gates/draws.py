"""Floor 4. The bootstrap of a mean, at a cost that hardly grows with the rows; and the source of what is drawn.

A bootstrap sample of n rows draws how often each of k groups of rows is hit, a multinomial, and then rows within each group. Given the
counts, the groups are independent (a multinomial splits so: Devroye, Non-Uniform Random Variate Generation, 1986, XI.1.4), so the mean
of a sample is the sum of the groups' means by their counts, and of what the rows drawn within a group differ from its mean.

Where the rows have few distinct values, as with accuracy, a group is a value, nothing differs within it, and the resampling is exactly
that of Efron (1979). Else the sorted rows are cut into :data:`GROUPS`, narrow in rank and in value both, extremes standing alone; the
counts are drawn exactly, and the sum of what differs within groups as a normal with its exact variance. Mean and variance of the whole
are exactly the bootstrap's; what the normal replaces is a share of the variance of some hundred-thousandths, as :func:`resampled_means`
tells with each answer.

What is drawn depends on the seed alone: one thread draws, from streams that numpy keeps for good (``RandomState`` is frozen, NEP 19).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from prefect_ledger.errors import InvalidValue

GROUPS = 256
_AT_ONCE = 1_000  # samples, for the memory's sake

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows by group: how many, their mean, and their variance around it."""

    sizes: NDArray[np.int64]
    means: Values
    variances: Values

    @property
    def share(self) -> float:
        """What of the rows' variance lies within groups."""
        shares = self.sizes / self.sizes.sum()
        within = float((shares * self.variances).sum())
        between = float((shares * (self.means - (shares * self.means).sum()) ** 2).sum())
        return within / (within + between) if within else 0.0


def drawn(seed: int) -> np.random.RandomState:
    """A source of numbers that is the same for the same seed, now and with later versions of numpy."""
    return np.random.RandomState(np.random.SFC64(seed))


def grouped(values: Values, groups: int = GROUPS) -> Groups:
    """The rows by value where few values are distinct, else in at most ``groups`` groups of neighbours.

    Raises:
        InvalidValue: the values lie too far apart for floats.
    """
    found, sizes = np.unique(values, return_counts=True)
    if len(found) <= groups:
        return Groups(sizes, found, np.zeros(len(found)))
    width = found[-1] - found[0]
    if not np.isfinite(width):
        raise InvalidValue(f"the differences of the rows lie between {found[0]:g} and {found[-1]:g}, too far apart to be computed with")
    ranks = (np.cumsum(sizes) - sizes) / len(values)
    place = np.minimum(((ranks + (found - found[0]) / width) / 2 * groups).astype(np.int64), groups - 1)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    counts = np.add.reduceat(sizes, starts)
    means = np.add.reduceat(found * (sizes / np.repeat(counts, np.diff(starts, append=len(found)))), starts)
    apart = found - np.repeat(means, np.diff(starts, append=len(found)))
    return Groups(counts, means, np.add.reduceat(apart**2 * sizes, starts) / counts)


def resampled_counts(counts: NDArray[np.int64], resamples: int, seed: int) -> NDArray[np.int64]:
    """How many rows of each kind ``resamples`` bootstrap samples have, of rows with these counts; of shape (resamples, kinds)."""
    return drawn(seed).multinomial(int(counts.sum()), counts / counts.sum(), size=resamples)


def resampled_means(values: Values, resamples: int, seed: int) -> tuple[Values, float]:
    """The means of ``resamples`` bootstrap samples of the rows, and the share of the rows' variance that was drawn as a normal (0: none).

    Raises:
        InvalidValue: the values lie too far apart for floats.

    Example:
        >>> means, share = resampled_means(np.array([0.0, 0.0, 1.0, 1.0]), 1000, seed=0)
        >>> sorted(set(means.tolist())), share
        ([0.0, 0.25, 0.5, 0.75, 1.0], 0.0)
    """
    groups, source = grouped(values), drawn(seed)
    rows, shares = int(groups.sizes.sum()), groups.sizes / groups.sizes.sum()
    centre = float((shares * groups.means).sum())
    apart, share = groups.means - centre, groups.share
    found = np.empty(resamples)
    for start in range(0, resamples, _AT_ONCE):
        some = slice(start, min(start + _AT_ONCE, resamples))
        counts = source.multinomial(rows, shares, size=some.stop - some.start)
        found[some] = (counts * apart).sum(axis=1)
        if share:
            found[some] += np.sqrt((counts * groups.variances).sum(axis=1)) * source.standard_normal(some.stop - some.start)
    return centre + found / rows, share
