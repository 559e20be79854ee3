"""The bootstrap, beside a plain and slow one, and beside the truth."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from prefect_ledger.gates.draws import GROUPS, grouped, resampled_means
from prefect_ledger.gates.ranks import areas, resampled_areas
from prefect_ledger.gates.row_metrics import named

Values = NDArray[np.float64]

SHAPES: dict[str, Callable[[np.random.Generator, int], Values]] = {
    "few": lambda draw, n: draw.choice([-1.0, 0.0, 1.0], n, p=[0.1, 0.7, 0.2]),
    "normal": lambda draw, n: draw.normal(0.1, 1, n),
    "lognormal": lambda draw, n: np.exp(1.5 * draw.normal(size=n)),
    "one_outlier": lambda draw, n: np.append(draw.normal(size=n - 1), 1e4),
    "far_from_zero": lambda draw, n: 1e9 + draw.normal(size=n),
}


def plainly(values: Values, resamples: int, draw: np.random.Generator) -> Values:
    """The bootstrap as it is written in books."""
    return np.array([values[draw.integers(0, len(values), len(values))].mean() for _ in range(resamples)])


def area(positive: NDArray[np.bool_], scores: Values) -> float:
    """Every positive beside every negative."""
    ones, zeros = scores[positive][:, None], scores[~positive][None, :]
    return float(((ones > zeros) + 0.5 * (ones == zeros)).mean())


@pytest.mark.parametrize("shape", SHAPES)
def test_the_quick_bootstrap_of_a_mean_is_the_plain_one(shape: str) -> None:
    """Spread and tails of the resampled means are those of the plain bootstrap, within what two plain ones differ by chance."""
    draw = np.random.default_rng(1)
    values = SHAPES[shape](draw, 5_000)
    resamples = 8_000
    ours, share = resampled_means(values, resamples, 7)
    slow = plainly(values, resamples, draw)
    sigma = values.std() / np.sqrt(len(values))
    assert share == 0 if shape == "few" else share < 5e-3
    assert abs(ours.mean() - values.mean()) < 4 * sigma / np.sqrt(resamples)
    assert abs(ours.std() / slow.std() - 1) < 4 / np.sqrt(resamples)
    for part in (0.025, 0.05, 0.5, 0.95, 0.975):
        # the error of a quantile is sqrt(p (1 - p) / B) / density; of two, sqrt(2) times that
        width = max(np.quantile(slow, min(1.0, part + 0.02)) - np.quantile(slow, max(0.0, part - 0.02)), 1e-300) / 0.04
        allowed = 5 * np.sqrt(2 * part * (1 - part) / resamples) * width
        assert abs(np.quantile(ours, part) - np.quantile(slow, part)) < allowed, part


def test_groups_keep_mean_and_variance() -> None:
    """However the rows are grouped, mean and variance of the whole are exactly theirs."""
    for shape in SHAPES.values():
        values = shape(np.random.default_rng(2), 20_000)
        groups = grouped(values)
        share = groups.sizes / groups.sizes.sum()
        assert len(groups.sizes) <= GROUPS
        assert groups.sizes.sum() == len(values)
        mean = (share * groups.means).sum()
        assert mean == pytest.approx(values.mean(), rel=1e-12)
        assert (share * (groups.variances + (groups.means - mean) ** 2)).sum() == pytest.approx(values.var(), rel=1e-6)


def test_small_samples_are_resampled_exactly() -> None:
    """Of three rows the means come with the probabilities that counting all samples gives."""
    values = np.array([0.0, 1.0, 5.0])
    every = np.array([np.mean(one) for one in product(values, repeat=3)])
    found, share = resampled_means(values, 100_000, 3)
    assert share == 0
    for mean in np.unique(every):
        assert np.isclose(found, mean).mean() == pytest.approx(np.isclose(every, mean).mean(), abs=0.006)


@pytest.mark.parametrize("ties", [False, True])
def test_the_area_is_what_counting_all_pairs_gives(ties: bool) -> None:
    """The area of sorted scores is the share of pairs that stand right, ties by half."""
    draw = np.random.default_rng(4)
    positive = draw.random(300) < 0.3
    scores = draw.normal(size=(2, 300)).round(1 if ties else 12)
    assert areas(positive, list(scores)).tolist() == pytest.approx([area(positive, one) for one in scores], rel=1e-12)


def test_the_bootstrap_of_the_area_is_the_plain_one_and_paired() -> None:
    """Of resampled rows the areas of two models, and their difference, spread as those of the plain bootstrap do."""
    draw = np.random.default_rng(5)
    n, resamples = 400, 4_000
    positive = draw.random(n) < 0.3
    one = (positive + draw.normal(size=n)).round(1)
    other = one + 0.3 * draw.normal(size=n)
    ours = resampled_areas(positive, [one, other], resamples, 11)
    slow = []
    for _ in range(resamples):
        rows = draw.integers(0, n, n)
        slow.append(areas(positive[rows], [one[rows], other[rows]]))
    theirs = np.array(slow).T
    for a, b in ((ours[0], theirs[0]), (ours[0] - ours[1], theirs[0] - theirs[1])):
        assert a.mean() == pytest.approx(b.mean(), abs=5 * b.std() * np.sqrt(2 / resamples))
        assert a.std() == pytest.approx(b.std(), rel=5 / np.sqrt(resamples))
        for part in (0.025, 0.975):
            assert np.quantile(a, part) == pytest.approx(np.quantile(b, part), abs=0.2 * b.std())


def test_the_bootstrap_of_a_share_is_the_plain_one_and_paired() -> None:
    """Drawing how many rows are of each of sixteen kinds spreads the difference of two F1 scores as drawing the rows does."""
    draw = np.random.default_rng(8)
    n, resamples, metric = 500, 4_000, named("f1")
    target = (draw.random(n) < 0.3).astype(int)
    one, other = (np.where(draw.random(n) < part, target, 1 - target) for part in (0.85, 0.8))
    ours, share = metric.resampled(target, one, other, resamples, 3)
    slow = []
    for _ in range(resamples):
        rows = draw.integers(0, n, n)
        slow.append(metric.value(target[rows], one[rows]) - metric.value(target[rows], other[rows]))
    theirs = np.array(slow)
    assert share == 0
    assert ours.mean() == pytest.approx(theirs.mean(), abs=5 * theirs.std() * np.sqrt(2 / resamples))
    assert ours.std() == pytest.approx(theirs.std(), rel=5 / np.sqrt(resamples))
    for part in (0.025, 0.975):
        assert np.quantile(ours, part) == pytest.approx(np.quantile(theirs, part), abs=0.2 * theirs.std())


def test_samples_of_one_class_are_drawn_again() -> None:
    """With one positive among four rows a third of all samples has none, and every area is still a number."""
    found = resampled_areas(np.array([True, False, False, False]), [np.array([2.0, 1.0, 3.0, 0.0])], 500, 0)
    assert np.isfinite(found).all()
    assert set(found.ravel().tolist()) <= set(np.linspace(0, 1, 7).tolist()) | {k / n for n in (1, 2, 3) for k in range(n + 1)}


@pytest.mark.parametrize("shape", ["few", "normal", "lognormal"])
@pytest.mark.long
def test_an_interval_covers_the_truth_as_often_as_it_says(shape: str) -> None:
    """Of many samples from a known distribution, a 95 % interval holds the true mean in about 95 of 100."""
    draw = np.random.default_rng(6)
    truth = {"few": 0.1, "normal": 0.1, "lognormal": float(np.exp(1.5**2 / 2))}[shape]
    inside = 0
    for trial in range(400):
        found, _ = resampled_means(SHAPES[shape](draw, 300), 500, trial)
        low, high = np.quantile(found, (0.025, 0.975))
        inside += low <= truth <= high
    # four standard errors of 400 trials are 4.4 %; percentile intervals of skewed data fall short by some more
    assert (0.86 if shape == "lognormal" else 0.905) <= inside / 400 <= 0.99


def test_an_interval_of_an_area_covers_the_truth_as_often_as_it_says() -> None:
    """Of two models whose areas are known, a 95 % interval of the difference holds the true one in about 95 of 100."""
    draw, inside = np.random.default_rng(7), 0
    truth = NormalDist().cdf(1.0 / np.sqrt(2)) - NormalDist().cdf(1.0 / np.sqrt(4))
    for trial in range(200):
        positive = draw.random(300) < 0.4
        one = positive + draw.normal(size=300)
        other = one + draw.normal(size=300)  # of variance 2
        found = resampled_areas(positive, [one, other], 300, trial)
        low, high = np.quantile(found[0] - found[1], (0.025, 0.975))
        inside += low <= truth <= high
    assert 0.88 <= inside / 200 <= 0.995


def test_what_is_drawn_depends_on_the_seed_alone() -> None:
    """The first numbers of a seed are these, today and with later versions of numpy."""
    values = np.arange(1_000.0) ** 2
    means, _ = resampled_means(values, 3, 42)
    assert means.round(6).tolist() == [341468.994116, 350932.438427, 331832.755942]
    found = resampled_areas(values % 3 == 0, [values % 100], 3, 42)[0]
    assert found.round(12).tolist() == [0.465715649361, 0.495099995871, 0.462142815703]
    assert not np.array_equal(means, resampled_means(values, 3, 43)[0])
