"""Floor 5. What a model answered to a chunk, as columns: one, or several where it answered with several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from prefect_ledger.errors import ScoringFailed
from prefect_ledger.models.frames import as_pandas
from prefect_ledger.scoring.sources import Table, arrow


def columns(found: Any, name: str, rows: int) -> Table:
    """A table of ``rows`` rows. One value a row is the column ``name``; several are ``name_0``, ``name_1``, ..., or ``name_<column>``
    where they have names.

    Raises:
        ScoringFailed: not an answer for each row, or one that no table holds.

    Example:
        >>> columns(np.array([[0.2, 0.8], [0.9, 0.1]]), "prediction", 2).column_names
        ['prediction_0', 'prediction_1']
    """
    pa = arrow("scoring")
    try:
        parts = _parts(found)
        made = pa.table({_named(name, key, len(parts)): _array(pa, part) for key, part in parts.items()})
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise ScoringFailed(f"the model answered with {_kind(found)} that is no table: {error}") from error
    if made.num_rows != rows or not parts:
        raise ScoringFailed(f"the model answered with {made.num_rows:,} rows to {rows:,}: it must give one for each")
    return made


def _parts(found: Any) -> dict[Any, Any]:
    """Columns by their names, or by their places."""
    if type(found).__module__.partition(".")[0] == "scipy" and hasattr(found, "toarray"):
        found = found.toarray()
    if getattr(found, "ndim", 0) == 1 and type(found).__module__.partition(".")[0] in ("pandas", "polars"):
        return {0: found.to_numpy() if type(found).__module__.startswith("polars") else found}
    if (frame := as_pandas(found)) is not None:
        return {key: frame.iloc[:, at] for at, key in enumerate(map(str, frame.columns))}
    if isinstance(found, Mapping):
        return dict(found)
    if isinstance(found, list | tuple):
        if found and all(isinstance(row, Mapping) for row in found):
            return {key: [row.get(key) for row in found] for key in dict.fromkeys(key for row in found for key in row)}
        return {0: list(found)}
    array = np.asarray(found.numpy(force=True) if hasattr(found, "detach") else found)
    if array.ndim == 2:
        return {place: array[:, place] for place in range(array.shape[1])}
    if array.ndim == 0:
        raise TypeError("one value, whatever the number of rows")
    return {0: array}


def _array(pa: Any, part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.ndim > 1:
        length = int(np.prod(part.shape[1:]))
        return pa.FixedSizeListArray.from_arrays(pa.array(part.reshape(-1)), length)
    if hasattr(part, "array") and hasattr(part, "dtype"):  # a pandas series
        made = pa.Array.from_pandas(part)
    else:
        made = pa.array(part.tolist() if isinstance(part, np.ndarray) and part.dtype.kind == "O" else part)
    if pa.types.is_dictionary(made.type):
        made = made.cast(made.type.value_type)
    return made


def _named(name: str, key: Any, count: int) -> str:
    return name if count == 1 else f"{name}_{key}"


def _kind(found: Any) -> str:
    shape = getattr(found, "shape", None)
    return f"a {type(found).__module__}.{type(found).__qualname__}{f' of shape {tuple(shape)}' if shape else ''}"
