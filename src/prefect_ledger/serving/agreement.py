"""Floor 5. Whether two answers agree, and by how much their numbers differ at most."""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

import numpy as np
import orjson

_NUMBERS = frozenset((int, float))


class Agreement(NamedTuple):
    """``difference``: the greatest between two numbers that stand in the same place, whether or not the answers agree; 0 without any."""

    agree: bool
    difference: float


def agreement(one: bytes, other: bytes, tolerance: float) -> Agreement:
    """How two answers' bodies compare: numbers agree that differ by at most ``tolerance``, or by that part of the greater; all else that is
    the same.

    Example:
        >>> agreement(b'{"predictions": [1.0, 2.0]}', b'{"predictions": [1.0, 2.5]}', 1e-6)
        Agreement(agree=False, difference=0.5)
    """
    if one == other:
        return Agreement(True, 0.0)
    return _compared(orjson.loads(one), orjson.loads(other), tolerance)


def _compared(one: Any, other: Any, tolerance: float) -> Agreement:
    if isinstance(one, dict) and isinstance(other, dict):
        pairs = _all([_compared(one[key], other[key], tolerance) for key in one.keys() & other.keys()])
        return pairs._replace(agree=pairs.agree and one.keys() == other.keys())
    if isinstance(one, list) and isinstance(other, list):
        return _lists(one, other, tolerance)
    if type(one) in _NUMBERS and type(other) in _NUMBERS:
        return _numbers([one], [other], tolerance)
    return Agreement(type(one) is type(other) and one == other, 0.0)


def _lists(one: list[Any], other: list[Any], tolerance: float) -> Agreement:
    if len(one) != len(other):
        return Agreement(False, 0.0)
    if one and set(map(type, one)) | set(map(type, other)) <= _NUMBERS:
        return _numbers(one, other, tolerance)
    return _all([_compared(mine, its, tolerance) for mine, its in zip(one, other, strict=True)])


def _numbers(one: list[float], other: list[float], tolerance: float) -> Agreement:
    mine, its = (np.array(values, dtype=np.float64) for values in (one, other))
    with np.errstate(over="ignore"):
        apart = np.minimum(np.abs(mine - its), sys.float_info.max)
    allowed = tolerance * np.maximum(1.0, np.maximum(np.abs(mine), np.abs(its)))
    return Agreement(bool((apart <= allowed).all()), float(apart.max()))


def _all(parts: list[Agreement]) -> Agreement:
    return Agreement(all(one.agree for one in parts), max((one.difference for one in parts), default=0.0))
