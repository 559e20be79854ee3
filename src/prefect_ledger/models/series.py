"""Floor 4. One column of a pandas frame brought to the type of a column of a schema."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from prefect_ledger.errors import SignatureMismatch
from prefect_ledger.models.column_types import NUMBERS, DataType, Kind
from prefect_ledger.models.nested import conform
from prefect_ledger.models.scalars import WHOLE, missing
from prefect_ledger.models.widening import widen
from prefect_ledger.models.wording import about, article

_NUMBERS = {kind: np.dtype(name) for kind, name in NUMBERS.items()}


def column(values: Any, wanted: Kind, name: Any, *, required: bool = True, json: bool = False) -> Any:
    """A pandas Series as ``wanted``: itself where it is, else a new one with the same index. Missing values stay missing; a required column
    of whole numbers or truths has none.

    Raises:
        SignatureMismatch: it is of another type; for columns of objects the message has the first wrong row.

    Example:
        >>> column(pd.Series([1, 2], dtype="int32"), DataType.double, "age").tolist()
        [1.0, 2.0]
    """
    if wanted is DataType.any:
        return values
    with about(name):
        found = _column(values, wanted, name, required=required, json=json)
        if required and wanted in WHOLE and not (isinstance(found.dtype, np.dtype) and found.dtype.kind in "biu"):
            _complete(found, wanted, f"column {name!r}")
        return found


def _complete(values: Any, wanted: Kind, where: str) -> None:
    """Refuse a required column with missing values, where its type has none: a model of whole numbers would stumble over it."""
    if (lacks := values.isna().to_numpy()).any():
        raise SignatureMismatch(
            f"{where}, row {int(lacks.argmax())} is missing, where {article(str(wanted))} is wanted; a signature found from data with some "
            f"missing has an optional column",
            field=where,
            found="missing",
            wanted=str(wanted),
        )


def _column(values: Any, wanted: Kind, name: Any, *, required: bool, json: bool) -> Any:
    where = f"column {name!r}"
    dtype = values.dtype
    if hasattr(dtype, "categories"):
        return _categories(values, wanted, name, json=json)
    if not isinstance(wanted, DataType) or wanted is DataType.vector:
        return _objects(values, wanted, where, required=required, json=json)
    if dtype.kind == "O" and str(dtype) not in ("str", "string"):
        return _from_objects(values, wanted, name, json=json)
    found = _typed(values, wanted, json=json)
    if found is None:
        if json and wanted in (DataType.binary, DataType.datetime):
            return _from_objects(values.astype(object), wanted, name, json=json)
        raise _mismatch(values, wanted, where, name)
    return found


def block(frame: Any, wanted: DataType, *, json: bool) -> Any:
    """A frame whose columns are of one dtype of numpy's, each as ``wanted``; None where values could change."""
    if not isinstance(frame.dtypes.iloc[0], np.dtype):
        return None
    found = widen(frame.to_numpy(), _NUMBERS[wanted], json=json)
    return None if found is None else pd.DataFrame(found, index=frame.index, columns=frame.columns, copy=False)


def _typed(values: Any, wanted: DataType, *, json: bool) -> Any:
    """A column whose dtype says what it holds."""
    dtype = values.dtype
    if wanted is DataType.string:
        return values if dtype.kind in "OU" else None
    if wanted is DataType.datetime:
        return values if dtype.kind == "M" else None
    if (number := _NUMBERS.get(wanted)) is None:
        return None
    if dtype.kind == "f" and number.kind in "iu" and values.isna().all() and len(values):
        return values  # nothing but missing values has no type of its own
    return widen(values, number, json=json)


def _categories(values: Any, wanted: Kind, name: Any, *, json: bool) -> Any:
    """Categories stay categories where each is of the type."""
    column(pd.Series(values.cat.categories), wanted, name, json=json)
    return values


def _from_objects(values: Any, wanted: DataType, name: Any, *, json: bool) -> Any:
    """Python's own values, each brought to the type."""
    kind = pd.api.types.infer_dtype(values, skipna=True)
    if kind == "empty" or _CLEAN.get(wanted) == kind:
        return (
            values
            if wanted in (DataType.string, DataType.binary, DataType.boolean)
            else _built(values.tolist(), values, wanted, name, json=json)
        )
    items = _objects(values, wanted, f"column {name!r}", required=False, json=json).tolist()
    return _built(items, values, wanted, name, json=json)


_CLEAN = {DataType.string: "string", DataType.binary: "bytes", DataType.boolean: "boolean"}


def _built(items: list[Any], values: Any, wanted: DataType, name: Any, *, json: bool) -> Any:
    """The converted values as a column: numbers and times with a dtype of their own, where none is missing or it can say so."""
    number = _NUMBERS.get(wanted)
    lacks = any(map(missing, items))
    if wanted is DataType.datetime:
        return _times(pd.Series(items, index=values.index, name=values.name, dtype=object))
    if number is None or (lacks and number.kind != "f"):
        return pd.Series(items, index=values.index, name=values.name, dtype=object)
    if lacks:
        items = [float("nan") if missing(one) else one for one in items]
    found = np.array(items, dtype=number)
    if number.kind == "f" and not json and not np.array_equal(found, np.array(items, dtype=np.float64), equal_nan=True):
        raise _mismatch(values, wanted, f"column {name!r}", name)
    return pd.Series(found, index=values.index, name=values.name)


def _times(values: Any) -> Any:
    """Times as a column of them; they stay objects where several zones, or years far away, have no dtype."""
    try:
        return pd.to_datetime(values)
    except (ValueError, OverflowError):
        return values


def _objects(values: Any, wanted: Kind, where: str, *, required: bool, json: bool) -> Any:
    found = [
        None if not required and missing(one) else conform(one, wanted, f"{where}, row {row}", required=required, json=json)
        for row, one in enumerate(values.tolist())
    ]
    return pd.Series(found, index=values.index, name=values.name, dtype=object)


def _mismatch(values: Any, wanted: DataType, where: str, name: Any) -> SignatureMismatch:
    said = f"{where} is {article(str(values.dtype))}, where {article(str(wanted))} is wanted"
    if values.dtype.kind == "f" and wanted in (DataType.integer, DataType.long):
        said += ": whole numbers with missing values are floats in a frame; a signature found from data with some has double"
    elif values.dtype.kind == "b" and wanted in _NUMBERS:
        said += ": true and false are no numbers here; give 1 and 0"
    elif values.dtype.kind in "iuf" and wanted in _NUMBERS:
        said += " and values could change"
    return SignatureMismatch(said, field=str(name), found=str(values.dtype), wanted=str(wanted))
