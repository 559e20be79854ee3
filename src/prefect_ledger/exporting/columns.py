"""Floor 5, pure. What tables of an export are made of: named columns of a kind, and batches of their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

# "time": microseconds since 1970, UTC. "object": a mapping from text to text or float, for formats that can nest.
Kind: TypeAlias = Literal["text", "int", "float", "time", "object"]
_LEAST = "-290308-12-21T19:59:05.224192Z"  # what numpy takes for no time at all


class Field(NamedTuple):
    """A column."""

    name: str
    kind: Kind


class Coded(NamedTuple):
    """Texts of which most come again: each is ``words[code]``."""

    words: Sequence[str]
    codes: npt.NDArray[np.int32]


Values: TypeAlias = Sequence[Any] | npt.NDArray[Any] | Coded


class Batch(NamedTuple):
    """Some rows of a table, a column for each of its fields; None where there is nothing."""

    rows: int
    columns: list[Values]

    def pieces(self, most: int) -> Iterator[list[Values]]:
        """The columns, cut into pieces of at most so many rows."""
        for low in range(0, self.rows, most):
            yield [_cut(values, low, low + most) for values in self.columns]


def _cut(values: Values, low: int, high: int) -> Values:
    return Coded(values.words, values.codes[low:high]) if isinstance(values, Coded) else values[low:high]


def listed(values: Values) -> list[Any]:
    """The values one by one, as Python has them."""
    if isinstance(values, Coded):
        return [values.words[code] for code in values.codes.tolist()]
    return values.tolist() if isinstance(values, np.ndarray) else list(values)


def spoken_times(values: Values) -> list[str | None]:
    """Times in ISO 8601, to the microsecond, in UTC.

    Example:
        >>> spoken_times([0, None, 1_700_000_000_000_001])
        ['1970-01-01T00:00:00.000000Z', None, '2023-11-14T22:13:20.000001Z']
    """
    if isinstance(values, np.ndarray) and len(values) and values.min() > np.iinfo(np.int64).min:
        return [f"{text}Z" for text in np.datetime_as_string(values.view("M8[us]"), unit="us", timezone="naive").tolist()]
    micros = listed(values)
    there = np.array([one for one in micros if one is not None], np.int64).view("M8[us]")
    texts = iter(np.datetime_as_string(there, unit="us", timezone="naive").tolist())
    return [None if one is None else f"{text}Z" if (text := next(texts)) != "NaT" else _LEAST for one in micros]


def spoken_object(values: Mapping[str, Any]) -> dict[str, Any]:
    """A mapping as JSON can say it."""
    return {key: spoken_number(value) if isinstance(value, float) else value for key, value in values.items()}


def spoken_number(value: float | None) -> float | str | None:
    """A number as JSON can say it: NaN and infinities as texts.

    Example:
        >>> [spoken_number(one) for one in (0.5, float("nan"), float("-inf"))]
        [0.5, 'NaN', '-Infinity']
    """
    if value is None or np.isfinite(value):
        return value
    return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
