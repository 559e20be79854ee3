"""Floor 5. Bodies of requests as data for a model: JSON in MLflow's four forms, CSV, Parquet.

JSON has ``dataframe_split``, ``dataframe_records``, ``instances`` or ``inputs``, exactly one of them, and ``params`` beside it. Where all a
model eats is numbers, the rows become one array at once, and several requests' rows can be asked together.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson

from prefect_ledger.models.frames import pandas
from prefect_ledger.serving.refusals import Refused

if TYPE_CHECKING:
    from prefect_ledger.models.schema import Signature

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
JSON, CSV, PARQUET = "application/json", "text/csv", "application/vnd.apache.parquet"
DEPTH = 64  # of nested lists and mappings in a body
_WANTED = f'a JSON object with exactly one of {", ".join(FORMS)}, such as {{"inputs": [[1.0, 2.0]]}}'


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks. ``rows`` is an array whose first dimension are rows, where the data is that: requests of one ``shape`` can be
    asked together. ``columns`` are the names these rows have as a frame. Else ``data`` is what the model is given."""

    params: Mapping[str, Any] = field(default_factory=dict)
    rows: np.ndarray[Any, Any] | None = None
    columns: Any = None
    data: Any = None

    @property
    def shape(self) -> Any:
        """What requests asked together have in common; None where this one is asked alone."""
        if self.rows is None or self.params or self.rows.ndim < 2:
            return None
        return self.rows.shape[1:], self.rows.dtype.str, self.columns is not None and tuple(self.columns)


