"""Floor 4. Signatures found by looking at data: frames, arrays, lists and mappings; no library is imported that the data did not bring."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from prefect_ledger.errors import InvalidValue
from prefect_ledger.models.column_types import DataType, Kind, ObjectType
from prefect_ledger.models.frames import as_pandas
from prefect_ledger.models.hints import columns_of, fields_of, from_hints
from prefect_ledger.models.nested import conform
from prefect_ledger.models.parameters import Param
from prefect_ledger.models.scalars import missing
from prefect_ledger.models.schema import Column, Schema, Signature, Tensor
from prefect_ledger.models.value_types import common, of, of_dtype
from prefect_ledger.models.wording import quoted

__all__ = ["from_hints", "infer", "infer_schema"]

_ANY = Schema((Column(None, DataType.any),))


def infer(inputs: Any, outputs: Any = None, params: Mapping[str, Any] | None = None) -> Signature:
    """The signature of a model that eats data like ``inputs`` and gives data like ``outputs``; ``params`` with their defaults.

    What a model gives may be anything: where no schema says it, it is ``any``.

    Raises:
        InvalidValue: no schema says ``inputs``, or a parameter is neither a scalar nor a list of them.

    Example:
        >>> print(infer([{"age": 31, "city": "Bonn"}], [0.5], {"threshold": 0.1}))
        inputs
          age: long
          city: string
        outputs
          double
        params
          threshold: double = 0.1
    """
    return Signature(
        None if inputs is None else infer_schema(inputs),
        None if outputs is None else _lenient(outputs),
        tuple(_param(name, value) for name, value in (params or {}).items()),
    )


def infer_schema(data: Any) -> Schema:
    """The schema of data: frames, lists of mappings and mappings have columns, arrays and sparse matrices are tensors of any length, and a
    list or a single value is one column without a name.

    A column with missing values is optional. Whole numbers with missing values in a frame are doubles, as frames have them.

    Raises:
        InvalidValue: no schema says it.

    Example:
        >>> import numpy as np
        >>> print(infer_schema(np.zeros((2, 3))), infer_schema(["a", "b"]), infer_schema({"ids": [1, 2]}), sep="; ")
        float64 tensor (any, 3); string; ids: array of long
    """
    if (frame := as_pandas(data)) is not None:
        return _of_frame(frame, named=not (frame.shape[1] == 1 and getattr(data, "ndim", 2) == 1 and getattr(data, "name", "") is None))
    if _is_array(data) or _is_sparse(data):
        return Schema((_tensor(data),)) if data.ndim else Schema((Column(None, of(data)),))
    if isinstance(data, Mapping):
        return _of_mapping(data)
    if isinstance(data, list):
        return _of_list(data)
    if (found := columns_of(data)) is not None:
        return found
    return Schema((Column(None, _of_instance(data) or of(data)),))


def _lenient(data: Any) -> Schema:
    try:
        return infer_schema(data)
    except InvalidValue:
        return _ANY


def _is_array(data: Any) -> bool:
    return type(data).__module__.partition(".")[0] == "numpy" and hasattr(data, "dtype") and hasattr(data, "ndim")


def _is_sparse(data: Any) -> bool:
    return hasattr(data, "tocsr") and hasattr(data, "dtype")


def _tensor(data: Any, name: str | int | None = None) -> Tensor:
    kind = data.dtype.kind
    return Tensor("str" if kind == "U" else "bytes" if kind == "S" else data.dtype.name, (-1, *map(int, data.shape[1:])), name)


def _of_mapping(data: Mapping[Any, Any]) -> Schema:
    if not data:
        return _ANY
    if all(_is_array(one) and one.ndim for one in data.values()):
        return Schema(tuple(_tensor(one, name) for name, one in data.items()))
    return Schema(tuple(Column(name, _tolerant([one]), not _lacks(one)) for name, one in data.items()))


def _lacks(value: Any) -> bool:
    return any(map(missing, value)) if isinstance(value, list) else missing(value)


def _of_list(data: list[Any]) -> Schema:
    if not data:  # as MLflow has it
        return Schema((Column(None, DataType.string),))
    if not all(isinstance(one, Mapping) for one in data):
        return Schema((Column(None, _of_instance(data[0]) or _tolerant(data)),))
    if not (names := dict.fromkeys(name for row in data for name in row)):
        return _ANY
    return Schema(
        tuple(
            Column(name, _tolerant([row[name] for row in data if name in row]), not any(missing(row.get(name)) for row in data))
            for name in names
        )
    )


def _of_instance(value: Any) -> ObjectType | None:
    """The type of an object of a pydantic model or a dataclass."""
    return None if isinstance(value, type) else fields_of(type(value))


def _of_frame(frame: Any, *, named: bool) -> Schema:
    found = []
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        found.append(Column(_name(name), _of_series(column), not bool(column.isna().any())))
    return Schema(tuple(found)) if named else Schema((Column(None, found[0].type),))


def _name(name: Any) -> Any:
    return name.item() if _is_array(name) else name


def _of_series(column: Any) -> Kind:
    """The type of a column of pandas; ``any`` where all is missing, or no type says what it holds."""
    dtype = column.dtype
    if hasattr(dtype, "categories"):
        return _of_series(column.cat.categories.to_series())
    if dtype.kind == "O":
        with suppress(OverflowError):  # whole numbers beyond all floats, in pandas before 3
            column = column.infer_objects()
        dtype = column.dtype
    if dtype.kind == "O":
        if str(dtype) in ("str", "string"):
            return DataType.any if len(column) and column.isna().all() else DataType.string
        return _floating(_tolerant(column.to_list()), lacks=bool(column.isna().any()))
    try:
        found = of_dtype(dtype)
    except InvalidValue:
        return DataType.any
    return _floating(found, lacks=found in (DataType.integer, DataType.long) and bool(column.isna().any()) and _exact(column.dropna()))


def _exact(column: Any) -> bool:
    """Whether doubles can say each of these whole numbers."""
    return not len(column) or (int(column.min()) >= -(1 << 53) and int(column.max()) <= 1 << 53)


def _floating(kind: Kind, *, lacks: bool) -> Kind:
    return DataType.double if lacks and kind in (DataType.integer, DataType.long) else kind


def _tolerant(values: list[Any]) -> Kind:
    """The type that values have in common; ``any`` where they have none, or where one of them does not fit into it."""
    try:
        found = common(values)
        if not isinstance(found, DataType) or found is DataType.double or any(isinstance(one, list | tuple | Mapping) for one in values):
            for one in values:
                conform(one, found, "", required=False)
    except InvalidValue:
        return DataType.any
    return found


def _param(name: str, value: Any) -> Param:
    if _is_array(value) and value.ndim == 1:
        value = value.tolist()
    try:
        if isinstance(value, list | tuple):
            return Param(name, common(value) if value else DataType.string, list(value), (-1,))  # type: ignore[arg-type]
        return Param(name, DataType.double if isinstance(value, float) else of(value), value)  # type: ignore[arg-type]
    except InvalidValue as error:
        raise InvalidValue(
            f"parameter {name!r}, {quoted(str(name), value)}, is neither a scalar nor a list of scalars of one type: {error}"
        ) from error
