"""What runs have under one name, as an axis: numbers as they are, other texts as categories."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .curves import Floats
from .texts import shown

_DECADES = 2.0  # that positive numbers span from which on an axis of them is logarithmic
_TICKS = 40


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A value for each run. ``numbers`` are the values, NaN where a run has none; of categories the places in ``words``."""

    name: str
    numbers: Floats
    words: tuple[str, ...] = ()

    @property
    def there(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Which runs have a value that can be drawn."""
        found: np.ndarray[Any, np.dtype[np.bool_]] = np.isfinite(self.numbers)
        return found

    @property
    def wide(self) -> bool:
        """Whether the values are positive and span so much that their logarithms say more."""
        few = self.numbers[self.there]
        return not self.words and len(few) > 1 and few.min() > 0 and math.log10(few.max()) - math.log10(few.min()) >= _DECADES

    @property
    def scaled(self) -> Floats:
        """Where the values stand along an axis: their logarithms, where they are :attr:`wide`."""
        with np.errstate(all="ignore"):
            return np.where(self.there, np.log10(self.numbers), np.nan) if self.wide else np.where(self.there, self.numbers, np.nan)

    @property
    def label(self) -> str:
        """The name as letters; it says where the axis is logarithmic."""
        return shown(self.name, 40) + (" (log)" if self.wide else "")

    def ticks(self) -> tuple[list[float], list[str]]:
        """Places along a :attr:`scaled` axis and what they are called, where numbers would not say it."""
        if self.words:
            step = -(-len(self.words) // _TICKS)
            return [float(at) for at in range(0, len(self.words), step)], [shown(word, 24) for word in self.words[::step]]
        few = self.scaled[self.there]
        if not self.wide:
            return [], []
        low, high = math.floor(few.min()), math.ceil(few.max())
        step = -(-(high - low) // 12) or 1
        return [float(at) for at in range(low, high + 1, step)], [f"{10.0**at:g}" for at in range(low, high + 1, step)]

    def said(self, at: int) -> str:
        """The value of one run, as letters."""
        if not self.there[at]:
            return "-"
        return shown(self.words[int(self.numbers[at])], 40) if self.words else f"{self.numbers[at]:.6g}"


def column(name: str, values: Sequence[object]) -> Column:
    """Numbers, where every value that is there reads as one; else categories: sorted, as numbers where those of them are.

    Example:
        >>> column("rate", ["0.1", None, "1e-3"]).numbers
        array([0.1  ,   nan, 0.001])
        >>> column("model", ["xgb", "lgbm", None]).words
        ('lgbm', 'xgb')
    """
    numbers = [_number(value) for value in values]
    if all(number is not None for number in numbers):
        return Column(name, np.array(numbers, np.float64))
    texts = [None if value is None else str(value) for value in values]
    words = sorted({text for text in texts if text is not None})
    places = {word: at for at, word in enumerate(words)}
    return Column(name, np.array([math.nan if text is None else places[text] for text in texts]), tuple(words))


def _number(value: object) -> float | None:
    """NaN for what is not there, None for what is no number."""
    if value is None:
        return math.nan
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
