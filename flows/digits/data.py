"""The digits that ship with scikit-learn: 1,797 images of 8 x 8 pixels, ten classes, cut into train, validation and test."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLASSES = np.arange(10)


@dataclass(frozen=True, eq=False)
class Split:
    """Pixels between 0 and 1, one image a row; labels from 0 to 9. 60, 20 and 20 percent."""

    x_train: NDArray[Any]
    y_train: NDArray[Any]
    x_val: NDArray[Any]
    y_val: NDArray[Any]
    x_test: NDArray[Any]
    y_test: NDArray[Any]


@lru_cache(maxsize=4)
def split(seed: int) -> Split:
    """The same cut for everybody who names the same seed."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_rest, y_train, y_rest = train_test_split(x / 16.0, y, test_size=0.4, random_state=seed, stratify=y)
    x_val, x_test, y_val, y_test = train_test_split(x_rest, y_rest, test_size=0.5, random_state=seed, stratify=y_rest)
    return Split(x_train, y_train, x_val, y_val, x_test, y_test)