class Reader:
    """Reads bodies for a model of this signature."""

    def __init__(self, signature: Signature | None) -> None:
        inputs = signature.inputs if signature is not None else None
        self._tensors = [one for one in inputs.fields if hasattr(one, "dtype")] if inputs is not None else []
        self._columns = [] if self._tensors or inputs is None else list(inputs.fields)
        self._names = [getattr(one, "name", None) for one in self._columns]
        self._numbers = bool(self._names) and all(self._names) and all(getattr(one, "type", None) == "double" for one in self._columns)
        self._index = pandas("serving a model that eats columns").Index(self._names) if self._numbers else None
        self._plain = len(self._tensors) == 1 and not self._tensors[0].name

    def read(self, body: bytes, content_type: str) -> Asked:
        """What ``body`` asks.

        Raises:
            Refused: it is not what its content type says, or nothing a model could be asked.
        """
        kind = content_type.partition(";")[0].strip().lower()
        if kind == JSON:
            return self._json(body)
        if kind == CSV:
            return Asked(data=_csv(body))
        if kind == PARQUET:
            return Asked(data=_parquet(body))
        raise Refused(
            f"the content type is {kind or 'missing'!r}; it can be {JSON}, {CSV} or {PARQUET}",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            code="BAD_REQUEST",
        )

    def _json(self, body: bytes) -> Asked:
        try:
            found = orjson.loads(body)
        except (orjson.JSONDecodeError, RecursionError) as error:
            raise Refused(f"the body is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise Refused(f"the body is a JSON {_called(found)}; it has to be {_WANTED}")
        forms = [name for name in FORMS if name in found]
        if len(forms) != 1:
            raise Refused(f"the body has {' and '.join(forms) or 'none of the fields that hold data'}; it has to be {_WANTED}")
        params = found.get("params")
        if params is not None and not isinstance(params, dict):
            raise Refused(f"params is a JSON {_called(params)}; it has to be an object of names and values")
        return self._of(forms[0], found[forms[0]], params or {})

    def _of(self, form: str, value: Any, params: Mapping[str, Any]) -> Asked:
        if not _rows_of_numbers(value):
            _check_depth(value)
        if form == "dataframe_split":
            return self._split(value, params)
        objects = form == "instances" and isinstance(value, list) and bool(value) and isinstance(value[0], dict)
        if form == "dataframe_records" or (objects and self._columns):
            return Asked(params, data=self._records(value, form))
        if isinstance(value, dict):
            return Asked(params, data=self._named(value))
        if objects:
            return Asked(params, data=self._named(_by_name(value)))
        return self._list(value, params)

    def _list(self, value: Any, params: Mapping[str, Any]) -> Asked:
        if not isinstance(value, list):
            return Asked(params, data=value)
        if not self._plain and self._columns and not (self._numbers and value and isinstance(value[0], list)):
            return Asked(params, data=value)
        rows = _array(value)
        if self._numbers:
            return self._rows(rows, self._names, params) if rows.dtype.kind in "iuf" else Asked(params, data=value)
        return Asked(params, rows=_as(rows, np.dtype(self._tensors[0].dtype) if self._plain else None))

    def _split(self, value: Any, params: Mapping[str, Any]) -> Asked:
        if not isinstance(value, dict) or not isinstance(value.get("data"), list):
            raise Refused('dataframe_split is an object such as {"columns": ["a", "b"], "data": [[1.0, 2.0]]}')
        columns = value.get("columns")
        if columns is not None and not (isinstance(columns, list) and all(type(name) in (str, int) for name in columns)):
            raise Refused("the columns of dataframe_split are a list of names")
        if self._numbers and columns == self._names:
            rows = _array(value["data"])
            if rows.ndim == 2 and rows.dtype.kind in "iuf":
                return self._rows(rows, columns, params)
        try:
            return Asked(params, data=pandas("a frame").DataFrame(value["data"], columns=columns))
        except (ValueError, TypeError, AssertionError) as error:
            raise Refused(f"dataframe_split is no frame: {error}") from None

    def _rows(self, rows: np.ndarray[Any, Any], names: Any, params: Mapping[str, Any]) -> Asked:
        if rows.ndim != 2 or rows.shape[1] != len(names):
            raise Refused(f"each row has {len(names)} numbers: {', '.join(map(str, names[:8]))}{', …' if len(names) > 8 else ''}")
        return Asked(params, rows=rows.astype(np.float64, copy=False), columns=self._index)

    @staticmethod
    def _records(value: Any, form: str) -> Any:
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            raise Refused(f'{form} is a list of objects such as [{{"a": 1.0, "b": 2.0}}]')
        return pandas("a frame").DataFrame(value)

    def _named(self, value: Mapping[str, Any]) -> Any:
        if self._columns:
            if not all(isinstance(column, list) for column in value.values()):
                return value
            try:
                return pandas("a frame").DataFrame(value)
            except ValueError as error:
                raise Refused(f"the lists are no frame: {error}") from None
        wanted = {one.name: np.dtype(one.dtype) for one in self._tensors}
        return {name: _as(_array(column), wanted.get(name)) if isinstance(column, list) else column for name, column in value.items()}


def _array(value: list[Any]) -> np.ndarray[Any, Any]:
    try:
        return np.array(value)
    except (ValueError, OverflowError):
        raise Refused("the lists have different lengths, or numbers that are too large: they make no array") from None


def _as(found: np.ndarray[Any, Any], wanted: np.dtype[Any] | None) -> np.ndarray[Any, Any]:
    return found.astype(wanted) if wanted is not None and found.dtype != wanted and _exact(found, wanted) else found


def _exact(found: np.ndarray[Any, Any], wanted: np.dtype[Any]) -> bool:
    """Whether JSON's numbers are those of ``wanted``: it has whole numbers and others, and says nothing of their size."""
    if found.dtype.kind == "i" and wanted.kind in "iu":
        limits = np.iinfo(wanted)
        return found.size == 0 or bool(found.min() >= limits.min and found.max() <= limits.max)
    return found.size == 0 or (found.dtype.kind in "iuf" and wanted.kind == "f")


def _by_name(value: list[Any]) -> dict[str, list[Any]]:
    names = value[0].keys()
    if not all(isinstance(row, dict) and row.keys() == names for row in value):
        raise Refused("instances have different names: each has all tensors of the model")
    return {name: [row[name] for row in value] for name in names}


def _rows_of_numbers(value: Any) -> bool:
    """Whether these look like rows of numbers: then they become an array, or are refused, whatever else is in them."""
    first = value[0] if type(value) is list and value else None
    return type(first) is list and bool(first) and type(first[0]) in (float, int)


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [item for one in level if isinstance(one, list | dict) for item in _first_and_nested(one)]:
        depth += 1
        if depth > DEPTH:
            raise Refused(f"lists or objects are nested deeper than {DEPTH} levels")


def _first_and_nested(one: Any) -> list[Any]:
    items = list(one.values()) if isinstance(one, dict) else one
    first = items[0] if items else None
    return [item for item in items if isinstance(item, list | dict)] if isinstance(first, list | dict) or len(items) < 64 else []


def _csv(body: bytes) -> Any:
    pd = pandas("reading CSV")
    try:
        return pd.read_csv(io.BytesIO(body))
    except (ValueError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:  # UnicodeDecodeError is a ValueError
        raise Refused(f"the body is no CSV with a line of names: {str(error).strip()[:200]}") from None


def _parquet(body: bytes) -> Any:
    pd = pandas("reading Parquet")
    try:
        return pd.read_parquet(io.BytesIO(body))
    except Exception as error:  # noqa: BLE001  # arrow raises what it likes
        raise Refused(f"the body is no Parquet: {str(error).strip()[:200]}") from None


def gap(data: Any) -> str:
    """What many models do not take, if it is there: no rows, or a value that is missing, as "row 3, column 'age' is missing"."""
    if hasattr(data, "__len__") and not len(data):
        return "there are no rows"
    if hasattr(data, "isna"):
        rows, columns = np.nonzero(data.isna().to_numpy())
        return f"row {rows[0]}, column {data.columns[columns[0]]!r} is missing" if len(rows) else ""
    if isinstance(data, np.ndarray) and data.dtype.kind == "f":
        places = np.argwhere(np.isnan(data))
        return f"the number at {tuple(places[0].tolist())} is missing" if len(places) else ""
    return ""


def _called(value: Any) -> str:
    kinds: list[tuple[Any, str]] = [(list, "array"), (dict, "object"), (str, "text"), (bool, "truth value"), (int | float, "number")]
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")
