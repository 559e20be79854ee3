"""Floor 4. Values as JSON and as arrays that a file can hold, so that what was judged can be judged again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from prefect_ledger.errors import InvalidValue

DEPTH = 50  # how deep facts may be nested
_KEPT = "biufcmM"  # kinds of numpy's dtypes that files hold without pickles
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def plain(value: Any, where: str = "a value", depth: int = 0) -> Any:
    """``value`` as JSON has it: texts, whole numbers, floats, booleans, None, lists, and mappings of texts.

    Not-a-number and the infinities become the texts "NaN", "Infinity" and "-Infinity"; scalars of numpy become Python's.

    Raises:
        InvalidValue: JSON has no such value; the message begins with ``where``.

    Example:
        >>> plain({"rows": np.int64(3), "bounds": (float("-inf"), 0.5)})
        {'rows': 3, 'bounds': ['-Infinity', 0.5]}
    """
    if depth > DEPTH:
        raise InvalidValue(f"{where} is nested deeper than {DEPTH} levels")
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else word(value)
    if isinstance(value, Mapping):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise InvalidValue(f"{where} has the key {strange[0]!r}, where JSON has texts")
        return {str.__str__(key): plain(one, f"{where}, {key!r}", depth + 1) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one, where, depth + 1) for one in value]
    raise InvalidValue(f"{where} is of the type {type(value).__name__}, which JSON has not")


def word(value: float) -> str:
    """The text that stands for a float that JSON has not."""
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def number(found: object, where: str) -> float:
    """A float, or the text that :func:`plain` wrote for it.

    Raises:
        InvalidValue: it is no number.

    Example:
        >>> number("-Infinity", "the metric 'loss'"), number(1, "the metric 'loss'")
        (-inf, 1.0)
    """
    if isinstance(found, str) and found in _WORDS:
        return _WORDS[found]
    if isinstance(found, np.generic):
        found = found.item()
    if isinstance(found, bool) or not isinstance(found, int | float):
        raise InvalidValue(f"{where} is a number, not {found!r}")
    try:
        return float(found)
    except OverflowError:
        raise InvalidValue(f"{where} is too large for a float") from None


def array(values: ArrayLike) -> NDArray[Any]:
    """``values`` as a read-only array of numbers, booleans or times; or of dtype object, with texts and None where one is missing.

    Of objects, those that are all numbers (or missing) become floats, and others the texts of what they are.

    Example:
        >>> array(["north", None, "south"]).tolist(), array([1, None]).tolist()
        (['north', None, 'south'], [1.0, nan])
    """
    try:
        found = np.asarray(values)
    except ValueError:  # rows of several lengths
        found = _texts([str(one) for one in values])  # type: ignore[union-attr]
    if found.dtype.kind not in _KEPT:
        found = _from_objects(found.astype(object))
    found = found.view()
    found.flags.writeable = False
    return found


def split(key: str, values: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """An array by its key, as files hold it without pickles; texts as their bytes one after another, and where each ends.

    So a long text among short ones takes its own length alone. A negative end, -1 - end, is of a text that is missing.

    Example:
        >>> {key: found.tolist() for key, found in split("city", array(["Ulm", None])).items()}
        {'city.text': [85, 108, 109], 'city.ends': [3, -4]}
    """
    if values.dtype.kind != "O":
        return {key: values}
    every = values.ravel().tolist()
    pieces = [b"" if one is None else one.encode("utf-8", "surrogatepass") for one in every]
    ends = np.cumsum([len(one) for one in pieces], dtype=np.int64)
    missing = np.array([one is None for one in every], dtype=bool)
    text = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    return {f"{key}.text": text, f"{key}.ends": np.where(missing, -1 - ends, ends).reshape(values.shape)}


def joined(key: str, found: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """What :func:`split` took apart.

    Raises:
        InvalidValue: it is not there, or not as it was.
    """
    if key in found:
        return array(found[key])
    if f"{key}.text" not in found or f"{key}.ends" not in found:
        raise InvalidValue(f"the evidence lacks the array {key!r}; there are: {', '.join(found) or 'none'}")
    text, ends = np.asarray(found[f"{key}.text"]).tobytes(), np.asarray(found[f"{key}.ends"])
    texts: list[str | None] = []
    start = 0
    try:
        for end in ends.ravel().tolist():
            stop = -1 - end if end < 0 else end
            texts.append(None if end < 0 else text[start:stop].decode("utf-8", "surrogatepass"))
            start = stop
    except (UnicodeDecodeError, TypeError) as error:
        raise InvalidValue(f"the texts of the array {key!r} do not read as such: {error}") from error
    return array(_texts(texts).reshape(ends.shape))


def same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    """Whether two arrays hold the same, not-a-number being the same as not-a-number."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bool(one.tolist() == other.tolist()) if one.dtype.kind == "O" else one.tobytes() == other.tobytes()


def _from_objects(found: NDArray[Any]) -> NDArray[Any]:
    values = [None if _missing(one) else one for one in found.ravel()]
    there = [one for one in values if one is not None]
    if there and all(isinstance(one, bool | np.bool_) for one in there) and len(there) == len(values):
        return np.array(values, dtype=bool).reshape(found.shape)
    if there and not any(isinstance(one, bool) or not isinstance(one, int | float | np.number) for one in there):
        try:
            return np.array([math.nan if one is None else one for one in values], dtype=float).reshape(found.shape)
        except (OverflowError, TypeError):  # whole numbers of hundreds of digits; complex numbers
            pass
    return _texts([None if one is None else _text(one) for one in values]).reshape(found.shape)


def _texts(values: list[str | None]) -> NDArray[Any]:
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _text(value: object) -> str:
    if isinstance(value, str):
        return str.__str__(value)
    return value.decode(errors="backslashreplace") if isinstance(value, bytes) else str(value)


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and value != value) or type(value).__name__ in ("NAType", "NaTType")
